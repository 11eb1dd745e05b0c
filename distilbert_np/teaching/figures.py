"""Figures: large type, colours for the colour-blind, and readable in grey."""

from pathlib import Path
from typing import Any

import numpy as np

# Okabe and Ito's colours, light and dark enough apart to be told in grey.
BLUE, ORANGE, BLACK = "#0072B2", "#E69F00", "#000000"
FORMATS = (".png", ".svg")
LABELS = {
    "length": "length (tokens), batch 1",
    "batch": "batch (texts of {length} tokens)",
    "layers": "layers ({batch} texts of {length} tokens)",
}


def growth_figure(
    rows: list[dict[str, Any]], fits: dict[str, list[float]], title: str
) -> Any:
    """Return a figure of three panels: time by length, by batch and by layers.

    `rows` are measurements as `bench growth` gives them; `fits` the coefficients of
    c + a·x + b·x² …, drawn as areas, the quadratic part on top of the linear one.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 5.5), layout="constrained")
    figure.suptitle(title, fontsize=18)
    for axes, (grows, coefficients) in zip(
        figure.subplots(1, 3), fits.items(), strict=True
    ):
        measured = [row for row in rows if row["grows"] == grows]
        draw_growth(axes, measured, grows, coefficients)
    return figure


def draw_growth(
    axes: Any, rows: list[dict[str, Any]], grows: str, coefficients: list[float]
) -> None:
    """Draw the measured times and the fitted curve of one thing that grows."""
    sizes = [row[grows] for row in rows]
    x = np.linspace(0, max(sizes), 200)
    terms = [c * x**power for power, c in enumerate(coefficients)]
    linear, whole = terms[0] + terms[1], sum(terms)
    axes.fill_between(x, linear, color=BLUE, alpha=0.35, label="constant + linear part")
    if len(terms) > 2:
        axes.fill_between(
            x, linear, whole, facecolor=ORANGE, alpha=0.6, edgecolor=BLACK, hatch="//",
            label="quadratic part",
        )
    axes.plot(x, whole, color=BLACK, linewidth=2, label="fit")
    axes.plot(
        sizes, [row["ms"] for row in rows], "o", color=BLACK, markersize=9,
        markerfacecolor="white", markeredgewidth=2, label="measured",
    )
    axes.set_xlabel(LABELS[grows].format(**rows[0]), fontsize=15)
    axes.set_ylabel("milliseconds", fontsize=15)
    axes.set_title(f"time by {grows}", fontsize=16)
    axes.set_xlim(left=0)
    axes.locator_params(axis="x", integer=True)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=13)
    axes.legend(fontsize=12, loc="upper left")


def parity_figure(rows: list[dict[str, Any]], tolerance: float) -> Any:
    """Return a figure of the error of each array of a port, over what rounding makes.

    `rows` are those of `compare --json`. What the port's own steps added stands over
    the band of rounding, which ends at `tolerance` times float32's own error.
    """
    from matplotlib.figure import Figure

    judged = [row for row in rows if row["floor"]]
    figure = Figure(figsize=(15, 7), layout="constrained")
    axes = figure.subplots()
    draw_parity(axes, judged, tolerance)
    mark_parts(axes, [part_of(row["name"]) for row in judged])
    wrong = [row for row in judged if row["state"] == "bug"]
    axes.set_title(
        f"first divergent: {wrong[0]['name']}" if wrong
        else "no bug: every step adds rounding alone", fontsize=18,
    )
    return figure


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
    axes.set_yscale("log")
    axes.set_ylim(lowest, highest)
    axes.set_xlim(-1, len(rows))
    axes.fill_between(
        x, lowest, tolerance * floor, step="mid", color="0.85",
        label=f"rounding: up to {tolerance:g} × float32's own",
    )
    axes.plot(x, totals, color=BLUE, linewidth=2, label="off by, in all")
    is_bug = np.array([row["state"] == "bug" for row in rows])
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
    axes.set_ylabel("largest error", fontsize=16)
    axes.tick_params(labelsize=14)
    axes.legend(fontsize=14, loc="upper left", framealpha=1)


def mark_parts(axes: Any, parts: list[str]) -> None:
    """Name the parts of a model along the x-axis, with a line between them."""
    starts = [i for i, part in enumerate(parts) if i == 0 or part != parts[i - 1]]
    for start in starts[1:]:
        axes.axvline(start - 0.5, color="0.6", linewidth=1)
    middles = np.add(starts, [*starts[1:], len(parts)]) / 2 - 0.5
    labels = [parts[start] for start in starts]
    axes.set_xticks(middles, labels, rotation=35, ha="right", rotation_mode="anchor")


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


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure as .png or .svg, as the name says."""
    figure.savefig(path, dpi=150)
