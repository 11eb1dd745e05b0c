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

CLASSES = [
    dn.DistilBertModel,
    dn.DistilBertForMaskedLM,
    dn.DistilBertForSequenceClassification,
    dn.DistilBertForTokenClassification,
    dn.DistilBertForQuestionAnswering,
    dn.DistilBertForMultipleChoice,
]
CHOOSE = CLASSES[-1]
MODELS = [cls(dn.DistilBertConfig(**SMALL)) for cls in CLASSES]
CLASSIFIERS = [
    dn.DistilBertForSequenceClassification(dn.DistilBertConfig(**SMALL | fields))
    for fields in (
        {"num_labels": 1}, {"problem_type": "single_label_classification"},
        {"problem_type": "multi_label_classification"},
        {"problem_type": "regression", "num_labels": 3},
    )
]

# --- any values -----------------------------------------------------------------------

LIKELY_KINDS = [np.int64, np.int8, np.bool_, np.float32, np.float64]
KINDS = [*LIKELY_KINDS, np.uint64, np.float16, np.longdouble, np.complex64, "U3", "S2",
         "m8[s]", "M8[D]", [("a", int)]]

# So large that what they make stays finite: an overflow is NumPy's to warn of.
numbers = st.floats(-1e6, 1e6, width=32)
ELEMENTS = {
    np.int64: st.sampled_from([0, 1, 2, 39, 40, -1, -100, 2**63 - 1]),
    np.int8: st.sampled_from([0, 1, -100]),
    np.float32: st.sampled_from([0, 1]) | numbers | st.sampled_from([np.nan, np.inf]),
    np.float64: st.sampled_from([0, 1]) | numbers | st.sampled_from([np.nan, np.inf]),
}


def arrays_of(shapes, kinds=KINDS):
    """Return arrays of these shapes and of any of these kinds."""
    def of_kind(kind):
        elements = ELEMENTS.get(kind) if isinstance(kind, type) else None
        return arrays.arrays(kind, shapes, elements=elements)

    return st.sampled_from(kinds).flatmap(of_kind)


sizes = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
any_array = arrays_of(sizes)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(),
                    st.binary(max_size=3))
anything = st.one_of(
    any_array,
    arrays.arrays(np.int64, (2, 3), elements=st.integers(-2, 41)),
    any_array.map(lambda array: np.broadcast_to(array, (2, *array.shape))),
    any_array.map(lambda array: np.ma.array(array, mask=True)),
    st.lists(st.lists(st.one_of(st.integers(), st.floats(), st.none()), max_size=3)),
    st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=6),
    st.dictionaries(st.text(), st.integers(), max_size=2),
)

# --- calls ----------------------------------------------------------------------------

NAMES = ["input_ids", "attention_mask", "inputs_embeds", "position_ids", "head_mask",
         "labels", "start_positions", "end_positions", "token_type_ids", "rng",
         "output_attentions", "output_hidden_states", "trace"]


def check_call(model, arguments):
    """Check that a call answers with finite numbers, or refuses in one line."""
    try:
        out = model(**arguments)
    except dn.InputError as error:
        assert "\n" not in str(error)
    except TypeError as error:                   # an argument that this class has not
        assert "unexpected keyword argument" in str(error)
    else:
        found = dict(out.items()) | (out.trace or {})
        for name in ("loss", "trace"):           # the loss of no labels is NaN
            found.pop(name, None)
        parts = [x for value in found.values() for x in np.atleast_1d(value)]
        assert all(np.isfinite(part).all() for part in parts)
        check_what_was_accepted(arguments, out)


def check_what_was_accepted(arguments, out):
    """Check that a mask which was accepted is one, and that labels have a loss."""
    mask, labels = arguments.get("attention_mask"), arguments.get("labels")
    if mask is not None:
        assert np.isin(mask, [0, 1]).all()
    if labels is not None:
        assert np.isfinite(labels).all()
        assert np.isfinite(out.loss) or (np.asarray(labels) == -100).all()


@pytest.mark.filterwarnings("ignore:token_type_ids are ignored")
@settings(max_examples=250, deadline=None)
@given(st.sampled_from(MODELS), st.dictionaries(st.sampled_from(NAMES), anything))
def test_any_arguments(model, arguments):
    MODELS[2].config.problem_type = None         # which the first labels settle
    check_call(model, arguments)


SHAPES = {                                       # those that fit, some model or all
    "attention_mask": [(2, 3)], "position_ids": [(3,), (1, 3), (2, 3)],
    "head_mask": [(3,), (2, 3)], "labels": [(2, 3), (2,), (2, 1), (2, 2)],
    "start_positions": [(2,), (2, 1)], "end_positions": [(2,), (2, 1)],
}


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(MODELS[1:] + CLASSIFIERS), st.fixed_dictionaries({}, optional={
    name: st.sampled_from(shapes).flatmap(lambda shape: arrays_of(shape, LIKELY_KINDS))
    for name, shapes in SHAPES.items()
}))
def test_arguments_of_shapes_that_fit(model, arguments):
    MODELS[2].config.problem_type = None
    arguments["input_ids"] = np.arange(6).reshape(2, 3)
    if isinstance(model, CHOOSE):                # two texts of one choice each
        for name in {"input_ids", "attention_mask"} & set(arguments):
            arguments[name] = arguments[name][:, None]
    check_call(model, arguments)


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
TRACED = [cls(dn.DistilBertConfig(**SMALL)) for cls in CLASSES]
OUTS = [model(**call, **EVERYTHING) for model, call in zip(TRACED, CALLS, strict=True)]
OUTPUTS = ["loss", "logits", "start_logits", "end_logits", "last_hidden_state",
           "hidden_states", "attentions", "trace", "logit", ""]


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
    model, out = TRACED[number], OUTS[number]
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
        out = TRACED[number](**CALLS[number], rng=rng, trace=True)
    except dn.InputError as error:
        assert "\n" not in str(error)
        assert not isinstance(rng, np.random.Generator) and rng is not None
    else:
        assert ("embeddings.dropout" in out.trace) == (rng is not None)
        assert all(np.isfinite(array).all() for array in out.trace.values())


# --- configurations -------------------------------------------------------------------

BERT_NAMES = ["layer_norm_eps", "is_decoder", "position_embedding_type", "hidden_act",
              "intermediate_size", "hidden_dropout_prob", "type_vocab_size"]
FIELDS = sorted([*dn.DistilBertConfig().to_dict(), "num_labels", "hidden_size",
                 "num_attention_heads", "check", "__class__", "n_layer", *BERT_NAMES])
WAYS = {
    "from_dict": dn.DistilBertConfig.from_dict,
    "made": lambda fields: dn.DistilBertConfig(**fields),
    "changed": lambda fields: dn.DistilBertConfig(**SMALL).changed(**fields),
    "set": lambda fields: with_attributes(dn.DistilBertConfig(**SMALL), fields),
}

json_values = st.recursive(
    scalars.filter(lambda value: not isinstance(value, bytes)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from("0123") | st.text(max_size=3), inner, max_size=3
    ),
    max_leaves=6,
)
field_values = st.one_of(
    json_values, st.integers(0, 60), st.floats(0, 1), st.booleans(),
    st.sampled_from(["gelu", "relu", "bert", "distilbert", "regression"]),
    st.dictionaries(st.text(max_size=2), st.integers(-1, 3), max_size=3),
)


def with_attributes(config, fields):
    """Return a configuration after these attributes are set."""
    for name, value in fields.items():
        setattr(config, name, value)
    return config


@settings(max_examples=250, deadline=None)
@given(
    st.sampled_from(list(WAYS)), st.sampled_from(CLASSES),
    st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=4), field_values,
                    max_size=4),
)
def test_any_configuration(way, cls, fields):
    try:
        config = WAYS[way](SMALL | fields)
        config.check()
        sizes = config.dimensions()
        if max(sizes.values()) < 100:            # larger ones take their time
            cls(config)
    except dn.ConfigError as error:
        assert "\n" not in str(error)
    else:
        assert sizes["D"] == sizes["H"] * sizes["K"]
        assert list(config.id2label) == list(range(sizes["C"]))
        assert repr(dn.DistilBertConfig.from_dict(config.to_dict())) == repr(config)
