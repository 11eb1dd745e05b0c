"""Batches: examples of like length together, padded, and for masked LM, masked.

An example is a dict of what a call takes for one text, unpadded, as the tokenizer
returns it: `{"input_ids": [101, …, 102], "labels": 1}`. A batch holds the same names,
as arrays. Chance comes from one explicit rng.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import InputError, shown
from ..functions import Array
from ..inputs import as_array, as_integers, check_numbers, check_shape, refuse
from ..losses import IGNORED
from ..models import DistilBertPreTrainedModel
from ..tokenizer import DistilBertTokenizer

Example = dict[str, Any]
Batch = dict[str, Array]

POOL = 32                                        # batches that are sorted together
LABELLED_TOKENS = ("masked_lm", "token")         # heads with a label for each token
LABEL_NAMES = {"question_answering": ("start_positions", "end_positions")}


# --- examples -------------------------------------------------------------------------


def checked_examples(
    name: str, examples: Iterable[Example], head: str
) -> list[Example]:
    """Return examples as a list; raise InputError unless they suit a model's head."""
    is_series = isinstance(examples, Iterable) and not isinstance(examples, (str, dict))
    found = list(examples) if is_series else []
    if head == "base":
        raise InputError("model: DistilBertModel has no loss; take one with a head")
    if not found:
        what = "none" if is_series else shown(examples)
        raise InputError(f"{name}: expected a list of dicts, found {what}")
    for i, example in enumerate(found):
        try:
            check_example(example, head)
            if example.keys() != found[0].keys():
                raise InputError(f"found {', '.join(example)}, unlike number 0")
        except InputError as error:
            raise InputError(f"{name}, number {i}: {error}") from None
    return found


def check_example(example: Example, head: str) -> None:
    """Raise InputError unless a model with this head can learn from the example."""
    if not isinstance(example, dict):
        raise InputError(f"expected a dict, found {shown(example)}")
    wanted = LABEL_NAMES.get(head, ("labels",))
    names = set(example) - {"attention_mask"}
    masks_itself = head == "masked_lm" and names == {"input_ids"}
    if names != {"input_ids", *wanted} and not masks_itself:
        expected = ", ".join(("input_ids", *wanted))
        raise InputError(f"expected {expected}, found {', '.join(map(str, example))}")
    ids = example["input_ids"]
    texts = ids if head == "multiple_choice" and np.iterable(ids) else [ids]
    for text in texts:
        shape = as_array("input_ids", text).shape
        if len(shape) != 1 or 0 in shape:
            raise InputError(f"input_ids: has shape {shape}, expected (length,)")
        as_integers("input_ids", text)
    if head in LABELLED_TOKENS and not masks_itself:
        check_shape("labels", as_integers("labels", example["labels"]), shape)


def length(example: Example) -> int:
    """Return how many tokens an example has; of choices, the longest."""
    ids = example["input_ids"]
    return len(ids) if np.ndim(ids[0]) == 0 else max(len(choice) for choice in ids)


# --- batches --------------------------------------------------------------------------


def batches_by_length(
    lengths: Sequence[int], batch_size: int, rng: "np.random.Generator"
) -> list[Array]:
    """Return the numbers of all examples in batches of like length, in random order.

    Little padding is needed then. As only pools of some batches are sorted, a text
    meets others in the next epoch.
    """
    lengths = np.asarray(lengths)
    order = rng.permutation(len(lengths))
    batches = []
    for pool in chunks(order, POOL * batch_size):
        by_length = pool[np.argsort(lengths[pool], kind="stable")]
        batches += chunks(by_length, batch_size)
    return [batches[i] for i in rng.permutation(len(batches))]


def chunks(rows: Sequence[Any], size: int) -> list[Any]:
    """Return a sequence cut into pieces of `size`; the last may be shorter."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def make_batch(
    examples: Sequence[Example],
    model: DistilBertPreTrainedModel,
    tokenizer: DistilBertTokenizer | None,
    rng: "np.random.Generator",
    mask_weights: Array | None = None,
) -> Batch:
    """Return examples as one batch for this model.

    For masked LM, tokens are masked anew each time, unless the examples have labels:
    all alike, or by the `mask_weights` (V,) of the vocabulary.
    """
    pad_token_id = model.config.pad_token_id or 0
    batch = pad(examples, pad_token_id, model.head in LABELLED_TOKENS)
    if model.head == "masked_lm" and "labels" not in batch:
        if tokenizer is None:
            raise InputError("tokenizer: needed to mask tokens; or give labels")
        batch["input_ids"], batch["labels"] = mask_tokens(
            batch["input_ids"], rng, tokenizer.mask_token_id,
            [*tokenizer.all_special_ids, pad_token_id], model.config.vocab_size,
            weights=mask_weights, attention_mask=batch["attention_mask"],
        )
    return batch


def pad(examples: Sequence[Example], pad_token_id: int, token_labels: bool) -> Batch:
    """Return examples as arrays (B, L), or (B, C, L), the shorter ones padded.

    The attention mask hides the padding; labels there, if each token has one, are −100.
    """
    pad_values = {"input_ids": pad_token_id, "attention_mask": 0}
    if token_labels:
        pad_values["labels"] = IGNORED
    batch = {}
    for name in examples[0]:
        values = [example[name] for example in examples]
        if name in pad_values:
            batch[name] = pad_rows(values, pad_values[name])
        else:
            batch[name] = as_array(name, values)
    if "attention_mask" not in batch:
        ids = pad_rows([example["input_ids"] for example in examples], -1)
        batch["attention_mask"] = (ids >= 0).astype(np.int64)
    return batch


def pad_rows(rows: Sequence[Any], pad_value: int) -> Array:
    """Return rows of integers as (B, L), or lists of C such rows as (B, C, L)."""
    if np.ndim(rows[0][0]) == 0:
        length = max(len(row) for row in rows)
        return np.array([[*row, *[pad_value] * (length - len(row))] for row in rows])
    counts = {len(choices) for choices in rows}
    if len(counts) > 1:
        found = " and ".join(map(str, sorted(counts)))
        raise InputError(f"choices: expected as many in each example, found {found}")
    flat = pad_rows([row for choices in rows for row in choices], pad_value)
    return flat.reshape(len(rows), -1, flat.shape[-1])


def mask_tokens(
    input_ids: Array,
    rng: "np.random.Generator",
    mask_token_id: int,
    special_ids: Sequence[int],
    vocab_size: int,
    share: float = 0.15,
    weights: Array | None = None,
    attention_mask: Array | None = None,
) -> tuple[Array, Array]:
    """Return ids (B, L) in which tokens are to be predicted, and the labels (B, L).

    Of the tokens chosen, 80 % become [MASK], 10 % any token, 10 % stay (Devlin et al.,
    arXiv 1810.04805, 3.1). Labels are −100 elsewhere. Tokens that are not special are
    chosen all alike; or, with `weights` (V,), by those alone (0 for special tokens),
    and not where the attention mask (B, L) hides them.
    """
    if weights is None:
        chosen = chosen_alike(input_ids, rng, special_ids, share)        # (B, L)
    else:
        chosen = chosen_by_weight(input_ids, rng, weights, share, attention_mask)
    action = rng.random(input_ids.shape)                                 # (B, L)
    any_token = rng.integers(vocab_size, size=input_ids.shape)           # (B, L)
    ids = np.where(chosen & (action < 0.8), mask_token_id, input_ids)
    ids = np.where(chosen & (action >= 0.9), any_token, ids)
    return ids, np.where(chosen, input_ids, IGNORED)


def chosen_alike(
    input_ids: Array, rng: "np.random.Generator", special_ids: Sequence[int],
    share: float,
) -> Array:
    """Return where (B, L) a token is chosen, each with probability `share`.

    One is chosen at least, if any is not special: a batch that asks for nothing has no
    loss.
    """
    maskable = ~np.isin(input_ids, special_ids)                          # (B, L)
    draw = np.where(maskable, rng.random(input_ids.shape), np.inf)       # (B, L)
    return (draw < share) | (maskable & (draw == draw.min()))


def chosen_by_weight(
    input_ids: Array, rng: "np.random.Generator", weights: Array, share: float,
    attention_mask: Array | None = None,
) -> Array:
    """Return where (B, L) a token is chosen: a `share` of the batch, rounded up.

    The share is of all tokens but the padding, as DistilBERT's authors have it. They
    draw one token after another, in proportion to the weights of those that are left.
    A race does it at once: of runners who take exponential times of mean 1/weight, each
    is the next to arrive with just that probability.
    """
    seen = np.ones_like(input_ids) if attention_mask is None else attention_mask
    weight = (weights[input_ids] * seen).reshape(-1)                     # (B·L,)
    runners = np.flatnonzero(weight)                                     # (R,)
    arrival = rng.exponential(size=runners.size) / weight[runners]       # (R,)
    first = runners[arrival.argsort()[: math.ceil(share * seen.sum())]]
    chosen = np.zeros(input_ids.shape, bool)
    chosen.flat[first] = True
    return chosen


def mask_weights(
    examples: Iterable[Example],
    vocab_size: int,
    special_ids: Sequence[int],
    smoothing: float = 0.7,
) -> Array:
    """Return each token's weight (V,) when tokens to mask are drawn: count^−smoothing.

    Rare words are asked for more often so than they occur, as DistilBERT's authors and
    XLM's (Lample and Conneau, arXiv 1901.07291) have it. Tokens that never occur count
    as if once; special ones weigh nothing.
    """
    ids = np.concatenate([example["input_ids"] for example in examples])
    counts = np.bincount(ids, minlength=vocab_size)                      # (V,)
    weights = np.maximum(counts, 1.0) ** -smoothing
    weights[list(special_ids)] = 0
    return weights


def checked_mask_weights(
    weights: Any, model: DistilBertPreTrainedModel
) -> Array | None:
    """Return weights (V,) of at least 0, or None; raise InputError for any others."""
    if weights is None:
        return None
    if model.head != "masked_lm":
        found = type(model).__name__
        raise InputError(f"mask_weights: masked LM alone masks tokens, found a {found}")
    weights = check_shape("mask_weights", weights, (model.config.vocab_size,))
    weights = check_numbers("mask_weights", weights, np.dtype(np.float64))
    refuse("mask_weights", weights, weights < 0, "a weight of at least 0")
    return weights


def n_labels(batch: Batch) -> int:
    """Return how many labels a batch's loss is the mean over; of answers, how many.
    """
    if "start_positions" in batch:               # those beyond the text do not count
        end = batch["input_ids"].shape[-1]
        inside = (batch["start_positions"] < end) & (batch["end_positions"] < end)
        return int(np.count_nonzero(inside))
    labels = batch["labels"]
    is_class = labels.dtype.kind in "iu"
    return int(np.count_nonzero(labels != IGNORED)) if is_class else labels.size
