"""The comparison: what a port's own step adds is told from what it inherits."""

import json

import numpy as np
import pytest
from porting import (
    SMALL_CASES,
    causes_of,
    held_against,
    ported,
    row_of,
    truth,
)

from distilbert_np import InputError
from distilbert_np.functions import gelu_new, layer_norm, softmax
from distilbert_np.parity import report
from distilbert_np.parity.alternatives import rounded_to, swapped
from distilbert_np.parity.compare import TOLERANCE
from distilbert_np.parity.rounding import FLOAT32, floor
from distilbert_np.parity.steps import OPERATIONS
from distilbert_np.parity.traces import BFLOAT16, Shown

BLOCK = "transformer.layer.1."
LIN1 = BLOCK + "ffn.lin1"


def plus(number, name):
    """Return the operation of this name, its result that much larger."""
    return lambda at, *read: OPERATIONS[name](at, *read) + np.float32(number)


# --- what is right --------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL_CASES)
def test_ours_are_never_wrong_and_far_below_the_tolerance(name):
    about = truth(name)
    for mine in (about.single_trace, about.trace):
        compared = held_against(about, mine)
        assert not compared.missing and not compared.unknown
        assert {row.state for row in compared.rows} == {"rounding"}
        assert max(row.times or 0 for row in compared.rows) <= TOLERANCE / 2


@pytest.mark.parametrize("name", ["base", "sequence, regression of 3", "masked_lm"])
def test_a_float64_port_is_right_beside_a_reference_in_float32(name):
    about = truth(name)
    inputs = {n: a for n, a in about.trace.items() if n.startswith("inputs.")}
    alone = {n: a for n, a in about.trace.items() if n not in inputs}
    for mine in (about.trace, alone):
        compared = held_against(about._replace(trace=about.single_trace), mine)
        assert not compared.wrong


def test_what_is_not_shown_is_as_exact_as_what_it_reads():
    about = truth("masked_lm", gradients=False)
    mine = dict(about.trace)
    weights = BLOCK + "attention.weights"
    mine[weights] = np.float32(mine[weights])
    for name in ("context", "out_lin"):
        del mine[f"{BLOCK}attention.{name}"]
    del mine[BLOCK + "attention_sum"]
    compared = held_against(about, mine)
    assert not compared.wrong
    row = row_of(compared, BLOCK + "sa_layer_norm")
    assert row.floor > 1e-9 > row_of(compared, LIN1).floor


@pytest.mark.parametrize(
    ("numbers", "largest"),
    [
        (np.array(1e-3), 3.0),                   # few may be right by chance
        (np.full(64, 1e-3), 1e-3),
        (np.full(64, 1e-17), 3.0),               # what is left of sums of 0
        (np.zeros(64), 3.0),
        (np.full(64, 5.0), 5.0),
    ],
)
def test_rounding_is_at_least_half_the_last_digit(numbers, largest):
    read = np.array([3.0, 1e-3, -3.0])
    allowed = floor(numbers, numbers, FLOAT32, read)
    assert allowed.most == pytest.approx(largest * FLOAT32 / 2)


def test_whole_numbers_that_are_read_are_not_rounded():
    row = np.array([0.5])
    allowed = floor(row, row, FLOAT32, np.array([30_000]))
    assert allowed.most == pytest.approx(FLOAT32 / 4)


def bfloat16(array):
    """Return an array with 8 significant bits to each number."""
    return rounded_to(8)(np.float32(array))


@pytest.mark.parametrize("name", ["masked_lm", "sequence", "base"])
def test_what_is_in_16_bits_is_held_to_16_bits(name):
    about = truth(name, gradients=False)
    half = ported(about, stored=np.float16)
    assert {row.state for row in held_against(about, half).rows} == {"rounding"}
    brain = ported(about, stored=bfloat16)
    shown = {name: Shown(array, BFLOAT16) for name, array in brain.items()}
    assert {row.state for row in held_against(about, shown).rows} == {"rounding"}
    assert held_against(about, brain).wrong      # as float32 it is a bug


# --- inherited and added --------------------------------------------------------------


def test_an_error_is_added_where_it_is_made_and_inherited_after():
    about = truth("masked_lm", gradients=False)
    mine = ported(about, {LIN1: plus(1e-3, "linear")})
    compared = held_against(about, mine)
    names = [row.name for row in compared.rows]
    at = names.index(LIN1)
    assert [row.name for row in compared.wrong] == [LIN1]
    assert {row.state for row in compared.rows[:at]} == {"rounding"}
    assert {row.state for row in compared.rows[at + 1 :]} == {"inherited"}
    row = compared.rows[at]
    assert row.added == pytest.approx(1e-3, rel=1e-2) and row.inherited < 1e-5
    assert row.total == pytest.approx(1e-3, rel=1e-2)
    after = row_of(compared, "head.logits")
    assert after.added < 1e-5 < after.inherited == pytest.approx(after.total, rel=1e-2)


def test_two_faults_are_both_named():
    about = truth("masked_lm", gradients=False)
    mine = ported(about, {
        "transformer.layer.0.sa_layer_norm":
            lambda at, x: layer_norm(x, **at.params, eps=1e-3),
        BLOCK + "ffn.activation": lambda at, x: gelu_new(x),
    })
    assert causes_of(held_against(about, mine)) == {
        "transformer.layer.0.sa_layer_norm": "norm-eps-1e-3",
        BLOCK + "ffn.activation": "gelu-tanh",
    }


def test_what_a_fault_makes_of_a_whole_port_is_one_row_for_each_layer():
    about = truth("masked_lm", gradients=False)
    names = [n for n in about.trace if n.endswith("attention.weights")]
    mine = ported(about, dict.fromkeys(names, lambda at, scores, mask: softmax(scores)))
    assert causes_of(held_against(about, mine)) == dict.fromkeys(names, "mask-ignored")


# --- what is not shown ----------------------------------------------------------------

FAULTS = {                                       # by cause: where, and what is done
    "gelu-tanh": ("ffn.activation", lambda at, x: gelu_new(x)),
    "norm-eps-1e-3": (
        "sa_layer_norm", lambda at, x: layer_norm(x, **at.params, eps=1e-3)
    ),
    "scores-scaled-by-dim": (
        "attention.scores", lambda at, q, k: q @ k.swapaxes(2, 3) / np.sqrt(15)
    ),
    "mask-ignored": ("attention.weights", lambda at, scores, mask: softmax(scores)),
    "residual-missing": ("ffn_sum", lambda at, x, y: y),
    "query-key-swapped": ("attention.q", swapped("q_lin", "k_lin")),
    "bias-dropped": (
        "attention.out_lin",
        lambda at, x: OPERATIONS["linear"](at, x) - at.params["bias"],
    ),
}


@pytest.mark.parametrize("cause", FAULTS)
@pytest.mark.parametrize("where", ["one layer", "all layers"])
def test_a_fault_is_named_from_the_hidden_states_alone(cause, where):
    about, (ending, operation) = truth("masked_lm", gradients=False), FAULTS[cause]
    first = 0 if where == "all layers" else 1
    names = [f"transformer.layer.{i}.{ending}" for i in range(first, 2)]
    mine = ported(about, dict.fromkeys(names, operation))
    states = {n: a for n, a in mine.items() if n.endswith("output_layer_norm")}
    compared = held_against(about, states)
    assert causes_of(compared) == {
        f"transformer.layer.{i}.output_layer_norm": cause for i in range(first, 2)
    }
    assert "embeddings.LayerNorm" in compared.missing
    assert "embeddings.LayerNorm" not in compared.unchecked
    assert compared.unchecked == [
        n for n in compared.missing if n.startswith(("head.", "loss"))
    ]
    assert "so not checked: head.vocab_transform" in report.as_text(compared)


@pytest.mark.parametrize("cause", FAULTS)
@pytest.mark.parametrize("where", ["one layer", "all layers"])
def test_a_fault_is_named_from_the_logits_alone(cause, where):
    about, (ending, operation) = truth("masked_lm", gradients=False), FAULTS[cause]
    names = [f"transformer.layer.{i}.{ending}" for i in range(where == "one layer", 2)]
    mine = ported(about, dict.fromkeys(names, operation))
    compared = held_against(about, {"head.logits": mine["head.logits"]})
    assert causes_of(compared) == {"head.logits": cause}


def test_one_array_may_be_left_out_anywhere():
    about = truth("masked_lm", gradients=False)
    mine = ported(about, {LIN1: plus(1e-3, "linear")})
    names = list(mine)
    for name in names:
        shown = {n: mine[n] for n in names if n != name}
        compared = held_against(about, shown)
        expected = LIN1 if name != LIN1 else BLOCK + "ffn.activation"
        assert [row.name for row in compared.wrong] == [expected], name
        given = name.startswith("inputs.")       # inputs need not be shown
        assert compared.missing == ([] if given else [name])


# --- what is odd ----------------------------------------------------------------------


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_a_bug(number):
    about = truth("masked_lm", gradients=False)
    mine = ported(about)
    mine[LIN1][0, 1, 2] = number
    compared = held_against(about, mine)
    assert causes_of(compared)[LIN1] == "not-finite"
    told = {row["name"]: row for row in report.as_json(compared)["rows"]}
    assert told[LIN1]["added"] is None and told[LIN1]["times"] is None
    assert json.loads(json.dumps(told, allow_nan=False)) == told


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_fault_after_what_is_no_number_is_found_as_well(number):
    about = truth("masked_lm", gradients=False)
    mine = ported(about)
    mine[BLOCK + "ffn.activation"][0, 1, 2] = number
    mine[BLOCK + "ffn.lin2"] = mine[BLOCK + "ffn.lin2"] * np.float32(2)
    wrong = [row.name for row in held_against(about, mine).wrong]
    assert wrong[:2] == [BLOCK + "ffn.activation", BLOCK + "ffn.lin2"]


def test_nan_where_ours_is_nan_is_right():
    about = truth("masked_lm, nothing asked")
    mine = dict(about.single_trace)
    assert np.isnan(mine["loss"]) and not held_against(about, mine).wrong
    mine["loss"] = np.float32(0)
    assert [row.name for row in held_against(about, mine).wrong] == ["loss"]


def test_a_wrong_shape_is_told_and_what_follows_is_judged_from_ours():
    about = truth("masked_lm", gradients=False)
    mine = ported(about)
    mine[LIN1] = mine[LIN1][:, :, :-1]
    compared = held_against(about, mine)
    (wrong,) = compared.wrong
    assert (wrong.name, wrong.state, wrong.shape) == (LIN1, "shape", (5, 7, 36))
    assert "(5, 7, 36); B L F is (5, 7, 37)" in report.as_text(compared)
    assert f"First divergent: {LIN1}" in report.as_text(compared)
    assert report.as_json(compared)["causes"] == {"shape-differs": [LIN1]}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("inputs.input_ids", lambda x: x[:, ::-1]),
        ("inputs.input_ids", lambda x: x[:, :-1]),
        ("inputs.attention_mask", lambda x: 1 - x),
        ("inputs.labels", lambda x: x + 1),
    ],
)
def test_other_inputs_are_the_first_thing_to_be_said(name, change):
    about = truth("masked_lm", gradients=False)
    mine = about.single_trace | {name: change(about.inputs[name])}
    compared = held_against(about, mine)
    assert compared.wrong[0].name == name
    assert compared.wrong[0].findings[0].cause == "inputs-differ"
    assert f"First divergent: {name}" in report.as_text(compared)


def test_inputs_may_be_stored_as_other_numbers():
    about = truth("masked_lm", gradients=False)
    mine = about.single_trace | {
        "inputs.attention_mask": about.inputs["inputs.attention_mask"].astype(bool),
        "inputs.input_ids": about.inputs["inputs.input_ids"].astype(np.float32),
        "inputs.labels": about.inputs["inputs.labels"].astype(np.int16),
    }
    assert not held_against(about, mine).wrong


def test_choices_may_be_shown_as_the_call_takes_them():
    about = truth("multiple_choice", gradients=False)
    choices = int(about.inputs["inputs.n_choices"])
    mine = about.single_trace | {
        name: about.inputs[name].reshape(-1, choices, about.inputs[name].shape[1])
        for name in ("inputs.input_ids", "inputs.attention_mask")
    }
    assert not held_against(about, mine).wrong
    mine["inputs.input_ids"] = mine["inputs.input_ids"][:, ::-1]
    assert causes_of(held_against(about, mine)) == {"inputs.input_ids": "inputs-differ"}


@pytest.mark.parametrize("name", ["embeddings.sum", LIN1, "head.logits"])
@pytest.mark.parametrize("dtype", [np.int32, bool])
def test_whole_numbers_are_refused_where_others_belong(name, dtype):
    about = truth("masked_lm", gradients=False)
    mine = about.single_trace | {name: about.trace[name].astype(dtype)}
    with pytest.raises(InputError, match=f"^MINE: {name}: expected numbers of a float"):
        held_against(about, mine)


def test_names_that_are_not_ours_are_told():
    about = truth("masked_lm", gradients=False)
    mine = about.single_trace | {"encoder.attn.0": np.zeros(3, np.float32)}
    compared = held_against(about, mine)
    assert compared.unknown == ["encoder.attn.0"] and not compared.wrong
    assert "Not known here, so not compared: encoder.attn.0" in report.as_text(compared)


def test_the_tolerance_is_how_many_times_rounding_is_still_right():
    about = truth("masked_lm", gradients=False)
    mine = ported(about, {LIN1: plus(2e-5, "linear")})
    times = row_of(held_against(about, mine), LIN1).times
    for tolerance, wrong in ((times * 1.01, []), (times * 0.99, [LIN1])):
        compared = held_against(about, mine, tolerance=tolerance)
        assert [row.name for row in compared.wrong] == wrong


# --- gradients ------------------------------------------------------------------------

WORDS = "gradients.embeddings.word_embeddings.weight"
LIN2 = f"gradients.{BLOCK}ffn.lin2.weight"


@pytest.mark.parametrize(
    ("name", "factor", "detail"),
    [(LIN2, -1.0, "(-1)"), (LIN2, 0.5, "(0.5)"), ("gradients.head.logits", 2.0, "(2)")],
)
def test_a_gradient_that_is_multiplied(name, factor, detail):
    about = truth("masked_lm")
    mine = ported(about)
    mine[name] = mine[name] * np.float32(factor)
    row = held_against(about, mine).wrong[0]
    assert (row.name, row.findings[0].cause) == (name, "constant-factor")
    assert row.findings[0].meaning.endswith(detail)


def test_the_decoder_s_share_of_the_tied_table_is_missed():
    about = truth("masked_lm")
    mine = ported(about)
    mine[WORDS] = mine[WORDS] - mine["gradients.vocab_projector.weight"]
    found = causes_of(held_against(about, mine))
    assert found == {WORDS: "tied-gradient-forgotten"}
    del mine["gradients.vocab_projector.weight"]
    found = causes_of(held_against(about, mine))
    assert found == {WORDS: "tied-gradient-forgotten"}


def test_gradients_alone_can_be_compared():
    about = truth("masked_lm")
    mine = {n: a for n, a in ported(about).items() if n.startswith("gradients.")}
    compared = held_against(about, mine)
    assert not compared.wrong
    assert all(not name.startswith("gradients.") for name in compared.missing)


def test_gradients_are_missing_only_where_someone_has_some():
    about = truth("masked_lm")
    forward = {n: a for n, a in about.trace.items() if not n.startswith("gradients.")}
    compared = held_against(about._replace(trace=forward), forward)
    assert not compared.missing and not compared.wrong
    compared = held_against(about, forward)
    assert any(n.startswith("gradients.") for n in compared.missing)
    assert compared.missing == compared.unchecked
