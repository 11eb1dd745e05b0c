"""Vectors side by side: the angles between them, and which are near."""

import numpy as np

from ..functions import Array


def cosines(vectors: Array) -> Array:                        # (n, D) -> (n, n)
    """Return the cosine of the angle between any two of n vectors.

    It is 1 where they point the same way, 0 at a right angle, −1 where they point in
    opposite ways, whatever their lengths. A vector of length 0 has none: NaN.
    """
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)    # (n, 1)
    directions = vectors / lengths                               # (n, D)
    return directions @ directions.T                             # (n, n)


def nearest(row: int, vectors: Array, n: int) -> Array:      # (V, D) -> (n,)
    """Return the numbers of the n vectors with the largest cosine to one, without it.
    """
    lengths = np.linalg.norm(vectors, axis=-1)                   # (V,)
    likeness = vectors @ vectors[row] / lengths                  # (V,) up to a factor
    likeness[row] = -np.inf                                      # not itself
    return likeness.argsort()[::-1][:n]
