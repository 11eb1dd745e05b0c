"""The trace: its names, their order and their shapes are promises."""

import numpy as np
import ours
import pytest
from cases import CASES, CHOICES, Case

from distilbert_np import InputError
from distilbert_np.encoder import transformer
from distilbert_np.trace import trace_table
from distilbert_np.trees import flatten, unflatten

HEADS = list(ours.CLASSES)
BLOCK_NAMES = [
    "attention.q", "attention.k", "attention.v", "attention.scores",
    "attention.weights", "attention.context", "attention.out_lin", "attention_sum",
    "sa_layer_norm", "ffn.lin1", "ffn.activation", "ffn.lin2", "ffn_sum",
    "output_layer_norm",
]


def trace_of(case, dtype="float32", **changes):
    arguments = {k: v for k, v in case.arguments().items() if "label" not in k}
    arguments = {k: v for k, v in arguments.items() if "_positions" not in k} | changes
    return ours.build(case, dtype)(**arguments, trace=True).trace


def test_the_names_of_the_trace_in_order():
    names = list(trace_of(CASES["masked_lm, untied"]))
    assert names == [
        "inputs.input_ids", "inputs.attention_mask", "inputs.position_ids",
        "embeddings.words", "embeddings.positions", "embeddings.sum",
        "embeddings.LayerNorm",
        *(f"transformer.layer.0.{name}" for name in BLOCK_NAMES),
        *(f"transformer.layer.1.{name}" for name in BLOCK_NAMES),
        "head.vocab_transform", "head.activation", "head.vocab_layer_norm",
        "head.logits",
    ]


@pytest.mark.parametrize("head", HEADS)
def test_the_table_says_what_the_trace_holds(head):
    case = CASES[head]
    trace = trace_of(case)
    config = case.full_config()
    size = config.dimensions() | {"B": case.batch, "L": case.length, "2": 2, "1|B": 1}
    if head == "multiple_choice":
        size |= {"C": CHOICES, "B/C": case.batch // CHOICES}
    table = trace_table(config, head)
    assert list(trace) == list(table)
    for name, letters in table.items():
        shape = tuple(size[letter] for letter in letters.split())
        assert trace[name].shape == shape, name


@pytest.mark.parametrize("head", HEADS[1:])
def test_labels_and_loss_join_the_trace(head):
    case = CASES[head]
    out = ours.build(case, "float32")(**case.arguments(), trace=True)
    labels = ["start_positions", "end_positions"] if "question" in head else ["labels"]
    for name in labels:
        given = case.arguments()[name]
        np.testing.assert_array_equal(out.trace[f"inputs.{name}"], given.reshape(
            out.trace[f"inputs.{name}"].shape))
    assert list(out.trace)[-1] == "loss" and out.trace["loss"] == out.loss


def test_inputs_embeds_stand_in_the_place_of_ids():
    trace = trace_of(CASES["base, inputs_embeds"])
    assert next(iter(trace)) == "inputs.inputs_embeds"
    assert trace["embeddings.words"] is trace["inputs.inputs_embeds"]


def test_a_head_mask_adds_the_head_masked_weights():
    trace = trace_of(CASES["base, head_mask"])
    at = "transformer.layer.1.attention."
    factors = trace["inputs.head_mask"][1][:, None, None]
    masked = trace[at + "weights"] * factors
    np.testing.assert_array_equal(trace[at + "head_masked_weights"], masked)


def test_each_array_has_one_name():
    trace = trace_of(CASES["masked_lm"])
    assert len({id(array) for array in trace.values()}) == len(trace)


@pytest.mark.parametrize("head", HEADS)
def test_an_rng_adds_what_was_dropped_after_what_was_read(head):
    case = CASES[head]
    without = trace_of(case)
    trace = trace_of(case, rng=np.random.default_rng(0))
    read = [
        "embeddings.LayerNorm",
        *(f"transformer.layer.{i}.{name}" for i in range(2)
          for name in ("attention.weights", "ffn.lin2")),
    ]
    if head != "masked_lm" and head != "base":
        # Two heads drop what ReLU returned, and two what the last block did.
        last = "transformer.layer.1.output_layer_norm"
        read.append("head.relu" if "head.relu" in without else last)
    expected = []
    for name in without:
        expected.append(name)
        if name in read:
            place = name.rpartition(".")[0] if read.index(name) < 5 else "head"
            expected += [f"{place}.dropout_factors", f"{place}.dropout"]
            assert trace[expected[-2]].shape == trace[name].shape
            dropped = trace[name] * trace[expected[-2]]
            np.testing.assert_array_equal(trace[expected[-1]], dropped)
    assert list(trace) == expected
    assert len({id(array) for array in trace.values()}) == len(trace)


def test_the_head_mask_comes_after_what_was_dropped():
    names = list(trace_of(CASES["base, head_mask"], rng=np.random.default_rng(0)))
    at = names.index("transformer.layer.0.attention.weights")
    assert [name.rpartition(".")[2] for name in names[at : at + 5]] == [
        "weights", "dropout_factors", "dropout", "head_masked_weights", "context",
    ]


def test_no_trace_unless_asked():
    case = CASES["base"]
    out = ours.build(case, "float32")(**case.arguments())
    assert out.trace is None and out.keys() == ["last_hidden_state"]


def test_the_stack_keeps_only_what_is_named():
    case = CASES["base"]
    model = ours.build(case, "float32")
    x = trace_of(case)["embeddings.LayerNorm"]
    mask = np.ones(x.shape[:2], bool)
    stack = model.params["transformer"]
    _, trace = transformer(x, stack, mask, model.config, keep=["ffn_sum"])
    assert [list(layer) for layer in trace["layer"].values()] == [["ffn_sum"]] * 2


def test_layers_run_by_their_number():
    # Sorted by name, as in many a file, layer 10 stands before layer 2.
    case = Case("twelve layers", "base", {"n_layers": 12})
    model = ours.build(case, "float32")
    expected = model(**case.arguments())[0]
    model.params = unflatten(dict(sorted(flatten(model.params).items())))
    np.testing.assert_array_equal(model(**case.arguments())[0], expected)


def test_the_trace_changes_nothing():
    case = CASES["masked_lm"]
    model = ours.build(case, "float32")
    with_trace = model(**case.arguments(), trace=True)
    np.testing.assert_array_equal(model(**case.arguments()).logits, with_trace.logits)


def test_trees_flatten_and_back():
    tree = {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
    assert flatten(tree) == {"a.b": 1, "a.c.d": 2, "e": 3}
    assert unflatten(flatten(tree)) == tree


def test_a_table_of_no_such_head_is_refused():
    config = CASES["base"].full_config()
    with pytest.raises(InputError, match=r"^head: expected one of base, masked_lm, "):
        trace_table(config, "masked-lm")
