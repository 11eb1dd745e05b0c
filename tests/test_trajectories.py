"""Runs of training, offline: against PyTorch's, stored, and against each other."""

import hashlib

import numpy as np
import ours
import pytest
from cases import Case
from reference import FOLDER, digest
from trajectories import (
    HEADS,
    N_LOSSES,
    STORED,
    check_stored,
    load,
    manifest,
    parts_and_whole,
    train,
)

from distilbert_np.errors import TrainingError
from distilbert_np.training import SGD, train_step

REGRESSIONS = [
    Case("trained, regression", "sequence", {"num_labels": 1}, "number"),
    Case("trained, multi-label", "sequence", {"num_labels": 3}, "truths"),
]


def named(cases):
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def losses_of(run, dtype):
    return [loss for loss, _ in train(*STORED[run], dtype, N_LOSSES, N_LOSSES)]


def test_the_reference_file_is_whole():
    stored = (FOLDER / "trajectories.safetensors").read_bytes()
    assert hashlib.sha256(stored).hexdigest() == manifest()["sha256"]
    assert list(manifest()["runs"]) == list(STORED)
    for run, (case, _) in STORED.items():
        assert manifest()["runs"][run]["weights_sha256"] == digest(case.tensors())


@pytest.mark.parametrize("run", STORED)
def test_8_steps(run):
    check_stored(run)


@pytest.mark.parametrize("run", STORED)
def test_losses_of_50_steps(run):
    losses = load()[f"{run}/losses"]
    assert len(losses) == N_LOSSES
    np.testing.assert_allclose(losses_of(run, np.float64), losses, rtol=1e-11)


@pytest.mark.parametrize("run", STORED)
def test_losses_of_50_steps_in_float32(run):
    losses = load()[f"{run}/losses"]
    error = np.abs(losses_of(run, np.float32) / losses - 1).max()
    assert error <= 1e-6 + 4 * manifest()["runs"][run]["torch_float32"]


@pytest.mark.parametrize("run", STORED)
def test_the_stored_runs_learn(run):
    losses = load()[f"{run}/losses"]
    assert losses[-8:].mean() < losses[:8].mean() - 0.5


# --- several batches to a step --------------------------------------------------------


def after_a_step(case, batches, max_norm=1e6, dtype=np.float64):
    """Return the loss of one step of SGD, and the parameters after it."""
    model = ours.build(case, dtype)
    optimizer = SGD(model.params, momentum=0.0)
    loss = train_step(model, batches, optimizer, 0.1, max_norm, None)
    return loss, optimizer.params


def check_same_step(case, small, large, max_norm=1e6):
    loss, params = after_a_step(case, small, max_norm)
    whole_loss, whole_params = after_a_step(case, [large], max_norm)
    assert loss == pytest.approx(whole_loss, rel=1e-12)
    for name, p in params.items():
        np.testing.assert_allclose(p, whole_params[name], rtol=0, atol=1e-13)


@named(HEADS + REGRESSIONS)
def test_small_batches_make_the_step_of_a_large_one(case):
    check_same_step(case, *parts_and_whole(case, [1, 2, 5, 3]))


@named(HEADS)
def test_clipping_sees_the_sum_of_the_batches(case):
    check_same_step(case, *parts_and_whole(case, [1, 2, 5, 3]), max_norm=0.1)


def test_answers_beyond_the_text_weigh_nothing():
    case = HEADS[3]
    small, large = parts_and_whole(case, [2, 3])     # the same arrays, cut
    large["start_positions"][0] = large["end_positions"][0] = case.length
    check_same_step(case, small, large)


def test_minus_100_is_a_number_where_labels_are_numbers():
    case = REGRESSIONS[0]
    small, large = parts_and_whole(case, [2, 3])
    large["labels"][:2] = -100.0
    check_same_step(case, small, large)


@named(HEADS[:3])
def test_a_batch_without_labels_changes_nothing(case):
    small, large = parts_and_whole(case, [2, 3])
    silent = small[0] | {"labels": np.full_like(small[0]["labels"], -100)}
    check_same_step(case, [silent, large, silent], large)
    with pytest.raises(TrainingError, match="no label counts"):
        after_a_step(case, [silent, silent])


def test_a_step_is_the_same_bits_each_time():
    case = HEADS[0]
    small, _ = parts_and_whole(case, [1, 2, 5])
    loss, params = after_a_step(case, small, dtype=np.float32)
    again, params_again = after_a_step(case, small, dtype=np.float32)
    assert loss == again
    for name, p in params.items():
        assert p.dtype == np.float32
        assert np.array_equal(p, params_again[name]), name
