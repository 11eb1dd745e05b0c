"""Embeddings: a vector for each word, plus a vector for its position, normalised."""

import numpy as np

from .functions import (
    Array,
    dropout,
    dropout_backward,
    layer_norm,
    layer_norm_backward,
    lookup,
    lookup_backward,
)
from .trees import Tree


def embeddings(
    words: Array,
    position_ids: Array,
    params: Tree,
    p: float = 0.0,
    rng: "np.random.Generator | None" = None,
) -> tuple[Array, Tree]:
    """Return LayerNorm(words + positions), (B, L, D), the input of the first block.

    `words` are ids (B, L), looked up in the table of word embeddings, or vectors
    (B, L, D) in their place; `position_ids` (1 or B, L) are rows of the other table.
    DistilBERT has no token types (arXiv 1910.01108, section 3). With an `rng`, dropout
    with probability `p` comes last.
    """
    if words.ndim == 2:
        words = lookup(words, **params["word_embeddings"])             # (B, L, D)
    positions = lookup(position_ids, **params["position_embeddings"])  # (1|B, L, D)
    summed = words + positions                                         # (B, L, D)
    x = layer_norm(summed, **params["LayerNorm"])                      # (B, L, D)
    y, dropped = dropout(x, p, rng)                                    # (B, L, D)
    trace = {"words": words, "positions": positions, "sum": summed, "LayerNorm": x}
    return y, trace | dropped


def embeddings_backward(
    dy: Array,
    words: Array,
    position_ids: Array,
    params: Tree,
    trace: Tree,
    padding_id: int | None = None,
) -> tuple[Array, Tree]:
    """Return the gradient of the words' vectors (B, L, D), and the parameters'.

    Vectors that were given in place of ids leave the table of word embeddings alone.
    """
    # x = layer_norm(summed, **params["LayerNorm"]);  y, dropped = dropout(x, p, rng)
    dx = dropout_backward(dy, trace)                                   # (B, L, D)
    gain = params["LayerNorm"]["weight"]                               # (D,)
    dsummed, norm_grads = layer_norm_backward(dx, trace["sum"], gain)  # (B, L, D)

    # summed = words + positions: each gets the whole gradient; positions that all rows
    # of the batch shared get every row's
    dpositions = dsummed
    if len(position_ids) == 1:
        dpositions = dsummed.sum(axis=0, keepdims=True)                # (1, L, D)

    # positions = lookup(position_ids, **params["position_embeddings"]), words alike
    position_table = params["position_embeddings"]["weight"]
    position_grads = lookup_backward(dpositions, position_ids, position_table)
    word_table = params["word_embeddings"]["weight"]
    if words.ndim == 2:
        word_grads = lookup_backward(dsummed, words, word_table, padding_id)
    else:
        word_grads = {"weight": np.zeros_like(word_table)}
    return dsummed, {
        "word_embeddings": word_grads,
        "position_embeddings": position_grads,
        "LayerNorm": norm_grads,
    }


def sinusoidal_table(n_positions: int, dim: int) -> Array:       # -> (P, D) float64
    """Return the position table of Vaswani et al. (arXiv 1706.03762, 3.5).

    Columns 2i and 2i + 1 hold the sine and cosine of pos / 10000^(2i/D).
    """
    pos = np.arange(n_positions)[:, None]                        # (P, 1)
    column = np.arange(dim)                                      # (D,)
    angle = pos / 10000 ** (2 * (column // 2) / dim)             # (P, D)
    return np.where(column % 2 == 0, np.sin(angle), np.cos(angle))
