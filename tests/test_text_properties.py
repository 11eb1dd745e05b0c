"""Whatever text there is, in whatever order of nesting: tokens, or one line that says
what is wrong."""

import numpy as np
import pytest
from cases import SMALL

import distilbert_np as dn

hypothesis = pytest.importorskip("hypothesis")

from hypothesis import given, settings
from hypothesis import strategies as st

TOKENIZER = dn.DistilBertTokenizer.from_pretrained("tiny")
CONFIG = dn.DistilBertConfig(**SMALL | {"vocab_size": len(TOKENIZER)})
FILL = dn.pipeline("fill-mask", dn.DistilBertForMaskedLM(CONFIG), TOKENIZER)
EMBED = dn.pipeline("embed", dn.DistilBertModel(CONFIG), TOKENIZER)

# Of all scripts and none: right to left, combining, joined, of no width, halves of
# characters, and what the tokenizer itself writes.
ODDITIES = [
    "[MASK]", "[CLS]", "[PAD]", "##", "the cat", "a" * 101, "אבג\u200f", "שָׁ", "\u202e",
    "e\u0301\u0323", "👩\u200d👩\u200d👧", "🇫🇷", "❤\ufe0f", "中", "ﷺ", "İ", "ß", "\0",
    "\ufeff", "\ufffe", "\U0010ffff", "\u2028", "\r\n", " ", "\ud83d", "\udc69",
]
texts = st.lists(
    st.text(st.characters(exclude_categories=()), max_size=20)
    | st.sampled_from(ODDITIES),
    max_size=6,
).map("".join)
others = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.binary(max_size=3),
    st.sampled_from([np.array("a"), np.array([["a"], ["b"]]), object(), range(3)]),
    st.dictionaries(texts, texts, max_size=2), texts.map(np.str_),
)
nested = st.recursive(
    texts | texts | others,
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner),
    max_leaves=6,
)
OPTIONS = ["add_special_tokens", "padding", "truncation", "max_length",
           "return_tensors", "is_split_into_words", "return_offsets_mapping",
           "return_special_tokens_mask"]
options = st.dictionaries(
    st.sampled_from(OPTIONS),
    st.one_of(
        others, st.booleans(), st.integers(0, 12),
        st.sampled_from(["longest", "max_length", "longest_first", "only_first",
                         "only_second", "do_not_truncate", "do_not_pad", "np", "pt"]),
    ),
    max_size=4,
)


def answer(call, *arguments, **options):
    """Return what a call answers; None if it refuses, in one line."""
    try:
        return call(*arguments, **options)
    except dn.InputError as error:
        assert "\n" not in str(error)


def has_half_characters(text):
    return any("\ud800" <= character <= "\udfff" for character in text)


@settings(max_examples=250, deadline=None)
@given(texts)
def test_any_text(text):
    encoded = answer(TOKENIZER, text, return_offsets_mapping=True)
    if has_half_characters(text):
        assert encoded is None and answer(TOKENIZER.tokenize, text) is None
        return
    ids = encoded.input_ids
    assert ids[0] == TOKENIZER.cls_token_id and ids[-1] == TOKENIZER.sep_token_id
    assert encoded.tokens()[1:-1] == TOKENIZER.tokenize(text)
    assert TOKENIZER.convert_tokens_to_ids(encoded.tokens()) == ids
    assert TOKENIZER.convert_ids_to_tokens(ids) == encoded.tokens()
    assert all(0 <= start <= end <= len(text) for start, end in encoded.offset_mapping)
    assert isinstance(TOKENIZER.decode(ids), str)


@settings(max_examples=250, deadline=None)
@given(nested, st.none() | nested, options)
def test_any_call(text, pair, options):
    encoded = answer(TOKENIZER, text, pair, **options)
    if encoded is None:
        return
    rows = encoded.input_ids
    if isinstance(rows, list) and not any(isinstance(row, list) for row in rows):
        rows = [rows]
    assert [len(row) for row in rows] == [len(e.ids) for e in encoded.encodings]
    assert all(0 <= number < len(TOKENIZER) for row in rows for number in row)
    if options.get("max_length") and options.get("truncation") is True:
        longest = max(len(row) for row in rows)
        assert longest <= options["max_length"]


anything = st.recursive(
    st.one_of(
        others, texts, st.integers(0, len(TOKENIZER) - 1),
        st.integers(0, 9).map(np.int64),
        st.lists(st.integers(0, 9) | st.floats(), max_size=3).map(np.array),
        st.none().map(lambda _: 10**5000),       # too long for Python to print
    ),
    lambda inner: st.lists(inner, max_size=3) | st.sets(st.integers(0, 9))
    | st.lists(inner, max_size=3).map(iter),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(anything, st.booleans() | others)
def test_any_ids_and_tokens(value, skip):
    value = list(value) if hasattr(value, "__next__") else value  # of use only once
    tokens = answer(TOKENIZER.convert_ids_to_tokens, value)
    if isinstance(tokens, list):                 # a sequence of ids: it has a text
        assert isinstance(TOKENIZER.decode(value), str)
        assert TOKENIZER.convert_tokens_to_ids(tokens) == [int(i) for i in value]
    answer(TOKENIZER.decode, value, skip)
    answer(TOKENIZER.batch_decode, value, skip)
    answer(TOKENIZER.convert_tokens_to_ids, value)


# --- pipelines ------------------------------------------------------------------------

masked_texts = st.one_of(texts, texts.map("The [MASK] of {}".format), others)


@settings(max_examples=250, deadline=None)
@given(masked_texts | st.lists(masked_texts, max_size=3),
       st.integers(1, 9) | st.none() | st.integers() | st.floats() | st.text())
def test_any_text_to_fill(text, top_k):
    answer(FILL, text, top_k=top_k)


@settings(max_examples=250, deadline=None)
@given(nested, st.integers(1, 99) | st.integers(max_value=2**40) | st.floats() | texts,
       st.booleans())
def test_any_text_to_embed(text, budget, normalize):
    vectors = answer(
        EMBED, text, max_tokens_per_batch=budget, normalize=normalize, progress=False
    )
    assert vectors is None or np.isfinite(vectors).all()
