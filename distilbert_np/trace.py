"""The trace: the intermediate arrays of a forward pass, by stable dotted names.

A name that is also a module's in transformers (`ffn.lin1`, `sa_layer_norm`) is what
that module returns. The others: `q`, `k` and `v` are what `q_lin`, `k_lin` and `v_lin`
return, split into heads; `embeddings.words` and `.positions` are what was looked up;
`logits` are what the head's last module returns. Each array has one name only: what a
layer reads stands under the layer before it. config.py explains the letters.
"""

from .config import DistilBertConfig
from .errors import InputError, shown

INPUTS = {
    "input_ids": "B L",                  # or inputs_embeds "B L D"
    "attention_mask": "B L",
    "position_ids": "1|B L",
}
EMBEDDINGS = {
    "words": "B L D",
    "positions": "1|B L D",
    "sum": "B L D",                      # words + positions
    "LayerNorm": "B L D",
}
BLOCK = {
    "attention.q": "B H L K",
    "attention.k": "B H L K",
    "attention.v": "B H L K",
    "attention.scores": "B H L L",       # q kᵀ / √K, before the mask
    "attention.weights": "B H L L",      # softmax of the masked scores
    "attention.context": "B L D",        # weights v, heads merged
    "attention.out_lin": "B L D",
    "attention_sum": "B L D",            # the block's input + attention
    "sa_layer_norm": "B L D",
    "ffn.lin1": "B L F",
    "ffn.activation": "B L F",
    "ffn.lin2": "B L D",
    "ffn_sum": "B L D",                  # sa_layer_norm + ffn
    "output_layer_norm": "B L D",
}
HEADS = {
    "base": {},
    "masked_lm": {
        "vocab_transform": "B L D",
        "activation": "B L D",
        "vocab_layer_norm": "B L D",
        "logits": "B L V",
    },
    "sequence": {
        "first": "B D",
        "pre_classifier": "B D",
        "relu": "B D",
        "logits": "B C",
    },
    "token": {"logits": "B L C"},
    "question_answering": {"logits": "B L 2"},
    "multiple_choice": {                 # B counts sequences: C for each text
        "first": "B D",
        "pre_classifier": "B D",
        "relu": "B D",
        "logits": "B/C C",
    },
}


def check_head(head: str) -> None:
    """Raise InputError unless there is a head of this name."""
    if not isinstance(head, str) or head not in HEADS:
        known = ", ".join(HEADS)
        raise InputError(f"head: expected one of {known}, found {shown(head)}")


def trace_table(config: DistilBertConfig, head: str) -> dict[str, str]:
    """Return the shape, in letters, of each array in a trace, in computing order.

    `head` is one of base, masked_lm, sequence, token, question_answering,
    multiple_choice; raises InputError for another.

    A head_mask adds `attention.head_masked_weights` to each block; labels add their own
    names to the inputs, and `loss` at the end. An rng adds, after what they read,
    `dropout_factors` (0 where a number was dropped) and `dropout` (what was left): to
    embeddings, attention, ffn, and all heads but the masked-LM one.
    """
    check_head(head)
    table = {f"inputs.{name}": shape for name, shape in INPUTS.items()}
    table |= {f"embeddings.{name}": shape for name, shape in EMBEDDINGS.items()}
    for i in range(config.n_layers):
        table |= {f"transformer.layer.{i}.{name}": s for name, s in BLOCK.items()}
    return table | {f"head.{name}": shape for name, shape in HEADS[head].items()}
