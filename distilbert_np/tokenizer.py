"""DistilBertTokenizer: WordPiece, by the `tokenizers` library, as in transformers.

Text is lower-cased (uncased models), split at spaces and punctuation, and each word cut
into the longest pieces that the vocabulary knows; `##` marks a piece that continues a
word. `[CLS]` opens a sequence and `[SEP]` closes it.
"""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import hub
from .errors import CheckpointError, InputError
from .files import written_whole

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
    False: None, "do_not_truncate": None, True: "longest_first",
    "longest_first": "longest_first", "only_first": "only_first",
    "only_second": "only_second",
}  # fmt: skip
PADDING = {
    False: None, "do_not_pad": None, True: "longest", "longest": "longest",
    "max_length": "max_length",
}  # fmt: skip


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

    def __init__(
        self, backend: "Tokenizer", *, model_max_length: int = 512,
        do_lower_case: bool = True,
    ) -> None:  # fmt: skip
        backend.no_truncation()                  # a file may carry settings of its own
        backend.no_padding()
        self.backend = backend
        self.model_max_length = model_max_length
        self.do_lower_case = do_lower_case
        self.padding_side = "right"
        for name, token in SPECIAL_TOKENS.items():
            number = backend.token_to_id(token)
            if number is None:
                raise CheckpointError(f"the vocabulary has no {token}")
            setattr(self, name, token)
            setattr(self, f"{name}_id", number)
        self.all_special_ids = [getattr(self, f"{name}_id") for name in SPECIAL_TOKENS]

    @classmethod
    def from_pretrained(
        cls, name_or_path: str | os.PathLike, *, revision: str | None = None,
        local_files_only: bool = False, cache_dir: str | os.PathLike | None = None,
    ) -> "DistilBertTokenizer":  # fmt: skip
        """Load from an embedded name, a folder, or the Hugging Face Hub.

        Reads tokenizer.json, or else vocab.txt, and tokenizer_config.json beside it.
        Raises CheckpointError where neither can be used.
        """
        folder = hub.find_model(
            name_or_path, hub.TOKENIZER_FILES,
            revision=revision, local_files_only=local_files_only, cache_dir=cache_dir,
        )  # fmt: skip
        settings = read_settings(folder / "tokenizer_config.json")
        if (folder / "tokenizer.json").exists():
            backend = read_tokenizer_json(folder / "tokenizer.json")
        elif (folder / "vocab.txt").exists():
            backend = wordpiece(
                read_vocabulary(folder / "vocab.txt"),
                lowercase=settings.get("do_lower_case", True),
                strip_accents=settings.get("strip_accents"),
                chinese=settings.get("tokenize_chinese_chars", True),
            )
        else:
            raise CheckpointError(f"{folder}: no tokenizer.json and no vocab.txt here")
        return cls(
            backend,
            model_max_length=min(settings.get("model_max_length", 512), 1 << 30),
            do_lower_case=settings.get("do_lower_case", True),
        )

    def __call__(
        self, text: Any, text_pair: Any = None, *, add_special_tokens: bool = True,
        padding: bool | str = False, truncation: bool | str = False,
        max_length: int | None = None, return_tensors: str | None = None,
        is_split_into_words: bool = False, return_offsets_mapping: bool = False,
        return_special_tokens_mask: bool = False,
    ) -> BatchEncoding:  # fmt: skip
        """Encode a text, a pair, or a batch of either.

        `text` is a string, or a list of strings or of pairs; `text_pair` is of the same
        kind. `padding` fills up to the longest of the batch (True) or to "max_length";
        `truncation` cuts to `max_length`. With return_tensors="np" ids are arrays
        (B, L), even for one text; otherwise they are lists. Raises InputError.
        """
        if return_tensors not in (None, "np"):
            raise InputError(
                f"return_tensors: expected 'np' or None, found {return_tensors!r}"
            )
        pad_to = choose("padding", padding, PADDING)
        strategy = choose("truncation", truncation, TRUNCATION)
        length = self.model_max_length if max_length is None else max_length
        single, texts = as_batch(text, text_pair, is_split_into_words)
        self._set_truncation(strategy, length, texts, add_special_tokens)
        try:
            encodings = self.backend.encode_batch(
                texts, is_pretokenized=is_split_into_words,
                add_special_tokens=add_special_tokens,
            )  # fmt: skip
        except Exception as error:               # the library raises nothing narrower
            raise InputError(f"text: cannot be encoded ({error})") from None
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
        elif single:
            fields = {name: rows[0] for name, rows in fields.items()}
        return BatchEncoding(fields, encodings)

    def _set_truncation(
        self, strategy: str | None, length: int, texts: list, special: bool
    ) -> None:
        self.backend.no_truncation()
        if strategy is None:
            return
        is_pair = isinstance(texts[0], tuple)
        needed = self.backend.num_special_tokens_to_add(is_pair) if special else 0
        if type(length) is not int or length <= needed:
            raise InputError(
                f"max_length: expected more than the {needed} special tokens, found "
                f"{length!r}"
            )
        if strategy == "only_second" and not is_pair:
            raise InputError("truncation: 'only_second' needs a pair of texts")
        self.backend.enable_truncation(length, strategy=strategy)

    def _pad(
        self, encodings: "list[Encoding]", pad_to: str | None, length: int
    ) -> None:
        if pad_to is None:
            return
        longest = max(len(encoding.ids) for encoding in encodings)
        target = longest if pad_to == "longest" else length
        for encoding in encodings:
            encoding.pad(
                target, direction=self.padding_side,
                pad_id=self.pad_token_id, pad_token=self.pad_token,
            )  # fmt: skip

    def tokenize(self, text: str) -> list[str]:
        """Return the pieces that a text is cut into, without special tokens."""
        return self(text, add_special_tokens=False).tokens()

    def encode(self, text: Any, text_pair: Any = None, **options: Any) -> Any:
        """Return the ids alone."""
        return self(text, text_pair, **options)["input_ids"]

    def decode(self, ids: Any, skip_special_tokens: bool = False) -> str:
        """Return the text that a sequence of ids stands for."""
        ids = np.asarray(ids).reshape(-1).tolist()
        self.convert_ids_to_tokens(ids)          # refuses ids the library would drop
        return self.backend.decode(ids, skip_special_tokens=skip_special_tokens)

    def batch_decode(
        self, sequences: Any, skip_special_tokens: bool = False
    ) -> list[str]:
        """Return the text of each sequence of ids."""
        return [self.decode(ids, skip_special_tokens) for ids in sequences]

    def convert_ids_to_tokens(self, ids: Any) -> Any:
        """Return the token of one id, or of each of several."""
        if np.ndim(ids):
            return [self.convert_ids_to_tokens(number) for number in ids]
        token = self.backend.id_to_token(int(ids)) if ids >= 0 else None
        if token is None:
            raise InputError(f"ids: found {ids}, expected 0 to {self.vocab_size - 1}")
        return token

    def convert_tokens_to_ids(self, tokens: str | Iterable[str]) -> Any:
        """Return the id of one token, or of each of several; unknown ones are [UNK]."""
        if not isinstance(tokens, str):
            return [self.convert_tokens_to_ids(token) for token in tokens]
        number = self.backend.token_to_id(tokens)
        return self.unk_token_id if number is None else number

    def get_vocab(self) -> dict[str, int]:
        """Return the id of every token."""
        return self.backend.get_vocab()

    @property
    def vocab_size(self) -> int:
        """How many tokens there are."""
        return self.backend.get_vocab_size()

    def __len__(self) -> int:
        return self.vocab_size

    def __repr__(self) -> str:
        return f"DistilBertTokenizer({self.vocab_size:,} tokens)"

    def save_pretrained(self, folder: str | os.PathLike) -> None:
        """Write tokenizer.json, tokenizer_config.json and vocab.txt into `folder`."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        settings = SPECIAL_TOKENS | {
            "do_lower_case": self.do_lower_case,
            "model_max_length": self.model_max_length,
            "tokenizer_class": type(self).__name__,
        }
        self.backend.no_truncation()
        ordered = sorted(self.get_vocab().items(), key=lambda pair: pair[1])
        for name, text in (
            ("tokenizer.json", self.backend.to_str(pretty=True)),
            ("tokenizer_config.json", json.dumps(settings, indent=2, sort_keys=True)),
            ("vocab.txt", "\n".join(token for token, _ in ordered)),
        ):
            with written_whole(folder / name) as path:
                path.write_text(text + "\n", encoding="utf-8")


# --- arguments ------------------------------------------------------------------------


def choose(name: str, value: Any, known: dict[Any, str | None]) -> str | None:
    """Return what an option stands for; raise InputError if it is not one of them."""
    try:
        return known[value]
    except (KeyError, TypeError):
        options = ", ".join(repr(option) for option in known)
        message = f"{name}: expected one of {options}, found {value!r}"
        raise InputError(message) from None


def as_batch(text: Any, text_pair: Any, split: bool) -> tuple[bool, list]:
    """Return whether one text was given, and the texts (or pairs) as a list."""
    is_text = is_words if split else is_string
    if is_text(text):
        check_text("text", text, is_text)
        if text_pair is None:
            return True, [text]
        check_text("text_pair", text_pair, is_text)
        return True, [(text, text_pair)]
    if not isinstance(text, (list, tuple)) or not text:
        raise InputError(f"text: expected a string or several, found {text!r:.60}")
    if text_pair is not None:
        if not isinstance(text_pair, (list, tuple)) or len(text_pair) != len(text):
            raise InputError(f"text_pair: expected a list of {len(text)} texts")
        text = list(zip(text, text_pair, strict=True))
    elif not split:
        text = [tuple(t) if isinstance(t, list) else t for t in text]
    for i, item in enumerate(text):
        is_pair = isinstance(item, tuple) and len(item) == 2
        for part in item if is_pair else [item]:
            check_text(f"text[{i}]", part, is_text)
    if len({isinstance(item, tuple) for item in text}) > 1:
        raise InputError("text: expected only texts or only pairs, found both")
    return False, list(text)


def is_string(value: Any) -> bool:
    """Whether this is a text."""
    return isinstance(value, str)


def is_words(value: Any) -> bool:
    """Whether this is a text that comes as a list of its words."""
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def check_text(name: str, value: Any, is_text: Any) -> None:
    """Raise InputError unless this is a text that UTF-8 can write."""
    if not is_text(value):
        raise InputError(f"{name}: expected a text, found {value!r:.60}")
    try:
        "".join(value).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{name}: half a character (a lone surrogate) at position {error.start}"
        ) from None


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
    """Return the content of tokenizer_config.json, or nothing if there is none."""
    if not path.exists():
        return {}
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path}: not a JSON file ({error})") from None
    if not isinstance(settings, dict):
        raise CheckpointError(f"{path}: expected a JSON object")
    return settings


def read_tokenizer_json(path: Path) -> "Tokenizer":
    """Return the tokenizer that tokenizer.json describes."""
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:                   # the library raises nothing narrower
        raise CheckpointError(f"{path}: not a tokenizer ({error})") from None


def read_vocabulary(path: Path) -> dict[str, int]:
    """Return the id of each line of vocab.txt; a byte-order mark is passed over."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path}: not UTF-8 ({error})") from None
    lines = [line.rstrip("\r") for line in lines]
    if lines and not lines[-1]:
        lines.pop()                              # what follows the last line break
    vocabulary: dict[str, int] = {}
    for number, token in enumerate(lines):
        if token in vocabulary:
            raise CheckpointError(
                f"{path}: lines {vocabulary[token] + 1} and {number + 1} are both "
                f"{token!r}"
            )
        vocabulary[token] = number
    if absent := [t for t in SPECIAL_TOKENS.values() if t not in vocabulary]:
        raise CheckpointError(f"{path}: the vocabulary has no {', '.join(absent)}")
    return vocabulary


def wordpiece(
    vocabulary: dict[str, int], lowercase: bool = True,
    strip_accents: bool | None = None, chinese: bool = True,
) -> "Tokenizer":  # fmt: skip
    """Return BERT's tokenizer for a vocabulary: normalise, split, WordPiece, frame."""
    from tokenizers import (
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
    )  # fmt: skip

    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(
        lowercase=lowercase, strip_accents=strip_accents, handle_chinese_chars=chinese
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix="##")
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    backend.add_special_tokens(list(SPECIAL_TOKENS.values()))
    return backend
