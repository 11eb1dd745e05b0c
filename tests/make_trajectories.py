"""Write tests/reference/trajectories.* anew: python tests/make_trajectories.py

Needs torch and transformers (the parity extra). transformers' models, PyTorch's
optimisers and clipping, and transformers' schedule, all in float64; float32 is run too,
for the size of its error.
"""

import hashlib
import json
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1])]

import numpy as np
import torch
import torch_side
import transformers
from cases import Case
from make_reference import libraries
from reference import FOLDER, digest
from safetensors.numpy import save_file
from trajectories import (
    N_LOSSES,
    N_STEPS,
    STORED,
    WARMUP,
    Array,
    State,
    Way,
    batch,
    sample,
)

VERSION = 1
# What PyTorch calls the moments.
MOMENTS = {"b": "momentum_buffer", "m": "exp_avg", "v": "exp_avg_sq"}


def build(case: Case, dtype: torch.dtype) -> Any:
    """Return transformers' model of a case, nothing recorded, in evaluation mode."""
    model = torch_side.build(case, dtype)
    for module in model.modules():
        module.record = lambda name, value: None
    return model


def call(model: Any, arguments: dict[str, Array], dtype: torch.dtype) -> Any:
    """Return what a model says of a batch."""
    tensors = {name: torch.as_tensor(array) for name, array in arguments.items()}
    return model(**{
        name: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    })


def decay_groups(model: Any, weight_decay: float) -> list[dict[str, Any]]:
    """Return the parameters in two groups: no decay on biases and in LayerNorms."""
    spared = {
        id(parameter)
        for module in model.modules() for name, parameter in
        module.named_parameters(recurse=False)
        if isinstance(module, torch.nn.LayerNorm) or name == "bias"
    }
    parameters = list(model.parameters())
    return [
        {
            "params": [p for p in parameters if id(p) not in spared],
            "weight_decay": weight_decay,
        },
        {"params": [p for p in parameters if id(p) in spared], "weight_decay": 0.0},
    ]


def make_optimizer(model: Any, way: Way) -> Any:
    """Return PyTorch's optimiser of the same name."""
    options = dict(way.options)
    groups = decay_groups(model, options.pop("weight_decay"))
    return getattr(torch.optim, way.optimizer.__name__)(groups, lr=way.lr, **options)


def train(
    case: Case, way: Way, dtype: torch.dtype, n_steps: int, total_steps: int
) -> Iterator[tuple[float, float, State]]:
    """Yield loss, gradient's norm, and what there is after each step of PyTorch's."""
    model = build(case, dtype)
    optimizer = make_optimizer(model, way)
    schedule = transformers.get_linear_schedule_with_warmup(
        optimizer, WARMUP, total_steps
    )
    for step in range(n_steps):
        optimizer.zero_grad()
        loss = call(model, batch(case, step), dtype).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), way.max_norm)
        optimizer.step()
        schedule.step()
        yield loss.item(), norm.item(), state_of(model, optimizer)


def state_of(model: Any, optimizer: Any) -> State:
    """Return parameters and moments as our optimisers name them."""
    state = {}
    for name, parameter in model.named_parameters():
        state[f"p.{name}"] = parameter.detach().numpy().copy()
        for kind, moment in MOMENTS.items():
            array = optimizer.state[parameter].get(moment)
            if array is not None:                # SGD without momentum has none
                state[f"{kind}.{name}"] = array.numpy().copy()
    return state


def describe(case: Case, way: Way) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the losses and sampled state of a run, and its manifest entry."""
    steps = list(train(case, way, torch.float64, N_LOSSES, N_LOSSES))
    single = [loss for loss, *_ in train(case, way, torch.float32, N_LOSSES, N_LOSSES)]
    losses = np.array([loss for loss, *_ in steps])
    *_, state = steps[N_STEPS - 1]
    samples = {name: sample(array) for name, array in state.items()}
    return {"losses": losses, "state": np.concatenate(list(samples.values()))}, {
        "weights_sha256": digest(case.tensors()),
        "torch_float32": float(f"{np.abs(single / losses - 1).max():.3g}"),
        "state": {                               # how many are kept, and the largest
            name: [kept.size, float(f"{np.abs(state[name]).max():.12g}")]
            for name, kept in samples.items()
        },
    }


def write() -> None:
    """Write both files."""
    tensors, runs = {}, {}
    for run, (case, way) in STORED.items():
        arrays, runs[run] = describe(case, way)
        tensors |= {f"{run}/{name}": array for name, array in arrays.items()}
    write_files("trajectories", VERSION, tensors, {"runs": runs})


def write_files(
    name: str, version: int, tensors: dict[str, np.ndarray], about: dict
) -> None:
    """Write tensors, and the manifest that says what they are."""
    path = FOLDER / f"{name}.safetensors"
    save_file(tensors, path)
    path.chmod(0o644)
    manifest = {
        "generator": f"tests/make_{name}.py, version {version}",
        "libraries": libraries(),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    } | about
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    text = re.sub(r"\n {5,}|\n {4}(?=\])", " ", text)       # a line for each tensor
    path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    warnings.simplefilter("error")
    torch.set_num_threads(1)                     # the arrays are small
    write()
