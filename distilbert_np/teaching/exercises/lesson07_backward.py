"""Lesson 7, backpropagation by hand: what there is to write, and what goes wrong."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from ... import functions, losses
from ...functions import Array, Gradients
from ..exercise import Exercise
from ..results import is_same

rng = np.random.default_rng(7)

# --- central differences --------------------------------------------------------------


def central_difference(
    f: Callable[[Array], float], x: Array, h: float
) -> Array:                                                      # (...) -> (...)
    """Return the slope of f at x along each number of x: (f(x + h) − f(x − h)) / 2h."""
    slopes = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = h
        slopes[place] = (f(x + step) - f(x - step)) / (2 * h)
    return slopes


def forward_difference(f: Callable[[Array], float], x: Array, h: float) -> Array:
    """That is the difference to one side, (f(x + h) − f(x)) / h: off by as much as h
    itself. Step to both sides.
    """
    slopes = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = h
        slopes[place] = (f(x + step) - f(x)) / h
    return slopes


def half_the_distance(f: Callable[[Array], float], x: Array, h: float) -> Array:
    """From x − h to x + h the way is 2h, not h."""
    return 2 * central_difference(f, x, h)


def all_at_once(f: Callable[[Array], float], x: Array, h: float) -> Array:
    """All numbers of x moved together. Move one, with all others where they were; do
    so for each.
    """
    return np.full_like(x, (f(x + h) - f(x - h)) / (2 * h))


def one_number(f: Callable[[Array], float], x: Array, h: float) -> float:
    """All numbers of x moved together, so only one slope came of it. Move one number,
    with all others where they were; do so for each.
    """
    return (f(x + h) - f(x - h)) / (2 * h)


def never_put_back(f: Callable[[Array], float], x: Array, h: float) -> Array:
    """A number that has been tried is not put back before the next one moves."""
    slopes, x = np.zeros_like(x), x.copy()
    for place in np.ndindex(x.shape):
        x[place] += h
        above = f(x)
        x[place] -= 2 * h
        slopes[place] = (above - f(x)) / (2 * h)
    return slopes


def same_array_twice(f: Callable[[Array], float], x: Array, h: float) -> Array:
    """Both points are the same array: `a = x` only gives x a second name. x.copy()
    makes another array.
    """
    return np.zeros_like(x)


def brackets_forgotten(f: Callable[[Array], float], x: Array, h: float) -> Array:
    """/ 2 * h divides by 2 and multiplies by h. The way is in brackets: / (2 * h)."""
    return h**2 * central_difference(f, x, h)


def backward_difference(f: Callable[[Array], float], x: Array, h: float) -> Array:
    """That is the difference to the other side, (f(x) − f(x − h)) / h: off by as much
    as h itself. Step to both sides.
    """
    return forward_difference(f, x, -h)


def first_place_alone(f: Callable[[Array], float], x: Array, h: float) -> Array:
    """Only the first slope is there: does `return` stand inside the loop?"""
    slopes = np.zeros_like(x)
    slopes.flat[0] = central_difference(f, x, h).flat[0]
    return slopes


def row_by_row(f: Callable[[Array], float], x: Array, h: float) -> Array:
    """x[i] is one number only if x has one axis; of a matrix it is a row, which moves
    as a whole. np.ndindex(x.shape) goes through single numbers.
    """
    slopes = np.zeros_like(x)
    for i in range(len(x)):
        step = np.zeros_like(x)
        step[i] = h
        slopes[i] = (f(x + step) - f(x - step)) / (2 * h)
    return slopes


def sum_of_cubes(x: Array) -> float:
    return (x**3).sum()


def product(x: Array) -> float:
    return x.prod()


def log_of_sum(x: Array) -> float:
    return np.log(np.exp(x).sum())


def sixteenths(*shape: int) -> Array:
    """Return numbers that a step of a power of two, there and back, leaves exact."""
    return rng.integers(-32, 32, size=shape) / 16


CENTRAL_DIFFERENCE = Exercise(
    name="central_difference",
    lesson=7,
    minutes=4,
    difficulty=1,
    answer=central_difference,
    cases={
        "the sum of the cubes of [1, 2, −1]": (
            sum_of_cubes, np.array([1.0, 2.0, -1.0]), 2.0**-7
        ),
        "a product": (product, np.array([0.5, 2.0, 4.0, -1.0]), 2.0**-10),
        "a matrix": (log_of_sum, sixteenths(2, 3), 2.0**-10),
        "a large step": (sum_of_cubes, sixteenths(2, 2, 2), 0.5),
    },
    hints=(
        "The slope along one number: how much f grows, for how far that number went.",
        "for place in np.ndindex(x.shape): goes through all places of x, whatever its "
        "shape.",
        "At each place: a copy of x with h added there, another with h taken away; the "
        "difference of their f, divided by 2h.",
    ),
    slips=(
        forward_difference, half_the_distance, all_at_once, one_number, never_put_back,
        same_array_twice, brackets_forgotten, backward_difference, first_place_alone,
        row_by_row,
    ),
)

# --- linear ---------------------------------------------------------------------------

LinearGradients = tuple[Array, Gradients]


def forward_again(dy: Array, x: Array, weight: Array) -> LinearGradients:
    """dx is dy @ weight.T here. Let the shapes decide: dy (R, O) and weight (O, I) are
    to give (R, I). Nothing is transposed.
    """
    _, grads = functions.linear_backward(dy, x, weight)
    return dy @ weight.T, grads


def output_sent_back(dy: Array, x: Array, weight: Array) -> LinearGradients:
    """dx is computed from y = x @ weight.T. What comes back is dy: what y itself was
    does not matter to a linear function.
    """
    _, grads = functions.linear_backward(dy, x, weight)
    return x @ weight.T @ weight, grads


def weight_transposed(dy: Array, x: Array, weight: Array) -> LinearGradients:
    """The weight's gradient is (I, O). It must have the shape of the weight, (O, I): a
    row for each number that goes out.
    """
    dx, grads = functions.linear_backward(dy, x, weight)
    return dx, grads | {"weight": grads["weight"].T}


def for_a_matrix_alone(dy: Array, x: Array, weight: Array) -> LinearGradients:
    """Right for a matrix of rows. But x may be (B, L, I), where .T reverses all axes.
    Every row of every text met the one weight: make one long matrix of them first.
    """
    return dy @ weight, {"weight": dy.T @ x, "bias": dy.sum(axis=0)}


def bias_over_columns(dy: Array, x: Array, weight: Array) -> LinearGradients:
    """The bias's gradient adds up the numbers of each row. There is one bias for each
    column, and all rows met it: sum over the rows.
    """
    dx, grads = functions.linear_backward(dy, x, weight)
    return dx, grads | {"bias": functions.as_rows(dy).sum(axis=1)}


def bias_of_first_row(dy: Array, x: Array, weight: Array) -> LinearGradients:
    """The bias's gradient is that of the first row alone. All rows met the bias."""
    dx, grads = functions.linear_backward(dy, x, weight)
    return dx, grads | {"bias": functions.as_rows(dy)[0]}


def has_an_axis_too_many(found: Any, dy: Array, x: Array, weight: Array) -> bool:
    """A gradient has the shape of what it is the gradient of. That of weight or bias
    has an axis too many here. All rows of all texts met the one weight: sum over them.
    """
    grads = found[1]
    return np.ndim(grads["weight"]) > 2 or np.ndim(grads["bias"]) > 1


def is_a_mean(found: Any, dy: Array, x: Array, weight: Array) -> bool:
    """A mean over the rows stands where a sum belongs: each row that met the weight or
    the bias adds to its gradient. (The mean of a loss is the loss's own affair.)
    """
    _, right = functions.linear_backward(dy, x, weight)
    R = len(functions.as_rows(x))
    return R > 1 and any(is_same(R * found[1][name], right[name]) for name in right)


LINEAR_BACKWARD = Exercise(
    name="linear_backward",
    lesson=7,
    minutes=6,
    difficulty=2,
    answer=functions.linear_backward,
    cases={
        "2 rows, 3 numbers in, 2 out": (
            np.array([[1.0, 0.0], [0.0, 2.0]]),
            np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
            np.array([[1.0, 0.0, -1.0], [0.0, 1.0, 2.0]]),
        ),
        "one row": tuple(rng.normal(size=size) for size in ((1, 2), (1, 4), (2, 4))),
        "3 rows, 3 in, 3 out": tuple(rng.normal(size=(3, 3, 3))),
        "2 texts of 3 tokens": tuple(
            rng.normal(size=size) for size in ((2, 3, 5), (2, 3, 4), (5, 4))
        ),
    },
    hints=(
        "Each gradient has the shape of what it is the gradient of. Write the shapes "
        "down: which product of which two arrays has the one you need?",
        "dx is (R, I), from dy (R, O) and weight (O, I). The weight's is (O, I), from "
        "dy (R, O) and x (R, I): R has to vanish.",
        "For (B, L, I) the rows of all texts count alike: dy.reshape(-1, O) and "
        "x.reshape(-1, I).",
        'dx = dy @ weight; "weight": dy_rows.T @ x_rows; "bias": dy_rows.sum(axis=0).',
    ),
    slips=(
        forward_again, output_sent_back, weight_transposed, for_a_matrix_alone,
        bias_over_columns, bias_of_first_row,
    ),
    signs=(has_an_axis_too_many, is_a_mean),
)

# --- softmax --------------------------------------------------------------------------


def sum_forgotten(dy: Array, y: Array) -> Array:
    """dy · y is only a part. A larger x_i makes the sum below the line larger too, and
    so all other probabilities of its row smaller.
    """
    return dy * y


def diagonal_alone(dy: Array, y: Array) -> Array:
    """y (1 − y) is how much y_i changes with its own x_i. With another one, x_j, it
    changes by −y_i y_j, and these belong in the sum as well.
    """
    return dy * y * (1 - y)


def factor_forgotten(dy: Array, y: Array) -> Array:
    """dy − Σ dy·y is right; but how much x_i moves anything is in proportion to its
    probability: a factor y in front is missing.
    """
    return dy - (dy * y).sum(axis=-1, keepdims=True)


def plain_sum(dy: Array, y: Array) -> Array:
    """What is taken away is the sum of dy alone. It should be the mean of dy, weighted
    with the probabilities: Σ dy·y.
    """
    return y * (dy - dy.sum(axis=-1, keepdims=True))


def sum_added(dy: Array, y: Array) -> Array:
    """The sum Σ dy·y is added. What makes one probability larger makes the others
    smaller: it is taken away.
    """
    return y * (dy + (dy * y).sum(axis=-1, keepdims=True))


def sum_over_rows(dy: Array, y: Array) -> Array:
    """The sum goes down the columns. The probabilities of one row belong together: sum
    over the last axis.
    """
    return y * (dy - (dy * y).sum(axis=-2, keepdims=True))


def axis_lost(dy: Array, y: Array) -> Array:
    """After the sum the last axis is gone, and what is left of it is paired with the
    wrong rows, or with none: keepdims=True.
    """
    return y * (dy - (dy * y).sum(axis=-1))


def one_sum(dy: Array, y: Array) -> Array:
    """One sum over everything: each row has a sum of its own (axis=-1)."""
    return y * (dy - (dy * y).sum())


def softmax_again(dy: Array, y: Array) -> Array:
    """y already holds the probabilities: softmax was done on the way forward."""
    return functions.softmax_backward(dy, functions.softmax(y))


def arguments_swapped(dy: Array, y: Array) -> Array:
    """dy and y have changed places: what stands in front is y."""
    return functions.softmax_backward(y, dy)


def does_not_sum_to_zero(found: Any, dy: Array, y: Array) -> bool:
    """The rows do not sum to 0, as they must: where all x of a row grow alike, softmax
    does not change. What is taken from dy?
    """
    return found.shape == y.shape and not is_same(found.sum(-1), np.zeros(y.shape[:-1]))


def probabilities(*shape: int) -> Array:
    return functions.softmax(rng.normal(size=shape))


SOFTMAX_BACKWARD = Exercise(
    name="softmax_backward",
    lesson=7,
    minutes=5,
    difficulty=2,
    answer=functions.softmax_backward,
    cases={
        "one row": (np.array([[1.0, 0.0, 0.0]]), np.array([[0.5, 0.3, 0.2]])),
        "3 rows of 3": (rng.normal(size=(3, 3)), probabilities(3, 3)),
        "4 rows of 2": (rng.normal(size=(4, 2)), probabilities(4, 2)),
        "2 texts, 3 heads": (rng.normal(size=(2, 3, 4, 4)), probabilities(2, 3, 4, 4)),
    },
    hints=(
        "y_i changes with x_i by y_i (1 − y_i), and with another x_j by −y_i y_j. Put "
        "that into dx_j = Σ_i dy_i · ∂y_i/∂x_j.",
        "In dx_j = dy_j y_j − y_j Σ_i dy_i y_i, what do both terms have in common?",
        "One sum for each row: (dy * y).sum(axis=-1, keepdims=True).",
        "dx = y · (dy − that sum).",
    ),
    slips=(
        sum_forgotten, diagonal_alone, factor_forgotten, plain_sum, sum_added,
        sum_over_rows, axis_lost, one_sum, softmax_again, arguments_swapped,
    ),
    signs=(does_not_sum_to_zero,),
    reveals=(functions.softmax_backward, functions._softmax_backward),
)

# --- cross-entropy --------------------------------------------------------------------


def pushed(
    logits: Array, labels: Array, ignored: int, push: float = -1
) -> tuple[Array, Array]:
    """Return the probabilities (R, C) of the rows that count, the label's changed, and
    which rows count (...).
    """
    counted = labels != ignored
    rows = functions.softmax(logits[counted])
    rows[np.arange(len(rows)), labels[counted]] += push
    return rows, counted


def placed(rows: Array, counted: Array, logits: Array) -> Array:
    """Return the rows that count in their places, 0 elsewhere."""
    dlogits = np.zeros_like(logits)
    dlogits[counted] = rows
    return dlogits


def label_pushed_down(
    dloss: float, logits: Array, labels: Array, ignored: int = -100
) -> Array:
    """1 is added at the label. A larger score of the label makes the loss smaller: its
    slope is negative, p − 1.
    """
    rows, counted = pushed(logits, labels, ignored, push=1)
    return placed(rows * dloss / max(len(rows), 1), counted, logits)


def label_forgotten(
    dloss: float, logits: Array, labels: Array, ignored: int = -100
) -> Array:
    """These are the probabilities alone: the label is never used. Where it is, 1 has to
    be taken away.
    """
    rows, counted = pushed(logits, labels, ignored, push=0)
    return placed(rows * dloss / max(len(rows), 1), counted, logits)


def divided_by_all(
    dloss: float, logits: Array, labels: Array, ignored: int = -100
) -> Array:
    """It divides by the number of all labels. The loss is the mean over the rows that
    count: divide by how many these are.
    """
    rows, counted = pushed(logits, labels, ignored)
    return placed(rows * dloss / labels.size, counted, logits)


def summed(dloss: float, logits: Array, labels: Array, ignored: int = -100) -> Array:
    """That is the gradient of the sum over the rows. The loss is their mean: divide by
    the number of rows that count.
    """
    rows, counted = pushed(logits, labels, ignored)
    return placed(rows * dloss, counted, logits)


def dloss_forgotten(
    dloss: float, logits: Array, labels: Array, ignored: int = -100
) -> Array:
    """dloss is never used: what arrives from above multiplies everything that goes on
    down.
    """
    return losses.cross_entropy_backward(1, logits, labels, ignored)


def ignored_is_class_0(
    dloss: float, logits: Array, labels: Array, ignored: int = -100
) -> Array:
    """A label of −100 is taken for class 0, and counts. Such rows are not asked for:
    their gradient is 0, and the mean does not count them.
    """
    labels = np.clip(labels, 0, logits.shape[-1] - 1)
    return losses.cross_entropy_backward(dloss, logits, labels)


def ignored_is_a_class(
    dloss: float, logits: Array, labels: Array, ignored: int = -100
) -> Array:
    """It goes wrong where labels are `ignored` (−100): those are no classes. Choose the
    rows that count first, labels != ignored; the others keep gradient 0.
    """
    rows, counted = pushed(logits, labels, labels.max() + 1)
    return placed(rows * dloss / max(len(rows), 1), counted, logits)


def ignored_rows_kept(
    dloss: float, logits: Array, labels: Array, ignored: int = -100
) -> Array:
    """Rows that do not count still hold their probabilities. Nothing is asked there, so
    the gradient is 0.
    """
    counted = labels != ignored
    dlogits = functions.softmax(logits)
    dlogits[counted] = pushed(logits, labels, ignored)[0]
    return dlogits * dloss / max(counted.sum(), 1)


def always_minus_100(
    dloss: float, logits: Array, labels: Array, ignored: int = -100
) -> Array:
    """−100 is written into the function. Which label does not count is told by the
    argument `ignored`.
    """
    return losses.cross_entropy_backward(dloss, logits, labels)


def every_label_in_every_row(
    dloss: float, logits: Array, labels: Array, ignored: int = -100
) -> Array:
    """rows[:, labels] takes 1 away at every label in every row. Each row has its own:
    rows[np.arange(len(rows)), labels].
    """
    counted = labels != ignored
    rows = functions.softmax(logits[counted])
    rows[:, labels[counted]] -= 1
    return placed(rows * dloss / max(len(rows), 1), counted, logits)


def put_in_place_of_p(
    dloss: float, logits: Array, labels: Array, ignored: int = -100
) -> Array:
    """At the label stands −1. It should be p − 1: `-= 1`, not `= -1`."""
    rows, counted = pushed(logits, labels, ignored, push=0)
    rows[np.arange(len(rows)), labels[counted]] = -1
    return placed(rows * dloss / max(len(rows), 1), counted, logits)


def label_alone(
    dloss: float, logits: Array, labels: Array, ignored: int = -100
) -> Array:
    """Only the label's score has a gradient. The others are in the sum of softmax, and
    are pushed down: p there.
    """
    rows, counted = pushed(logits, labels, ignored)
    rows = np.where(rows < 0, rows, 0)
    return placed(rows * dloss / max(len(rows), 1), counted, logits)


def rows_left_out(
    dloss: float, logits: Array, labels: Array, ignored: int = -100
) -> Array:
    """Only the rows that count are returned. Put them in their places among all:
    dlogits = np.zeros_like(logits), dlogits[counted] = rows.
    """
    rows, _ = pushed(logits, labels, ignored)
    return rows * dloss / max(len(rows), 1)


def divided_by_scores(
    dloss: float, logits: Array, labels: Array, ignored: int = -100
) -> Array:
    """It divides by how many scores there are. The loss is a mean over the rows that
    count: divide by len(rows).
    """
    rows, counted = pushed(logits, labels, ignored)
    return placed(rows * dloss / max(rows.size, 1), counted, logits)


def is_a_mean_of_nothing(
    found: Any, dloss: float, logits: Array, labels: Array, ignored: int = -100
) -> bool:
    """0 is divided by 0 where no label counts. A step that asks for nothing should not
    destroy the weights: all gradients are 0 then.
    """
    return (labels == ignored).all() and np.isnan(found).any()


CROSS_ENTROPY_BACKWARD = Exercise(
    name="cross_entropy_backward",
    lesson=7,
    minutes=5,
    difficulty=2,
    answer=losses.cross_entropy_backward,
    cases={
        "2 rows of 3 scores": (
            1.0, np.log([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]), np.array([0, 1]), -100
        ),
        "dloss = 3": (3.0, rng.normal(size=(4, 5)), np.array([4, 0, 2, 2]), -100),
        "labels of −100": (
            1.0, rng.normal(size=(4, 3)), np.array([2, -100, 0, -100]), -100
        ),
        "2 texts of 3 tokens": (
            0.5, rng.normal(size=(2, 3, 4)), np.array([[1, -100, 3], [0, 2, -100]]),
            -100,
        ),
        "ignored = 4": (1.0, rng.normal(size=(3, 4)), np.array([4, 1, 3]), 4),
        "scores of 1000": (
            1.0, np.array([[1000.0, 999.0], [-1000.0, 0.0]]), np.array([1, 1]), -100
        ),
        "labels that are all ignored": (
            1.0, rng.normal(size=(2, 3)), np.array([-100, -100]), -100
        ),
    },
    hints=(
        "For one row: the loss is −log of the label's probability, which is −x_label + "
        "log Σ exp(x). Differentiate that with respect to each x.",
        "The second term gives softmax(x), the first −1 at the label: p − 1 there, p "
        "elsewhere. functions.softmax may be used.",
        "counted = labels != ignored chooses the rows; only they get a gradient, each "
        "divided by how many there are (or by 1, if there are none), times dloss.",
        "rows = softmax(logits[counted]); rows[np.arange(len(rows)), labels[counted]] "
        "-= 1; then put them into np.zeros_like(logits).",
    ),
    slips=(
        label_pushed_down, label_forgotten, divided_by_all, summed, dloss_forgotten,
        ignored_is_class_0, ignored_is_a_class, ignored_rows_kept, always_minus_100,
        every_label_in_every_row, put_in_place_of_p, label_alone, rows_left_out,
        divided_by_scores,
    ),
    signs=(is_a_mean_of_nothing,),
)

# --- LayerNorm ------------------------------------------------------------------------

NormGradients = tuple[Array, Gradients]


def mean(x: Array) -> Array:                                     # (..., D) -> (..., 1)
    return x.mean(axis=-1, keepdims=True)


def with_dx(wrong_dx: Callable[[Array, Array, Array], Array]) -> Callable[..., Any]:
    """Return a slip in which dx alone is wrong, as computed from three arrays.

    They are normalised (..., D), deviation (..., 1) and dnormalised (..., D).
    """

    @wraps(wrong_dx)
    def slip(
        dy: Array, x: Array, weight: Array, eps: float = 1e-12
    ) -> NormGradients:
        deviation = np.sqrt(x.var(axis=-1, keepdims=True) + eps)
        dx = wrong_dx((x - mean(x)) / deviation, deviation, dy * weight)
        return dx, functions.layer_norm_backward(dy, x, weight, eps)[1]

    return slip


@with_dx
def statistics_fixed(n: Array, deviation: Array, dn: Array) -> Array:
    """dx takes mean and deviation for constants. But each x moves its row's mean, and
    its deviation: two more terms.
    """
    return dn / deviation


@with_dx
def mean_term_missing(n: Array, deviation: Array, dn: Array) -> Array:
    """In dx the mean's term is missing: each x moves the mean, which is taken away from
    the whole row.
    """
    return (dn - n * mean(dn * n)) / deviation


@with_dx
def deviation_term_missing(n: Array, deviation: Array, dn: Array) -> Array:
    """In dx the deviation's term is missing: each x moves the deviation, by which the
    whole row is divided.
    """
    return (dn - mean(dn)) / deviation


@with_dx
def deviation_moves_all_alike(n: Array, deviation: Array, dn: Array) -> Array:
    """In dx the deviation's term is the same for all of a row. How much an x moves the
    deviation depends on how far from the mean it is: a factor normalised is missing.
    """
    return (dn - mean(dn) - mean(dn * n)) / deviation


@with_dx
def deviation_term_added(n: Array, deviation: Array, dn: Array) -> Array:
    """In dx the deviation's term is added. A larger deviation makes all numbers
    smaller: it is taken away, as the mean's is.
    """
    return (dn - mean(dn) + n * mean(dn * n)) / deviation


@with_dx
def not_divided(n: Array, deviation: Array, dn: Array) -> Array:
    """dx is not divided by the deviation: a row that is spread wide is squeezed on the
    way forward, and its gradient too.
    """
    return dn - mean(dn) - n * mean(dn * n)


@with_dx
def sums_for_means(n: Array, deviation: Array, dn: Array) -> Array:
    """In dx a row's sums are taken away, not its means: divide both by D."""
    return (dn - n.shape[-1] * (mean(dn) + n * mean(dn * n))) / deviation


@with_dx
def sum_for_mean(n: Array, deviation: Array, dn: Array) -> Array:
    """In dx a row's sum of dnormalised is taken away, not its mean: divide it by D."""
    return (dn - n.shape[-1] * mean(dn) - n * mean(dn * n)) / deviation


@with_dx
def mean_over_rows(n: Array, deviation: Array, dn: Array) -> Array:
    """In dx the mean of dnormalised is taken over the rows. A row was normalised by
    itself, over its D numbers: axis=-1.
    """
    return (dn - dn.mean(axis=-2, keepdims=True) - n * mean(dn * n)) / deviation


@with_dx
def last_term_divided(n: Array, deviation: Array, dn: Array) -> Array:
    """In dx only the last term is divided by the deviation. Brackets: the whole of it
    is.
    """
    return dn - mean(dn) - n * mean(dn * n) / deviation


@with_dx
def multiplied_by_deviation(n: Array, deviation: Array, dn: Array) -> Array:
    """dx is multiplied by the deviation. It is divided by it, as x was."""
    return (dn - mean(dn) - n * mean(dn * n)) * deviation


@with_dx
def divided_by_variance(n: Array, deviation: Array, dn: Array) -> Array:
    """dx is divided by the variance. It should be its root, the deviation."""
    return (dn - mean(dn) - n * mean(dn * n)) / deviation**2


@with_dx
def one_mean(n: Array, deviation: Array, dn: Array) -> Array:
    """In dx the means are over everything. Each row has its own: axis=-1,
    keepdims=True.
    """
    return (dn - dn.mean() - n * (dn * n).mean()) / deviation


def gain_missing(
    dy: Array, x: Array, weight: Array, eps: float = 1e-12
) -> NormGradients:
    """In dx the gain is missing: y = normalised · weight + bias, so dnormalised is
    dy · weight.
    """
    dx, _ = functions.layer_norm_backward(dy, x, np.ones_like(weight), eps)
    _, grads = functions.layer_norm_backward(dy, x, weight, eps)
    return dx, grads


def gain_met_x(
    dy: Array, x: Array, weight: Array, eps: float = 1e-12
) -> NormGradients:
    """The gain's gradient is computed from x. What met the gain was normalised."""
    dx, grads = functions.layer_norm_backward(dy, x, weight, eps)
    return dx, grads | {"weight": functions.as_rows(dy * x).sum(axis=0)}


def gain_is_a_mean(
    dy: Array, x: Array, weight: Array, eps: float = 1e-12
) -> NormGradients:
    """The gain's gradient is a mean over the rows. Each row that met the gain adds to
    it: a sum.
    """
    dx, grads = functions.layer_norm_backward(dy, x, weight, eps)
    return dx, grads | {"weight": grads["weight"] / len(functions.as_rows(x))}


def bias_is_a_mean(
    dy: Array, x: Array, weight: Array, eps: float = 1e-12
) -> NormGradients:
    """The bias's gradient is a mean over the rows. Each row that met the bias adds to
    it: a sum.
    """
    dx, grads = functions.layer_norm_backward(dy, x, weight, eps)
    return dx, grads | {"bias": grads["bias"] / len(functions.as_rows(x))}


def one_axis_summed(
    dy: Array, x: Array, weight: Array, eps: float = 1e-12
) -> NormGradients:
    """Right for a matrix of rows; of (B, L, D), the gradients of gain and bias are
    summed over one axis only. All rows of all texts met one gain.
    """
    normalised = (x - mean(x)) / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    dx, _ = functions.layer_norm_backward(dy, x, weight, eps)
    return dx, {"weight": (dy * normalised).sum(axis=0), "bias": dy.sum(axis=0)}


def eps_forgotten(
    dy: Array, x: Array, weight: Array, eps: float = 1e-12
) -> NormGradients:
    """The argument eps is not used. It is added to the variance, below the root."""
    return functions.layer_norm_backward(dy, x, weight, 1e-12)


def eps_of_another_library(
    dy: Array, x: Array, weight: Array, eps: float = 1e-12
) -> NormGradients:
    """1e-5 is added to the variance, whatever eps is. That is the default of many
    libraries; DistilBERT's is 1e-12.
    """
    return functions.layer_norm_backward(dy, x, weight, 1e-5)


def eps_outside_root(
    dy: Array, x: Array, weight: Array, eps: float = 1e-12
) -> NormGradients:
    """eps is added to the deviation. It belongs to the variance, below the root."""
    inside = (x.std(axis=-1, keepdims=True) + eps) ** 2 - x.var(axis=-1, keepdims=True)
    return functions.layer_norm_backward(dy, x, weight, inside)


def eps_of_another_library_outside(
    dy: Array, x: Array, weight: Array, eps: float = 1e-12
) -> NormGradients:
    """1e-5 is added to the deviation, whatever eps is. It is eps that is added, and to
    the variance, below the root.
    """
    return eps_outside_root(dy, x, weight, 1e-5)


def divided_by_one_less(
    dy: Array, x: Array, weight: Array, eps: float = 1e-12
) -> NormGradients:
    """The variance divides by D − 1 (ddof=1?). LayerNorm's divides by D."""
    extra = x.var(axis=-1, ddof=1, keepdims=True) - x.var(axis=-1, keepdims=True)
    return functions.layer_norm_backward(dy, x, weight, eps + extra)


def norm_arguments_swapped(
    dy: Array, x: Array, weight: Array, eps: float = 1e-12
) -> NormGradients:
    """dy and x have changed places: x is what was normalised, dy what arrives."""
    return functions.layer_norm_backward(x, dy, weight, eps)


def gain_met_dnormalised(
    found: Any, dy: Array, x: Array, weight: Array, eps: float = 1e-12
) -> bool:
    """The gain's gradient is computed from dnormalised, in which the gain is already.
    From y = normalised · weight + bias comes dy · normalised.
    """
    _, right = functions.layer_norm_backward(dy * weight, x, weight, eps)
    return is_same(found[1]["weight"], right["weight"])


def dx_does_not_sum_to_zero(
    found: Any, dy: Array, x: Array, weight: Array, eps: float = 1e-12
) -> bool:
    """The rows of dx do not sum to 0, as they must: what all x of a row have in common,
    the mean takes away. Look at the mean's term.
    """
    dx = found[0]
    return dx.shape == x.shape and not is_same(dx.sum(-1), np.zeros(x.shape[:-1]))


def norm_case(*shape: int, eps: float = 1e-12) -> tuple[Any, ...]:
    """Return dy, x, weight and eps for rows of this shape."""
    dy, x = rng.normal(size=(2, *shape))
    return dy, 3 * x + 1, rng.uniform(0.5, 2, size=shape[-1]), eps


LAYER_NORM_BACKWARD = Exercise(
    name="layer_norm_backward",
    lesson=7,
    minutes=10,
    difficulty=3,
    answer=functions.layer_norm_backward,
    cases={
        "one row": (
            np.array([[2.0, 0.0, 0.0, 0.0]]), np.array([[5.0, 5.0, 1.0, 1.0]]),
            np.array([2.0, 1.0, 1.0, 1.0]), 1e-12,
        ),
        "5 rows": norm_case(5, 6),
        "2 texts of 3 tokens": norm_case(2, 3, 4),
        "eps = 0.1": norm_case(4, 4, eps=0.1),
    },
    hints=(
        "Two steps, from the end: y = normalised · weight + bias, then normalised = "
        "(x − mean) / deviation. The first gives dnormalised, and the gradients of "
        "weight and bias, summed over all rows.",
        "An x_i acts in three ways: it moves its own normalised_i, the row's mean, and "
        "the row's deviation. Three terms.",
        "dx = (dnormalised − a − normalised · b) / deviation, where a and b are means "
        "over the row.",
        "a is the mean of dnormalised, b that of dnormalised · normalised, both with "
        "axis=-1 and keepdims=True; the deviation is √(variance + eps).",
    ),
    slips=(
        statistics_fixed, mean_term_missing, deviation_term_missing,
        deviation_moves_all_alike, deviation_term_added, not_divided, sums_for_means,
        sum_for_mean, mean_over_rows, last_term_divided, multiplied_by_deviation,
        divided_by_variance, one_mean, gain_missing, gain_met_x, gain_is_a_mean,
        bias_is_a_mean, one_axis_summed, eps_forgotten, eps_of_another_library,
        eps_outside_root, eps_of_another_library_outside, divided_by_one_less,
        norm_arguments_swapped,
    ),
    signs=(gain_met_dnormalised, dx_does_not_sum_to_zero),
    reveals=(
        functions.layer_norm_backward, functions._layer_norm_backward,
        functions._normalise,
    ),
)

EXERCISES = (
    CENTRAL_DIFFERENCE, LINEAR_BACKWARD, SOFTMAX_BACKWARD, CROSS_ENTROPY_BACKWARD,
    LAYER_NORM_BACKWARD,
)
