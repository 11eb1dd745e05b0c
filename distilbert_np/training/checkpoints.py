"""Checkpoints of a training run: all that it takes to go on as if nothing had happened.

A checkpoint is a folder such as `training-checkpoint-000120`, with the parameters and
the optimiser's moments (safetensors) and the rest (JSON). It gets its name when it is
whole, and the one before goes only then: a run may be killed at any moment.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..files import delete_parts, read_json, system_errors, written_whole
from ..trees import flatten
from ..weights import convert, map_file, save_tensors
from .optimizers import Optimizer

PREFIX = "training-checkpoint-"
MODEL, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"


def save_checkpoint(folder: Path, optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Write a checkpoint of `state["step"]` into `folder`, and delete older ones."""
    with written_whole(folder, f"{PREFIX}{state['step']:06d}") as path:
        path.mkdir()
        save_tensors(optimizer.params, path / MODEL)
        save_tensors(flatten(optimizer.moments), path / OPTIMIZER)
        (path / STATE).write_text(json.dumps(state, indent=1), encoding="utf-8")
    keep_newest_checkpoint(folder)


def keep_newest_checkpoint(folder: Path) -> Path | None:
    """Delete all checkpoints in a folder but the newest; return that, if there is one.
    """
    by_step = {
        int(step): path
        for path in folder.glob(f"{PREFIX}*")
        if (step := path.name.removeprefix(PREFIX)).isdecimal()
    }
    if not by_step:
        return None
    newest = by_step.pop(max(by_step))
    for older in by_step.values():
        with system_errors(older, "deleted"):
            shutil.rmtree(older)
    return newest


def read_state(folder: Path) -> dict[str, Any] | None:
    """Return the state that the newest checkpoint holds, or None if there is none."""
    delete_parts(folder)
    newest = keep_newest_checkpoint(folder)
    if newest is None:
        return None
    state = read_json(newest / STATE, CheckpointError)
    if not is_state(state):
        expected = "step, settings, losses, evaluations"
        raise CheckpointError(f"{newest / STATE}: expected {expected} of a run")
    return state


def is_state(state: dict[str, Any]) -> bool:
    """Whether this is what a run writes: a loss for each step, figures by their names.
    """
    losses, evaluations = state.get("losses"), state.get("evaluations")
    return (
        isinstance(state.get("settings"), dict)
        and isinstance(evaluations, list)
        and all(isinstance(e, dict) and "loss" in e for e in evaluations)
        and all(are_numbers([*e.values()]) for e in evaluations)
        and are_numbers(losses)
        and state.get("step") == len(losses)
    )


def are_numbers(values: Any) -> bool:
    """Whether this is a list of numbers."""
    return isinstance(values, list) and all(type(v) in (int, float) for v in values)


def load_tensors(folder: Path, optimizer: Optimizer) -> None:
    """Copy the newest checkpoint's numbers into the parameters and the moments."""
    newest = keep_newest_checkpoint(folder)
    for name, arrays in (
        (MODEL, optimizer.params), (OPTIMIZER, flatten(optimizer.moments)),
    ):
        stored = map_file(newest / name)
        shapes = {tensor: array.shape for tensor, array in arrays.items()}
        if {tensor: kept.array.shape for tensor, kept in stored.items()} != shapes:
            raise CheckpointError(f"{newest / name}: holds tensors of another model")
        for tensor, array in arrays.items():
            array[...] = convert(stored[tensor], array.dtype)
