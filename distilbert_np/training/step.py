"""One step: forward, backward, and the optimiser moves the parameters.

Memory: beside the parameters there are their gradients and the optimiser's moments (two
for Adam), all of one size, and the trace of one batch, which goes as soon as backward
has used it; with several batches, one tree of gradients more. Nothing is kept from one
step to the next.
"""

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ..errors import TrainingError
from ..functions import Array
from ..models import DistilBertPreTrainedModel
from ..trees import Tree, flatten
from .batches import Batch, n_labels
from .optimizers import Optimizer, clip_by_global_norm

# What is made small: (model, batch, share, rng) -> the loss of the batch, and `share`
# times its gradient for every parameter.
Objective = Callable[..., tuple[float, Tree]]
NOTHING_COUNTS = "no label counts: all are −100, or beyond the text"


def own_loss(
    model: DistilBertPreTrainedModel, batch: Batch, share: float,
    rng: "np.random.Generator | None",
) -> tuple[float, Tree]:
    """Return the model's own loss of a batch, and `share` times its gradients."""
    out = model(**batch, trace=True, rng=rng)
    check_loss(out.loss, out.trace)
    return float(out.loss), model.backward(out, {"loss": share})


def train_step(
    model: DistilBertPreTrainedModel,
    batches: Sequence[Batch],
    optimizer: Optimizer,
    lr: float,
    max_grad_norm: float,
    rng: "np.random.Generator | None",
    objective: Objective = own_loss,
) -> float:
    """Move the parameters once, by the mean gradient of some batches; return the loss.

    Each batch weighs as much as it has labels, so several small ones make the step of
    one large one (for question answering, if all are of one length: padding takes part
    in its softmax; for distillation, if each has as many labels for its tokens: the
    cosine is a mean over tokens). Raises TrainingError where a loss or gradient is not
    finite.
    """
    batches = [batch for batch in batches if n_labels(batch)]
    if not batches:
        raise TrainingError(NOTHING_COUNTS)
    total = sum(n_labels(batch) for batch in batches)
    loss, grads = 0.0, None
    with np.errstate(over="ignore", invalid="ignore"):     # what they lead to is named
        for batch in batches:
            share = n_labels(batch) / total
            batch_loss, more = objective(model, batch, share, rng)
            loss += share * batch_loss
            more.pop("inputs_embeds", None)      # is no parameter
            grads = added(grads, more)
            del more                             # before the next batch needs as much
        check_norm(clip_by_global_norm(grads, max_grad_norm), grads)
        optimizer.step(grads, lr)
    return loss


def added(grads: Tree | None, more: Tree) -> Tree:
    """Return the sum of two trees of gradients, the first of which may be missing."""
    if grads is None:
        return more
    for gradient, other in zip(
        flatten(grads).values(), flatten(more).values(), strict=True
    ):
        gradient += other
    return grads


def check_loss(loss: float, trace: dict[str, Array]) -> None:
    """Raise TrainingError, naming the first tensor at fault, unless the loss is finite.
    """
    if not np.isfinite(loss):
        name = first_not_finite(trace.items())
        raise TrainingError(
            f"the loss is {loss}; the first tensor that is not finite is {name}"
        )


def check_norm(norm: float, grads: Tree) -> None:
    """Raise TrainingError, naming the gradient at fault, unless the norm is finite."""
    if math.isfinite(norm):
        return
    # Backward goes from the end to the beginning.
    name = first_not_finite(reversed(flatten(grads).items()))
    raise TrainingError(
        f"the gradient of {name} is the first that is not finite" if name
        else "the gradients are too large for their squares to be added"
    )


def first_not_finite(tensors: Iterable[tuple[str, Array]]) -> str | None:
    """Return the name of the first of some tensors that holds NaN or infinity."""
    for name, array in tensors:
        if not np.isfinite(array).all():
            return name
    return None
