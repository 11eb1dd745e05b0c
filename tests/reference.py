"""The committed reference: what PyTorch computed for every case, and how to compare.

`reference/<group>.safetensors` holds float64 values by `case/tensor`; large tensors are
sampled at a stride. `reference/<group>.json` says who wrote them, with what, from which
seeds, and how far PyTorch's own float32 lies from them.

`reference/gradients.safetensors` holds the gradients of a case in one row, under the
case's name, each tensor sampled, in the order of the manifest.
"""

import hashlib
import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from cases import BASE_CASES, SMALL_CASES, Case
from safetensors.numpy import load_file

from distilbert_np.parity import bounds

FOLDER = Path(__file__).parent / "reference"
GROUPS = {"small": SMALL_CASES, "base": BASE_CASES}
SAMPLE = {"small": 256, "base": 1024}            # numbers kept of a larger tensor

# Beside the bounds in distilbert_np/parity/bounds.py, one to the error of PyTorch's own
# float32.
RMS_RATIO = 1.25


def stride(size: int, most: int) -> int:
    """Return the step that leaves at most `most` numbers of a tensor: 1, or a prime.

    A prime falls into step with no axis, so every row and column is met.
    """
    step = max(1, math.ceil(size / most))
    while any(step % n == 0 for n in range(2, math.isqrt(step) + 1)):
        step += 1
    return step


def sample(array: np.ndarray, case: Case) -> np.ndarray:
    """Return the numbers of a case's tensor that the reference keeps."""
    flat = np.asarray(array).reshape(-1)
    return flat[:: stride(flat.size, SAMPLE[group_of(case)])]


def rms(error: np.ndarray) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(np.square(error))))


def digest(tensors: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 of a case's weights: both sides must build the same."""
    sha = hashlib.sha256()
    for name, array in tensors.items():
        sha.update(name.encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


@cache
def manifest(group: str) -> dict[str, Any]:
    """Return what is known of a group of references."""
    return json.loads((FOLDER / f"{group}.json").read_text(encoding="utf-8"))


@cache
def load(group: str) -> dict[str, np.ndarray]:
    """Return the samples of a group by `case/tensor`."""
    return load_file(FOLDER / f"{group}.safetensors")


def group_of(case: Case) -> str:
    """Return the group that holds a case."""
    return next(group for group, cases in GROUPS.items() if case in cases)


# --- gradients ------------------------------------------------------------------------

GRADIENT_SAMPLE = {"small": 96, "base": 512}


def sample_gradient(array: np.ndarray, case: Case) -> np.ndarray:
    """Return the numbers of a gradient that the reference keeps."""
    flat = np.asarray(array).reshape(-1)
    most = GRADIENT_SAMPLE["base" if case in BASE_CASES else "small"]
    return flat[:: stride(flat.size, most)]


def stored_gradients(case: Case) -> dict[str, tuple[np.ndarray, dict[str, Any]]]:
    """Return the sampled gradients of a case by name, with what is known of each.

    Where the exact gradient is zero, zeros: the sample would be zeros, or PyTorch's
    rounding.
    """
    row, found = load("gradients")[case.name], {}
    for name, about in manifest("gradients")["cases"][case.name]["tensors"].items():
        kept = sample_gradient(np.zeros(math.prod(about["shape"])), case)
        if about["largest"]:
            kept, row = row[: kept.size], row[kept.size :]
        found[name] = (kept, about)
    assert row.size == 0
    return found


def vanishes(case: Case, name: str) -> bool:
    """Whether a gradient of a case is 0 in exact arithmetic, but not in rounded."""
    return bounds.vanishes(case.full_config(), case.head, name)
