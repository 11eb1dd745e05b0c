"""Embeddings: a vector for each word, plus a vector for its position, normalised."""

import numpy as np

from .functions import Array, layer_norm, lookup
from .trees import Tree


def embeddings(words: Array, position_ids: Array, params: Tree) -> tuple[Array, Tree]:
    """Return LayerNorm(words + positions), (B, L, D), the input of the first block.

    `words` are ids (B, L), looked up in the table of word embeddings, or vectors
    (B, L, D) in their place; `position_ids` (1 or B, L) are rows of the other table.
    DistilBERT has no token types (arXiv 1910.01108, section 3).
    """
    if words.ndim == 2:
        words = lookup(words, **params["word_embeddings"])             # (B, L, D)
    positions = lookup(position_ids, **params["position_embeddings"])  # (1|B, L, D)
    summed = words + positions                                         # (B, L, D)
    x = layer_norm(summed, **params["LayerNorm"])                      # (B, L, D)
    return x, {"words": words, "positions": positions, "sum": summed, "LayerNorm": x}


def sinusoidal_table(n_positions: int, dim: int) -> Array:       # -> (P, D) float64
    """Return the fixed position table of Vaswani et al. (arXiv 1706.03762, 3.5).

    Columns 2i and 2i + 1 hold the sine and cosine of pos / 10000^(2i/D).
    """
    pos = np.arange(n_positions)[:, None]                        # (P, 1)
    column = np.arange(dim)                                      # (D,)
    angle = pos / 10000 ** (2 * (column // 2) / dim)             # (P, D)
    return np.where(column % 2 == 0, np.sin(angle), np.cos(angle))
