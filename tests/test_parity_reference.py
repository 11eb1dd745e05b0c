"""Parity with PyTorch, offline: every case against the committed reference."""

import hashlib
from collections import defaultdict
from functools import cache

import numpy as np
import ours
import pytest
from cases import CASES
from reference import (
    FOLDER,
    GROUPS,
    RMS_RATIO,
    digest,
    group_of,
    load,
    manifest,
    rms,
    sample,
)

from distilbert_np.parity.bounds import FLOAT64_BOUND, float32_bound

ALL = list(CASES.values())
ids = [case.name for case in ALL]


def expected(case):
    """Yield the name, the sampled truth and the manifest's entry of each tensor."""
    group = group_of(case)
    tensors = manifest(group)["cases"][case.name]["tensors"]
    for name, entry in tensors.items():
        kept = entry.get("same_as", name)
        yield name, load(group)[f"{case.name}/{kept}"], tensors[kept] | entry


@cache
def computed(case_name, dtype):
    return ours.run(CASES[case_name], dtype)


@pytest.mark.parametrize("group", GROUPS)
def test_reference_files_are_whole(group):
    stored = (FOLDER / f"{group}.safetensors").read_bytes()
    assert hashlib.sha256(stored).hexdigest() == manifest(group)["sha256"]
    assert list(manifest(group)["cases"]) == [case.name for case in GROUPS[group]]


@pytest.mark.parametrize("case", ALL, ids=ids)
def test_weights_are_those_of_the_reference(case):
    recorded = manifest(group_of(case))["cases"][case.name]["weights_sha256"]
    assert digest(case.tensors()) == recorded


@pytest.mark.parametrize("case", ALL, ids=ids)
def test_every_tensor_is_compared(case):
    names = {name for name, _, _ in expected(case)}
    extra = set(computed(case.name, "float64")) - names
    # With no layers, transformers gives no hidden states; here the embeddings' are one.
    assert extra == ({"output.hidden_states.0"} if "no layers" in case.name else set())


@pytest.mark.parametrize("case", ALL, ids=ids)
def test_float64(case):
    for name, truth, entry in expected(case):
        result = computed(case.name, "float64")[name]
        assert result.dtype == np.float64 and list(result.shape) == entry["shape"], name
        error = np.abs(sample(result, case) - truth)
        if np.isnan(truth).any():
            np.testing.assert_array_equal(sample(result, case), truth, err_msg=name)
        else:
            assert error.max() <= FLOAT64_BOUND * np.abs(truth).max(), name


@pytest.mark.parametrize("case", ALL, ids=ids)
def test_float32(case):
    for name, truth, entry in expected(case):
        result = computed(case.name, "float32")[name]
        assert result.dtype == np.float32 and list(result.shape) == entry["shape"], name
        if np.isnan(truth).any():
            np.testing.assert_array_equal(sample(result, case), truth, err_msg=name)
        else:
            error = np.abs(sample(result, case) - truth).max()
            assert error <= float32_bound(truth), name


def kind(name):
    """Return what a tensor is, whatever layer or head it comes from: `q`, `logits` …"""
    *_, last = (part for part in name.split(".") if not part.isdigit())
    return last.rpartition("_")[2] if last.endswith(("_logits", "_weights")) else last


def test_float32_rms_against_torch():
    # The RMS error of a small tensor is luck, PyTorch's as well as ours (in a small
    # net all of a tensor's errors come from a few roundings). So each is taken in units
    # of PyTorch's, and pooled over the grid by what the tensor is; a large one must
    # hold by itself. A loss is one number: test_float32 bounds it.
    pools = defaultdict(lambda: [0.0, 0])
    for case in ALL:
        for name, truth, entry in expected(case):
            torch_rms = entry["torch_float32_rms"]
            if not torch_rms or truth.size == 1:
                continue
            error = sample(computed(case.name, "float32")[name], case) - truth
            ratio = rms(error) / torch_rms
            if truth.size > 800:
                assert ratio <= RMS_RATIO, (case.name, name)
            pools[kind(name)][0] += ratio**2 * truth.size
            pools[kind(name)][1] += truth.size
    ratios = {name: (total / size) ** 0.5 for name, (total, size) in pools.items()}
    assert len(ratios) > 20
    assert {name: r for name, r in ratios.items() if r > RMS_RATIO} == {}


def test_what_torch_copies_we_copy_exactly():
    # Where PyTorch's float32 has no error at all (look-ups, constant rows), nor do we.
    for case in ALL:
        for name, truth, entry in expected(case):
            if entry["torch_float32_rms"] == 0 and truth.size > 1:
                result = sample(computed(case.name, "float32")[name], case)
                np.testing.assert_array_equal(result, truth, err_msg=name)
