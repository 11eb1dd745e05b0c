"""The grid of cases that parity is proven on: configurations, weights, inputs, labels.

Everything comes from seeded NumPy streams that never change (RandomState, uniform
numbers only), so that PyTorch's side and ours build the very same case. Weights are
float32 numbers in both precisions. Biases, LayerNorm gains and the padding row are
random too: zeros would hide a dropped one.
"""

import math
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from distilbert_np import DistilBertConfig
from distilbert_np.embeddings import sinusoidal_table
from distilbert_np.weights import POSITIONS, WORDS, parameter_shapes

SMALL = {
    "vocab_size": 40, "max_position_embeddings": 12, "n_layers": 2, "n_heads": 3,
    "dim": 12, "hidden_dim": 20,
}
ODD = {
    "vocab_size": 53, "max_position_embeddings": 13, "n_layers": 2, "n_heads": 5,
    "dim": 15, "hidden_dim": 37,
}
BATCH, LENGTH, CHOICES = 5, 7, 3


@dataclass
class Case:
    """One model, one call: `config` over SMALL, `call` names the arguments' makers."""

    name: str
    head: str
    config: dict[str, Any] = field(default_factory=dict)
    labels: str | None = None                    # a key of LABELS
    options: tuple[str, ...] = ()                # keys of OPTIONS
    length: int = LENGTH
    batch: int = BATCH
    weights: str = "plain"                       # a key of TWISTS

    @property
    def seed(self) -> int:
        return zlib.crc32(self.name.encode())

    def full_config(self) -> DistilBertConfig:
        return DistilBertConfig(**(SMALL | self.config))

    def tensors(self) -> dict[str, np.ndarray]:
        """Return every parameter, float32, by its name without prefix."""
        config, rng = self.full_config(), np.random.RandomState(self.seed)
        tensors = {
            name: draw_parameter(name, shape, rng)
            for name, shape in parameter_shapes(config, self.head).items()
        }
        if config.sinusoidal_pos_embds:
            table = sinusoidal_table(config.max_position_embeddings, config.dim)
            tensors[POSITIONS] = table.astype(np.float32)
        TWISTS[self.weights](tensors)
        return tensors

    def arguments(self) -> dict[str, np.ndarray]:
        """Return the arguments of the call; float64 where they are not integers."""
        config, rng = self.full_config(), np.random.RandomState(self.length)
        shape = (self.batch, self.length)
        given = {
            "input_ids": rng.randint(config.vocab_size, size=shape),
            "attention_mask": ragged_mask(*shape),
        }
        for option in self.options:
            OPTIONS[option](given, config, rng)
        if self.labels:
            given |= LABELS[self.labels](shape, config, rng)
        if self.head == "multiple_choice":
            given = {name: as_choices(name, array) for name, array in given.items()}
        return given

    def cotangents(self) -> dict[str, np.ndarray] | None:
        """Return the gradient that backward starts from, where there is no loss."""
        if self.labels:
            return None
        rng = np.random.RandomState(self.seed + 1)
        numbers = rng.random_sample((self.batch, self.length, self.full_config().dim))
        return {"last_hidden_state": (numbers * 2 - 1).astype(np.float32).astype(float)}


def draw_parameter(name: str, shape: tuple, rng: np.random.RandomState) -> np.ndarray:
    """Return uniform numbers of a size that keeps activations and scores lively."""
    uniform = rng.random_sample(shape) * 2 - 1
    if name.endswith("bias"):
        uniform *= 0.5
    elif name.endswith(("LayerNorm.weight", "layer_norm.weight")):
        uniform = 1 + uniform / 2
    elif "embeddings" not in name:
        gain = 1.5 if "q_lin" in name or "k_lin" in name else 1
        uniform *= gain * math.sqrt(3 / shape[-1])
    return uniform.astype(np.float32)


def ragged_mask(batch: int, length: int) -> np.ndarray:
    """Return a mask whose rows are full, padded right, left, holed, all hidden, …"""
    mask = np.ones((batch, length), np.int64)
    for row in range(batch):
        kind = row % 5
        if kind == 1:
            mask[row, (length + 1) // 2 :] = 0
        elif kind == 2:
            mask[row, : length // 2] = 0
        elif kind == 3:
            mask[row, ::2] = 0
        elif kind == 4:
            mask[row] = 0
    return mask


def as_choices(name: str, array: np.ndarray) -> np.ndarray:
    """Return (B, …) arrays as (B/C, C, …); labels and positions stay as they are."""
    if name in ("labels", "position_ids", "head_mask"):
        return array
    return array.reshape(-1, CHOICES, *array.shape[1:])


# --- twists of the weights ------------------------------------------------------------


def large_offsets(tensors: dict[str, np.ndarray]) -> None:
    """Lift every word by 300: LayerNorm must take away a mean far above the spread.

    On a grid of 1/1024, so that words + positions is exact in float32 and what is
    measured is LayerNorm, not the rounding of its input.
    """
    for name in (WORDS, POSITIONS):
        tensors[name][:] = np.round(tensors[name] * 1024) / 1024
    tensors[WORDS] += 300


def near_constant_rows(tensors: dict[str, np.ndarray]) -> None:
    """Make each embedding 2 plus a few thousandths, and some rows entirely constant.

    Narrower rows cannot be referred to PyTorch, whose float64 LayerNorm is off by 6e-13
    at a spread of 0.001 (ours by 4e-16): tests/test_functions.py has them.
    """
    words = tensors[WORDS]
    words[:] = 2 + np.round(words * 2048) / 2**18
    words[::7] = 2
    tensors[POSITIONS][:] = 0.5


TWISTS = {
    "plain": lambda tensors: None,
    "large offsets": large_offsets,
    "near-constant rows": near_constant_rows,
}


# --- options and labels ---------------------------------------------------------------


def give_embeds(given: dict, config: DistilBertConfig, rng: Any) -> None:
    shape = given.pop("input_ids").shape
    given["inputs_embeds"] = rng.random_sample((*shape, config.dim)) * 2 - 1
    given["inputs_embeds"] = given["inputs_embeds"].astype(np.float32).astype(float)


def give_positions(given: dict, config: DistilBertConfig, rng: Any) -> None:
    shape = given["input_ids"].shape
    given["position_ids"] = rng.randint(config.max_position_embeddings, size=shape)


def give_shared_positions(given: dict, config: DistilBertConfig, rng: Any) -> None:
    length = given["input_ids"].shape[-1]
    given["position_ids"] = np.arange(length)[None] // 2           # 0 0 1 1 2 2 3


def give_head_mask(given: dict, config: DistilBertConfig, rng: Any) -> None:
    factors = rng.random_sample((config.n_layers, config.n_heads))
    factors[:, 0] = 0
    given["head_mask"] = factors.astype(np.float32).astype(float)


def no_mask(given: dict, config: DistilBertConfig, rng: Any) -> None:
    del given["attention_mask"]


def no_blind_rows(given: dict, config: DistilBertConfig, rng: Any) -> None:
    mask = given["attention_mask"]
    mask[~mask.any(axis=-1), -1] = 1


OPTIONS = {
    "embeds": give_embeds,
    "positions": give_positions,
    "shared positions": give_shared_positions,
    "head mask": give_head_mask,
    "no mask": no_mask,
    "no blind rows": no_blind_rows,
}


def some_ignored(end: int, shape: tuple, rng: Any) -> np.ndarray:
    labels = rng.randint(end, size=shape)
    labels[rng.random_sample(shape) < 0.5] = -100
    return labels


LABELS = {
    "words": lambda shape, config, rng: {
        "labels": some_ignored(config.vocab_size, shape, rng)
    },
    "no words": lambda shape, config, rng: {"labels": np.full(shape, -100)},
    "tags": lambda shape, config, rng: {
        "labels": some_ignored(config.num_labels, shape, rng)
    },
    "no tags": lambda shape, config, rng: {"labels": np.full(shape, -100)},
    "some classes": lambda shape, config, rng: {
        "labels": some_ignored(config.num_labels, shape[:1], rng)
    },
    "no answers": lambda shape, config, rng: {
        "start_positions": np.full(shape[0], shape[1]),
        "end_positions": np.full(shape[0], shape[1] + 1),
    },
    "classes": lambda shape, config, rng: {
        "labels": rng.randint(config.num_labels, size=shape[:1])
    },
    "truths": lambda shape, config, rng: {
        "labels": rng.randint(2, size=(shape[0], config.num_labels)).astype(float)
    },
    "numbers": lambda shape, config, rng: {
        "labels": rng.randint(-8, 8, size=(shape[0], config.num_labels)) / 4
    },
    "number": lambda shape, config, rng: {
        "labels": rng.randint(-8, 8, size=shape[0]) / 4
    },
    "whole numbers": lambda shape, config, rng: {
        "labels": rng.randint(-3, 3, size=shape[0])
    },
    "answers": lambda shape, config, rng: {
        "start_positions": np.array([0, -100, shape[1] + 3, 2, shape[1]])[: shape[0]],
        "end_positions": np.array([[shape[1] - 1], [-1], [1], [shape[1]], [3]]),
    },
    "choices": lambda shape, config, rng: {
        "labels": rng.randint(CHOICES, size=shape[0] // CHOICES)
    },
}


# --- the grid -------------------------------------------------------------------------

SMALL_CASES = [
    Case("base", "base"),
    Case("base, no mask given", "base", options=("no mask",)),
    Case("base, odd dims", "base", ODD),
    Case("base, one token", "base", ODD, length=1),
    Case("base, one head", "base", {"n_heads": 1, "dim": 8}),
    Case("base, head size 1", "base", {"n_heads": 6, "dim": 6}),
    Case("base, hidden 1", "base", {"n_heads": 1, "dim": 1, "hidden_dim": 1}),
    Case("base, no layers", "base", {"n_layers": 0}),
    Case("base, vocabulary of 2", "base", {"vocab_size": 2}),
    Case("base, relu", "base", {"activation": "relu"}),
    Case("base, gelu_new", "base", {"activation": "gelu_new"}),
    Case("base, silu", "base", {"activation": "silu"}),
    Case("base, tanh", "base", {"activation": "tanh"}),
    Case("base, sinusoidal", "base", ODD | {"sinusoidal_pos_embds": True}),
    Case("base, large offsets", "base", weights="large offsets"),
    Case("base, near-constant rows", "base", weights="near-constant rows"),
    Case("base, inputs_embeds", "base", options=("embeds",)),
    Case("base, position_ids", "base", options=("positions",)),
    Case("base, head_mask", "base", options=("head mask",)),
    Case(
        "base, length 512", "base",
        {"max_position_embeddings": 512, "n_layers": 1, "n_heads": 2, "dim": 16},
        length=512, batch=4,
    ),
    Case("masked_lm", "masked_lm", ODD, "words"),
    Case("masked_lm, nothing asked", "masked_lm", labels="no words"),
    Case("masked_lm, untied", "masked_lm", {"tie_word_embeddings": False}, "words"),
    Case("masked_lm, relu", "masked_lm", {"activation": "relu"}, "words"),
    Case("masked_lm, vocabulary of 2", "masked_lm", {"vocab_size": 2}, "words"),
    Case("masked_lm, no layers", "masked_lm", {"n_layers": 0}, "words"),
    Case("masked_lm, inputs_embeds", "masked_lm", labels="words", options=("embeds",)),
    Case("sequence", "sequence", ODD | {"num_labels": 4}, "classes"),
    Case("sequence, tanh", "sequence", {"activation": "tanh"}, "classes"),
    Case("sequence, regression", "sequence", {"num_labels": 1}, "number"),
    Case("sequence, whole numbers", "sequence", {"num_labels": 1}, "whole numbers"),
    Case(
        "sequence, regression of 3", "sequence",
        {"num_labels": 3, "problem_type": "regression"}, "numbers",
    ),
    Case("sequence, multi-label", "sequence", {"num_labels": 3}, "truths"),
    Case("token", "token", ODD | {"num_labels": 5}, "tags"),
    Case("token, head_mask", "token", labels="tags", options=("head mask",)),
    Case("question_answering", "question_answering", ODD, "answers"),
    Case("multiple_choice", "multiple_choice", ODD, "choices", batch=6),
]

BASE_SIZE = {"vocab_size": 30522, "max_position_embeddings": 512, "n_layers": 6,
             "n_heads": 12, "dim": 768, "hidden_dim": 3072}
BASE_CASES = [Case("base size, masked_lm", "masked_lm", BASE_SIZE, "words", length=24)]

CASES = {case.name: case for case in SMALL_CASES + BASE_CASES}

# --- what only gradients can tell apart -----------------------------------------------

ONLY_GRADIENTS = [
    Case("base, shared positions", "base", options=("shared positions",)),
    Case("base, pad is 7", "base", {"pad_token_id": 7}),
    Case("masked_lm, pad is 7", "masked_lm", {"pad_token_id": 7}, "words"),
    Case(
        "masked_lm, untied, pad is 7", "masked_lm",
        {"tie_word_embeddings": False, "pad_token_id": 7}, "words",
    ),
    Case(
        "masked_lm, untied, inputs_embeds", "masked_lm",
        {"tie_word_embeddings": False}, "words", ("embeds",),
    ),
    Case("masked_lm, gelu_new", "masked_lm", {"activation": "gelu_new"}, "words"),
    Case("masked_lm, silu", "masked_lm", {"activation": "silu"}, "words"),
    Case("masked_lm, tanh", "masked_lm", {"activation": "tanh"}, "words"),
    Case("sequence, some ignored", "sequence", {"num_labels": 4}, "some classes"),
    Case(
        "sequence, one truth", "sequence",
        {"num_labels": 1, "problem_type": "multi_label_classification"}, "truths",
    ),
    Case("token, nothing asked", "token", labels="no tags"),
    Case("token, position_ids", "token", labels="tags", options=("positions",)),
    Case(
        "question_answering, nothing asked", "question_answering", labels="no answers"
    ),
    Case(
        "question_answering, head_mask", "question_answering", labels="answers",
        options=("head mask",),
    ),
    Case(
        "multiple_choice, inputs_embeds", "multiple_choice", labels="choices",
        options=("embeds",), batch=6,
    ),
]
GRADIENT_CASES = {case.name: case for case in [*CASES.values(), *ONLY_GRADIENTS]}

# --- small enough to try every number of every bias -----------------------------------

# No row of these sees nothing at all. There the scores are swallowed in the sum with
# the mask: moving them changes nothing, and yet they have a gradient, in PyTorch as
# here, for a sum passes its gradient on.

MINI = {
    "vocab_size": 11, "max_position_embeddings": 6, "n_layers": 2, "n_heads": 2,
    "dim": 6, "hidden_dim": 7, "dropout": 0.2, "attention_dropout": 0.3,
    "qa_dropout": 0.25, "seq_classif_dropout": 0.35,
}


def mini(head: str, labels: str | None = None, *options: str, **config: Any) -> Case:
    """Return a case of a very small model, named by what it is made of."""
    fields = (f"{name} {value}" for name, value in config.items())
    seen = () if "no mask" in options else ("no blind rows",)
    return Case(
        ", ".join(["mini", head, *([labels] if labels else []), *options, *fields]),
        head, MINI | config, labels, (*options, *seen), length=4,
        batch=6 if head == "multiple_choice" else 5,
    )


MINI_HEADS = [
    mini("base"),
    mini("masked_lm", "words"),
    mini("sequence", "classes", num_labels=3),
    mini("token", "tags", num_labels=3),
    mini("question_answering", "answers"),
    mini("multiple_choice", "choices"),
]
MINI_CASES = [
    *MINI_HEADS,
    mini("base", n_layers=0),
    mini("base", n_layers=1, activation="gelu_new"),
    mini("base", n_layers=1, activation="silu"),
    mini("base", n_layers=1, activation="tanh"),
    mini("base", n_layers=1, activation="relu"),
    mini("base", None, "head mask", n_layers=2),
    mini("base", None, "embeds", n_layers=1),
    mini("base", None, "positions", n_layers=1),
    mini("base", None, "shared positions", n_layers=1),
    mini("base", None, "no mask", n_layers=3),
    mini("masked_lm", "words", tie_word_embeddings=False, pad_token_id=7, n_layers=1),
    mini("masked_lm", "words", "embeds", activation="relu", n_layers=1),
    mini("masked_lm", "words", activation="silu", n_layers=1),
    mini("sequence", "some classes", num_labels=4, n_layers=1),
    mini("sequence", "number", num_labels=1, n_layers=1),
    mini(
        "sequence", "numbers", num_labels=3, problem_type="regression", n_layers=1
    ),
    mini("sequence", "truths", num_labels=3, n_layers=1),
    mini("token", "tags", "head mask", num_labels=3, n_layers=1),
    mini("multiple_choice", "choices", "embeds", n_layers=1),
]
