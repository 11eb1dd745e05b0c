"""Optimisers, clipping and the schedule, from their formulas and at their corners."""

import math

import numpy as np
import ours
import pytest
from trajectories import HEADS

from distilbert_np.training import (
    SGD,
    Adam,
    AdamW,
    clip_by_global_norm,
    linear_schedule,
)
from distilbert_np.training.optimizers import decays, global_norm
from distilbert_np.trees import flatten

ALL = [SGD, Adam, AdamW]


def walk(optimizer, start, gradients, **options):
    """Return where one number goes, step by step."""
    params = {"weight": np.array([start])}
    mover = optimizer(params, **options)
    path = []
    for gradient in gradients:
        mover.step({"weight": np.array([gradient])})
        path.append(params["weight"][0])
    return path


# --- by hand --------------------------------------------------------------------------


def test_sgd():
    assert walk(SGD, 1.0, [2.0, -4.0], lr=0.5, momentum=0.0) == [0.0, 2.0]


def test_momentum():
    # b: 2, then 0.5·2 + 2 = 3, then 0.5·3 + 0 = 1.5
    path = walk(SGD, 0.0, [2.0, 2.0, 0.0], lr=1.0, momentum=0.5)
    assert path == [-2.0, -5.0, -6.5]


def test_decay_of_sgd_is_a_part_of_the_gradient():
    # b: 0 + 0.5·8 = 4, then 0.5·4 + 0.5·4 = 4
    path = walk(SGD, 8.0, [0.0, 0.0], lr=1.0, momentum=0.5, weight_decay=0.5)
    assert path == [4.0, 0.0]


def adam_by_hand(p, gradients, lr, betas, eps, added, decoupled):
    path, m, v = [], 0.0, 0.0
    for t, g in enumerate(gradients, start=1):
        g += added * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
        p = p - lr * decoupled * p - lr * m_hat / (math.sqrt(v_hat) + eps)
        path.append(p)
    return path


@pytest.mark.parametrize("eps", [1e-8, 0.3])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.8, 0.5), (0.0, 0.0)])
@pytest.mark.parametrize("weight_decay", [0.0, 0.2])
@pytest.mark.parametrize("optimizer", [Adam, AdamW])
def test_adam(optimizer, weight_decay, betas, eps):
    gradients = [0.5, -3.0, 0.0, 1e-3, 40.0, -0.1]
    options = {"lr": 0.1, "betas": betas, "eps": eps}
    decay = [weight_decay, 0.0] if optimizer is Adam else [0.0, weight_decay]
    expected = adam_by_hand(2.0, gradients, *options.values(), *decay)
    found = walk(optimizer, 2.0, gradients, **options, weight_decay=weight_decay)
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize("size", [1e-4, 1.0, 1e8])
def test_the_first_step_of_adam_is_lr_whatever_the_gradient(size):
    (first,) = walk(Adam, 1.0, [-size], lr=0.25, eps=0.0)
    assert first == pytest.approx(1.25, rel=1e-14)


def test_the_moments_of_adamw_do_not_see_the_decay():
    grads = {"weight": np.array([3.0])}
    decaying = AdamW({"weight": np.array([2.0])}, weight_decay=0.5)
    plain = AdamW({"weight": np.array([2.0])}, weight_decay=0.0)
    for optimizer in (decaying, plain):
        optimizer.step(grads)
        optimizer.step(grads)
    assert decaying.moments == plain.moments
    assert decaying.params["weight"] < plain.params["weight"]


def test_adamw_shrinks_what_has_no_gradient():
    path = walk(AdamW, 1.0, [0.0, 0.0], lr=0.5, weight_decay=0.5)
    assert path == [0.75, 0.5625]


# --- which parameters decay -----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "decaying"),
    [
        ("embeddings.word_embeddings.weight", True),
        ("embeddings.position_embeddings.weight", True),
        ("embeddings.LayerNorm.weight", False),
        ("embeddings.LayerNorm.bias", False),
        ("transformer.layer.0.attention.q_lin.weight", True),
        ("transformer.layer.0.attention.q_lin.bias", False),
        ("transformer.layer.0.sa_layer_norm.weight", False),
        ("transformer.layer.0.output_layer_norm.weight", False),
        ("vocab_layer_norm.weight", False),
        ("vocab_projector.bias", False),
        ("classifier.weight", True),
    ],
)
def test_decays(name, decaying):
    assert decays(name) is decaying


@pytest.mark.parametrize("case", HEADS, ids=[case.name for case in HEADS])
def test_what_decays_is_a_matrix(case):
    for name, p in flatten(ours.build(case, np.float32).params).items():
        assert decays(name) == (p.ndim == 2), name


@pytest.mark.parametrize("optimizer", ALL)
def test_only_those_move_without_a_gradient(optimizer):
    params = {"lin": {"weight": np.ones((2, 2)), "bias": np.ones(2)}}
    mover = optimizer(params, lr=0.1, weight_decay=0.1)
    mover.step({"lin": {"weight": np.zeros((2, 2)), "bias": np.zeros(2)}})
    assert (params["lin"]["weight"] < 1).all()
    assert (params["lin"]["bias"] == 1).all()


@pytest.mark.parametrize("optimizer", ALL)
def test_what_decays_can_be_chosen(optimizer):
    params = {"weight": np.ones(2), "bias": np.ones(2)}
    mover = optimizer(
        params, lr=0.1, weight_decay=0.1, decays=lambda name: name == "bias"
    )
    mover.step({"weight": np.zeros(2), "bias": np.zeros(2)})
    assert (params["weight"] == 1).all() and (params["bias"] < 1).all()


# --- what a step touches --------------------------------------------------------------


def a_model_and_its_gradients(dtype=np.float32):
    case = HEADS[1]
    model = ours.build(case, dtype)
    return model, model.backward(model(**case.arguments(), trace=True))


@pytest.mark.parametrize("optimizer", ALL)
def test_a_step_changes_the_arrays_of_the_model(optimizer):
    model, grads = a_model_and_its_gradients()
    arrays = flatten(model.params)
    before = {name: array.copy() for name, array in arrays.items()}
    optimizer(model.params).step(grads)
    for name, array in flatten(model.params).items():
        assert array is arrays[name]
        assert array.dtype == np.float32
        moved = not np.array_equal(array, before[name])
        assert moved or name.endswith("k_lin.bias"), name    # its gradient is 0


@pytest.mark.parametrize("optimizer", ALL)
def test_a_step_leaves_the_gradients_alone(optimizer):
    model, grads = a_model_and_its_gradients()
    before = {name: gradient.copy() for name, gradient in flatten(grads).items()}
    optimizer(model.params, weight_decay=0.1).step(grads)
    for name, gradient in flatten(grads).items():
        assert np.array_equal(gradient, before[name]), name


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("optimizer", ALL)
def test_moments_are_shaped_like_the_parameters(optimizer, dtype):
    model, grads = a_model_and_its_gradients(dtype)
    mover = optimizer(model.params)
    assert tuple(mover.moments) == optimizer.moment_names
    for moment in mover.moments.values():
        assert not any(array.any() for array in moment.values())
    mover.step(grads)
    for moment in mover.moments.values():
        for name, p in flatten(model.params).items():
            assert moment[name].shape == p.shape and moment[name].dtype == dtype


@pytest.mark.parametrize("optimizer", ALL)
def test_a_rate_given_to_a_step_is_for_that_step(optimizer):
    params = {"weight": np.ones(3)}
    mover = optimizer(params, lr=0.1)
    mover.step({"weight": np.ones(3)}, lr=0.0)
    assert (params["weight"] == 1).all()
    mover.step({"weight": np.ones(3)})
    assert (params["weight"] < 1).all()
    assert mover.n_steps == 2


# --- clipping -------------------------------------------------------------------------


def three_four():
    return {"a": {"b": np.array([3.0, 0.0])}, "c": np.array([[4.0]])}


def test_global_norm():
    assert global_norm(three_four()) == 5
    assert global_norm({"a": np.zeros(3)}) == 0


def test_the_squares_of_float32_add_up_in_float64():
    # 2²⁶ + 1 is no float32: one by one, the ones would be lost.
    grads = {"large": np.full(1, 2**13, np.float32)}
    grads |= {str(n): np.ones(1, np.float32) for n in range(1000)}
    assert global_norm(grads) == math.sqrt(2**26 + 1000)


def test_long_gradients_are_shortened():
    grads = three_four()
    arrays = flatten(grads)
    assert clip_by_global_norm(grads, 1.0) == 5
    assert all(flatten(grads)[name] is array for name, array in arrays.items())
    # The 1e-6 is PyTorch's.
    np.testing.assert_allclose(grads["a"]["b"], [3 / (5 + 1e-6), 0], rtol=1e-15)
    np.testing.assert_allclose(grads["c"], [[4 / (5 + 1e-6)]], rtol=1e-15)


@pytest.mark.parametrize("max_norm", [5.1, 1e9, math.inf])
def test_short_gradients_stay_as_they_are(max_norm):
    grads = three_four()
    assert clip_by_global_norm(grads, max_norm) == 5
    assert grads["a"]["b"].tolist() == [3, 0] and grads["c"].tolist() == [[4]]


def test_gradients_of_zero_stay_zero():
    grads = {"a": np.zeros(3)}
    assert clip_by_global_norm(grads, 1.0) == 0
    assert grads["a"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_the_norm_tells_what_is_not_finite(wrong):
    grads = {"a": np.array([1.0, wrong])}
    norm = clip_by_global_norm(grads, math.inf)
    assert not math.isfinite(norm)


def test_clipping_keeps_float32():
    grads = {"a": np.full(3, 10, np.float32)}
    clip_by_global_norm(grads, 1.0)
    assert grads["a"].dtype == np.float32


@pytest.mark.parametrize("case", HEADS, ids=[case.name for case in HEADS])
def test_no_gradient_is_shortened_twice(case):
    # Two names for one array, or for parts of it, would be.
    model = ours.build(case, np.float64)
    grads = model.backward(model(**case.arguments(), trace=True))
    before = {name: gradient.copy() for name, gradient in flatten(grads).items()}
    factor = 0.1 / (clip_by_global_norm(grads, 0.1) + 1e-6)
    assert factor < 0.5
    for name, gradient in flatten(grads).items():
        np.testing.assert_allclose(gradient, before[name] * factor, rtol=1e-14)


# --- the schedule ---------------------------------------------------------------------


def rates(warmup_steps, total_steps, n_steps):
    return [linear_schedule(n, warmup_steps, total_steps) for n in range(n_steps)]


def test_up_and_down():
    assert rates(2, 6, 8) == [0, 0.5, 1, 0.75, 0.5, 0.25, 0, 0]


def test_without_warmup():
    assert rates(0, 4, 6) == [1, 0.75, 0.5, 0.25, 0, 0]


def test_one_step_in_all():
    assert rates(0, 1, 3) == [1, 0, 0]
    assert rates(1, 1, 3) == [0, 0, 0]


def test_all_of_it_warmup():
    assert rates(4, 4, 6) == [0, 0.25, 0.5, 0.75, 0, 0]
