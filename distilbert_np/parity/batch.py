"""A batch that sees faults: ragged in every way, any word of the vocabulary, labels.

Unpadded texts cannot see a wrong mask, nor a few common words a wrong row of a table.
"""

from collections.abc import Sequence

import numpy as np

from ..config import DistilBertConfig
from ..functions import Array
from ..inputs import problem_type
from ..losses import IGNORED
from ..tokenizer import DistilBertTokenizer

ROWS, LENGTH, CHOICES = 6, 24, 3
Batch = dict[str, Array]


def sample_inputs(config: DistilBertConfig, seed: int = 0) -> Batch:
    """Return ids (6, L) of any word, and a mask: each row of it hides other tokens.

    None; the end; the beginning; the first; all but the first; all.
    """
    length = min(LENGTH, config.max_position_embeddings)
    rng = np.random.default_rng(seed)
    mask = np.ones((ROWS, length), np.int64)
    mask[1, (length + 1) // 2 :] = 0
    mask[2, : length // 2] = 0
    mask[3, 0] = 0
    mask[4, 1:] = 0
    mask[5] = 0
    ids = rng.integers(config.vocab_size, size=mask.shape)
    return {"input_ids": ids, "attention_mask": mask}


def text_inputs(name: str, texts: Sequence[str], config: DistilBertConfig) -> Batch:
    """Return the ids and the mask of texts, by the tokenizer of the model `name`."""
    tokenizer = DistilBertTokenizer.from_pretrained(name)
    encoded = tokenizer(
        list(texts), padding=True, truncation=True, return_tensors="np",
        max_length=config.max_position_embeddings,
    )
    return {part: encoded[part] for part in ("input_ids", "attention_mask")}


def for_head(
    inputs: Batch, config: DistilBertConfig, head: str, seed: int = 1
) -> Batch:
    """Return inputs (B, L) with labels for a head, some of them ignored.

    For multiple choice, each three rows become the choices of a text, or all rows if
    they are no multiple of three.
    """
    rng, (B, L) = np.random.default_rng(seed), inputs["input_ids"].shape
    ends = {"masked_lm": config.vocab_size, "token": config.num_labels}
    if head in ends:
        return inputs | {"labels": some_ignored(rng, ends[head], (B, L))}
    if head == "sequence":
        return inputs | {"labels": sequence_labels(rng, config, B)}
    if head == "question_answering":
        names = ("start_positions", "end_positions")
        return inputs | {name: some_ignored(rng, L, (B,)) for name in names}
    if head == "multiple_choice":
        choices = B if B % CHOICES else CHOICES
        rows = {name: a.reshape(-1, choices, L) for name, a in inputs.items()}
        return rows | {"labels": rng.integers(choices, size=B // choices)}
    return inputs


def some_ignored(
    rng: "np.random.Generator", end: int, shape: tuple[int, ...]
) -> Array:
    """Return labels below `end`, every third of them −100 instead."""
    labels = rng.integers(end, size=shape)
    labels.flat[1::3] = IGNORED
    return labels


def sequence_labels(
    rng: "np.random.Generator", config: DistilBertConfig, batch: int
) -> Array:
    """Return labels for whole texts: classes, truths or numbers, as the head has them.
    """
    classes = some_ignored(rng, config.num_labels, (batch,))
    kind, shape = problem_type(classes, config), (batch, config.num_labels)
    if kind == "multi_label_classification":
        return rng.integers(2, size=shape).astype(float)
    if kind == "regression":
        numbers = rng.integers(-8, 8, size=shape) / 4
        return numbers[:, 0] if config.num_labels == 1 else numbers
    return classes


def cotangent(config: DistilBertConfig, inputs: Batch, seed: int = 2) -> Array:
    """Return a gradient of the last hidden state (B, L, D), where there is no loss.

    As that of a mean over the tokens would be, and the same number in both precisions.
    """
    rng, (B, L) = np.random.default_rng(seed), inputs["input_ids"].shape
    numbers = rng.uniform(-1, 1, (B, L, config.dim)) / (B * L)
    return numbers.astype(np.float32).astype(np.float64)
