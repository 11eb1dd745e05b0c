"""The losses: how far a model's scores are from what they should be.

Each returns one number, of the dtype of the scores. Means are over what counts, as in
PyTorch, whose functional forms of the same names these agree with.
"""

import numpy as np

from .functions import log_softmax, softmax

Array = np.ndarray

IGNORED = -100                                   # a label that is not asked for


def cross_entropy(logits: Array, labels: Array, ignored: int = IGNORED) -> np.floating:
    """Return the mean of −log p(label) over the rows whose label is not `ignored`.

    `logits` is (..., C), `labels` (...) holds integers below C. NaN if none counts, as
    a mean of nothing is.
    """
    counted = labels != ignored                                    # (...)
    rows = log_softmax(logits[counted])                            # (R, C)
    log_p = np.take_along_axis(rows, labels[counted][:, None], axis=-1)
    return -log_p.mean() if log_p.size else logits.dtype.type(np.nan)


def mse(predictions: Array, targets: Array) -> np.floating:
    """Return the mean squared difference of two arrays of one shape."""
    difference = predictions - targets
    return (difference * difference).mean()


def bce_with_logits(logits: Array, targets: Array) -> np.floating:
    """Return the mean binary cross-entropy of sigmoid(logits) against `targets`.

    −t·log σ(x) − (1 − t)·log(1 − σ(x)), written as max(x, 0) − x·t + log(1 + e^−|x|) so
    that no exponential overflows. Both arrays have one shape, targets in [0, 1].
    """
    log_term = np.log1p(np.exp(-np.abs(logits)))
    return (np.maximum(logits, 0) - logits * targets + log_term).mean()


def kl_divergence(
    student_logits: Array, teacher_logits: Array, temperature: float = 1.0
) -> np.floating:
    """Return T² · KL(teacher ‖ student) of distributions softened by T, per row.

    (R, C) and (R, C): Σ p·(log p − log q) over classes, the mean over rows. The factor
    T² keeps gradients of one size whatever T (Hinton et al., arXiv 1503.02531).
    """
    log_p = log_softmax(teacher_logits / temperature)              # (R, C)
    log_q = log_softmax(student_logits / temperature)              # (R, C)
    per_row = (softmax(teacher_logits / temperature) * (log_p - log_q)).sum(axis=-1)
    return per_row.mean() * temperature**2


def cosine_loss(x: Array, y: Array) -> np.floating:
    """Return the mean over rows of 1 − cos(x, y), for (R, D) and (R, D).

    The 1e-12 keeps rows of zeros finite, as in PyTorch's CosineEmbeddingLoss.
    """
    x_squared = (x * x).sum(axis=-1) + 1e-12                       # (R,)
    y_squared = (y * y).sum(axis=-1) + 1e-12                       # (R,)
    return (1 - (x * y).sum(axis=-1) / np.sqrt(x_squared * y_squared)).mean()
