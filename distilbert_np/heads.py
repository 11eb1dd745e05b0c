"""The five heads: from the encoder's vectors to scores, and the gradients back.

Each takes the last hidden state `h` (B, L, D) and the model's parameters, and returns
(logits, trace); its backward takes the gradient of the logits, and returns (dh, the
gradients of the head's own parameters). With an `rng`, inputs of the last linear are
dropped with probability `p`; the masked-LM head has no dropout.
"""

import numpy as np

from .functions import (
    ACTIVATIONS,
    ACTIVATIONS_BACKWARD,
    Array,
    dropout,
    dropout_backward,
    layer_norm,
    layer_norm_backward,
    linear,
    linear_backward,
    relu,
    relu_backward,
)
from .trees import Tree


def masked_lm_head(
    h: Array, params: Tree, decoder: Array, activation: str
) -> tuple[Array, Tree]:
    """Return a score for every word of the vocabulary at every position, (B, L, V).

    `decoder` (V, D) is the table of word embeddings itself, unless the model has a
    matrix of its own for it.
    """
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


def masked_lm_head_backward(
    dlogits: Array, h: Array, params: Tree, decoder: Array, activation: str, trace: Tree
) -> tuple[Array, Tree]:
    """Return dh (B, L, D) and the head's gradients, the decoder's among them."""
    # logits = linear(normalised, decoder, params["vocab_projector"]["bias"])
    dnormalised, projector_grads = linear_backward(
        dlogits, trace["vocab_layer_norm"], decoder
    )

    # normalised = layer_norm(activated, **params["vocab_layer_norm"])
    gain = params["vocab_layer_norm"]["weight"]
    dactivated, norm_grads = layer_norm_backward(dnormalised, trace["activation"], gain)

    # activated = ACTIVATIONS[activation](transformed)
    transformed = trace["vocab_transform"]                               # (B, L, D)
    dtransformed = ACTIVATIONS_BACKWARD[activation](dactivated, transformed)

    # transformed = linear(h, **params["vocab_transform"])
    transform_weight = params["vocab_transform"]["weight"]
    dh, transform_grads = linear_backward(dtransformed, h, transform_weight)
    return dh, {
        "vocab_transform": transform_grads,
        "vocab_layer_norm": norm_grads,
        "vocab_projector": projector_grads,
    }


def sequence_head(
    h: Array,
    params: Tree,
    p: float = 0.0,
    rng: "np.random.Generator | None" = None,
) -> tuple[Array, Tree]:
    """Return a score for each class from the first token's vector, (B, C).

    The activation here is ReLU, whatever the configuration says of the others.
    """
    first = h[:, 0]                                                      # (B, D)
    hidden = linear(first, **params["pre_classifier"])                   # (B, D)
    activated = relu(hidden)                                             # (B, D)
    logits, last = last_linear(activated, params["classifier"], p, rng)  # (B, C)
    return logits, {
        "first": first, "pre_classifier": hidden, "relu": activated, **last,
    }


def sequence_head_backward(
    dlogits: Array, h: Array, params: Tree, trace: Tree
) -> tuple[Array, Tree]:
    """Return dh (B, L, D), zero but for the first token, and the head's gradients."""
    # logits, last = last_linear(activated, params["classifier"], p, rng)
    dactivated, class_grads = last_linear_backward(
        dlogits, trace["relu"], params["classifier"], trace
    )

    # first = h[:, 0];  hidden = linear(first, …);  activated = relu(hidden)
    dhidden = relu_backward(dactivated, trace["pre_classifier"])         # (B, D)
    pre_weight = params["pre_classifier"]["weight"]
    dfirst, pre_grads = linear_backward(dhidden, trace["first"], pre_weight)
    dh = np.zeros_like(h)
    dh[:, 0] = dfirst
    return dh, {"pre_classifier": pre_grads, "classifier": class_grads}


def choice_head(
    h: Array,
    params: Tree,
    n_choices: int,
    p: float = 0.0,
    rng: "np.random.Generator | None" = None,
) -> tuple[Array, Tree]:
    """Return a score for each of C choices, (B·C, L, D) -> (B, C).

    Every choice is a sequence of its own; the sequence head gives each one score.
    """
    scores, trace = sequence_head(h, params, p, rng)                     # (B·C, 1)
    logits = scores.reshape(-1, n_choices)                               # (B, C)
    return logits, trace | {"logits": logits}


def choice_head_backward(
    dlogits: Array, h: Array, params: Tree, trace: Tree
) -> tuple[Array, Tree]:
    """Return dh (B·C, L, D) and the head's gradients."""
    # logits = scores.reshape(-1, n_choices)
    return sequence_head_backward(dlogits.reshape(-1, 1), h, params, trace)


def token_head(
    h: Array,
    params: Tree,
    p: float = 0.0,
    rng: "np.random.Generator | None" = None,
) -> tuple[Array, Tree]:
    """Return a score for each class at every position, (B, L, C)."""
    return last_linear(h, params["classifier"], p, rng)


def token_head_backward(
    dlogits: Array, h: Array, params: Tree, trace: Tree
) -> tuple[Array, Tree]:
    """Return dh (B, L, D) and the head's gradients."""
    # logits, trace = last_linear(h, params["classifier"], p, rng)
    dh, grads = last_linear_backward(dlogits, h, params["classifier"], trace)
    return dh, {"classifier": grads}


def question_answering_head(
    h: Array,
    params: Tree,
    p: float = 0.0,
    rng: "np.random.Generator | None" = None,
) -> tuple[Array, Tree]:
    """Return two scores for every place, (B, L, 2): an answer starts, or ends, here."""
    return last_linear(h, params["qa_outputs"], p, rng)


def question_answering_head_backward(
    dlogits: Array, h: Array, params: Tree, trace: Tree
) -> tuple[Array, Tree]:
    """Return dh (B, L, D) and the head's gradients."""
    # logits, trace = last_linear(h, params["qa_outputs"], p, rng)
    dh, grads = last_linear_backward(dlogits, h, params["qa_outputs"], trace)
    return dh, {"qa_outputs": grads}


def last_linear(
    x: Array, params: Tree, p: float, rng: "np.random.Generator | None"
) -> tuple[Array, Tree]:
    """Return the logits (..., C) that end four of the heads, of vectors (..., D)."""
    features, dropped = dropout(x, p, rng)                               # (..., D)
    logits = linear(features, **params)                                  # (..., C)
    return logits, dropped | {"logits": logits}


def last_linear_backward(
    dlogits: Array, x: Array, params: Tree, trace: Tree
) -> tuple[Array, Tree]:
    """Return dx (..., D) and the gradients of the linear."""
    # features, dropped = dropout(x, p, rng);  logits = linear(features, **params)
    features = trace.get("dropout", x)                                   # (..., D)
    dfeatures, grads = linear_backward(dlogits, features, params["weight"])
    return dropout_backward(dfeatures, trace), grads
