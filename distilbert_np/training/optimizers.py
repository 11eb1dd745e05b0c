"""The optimisers: how parameters move down their gradients, by PyTorch's own rules.

Each is made for a tree of parameters and changes those very arrays. Its moments, which
a checkpoint has to save, are trees of the same names. Below them stand the two
companions of every recipe: clipping, and the schedule of the learning rate.
"""

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from ..blocks import in_blocks
from ..errors import InputError
from ..functions import Array
from ..trees import Tree, flatten


def decays(name: str) -> bool:
    """Whether weight decay is meant for a parameter: not for biases and LayerNorms."""
    return not name.endswith("bias") and "norm" not in name.lower()


class Optimizer:
    """What the optimisers share: `step(grads)` moves every parameter once.

    `lr` is the learning rate; `weight_decay` pulls those parameters towards 0 whose
    name `decays` says yes to.
    """

    moment_names: tuple[str, ...] = ()

    def __init__(
        self,
        params: Tree,
        lr: float,
        weight_decay: float = 0.0,
        decays: Callable[[str], bool] = decays,
    ) -> None:
        self.params: dict[str, Array] = flatten(params)
        for name, p in self.params.items():
            if not p.flags.writeable:
                raise InputError(f"{name}: is read-only, and cannot be trained")
        self.lr = lr
        self.weight_decay = {
            name: weight_decay if decays(name) else 0.0 for name in self.params
        }
        self.moments: dict[str, dict[str, Array]] = {
            moment: {name: np.zeros_like(p) for name, p in self.params.items()}
            for moment in self.moment_names
        }
        self.n_steps = 0

    def step(self, grads: Tree, lr: float | None = None) -> None:
        """Move every parameter once; `lr`, if given, is used for this step."""
        self.n_steps += 1
        gradients = flatten(grads)
        for name, p in self.params.items():
            moments = [self.moments[moment][name] for moment in self.moment_names]
            update = partial(
                self.update,
                lr=self.lr if lr is None else lr, weight_decay=self.weight_decay[name],
            )
            in_blocks(update, p, gradients[name], *moments)

    def update(self, p: Array, g: Array, *moments: Array, **numbers: float) -> None:
        """Move a block of a parameter, p, by gradient g, in place."""
        raise NotImplementedError


class SGD(Optimizer):
    """Gradient descent with momentum: b ← momentum·b + g, then p ← p − lr·b.

    Weight decay is added to the gradient. (PyTorch's momentum is 0 by default.)
    """

    moment_names = ("b",)

    def __init__(
        self,
        params: Tree,
        lr: float = 1e-2,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        decays: Callable[[str], bool] = decays,
    ) -> None:
        super().__init__(params, lr, weight_decay, decays)
        self.momentum = momentum

    def update(
        self, p: Array, g: Array, b: Array, *, lr: float, weight_decay: float
    ) -> None:
        """Move a block of a parameter, p, by gradient g and velocity b, in place."""
        if weight_decay:
            g = g + weight_decay * p
        b *= self.momentum
        b += g
        p -= lr * b


class Adam(Optimizer):
    """Adam (Kingma & Ba, arXiv 1412.6980): each number has a step length of its own.

    m and v are running means of the gradient and its square; as they start at 0, they
    are divided by 1 − βᵗ. Weight decay is added to the gradient.
    """

    moment_names = ("m", "v")

    def __init__(
        self,
        params: Tree,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decays: Callable[[str], bool] = decays,
    ) -> None:
        super().__init__(params, lr, weight_decay, decays)
        self.betas = betas
        self.eps = eps

    def update(
        self, p: Array, g: Array, m: Array, v: Array, *, lr: float, weight_decay: float
    ) -> None:
        """Move a block of a parameter, p, by gradient g and moments m, v, in place."""
        if weight_decay:
            g = g + weight_decay * p
        beta1, beta2 = self.betas
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        v += (1 - beta2) * (g * g)

        # p ← p − lr · m̂ / (√v̂ + eps), with m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ)
        m_share, v_share = 1 - beta1**self.n_steps, 1 - beta2**self.n_steps
        p -= (lr / m_share) * m / (np.sqrt(v) / math.sqrt(v_share) + self.eps)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter, arXiv 1711.05101).

    p shrinks by lr · weight_decay before the step; the moments do not see it.
    """

    def __init__(
        self,
        params: Tree,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        decays: Callable[[str], bool] = decays,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, decays)

    def update(
        self, p: Array, g: Array, m: Array, v: Array, *, lr: float, weight_decay: float
    ) -> None:
        """Move a block of a parameter, p, by gradient g and moments m, v, in place."""
        p *= 1 - lr * weight_decay
        super().update(p, g, m, v, lr=lr, weight_decay=0)


# --- clipping, and the schedule -------------------------------------------------------


def global_norm(grads: Tree) -> float:
    """Return the length of the gradient, all parameters' numbers in one long vector."""
    squares = [sum(in_blocks(_square, g)) for g in flatten(grads).values()]
    return math.sqrt(sum(squares))


def _square(g: Array) -> np.floating:
    return (g * g).sum(dtype=np.float64)


def clip_by_global_norm(grads: Tree, max_norm: float) -> float:
    """Shorten the gradients, in place, to a global norm of at most about `max_norm`.

    The norm from before comes back. All are scaled alike, so the direction stays; the
    factor is max_norm / (norm + 1e-6), but never above 1, as in PyTorch.
    """
    norm = global_norm(grads)
    factor = max_norm / (norm + 1e-6)
    if factor < 1:
        for gradient in flatten(grads).values():
            gradient *= factor
    return norm


def linear_schedule(step: int, warmup_steps: int, total_steps: int) -> float:
    """Return the learning rate's factor at a step: up from 0 to 1, then down to 0.

    Steps count from 0. The first `warmup_steps` go up, the rest of `total_steps` down.
    The very first is at 0, as in transformers.
    """
    if step < warmup_steps:
        return step / warmup_steps
    return max(0, total_steps - step) / max(1, total_steps - warmup_steps)
