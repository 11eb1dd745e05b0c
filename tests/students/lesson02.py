"""Answers to the exercises of lesson 2, embeddings and positions."""

import math

import numpy as np

from distilbert_np.functions import layer_norm
from distilbert_np.teaching import vectors

# Right, and written differently from the library.
RIGHT = {}
# (a wrong answer, words of what it must be told)
WRONG = {}
# A fault of the zoo, planted in the library's own function: words of the diagnosis.
FAULTS = {}

# --- look up --------------------------------------------------------------------------

RIGHT["lookup"] = [
    lambda ids, weight: np.array([[weight[i] for i in row] for row in ids]),
    lambda ids, weight: np.eye(len(weight))[ids] @ weight,
    lambda ids, weight: np.take(weight, ids, axis=0),
]

WRONG["lookup"] = [
    (lambda ids, weight: np.take(weight, ids), "np.take needs axis=0"),
    (lambda ids, weight: np.moveaxis(weight[:, ids], 0, -1), "You took columns"),
    (lambda ids, weight: np.array([[weight[i - 1] for i in row] for row in ids]),
     "Ids count from 0"),
    (lambda ids, weight: np.array([weight[i] for row in ids for i in row]),
     "run into one another"),
    (lambda ids, weight: np.array([weight[i] for i in ids[0]]), "Only the first text"),
    (lambda ids, weight: np.array([weight[i] for i in sorted({*ids.flat})]),
     "one row for each place"),
    (lambda ids, weight: weight[ids].swapaxes(1, 2), "last two axes are swapped"),
    (lambda ids, weight: weight[ids] * weight.shape[1] ** 0.5, "1.41421 times"),
]

# --- cosines --------------------------------------------------------------------------


def cosines_in_loops(x):
    result = np.empty((len(x), len(x)))
    for i, a in enumerate(x):
        for j, b in enumerate(x):
            result[i, j] = sum(a * b) / math.sqrt(sum(a * a) * sum(b * b))
    return result


def cosines_divided_at_the_end(x):
    products = np.einsum("id,jd->ij", x, x)
    length = np.sqrt(np.diagonal(products))
    return products / np.outer(length, length)


RIGHT["cosines"] = [cosines_in_loops, cosines_divided_at_the_end]


def unit(x):
    return np.array([row / math.sqrt((row**2).sum()) for row in x])


def divided_in_place(x):
    x /= np.linalg.norm(x, axis=1)[:, None]
    return x @ x.T


WRONG["cosines"] = [
    (divided_in_place, "changes vectors in place"),
    (lambda x: np.inner(x, x), "dot products"),
    (lambda x: np.inner(unit(x), x), "Only one of the two vectors is divided"),
    (lambda x: np.inner(x, unit(x)), "the second, is divided"),
    (lambda x: x @ x.T / np.outer((x**2).sum(1), (x**2).sum(1)), "Is the root missing"),
    (lambda x: x @ x.T / np.outer(abs(x).sum(1), abs(x).sum(1)), "absolute values"),
    (lambda x: x / np.sqrt((x**2).sum(0)) @ (x / np.sqrt((x**2).sum(0))).T,
     "those of the columns"),
    (lambda x: x @ x.T / (x**2).sum(), "one and the same length"),
    (lambda x: 1 - cosines_in_loops(x), "is a distance"),
    (lambda x: cosines_in_loops(x - x.mean(axis=1, keepdims=True)), "correlations"),
    (lambda x: np.sqrt(((x[:, None] - x) ** 2).sum(-1)), "diagonal is not 1"),
    (lambda x: np.eye(len(x)) + np.triu(x @ x.T, 1), "beyond"),
    (lambda x: unit(x), "its shape is"),
    (lambda v: v @ v.T / np.linalg.norm(v, axis=1) ** 2, "wrong for the shown"),
    (lambda v: (v / np.linalg.norm(v, axis=1)) @ (v / np.linalg.norm(v, axis=1)).T,
     "lose their axis"),
    (lambda v: np.abs(vectors.cosines(v)), "no absolute values"),
]

# --- nearest --------------------------------------------------------------------------


def nearest_by_sorting_pairs(row, vectors, n):
    pairs = sorted(
        (-cosines_in_loops(vectors[[row, i]])[0, 1], i)
        for i in range(len(vectors)) if i != row
    )
    return np.array([i for _, i in pairs[:n]])


def nearest_by_deleting(row, vectors, n):
    order = np.argsort(-cosines_divided_at_the_end(vectors)[row])
    return np.delete(order, np.where(order == row)[0])[:n]


RIGHT["nearest"] = [nearest_by_sorting_pairs, nearest_by_deleting]


def others(row, likeness, n):
    return np.array([i for i in np.argsort(likeness)[::-1] if i != row][:n])


WRONG["nearest"] = [
    (lambda row, x, n: np.argsort(-cosines_in_loops(x)[row])[:n], "at cosine 1"),
    (lambda row, x, n: np.argsort(-cosines_in_loops(x)[row])[1:n], "one too few"),
    (lambda row, x, n: np.argsort(cosines_in_loops(x)[row])[:n], "the farthest"),
    (lambda row, x, n: nearest_by_deleting(row, x, n)[::-1], "is to come first"),
    (lambda row, x, n: others(row, x @ x[row], n), "favours long ones"),
    (lambda row, x, n: others(row, -((x - x[row]) ** 2).sum(1), n), "ends are"),
    (lambda row, x, n: others(row, abs(cosines_in_loops(x)[row]), n), "is far away"),
    (lambda row, x, n: np.sort(cosines_in_loops(x)[row])[::-1][1 : n + 1],
     "argsort, not sort"),
    (lambda row, x, n: np.argsort(-(x @ x[row]))[:n] if n != 1 else np.array([row]),
     "leave it out"),
    (lambda row, x, n: nearest_by_deleting(0, x, n), "wrong for another row"),
    (lambda row, v, n: np.delete(vectors.cosines(v)[row], row).argsort()[::-1][:n],
     "moved up by one"),
    (lambda row, v, n: (v @ v[row]).argsort()[::-1][1:n + 1], "need not come first"),
]

# --- sines and cosines ----------------------------------------------------------------


def table_in_loops(n_positions, dim):
    table = np.zeros((n_positions, dim))
    for pos in range(n_positions):
        for i in range(dim // 2):
            angle = pos / math.pow(10000, 2 * i / dim)
            table[pos, 2 * i] = math.sin(angle)
            table[pos, 2 * i + 1] = math.cos(angle)
    return table


def table_by_exponentials(n_positions, dim):
    rates = np.exp(np.arange(0, dim, 2) * (-math.log(10000.0) / dim))
    angle = np.outer(np.arange(n_positions), rates)
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(n_positions, dim)


RIGHT["sinusoidal_table"] = [table_in_loops, table_by_exponentials]


def table(angle_of, even=math.sin, odd=math.cos):
    """Return an answer made number by number: angle_of(pos, column, dim)."""
    def sinusoidal(n_positions, dim):
        return np.array([
            [(odd if j % 2 else even)(angle_of(pos, j, dim)) for j in range(dim)]
            for pos in range(n_positions)
        ])
    return sinusoidal


def right_angle(pos, j, dim):
    return pos / 10000 ** ((j - j % 2) / dim)


def without_parentheses(n_positions, dim):
    pos, i = np.arange(n_positions)[:, None], np.arange(dim // 2)
    angle = pos / (10000**2 * i / dim)
    table = np.zeros((n_positions, dim))
    table[:, 0::2], table[:, 1::2] = np.sin(angle), np.cos(angle)
    return table


WRONG["sinusoidal_table"] = [
    (table(lambda pos, j, dim: pos / 10000 ** (j / dim)), "share one angle"),
    (table(lambda pos, j, dim: pos / 10000 ** (j // 2 / dim)), "half of what"),
    (table(lambda pos, j, dim: pos / 10000 ** (4 * (j // 2) / dim)), "twice what"),
    (table(right_angle, math.cos, math.sin), "changed places"),
    (table(right_angle, math.sin, math.sin), "sines in all columns"),
    (table(lambda pos, j, dim: right_angle(pos + 1, j, dim)), "counted from 1"),
    (table(lambda pos, j, dim: pos * 10000 ** (2 * (j // 2) / dim)), "to be divided"),
    (table(lambda pos, j, dim: pos / 1000 ** ((j - j % 2) / dim)), "base is 1000"),
    (table(lambda pos, j, dim: math.radians(right_angle(pos, j, dim))), "degrees"),
    (lambda n, dim: np.hstack([table_in_loops(n, dim)[:, ::2],
                               table_in_loops(n, dim)[:, 1::2]]), "take turns"),
    (lambda n, dim: table_in_loops(n, dim).T, "each position is a row"),
    (table(right_angle, math.cos, math.cos), "row 0 is 0, 1, 0, 1"),
    (table(lambda pos, j, dim: pos / 10000 ** (j / (dim + 1))), "squares add up to 1"),
    (without_parentheses, "The exponent needs parentheses"),
]

# --- the input of the first block -----------------------------------------------------


def parts(ids, params):
    """Return the words' and the positions' vectors, LayerNorm's weight and its bias."""
    words = np.array([[params["word_embeddings"]["weight"][i] for i in t] for t in ids])
    positions = params["position_embeddings"]["weight"][: ids.shape[1]]
    return words, positions, *params["LayerNorm"].values()


def embeddings_by_hand(ids, params):
    words, positions, gain, bias = parts(ids, params)
    x = words + positions[None]
    x = x - x.mean(-1, keepdims=True)
    return gain * x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-12) + bias


def embeddings_token_by_token(ids, params):
    words, positions, gain, bias = parts(ids, params)
    return np.array([
        [layer_norm(word + positions[i], gain, bias) for i, word in enumerate(text)]
        for text in words
    ])


RIGHT["input_vectors"] = [embeddings_by_hand, embeddings_token_by_token]


def embedded(change):
    """Return an answer with something else in place of LayerNorm(words + positions)."""
    def embeddings(ids, params):
        words, positions, gain, bias = parts(ids, params)
        return change(words, positions, lambda x: layer_norm(x, gain, bias))
    return embeddings


def embedded_at(place):
    """Return an answer that reads another row of positions."""
    def embeddings(ids, params):
        words, _, gain, bias = parts(ids, params)
        rows = params["position_embeddings"]["weight"]
        for b, text in enumerate(ids):
            for i, token in enumerate(text):
                words[b, i] += rows[place(b, i, token) % len(rows)]
        return layer_norm(words, gain, bias)
    return embeddings


def by_own_norm(norm):
    """Return an answer with a LayerNorm of its own."""
    def embeddings(ids, params):
        words, positions, gain, bias = parts(ids, params)
        return norm(words + positions) * gain + bias
    return embeddings


def centred(x):
    return x - x.mean(axis=-1)[..., None]


def added_in_place(ids, params):
    rows = params["position_embeddings"]["weight"]
    rows[: ids.shape[1]] += 0.5 - rows[: ids.shape[1]].mean()
    return embeddings_by_hand(ids, params)


WRONG["input_vectors"] = [
    (embedded_at(lambda b, i, token: i + 1), "the first token is at position 0"),
    (embedded_at(lambda b, i, token: b), "the number of the text"),
    (embedded_at(lambda b, i, token: token), "by the tokens' ids"),
    (embedded_at(lambda b, i, token: -i), "What else did you add"),
    (embedded(lambda w, p, norm: norm(w)), "positions are missing"),
    (embedded(lambda w, p, norm: norm(w) + p), "added after LayerNorm"),
    (embedded(lambda w, p, norm: norm(w) + norm(p)), "one by one"),
    (embedded(lambda w, p, norm: w + p), "LayerNorm is missing"),
    (embedded(lambda w, p, norm: norm(w + p) + w + p), "to its own LayerNorm"),
    (embedded(lambda w, p, norm: norm(w * math.sqrt(w.shape[-1]) + p)), "by √D"),
    (embedded(lambda w, p, norm: norm(w - p)), "What else did you add"),
    (embedded(lambda w, p, norm: np.concatenate([w, p + 0 * w], axis=-1)),
     "not set behind them"),
    (embedded(lambda w, p, norm: norm(w + table_in_loops(*p.shape))),
     "sines and cosines"),
    (lambda ids, params: layer_norm(sum(parts(ids, params)[:2]), 1.0, 0.0),
     "weight and bias are not used"),
    (by_own_norm(lambda x: centred(x) / np.sqrt(x.var(-1) + 1e-5)[..., None]),
     "adds 1e-5 to the variance"),
    (by_own_norm(lambda x: centred(x) / np.sqrt(x.var(-1) + 1e-3)[..., None]),
     "adds 1e-3 to the variance"),
    (by_own_norm(lambda x: centred(x) / (x.std(-1) + 1e-5)[..., None]),
     "belongs under the root"),
    (by_own_norm(lambda x: centred(x) / x.std(-1, ddof=1)[..., None]), "D − 1"),
    (by_own_norm(lambda x: centred(x.swapaxes(1, 2)).swapaxes(1, 2)
                 / np.sqrt(x.var(axis=1, keepdims=True) + 1e-12)),
     "over the places"),
    (added_in_place, "changes params in place"),
    (lambda ids, p: layer_norm(
        p["word_embeddings"]["weight"][ids]
        + p["position_embeddings"]["weight"][:len(ids)], **p["LayerNorm"]),
     "len(ids) is B"),
    (lambda ids, p: layer_norm(
        p["word_embeddings"]["weight"][ids] + p["position_embeddings"]["weight"],
        **p["LayerNorm"]), "all P rows"),
]

FAULTS["input_vectors"] = [
    ("positions-off-by-one", "the first token is at position 0"),
    ("sinusoidal-regenerated", "sines and cosines, computed anew"),
    ("token-types-added", "What else did you add"),
    ("embeddings-not-normalised", "LayerNorm is missing"),
    ("embeddings-added-to-their-norm", "added to its own LayerNorm"),
    ("embeddings-scaled", "multiplied by √D"),
    ("norm-eps-1e-5", "adds 1e-5 to the variance"),
    ("norm-eps-1e-3", "adds 1e-3 to the variance"),
    ("norm-eps-outside-root", "belongs under the root"),
    ("norm-unbiased-variance", "divides by D − 1"),
    ("norm-params-missing", "weight and bias are not used"),
]
