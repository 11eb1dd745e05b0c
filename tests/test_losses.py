"""The losses, from their definitions and at their corners."""

import math

import numpy as np
import pytest

from distilbert_np import losses
from distilbert_np.functions import log_softmax, sigmoid, softmax

RNG = np.random.default_rng(0)
LOGITS = RNG.standard_normal((6, 4))
LABELS = np.array([0, 3, -100, 1, 1, -100])


def test_cross_entropy_is_the_mean_surprise_of_what_is_asked():
    p = softmax(LOGITS)
    surprise = [-math.log(p[i, label]) for i, label in enumerate(LABELS) if label >= 0]
    expected = sum(surprise) / len(surprise)
    assert losses.cross_entropy(LOGITS, LABELS) == pytest.approx(expected, rel=1e-14)


def test_cross_entropy_over_places():
    shaped = losses.cross_entropy(LOGITS.reshape(2, 3, 4), LABELS.reshape(2, 3))
    assert shaped == losses.cross_entropy(LOGITS, LABELS)


def test_cross_entropy_of_nothing_is_nan():
    assert np.isnan(losses.cross_entropy(LOGITS, np.full(6, -100)))


def test_cross_entropy_of_huge_scores_is_finite():
    loss = losses.cross_entropy(np.array([[1e300, -1e300]]), np.array([1]))
    assert loss == 2e300


def test_mse():
    assert losses.mse(np.array([1.0, 4.0]), np.array([2.0, 2.0])) == 2.5


def test_bce_with_logits():
    targets = (LOGITS > 0.3).astype(float)
    p = sigmoid(LOGITS)
    expected = -(targets * np.log(p) + (1 - targets) * np.log(1 - p)).mean()
    assert losses.bce_with_logits(LOGITS, targets) == pytest.approx(expected)
    assert losses.bce_with_logits(np.array([1e30]), np.array([0.0])) == 1e30


def test_kl_divergence_vanishes_for_equals_only():
    teacher = RNG.standard_normal((6, 4))
    assert losses.kl_divergence(LOGITS, LOGITS + 7, 2) == pytest.approx(0, abs=1e-15)
    assert losses.kl_divergence(LOGITS, teacher, 2) > 0.1


def test_kl_divergence_at_a_temperature():
    teacher = RNG.standard_normal((6, 4))
    p, q = softmax(teacher / 2), softmax(LOGITS / 2)
    expected = 4 * (p * np.log(p / q)).sum() / 6
    assert losses.kl_divergence(LOGITS, teacher, 2) == pytest.approx(expected)


def test_cosine_loss():
    x = np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 0.0]])
    y = np.array([[6.0, 8.0], [-2.0, 0.0], [1.0, 1.0]])
    assert losses.cosine_loss(x, y) == pytest.approx((0 + 2 + 1) / 3)


@pytest.mark.parametrize(("start", "clamped"), [(-100, 0), (-1, 0), (2, 2)])
def test_negative_answers_are_the_first_token(start, clamped):
    logits = RNG.standard_normal((1, 3, 2))
    end = np.array([1])
    loss = losses.question_answering_loss(logits, np.array([start]), end)
    assert loss == losses.question_answering_loss(logits, np.array([clamped]), end)


def test_answers_beyond_the_text_are_not_asked():
    logits = RNG.standard_normal((2, 3, 2))
    loss = losses.question_answering_loss(logits, np.array([1, 3]), np.array([2, 9]))
    alone = losses.question_answering_loss(logits[:1], np.array([1]), np.array([2]))
    assert loss == alone


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_loss_keeps_the_dtype(dtype):
    logits = LOGITS.astype(dtype)
    spans = logits.reshape(2, 3, 4)[..., :2]
    for loss in (
        losses.cross_entropy(logits, LABELS),
        losses.cross_entropy(logits, np.full(6, -100)),
        losses.mse(logits, logits + 1),
        losses.bce_with_logits(logits, logits.clip(0, 1)),
        losses.kl_divergence(logits, logits, 2.0),
        losses.cosine_loss(logits, logits),
        losses.question_answering_loss(spans, np.array([0, 1]), np.array([2, 2])),
    ):
        assert loss.dtype == dtype and loss.ndim == 0


# --- backward -------------------------------------------------------------------------

TYPES = [np.float32, np.float64]
TEACHER = np.random.default_rng(1).standard_normal((6, 4))
TRUTHS = (TEACHER > 0).astype(float)
SPANS = np.random.default_rng(2).standard_normal((5, 7, 2))
STARTS, ENDS = np.array([3, 0, -100, 7, 6]), np.array([6, -1, 2, 1, 99])
# Each loss, a function of scores; its backward, one of dloss and scores; and scores.
LOSSES = {
    "cross-entropy": (
        lambda x: losses.cross_entropy(x, LABELS),
        lambda d, x: losses.cross_entropy_backward(d, x, LABELS),
        LOGITS,
    ),
    "cross-entropy, places": (
        lambda x: losses.cross_entropy(x, LABELS.reshape(2, 3)),
        lambda d, x: losses.cross_entropy_backward(d, x, LABELS.reshape(2, 3)),
        LOGITS.reshape(2, 3, 4),
    ),
    "cross-entropy, 3 ignored": (
        lambda x: losses.cross_entropy(x, LABELS % 4, ignored=3),
        lambda d, x: losses.cross_entropy_backward(d, x, LABELS % 4, ignored=3),
        LOGITS,
    ),
    "mse": (
        lambda x: losses.mse(x, TEACHER.astype(x.dtype)),
        lambda d, x: losses.mse_backward(d, x, TEACHER.astype(x.dtype)),
        LOGITS,
    ),
    "bce": (
        lambda x: losses.bce_with_logits(x, TRUTHS.astype(x.dtype)),
        lambda d, x: losses.bce_with_logits_backward(d, x, TRUTHS.astype(x.dtype)),
        LOGITS,
    ),
    "kl": (
        lambda x: losses.kl_divergence(x, TEACHER.astype(x.dtype)),
        lambda d, x: losses.kl_divergence_backward(d, x, TEACHER.astype(x.dtype)),
        LOGITS,
    ),
    "kl at 2": (
        lambda x: losses.kl_divergence(x, TEACHER.astype(x.dtype), 2.0),
        lambda d, x: losses.kl_divergence_backward(d, x, TEACHER.astype(x.dtype), 2.0),
        LOGITS,
    ),
    "cosine": (
        lambda x: losses.cosine_loss(x, TEACHER.astype(x.dtype)),
        lambda d, x: losses.cosine_loss_backward(d, x, TEACHER.astype(x.dtype)),
        LOGITS,
    ),
    "answers": (
        lambda x: losses.question_answering_loss(x, STARTS, ENDS),
        lambda d, x: losses.question_answering_loss_backward(d, x, STARTS, ENDS),
        SPANS,
    ),
}
LOSSES |= {
    kind: (
        lambda x, kind=kind, labels=labels: losses.sequence_loss(
            x, labels.astype(x.dtype) if labels.ndim > 1 else labels, kind
        ),
        lambda d, x, kind=kind, labels=labels: losses.sequence_loss_backward(
            d, x, labels.astype(x.dtype) if labels.ndim > 1 else labels, kind
        ),
        LOGITS,
    )
    for kind, labels in [
        ("regression", TEACHER),
        ("multi_label_classification", TRUTHS),
        ("single_label_classification", LABELS),
    ]
}


def differences(function, x, step=1e-5):
    """Return the central difference of a function by every number of x."""
    slopes = np.empty_like(x)
    for place in np.ndindex(x.shape):
        nudge = np.zeros_like(x)
        nudge[place] = step
        slopes[place] = (function(x + nudge) - function(x - nudge)) / (2 * step)
    return slopes


@pytest.mark.parametrize("name", LOSSES)
def test_backward_is_the_slope(name):
    loss, backward, x = LOSSES[name]
    slopes = differences(loss, x)
    assert np.abs(slopes).max() > 1e-3
    np.testing.assert_allclose(backward(1.0, x), slopes, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("name", LOSSES)
def test_dloss_scales_the_gradient(name):
    _, backward, x = LOSSES[name]
    np.testing.assert_array_equal(backward(-4.0, x), -4 * backward(1.0, x))
    assert (backward(0.0, x) == 0).all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("kind", [float, np.float32, np.float64])
@pytest.mark.parametrize("name", LOSSES)
def test_a_gradient_keeps_the_dtype_and_the_shape(name, kind, dtype):
    _, backward, x = LOSSES[name]
    gradient = backward(kind(0.3), x.astype(dtype))
    assert gradient.dtype == dtype and gradient.shape == x.shape
    np.testing.assert_allclose(gradient, backward(0.3, x), rtol=3e-6, atol=3e-8)


@pytest.mark.parametrize("name", LOSSES)
def test_backward_writes_to_nothing_it_is_given(name):
    _, backward, x = LOSSES[name]
    kept = x.copy()
    kept.setflags(write=False)
    assert not np.shares_memory(backward(1.0, kept), kept)


def test_ignored_rows_get_exactly_nothing():
    gradient = losses.cross_entropy_backward(1.0, LOGITS, LABELS)
    assert (gradient[LABELS == -100] == 0).all()
    assert (gradient[LABELS != -100] != 0).all()
    np.testing.assert_allclose(gradient.sum(axis=-1), 0, atol=1e-16)


@pytest.mark.parametrize("dtype", TYPES)
def test_where_nothing_is_asked_all_is_exactly_zero(dtype):
    x, spans = LOGITS.astype(dtype), SPANS.astype(dtype)
    beyond = np.full(5, 7)
    for gradient in (
        losses.cross_entropy_backward(1.0, x, np.full(6, -100)),
        losses.question_answering_loss_backward(1.0, spans, beyond, beyond + 9),
    ):
        assert gradient.dtype == dtype and (gradient == 0).all()


def test_each_answer_counts_by_itself():
    # The starts of texts 3, the ends of texts 4 lie outside; below 0 counts as 0.
    gradient = losses.question_answering_loss_backward(1.0, SPANS, STARTS, ENDS)
    assert (gradient[3, :, 0] == 0).all() and (gradient[3, :, 1] != 0).all()
    assert (gradient[4, :, 1] == 0).all() and (gradient[4, :, 0] != 0).all()
    assert gradient[2, 0, 0] < 0 and gradient[1, 0, 1] < 0
    same = losses.question_answering_loss_backward(
        1.0, SPANS, STARTS.clip(0, 7), ENDS.clip(0, 7)
    )
    np.testing.assert_array_equal(gradient, same)


def test_gradients_of_huge_scores_are_finite():
    # Warnings are errors here, so overflow would be seen.
    x = np.array([[1e300, -1e300], [-1e300, 0]])
    truths, teacher = np.array([[0.0, 1], [1, 0]]), -x
    cases = (
        (losses.cross_entropy_backward(1.0, x, np.array([1, 0])), [[1, -1], [-1, 1]]),
        (losses.bce_with_logits_backward(2.0, x, truths), [[1, -1], [-1, 0.5]]),
        (losses.kl_divergence_backward(1.0, x, teacher, 2.0), [[2, -2], [-2, 2]]),
    )
    for gradient, doubled in cases:
        np.testing.assert_array_equal(2 * gradient, doubled)


def test_kl_divergence_is_a_mean_over_rows():
    for temperature in (1.0, 2.0):
        gradient = losses.kl_divergence_backward(1.0, LOGITS, TEACHER, temperature)
        alone = losses.kl_divergence_backward(
            1.0, LOGITS[:1], TEACHER[:1], temperature
        )
        np.testing.assert_allclose(gradient[:1], alone / 6, rtol=1e-14)
        equal = losses.kl_divergence_backward(1.0, LOGITS, LOGITS, temperature)
        assert (equal == 0).all()


def test_at_a_teacher_that_is_sure_kl_is_cross_entropy():
    teacher = np.where(np.arange(4) == LABELS[:, None], 0.0, -1e4)[LABELS >= 0]
    logits, labels = LOGITS[LABELS >= 0], LABELS[LABELS >= 0]
    np.testing.assert_allclose(
        losses.kl_divergence_backward(1.0, logits, teacher),
        losses.cross_entropy_backward(1.0, logits, labels),
        rtol=1e-14,
    )
    np.testing.assert_allclose(np.exp(log_softmax(teacher)).max(axis=-1), 1)


def test_cosine_of_rows_of_zeros():
    x = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])
    y = np.array([[3.0, 4.0], [0.0, 0.0], [0.0, 0.0]])
    gradient = losses.cosine_loss_backward(3.0, x, y)
    # From zero every way is uphill or downhill alike: 1e6, that is 1 / √1e-12, along y.
    np.testing.assert_allclose(gradient[0], [-0.6e6, -0.8e6], rtol=1e-12)
    assert (gradient[1:] == 0).all()


def test_a_cosine_s_gradient_turns_and_does_not_stretch():
    gradient = losses.cosine_loss_backward(1.0, LOGITS, TEACHER)
    np.testing.assert_allclose((gradient * LOGITS).sum(axis=-1), 0, atol=1e-12)


# --- backward, beside PyTorch's -------------------------------------------------------


def torch_loss(name, x):
    """Return the loss of a tensor of scores as torch.nn.functional has it."""
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    teacher, labels = torch.from_numpy(TEACHER), torch.from_numpy(LABELS)
    if name == "cross-entropy":
        return F.cross_entropy(x, labels)
    if name == "mse":
        return F.mse_loss(x, teacher)
    if name == "bce":
        return F.binary_cross_entropy_with_logits(x, torch.from_numpy(TRUTHS))
    if name == "cosine":
        return torch.nn.CosineEmbeddingLoss()(x, teacher, torch.ones(len(x)))
    if name == "answers":
        L = x.shape[1]
        starts, ends = (torch.from_numpy(a).clamp(0, L) for a in (STARTS, ENDS))
        by_start = F.cross_entropy(x[..., 0], starts, ignore_index=L)
        return (by_start + F.cross_entropy(x[..., 1], ends, ignore_index=L)) / 2
    T = 2.0 if name == "kl at 2" else 1.0
    softened = F.log_softmax(x / T, dim=-1), F.softmax(teacher / T, dim=-1)
    return F.kl_div(*softened, reduction="batchmean") * T**2


@pytest.mark.parametrize(
    "name", ["cross-entropy", "mse", "bce", "cosine", "answers", "kl", "kl at 2"]
)
def test_torch_s_losses_and_gradients(name):
    torch = pytest.importorskip("torch")
    loss, backward, x = LOSSES[name]
    scores = torch.from_numpy(x.copy()).requires_grad_()
    expected = torch_loss(name, scores)
    expected.backward()
    assert loss(x) == pytest.approx(expected.item(), rel=1e-14)
    error = np.abs(backward(1.0, x) - scores.grad.numpy()).max()
    assert error <= 1e-14 * np.abs(scores.grad.numpy()).max()


def test_torch_s_gradient_of_nothing_asked_is_zero_too():
    torch = pytest.importorskip("torch")
    scores = torch.from_numpy(LOGITS.copy()).requires_grad_()
    loss = torch.nn.functional.cross_entropy(scores, torch.full((6,), -100))
    loss.backward()
    gradient = losses.cross_entropy_backward(1.0, LOGITS, np.full(6, -100))
    np.testing.assert_array_equal(gradient, scores.grad.numpy())


def test_torch_s_cosine_of_rows_of_zeros():
    torch = pytest.importorskip("torch")
    x, y = LOGITS.copy(), TEACHER.copy()
    x[:2], y[1:3] = 0, 0
    ours = torch.from_numpy(x.copy()).requires_grad_()
    torch.nn.CosineEmbeddingLoss()(ours, torch.from_numpy(y), torch.ones(6)).backward()
    gradient = losses.cosine_loss_backward(1.0, x, y)
    # PyTorch's 1e-12 is a float32, 4e-9 off in relative terms: rows of zeros show it.
    np.testing.assert_allclose(gradient[:2], ours.grad.numpy()[:2], rtol=1e-8)
    np.testing.assert_allclose(gradient[2:], ours.grad.numpy()[2:], rtol=1e-12)
