"""Vectors side by side: the angles between them, and which are near."""

import numpy as np

from ..functions import Array


def cosines(vectors: Array) -> Array:                        # (n, D) -> (n, n)
    """Return the cosine of the angle between any two of n vectors.

    It is 1 where they point the same way, 0 at a right angle, −1 where they point in
    opposite ways, whatever their lengths. With a vector of zeros it is 0.
    """
    rows = directions(vectors)                               # (n, D)
    return rows @ rows.T                                     # (n, n)


def nearest(row: int, vectors: Array, n: int) -> Array:      # (V, D) -> (n,)
    """Return the numbers of the n vectors with the largest cosine to one, without it.
    """
    rows = directions(vectors)                               # (V, D)
    likeness = rows @ rows[row]                              # (V,)
    likeness[row] = -np.inf                                  # not itself
    return likeness.argsort()[::-1][:n]


def directions(vectors: Array) -> Array:                     # (n, D) -> (n, D)
    """Return vectors divided by their lengths; those of zeros stay."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)    # (n, 1)
    return vectors / np.where(lengths == 0, 1, lengths)
