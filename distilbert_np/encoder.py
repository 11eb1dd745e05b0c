"""The encoder: one block, and the stack of blocks."""

from collections.abc import Collection

from .attention import attention
from .config import DistilBertConfig
from .ffn import ffn
from .functions import Array, layer_norm
from .trees import Tree


def transformer_block(
    x: Array,
    params: Tree,
    mask: Array,
    config: DistilBertConfig,
    head_mask: Array | None = None,
) -> tuple[Array, Tree]:
    """Return x after attention and feed-forward, (B, L, D) -> (B, L, D).

    Each is added to what it read, and then normalised: LayerNorm comes after the
    residual sum, as in the first Transformer ("post-LN").
    """
    attended, attention_trace = attention(
        x, params["attention"], mask, config.n_heads, head_mask
    )
    attention_sum = x + attended                                   # (B, L, D)
    middle = layer_norm(attention_sum, **params["sa_layer_norm"])  # (B, L, D)

    transformed, ffn_trace = ffn(middle, params["ffn"], config.activation)
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


def transformer(
    x: Array,
    params: Tree,
    mask: Array,
    config: DistilBertConfig,
    head_mask: Array | None = None,
    keep: Collection[str] | None = None,
) -> tuple[Array, Tree]:
    """Return x after every block of the stack, (B, L, D) -> (B, L, D).

    `head_mask` is (N, H). `keep` names what stays of each block's trace (all, if None):
    who needs only the answer need not hold every block's arrays until the end.
    """
    layers = {}
    for i in range(len(params["layer"])):        # by number: "10" sorts before "2"
        block_head_mask = None if head_mask is None else head_mask[i]
        x, trace = transformer_block(
            x, params["layer"][str(i)], mask, config, block_head_mask
        )
        kept = trace if keep is None else {name: trace[name] for name in keep}
        layers[str(i)] = kept
    return x, {"layer": layers}
