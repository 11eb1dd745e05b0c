"""The clinic of lesson 10: its patients have what they are said to have."""

from functools import cache

import numpy as np
import pytest

from distilbert_np.errors import InputError
from distilbert_np.parity import report
from distilbert_np.parity.zoo import ZOO
from distilbert_np.teaching.clinic import (
    HEALTHY,
    PATIENTS,
    Clinic,
    first_divergent,
    relative_error,
)
from distilbert_np.teaching.exercises import EXERCISES
from distilbert_np.teaching.judging import judge

NEITHER = 'nor is it "no bug".'                   # of what is no name at all


@cache
def clinic():
    return Clinic("tiny")


@pytest.mark.parametrize("letter", PATIENTS)
def test_compare_makes_the_diagnosis(letter):
    compared = clinic().compare(clinic().patient(letter, gradients=True))
    if PATIENTS[letter] == HEALTHY:
        assert compared.matches
    else:
        assert next(iter(report.causes(compared))) == PATIENTS[letter]
        first = ZOO[PATIENTS[letter]].first.replace("*", "0")
        assert compared.wrong[0].name == first


@pytest.mark.parametrize("letter", "ABDEF")
def test_a_fault_of_the_forward_pass_is_found_by_hand(letter):
    found = first_divergent(clinic().reference, clinic().patient(letter), 1e-5)
    assert found == ZOO[PATIENTS[letter]].first.replace("*", "0")


@pytest.mark.parametrize("letter", "CG")
def test_others_are_healthy_on_the_way_there(letter):
    assert first_divergent(clinic().reference, clinic().patient(letter), 1e-5) is None
    assert clinic().compare(clinic().patient(letter)).matches


def test_from_right_inputs_the_reference_is_expected():
    for name, array in clinic().reference.items():
        expected = clinic().expected(name, clinic().reference)
        assert relative_error(expected, array) < 1e-12 or np.abs(array).max() < 1e-15


def test_a_patient_leaves_no_fault_behind():
    before = clinic().port()
    clinic().patient("D")
    after = clinic().port()
    assert all(np.array_equal(after[name], array) for name, array in before.items())


def test_what_is_not_there_is_told():
    with pytest.raises(InputError, match=r"patient: expected A, B, .* found 'Z'"):
        clinic().patient("Z")
    with pytest.raises(InputError, match="array: no step gives 'logits'"):
        clinic().expected("logits", clinic().reference)


@pytest.mark.parametrize("letter", PATIENTS)
def test_a_wrong_diagnosis_is_not_told_the_right_one(letter):
    exercise = EXERCISES[f"diagnosis_{letter.lower()}"]
    for name in {*[*ZOO][::6], "flu", None, 7} - {PATIENTS[letter]}:
        told = " ".join(judge(exercise, lambda name=name: name).why.split())
        assert PATIENTS[letter] not in told.replace(NEITHER, "")
