"""Lesson 5, the whole encoder: what there is to write, and what goes wrong."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ...config import DistilBertConfig
from ...encoder import transformer, transformer_block
from ...functions import Array
from ...models import DistilBertPreTrainedModel
from ...parity.bounds import float32_bound
from ...pipelines.feature_extraction import mean_in_sight
from ...trees import Tree, flatten, unflatten
from ...weights import parameter_shapes
from ..exercise import Exercise
from .material import random_ffn, random_linear

rng = np.random.default_rng(5)

# --- count the parameters -------------------------------------------------------------


def count_parameters(params: Tree) -> int:
    """Return how many numbers a tree of parameters holds."""
    return sum(array.size for array in flatten(params).values())


def arrays_counted(params: Tree) -> int:
    """That is how many arrays there are. How many numbers are in each: array.size.
    """
    return len(flatten(params))


def rows_counted(params: Tree) -> int:
    """That counts rows: len(array) is the first number of the shape only. All of them,
    multiplied, are array.size.
    """
    return sum(len(array) for array in flatten(params).values())


def shapes_added(params: Tree) -> int:
    """The numbers of a shape were added. A (3, 2) array holds 3 · 2 numbers, not 3 + 2.
    """
    return sum(sum(array.shape) for array in flatten(params).values())


def bytes_counted(params: Tree) -> int:
    """Those are bytes. A number takes 4 of them in float32, and 8 in float64."""
    return sum(array.nbytes for array in flatten(params).values())


def numbers_added(params: Tree) -> float:
    """The parameters themselves were added up. How many there are does not depend on
    what they are.
    """
    return sum(array.sum() for array in flatten(params).values())


def weights_alone(params: Tree) -> int:
    """Biases are parameters, too: count every array, whatever its name."""
    arrays = flatten(params).items()
    return sum(array.size for name, array in arrays if name.endswith("weight"))


def top_alone(params: Tree) -> int:
    """Only the arrays at the top of the tree are counted. What is a dict itself has
    arrays inside, and dicts: how could the function count those?
    """
    return sum(array.size for array in params.values() if not isinstance(array, dict))


def names_counted(params: Tree) -> int:
    """That is how many names there are at the top of the tree."""
    return len(params)


def dicts_measured(params: Tree) -> int:
    """A dict has no size. Where a value of the tree is a dict, it is a tree itself:
    what could count the numbers in that?
    """
    return sum(value.size for value in params.values())


def returned_at_once(params: Tree) -> int:
    """The return stands inside the loop, which so ends with the first array."""
    sizes = [array.size for array in flatten(params).values()]
    return sizes[0] if sizes else 0


def not_added_up(params: Tree) -> int:
    """Only the last array is counted: in a loop, add up with +=."""
    sizes = [array.size for array in flatten(params).values()]
    return sizes[-1] if sizes else 0


def zeros_left_out(params: Tree) -> int:
    """A number that is 0 is a parameter, too: training may change it."""
    return sum(np.count_nonzero(array) for array in flatten(params).values())


def some_parameters(config: DistilBertConfig) -> Tree:
    """Return the parameters of a model, drawn at random, the biases too."""
    shapes = parameter_shapes(config, "base")
    return unflatten({name: rng.normal(size=shape) for name, shape in shapes.items()})


SMALL = DistilBertConfig(
    vocab_size=7, max_position_embeddings=5, n_layers=2, n_heads=2, dim=4, hidden_dim=6
)

COUNT_PARAMETERS = Exercise(
    name="count_parameters",
    lesson=5,
    minutes=5,
    difficulty=1,
    answer=count_parameters,
    cases={
        "a linear": (random_linear(rng, 2, 3),),
        "2 linears": (random_ffn(rng, 2, 4),),
        "an encoder of 2 blocks": (some_parameters(SMALL),),
        "no parameters at all": ({},),
        "zeros": ({"weight": np.zeros((2, 4)), "bias": np.zeros(2)},),
    },
    hints=(
        "An array knows how many numbers it holds: array.size.",
        "A value of the tree is either an array or a tree itself. "
        "isinstance(value, dict) tells which.",
        "Of a value that is a dict the function can count the parameters by calling "
        "itself.",
        "Add up over params.values(): my_count_parameters(value) where the value is a "
        "dict, else value.size.",
    ),
    slips=(
        arrays_counted, rows_counted, shapes_added, bytes_counted, numbers_added,
        weights_alone, top_alone, names_counted, dicts_measured, returned_at_once,
        not_added_up, zeros_left_out,
    ),
    reveals=(DistilBertPreTrainedModel.num_parameters, flatten),
)

# --- run the stack --------------------------------------------------------------------


def hidden_states(
    x: Array, params: Tree, mask: Array, config: DistilBertConfig
) -> list[Array]:
    """Return the N + 1 arrays (B, L, D) before, between and after the blocks."""
    _, trace = transformer(x, params, mask, config)
    return [x, *(block["output_layer_norm"] for block in trace["layer"].values())]


def run(
    x: Array, blocks: Iterable[Tree], mask: Array, config: DistilBertConfig
) -> list[Array]:
    """Return what the blocks make of x, one after the other, and x before them."""
    states = [x]
    for block in blocks:
        states.append(transformer_block(states[-1], block, mask, config)[0])
    return states


def sorted_by_name(
    x: Array, params: Tree, mask: Array, config: DistilBertConfig
) -> list[Array]:
    """Blocks are sorted by name, and as a text "10" comes before "2". Count them by
    number: params["layer"][str(i)].
    """
    blocks = [params["layer"][name] for name in sorted(params["layer"])]
    return run(x, blocks, mask, config)


def as_listed(
    x: Array, params: Tree, mask: Array, config: DistilBertConfig
) -> list[Array]:
    """Blocks run in the order in which the tree lists them, and a file may list them in
    any. Count them by number: params["layer"][str(i)].
    """
    return run(x, params["layer"].values(), mask, config)


def last_first(
    x: Array, params: Tree, mask: Array, config: DistilBertConfig
) -> list[Array]:
    """The last block runs first: block "0" reads x."""
    blocks = by_number(params)
    return run(x, blocks[::-1], mask, config)


def first_two_swapped(
    x: Array, params: Tree, mask: Array, config: DistilBertConfig
) -> list[Array]:
    """The first two blocks run in each other's place."""
    blocks = by_number(params)
    return run(x, blocks[:2][::-1] + blocks[2:], mask, config)


def first_repeated(
    x: Array, params: Tree, mask: Array, config: DistilBertConfig
) -> list[Array]:
    """Block "0" runs every time. Each block has parameters of its own."""
    blocks = by_number(params)
    return run(x, blocks[:1] * len(blocks), mask, config)


def all_read_x(
    x: Array, params: Tree, mask: Array, config: DistilBertConfig
) -> list[Array]:
    """Every block reads the embeddings. A block reads what the one before it returned.
    """
    blocks = by_number(params)
    return [x, *(run(x, [block], mask, config)[1] for block in blocks)]


def mask_ignored(
    x: Array, params: Tree, mask: Array, config: DistilBertConfig
) -> list[Array]:
    """The blocks see padding as if it were text: pass them the mask that was given."""
    return run(x, by_number(params), np.ones(mask.shape, bool), config)


def embeddings_left_out(
    x: Array, params: Tree, mask: Array, config: DistilBertConfig
) -> list[Array]:
    """The first hidden state is missing: it is x itself, before any block."""
    return hidden_states(x, params, mask, config)[1:]


def last_left_out(
    x: Array, params: Tree, mask: Array, config: DistilBertConfig
) -> list[Array]:
    """The last hidden state is missing: what the last block returned. N blocks have
    N + 1 states.
    """
    return hidden_states(x, params, mask, config)[:-1]


def last_alone(x: Array, params: Tree, mask: Array, config: DistilBertConfig) -> Array:
    """That is the last hidden state alone. Wanted is a list of all: x first, and then
    what each block returned.
    """
    return hidden_states(x, params, mask, config)[-1]


def traces_kept(
    x: Array, params: Tree, mask: Array, config: DistilBertConfig
) -> list[Any]:
    """transformer_block returns two things, and both became x. The second is a trace,
    which you do not need: x, _ = transformer_block(…).
    """
    states: list[Any] = [x]
    for block in by_number(params):
        states.append(transformer_block(states[-1], block, mask, config))
    return states


def named_by_number(
    x: Array, params: Tree, mask: Array, config: DistilBertConfig
) -> list[Array]:
    """The blocks are named by their number as text: "0", and not 0. str(i) makes one
    of the other.
    """
    blocks = [params["layer"][i] for i in range(len(params["layer"]))]
    return run(x, blocks, mask, config)


def by_number(params: Tree) -> list[Tree]:
    """Return the blocks from "0" on."""
    return [params["layer"][str(i)] for i in range(len(params["layer"]))]


def stack(n_layers: int, backwards: bool = False) -> tuple[Tree, DistilBertConfig]:
    """Return the parameters of so many small blocks, and their configuration."""
    config = SMALL.changed(n_layers=n_layers)
    blocks = some_parameters(config)["transformer"]["layer"]
    names = sorted(blocks, key=int, reverse=backwards)
    return {"layer": {name: blocks[name] for name in names}}, config


def given(
    batch: int, params: Tree, config: DistilBertConfig, seen: int = 3
) -> tuple[Array, Tree, Array, DistilBertConfig]:
    """Return arguments: texts of 3 tokens, of the last of which so many are in sight.
    """
    mask = np.ones((batch, 3), bool)
    mask[-1, seen:] = False
    return rng.normal(size=(batch, 3, config.dim)), params, mask, config


HIDDEN_STATES = Exercise(
    name="hidden_states",
    lesson=5,
    minutes=8,
    difficulty=2,
    answer=hidden_states,
    cases={
        "one block": given(1, *stack(1)),
        "3 blocks": given(1, *stack(3)),
        "2 texts, one of them padded": given(2, *stack(2), seen=2),
        "3 blocks that the tree lists from the last": given(1, *stack(3, True)),
        "12 blocks": given(1, *stack(12)),
    },
    hints=(
        "What does the first block read? And the second?",
        "Begin with states = [x]. Each block reads states[-1], and what it returns is "
        "appended.",
        "transformer_block returns two things: the new x, and a trace. "
        "x, _ = transformer_block(x, block, mask, config)",
        "Count the blocks: for i in range(len(params[\"layer\"])), and the block is "
        "params[\"layer\"][str(i)].",
    ),
    slips=(
        sorted_by_name, as_listed, last_first, first_two_swapped, first_repeated,
        all_read_x, mask_ignored, embeddings_left_out, last_left_out, last_alone,
        traces_kept, named_by_number,
    ),
    reveals=(transformer,),
)

# --- a vector for a text --------------------------------------------------------------


def padding_averaged_in(h: Array, mask: Array) -> Array:
    """The mean goes over padding as well: a text's vector must not depend on the
    longest text beside it. Only tokens whose mask is 1 count.
    """
    return h.mean(axis=1)


def divided_by_length(h: Array, mask: Array) -> Array:
    """The sum is right, but it is divided by L, the padding counted. How many tokens of
    each text are in sight?
    """
    return (h * mask[..., None]).sum(axis=1) / h.shape[1]


def not_divided(h: Array, mask: Array) -> Array:
    """That is the sum over the tokens in sight, not yet their mean."""
    return (h * mask[..., None]).sum(axis=1)


def first_token(h: Array, mask: Array) -> Array:
    """That is the vector of the first token. The mean of all in sight is asked for."""
    return h[:, 0]


def numbers_averaged(h: Array, mask: Array) -> Array:
    """The mean goes over the D numbers of each token. Which axis holds the tokens?"""
    return h.mean(axis=-1)


def texts_mixed(h: Array, mask: Array) -> Array:
    """All texts went into one mean. Each text has a vector of its own: (B, D)."""
    return h[mask.astype(bool)].mean(axis=0)


def divided_by_all(h: Array, mask: Array) -> Array:
    """Each sum is divided by the tokens in sight of all texts together: count along the
    tokens' axis only.
    """
    return (h * mask[..., None]).sum(axis=1) / mask.sum()


def nothing_in_sight(h: Array, mask: Array) -> Array:
    """Right, but for a text with no token in sight: that is 0 / 0. Divide by 1 at
    least, and its vector is 0.
    """
    return (h * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)


def ones_as_places(h: Array, mask: Array) -> Array:
    """The mask holds 0 and 1, which as an index picks the rows number 0 and 1. True and
    false would pick tokens: mask == 1.
    """
    texts = zip(h, mask, strict=True)
    return np.array([rows[ones].mean(axis=0) for rows, ones in texts])


def first_ones(h: Array, mask: Array) -> Array:
    """The first tokens are taken, as many as are in sight. But padding may stand on the
    left: let the mask tell which they are.
    """
    is_first = np.arange(mask.shape[1]) < mask.sum(axis=1, keepdims=True)
    return mean_in_sight(h, is_first.astype(int))


def axis_lost(h: Array, mask: Array) -> Array:
    """The count loses its axis, (B,), and does not line up with the texts.
    keepdims=True keeps it: (B, 1).
    """
    return not_divided(h, mask) / np.maximum(mask.sum(axis=1), 1)


def mask_not_widened(h: Array, mask: Array) -> Array:
    """h is (B, L, D) and the mask (B, L): it needs an axis more, mask[:, :, None]."""
    return (h * mask).sum(axis=1) / np.maximum(mask.sum(axis=1, keepdims=True), 1)


def mask_inverted(h: Array, mask: Array) -> Array:
    """The mask is read the wrong way round: it is 1 where a token is in sight."""
    return mean_in_sight(h, 1 - mask)


MEAN_IN_SIGHT = Exercise(
    name="mean_in_sight",
    lesson=5,
    minutes=6,
    difficulty=2,
    answer=mean_in_sight,
    cases={
        "2 texts without padding": (
            np.arange(12.0).reshape(2, 3, 2), np.ones((2, 3), int),
        ),
        "padding on the right": (
            rng.normal(size=(2, 4, 3)), np.array([[1, 1, 1, 1], [1, 1, 0, 0]]),
        ),
        "padding on the left": (
            rng.normal(size=(2, 3, 4)), np.array([[0, 1, 1], [0, 0, 1]]),
        ),
        "a text with no token in sight": (
            rng.normal(size=(2, 3, 2)), np.array([[1, 1, 0], [0, 0, 0]]),
        ),
    },
    hints=(
        "A mean is a sum divided by a count. Which tokens are added, and how many are "
        "they?",
        "Multiplied by 0, a hidden token adds nothing. The mask is (B, L) and h is "
        "(B, L, D): mask[:, :, None] fits beside it.",
        "The count of each text is mask.sum(axis=1, keepdims=True), (B, 1).",
        "A text with no token in sight has a count of 0: np.maximum(count, 1).",
    ),
    slips=(
        padding_averaged_in, divided_by_length, not_divided, first_token,
        numbers_averaged, texts_mixed, divided_by_all, nothing_in_sight, ones_as_places,
        first_ones, axis_lost, mask_not_widened, mask_inverted,
    ),
)

# --- rounding, or a bug? --------------------------------------------------------------


def is_within_bound(found: Array, truth: Array) -> bool:
    """Return whether no number is off by more than 1e-5 + 1.3e-6 · the largest number.
    """
    if found.shape != truth.shape:
        return False
    return bool(np.abs(found - truth).max() <= float32_bound(truth))


def averaged(found: Array, truth: Array) -> bool:
    """A mean of errors, or of their squares, hides one wrong number among many right
    ones. Judge the largest.
    """
    is_alike = found.shape == truth.shape
    return bool(is_alike and np.abs(found - truth).mean() <= float32_bound(truth))


def absolute(found: Array, truth: Array) -> bool:
    """The bound does not grow with the numbers. Near 1000 those of float32
    lie 6e-5 apart: rounding alone is up to 3e-5.
    """
    return found.shape == truth.shape and bool(np.abs(found - truth).max() <= 1e-5)


def relative(found: Array, truth: Array) -> bool:
    """The bound lacks its absolute part, 1e-5: where every number should be nearly 0,
    nothing passes.
    """
    allowed = 1.3e-6 * np.abs(truth).max()
    return found.shape == truth.shape and bool(np.abs(found - truth).max() <= allowed)


def number_by_number(found: Array, truth: Array) -> bool:
    """Each number has a bound of its own, as in np.allclose. A small number that is
    added up from large ones has their rounding: the bound goes by the largest of all.
    """
    return found.shape == truth.shape and np.allclose(found, truth, 1.3e-6, 1e-5)


def bound_of_found(found: Array, truth: Array) -> bool:
    """The bound goes by what was found: an infinity in it allows everything. Go by the
    truth.
    """
    is_alike = found.shape == truth.shape
    return bool(is_alike and np.abs(found - truth).max() <= float32_bound(found))


def largest_with_sign(found: Array, truth: Array) -> bool:
    """The largest number of the truth may be a negative one: take np.abs before max."""
    allowed = 1e-5 + 1.3e-6 * truth.max()
    return found.shape == truth.shape and bool(np.abs(found - truth).max() <= allowed)


def cosine(found: Array, truth: Array) -> bool:
    """Cosine similarity tells the direction of all numbers together; one that is off by
    a hundredth hardly turns it. Judge the largest error.
    """
    found, truth = found.ravel(), truth.ravel()
    return bool(found @ truth > 0.9999 * np.sqrt((found @ found) * (truth @ truth)))


def not_true_or_false(answer: bool, found: Array, truth: Array) -> bool:
    """Asked for is whether it is within the bound: True or False, for all numbers
    together.
    """
    return not isinstance(answer, bool | np.bool_)


def shapes_pass(answer: bool, found: Array, truth: Array) -> bool:
    """Arrays of two shapes pass: NumPy repeats the smaller one until it fits, and the
    difference has the shape of neither. Compare the shapes first.
    """
    return answer and found.shape != truth.shape


def nan_passes(answer: bool, found: Array, truth: Array) -> bool:
    """NaN passes. Every comparison with NaN is false, "is it too large?" as well: ask
    whether the error is small enough, and leave no number out.
    """
    return answer and np.isnan(found).any()


def too_small_passes(answer: bool, found: Array, truth: Array) -> bool:
    """What is too small passes: a difference may be negative. How far it lies from 0 is
    what counts.
    """
    return answer and (found - truth).max() <= float32_bound(truth)


def refuses_rounding(answer: bool, found: Array, truth: Array) -> bool:
    """It refuses what is within the bound, 1e-5 + 1.3e-6 · the largest number."""
    return not answer and is_within_bound(found, truth)


def one_off(value: float, size: int = 1000) -> tuple[Array, Array]:
    """Return many right numbers with one that is off, and the truth."""
    truth = rng.uniform(-1, 1, size)
    found = truth.copy()
    found[size // 2] += value
    return found, truth


IS_WITHIN_BOUND = Exercise(
    name="is_within_bound",
    lesson=5,
    minutes=8,
    difficulty=3,
    answer=is_within_bound,
    cases={
        "rounding": (np.array([0.5, 1.000001, -2.000002]), np.array([0.5, 1.0, -2.0])),
        "a number too large": (np.array([1.01, 2.0, 3.0]), np.array([1.0, 2.0, 3.0])),
        "a number too small": (np.array([0.99, 2.0, 3.0]), np.array([1.0, 2.0, 3.0])),
        "one wrong number of 1000": one_off(1e-4),
        "one wrong number of 1000, too small": one_off(-1e-4),
        "NaN": (np.array([1.0, np.nan, 3.0]), np.array([1.0, 2.0, 3.0])),
        "infinity": (np.array([1.0, np.inf, 3.0]), np.array([1.0, 2.0, 3.0])),
        "another shape": (np.full((3, 1), 2.0), np.full(3, 2.0)),
        "large numbers": (np.array([1000.001, 0.0]), np.array([1000.0, 0.0])),
        "large negative numbers": (np.array([-1000.001, 0]), np.array([-1000.0, 0])),
        "a small number beside a large one": (
            np.array([1000.0, 0.002]), np.array([1000.0, 0.001]),
        ),
        "numbers that should be nearly 0": (
            np.array([5e-6, 0.0]), np.array([1e-9, -1e-9]),
        ),
    },
    hints=(
        "Two things can hide an error before you see a number: the shapes, and NaN.",
        "The error is np.abs(found - truth).max(): one number, the worst.",
        "The bound is 1e-5 + 1.3e-6 * np.abs(truth).max().",
        "Ask error <= bound: with NaN that is False. Before it, return False where "
        "found.shape is not truth.shape.",
    ),
    slips=(
        averaged, absolute, relative, number_by_number, bound_of_found,
        largest_with_sign, cosine,
    ),
    signs=(
        not_true_or_false, shapes_pass, nan_passes, too_small_passes, refuses_rounding,
    ),
    reveals=(float32_bound, is_within_bound),
)

EXERCISES = (COUNT_PARAMETERS, HIDDEN_STATES, MEAN_IN_SIGHT, IS_WITHIN_BOUND)
