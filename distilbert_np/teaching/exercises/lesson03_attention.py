"""Lesson 3, attention: what there is to write, and what goes wrong."""

import math
from collections.abc import Callable

import numpy as np

from ... import attention as library
from ... import functions
from ...functions import Array, linear, softmax
from ...trees import Tree
from ..exercise import Exercise
from .material import random_attention

rng = np.random.default_rng(3)

# --- split the heads ------------------------------------------------------------------


def reshaped_alone(x: Array, n_heads: int) -> Array:
    """A head gets whole tokens instead of a part of each token: reshaping straight to
    (B, H, L, K) deals out the numbers in the order in which they lie in memory. Reshape
    to (B, L, H, K) first, then transpose.
    """
    B, L, D = x.shape
    return x.reshape(B, n_heads, L, D // n_heads)


def not_transposed(x: Array, n_heads: int) -> Array:
    """Tokens still come before heads, (B, L, H, K): transpose after the reshape."""
    B, L, D = x.shape
    return x.reshape(B, L, n_heads, D // n_heads)


def dealt_out(x: Array, n_heads: int) -> Array:
    """Each head got every H-th number of a token. A head is K numbers in a row: reshape
    to (B, L, H, K), not to (B, L, K, H).
    """
    B, L, D = x.shape
    return x.reshape(B, L, D // n_heads, n_heads).transpose(0, 3, 1, 2)


def transposed_first(x: Array, n_heads: int) -> Array:
    """The axes are transposed before they are cut, so each head runs through one place
    of all tokens, then the next. First reshape to (B, L, H, K), then transpose.
    """
    B, L, D = x.shape
    return x.transpose(0, 2, 1).reshape(B, n_heads, L, D // n_heads)


def heads_in_front(x: Array, n_heads: int) -> Array:
    """The heads come before the texts, (H, B, L, K): texts come first, (B, H, L, K)."""
    return np.stack(np.split(x, n_heads, axis=-1))


def divided_to_a_float(x: Array, n_heads: int) -> Array:
    """D / n_heads is a float, 2.0, and no axis has a length of 2.0: K = D // n_heads.
    """
    B, L, D = x.shape
    return x.reshape(B, L, n_heads, D / n_heads)


SPLIT_HEADS = Exercise(
    name="split_heads",
    lesson=3,
    minutes=6,
    difficulty=2,
    answer=library.split_heads,
    cases={
        "2 tokens and 2 heads": (np.arange(8.0).reshape(1, 2, 4), 2),
        "one head": (rng.normal(size=(2, 3, 4)), 1),
        "3 texts of 5 tokens, and 4 heads": (rng.normal(size=(3, 5, 8)), 4),
        "as many tokens as heads": (rng.normal(size=(2, 4, 8)), 4),
    },
    hints=(
        "No number changes: only where it stands. Which two axes do you need instead "
        "of the last one, D?",
        "First x.reshape(B, L, n_heads, K). Then look at the order of the axes.",
        "The order wanted is (B, H, L, K): transpose(0, 2, 1, 3).",
    ),
    slips=(
        reshaped_alone, not_transposed, dealt_out, transposed_first, heads_in_front,
        divided_to_a_float,
    ),
)

# --- merge the heads ------------------------------------------------------------------


def not_transposed_back(x: Array) -> Array:
    """Right for one head or one token, but else tokens are mixed: axes 1 and 2 are
    heads and tokens, (B, H, L, K). Transpose back to (B, L, H, K) before the reshape.
    """
    B, H, L, K = x.shape
    return x.reshape(B, L, H * K)


def woven(x: Array) -> Array:
    """The heads' numbers alternate within a token. First all K of head 0, then all K
    of head 1: before the reshape the axes must stand as (B, L, H, K).
    """
    B, H, L, K = x.shape
    return x.transpose(0, 2, 3, 1).reshape(B, L, H * K)


def not_reshaped(x: Array) -> Array:
    """Tokens come before heads again, but each token is still in H pieces: reshape the
    last two axes into one of D = H · K numbers.
    """
    return x.transpose(0, 2, 1, 3)


def averaged(x: Array) -> Array:
    """The heads are averaged. Nothing is computed here: their numbers stand side by
    side again, H · K of them.
    """
    return x.mean(axis=1)


def added_up(x: Array) -> Array:
    """The heads are added up. Nothing is computed here: their numbers stand side by
    side again, H · K of them.
    """
    return x.sum(axis=1)


MERGE_HEADS = Exercise(
    name="merge_heads",
    lesson=3,
    minutes=3,
    difficulty=1,
    answer=library.merge_heads,
    cases={
        "2 heads and 2 tokens": (np.arange(8.0).reshape(1, 2, 2, 2),),
        "one head": (rng.normal(size=(2, 1, 3, 4)),),
        "one token": (rng.normal(size=(2, 3, 1, 4)),),
        "3 texts of 5 tokens, and 4 heads": (rng.normal(size=(3, 4, 5, 2)),),
    },
    hints=(
        "Walk my_split_heads backwards: its last step is undone first.",
        "From (B, H, L, K) back to (B, L, H, K): which axes change places?",
        "x.transpose(0, 2, 1, 3), then reshape to (B, L, H * K).",
    ),
    slips=(not_transposed_back, woven, not_reshaped, averaged, added_up),
)

# --- scores ---------------------------------------------------------------------------


def attention_scores(q: Array, k: Array) -> Array:       # -> (B, H, L, L)
    """Return q kᵀ / √K: how well each query fits each key."""
    return q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])


def not_scaled(q: Array, k: Array) -> Array:
    """The products are right, but not divided by √K."""
    return q @ k.swapaxes(-1, -2)


def divided_by_width(q: Array, k: Array) -> Array:
    """Divided by K, not by its root: sums of K products grow like √K, not like K."""
    return q @ k.swapaxes(-1, -2) / q.shape[-1]


def divided_by_root_dim(q: Array, k: Array) -> Array:
    """Divided by √D. Each product is a sum over the K numbers of one head: take √K,
    and K = D/H is the last axis of q.
    """
    return q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[1] * q.shape[-1])


def divided_by_root_length(q: Array, k: Array) -> Array:
    """Divided by √L, the number of tokens. What is added up are K products: K is the
    last axis of q, L the last but one.
    """
    return q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-2])


def multiplied(q: Array, k: Array) -> Array:
    """Multiplied by √K, where it should be divided."""
    return q @ k.swapaxes(-1, -2) * math.sqrt(q.shape[-1])


def keys_in_rows(q: Array, k: Array) -> Array:
    """Row i must belong to query i, column j to key j; here it is the other way round:
    q @ kᵀ, not k @ qᵀ.
    """
    return attention_scores(k, q)


def all_axes_turned(q: Array, k: Array) -> Array:
    """.T turns all four axes round. Only the last two are to change places."""
    return q @ k.T / math.sqrt(q.shape[-1])


def keys_reshaped(q: Array, k: Array) -> Array:
    """The keys are reshaped, not transposed: the shape (B, H, K, L) is right, and the
    tokens are mixed, as in exercise 3.1. Let the axes change places.
    """
    B, H, L, K = k.shape
    return q @ k.reshape(B, H, K, L) / math.sqrt(K)


def weights_already(q: Array, k: Array) -> Array:
    """These are weights already. Softmax comes next; asked for is what it reads."""
    return softmax(attention_scores(q, k))


ATTENTION_SCORES = Exercise(
    name="attention_scores",
    lesson=3,
    minutes=3,
    difficulty=1,
    answer=attention_scores,
    cases={
        "2 tokens of one head": (
            np.array([[[[1.0, 0, 2, 0], [0, 3, 0, 1]]]]),
            np.array([[[[2.0, 1, 0, 1], [4, 0, 2, 2]]]]),
        ),
        "numbers in a head as many as heads": tuple(rng.normal(size=(2, 1, 3, 4, 3))),
        "2 texts of 5 tokens, and 3 heads": tuple(rng.normal(size=(2, 2, 3, 5, 2))),
    },
    hints=(
        "For each text and head it is one product of matrices: (L, K) times (K, L).",
        "@ multiplies the last two axes and leaves the others alone. So k's last two "
        "axes must change places, and no others.",
        "k.swapaxes(-1, -2) is (B, H, K, L). Then divide by math.sqrt(K), where "
        "K = q.shape[-1].",
    ),
    slips=(
        not_scaled, divided_by_width, divided_by_root_dim, divided_by_root_length,
        multiplied, keys_in_rows, all_axes_turned, keys_reshaped, weights_already,
    ),
    reveals=(library.attention,),
)

# --- softmax --------------------------------------------------------------------------


def overflowing(x: Array) -> Array:
    """exp(1000) is too large for any number: it becomes infinite, and inf / inf NaN.
    Subtract each row's largest number first. That changes no result: can you see why?
    """
    exp = np.exp(x)
    return exp / exp.sum(axis=-1, keepdims=True)


def below_one_maximum(x: Array) -> Array:
    """One maximum is subtracted everywhere, and in a row far below it every exp is 0,
    so 0 / 0. Each row needs its own: x.max(axis=-1, keepdims=True).
    """
    exp = np.exp(x - x.max())
    return exp / exp.sum(axis=-1, keepdims=True)


def over_the_first_axis(x: Array) -> Array:
    """Columns sum to 1, rows do not: the axis is the last one, axis=-1."""
    exp = np.exp(x - x.max(axis=0, keepdims=True))
    return exp / exp.sum(axis=0, keepdims=True)


def over_everything(x: Array) -> Array:
    """The whole array sums to 1, not each row: without an axis, sum adds up everything.
    """
    exp = np.exp(x - x.max())
    return exp / exp.sum()


def without_kept_axis(x: Array) -> Array:
    """The sums are of rows, but column j is divided by the sum of row j: a sum over the
    last axis loses it, and what is left lines up with the columns. keepdims=True keeps
    it.
    """
    exp = np.exp(x - x.max(axis=-1, keepdims=True))
    return exp / exp.sum(axis=-1)


def not_divided(x: Array) -> Array:
    """exp is right; now divide each row by its sum."""
    return np.exp(x - x.max(axis=-1, keepdims=True))


def without_exp(x: Array) -> Array:
    """Each number is divided by its row's sum, without exp: so a negative score makes a
    negative weight.
    """
    return x / x.sum(axis=-1, keepdims=True)


def of_minus_x(x: Array) -> Array:
    """The smallest score gets the largest weight: x is to keep its sign."""
    return softmax(-x)


def below_turned(x: Array) -> Array:
    """The smallest score gets the largest weight: it is exp(x − max), not
    exp(max − x).
    """
    exp = np.exp(x.max(axis=-1, keepdims=True) - x)
    return exp / exp.sum(axis=-1, keepdims=True)


def its_logarithm(x: Array) -> Array:
    """This is the logarithm of softmax."""
    return functions.log_softmax(x)


def axis_lost_twice(x: Array) -> Array:
    """The sum over the last axis loses it, and the maximum as well: what is left lines
    up with the columns. keepdims=True keeps it.
    """
    exp = np.exp(x - x.max(axis=-1))
    return exp / exp.sum(axis=-1)


def axis_lost_and_overflowing(x: Array) -> Array:
    """A sum over the last axis loses it, so column j is divided by the sum of row j.
    keepdims=True keeps it.
    """
    exp = np.exp(x)
    return exp / exp.sum(axis=-1)


def below_the_mean(x: Array) -> Array:
    """The mean is subtracted. The largest number of a row may lie so far above it that
    its exp overflows all the same. Which number has none above it?
    """
    exp = np.exp(x - x.mean(axis=-1, keepdims=True))
    return exp / exp.sum(axis=-1, keepdims=True)


def clipped(x: Array) -> Array:
    """Large numbers are cut off at a limit, and those beyond it become equal. Nothing
    needs to be lost: what may you subtract from a row without changing the result?
    """
    return softmax(np.clip(x, -700, 700))


def two_sizes(x: Array) -> Array:
    """Something is subtracted above the line and not below it: divide by the sum of the
    very numbers that you divide.
    """
    exp = np.exp(x - x.max(axis=-1, keepdims=True))
    return exp / np.exp(x).sum(axis=-1, keepdims=True)


def row_by_row(x: Array) -> Array:
    """Parts along the first axis are taken one by one, and they are rows only where x
    has two axes. It may have any number: axis=-1, keepdims=True, and no loop.
    """
    return np.array([over_everything(part) for part in x])


def has_nan(found: Array, x: Array) -> bool:
    """It holds NaN, as inf / inf and 0 / 0 are: exp of a large number is infinite, and
    of one far below 0 it is 0. What may you subtract from a row without changing the
    result?
    """
    return bool(np.isnan(found).any())


def rows_do_not_sum_to_one(found: Array, x: Array, *_: Array) -> bool:
    """Rows do not sum to 1: which axis is summed over, and is it kept (keepdims)?"""
    return found.shape == x.shape and not np.allclose(found.sum(axis=-1), 1)


SOFTMAX = Exercise(
    name="softmax",
    lesson=3,
    minutes=5,
    difficulty=2,
    answer=softmax,
    cases={
        "2 rows of 3 numbers": (np.array([[0.0, 1, 2], [3, 3, 3]]),),
        "as many rows as columns": (rng.normal(size=(3, 3)),),
        "one row": (rng.normal(size=4),),
        "texts and heads": (rng.normal(size=(2, 3, 4, 4)),),
        "large numbers": (np.array([[1000.0, 1001, 999], [-1000, -1000, -1002]]),),
        "one number far above many": (
            np.array([[0.0, *199 * [-715]], np.linspace(-1, 1, 200)]),
        ),
    },
    hints=(
        "Two steps: make every number positive with np.exp, then divide each row by "
        "its own sum.",
        "exp.sum(axis=-1, keepdims=True) is (..., 1): one sum for each row, in a shape "
        "that divides the row.",
        "For large numbers: exp(x − c) = exp(x) / exp(c), and what divides the whole "
        "row cancels. So take c = x.max(axis=-1, keepdims=True); then no exp exceeds "
        "1.",
    ),
    slips=(
        overflowing, below_one_maximum, over_the_first_axis, over_everything,
        without_kept_axis, not_divided, without_exp, of_minus_x, below_turned,
        its_logarithm, axis_lost_twice, axis_lost_and_overflowing, below_the_mean,
        clipped, two_sizes, row_by_row,
    ),
    signs=(has_nan, rows_do_not_sum_to_one),
    reveals=(softmax, functions._softmax, functions._below_max),
)

# --- the mask -------------------------------------------------------------------------


def attention_weights(scores: Array, mask: Array) -> Array:    # -> (B, H, L, L)
    """Return the softmax of the scores, with nothing for hidden keys."""
    return softmax(scores, library.mask_bias(mask, scores.dtype))


def filled(scores: Array, mask: Array, fill: float) -> Array:
    """Return the softmax where a number is added to the scores of hidden keys."""
    return softmax(scores + np.where(mask, 0, fill)[:, None, None, :])


def mask_ignored(scores: Array, mask: Array) -> Array:
    """The mask is not used: padding gets a share of the attention."""
    return softmax(scores)


def mask_inverted(scores: Array, mask: Array) -> Array:
    """The mask is read the wrong way round: it is true where a key may be seen."""
    return attention_weights(scores, ~mask.astype(bool))


def mask_multiplied(scores: Array, mask: Array) -> Array:
    """The scores of hidden keys are 0, and exp(0) = 1 is a weight like any other.
    Hidden keys need the lowest score of all.
    """
    return softmax(scores * mask[:, None, None, :])


def masked_after(scores: Array, mask: Array) -> Array:
    """Hidden keys have weight 0, but the others kept what they had beside them, so that
    rows no longer sum to 1: mask the scores, before softmax.
    """
    return softmax(scores) * mask[:, None, None, :]


def shared_out_anew(scores: Array, mask: Array) -> Array:
    """Masked after softmax and shared out anew. That is right, until hidden keys had
    everything: then what is left is 0, and 0 / 0 is NaN. Mask the scores, before.
    """
    weights = masked_after(scores, mask)
    return weights / weights.sum(axis=-1, keepdims=True)


def queries_hidden(scores: Array, mask: Array) -> Array:
    """Rows are masked, not columns: padding must not be looked at, so its keys, the
    last axis, are what is hidden: mask[:, None, None, :].
    """
    lowest = np.finfo(scores.dtype).min
    return softmax(scores + np.where(mask, 0, lowest)[:, None, :, None])


def filled_with_infinity(scores: Array, mask: Array) -> Array:
    """Right as long as a row sees something. Where it sees nothing, every score is −∞,
    and −∞ − (−∞) is NaN: take the lowest finite number, np.finfo(scores.dtype).min.
    """
    return filled(scores, mask, -np.inf)


def filled_with_minus_1e4(scores: Array, mask: Array) -> Array:
    """−10,000 hides a key beside one in sight. But where a row sees nothing, the scores
    still tell the keys apart. The lowest number of the dtype swallows them.
    """
    return filled(scores, mask, -1e4)


def mask_not_widened(scores: Array, mask: Array) -> Array:
    """Right for one text alone: with more, the mask (B, L) does not line up with the
    scores (B, H, L, L). Give it the axes in between: mask[:, None, None, :].
    """
    return softmax(np.where(mask, scores, np.finfo(scores.dtype).min))


def blind_to_what_follows(scores: Array, mask: Array) -> Array:
    """Tokens do not see those after them. That is how GPT reads; DistilBERT reads in
    both directions.
    """
    seen = np.tril(mask[:, None, None, :] & np.ones(scores.shape, bool))
    return softmax(np.where(seen, scores, np.finfo(scores.dtype).min))


def over_the_queries(scores: Array, mask: Array) -> Array:
    """Each column sums to 1, and should each row: softmax goes over the keys, the last
    axis.
    """
    hidden = np.where(mask[:, None, None, :], scores, np.finfo(scores.dtype).min)
    return softmax(hidden.swapaxes(-1, -2)).swapaxes(-1, -2)


def hidden_lowest(scores: Array, mask: Array) -> Array:
    return np.where(mask[:, None, None, :], scores, np.finfo(scores.dtype).min)


def softmax_forgotten(scores: Array, mask: Array) -> Array:
    """The scores are masked as they should be; softmax is missing."""
    return hidden_lowest(scores, mask)


def filled_after(scores: Array, mask: Array) -> Array:
    """The lowest number is put in after softmax, where it is a weight. It belongs in
    the scores, before softmax.
    """
    return hidden_lowest(softmax(scores), mask)


def mask_added(scores: Array, mask: Array) -> Array:
    """The mask itself is added, and true counts as 1. What is to be added is 0 for a
    key in sight, and for a hidden one the lowest number.
    """
    return softmax(scores + mask[:, None, None, :])


def rows_hidden_too(scores: Array, mask: Array) -> Array:
    """Rows of hidden tokens are masked as well, so that they see nothing at all. Only
    columns are: a padding token may look, nobody reads what it finds.
    """
    seen = mask[:, None, :, None] & mask[:, None, None, :]
    return softmax(np.where(seen, scores, np.finfo(scores.dtype).min))


def sees_hidden_keys(found: Array, scores: Array, mask: Array) -> bool:
    """Hidden keys get attention beside keys in sight: their weight must be 0."""
    sighted = found[mask.any(axis=-1)]
    hidden = ~mask[mask.any(axis=-1)][:, None, None, :]
    return bool(np.any(sighted * hidden != 0))


def blind_rows_are_uneven(found: Array, scores: Array, mask: Array) -> bool:
    """Where a row sees nothing, all its weights must be equal, 1/L each: is what you
    add the lowest number of the dtype, np.finfo(scores.dtype).min?
    """
    blind = found[~mask.any(axis=-1)]
    return not np.allclose(blind, 1 / mask.shape[-1], rtol=1e-9, atol=0)


IN_SIGHT = np.array([[True, True, True, False], [False, True, True, True]])
NOTHING = np.zeros((1, 4), bool)
ATTENTION_WEIGHTS = Exercise(
    name="attention_weights",
    lesson=3,
    minutes=6,
    difficulty=2,
    answer=attention_weights,
    cases={
        "one text whose last token is padding": (
            np.array([[[[0.0, 1, 2], [3, 3, 3], [1, 0, 5]]]]),
            np.array([[True, True, False]]),
        ),
        "a text without padding": (rng.normal(size=(1, 2, 4, 4)), ~NOTHING),
        "padding on the right and on the left": (
            rng.normal(size=(2, 3, 4, 4)), IN_SIGHT
        ),
        "a hidden key whose score is 1000": (
            np.array([[[[1000.0, 0, 1], [1000, 1, 2], [1000, 3, 1]]]]),
            np.array([[False, True, True]]),
        ),
        "a text with no token in sight": (
            rng.normal(size=(3, 2, 4, 4)), np.concatenate([IN_SIGHT, NOTHING])
        ),
    },
    hints=(
        "Softmax gives a score that is far below all others a weight of exactly 0. How "
        "low can a number be?",
        "np.finfo(scores.dtype).min is the lowest. np.where(mask, 0, lowest) is what "
        "to add to the scores of each key, (B, L).",
        "Scores are (B, H, L, L), and keys are their last axis. So the mask must be "
        "(B, 1, 1, L): mask[:, None, None, :].",
        "softmax(scores + np.where(mask, 0, lowest)[:, None, None, :]), with softmax "
        "from distilbert_np.functions.",
    ),
    slips=(
        mask_ignored, mask_inverted, mask_multiplied, masked_after, shared_out_anew,
        queries_hidden, filled_with_infinity, filled_with_minus_1e4, mask_not_widened,
        blind_to_what_follows, over_the_queries, softmax_forgotten, filled_after,
        mask_added, rows_hidden_too,
    ),
    signs=(rows_do_not_sum_to_one, sees_hidden_keys, blind_rows_are_uneven),
    reveals=(library.attention, library.mask_bias),
)

# --- attention, whole -----------------------------------------------------------------


def attention(x: Array, params: Tree, mask: Array, n_heads: int) -> Array:
    """Return what the library's attention returns, without its trace: (B, L, D)."""
    y, _ = library.attention(x, params, mask, n_heads)
    return y


Part = Callable[..., Array]


def composed(
    x: Array,
    params: Tree,
    mask: Array,
    n_heads: int,
    q_lin: str = "q_lin",
    k_lin: str = "k_lin",
    v_lin: str = "v_lin",
    split: Part = library.split_heads,
    scores: Part = attention_scores,
    weights: Part = attention_weights,
    merge: Part = library.merge_heads,
    out_lin: Part = linear,
) -> Array:
    """Return attention, put together from parts, of which one may be a wrong one."""
    q, k, v = (
        split(linear(x, **params[name]), n_heads) for name in (q_lin, k_lin, v_lin)
    )
    context = merge(weights(scores(q, k), mask) @ v)
    return out_lin(context, **params["out_lin"])


def with_wrong(part: str, slip: Part) -> Part:
    """Return attention with a slip in one part; what the student is told is the same.
    """
    def slipped(x: Array, params: Tree, mask: Array, n_heads: int) -> Array:
        return composed(x, params, mask, n_heads, **{part: slip})

    slipped.__name__, slipped.__doc__ = slip.__name__, slip.__doc__
    return slipped


def query_key_swapped(x: Array, params: Tree, mask: Array, n_heads: int) -> Array:
    """Queries and keys have changed places: q comes from q_lin, k from k_lin, and the
    scores are q @ kᵀ, not k @ qᵀ.
    """
    return composed(x, params, mask, n_heads, q_lin="k_lin", k_lin="q_lin")


def infinite(scores: Array, mask: Array) -> Array:
    """Right as long as a row sees something; where it sees nothing, 0 / 0 or −∞ + ∞
    makes NaN. Mask the scores, before softmax, with the lowest finite number: mask_bias
    does.
    """
    return filled_with_infinity(scores, mask)


def values_are_keys(x: Array, params: Tree, mask: Array, n_heads: int) -> Array:
    """The mean is taken of keys; what the weights multiply are the values, from v_lin.
    """
    return composed(x, params, mask, n_heads, v_lin="k_lin")


def as_one_head(x: Array, params: Tree, mask: Array, n_heads: int) -> Array:
    """Right for one head, but n_heads is not used: split q, k and v into heads, and
    merge the context.
    """
    return composed(x, params, mask, 1)


def not_mixed(context: Array, weight: Array, bias: Array) -> Array:
    """The last step is missing: the merged context goes through out_lin."""
    return context


def without_bias(context: Array, weight: Array, bias: Array) -> Array:
    """out_lin's bias is missing."""
    return context @ weight.T


def not_turned(context: Array, weight: Array, bias: Array) -> Array:
    """out_lin multiplies by W, and should by Wᵀ: a weight is stored as (out, in).
    linear(x, weight, bias) does it right.
    """
    return context @ weight + bias


def added_to_input(x: Array, params: Tree, mask: Array, n_heads: int) -> Array:
    """x is added to the result. The block does that afterwards (lesson 4); attention
    itself ends with out_lin.
    """
    return x + composed(x, params, mask, n_heads)


def reshaped_both_ways(x: Array, params: Tree, mask: Array, n_heads: int) -> Array:
    """Heads are split by reshape alone, and merged so: both ways a transpose is
    missing. The shapes are right, but a head gets whole tokens.
    """
    return composed(
        x, params, mask, n_heads, split=reshaped_alone, merge=not_transposed_back
    )


def bias_of_none(x: Array, params: Tree, mask: Array, n_heads: int) -> Array:
    """Where every token is in sight mask_bias returns None, and None cannot be added.
    softmax(scores, bias) knows what to do with it.
    """
    return composed(x, params, mask, n_heads, weights=lambda scores, mask: softmax(
        scores + library.mask_bias(mask, scores.dtype)
    ))


def padding_zeroed(x: Array, params: Tree, mask: Array, n_heads: int) -> Array:
    """In the result the rows of padding are set to 0, but other tokens have looked at
    padding by then: mask the scores, before softmax.
    """
    return mask[..., None] * composed(x, params, mask, n_heads, weights=mask_ignored)


def weights_not_turned(x: Array, params: Tree, mask: Array, n_heads: int) -> Array:
    """q_lin, k_lin and v_lin multiply by W, and should by Wᵀ: a weight is stored as
    (out, in). linear(x, weight, bias) does it right.
    """
    turned = {name: p | {"weight": p["weight"].T} for name, p in params.items()}
    return composed(x, turned | {"out_lin": params["out_lin"]}, mask, n_heads)


ATTENTION = Exercise(
    name="attention",
    lesson=3,
    minutes=7,
    difficulty=3,
    answer=attention,
    cases={
        "3 tokens and 2 heads": (
            rng.normal(size=(1, 3, 4)).round(1), random_attention(rng, 4),
            np.ones((1, 3), bool), 2,
        ),
        "one head": (
            rng.normal(size=(2, 3, 4)), random_attention(rng, 4),
            np.ones((2, 3), bool), 1,
        ),
        "padded texts and 3 heads": (
            rng.normal(size=(2, 4, 12)), random_attention(rng, 12), IN_SIGHT, 3
        ),
        "a text with no token in sight": (
            rng.normal(size=(1, 4, 6)), random_attention(rng, 6), NOTHING, 2
        ),
    },
    hints=(
        "Everything is there already: linear, split_heads, softmax, mask_bias and "
        "merge_heads. Only the order is yours.",
        "q = split_heads(linear(x, **params[\"q_lin\"]), n_heads), and k and v alike: "
        "each is (B, H, L, K).",
        "scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1]); then "
        "weights = softmax(scores, mask_bias(mask, x.dtype)).",
        "merge_heads(weights @ v) is the context, (B, L, D). One linear is left: "
        "out_lin.",
    ),
    slips=(
        reshaped_both_ways, bias_of_none, padding_zeroed, weights_not_turned,
        query_key_swapped, values_are_keys, as_one_head, added_to_input,
        *(with_wrong("out_lin", slip) for slip in (
            not_mixed, without_bias, not_turned
        )),
        *(with_wrong("split", slip) for slip in (reshaped_alone, dealt_out)),
        with_wrong("merge", not_transposed_back), with_wrong("merge", woven),
        *(with_wrong("scores", slip) for slip in (
            not_scaled, divided_by_width, divided_by_root_dim, divided_by_root_length,
            multiplied,
        )),
        *(with_wrong("weights", slip) for slip in (
            mask_ignored, mask_inverted, mask_multiplied, masked_after, queries_hidden,
            infinite, filled_with_minus_1e4, mask_not_widened, blind_to_what_follows,
            over_the_queries,
        )),
    ),
    reveals=(library.attention,),
)

EXERCISES = (
    SPLIT_HEADS, MERGE_HEADS, ATTENTION_SCORES, SOFTMAX, ATTENTION_WEIGHTS, ATTENTION
)
