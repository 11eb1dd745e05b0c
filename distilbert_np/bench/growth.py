"""How the time of a forward pass grows with length, batch and layers: ours alone."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..models import DistilBertModel
from .checkpoint import random_ids
from .tables import Row, Table
from .timing import medians, show_progress

LENGTHS, LENGTH = (8, 16, 32, 64, 128, 256, 384, 512), 128
BATCHES, BATCH = (1, 2, 4, 8, 16), 8
# How many powers of what grows are fitted: length has a quadratic part, attention.
POWERS = {"length": 2, "batch": 1, "layers": 1}
COLUMNS = {
    "grows": ("grows", "{}"),
    "batch": ("batch", "{}"),
    "length": ("length", "{}"),
    "layers": ("layers", "{}"),
    "ms": ("ms", "{:.1f}"),
    "fitted_ms": ("fitted ms", "{:.1f}"),
    "quadratic_ms": ("of it quadratic", "{:.1f}"),
}


def measure_growth(folder: Path, n: int | None) -> Table:
    """Return the table of how the cost grows, with the fits in `more`."""
    show_progress("growth: model")
    model = DistilBertModel.from_pretrained(folder)
    rows, fits = [], {}
    for grows, sizes in sizes_of(model).items():
        show_progress(f"growth: {grows}")
        times = measure_sizes(model, sizes, n)
        values = [size[grows] for size in sizes]
        fits[grows] = fit(values, times, POWERS[grows])
        rows += [
            as_row(grows, size, ms, fits[grows])
            for size, ms in zip(sizes, times, strict=True)
        ]
    notes = [f"{grows}: {as_formula(grows, found)} ms" for grows, found in fits.items()]
    title = "growth: our forward pass, one size growing, the others fixed"
    return Table("growth", title, COLUMNS, rows, notes, {"fits": fits})


def sizes_of(model: DistilBertModel) -> dict[str, list[dict[str, int]]]:
    """Return, for what grows, the sizes to measure, as far as the model has them."""
    layers, longest = model.config.n_layers, model.config.max_position_embeddings
    length = min(LENGTH, longest)
    return {
        "length": [
            {"batch": 1, "length": size, "layers": layers}
            for size in LENGTHS if size <= longest
        ],
        "batch": [
            {"batch": size, "length": length, "layers": layers} for size in BATCHES
        ],
        "layers": [
            {"batch": BATCH, "length": length, "layers": size + 1}
            for size in range(layers)
        ],
    }


def measure_sizes(
    model: DistilBertModel, sizes: list[dict[str, int]], n: int | None
) -> list[float]:
    """Return the median milliseconds of the forward pass at each size."""
    runs = {str(size): forward_of(model, **size) for size in sizes}
    for run in runs.values():
        run()
    return list(medians(runs, n).values())


def forward_of(
    model: DistilBertModel, batch: int, length: int, layers: int
) -> Callable[[], Any]:
    """Return the forward pass of the first few layers on one batch."""
    first = copy.copy(model)
    first.config = model.config.changed(n_layers=layers)
    kept = {str(i): model.params["transformer"]["layer"][str(i)] for i in range(layers)}
    first.params = model.params | {"transformer": {"layer": kept}}
    ids, mask = random_ids(model.config, batch, length)
    return lambda: first(ids, mask)


def as_row(
    grows: str, size: dict[str, int], ms: float, coefficients: list[float]
) -> Row:
    """Return a row of the table."""
    parts = [c * size[grows] ** power for power, c in enumerate(coefficients)]
    quadratic = parts[2] if len(parts) > 2 else None
    return {
        "grows": grows, **size, "ms": ms, "fitted_ms": sum(parts),
        "quadratic_ms": quadratic,
    }


def fit(sizes: list[int], times: list[float], power: int) -> list[float]:
    """Return c, a, b … of the nearest c + a·x + b·x² …, all errors as shares of times.

    No part of a cost is negative: a term that noise would make so is left out.
    """
    x, y = np.array(sizes, np.float64), np.array(times)
    terms = np.vander(x, power + 1, increasing=True) / y[:, None]  # 1, x, x² … over y
    kept = list(range(power + 1))
    while True:
        found, *_ = np.linalg.lstsq(terms[:, kept], np.ones(len(y)), rcond=None)
        if found.min() >= 0:
            by_power = dict(zip(kept, found.tolist(), strict=True))
            return [by_power.get(i, 0.0) for i in range(power + 1)]
        del kept[found.argmin()]


def as_formula(name: str, coefficients: list[float]) -> str:
    """Return the fit as a formula of the thing that grows."""
    c, *others = coefficients
    letter = {"length": "L", "batch": "B", "layers": "N"}[name]
    terms = [f"{k:+.3g}·{letter}{'²' * (i > 0)}" for i, k in enumerate(others)]
    return " ".join([f"{c:.3g}", *terms])
