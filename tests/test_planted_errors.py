"""The checks of the gradients find every planted error, and nothing where none is."""

import inspect

import distillation
import gradients
import pytest
import trajectories
from planted_errors import (
    BACKWARD,
    DISTILLATION_ERRORS,
    ERRORS,
    TRAINING_ERRORS,
    Error,
)

from distilbert_np import InputError, functions, models
from distilbert_np.parity.planting import planted


def finds_an_error():
    """Return whether some check of the suite fails."""
    for check in gradients.every_check():
        try:
            check()
        except (AssertionError, ArithmeticError, IndexError):
            return True          # a NameError, say, would be a fault of the planting
    return False


@pytest.mark.parametrize("error", ERRORS, ids=[error.name for error in ERRORS])
def test_it_is_found(error):
    with planted(error):
        assert finds_an_error()


@pytest.mark.parametrize(
    "error", TRAINING_ERRORS, ids=[error.name for error in TRAINING_ERRORS]
)
def test_it_leads_another_way(error):
    with planted(error), pytest.raises(AssertionError):
        for run in trajectories.STORED:
            trajectories.check_stored(run)


@pytest.mark.parametrize(
    "error", DISTILLATION_ERRORS, ids=[error.name for error in DISTILLATION_ERRORS]
)
def test_it_teaches_something_else(error):
    with planted(error), pytest.raises(AssertionError):
        distillation.check_stored()


def test_without_one_nothing_is_found():
    # Nor is anything left of those that were planted before.
    with planted(ERRORS[0]):
        pass
    assert not finds_an_error()


def test_every_backward_has_had_errors_planted():
    has_them = {(error.module, error.function) for error in ERRORS}
    for module in BACKWARD:
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if name.endswith("_backward") and function.__module__ == module.__name__:
                assert (module, name) in has_them, name
    for name in ("backward", "encode_backward"):
        assert (models, f"DistilBertPreTrainedModel.{name}") in has_them


def test_a_text_that_is_no_longer_there_is_reported():
    gone = Error(functions, "linear_backward", "dy @ no_such", "", "nothing")
    with pytest.raises(InputError, match="is not there"), planted(gone):
        pass


def test_an_error_is_put_in_and_taken_out():
    error = Error(functions, "tanh_backward", "dy * (1 - y * y)", "x", "x comes back")
    with planted(error):
        assert functions.ACTIVATIONS_BACKWARD["tanh"](2.0, 7.0) == 7
    assert functions.ACTIVATIONS_BACKWARD["tanh"](2.0, 0.0) == 2
