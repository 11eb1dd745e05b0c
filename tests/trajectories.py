"""Training small models, step by step, as PyTorch did it and as we do.

The stored side is `reference/trajectories.safetensors`, which make_trajectories.py
writes: of each run the losses, and what model and optimiser held after some steps,
sampled, in one row and in the order of the manifest.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import ours
from cases import CHOICES, ODD, Case
from reference import FOLDER, stride, vanishes
from safetensors.numpy import load_file

from distilbert_np.training import SGD, Adam, AdamW, linear_schedule, train_step
from distilbert_np.training.optimizers import Optimizer

Array = np.ndarray
State = dict[str, Array]                         # "m.classifier.weight" → its numbers

HEADS = [
    Case("trained, masked_lm", "masked_lm", ODD, "words"),
    Case("trained, sequence", "sequence", ODD | {"num_labels": 4}, "classes"),
    Case("trained, token", "token", {"num_labels": 5}, "tags"),
    Case("trained, question_answering", "question_answering", labels="answers"),
    Case("trained, multiple_choice", "multiple_choice", labels="choices", batch=6),
]
N_STEPS, N_LOSSES, WARMUP = 8, 50, 3


@dataclass(frozen=True)
class Way:
    """A way of training: our optimiser and its options, named as PyTorch's are."""

    name: str
    optimizer: type
    lr: float
    options: dict[str, Any]
    max_norm: float = 2.0                        # gradients here have norms of 1 to 12


WAYS = [
    Way("SGD", SGD, 0.02, {"momentum": 0.0, "weight_decay": 0.1}),
    Way("SGD, momentum", SGD, 0.02, {"momentum": 0.9, "weight_decay": 0.1}),
    Way("Adam", Adam, 0.01, {"eps": 1e-6, "weight_decay": 0.1}),
    Way(
        "AdamW", AdamW, 0.01,
        {"betas": (0.9, 0.98), "eps": 1e-6, "weight_decay": 0.1},
    ),
]
STORED = {
    f"{case.name}, {way.name}": (case, way)
    for case in (HEADS[0], HEADS[3]) for way in WAYS[1:]
}


def batch(case: Case, step: int) -> dict[str, Array]:
    """Return the arguments of a step's call: 8 batches, each of a length of its own."""
    return replace(case, length=4 + step % 8).arguments()


def train(
    case: Case, way: Way, dtype: Any, n_steps: int, total_steps: int
) -> Iterator[tuple[float, State]]:
    """Yield the loss of each step of ours, and what there is after it."""
    model = ours.build(case, dtype)
    optimizer = way.optimizer(model.params, lr=way.lr, **way.options)
    for step in range(n_steps):
        lr = way.lr * linear_schedule(step, WARMUP, total_steps)
        batches = [batch(case, step)]
        loss = train_step(model, batches, optimizer, lr, way.max_norm, None)
        yield loss, state_of(optimizer)


def state_of(optimizer: Optimizer) -> State:
    """Return copies of parameters and moments."""
    held = {"p": optimizer.params} | optimizer.moments
    return {
        f"{kind}.{name}": array.copy()
        for kind, arrays in held.items() for name, array in arrays.items()
    }


def is_noise(case: Case, way: Way, name: str) -> bool:
    """Return whether a tensor holds no more than rounding: the exact gradient is 0.

    Such a gradient has moments of rounding. SGD leaves its parameter where it stood;
    Adam divides rounding by the size of rounding, and so moves it by chance.
    """
    kind, name = name.split(".", maxsplit=1)
    by_chance = kind != "p" or way.optimizer is not SGD
    return by_chance and vanishes(case, name)


def check_state(
    case: Case, way: Way, found: State, exact: State, bound: float, largest: State
) -> None:
    """Compare parameters and moments, as a share of the largest number of each."""
    assert set(exact) <= set(found)
    for name, truth in exact.items():
        if is_noise(case, way, name):
            # eps keeps Adam's parameters within about lr · rounding / eps.
            most = 1e-9 if name.startswith("p.") else 1e-14
            assert np.abs(found[name] - truth).max() <= most, name
        else:
            error = np.abs(found[name] - truth).max()
            assert error <= bound * largest[name], (name, error / largest[name])


def parts_and_whole(case: Case, sizes: list[int]) -> tuple[list[dict], dict]:
    """Return small batches of these sizes, and the large one that they are cut from.

    Of several choices, `sizes` count the texts. Answers lie within the text.
    """
    texts = sum(sizes)
    rows = texts * CHOICES if case.head == "multiple_choice" else texts
    labels = None if case.head == "question_answering" else case.labels
    large = replace(case, batch=rows, labels=labels).arguments()
    if labels is None:
        rng = np.random.RandomState(0)
        large["start_positions"] = rng.randint(case.length, size=texts)
        large["end_positions"] = rng.randint(case.length, size=texts)
    ends = np.cumsum(sizes)
    small = [
        {name: array[end - size : end] for name, array in large.items()}
        for size, end in zip(sizes, ends, strict=True)
    ]
    return small, large


# --- what is stored -------------------------------------------------------------------

KEPT = 16                                        # numbers of each larger tensor


def sample(array: Array) -> Array:
    """Return the numbers of a tensor that the reference keeps."""
    flat = array.reshape(-1)
    return flat[:: stride(flat.size, KEPT)]


@cache
def manifest() -> dict[str, Any]:
    """Return what is known of the stored runs."""
    return json.loads((FOLDER / "trajectories.json").read_text(encoding="utf-8"))


@cache
def load() -> dict[str, Array]:
    """Return the losses of each run, `run/losses`, and its state, `run/state`."""
    return load_file(FOLDER / "trajectories.safetensors")


def stored_state(name: str) -> tuple[State, State]:
    """Return what a run held after N_STEPS, sampled, and the largest of each tensor."""
    row, state, largest = load()[f"{name}/state"], {}, {}
    for tensor, (kept, most) in manifest()["runs"][name]["state"].items():
        state[tensor], row = row[:kept], row[kept:]
        largest[tensor] = most
    assert row.size == 0
    return state, largest


def check_stored(name: str) -> None:
    """Compare ours with a stored run: N_STEPS losses, and all that there is then."""
    case, way = STORED[name]
    steps = train(case, way, np.float64, N_STEPS, N_LOSSES)
    losses, states = zip(*steps, strict=True)
    np.testing.assert_allclose(losses, load()[f"{name}/losses"][:N_STEPS], rtol=1e-11)
    exact, largest = stored_state(name)
    assert set(states[-1]) == set(exact)
    found = {tensor: sample(array) for tensor, array in states[-1].items()}
    check_state(case, way, found, exact, 1e-11, largest)
