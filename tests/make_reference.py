"""Write tests/reference/ anew with PyTorch: python tests/make_reference.py

Needs torch and transformers (the parity extra). The numbers come from transformers' own
modules, run in float64; float32 is run too, for the size of its error. Three things
those do not show are computed with torch in torch_side.py: the scores before the mask,
the factors of a head mask, and inputs_embeds, which are named as they were given.
"""

import hashlib
import json
import platform
import re
import sys
import warnings
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1])]

import numpy as np
import torch
import torch_side
import transformers
from cases import GRADIENT_CASES, Case
from reference import FOLDER, GROUPS, digest, rms, sample, sample_gradient, vanishes
from safetensors.numpy import save_file

from distilbert_np.parity.bounds import GRADIENT_BOUND

VERSION = 1


def describe(case: Case) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the samples of a case, and its entry in the manifest."""
    truth = torch_side.run(case, torch.float64)
    single = torch_side.run(case, torch.float32)
    samples: dict[str, np.ndarray] = {}
    tensors: dict[str, Any] = {}
    first_name: dict[bytes, str] = {}
    for name, value in truth.items():
        about: dict[str, Any] = {"shape": list(value.shape)}
        twin = first_name.setdefault(value.tobytes(), name)
        if twin != name:
            about["same_as"] = twin              # hidden states are outputs of blocks
        else:
            samples[name] = sample(value, case)
            about["kept"] = samples[name].size
            error = sample(single[name], case) - samples[name]
            about["torch_float32_rms"] = None if np.isnan(error).any() else rms(error)
        tensors[name] = about
    return samples, about_case(case, tensors)


def about_case(case: Case, tensors: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest's entry of a case."""
    return {
        "config": case.config,
        "weights_seed": case.seed,
        "weights_sha256": digest(case.tensors()),
        "tensors": tensors,
    }


def describe_gradients(case: Case) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the sampled gradients of a case in one row, and its manifest entry.

    Beside the shape: the largest number of the tensor, and how far PyTorch's float32
    goes astray at most. Where the exact gradient is zero, 0 and nothing.
    """
    truth = torch_side.gradients(case, torch.float64)
    single = torch_side.gradients(case, torch.float32)
    row: list[np.ndarray] = []
    tensors: dict[str, Any] = {}
    for name, value in truth.items():
        largest = float(np.abs(value).max())
        astray = float(np.abs(single[name] - value).max())
        if vanishes(case, name):
            assert largest <= GRADIENT_BOUND["float64"], (case.name, name)
            largest = 0.0
        if largest:
            row.append(sample_gradient(value, case))
        tensors[name] = {
            "shape": list(value.shape),
            "largest": float(f"{largest:.12g}"),
            "torch_float32": float(f"{astray:.3g}") if largest else None,
        }
    return np.concatenate(row or [np.zeros(0)]), about_case(case, tensors)


def write_gradients() -> None:
    """Write the gradients of every case."""
    rows: dict[str, np.ndarray] = {}
    entries: dict[str, Any] = {}
    for case in GRADIENT_CASES.values():
        rows[case.name], entries[case.name] = describe_gradients(case)
    save("gradients", rows, entries)


def write(group: str, cases: list[Case]) -> None:
    """Write the safetensors file and the manifest of a group."""
    samples: dict[str, np.ndarray] = {}
    entries: dict[str, Any] = {}
    for case in cases:
        values, entries[case.name] = describe(case)
        samples |= {f"{case.name}/{name}": array for name, array in values.items()}
    save(group, samples, entries)


def save(group: str, samples: dict[str, np.ndarray], entries: dict[str, Any]) -> None:
    """Write both files."""
    path = FOLDER / f"{group}.safetensors"
    save_file({name: np.ascontiguousarray(a) for name, a in samples.items()}, path)
    path.chmod(0o644)
    manifest = {
        "generator": f"tests/make_reference.py, version {VERSION}",
        "libraries": libraries(),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "cases": entries,
    }
    path.with_suffix(".json").write_text(readable(manifest), encoding="utf-8")
    print(f"{path.name}: {len(samples)} tensors, {path.stat().st_size:,} bytes")


def libraries() -> dict[str, str]:
    """Return the versions that the numbers come from."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def readable(manifest: dict[str, Any]) -> str:
    """Return a manifest as JSON, with a line for each tensor."""
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    return re.sub(r"\n {5,}|\n {4}(?=[}\]])", " ", text) + "\n"


if __name__ == "__main__":
    warnings.simplefilter("error")
    FOLDER.mkdir(exist_ok=True)
    for group, cases in GROUPS.items():
        write(group, cases)
    write_gradients()
