"""The configuration of a DistilBERT, and the one key of dimension letters.

Shapes in this project are written with these letters:

    B  batch: sequences in a call           L  length: tokens in a sequence
    D  dim: numbers that stand for a token  F  hidden_dim: width of the feed-forward
    H  heads of attention                   K  = D/H, numbers per head
    N  layers: blocks in the stack          V  vocabulary: tokens known
    P  positions: the longest sequence      C  classes (labels), or choices

and, where rows of anything are meant, R rows, I numbers in, O numbers out.
"""

import copy
import json
import math
import operator
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

from . import hub
from .bert import fold_bert_config
from .errors import ConfigError, shown
from .files import read_json, written_whole
from .functions import ACTIVATIONS

DEFAULTS: dict[str, Any] = {
    "vocab_size": 30522,
    "max_position_embeddings": 512,
    "sinusoidal_pos_embds": False,
    "n_layers": 6,
    "n_heads": 12,
    "dim": 768,
    "hidden_dim": 3072,
    "dropout": 0.1,
    "attention_dropout": 0.1,
    "activation": "gelu",
    "initializer_range": 0.02,
    "qa_dropout": 0.1,
    "seq_classif_dropout": 0.2,
    "pad_token_id": 0,
    "tie_word_embeddings": True,
    "problem_type": None,
    "output_attentions": False,
    "output_hidden_states": False,
}
ALIASES = {
    "hidden_size": "dim",
    "num_attention_heads": "n_heads",
    "num_hidden_layers": "n_layers",
}
LABEL_FIELDS = ("num_labels", "id2label", "label2id")
KNOWN = (*DEFAULTS, *ALIASES, *LABEL_FIELDS)

# Beyond these, a file means to fill the memory, before a weight of its own is read.
LARGEST, MOST_LAYERS, MOST_LABELS = 10**6, 10**4, 10**6

PROBLEM_TYPES = (
    "regression",
    "single_label_classification",
    "multi_label_classification",
)


class DistilBertConfig:
    """What a model is made of: sizes, activation, labels; transformers' own names.

    `DistilBertConfig(n_layers=2, dim=64, n_heads=4)` takes every other field from
    distilbert-base-uncased. Fields that DistilBERT does not use are kept as they come
    and written back. Raises ConfigError, naming the field, where one cannot be used.
    """

    model_type = "distilbert"

    def __init__(self, **fields: Any) -> None:
        refuse_misspelt(fields)
        self._set(fields)

    def _set(self, fields: dict[str, Any]) -> None:
        fields = {ALIASES.get(name, name): value for name, value in fields.items()}
        fields.pop("model_type", None)
        labels = {name: fields.pop(name, None) for name in LABEL_FIELDS}
        refuse_taken(fields)
        self.__dict__.update(DEFAULTS | fields)
        self.id2label = labels_from(**labels)
        self.check()

    def check(self) -> None:
        """Raise ConfigError, naming the field, where no model can be built of this."""
        check_fields(self.__dict__)
        in_order("id2label", self.id2label.items())

    @property
    def id2label(self) -> dict[int, str]:
        """The label of each number, in order."""
        return self.__dict__["id2label"]

    @id2label.setter
    def id2label(self, labels: dict[int, str]) -> None:
        self.__dict__["id2label"] = labels_from(id2label=labels)

    @property
    def num_labels(self) -> int:
        """How many labels there are; a new number names them LABEL_0, LABEL_1, …"""
        return len(self.id2label)

    @num_labels.setter
    def num_labels(self, count: int) -> None:
        self.id2label = labels_from(count, self.id2label)

    @property
    def label2id(self) -> dict[str, int]:
        """The number of each label."""
        return {label: number for number, label in self.id2label.items()}

    @label2id.setter
    def label2id(self, numbers: dict[str, int]) -> None:
        self.id2label = labels_from(label2id=numbers)

    def __getattr__(self, name: str) -> Any:
        if name in ALIASES:
            return getattr(self, ALIASES[name])
        raise AttributeError(f"DistilBertConfig has no field {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        refuse_misspelt({name: value})
        if name not in LABEL_FIELDS:
            refuse_taken({name: value})
        super().__setattr__(ALIASES.get(name, name), value)

    def dimensions(self) -> dict[str, int]:
        """Return the number that each letter of the key stands for in this model."""
        return {
            "D": self.dim, "F": self.hidden_dim, "H": self.n_heads,
            "K": self.dim // self.n_heads, "N": self.n_layers, "V": self.vocab_size,
            "P": self.max_position_embeddings, "C": self.num_labels,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return every field, ready for config.json."""
        fields = copy.deepcopy(self.__dict__)
        labels = {"id2label": fields.pop("id2label"), "label2id": self.label2id}
        return {"model_type": self.model_type} | fields | labels

    def to_json_string(self) -> str:
        """Return the text of config.json; raise ConfigError if JSON cannot write it."""
        try:
            return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigError(f"config: cannot be written as JSON ({error})") from None

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "DistilBertConfig":
        """Make a configuration from the content of a config.json, BERT's included."""
        check_is_dict("config", fields)
        family = fields.get("model_type", cls.model_type)
        if family == "bert":
            fields = fold_bert_config(fields)
        elif family != cls.model_type:
            raise ConfigError(
                f"model_type: this file describes a {shown(family)} model; expected "
                "'distilbert' (or 'bert', which is folded in)"
            )
        config = cls.__new__(cls)
        config._set(fields)
        return config

    @classmethod
    def from_pretrained(
        cls, name_or_path: str | os.PathLike, *, revision: str | None = None,
        local_files_only: bool = False, cache_dir: str | os.PathLike | None = None,
        **changes: Any,
    ) -> "DistilBertConfig":
        """Read config.json from a folder, an embedded model or the Hugging Face Hub.

        `changes` replace fields, e.g. `num_labels=3`. Raises ConfigError where the file
        is missing, is not JSON or describes another family of models.
        """
        folder = hub.find_model(
            name_or_path, hub.CONFIG_FILES,
            revision=revision, local_files_only=local_files_only, cache_dir=cache_dir,
        )
        return cls.read(folder).changed(**changes)

    @classmethod
    def read(cls, folder: Path) -> "DistilBertConfig":
        """Read the config.json of a local folder."""
        path = folder / "config.json"
        fields = read_json(path, ConfigError)
        try:
            return cls.from_dict(fields)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None

    def changed(self, **changes: Any) -> "DistilBertConfig":
        """Return a copy in which `changes` replace fields; no new ones may be made."""
        refuse_misspelt(changes)
        fields = self.to_dict()
        for name in changes:
            if name not in fields and name not in KNOWN:
                raise ConfigError(f"unknown argument {name!r}: no field of this name")
        if "label2id" in changes:
            del fields["id2label"]               # which would win
        return self.from_dict(fields | changes)

    def save_pretrained(self, folder: str | os.PathLike) -> None:
        """Write config.json into `folder`, as transformers reads it."""
        with written_whole(folder, "config.json") as path:
            path.write_text(self.to_json_string(), encoding="utf-8")

    def __eq__(self, other: object) -> bool:
        same_kind = isinstance(other, DistilBertConfig)
        return same_kind and self.to_dict() == other.to_dict()

    def __repr__(self) -> str:
        return f"DistilBertConfig {json.dumps(self.to_dict(), indent=2, default=repr)}"


def refuse_misspelt(fields: dict[str, Any]) -> None:
    """Raise ConfigError for a keyword that is nearly, but not quite, a field's name."""
    for name in fields.keys() - set(KNOWN):
        from difflib import get_close_matches  # here, since it takes its time

        if near := get_close_matches(name, KNOWN, 1, 0.85):
            raise ConfigError(f"unknown field {name!r}; did you mean {near[0]!r}?")


def refuse_taken(fields: dict[str, Any]) -> None:
    """Raise ConfigError for a field that would stand in a method's place."""
    for name in fields:
        if not isinstance(name, str) or hasattr(DistilBertConfig, name):
            raise ConfigError(f"{name}: not a name that a field can have")


def labels_from(
    num_labels: int | None = None,
    id2label: dict | None = None,
    label2id: dict | None = None,
) -> dict[int, str]:
    """Return the label of each number, from whichever of the three fields is given.

    Labels whose number is not `num_labels` give way to it, as in transformers.
    """
    if num_labels is not None and not whole(1, MOST_LABELS)(num_labels):
        raise ConfigError(
            f"num_labels: expected a whole number from 1 to {MOST_LABELS:,}, found "
            f"{shown(num_labels)}"
        )
    labels = {}
    if id2label is not None:
        check_is_dict("id2label", id2label)
        labels = in_order("id2label", id2label.items())
    elif label2id is not None:
        check_is_dict("label2id", label2id)
        labels = in_order("label2id", ((n, label) for label, n in label2id.items()))
    if labels and num_labels in (None, len(labels)):
        return labels
    return {number: f"LABEL_{number}" for number in range(num_labels or 2)}


def check_is_dict(name: str, value: Any) -> None:
    """Raise ConfigError unless `value` is a dictionary."""
    if not isinstance(value, dict):
        raise ConfigError(f"{name}: expected a dictionary, found {shown(value)}")


def in_order(name: str, pairs: Iterable[tuple[Any, Any]]) -> dict[int, str]:
    """Return number → label; raise ConfigError unless the numbers run 0, 1, 2, …"""
    pairs = list(pairs)
    try:
        labels = sorted((as_number(number), str(label)) for number, label in pairs)
    except (TypeError, ValueError, OverflowError):
        labels = []
    if not labels or [number for number, _ in labels] != list(range(len(labels))):
        found = shown([number for number, _ in pairs])
        raise ConfigError(f"{name}: numbers must run 0, 1, 2, …, found {found}")
    return dict(labels)


def as_number(value: Any) -> int:
    """Return a whole number, which JSON writes as text where it is a key."""
    return int(value) if isinstance(value, str) else operator.index(value)


def whole(at_least: int, at_most: float = math.inf) -> Callable[[Any], bool]:
    """Return the test for whole numbers from `at_least` to `at_most`."""
    return lambda value: type(value) is int and at_least <= value <= at_most


def number(low: float, high: float) -> Callable[[Any], bool]:
    """Return the test for numbers from low to high, and less than infinity."""
    return lambda value: (
        type(value) in (int, float) and low <= value <= high and value < math.inf
    )


def one_of(*known: Any) -> Callable[[Any], bool]:
    """Return the test for certain values; others may be of any type, lists included."""
    return lambda value: any(type(value) is type(k) and value == k for k in known)


# What each field must be, as a test and in words.
POSITIVE = (whole(1, LARGEST), f"a whole number from 1 to {LARGEST:,}")
PROBABILITY = (number(0, 1), "a probability between 0 and 1")
TRUTH = (one_of(True, False), "true or false")
FIELDS = {
    "vocab_size": POSITIVE,
    "max_position_embeddings": POSITIVE,
    "n_layers": (whole(0, MOST_LAYERS), f"a whole number from 0 to {MOST_LAYERS:,}"),
    "n_heads": POSITIVE,
    "dim": POSITIVE,
    "hidden_dim": POSITIVE,
    "dropout": PROBABILITY,
    "attention_dropout": PROBABILITY,
    "qa_dropout": PROBABILITY,
    "seq_classif_dropout": PROBABILITY,
    "initializer_range": (number(0, 10**6), "a number from 0 to 1,000,000"),
    "sinusoidal_pos_embds": TRUTH,
    "tie_word_embeddings": TRUTH,
    "output_attentions": TRUTH,
    "output_hidden_states": TRUTH,
    "activation": (one_of(*ACTIVATIONS), f"one of {', '.join(ACTIVATIONS)}"),
    "problem_type": (
        one_of(None, *PROBLEM_TYPES),
        f"one of {', '.join(PROBLEM_TYPES)}, or none",
    ),
}


def check_fields(fields: dict[str, Any]) -> None:
    """Raise ConfigError, naming the field, where a model cannot be built from these."""

    def refuse(name: str, expected: str) -> NoReturn:
        found = shown(fields[name])
        raise ConfigError(f"{name}: expected {expected}, found {found}")

    for name, (is_right, expected) in FIELDS.items():
        if not is_right(fields[name]):
            refuse(name, expected)
    if fields["dim"] % fields["n_heads"]:
        refuse("dim", f"a multiple of n_heads ({fields['n_heads']})")
    pad, vocab_size = fields["pad_token_id"], fields["vocab_size"]
    if pad is not None and not (whole(0)(pad) and pad < vocab_size):
        refuse("pad_token_id", f"an id below vocab_size ({vocab_size})")
