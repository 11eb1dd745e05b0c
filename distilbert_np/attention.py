"""Attention: every token looks at every other and takes a weighted mean of them."""

import math

import numpy as np

from .functions import (
    Array,
    dropout,
    dropout_backward,
    linear,
    linear_backward,
    matmul,
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


def mask_bias(mask: Array, dtype: np.dtype) -> Array | None:  # (B, L) -> (B, 1, 1, L)
    """Return what to add to scores: 0 for keys in sight, the lowest number for hidden.

    The lowest finite number swallows any score, so a row that sees nothing is all
    equal and attends uniformly, where −∞ would give NaN. Where all is in sight, there
    is nothing to add: None.
    """
    if mask.all():
        return None
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
    factors for the heads' weights. With an `rng`, weights are dropped with
    probability `p`. (Vaswani et al., arXiv 1706.03762, section 3.2.)
    """
    q = split_heads(linear(x, **params["q_lin"]), n_heads)    # (B, H, L, K)
    k = split_heads(linear(x, **params["k_lin"]), n_heads)    # (B, H, L, K)
    v = split_heads(linear(x, **params["v_lin"]), n_heads)    # (B, H, L, K)

    K = q.shape[-1]
    scores = matmul(q / math.sqrt(K), k.swapaxes(-1, -2))     # (B, H, L, L)
    weights = softmax(scores, mask_bias(mask, x.dtype))       # (B, H, L, L)
    trace = {"q": q, "k": k, "v": v, "scores": scores, "weights": weights}

    weights, dropped = dropout(weights, p, rng)               # (B, H, L, L)
    trace |= dropped
    if head_mask is not None:
        weights = weights * head_mask[:, None, None]          # (B, H, L, L)
        trace["head_masked_weights"] = weights

    context = merge_heads(matmul(weights, v))                 # (B, L, D)
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
    dattentions: Array | None = None,
) -> tuple[Array, Tree]:
    """Return dx (B, L, D) and the gradients of the four linears.

    `dattentions` (B, H, L, L), if given, is the gradient that the weights have as an
    output of the model; it is added.
    """
    q, k, v, weights = trace["q"], trace["k"], trace["v"], used_weights(trace)
    n_heads, K = q.shape[1], q.shape[-1]

    # y = linear(context, **params["out_lin"])
    out_weight = params["out_lin"]["weight"]                        # (D, D)
    dcontext, out_grads = linear_backward(dy, trace["context"], out_weight)

    # context = merge_heads(matmul(weights, v))
    dcontext = split_heads(dcontext, n_heads)                       # (B, H, L, K)
    dv = merge_heads(matmul(weights.swapaxes(-1, -2), dcontext))    # (B, L, D)
    dweights = matmul(dcontext, v.swapaxes(-1, -2))                 # (B, H, L, L)
    if dattentions is not None:
        dweights = dweights + dattentions                           # (B, H, L, L)

    # weights = weights * head_mask[:, None, None]
    if head_mask is not None:
        dweights = dweights * head_mask[:, None, None]              # (B, H, L, L)

    # weights, dropped = dropout(weights, p, rng)
    dweights = dropout_backward(dweights, trace)                    # (B, H, L, L)

    # weights = softmax(scores, mask_bias(mask, x.dtype)): a constant is added, even in
    # a row that sees no key, where it swallowed the scores (PyTorch: the same)
    dscores = softmax_backward(dweights, trace["weights"])          # (B, H, L, L)

    # scores = matmul(q / math.sqrt(K), k.swapaxes(-1, -2))
    dq = merge_heads(matmul(dscores, k)) / math.sqrt(K)             # (B, L, D)
    dk = matmul(dscores.swapaxes(-1, -2), q / math.sqrt(K))         # (B, H, L, K)
    dk = merge_heads(dk)                                            # (B, L, D)

    # q = split_heads(linear(x, **params["q_lin"]), n_heads), k and v alike: three
    # linears of the one x, where their gradients meet
    dx_q, q_grads = linear_backward(dq, x, params["q_lin"]["weight"])
    dx_k, k_grads = linear_backward(dk, x, params["k_lin"]["weight"])
    dx_v, v_grads = linear_backward(dv, x, params["v_lin"]["weight"])
    return dx_q + dx_k + dx_v, {
        "q_lin": q_grads, "k_lin": k_grads, "v_lin": v_grads, "out_lin": out_grads,
    }
