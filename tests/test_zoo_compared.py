"""`compare` names every fault of the zoo from traces alone, on a model held out.

The causes were written with small random models; here it is the embedded one, which is
trained, and ids drawn from its whole vocabulary.
"""

from functools import cache

import numpy as np
import pytest
from porting import Truth, held_against

from distilbert_np.parity import zoo
from distilbert_np.parity.tracing import default_labels, load_model, traced
from distilbert_np.parity.zoo import FAULTS
from distilbert_np.trace import HEADS

B, L = 6, 17
SEEN = [
    (fault, head) for fault in FAULTS
    for head in dict.fromkeys((fault.heads[0], fault.heads[-1]))
]
# Of a model that shows no more than its hidden states and what comes out.
OUTPUTS = ("output_layer_norm", "embeddings.LayerNorm", "head.logits", "loss")
SILENT_THERE = ("key-bias-dropped", "loss-summed")         # nothing of it comes out
FORWARD = [
    fault for fault in FAULTS
    if "masked_lm" in fault.heads and not fault.first.startswith("gradients.")
    and fault.name not in SILENT_THERE
]


def arguments_of(model):
    """Return a call that sees: padding on both sides, a hidden first token, a text in
    which nothing is in sight, the padding token in plain sight, labels of −100.
    """
    rng = np.random.RandomState(7)
    ids, mask = rng.randint(model.config.vocab_size, size=(B, L)), np.ones((B, L), int)
    ids[0, 3] = ids[5, 2] = model.config.pad_token_id
    mask[1, 9:] = mask[2, :5] = mask[3, 0] = mask[4] = 0
    if model.head == "multiple_choice":
        return {
            "input_ids": ids.reshape(3, 2, L), "attention_mask": mask.reshape(3, 2, L),
            "labels": np.array([0, -100, 1]),
        }
    given = {"input_ids": ids, "attention_mask": mask}
    given |= default_labels(model, given)
    if model.head in ("masked_lm", "token"):
        given["labels"][:, ::3] = -100
    elif model.head == "sequence":
        given["labels"][1] = -100
    elif model.head == "question_answering":
        given["start_positions"][:3] = -100, L, 3
    return given


@cache
def truth_of(head, gradients):
    """Return the call, and what a port of it is held against."""
    models = [load_model("tiny", head, dtype) for dtype in ("float64", "float32")]
    arguments = arguments_of(models[0])
    traces = (traced(model, arguments, gradients) for model in models)
    return arguments, Truth(*models, *traces, gradients)


def compared(fault, head, keep=""):
    """Compare what float32 makes of a call with the fault in it: all of it, or some."""
    arguments, truth = truth_of(head, fault.first.startswith("gradients."))
    with zoo.planted(fault.name), np.errstate(invalid="ignore"):
        mine = traced(truth.single, arguments, truth.gradients)
    return held_against(truth, {n: a for n, a in mine.items() if n.endswith(keep)})


@pytest.mark.parametrize(
    ("fault", "head"), SEEN, ids=[f"{fault.name}, {head}" for fault, head in SEEN]
)
def test_a_fault_is_found_where_it_is_and_named(fault, head):
    first = compared(fault, head).wrong[0]
    assert first.name == fault.first.replace("*", "0")
    assert first.findings[0].cause == fault.name


@pytest.mark.parametrize("head", HEADS)
def test_without_a_fault_nothing_is_found(head):
    _, truth = truth_of(head, True)
    for mine in (truth.trace, truth.single_trace):
        assert not held_against(truth, mine).wrong


def test_most_are_named_from_hidden_states_and_outputs_alone():
    named = [
        fault.name for fault in FORWARD
        if any(
            finding.cause == fault.name
            for finding in compared(fault, "masked_lm", OUTPUTS).wrong[0].findings
        )
    ]
    assert len(named) >= 0.9 * len(FORWARD), {f.name for f in FORWARD} - {*named}
