"""Lesson 9, making NumPy fast: what there is to write, and what goes wrong.

Right is what gives the right numbers, however long it takes; the notebook shows times.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import functions
from ...functions import Array
from ...pipelines import base
from ..exercise import Exercise
from ..results import is_same
from ..vectors import directions

rng = np.random.default_rng(9)

# --- all cosines at once --------------------------------------------------------------


def all_cosines(x: Array, y: Array) -> Array:          # (M, D), (N, D) -> (M, N)
    """Return the cosine of each row of x with each row of y."""
    return directions(x) @ directions(y).T


def products_alone(x: Array, y: Array) -> Array:
    """These are the products x·y. A cosine is divided by both lengths, |x| and |y|."""
    return x @ y.T


def one_length(x: Array, y: Array) -> Array:
    """Only one of the two lengths is divided by. Both x and y have rows of any length.
    """
    return directions(x) @ y.T


def other_length(x: Array, y: Array) -> Array:
    """Only the lengths of y are divided by. Both x and y have rows of any length."""
    return x @ directions(y).T


def length_of_all(x: Array, y: Array) -> Array:
    """np.linalg.norm without an axis takes the whole matrix for one long vector. Each
    row has a length of its own: axis=-1, keepdims=True.
    """
    return x @ y.T / np.linalg.norm(x) / np.linalg.norm(y)


def squared_lengths(x: Array, y: Array) -> Array:
    """It divides by the squared lengths: a root is missing."""
    return x @ y.T / (x * x).sum(-1, keepdims=True) / (y * y).sum(-1)


def lengths_of_columns(x: Array, y: Array) -> Array:
    """The lengths are those of the columns. A vector is a row: axis=-1."""
    return (x / np.linalg.norm(x, axis=0)) @ (y / np.linalg.norm(y, axis=0)).T


ALL_COSINES = Exercise(
    name="all_cosines",
    lesson=9,
    minutes=5,
    difficulty=1,
    answer=all_cosines,
    cases={
        "2 vectors and 3": (
            np.array([[3.0, 4.0], [0.0, 2.0]]),
            np.array([[1.0, 0.0], [0.0, 5.0], [3.0, 4.0]]),
        ),
        "5 vectors and 4": (rng.normal(size=(5, 7)), rng.normal(size=(4, 7))),
        "3 vectors and 3": tuple(rng.normal(size=(2, 3, 3))),
        "long and short ones": (
            rng.normal(size=(3, 4)) * [[1], [100], [0.01]], rng.normal(size=(2, 4))
        ),
    },
    hints=(
        "All products of rows of x with rows of y are one matrix product.",
        "A cosine is x·y / (|x| |y|). M + N lengths are enough; the loop computes them "
        "M · N times.",
        "np.linalg.norm(x, axis=-1, keepdims=True) is (M, 1) and divides each row.",
        "Divide the rows of x and of y by their lengths, then x @ y.T.",
    ),
    slips=(
        products_alone, one_length, other_length, length_of_all, squared_lengths,
        lengths_of_columns,
    ),
    reveals=(all_cosines, directions),
)

# --- softmax on one temporary ---------------------------------------------------------


def softmax_in_place(x: Array) -> Array:                         # (..., C) -> (..., C)
    """Return the softmax of each row; only one new array has the size of x."""
    return functions.softmax(x)


def softmax_over_its_input(x: Array) -> Array:
    """y = x gives the same array a second name, and so does out=x: the caller's scores
    are gone. The first operation has to make a new array; those after it may write over
    that one.
    """
    x -= x.max(axis=-1, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(axis=-1, keepdims=True)
    return x


def maximum_forgotten(x: Array) -> Array:
    """exp of 1000 is infinity: take away the largest number of each row first."""
    y = np.exp(x)
    return y / y.sum(axis=-1, keepdims=True)


def mean_for_maximum(x: Array) -> Array:
    """The mean is taken away, not the maximum: a number far above the mean still
    overflows.
    """
    y = np.exp(x - x.mean(axis=-1, keepdims=True))
    return y / y.sum(axis=-1, keepdims=True)


def exp_not_kept(x: Array) -> Array:
    """np.exp(y) alone makes a new array that nobody keeps: np.exp(y, out=y) writes over
    y.
    """
    y = x - x.max(axis=-1, keepdims=True)
    return y / y.sum(axis=-1, keepdims=True)


def one_maximum(x: Array) -> Array:
    """One maximum for all rows: a row that lies far below it becomes all 0, and 0 / 0.
    Each row needs its own (axis=-1, keepdims=True).
    """
    y = np.exp(x - x.max())
    return y / y.sum(axis=-1, keepdims=True)


def one_sum(x: Array) -> Array:
    """One sum for everything: each row is to sum to 1 (axis=-1, keepdims=True)."""
    y = np.exp(x - x.max(axis=-1, keepdims=True))
    return y / y.sum()


def softmax_of_columns(x: Array) -> Array:
    """The columns sum to 1, not the rows: which axis?"""
    return functions.softmax(x.swapaxes(-1, -2)).swapaxes(-1, -2)


def not_yet_divided(x: Array) -> Array:
    """The rows are not divided by their sums yet."""
    return np.exp(x - x.max(axis=-1, keepdims=True))


def rows_do_not_sum_to_one(found: Any, x: Array) -> bool:
    """Rows do not sum to 1: which axis is summed over, and is it kept (keepdims)?"""
    return found.shape == x.shape and not is_same(found.sum(-1), np.ones(x.shape[:-1]))


SOFTMAX_IN_PLACE = Exercise(
    name="softmax_in_place",
    lesson=9,
    minutes=5,
    difficulty=2,
    answer=softmax_in_place,
    cases={
        "2 rows of 3": (np.log([[1.0, 2.0, 1.0], [3.0, 1.0, 1.0]]),),
        "3 rows of 3": (rng.normal(size=(3, 3)),),
        "numbers of 1000": (np.array([[1000.0, 1001], [-1000, -1001], [-1000, 1000]]),),
        "2 texts, 3 heads": (rng.normal(size=(2, 3, 4, 5)),),
    },
    hints=(
        "How many arrays of the size of x does the formula make on its way? One is "
        "enough.",
        "x - x.max(axis=-1, keepdims=True) has to be a new array, for x is not yours. "
        "Call it y; it is yours.",
        "np.exp(y, out=y) writes over y; so do y -= …, y *= … and y /= ….",
        "y = x - x.max(axis=-1, keepdims=True); np.exp(y, out=y); y /= "
        "y.sum(axis=-1, keepdims=True).",
    ),
    slips=(
        softmax_over_its_input, maximum_forgotten, mean_for_maximum, exp_not_kept,
        one_maximum, one_sum, softmax_of_columns, not_yet_divided,
    ),
    signs=(rows_do_not_sum_to_one,),
    reveals=(
        functions.softmax, functions._softmax, functions._below_max, functions._row_sums
    ),
)

# --- a table, and what is between its entries -----------------------------------------


def interpolate(x: Array, table: Array, per_unit: int) -> Array:     # (...) -> (...)
    """Return a function's values at x, from a table of those at 0, 1 / per_unit, …

    Between two entries it is taken for a straight line. x is at least 0, and below the
    last entry's place.
    """
    place = x * per_unit
    entry = place.astype(np.intp)
    below = table[entry]
    return below + (place - entry) * (table[entry + 1] - below)


def nearest_entry(x: Array, table: Array, per_unit: int) -> Array:
    """That is the nearest entry. Between two entries, take a share of each."""
    return table[np.rint(x * per_unit).astype(int)]


def entry_below(x: Array, table: Array, per_unit: int) -> Array:
    """That is the entry below x. Add the rise to the next entry, for the part of the
    way that x has gone.
    """
    return table[(x * per_unit).astype(int)]


def shares_swapped(x: Array, table: Array, per_unit: int) -> Array:
    """The two shares have changed places: close to an entry it is that entry that
    counts.
    """
    place = x * per_unit
    entry = place.astype(int)
    share = place - entry
    return share * table[entry] + (1 - share) * table[entry + 1]


def entries_one_apart(x: Array, table: Array, per_unit: int) -> Array:
    """The entries are taken to be 1 apart. They are 1 / per_unit apart: the place of x
    in the table is x · per_unit.
    """
    return interpolate(x, table, 1)


def share_too_large(x: Array, table: Array, per_unit: int) -> Array:
    """The rise is multiplied by the whole place. It is the part behind the point that
    counts, 0 to 1: place − entry.
    """
    place = x * per_unit
    entry = place.astype(int)
    return table[entry] + place * (table[entry + 1] - table[entry])


def from_nearest_entry(x: Array, table: Array, per_unit: int) -> Array:
    """It starts from the nearest entry, which may be the one above. Start from the one
    below: astype(int) cuts off what is behind the point.
    """
    place = x * per_unit
    entry = np.rint(place).astype(int)
    return table[entry] + (place - entry) * (table[entry + 1] - table[entry])


def rise_forgotten(x: Array, table: Array, per_unit: int) -> Array:
    """The next entry itself is added. It should be the rise to it: above − below."""
    place = x * per_unit
    entry = place.astype(int)
    return table[entry] + (place - entry) * table[entry + 1]


def rise_reversed(x: Array, table: Array, per_unit: int) -> Array:
    """The rise has the wrong sign: it is above − below."""
    return 2 * entry_below(x, table, per_unit) - interpolate(x, table, per_unit)


def always_halfway(x: Array, table: Array, per_unit: int) -> Array:
    """That is the middle between two entries, wherever x is. Take the part of the way
    that x has gone.
    """
    entry = (x * per_unit).astype(int)
    return (table[entry] + table[entry + 1]) / 2


def share_in_x(x: Array, table: Array, per_unit: int) -> Array:
    """The rise is multiplied by how far x is beyond its entry, in x. From one entry to
    the next is 1 / per_unit, so that is too little: count in places.
    """
    place = x * per_unit
    entry = place.astype(int)
    below = table[entry]
    return below + (place - entry) / per_unit * (table[entry + 1] - below)


SQUARES = np.arange(9.0) ** 2 / 4

INTERPOLATE = Exercise(
    name="interpolate",
    lesson=9,
    minutes=6,
    difficulty=2,
    answer=interpolate,
    cases={
        "x² at 0, 0.5, 1, …": (np.array([0.0, 0.5, 0.75, 2.1]), SQUARES, 2),
        "an array of (2, 3)": (
            rng.uniform(0, 9.9, size=(2, 3)), functions.gelu(-np.arange(101) / 10), 10
        ),
        "entries 1 apart": (rng.uniform(0, 7.9, size=5), SQUARES, 1),
        "a fine table": (
            rng.uniform(0, 2.9, size=(4, 2)), np.exp(-np.arange(3001) / 1000), 1000
        ),
    },
    hints=(
        "place = x * per_unit tells between which two entries x is: 3.7 is between "
        "entries 3 and 4.",
        "entry = place.astype(int) cuts off what is behind the point. An array of "
        "entries indexes the table: table[entry].",
        "The rest, place − entry, is the part of the way from entry to entry + 1.",
        "below + (place − entry) · (above − below).",
    ),
    slips=(
        nearest_entry, entry_below, shares_swapped, entries_one_apart, share_too_large,
        share_in_x, from_nearest_entry, rise_forgotten, rise_reversed, always_halfway,
    ),
    reveals=(interpolate, functions._looked_up, functions._table),
)

# --- scores where they are asked for --------------------------------------------------


def masked_scores(h: Array, is_mask: Array, weight: Array, bias: Array) -> Array:
    """Return a score for every word of the vocabulary, at the masks alone: (M, V).

    `h` is (B, L, D), `is_mask` (B, L) true at the M masks, `weight` (V, D).
    """
    return functions.linear(h[is_mask], weight, bias)


def scores_everywhere(h: Array, is_mask: Array, weight: Array, bias: Array) -> Array:
    """There are scores at all places, (B, L, V). Choose the vectors at the masks first:
    a boolean array is an index.
    """
    return functions.linear(h, weight, bias)


def others_set_to_zero(h: Array, is_mask: Array, weight: Array, bias: Array) -> Array:
    """The other vectors are set to 0, and multiplied all the same: nothing is saved.
    h[is_mask] leaves them out.
    """
    return functions.linear(h * is_mask[..., None], weight, bias)


def mask_of_first_text(h: Array, is_mask: Array, weight: Array, bias: Array) -> Array:
    """The places are those of the first text. Each text has masks of its own."""
    return functions.linear(h[:, is_mask[0]], weight, bias).reshape(-1, len(weight))


def first_mask_of_each(h: Array, is_mask: Array, weight: Array, bias: Array) -> Array:
    """One place of each text, the first mask. A text may have several masks, or none.
    """
    places = is_mask.argmax(axis=1)
    return functions.linear(h[np.arange(len(h)), places], weight, bias)


def bias_forgotten(h: Array, is_mask: Array, weight: Array, bias: Array) -> Array:
    """The bias is missing."""
    return h[is_mask] @ weight.T


def has_few_digits(
    found: Any, h: Array, is_mask: Array, weight: Array, bias: Array
) -> bool:
    """It is right to a few digits only. Was something computed in float16 or float32?
    Results keep the dtype of what comes in.
    """
    if not isinstance(found, np.ndarray):
        return False
    right = masked_scores(h, is_mask, weight, bias)
    return np.abs(found - right).max() < 1e-2 * np.abs(right).max()


def masked_case(is_mask: list[list[int]], D: int, V: int) -> tuple[Array, ...]:
    """Return h, is_mask, weight and bias for masks at these places."""
    places = np.array(is_mask, bool)
    h = rng.normal(size=(*places.shape, D))
    return h, places, rng.normal(size=(V, D)), rng.normal(size=V)


MASKED_SCORES = Exercise(
    name="masked_scores",
    lesson=9,
    minutes=4,
    difficulty=1,
    answer=masked_scores,
    cases={
        "one text of 3 tokens, one mask": (
            np.array([[[1.0, 0.0], [2.0, 3.0], [0.0, 1.0]]]),
            np.array([[False, True, False]]),
            np.array([[1.0, 1.0], [1.0, -1.0], [0.0, 2.0], [3.0, 0.0]]),
            np.array([0.0, 1.0, 0.0, -1.0]),
        ),
        "a mask in each text": masked_case([[0, 1, 0], [1, 0, 0]], 4, 5),
        "2 masks, none, 1 mask": masked_case([[0, 1, 1], [0, 0, 0], [1, 0, 0]], 3, 3),
    },
    hints=(
        "A score for every word is the dearest product of the pass: how many of the "
        "B · L vectors need it?",
        "A boolean array can be an index: h[is_mask] is (M, D), text by text.",
        "functions.linear(h[is_mask], weight, bias).",
    ),
    slips=(
        scores_everywhere, others_set_to_zero, mask_of_first_text, first_mask_of_each,
        bias_forgotten,
    ),
    signs=(has_few_digits,),
)

# --- texts of like length together ----------------------------------------------------

Batches = list[list[int]]


def batches_by_tokens(lengths: Sequence[int], max_tokens: int) -> Batches:
    """Return the numbers of texts of these lengths in batches, the longest texts first.

    A batch takes as many as fit: its longest text, times how many texts, is at most
    `max_tokens`. A text that is longer than that is a batch of its own.
    """
    rows = [np.zeros(length) for length in lengths]
    return [batch.tolist() for batch in base.batches_by_tokens(rows, max_tokens)]


def filled(
    order: Sequence[int], lengths: Sequence[int], fits: Callable[[list[int]], bool]
) -> Batches:
    """Return texts in batches, in this order: each as large as still `fits`."""
    batches: Batches = [[]]
    for i in order:
        if batches[-1] and not fits([lengths[j] for j in (*batches[-1], i)]):
            batches.append([])
        batches[-1].append(int(i))
    return batches


def longest_first(lengths: Sequence[int]) -> Array:
    """Return the numbers of texts, the longest first, equal ones as they come."""
    return np.argsort(-np.asarray(lengths), kind="stable")


def as_they_come(lengths: Sequence[int], max_tokens: int) -> Batches:
    """The texts are taken as they come. Sort them, the longest first: a short text
    beside a long one is mostly padding.
    """
    order = range(len(lengths))
    return filled(order, lengths, lambda batch: max(batch) * len(batch) <= max_tokens)


def shortest_first(lengths: Sequence[int], max_tokens: int) -> Batches:
    """The shortest come first. Begin with the longest: if memory is short, that shows
    at once.
    """
    order = np.argsort(lengths, kind="stable")
    return filled(order, lengths, lambda batch: max(batch) * len(batch) <= max_tokens)


def padding_not_counted(lengths: Sequence[int], max_tokens: int) -> Batches:
    """The padding is not counted: in a batch every text costs as much as its longest.
    """
    order = longest_first(lengths)
    return filled(order, lengths, lambda batch: sum(batch) <= max_tokens)


def never_quite_full(lengths: Sequence[int], max_tokens: int) -> Batches:
    """A batch of just max_tokens is allowed: ≤, not <."""
    order = longest_first(lengths)
    return filled(order, lengths, lambda batch: max(batch) * len(batch) < max_tokens)


def last_text_counted(lengths: Sequence[int], max_tokens: int) -> Batches:
    """It counts with the length of the text that comes in. Every text of a batch is as
    long as the batch's longest, the first.
    """
    order = longest_first(lengths)
    return filled(order, lengths, lambda batch: batch[-1] * len(batch) <= max_tokens)


def lengths_for_numbers(lengths: Sequence[int], max_tokens: int) -> Batches:
    """Those are the texts' lengths. Return their numbers: where they stand in lengths.
    """
    batches = batches_by_tokens(lengths, max_tokens)
    return [[lengths[i] for i in batch] for batch in batches]


def last_batch_lost(lengths: Sequence[int], max_tokens: int) -> Batches:
    """The last batch is missing: what is left when the texts end is a batch, too."""
    return batches_by_tokens(lengths, max_tokens)[:-1]


def empty_batch_first(lengths: Sequence[int], max_tokens: int) -> Batches:
    """There is an empty batch: a text that is too long for any batch comes into one all
    the same, alone, and the batch before it may still be empty.
    """
    batches: Batches = [[]]
    for i in longest_first(lengths):
        most = max([lengths[j] for j in batches[-1]], default=lengths[i])
        if most * (len(batches[-1]) + 1) > max_tokens:
            batches.append([])
        batches[-1].append(int(i))
    return batches


def left_as_arrays(lengths: Sequence[int], max_tokens: int) -> list[Array]:
    """The batches are right, but arrays: make a list of each, batch.tolist()."""
    return [np.array(batch) for batch in batches_by_tokens(lengths, max_tokens)]


def equal_ones_disordered(
    found: Any, lengths: Sequence[int], max_tokens: int
) -> bool:
    """Texts of equal length are not in their order. Is the sort stable? And [::-1]
    turns equal ones around: sort by the negative length.
    """
    right = batches_by_tokens(lengths, max_tokens)
    as_lengths = [[[lengths[i] for i in batch] for batch in x] for x in (found, right)]
    return found != right and is_same(*as_lengths)


def loses_texts(found: Any, lengths: Sequence[int], max_tokens: int) -> bool:
    """Some text is in no batch, or in two of them."""
    return sorted(i for batch in found for i in batch) != list(range(len(lengths)))


BATCHES_BY_TOKENS = Exercise(
    name="batches_by_tokens",
    lesson=9,
    minutes=8,
    difficulty=2,
    answer=batches_by_tokens,
    cases={
        "lengths 3, 9, 4, 8, and at most 20 tokens": ([3, 9, 4, 8], 20),
        "batches that are just full": ([5, 2, 5, 2, 5, 2, 2], 10),
        "a text that is too long": ([4, 12, 30, 5, 5], 15),
        "40 texts": (rng.integers(3, 30, size=40).tolist(), 64),
    },
    hints=(
        "In which order do texts of like length stand together? np.argsort(…, "
        'kind="stable") leaves equal ones in their order.',
        "The first text of a batch is its longest: it alone says how many fit.",
        "size = max(1, max_tokens // length of the first one); the max lets a text in "
        "that is too long.",
        "start = 0; while start < len(order): take order[start : start + size], then "
        "start += size.",
    ),
    slips=(
        as_they_come, shortest_first, padding_not_counted, never_quite_full,
        last_text_counted, lengths_for_numbers, last_batch_lost, empty_batch_first,
        left_as_arrays,
    ),
    signs=(equal_ones_disordered, loses_texts),
    reveals=(base.batches_by_tokens,),
)

EXERCISES = (
    ALL_COSINES, SOFTMAX_IN_PLACE, INTERPOLATE, MASKED_SCORES, BATCHES_BY_TOKENS,
)
