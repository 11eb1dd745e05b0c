"""How the time of a forward pass grows with length, batch and layers: ours alone.

All of it grows with batch and layers alike. With length one part grows by its square:
attention's scores, weights and context. That part is measured by itself.
"""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..functions import matmul, softmax
from ..models import DistilBertModel
from .checkpoint import random_ids
from .tables import Row, Table
from .timing import medians, show_progress

LENGTHS, LENGTH = (8, 16, 32, 64, 128, 256, 384, 512), 128
BATCHES, BATCH = (1, 2, 4, 8, 16), 8
COLUMNS = {
    "grows": ("grows", "{}"),
    "batch": ("batch", "{}"),
    "length": ("length", "{}"),
    "layers": ("layers", "{}"),
    "ms": ("ms", "{:.1f}"),
    "fitted_ms": ("fitted ms", "{:.1f}"),
    "quadratic_ms": ("quadratic part", "{:.1f}"),
}


def measure_growth(folder: Path, n: int | None) -> Table:
    """Return the table of how the cost grows, with the fits in `more`."""
    show_progress("growth: model")
    model = DistilBertModel.from_pretrained(folder)
    rows, fits = [], {}
    for grows, sizes in sizes_of(model).items():
        show_progress(f"growth: {grows}")
        times = measure_sizes(forward_of, model, sizes, n)
        parts = [None] * len(sizes)
        if grows == "length":
            parts = measure_sizes(quadratic_part_of, model, sizes, n)
        fits[grows] = fit_parts([size[grows] for size in sizes], times, parts)
        rows += [
            as_row(grows, size, ms, part, fits[grows])
            for size, ms, part in zip(sizes, times, parts, strict=True)
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
    run_of: Callable[..., Callable[[], Any]], model: DistilBertModel,
    sizes: list[dict[str, int]], n: int | None,
) -> list[float]:
    """Return the median milliseconds, at each size, of what is run."""
    runs = {str(size): run_of(model, **size) for size in sizes}
    for run in runs.values():
        run()
    return list(medians(runs, n, pause=0).values())


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


def quadratic_part_of(
    model: DistilBertModel, batch: int, length: int, layers: int
) -> Callable[[], Any]:
    """Return what takes time by the square of the length: scores, weights, context."""
    H, K = model.config.n_heads, model.config.dim // model.config.n_heads
    rng = np.random.default_rng(0)
    q, k, v = rng.standard_normal((3, batch, H, length, K), model.dtype)

    def run() -> None:
        for _ in range(layers):
            matmul(softmax(matmul(q, k.swapaxes(-1, -2))), v)

    return run


def as_row(
    grows: str, size: dict[str, int], ms: float, part: float | None,
    coefficients: list[float],
) -> Row:
    """Return a row of the table."""
    fitted = sum(c * size[grows] ** power for power, c in enumerate(coefficients))
    return {
        "grows": grows, **size, "ms": ms, "fitted_ms": fitted, "quadratic_ms": part,
    }


def fit_parts(
    sizes: list[int], times: list[float], parts: list[float | None]
) -> list[float]:
    """Return c and a of the nearest c + a·x; with quadratic parts b, of theirs b·x²."""
    if None in parts:
        return fit(sizes, times, [0, 1])
    others = [ms - part for ms, part in zip(times, parts, strict=True)]
    return fit(sizes, others, [0, 1]) + fit(sizes, parts, [2])


def fit(sizes: list[int], times: list[float], powers: list[int]) -> list[float]:
    """Return the factors of the nearest sum of powers of x, errors as shares of times.

    No part of a cost is negative: a term that noise would make so is left out.
    """
    x, y = np.array(sizes, np.float64), np.array(times)
    kept = list(powers)
    while True:
        terms = x[:, None] ** kept / y[:, None]
        found, *_ = np.linalg.lstsq(terms, np.ones(len(y)), rcond=None)
        if found.min() >= 0:
            factors = dict(zip(kept, found.tolist(), strict=True))
            return [factors.get(power, 0.0) for power in powers]
        del kept[found.argmin()]


def as_formula(name: str, coefficients: list[float]) -> str:
    """Return the fit as a formula of the thing that grows."""
    c, *others = coefficients
    letter = {"length": "L", "batch": "B", "layers": "N"}[name]
    terms = [f"{k:+.3g}·{letter}{'²' * (i > 0)}" for i, k in enumerate(others)]
    return " ".join([f"{c:.3g}", *terms])
