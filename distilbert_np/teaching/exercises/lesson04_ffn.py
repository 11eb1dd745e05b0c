"""Lesson 4, feed-forward and LayerNorm: what there is to write, and what goes wrong."""

import math
from collections.abc import Callable
from functools import partial, wraps
from typing import NamedTuple

import numpy as np

from ... import encoder, functions
from ... import ffn as library
from ...attention import attention
from ...config import DistilBertConfig
from ...functions import Array, gelu, gelu_new, layer_norm, linear
from ...trees import Tree
from ..exercise import Exercise
from .material import random_attention, random_ffn

rng = np.random.default_rng(4)
Layer = Callable[[Array], Array]

# --- GELU -----------------------------------------------------------------------------


def tanh_form(x: Array) -> Array:
    """This is the tanh form, an approximation that is up to 0.0005 off; other models
    use it under the same name. DistilBERT's GELU is the exact one, with erf.
    """
    return gelu_new(x)


def quick_form(x: Array) -> Array:
    """This is x · σ(1.702 x), an approximation that is up to 0.02 off. DistilBERT's
    GELU is the exact one, with erf.
    """
    return x * functions.sigmoid(1.702 * x)


def relu(x: Array) -> Array:
    """This is ReLU, which cuts off everything below 0. GELU lets a little through: −1
    becomes −0.16.
    """
    return functions.relu(x)


def silu(x: Array) -> Array:
    """This is x · σ(x), SiLU. GELU has Φ, the normal distribution, in place of σ."""
    return functions.silu(x)


def root_missing(x: Array) -> Array:
    """Nearly: Φ(x) contains erf(x/√2), not erf(x)."""
    return x * (1 + functions.erf(x)) / 2


def half_missing(x: Array) -> Array:
    """Twice too large: 1 + erf runs from 0 to 2, and a share from 0 to 1 is wanted."""
    return 2 * gelu(x)


def one_missing(x: Array) -> Array:
    """erf runs from −1 to 1. Add 1 and halve it, for a share from 0 to 1."""
    return x * functions.erf(x / math.sqrt(2)) / 2


def share_alone(x: Array) -> Array:
    """This is Φ(x), the share that passes. GELU is x times it."""
    return (1 + functions.erf(x / math.sqrt(2))) / 2


def one_kept_whole(x: Array) -> Array:
    """The sum 1 + erf is halved, not erf alone: mind the parentheses."""
    return x * (1 + functions.erf(x / math.sqrt(2)) / 2)


def halved_inside(x: Array) -> Array:
    """Nearly: inside erf, x is divided by √2 and not by 2."""
    return x * (1 + functions.erf(x / 2)) / 2


def multiplied_inside(x: Array) -> Array:
    """Nearly: inside erf, x is divided by √2, not multiplied."""
    return x * (1 + functions.erf(x * math.sqrt(2))) / 2


def of_one_number(x: Array) -> Array:
    """math.erf takes one number, and x is an array. The erf that is imported above
    takes arrays.
    """
    return x * (1 + math.erf(x / math.sqrt(2))) / 2


GELU = Exercise(
    name="gelu",
    lesson=4,
    minutes=4,
    difficulty=1,
    answer=gelu,
    cases={
        "5 numbers": (np.arange(-2.0, 3.0),),
        "an array of three axes": (rng.normal(size=(2, 3, 4)),),
        "large numbers": (np.array([-40.0, -10, 10, 40]),),
    },
    hints=(
        "Φ(x) is the share of normally distributed numbers below x: 0 far on the left, "
        "½ at 0, 1 far on the right. GELU is x · Φ(x).",
        "Φ(x) = (1 + erf(x/√2)) / 2. NumPy has no erf; this package has one, for "
        "arrays: from distilbert_np.functions import erf.",
        "x * (1 + erf(x / np.sqrt(2))) / 2",
    ),
    slips=(
        tanh_form, quick_form, relu, silu, root_missing, half_missing, one_missing,
        share_alone, one_kept_whole, halved_inside, multiplied_inside, of_one_number,
    ),
)

# --- feed-forward ---------------------------------------------------------------------


def ffn(x: Array, params: Tree) -> Array:
    """Return what the library's ffn returns with GELU, without its trace: (B, L, D)."""
    y, _ = library.ffn(x, params, "gelu")
    return y


def ffn_with(activation: Layer, x: Array, params: Tree) -> Array:
    """Return what a feed-forward network with another activation returns."""
    return linear(activation(linear(x, **params["lin1"])), **params["lin2"])


def with_tanh_form(x: Array, params: Tree) -> Array:
    """GELU is the tanh form here; DistilBERT's is the exact one, functions.gelu."""
    return ffn_with(tanh_form, x, params)


def with_quick_form(x: Array, params: Tree) -> Array:
    """GELU is x · σ(1.702 x) here; DistilBERT's is the exact one, functions.gelu."""
    return ffn_with(quick_form, x, params)


def with_relu(x: Array, params: Tree) -> Array:
    """The activation is ReLU, and should be GELU."""
    return ffn_with(relu, x, params)


def not_activated(x: Array, params: Tree) -> Array:
    """There is nothing between the two linears: together they are only one linear, and
    widening gains nothing. GELU belongs between them.
    """
    return ffn_with(lambda hidden: hidden, x, params)


def activated_last(x: Array, params: Tree) -> Array:
    """GELU comes after the second linear. It belongs between the two."""
    return gelu(not_activated(x, params))


def activated_twice(x: Array, params: Tree) -> Array:
    """There is a GELU after the second linear as well. What comes out of it is added
    to x, and must be able to pull down as well as up.
    """
    return gelu(ffn(x, params))


def with_residual(x: Array, params: Tree) -> Array:
    """x is added to the result. The block does that; here, lin2 is the last step."""
    return x + ffn(x, params)


def without_first_bias(x: Array, params: Tree) -> Array:
    """lin1's bias is missing."""
    hidden = x @ params["lin1"]["weight"].T
    return linear(gelu(hidden), **params["lin2"])


def without_last_bias(x: Array, params: Tree) -> Array:
    """lin2's bias is missing."""
    return ffn(x, params) - params["lin2"]["bias"]


def without_biases(x: Array, params: Tree) -> Array:
    """Both biases are missing: a linear is x @ Wᵀ + b."""
    return without_first_bias(x, params) - params["lin2"]["bias"]


def not_turned(x: Array, params: Tree) -> Array:
    """The weights must be transposed: one is stored as (out, in), lin1's as (F, D),
    so x @ weight.T. Where F = D no shape complains.
    """
    lin1, lin2 = params["lin1"], params["lin2"]
    return gelu(x @ lin1["weight"] + lin1["bias"]) @ lin2["weight"] + lin2["bias"]


def activated_first(x: Array, params: Tree) -> Array:
    """x is bent first, and then widened and narrowed. GELU belongs between the two."""
    return not_activated(gelu(x), params)


def not_narrowed(x: Array, params: Tree) -> Array:
    """This is wide and bent, (B, L, F): lin2 is still to come."""
    return gelu(linear(x, **params["lin1"]))


FFN = Exercise(
    name="ffn",
    lesson=4,
    minutes=5,
    difficulty=1,
    answer=ffn,
    cases={
        "2 tokens with D = 3 and F = 6": (
            rng.normal(size=(1, 2, 3)).round(1), random_ffn(rng, 3, 6)
        ),
        "as wide inside as outside": (
            rng.normal(size=(2, 3, 4)), random_ffn(rng, 4, 4)
        ),
        "3 texts": (rng.normal(size=(3, 5, 4)), random_ffn(rng, 4, 16)),
    },
    hints=(
        "Three steps, each reads what the one before made: widen, bend, narrow.",
        "linear(x, **params[\"lin1\"]) widens x to (B, L, F); ** passes the dict's "
        "weight and bias as the arguments of these names.",
        "linear(gelu(linear(x, **params[\"lin1\"])), **params[\"lin2\"])",
    ),
    slips=(
        with_tanh_form, with_quick_form, with_relu, not_activated, activated_last,
        activated_twice, with_residual, without_first_bias, without_last_bias,
        without_biases, not_turned, activated_first, not_narrowed,
    ),
    reveals=(library.ffn,),
)

# --- LayerNorm ------------------------------------------------------------------------


def centred(x: Array, axis: int | tuple[int, ...] | None = -1) -> Array:
    """Return x minus its mean over some axes."""
    return x - x.mean(axis=axis, keepdims=True)


def normalised_by(
    divisor: Callable[[Array, float], Array],
    x: Array,
    weight: Array,
    bias: Array,
    eps: float,
) -> Array:
    """Return LayerNorm where each row, centred, is divided by divisor(variance, eps).
    """
    return centred(x) / divisor(x.var(axis=-1, keepdims=True), eps) * weight + bias


def over_axes(
    axis: int | tuple[int, ...] | None, x: Array, weight: Array, bias: Array, eps: float
) -> Array:
    """Return LayerNorm over other axes than the last."""
    deviation = np.sqrt(x.var(axis=axis, keepdims=True) + eps)
    return centred(x, axis) / deviation * weight + bias


def over_tokens(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """Each of the D places got mean 0 over the tokens. It is each token that is to have
    mean 0 over its own D numbers: axis=-1.
    """
    return over_axes(-2, x, weight, bias, eps)


def over_texts(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """Mean and variance are taken over the texts of a batch (axis 0), so that a text's
    numbers depend on its neighbours. Each token is normalised alone: axis=-1.
    """
    return over_axes(0, x, weight, bias, eps)


def over_everything(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """Right for one vector, but here one mean is taken of the whole array: without an
    axis, mean and var run over everything. Each token has its own: axis=-1.
    """
    return over_axes(None, x, weight, bias, eps)


def unbiased(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """The variance divides by D − 1. LayerNorm's divides by D."""
    D = x.shape[-1]
    return normalised_by(
        lambda variance, eps: np.sqrt(variance * D / (D - 1) + eps),
        x, weight, bias, eps,
    )


def not_centred(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """The mean is not subtracted: rows should have mean 0 before gain and bias."""
    return x / np.sqrt(x.var(axis=-1, keepdims=True) + eps) * weight + bias


def root_mean_square(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """Each row is divided by the root of its mean square, and not centred: that is
    RMSNorm, of later models. LayerNorm subtracts the mean first.
    """
    squares = (x * x).mean(axis=-1, keepdims=True)
    return x / np.sqrt(squares + eps) * weight + bias


def not_rooted(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """Divided by the variance, not by its root: √(variance + eps)."""
    return normalised_by(np.add, x, weight, bias, eps)


def gain_and_bias_missing(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """Rows have mean 0 and variance 1, but are not stretched by `weight` and shifted by
    `bias`.
    """
    return layer_norm(x, np.ones_like(weight), np.zeros_like(bias), eps)


def bias_missing(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """`bias` is not added."""
    return layer_norm(x, weight, np.zeros_like(bias), eps)


def bias_stretched(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """The bias is stretched by the gain: multiply first, then add."""
    return layer_norm(x, weight, weight * bias, eps)


def eps_forgotten(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """eps is not used: where all numbers of a row are equal, the variance is 0, and
    0 / 0 is NaN. Add eps to the variance, inside the root.
    """
    return normalised_by(lambda variance, _: np.sqrt(variance), x, weight, bias, eps)


def eps_outside(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """eps is added to the root. It belongs inside: √(variance + eps)."""
    return normalised_by(
        lambda variance, eps: np.sqrt(variance) + eps, x, weight, bias, eps
    )


def eps_outside_1e_5(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """1e-5 is added to the root. What is added is eps, and inside the root:
    √(variance + eps).
    """
    return eps_outside(x, weight, bias, 1e-5)


def eps_1e_5(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """1e-5 is added to the variance, whatever eps is. Many libraries' LayerNorm has
    1e-5, DistilBERT's 1e-12: on a row of small numbers that is seen.
    """
    return layer_norm(x, weight, bias, 1e-5)


def eps_1e_3(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """1e-3 is added to the variance, whatever eps is. DistilBERT has 1e-12."""
    return layer_norm(x, weight, bias, 1e-3)


def eps_1e_12(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """1e-12 is added to the variance, whatever eps is: use the argument."""
    return layer_norm(x, weight, bias, 1e-12)


def axis_lost(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """Mean and variance lose the last axis, and line up with the wrong one of x.
    keepdims=True keeps it: (..., 1).
    """
    return (x - x.mean(axis=-1)) / np.sqrt(x.var(axis=-1) + eps) * weight + bias


def divided_before_minus(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """Only the mean is divided: / comes before the minus. Put x - mean in parentheses.
    """
    deviation = np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    return x - x.mean(axis=-1, keepdims=True) / deviation * weight + bias


def gain_and_bias_swapped(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """`weight` and `bias` have changed places: multiply by the one, add the other."""
    return layer_norm(x, bias, weight, eps)


def rooted_twice(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """std is the root of the variance already, and the root of it is taken again:
    √(variance + eps).
    """
    return normalised_by(
        lambda variance, eps: np.sqrt(np.sqrt(variance) + eps), x, weight, bias, eps
    )


def root_multiplied(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """Multiplied by the root of the variance, and should be divided."""
    return normalised_by(
        lambda variance, eps: 1 / np.sqrt(variance + eps), x, weight, bias, eps
    )


def halved(x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """** 1/2 is half of the first power: ** comes before /. A root is ** 0.5."""
    return normalised_by(
        lambda variance, eps: 2 * (variance + eps), x, weight, bias, eps
    )


def has_nan(found: Array, *_: Array) -> bool:
    """It holds NaN: something is divided by 0. What is the variance of equal numbers?
    """
    return bool(np.isnan(found).any())


def rows_not_centred(
    found: Array, x: Array, weight: Array, bias: Array, eps: float
) -> bool:
    """Without gain and bias, rows do not have mean 0: which axis is the mean taken
    over, and is it kept (keepdims)?
    """
    is_plain = (weight == 1).all() and not bias.any()
    return is_plain and not np.allclose(found.mean(axis=-1), 0, atol=1e-6)


LAYER_NORM = Exercise(
    name="layer_norm",
    lesson=4,
    minutes=7,
    difficulty=2,
    answer=layer_norm,
    cases={
        "2 tokens of 4 numbers": (
            np.array([[[1.0, 1, 5, 5], [0, 4, 2, 2]]]), np.ones(4), np.zeros(4), 1e-12
        ),
        "one vector": (rng.normal(size=5), np.ones(5), np.zeros(5), 1e-12),
        "a gain and a bias": (
            rng.normal(3, 2, size=(2, 3, 6)), *rng.normal(1, 0.3, size=(2, 6)), 1e-12
        ),
        "a row of small numbers": (
            rng.normal(0, 1e-4, size=(2, 3, 4)), np.ones(4), np.zeros(4), 1e-12
        ),
        "a larger eps": (rng.normal(size=(2, 3, 4)), np.ones(4), np.zeros(4), 0.1),
        "a row of equal numbers": (
            np.array([[[2.0, 2, 2], [1, 2, 3]]]), np.ones(3), np.zeros(3), 1e-12
        ),
    },
    hints=(
        "Each token alone: subtract the mean of its D numbers, divide by their "
        "standard deviation, and then stretch and shift.",
        "x.mean(axis=-1, keepdims=True) is (B, L, 1), one mean for each token, in a "
        "shape that can be subtracted from x. x.var takes the same arguments.",
        "The divisor is np.sqrt(variance + eps): eps inside the root.",
        "(x - mean) / np.sqrt(variance + eps) * weight + bias",
    ),
    slips=(
        over_tokens, over_texts, over_everything, unbiased, not_centred,
        root_mean_square, not_rooted, gain_and_bias_missing, bias_missing,
        bias_stretched, eps_forgotten, eps_outside, eps_outside_1e_5, eps_1e_5,
        eps_1e_3, eps_1e_12, axis_lost, divided_before_minus, gain_and_bias_swapped,
        rooted_twice, root_multiplied, halved,
    ),
    signs=(has_nan, rows_not_centred),
    reveals=(
        layer_norm, functions._layer_norm, functions._normalise, functions._moments
    ),
)

# --- the block ------------------------------------------------------------------------


def block(x: Array, params: Tree, mask: Array, config: DistilBertConfig) -> Array:
    """Return what the library's transformer_block returns, without its trace."""
    y, _ = encoder.transformer_block(x, params, mask, config)
    return y


class Layers(NamedTuple):
    """The four layers of a block, each a function of one array (B, L, D)."""

    attend: Layer
    feed: Layer
    norm_1: Layer
    norm_2: Layer


def layers_of(params: Tree, mask: Array, config: DistilBertConfig) -> Layers:
    """Return the layers of a block with these parameters."""
    return Layers(
        lambda x: attention(x, params["attention"], mask, config.n_heads)[0],
        lambda x: library.ffn(x, params["ffn"], config.activation)[0],
        partial(layer_norm, **params["sa_layer_norm"]),
        partial(layer_norm, **params["output_layer_norm"]),
    )


def wired(compute: Callable[[Array, Layers], Array]) -> Callable[..., Array]:
    """Return the block whose layers are put together as `compute` does."""
    @wraps(compute)
    def slip(x: Array, params: Tree, mask: Array, config: DistilBertConfig) -> Array:
        return compute(x, layers_of(params, mask, config))

    return slip


@wired
def pre_norm(x: Array, to: Layers) -> Array:
    """LayerNorm comes before attention and feed-forward. So it is in GPT-2 and most
    models since; in DistilBERT it comes after each sum ("post-LN").
    """
    middle = x + to.attend(to.norm_1(x))
    return middle + to.feed(to.norm_2(middle))


@wired
def no_first_residual(x: Array, to: Layers) -> Array:
    """Attention's output is not added to what it read: x + attended."""
    middle = to.norm_1(to.attend(x))
    return to.norm_2(middle + to.feed(middle))


@wired
def no_second_residual(x: Array, to: Layers) -> Array:
    """The feed-forward network's output is not added to what it read."""
    return to.norm_2(to.feed(to.norm_1(x + to.attend(x))))


@wired
def no_residuals(x: Array, to: Layers) -> Array:
    """Nothing is added to what was read: both residual sums are missing."""
    return to.norm_2(to.feed(to.norm_1(to.attend(x))))


@wired
def residual_from_block_input(x: Array, to: Layers) -> Array:
    """The second sum adds the block's input x. What the feed-forward network read was
    the first LayerNorm's output; that is what its own output is added to.
    """
    return to.norm_2(x + to.feed(to.norm_1(x + to.attend(x))))


@wired
def residual_around_norm(x: Array, to: Layers) -> Array:
    """The second sum adds what the first LayerNorm read. What the feed-forward network
    read is what that LayerNorm returned.
    """
    first_sum = x + to.attend(x)
    return to.norm_2(first_sum + to.feed(to.norm_1(first_sum)))


@wired
def normalised_before_sum(x: Array, to: Layers) -> Array:
    """What attention and feed-forward return is normalised, and then added. Add first,
    then normalise the sum.
    """
    middle = x + to.norm_1(to.attend(x))
    return middle + to.norm_2(to.feed(middle))


@wired
def side_by_side(x: Array, to: Layers) -> Array:
    """The feed-forward network reads the block's input, beside attention. It reads what
    attention made: the first LayerNorm's output.
    """
    return to.norm_2(to.norm_1(x + to.attend(x)) + to.feed(x))


@wired
def norms_swapped(x: Array, to: Layers) -> Array:
    """The two LayerNorms have each other's gain and bias: sa_layer_norm comes after
    self-attention, output_layer_norm is the last.
    """
    middle = to.norm_2(x + to.attend(x))
    return to.norm_1(middle + to.feed(middle))


@wired
def one_norm_twice(x: Array, to: Layers) -> Array:
    """sa_layer_norm is used both times; the second LayerNorm is output_layer_norm."""
    middle = to.norm_1(x + to.attend(x))
    return to.norm_1(middle + to.feed(middle))


@wired
def no_first_norm(x: Array, to: Layers) -> Array:
    """The LayerNorm after attention's sum is missing."""
    middle = x + to.attend(x)
    return to.norm_2(middle + to.feed(middle))


@wired
def no_last_norm(x: Array, to: Layers) -> Array:
    """The LayerNorm at the end is missing."""
    middle = to.norm_1(x + to.attend(x))
    return middle + to.feed(middle)


@wired
def no_norms(x: Array, to: Layers) -> Array:
    """Both LayerNorms are missing."""
    middle = x + to.attend(x)
    return middle + to.feed(middle)


def traces_kept(
    x: Array, params: Tree, mask: Array, config: DistilBertConfig
) -> Array:
    """attention returns two things, the output and its trace, and both together cannot
    be added to x: attended, _ = attention(…). So does ffn.
    """
    return x + attention(x, params["attention"], mask, config.n_heads)


@wired
def half_a_block(x: Array, to: Layers) -> Array:
    """This is the first half: it goes on with feed-forward, a sum and a LayerNorm."""
    return to.norm_1(x + to.attend(x))


@wired
def feed_first(x: Array, to: Layers) -> Array:
    """The feed-forward network comes before attention. Attention comes first."""
    middle = to.norm_1(x + to.feed(x))
    return to.norm_2(middle + to.attend(middle))


def mask_not_passed(
    x: Array, params: Tree, mask: Array, config: DistilBertConfig
) -> Array:
    """The mask does not reach attention: padding is looked at."""
    return block(x, params, np.ones_like(mask), config)


def random_norm(dim: int) -> Tree:
    """Return a gain around 1, and a bias around 0."""
    return {"weight": rng.normal(1, 0.3, dim), "bias": rng.normal(0, 0.3, dim)}


def random_block(dim: int, hidden_dim: int) -> Tree:
    """Return parameters of a block."""
    return {
        "attention": random_attention(rng, dim),
        "sa_layer_norm": random_norm(dim),
        "ffn": random_ffn(rng, dim, hidden_dim),
        "output_layer_norm": random_norm(dim),
    }


BLOCK = Exercise(
    name="block",
    lesson=4,
    minutes=8,
    difficulty=2,
    answer=block,
    cases={
        "3 tokens with D = 4": (
            rng.normal(size=(1, 3, 4)).round(1), random_block(4, 8),
            np.ones((1, 3), bool), DistilBertConfig(dim=4, n_heads=2, hidden_dim=8),
        ),
        "one token": (
            rng.normal(size=(2, 1, 4)), random_block(4, 8), np.ones((2, 1), bool),
            DistilBertConfig(dim=4, n_heads=1, hidden_dim=8),
        ),
        "2 texts with padding": (
            rng.normal(size=(2, 4, 6)), random_block(6, 12),
            np.array([[True, True, True, True], [True, True, False, False]]),
            DistilBertConfig(dim=6, n_heads=3, hidden_dim=12),
        ),
    },
    hints=(
        "Four lines: attention; sum and LayerNorm; feed-forward; sum and LayerNorm. "
        "What does each of them read?",
        "attended, _ = attention(x, params[\"attention\"], mask, config.n_heads). Then "
        "it is the sum x + attended that is normalised.",
        "middle = layer_norm(x + attended, **params[\"sa_layer_norm\"]). From here on "
        "nobody needs x: the feed-forward network reads middle, and what it returns is "
        "added to middle.",
        "transformed, _ = ffn(middle, params[\"ffn\"], config.activation); the result "
        "is layer_norm(middle + transformed, **params[\"output_layer_norm\"]).",
    ),
    slips=(
        pre_norm, no_first_residual, no_second_residual, no_residuals,
        residual_from_block_input, residual_around_norm, normalised_before_sum,
        side_by_side, norms_swapped, one_norm_twice, no_first_norm, no_last_norm,
        no_norms, mask_not_passed, traces_kept, half_a_block, feed_first,
    ),
    reveals=(encoder.transformer_block,),
)

EXERCISES = (GELU, FFN, LAYER_NORM, BLOCK)
