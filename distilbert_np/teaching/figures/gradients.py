"""The gradient check: its error by step is a V."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import InputError, shown
from ...functions import Array
from .canvas import BLACK, LABEL, LINES, Picture, canvas

DOTS = {"color": BLACK, "linewidth": 1.5, "linestyle": ":"}
RING = {
    "markersize": 24, "markerfacecolor": "none", "markeredgecolor": BLACK,
    "markeredgewidth": 2,
}


def gradient_check(errors: Mapping[str, Mapping[float, float]]) -> Picture:
    """Return a figure of a central difference's error by its step, on both log axes.

    `errors` are those of numerical.gradient_errors: {"float64": {step: error}, …}.
    With large steps the error is the curve's, and falls with step²; with small ones
    rounding is divided by the step. Dotted lines show the two laws. An error of 1 is a
    step that was lost in rounding: the loss did not change. Raises InputError where
    there are no errors.
    """
    curves = {name: as_curve(name, points) for name, points in checked(errors).items()}
    figure, axes = canvas("Which step checks a gradient best?", 13, 8)
    axes.set(xscale="log", yscale="log")
    for (name, (steps, off)), style in zip(curves.items(), LINES, strict=False):
        draw_curve(axes, name, steps, off, style)
    name_branches(axes)
    axes.set_xlabel("step", fontsize=LABEL)
    axes.set_ylabel("relative error of the difference", fontsize=LABEL)
    axes.grid(color="0.9")
    axes.legend(fontsize=LABEL, loc="upper right", handlelength=4)
    return Picture(figure, check_in_words(curves))


def checked(errors: Any) -> Mapping[str, Any]:
    """Return the errors; raise InputError where there are none."""
    if not isinstance(errors, Mapping) or not errors:
        expected = 'errors by dtype, {"float64": {step: error}}'
        raise InputError(f"errors: expected {expected}, found {shown(errors)}")
    return errors


def as_curve(name: str, points: Any) -> tuple[Array, Array]:
    """Return the steps, in order, and their errors; an error of 0 has no logarithm."""
    if not isinstance(points, Mapping):
        raise InputError(f"errors: {name}: expected a dict, found {shown(points)}")
    try:
        pairs = [(h, e) for h, e in sorted(points.items()) if h > 0 and 0 < e < np.inf]
        steps, off = np.array(pairs, np.float64).reshape(-1, 2).T
    except (TypeError, ValueError):
        raise InputError(
            f"errors: {name}: expected numbers by step, found {shown(points)}"
        ) from None
    if not pairs:
        raise InputError(f"errors: {name}: expected one above 0, found {shown(points)}")
    return steps, off


def draw_curve(
    axes: Any, name: str, steps: Array, off: Array, style: dict[str, Any]
) -> None:
    """Draw the errors of one precision, the laws of its two branches, and the best."""
    best = off.argmin()
    words = f"{name}: best with step {told(steps[best])}, off by {told(off[best])}"
    axes.plot(steps, off, label=words, **style)
    axes.plot(steps[best], off[best], "o", **RING)
    rounded, curved = (steps < steps[best]) & (off != 1), steps > steps[best]
    for power, branch in ((-1, rounded), (2, curved)):
        if branch.sum() > 1:
            factor = np.exp(np.median(np.log(off / steps**power)[branch]))
            axes.plot(steps[branch], factor * steps[branch] ** power, **DOTS)


def name_branches(axes: Any) -> None:
    """Name the two branches in the lower corners, under which there is nothing."""
    lowest, highest = axes.get_ylim()
    axes.set_ylim(lowest / 100, highest * 1000)  # with room for words
    for x, align, words in (
        (0.02, "left", "small steps: rounding ÷ step"),
        (0.98, "right", "large steps: the curve, ~ step²"),
    ):
        axes.text(x, 0.03, words, transform=axes.transAxes, ha=align, fontsize=LABEL)


def check_in_words(curves: Mapping[str, tuple[Array, Array]]) -> str:
    """Say for each precision which step is the best, and what the ends are off by."""
    return " ".join(
        f"{name}: the best step is {told(steps[off.argmin()])}, with a relative error "
        f"of {told(off.min())}; at the smallest step, {told(steps[0])}, it is "
        f"{told(off[0])}, at the largest, {told(steps[-1])}, {told(off[-1])}."
        for name, (steps, off) in curves.items()
    )


def told(number: float) -> str:
    """Return a number by its first digit and power of ten."""
    return f"{number:.0e}"
