"""The computation as a table of steps: what each array of a trace is made of, and how.

The lessons are functions of functions. Here each array has a line to itself, so that a
single step can be run from any arrays: those of a port, say, however wrong they are.
A test holds that the steps, run one after another, are the model.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..attention import mask_bias, merge_heads, split_heads
from ..config import DistilBertConfig
from ..embeddings import embeddings_backward
from ..encoder import transformer_block_backward
from ..functions import (
    ACTIVATIONS,
    Array,
    layer_norm,
    linear,
    lookup,
    matmul,
    relu,
    softmax,
)
from ..losses import (
    cosine_loss,
    cosine_loss_backward,
    cross_entropy,
    cross_entropy_backward,
    kl_divergence,
    kl_divergence_backward,
    question_answering_loss,
    question_answering_loss_backward,
    sequence_loss,
    sequence_loss_backward,
)
from ..models import DistilBertPreTrainedModel as Model
from ..pipelines.feature_extraction import mean_in_sight
from ..training.distill import Distillation, counted
from ..trees import Tree, flatten, unflatten
from ..weights import BLOCK as BLOCK_PARAMETERS
from ..weights import DECODER, ENCODER, HEADS

GRADIENTS = "gradients."
TEACHER = "inputs.teacher."                      # what a teacher said, to be followed
KL, MLM, COS, TEMPERATURE = (
    Distillation.kl, Distillation.mlm, Distillation.cos, Distillation.temperature
)
ATTENTION_MASK, LABELS = "inputs.attention_mask", "inputs.labels"
START = "inputs.last_hidden_state_gradient"      # where there is no loss


@dataclass(frozen=True)
class Step:
    """How some arrays, mostly one, are computed from others.

    operation  a key of OPERATIONS, which computes them
    gives      their names
    reads      the names of the arrays that it reads
    params     the path to the parameters that it uses: `vocab_transform`, …
    formula    the same for people; x, y are what is read, W and b the parameters
    """

    operation: str
    gives: tuple[str, ...]
    reads: tuple[str, ...]
    params: str = ""
    formula: str = ""

    @property
    def name(self) -> str:
        """The first, and mostly only, array that it gives."""
        return self.gives[0]


@dataclass(frozen=True)
class Place:
    """Where a step is run: in this model, amid these values."""

    model: Model
    step: Step
    values: Mapping[str, Array]

    @property
    def config(self) -> DistilBertConfig:
        """The model's configuration."""
        return self.model.config

    @property
    def params(self) -> Tree:
        """The parameters that the step uses."""
        return parameters_at(self.model, self.step.params)

    @property
    def layer(self) -> int:
        """The number of the block that the step is part of."""
        path = self.step.params or self.step.name
        return int(path.partition(".layer.")[2].partition(".")[0])


def parameters_at(model: Model, path: str) -> Tree:
    """Return the part of a model's parameters that stands under a path."""
    tree = model.params | model.encoder
    for name in path.split(".") if path else ():
        tree = tree[name]
    return tree


# --- the operations -------------------------------------------------------------------
# Each takes the place, and the arrays that the step reads.

Operation = Callable[..., Any]


def head_backward(
    at: Place, dlogits: Array, h: Array, *more: Array
) -> tuple[Array, ...]:
    """Return the gradients of the head's parameters, then that of h (B, L, D)."""
    model, read = at.model, dict(zip(at.step.reads, (dlogits, h, *more), strict=True))
    trace = unflatten({
        name.removeprefix("head."): array for name, array in read.items()
        if name.startswith("head.")
    })
    douts = {"logits": dlogits}
    if model.head == "question_answering":
        douts = {"start_logits": dlogits[..., 0], "end_logits": dlogits[..., 1]}
    dh, grads = model.head_backward(douts, h, {"head": trace, "inputs": {}})
    if TEACHER + "last_hidden_state" in read:
        seen = read[ATTENTION_MASK].astype(bool)                         # (B, L)
        taught = read[TEACHER + "last_hidden_state"]
        dh[seen] += cosine_loss_backward(COS, h[seen], taught[seen])
    return *(flatten(grads)[name] for name in backwards(HEADS[model.head])), dh


def block_backward(at: Place, dy: Array, *read: Array) -> tuple[Array, ...]:
    """Return the gradients of a block's parameters, then that of what it read."""
    values = dict(zip(at.step.reads, (dy, *read), strict=True))
    block = f"transformer.layer.{at.layer}."
    trace = unflatten({
        name.removeprefix(block): array for name, array in values.items()
        if name.startswith(block)
    })
    head_mask = values.get("inputs.head_mask")
    dx, grads = transformer_block_backward(
        dy, read[0], at.params, trace, at.config,
        None if head_mask is None else head_mask[at.layer],
    )
    return *(flatten(grads)[name] for name in backwards(BLOCK_PARAMETERS)), dx


def embeddings_gradients(
    at: Place, padding_id: int | None, dy: Array, summed: Array, words: Array,
    positions: Array, *decoder: Array,
) -> tuple[Array, ...]:
    """Return the gradients of both tables, and of the LayerNorm's gain and bias.

    A tied decoder is the table of words itself, which gets the decoder's, too.
    """
    _, grads = embeddings_backward(
        dy, words, positions, at.params, {"sum": summed}, padding_id
    )
    for gradient in decoder:
        grads["word_embeddings"]["weight"] += gradient
    grads = {"embeddings": grads}
    return tuple(flatten(grads)[name] for name in backwards(ENCODER))


def asked(logits: Array, labels: Array, mask: Array) -> Array:
    """Return which places (B, L) distillation asks for."""
    return counted({"labels": labels, "attention_mask": mask})[0]


def distillation_kl(
    at: Place, logits: Array, taught: Array, labels: Array, mask: Array
) -> Array:
    """Return KL(teacher ‖ student) over the words that are asked for."""
    places = asked(logits, labels, mask)
    return kl_divergence(logits[places], taught[places], TEMPERATURE)


def distillation_cos(at: Place, h: Array, taught: Array, mask: Array) -> Array:
    """Return 1 − cos of the last hidden states, a mean over the tokens in sight."""
    seen = mask.astype(bool)
    return cosine_loss(h[seen], taught[seen])


def distillation_backward(
    at: Place, logits: Array, taught: Array, labels: Array, mask: Array
) -> Array:
    """Return the gradient of the logits in 5·KL + 2·MLM."""
    places = asked(logits, labels, mask)
    dlogits = cross_entropy_backward(MLM, logits, labels)                # (B, L, V)
    dlogits[places] += kl_divergence_backward(
        KL, logits[places], taught[places], TEMPERATURE
    )
    return dlogits


OPERATIONS: dict[str, Operation] = {
    "given": lambda at, x: x,
    "words": lambda at, ids: lookup(ids, **at.params),
    "positions": lambda at, ids: lookup(ids, **at.params),
    "embeddings": lambda at, x, y: x + y,
    "residual": lambda at, x, y: x + y,
    "norm": lambda at, x: layer_norm(x, **at.params),
    "heads": lambda at, x: split_heads(linear(x, **at.params), at.config.n_heads),
    "scores": lambda at, q, k: matmul(q / np.sqrt(q.shape[-1]), k.swapaxes(-1, -2)),
    "weights": lambda at, x, mask: softmax(x, mask_bias(mask.astype(bool), x.dtype)),
    "head mask": lambda at, x, factors: x * factors[at.layer][:, None, None],
    "context": lambda at, weights, v: merge_heads(matmul(weights, v)),
    "linear": lambda at, x: linear(x, **at.params),
    "activation": lambda at, x: ACTIVATIONS[at.config.activation](x),
    "decoder": lambda at, x: linear(x, at.model.decoder, at.params["bias"]),
    "first": lambda at, h: h[:, 0],
    "relu": lambda at, x: relu(x),
    "choices": lambda at, x, count: linear(x, **at.params).reshape(-1, int(count)),
    "mean": lambda at, h, mask: mean_in_sight(h, mask),
    "cross-entropy": lambda at, logits, labels: cross_entropy(logits, labels),
    "sequence loss": lambda at, logits, labels: sequence_loss(
        logits, labels, at.config.problem_type
    ),
    "answer loss": lambda at, logits, *places: question_answering_loss(logits, *places),
    "kl": distillation_kl,
    "cos": distillation_cos,
    "triple loss": lambda at, kl, mlm, cos: KL * kl + MLM * mlm + COS * cos,
    "cross-entropy backward": lambda at, logits, labels: cross_entropy_backward(
        1.0, logits, labels
    ),
    "sequence loss backward": lambda at, logits, labels: sequence_loss_backward(
        1.0, logits, labels, at.config.problem_type
    ),
    "answer loss backward": lambda at, logits, *places: (
        question_answering_loss_backward(1.0, logits, *places)
    ),
    "triple loss backward": distillation_backward,
    "head backward": head_backward,
    "block backward": block_backward,
    "embeddings backward": lambda at, *read: embeddings_gradients(
        at, at.config.pad_token_id, *read
    ),
}


# --- the table ------------------------------------------------------------------------
# For each array: the operation, what it reads (x: what the block, or the head, reads),
# the path to its parameters, the formula.

EMBEDDINGS = {
    "words": ("words", "inputs.input_ids", "word_embeddings", "W[input_ids]"),
    "positions": ("positions", "inputs.position_ids", "position_embeddings",
                  "W[position_ids]"),
    "sum": ("embeddings", "words positions", "", "words + positions"),
    "LayerNorm": ("norm", "sum", "LayerNorm", "LayerNorm(sum)"),
}
BLOCK = {
    "attention.q": ("heads", "x", "attention.q_lin", "x Wᵀ + b, split into heads"),
    "attention.k": ("heads", "x", "attention.k_lin", "x Wᵀ + b, split into heads"),
    "attention.v": ("heads", "x", "attention.v_lin", "x Wᵀ + b, split into heads"),
    "attention.scores": ("scores", "attention.q attention.k", "", "q kᵀ / √K"),
    "attention.weights": (
        "weights", "attention.scores inputs.attention_mask", "",
        "softmax over the last axis of scores + (0 where attention_mask, else the "
        "lowest finite number)",
    ),
    "attention.head_masked_weights": (
        "head mask", "attention.weights inputs.head_mask", "",
        "weights · head_mask[layer]",
    ),
    "attention.context": (
        "context", "attention.weights attention.v", "", "weights v, heads merged"
    ),
    "attention.out_lin": (
        "linear", "attention.context", "attention.out_lin", "context Wᵀ + b"
    ),
    "attention_sum": ("residual", "x attention.out_lin", "", "x + out_lin"),
    "sa_layer_norm": (
        "norm", "attention_sum", "sa_layer_norm", "LayerNorm(attention_sum)"
    ),
    "ffn.lin1": ("linear", "sa_layer_norm", "ffn.lin1", "sa_layer_norm Wᵀ + b"),
    "ffn.activation": ("activation", "ffn.lin1", "", "ACTIVATION(lin1)"),
    "ffn.lin2": ("linear", "ffn.activation", "ffn.lin2", "activation Wᵀ + b"),
    "ffn_sum": ("residual", "sa_layer_norm ffn.lin2", "", "sa_layer_norm + lin2"),
    "output_layer_norm": (
        "norm", "ffn_sum", "output_layer_norm", "LayerNorm(ffn_sum)"
    ),
}
FIRST = {
    "head.first": ("first", "x", "", "x[:, 0]"),
    "head.pre_classifier": (
        "linear", "head.first", "pre_classifier", "first Wᵀ + b"
    ),
    "head.relu": ("relu", "head.pre_classifier", "", "max(pre_classifier, 0)"),
}
HEAD = {
    "base": {
        "sentence.mean": (
            "mean", "x inputs.attention_mask", "",
            "mean of x over the tokens where attention_mask; 0 if there is none",
        ),
    },
    "masked_lm": {
        "head.vocab_transform": ("linear", "x", "vocab_transform", "x Wᵀ + b"),
        "head.activation": (
            "activation", "head.vocab_transform", "", "ACTIVATION(vocab_transform)"
        ),
        "head.vocab_layer_norm": (
            "norm", "head.activation", "vocab_layer_norm", "LayerNorm(activation)"
        ),
        "head.logits": (
            "decoder", "head.vocab_layer_norm", "vocab_projector",
            "vocab_layer_norm Wᵀ + b; tied, W is the table of word embeddings",
        ),
    },
    "sequence": FIRST | {
        "head.logits": ("linear", "head.relu", "classifier", "relu Wᵀ + b"),
    },
    "token": {"head.logits": ("linear", "x", "classifier", "x Wᵀ + b")},
    "question_answering": {
        "head.logits": ("linear", "x", "qa_outputs", "x Wᵀ + b: start, end"),
    },
    "multiple_choice": FIRST | {
        "head.logits": (
            "choices", "head.relu inputs.n_choices", "classifier",
            "relu Wᵀ + b, a row for each question",
        ),
    },
}
MASKED_MEAN = "mean of −log softmax(logits)[label] over labels ≠ −100"
LOSS = {                                         # operation, labels, formula
    "masked_lm": ("cross-entropy", LABELS, MASKED_MEAN),
    "sequence": (
        "sequence loss", LABELS,
        "by problem_type: cross-entropy, mean squared error, or binary cross-entropy",
    ),
    "token": ("cross-entropy", LABELS, MASKED_MEAN),
    "question_answering": (
        "answer loss", "inputs.start_positions inputs.end_positions",
        "mean of the cross-entropies of start and end over the places of a text; "
        "positions below 0 are 0, those of L and more do not count",
    ),
    "multiple_choice": ("cross-entropy", LABELS, MASKED_MEAN),
}
TRIPLE_LOSS = {
    "distillation.kl": (
        "kl", f"head.logits {TEACHER}logits {LABELS} {ATTENTION_MASK}", "",
        f"{TEMPERATURE:g}² · mean over labels ≠ −100 of KL(softmax(teacher / "
        f"{TEMPERATURE:g}) ‖ softmax(logits / {TEMPERATURE:g}))",
    ),
    "distillation.mlm": (
        "cross-entropy", f"head.logits {LABELS}", "", MASKED_MEAN
    ),
    "distillation.cos": (
        "cos", f"x {TEACHER}last_hidden_state {ATTENTION_MASK}", "",
        "mean of 1 − cos(x, teacher's) over the tokens where attention_mask",
    ),
    "loss": (
        "triple loss", "distillation.kl distillation.mlm distillation.cos", "",
        f"{KL:g}·kl + {MLM:g}·mlm + {COS:g}·cos",
    ),
}


def steps_of(
    model: Model, given: Collection[str], gradients: bool = False
) -> list[Step]:
    """Return the steps from these inputs (`inputs.input_ids`, …), in computing order.

    Labels among the inputs add the loss, a teacher's logits and last hidden state the
    losses of distillation; `gradients` adds the way back.
    """
    forward = [*encoder_steps(model, given), *head_steps(model, given)]
    if not gradients:
        return forward
    return forward + list(backward_steps(model, given, forward))


def step_of(row: tuple[str, ...], name: str, x: str, path: str = "") -> Step:
    """Return the step of a row of the table; `path` stands before names but inputs'."""
    operation, reads, params, formula = row
    full = {"x": x} | {
        read: read if read.startswith(("inputs.", "head.", "distillation."))
        else path + read for read in reads.split() if read != "x"
    }
    return Step(
        operation, (path + name,), tuple(full[read] for read in reads.split()),
        path + params if params else "", formula,
    )


def encoder_steps(model: Model, given: Collection[str]) -> Iterator[Step]:
    """Yield the steps of embeddings and blocks."""
    table = EMBEDDINGS
    if "inputs.inputs_embeds" in given:
        row = ("given", "inputs.inputs_embeds", "", "inputs_embeds")
        table = EMBEDDINGS | {"words": row}
    for name, row in table.items():
        yield step_of(row, name, "", "embeddings.")
    has_head_mask = "inputs.head_mask" in given
    for i in range(model.config.n_layers):
        for name, row in BLOCK.items():
            if name.endswith("head_masked_weights") and not has_head_mask:
                continue
            step = step_of(row, name, last_state(i), f"transformer.layer.{i}.")
            if name == "attention.context" and has_head_mask:
                masked = step.reads[0].replace(".weights", ".head_masked_weights")
                step = replace(step, reads=(masked, *step.reads[1:]))
            yield step


def backwards(parameters: Collection[str]) -> list[str]:
    """Return the names of parameters in the order in which their gradients come."""
    return list(parameters)[::-1]


def last_state(n_layers: int) -> str:
    """Return the name of the hidden state after so many blocks."""
    last = f"transformer.layer.{n_layers - 1}.output_layer_norm"
    return last if n_layers else "embeddings.LayerNorm"


def head_steps(model: Model, given: Collection[str]) -> Iterator[Step]:
    """Yield the steps of the head, and of the loss if there are labels."""
    table, x = HEAD[model.head], last_state(model.config.n_layers)
    if TEACHER + "logits" in given:
        table = table | TRIPLE_LOSS
    elif model.head in LOSS:
        operation, labels, formula = LOSS[model.head]
        if set(labels.split()) <= set(given):
            table = table | {
                "loss": (operation, f"head.logits {labels}", "", formula)
            }
    for name, row in table.items():
        yield step_of(row, name, x)


def backward_steps(
    model: Model, given: Collection[str], forward: list[Step]
) -> Iterator[Step]:
    """Yield the steps back: from the loss to the gradient of every parameter."""
    n_layers, state = model.config.n_layers, last_state(model.config.n_layers)
    if model.head == "base":
        yield Step("given", (GRADIENTS + state,), (START,), "", "as it was given")
    else:
        yield from head_gradients(model, given, forward, state)
    head_mask = [name for name in ("inputs.head_mask",) if name in given]
    for i in reversed(range(n_layers)):
        block = f"transformer.layer.{i}."
        of_block = [step.name for step in forward if step.name.startswith(block)]
        yield Step(
            "block backward",
            (*(GRADIENTS + block + name for name in backwards(BLOCK_PARAMETERS)),
             GRADIENTS + last_state(i)),
            (GRADIENTS + last_state(i + 1), last_state(i), *of_block, *head_mask),
            block.rstrip("."), "the chain rule through the block",
        )
    words = "inputs.inputs_embeds" if "inputs.inputs_embeds" in given else (
        "inputs.input_ids"
    )
    tied = model.head == "masked_lm" and model.config.tie_word_embeddings
    yield Step(
        "embeddings backward", tuple(GRADIENTS + name for name in backwards(ENCODER)),
        (GRADIENTS + last_state(0), "embeddings.sum", words, "inputs.position_ids",
         *([GRADIENTS + DECODER] if tied else [])),
        "embeddings", "the chain rule through LayerNorm; each id's rows added up"
        + (", and the decoder's gradient" if tied else ""),
    )


def head_gradients(
    model: Model, given: Collection[str], forward: list[Step], state: str
) -> Iterator[Step]:
    """Yield the steps back from the loss to the last hidden state."""
    (loss,) = (step for step in forward if step.name == "loss")
    of_head = [step.name for step in forward if step.name.startswith("head.")]
    reads, taught = loss.reads, []
    if loss.operation == "triple loss":
        reads = ("head.logits", TEACHER + "logits", LABELS, ATTENTION_MASK)
        taught = [TEACHER + "last_hidden_state", ATTENTION_MASK]
    yield Step(
        f"{loss.operation} backward", (GRADIENTS + "head.logits",), reads, "",
        "the derivative of the loss",
    )
    yield Step(
        "head backward",
        (*(GRADIENTS + name for name in backwards(HEADS[model.head])),
         GRADIENTS + state),
        (GRADIENTS + "head.logits", state, *of_head, *taught), "",
        "the chain rule through the head",
    )


def run(step: Step, model: Model, values: Mapping[str, Array]) -> dict[str, Array]:
    """Return what a step gives, by name, from the values that it reads."""
    return outcome(step, OPERATIONS[step.operation], model, values)


def outcome(
    step: Step, operation: Operation, model: Model, values: Mapping[str, Array]
) -> dict[str, Array]:
    """Return what a step would give if this were its operation."""
    reads = (as_read(values[name], model.dtype) for name in step.reads)
    result = operation(Place(model, step, values), *reads)
    results = result if isinstance(result, tuple) else (result,)
    return {
        name: np.asarray(array) for name, array in zip(step.gives, results, strict=True)
    }


def as_read(array: Array, dtype: np.dtype) -> Array:
    """Return an array as a model of this dtype reads it: integers stay."""
    return array if array.dtype.kind in "biu" else array.astype(dtype, copy=False)
