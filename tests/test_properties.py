"""Whatever a call is given, it answers with finite numbers or says what is wrong."""

import numpy as np
import pytest
from cases import SMALL

import distilbert_np as dn

hypothesis = pytest.importorskip("hypothesis")

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

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
