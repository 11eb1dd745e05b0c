"""Whatever a call is given, it answers with finite numbers or says what is wrong."""

import numpy as np
import pytest
from cases import SMALL

import distilbert_np as dn

hypothesis = pytest.importorskip("hypothesis")

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from distilbert_np.trees import flatten

KINDS = [np.int64, np.int8, np.uint64, np.bool_, np.float32, np.float64, "U3", "m8[s]"]
MODELS = [
    dn.DistilBertModel(dn.DistilBertConfig(**SMALL)),
    dn.DistilBertForMaskedLM(dn.DistilBertConfig(**SMALL)),
    dn.DistilBertForSequenceClassification(dn.DistilBertConfig(**SMALL)),
    dn.DistilBertForTokenClassification(dn.DistilBertConfig(**SMALL)),
    dn.DistilBertForQuestionAnswering(dn.DistilBertConfig(**SMALL)),
    dn.DistilBertForMultipleChoice(dn.DistilBertConfig(**SMALL)),
]
NAMES = ["input_ids", "attention_mask", "inputs_embeds", "position_ids", "head_mask",
         "labels", "start_positions", "end_positions"]

sizes = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
any_array = st.sampled_from(KINDS).flatmap(lambda kind: arrays.arrays(kind, sizes))
small_integers = arrays.arrays(np.int64, (2, 3), elements=st.integers(-2, 41))
anything = st.one_of(
    any_array, small_integers, st.none(), st.text(), st.integers(),
    st.lists(st.lists(st.one_of(st.integers(), st.floats(), st.none()), max_size=3)),
    st.dictionaries(st.text(), st.integers(), max_size=2),
)


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(MODELS), st.dictionaries(st.sampled_from(NAMES), anything))
def test_any_arguments(model, arguments):
    try:
        out = model(**arguments)
    except dn.InputError as error:
        assert "\n" not in str(error)
    except TypeError as error:                   # an argument that this class has not
        assert "unexpected keyword argument" in str(error)
    else:
        assert all(np.isfinite(value).all() for value in out.values()) or (
            np.isnan(out.loss)                   # every label was −100
        )


@settings(max_examples=300, deadline=None)
@given(small_integers, st.sampled_from(MODELS[1:4]))
def test_any_labels(labels, model):
    ids = np.arange(6).reshape(2, 3)
    for given_labels in (labels, labels[:, 0], labels.astype(float)):
        try:
            loss = model(ids, labels=given_labels).loss
        except dn.InputError:
            continue
        asked = (np.asarray(given_labels) != -100).any()
        assert np.isfinite(loss) or not asked


# --- backward and dropout -------------------------------------------------------------

IDS = np.arange(6).reshape(2, 3)
EVERYTHING = {"output_attentions": True, "output_hidden_states": True, "trace": True}
CALLS = [
    {"input_ids": IDS},
    {"input_ids": IDS, "labels": IDS},
    {"input_ids": IDS, "labels": [0, 1]},
    {"input_ids": IDS, "labels": [[0, 1, 1], [-100, 0, 1]]},
    {"input_ids": IDS, "start_positions": [0, 2], "end_positions": [-1, 9]},
    {"input_ids": IDS[None], "labels": [1]},
]
OUTS = [model(**call, **EVERYTHING) for model, call in zip(MODELS, CALLS, strict=True)]
OUTPUTS = ["loss", "logits", "start_logits", "end_logits", "last_hidden_state",
           "hidden_states", "attentions", "trace", "logit", ""]
# So large that what they make stays finite: an overflow is NumPy's to warn of.
numbers = st.floats(-1e6, 1e6, width=32)


@st.composite
def gradients_of(draw, number):
    """Return arrays that have mostly the shapes of a model's outputs.

    By its number: what a strategy is made of, Hypothesis may want to print.
    """
    out = OUTS[number]

    def like(value):
        if draw(st.integers(0, 9)) == 0:
            return draw(anything)
        if isinstance(value, tuple):
            return [like(part) for part in value]
        kind = draw(st.sampled_from([np.float32, np.float64]))
        return np.full(np.shape(value), draw(numbers), kind)

    names = draw(st.sets(st.sampled_from(out.keys()), min_size=1))
    return {name: like(out[name]) for name in names if name != "trace"}


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 5), st.data())
def test_any_cotangents(number, data):
    model, out = MODELS[number], OUTS[number]
    cotangents = data.draw(st.one_of(
        gradients_of(number), anything,
        st.dictionaries(st.sampled_from(OUTPUTS), anything),
    ))
    try:
        grads = model.backward(out, cotangents)
    except dn.InputError as error:
        assert "\n" not in str(error)
    else:
        params = flatten(model.params)
        assert list(flatten(grads)) == list(params)
        for name, array in flatten(grads).items():
            assert array.shape == params[name].shape and np.isfinite(array).all()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 5), st.one_of(
    anything, st.integers(0, 2**64).map(np.random.default_rng),
    st.sampled_from([np.random, np.random.PCG64(0), np.random.RandomState(0)]),
))
def test_any_rng(number, rng):
    try:
        out = MODELS[number](**CALLS[number], rng=rng, trace=True)
    except dn.InputError as error:
        assert "\n" not in str(error)
        assert not isinstance(rng, np.random.Generator) and rng is not None
    else:
        assert ("embeddings.dropout" in out.trace) == (rng is not None)
        assert all(np.isfinite(array).all() for array in out.trace.values())
