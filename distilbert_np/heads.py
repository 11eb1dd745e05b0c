"""The five heads: from the encoder's vectors to scores, and from scores to a loss.

Each head takes the last hidden state `h` (B, L, D) and the model's parameters, and
returns (logits, trace).
"""

import numpy as np

from .functions import ACTIVATIONS, layer_norm, linear, relu
from .losses import bce_with_logits, cross_entropy, mse
from .trees import Tree

Array = np.ndarray


def masked_lm_head(
    h: Array, params: Tree, word_table: Array, activation: str
) -> tuple[Array, Tree]:
    """Return a score for every word of the vocabulary at every place, (B, L, V).

    The decoder is the table of words (V, D) itself, unless the model has its own.
    """
    decoder = params["vocab_projector"].get("weight", word_table)        # (V, D)
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
    """Return a score for each class at every place, (B, L, C)."""
    logits = linear(h, **params["classifier"])                           # (B, L, C)
    return logits, {"logits": logits}


def question_answering_head(h: Array, params: Tree) -> tuple[Array, Tree]:
    """Return two scores for every place, (B, L, 2): an answer starts, or ends, here."""
    logits = linear(h, **params["qa_outputs"])                           # (B, L, 2)
    return logits, {"logits": logits}


# --- losses that are more than one formula --------------------------------------------


def sequence_loss(logits: Array, labels: Array, problem_type: str) -> np.floating:
    """Return the loss of the scores (B, C) for the kind of problem that is posed.

    Labels are (B,) numbers of classes for "single_label_classification", else (B, C)
    numbers: of the targets for "regression", 0 to 1 for "multi_label_classification".
    """
    if problem_type == "regression":
        return mse(logits, labels)
    if problem_type == "multi_label_classification":
        return bce_with_logits(logits, labels)
    return cross_entropy(logits, labels)


def question_answering_loss(logits: Array, starts: Array, ends: Array) -> np.floating:
    """Return the mean of the losses of start and end, for (B, L, 2) and (B,), (B,).

    Positions below 0 count as 0; positions of L and beyond lie outside the text and do
    not count at all.
    """
    L = logits.shape[1]
    start_loss = cross_entropy(logits[..., 0], np.clip(starts, 0, L), ignored=L)
    end_loss = cross_entropy(logits[..., 1], np.clip(ends, 0, L), ignored=L)
    return (start_loss + end_loss) / 2
