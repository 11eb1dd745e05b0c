"""Distillation, offline: against PyTorch's, stored."""

import hashlib

import numpy as np
import pytest
from distillation import (
    LEARNED,
    LESSONS,
    build,
    check_gradients,
    check_losses,
    check_steps,
    load,
    manifest,
    stored,
)
from reference import FOLDER, digest, vanishes

from distilbert_np.trees import flatten

named = pytest.mark.parametrize("lesson", LESSONS, ids=[x.name for x in LESSONS])


def test_the_reference_file_is_whole():
    stored = (FOLDER / "distillation.safetensors").read_bytes()
    assert hashlib.sha256(stored).hexdigest() == manifest()["sha256"]
    assert list(manifest()["lessons"]) == [lesson.name for lesson in LESSONS]


@named
def test_both_models_are_those_of_the_reference(lesson):
    digests = [digest(case.tensors()) for case in lesson.cases]
    assert digests == manifest()["lessons"][lesson.name]["weights_sha256"]


@named
def test_every_parameter_is_compared_and_few_with_zero(lesson):
    _, student = build(lesson, np.float64)
    _, largest = stored(lesson, "gradients")
    assert set(largest) == set(flatten(student.params))
    zero = {name for name, most in largest.items() if most == 0}
    assert zero == {name for name in largest if vanishes(lesson.cases[1], name)}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@named
def test_the_loss_and_its_parts(lesson, dtype):
    check_losses(lesson, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@named
def test_every_gradient(lesson, dtype):
    check_gradients(lesson, dtype)


def test_8_steps():
    check_steps()


def test_the_stored_steps_learn():
    steps = load()[f"{LEARNED.name}/steps"]
    assert len(steps) == 8 and (steps > 0).all()
