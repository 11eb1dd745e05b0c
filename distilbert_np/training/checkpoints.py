"""Checkpoints of a training run: all that it takes to go on as if nothing had happened.

A checkpoint is a folder such as `checkpoint-000120`, with the parameters and the
optimiser's moments (safetensors) and the rest (JSON). It gets its name when it is
whole, and the one before goes only then: a run may be killed at any moment.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..files import delete_parts, read_json, written_folder
from ..trees import flatten
from ..weights import map_file, save_tensors
from .optimizers import Optimizer

MODEL, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"


def save_checkpoint(folder: Path, optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Write a checkpoint of `state["step"]` into `folder`, and delete older ones."""
    older = checkpoints(folder)
    with written_folder(folder / f"checkpoint-{state['step']:06d}") as path:
        save_tensors(optimizer.params, path / MODEL)
        save_tensors(flatten(optimizer.moments), path / OPTIMIZER)
        (path / STATE).write_text(json.dumps(state, indent=1), encoding="utf-8")
    for checkpoint in older:
        shutil.rmtree(checkpoint)


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, the newest last."""
    return sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name[11:]))


def read_state(folder: Path) -> dict[str, Any] | None:
    """Return the state that the newest checkpoint holds, or None if there is none."""
    delete_parts(folder)
    found = checkpoints(folder)
    return read_json(found[-1] / STATE, CheckpointError) if found else None


def load_tensors(folder: Path, optimizer: Optimizer) -> None:
    """Copy the newest checkpoint's numbers into the parameters and the moments."""
    newest = checkpoints(folder)[-1]
    for name, arrays in (
        (MODEL, optimizer.params), (OPTIMIZER, flatten(optimizer.moments)),
    ):
        stored = map_file(newest / name)
        if stored.keys() != arrays.keys():
            raise CheckpointError(f"{newest / name}: holds tensors of another model")
        for tensor, array in arrays.items():
            array[...] = stored[tensor].array
