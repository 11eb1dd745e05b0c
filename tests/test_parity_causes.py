"""The causes: what is planted in a port is what is found there, and nothing else."""

import numpy as np
import pytest
from porting import causes_of, held_against, ported, row_of, truth

from distilbert_np.functions import gelu_new
from distilbert_np.parity.alternatives import ALTERNATIVES, other_layer
from distilbert_np.parity.causes import MEANING, NAMES, causes_at, tried
from distilbert_np.parity.compare import TOLERANCE
from distilbert_np.parity.rounding import FLOAT32, difference, floor, size
from distilbert_np.parity.steps import OPERATIONS, run

BLOCK, LOGITS = "transformer.layer.1.", "head.logits"
# Every alternative is tried at each of these; at one or another it can be seen.
PLACES = [
    ("masked_lm", "embeddings.words"),
    ("masked_lm", "embeddings.positions"),
    ("masked_lm", "embeddings.sum"),
    ("masked_lm", "embeddings.LayerNorm"),
    ("narrow rows", "embeddings.LayerNorm"),
    ("masked_lm", BLOCK + "attention.q"),
    ("masked_lm", BLOCK + "attention.k"),
    ("masked_lm", BLOCK + "attention.scores"),
    ("masked_lm", BLOCK + "attention.weights"),
    ("masked_lm", BLOCK + "attention.context"),
    ("masked_lm", BLOCK + "attention.out_lin"),
    ("masked_lm", BLOCK + "attention_sum"),
    ("masked_lm", BLOCK + "sa_layer_norm"),
    ("masked_lm", BLOCK + "ffn.lin1"),
    ("masked_lm", BLOCK + "ffn.activation"),
    ("masked_lm, relu", BLOCK + "ffn.activation"),
    ("masked_lm", BLOCK + "ffn_sum"),
    ("masked_lm", "head.activation"),
    ("masked_lm", "head.logits"),
    ("masked_lm", "loss"),
    ("masked_lm", "gradients.head.logits"),
    ("masked_lm", "gradients.embeddings.word_embeddings.weight"),
    ("sequence", "head.first"),
    ("sequence", "head.relu"),
    ("sequence", "loss"),
    ("sequence", "gradients.head.logits"),
    ("sequence, some ignored", "loss"),
    ("sequence, some ignored", "gradients.head.logits"),
    ("sequence, regression of 3", "loss"),
    ("sequence, regression of 3", "gradients.head.logits"),
    ("question_answering", "loss"),
    ("question_answering", "gradients.head.logits"),
    ("base", "sentence.mean"),
]


def visible(about, array):
    """Return the alternatives at an array that make another one of it, with their names
    and their numbers.
    """
    step = about.step(array)
    double = run(step, about.double, about.trace)[array]
    single = run(step, about.single, about.single_trace)[array]
    for number, (cause, _, operation) in enumerate(causes_at(step)):
        found = tried(step, operation, about.double, about.trace)
        if found is None:
            continue
        error = size(difference(found[array], double))
        if error.over(floor(single, double, FLOAT32)) > 2 * TOLERANCE:
            yield number, cause, operation


def place(name, array):
    return truth(name, gradients=array.startswith("gradients."))


@pytest.mark.parametrize(("name", "array"), PLACES)
def test_what_is_planted_is_what_is_found(name, array):
    about = place(name, array)
    step = about.step(array)
    for number, cause, operation in visible(about, array):
        mine = ported(about, {step.name: operation})
        compared = held_against(about, mine)
        first = compared.wrong[0]
        if (array, cause) == (BLOCK + "sa_layer_norm", "pre-norm"):
            cause = "norm-missing"               # so it is, as long as no more is seen
        assert first.findings[0].cause == cause, (number, cause, first.findings)
        assert {row.name for row in compared.wrong} <= set(step.gives) | seen_after(
            cause, array
        ), (number, cause)


def seen_after(cause, array):
    """Return where a fault shows instead: transposed scores look like a layout."""
    is_layout = cause == "scores-transposed" and array.endswith("scores")
    return {array.replace("scores", "weights")} if is_layout else set()


def test_every_alternative_can_be_seen_at_one_of_the_places():
    seen = set()
    for name, array in PLACES:
        about = place(name, array)
        operation = about.step(array).operation
        seen |= {(operation, number) for number, *_ in visible(about, array)}
    wanted = {
        (operation, number) for operation, named in ALTERNATIVES.items()
        for number in range(sum(map(len, named.values())))
    }
    assert wanted - seen == set()


DESCRIBED = {                                    # not tried, but seen
    "float32-stored-as-float64", "token-types-added", "layers-swapped",
    "decoder-untied", "other-weights", "float16-accumulation", "constant-factor",
    "constant-added",
    "not-finite", "forward-differs", "inputs-differ", "shape-differs", "unknown",
}


def test_every_cause_has_a_meaning_and_every_meaning_a_cause():
    tried = {cause for named in ALTERNATIVES.values() for cause in named}
    assert tried | set(NAMES.values()) | DESCRIBED == set(MEANING)


# --- what is not tried, but seen ------------------------------------------------------


def found_at(name, array, operation):
    """Return the likeliest cause when this operation gives an array."""
    about = place(name, array)
    mine = ported(about, {about.step(array).name: operation})
    return held_against(about, mine).wrong[0]


@pytest.mark.parametrize("fill", [np.finfo(np.float32).min, -1e4, -1e9, -np.inf])
def test_masked_scores_are_told_from_a_fault(fill):
    about = truth("masked_lm", gradients=False)
    scores = BLOCK + "attention.scores"
    mask = about.inputs["inputs.attention_mask"].astype(bool)[:, None, None]
    mine = ported(about)
    mine[scores] = np.where(mask, mine[scores], np.float32(fill))
    compared = held_against(about, mine)
    assert not compared.wrong
    assert row_of(compared, scores).layout == "scores + mask"
    mine[scores] = np.where(mask, about.trace[scores] * 2, fill).astype(np.float32)
    assert held_against(about, mine).wrong[0].name == scores


def test_scores_that_are_wrong_where_hidden_are_not_masked():
    about = truth("masked_lm", gradients=False)
    scores = BLOCK + "attention.scores"
    mask = about.inputs["inputs.attention_mask"].astype(bool)[:, None, None]
    mine = ported(about)
    mine[scores] = np.where(mask, mine[scores], np.float32(0))
    row = held_against(about, mine).wrong[0]
    assert (row.name, row.findings[0].cause) == (scores, "unknown")


@pytest.mark.parametrize(
    ("array", "operation", "cause"),
    [
        ("embeddings.LayerNorm", lambda at, x: x, "embeddings-not-normalised"),
        (BLOCK + "attention.k",
         lambda at, x: OPERATIONS["heads"](at, x) - OPERATIONS["heads"](at, x * 0),
         "key-bias-dropped"),
        ("head.activation", lambda at, x: x, "head-activation-missing"),
    ],
)
def test_some_causes_have_a_name_of_their_own_where_they_stand(array, operation, cause):
    row = found_at("masked_lm", array, operation)
    assert (row.name, row.findings[0].cause) == (array, cause)


@pytest.mark.parametrize(
    ("array", "operation", "cause"),
    [
        ("embeddings.sum", lambda at, x, y: x + y + np.float32(0.25),
         "token-types-added"),
        (BLOCK + "attention_sum", lambda at, x, y: x + y + np.float32(0.25),
         "constant-added"),
        (BLOCK + "ffn_sum", lambda at, x, y: (x + y) * np.float32(0.5),
         "constant-factor"),
        (BLOCK + "ffn_sum", lambda at, x, y: np.where(x > 1, np.nan, x + y),
         "not-finite"),
        (BLOCK + "ffn_sum", lambda at, x, y: x * y, "unknown"),
        (BLOCK + "ffn.lin1", lambda at, x: x @ at.params["weight"][::-1].T,
         "other-weights"),
        ("head.logits", lambda at, x: x @ at.model.decoder[::-1].T, "decoder-untied"),
    ],
)
def test_what_is_not_tried_is_described(array, operation, cause):
    row = found_at("masked_lm", array, operation)
    assert (row.name, row.findings[0].cause) == (array, cause)
    assert row.findings[0].meaning.startswith(MEANING[cause])


def test_a_linear_in_float16_is_seen():
    def in_float16(at, x):
        product = x.astype(np.float16) @ at.params["weight"].T.astype(np.float16)
        return product.astype(np.float32) + at.params["bias"]

    row = found_at("masked_lm", BLOCK + "attention.out_lin", in_float16)
    assert row.findings[0].cause == "float16-accumulation"


def test_swapped_layers_are_told_by_all_that_a_layer_gives():
    about = truth("masked_lm", gradients=False)
    swapped = {
        step.name: other_layer(1 - int(step.params.split(".")[2]))
        for step in about.steps if step.params.startswith("transformer.")
    }
    shown = ported(about, swapped)
    states = {n: a for n, a in shown.items() if n.endswith("output_layer_norm")}
    for mine in (shown, states):
        found = causes_of(held_against(about, mine))
        assert set(found.values()) == {"layers-swapped"}
    assert list(found) == list(states)


def test_pre_norm_is_told_by_all_that_a_block_does():
    about = truth("masked_lm", gradients=False)
    planted = {
        step.name: operation for step in about.steps
        for cause, _, operation in causes_at(step) if cause == "pre-norm"
    }
    mine = ported(about, planted)
    states = {n: a for n, a in mine.items() if n.endswith("output_layer_norm")}
    found = causes_of(held_against(about, states))
    assert found == dict.fromkeys(states, "pre-norm")


def test_the_place_of_the_error_is_told():
    about = truth("masked_lm", gradients=False)
    mine = ported(about)
    mine["head.logits"][2, 3, 7:9] += [0.5, -0.25]
    (wrong,) = held_against(about, mine).wrong
    meaning = wrong.findings[0].meaning
    assert meaning.endswith("(only in texts 2, positions 3, words 7, 8)")


def test_an_error_that_is_small_everywhere_stands_in_no_place():
    about = truth("masked_lm", gradients=False)
    mine = ported(about)
    row = row_of(held_against(about, mine), LOGITS)
    rng = np.random.default_rng(0)
    error = rng.choice([-1, 1], mine[LOGITS].shape) * 12 * row.floor
    mine[LOGITS] = (mine[LOGITS] + error).astype(np.float32)
    wrong = held_against(about, mine).wrong[0]
    assert wrong.name == LOGITS and wrong.added < TOLERANCE * wrong.floor
    assert wrong.findings[0].meaning.endswith("(everywhere, but only a little)")


def test_the_derivative_of_a_wrong_forward_is_said_to_be_that():
    about = truth("masked_lm")
    activation = BLOCK + "ffn.activation"
    double = about.double
    mine = ported(about, {activation: lambda at, x: gelu_new(x)})
    # The port's gradients are right for what it computes: those of tanh GELU.
    double.config.activation = "gelu_new"
    try:
        right = run(about.step(f"gradients.{BLOCK}ffn.lin1.weight"), double, mine)
    finally:
        double.config.activation = "gelu"
    mine |= {name: np.float32(array) for name, array in right.items()}
    found = causes_of(held_against(about, mine))
    assert found[activation] == "gelu-tanh"
    assert found[f"gradients.{BLOCK}ffn.lin1.weight"] == "forward-differs"
