"""The zoo: every fault goes in and comes out, and is first seen where it says."""

import re
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import ours
import pytest
from cases import GRADIENT_CASES
from reference import vanishes

from distilbert_np import InputError, functions, heads
from distilbert_np.__main__ import main
from distilbert_np.parity import zoo
from distilbert_np.parity.planting import Edit, changed_sources, planted
from distilbert_np.parity.zoo import FAULTS, HIDDEN, ZOO
from distilbert_np.pipelines.feature_extraction import mean_in_sight
from distilbert_np.trace import HEADS
from distilbert_np.trees import flatten
from tests.tools import zoo as tools_zoo

VISIBLE = [fault for fault in FAULTS if not fault.invisible]
INVISIBLE = [fault for fault in FAULTS if fault.invisible]
SHOWN = [(fault, head) for fault in FAULTS for head in fault.heads]
NEEDY = [(fault, head) for fault, head in SHOWN if fault.needs]

# All are ragged, with hidden first tokens and a text that sees nothing, and have labels
# that are not asked for.
CASE_OF = {head: GRADIENT_CASES[head] for head in HEADS} | {
    "sequence": GRADIENT_CASES["sequence, some ignored"],
    "multiple_choice": replace(GRADIENT_CASES["multiple_choice"], batch=9),
}
HEAD_FUNCTIONS = {head: f"{head}_head_backward" for head in HEADS} | {
    "multiple_choice": "choice_head_backward"
}
ROUNDING = 1e-12                                 # of the largest value, in float64


def by_name(fault):
    return fault.name


def by_names(value):
    return value if isinstance(value, str) else value.name


def arguments_of(head):
    given = CASE_OF[head].arguments()
    if head == "multiple_choice":
        given["labels"][0] = -100
    return given


def everything(head, **changes):
    """Return what a model computes for a case in float64, gradients too, in order."""
    model = ours.build(CASE_OF[head], "float64")
    with np.errstate(invalid="ignore"):          # −∞ − (−∞), where it is planted
        out = model(**arguments_of(head) | changes, trace=True)
        computed = {k: v for k, v in out.trace.items() if not k.startswith("inputs.")}
        if head == "base":
            mask = out.trace["inputs.attention_mask"]
            computed["sentence.mean"] = mean_in_sight(out.last_hidden_state, mask)
        function = getattr(heads, HEAD_FUNCTIONS[head], None)
        with patch.object(
            heads, HEAD_FUNCTIONS[head], wraps=function, create=head == "base"
        ) as spy:
            gradients = flatten(model.backward(out, CASE_OF[head].cotangents()))
        if head != "base":
            computed["gradients.head.logits"] = spy.call_args.args[0]
    return computed | {
        "gradients." + name.removeprefix("distilbert."): array
        for name, array in gradients.items()
    }


def differing(head, right, wrong):
    """Return the names of arrays that differ by more than rounding, in order."""
    assert list(right) == list(wrong)
    return [
        name for name, array in right.items()
        if not np.abs(wrong[name] - array).max() <= ROUNDING * size(head, name, array)
    ]


def size(head, name, array):
    """Return what an array's rounding is a share of: 1, if the array is nothing else.
    """
    gradient = name.removeprefix("gradients.")
    if gradient != name and vanishes(CASE_OF[head], gradient):
        return 1
    return np.abs(array).max()


def is_output(name):
    return name.startswith(("head.logits", "loss", "sentence", "gradients")) or (
        name.endswith(("output_layer_norm", "attention.weights"))
    )


@pytest.fixture(scope="module")
def right():
    return {head: everything(head) for head in HEADS}


# --- the faults -----------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "head"), SHOWN, ids=by_names)
def test_the_first_array_that_is_wrong_is_the_one_that_is_named(fault, head, right):
    with zoo.planted(fault.name):
        wrong = everything(head)
    assert differing(head, right[head], wrong)[0] == fault.first.replace("*", "0")


@pytest.mark.parametrize("fault", VISIBLE, ids=by_name)
def test_it_changes_an_output(fault, right):
    for head in fault.heads:
        with zoo.planted(fault.name):
            wrong = everything(head)
        assert any(map(is_output, differing(head, right[head], wrong))), head


@pytest.mark.parametrize("fault", INVISIBLE, ids=by_name)
def test_an_invisible_one_changes_no_output(fault, right):
    for head in fault.heads:
        with zoo.planted(fault.name):
            wrong = everything(head)
        assert not any(map(is_output, differing(head, right[head], wrong))), head


@pytest.mark.parametrize(("fault", "head"), NEEDY, ids=by_names)
def test_without_what_it_needs_it_does_not_show(fault, head):
    given = arguments_of(head)
    mask = given["attention_mask"].copy()
    if fault.needs == HIDDEN:
        mask[:] = 1
    mask[..., -1] = 1                            # no text is blind
    changes = {"attention_mask": mask}
    if fault.needs == zoo.PADDED:
        changes["input_ids"] = np.maximum(given["input_ids"], 1)
    for name in given.keys() & {"labels", "start_positions", "end_positions"}:
        changes[name] = np.clip(given[name], 0, 1)           # all are asked for
        if fault.needs == zoo.SEVERAL:
            changes[name].flat[1:] = -100 if name == "labels" else 100
    expected = everything(head, **changes)
    with zoo.planted(fault.name):
        found = everything(head, **changes)
    assert not differing(head, expected, found)


@pytest.mark.parametrize(("fault", "head"), SHOWN, ids=by_names)
def test_nothing_of_it_is_left(fault, head, right):
    with zoo.planted(fault.name):
        pass
    for name, array in everything(head).items():
        np.testing.assert_array_equal(array, right[head][name], name)


def test_it_does_not_outlive_an_error(right):
    with pytest.raises(KeyError), zoo.planted("gelu-tanh"):
        raise KeyError
    assert not differing("base", right["base"], everything("base"))


def test_each_has_a_name_of_its_own():
    assert list(ZOO) == [fault.name for fault in FAULTS]
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in ZOO)
    assert len(ZOO) >= 28
    assert [fault.name for fault in INVISIBLE] == ["key-bias-dropped"]


@pytest.mark.parametrize("fault", FAULTS, ids=by_name)
def test_the_changed_lines_can_be_read(fault):
    for right_source, wrong_source in changed_sources(fault.edits).values():
        assert right_source != wrong_source
        assert max(map(len, wrong_source.splitlines())) <= 88


# --- planting -------------------------------------------------------------------------


def test_several_edits_of_one_function_go_together():
    first = Edit(functions, "relu", "np.maximum(x, 0)", "np.minimum(x, 0)")
    second = Edit(functions, "relu", "0)", "1)")
    with planted(first, second):
        assert functions.relu(3.0) == 1
    assert functions.relu(3.0) == 3
    with (
        pytest.raises(InputError, match=r"^functions\.py, relu: 'np.* is not there"),
        planted(second, first),
    ):
        pass
    assert functions.relu(3.0) == 3


@pytest.mark.parametrize(("edit", "message"), [
    (Edit(functions, "relu", "x", "y"),
     "functions.py, relu: 'x' is not there, or more than once"),
    (Edit(functions, "rely", "x", "y"),
     "functions.py, rely: there is no such function"),
    (Edit(functions, "np.exp", "x", "y"),
     "functions.py, np.exp: there is no such function"),
])
def test_what_cannot_be_planted(edit, message):
    with pytest.raises(InputError) as raised, planted(edit):
        pass
    assert str(raised.value) == message


def test_no_function_has_two_faults_at_once():
    with (
        zoo.planted("gelu-tanh"),
        pytest.raises(InputError, match="gelu: its source is not here, or has a fault"),
        zoo.planted("gelu-quick"),
    ):
        pass


def test_faults_of_two_functions_can_be_had_at_once(right):
    with zoo.planted("gelu-tanh"), zoo.planted("mask-ignored"):
        wrong = everything("base")
    found = differing("base", right["base"], wrong)
    assert found[0] == "transformer.layer.0.attention.weights"
    assert not differing("base", right["base"], everything("base"))


def test_a_fault_that_is_not_in_the_zoo():
    with pytest.raises(InputError, match=r"^fault: 'gelu' is not in the zoo"):
        zoo.planted("gelu")


# --- for people -----------------------------------------------------------------------


def test_the_table_has_a_line_for_each(capsys):
    assert main(["zoo"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["fault", "first", "wrong", "what", "is", "wrong"]
    for fault, line in zip(FAULTS, lines, strict=True):
        name, first, what = re.split("  +", line)
        assert (name, first, what) == (fault.name, fault.first, fault.what)


def test_a_story_ends_with_the_lines_that_change(capsys):
    assert main(["zoo", "mask-ignored"]) == 0
    assert capsys.readouterr().out == """\
mask-ignored: the attention mask is not used

Every test on one text without padding passes. In a batch, answers depend on the longest
text beside them.

first wrong  transformer.layer.*.attention.weights
shown by     every model
needs        hidden tokens
had by       649453932/Chinese-Text-Classification-Pytorch, Transformer.py (the mask is
             commented out)

distilbert_np.attention, attention
-    weights = softmax(scores, mask_bias(mask, x.dtype))
+    weights = softmax(scores)
"""


def test_a_story_of_several_heads_and_functions(capsys):
    assert main(["zoo", "ignored-labels-counted", "pooler-tanh"]) == 0
    text = capsys.readouterr().out
    assert "shown by     sequence, multiple_choice\n" in text
    for function in ("cross_entropy", "cross_entropy_backward"):
        assert f"""
distilbert_np.losses, {function}
-    counted = labels != ignored
+    labels = np.clip(labels, 0, logits.shape[-1] - 1)
+    counted = np.ones(labels.shape, bool)
""" in text


def test_an_unknown_name_is_told_in_a_line(capsys):
    assert main(["zoo", "gelu-tnah"]) == main(["zoo", "elephant"]) == 2
    assert capsys.readouterr() == (
        "",
        "zoo: fault: 'gelu-tnah' is not in the zoo; did you mean gelu-tanh?\n"
        "zoo: fault: 'elephant' is not in the zoo; python -m distilbert_np zoo lists "
        "it\n",
    )


# --- the project's tests in the zoo ---------------------------------------------------


def test_a_fault_makes_the_project_s_tests_fail():
    finding = tools_zoo.find(ZOO["mask-ignored"])
    assert finding.test == "tests/test_parity_reference.py::test_float64[base]"
    assert not finding.is_missed


def test_a_run_that_does_not_come_to_its_tests_finds_nothing():
    with pytest.raises(RuntimeError, match=r"unrecognized arguments: --no-such-option"):
        tools_zoo.first_failure([], "--no-such-option")


@pytest.mark.parametrize(("fault", "test", "is_missed", "line"), [
    ("gelu-tanh", "tests/test_x.py::test_y", False,
     "gelu-tanh                          1.0 s  tests/test_x.py::test_y"),
    ("gelu-tanh", "", True, "gelu-tanh                          1.0 s  green"),
    ("key-bias-dropped", "", False,
     "key-bias-dropped                   1.0 s  green"),
    ("key-bias-dropped", "tests/test_x.py::test_y", False,
     "key-bias-dropped                   1.0 s  tests/test_x.py::test_y\n"
     "  invisible: no output shows it, but that test looks into the trace"),
])
def test_what_is_said_of_a_fault(fault, test, is_missed, line):
    finding = tools_zoo.Finding(ZOO[fault], test, 1.0)
    assert (finding.is_missed, str(finding)) == (is_missed, line)


def test_all_the_project_s_tests_take_part():
    names = {f"tests/{path.name}" for path in Path(__file__).parent.glob("test_*.py")}
    taking_part = tools_zoo.FIRST + tools_zoo.REST
    assert len(taking_part) == len(set(taking_part)) and set(taking_part) <= names
    left_out = {name for name in names.difference(taking_part) if "_live_" not in name}
    assert left_out >= {"tests/test_zoo.py", "tests/test_planted_errors.py"}
    for name in left_out:
        text = (Path(__file__).parents[1] / name).read_text(encoding="utf-8")
        assert "distilbert_np.parity" in text, name
