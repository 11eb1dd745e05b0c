"""A batch that sees faults: ragged in every way, any word of the vocabulary.

Unpadded texts cannot see a wrong mask, nor a few common words a wrong row of a table.
"""

from collections.abc import Sequence

import numpy as np

from ..config import DistilBertConfig
from ..functions import Array
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


def as_choices(inputs: Batch) -> Batch:
    """Return inputs (B, L) as (B/C, C, L): three rows, or all, are a text's choices."""
    B, L = inputs["input_ids"].shape
    choices = B if B % CHOICES else CHOICES
    return {name: array.reshape(-1, choices, L) for name, array in inputs.items()}
