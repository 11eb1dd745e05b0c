"""The error of each array of a port, over what rounding makes."""

from typing import Any

import numpy as np

from ...errors import InputError, shown
from ...functions import Array
from .canvas import BLACK, BLUE, ORANGE, Picture, apart, canvas


def parity(rows: list[dict[str, Any]], tolerance: float) -> Picture:
    """Return a figure of the error of each array of a port, over what rounding makes.

    `rows` are those of `compare --json`. What the port's own steps added stands over
    the band of rounding, which ends at `tolerance` times float32's own error.
    Raises InputError where there is no such row.
    """
    judged = judged_rows(rows)
    wrong = [row for row in judged if row["state"] == "bug"]
    title = (
        f"first divergent: {wrong[0]['name']}" if wrong
        else "no bug: every step adds rounding alone"
    )
    figure, axes = canvas(title, 15, 7)
    draw_parity(axes, judged, tolerance)
    mark_parts(axes, [part_of(row["name"]) for row in judged])
    return Picture(figure, errors_in_words(judged, wrong, tolerance))


def judged_rows(rows: Any) -> list[dict[str, Any]]:
    """Return the rows that have a floor; raise InputError where there are none."""
    try:
        judged = [row for row in rows if row["floor"]]
    except (TypeError, LookupError):
        judged = []
    if not judged:
        raise InputError(
            f"rows: expected those of `compare --json`, found {shown(rows)}"
        )
    return judged


def draw_parity(axes: Any, rows: list[dict[str, Any]], tolerance: float) -> None:
    """Draw the errors of arrays, in computing order, over the band of rounding.

    What is no number stands at the upper edge. A bug may stand in the band: an error
    that is small at each place, but everywhere.
    """
    x = np.arange(len(rows))
    floor = np.array([row["floor"] for row in rows])
    totals = np.array([row["total"] or np.nan for row in rows], float)
    added = np.array([row["added"] or np.nan for row in rows], float)
    added[[row["added"] is None for row in rows]] = np.inf
    finite = [*(tolerance * floor), *totals, *added[np.isfinite(added)]]
    lowest, highest = floor.min() / 10, np.nanmax(finite) * 1000     # with the legend
    axes.set(yscale="log", ylim=(lowest, highest), xlim=(-1, len(rows)))
    axes.fill_between(
        x, lowest, tolerance * floor, step="mid", color="0.85",
        label=f"rounding: up to {tolerance:g} × float32's own",
    )
    axes.plot(x, totals, color=BLUE, linewidth=2, label="off by, in all")
    mark_steps(axes, added, np.array([row["state"] == "bug" for row in rows]), highest)
    axes.set_ylabel("largest error", fontsize=16)
    axes.tick_params(labelsize=14)
    axes.legend(fontsize=14, loc="upper left", framealpha=1)


def mark_steps(axes: Any, added: Array, is_bug: Array, highest: float) -> None:
    """Mark the error that each step added, (n,): rounding, a bug, or no number."""
    x = np.arange(len(added))
    for chosen, y, marker, color, label in (
        (~is_bug, added, "o", BLACK, "added by this step"),
        (is_bug & np.isfinite(added), added, "D", ORANGE, "… a bug"),
        (np.isinf(added), highest / 3 + 0 * x, "X", ORANGE, "… NaN or infinity"),
    ):
        if chosen.any():
            axes.plot(
                x[chosen], y[chosen], marker, color=color, label=label,
                markersize=6 if marker == "o" else 12, markeredgecolor=BLACK,
            )


def mark_parts(axes: Any, parts: list[str]) -> None:
    """Name the parts of a model along the x-axis, with a line between them."""
    starts = [i for i, part in enumerate(parts) if i == 0 or part != parts[i - 1]]
    for start in starts[1:]:
        axes.axvline(start - 0.5, color="0.6", linewidth=1)
    middles = np.add(starts, [*starts[1:], len(parts)]) / 2 - 0.5
    places = apart(middles.tolist(), gap=0.03 * len(parts))
    labels = [parts[start] for start in starts]
    axes.set_xticks(places, labels, rotation=35, ha="right", rotation_mode="anchor")
    axes.tick_params(axis="x", length=0)


def part_of(name: str) -> str:
    """Return the part of a model that an array belongs to, in short."""
    where = name.removeprefix("gradients.")
    if where.startswith("transformer.layer."):
        part = f"layer {where.split('.')[2]}"
    elif where.startswith(("embeddings.", "sentence.", "distillation.", "loss")):
        part = where.partition(".")[0]
    else:
        part = "head"
    return part if name == where else f"∂ {part}"


def errors_in_words(
    rows: list[dict[str, Any]], wrong: list[dict[str, Any]], tolerance: float
) -> str:
    """Say which array is the first that goes wrong, and by how much; or how near."""
    if wrong:
        first, n = wrong[0], len(wrong)
        added = first["added"]
        by = "NaN or infinity" if added is None else f"an error of {added:.1e}"
        return (
            f"Of {len(rows)} arrays {n} go{'es' * (n == 1)} wrong. The first is "
            f"{first['name']}: its step adds {by}, where rounding makes up to "
            f"{tolerance * first['floor']:.1e} ({tolerance:g} × float32's own)."
        )
    worst = max(rows, key=lambda row: (row["added"] or 0) / row["floor"])
    times = (worst["added"] or 0) / worst["floor"]
    return (
        f"Of {len(rows)} arrays none goes wrong: each step adds rounding alone. The "
        f"most is in {worst['name']}, {times:.1f} × float32's own error, where "
        f"{tolerance:g} × are allowed."
    )
