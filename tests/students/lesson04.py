"""Answers to the exercises of lesson 4, feed-forward and LayerNorm."""

import math

import numpy as np

from distilbert_np.attention import attention
from distilbert_np.ffn import ffn
from distilbert_np.functions import erf, gelu, layer_norm, linear

# Right, and written differently from the library.
RIGHT = {}
# (a wrong answer, words of what it must be told)
WRONG = {}
# A fault of the zoo, planted in the library's own function: words of the diagnosis.
FAULTS = {}

# --- GELU -----------------------------------------------------------------------------


def gelu_by_loops(x):
    y = np.empty(x.shape)
    for place, number in np.ndenumerate(x):
        y[place] = 0.5 * number * (1 + math.erf(number / 2**0.5))
    return y


RIGHT["gelu"] = [
    gelu_by_loops,
    lambda x: x / 2 + x / 2 * erf(x * 0.5**0.5),
    np.vectorize(lambda number: number * math.erfc(-number / math.sqrt(2)) / 2),
]
WRONG["gelu"] = [
    (lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
     "tanh form"),
    (lambda x: x / (1 + np.exp(-1.702 * x)), "1.702"),
    (lambda x: x * (x > 0), "ReLU"),
    (lambda x: np.where(x < 0, 0, x), "ReLU"),
    (lambda x: x / (1 + np.exp(-x)), "SiLU"),
    (lambda x: x * 0.5 * (1 + erf(x)), "erf(x/√2)"),
    (lambda x: x * (1 + erf(x / np.sqrt(2))), "Twice too large"),
    (lambda x: x * erf(x / np.sqrt(2)) * 0.5, "Add 1"),
    (lambda x: 0.5 + erf(x / np.sqrt(2)) / 2, "the share"),
    (lambda x: 0.25 * x * (1 + erf(x / np.sqrt(2))), "Every number is 0.5 times"),
    (lambda x: gelu(x.astype(np.float32)), "computed in float32"),
    (lambda x: math.erf(x / 2), "it stops: TypeError"),
    (lambda x: x * (1 + erf(x / np.sqrt(2)) / 2), "The sum 1 + erf is halved"),
    (lambda x: x * (1 + erf(x / 2)) / 2, "not by 2"),
    (lambda x: x * (1 + erf(x * np.sqrt(2))) / 2, "x is divided by √2"),
    (lambda x: x * (1 + math.erf(x / 2**0.5)) / 2, "math.erf takes one number"),
]
FAULTS["gelu"] = [("gelu-tanh", "tanh form"), ("gelu-quick", "1.702")]

# --- feed-forward ---------------------------------------------------------------------


def ffn_by_tokens(x, params):
    lin1, lin2 = params["lin1"], params["lin2"]
    y = np.empty(x.shape)
    for b, i in np.ndindex(x.shape[:2]):
        hidden = gelu_by_loops(lin1["weight"] @ x[b, i] + lin1["bias"])
        y[b, i] = lin2["weight"] @ hidden + lin2["bias"]
    return y


def ffn_by_einsum(x, params, activation=gelu_by_loops):
    for name, then in (("lin1", activation), ("lin2", lambda y: y)):
        weight, bias = params[name]["weight"], params[name]["bias"]
        x = then(np.einsum("oi,bli->blo", weight, x) + bias)
    return x


RIGHT["ffn"] = [ffn_by_tokens, ffn_by_einsum]

WRONG["ffn"] = [
    (lambda x, p: ffn_by_einsum(x, p, lambda h: h), "only one linear"),
    (lambda x, p: ffn_by_einsum(x, p, lambda h: np.maximum(h, 0)), "ReLU"),
    (lambda x, p: ffn_by_einsum(x, p, lambda h: h / (1 + np.exp(-1.702 * h))), "1.702"),
    (lambda x, p: gelu(ffn_by_einsum(x, p, lambda h: h)), "between the two"),
    (lambda x, p: gelu(ffn_by_einsum(x, p)), "as well"),
    (lambda x, p: ffn_by_tokens(x, p) + x, "x is added"),
    (lambda x, p: gelu(x @ p["lin1"]["weight"].T + p["lin1"]["bias"])
     @ p["lin2"]["weight"].T, "lin2's bias is missing"),
    (lambda x, p: gelu(x @ p["lin1"]["weight"].T) @ p["lin2"]["weight"].T,
     "Both biases"),
    (lambda x, p: gelu(x @ p["lin1"]["weight"].T) @ p["lin2"]["weight"].T
     + p["lin2"]["bias"], "lin1's bias is missing"),
    (lambda x, p: gelu(x.dot(p["lin1"]["weight"]) + p["lin1"]["bias"]).dot(
        p["lin2"]["weight"]) + p["lin2"]["bias"], "must be transposed"),
    (lambda x, p: linear(gelu(linear(x, **p["lin2"])), **p["lin1"]), "it stops"),
    (lambda x, p: gelu(linear(x, **p["lin1"])), "shape is (1, 2, 6)"),
    (lambda x, p: ffn(x, p, "gelu"), "it is a tuple"),
    (lambda x, p: linear(linear(gelu(x), **p["lin1"]), **p["lin2"]), "bent first"),
    (lambda x, p: gelu(linear(x, **p["lin1"])), "lin2 is still to come"),
]
FAULTS["ffn"] = [
    ("gelu-tanh", "tanh form"),
    ("gelu-quick", "1.702"),
    ("float16-accumulation", "computed in float16"),
]

# --- LayerNorm ------------------------------------------------------------------------


def layer_norm_by_rows(x, weight, bias, eps):
    y = np.empty(x.shape)
    for place in np.ndindex(x.shape[:-1]):
        row = x[place]
        mean = sum(row) / len(row)
        variance = sum((number - mean) ** 2 for number in row) / len(row)
        y[place] = weight * (row - mean) / math.sqrt(variance + eps) + bias
    return y


def layer_norm_by_einsum(x, weight, bias, eps):
    D = x.shape[-1]
    x = x - np.einsum("...d->...", x)[..., None] / D
    variance = np.einsum("...d,...d->...", x, x)[..., None] / D
    return x * (variance + eps) ** -0.5 * weight + bias


RIGHT["layer_norm"] = [layer_norm_by_rows, layer_norm_by_einsum]


def layer_norm_with(axis=-1, ddof=0, inside=None, outside=0.0, centre=True):
    """Return a LayerNorm over an axis, by std and not by var where it can be."""
    def answer(x, weight, bias, eps):
        mean = np.mean(x, axis, keepdims=True) if centre else 0
        variance = np.std(x, axis, ddof=ddof, keepdims=True) ** 2
        deviation = (variance + (eps if inside is None else inside)) ** 0.5
        return bias + weight * ((x - mean) / (deviation + outside))
    return answer


def layer_norm_by_std(x, weight, bias, eps):
    mean = x.mean(-1, keepdims=True)
    return (x - mean) / (x.std(-1, keepdims=True) + eps) * weight + bias


def layer_norm_in_place(x, weight, bias, eps):
    x -= x.mean(-1, keepdims=True)
    x /= np.sqrt((x * x).mean(-1, keepdims=True) + eps)
    return x * weight + bias


WRONG["layer_norm"] = [
    (layer_norm_with(axis=-2), "axis"),
    (layer_norm_with(axis=1), "over the tokens"),
    (layer_norm_with(axis=0), "texts of a batch"),
    (layer_norm_with(axis=None), "mean and var run over everything"),
    (layer_norm_with(ddof=1), "divides by D − 1"),
    (layer_norm_with(centre=False), "mean is not subtracted"),
    (layer_norm_with(inside=1e-5), "Many libraries"),
    (layer_norm_with(inside=1e-3), "1e-3 is added to the variance"),
    (layer_norm_with(inside=1e-12), "use the argument"),
    (layer_norm_with(inside=0.0), "eps is not used"),
    (layer_norm_with(inside=0.0, outside=1e-5), "1e-5 is added to the root"),
    (layer_norm_by_std, "It belongs inside"),
    (lambda x, weight, bias, eps: layer_norm_by_rows(x, 1, 0, eps), "not stretched"),
    (lambda x, weight, bias, eps: layer_norm_by_rows(x, weight, 0, eps),
     "`bias` is not added"),
    (lambda x, weight, bias, eps: weight * (layer_norm_by_rows(x, 1, 0, eps) + bias),
     "bias is stretched"),
    (lambda x, weight, bias, eps: bias + weight * x / np.sqrt(
        np.mean(x**2, -1, keepdims=True) + eps), "RMSNorm"),
    (lambda x, weight, bias, eps: bias + weight * (x - x.mean(-1, keepdims=True))
     / (x.var(-1, keepdims=True) + eps), "not by its root"),
    (lambda x, weight, bias, eps: (x - x.mean()) / x.std(axis=-1, keepdims=True),
     "rows do not have mean 0"),
    (lambda x, weight, bias, eps: (x - x.mean(0)) / x.std(0) * weight + bias,
     "It holds NaN"),
    (layer_norm_in_place, "changes x in place"),
    (lambda x, w, b, e: (x - x.mean(-1)) / np.sqrt(x.var(-1) + e) * w + b,
     "lose the last axis"),
    (lambda x, w, b, e: x - x.mean(-1, keepdims=True)
     / np.sqrt(x.var(-1, keepdims=True) + e) * w + b, "before the minus"),
    (lambda x, w, b, e: b * (x - x.mean(-1, keepdims=True))
     / np.sqrt(x.var(-1, keepdims=True) + e) + w, "have changed places"),
    (lambda x, w, b, e: (x - x.mean(-1, keepdims=True))
     / np.sqrt(x.std(-1, keepdims=True) + e) * w + b, "root of it is taken again"),
    (lambda x, w, b, e: (x - x.mean(-1, keepdims=True))
     * np.sqrt(x.var(-1, keepdims=True) + e) * w + b, "Multiplied by the root"),
    (lambda x, w, b, e: (x - x.mean(-1, keepdims=True))
     / (x.var(-1, keepdims=True) + e) ** 1/2 * w + b, "** 1/2"),
    (lambda x, w, b, e: w * b + w * (x - x.mean(-1, keepdims=True)) / np.sqrt(
        x.var(-1, keepdims=True) + e) + b, "Right for 2 tokens of 4 numbers, wrong"),
]
FAULTS["layer_norm"] = [
    ("norm-eps-1e-5", "Many libraries"),
    ("norm-eps-1e-3", "1e-3 is added"),
    ("norm-eps-outside-root", "1e-5 is added to the root"),
    ("norm-unbiased-variance", "divides by D − 1"),
    ("norm-params-missing", "not stretched by `weight`"),
]

# --- the block ------------------------------------------------------------------------


def attended_by(x, params, mask, config):
    return attention(x, params["attention"], mask, config.n_heads)[0]


def normalised(x, norm):
    return layer_norm_by_einsum(x, norm["weight"], norm["bias"], 1e-12)


def block_in_two_rounds(x, params, mask, config):
    for name, layer in (
        ("sa_layer_norm", lambda x: attended_by(x, params, mask, config)),
        ("output_layer_norm", lambda x: ffn_by_einsum(x, params["ffn"])),
    ):
        x = normalised(x + layer(x), params[name])
    return x


def block_text_by_text(x, params, mask, config):
    texts = []
    for text, sight in zip(x, mask, strict=True):
        y = text + attended_by(text[None], params, sight[None], config)
        y = layer_norm(y, **params["sa_layer_norm"])
        y = ffn_by_tokens(y, params["ffn"]) + y
        texts.append(layer_norm(y, **params["output_layer_norm"])[0])
    return np.array(texts)


RIGHT["block"] = [block_in_two_rounds, block_text_by_text]


def block_like_gpt(x, params, mask, config):
    x = x + attended_by(normalised(x, params["sa_layer_norm"]), params, mask, config)
    return x + ffn_by_einsum(normalised(x, params["output_layer_norm"]), params["ffn"])


def block_keeping_the_name_x(x, params, mask, config):
    y = normalised(x + attended_by(x, params, mask, config), params["sa_layer_norm"])
    return normalised(x + ffn_by_einsum(y, params["ffn"]), params["output_layer_norm"])


def block_in_a_row(x, params, mask, config):
    x = normalised(attended_by(x, params, mask, config), params["sa_layer_norm"])
    return normalised(ffn_by_einsum(x, params["ffn"]), params["output_layer_norm"])


def block_normalising_parts(x, params, mask, config):
    x = x + normalised(attended_by(x, params, mask, config), params["sa_layer_norm"])
    return x + normalised(ffn_by_einsum(x, params["ffn"]), params["output_layer_norm"])


def block_normalising(first, last, sums=(1, 1)):
    def block(x, params, mask, config):
        x = sums[0] * x + attended_by(x, params, mask, config)
        x = normalised(x, params[first]) if first else x
        x = sums[1] * x + ffn_by_einsum(x, params["ffn"])
        return normalised(x, params[last]) if last else x
    return block


def block_adding_before_the_norm(x, params, mask, config):
    x = x + attended_by(x, params, mask, config)
    x = x + ffn_by_einsum(normalised(x, params[SA]), params["ffn"])
    return normalised(x, params[OUTPUT])


def block_in_parallel(x, params, mask, config):
    y = normalised(x + attended_by(x, params, mask, config), params[SA])
    return normalised(y + ffn_by_einsum(x, params["ffn"]), params[OUTPUT])


SA, OUTPUT = "sa_layer_norm", "output_layer_norm"


def tuples_added(x, params, mask, config):
    attended = attention(x, params["attention"], mask, config.n_heads)
    return layer_norm(x + attended, **params["sa_layer_norm"])


def half_a_block(x, params, mask, config):
    attended, _ = attention(x, params["attention"], mask, config.n_heads)
    return layer_norm(x + attended, **params["sa_layer_norm"])


def the_other_way_round(x, params, mask, config):
    transformed, _ = ffn(x, params["ffn"], config.activation)
    middle = layer_norm(x + transformed, **params["sa_layer_norm"])
    attended, _ = attention(middle, params["attention"], mask, config.n_heads)
    return layer_norm(middle + attended, **params["output_layer_norm"])


WRONG["block"] = [
    (block_like_gpt, "GPT-2"),
    (block_keeping_the_name_x, "The second sum adds the block's input"),
    (block_adding_before_the_norm, "adds what the first LayerNorm read"),
    (block_in_parallel, "beside attention"),
    (block_in_a_row, "both residual sums"),
    (block_normalising_parts, "Add first"),
    (block_normalising(SA, OUTPUT, sums=(0, 1)), "x + attended"),
    (block_normalising(SA, OUTPUT, sums=(1, 0)), "output is not added to what it read"),
    (block_normalising(OUTPUT, SA), "each other's gain and bias"),
    (block_normalising(SA, SA), "used both times"),
    (block_normalising("", OUTPUT), "after attention's sum is missing"),
    (block_normalising(SA, ""), "at the end is missing"),
    (block_normalising("", ""), "Both LayerNorms"),
    (lambda x, params, mask, config: block_text_by_text(x, params, mask | True, config),
     "padding is looked at"),
    (lambda x, params, mask, config: x + attention(
        x, params["attention"], mask, config.n_heads), "it stops"),
    (tuples_added, "returns two things"),
    (half_a_block, "first half"),
    (the_other_way_round, "comes before attention"),
]
FAULTS["block"] = [
    ("pre-norm", "post-LN"),
    ("residual-missing", "x + attended"),
    ("residual-from-block-input", "The second sum adds the block's input"),
    ("norm-params-swapped", "each other's gain and bias"),
]
