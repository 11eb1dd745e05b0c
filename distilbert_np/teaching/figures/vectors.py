"""Vectors seen: how alike positions are, and where words lie in a plane."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...embeddings import sinusoidal_table
from ...errors import InputError
from ...functions import Array
from ...inputs import as_array
from ..vectors import cosines
from .canvas import (
    LABEL,
    LIGHT_TO_DARK,
    LINES,
    TICK,
    Picture,
    canvas,
    drawable,
    shortened,
)
from .reading import check_strings

RADIUS = 7                                       # of a point's mark, in points
CORNERS = (1, 1), (1, -1), (-1, 1), (-1, -1)     # right and up of a point

# --- positions ------------------------------------------------------------------------


def position_cosines(table: Array) -> Picture:
    """Return a figure of the cosines between all rows of a position table (P, D).

    Beside it is the sinusoidal table of the same size (arXiv 1706.03762, 3.5).
    Raises InputError.
    """
    table = check_vectors("table", table, at_least=2)
    tables = {"learned": table, "sinusoidal": sinusoidal_table(*table.shape)}
    found = {name: cosines(rows) for name, rows in tables.items()}       # (P, P)
    lowest = min(cosine.min() for cosine in found.values())
    title = f"Cosines between {len(table)} positions"
    figure, panels = canvas(title, 15, 7.5, columns=2)
    for axes, (name, cosine) in zip(panels, found.items(), strict=True):
        image = axes.imshow(cosine, cmap=LIGHT_TO_DARK, vmin=lowest, vmax=1)
        axes.set_title(name, fontsize=LABEL)
        axes.set_xlabel("position", fontsize=LABEL)
        axes.locator_params(nbins=6, integer=True)
    scale = figure.colorbar(image, ax=panels, shrink=0.8)
    scale.set_label("cosine", fontsize=LABEL)
    scale.ax.tick_params(labelsize=TICK)
    return Picture(figure, cosines_in_words(found))


def check_vectors(name: str, vectors: Any, at_least: int) -> Array:
    """Return some vectors (n, D) as float64; raises InputError for anything else."""
    vectors = as_array(name, vectors)
    if vectors.ndim != 2 or len(vectors) < at_least or vectors.dtype.kind not in "fiu":
        raise InputError(
            f"{name}: expected at least {at_least} rows of numbers, found "
            f"{vectors.dtype} of shape {vectors.shape}"
        )
    if not np.isfinite(vectors).all():
        raise InputError(f"{name}: expected finite numbers, found NaN or infinity")
    return vectors.astype(np.float64)


def cosines_in_words(found: dict[str, Array]) -> str:
    """Return how alike neighbours are, and positions half the table apart."""
    far = len(found["learned"]) // 2
    return " ".join(
        f"{name.capitalize()}: the cosine of neighbours is "
        f"{np.diagonal(cosine, 1).mean():.2f} on average, of positions {far} apart "
        f"{np.diagonal(cosine, far).mean():.2f}."
        for name, cosine in found.items()
    )


# --- words ----------------------------------------------------------------------------


def word_plane(
    words: Sequence[str], vectors: Array, groups: Sequence[str]
) -> Picture:
    """Return a figure of vectors (n, D) in the plane of their two main directions.

    `groups` names a group for each word, which its point shows by shape and colour.
    Raises InputError.
    """
    vectors = check_vectors("vectors", vectors, at_least=3)
    words = check_strings("words", words, len(vectors), "vector")
    groups = check_strings("groups", groups, len(vectors), "vector")
    points, shares = main_plane(vectors)                                 # (n, 2), (2,)
    figure, axes = canvas(f"{len(words)} words in a plane", 14, 9)
    draw_groups(figure, axes, points, groups)
    for i, set_label in enumerate((axes.set_xlabel, axes.set_ylabel)):
        set_label(f"direction {i + 1}: {shares[i]:.0%} of the variance", fontsize=LABEL)
    axes.margins(0.12)
    n_named = label_points(figure, axes, points, words)
    return Picture(figure, plane_in_words(points, shares, groups, n_named))


def main_plane(vectors: Array) -> tuple[Array, Array]:
    """Return the places of vectors (n, D) in their two main directions, (n, 2).

    And the share of the variance that each direction holds, (2,): principal component
    analysis. The rows of vᵀ, in x − mean = u s vᵀ, are the directions.
    """
    centred = vectors - vectors.mean(axis=0)                             # (n, D)
    _, s, directions = np.linalg.svd(centred, full_matrices=False)
    if len(s) < 2 or s[0] == 0:
        raise InputError("vectors: expected some that differ, of 2 numbers or more")
    directions = directions[:2]                                          # (2, D)
    largest = np.abs(directions).argmax(axis=-1)                         # either sign
    directions = directions * np.sign(directions[[0, 1], largest])[:, None]   # is right
    return centred @ directions.T, s[:2] ** 2 / (s**2).sum()


def draw_groups(figure: Any, axes: Any, points: Array, groups: list[str]) -> None:
    """Draw the points of each group by its own mark, and name the groups beside."""
    names = list(dict.fromkeys(groups))
    if len(names) > len(LINES):
        raise InputError(
            f"groups: expected at most {len(LINES)} different ones, found {len(names)}"
        )
    for name, style in zip(names, LINES, strict=False):
        chosen = points[[group == name for group in groups]]             # (m, 2)
        marks = {"linestyle": "none", "markersize": 2 * RADIUS - 2}
        axes.plot(*chosen.T, **style | marks)
    labels = [f" {drawable(shortened(name, 20))}" for name in names]     # " _": seen
    figure.legend(axes.lines, labels, loc="outside right upper", fontsize=TICK)


def label_points(figure: Any, axes: Any, points: Array, words: list[str]) -> int:
    """Write each word at the first corner of its point that is free of text and points.

    A word that finds none is left out. Returns how many were written.
    """
    figure.draw_without_rendering()                                      # lays it out
    places = axes.transData.transform(points)                            # (n, 2) pixels
    reach = RADIUS * figure.dpi / 72
    taken = np.hstack([places - reach, places + reach])                  # (n, 4)
    for word, point in zip(words, points, strict=True):
        box = label_point(axes, drawable(shortened(word, 20)), point, taken)
        if box is not None:
            taken = np.vstack([taken, box])
    return len(taken) - len(points)


def label_point(axes: Any, word: str, point: Array, taken: Array) -> Array | None:
    """Write a word beside a point, and return its box (4,); None if there is no room.

    Boxes are left, bottom, right and top, in pixels; those of `taken` stay free.
    """
    edges = axes.get_window_extent().extents                             # (4,)
    for right, up in CORNERS:
        label = axes.annotate(
            word, point, (RADIUS * right, RADIUS * up), textcoords="offset points",
            ha="left" if right > 0 else "right", va="bottom" if up > 0 else "top",
            fontsize=TICK, in_layout=False,
        )
        box = label.get_window_extent().extents                          # (4,)
        if is_inside(box, edges) and not overlaps(box, taken).any():
            return box
        label.remove()
    return None


def is_inside(box: Array, edges: Array) -> bool:
    """Whether a box lies within others' edges."""
    return bool((box[:2] >= edges[:2]).all() and (box[2:] <= edges[2:]).all())


def overlaps(box: Array, taken: Array) -> Array:                         # -> (m,)
    """Return whether a box (4,) overlaps each of some others (m, 4)."""
    starts, ends = taken[:, :2], taken[:, 2:]
    return (box[:2] < ends).all(axis=-1) & (starts < box[2:]).all(axis=-1)


def plane_in_words(
    points: Array, shares: Array, groups: list[str], n_named: int
) -> str:
    """Return what the plane holds, and how often a point's nearest is of its group."""
    distances = np.linalg.norm(points[:, None] - points, axis=-1)        # (n, n)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=-1).tolist()
    pairs = zip(groups, (groups[i] for i in nearest), strict=True)
    own = sum(group == other for group, other in pairs)
    unnamed = len(points) - n_named
    return (
        f"{len(points)} words of {len(set(groups))} groups in the plane of their two "
        f"main directions, which hold {shares[0]:.0%} and {shares[1]:.0%} of the "
        f"variance. For {own} of them the nearest word in the plane is of their own "
        f"group." + (f" {unnamed} found no room for a name." if unnamed else "")
    )
