"""Layouts: the same array with its axes in another order, or some of them made one."""

from collections.abc import Iterator
from itertools import permutations

import numpy as np

from ..functions import Array

CLEARLY = 0.1        # of the error as it is: what has less is believed another layout
VERY_LOW = -1e3      # what masks add to scores is lower still
Axes = tuple[int, ...]


def arranged(array: Array, expected: Array) -> tuple[Array, Axes] | None:
    """Return an array with its axes as in the expected one, and where they stood.

    Axes may stand in another order, and neighbours may be one, as heads that are not
    split; axes of length 1 may be missing or added. What has the right shape as it is
    must be clearly nearer in another order to be believed in that. None: no layout
    makes this shape of the expected one.
    """
    found = [
        (undone(array, axes, expected.shape), axes)
        for axes in layouts(array.shape, expected.shape)
    ]
    if len(found) < 2:
        return found[0] if found else None
    errors = [distance(each, expected) for each, _ in found]
    if array.shape == expected.shape:
        errors[0] *= CLEARLY
    return found[int(np.argmin(errors))]


def layouts(shape: tuple[int, ...], expected: tuple[int, ...]) -> Iterator[Axes]:
    """Yield the orders of the expected axes that may give this shape, plainest first.
    """
    for axes in permutations(range(len(expected))):
        if grouped(shape, [expected[axis] for axis in axes]) is not None:
            yield axes


def grouped(shape: tuple[int, ...], sizes: list[int]) -> list[list[int]] | None:
    """Return which neighbours (by number) each axis of a shape unites; None: no way."""
    groups, rest = [], [i for i, size in enumerate(sizes) if size != 1]
    for length in (length for length in shape if length != 1):
        group: list[int] = []
        while rest and np.prod([sizes[i] for i in group], dtype=int) < length:
            group.append(rest.pop(0))
        if np.prod([sizes[i] for i in group], dtype=int) != length:
            return None
        groups.append(group)
    return None if rest else groups


def undone(array: Array, axes: Axes, expected: tuple[int, ...]) -> Array:
    """Return the array with the expected axes, of which `axes` is the order it had."""
    permuted = array.reshape([expected[axis] for axis in axes])
    return permuted.transpose(np.argsort(axes)) if axes else permuted


def distance(array: Array, expected: Array) -> float:
    """Return the mean square of the difference; infinite where that is no number."""
    with np.errstate(all="ignore"):
        error = np.mean(np.square(array - expected.astype(np.float64)))
    return float(error) if np.isfinite(error) else np.inf


def named(
    shape: tuple[int, ...], axes: Axes, expected: tuple[int, ...], letters: str
) -> str:
    """Return a layout in letters: (B, L, H·K) of what is expected as (B, H, L, K).

    Empty if it is the expected one, but for axes of length 1. The second of two axes
    of one letter has a prime: (B, H, L′, L) for scores with the keys first.
    """
    names: list[str] = []
    for letter in letters.split():
        names.append(letter + "′" * (letter in names))
    groups = grouped(shape, [expected[axis] for axis in axes]) or []
    if axes == tuple(range(len(axes))) and all(len(group) == 1 for group in groups):
        return ""
    parts = ["·".join(names[axes[i]] for i in group) for group in groups]
    return f"({', '.join(parts)})"


def unmasked(scores: Array, expected: Array, mask: Array) -> tuple[Array, bool]:
    """Return scores as before the mask was added, and whether it had been.

    Then what is hidden is far below all that is in sight, whatever was added, and only
    what is in sight can be compared.
    """
    hidden = np.broadcast_to(~mask.astype(bool)[:, None, None], scores.shape)
    if not hidden.any() or not scores[hidden].max() < VERY_LOW:
        return scores, False
    return np.where(hidden, expected, scores), True
