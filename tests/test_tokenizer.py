"""The tokenizer, offline: a vocabulary of two dozen, and the real one if here."""

import json
import pickle

import numpy as np
import pytest
from shared_data import SHARED, needs_shared

from distilbert_np import CheckpointError, DistilBertTokenizer, InputError
from distilbert_np.errors import shown
from distilbert_np.tokenizer import library_errors

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = "hello , my dog is cute ! cat cafe café Hello un ##able a ##a ' s 中 ##中"
VOCABULARY = [*SPECIAL, *WORDS.split()]


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, VOCABULARY)
    return tmp_path


@pytest.fixture
def tokenizer(folder):
    return DistilBertTokenizer.from_pretrained(folder)


def write(folder, vocabulary, **settings):
    """Write the files of a tokenizer, with or without settings."""
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    if settings:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def complaint(error_class, call, *arguments, **options):
    """Return what an error says, which must be one line."""
    with pytest.raises(error_class) as caught:
        call(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- text → tokens --------------------------------------------------------------------

PIECES = {
    "punctuation": ("Hello, my dog!", "hello , my dog !"),
    "each mark apart": ("dog!!,", "dog ! ! ,"),
    "pieces of a word": ("unable", "un ##able"),
    "accents": ("CAFÉ", "cafe"),
    "an accent of its own": ("cafe\u0301", "cafe"),
    "Chinese": ("中中dog", "中 中 dog"),
    "emoji": ("😀 dog", "[UNK] dog"),
    "nothing": ("", ""),
    "spaces": (" \t\n\u3000", ""),
    "control characters": ("d\x00o\x07g\tc\u200bat\ufffd", "dog cat"),
    "a word of 100 letters": ("a" * 100, "a" + 99 * " ##a"),
    "a longer word": ("a" * 101, "[UNK]"),
    "a mask": ("my [MASK]!", "my [MASK] !"),
    "no mask": ("[mask]", "[UNK] [UNK] [UNK]"),
}


@pytest.mark.parametrize(("text", "pieces"), PIECES.values(), ids=PIECES)
def test_tokenize(tokenizer, text, pieces):
    assert tokenizer.tokenize(text) == pieces.split()


@pytest.mark.parametrize(
    "text", ["a", "é", "中", "!", "😀\u200d", "\u0301", "\0", "[MASK]", "\u200f", "un"]
)
def test_a_hundred_thousand_characters_without_a_space(tokenizer, text):
    text_of_it = text * (10**5 // len(text))
    tokens = tokenizer(text_of_it, truncation=True, max_length=8).tokens()
    repeats = text in ("中", "!", "[MASK]")
    nothing = text in ("\u0301", "\0", "\u200f")
    middle = 6 * [text] if repeats else [] if nothing else ["[UNK]"]
    assert tokens == ["[CLS]", *middle, "[SEP]"]


@pytest.mark.parametrize(
    ("setting", "text", "pieces"),
    [
        ({"do_lower_case": False}, "Hello café", "Hello café"),
        ({"do_lower_case": True}, "Hello café", "hello cafe"),
        ({"strip_accents": False}, "Hello Café", "hello café"),
        ({"tokenize_chinese_chars": False}, "中中", "中 ##中"),
    ],
)
@pytest.mark.parametrize("files", ["vocab.txt", "tokenizer.json"])
def test_settings_go_before_both_files(folder, tokenizer, files, setting, text, pieces):
    if files == "tokenizer.json":
        tokenizer.save_pretrained(folder)
    write(folder, VOCABULARY, **setting)
    loaded = DistilBertTokenizer.from_pretrained(folder)
    assert loaded.tokenize(text) == pieces.split()


def test_special_tokens_unknown_to_tokenizer_json_are_added(folder, tokenizer):
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8")) | {"added_tokens": []}
    path.write_text(json.dumps(content))
    loaded = DistilBertTokenizer.from_pretrained(folder)
    assert loaded.tokenize("my [MASK]") == ["my", "[MASK]"]


@needs_shared
def test_the_known_ids():
    real = DistilBertTokenizer.from_pretrained(SHARED / "distilbert-base-uncased")
    ids = [101, 7592, 1010, 2026, 3899, 2003, 10140, 102]
    assert real("Hello, my dog is cute").input_ids == ids


@needs_shared
def test_vocab_txt_alone_is_enough(tmp_path):
    real = SHARED / "distilbert-base-uncased"
    (tmp_path / "vocab.txt").write_bytes((real / "vocab.txt").read_bytes())
    text = [text for text, _ in PIECES.values()]
    both = [DistilBertTokenizer.from_pretrained(place) for place in (real, tmp_path)]
    assert both[0](text) == both[1](text)
    assert both[0].get_vocab() == both[1].get_vocab()


@needs_shared
def test_cased(tmp_path):
    vocabulary = (SHARED / "bert-base-cased" / "vocab.txt").read_text(encoding="utf-8")
    write(tmp_path, vocabulary.split(), do_lower_case=False)
    cased = DistilBertTokenizer.from_pretrained(tmp_path)
    assert cased.tokenize("Hello hello É") == ["Hello", "hello", "É"]


# --- one text, a pair, a batch --------------------------------------------------------

PAIR = "[CLS] my dog [SEP] cat [SEP]"
BATCHES = {
    "a text": (("my dog",), ["[CLS] my dog [SEP]"]),
    "a pair": (("my dog", "cat"), [PAIR]),
    "texts": ((["my dog", "cat"],), ["[CLS] my dog [SEP]", "[CLS] cat [SEP]"]),
    "lists of pairs": (([["my dog", "cat"]] * 2,), [PAIR, PAIR]),
    "tuples of pairs": (([("my dog", "cat")] * 2,), [PAIR, PAIR]),
    "firsts and seconds": ((["my dog"] * 2, ["cat", "cat"]), [PAIR, PAIR]),
}


@pytest.mark.parametrize(("texts", "rows"), BATCHES.values(), ids=BATCHES)
def test_texts_and_pairs(tokenizer, texts, rows):
    encoded = tokenizer(*texts)
    assert [" ".join(encoded.tokens(i)) for i in range(len(rows))] == rows


def test_tokens_to_a_string(tokenizer):
    tokens = ["un", "##able", ",", "my", "dog"]
    assert tokenizer.convert_tokens_to_string(tokens) == "unable, my dog"


def test_one_text_has_no_batch_axis(tokenizer):
    assert tokenizer("my dog") == {"input_ids": [2, 7, 8, 3], "attention_mask": [1] * 4}


def test_without_special_tokens(tokenizer):
    assert tokenizer("my dog", add_special_tokens=False).input_ids == [7, 8]


def test_encode(tokenizer):
    assert tokenizer.encode("my", "dog", truncation=True) == [2, 7, 3, 8, 3]


def test_offsets(tokenizer):
    encoded = tokenizer("My unable!", return_offsets_mapping=True)
    assert encoded.offset_mapping == [(0, 0), (0, 2), (3, 5), (5, 9), (9, 10), (0, 0)]


def test_special_tokens_mask(tokenizer):
    encoded = tokenizer(["a", "a a"], padding=True, return_special_tokens_mask=True)
    assert encoded.special_tokens_mask == [[1, 0, 1, 1], [1, 0, 0, 1]]


def test_words(tokenizer):
    encoded = tokenizer(["my", "unable"], is_split_into_words=True)
    assert encoded.word_ids() == [None, 0, 1, 1, None]


def test_batch_of_words(tokenizer):
    encoded = tokenizer([["my", "unable"], ["dog"]], is_split_into_words=True)
    assert [encoded.word_ids(i)[1:-1] for i in (0, 1)] == [[0, 1, 1], [0]]


def test_pair_of_words(tokenizer):
    encoded = tokenizer(["my", "dog"], ["cat"], is_split_into_words=True)
    assert " ".join(encoded.tokens()) == PAIR


def test_sequence_ids(tokenizer):
    encoded = tokenizer("my dog", "cat")
    assert encoded.sequence_ids() == [None, 0, 0, None, 1, None]


def test_encoding_by_key_attribute_and_item(tokenizer):
    encoded = tokenizer("my dog")
    assert encoded["input_ids"] is encoded.input_ids
    assert list(encoded.items()) == [(name, encoded[name]) for name in encoded]


def test_encoding_without_a_field(tokenizer):
    message = complaint(AttributeError, getattr, tokenizer("dog"), "labels")
    assert message == "this encoding has no field 'labels'"


def test_encoding_can_be_pickled(tokenizer):
    encoded = tokenizer("my dog")
    again = pickle.loads(pickle.dumps(encoded))
    assert again == encoded and again.tokens() == encoded.tokens()


# --- padding, truncation, arrays ------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "padding", "rows"),
    [
        ("right", True, [[2, 8, 3, 0], [2, 7, 8, 3]]),
        ("left", True, [[0, 2, 8, 3], [2, 7, 8, 3]]),
        ("right", "longest", [[2, 8, 3, 0], [2, 7, 8, 3]]),
        ("right", "max_length", [[2, 8, 3, 0, 0], [2, 7, 8, 3, 0]]),
        ("left", "max_length", [[0, 0, 2, 8, 3], [0, 2, 7, 8, 3]]),
        ("right", False, [[2, 8, 3], [2, 7, 8, 3]]),
        ("right", "do_not_pad", [[2, 8, 3], [2, 7, 8, 3]]),
    ],
)
def test_padding(tokenizer, side, padding, rows):
    tokenizer.padding_side = side
    encoded = tokenizer(["dog", "my dog"], padding=padding, max_length=5)
    assert encoded.input_ids == rows
    assert encoded.attention_mask == [[int(i != 0) for i in row] for row in rows]


@pytest.mark.parametrize(
    ("truncation", "tokens"),
    [
        (True, "[CLS] a a a [SEP] dog dog [SEP]"),
        ("longest_first", "[CLS] a a a [SEP] dog dog [SEP]"),
        ("only_first", "[CLS] a a [SEP] dog dog dog [SEP]"),
        ("only_second", "[CLS] a a a a [SEP] dog [SEP]"),
        (None, "[CLS] a a a [SEP] dog dog [SEP]"),
        (False, "[CLS] a a a a [SEP] dog dog dog [SEP]"),
        ("do_not_truncate", "[CLS] a a a a [SEP] dog dog dog [SEP]"),
    ],
)
def test_truncation(tokenizer, truncation, tokens):
    encoded = tokenizer("a a a a", "dog dog dog", truncation=truncation, max_length=8)
    assert " ".join(encoded.tokens()) == tokens


@pytest.mark.parametrize(
    ("setting", "length"), [(None, 512), (7, 7), (1e30, 512), (int(1e30), 512)]
)
def test_model_max_length(folder, setting, length):
    write(folder, VOCABULARY, **({"model_max_length": setting} if setting else {}))
    encoded = DistilBertTokenizer.from_pretrained(folder)("a " * 600, truncation=True)
    assert len(encoded.input_ids) == length


WINDOWS = {
    "one fits": ("my dog", {"max_length": 4}, ["my dog"]),
    "side by side": (
        "my dog is cute hello", {"max_length": 4}, ["my dog", "is cute", "hello"]
    ),
    "overlapping": (
        "my dog is cute hello", {"max_length": 5, "stride": 2},
        ["my dog is", "dog is cute", "is cute hello"],
    ),
    "on the second": (
        ("my dog", "a a cat is cute"),
        {"max_length": 8, "stride": 1, "truncation": "only_second"},
        ["my dog [SEP] a a cat", "my dog [SEP] cat is cute"],
    ),
    "on the first": (
        ("a a cat is cute", "my dog"),
        {"max_length": 8, "stride": 1, "truncation": "only_first"},
        ["a a cat [SEP] my dog", "cat is cute [SEP] my dog"],
    ),
}


@pytest.mark.parametrize(("texts", "options", "rows"), WINDOWS.values(), ids=WINDOWS)
def test_windows(tokenizer, texts, options, rows):
    texts = texts if isinstance(texts, tuple) else (texts,)
    options = {"truncation": True, "return_overflowing_tokens": True} | options
    encoded = tokenizer(*texts, **options)
    windows = [tokenizer.decode(row) for row in encoded["input_ids"]]
    assert windows == [f"[CLS] {row} [SEP]" for row in rows]
    assert encoded["overflow_to_sample_mapping"] == [0] * len(rows)


def test_windows_tell_which_text_they_are_on(tokenizer):
    encoded = tokenizer(
        ["my dog is cute", "my cat", "a cat !"], truncation=True, max_length=4,
        return_overflowing_tokens=True, padding=True, return_tensors="np",
    )
    assert encoded["overflow_to_sample_mapping"].tolist() == [0, 0, 1, 2, 2]
    assert encoded["attention_mask"].sum(axis=1).tolist() == [4, 4, 4, 4, 3]
    assert encoded.tokens(4) == ["[CLS]", "!", "[SEP]", "[PAD]"]


@pytest.mark.parametrize("nothing", ["", None])
def test_of_a_single_text_an_empty_second_is_none(tokenizer, nothing):
    assert tokenizer("dog", nothing) == tokenizer("dog")
    assert tokenizer(["dog"], [""])["input_ids"] == [[2, 8, 3, 3]]


def test_one_call_leaves_no_trace_in_the_next(tokenizer):
    before = tokenizer("my dog is cute")
    tokenizer("my dog is cute", truncation=True, max_length=3)
    tokenizer("my dog is cute", padding="max_length", max_length=9)
    assert tokenizer("my dog is cute") == before


@pytest.mark.parametrize("text", ["my dog", ["my dog"]])
def test_arrays_have_a_batch_axis(tokenizer, text):
    ids = tokenizer(text, return_tensors="np").input_ids
    assert ids.dtype == np.int64
    np.testing.assert_array_equal(ids, [[2, 7, 8, 3]])


def test_offsets_as_an_array(tokenizer):
    options = {"return_tensors": "np", "return_offsets_mapping": True}
    assert tokenizer(["my dog"] * 3, **options).offset_mapping.shape == (3, 4, 2)


# --- ids ⇄ tokens, ids → text ---------------------------------------------------------


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        ([2, 5, 6, 7, 8, 11, 3], "[CLS] hello, my dog! [SEP]"),
        ([16, 17], "unable"),
        (np.array([7, 8]), "my dog"),
        (8, "dog"),
        (np.int64(8), "dog"),
        ([], ""),
        ([[7, 8], [12]], ["my dog", "cat"]),
        (np.array([[7], [8]]), ["my", "dog"]),
        (np.array(8), "dog"),
        ((7, 8), "my dog"),
        (range(7, 9), "my dog"),
        ({7: "my", 8: "dog"}.keys(), "my dog"),
        ([np.int64(7), np.array(8)], "my dog"),
        ([np.array([7, 8]), [8], []], ["my dog", "dog", ""]),
    ],
)
def test_decode(tokenizer, ids, text):
    assert tokenizer.decode(ids) == text


def test_decode_takes_what_can_be_gone_through_once(tokenizer):
    assert tokenizer.decode(iter([7, 8])) == "my dog"
    assert tokenizer.decode([iter([7, 8]), iter([12])]) == ["my dog", "cat"]
    assert tokenizer.batch_decode(iter([iter([7, 8])])) == ["my dog"]


def test_decode_without_special_tokens(tokenizer):
    assert tokenizer.decode([2, 7, 4, 8, 3, 0], skip_special_tokens=True) == "my dog"


def test_batch_decode(tokenizer):
    decoded = tokenizer.batch_decode([[2, 7, 3], [8]], skip_special_tokens=True)
    assert decoded == ["my", "dog"]


@pytest.mark.parametrize(("clean_up", "text"), [(False, "dog ' s"), (True, "dog's")])
def test_decode_cleans_up_where_the_settings_say_so(folder, clean_up, text):
    write(folder, VOCABULARY, clean_up_tokenization_spaces=clean_up)
    tokenizer = DistilBertTokenizer.from_pretrained(folder)
    assert tokenizer.decode(tokenizer("dog's").input_ids[1:-1]) == text


@pytest.mark.parametrize(
    ("ids", "tokens"),
    [
        (7, "my"), ([7, 8], ["my", "dog"]), (np.array([4]), ["[MASK]"]), (range(0), []),
        (np.array(7), "my"), (iter([7]), ["my"]), ([np.uint8(8)], ["dog"]),
    ],
)
def test_convert_ids_to_tokens(tokenizer, ids, tokens):
    assert tokenizer.convert_ids_to_tokens(ids) == tokens


@pytest.mark.parametrize(
    ("tokens", "ids"),
    [
        ("my", 7), (["my", "dog"], [7, 8]), ("horse", 1), ([], []),
        (np.array("my"), 7), (np.array(["my", "horse"]), [7, 1]),
    ],
)
def test_convert_tokens_to_ids(tokenizer, tokens, ids):
    assert tokenizer.convert_tokens_to_ids(tokens) == ids


def test_the_vocabulary(tokenizer):
    assert tokenizer.get_vocab() == {t: i for i, t in enumerate(VOCABULARY)}
    assert tokenizer.vocab_size == len(tokenizer) == len(VOCABULARY)


@pytest.mark.parametrize("name", ["pad", "unk", "cls", "sep", "mask"])
def test_special_tokens(tokenizer, name):
    token = f"[{name.upper()}]"
    assert getattr(tokenizer, f"{name}_token") == token
    assert getattr(tokenizer, f"{name}_token_id") == VOCABULARY.index(token)
    assert VOCABULARY.index(token) in tokenizer.all_special_ids


# --- files ----------------------------------------------------------------------------


@pytest.mark.parametrize("left", ["tokenizer.json", "vocab.txt"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"do_lower_case": False},
        {"strip_accents": False},
        {"tokenize_chinese_chars": False},
        {"clean_up_tokenization_spaces": True},
        {"model_max_length": 4},
    ],
    ids=str,
)
def test_saved_and_loaded(folder, tmp_path, left, settings):
    write(folder, VOCABULARY, **settings)
    first = DistilBertTokenizer.from_pretrained(folder)
    first.save_pretrained(tmp_path / "new" / "folder")
    for name in {"tokenizer.json", "vocab.txt"} - {left}:
        (tmp_path / "new" / "folder" / name).unlink()
    again = DistilBertTokenizer.from_pretrained(tmp_path / "new" / "folder")
    texts = ["Hello Café 中中", "dog's"]
    assert again(texts, truncation=True) == first(texts, truncation=True)
    assert again.decode([8, 20, 21]) == first.decode([8, 20, 21])


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "marked"])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["Unix", "Windows"])
def test_ways_to_write_a_vocabulary(tmp_path, start, line_end):
    lines = [token.encode() for token in VOCABULARY]
    (tmp_path / "vocab.txt").write_bytes(start + line_end.join(lines))
    vocabulary = DistilBertTokenizer.from_pretrained(tmp_path).get_vocab()
    assert sorted(vocabulary, key=vocabulary.get) == VOCABULARY


# --- bad input ------------------------------------------------------------------------

LONE = "half a character (a lone surrogate) at position 1"
BAD_CALLS = {
    "no texts": (([],), {}, "text: expected a text or several, found []"),
    "no text": ((None,), {}, "text: expected a text or several, found None"),
    "bytes": ((b"dog",), {}, "text: expected a text or several, found b'dog'"),
    "numbers": ((["dog", 5],), {}, "text[1]: expected a text, found 5"),
    "a number too long": (([10**5000],), {}, "text[0]: expected a text, found a int"),
    "an array": (
        (np.array([["a", "b"], ["c", "d"]]),), {},
        "text: expected a text or several, found array([['a', 'b'], ['c', 'd']], "
        "dtype='<U1')",
    ),
    "a dictionary": (
        ({"a": "b"},), {}, "text: expected a text or several, found {'a': 'b'}"
    ),
    "a second of numbers": (("a", 5), {}, "text: expected a text, found 5"),
    "three": (
        ([["a", "b", "c"]],), {}, "text[0]: expected a text, found ['a', 'b', 'c']"
    ),
    "mixed": (
        (["a", ["b", "c"]],), {}, "text: expected only texts or only pairs, found both"
    ),
    "fewer seconds": (
        (["a", "b"], ["c"]), {}, "text_pair: expected a list of 2 texts, found ['c']"
    ),
    "a text as words": (
        ("a b",), {"is_split_into_words": True},
        "text: expected a text or several, found 'a b'",
    ),
    "lone surrogate": (("a\ud800",), {}, f"text: {LONE}"),
    "lone surrogate in a batch": ((["dog", "a\ud800"],), {}, f"text[1]: {LONE}"),
    "max_length too short": (
        ("dog",), {"truncation": True, "max_length": 1},
        "max_length: expected at least 2, for the special tokens, found 1",
    ),
    "max_length too short for a pair": (
        ("my", "dog"), {"truncation": True, "max_length": 2},
        "max_length: expected at least 3, for the special tokens, found 2",
    ),
    "negative max_length": (
        ("dog",), {"padding": "max_length", "max_length": -1},
        "max_length: expected a whole number from 0 to 1,000,000, found -1",
    ),
    "max_length of no number": (
        ("dog",), {"max_length": "8"},
        "max_length: expected a whole number from 0 to 4,294,967,295, found '8'",
    ),
    "max_length of no memory": (
        ("dog",), {"padding": "max_length", "max_length": 1 << 31},
        "max_length: expected a whole number from 0 to 1,000,000, found 2147483648",
    ),
    "max_length beyond any": (
        ("dog",), {"truncation": True, "max_length": 1 << 32},
        "max_length: expected a whole number from 0 to 4,294,967,295, found 4294967296",
    ),
    "max_length of truth": (
        ("dog",), {"max_length": True},
        "max_length: expected a whole number from 0 to 4,294,967,295, found True",
    ),
    "no second": (
        ("dog",), {"truncation": "only_second"},
        "truncation: 'only_second' needs a pair of texts",
    ),
    "second too short": (
        ("a a a a", "dog"), {"truncation": "only_second", "max_length": 5},
        "text: cannot be encoded (Truncation error: Sequence to truncate too short to "
        "respect the provided max_length)",
    ),
    "a stride too large": (
        ("my dog is",), {"max_length": 4, "stride": 2, "truncation": True},
        "stride: found 2, but max_length 4 has room for 2 tokens of text",
    ),
    "a stride too large for the second": (
        ("a a", "my dog is"),
        {"max_length": 7, "stride": 2, "truncation": "only_second"},
        "stride: found 2, but a window of max_length 7 has room for 2 tokens of the "
        "text",
    ),
    "windows with room for nothing": (
        ("my dog",),
        {"max_length": 2, "truncation": True, "return_overflowing_tokens": True},
        "stride: found 0, but a window of max_length 2 has room for 0 tokens of the "
        "text",
    ),
    "windows on both": (
        ("my dog", "my dog"), {"max_length": 6, "stride": 1, "truncation": True},
        "stride: windows on a pair of texts need truncation='only_first' or "
        "'only_second'",
    ),
    "stride of no number": (
        ("dog",), {"stride": 1.5},
        "stride: expected a whole number from 0 to 4,294,967,295, found 1.5",
    ),
    "padding": (
        ("dog",), {"padding": "max"},
        "padding: expected one of False, 'do_not_pad', True, 'longest', 'max_length', "
        "found 'max'",
    ),
    "truncation": (
        ("dog",), {"truncation": ["only_first"]},
        "truncation: expected one of None, False, 'do_not_truncate', True, "
        "'longest_first', 'only_first', 'only_second', found ['only_first']",
    ),
    "PyTorch": (
        ("dog",), {"return_tensors": "pt"},
        "return_tensors: expected one of 'np', None, found 'pt'",
    ),
    "tensors in an array": (
        ("dog",), {"return_tensors": np.array(["np", "np"])},
        "return_tensors: expected one of 'np', None, found array(['np', 'np'], "
        "dtype='<U2')",
    ),
    **{
        name: (("a",), {name: no}, f"{name}: expected True or False, found {no!r}")
        for name, no in {
            "add_special_tokens": "no", "is_split_into_words": 1,
            "return_offsets_mapping": None, "return_special_tokens_mask": np.zeros(2),
        }.items()
    },
    "ragged": (
        (["dog", "my dog"],), {"return_tensors": "np"},
        "input_ids: the texts have 3 to 4 tokens; arrays need padding=True",
    ),
}


@pytest.mark.parametrize(
    ("texts", "options", "message"), BAD_CALLS.values(), ids=BAD_CALLS
)
def test_bad_calls(tokenizer, texts, options, message):
    assert complaint(InputError, tokenizer, *texts, **options) == message


def test_bad_padding_side(tokenizer):
    tokenizer.padding_side = "top"
    message = complaint(InputError, tokenizer, "dog", padding=True)
    assert message == "padding_side: expected one of 'right', 'left', found 'top'"


@pytest.mark.parametrize("method", ["decode", "convert_ids_to_tokens"])
@pytest.mark.parametrize(
    ("ids", "message"),
    [
        *(
            (ids, f"ids: expected whole numbers, found {found}")
            for ids, found in (
                ([7.0], "7.0"), (np.array([7.0, 8]), "7.0"), (np.array(7.5), "7.5"),
                ([True], "True"), ([b"a"], "b'a'"), (["dog"], "'dog'"), (b"a", "b'a'"),
                ([None], "None"), ([7, [8]], "[8]"),
            )
        ),
        ([10**5000], "ids: found a int, expected 0 to 23"),
        ([99999], "ids: found 99999, expected 0 to 23"),
        ([2**70], f"ids: found {2**70}, expected 0 to 23"),
        ([7, -100], "ids: found -100, expected 0 to 23"),
        (24, "ids: found 24, expected 0 to 23"),
        ("dog", "ids: expected whole numbers, found 'dog'"),
        (None, "ids: expected whole numbers, found None"),
    ],
    ids=shown,
)
def test_bad_ids(tokenizer, method, ids, message):
    assert complaint(InputError, getattr(tokenizer, method), ids) == message


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["dog", 5], "tokens: expected a text, found 5"),
        ([["dog"]], "tokens: expected a text, found ['dog']"),
        (None, "tokens: expected a text, found None"),
        (b"dog", "tokens: expected a text, found b'dog'"),
        (["dog", "a\ud800"], f"tokens: {LONE}"),
        ("a\ud800", f"tokens: {LONE}"),
    ],
)
def test_bad_tokens(tokenizer, tokens, message):
    assert complaint(InputError, tokenizer.convert_tokens_to_ids, tokens) == message


@pytest.mark.parametrize("sequences", [5, None, "dog", b"dog"])
def test_bad_batches_of_ids(tokenizer, sequences):
    message = complaint(InputError, tokenizer.batch_decode, sequences)
    assert message == f"sequences: expected several, found {sequences!r}"


@pytest.mark.parametrize("call", ["decode", "batch_decode"])
@pytest.mark.parametrize("value", ["no", 1, None], ids=repr)
def test_bad_switches_of_decode(tokenizer, call, value):
    message = complaint(InputError, getattr(tokenizer, call), [[7]], value)
    assert message == f"skip_special_tokens: expected True or False, found {value!r}"


CONFIG = "tokenizer_config.json"
BAD_FILES = {
    "duplicates": ("vocab.txt", "a\nb\na\n", "lines 1 and 3 are both 'a'"),
    "no [CLS]": (
        "vocab.txt", "[PAD]\n[UNK]\n[SEP]\n[MASK]\n", "the vocabulary has no [CLS]"
    ),
    "empty": (
        "vocab.txt", "", "the vocabulary has no [PAD], [UNK], [CLS], [SEP], [MASK]"
    ),
    "not UTF-8": ("vocab.txt", b"caf\xe9\n", "not a text in UTF-8 ("),
    "broken tokenizer.json": ("tokenizer.json", '{"model": ', "not a tokenizer ("),
    "other tokenizer.json": (
        "tokenizer.json", '{"model": {"type": "WordLevel", "vocab": {"[PAD]": 0}, '
        '"unk_token": "[UNK]"}}',
        "the vocabulary has no [UNK], [CLS], [SEP], [MASK]",
    ),
    "broken settings": (CONFIG, "{", "not a JSON file ("),
    "settings of no object": (CONFIG, "[]", "expected a JSON object"),
    "no length": (CONFIG, '{"model_max_length": null}', "model_max_length cannot be N"),
    **{
        f"a length of {value}": (
            CONFIG, f'{{"model_max_length": {value}}}', "model_max_length cannot be "
        )
        for value in ("0", "-1", "true", "NaN", "-Infinity", "-1e400")
    },
    "no truth": (CONFIG, '{"do_lower_case": "yes"}', "do_lower_case cannot be 'yes'"),
}


@pytest.mark.parametrize(
    ("name", "content", "message"), BAD_FILES.values(), ids=BAD_FILES
)
def test_bad_files(folder, name, content, message):
    content = content if isinstance(content, bytes) else content.encode()
    (folder / name).write_bytes(content)
    found = complaint(CheckpointError, DistilBertTokenizer.from_pretrained, folder)
    assert found.startswith(f"{folder / name}: {message}")


def unknown_piece(content):
    """Frame texts with a token that the frame does not explain: the library panics."""
    piece = {"SpecialToken": {"id": "?", "type_id": 0}}
    content["post_processor"]["single"].append(piece)


def other_ids(content):
    """Frame texts with a [CLS] that has another token's id."""
    content["post_processor"]["special_tokens"]["[CLS]"]["ids"] = [255]


def no_unknown(content):
    """Take the token that stands for unknown words from the words that are known."""
    del content["model"]["vocab"]["[UNK]"]


def endless_padding(content):
    """Fill every text up to more tokens than memory holds."""
    content["padding"] = {
        "strategy": {"Fixed": 10**12}, "direction": "Right", "pad_to_multiple_of": None,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]",
    }


@pytest.mark.parametrize(("spoil", "message"), [
    (unknown_piece, "cannot encode a text ("),
    (other_ids, "post_processor: the ids of [CLS] [SEP] [SEP] are not [255, 3, 3]"),
    (no_unknown, "cannot encode a text (WordPiece error: Missing [UNK] token"),
])
def test_a_tokenizer_json_that_could_not_encode_is_refused(
    folder, tokenizer, spoil, message
):
    rewrite(folder, tokenizer, spoil)
    found = complaint(CheckpointError, DistilBertTokenizer.from_pretrained, folder)
    assert found.startswith(f"{folder / 'tokenizer.json'}: {message}")


def rewrite(folder, tokenizer, change):
    """Write a tokenizer's files, and change what tokenizer.json holds."""
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_padding_that_tokenizer_json_sets_is_passed_over(folder, tokenizer):
    rewrite(folder, tokenizer, endless_padding)
    again = DistilBertTokenizer.from_pretrained(folder)
    assert again("my dog") == tokenizer("my dog")


def test_a_panic_of_the_library_is_an_error_of_ours(tokenizer, monkeypatch):
    class PanicException(BaseException):
        """No Exception, as in the library."""

    def panic(*_, **__):
        raise PanicException("no entry found for key")

    monkeypatch.setattr(tokenizer, "backend", Panicking(tokenizer.backend, panic))
    message = complaint(InputError, tokenizer, "dog")
    assert message == "text: cannot be encoded (no entry found for key)"
    monkeypatch.setattr(tokenizer.backend, "encode_batch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tokenizer("dog")


def test_an_interrupt_on_the_way_into_the_library_is_none_of_its_errors():
    # Ctrl-C after __enter__ and before the body: Python closes the generator.
    entered = library_errors.__wrapped__(InputError, "text")
    next(entered)
    entered.close()


class Panicking:
    """A backend that encodes nothing."""

    def __init__(self, backend, encode_batch):
        self.backend, self.encode_batch = backend, encode_batch

    def __getattr__(self, name):
        return getattr(self.backend, name)


def interrupted(*_, **__):
    raise KeyboardInterrupt


def test_folder_without_files(tmp_path):
    found = complaint(CheckpointError, DistilBertTokenizer.from_pretrained, tmp_path)
    assert found == f"{tmp_path}: no tokenizer.json and no vocab.txt here"
