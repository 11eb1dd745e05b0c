"""BERT folded in: a BERT encoder is a DistilBERT with two additions.

BERT adds a token-type vector to every embedding and a pooler behind the stack. For a
single text the token type is always 0, so its row can be added to every row of the
position table once and for all; the pooler is left out. Then only names differ.
"""

from typing import Any

from .errors import ConfigError, shown
from .functions import Array

# Beside the aliases that DistilBertConfig knows: hidden_size, num_hidden_layers, …
BERT_FIELDS = {
    "intermediate_size": "hidden_dim",
    "hidden_act": "activation",
    "hidden_dropout_prob": "dropout",
    "attention_probs_dropout_prob": "attention_dropout",
}
# What a BERT must be for DistilBERT's formulas to say the same. BERT-base's own values
# hold where its configuration is silent, and DistilBERT shares all but the layers.
BERT_MUST_BE = {
    "layer_norm_eps": 1e-12,
    "position_embedding_type": "absolute",
    "is_decoder": False,
}
BERT_LEFT_OUT = {"type_vocab_size", "use_cache", "gradient_checkpointing",
                 "classifier_dropout", "add_cross_attention"}

# In this order: the first pattern that a name contains is replaced.
BERT_NAMES = (
    (".attention.self.query.", ".attention.q_lin."),
    (".attention.self.key.", ".attention.k_lin."),
    (".attention.self.value.", ".attention.v_lin."),
    (".attention.output.dense.", ".attention.out_lin."),
    (".attention.output.LayerNorm.", ".sa_layer_norm."),
    (".intermediate.dense.", ".ffn.lin1."),
    (".output.dense.", ".ffn.lin2."),
    (".output.LayerNorm.", ".output_layer_norm."),
    ("cls.predictions.transform.dense.", "vocab_transform."),
    ("cls.predictions.transform.LayerNorm.", "vocab_layer_norm."),
    ("cls.predictions.decoder.weight", "vocab_projector.weight"),
    ("cls.predictions.bias", "vocab_projector.bias"),
)
TOKEN_TYPES = "embeddings.token_type_embeddings.weight"


def fold_bert_config(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the DistilBERT fields that say what these BERT fields say.

    Raises ConfigError where this BERT computes something that DistilBERT cannot.
    """
    for name, needed in BERT_MUST_BE.items():
        if fields.get(name, needed) != needed:
            raise ConfigError(
                f"{name}: only a BERT with {needed!r} can be folded into a DistilBERT, "
                f"found {shown(fields[name])}"
            )
    kept = {
        BERT_FIELDS.get(name, name): value
        for name, value in fields.items()
        if name not in BERT_MUST_BE and name not in BERT_LEFT_OUT
    }
    return {"num_hidden_layers": 12} | kept | {"model_type": "distilbert"}


def is_bert(names: list[str]) -> bool:
    """Whether these are the tensor names of a BERT: it alone has token types."""
    return any(name.endswith(TOKEN_TYPES) for name in names)


def plain_bert_names(names: list[str]) -> dict[str, str]:
    """Return what DistilBERT calls each BERT tensor (the same, if it has no such)."""
    plain = {name: plain_bert_name(name) for name in names}
    if any("pooler." in name for name in names):
        # This classifier reads the pooler's output, which DistilBERT does not have.
        for name in names:
            if name.startswith("classifier."):
                plain[name] = f"pooler.{name}"
    return plain


def plain_bert_name(name: str) -> str:
    """Return what DistilBERT calls one BERT tensor."""
    name = name.removeprefix("bert.").replace("encoder.layer.", "transformer.layer.")
    for in_bert, here in BERT_NAMES:
        if in_bert in name:
            return name.replace(in_bert, here)
    return name


def fold_token_types(positions: Array, token_types: Array) -> Array:
    """Return the position table (P, D) with token type 0 of (2, D) in every row."""
    return positions + token_types[0]
