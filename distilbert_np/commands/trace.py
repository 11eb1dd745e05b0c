"""The verb trace: every array of one call, written to a folder."""

import argparse
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from ..config import DistilBertConfig
from ..errors import InputError
from ..files import read_json
from ..inspection import named_head
from ..parity.batch import text_inputs
from ..parity.traces import (
    ARRAYS,
    MANIFEST,
    model_of,
    read_trace,
    stored_arrays,
    trace_model,
)
from ..parity.tracing import labels_of
from ..parity.zoo import fault_named, planted
from ..trees import Tree
from .given import given

INPUTS = (
    "input_ids", "inputs_embeds", "attention_mask", "position_ids", "head_mask",
    "labels", "start_positions", "end_positions", "last_hidden_state_gradient",
)


def trace(arguments: argparse.Namespace) -> None:
    """Answer a trace command: run the model, write the arrays, say what there is."""
    if arguments.inputs and (arguments.texts or arguments.file):
        raise InputError("--inputs: stands in the place of texts, of which some stand")
    name, head = model_and_head(arguments)
    inputs = inputs_of(arguments, name, head)
    fault = {"fault": arguments.fault} if arguments.fault else {}
    planting = planted(arguments.fault) if fault else nullcontext()
    with planting, np.errstate(invalid="ignore"):
        manifest = trace_model(
            arguments.out, name, inputs, head, gradients=arguments.grad,
            teacher=arguments.teacher, dtype=arguments.dtype,
            only=arguments.only or (), npy=arguments.npy, **fault,
        )
    made_up = [
        label for label in labels_of(head)
        if label not in inputs and f"inputs.{label}" in manifest["tensors"]
    ]
    told = summary(name, arguments.out, manifest) | fault | {"made_up": made_up}
    print(json.dumps(told) if arguments.json else as_text(told))


def model_and_head(arguments: argparse.Namespace) -> tuple[str, str]:
    """Return the model to run, and its head: those that are given; else those of the
    trace that the inputs are from; else the embedded one, and the model's own.
    """
    name, head = arguments.model, arguments.head
    if not name and arguments.inputs and (Path(arguments.inputs) / MANIFEST).exists():
        of = read_trace(arguments.inputs)
        return model_of(of), head or of.manifest["head"]
    name = name or "tiny"
    return name, head or own_head(name)


def inputs_of(arguments: argparse.Namespace, name: str, head: str) -> Tree:
    """Return the arguments of the call: read from a file, or made of texts."""
    if arguments.inputs:
        return read_inputs(arguments.inputs)
    texts = [one.inputs for one in given(arguments.texts, arguments.file, text_of)]
    return tokenized(name, texts, head)


def own_head(name: str) -> str:
    """Return the head that a model was trained with, by its configuration."""
    return named_head(DistilBertConfig.from_pretrained(name)) or "base"


def text_of(row: Any) -> str:
    """Return the text of a row of a file."""
    return row["text"]


def tokenized(name: str, texts: list[str], head: str) -> Tree:
    """Return ids and mask of texts, (B, L), or (1, C, L) if they are choices."""
    inputs = text_inputs(name, texts, DistilBertConfig.from_pretrained(name))
    if head != "multiple_choice":
        return inputs
    return {part: array[None] for part, array in inputs.items()}


def read_inputs(path: str) -> Tree:
    """Return the arguments of a call from a file: JSON, or arrays, such as a trace's.
    """
    if Path(path).suffix == ".json":
        found = read_json(Path(path), InputError)
    else:
        found = {name: shown.array for name, shown in stored_arrays(path).items()}
    if any(name.startswith("inputs.") for name in found):
        return of_trace(path, found)
    if unknown := sorted(set(found) - {*INPUTS}):
        expected = ", ".join(INPUTS)
        raise InputError(f"{path}: found {unknown[0]}, expected some of {expected}")
    return found


def of_trace(path: str, arrays: Tree) -> Tree:
    """Return the arguments of the call that a trace is of."""
    inputs = {
        name: arrays[f"inputs.{name}"] for name in INPUTS if f"inputs.{name}" in arrays
    }
    if "inputs.n_choices" in arrays:             # choices are laid out as texts there
        count = arrays["inputs.n_choices"].reshape(-1)[:1]
        for name in {*inputs} & {"input_ids", "inputs_embeds", "attention_mask"}:
            try:
                shape = (-1, *count, *inputs[name].shape[1:])
                inputs[name] = inputs[name].reshape(shape)
            except (TypeError, ValueError):
                text = f"{path}: inputs.{name}: cannot be parted by inputs.n_choices"
                raise InputError(text) from None
    return inputs


def summary(name: str, folder: str, manifest: Tree) -> Tree:
    """Return what was written, for people or machines."""
    letters = manifest["letters"]
    return {
        "folder": folder, "model": name, "head": manifest["head"],
        "dtype": manifest["dtype"], "batch": letters["B"], "length": letters["L"],
        "arrays": len(manifest["tensors"]),
    }


def as_text(told: Tree) -> str:
    """Return what was written, in lines."""
    texts = f"{told['batch']} text" + ("s" if told["batch"] > 1 else "")
    lines = [
        f"{told['model']} ({told['head']}), {texts} of {told['length']} tokens, "
        f"{told['dtype']}: {told['arrays']} arrays",
        f"in {told['folder']}: {ARRAYS}; names, shapes and formulas in {MANIFEST}",
    ]
    if told["made_up"]:
        lines.append(f"made up, as none were given: {', '.join(told['made_up'])}")
    if "fault" in told:
        fault = fault_named(told["fault"])
        needs = f" (shows with {fault.needs} alone)" if fault.needs else ""
        lines.append(f"with the fault {fault.name}: {fault.what}{needs}")
    return "\n".join(lines)
