"""Distillation of small models, as PyTorch did it and as we do.

The stored side is `reference/distillation.safetensors`, which make_distillation.py
writes: of each lesson the loss and its parts, the student's gradients, and of some
steps of training the losses and what there is at the end; gradients and state sampled,
in one row and in the order of the manifest.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import ours
from cases import ODD, Case
from gradients import check_close
from reference import FOLDER, stride
from safetensors.numpy import load_file
from trajectories import Array, State, Way, batch, check_state, state_of

from distilbert_np.parity.bounds import GRADIENT_BOUND
from distilbert_np.training import AdamW, Distillation, train_step
from distilbert_np.training.distill import RECIPE
from distilbert_np.trees import flatten


@dataclass(frozen=True)
class Lesson:
    """A teacher, a student and the weights of kl, mlm and cos; no dropout anywhere.

    Both read the student's batch: rows that are full, padded right, padded left, with
    holes, the first position among them, and wholly hidden; half of the words asked.
    """

    name: str
    weights: tuple[float, float, float] = (5.0, 2.0, 1.0)
    temperature: float = 2.0
    teacher: dict[str, Any] | None = None        # over ODD
    student: dict[str, Any] | None = None        # over the teacher's

    @property
    def cases(self) -> tuple[Case, Case]:
        """The teacher and the student."""
        config = ODD | {"n_layers": 4} | (self.teacher or {})
        smaller = config | {"n_layers": 2} | (self.student or {})
        return (
            Case(f"{self.name}, teacher", "masked_lm", config, "words"),
            Case(f"{self.name}, student", "masked_lm", smaller, "words"),
        )


LESSONS = [
    Lesson("as the authors"),
    Lesson(
        "other weights", (0.5, 0.25, 4.0), 5.0,
        {"tie_word_embeddings": False, "activation": "relu"},
    ),
    Lesson("a narrower student", (1.0, 0.0, 0.0), 1.0, student={"dim": 10}),
]
LEARNED = LESSONS[0]                             # the one that is trained
N_STEPS, WARMUP = 8, math.ceil(0.05 * 8)
WAY = Way(
    "as the authors", AdamW, 5e-4,
    {"betas": (0.9, 0.98), "eps": 1e-6, "weight_decay": 0.0}, max_norm=5.0,
)
SHARE = 0.25                                     # of a step: a power of 2, so exact
LOSSES = ("loss", "kl", "mlm", "cos")


# --- our side -------------------------------------------------------------------------


def build(lesson: Lesson, dtype: Any) -> tuple[Distillation, Any]:
    """Return our objective and student."""
    teacher, student = (ours.build(case, dtype) for case in lesson.cases)
    objective = Distillation(teacher, *lesson.weights, lesson.temperature)
    return objective, student


def losses(lesson: Lesson, dtype: Any) -> dict[str, float]:
    """Return the loss by ours, and those of its parts that are computed."""
    objective, student = build(lesson, dtype)
    given = lesson.cases[1].arguments()
    loss, _ = objective(student, given, 1.0, None)
    inputs = {name: given[name] for name in ("input_ids", "attention_mask")}
    models = (student, objective.teacher)
    said = [model(**inputs, output_hidden_states=True) for model in models]
    return {"loss": loss} | objective.parts(*said, given)


def gradients(lesson: Lesson, dtype: Any) -> dict[str, Array]:
    """Return the student's gradients by ours, for a whole step."""
    objective, student = build(lesson, dtype)
    _, grads = objective(student, lesson.cases[1].arguments(), SHARE, None)
    return {name: gradient / SHARE for name, gradient in flatten(grads).items()}


def train(lesson: Lesson, dtype: Any) -> Iterator[tuple[float, State]]:
    """Yield the loss of each step of ours, and what there is after it."""
    objective, student = build(lesson, dtype)
    optimizer = RECIPE.make_optimizer(student.params)
    for step in range(N_STEPS):
        batches = [batch(lesson.cases[1], step)]
        loss = train_step(
            student, batches, optimizer, RECIPE.lr_at(step, N_STEPS),
            RECIPE.max_grad_norm, None, objective,
        )
        yield loss, state_of(optimizer)


# --- what is stored -------------------------------------------------------------------

KEPT = 48                                        # numbers of each larger tensor


def sample(array: Array) -> Array:
    """Return the numbers of a tensor that the reference keeps."""
    flat = array.reshape(-1)
    return flat[:: stride(flat.size, KEPT)]


@cache
def manifest() -> dict[str, Any]:
    """Return what is known of the stored lessons."""
    return json.loads((FOLDER / "distillation.json").read_text(encoding="utf-8"))


@cache
def load() -> dict[str, Array]:
    """Return `lesson/losses`, `lesson/gradients`; `steps` and `state` of the trained.
    """
    return load_file(FOLDER / "distillation.safetensors")


def stored(lesson: Lesson, kind: str) -> tuple[State, State]:
    """Return the sampled "gradients", or the "state", and the largest of each tensor.
    """
    row, found, largest = load()[f"{lesson.name}/{kind}"], {}, {}
    for tensor, (kept, most) in manifest()["lessons"][lesson.name][kind].items():
        found[tensor], row = row[:kept], row[kept:]
        largest[tensor] = most
    assert row.size == 0
    return found, largest


def check_losses(lesson: Lesson, dtype: str) -> None:
    """Compare the loss and its parts with the stored ones."""
    found = losses(lesson, dtype)
    names = [name for name, weight in zip(LOSSES[1:], lesson.weights, strict=True)
             if weight]
    assert list(found) == ["loss", *names]
    exact = dict(zip(LOSSES, load()[f"{lesson.name}/losses"], strict=True))
    rtol = {"float64": 1e-12, "float32": 1e-5}[dtype]
    for name, loss in found.items():
        np.testing.assert_allclose(loss, exact[name], rtol, err_msg=name)


def check_gradients(lesson: Lesson, dtype: str) -> None:
    """Compare every gradient of the student with the stored ones."""
    found = gradients(lesson, dtype)
    exact, largest = stored(lesson, "gradients")
    assert set(found) == set(exact)
    for name, result in found.items():
        truth, most, bound = exact[name], largest[name], GRADIENT_BOUND[dtype]
        assert result.dtype == dtype, name
        check_close(lesson.cases[1], name, result, sample(result), truth, most)
        if most:                                 # the sample may have missed it
            assert abs(np.abs(result).max() - most) <= bound * most, name


def check_steps() -> None:
    """Compare 8 steps of training with the stored ones: losses, and all there is then.
    """
    losses, states = zip(*train(LEARNED, np.float64), strict=True)
    steps = load()[f"{LEARNED.name}/steps"]
    np.testing.assert_allclose(losses, steps, rtol=1e-11)
    exact, largest = stored(LEARNED, "state")
    assert set(states[-1]) == set(exact)
    found = {tensor: sample(array) for tensor, array in states[-1].items()}
    check_state(LEARNED.cases[1], WAY, found, exact, 1e-11, largest)


def check_stored() -> None:
    """Compare all that is stored."""
    for lesson in LESSONS:
        check_losses(lesson, "float64")
        check_gradients(lesson, "float64")
    check_steps()
