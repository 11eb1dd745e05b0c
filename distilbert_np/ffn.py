"""The feed-forward network: each token alone, widened to F numbers and narrowed again.
"""

import numpy as np

from .functions import (
    ACTIVATIONS,
    ACTIVATIONS_BACKWARD,
    Array,
    dropout,
    dropout_backward,
    linear,
    linear_backward,
)
from .trees import Tree


def ffn(
    x: Array,
    params: Tree,
    activation: str,
    p: float = 0.0,
    rng: "np.random.Generator | None" = None,
) -> tuple[Array, Tree]:
    """Return lin2(activation(lin1(x))), (B, L, D) -> (B, L, D), F wide in between.

    With an `rng`, dropout with probability `p` comes last.
    """
    hidden = linear(x, **params["lin1"])                      # (B, L, F)
    activated = ACTIVATIONS[activation](hidden)               # (B, L, F)
    projected = linear(activated, **params["lin2"])           # (B, L, D)
    y, dropped = dropout(projected, p, rng)                   # (B, L, D)
    return y, {"lin1": hidden, "activation": activated, "lin2": projected} | dropped


def ffn_backward(
    dy: Array, x: Array, params: Tree, activation: str, trace: Tree
) -> tuple[Array, Tree]:
    """Return dx (B, L, D) and the gradients of the two linears."""
    # projected = linear(activated, **params["lin2"]);  y, dropped = dropout(…)
    dprojected = dropout_backward(dy, trace)                  # (B, L, D)
    lin2_weight = params["lin2"]["weight"]
    dactivated, lin2_grads = linear_backward(
        dprojected, trace["activation"], lin2_weight
    )

    # activated = ACTIVATIONS[activation](hidden)
    dhidden = ACTIVATIONS_BACKWARD[activation](dactivated, trace["lin1"])  # (B, L, F)

    # hidden = linear(x, **params["lin1"])
    dx, lin1_grads = linear_backward(dhidden, x, params["lin1"]["weight"])
    return dx, {"lin1": lin1_grads, "lin2": lin2_grads}
