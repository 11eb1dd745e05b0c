"""Lesson 2, embeddings and positions: what there is to write, and what goes wrong."""

import numpy as np

from ... import embeddings
from ...functions import Array, layer_norm, lookup
from ...trees import Tree
from ..exercise import Exercise
from ..vectors import cosines, directions, nearest

rng = np.random.default_rng(2)

# --- look up --------------------------------------------------------------------------


def columns_taken(ids: Array, weight: Array) -> Array:
    """You took columns of the table: a token's vector is a row of it."""
    return weight.T[ids]


def counted_from_one(ids: Array, weight: Array) -> Array:
    """Ids count from 0: row 0 is the first. (NumPy reads row −1 as the last one.)"""
    return weight[ids - 1]


def single_numbers(ids: Array, weight: Array) -> Array:
    """Each id became a single number and not a row: np.take needs axis=0."""
    return weight.take(ids)


def flattened(ids: Array, weight: Array) -> Array:
    """The right rows, but the texts run into one another: keep the axes B and L."""
    return weight[ids.ravel()]


def first_text_alone(ids: Array, weight: Array) -> Array:
    """Only the first text is looked up, and there are B of them."""
    return weight[ids[0]]


def each_row_once(ids: Array, weight: Array) -> Array:
    """A token that comes twice has its row only once: one row for each place."""
    return weight[np.unique(ids)]


FRIENDLY = np.array([[0.0, 0.5], [1.0, 1.5], [2.0, 2.5], [3.0, 3.5]])

LOOKUP = Exercise(
    name="lookup",
    lesson=2,
    minutes=3,
    difficulty=1,
    answer=lookup,
    cases={
        "2 texts of 3 tokens": (np.array([[0, 2, 2], [3, 1, 0]]), FRIENDLY),
        "one text": (np.array([[4, 1, 0, 3]]), rng.normal(size=(5, 3))),
        "as many tokens as dimensions": (np.array([[3, 0], [1, 2]]), np.eye(4) + 1),
        "a table that is square": (np.array([[1, 2, 0]]), rng.normal(size=(3, 3))),
    },
    hints=(
        "weight[2] is the row number 2. What is weight[[2, 0]]?",
        "NumPy takes an array of row numbers as it takes one, and keeps its shape.",
        "It is one line, without a loop: weight[ids].",
    ),
    slips=(
        columns_taken, counted_from_one, single_numbers, flattened, first_text_alone,
        each_row_once,
    ),
)

# --- cosines --------------------------------------------------------------------------


def lengths_of(x: Array) -> Array:
    return np.linalg.norm(x, axis=-1, keepdims=True)


def not_divided(vectors: Array) -> Array:
    """These are dot products, so long vectors have large ones. Divide each vector by
    its length first.
    """
    return vectors @ vectors.T


def divided_on_one_side(vectors: Array) -> Array:
    """Only one of the two vectors is divided by its length: divide both."""
    return vectors / lengths_of(vectors) @ vectors.T


def divided_below(vectors: Array) -> Array:
    """Only one of the two vectors, the second, is divided by its length: divide both.
    """
    return divided_on_one_side(vectors).T


def squares_without_root(vectors: Array) -> Array:
    """The length is the square root of the sum of the squares. Is the root missing?"""
    rows = vectors / lengths_of(vectors) ** 2
    return rows @ rows.T


def sums_as_lengths(vectors: Array) -> Array:
    """The length is the square root of the sum of the squares, not a sum of absolute
    values.
    """
    rows = vectors / np.abs(vectors).sum(axis=-1, keepdims=True)
    return rows @ rows.T


def lengths_of_columns(vectors: Array) -> Array:
    """The lengths are those of the columns: a vector is a row, so sum over axis -1, and
    keep that axis (keepdims=True).
    """
    rows = vectors / np.linalg.norm(vectors, axis=0)
    return rows @ rows.T


def one_length(vectors: Array) -> Array:
    """All vectors are divided by one and the same length, that of the whole array. Each
    has its own: axis=-1, keepdims=True.
    """
    rows = vectors / np.linalg.norm(vectors)
    return rows @ rows.T


def distances(vectors: Array) -> Array:
    """1 − cosine is a distance, 0 between a vector and itself. The cosine is asked for.
    """
    rows = vectors / lengths_of(vectors)
    return 1 - rows @ rows.T


def correlations(vectors: Array) -> Array:
    """Each vector's mean was taken away, which gives correlations. A cosine takes the
    vectors as they are.
    """
    return np.corrcoef(vectors)


def axis_not_kept(vectors: Array) -> Array:
    """The lengths lose their axis, (n,), and line up with the columns. keepdims=True
    keeps it: (n, 1) divides each row.
    """
    directions = vectors / np.linalg.norm(vectors, axis=-1)
    return directions @ directions.T


def without_sign(vectors: Array) -> Array:
    """A cosine may be negative, for vectors that point away from each other: no
    absolute values.
    """
    directions = vectors / lengths_of(vectors)
    return np.abs(directions @ directions.T)


def not_one_with_itself(found: Array, vectors: Array) -> bool:
    """The diagonal is not 1. A vector and itself point the same way: their cosine is 1.
    """
    is_square = found.shape == 2 * (len(vectors),)
    return is_square and not np.allclose(np.diagonal(found), 1)


def beyond_one(found: Array, vectors: Array) -> bool:
    """There are numbers beyond −1 and 1, and no cosine is."""
    return np.abs(found).max() > 1 + 1e-9


COSINES = Exercise(
    name="cosines",
    lesson=2,
    minutes=5,
    difficulty=2,
    answer=cosines,
    cases={
        "the shown vectors": (
            np.array([[3.0, 4.0], [6.0, 8.0], [0.0, 5.0], [-3.0, -4.0]]),
        ),
        "vectors of length 1": (np.array([[0.6, 0.8, 0.0], [0.0, 1.0, 0.0]]),),
        "5 vectors": (rng.normal(size=(5, 8)),),
        "as many as they have numbers": (rng.normal(size=(4, 4)),),
        "very long and very short ones": (
            rng.normal(size=(4, 6)) * [[1e3], [1e-3], [1.0], [50.0]],
        ),
    },
    hints=(
        "The cosine of two vectors is a @ b / (|a| |b|). What is it for vectors of "
        "length 1?",
        "Divide each row by its length, np.sqrt((vectors**2).sum(axis=-1, "
        "keepdims=True)), or np.linalg.norm with the same axis and keepdims.",
        "With rows of length 1, all dot products at once are rows @ rows.T.",
    ),
    slips=(
        not_divided, divided_on_one_side, divided_below, squares_without_root,
        sums_as_lengths, lengths_of_columns, one_length, distances, correlations,
        axis_not_kept, without_sign,
    ),
    signs=(not_one_with_itself, beyond_one),
    reveals=(cosines, directions),
)

# --- nearest --------------------------------------------------------------------------


def cosines_with(row: int, vectors: Array) -> Array:
    return directions(vectors) @ directions(vectors)[row]


def ranked(likeness: Array, row: int, n: int) -> Array:
    """Return the n most alike, without the row itself."""
    order = (-likeness).argsort(kind="stable")
    return order[order != row][:n]


def itself_included(row: int, vectors: Array, n: int) -> Array:
    """The word itself is among them, at cosine 1: leave it out, and take n others."""
    return (-cosines_with(row, vectors)).argsort()[:n]


def one_too_few(row: int, vectors: Array, n: int) -> Array:
    """There is one too few: take the word itself out before you count to n."""
    return ranked(cosines_with(row, vectors), row, n - 1)


def farthest_first(row: int, vectors: Array, n: int) -> Array:
    """These are the farthest. argsort() puts the smallest first, and the nearest have
    the largest cosine: turn it round, [::-1].
    """
    return cosines_with(row, vectors).argsort()[:n]


def nearest_last(row: int, vectors: Array, n: int) -> Array:
    """The right ones, but the nearest is to come first."""
    return nearest(row, vectors, n)[::-1]


def by_dot_product(row: int, vectors: Array, n: int) -> Array:
    """The vectors are compared by their dot products, which favours long ones: divide
    by the lengths.
    """
    return ranked(vectors @ vectors[row], row, n)


def by_distance(row: int, vectors: Array, n: int) -> Array:
    """The vectors are compared by how far apart their ends are. By the cosine, only
    directions count.
    """
    return ranked(-np.linalg.norm(vectors - vectors[row], axis=-1), row, n)


def by_size_of_cosine(row: int, vectors: Array, n: int) -> Array:
    """A cosine of −0.9 is far away, not near: no absolute values."""
    return ranked(np.abs(cosines_with(row, vectors)), row, n)


def cosines_themselves(row: int, vectors: Array, n: int) -> Array:
    """These are the cosines. Asked for are the numbers of the rows: argsort, not sort.
    """
    return cosines_with(row, vectors)[nearest(row, vectors, n)]


def moved_up(row: int, vectors: Array, n: int) -> Array:
    """The row itself is taken out before sorting, so that all rows behind it have moved
    up by one, and have another's number. Sort first, then leave it out.
    """
    likeness = cosines_with(row, vectors)
    return (-np.delete(likeness, row)).argsort(kind="stable")[:n]


def by_dot_product_without_the_first(row: int, vectors: Array, n: int) -> Array:
    """The vectors are compared by their dot products, and by those the word itself need
    not come first: long ones do. Divide by the lengths.
    """
    return (-vectors @ vectors[row]).argsort(kind="stable")[1 : n + 1]


def holds_itself(found: Array, row: int, vectors: Array, n: int) -> bool:
    """The word itself is among its neighbours: leave it out."""
    return row in np.asarray(found)


ARROWS = np.array([
    [2.0, 0.0], [3.0, 1.0], [0.0, 2.0], [9.0, 9.0], [-5.0, 0.1], [0.5, 0.05],
])

NEAREST = Exercise(
    name="nearest",
    lesson=2,
    minutes=5,
    difficulty=2,
    answer=nearest,
    cases={
        "the shown arrows": (0, ARROWS, 3),
        "another row": (4, rng.normal(size=(8, 3)), 3),
        "the nearest alone": (2, rng.normal(size=(9, 4)), 1),
        "many vectors, long and short": (
            11, rng.normal(size=(40, 5)) * rng.uniform(0.1, 9, size=(40, 1)), 6,
        ),
        "all the others": (1, rng.normal(size=(5, 3)), 4),
    },
    hints=(
        "First the cosine of every row with vectors[row]: (V,) numbers.",
        "argsort() returns the numbers of the rows, that of the smallest cosine first; "
        "[::-1] turns it round.",
        "The row itself has cosine 1. Set its likeness to -np.inf (in an array of your "
        "own), or leave it out afterwards: order[order != row].",
        "likeness = vectors @ vectors[row] / np.linalg.norm(vectors, axis=-1) is "
        "enough: dividing by the length of the row itself changes no order.",
    ),
    slips=(
        itself_included, one_too_few, farthest_first, nearest_last, by_dot_product,
        by_distance, by_size_of_cosine, cosines_themselves, moved_up,
        by_dot_product_without_the_first,
    ),
    signs=(holds_itself,),
    reveals=(nearest, directions),
)

# --- sines and cosines ----------------------------------------------------------------


def angles(n_positions: int, exponents: Array, first: int = 0) -> Array:
    """Return the angles pos / 10000^exponent (P, D), counted from `first`."""
    pos = np.arange(first, first + n_positions)[:, None]
    return pos / 10000.0**exponents


def waves(angle: Array) -> Array:
    """Return the sine in even columns, and the cosine in odd ones."""
    return np.where(np.arange(angle.shape[1]) % 2, np.cos(angle), np.sin(angle))


def exponents_in_pairs(dim: int) -> Array:
    return np.arange(dim) // 2 * 2 / dim


def each_column_its_own(n_positions: int, dim: int) -> Array:
    """Columns 2i and 2i + 1 share one angle, with the exponent 2i/D; here each column
    has an angle of its own. For column j, 2i is 2 * (j // 2).
    """
    return waves(angles(n_positions, np.arange(dim) / dim))


def two_forgotten(n_positions: int, dim: int) -> Array:
    """The exponent is i/D, half of what it should be: 2i/D."""
    return waves(angles(n_positions, exponents_in_pairs(dim) / 2))


def two_too_many(n_positions: int, dim: int) -> Array:
    """The exponent is twice what it should be. Columns 2i and 2i + 1 have 2i/D."""
    return waves(angles(n_positions, exponents_in_pairs(dim) * 2))


def cosine_first(n_positions: int, dim: int) -> Array:
    """Sine and cosine have changed places: the sine stands in the even columns, 0, 2 …
    """
    angle = angles(n_positions, exponents_in_pairs(dim))
    return np.where(np.arange(dim) % 2, np.sin(angle), np.cos(angle))


def in_halves(n_positions: int, dim: int) -> Array:
    """All sines stand on the left and all cosines on the right. They take turns: sine,
    cosine, sine, cosine …
    """
    table = embeddings.sinusoidal_table(n_positions, dim)
    return np.concatenate([table[:, 0::2], table[:, 1::2]], axis=1)


def sines_alone(n_positions: int, dim: int) -> Array:
    """There are sines in all columns: odd ones have the cosine."""
    return np.sin(angles(n_positions, exponents_in_pairs(dim)))


def positions_from_one(n_positions: int, dim: int) -> Array:
    """Positions are counted from 1: the first row is position 0, all sines 0 and all
    cosines 1.
    """
    return waves(angles(n_positions, exponents_in_pairs(dim), first=1))


def multiplied(n_positions: int, dim: int) -> Array:
    """The position is multiplied by 10000^(2i/D), and is to be divided by it."""
    return waves(angles(n_positions, -exponents_in_pairs(dim)))


def another_base(n_positions: int, dim: int) -> Array:
    """The base is 1000 and not 10000."""
    return waves(angles(n_positions, exponents_in_pairs(dim) * 0.75))


def in_degrees(n_positions: int, dim: int) -> Array:
    """The angles are taken for degrees. They are radians already, as np.sin and np.cos
    want them.
    """
    return waves(np.deg2rad(angles(n_positions, exponents_in_pairs(dim))))


def turned(n_positions: int, dim: int) -> Array:
    """Rows and columns have changed places: each position is a row, (P, D)."""
    return embeddings.sinusoidal_table(n_positions, dim).T


def without_parentheses(n_positions: int, dim: int) -> Array:
    """The exponent needs parentheses: 10000 ** 2 * i / dim is the square of 10000,
    times i / dim.
    """
    pos = np.arange(n_positions)[:, None]
    return waves(pos / (10000**2 * (np.arange(dim) // 2) / dim))


def first_row_is_off(found: Array, n_positions: int, dim: int) -> bool:
    """At position 0 every angle is 0, so row 0 is 0, 1, 0, 1 … Yours is not."""
    return not np.allclose(found[0], np.arange(dim) % 2)


def not_on_the_circle(found: Array, n_positions: int, dim: int) -> bool:
    """Columns 2i and 2i + 1 are the sine and the cosine of one angle, so their squares
    add up to 1. Yours do not: do both have the same angle?
    """
    return not np.allclose(found[:, 0::2] ** 2 + found[:, 1::2] ** 2, 1)


SINUSOIDAL_TABLE = Exercise(
    name="sinusoidal_table",
    lesson=2,
    minutes=8,
    difficulty=3,
    answer=embeddings.sinusoidal_table,
    cases={
        "4 positions of 4 numbers": (4, 4),
        "2 numbers": (3, 2),
        "as many positions as numbers": (6, 6),
        "50 positions of 16 numbers": (50, 16),
    },
    hints=(
        "Make a column of positions, np.arange(n_positions)[:, None], and a row of "
        "columns j, np.arange(dim). Divided, they make a table (P, D).",
        "Columns 0 and 1 have i = 0, columns 2 and 3 have i = 1: i is j // 2.",
        "The angles are pos / 10000 ** (2 * (j // 2) / dim).",
        "table = np.sin(angle); then table[:, 1::2] = np.cos(angle[:, 1::2]) changes "
        "the odd columns. Or np.where(j % 2 == 0, ..., ...).",
    ),
    slips=(
        each_column_its_own, two_forgotten, two_too_many, cosine_first, in_halves,
        sines_alone, positions_from_one, multiplied, another_base, in_degrees, turned,
        without_parentheses,
    ),
    signs=(first_row_is_off, not_on_the_circle),
)

# --- the input of the first block -----------------------------------------------------


def input_vectors(ids: Array, params: Tree) -> Array:
    """Return LayerNorm(words + positions) (B, L, D), the input of the first block."""
    position_ids = np.arange(ids.shape[1])[None]                 # (1, L)
    return embeddings.embeddings(ids, position_ids, params)[0]


def words_in(ids: Array, params: Tree) -> Array:
    return params["word_embeddings"]["weight"][ids]              # (B, L, D)


def positions_in(ids: Array, params: Tree, first: int = 0) -> Array:
    table = params["position_embeddings"]["weight"]
    return table[first : first + ids.shape[1]]                   # (L, D)


def summed(ids: Array, params: Tree) -> Array:
    return words_in(ids, params) + positions_in(ids, params)


def normal(x: Array, eps: float = 1e-12, ddof: int = 0) -> Array:
    """Return rows of mean 0 and variance 1."""
    variance = x.var(axis=-1, keepdims=True, ddof=ddof)
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(variance + eps)


def stretched(x: Array, params: Tree) -> Array:
    return x * params["LayerNorm"]["weight"] + params["LayerNorm"]["bias"]


def normed(x: Array, params: Tree) -> Array:
    return layer_norm(x, **params["LayerNorm"])


def places_from_one(ids: Array, params: Tree) -> Array:
    """Positions are counted from 1: the first token is at position 0."""
    return normed(words_in(ids, params) + positions_in(ids, params, first=1), params)


def places_of_texts(ids: Array, params: Tree) -> Array:
    """All tokens of a text got one position, the number of the text. The places in the
    text are wanted, 0 to L − 1.
    """
    positions = params["position_embeddings"]["weight"][: len(ids), None]
    return normed(words_in(ids, params) + positions, params)


def places_of_ids(ids: Array, params: Tree) -> Array:
    """Positions are looked up by the tokens' ids. They depend on the place alone,
    np.arange(L).
    """
    table = params["position_embeddings"]["weight"]
    return normed(words_in(ids, params) + table[ids % len(table)], params)


def no_positions(ids: Array, params: Tree) -> Array:
    """The positions are missing: the same word has the same vector everywhere."""
    return normed(words_in(ids, params), params)


def positions_after_norm(ids: Array, params: Tree) -> Array:
    """The positions are added after LayerNorm: they belong into the sum before it."""
    return normed(words_in(ids, params), params) + positions_in(ids, params)


def normed_one_by_one(ids: Array, params: Tree) -> Array:
    """Words and positions are normalised one by one, and then added. Add first."""
    words, positions = words_in(ids, params), positions_in(ids, params)
    return normed(words, params) + normed(positions, params)


def table_computed(ids: Array, params: Tree) -> Array:
    """The positions are sines and cosines, computed anew. They are to come from the
    table in `params`, which was trained.
    """
    table = params["position_embeddings"]["weight"]
    computed = {"weight": embeddings.sinusoidal_table(*table.shape)}
    return input_vectors(ids, params | {"position_embeddings": computed})


def scaled(ids: Array, params: Tree) -> Array:
    """The words' vectors are multiplied by √D, as in the first Transformer. BERT and
    DistilBERT add them as they are.
    """
    words = words_in(ids, params) * params["LayerNorm"]["weight"].size ** 0.5
    return normed(words + positions_in(ids, params), params)


def not_normed(ids: Array, params: Tree) -> Array:
    """LayerNorm is missing: this is the sum of words and positions."""
    return summed(ids, params)


def added_to_norm(ids: Array, params: Tree) -> Array:
    """The sum is added to its own LayerNorm. Around this LayerNorm there is no way
    past: return what it returns.
    """
    return summed(ids, params) + normed(summed(ids, params), params)


def not_stretched(ids: Array, params: Tree) -> Array:
    """The rows have mean 0 and variance 1, but LayerNorm's own weight and bias are not
    used: multiply by the one and add the other.
    """
    return normal(summed(ids, params))


def normed_over_places(ids: Array, params: Tree) -> Array:
    """Mean and variance run over the places of a text. Every token has its own, over
    its D numbers: axis=-1.
    """
    sums = summed(ids, params).swapaxes(1, 2)
    return stretched(normal(sums).swapaxes(1, 2), params)


def larger_eps(ids: Array, params: Tree) -> Array:
    """Nearly: LayerNorm adds 1e-5 to the variance. DistilBERT has 1e-12."""
    return stretched(normal(summed(ids, params), eps=1e-5), params)


def largest_eps(ids: Array, params: Tree) -> Array:
    """Nearly: LayerNorm adds 1e-3 to the variance. DistilBERT has 1e-12."""
    return stretched(normal(summed(ids, params), eps=1e-3), params)


def eps_outside(ids: Array, params: Tree) -> Array:
    """Nearly: LayerNorm adds its eps, of 1e-5, to the deviation. It belongs under the
    root, to the variance, and is 1e-12.
    """
    centred = summed(ids, params)
    centred -= centred.mean(axis=-1, keepdims=True)
    deviation = centred.std(axis=-1, keepdims=True)
    return stretched(centred / (deviation + 1e-5), params)


def unbiased(ids: Array, params: Tree) -> Array:
    """Nearly: LayerNorm's variance divides by D − 1. It is the plain mean of squares,
    which divides by D.
    """
    return stretched(normal(summed(ids, params), ddof=1), params)


def number_of_texts(ids: Array, params: Tree) -> Array:
    """len(ids) is B, the number of texts. The number of tokens is L, ids.shape[1]."""
    table = params["position_embeddings"]["weight"]
    return normed(words_in(ids, params) + table[: len(ids)], params)


def whole_table(ids: Array, params: Tree) -> Array:
    """The table of positions is added as a whole, all P rows. A text of L tokens stands
    at the first L of them.
    """
    table = params["position_embeddings"]["weight"]
    return normed(words_in(ids, params) + table, params)


def appended(found: Array, ids: Array, params: Tree) -> bool:
    """Positions are added to the words' vectors, number by number, not set behind them:
    there are still D numbers.
    """
    return found.shape[-1] == 2 * params["LayerNorm"]["weight"].size


def another_sum(found: Array, ids: Array, params: Tree) -> bool:
    """The rows are normalised, so LayerNorm is right; but what it was given is not the
    words plus the positions. What else did you add, or leave out?
    """
    norm = params["LayerNorm"]
    rows = (found - norm["bias"]) / norm["weight"]
    mean, variance = rows.mean(axis=-1), rows.var(axis=-1)
    return np.allclose(mean, 0, atol=1e-6) and np.allclose(variance, 1, atol=1e-6)


def tables(V: int, P: int, D: int, size: float = 1.0) -> Tree:
    """Return random parameters, their vectors `size` long for each number."""
    return {
        "word_embeddings": {"weight": size * rng.normal(size=(V, D))},
        "position_embeddings": {"weight": size * rng.normal(size=(P, D))},
        "LayerNorm": {"weight": rng.uniform(1, 2, D), "bias": rng.normal(size=D)},
    }


INPUT_VECTORS = Exercise(
    name="input_vectors",
    lesson=2,
    minutes=6,
    difficulty=2,
    answer=input_vectors,
    cases={
        "one text of 3 tokens": (np.array([[2, 0, 2]]), tables(4, 6, 4)),
        "3 texts, 4 tokens": (
            np.array([[0, 4, 4, 1], [2, 3, 1, 0], [5, 5, 5, 5]]), tables(6, 9, 8)
        ),
        "small vectors, as a trained model has": (
            np.array([[3, 1, 4, 1, 5]]), tables(7, 8, 6, size=0.05)
        ),
        "as many texts as tokens": (np.array([[1, 2], [0, 1]]), tables(3, 5, 6)),
    },
    hints=(
        "Three lines: the words' vectors, plus the positions' vectors, then "
        "layer_norm.",
        "A text of L tokens stands at the positions 0 to L − 1: the first L rows of "
        "the table, weight[:L]. NumPy adds them to every text of the batch.",
        "lookup(ids, **params[\"word_embeddings\"]) passes the table as `weight`; so "
        "does lookup(np.arange(L), **params[\"position_embeddings\"]).",
        "layer_norm(words + positions, **params[\"LayerNorm\"]) has weight and bias.",
    ),
    slips=(
        places_from_one, places_of_texts, places_of_ids, no_positions,
        positions_after_norm, normed_one_by_one, table_computed, scaled, not_normed,
        added_to_norm, not_stretched, normed_over_places, larger_eps, largest_eps,
        eps_outside, unbiased, number_of_texts, whole_table,
    ),
    signs=(appended, another_sum),
    reveals=(embeddings.embeddings,),
)

EXERCISES = (LOOKUP, COSINES, NEAREST, SINUSOIDAL_TABLE, INPUT_VECTORS)
