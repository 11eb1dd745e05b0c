"""The tokenizer against transformers', live: the same texts, the same everything."""

import json
import shutil

import pytest
from shared_data import SHARED, minilm_folder, needs_shared

from distilbert_np import DistilBertTokenizer
from distilbert_np.hub import EMBEDDED

transformers = pytest.importorskip("transformers")

TEXTS = {
    "plain": "Hello, my dog is cute",
    "empty": "",
    "spaces": " \t\r\n ",
    "no-break and wide spaces": "a\u00a0b\u3000c\u2009d",
    "capitals": "The CAPITAL of France is PARIS",
    "accents": "Café naïve ÅNGSTRÖM résumé Žižek",
    "combining accents": "cafe\u0301 a\u0323\u0308 n\u0303",
    "German": "Straße, Fußgänger, ẞ",
    "Turkish": "İstanbul ışık",
    "Vietnamese": "Tiếng Việt có dấu",
    "ligatures": "ﬁnd Ĳssel Ⅷ ½ ™",
    "Greek": "Ὀδυσσεύς σοφός ΣΑΣ",
    "Russian": "Ёлка и йод",
    "Chinese": "今天天气很好,我们走吧。",
    "Japanese": "日本語のテスト、カタカナ",
    "Korean": "한국어 문장입니다",
    "rare ideographs": "\U00020000 x\U0002f800y",
    "Arabic": "اللغة العَرَبيّة",
    "Hebrew": "שָׁלוֹם עולם",
    "Hindi": "हिन्दी में पाठ",
    "Thai": "ภาษาไทย",
    "emoji": "😀 good👍🏽morning",
    "joined emoji": "👩‍👩‍👧 🇫🇷 ❤️",
    "control characters": "a\x00b\x07c\x1bd\x7fe\ufffdf\u200bg\u202eh",
    "soft hyphen": "un\u00adable",
    "private use": "\ue000 \U0010fffd \uffff",
    "99 letters": "x" * 99,
    "100 letters": "x" * 100,
    "101 letters": "x" * 101,
    "600 words": "word " * 600,
    "special tokens": "The [MASK] of [SEP] is [CLS][PAD][UNK].",
    "almost special": "[mask] [ MASK ] [MASK [[MASK]] x[MASK]y",
    "quotes": "“Don't!” 'we've' it''s \"hi\" I'm can't they're",
    "punctuation": "wait... what?! (no) {x} <y> a-b_c/d\\e @#$%^&*~`|",
    "Unicode punctuation": "a—b…c«d»e‚f·g¿h¡",
    "numbers": "3.14 1,000,000 $5 -7 1e-9 ٣ ²",
    "code": "def f(x): return x**2  # squares\n\tf(3)",
    "address": "https://example.org/a?b=c&d=e#f me@example.org",
    "marks of pieces": "##ing un##able ## #",
    "lines": "one\ntwo\r\nthree\u2028four\u2029five",
    "unseen words": "antidisestablishmentarianism supercalifragilistic qwxzj",
}
OPTIONS = {
    "nothing": {},
    "no special tokens": {"add_special_tokens": False},
    "truncated": {"truncation": True, "max_length": 9},
    "truncated by a length alone": {"max_length": 9},
    "truncated to nothing": {"truncation": True, "max_length": 2},
    "truncated to the model's length": {"truncation": True},
    "not truncated": {"truncation": False, "max_length": 9},
    "padded": {"padding": True},
    "padded and truncated": {"padding": True, "truncation": True, "max_length": 8},
    "padded to a length": {"padding": "max_length", "max_length": 40},
    "padded to the model's length": {"padding": "max_length", "truncation": True},
    "arrays": {"padding": True, "return_tensors": "np"},
    "windows": {
        "truncation": True, "max_length": 9, "return_overflowing_tokens": True,
    },
    "windows that overlap": {
        "truncation": True, "max_length": 9, "return_overflowing_tokens": True,
        "stride": 4, "padding": True,
    },
}
PAIR_OPTIONS = {
    "nothing": {},
    "truncated": {"truncation": True, "max_length": 50},
    "the first truncated": {"truncation": "only_first", "max_length": 180},
    "the second truncated": {"truncation": "only_second", "max_length": 180},
    "padded": {"padding": True},
    "no special tokens": {"add_special_tokens": False, "max_length": 60},
    "windows on the first": {
        "truncation": "only_first", "max_length": 180, "stride": 40,
        "return_overflowing_tokens": True,
    },
    "windows on the second": {
        "truncation": "only_second", "max_length": 180, "stride": 0,
        "return_overflowing_tokens": True,
    },
}
SETTINGS = {
    "cased": {"do_lower_case": False},
    "with accents": {"strip_accents": False},
    "Chinese words whole": {"tokenize_chinese_chars": False},
    "cleaned up": {"clean_up_tokenization_spaces": True},
    "no length": {"model_max_length": 10**30},
    "its class named": {"tokenizer_class": "DistilBertTokenizer"},
}
ALL = list(TEXTS.values())
EXTRAS = {"return_offsets_mapping": True, "return_special_tokens_mask": True}


def both(folder):
    """Return our tokenizer and theirs."""
    theirs = transformers.DistilBertTokenizer.from_pretrained(folder)
    return DistilBertTokenizer.from_pretrained(folder), theirs


def cased(tmp_path_factory):
    """Return a folder with a cased vocab.txt and no tokenizer.json."""
    folder = tmp_path_factory.mktemp("cased")
    shutil.copyfile(SHARED / "bert-base-cased" / "vocab.txt", folder / "vocab.txt")
    settings = {"do_lower_case": False, "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


CHECKPOINTS = {
    "tiny": lambda _: EMBEDDED["tiny"],
    "uncased": lambda _: minilm_folder(),
    "random": lambda _: SHARED / "tiny-random-distilbert",
    "cased": cased,
}
MARKED = [
    pytest.param(name, marks=() if name in ("tiny", "uncased") else needs_shared)
    for name in CHECKPOINTS
]


@pytest.fixture(scope="module", params=MARKED)
def pair(request, tmp_path_factory):
    return both(CHECKPOINTS[request.param](tmp_path_factory))


def same(ours, theirs):
    """Assert that two encodings are equal in every field, arrays as well as lists."""
    assert list(ours) == list(theirs)
    for name in ours:
        assert as_list(ours[name]) == as_list(theirs[name]), name


def as_list(value):
    return value.tolist() if hasattr(value, "tolist") else value


# --- one text -------------------------------------------------------------------------


@pytest.mark.parametrize("text", ALL, ids=TEXTS)
def test_encode(pair, text):
    ours, theirs = (tokenizer(text, **EXTRAS) for tokenizer in pair)
    same(ours, theirs)
    assert ours.tokens() == theirs.tokens() and ours.word_ids() == theirs.word_ids()


@pytest.mark.parametrize("text", ALL, ids=TEXTS)
@pytest.mark.parametrize("skip", [False, True], ids=["special", "no special"])
def test_decode(pair, text, skip):
    ours, theirs = pair
    ids = theirs(text)["input_ids"]
    assert ours.decode(ids, skip) == theirs.decode(ids, skip_special_tokens=skip)


# --- all texts together ---------------------------------------------------------------


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_batches(pair, options, side):
    for tokenizer in pair:
        tokenizer.padding_side = side
    same(*(tokenizer(ALL, **options, **EXTRAS) for tokenizer in pair))


@pytest.mark.parametrize("options", PAIR_OPTIONS.values(), ids=PAIR_OPTIONS)
def test_pairs(pair, options):
    # The long text stands on the side that "only_first" or "only_second" may cut.
    long, rest = "long " * 200, [text for text in ALL if len(text) < 200]
    pairs = [[text, long] for text in rest]
    if options.get("truncation") == "only_first":
        pairs = [[long, text] for text in rest]
    ours, theirs = (tokenizer(pairs, **options, **EXTRAS) for tokenizer in pair)
    same(ours, theirs)
    assert ours.sequence_ids(3) == theirs.sequence_ids(3)


def test_words(pair):
    words = [text.split(" ") for text in ALL]
    ours, theirs = (t(words, is_split_into_words=True, **EXTRAS) for t in pair)
    same(ours, theirs)
    for i in range(len(words)):
        assert ours.word_ids(i) == theirs.word_ids(i)


def test_batch_decode(pair):
    ours, theirs = pair
    ids = theirs(ALL, padding=True, return_tensors="np")["input_ids"]
    assert ours.batch_decode(ids, True) == theirs.batch_decode(ids, True)


# --- the vocabulary -------------------------------------------------------------------


def test_vocabulary(pair):
    ours, theirs = pair
    assert ours.get_vocab() == theirs.get_vocab()
    assert (len(ours), ours.vocab_size) == (len(theirs), theirs.vocab_size)


def test_special_tokens(pair):
    ours, theirs = pair
    assert sorted(ours.all_special_ids) == sorted(theirs.all_special_ids)
    assert ours.mask_token_id == theirs.mask_token_id


def test_convert(pair):
    ours, theirs = pair
    tokens = [*theirs.tokenize(TEXTS["accents"]), "no such token"]
    ids = theirs.convert_tokens_to_ids(tokens)
    assert ours.convert_tokens_to_ids(tokens) == ids
    assert ours.convert_ids_to_tokens(ids) == theirs.convert_ids_to_tokens(ids)


# --- files, both ways -----------------------------------------------------------------


@pytest.fixture(params=SETTINGS.values(), ids=SETTINGS)
def folder(request, tmp_path):
    """A copy of the embedded tokenizer with settings of its own."""
    DistilBertTokenizer.from_pretrained("tiny").save_pretrained(tmp_path)
    shutil.copyfile(EMBEDDED["tiny"] / "config.json", tmp_path / "config.json")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(request.param))
    return tmp_path


def test_settings(folder):
    ours, theirs = both(folder)
    same(ours(ALL), theirs(ALL))
    ids = theirs(TEXTS["quotes"])["input_ids"]
    assert ours.decode(ids) == theirs.decode(ids)


def test_transformers_opens_what_we_saved(folder, tmp_path):
    ours = DistilBertTokenizer.from_pretrained(folder)
    ours.save_pretrained(tmp_path / "saved")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert type(theirs) is transformers.DistilBertTokenizer
    assert theirs.model_max_length == 512
    same(ours(ALL, **EXTRAS), theirs(ALL, **EXTRAS))
    ids = ours(TEXTS["quotes"]).input_ids
    assert ours.decode(ids) == theirs.decode(ids)


def test_we_open_what_transformers_saved(folder, tmp_path):
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    theirs.save_pretrained(tmp_path / "saved")
    ours = DistilBertTokenizer.from_pretrained(tmp_path / "saved")
    expected = theirs(ALL, return_token_type_ids=False, **EXTRAS)
    same(ours(ALL, **EXTRAS), expected)
    ids = ours(TEXTS["quotes"]).input_ids
    assert ours.decode(ids) == theirs.decode(ids)
