"""How the cost of a pass grows: by length, by batch, by layers."""

from typing import Any

import numpy as np

from .canvas import BLACK, BLUE, ORANGE, Picture, canvas

LABELS = {
    "length": "length (tokens), batch 1",
    "batch": "batch (texts of {length} tokens)",
    "layers": "layers ({batch} texts of {length} tokens)",
}


def growth(
    rows: list[dict[str, Any]], fits: dict[str, list[float]], title: str
) -> Picture:
    """Return a figure of three panels: time by length, by batch and by layers.

    `rows` are measurements as `bench growth` gives them; `fits` the coefficients of
    c + a·x + b·x² …, drawn as areas, the quadratic part on top of the linear one.
    """
    figure, panels = canvas(title, 15, 5.5, columns=3)
    for axes, (grows, coefficients) in zip(panels, fits.items(), strict=True):
        measured = [row for row in rows if row["grows"] == grows]
        draw_growth(axes, measured, grows, coefficients)
    return Picture(figure, growth_in_words(rows, fits))


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
    axes.set_ylim(0, 1.5 * max(row["ms"] for row in rows))       # with the legend
    axes.legend(fontsize=13, loc="upper left")


def growth_in_words(rows: list[dict[str, Any]], fits: dict[str, list[float]]) -> str:
    """Say for each thing that grows from where to where the time does."""
    sentences = []
    for grows, coefficients in fits.items():
        measured = [row for row in rows if row["grows"] == grows]
        first, last = measured[0], measured[-1]
        sentence = (
            f"From {grows} {first[grows]} to {last[grows]} the time grows from "
            f"{first['ms']:.3g} to {last['ms']:.3g} ms"
        )
        if len(coefficients) > 2:
            quadratic = coefficients[2] * last[grows] ** 2
            sentence += f", of which {quadratic:.3g} ms are the quadratic part"
        sentences.append(sentence + ".")
    return " ".join(sentences)
