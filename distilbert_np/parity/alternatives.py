"""What ports get wrong: for each operation, others that stand in its place.

Each takes what the operation takes (steps.py), and mostly is the right one with one
thing changed. causes.py tells what their names mean.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from ..attention import mask_bias, merge_heads, split_heads
from ..embeddings import sinusoidal_table
from ..functions import (
    ACTIVATIONS,
    Array,
    gelu_new,
    layer_norm,
    linear,
    lookup,
    matmul,
    sigmoid,
    softmax,
)
from ..losses import IGNORED, cross_entropy, cross_entropy_backward
from ..trees import Tree
from .steps import OPERATIONS, Operation, Place, embeddings_gradients, last_state


def norm_with(at: Place, x: Array, eps: float) -> Array:
    """Return LayerNorm with another epsilon."""
    return layer_norm(x, **at.params, eps=eps)


def norm_by(at: Place, x: Array, deviation: Callable[[Array], Array]) -> Array:
    """Return LayerNorm that divides by another deviation."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / deviation(x) * at.params["weight"] + at.params["bias"]


def deviation(x: Array, **how: Any) -> Array:
    """Return the deviation of each row."""
    return x.std(axis=-1, keepdims=True, **how)


def other_norm(at: Place, x: Array) -> Array:
    """Return LayerNorm with the parameters of the block's other one, if it has one."""
    others = {"sa_layer_norm": "output_layer_norm"}
    others |= {other: one for one, other in others.items()}
    *path, name = at.step.params.split(".")
    step = replace(at.step, params=".".join([*path, others.get(name, name)]))
    return OPERATIONS["norm"](replace(at, step=step), x)


def norm_over_tokens(at: Place, x: Array) -> Array:
    """Return LayerNorm over the tokens of each text."""
    mean, spread = x.mean(axis=1, keepdims=True), x.std(axis=1, keepdims=True)
    return (x - mean) / spread * at.params["weight"] + at.params["bias"]


def without_mean(at: Place, x: Array) -> Array:
    """Return LayerNorm without its mean, as RMSNorm."""
    root = np.sqrt((x * x).mean(axis=-1, keepdims=True))
    return x / root * at.params["weight"] + at.params["bias"]


def transposed(at: Place, x: Array) -> Array:
    """Return the linear with its weight as it is stored; refused if not square."""
    weight, bias = at.params["weight"], at.params["bias"]
    return linear(x, np.ascontiguousarray(weight.T), bias)


def without_bias(at: Place, x: Array) -> Array:
    """Return the linear without its bias."""
    return linear(x, at.params["weight"], np.zeros_like(at.params["bias"]))


def in_heads(operation: Operation) -> Operation:
    """Return the operation, its result split into heads."""
    return lambda at, x: split_heads(operation(at, x), at.config.n_heads)


def heads_by_reshape(at: Place, x: Array) -> Array:
    """Return the linear, reshaped straight to (B, H, L, K)."""
    B, L, D = x.shape
    y = OPERATIONS["linear"](at, x)
    return y.reshape(B, at.config.n_heads, L, D // at.config.n_heads)


def heads_interleaved(at: Place, x: Array) -> Array:
    """Return the linear, split with the heads as the inner axis."""
    B, L, _ = x.shape
    y = OPERATIONS["linear"](at, x)
    return y.reshape(B, L, -1, at.config.n_heads).transpose(0, 3, 1, 2)


def swapped(one: str, other: str) -> Operation:
    """Return the operation of q, k and v, two of which have each other's parameters."""
    others = {one: other, other: one}

    def run(at: Place, x: Array) -> Array:
        path, _, name = at.step.params.rpartition(".")
        step = replace(at.step, params=f"{path}.{others.get(name, name)}")
        return OPERATIONS["heads"](replace(at, step=step), x)

    return run


def normed_first(operation: str, norm: str) -> Operation:
    """Return an operation of a block after one of the block's LayerNorms."""

    def run(at: Place, x: Array) -> Array:
        step = replace(at.step, params=f"transformer.layer.{at.layer}.{norm}")
        normalised = OPERATIONS["norm"](replace(at, step=step), x)
        return OPERATIONS[operation](at, normalised)

    return run


def unnormalised(at: Place, x: Array) -> Array:
    """Return what a block's LayerNorm read; elsewhere, LayerNorm."""
    is_in_block = at.step.name.startswith("transformer.layer.")
    return x if is_in_block else OPERATIONS["norm"](at, x)


def first_of_ffn(at: Place, x: Array) -> Array:
    """Return the first linear of the feed-forward network, after LayerNorm."""
    if not at.step.name.endswith("ffn.lin1"):
        return OPERATIONS["linear"](at, x)
    return normed_first("linear", "output_layer_norm")(at, x)


def scaled_by(divisor: Callable[[Place, Array], float]) -> Operation:
    """Return the scores with another divisor."""
    return lambda at, q, k: matmul(q, k.swapaxes(-1, -2)) / divisor(at, q)


def filled_with(number: float, dtype: Any = np.float64) -> Operation:
    """Return the weights if this number hides a key, added in this precision.

    In float32 a score loses its digits to 10,000; no rounding of ours is like that.
    """

    def run(at: Place, scores: Array, mask: Array) -> Array:
        hidden = np.where(mask.astype(bool), 0, number)[:, None, None].astype(dtype)
        return softmax((scores.astype(dtype) + hidden).astype(scores.dtype))

    return run


def seen_by(visible: Callable[[Array], Array]) -> Operation:
    """Return the weights if this (B, 1, L, L) of the mask (B, L) may be seen."""

    def run(at: Place, scores: Array, mask: Array) -> Array:
        lowest = np.finfo(scores.dtype).min
        return softmax(scores, np.where(visible(mask.astype(bool)), 0, lowest))

    return run


def before(mask: Array) -> Array:
    """Return what stands before each token, or is it."""
    return np.tri(mask.shape[1], dtype=bool)[None, None]


def not_divided(at: Place, scores: Array, mask: Array) -> Array:
    """Return the exponentials of the scores in sight, less the largest of a row."""
    seen = np.where(mask.astype(bool)[:, None, None], scores, -np.inf)
    return np.exp(seen - seen.max(axis=-1, keepdims=True))


def softmax_over(axis: int) -> Operation:
    """Return softmax over another axis."""

    def run(at: Place, scores: Array, mask: Array) -> Array:
        bias = mask_bias(mask.astype(bool), scores.dtype)
        masked = scores if bias is None else scores + bias
        return softmax(masked.swapaxes(axis, -1)).swapaxes(axis, -1)

    return run


def merged_by_reshape(at: Place, weights: Array, v: Array) -> Array:
    """Return the context, heads merged without a transpose."""
    context = matmul(weights, v)                                   # (B, H, L, K)
    return context.reshape(len(context), context.shape[2], -1)


def block_input(at: Place, x: Array, y: Array) -> Array:
    """Return y with the block's input added."""
    return at.values[last_state(at.layer)] + y


def moved(steps: int) -> Operation:
    """Return the rows of the table so many steps on."""
    return lambda at, ids: lookup((ids + steps) % len(at.params["weight"]), **at.params)


def sines(at: Place, ids: Array) -> Array:
    """Return sines and cosines in turns."""
    return sinusoidal_table(*at.params["weight"].shape)[ids]


def sines_then_cosines(at: Place, ids: Array) -> Array:
    """Return all sines, then all cosines."""
    table = sinusoidal_table(*at.params["weight"].shape)
    return np.concatenate([table[:, ::2], table[:, 1::2]], axis=1)[ids]


def counted_in_sight(at: Place, ids: Array) -> Array:
    """Return the positions as counted over the tokens in sight."""
    mask = at.values["inputs.attention_mask"].astype(int)
    return lookup(np.maximum(mask.cumsum(axis=1) - 1, 0), **at.params)


def decoder_read_as_transposed(at: Place, x: Array) -> Array:
    """Return the logits of the decoder's numbers taken for (D, V)."""
    V, D = at.model.decoder.shape
    weight = np.ascontiguousarray(at.model.decoder.reshape(D, V).T)
    return linear(x, weight, at.params["bias"])


# --- losses: what counts, and what it is divided by -----------------------------------

Counting = Callable[[Array, Array, int], tuple[Array, float]]


def counting_ignored(
    logits: Array, labels: Array, ignored: int
) -> tuple[Array, float]:
    """Take every label for a class, the nearest one."""
    return np.clip(labels, 0, logits.shape[-1] - 1), 1.0


def over_all(logits: Array, labels: Array, ignored: int) -> tuple[Array, float]:
    """Divide by the number of all labels, not of those that count."""
    return labels, (labels != ignored).mean()


def summed(logits: Array, labels: Array, ignored: int) -> tuple[Array, float]:
    """Do not divide."""
    return labels, (labels != ignored).sum()


def loss_with(counting: Counting) -> Operation:
    """Return the cross-entropy that counts otherwise."""

    def run(at: Place, logits: Array, labels: Array, ignored: int = IGNORED) -> Array:
        labels, factor = counting(logits, labels, ignored)
        return cross_entropy(logits, labels, ignored) * factor

    return run


def gradient_with(counting: Counting) -> Operation:
    """Return the gradient of the cross-entropy that counts otherwise."""

    def run(at: Place, logits: Array, labels: Array, ignored: int = IGNORED) -> Array:
        labels, factor = counting(logits, labels, ignored)
        return cross_entropy_backward(factor, logits, labels, ignored)

    return run


def for_answers(operation: Operation) -> Operation:
    """Return half of what is done for starts, and half for ends: twice (2, ...)."""

    def run(at: Place, logits: Array, starts: Array, ends: Array) -> Array:
        L = logits.shape[1]
        return np.stack([
            operation(at, logits[..., end], np.clip(places, 0, L), L) / 2
            for end, places in enumerate((starts, ends))
        ])

    return run


def answers_loss(operation: Operation) -> Operation:
    """Return the loss of starts and ends."""
    return lambda at, *read: for_answers(operation)(at, *read).sum()


def answers_gradient(operation: Operation) -> Operation:
    """Return the gradient of the loss of starts and ends, (B, L, 2)."""
    return lambda at, *read: np.moveaxis(for_answers(operation)(at, *read), 0, -1)


def times_labels(name: str) -> Operation:
    """Return an operation's result, as many times as there are labels."""
    return lambda at, logits, labels: (
        OPERATIONS[name](at, logits, labels) * labels.size
    )


# --- the way back ---------------------------------------------------------------------


def without_decoder(
    at: Place, dy: Array, x: Array, words: Array, positions: Array, *decoder: Array
) -> tuple[Array, ...]:
    """Return the gradients without the tied decoder's share."""
    return OPERATIONS["embeddings backward"](at, dy, x, words, positions)


def decoder_alone(at: Place, *read: Array) -> tuple[Array, ...]:
    """Return the decoder's share in the place of the gradient of the words' table."""
    *others, words = OPERATIONS["embeddings backward"](at, *read)
    *_, decoder = read
    return *others, decoder if decoder.shape == words.shape else words


def with_pad_row(at: Place, *read: Array) -> tuple[Array, ...]:
    """Return the gradients, the padding token's row as any other."""
    return embeddings_gradients(at, None, *read)


# --- fewer digits ---------------------------------------------------------------------


def rounded_to(bits: int) -> Callable[[Array], Array]:
    """Return the function that rounds numbers to so many significant bits."""

    def rounded(x: Array) -> Array:
        fraction, exponent = np.frexp(x)
        return np.ldexp(np.round(np.ldexp(fraction, bits)), exponent - bits)

    return rounded


def in_fewer_bits(bits: int) -> Operation:
    """Return the linear of factors that are rounded."""
    short = rounded_to(bits)
    return lambda at, x: linear(short(x), short(at.params["weight"]), at.params["bias"])


@cache
def other_layer(number: int) -> Operation:
    """Return the operation with the parameters of another block."""

    def run(at: Place, *read: Array) -> Any:
        params = at.step.params.replace(f"layer.{at.layer}.", f"layer.{number}.")
        other = replace(at.step, params=params)
        return OPERATIONS[at.step.operation](replace(at, step=other), *read)

    return run


@dataclass(frozen=True)
class Rounded(Place):
    """A place whose parameters are rounded to so many significant bits."""

    bits: int = 24

    @property
    def params(self) -> Tree:
        """The rounded parameters that the step uses."""
        short = rounded_to(self.bits)
        return {name: short(array) for name, array in super().params.items()}


def with_rounded_params(bits: int) -> Operation:
    """Return the operation with parameters of so many significant bits."""

    def run(at: Place, *read: Array) -> Any:
        place = Rounded(at.model, at.step, at.values, bits)
        return OPERATIONS[at.step.operation](place, *read)

    return run


ROUNDED = {"weights-rounded": [with_rounded_params(11), with_rounded_params(8)]}
LINEAR = {
    "bias-dropped": [without_bias],
    "weight-transposed": [transposed],
    "bfloat16": [in_fewer_bits(8)],
    "tf32": [in_fewer_bits(11)],
}
COUNTINGS = {
    "ignored-labels-counted": counting_ignored,
    "loss-over-all-places": over_all,
    "loss-summed": summed,
}
LOSS = {name: [loss_with(counting)] for name, counting in COUNTINGS.items()}
LOSS_GRADIENT = {name: [gradient_with(count)] for name, count in COUNTINGS.items()}
ALTERNATIVES: dict[str, dict[str, list[Operation]]] = {
    "words": ROUNDED | {
        "embeddings-scaled": [
            lambda at, ids: lookup(ids, **at.params) * math.sqrt(at.config.dim)
        ],
    },
    "positions": ROUNDED | {
        "positions-off-by-one": [moved(1), moved(2), moved(-1)],
        "sinusoidal-regenerated": [sines, sines_then_cosines],
        "positions-counted-in-sight": [counted_in_sight],
    },
    "embeddings": {"positions-missing": [lambda at, x, y: x]},
    "norm": ROUNDED | {
        **{
            f"norm-eps-{text}": [
                lambda at, x, eps=float(text): norm_with(at, x, eps)
            ] for text in ("1e-3", "1e-5", "1e-6")
        },
        "norm-eps-outside-root": [
            lambda at, x, eps=eps: norm_by(at, x, lambda x: deviation(x) + eps)
            for eps in (1e-3, 1e-5, 1e-6)
        ],
        "norm-unbiased-variance": [
            lambda at, x: norm_by(at, x, lambda x: deviation(x, ddof=1))
        ],
        "norm-missing": [lambda at, x: x],
        "embeddings-added-to-their-norm": [
            lambda at, x: x + OPERATIONS["norm"](at, x),
            lambda at, x: x + norm_with(at, x, 1e-3),
            lambda at, x: x + norm_with(at, x, 1e-5),
        ],
        "norm-params-missing": [lambda at, x: (x - x.mean(-1, keepdims=True))
                                / deviation(x)],
        "norm-params-swapped": [other_norm],
        "norm-without-mean": [without_mean],
        "norm-wrong-axis": [norm_over_tokens],
        "pre-norm": [unnormalised],
        "bias-dropped": [lambda at, x: OPERATIONS["norm"](at, x) - at.params["bias"]],
    },
    "heads": ROUNDED
    | {name: [in_heads(run) for run in runs] for name, runs in LINEAR.items()}
    | {
        "heads-not-transposed": [heads_by_reshape],
        "heads-interleaved": [heads_interleaved],
        "query-key-swapped": [
            swapped("q_lin", "k_lin"), swapped("q_lin", "v_lin"),
            swapped("k_lin", "v_lin"),
        ],
        "pre-norm": [normed_first("heads", "sa_layer_norm")],
    },
    "scores": {
        "scores-scaled-by-dim": [scaled_by(lambda at, q: math.sqrt(at.config.dim))],
        "scores-not-scaled": [scaled_by(lambda at, q: 1.0)],
        "scores-scaled-by-head-size": [scaled_by(lambda at, q: q.shape[-1])],
        "scores-transposed": [lambda at, q, k: OPERATIONS["scores"](at, k, q)],
    },
    "weights": {
        # Shown, such scores look like right ones in another layout.
        "scores-transposed": [
            lambda at, scores, mask: OPERATIONS["weights"](
                at, scores.swapaxes(-1, -2), mask
            )
        ],
        "mask-ignored": [lambda at, scores, mask: softmax(scores)],
        "mask-inverted": [seen_by(lambda mask: ~mask[:, None, None])],
        "mask-fill-1e4": [filled_with(-1e4), filled_with(-1e4, np.float32)],
        "mask-fill-infinity": [filled_with(-np.inf)],
        "causal-mask": [
            seen_by(lambda mask: mask[:, None, None] & before(mask)), seen_by(before),
        ],
        "softmax-wrong-axis": [softmax_over(-2), softmax_over(1)],
        "mask-shifted": [
            seen_by(lambda mask, by=by: np.roll(mask, by, axis=1)[:, None, None])
            for by in (1, -1)
        ],
        "softmax-not-divided": [not_divided],
        "mask-after-softmax": [
            lambda at, scores, mask: softmax(scores) * mask[:, None, None]
        ],
        "mask-on-queries": [
            seen_by(lambda mask: mask[:, None, None] & mask[:, None, :, None]),
        ],
    },
    "context": {
        "heads-not-merged-back": [merged_by_reshape],
        "weights-transposed": [
            lambda at, weights, v: merge_heads(matmul(weights.swapaxes(-1, -2), v))
        ],
    },
    "linear": ROUNDED | LINEAR | {"pre-norm": [first_of_ffn]},
    "residual": {
        "residual-missing": [lambda at, x, y: y],
        "residual-alone": [lambda at, x, y: x],
        "residual-from-block-input": [block_input],
    },
    "activation": {
        "gelu-tanh": [lambda at, x: gelu_new(x)],
        "gelu-quick": [lambda at, x: x * sigmoid(1.702 * x)],
        "activation-missing": [lambda at, x: x],
        **{
            name: [lambda at, x, name=name: ACTIVATIONS[name](x)]
            for name in ("gelu", "relu", "silu")
        },
    },
    "decoder": {
        "bias-dropped": [lambda at, x: x @ at.model.decoder.T],
        "decoder-transposed": [decoder_read_as_transposed],
    },
    "first": {
        "last-token-taken": [lambda at, h: h[:, -1]],
        "tokens-averaged": [lambda at, h: h.mean(axis=1)],
    },
    "relu": {
        "pooler-tanh": [lambda at, x: np.tanh(x)],
        "head-activation-missing": [lambda at, x: x],
        "gelu": [lambda at, x: ACTIVATIONS["gelu"](x)],
    },
    "mean": {
        "padding-averaged-in": [lambda at, h, mask: h.mean(axis=1)],
        "first-token-taken": [lambda at, h, mask: h[:, 0]],
    },
    "cross-entropy": LOSS,
    "sequence loss": LOSS | {
        "loss-summed": [*LOSS["loss-summed"], times_labels("sequence loss")],
    },
    "answer loss": {
        name: [answers_loss(run) for run in runs] for name, runs in LOSS.items()
    },
    "cross-entropy backward": LOSS_GRADIENT,
    "sequence loss backward": LOSS_GRADIENT | {
        "loss-summed": [
            *LOSS_GRADIENT["loss-summed"], times_labels("sequence loss backward"),
        ],
    },
    "answer loss backward": {
        name: [answers_gradient(run) for run in runs]
        for name, runs in LOSS_GRADIENT.items()
    },
    "embeddings backward": {
        "tied-gradient-forgotten": [without_decoder],
        "input-gradient-forgotten": [decoder_alone],
        "pad-row-gradient": [with_pad_row],
    },
}
