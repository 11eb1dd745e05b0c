"""model.backward as users meet it: what comes back, what is refused, what adds up."""

import numpy as np
import ours
import pytest
from cases import CASES, CHOICES, Case

from distilbert_np import InputError, losses
from distilbert_np.trees import flatten

HEADS = list(ours.CLASSES)
TYPES = ["float32", "float64"]
WORDS = "embeddings.word_embeddings.weight"
EMBEDS = {
    head: Case(
        f"{head}, inputs_embeds", head, CASES[head].config, CASES[head].labels,
        ("embeds",), batch=CASES[head].batch,
    )
    for head in HEADS
}


def traced(case, dtype="float64", **changes):
    """Return the model of a case, and what it answers with everything traced."""
    model = ours.build(case, dtype)
    return model, model(**case.arguments() | ours.EVERYTHING | changes)


def cotangents_of(out, seed=0):
    """Return a random gradient for every output but the loss and the trace."""
    rng = np.random.RandomState(seed)

    def like(value):
        if isinstance(value, tuple):
            return [like(part) for part in value]
        return rng.random_sample(value.shape) - 0.5

    return {n: like(v) for n, v in out.items() if n not in ("loss", "trace")}


def same(grads, others):
    """Check that two trees of gradients are the same to the bit."""
    grads, others = flatten(grads), flatten(others)
    assert list(grads) == list(others)
    for name, array in grads.items():
        np.testing.assert_array_equal(array, others[name], err_msg=name)


def close(grads, others, bound=1e-13):
    """Check that two trees of gradients agree, measured by the largest gradient."""
    grads, others = flatten(grads), flatten(others)
    assert list(grads) == list(others)
    largest = max(np.abs(array).max() for array in others.values())
    assert largest > 0
    for name, array in grads.items():
        assert np.abs(array - others[name]).max() <= bound * largest, name


def layout(tree):
    """Return a tree's names, in order, with the shape and dtype of each leaf."""
    return [
        (name, layout(value) if isinstance(value, dict) else (value.shape, value.dtype))
        for name, value in tree.items()
    ]


# --- what comes back ------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    "name", [*HEADS, "masked_lm, untied", "base, no layers", "masked_lm, no layers"]
)
def test_gradients_are_a_tree_like_the_parameters(name, dtype):
    model, out = traced(CASES[name], dtype)
    for cotangents in (CASES[name].cotangents(), cotangents_of(out)):
        assert layout(model.backward(out, cotangents)) == layout(model.params)


@pytest.mark.parametrize("head", HEADS)
def test_no_parameter_is_left_out(head):
    # All but the bias that softmax does not see, and rows of tables that nobody read.
    model, out = traced(CASES[head])
    grads = flatten(model.backward(out, cotangents_of(out)))
    for name, array in grads.items():
        if "embeddings.weight" in name or name.endswith("k_lin.bias"):
            assert array.any(), name
        else:
            assert (array != 0).mean() > 0.5, name


@pytest.mark.parametrize("head", HEADS)
def test_inputs_embeds_join_the_tree(head):
    case = EMBEDS[head]
    model, out = traced(case)
    grads = model.backward(out, cotangents_of(out))
    assert list(grads) == [*model.params, "inputs_embeds"]
    given = case.arguments()["inputs_embeds"]
    assert given.ndim == (4 if head == "multiple_choice" else 3)
    dwords = grads.pop("inputs_embeds")
    assert dwords.shape == given.shape and dwords.any()
    assert layout(grads) == layout(model.params)


@pytest.mark.parametrize("head", HEADS)
def test_inputs_embeds_are_the_words_in_their_place(head):
    # Given the vectors that ids would have looked up, each word's gradient is the sum
    # of those of the places where it stood.
    by_ids = CASES[head]
    model, out = traced(by_ids)
    cotangents = cotangents_of(out)
    arguments = by_ids.arguments()
    ids = arguments.pop("input_ids")
    arguments["inputs_embeds"] = model.word_embeddings[ids]
    expected = model.backward(out, cotangents)
    from_embeds = model(**arguments, **ours.EVERYTHING)
    grads = model.backward(from_embeds, cotangents)
    dwords = grads.pop("inputs_embeds")
    table = np.zeros_like(model.word_embeddings)
    np.add.at(table, ids, dwords)
    table[model.config.pad_token_id] = 0
    encoder = grads.get("distilbert", grads)
    encoder["embeddings"]["word_embeddings"]["weight"] += table
    close(grads, expected)


@pytest.mark.parametrize("head", [head for head in HEADS if head != "masked_lm"])
def test_with_inputs_embeds_the_table_of_words_gets_nothing(head):
    model, out = traced(EMBEDS[head])
    grads = flatten(model.backward(out, cotangents_of(out)))
    assert (next(v for k, v in grads.items() if k.endswith(WORDS)) == 0).all()


def test_with_inputs_embeds_a_tied_table_gets_the_decoder_s():
    model, out = traced(EMBEDS["masked_lm"])
    dlogits = cotangents_of(out)["logits"]
    grads = flatten(model.backward(out, {"logits": dlogits}))
    decoder = np.einsum("blv,bld->vd", dlogits, out.trace["head.vocab_layer_norm"])
    np.testing.assert_allclose(grads[f"distilbert.{WORDS}"], decoder, rtol=1e-12)


def test_a_tied_table_gets_the_gradients_of_both_its_uses():
    tied, out = traced(CASES["masked_lm"])
    grads = flatten(tied.backward(out))
    untied = ours.build(CASES["masked_lm"], "float64")
    table = untied.word_embeddings
    untied.params["vocab_projector"] = {
        "weight": table.copy(), "bias": untied.params["vocab_projector"]["bias"]
    }
    apart = flatten(untied.backward(out))
    both = apart[f"distilbert.{WORDS}"] + apart.pop("vocab_projector.weight")
    np.testing.assert_array_equal(grads[f"distilbert.{WORDS}"], both)
    # The padding row: nothing from the input, all from the decoder.
    pad = tied.config.pad_token_id
    assert (apart[f"distilbert.{WORDS}"][pad] == 0).all() and both[pad].any()


def test_what_nobody_read_has_no_gradient():
    case = CASES["base"]
    model, out = traced(case)
    grads = flatten(model.backward(out, cotangents_of(out)))
    positions = grads["embeddings.position_embeddings.weight"]
    assert (positions[case.length :] == 0).all()
    assert positions[: case.length].any(axis=-1).all()
    read = set(case.arguments()["input_ids"].flat) - {model.config.pad_token_id}
    assert set(np.flatnonzero(grads[WORDS].any(axis=-1))) == read


@pytest.mark.parametrize("name", [*HEADS, "base, head_mask", "base, no layers"])
def test_backward_twice_gives_the_same_bits_and_writes_to_nothing(name):
    model, out = traced(CASES[name], "float32")
    cotangents = cotangents_of(out) | ({"loss": 1} if "loss" in out else {})
    given = flatten({n: v for n, v in cotangents.items() if isinstance(v, np.ndarray)})
    kept = [*flatten(model.params).values(), *out.trace.values(), *given.values()]
    for array in kept:
        array.setflags(write=False)
    first = model.backward(out, cotangents)
    same(model.backward(out, cotangents), first)
    leaves = list(flatten(first).values())
    for i, array in enumerate(leaves):           # free to change: nobody else's memory
        assert not any(np.shares_memory(array, other) for other in kept + leaves[:i])


# --- what adds up ---------------------------------------------------------------------


@pytest.mark.parametrize("head", HEADS[1:])
def test_the_loss_is_the_cotangent_where_none_is_given(head):
    model, out = traced(CASES[head])
    same(model.backward(out), model.backward(out, {"loss": 1}))
    twice = flatten(model.backward(out, {"loss": 2}))
    for name, array in flatten(model.backward(out)).items():
        np.testing.assert_array_equal(twice[name], 2 * array, err_msg=name)


@pytest.mark.parametrize("head", HEADS)
def test_gradients_of_several_outputs_add_up(head):
    model, out = traced(CASES[head])
    cotangents = cotangents_of(out) | ({"loss": 0.5} if "loss" in out else {})
    assert len(cotangents) >= 3
    total = None
    for name, gradient in cotangents.items():
        alone = flatten(model.backward(out, {name: gradient}))
        assert any(array.any() for array in alone.values()), name
        total = alone if total is None else {k: v + alone[k] for k, v in total.items()}
    close(model.backward(out, cotangents), total)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("name", ["hidden_states", "attentions"])
def test_gradients_of_several_layers_add_up(name, head):
    model, out = traced(CASES[head])
    gradients = cotangents_of(out)[name]
    total = None
    for i, gradient in enumerate(gradients):
        alone = [None] * len(gradients)
        alone[i] = gradient
        grads = flatten(model.backward(out, {name: alone}))
        assert any(array.any() for array in grads.values())
        total = grads if total is None else {k: v + grads[k] for k, v in total.items()}
    close(model.backward(out, {name: tuple(gradients)}), total)


@pytest.mark.parametrize("name", ["hidden_states", "attentions"])
def test_gradients_of_no_layer_are_nothing(name):
    model, out = traced(CASES["base"])
    grads = model.backward(out, {name: [None] * len(out[name])})
    assert layout(grads) == layout(model.params)
    assert not any(array.any() for array in flatten(grads).values())


def test_a_layer_s_gradient_reaches_those_before_it_only():
    model, out = traced(CASES["base"])
    dstates = [None, cotangents_of(out)["hidden_states"][1], None]
    grads = model.backward(out, {"hidden_states": dstates})["transformer"]["layer"]
    assert all(a.any() for n, a in flatten(grads["0"]).items() if "k_lin" not in n)
    assert not any(array.any() for array in flatten(grads["1"]).values())


def test_the_last_hidden_state_is_the_last_of_the_hidden_states():
    model, out = traced(CASES["base"])
    dh = cotangents_of(out)["last_hidden_state"]
    states = {"hidden_states": [None, None, dh]}
    same(model.backward(out, {"last_hidden_state": dh}), model.backward(out, states))


@pytest.mark.parametrize("head", ["masked_lm", "token", "multiple_choice"])
def test_the_loss_s_gradient_goes_through_the_logits(head):
    case = CASES[head]
    model, out = traced(case)
    labels = case.arguments()["labels"]
    dlogits = losses.cross_entropy_backward(1.0, out.logits, labels)
    same(model.backward(out), model.backward(out, {"logits": dlogits}))


def test_either_end_of_an_answer():
    case = CASES["question_answering"]
    model, out = traced(case)
    given = case.arguments()
    logits = np.stack([out.start_logits, out.end_logits], axis=-1)
    both = losses.question_answering_loss_backward(
        1.0, logits, given["start_positions"], given["end_positions"].reshape(-1)
    )
    named = {"start_logits": both[..., 0], "end_logits": both[..., 1]}
    same(model.backward(out), model.backward(out, named))
    weight = flatten(model.backward(out, {"end_logits": both[..., 1]}))
    assert (weight["qa_outputs.weight"][0] == 0).all()
    assert weight["qa_outputs.weight"][1].any()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("head", HEADS[1:])
def test_where_no_label_counts_every_gradient_is_exactly_zero(head, dtype):
    case = CASES[head]
    labels = {
        name: np.full_like(array, case.length if "positions" in name else -100)
        for name, array in case.arguments().items()
        if name in ("labels", "start_positions", "end_positions")
    }
    model, out = traced(case, dtype, **labels)
    assert np.isnan(out.loss)
    assert not any(array.any() for array in flatten(model.backward(out)).values())


@pytest.mark.parametrize("head", HEADS)
def test_cotangents_may_be_lists_and_integers(head):
    model, out = traced(CASES[head], "float32")
    name = next(n for n in out if n != "loss")
    ones = {name: np.ones(out[name].shape, np.float32)}
    same(model.backward(out, {name: np.ones(out[name].shape, int).tolist()}),
         model.backward(out, ones))


# --- what is refused ------------------------------------------------------------------

LOGITS = np.zeros((5, 2))


def refuses(call, *words):
    """Check that a call is refused in one line that holds these words."""
    with pytest.raises(InputError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


@pytest.mark.parametrize(
    ("cotangents", "words"),
    [
        ({"logit": LOGITS}, ("'logit'", "loss, logits, hidden_states, attentions")),
        ({"trace": LOGITS}, ("'trace'", "loss, logits")),
        ({"last_hidden_state": LOGITS}, ("'last_hidden_state'", "loss, logits")),
        ({3: LOGITS}, ("found 3", "loss, logits")),
        ({"logits": LOGITS, "labels": LOGITS}, ("'labels'", "loss, logits")),
        ({"logits": LOGITS.T}, ("cotangents['logits']", "(2, 5)", "(5, 2)")),
        ({"logits": 1.0}, ("cotangents['logits']", "()", "(5, 2)")),
        ({"logits": LOGITS * np.nan}, ("cotangents['logits']", "nan", "(0, 0)")),
        ({"logits": LOGITS + np.inf}, ("cotangents['logits']", "found inf", "finite")),
        ({"logits": LOGITS + 1e39}, ("cotangents['logits']", "1e+39", "float32")),
        ({"logits": None}, ("cotangents['logits']", "numbers", "None")),
        ({"logits": LOGITS * 1j}, ("cotangents['logits']", "complex128")),
        ({"logits": LOGITS > 0}, ("cotangents['logits']", "bool")),
        ({"logits": np.broadcast_to(0, (10**9, 2))}, ("(1000000000, 2)", "(5, 2)")),
        ({"logits": "abc"}, ("cotangents['logits']", "numbers")),
        ({"logits": [[1, 2], [3]]}, ("cotangents['logits']", "unequal length")),
        ({"loss": [1.0]}, ("cotangents['loss']", "(1,)", "()")),
        ({"loss": np.nan}, ("cotangents['loss']", "found nan", "finite")),
        ({"loss": None}, ("cotangents['loss']", "None")),
        ({"hidden_states": [None] * 2}, ("cotangents['hidden_states']", "3", "2")),
        ({"attentions": [None] * 4}, ("cotangents['attentions']", "2", "4")),
        ({"attentions": LOGITS}, ("cotangents['attentions']", "2 arrays")),
        ({"attentions": None}, ("cotangents['attentions']", "2 arrays", "None")),
        (
            {"hidden_states": [None, LOGITS, None]},
            ("cotangents['hidden_states'][1]", "(5, 2)", "(5, 7, 12)"),
        ),
        ({}, ("cotangents", "dictionary", "{}")),
        (LOGITS, ("cotangents", "dictionary", "array")),
        ([LOGITS], ("cotangents", "dictionary", "[array")),
        (2.0, ("cotangents", "dictionary", "2.0")),
        ("logits", ("cotangents", "dictionary", "'logits'")),
    ],
)
def test_cotangents_that_do_not_fit(cotangents, words):
    case = Case("two classes", "sequence", labels="classes")
    model, out = traced(case, "float32")
    refuses(lambda: model.backward(out, cotangents), *words)


@pytest.mark.parametrize("head", HEADS)
def test_backward_needs_the_trace(head):
    case = CASES[head]
    model = ours.build(case, "float32")
    out = model(**case.arguments())
    refuses(lambda: model.backward(out, cotangents_of(out)), "out", "trace=True")


@pytest.mark.parametrize("head", HEADS[1:])
def test_without_labels_there_is_no_loss_to_differentiate(head):
    case = CASES[head]
    model = ours.build(case, "float32")
    unlabelled = {k: v for k, v in case.arguments().items() if "label" not in k}
    unlabelled.pop("end_positions", None)        # one position alone is no loss
    out = model(**unlabelled, trace=True)
    refuses(lambda: model.backward(out), "out", "no loss", "labels", "logits")
    refuses(lambda: model.backward(out, {"loss": 1}), "cotangents", "'loss'", "logits")


def test_the_base_model_has_no_loss_and_says_what_it_has():
    model, out = traced(CASES["base"])
    refuses(lambda: model.backward(out), "out", "no loss", "last_hidden_state")


@pytest.mark.parametrize("out", [None, 5, "out", LOGITS, (LOGITS,), {"logits": LOGITS}])
def test_what_no_model_returned_is_refused(out):
    model = ours.build(CASES["base"], "float32")
    refuses(lambda: model.backward(out, {"logits": LOGITS}), "out")


def test_the_trace_alone_is_not_the_output():
    model, out = traced(CASES["token"])
    refuses(lambda: model.backward(out.trace), "out")
    refuses(lambda: model.backward(dict(out)), "out")


def test_choices_are_as_many_as_were_given():
    model, out = traced(EMBEDS["multiple_choice"])
    grads = model.backward(out)
    assert out.logits.shape == (2, CHOICES)
    assert grads["inputs_embeds"].shape[:2] == (2, CHOICES)
    expected = out.trace["inputs.inputs_embeds"].shape
    assert grads["inputs_embeds"].reshape(expected).any(axis=(1, 2)).all()


@pytest.mark.parametrize(("head", "other"), [("sequence", "base"), ("token", "base"),
                                             ("sequence", "masked_lm")])
def test_the_output_of_another_class_is_refused(head, other):
    model, _ = traced(CASES[head])
    _, out = traced(CASES[other])
    given = {"hidden_states": [None] * len(out.hidden_states)}
    name = type(model).__name__
    refuses(lambda: model.backward(out, given), f"out: is not from a {name}")
