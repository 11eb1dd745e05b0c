"""Every gradient, offline: against PyTorch's, stored, and against differences."""

import hashlib

import gradients
import numpy as np
import ours
import pytest
from cases import GRADIENT_CASES, MINI_CASES, MINI_HEADS
from reference import FOLDER, digest, manifest, stored_gradients, vanishes

from distilbert_np.trees import flatten

ALL = list(GRADIENT_CASES.values())


def named(cases):
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def test_the_reference_file_is_whole():
    stored = (FOLDER / "gradients.safetensors").read_bytes()
    assert hashlib.sha256(stored).hexdigest() == manifest("gradients")["sha256"]
    assert list(manifest("gradients")["cases"]) == list(GRADIENT_CASES)


@named(ALL)
def test_weights_are_those_of_the_reference(case):
    recorded = manifest("gradients")["cases"][case.name]["weights_sha256"]
    assert digest(case.tensors()) == recorded


@named(ALL)
def test_every_parameter_is_compared(case):
    names = set(flatten(ours.build(case, np.float32).params))
    if "inputs_embeds" in case.arguments():
        names.add("inputs_embeds")
    assert set(stored_gradients(case)) == names


@named(ALL)
def test_few_stored_gradients_are_zero(case):
    # What is compared with zero only must be what the case says, and nothing else.
    zero = {
        name for name, (_, about) in stored_gradients(case).items()
        if about["largest"] == 0 and not vanishes(case, name)
    }
    kinds = {name.removeprefix("distilbert.") for name in zero}
    if "nothing asked" in case.name:
        assert zero == {n for n in stored_gradients(case) if not vanishes(case, n)}
    elif case.length == 1:                       # one key has weight 1, whatever q is
        assert kinds and all("q_lin" in name or "k_lin" in name for name in kinds)
    elif "inputs_embeds" in case.name and case.name != "masked_lm, inputs_embeds":
        assert kinds == {"embeddings.word_embeddings.weight"}
    else:
        assert not zero


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@named(ALL)
def test_against_the_reference(case, dtype):
    gradients.check_stored(case, dtype)


@pytest.mark.parametrize("everything", [False, True])
@named(MINI_CASES)
def test_all_parameters_at_once_against_differences(case, everything):
    gradients.check_differences_at_once(case, everything)


@named(MINI_CASES)
def test_against_differences(case):
    gradients.check_differences(case, singly=True)


@named(MINI_CASES)
def test_with_dropout_against_differences(case):
    gradients.check_differences(case, gradients.DROPOUT_SEED)


@pytest.mark.parametrize("seed", [None, gradients.DROPOUT_SEED])
@named(MINI_HEADS)
def test_from_every_output_against_differences(case, seed):
    gradients.check_differences(case, seed, every_output=True)


@pytest.mark.parametrize("check", gradients.FUNCTION_CHECKS)
def test_functions(check):
    check()
