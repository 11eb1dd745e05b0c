"""DistilBertTokenizer: WordPiece, by the `tokenizers` library, as in transformers.

Text is lower-cased (uncased models), split at spaces and punctuation, and each word cut
into the longest pieces that the vocabulary knows; `##` marks a piece that continues a
word. `[CLS]` opens a sequence and `[SEP]` closes it. Where a text says `[MASK]`, or the
name of another special token, it is that token.
"""

import json
import operator
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from . import hub
from .config import one_of
from .errors import CheckpointError, InputError, shown
from .files import read_json, read_text, written_whole
from .inputs import check_flags, is_whole

if TYPE_CHECKING:                                # imported where used: it takes time
    from tokenizers import Encoding, Tokenizer

SPECIAL_TOKENS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
TRUNCATION = {
    None: None, False: None, "do_not_truncate": None, True: "longest_first",
    "longest_first": "longest_first", "only_first": "only_first",
    "only_second": "only_second",
}
PADDING = {
    False: None, "do_not_pad": None, True: "longest", "longest": "longest",
    "max_length": "max_length",
}
SIDES = {"right": "right", "left": "left"}

MAX_LENGTH = 512                                 # where a checkpoint sets no other
MOST_TOKENS = (1 << 32) - 1                      # that the library can count
MOST_PADDED = 10**6                              # where memory ends, it ends Python
SETTINGS = {                                     # what is read of tokenizer_config.json
    "do_lower_case": one_of(True, False),
    "strip_accents": one_of(True, False, None),
    "tokenize_chinese_chars": one_of(True, False),
    "clean_up_tokenization_spaces": one_of(True, False, None),
    "model_max_length": lambda limit: type(limit) in (int, float) and limit >= 1,
}
NORMALIZER = {                                   # and what the library calls these
    "do_lower_case": "lowercase",
    "strip_accents": "strip_accents",
    "tokenize_chinese_chars": "handle_chinese_chars",
}
PRINTABLE = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
CHARACTERS = [*PRINTABLE, *(f"##{one}" for one in PRINTABLE), *"‘’“”–—…£€°"]
CLEAN_UP = (" .", " ?", " !", " ,", " ' ", " n't", " 'm", " 's", " 've", " 're")

# How texts are to be cut is set in the library's tokenizer before it encodes them. One
# thread at a time may do so, and no process is forked meanwhile: the child's lock would
# be held for ever.
ENCODING = Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=ENCODING.acquire, after_in_parent=ENCODING.release,
        after_in_child=ENCODING.release,
    )


class BatchEncoding(dict):
    """What the tokenizer returns: `input_ids`, `attention_mask` …, by key or attribute.

    `encodings` keeps what the tokenizers library found for each text.
    """

    def __init__(self, fields: dict[str, Any], encodings: "list[Encoding]") -> None:
        super().__init__(fields)
        self.encodings = encodings

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"this encoding has no field {name!r}") from None

    def tokens(self, index: int = 0) -> list[str]:
        """Return the tokens of one text."""
        return self.encodings[index].tokens

    def word_ids(self, index: int = 0) -> list[int | None]:
        """Return the number of each token's word; None for special tokens."""
        return self.encodings[index].word_ids

    def sequence_ids(self, index: int = 0) -> list[int | None]:
        """Return 0 or 1, the text of a pair that each token is from, or None."""
        return self.encodings[index].sequence_ids


class DistilBertTokenizer:
    """Turns texts into ids and back; names and arguments as in transformers.

    Make one with `from_pretrained`. `padding_side` is "right" or "left".
    """

    pad_token, unk_token = SPECIAL_TOKENS["pad_token"], SPECIAL_TOKENS["unk_token"]
    cls_token, sep_token = SPECIAL_TOKENS["cls_token"], SPECIAL_TOKENS["sep_token"]
    mask_token = SPECIAL_TOKENS["mask_token"]

    def __init__(
        self, backend: "Tokenizer", *, model_max_length: int = MAX_LENGTH,
        clean_up_tokenization_spaces: bool = False,
    ) -> None:
        backend.add_special_tokens(list(SPECIAL_TOKENS.values()))
        self.backend = backend
        self.model_max_length = model_max_length
        self.clean_up_tokenization_spaces = clean_up_tokenization_spaces
        self.padding_side = "right"
        self.pad_token_id = backend.token_to_id(self.pad_token)
        self.unk_token_id = backend.token_to_id(self.unk_token)
        self.cls_token_id = backend.token_to_id(self.cls_token)
        self.sep_token_id = backend.token_to_id(self.sep_token)
        self.mask_token_id = backend.token_to_id(self.mask_token)
        self.all_special_tokens = list(SPECIAL_TOKENS.values())
        self.all_special_ids = self.convert_tokens_to_ids(self.all_special_tokens)

    @classmethod
    def learned_from(
        cls, texts: Iterable[str], vocab_size: int, words: Iterable[str] = (),
        model_max_length: int = MAX_LENGTH,
    ) -> "DistilBertTokenizer":
        """Return an uncased tokenizer whose pieces are learned from texts.

        Every printable ASCII character is a piece, so that any English text can be
        read, and so is each of `words`, in lower case; of the rest, WordPiece finds
        those that make the texts shortest.
        """
        pieces = [*SPECIAL_TOKENS.values(), *CHARACTERS, *words]
        learned = learned_pieces(texts, vocab_size + len(pieces))
        vocabulary = list(dict.fromkeys([*pieces, *learned]))[:vocab_size]
        numbered = {piece: number for number, piece in enumerate(vocabulary)}
        return cls(wordpiece(numbered), model_max_length=model_max_length)

    @classmethod
    def from_pretrained(
        cls, name_or_path: str | os.PathLike, *, revision: str | None = None,
        local_files_only: bool = False, cache_dir: str | os.PathLike | None = None,
    ) -> "DistilBertTokenizer":
        """Load from an embedded name, a folder, or the Hugging Face Hub.

        Reads tokenizer.json, or else vocab.txt; what tokenizer_config.json beside it
        says wins over both. Raises CheckpointError where they cannot be used.
        """
        folder = hub.find_model(
            name_or_path, hub.TOKENIZER_FILES,
            revision=revision, local_files_only=local_files_only, cache_dir=cache_dir,
        )
        settings = read_settings(folder / "tokenizer_config.json")
        limit = settings.get("model_max_length", MAX_LENGTH)
        return cls(
            read_backend(folder, settings),
            # 1e30 is how transformers writes that there is none.
            model_max_length=int(limit) if limit < 1 << 32 else MAX_LENGTH,
            clean_up_tokenization_spaces=bool(
                settings.get("clean_up_tokenization_spaces")
            ),
        )

    def __call__(
        self, text: Any, text_pair: Any = None, *, add_special_tokens: bool = True,
        padding: bool | str = False, truncation: bool | str | None = None,
        max_length: int | None = None, return_tensors: str | None = None,
        is_split_into_words: bool = False, return_offsets_mapping: bool = False,
        return_special_tokens_mask: bool = False,
        return_overflowing_tokens: bool = False, stride: int = 0,
    ) -> BatchEncoding:
        """Encode a text, a pair, or a batch of either.

        `text` is a string, or a list of strings or of pairs; `text_pair` is of the same
        kind. `padding` fills up to the longest of the batch (True) or to "max_length";
        `truncation` cuts to `max_length`, and so does a `max_length` given alone. With
        return_tensors="np" ids are arrays (B, L), even for one text; otherwise they are
        lists.

        What is cut off is lost, or with return_overflowing_tokens comes in rows of its
        own, windows on the text that overlap by `stride` tokens; the field
        `overflow_to_sample_mapping` then tells which text each row is from. Raises
        InputError.
        """
        choose("return_tensors", return_tensors, {"np": "np", None: None})
        check_flags(
            add_special_tokens=add_special_tokens,
            is_split_into_words=is_split_into_words,
            return_offsets_mapping=return_offsets_mapping,
            return_special_tokens_mask=return_special_tokens_mask,
            return_overflowing_tokens=return_overflowing_tokens,
        )
        pad_to = choose("padding", padding, PADDING)
        strategy = choose("truncation", truncation, TRUNCATION)
        if truncation is None and padding is False and max_length is not None:
            strategy = "longest_first"
        length = self.model_max_length if max_length is None else max_length
        most = MOST_PADDED if pad_to == "max_length" else MOST_TOKENS
        check_length("max_length", length, most)
        check_length("stride", stride)
        single, texts = as_batch(text, text_pair, is_split_into_words)
        if strategy:
            self._check_truncation(strategy, length, stride, texts, add_special_tokens)
        if strategy and (stride or return_overflowing_tokens):
            whole = self._encode(texts, is_split_into_words, add_special_tokens)
            check_windows(whole, stride, length, cut=strategy == "only_second")
        encodings = self._encode(
            texts, is_split_into_words, add_special_tokens, (strategy, length, stride)
        )
        samples = None
        if return_overflowing_tokens:
            samples, encodings = with_overflow(encodings)
        self._pad(encodings, pad_to, length)

        fields = {
            "input_ids": [encoding.ids for encoding in encodings],
            "attention_mask": [encoding.attention_mask for encoding in encodings],
        }
        if return_special_tokens_mask:
            fields["special_tokens_mask"] = [e.special_tokens_mask for e in encodings]
        if return_offsets_mapping:
            fields["offset_mapping"] = [encoding.offsets for encoding in encodings]
        if return_tensors == "np":
            fields = {name: as_rows(name, rows) for name, rows in fields.items()}
        elif single and samples is None:
            fields = {name: rows[0] for name, rows in fields.items()}
        if samples is not None:
            as_tensors = np.array if return_tensors == "np" else list
            fields["overflow_to_sample_mapping"] = as_tensors(samples)
        return BatchEncoding(fields, encodings)

    def _encode(
        self, texts: list, split: bool, special: bool,
        cut: tuple[str | None, int, int] = (None, 0, 0),
    ) -> "list[Encoding]":
        """Return what the library finds in each text; `cut`: strategy, length, stride.
        """
        strategy, length, stride = cut
        with ENCODING, library_errors(InputError, "text: cannot be encoded"):
            self.backend.no_truncation()
            if strategy:
                self.backend.enable_truncation(length, stride=stride, strategy=strategy)
            return self.backend.encode_batch(
                texts, is_pretokenized=split, add_special_tokens=special
            )

    def _check_truncation(
        self, strategy: str, length: int, stride: int, texts: list, special: bool
    ) -> None:
        is_pair = isinstance(texts[0], tuple)
        needed = self.backend.num_special_tokens_to_add(is_pair) if special else 0
        if length < needed:
            raise InputError(
                f"max_length: expected at least {needed}, for the special tokens, "
                f"found {length}"
            )
        if strategy == "only_second" and not is_pair:
            raise InputError("truncation: 'only_second' needs a pair of texts")
        if stride and stride >= length - needed:
            raise InputError(
                f"stride: found {stride}, but max_length {length} has room for "
                f"{length - needed} tokens of text"
            )
        if stride and is_pair and strategy == "longest_first":
            raise InputError(
                "stride: windows on a pair of texts need truncation='only_first' or "
                "'only_second'"
            )

    def _pad(
        self, encodings: "list[Encoding]", pad_to: str | None, length: int
    ) -> None:
        if pad_to is None:
            return
        longest = max(len(encoding.ids) for encoding in encodings)
        target = longest if pad_to == "longest" else length
        side = choose("padding_side", self.padding_side, SIDES)
        for encoding in encodings:
            encoding.pad(
                target, direction=side,
                pad_id=self.pad_token_id, pad_token=self.pad_token,
            )

    def tokenize(self, text: str) -> list[str]:
        """Return the pieces that a text is cut into, without special tokens."""
        check_text("text", text, is_string)
        return self(text, add_special_tokens=False).tokens()

    def encode(self, text: Any, text_pair: Any = None, **options: Any) -> Any:
        """Return the ids alone."""
        return self(text, text_pair, **options)["input_ids"]

    def decode(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        """Return the text of a sequence of ids, or of each of several sequences."""
        check_flags(skip_special_tokens=skip_special_tokens)
        ids = each(as_plain, ids)
        if isinstance(ids, list) and ids and isinstance(ids[0], list):
            return [self._decode(row, skip_special_tokens) for row in ids]
        return self._decode(ids, skip_special_tokens)

    def _decode(self, ids: Any, skip_special_tokens: bool) -> str:
        numbers = ids if isinstance(ids, list) else [ids]
        self.convert_ids_to_tokens(numbers)      # refuses ids the library would drop
        text = self.backend.decode(numbers, skip_special_tokens=skip_special_tokens)
        if self.clean_up_tokenization_spaces:
            for mark in CLEAN_UP:
                text = text.replace(mark, mark.strip())
        return text

    def batch_decode(
        self, sequences: Any, skip_special_tokens: bool = False
    ) -> list[str]:
        """Return the text of each sequence of ids."""
        rows = as_plain(sequences)
        if not isinstance(rows, list):
            raise InputError(f"sequences: expected several, found {shown(sequences)}")
        return [self.decode(ids, skip_special_tokens) for ids in rows]

    def convert_ids_to_tokens(self, ids: Any) -> Any:
        """Return the token of one id, or of each of several."""
        return each(self._token, ids)

    def _token(self, number: Any) -> str:
        try:
            token = self.backend.id_to_token(as_id(number))
        except OverflowError:                    # below 0, or above 32 bits
            token = None
        if token is None:
            raise InputError(
                f"ids: found {shown(number)}, expected 0 to {len(self) - 1}"
            )
        return token

    def convert_tokens_to_ids(self, tokens: str | Iterable[str]) -> Any:
        """Return the id of one token, or of each of several; unknown ones are [UNK]."""
        return each(self._id, tokens)

    def _id(self, token: Any) -> int:
        check_text("tokens", token, is_string)
        number = self.backend.token_to_id(token)
        return self.unk_token_id if number is None else number

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """Return the text that tokens make, the pieces of a word joined."""
        if not isinstance(tokens, (list, tuple)):
            raise InputError(f"tokens: expected several, found {shown(tokens)}")
        for token in tokens:
            check_text("tokens", token, is_string)
        return self.backend.decoder.decode(list(tokens))

    def get_vocab(self) -> dict[str, int]:
        """Return the id of every token."""
        return self.backend.get_vocab()

    @property
    def vocab_size(self) -> int:
        """How many tokens there are, without those added to the vocabulary later."""
        return self.backend.get_vocab_size(with_added_tokens=False)

    def __len__(self) -> int:
        return self.backend.get_vocab_size()

    def __repr__(self) -> str:
        return f"DistilBertTokenizer({len(self):,} tokens)"

    def save_pretrained(self, folder: str | os.PathLike) -> None:
        """Write tokenizer.json, tokenizer_config.json and vocab.txt into `folder`."""
        normalizer, vocabulary = self.backend.normalizer, self.get_vocab()
        settings = SPECIAL_TOKENS | {
            "clean_up_tokenization_spaces": self.clean_up_tokenization_spaces,
            "model_max_length": self.model_max_length,
            "tokenizer_class": type(self).__name__,
        }
        for name, attribute in NORMALIZER.items():
            if hasattr(normalizer, attribute):
                settings[name] = getattr(normalizer, attribute)
        with ENCODING:
            self.backend.no_truncation()
            tokenizer_json = self.backend.to_str(pretty=True)
        texts = {
            "tokenizer_config.json": json.dumps(settings, indent=2, sort_keys=True),
            "vocab.txt": "\n".join(sorted(vocabulary, key=vocabulary.get)),
            "tokenizer.json": tokenizer_json,
        }
        with written_whole(folder) as path:
            for name, text in texts.items():
                (path / name).write_text(text + "\n", encoding="utf-8")


# --- arguments ------------------------------------------------------------------------


def choose(name: str, value: Any, known: dict[Any, str | None]) -> str | None:
    """Return what an option stands for; raise InputError if it is not one of them."""
    try:
        return known[value]
    except (KeyError, TypeError):
        options = ", ".join(repr(option) for option in known)
        message = f"{name}: expected one of {options}, found {shown(value)}"
        raise InputError(message) from None


def check_length(name: str, length: Any, most: int = MOST_TOKENS) -> None:
    """Raise InputError unless this is a number of tokens, `most` at most."""
    if not is_whole(length, 0, most):
        raise InputError(
            f"{name}: expected a whole number from 0 to {most:,}, found {shown(length)}"
        )


def check_windows(
    encodings: "list[Encoding]", stride: int, length: int, cut: int
) -> None:
    """Raise InputError if windows on a text, number `cut` of a pair, cannot move on.

    In the library that would be a panic, which `except Exception` does not catch.
    """
    for encoding in encodings:
        others = len(encoding.ids) - encoding.sequence_ids.count(cut)
        if len(encoding.ids) > length and stride >= length - others:
            raise InputError(
                f"stride: found {stride}, but a window of max_length {length} has room "
                f"for {max(0, length - others)} tokens of the text"
            )


def with_overflow(encodings: "list[Encoding]") -> "tuple[list[int], list[Encoding]]":
    """Return each encoding followed by its overflow, and the number of their text."""
    windows = [
        (i, window)
        for i, encoding in enumerate(encodings)
        for window in (encoding, *encoding.overflowing)
    ]
    return [i for i, _ in windows], [window for _, window in windows]


def as_batch(text: Any, text_pair: Any, split: bool) -> tuple[bool, list]:
    """Return whether one text was given, and the texts (or pairs, tuples) as a list."""
    is_text = is_words if split else is_string
    single = is_text(text)
    texts = [text] if single else text
    if not isinstance(texts, (list, tuple)) or not texts:
        raise InputError(f"text: expected a text or several, found {shown(text)}")
    if single and isinstance(text_pair, (str, list)) and not text_pair:
        text_pair = None                         # as in transformers
    if text_pair is not None:
        seconds = [text_pair] if single else text_pair
        if not isinstance(seconds, (list, tuple)) or len(seconds) != len(texts):
            raise InputError(
                f"text_pair: expected a list of {len(texts)} texts, "
                f"found {shown(text_pair)}"
            )
        texts = list(zip(texts, seconds, strict=True))
    batch = []
    for i, item in enumerate(texts):
        pair = isinstance(item, (list, tuple)) and len(item) == 2 and not is_text(item)
        for part in item if pair else [item]:
            check_text("text" if single else f"text[{i}]", part, is_text)
        batch.append(tuple(item) if pair else item)
    if len({isinstance(item, tuple) for item in batch}) > 1:
        raise InputError("text: expected only texts or only pairs, found both")
    return single, batch


def is_string(value: Any) -> bool:
    """Whether this is a text."""
    return isinstance(value, str)


def is_words(value: Any) -> bool:
    """Whether this is a text that comes as a list of its words."""
    return isinstance(value, list) and all(map(is_string, value))


def check_text(name: str, value: Any, is_text: Callable[[Any], bool]) -> None:
    """Raise InputError unless this is a text that UTF-8 can write."""
    if not is_text(value):
        expected = "a text" if is_text is is_string else "a list of words"
        raise InputError(f"{name}: expected {expected}, found {shown(value)}")
    try:
        "".join(value).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{name}: half a character (a lone surrogate) at position {error.start}"
        ) from None


def as_plain(value: Any) -> Any:
    """Return arrays, and whatever else has elements, as lists; others as they are."""
    if hasattr(value, "tolist"):                 # arrays and numbers of NumPy, PyTorch
        value = value.tolist()
    is_text = isinstance(value, (str, bytes))
    return list(value) if isinstance(value, Iterable) and not is_text else value


def each(function: Callable[[Any], Any], value: Any) -> Any:
    """Return function(value); where the value has elements, a list of it for each."""
    value = as_plain(value)
    return [function(v) for v in value] if isinstance(value, list) else function(value)


def as_id(number: Any) -> int:
    """Return a whole number as Python's own; raise InputError if it is none."""
    try:
        whole = operator.index(number)
    except TypeError:
        whole = None
    if whole is None or type(number) is bool:
        raise InputError(f"ids: expected whole numbers, found {shown(number)}")
    return whole


def as_rows(name: str, rows: Sequence[Sequence[Any]]) -> np.ndarray:
    """Return rows of equal length as an array (B, L)."""
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        raise InputError(
            f"{name}: the texts have {min(lengths)} to {max(lengths)} tokens; arrays "
            "need padding=True"
        )
    return np.array(rows, dtype=np.int64)


# --- files ----------------------------------------------------------------------------


def read_settings(path: Path) -> dict[str, Any]:
    """Return the SETTINGS that tokenizer_config.json makes; none if it is not there."""
    content = read_json(path, CheckpointError) if os.path.lexists(path) else {}
    settings = {name: content[name] for name in SETTINGS if name in content}
    for name, value in settings.items():
        if not SETTINGS[name](value):
            raise CheckpointError(f"{path}: {name} cannot be {value!r}")
    return settings


def read_backend(folder: Path, settings: dict[str, Any]) -> "Tokenizer":
    """Return the tokenizer in a folder, its normaliser set as the settings say."""
    if os.path.lexists(folder / "tokenizer.json"):
        backend = read_tokenizer_json(folder / "tokenizer.json")
    elif os.path.lexists(folder / "vocab.txt"):
        backend = wordpiece(read_vocabulary(folder / "vocab.txt"))
    else:
        raise CheckpointError(f"{folder}: no tokenizer.json and no vocab.txt here")
    for name, attribute in NORMALIZER.items():
        if name in settings and hasattr(backend.normalizer, attribute):
            setattr(backend.normalizer, attribute, settings[name])
    return backend


@contextmanager
def library_errors(error_class: type[ValueError], what: str) -> Iterator[None]:
    """Raise `error_class` for what the tokenizers library raises inside.

    That is nothing narrower than Exception, or not even that: a panic.
    """
    try:
        yield
    except (GeneratorExit, KeyboardInterrupt, SystemExit):   # not of the library
        raise
    except BaseException as error:
        raise error_class(f"{what} ({error})") from None


def read_tokenizer_json(path: Path) -> "Tokenizer":
    """Return the tokenizer that tokenizer.json describes."""
    from tokenizers import Tokenizer, decoders

    text = read_text(path, CheckpointError)
    with library_errors(CheckpointError, f"{path}: not a tokenizer"):
        backend = Tokenizer.from_str(text)
    backend.no_truncation()                      # a file may carry settings of its own
    backend.no_padding()
    check_special_tokens(path, backend.token_to_id)
    check_encodes(path, backend)
    if backend.decoder is None:
        backend.decoder = decoders.WordPiece()
    return backend


def read_vocabulary(path: Path) -> dict[str, int]:
    """Return the id of each line of vocab.txt."""
    text = read_text(path, CheckpointError)
    vocabulary: dict[str, int] = {}
    for number, token in enumerate(text.removesuffix("\n").split("\n")):
        if token in vocabulary:
            raise CheckpointError(
                f"{path}: lines {vocabulary[token] + 1} and {number + 1} are both "
                f"{token!r}"
            )
        vocabulary[token] = number
    check_special_tokens(path, vocabulary.get)
    return vocabulary


def check_special_tokens(path: Path, find: Callable[[str], int | None]) -> None:
    """Raise CheckpointError unless each special token has an id."""
    absent = [token for token in SPECIAL_TOKENS.values() if find(token) is None]
    if absent:
        raise CheckpointError(f"{path}: the vocabulary has no {', '.join(absent)}")


def check_encodes(path: Path, backend: "Tokenizer") -> None:
    """Raise CheckpointError unless a tokenizer encodes unknown words, and frames texts
    with tokens that have their own ids."""
    with library_errors(CheckpointError, f"{path}: cannot encode a text"):
        backend.encode("ꙮ")                      # which hardly any vocabulary knows
        frame = backend.encode("", "")
    if [backend.token_to_id(token) for token in frame.tokens] != frame.ids:
        raise CheckpointError(
            f"{path}: post_processor: the ids of {' '.join(frame.tokens)} are not "
            f"{frame.ids}"
        )


def wordpiece(vocabulary: dict[str, int]) -> "Tokenizer":
    """Return BERT's tokenizer for a vocabulary: normalise, split, WordPiece, frame."""
    from tokenizers import (
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
    )

    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix="##")
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    return backend


def learned_pieces(texts: Iterable[str], size: int) -> list[str]:
    """Return the pieces that WordPiece finds in texts, the commonest first."""
    from tokenizers.trainers import WordPieceTrainer

    backend = wordpiece({token: i for i, token in enumerate(SPECIAL_TOKENS.values())})
    # Naming the letters first fixes their numbers, by which the trainer settles ties.
    trainer = WordPieceTrainer(
        vocab_size=size, show_progress=False,
        special_tokens=[*SPECIAL_TOKENS.values(), *CHARACTERS],
    )
    backend.train_from_iterator(texts, trainer)
    vocabulary = backend.get_vocab()
    return sorted(vocabulary, key=vocabulary.get)
