"""Every gradient, live: every case in full against PyTorch, where it is installed."""

from functools import cache

import numpy as np
import ours
import pytest
from cases import GRADIENT_CASES, MINI_CASES, Case, mini
from gradients import all_cotangents, check_close
from reference import digest, manifest, sample_gradient, stored_gradients, vanishes

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch_side

ALL = list(GRADIENT_CASES.values())
SMALL_OF_EACH_HEAD = [
    Case("base, all outputs", "base", {"n_layers": 3}, options=("positions",)),
    Case("masked_lm, all outputs", "masked_lm", labels="words"),
    Case("sequence, all outputs", "sequence", {"num_labels": 3}, "classes"),
    Case("token, all outputs", "token", {"num_labels": 4}, "tags", ("no mask",)),
    Case("question_answering, all outputs", "question_answering", labels="answers"),
    Case(
        "multiple_choice, all outputs", "multiple_choice", labels="choices", batch=6
    ),
]
WITH_HEAD_MASK = [
    Case(
        f"{case.name}, head_mask", case.head, case.config, case.labels,
        (*case.options, "head mask"), batch=case.batch,
    )
    for case in SMALL_OF_EACH_HEAD
]


def named(cases):
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


@cache
def truth(case_name):
    return torch_side.gradients(GRADIENT_CASES[case_name], torch.float64)


@named(ALL)
def test_every_gradient(case):
    for dtype in ("float64", "float32"):
        found, exact = ours.gradients(case, dtype), truth(case.name)
        assert set(found) == set(exact)
        for name, result in found.items():
            assert result.dtype == dtype and result.shape == exact[name].shape, name
            largest = np.abs(exact[name]).max()
            check_close(case, name, result, result, exact[name], largest)


@named(ALL)
def test_the_committed_reference_is_what_torch_says_today(case):
    entry = manifest("gradients")["cases"][case.name]
    assert entry["weights_sha256"] == digest(case.tensors())
    assert set(entry["tensors"]) == set(truth(case.name))
    for name, (stored, about) in stored_gradients(case).items():
        now, largest = truth(case.name)[name], about["largest"]
        assert list(now.shape) == about["shape"]
        if vanishes(case, name):
            assert largest == 0 and np.abs(now).max() <= 1e-10, name
            continue
        assert abs(np.abs(now).max() - largest) <= 1e-11 * largest, name
        error = np.abs(sample_gradient(now, case) - stored).max()
        assert error <= 1e-11 * largest, name


def outputs_of(case, rng=None):
    model = ours.build(case, np.float64)
    return model(**case.arguments(), **ours.EVERYTHING, rng=rng)


def check_float64(found, exact):
    # Here what vanishes depends on where the gradients start; 1e-13 is rounding.
    assert set(found) == set(exact)
    for name, result in found.items():
        error = np.abs(result - exact[name]).max()
        assert error <= max(1e-10 * np.abs(exact[name]).max(), 1e-13), name


@named(SMALL_OF_EACH_HEAD + WITH_HEAD_MASK)
def test_from_every_output_at_once_and_from_each(case):
    every = all_cotangents(outputs_of(case), case.seed)
    assert {"hidden_states", "attentions"} < set(every)
    # One alone may have no way to a parameter: its gradient is then 0 on both sides.
    for cotangents in (every, *({name: given} for name, given in every.items())):
        found = ours.gradients(case, np.float64, cotangents)
        exact = torch_side.gradients(case, torch.float64, cotangents)
        check_float64(found, exact)


@named([*MINI_CASES, mini("masked_lm", "words", "head mask")])
def test_with_dropout(case, monkeypatch):
    # PyTorch draws other numbers, so it is handed our factors, in the order in which
    # its own modules ask for them, each with the rate that it asks for.
    trace = outputs_of(case, np.random.default_rng(0)).trace
    dropped = [a for name, a in trace.items() if name.endswith("dropout_factors")]

    def drop(x, p=0.5, training=True, inplace=False):
        assert training
        factors = dropped.pop(0)
        assert factors.max() == 1 / (1 - p)
        return x * torch.from_numpy(factors)

    monkeypatch.setattr(torch.nn.functional, "dropout", drop)
    exact = torch_side.gradients(case, torch.float64, training=True)
    assert not dropped
    found = ours.gradients(case, np.float64, rng=np.random.default_rng(0))
    check_float64(found, exact)
