"""Attention: every token looks at every other and takes a weighted mean of them."""

import math

import numpy as np

from .functions import Array, linear, softmax
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
    x: Array, params: Tree, mask: Array, n_heads: int, head_mask: Array | None = None
) -> tuple[Array, Tree]:
    """Return softmax(q kᵀ / √K) v, every head's merged and mixed by `out_lin`.

    `x` is (B, L, D), `mask` (B, L) true where a key may be seen, `head_mask` (H,)
    factors for the heads' weights. (Vaswani et al., arXiv 1706.03762, section 3.2.)
    """
    q = split_heads(linear(x, **params["q_lin"]), n_heads)    # (B, H, L, K)
    k = split_heads(linear(x, **params["k_lin"]), n_heads)    # (B, H, L, K)
    v = split_heads(linear(x, **params["v_lin"]), n_heads)    # (B, H, L, K)

    scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])  # (B, H, L, L)
    weights = softmax(scores + mask_bias(mask, x.dtype))      # (B, H, L, L)
    trace = {"q": q, "k": k, "v": v, "scores": scores, "weights": weights}

    if head_mask is not None:
        weights = weights * head_mask[:, None, None]          # (B, H, L, L)
        trace["head_masked_weights"] = weights

    context = merge_heads(weights @ v)                        # (B, L, D)
    y = linear(context, **params["out_lin"])                  # (B, L, D)
    return y, trace | {"context": context, "out_lin": y}
