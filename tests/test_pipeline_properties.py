"""Whatever a pipeline is given, it answers or says in one line what is wrong."""

import json
import math
import warnings

import numpy as np
import pytest
from answers import HEADS, TAGS, Question, write_checkpoint

from distilbert_np import DistilBertError, pipeline

hypothesis = pytest.importorskip("hypothesis")

from hypothesis import given, settings
from hypothesis import strategies as st

# Every character there is, lone surrogates too; and what the tokenizer takes apart.
characters = st.characters(exclude_categories=())
pieces = st.sampled_from([
    "[MASK]", "[CLS]", "##s", "dog", " ", "İ", "你", "👩\u200d👧", "e\u0301", "\x00",
    "\n", "supercalifragilistic", "\u202e", "ﬁ", "\U0010ffff", "a" * 101,
])
texts = st.one_of(
    st.text(characters, max_size=20), st.lists(pieces, max_size=12).map("".join)
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 300), st.floats(), st.binary(max_size=3),
    texts, st.sampled_from([2**31, 2**64, 10**400, np.arange(3), np.int64(2), set()]),
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=3), inner, max_size=2),
    ),
    max_leaves=5,
)
questions = st.fixed_dictionaries({"question": texts, "context": texts})
choices = st.fixed_dictionaries(
    {"text": texts, "choices": st.lists(texts, min_size=1, max_size=3)}
)
pairs = st.fixed_dictionaries({"text": texts, "text_pair": texts})
RIGHT = {
    "question-answering": questions, "multiple-choice": choices,
    "text-classification": st.one_of(texts, pairs),
}
counts = st.one_of(st.integers(-1, 50), scalars)
OPTIONS = {
    "top_k": counts, "targets": anything, "tokenizer_kwargs": anything,
    "function_to_apply": st.one_of(
        scalars, st.sampled_from(["softmax", "sigmoid", "none"])
    ),
    "truncation": scalars, "max_length": counts, "padding": scalars,
    "aggregation_strategy": st.one_of(
        scalars, st.sampled_from(["none", "simple", "first", "average", "max"])
    ),
    "ignore_labels": st.lists(st.sampled_from([*TAGS.values(), "PER", ""])),
    "stride": counts, "is_split_into_words": st.booleans(), "delimiter": scalars,
    "doc_stride": counts, "max_answer_len": counts, "max_seq_len": counts,
    "handle_impossible_answer": st.booleans(), "align_to_words": st.booleans(),
    "return_tensors": st.booleans(), "normalize": st.booleans(), "batch_size": counts,
    "max_tokens_per_batch": counts, "zzz": scalars,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    pipelines = {}
    for task in HEADS:
        folder = tmp_path_factory.mktemp("checkpoint")
        config = {"id2label": TAGS} if task == "token-classification" else {}
        write_checkpoint(folder, Question(task, "", config=config))
        pipelines[task] = pipeline(task, folder)
    return pipelines


def finite(answer):
    """Whether all numbers of an answer are finite; an array's, too."""
    if isinstance(answer, dict):
        return all(map(finite, answer.values()))
    if isinstance(answer, (list, tuple)):
        return all(map(finite, answer))
    if hasattr(answer, "tolist"):
        return finite(answer.tolist())
    return not isinstance(answer, float) or math.isfinite(answer)


@st.composite
def calls(draw):
    """Return a task, its inputs (right ones mostly) and options (few)."""
    task = draw(st.sampled_from([*HEADS]))
    right = RIGHT.get(task, texts)
    inputs = draw(st.one_of(right, st.lists(right, max_size=4), anything))
    names = draw(st.sets(st.sampled_from([*OPTIONS]), max_size=3))
    return task, inputs, {name: draw(OPTIONS[name]) for name in sorted(names)}


@settings(max_examples=1500, deadline=None)
@given(calls())
def test_any_call(made, call):
    task, inputs, options = call
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)     # of targets
            answer = made[task](inputs, **options)
    except DistilBertError as error:
        assert "\n" not in str(error)
    else:
        assert finite(answer)
        if not hasattr(answer, "dtype") and not options.get("return_tensors"):
            json.dumps(answer)
