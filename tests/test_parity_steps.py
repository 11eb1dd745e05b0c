"""The table of steps: run one after another, they are the model."""

import numpy as np
import ours
import pytest
from cases import GRADIENT_CASES
from distillation import LESSONS
from porting import SMALL_CASES, truth

from distilbert_np.parity.steps import GRADIENTS, OPERATIONS, run, steps_of
from distilbert_np.parity.tracing import traced
from distilbert_np.training import Distillation
from distilbert_np.trees import flatten


def stepped(model, values):
    """Return every array of a call, and what is known of it, from the inputs alone."""
    values = {n: array for n, array in values.items() if n.startswith("inputs.")}
    for step in steps_of(model, list(values), gradients=True):
        values |= run(step, model, values)
    return values


def called(name):
    """Return the model of a case, what it returned, and its gradients by name."""
    case = GRADIENT_CASES[name]
    model = ours.build(case, "float64")
    out = model(**case.arguments(), output_hidden_states=True, trace=True)
    return model, out, model.backward(out, case.cotangents())


def same(x, y):
    return np.array_equal(x, y, equal_nan=True)


@pytest.mark.parametrize("name", SMALL_CASES)
def test_the_steps_are_the_model_bit_for_bit(name):
    model, out, grads = called(name)
    values = stepped(model, truth(name).inputs)
    for array, expected in out.trace.items():
        assert same(values[array], expected), array
    for parameter, expected in flatten(grads).items():
        if parameter != "inputs_embeds":         # an input's, which is no parameter
            found = values[GRADIENTS + parameter.removeprefix("distilbert.")]
            assert same(found, expected), parameter


@pytest.mark.parametrize("name", SMALL_CASES)
def test_the_trace_is_the_steps_and_nothing_else(name):
    about = truth(name)
    assert list(about.trace) == list(stepped(about.double, about.inputs))


@pytest.mark.parametrize("name", SMALL_CASES)
def test_the_gradient_of_a_hidden_state_is_all_that_comes_down_to_it(name):
    # Taken off again at that state, nothing is left for what lies below.
    model, out, _ = called(name)
    values, n_states = stepped(model, truth(name).inputs), len(out.hidden_states)
    for i in range(n_states):
        state = "embeddings.LayerNorm" if i == 0 else (
            f"transformer.layer.{i - 1}.output_layer_norm"
        )
        off = [None] * n_states
        off[i] = -values[GRADIENTS + state]
        cotangents = GRADIENT_CASES[name].cotangents() or {"loss": 1.0}
        grads = model.backward(out, cotangents | {"hidden_states": off})
        for parameter, gradient in below(grads, i).items():
            assert not gradient.any(), (state, parameter)
        assert off[i].any() or is_flat(name), state


def is_flat(name):
    """Whether no number of a case's last state moves the loss, or one of another's it.
    """
    return name.endswith("nothing asked") or name == "base, hidden 1"


def below(grads, n_layers):
    """Return the gradients of the first layers' and the embeddings' parameters.

    A tied decoder's share of the word embeddings' does not come down to them.
    """
    encoder = grads.get("distilbert", grads)
    layers = list(encoder["transformer"]["layer"].items())[:n_layers]
    found = encoder["embeddings"] | dict(layers)
    del found["word_embeddings"]
    return flatten(found)


@pytest.mark.parametrize("name", SMALL_CASES)
def test_steps_read_only_what_comes_before(name):
    about = truth(name)
    known = set(about.inputs)
    for step in about.steps:
        assert set(step.reads) <= known, step
        assert not set(step.gives) & known, step
        known |= set(step.gives)


@pytest.mark.parametrize("name", ["base, head_mask", "token, head_mask"])
def test_a_head_mask_has_a_step_of_its_own(name):
    steps = {step.name: step for step in truth(name).steps}
    masked = "transformer.layer.1.attention.head_masked_weights"
    assert steps[masked].operation == "head mask"
    assert steps["transformer.layer.1.attention.context"].reads[0] == masked
    assert not any(n.endswith("head_masked_weights") for n in truth("base").trace)


def test_vectors_in_the_place_of_ids_are_the_words():
    about = truth("masked_lm, inputs_embeds")
    assert about.steps[0].reads == ("inputs.inputs_embeds",)
    np.testing.assert_array_equal(
        about.trace["embeddings.words"], about.trace["inputs.inputs_embeds"]
    )


def test_without_layers_the_head_reads_the_embeddings():
    steps = {step.name: step for step in truth("masked_lm, no layers").steps}
    assert steps["head.vocab_transform"].reads == ("embeddings.LayerNorm",)
    assert not any("layer." in name for name in steps)


def taught(lesson):
    """Return teacher, student, the arguments and the trace of a lesson."""
    teacher, student = (ours.build(case, "float64") for case in lesson.cases)
    given = lesson.cases[1].arguments()
    return teacher, student, given, traced(student, given, True, teacher)


def test_distillation_is_the_training_s_own():
    teacher, student, given, trace = taught(LESSONS[0])
    values, objective = stepped(student, trace), Distillation(teacher)
    inputs = {name: given[name] for name in ("input_ids", "attention_mask")}
    said = [model(**inputs, output_hidden_states=True) for model in (student, teacher)]
    for name, part in objective.parts(*said, given).items():
        assert values[f"distillation.{name}"] == part, name
    loss, grads = objective(student, given, 1.0, None)
    np.testing.assert_allclose(values["loss"], loss, rtol=1e-15)
    for name, gradient in flatten(grads).items():
        found = values[GRADIENTS + name.removeprefix("distilbert.")]
        np.testing.assert_allclose(found, gradient, rtol=1e-12, atol=1e-15)
        np.testing.assert_array_equal(
            found, trace[GRADIENTS + name.removeprefix("distilbert.")]
        )


def test_every_operation_is_a_step_of_some_model():
    used = {step.operation for name in SMALL_CASES for step in truth(name).steps}
    _, student, _, trace = taught(LESSONS[0])
    given = [name for name in trace if name.startswith("inputs.")]
    used |= {step.operation for step in steps_of(student, given, gradients=True)}
    assert used == set(OPERATIONS)


def test_every_step_is_explained():
    for name in SMALL_CASES:
        assert all(step.formula for step in truth(name).steps), name
