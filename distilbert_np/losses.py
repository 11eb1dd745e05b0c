"""The losses: how far a model's scores are from what they should be.

Each returns one number, of the dtype of the scores; means are over what counts. They
agree with PyTorch's F.cross_entropy, F.mse_loss, F.binary_cross_entropy_with_logits,
F.kl_div(reduction="batchmean") and F.cosine_embedding_loss. Below each stands its
backward: from dloss, the gradient of that number (1, if it is the whole loss), to the
gradient of the scores, which has their shape.
"""

import numpy as np

from .functions import Array, log_softmax, sigmoid, softmax

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


def cross_entropy_backward(
    dloss: float, logits: Array, labels: Array, ignored: int = IGNORED
) -> Array:
    """Return the gradient of the logits (..., C): p − 1 at the label, p elsewhere.

    Rows that do not count have none: if none counts, all is exactly 0.
    """
    # loss = mean(−log softmax(rows)[label])
    counted = labels != ignored                                    # (...)
    drows = softmax(logits[counted])                               # (R, C)
    drows[np.arange(len(drows)), labels[counted]] -= 1
    dlogits = np.zeros_like(logits)
    dlogits[counted] = drows * (float(dloss) / max(len(drows), 1))
    return dlogits


def mse(predictions: Array, targets: Array) -> np.floating:
    """Return the mean squared difference of two arrays of one shape."""
    difference = predictions - targets
    return (difference * difference).mean()


def mse_backward(dloss: float, predictions: Array, targets: Array) -> Array:
    """Return the gradient of the predictions."""
    # loss = mean((predictions − targets)²)
    return (predictions - targets) * (2 * float(dloss) / predictions.size)


def bce_with_logits(logits: Array, targets: Array) -> np.floating:
    """Return the mean binary cross-entropy of sigmoid(logits) against `targets`.

    −t·log σ(x) − (1 − t)·log(1 − σ(x)), written as max(x, 0) − x·t + log(1 + e^−|x|) so
    that no exponential overflows. Both arrays have one shape, targets in [0, 1].
    """
    log_term = np.log1p(np.exp(-np.abs(logits)))
    return (np.maximum(logits, 0) - logits * targets + log_term).mean()


def bce_with_logits_backward(dloss: float, logits: Array, targets: Array) -> Array:
    """Return the gradient of the logits, in which all but σ(x) − t cancels."""
    # loss = mean(−t·log σ(x) − (1 − t)·log(1 − σ(x)))
    return (sigmoid(logits) - targets) * (float(dloss) / logits.size)


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
    return (per_row * temperature**2).mean()


def kl_divergence_backward(
    dloss: float,
    student_logits: Array,
    teacher_logits: Array,
    temperature: float = 1.0,
) -> Array:
    """Return the gradient of the student's logits (R, C); the teacher is not taught.

    Softening divides by T: of T², one T remains.
    """
    # loss = T² · mean over rows of Σ p·(log p − log softmax(student_logits / T))
    p = softmax(teacher_logits / temperature)                      # (R, C)
    q = softmax(student_logits / temperature)                      # (R, C)
    return (q - p) * (float(dloss) * temperature / len(q))


def cosine_loss(x: Array, y: Array) -> np.floating:
    """Return the mean over rows of 1 − cos(x, y), for (R, D) and (R, D).

    The 1e-12 keeps rows of zeros finite, as in PyTorch's CosineEmbeddingLoss.
    """
    x_squared = (x * x).sum(axis=-1) + 1e-12                       # (R,)
    y_squared = (y * y).sum(axis=-1) + 1e-12                       # (R,)
    return (1 - (x * y).sum(axis=-1) / np.sqrt(x_squared * y_squared)).mean()


def cosine_loss_backward(dloss: float, x: Array, y: Array) -> Array:
    """Return the gradient of x (R, D); y is what x should point along, and is fixed."""
    # loss = mean(1 − x·y / √(x·x · y·y)): x stands above the line and below it
    x_squared = (x * x).sum(axis=-1, keepdims=True) + 1e-12        # (R, 1)
    y_squared = (y * y).sum(axis=-1, keepdims=True) + 1e-12        # (R, 1)
    product = (x * y).sum(axis=-1, keepdims=True)                  # (R, 1)
    dcosine = -float(dloss) / len(x)
    return dcosine * (y - x * (product / x_squared)) / np.sqrt(x_squared * y_squared)


# --- the losses of two heads ----------------------------------------------------------


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


def sequence_loss_backward(
    dloss: float, logits: Array, labels: Array, problem_type: str
) -> Array:
    """Return the gradient of the logits (B, C)."""
    if problem_type == "regression":
        return mse_backward(dloss, logits, labels)
    if problem_type == "multi_label_classification":
        return bce_with_logits_backward(dloss, logits, labels)
    return cross_entropy_backward(dloss, logits, labels)


def question_answering_loss(logits: Array, starts: Array, ends: Array) -> np.floating:
    """Return the mean of the losses of start and end, for (B, L, 2) and (B,), (B,).

    Positions below 0 count as 0; positions of L and beyond lie outside the text and do
    not count at all.
    """
    L = logits.shape[1]
    start_loss = cross_entropy(logits[..., 0], np.clip(starts, 0, L), ignored=L)
    end_loss = cross_entropy(logits[..., 1], np.clip(ends, 0, L), ignored=L)
    return np.mean([start_loss, end_loss], dtype=logits.dtype)


def question_answering_loss_backward(
    dloss: float, logits: Array, starts: Array, ends: Array
) -> Array:
    """Return the gradient of the logits (B, L, 2)."""
    # loss = (start_loss + end_loss) / 2
    L = logits.shape[1]
    dstart = cross_entropy_backward(
        dloss / 2, logits[..., 0], np.clip(starts, 0, L), ignored=L
    )
    dend = cross_entropy_backward(
        dloss / 2, logits[..., 1], np.clip(ends, 0, L), ignored=L
    )
    return np.stack([dstart, dend], axis=-1)
