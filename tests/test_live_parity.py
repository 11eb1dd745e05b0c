"""Parity with PyTorch, live: every case in full, where torch is installed."""

from functools import cache

import numpy as np
import ours
import pytest
from cases import CASES
from reference import digest, group_of, load, manifest, sample

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch_side

from distilbert_np.parity.bounds import FLOAT64_BOUND, float32_bound

ALL = list(CASES.values())
ids = [case.name for case in ALL]


@cache
def truth(case_name):
    return torch_side.run(CASES[case_name], torch.float64)


@pytest.mark.parametrize("case", ALL, ids=ids)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_tensor(case, dtype):
    result = ours.run(case, dtype)
    for name, exact in truth(case.name).items():
        assert result[name].shape == exact.shape, name
        if np.isnan(exact).any():
            np.testing.assert_array_equal(result[name], exact, err_msg=name)
            continue
        bound = FLOAT64_BOUND * np.abs(exact).max()
        if dtype == "float32":
            bound = float32_bound(exact)
        assert np.abs(result[name] - exact).max() <= bound, name


@pytest.mark.parametrize("case", ALL, ids=ids)
def test_the_committed_reference_is_what_torch_says_today(case):
    group = group_of(case)
    entry = manifest(group)["cases"][case.name]
    assert entry["weights_sha256"] == digest(case.tensors())
    assert set(entry["tensors"]) == set(truth(case.name))
    for name, about in entry["tensors"].items():
        stored = load(group)[f"{case.name}/{about.get('same_as', name)}"]
        now = sample(truth(case.name)[name], case)
        np.testing.assert_allclose(
            now, stored, rtol=0, atol=1e-12 * max(1, np.abs(stored).max()), err_msg=name
        )
