"""A training step: its time, contenders in turn, and its memory, each in a process.

Run as `python -m distilbert_np.bench.step CONTENDER FOLDER SHAPE` it takes a few steps
and ends: the process whose peak memory is measured.
"""

import sys
import warnings
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ..config import DistilBertConfig
from ..functions import Array
from ..models import DistilBertForSequenceClassification, DistilBertPreTrainedModel
from .checkpoint import random_ids
from .contenders import (
    ATTENTIONS,
    Step,
    check_agreement,
    fastest_torch,
    make_step,
    missing,
)
from .forward import Shape, shown_shape
from .tables import Row, Table, ratio
from .timing import launched, medians, show_progress

STEPS = 3                                        # to compare, and to reach the peak
DROPOUTS = ("dropout", "attention_dropout", "seq_classif_dropout")
COLUMNS = {
    "model": ("model", "{}"),
    "shape": ("shape", "{}"),
    "ours_ms": ("ours ms", "{:.0f}"),
    "torch_ms": ("torch ms", "{:.0f}"),
    "torch_attention": ("by", "{}"),
    "ours_to_torch": ("ours/torch", "{:.2f}"),
    "ours_mb": ("ours peak MB", "{:.0f}"),
    "torch_mb": ("torch peak MB", "{:.0f}"),
    "ours_to_torch_mb": ("ours/torch", "{:.2f}"),
}
TITLE = "step: forward with dropout, backward, clipping, AdamW; sequence classification"
NOTES = ["peak MB: the resident memory of a process that loads the model and trains."]


def measure_steps(cases: list[tuple[str, str, Shape]], n: int | None) -> Table:
    """Return the table of a training step; a case is a label, a model and a shape."""
    rows = []
    for label, name, shape in cases:
        show_progress(f"step: {label} {shown_shape(shape)}")
        with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            rows.append(measure_step(label, name, Path(folder), shape, n))
    return Table("step", TITLE, COLUMNS, rows, NOTES)


def measure_step(
    label: str, name: str, folder: Path, shape: Shape, n: int | None
) -> Row:
    """Return what was measured of one model, after the contenders have agreed."""
    model = new_classifier(name)
    model.save_pretrained(folder / "model")
    model.config = model.config.changed(**dict.fromkeys(DROPOUTS, 0.0))
    model.save_pretrained(folder / "no-dropout")
    shape = shape[0], min(shape[1], model.config.max_position_embeddings)
    batch = random_batch(model.config, shape)
    check_steps(folder / "no-dropout", batch, f"{label} {shown_shape(shape)}")

    times = time_steps(folder / "model", batch, n)
    attention, torch = fastest_torch(times)
    ours_mb = peak("ours", folder / "model", shape)
    torch_mb = torch and peak(f"torch {attention}", folder / "model", shape)
    return {
        "model": label, "shape": shown_shape(shape),
        "ours_ms": times["ours"], "torch_ms": torch, "torch_attention": attention,
        "ours_to_torch": ratio(times["ours"], torch),
        "ours_mb": ours_mb, "torch_mb": torch_mb,
        "ours_to_torch_mb": ratio(ours_mb, torch_mb), "milliseconds": times,
    }


def new_classifier(name: str) -> DistilBertPreTrainedModel:
    """Return a sequence classifier on a model's encoder, its head drawn from a seed."""
    with warnings.catch_warnings():              # of the head, which is meant to be new
        warnings.simplefilter("ignore", UserWarning)
        return DistilBertForSequenceClassification.from_pretrained(
            name, num_labels=2, problem_type="single_label_classification"
        )


def random_batch(config: DistilBertConfig, shape: Shape) -> dict[str, Array]:
    """Return ids and mask (B, L) and labels (B,), from a seed."""
    ids, mask = random_ids(config, *shape)
    labels = np.arange(shape[0]) % config.num_labels               # (B,)
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def steps_of(folder: Path) -> dict[str, Step]:
    """Return the step of every contender that is installed, by its name."""
    torch = [] if missing("torch") else [f"torch {name}" for name in ATTENTIONS]
    return {name: make_step(name, folder) for name in ["ours", *torch]}


def check_steps(folder: Path, batch: dict[str, Array], what: str) -> None:
    """Raise DistilBertError unless the losses of the first few steps agree."""
    losses = {
        name: np.array([step(batch) for _ in range(STEPS)])
        for name, step in steps_of(folder).items()
    }
    check_agreement(losses, f"step {what}")


def time_steps(
    folder: Path, batch: dict[str, Array], n: int | None
) -> dict[str, float]:
    """Return the median milliseconds of a step of each contender."""
    steps = steps_of(folder)
    for step in steps.values():
        step(batch)
    return medians({name: partial(step, batch) for name, step in steps.items()}, n)


def peak(name: str, folder: Path, shape: Shape) -> float | None:
    """Return the peak memory, in MB, of a process that takes a few steps."""
    command = ["-m", __name__, name, str(folder), shown_shape(shape)]
    return launched(command)["megabytes"]


def main(name: str, folder: str, shape: str) -> None:
    """Take a few steps."""
    batch_size, length = map(int, shape.split("x"))
    batch = random_batch(DistilBertConfig.read(Path(folder)), (batch_size, length))
    step = make_step(name, Path(folder))
    for _ in range(STEPS):
        step(batch)


if __name__ == "__main__":
    main(*sys.argv[1:])
