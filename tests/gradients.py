"""The checks of the gradients: functions that raise AssertionError where one is wrong.

Against what PyTorch wrote down, and, which needs no PyTorch, against differences of the
function itself. test_gradients.py runs them on the package, test_planted_errors.py on
the package with an error planted in it.
"""

import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import ours
from cases import BASE_CASES, GRADIENT_CASES, MINI_CASES, Case
from reference import sample_gradient, stored_gradients, vanishes

from distilbert_np import functions, losses
from distilbert_np.parity.bounds import GRADIENT_BOUND
from distilbert_np.trees import flatten
from distilbert_np.weights import WORDS

Array = np.ndarray

# --- against what PyTorch wrote down --------------------------------------------------


def check_stored(case: Case, dtype: str) -> None:
    """Compare every gradient of a case with the committed reference."""
    found, stored = ours.gradients(case, dtype), stored_gradients(case)
    assert set(found) == set(stored)
    for name, (truth, about) in stored.items():
        result, largest = found[name], about["largest"]
        assert list(result.shape) == about["shape"], name
        assert result.dtype == dtype, name
        check_close(case, name, result, sample_gradient(result, case), truth, largest)
        # The sample may have missed the largest.
        if largest:
            most = np.abs(result).max()
            assert abs(most - largest) <= GRADIENT_BOUND[dtype] * largest, name


def check_close(
    case: Case, name: str, result: Array, part: Array, truth: Array, largest: float
) -> None:
    """Check a `part` of a gradient against the same part of the true one."""
    bound = GRADIENT_BOUND[result.dtype.name]
    if vanishes(case, name):
        assert np.abs(result).max() <= bound, name
    elif largest == 0:
        assert not result.any(), name            # nothing is rounded: exactly 0
    else:
        assert np.abs(part - truth).max() <= bound * largest, name


# --- against differences --------------------------------------------------------------

# Half a step to either side gives the slope up to a term of step²: with this step that
# is about as small as the rounding, both below 1e-8 of the slopes here.
STEP = 2e-5
DIFFERENCES_RTOL = 1e-6
DROPOUT_SEED = 3


def slope(
    value: Callable[[], Any], arrays: list[Array], directions: list[Array]
) -> float:
    """Return how fast value() changes as `arrays`, on which it depends, move.

    `value` returns (number, kinks), where the kinks say on which side of every ReLU's
    kink its input lies. Over a kink there is no slope: the step is then made smaller.
    """
    kept, step = [array.copy() for array in arrays], STEP

    def at(distance: float) -> Any:
        for array, start, direction in zip(arrays, kept, directions, strict=True):
            array[...] = start + distance * direction
        return value()

    while True:
        (before, side), (after, other_side) = at(-step / 2), at(step / 2)
        if np.array_equal(side, other_side):
            at(0)
            return (after - before) / step
        step /= 4


def check_slopes(
    value: Callable[[], Any], name: str, array: Array, gradient: Array,
    directions: Iterator[Array], also: float = 0,
) -> None:
    """Compare the slope along each direction with what the gradient says of it.

    Relative to the slope, or to the gradient's usual size where the slope is less, for
    a direction may chance to be level; `also` so much more in absolute terms.
    """
    assert gradient.shape == array.shape, name
    usual = np.sqrt(np.mean(gradient**2))
    for direction in directions:
        expected = np.sum(gradient * direction)
        error = abs(slope(value, [array], [direction]) - expected)
        assert error <= DIFFERENCES_RTOL * max(abs(expected), usual) + also, name


def random_directions(name: str, array: Array, count: int = 2) -> Iterator[Array]:
    """Yield directions of length 1, others for each name."""
    rng = np.random.RandomState(zlib.crc32(name.encode()))
    for _ in range(count):
        direction = rng.random_sample(array.shape) * 2 - 1
        yield direction / np.sqrt(np.sum(direction**2))


def single_directions(array: Array) -> Iterator[Array]:
    """Yield a direction for each number of an array by itself."""
    for i in range(array.size):
        yield (np.arange(array.size) == i).reshape(array.shape).astype(float)


def parameter_directions(
    case: Case, name: str, array: Array, singly: bool
) -> Iterator[Array]:
    """Yield random directions, and every number of a bias or a gain by itself."""
    for direction in random_directions(name, array):
        if name.endswith(WORDS):
            # By PyTorch's convention, not by calculus, the pad row has no gradient.
            direction[case.full_config().pad_token_id] = 0
        yield direction
    if singly and array.ndim == 1:
        yield from single_directions(array)


def kinks(case: Case, trace: dict[str, Array]) -> Array:
    """Return for each unit of a ReLU whether it is above 0."""
    names = ["pre_classifier"]
    if case.full_config().activation == "relu":
        names += ["ffn.lin1", "vocab_transform"]
    units = [array for name, array in trace.items() if name.endswith(tuple(names))]
    return np.concatenate([unit.ravel() > 0 for unit in units] or [np.zeros(0)])


def all_cotangents(out: Any, seed: int = 0) -> dict[str, Any]:
    """Return random gradients of all that a model's output holds, but some states'."""
    rng = np.random.RandomState(seed)

    def draw(value: Any) -> Any:
        if isinstance(value, tuple):
            return [None if i == 1 else draw(part) for i, part in enumerate(value)]
        return rng.random_sample(np.shape(value)) * 2 - 1

    return {name: draw(value) for name, value in out.items() if name != "trace"}


def weighted(out: Any, cotangents: dict[str, Any]) -> float:
    """Return the sum of the outputs times their cotangents: it has these gradients."""
    total = 0.0
    for name, given in cotangents.items():
        pairs = zip(given, out[name], strict=True) if isinstance(given, list) else [
            (given, out[name])
        ]
        total += sum(np.sum(dout * value) for dout, value in pairs if dout is not None)
    return total


def call(case: Case, seed: int | None, every_output: bool) -> Any:
    """Return a function of the loss, the arrays that it depends on, and gradients.

    A `seed` makes dropout drop the same each time. The gradients start from the loss,
    or from every output.
    """
    model, arguments = ours.build(case, np.float64), case.arguments()

    def run() -> Any:
        rng = None if seed is None else np.random.default_rng(seed)
        return model(**arguments, **ours.EVERYTHING, rng=rng)

    out = run()
    cotangents = case.cotangents() or {"loss": 1.0}
    if every_output:
        cotangents = all_cotangents(out)

    def value() -> tuple[float, Array]:
        out = run()
        return weighted(out, cotangents), kinks(case, out.trace)

    leaves = flatten(model.params)
    if "inputs_embeds" in arguments:
        leaves["inputs_embeds"] = arguments["inputs_embeds"]
    gradients = flatten(model.backward(out, cotangents))
    assert set(gradients) == set(leaves)
    for name, array in leaves.items():
        assert gradients[name].shape == array.shape, name
    return value, leaves, gradients


def check_differences(
    case: Case, seed: int | None = None, every_output: bool = False,
    singly: bool = False,
) -> None:
    """Compare each gradient of a model with differences of its loss.

    `singly` moves each number of a bias or a gain by itself.
    """
    value, leaves, gradients = call(case, seed, every_output)
    for name, array in leaves.items():
        directions = parameter_directions(case, name, array, singly)
        also = 5e-9 if vanishes(case, name) else 0     # what rounding makes of a 0
        check_slopes(value, name, array, gradients[name], directions, also)


def check_differences_at_once(case: Case, everything: bool) -> None:
    """Compare all gradients of a model with a difference, all parameters moving.

    Quick: two calls. `everything` is with dropout and from every output.
    """
    seed = DROPOUT_SEED if everything else None
    value, leaves, gradients = call(case, seed, everything)
    directions = {
        name: next(parameter_directions(case, name, array, singly=False))
        for name, array in leaves.items()
    }
    terms = [np.sum(gradients[name] * directions[name]) for name in leaves]
    error = slope(value, list(leaves.values()), list(directions.values())) - sum(terms)
    assert abs(error) <= DIFFERENCES_RTOL * np.sqrt(np.sum(np.square(terms)))


# --- the primitives and the losses by themselves --------------------------------------


def numbers(*shape: int, seed: int = 0) -> Array:
    """Return numbers of either sign, none of them within a step of 0."""
    uniform = np.random.RandomState(seed + sum(shape)).random_sample(shape) * 4 - 2
    return np.where(np.abs(uniform) < 0.01, 0.5, uniform)


def check_function(
    function: Callable[[], Any], dy: Array, **pairs: tuple[Array, Array]
) -> None:
    """Compare gradients with differences of Σ dy · function().

    `pairs` are arrays on which the function depends, with their gradients.
    """
    for name, (array, gradient) in pairs.items():
        check_slopes(
            lambda: (np.sum(dy * function()), 0), name, array, gradient,
            single_directions(array),
        )


def check_linear_and_lookup() -> None:
    """Check linear and lookup."""
    x, weight, bias, dy = numbers(2, 3, 4), numbers(5, 4), numbers(5), numbers(2, 3, 5)
    dx, grads = functions.linear_backward(dy, x, weight)
    check_function(
        lambda: functions.linear(x, weight, bias), dy, x=(x, dx),
        weight=(weight, grads["weight"]), bias=(bias, grads["bias"]),
    )
    ids, table, dy = np.array([[1, 3, 1], [1, 0, 3]]), numbers(5, 4), numbers(2, 3, 4)
    grads = functions.lookup_backward(dy, ids, table)
    check_function(
        lambda: functions.lookup(ids, table), dy, table=(table, grads["weight"])
    )
    for pad in (0, 1):
        padded = functions.lookup_backward(dy, ids, table, padding_id=pad)["weight"]
        others = np.arange(5)[:, None] != pad
        np.testing.assert_array_equal(padded, grads["weight"] * others)


def check_softmax_and_layer_norm() -> None:
    """Check softmax and layer_norm, the latter also on huge rows and narrow ones."""
    x, weight, bias, dy = numbers(2, 3, 5), numbers(5), numbers(5), numbers(2, 3, 5)
    dx = functions.softmax_backward(dy, functions.softmax(x))
    check_function(lambda: functions.softmax(x), dy, x=(x, dx))
    for eps in (1e-12, 0.5):
        dx, grads = functions.layer_norm_backward(dy, x, weight, eps)
        check_function(
            lambda eps=eps: functions.layer_norm(x, weight, bias, eps), dy, x=(x, dx),
            weight=(weight, grads["weight"]), bias=(bias, grads["bias"]),
        )


def check_activations() -> None:
    """Check the slope of every activation, number by number, tails included."""
    x = np.concatenate([np.linspace(-9, 9, 182), numbers(20)])
    dy = numbers(x.size, seed=1)
    for name, activation in functions.ACTIVATIONS.items():
        dx = functions.ACTIVATIONS_BACKWARD[name](dy, x)
        difference = activation(x + STEP / 2) - activation(x - STEP / 2)
        error = np.abs(dy * difference / STEP - dx)
        assert (error <= DIFFERENCES_RTOL * np.abs(dx) + 2e-9).all(), name


def check_dropout() -> None:
    """Check that dropout keeps the mean, and that its backward uses the same factors.
    """
    x, dy, p = np.ones((100, 100)), numbers(100, 100), 0.3
    y, trace = functions.dropout(x, p, np.random.default_rng(0))
    assert set(np.unique(y)) == {0, 1 / (1 - p)}
    assert abs(np.mean(y == 0) - p) < 0.02
    np.testing.assert_array_equal(functions.dropout_backward(dy, trace), dy * y)
    for same in (functions.dropout(x, p, None), functions.dropout(x, 0, dy)):
        assert same[0] is x and functions.dropout_backward(dy, same[1]) is dy


def check_losses() -> None:
    """Check every loss, over several axes, with rows that do not count."""
    dloss = 0.7

    def check(loss: Callable, backward: Callable, x: Array, *rest: Any) -> None:
        dx = backward(dloss, x, *rest)
        check_function(lambda: loss(x, *rest), np.array(dloss), x=(x, dx))

    labels = np.array([[0, 3, -100], [1, 1, -100]])
    scores = numbers(2, 3, 4)
    check(losses.cross_entropy, losses.cross_entropy_backward, scores, labels)
    labels = labels.clip(0)
    check(losses.cross_entropy, losses.cross_entropy_backward, scores, labels, 3)
    x, y = numbers(5, 3), numbers(5, 3, seed=1)
    truths = (y > 0).astype(float)
    check(losses.mse, losses.mse_backward, x, y)
    check(losses.bce_with_logits, losses.bce_with_logits_backward, x, truths)
    for temperature in (1.0, 2.0):
        check(
            losses.kl_divergence, losses.kl_divergence_backward, x, y, temperature
        )
    check(losses.cosine_loss, losses.cosine_loss_backward, x, y)
    for kind, given in (
        ("regression", y), ("multi_label_classification", truths),
        ("single_label_classification", np.array([0, 2, -100, 1, 1])),
    ):
        check(losses.sequence_loss, losses.sequence_loss_backward, x, given, kind)
    starts, ends = np.array([0, -100, 3, 2, 9]), np.array([2, -1, 1, 3, 1])
    check(
        losses.question_answering_loss, losses.question_answering_loss_backward,
        numbers(5, 3, 2), starts, ends,
    )


# --- zeros ----------------------------------------------------------------------------


def check_zeros() -> None:
    """Check what is exactly 0: all, where nothing is asked; and the pad row.

    From the input the row of the pad token gets nothing. A decoder that is tied to the
    table gives it a gradient all the same.
    """
    for name in (
        "masked_lm, nothing asked", "token, nothing asked",
        "question_answering, nothing asked",
    ):
        case = GRADIENT_CASES[name]
        model = ours.build(case, np.float64)
        assert np.isnan(model(**case.arguments()).loss)
        for tensor, gradient in ours.gradients(case, np.float64).items():
            assert not gradient.any(), (name, tensor)
    for name in ("base", "masked_lm, untied", "masked_lm"):
        case = GRADIENT_CASES[f"{name}, pad is 7"]
        assert (case.arguments()["input_ids"] == 7).any()
        words = next(
            gradient for tensor, gradient in ours.gradients(case, np.float64).items()
            if tensor.endswith(WORDS)
        )
        assert words[7].any() == (name == "masked_lm"), name
        assert words.any()


# --- all of them, the quickest first --------------------------------------------------

FUNCTION_CHECKS = [
    check_linear_and_lookup,
    check_softmax_and_layer_norm,
    check_activations,
    check_dropout,
    check_losses,
    check_zeros,
]


def every_check() -> Iterator[Callable[[], None]]:
    """Yield the quick checks, one call each."""
    yield from FUNCTION_CHECKS
    for everything in (True, False):
        for case in MINI_CASES:
            yield partial(check_differences_at_once, case, everything)
    for case in GRADIENT_CASES.values():
        if case not in BASE_CASES:
            yield partial(check_stored, case, "float64")
