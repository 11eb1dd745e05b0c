"""Answers to the exercises of lesson 3, attention."""

import math

import numpy as np

from distilbert_np.attention import mask_bias, merge_heads, split_heads
from distilbert_np.functions import linear, softmax

# Right, and written differently from the library.
RIGHT = {}
# (a wrong answer, words of what it must be told)
WRONG = {}
# A fault of the zoo, planted in the library's own function: words of the diagnosis.
FAULTS = {}

# --- split the heads, and merge them --------------------------------------------------


def split_heads_by_slices(x, n_heads):
    K = x.shape[-1] // n_heads
    return np.stack([x[..., h * K : (h + 1) * K] for h in range(n_heads)], axis=1)


def split_heads_by_einsum(x, n_heads):
    return np.einsum("blhk->bhlk", x.reshape(*x.shape[:2], n_heads, -1))


RIGHT["split_heads"] = [split_heads_by_slices, split_heads_by_einsum]

WRONG["split_heads"] = [
    (lambda x, n: np.reshape(x, (len(x), n, -1, x.shape[-1] // n)), "whole tokens"),
    (lambda x, n: np.array(np.split(x, n, axis=-1)).swapaxes(0, 1)[..., ::-1],
     "not in their places"),
    (lambda x, n: np.stack(np.split(x, n, axis=-1), axis=2), "still come before heads"),
    (lambda x, n: np.stack([x[..., h::n] for h in range(n)], axis=1), "every H-th"),
    (lambda x, n: np.array(np.split(x, n, axis=-1)), "shape is"),
    (lambda x, n: x.swapaxes(1, 2).reshape(len(x), n, x.shape[1], -1),
     "transposed before"),
    (lambda x, n: np.array(np.split(x, n, axis=-1)), "heads come before the texts"),
    (lambda x, n: x.reshape(*x.shape[:2], n, x.shape[2] / n), "K = D // n_heads"),
]

FAULTS["split_heads"] = [
    ("heads-not-transposed", "whole tokens"),
    ("heads-interleaved", "every H-th number"),
]


def merge_heads_by_concatenating(x):
    return np.concatenate([x[:, h] for h in range(x.shape[1])], axis=-1)


def merge_heads_by_loops(x):
    B, H, L, K = x.shape
    y = np.empty((B, L, H * K))
    for b, h, i, c in np.ndindex(x.shape):
        y[b, i, h * K + c] = x[b, h, i, c]
    return y


RIGHT["merge_heads"] = [merge_heads_by_concatenating, merge_heads_by_loops]

WRONG["merge_heads"] = [
    (lambda x: x.reshape(len(x), x.shape[2], -1), "tokens are mixed"),
    (lambda x: np.stack([*x.swapaxes(0, 1)], axis=-1).reshape(*x[:, 0].shape[:2], -1),
     "alternate"),
    (lambda x: np.einsum("bhlk->blhk", x), "in H pieces"),
    (lambda x: sum(x[:, h] for h in range(x.shape[1])) / x.shape[1], "side by side"),
    (lambda x: merge_heads_by_concatenating(x[:, ::-1]), "not in their places"),
    (lambda x: x.sum(1), "heads are added up"),
]
FAULTS["merge_heads"] = [("heads-not-merged-back", "Transpose back")]

# --- scores ---------------------------------------------------------------------------


def scores_by_einsum(q, k):
    return np.einsum("bhik,bhjk->bhij", q, k) * q.shape[-1] ** -0.5


def scores_by_loops(q, k):
    B, H, L, K = q.shape
    scores = np.zeros((B, H, L, L))
    for b, h, i, j in np.ndindex(scores.shape):
        scores[b, h, i, j] = sum(q[b, h, i] * k[b, h, j]) / math.sqrt(K)
    return scores


RIGHT["attention_scores"] = [scores_by_einsum, scores_by_loops]


def scores_over(divisor):
    return lambda q, k: np.einsum("bhik,bhjk->bhij", q, k) / divisor(q)


WRONG["attention_scores"] = [
    (lambda q, k: np.matmul(q, np.transpose(k, (0, 1, 3, 2))), "not divided"),
    (lambda q, k: np.matmul(q, k.T), "shapes"),
    (lambda q, k: q * k, "shape is"),
    (lambda q, k: np.einsum("bhik,bhjk->bhji", q, k) / q.shape[-1] ** 0.5, "other way"),
    (scores_over(lambda q: q.shape[-1]), "not by its root"),
    (scores_over(lambda q: np.sqrt(q.shape[1] * q.shape[3])), "Divided by √D"),
    (scores_over(lambda q: np.sqrt(q.shape[2])), "number of tokens"),
    (scores_over(lambda q: 1 / np.sqrt(q.shape[3])), "Multiplied"),
    (scores_over(lambda q: np.sqrt(q.shape[3]) / 2), "Every number is 2 times"),
    (lambda q, k: q @ k.T / np.sqrt(q.shape[-1]), ".T turns all four axes"),
    (lambda q, k: q @ k.reshape(*k.shape[:2], k.shape[3], -1) / np.sqrt(k.shape[3]),
     "reshaped, not transposed"),
    (lambda q, k: softmax(np.einsum("bhik,bhjk->bhij", q, k) / k.shape[3] ** 0.5),
     "These are weights already"),
]

# --- softmax --------------------------------------------------------------------------


def softmax_by_rows(x):
    y = np.empty(x.shape)
    for place in np.ndindex(x.shape[:-1]):
        powers = [math.exp(score - max(x[place])) for score in x[place]]
        y[place] = [power / sum(powers) for power in powers]
    return y


def softmax_by_logsumexp(x):
    top = x.max(-1)[..., None]
    return np.exp(x - top - np.log(np.exp(x - top).sum(-1))[..., None])


RIGHT["softmax"] = [softmax_by_rows, softmax_by_logsumexp]


def softmax_in_place(x):
    x -= x.max(axis=-1, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(axis=-1, keepdims=True)
    return x


def softmax_over_columns(x):
    e = np.exp(x - np.max(x))
    return e / np.sum(e, axis=0)


def softmax_without_keepdims(x):
    e = np.exp(x - x.max(-1)[..., None])
    return e / e.sum(-1)


def softmax_with_a_guard(x):
    e = np.exp(x)
    return e / (e.sum(-1, keepdims=True) + 1e-12)


def softmax_never_zero(x):
    e = np.exp(x - x.max(-1, keepdims=True)) + 1e-7
    return e / e.sum(-1, keepdims=True)


WRONG["softmax"] = [
    (lambda x: np.exp(x) / np.exp(x).sum(-1)[..., None], "largest number first"),
    (lambda x: np.exp(x - np.max(x)) / np.exp(x - np.max(x)).sum(-1)[..., None],
     "Each row needs its own"),
    (softmax_over_columns, "Columns sum to 1"),
    (lambda x: np.exp(x - x.max(0)) / np.exp(x - x.max(0)).sum(0), "Columns sum to 1"),
    (lambda x: np.exp(x - np.max(x)) / np.sum(np.exp(x - np.max(x))), "whole array"),
    (softmax_without_keepdims, "keepdims=True keeps"),
    (lambda x: np.exp(x - x.max(-1)[..., None]), "divide each row by its sum"),
    (lambda x: x / np.expand_dims(x.sum(-1), -1), "without exp"),
    (lambda x: softmax_by_rows(x.max() - x), "smallest score"),
    (lambda x: np.log(softmax_by_rows(x) + 0.0), "logarithm"),
    (lambda x: 1 / (1 + np.exp(-x)), "Rows do not sum to 1"),
    (lambda x: np.exp(x) / np.exp(x).sum(), "Rows do not sum to 1"),
    (softmax_with_a_guard, "It holds NaN"),
    (softmax_never_zero, "computed in float32, or by a formula"),
    (softmax_in_place, "changes x in place"),
    (lambda x: np.exp(x - x.mean(-1, keepdims=True))
     / np.exp(x - x.mean(-1, keepdims=True)).sum(-1, keepdims=True), "mean is subtr"),
    (lambda x: np.exp(np.clip(x, -700, 700))
     / np.exp(np.clip(x, -700, 700)).sum(-1, keepdims=True), "cut off at a limit"),
    (lambda x: np.exp(x - x.max(-1, keepdims=True)) / np.exp(x).sum(-1, keepdims=True),
     "subtracted above the line"),
    (lambda x: np.array([np.exp(row - row.max()) / np.exp(row - row.max()).sum()
                         for row in x]), "first axis are taken one by one"),
    (lambda x: np.exp(x) / np.exp(x).sum(-1), "keepdims=True keeps it"),
    (lambda x: np.exp(x - 1000) / np.exp(x - 1000).sum(-1, keepdims=True), "0 / 0"),
    (lambda x: np.exp(x - x.max(-1)) / np.exp(x - x.max(-1)).sum(-1),
     "maximum as well"),
    (lambda x: np.exp(x.max(-1, keepdims=True) - x)
     / np.exp(x.max(-1, keepdims=True) - x).sum(-1, keepdims=True), "exp(x − max)"),
]

# --- the mask -------------------------------------------------------------------------


def weights_by_rows(scores, mask):
    weights = np.zeros(scores.shape)
    for b, h, i in np.ndindex(scores.shape[:-1]):
        seen = np.flatnonzero(mask[b])
        if len(seen):
            weights[b, h, i, seen] = softmax_by_rows(scores[b, h, i, seen])
        else:
            weights[b, h, i] = 1 / len(mask[b])
    return weights


def weights_by_filling(scores, mask):
    hidden = np.broadcast_to(~mask[:, None, None, :], scores.shape)
    scores = scores.copy()
    scores[hidden] = -1e30
    return softmax_by_rows(scores)


RIGHT["attention_weights"] = [weights_by_rows, weights_by_filling]


def weights_adding(number):
    def weights(scores, mask):
        hidden = (1 - mask.astype(int)).reshape(len(mask), 1, 1, -1)
        with np.errstate(invalid="ignore"):
            added = np.where(hidden, number, 0.0)
        x = scores + added
        x = np.exp(x - x.max(-1, keepdims=True))
        return x / x.sum(-1, keepdims=True)
    return weights


def weights_zeroed(scores, mask):
    return softmax_by_rows(np.where(np.expand_dims(mask, (1, 2)), scores, 0))


def weights_of_rows(scores, mask):
    scores = scores.copy()
    for b, sight in enumerate(mask):
        scores[b, :, ~sight, :] = np.finfo(float).min
    return softmax_by_rows(scores)


def weights_cleared(scores, mask):
    weights = softmax_by_rows(scores)
    for b, sight in enumerate(mask):
        weights[b][..., ~sight] = 0
    return weights


def weights_cleared_and_shared(scores, mask):
    weights = weights_cleared(scores, mask)
    return weights / weights.sum(-1)[..., None]


def weights_of_columns(scores, mask):
    scores = np.where(mask[:, None, None], scores, -1e300)
    scores = np.exp(scores - scores.max(-2, keepdims=True))
    return scores / scores.sum(-2, keepdims=True)


def weights_looking_back(scores, mask):
    weights = np.empty(scores.shape)
    for i in range(mask.shape[1]):
        seen = mask & (np.arange(mask.shape[1]) <= i)
        weights[:, :, i : i + 1] = weights_by_filling(scores[:, :, i : i + 1], seen)
    return weights


def weights_by_sigmoid(scores, mask):
    return 1 / (1 + np.exp(-scores)) * np.expand_dims(mask, (1, 2))


def weights_in_place(scores, mask):
    scores += np.where(mask, 0, np.finfo(scores.dtype).min)[:, None, None]
    return softmax_by_rows(scores)


WRONG["attention_weights"] = [
    (lambda scores, mask: softmax_by_rows(scores), "mask is not used"),
    (lambda scores, mask: weights_by_rows(scores, np.logical_not(mask)),
     "wrong way round"),
    (weights_zeroed, "exp(0) = 1"),
    (weights_cleared, "rows no longer sum to 1"),
    (weights_cleared_and_shared, "shared out anew"),
    (weights_of_rows, "Rows are masked"),
    (weights_adding(-np.inf), "lowest finite number"),
    (weights_adding(-1e4), "swallows"),
    (weights_adding(-1e9), "all its weights must be equal"),
    (weights_adding(-5.0), "Hidden keys get attention"),
    (lambda scores, mask: softmax_by_rows(scores + np.where(mask, 0, -1e300)),
     "Right for one text alone"),
    (weights_of_columns, "Each column sums to 1"),
    (weights_looking_back, "do not see those after"),
    (weights_by_sigmoid, "Rows do not sum to 1"),
    (weights_in_place, "changes scores in place"),
    (lambda s, m: np.where(m[:, None, None], s, np.finfo(s.dtype).min),
     "softmax is missing"),
    (lambda s, m: np.where(m[:, None, None], softmax(s), np.finfo(s.dtype).min),
     "put in after softmax"),
    (lambda s, m: softmax(s, m[:, None, None]), "The mask itself is added"),
    (lambda s, m: softmax(np.where(
        m[:, None, None] & m[:, None, :, None], s, np.finfo(s.dtype).min)),
     "Rows of hidden tokens are masked as well"),
]
FAULTS["attention_weights"] = [
    ("mask-fill-1e4", "swallows"),
    ("mask-fill-infinity", "lowest finite number"),
]

# --- attention, whole -----------------------------------------------------------------


def attention_by_heads(x, params, mask, n_heads):
    q, k, v = (x @ params[n]["weight"].T + params[n]["bias"]
               for n in ("q_lin", "k_lin", "v_lin"))
    K = x.shape[-1] // n_heads
    heads = []
    for h in range(n_heads):
        part = slice(h * K, (h + 1) * K)
        scores = q[..., part] @ k[..., part].swapaxes(1, 2) / math.sqrt(K)
        heads.append(weights_by_rows(scores[:, None], mask)[:, 0] @ v[..., part])
    return linear(np.concatenate(heads, axis=-1), **params["out_lin"])


def attention_by_einsum(
    x, params, mask, n_heads, weigh=weights_by_filling, K=None, names="qkv", out=True
):
    q, k, v = (
        linear(x, **params[f"{name}_lin"]).reshape(*x.shape[:2], n_heads, -1)
        for name in names
    )
    scores = np.einsum("bihk,bjhk->bhij", q, k) / np.sqrt(K or q.shape[-1])
    context = np.einsum("bhij,bjhk->bihk", weigh(scores, mask), v).reshape(x.shape)
    y = np.einsum("oi,bli->blo", params["out_lin"]["weight"], context)
    return y + params["out_lin"]["bias"] if out else context


RIGHT["attention"] = [attention_by_heads, attention_by_einsum]


def attention_with(**changes):
    return lambda x, params, mask, n_heads: attention_by_einsum(
        x, params, mask, n_heads, **changes
    )


def attention_mixed_up(x, params, mask, n_heads):
    """Heads are cut right, and merged without transposing back."""
    context = context_by_heads(x, params, mask, n_heads)
    return linear(context.reshape(x.shape), **params["out_lin"])


def attention_woven(x, params, mask, n_heads):
    """Heads are cut right, and merged with the axis of heads last."""
    context = context_by_heads(x, params, mask, n_heads)
    context = np.moveaxis(context, 1, -1).reshape(x.shape)
    return linear(context, **params["out_lin"])


def context_by_heads(x, params, mask, n_heads):
    q, k, v = (
        split_heads_by_slices(linear(x, **params[f"{name}_lin"]), n_heads)
        for name in "qkv"
    )
    return weights_by_filling(scores_by_einsum(q, k), mask) @ v


def attention_sharing_weights(x, params, mask, n_heads):
    """The heads' weights are averaged."""
    def weigh(scores, mask):
        weights = weights_by_filling(scores, mask)
        return np.broadcast_to(weights.mean(1, keepdims=True), weights.shape)
    return attention_by_einsum(x, params, mask, n_heads, weigh)


def in_heads(split, merge, x, params, bias, n_heads):
    """Return attention whose mask is told by a function of the scores."""
    q, k, v = (split(linear(x, **params[f"{name}_lin"]), n_heads) for name in "qkv")
    weights = bias(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]))
    return linear(merge(weights @ v), **params["out_lin"])


def by_reshape_alone(x, params, mask, n_heads):
    def split(x, n_heads):
        return x.reshape(len(x), n_heads, x.shape[1], -1)

    def merge(x):
        return x.reshape(len(x), x.shape[2], -1)

    bias = mask_bias(mask, x.dtype)
    return in_heads(split, merge, x, params, lambda s: softmax(s, bias), n_heads)


def bias_added_by_hand(x, params, mask, n_heads):
    bias = mask_bias(mask, x.dtype)
    return in_heads(
        split_heads, merge_heads, x, params, lambda s: softmax(s + bias), n_heads
    )


def padding_set_to_zero(x, params, mask, n_heads):
    return mask[..., None] * in_heads(
        split_heads, merge_heads, x, params, softmax, n_heads
    )


def weights_not_turned(x, params, mask, n_heads):
    turned = {
        name: {"weight": p["weight"].T if name != "out_lin" else p["weight"],
               "bias": p["bias"]}
        for name, p in params.items()
    }
    bias = mask_bias(mask, x.dtype)
    return in_heads(
        split_heads, merge_heads, x, turned, lambda s: softmax(s, bias), n_heads
    )


WRONG["attention"] = [
    (attention_with(names="kqv"), "changed places"),
    (attention_with(names="qkk"), "the values"),
    (attention_with(K=1), "not divided by √K"),
    (lambda x, p, m, n: attention_by_einsum(x, p, m, n, K=x.shape[-1]), "√D"),
    (lambda x, p, m, n: attention_by_einsum(x, p, m, n, K=(x.shape[-1] // n) ** 2),
     "not by its root"),
    (lambda x, p, m, n: attention_by_einsum(x, p, m, n, K=x.shape[1]), "by √L"),
    (lambda x, p, m, n: attention_by_einsum(x, p, m, n, K=n / x.shape[-1]),
     "Multiplied by √K"),
    (attention_with(out=False), "last step is missing"),
    (attention_with(weigh=lambda scores, mask: softmax_by_rows(scores)),
     "mask is not used"),
    (attention_with(weigh=weights_zeroed), "exp(0) = 1"),
    (attention_with(weigh=weights_cleared), "rows no longer sum to 1"),
    (attention_with(weigh=weights_cleared_and_shared), "sees nothing"),
    (attention_with(weigh=weights_of_rows), "Rows are masked"),
    (attention_with(weigh=weights_adding(-np.inf)), "sees nothing"),
    (attention_with(weigh=weights_adding(-1e4)), "swallows"),
    (attention_with(weigh=weights_of_columns), "Each column sums to 1"),
    (attention_with(weigh=weights_looking_back), "do not see those after"),
    (attention_with(weigh=lambda scores, mask: softmax_by_rows(
        scores + np.where(mask, 0, -1e300))), "Right for one text alone"),
    (attention_mixed_up, "tokens are mixed"),
    (attention_woven, "alternate within a token"),
    (attention_sharing_weights, "Right for one head, wrong for 3 tokens and 2 heads"),
    (lambda x, p, m, n: attention_by_einsum(x, p, m, 1), "n_heads is not used"),
    (lambda x, p, m, n: x + attention_by_heads(x, p, m, n), "x is added"),
    (lambda x, p, m, n: attention_by_heads(x, p, m, n).astype(np.float16),
     "computed in float16"),
    (by_reshape_alone, "both ways"),
    (bias_added_by_hand, "mask_bias returns None"),
    (padding_set_to_zero, "rows of padding are set to 0"),
    (weights_not_turned, "q_lin, k_lin and v_lin multiply by W"),
]
FAULTS["attention"] = [
    ("query-key-swapped", "changed places"),
    ("heads-not-transposed", "whole tokens"),
    ("heads-interleaved", "every H-th number"),
    ("heads-not-merged-back", "tokens are mixed"),
    ("scores-scaled-by-dim", "Divided by √D"),
    ("scores-not-scaled", "not divided by √K"),
    ("mask-ignored", "mask is not used"),
    ("mask-inverted", "wrong way round"),
    ("mask-fill-1e4", "swallows"),
    ("mask-fill-infinity", "lowest finite number"),
    ("mask-after-softmax", "rows no longer sum to 1"),
    ("causal-mask", "do not see those after them"),
    ("softmax-wrong-axis", "Each column sums to 1"),
    ("bias-dropped", "out_lin's bias is missing"),
    ("weight-transposed", "multiplies by W"),
    ("float16-accumulation", "computed in float16"),
]
