"""The feed-forward network: each token on its own, through a wider room and back."""

from .functions import ACTIVATIONS, Array, linear
from .trees import Tree


def ffn(x: Array, params: Tree, activation: str) -> tuple[Array, Tree]:
    """Return lin2(activation(lin1(x))), (B, L, D) -> (B, L, D), F wide in between."""
    hidden = linear(x, **params["lin1"])                      # (B, L, F)
    activated = ACTIVATIONS[activation](hidden)               # (B, L, F)
    y = linear(activated, **params["lin2"])                   # (B, L, D)
    return y, {"lin1": hidden, "activation": activated, "lin2": y}
