"""The encoder: one block, and the stack of blocks."""

from collections.abc import Collection

import numpy as np

from .attention import attention
from .ffn import ffn
from .functions import layer_norm
from .trees import Tree

Array = np.ndarray


def transformer_block(
    x: Array, params: Tree, mask: Array, n_heads: int, activation: str,
    head_mask: Array | None = None,
) -> tuple[Array, Tree]:  # fmt: skip
    """Return x after attention and feed-forward, (B, L, D) -> (B, L, D).

    Each is added to what it read, and then normalised: LayerNorm comes after the
    residual sum, as in the first Transformer ("post-LN").
    """
    attended, attention_trace = attention(
        x, params["attention"], mask, n_heads, head_mask
    )
    attention_sum = x + attended                                   # (B, L, D)
    h = layer_norm(attention_sum, **params["sa_layer_norm"])       # (B, L, D)

    fed, ffn_trace = ffn(h, params["ffn"], activation)
    ffn_sum = h + fed                                              # (B, L, D)
    y = layer_norm(ffn_sum, **params["output_layer_norm"])         # (B, L, D)
    return y, {
        "attention": attention_trace,
        "attention_sum": attention_sum,
        "sa_layer_norm": h,
        "ffn": ffn_trace,
        "ffn_sum": ffn_sum,
        "output_layer_norm": y,
    }


def transformer(
    x: Array, params: Tree, mask: Array, n_heads: int, activation: str,
    head_mask: Array | None = None, keep: Collection[str] | None = None,
) -> tuple[Array, Tree]:  # fmt: skip
    """Return x after every block of the stack, (B, L, D) -> (B, L, D).

    `head_mask` is (N, H). `keep` names what stays of each block's trace (all, if None):
    who needs only the answer need not hold every block's arrays until the end.
    """
    layers = {}
    for i, block_params in params["layer"].items():
        block_head_mask = None if head_mask is None else head_mask[int(i)]
        x, trace = transformer_block(
            x, block_params, mask, n_heads, activation, block_head_mask
        )
        layers[i] = trace if keep is None else {name: trace[name] for name in keep}
    return x, {"layer": layers}
