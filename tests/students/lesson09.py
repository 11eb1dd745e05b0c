"""Answers to the exercises of lesson 9, making NumPy fast."""

import numpy as np

# Right, and written differently from the library.
RIGHT = {}
# (a wrong answer, words of what it must be told)
WRONG = {}
# A fault of the zoo, planted in the library's own function: words of the diagnosis.
FAULTS = {}


# --- all cosines at once --------------------------------------------------------------


def all_cosines_by_loops(x, y):
    cosines = np.zeros((len(x), len(y)))
    for i, a in enumerate(x):
        for j, b in enumerate(y):
            cosines[i, j] = sum(a * b) / (sum(a * a) * sum(b * b)) ** 0.5
    return cosines


def all_cosines_by_einsum(x, y):
    lengths = [np.sqrt(np.einsum("nd,nd->n", each, each)) for each in (x, y)]
    return np.einsum("md,nd->mn", x, y) / np.outer(*lengths)


RIGHT["all_cosines"] = [all_cosines_by_loops, all_cosines_by_einsum]
WRONG["all_cosines"] = [
    (lambda x, y: np.einsum("md,nd->mn", x, y), "These are the products"),
    (lambda x, y: all_cosines_by_loops(y, x), "axes are swapped"),
    (lambda x, y: all_cosines_by_loops(x, y) * np.sqrt(np.square(y).sum(1)),
     "Only one of the two lengths"),
    (lambda x, y: all_cosines_by_loops(x, y) * np.sqrt(np.square(x).sum(1))[:, None],
     "Only the lengths of y"),
    (lambda x, y: x.dot(y.T) / np.sqrt((x * x).sum() * (y * y).sum()),
     "one long vector"),
    (lambda x, y: x.dot(y.T) / np.outer((x * x).sum(1), (y * y).sum(1)),
     "a root is missing"),
    (lambda x, y: np.einsum("md,nd->mn", x / np.sqrt(np.square(x).sum(0)),
     y / np.sqrt(np.square(y).sum(0))), "those of the columns"),
]


# --- softmax on one temporary ---------------------------------------------------------


def softmax_in_place_of_a_copy(x):
    y = x.copy()
    y -= np.max(y, -1)[..., None]
    y = np.exp(y, out=y)
    y *= 1 / np.einsum("...i->...", y)[..., None]
    return y


def softmax_in_place_not_at_all(x):
    return np.apply_along_axis(
        lambda row: np.exp(row - max(row)) / sum(np.exp(row - max(row))), -1, x
    )


def softmax_less_mean(x):
    y = x - np.mean(x, -1, keepdims=True)
    np.exp(y, out=y)
    y /= y.sum(-1, keepdims=True)
    return y


def softmax_exp_lost(x):
    y = x - x.max(-1, keepdims=True)
    np.exp(y)
    y /= y.sum(-1, keepdims=True)
    return y


RIGHT["softmax_in_place"] = [softmax_in_place_of_a_copy, softmax_in_place_not_at_all]


def another_name(x):
    y = x
    y -= np.max(y, axis=-1, keepdims=True)
    y = np.exp(y)
    return y / np.sum(y, axis=-1, keepdims=True)


def without_maximum(x):
    y = np.exp(x)
    y /= np.sum(y, axis=-1, keepdims=True)
    return y


def along_the_other_axis(x):
    y = np.exp(x - np.max(x))
    y /= np.sum(y, axis=-2, keepdims=True)
    return y


def sum_of_everything(x):
    y = np.exp(x - np.max(x, axis=-1, keepdims=True))
    y /= np.sum(y)
    return y


def maximum_of_everything(x):
    y = x - np.max(x)
    np.exp(y, out=y)
    y /= np.sum(y, -1, keepdims=True)
    return y


def mean_not_sum(x):
    y = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return y / np.mean(y, axis=-1, keepdims=True)


WRONG["softmax_in_place"] = [
    (another_name, "a second name"),
    (another_name, "changes x in place"),
    (without_maximum, "infinity"),
    (along_the_other_axis, "The columns sum to 1"),
    (sum_of_everything, "One sum for everything"),
    (maximum_of_everything, "Each row needs its own"),
    (mean_not_sum, "Rows do not sum to 1"),
    (lambda x: np.exp(x - np.max(x, -1)[..., None]), "not divided by their sums yet"),
    (softmax_less_mean, "not the maximum"),
    (softmax_exp_lost, "nobody keeps"),
]


# --- a table, and what is between its entries -----------------------------------------


def interpolate_by_numpy(x, table, per_unit):
    return np.interp(x, np.arange(len(table)) / per_unit, table)


def interpolate_by_loops(x, table, per_unit):
    y = np.empty(x.shape)
    for place, number in np.ndenumerate(x):
        share, entry = np.modf(number * per_unit)
        y[place] = (1 - share) * table[int(entry)] + share * table[int(entry) + 1]
    return y


def risen(part):
    """Return an answer that goes another part of the way to the next entry."""

    def answer(x, table, per_unit):
        share, entry = np.modf(x * per_unit)
        i = entry.astype(int)
        return table[i] + np.diff(table)[i] * part(share, x * per_unit, per_unit)

    return answer


def between(x, table, per_unit, entry_of=np.floor, rise_of=lambda a, b: b - a):
    place = x * per_unit
    entry = entry_of(place).astype(int)
    below, above = table[entry], table[entry + 1]
    return below + (place - entry) * rise_of(below, above)


RIGHT["interpolate"] = [interpolate_by_numpy, interpolate_by_loops]
WRONG["interpolate"] = [
    (lambda x, table, n: table[np.floor(x * n).astype(int)], "is the entry below"),
    (lambda x, table, n: table[np.round(x * n).astype(int)], "is the nearest entry"),
    (lambda x, table, n: interpolate_by_loops(x, table, 1), "taken to be 1 apart"),
    (lambda x, table, n: table[x * n], "it stops"),
    (lambda x, table, n: interpolate_by_loops(x, table[::-1], n),
     "not right yet. For x²"),
    (risen(lambda share, place, n: 1 - share), "have changed places"),
    (risen(lambda share, place, n: place), "multiplied by the whole place"),
    (risen(lambda share, place, n: share / n), "how far x is beyond its entry"),
    (lambda x, t, p: between(x, t, p, np.round), "starts from the nearest"),
    (lambda x, t, p: between(x, t, p, rise_of=lambda a, b: b), "next entry itself"),
    (lambda x, t, p: between(x, t, p, rise_of=lambda a, b: a - b), "wrong sign"),
    (lambda x, t, p: (t[(x * p).astype(int)] + t[(x * p).astype(int) + 1]) / 2,
     "the middle between"),
]


# --- scores where they are asked for --------------------------------------------------


def masked_scores_by_loops(h, is_mask, weight, bias):
    return np.array([
        weight @ h[i, j] + bias
        for i in range(len(h)) for j in range(h.shape[1]) if is_mask[i, j]
    ])


def masked_scores_afterwards(h, is_mask, weight, bias):
    return (h @ weight.T + bias)[is_mask]


RIGHT["masked_scores"] = [masked_scores_by_loops, masked_scores_afterwards]


def one_for_each_text(h, is_mask, weight, bias):
    chosen = [text[list(places).index(True) if any(places) else 0]
              for text, places in zip(h, is_mask, strict=True)]
    return np.stack(chosen) @ weight.T + bias


def by_the_first_text(h, is_mask, weight, bias):
    (places,) = np.nonzero(is_mask[0])
    return np.concatenate([text[places] @ weight.T + bias for text in h])


def in_half_precision(h, is_mask, weight, bias):
    return (h[is_mask].astype(np.float16) @ weight.T.astype(np.float16)) + bias


WRONG["masked_scores"] = [
    (lambda h, is_mask, weight, bias: h @ weight.T + bias, "at all places"),
    (lambda h, is_mask, weight, bias: np.where(is_mask[..., None], h, 0) @ weight.T
     + bias, "nothing is saved"),
    (one_for_each_text, "One place of each text"),
    (by_the_first_text, "those of the first text"),
    (lambda h, is_mask, weight, bias: h[is_mask].dot(weight.T), "The bias is missing"),
    (in_half_precision, "a few digits only"),
    (lambda h, m, w, b: list(masked_scores_afterwards(h, m, w, b)), "For one text of"),
]
FAULTS["masked_scores"] = [("float16-accumulation", "a few digits only")]


# --- texts of like length together ----------------------------------------------------


def batches_by_tokens_one_by_one(lengths, max_tokens):
    batches = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= max_tokens:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def taken(order, lengths, max_tokens, longest=0):
    """Return batches in this order; the longest of each is the first, or another."""
    batches, batch = [], []
    for i in map(int, order):
        if batch and lengths[[*batch, i][longest]] * (len(batch) + 1) > max_tokens:
            batches.append(batch)
            batch = []
        batch.append(i)
    return [*batches, batch]


def by_length(lengths):
    return sorted(range(len(lengths)), key=lambda i: -lengths[i])


RIGHT["batches_by_tokens"] = [batches_by_tokens_one_by_one]


def grown(lengths, max_tokens, order, cost):
    """Return the batches of a loop that closes one when the next text is too much."""
    batches, batch = [], []
    for i in order:
        if batch and cost([lengths[j] for j in [*batch, i]]) > max_tokens:
            batches.append(batch)
            batch = []
        batch.append(i)
    return batches, batch


def padded_cost(batch):
    return max(batch) * len(batch)


def unsorted(lengths, max_tokens):
    batches, rest = grown(lengths, max_tokens, range(len(lengths)), padded_cost)
    return [*batches, rest]


def upwards(lengths, max_tokens):
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    batches, rest = grown(lengths, max_tokens, order, padded_cost)
    return [*batches, rest]


def by_sum(lengths, max_tokens):
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    batches, rest = grown(lengths, max_tokens, order, sum)
    return [*batches, rest]


def without_the_rest(lengths, max_tokens):
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    return grown(lengths, max_tokens, order, padded_cost)[0]


def strictly_less(lengths, max_tokens):
    return batches_by_tokens_one_by_one(lengths, max_tokens - 1)


def too_long_is_dropped(lengths, max_tokens):
    batches = batches_by_tokens_one_by_one(lengths, max_tokens)
    return [batch for batch in batches if lengths[batch[0]] <= max_tokens]


def closed_while_empty(lengths, max_tokens):
    batches, batch, longest = [], [], 0
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if max(longest, lengths[i]) * (len(batch) + 1) > max_tokens:
            batches.append(batch)
            batch, longest = [], 0
        batch.append(i)
        longest = max(longest, lengths[i])
    return [*batches, batch]


def of_arrays(lengths, max_tokens):
    return [*map(np.array, batches_by_tokens_one_by_one(lengths, max_tokens))]


WRONG["batches_by_tokens"] = [
    (unsorted, "as they come"),
    (upwards, "The shortest come first"),
    (by_sum, "padding is not counted"),
    (without_the_rest, "The last batch is missing"),
    (strictly_less, "≤, not <"),
    (too_long_is_dropped, "Some text is in no batch"),
    (closed_while_empty, "an empty batch"),
    (of_arrays, "make a list of each"),
    (lambda lengths, most: taken(np.argsort(lengths)[::-1], lengths, most),
     "not in their order"),
    (lambda lengths, most: taken(by_length(lengths), lengths, most, -1),
     "text that comes in"),
    (lambda lengths, most: [
        [lengths[i] for i in batch]
        for batch in taken(by_length(lengths), lengths, most)
    ], "Those are the texts' lengths"),
]
