"""The losses, from their definitions and at their corners."""

import math

import numpy as np
import pytest

from distilbert_np import losses
from distilbert_np.functions import sigmoid, softmax

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
