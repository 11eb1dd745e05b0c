"""The five heads: from the encoder's vectors to scores.

Each takes the last hidden state `h` (B, L, D) and the model's parameters, and returns
(logits, trace).
"""

from .functions import ACTIVATIONS, Array, layer_norm, linear, relu
from .trees import Tree


def masked_lm_head(
    h: Array, params: Tree, word_embeddings: Array, activation: str
) -> tuple[Array, Tree]:
    """Return a score for every word of the vocabulary at every position, (B, L, V).

    The decoder is the table of word embeddings (V, D), unless the model has its own.
    """
    decoder = params["vocab_projector"].get("weight", word_embeddings)        # (V, D)
    transformed = linear(h, **params["vocab_transform"])                 # (B, L, D)
    activated = ACTIVATIONS[activation](transformed)                     # (B, L, D)
    normalised = layer_norm(activated, **params["vocab_layer_norm"])     # (B, L, D)
    logits = linear(normalised, decoder, params["vocab_projector"]["bias"])
    return logits, {
        "vocab_transform": transformed,
        "activation": activated,
        "vocab_layer_norm": normalised,
        "logits": logits,
    }


def sequence_head(h: Array, params: Tree) -> tuple[Array, Tree]:
    """Return a score for each class from the first token's vector, (B, C).

    The activation here is ReLU, whatever the configuration says of the others.
    """
    first = h[:, 0]                                                      # (B, D)
    hidden = linear(first, **params["pre_classifier"])                   # (B, D)
    activated = relu(hidden)                                             # (B, D)
    logits = linear(activated, **params["classifier"])                   # (B, C)
    return logits, {
        "first": first,
        "pre_classifier": hidden,
        "relu": activated,
        "logits": logits,
    }


def choice_head(h: Array, params: Tree, n_choices: int) -> tuple[Array, Tree]:
    """Return a score for each of C choices, (B·C, L, D) -> (B, C).

    Every choice is a sequence of its own; the sequence head gives each one score.
    """
    scores, trace = sequence_head(h, params)                             # (B·C, 1)
    logits = scores.reshape(-1, n_choices)                               # (B, C)
    return logits, trace | {"logits": logits}


def token_head(h: Array, params: Tree) -> tuple[Array, Tree]:
    """Return a score for each class at every position, (B, L, C)."""
    logits = linear(h, **params["classifier"])                           # (B, L, C)
    return logits, {"logits": logits}


def question_answering_head(h: Array, params: Tree) -> tuple[Array, Tree]:
    """Return two scores for every place, (B, L, 2): an answer starts, or ends, here."""
    logits = linear(h, **params["qa_outputs"])                           # (B, L, 2)
    return logits, {"logits": logits}
