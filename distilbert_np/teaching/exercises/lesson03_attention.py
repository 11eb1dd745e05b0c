"""Lesson 3, attention: what there is to write, and what goes wrong."""

import numpy as np

from ... import attention
from ...functions import Array
from ..exercise import Exercise

rng = np.random.default_rng(3)

# --- split the heads ------------------------------------------------------------------


def reshaped_alone(x: Array, n_heads: int) -> Array:
    """A head gets whole tokens instead of a part of each token: reshaping straight to
    (B, H, L, K) deals out the numbers in the order in which they lie in memory. Reshape
    to (B, L, H, K) first, then transpose.
    """
    B, L, D = x.shape
    return x.reshape(B, n_heads, L, D // n_heads)


def not_transposed(x: Array, n_heads: int) -> Array:
    """Tokens still come before heads, (B, L, H, K): transpose after the reshape."""
    B, L, D = x.shape
    return x.reshape(B, L, n_heads, D // n_heads)


def dealt_out(x: Array, n_heads: int) -> Array:
    """Each head got every H-th number of a token. A head is K numbers in a row: reshape
    to (B, L, H, K), not to (B, L, K, H).
    """
    B, L, D = x.shape
    return x.reshape(B, L, D // n_heads, n_heads).transpose(0, 3, 1, 2)


SPLIT_HEADS = Exercise(
    name="split_heads",
    lesson=3,
    minutes=8,
    difficulty=2,
    answer=attention.split_heads,
    cases={
        "2 tokens and 2 heads": (np.arange(8.0).reshape(1, 2, 4), 2),
        "one head": (rng.normal(size=(2, 3, 4)), 1),
        "3 texts, 5 tokens, 4 heads": (rng.normal(size=(3, 5, 8)), 4),
        "as many tokens as heads": (rng.normal(size=(2, 4, 8)), 4),
    },
    hints=(
        "No number changes: only where it stands. Which two axes do you need instead "
        "of the last one, D?",
        "First x.reshape(B, L, n_heads, K). Then look at the order of the axes.",
        "The order wanted is (B, H, L, K): transpose(0, 2, 1, 3).",
    ),
    slips=(reshaped_alone, not_transposed, dealt_out),
)

EXERCISES = (SPLIT_HEADS,)
