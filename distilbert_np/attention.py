"""Attention: every token looks at every other and takes a weighted mean of them."""

import math

import numpy as np

from .functions import (
    Array,
    dropout,
    dropout_backward,
    linear,
    linear_backward,
    softmax,
    softmax_backward,
)
from .trees import Tree


def split_heads(x: Array, n_heads: int) -> Array:          # (B, L, D) -> (B, H, L, K)
    """Cut each vector of D numbers into H heads of K = D/H consecutive ones.

    Reshape first, then transpose: reshaping straight to (B, H, L, K) would mix tokens.
    """
    B, L, D = x.shape
    return x.reshape(B, L, n_heads, D // n_heads).transpose(0, 2, 1, 3)


def merge_heads(x: Array) -> Array:                        # (B, H, L, K) -> (B, L, D)
    """Put the heads' numbers side by side again: the inverse of split_heads."""
    B, H, L, K = x.shape
    return x.transpose(0, 2, 1, 3).reshape(B, L, H * K)


def mask_bias(mask: Array, dtype: np.dtype) -> Array:         # (B, L) -> (B, 1, 1, L)
    """Return what to add to scores: 0 for keys in sight, the lowest number for hidden.

    The lowest finite number swallows any score, so a row that sees nothing is all
    equal and attends uniformly, where −∞ would give NaN.
    """
    return np.where(mask, 0, np.finfo(dtype).min).astype(dtype)[:, None, None, :]


def attention(
    x: Array,
    params: Tree,
    mask: Array,
    n_heads: int,
    head_mask: Array | None = None,
    p: float = 0.0,
    rng: "np.random.Generator | None" = None,
) -> tuple[Array, Tree]:
    """Return softmax(q kᵀ / √K) v, every head's merged and mixed by `out_lin`.

    `x` is (B, L, D), `mask` (B, L) true where a key may be seen, `head_mask` (H,)
    factors for the heads' weights. With an `rng`, weights are dropped with chance `p`.
    (Vaswani et al., arXiv 1706.03762, section 3.2.)
    """
    q = split_heads(linear(x, **params["q_lin"]), n_heads)    # (B, H, L, K)
    k = split_heads(linear(x, **params["k_lin"]), n_heads)    # (B, H, L, K)
    v = split_heads(linear(x, **params["v_lin"]), n_heads)    # (B, H, L, K)

    scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])  # (B, H, L, L)
    weights = softmax(scores + mask_bias(mask, x.dtype))      # (B, H, L, L)
    trace = {"q": q, "k": k, "v": v, "scores": scores, "weights": weights}

    weights, dropped = dropout(weights, p, rng)               # (B, H, L, L)
    trace |= dropped
    if head_mask is not None:
        weights = weights * head_mask[:, None, None]          # (B, H, L, L)
        trace["head_masked_weights"] = weights

    context = merge_heads(weights @ v)                        # (B, L, D)
    y = linear(context, **params["out_lin"])                  # (B, L, D)
    return y, trace | {"context": context, "out_lin": y}


def used_weights(trace: Tree) -> Array:                       # -> (B, H, L, L)
    """Return the weights that met the values: after dropout and head mask, if any."""
    weights = trace.get("dropout", trace["weights"])
    return trace.get("head_masked_weights", weights)


def attention_backward(
    dy: Array,
    x: Array,
    params: Tree,
    trace: Tree,
    head_mask: Array | None = None,
    dweights_too: Array | None = None,
) -> tuple[Array, Tree]:
    """Return dx (B, L, D) and the gradients of the four linears.

    `dweights_too` (B, H, L, L) is a gradient that reaches the weights on another way:
    the attentions are outputs of the model as well.
    """
    q, k, v, weights = trace["q"], trace["k"], trace["v"], used_weights(trace)
    n_heads, K = q.shape[1], q.shape[-1]

    # y = linear(context, **params["out_lin"])
    out_weight = params["out_lin"]["weight"]
    dcontext, out_grads = linear_backward(dy, trace["context"], out_weight)

    # context = merge_heads(weights @ v)
    dcontext = split_heads(dcontext, n_heads)                 # (B, H, L, K)
    dweights = dcontext @ v.swapaxes(-1, -2)                  # (B, H, L, L)
    dv = weights.swapaxes(-1, -2) @ dcontext                  # (B, H, L, K)
    if dweights_too is not None:
        dweights = dweights + dweights_too

    # weights = dropout(softmax(scores + mask_bias)) * head_mask
    if head_mask is not None:
        dweights = dweights * head_mask[:, None, None]
    dweights = dropout_backward(dweights, trace)
    # (The mask is added: no change on the way back. Not even in a row that sees no key,
    # where it swallowed the scores; PyTorch, too, gives those a gradient.)
    dscores = softmax_backward(dweights, trace["weights"])    # (B, H, L, L)

    # scores = q @ kᵀ / √K
    dq = dscores @ k / math.sqrt(K)                           # (B, H, L, K)
    dk = dscores.swapaxes(-1, -2) @ q / math.sqrt(K)          # (B, H, L, K)

    # q, k and v were three linears of the one x: their gradients meet there
    q_weight, k_weight, v_weight = (
        params[name]["weight"] for name in ("q_lin", "k_lin", "v_lin")
    )
    dx_by_q, q_grads = linear_backward(merge_heads(dq), x, q_weight)
    dx_by_k, k_grads = linear_backward(merge_heads(dk), x, k_weight)
    dx_by_v, v_grads = linear_backward(merge_heads(dv), x, v_weight)
    return dx_by_q + dx_by_k + dx_by_v, {
        "q_lin": q_grads, "k_lin": k_grads, "v_lin": v_grads, "out_lin": out_grads,
    }
