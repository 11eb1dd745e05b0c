"""Answers to the exercises of lesson 3, attention."""

import numpy as np

# Right, and written differently from the library.
RIGHT = {}
# (a wrong answer, words of what it must be told)
WRONG = {}
# A fault of the zoo, planted in the library's own function: words of the diagnosis.
FAULTS = {}


def split_heads_by_slices(x, n_heads):
    K = x.shape[-1] // n_heads
    return np.stack([x[..., h * K : (h + 1) * K] for h in range(n_heads)], axis=1)


def split_heads_by_einsum(x, n_heads):
    return np.einsum("blhk->bhlk", x.reshape(*x.shape[:2], n_heads, -1))


RIGHT["split_heads"] = [split_heads_by_slices, split_heads_by_einsum]

WRONG["split_heads"] = [
    (lambda x, n: np.reshape(x, (len(x), n, -1, x.shape[-1] // n)), "whole tokens"),
    (lambda x, n: np.array(np.split(x, n, axis=-1)).swapaxes(0, 1)[..., ::-1],
     "not in their places"),
]
