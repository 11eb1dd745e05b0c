"""Optimisers, clipping, schedule and whole runs, live: against PyTorch's own."""

import inspect
import itertools
from dataclasses import replace

import numpy as np
import ours
import pytest
from trajectories import (
    HEADS,
    N_LOSSES,
    N_STEPS,
    STORED,
    WAYS,
    check_state,
    load,
    parts_and_whole,
    sample,
    stored_state,
    train,
)

from distilbert_np.training import (
    SGD,
    Adam,
    AdamW,
    clip_by_global_norm,
    linear_schedule,
    train_step,
)
from distilbert_np.training.optimizers import decays, global_norm

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import make_trajectories
import torch_side


@pytest.fixture(autouse=True)
def one_thread():
    # These arrays are too small to be shared out.
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def named(cases):
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def ways(chosen):
    return pytest.mark.parametrize("way", chosen, ids=[way.name for way in chosen])


def largest_of(state):
    return {name: np.abs(array).max() for name, array in state.items()}


# --- whole runs -----------------------------------------------------------------------


def check_steps(case, way):
    """Compare all that there is after each of 8 steps; return the gradients' norms."""
    norms = []
    for (loss, found), (exact_loss, norm, exact) in zip(
        train(case, way, np.float64, N_STEPS, N_STEPS),
        make_trajectories.train(case, way, torch.float64, N_STEPS, N_STEPS),
        strict=True,
    ):
        assert loss == pytest.approx(exact_loss, rel=1e-12)
        assert {name for name in found if name.startswith("p.")} <= set(exact)
        check_state(case, way, found, exact, 1e-11, largest_of(exact))
        norms.append(norm)
    return norms


@ways(WAYS)
@named(HEADS)
def test_8_steps_all_clipped(case, way):
    way = replace(way, max_norm=1.0)
    assert min(check_steps(case, way)) > way.max_norm


@ways([WAYS[1], WAYS[3]])
@named(HEADS)
def test_8_steps_without_clipping(case, way):
    way = replace(way, max_norm=100.0)
    assert max(check_steps(case, way)) < way.max_norm


@named([case for case in HEADS if (case, WAYS[3]) not in STORED.values()])
def test_losses_of_50_steps(case):
    way = WAYS[3]
    ours_all = [loss for loss, _ in train(case, way, np.float64, N_LOSSES, N_LOSSES)]
    theirs = make_trajectories.train(case, way, torch.float64, N_LOSSES, N_LOSSES)
    theirs_all = [loss for loss, *_ in theirs]
    np.testing.assert_allclose(ours_all, theirs_all, rtol=1e-11)


@pytest.mark.parametrize("run", STORED)
def test_the_committed_reference_is_what_torch_says_today(run):
    case, way = STORED[run]
    steps = make_trajectories.train(case, way, torch.float64, N_STEPS, N_LOSSES)
    losses, _, states = zip(*steps, strict=True)
    np.testing.assert_allclose(losses, load()[f"{run}/losses"][:N_STEPS], rtol=1e-12)
    stored, largest = stored_state(run)
    now = {name: sample(array) for name, array in states[-1].items()}
    assert set(now) == set(stored)
    check_state(case, way, now, stored, 1e-12, largest)
    for name, most in largest_of(states[-1]).items():
        assert most == pytest.approx(largest[name], rel=1e-10, abs=1e-14), name


@named(HEADS)
def test_small_batches_make_the_step_of_a_large_one(case):
    small, large = parts_and_whole(case, [1, 2, 5, 3])
    model = ours.build(case, np.float64)
    optimizer = SGD(model.params, momentum=0.0)
    loss = train_step(model, small, optimizer, 0.1, 1.0, None)

    theirs = make_trajectories.build(case, torch.float64)
    their_loss = make_trajectories.call(theirs, large, torch.float64).loss
    their_loss.backward()
    torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
    torch.optim.SGD(theirs.parameters(), lr=0.1).step()
    assert loss == pytest.approx(their_loss.item(), rel=1e-12)
    for name, p in theirs.named_parameters():
        exact = p.detach().numpy()
        error = np.abs(optimizer.params[name] - exact).max()
        assert error <= 1e-12 * np.abs(exact).max(), name


@named(HEADS)
def test_decays_are_those_of_the_trainer(case):
    model = torch_side.build(case, torch.float32)
    decaying, _ = make_trajectories.decay_groups(model, 1.0)
    expected = {id(p) for p in decaying["params"]}
    for name, p in model.named_parameters():
        assert decays(name) == (id(p) in expected), name


# --- the optimisers on gradients of every size ----------------------------------------

PAIRS = [
    (SGD, {"momentum": 0.0}),
    (SGD, {"momentum": 0.5, "weight_decay": 0.3}),
    (Adam, {}),
    (Adam, {"betas": (0.5, 0.7), "eps": 0.1, "weight_decay": 0.3}),
    (AdamW, {}),
    (AdamW, {"betas": (0.0, 0.9), "eps": 1e-3, "weight_decay": 0.3}),
    (AdamW, {"weight_decay": 0.0}),
]


@pytest.mark.parametrize(("optimizer", "options"), PAIRS)
@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-13), ("float32", 1e-5)])
def test_on_gradients_of_every_size(optimizer, options, dtype, rtol):
    rng = np.random.RandomState(0)
    sizes = 10.0 ** np.arange(-12, 7)
    start = rng.standard_normal(sizes.size).astype(dtype)
    start[:5], reach = 0, 0
    params, theirs = {"weight": start.copy()}, torch.tensor(start, requires_grad=True)
    mine = optimizer(params, lr=0.01, **options)
    reference = getattr(torch.optim, optimizer.__name__)([theirs], lr=0.01, **options)
    for step in range(12):
        gradient = (rng.standard_normal(sizes.size) * sizes).astype(dtype)
        gradient[step] = 0
        mine.step({"weight": gradient})
        theirs.grad = torch.tensor(gradient)
        reference.step()
        result, exact = params["weight"], theirs.detach().numpy()
        assert result.dtype == exact.dtype
        reach = np.maximum(reach, np.abs(exact) + sizes / 10)    # it may have cancelled
        assert (np.abs(result - exact) <= rtol * reach).all()


@pytest.mark.parametrize("optimizer", [Adam, AdamW])
def test_defaults_are_those_of_torch(optimizer):
    ours_says = inspect.signature(optimizer).parameters
    torch_says = inspect.signature(getattr(torch.optim, optimizer.__name__)).parameters
    for name in ("lr", "betas", "eps", "weight_decay"):
        assert ours_says[name].default == torch_says[name].default, name


# --- clipping and the schedule --------------------------------------------------------


@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-14), ("float32", 1e-6)])
@pytest.mark.parametrize("size", [0.0, 1e-9, 1e-6, 1e-3, 1.0, 1e3, 1e9])
@pytest.mark.parametrize("max_norm", [0.0, 1e-6, 0.5, 1.0, 5.0, 1e6])
def test_clipping(size, max_norm, dtype, rtol):
    rng = np.random.RandomState(0)
    shapes = {"a": (3, 4), "b": (1,), "c": (2, 3, 5)}
    grads = {
        name: (rng.standard_normal(shape) * size).astype(dtype)
        for name, shape in shapes.items()
    }
    theirs = [torch.zeros(s, dtype=getattr(torch, dtype)) for s in shapes.values()]
    for tensor, gradient in zip(theirs, grads.values(), strict=True):
        tensor.grad = torch.tensor(gradient)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm).item()
    assert clip_by_global_norm(grads, max_norm) == pytest.approx(expected, rel=rtol)
    for tensor, gradient in zip(theirs, grads.values(), strict=True):
        assert gradient.dtype == dtype
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=rtol)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_global_norm(size):
    rng = np.random.RandomState(1)
    grads = {str(n): rng.standard_normal((n, 3)) * size for n in range(1, 30)}
    tensors = [torch.from_numpy(gradient) for gradient in grads.values()]
    expected = torch.nn.utils.get_total_norm(tensors).item()
    assert global_norm(grads) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("total", [0, 1, 2, 3, 10, 100])
@pytest.mark.parametrize("warmup", [0, 1, 2, 9, 10, 11, 100])
def test_schedule(warmup, total):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, warmup, total)
    (factor,) = schedule.lr_lambdas
    for step in itertools.chain(range(25), range(90, 130)):
        assert linear_schedule(step, warmup, total) == factor(step)
