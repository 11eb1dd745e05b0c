"""The encoder: one block, and the stack of blocks."""

from collections.abc import Collection, Sequence

import numpy as np

from .attention import attention, attention_backward
from .config import DistilBertConfig
from .ffn import ffn, ffn_backward
from .functions import Array, layer_norm, layer_norm_backward
from .trees import Tree


def transformer_block(
    x: Array,
    params: Tree,
    mask: Array,
    config: DistilBertConfig,
    head_mask: Array | None = None,
    rng: "np.random.Generator | None" = None,
) -> tuple[Array, Tree]:
    """Return x after attention and feed-forward, (B, L, D) -> (B, L, D).

    Each is added to what it read, and then normalised: LayerNorm comes after the
    residual sum, as in the first Transformer ("post-LN").
    """
    attended, attention_trace = attention(
        x, params["attention"], mask, config.n_heads, head_mask,
        config.attention_dropout, rng,
    )
    attention_sum = x + attended                                   # (B, L, D)
    middle = layer_norm(attention_sum, **params["sa_layer_norm"])  # (B, L, D)

    transformed, ffn_trace = ffn(
        middle, params["ffn"], config.activation, config.dropout, rng
    )
    ffn_sum = middle + transformed                                 # (B, L, D)
    y = layer_norm(ffn_sum, **params["output_layer_norm"])         # (B, L, D)
    return y, {
        "attention": attention_trace,
        "attention_sum": attention_sum,
        "sa_layer_norm": middle,
        "ffn": ffn_trace,
        "ffn_sum": ffn_sum,
        "output_layer_norm": y,
    }


def transformer_block_backward(
    dy: Array,
    x: Array,
    params: Tree,
    trace: Tree,
    config: DistilBertConfig,
    head_mask: Array | None = None,
    dattentions: Array | None = None,
) -> tuple[Array, Tree]:
    """Return dx (B, L, D) and the gradients of a block's parameters.

    `dattentions` (B, H, L, L), if given, is the gradient that the attention weights
    have as an output of the model.
    """
    # y = layer_norm(ffn_sum, **params["output_layer_norm"])
    gain = params["output_layer_norm"]["weight"]
    dffn_sum, output_norm_grads = layer_norm_backward(dy, trace["ffn_sum"], gain)

    # ffn_sum = middle + transformed: both get its gradient, and middle, which the
    # feed-forward network read too, what comes back through that
    middle = trace["sa_layer_norm"]
    dmiddle_ffn, ffn_grads = ffn_backward(
        dffn_sum, middle, params["ffn"], config.activation, trace["ffn"]
    )
    dmiddle = dffn_sum + dmiddle_ffn                               # (B, L, D)

    # middle = layer_norm(attention_sum, **params["sa_layer_norm"])
    gain = params["sa_layer_norm"]["weight"]
    dattention_sum, norm_grads = layer_norm_backward(
        dmiddle, trace["attention_sum"], gain
    )

    # attention_sum = x + attended: both get its gradient, and x, which attention read
    # too, what comes back through that
    dx_attention, attention_grads = attention_backward(
        dattention_sum, x, params["attention"], trace["attention"], head_mask,
        dattentions,
    )
    dx = dattention_sum + dx_attention                             # (B, L, D)
    return dx, {
        "attention": attention_grads,
        "sa_layer_norm": norm_grads,
        "ffn": ffn_grads,
        "output_layer_norm": output_norm_grads,
    }


def transformer(
    x: Array,
    params: Tree,
    mask: Array,
    config: DistilBertConfig,
    head_mask: Array | None = None,
    keep: Collection[str] | None = None,
    rng: "np.random.Generator | None" = None,
) -> tuple[Array, Tree]:
    """Return x after every block of the stack, (B, L, D) -> (B, L, D).

    `head_mask` is (N, H). `keep` names what stays of each block's trace (all, if None):
    who needs only the answer need not hold every block's arrays until the end.
    """
    layers = {}
    for i in range(len(params["layer"])):        # by number: "10" sorts before "2"
        block_head_mask = None if head_mask is None else head_mask[i]
        x, trace = transformer_block(
            x, params["layer"][str(i)], mask, config, block_head_mask, rng
        )
        kept = trace if keep is None else {name: trace[name] for name in keep}
        layers[str(i)] = kept
    return x, {"layer": layers}


def transformer_backward(
    dstates: Sequence[Array | float],
    states: Sequence[Array],
    params: Tree,
    trace: Tree,
    config: DistilBertConfig,
    head_mask: Array | None = None,
    dattentions: Sequence[Array | None] | None = None,
) -> tuple[Array, Tree]:
    """Return dx (B, L, D) and the gradients of every block's parameters.

    `states` are the N + 1 hidden states: what the first block read, and what each
    returned. Each is an output of the model as well, so `dstates` are N + 1 gradients
    (0 for none), and `dattentions` N, of the attention weights.
    """
    grads = {}
    dx = dstates[-1]                                               # (B, L, D)
    for i in reversed(range(len(params["layer"]))):
        dx, grads[str(i)] = transformer_block_backward(
            dx, states[i], params["layer"][str(i)], trace["layer"][str(i)], config,
            None if head_mask is None else head_mask[i],
            None if dattentions is None else dattentions[i],
        )
        dx = dx + dstates[i]
    return dx, {"layer": {str(i): grads[str(i)] for i in range(len(grads))}}
