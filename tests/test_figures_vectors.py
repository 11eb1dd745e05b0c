"""The figures of vectors: they say what their arrays say, and can be read."""

import numpy as np
import pytest
from pictures import ODD, drawn_texts, in_the_way, smallest_type

from distilbert_np import DistilBertForMaskedLM, DistilBertTokenizer
from distilbert_np.embeddings import sinusoidal_table
from distilbert_np.errors import InputError
from distilbert_np.teaching import figures
from distilbert_np.teaching.figures.vectors import cosines, main_plane

GROUPS = ["cities", "$x$", "_hidden", "東京", "a very long name of a group"]


def scattered(n, seed=0, dim=16):
    """Return vectors (n, D) around a centre for each group, and the groups."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) % len(GROUPS)
    centres = rng.normal(size=(len(GROUPS), dim))
    vectors = centres[group] + 0.3 * rng.normal(size=(n, dim))
    return vectors, [GROUPS[i] for i in group]


def words_of(n):
    return [f"{ODD[i % len(ODD)]}{i}" for i in range(n)]


# --- positions ------------------------------------------------------------------------


def test_cosines_are_those_of_the_rows_and_0_with_a_row_of_zeros():
    rows = np.array([[2.0, 0], [0, 3], [1, 1], [0, 0]])
    half = np.sqrt(0.5)
    expected = [[1, 0, half, 0], [0, 1, half, 0], [half, half, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(cosines(rows), expected, atol=1e-15)


def test_positions_tell_how_alike_neighbours_and_far_ones_are():
    for seed in range(3):
        table = np.random.default_rng(seed).normal(size=(10, 6)).cumsum(axis=0)
        found = figures.position_cosines(table)
        parts = []
        for name, rows in (("Learned", table), ("Sinusoidal", sinusoidal_table(10, 6))):
            near, far = (
                np.mean([
                    rows[i] @ rows[i + d]
                    / np.linalg.norm(rows[i]) / np.linalg.norm(rows[i + d])
                    for i in range(10 - d)
                ])
                for d in (1, 5)
            )
            parts.append(
                f"{name}: the cosine of neighbours is {near:.2f} on average, of "
                f"positions 5 apart {far:.2f}."
            )
        assert found.text == " ".join(parts)
        shown = found.figure.axes[1].images[0].get_array()
        np.testing.assert_allclose(shown, cosines(sinusoidal_table(10, 6)))


@pytest.mark.parametrize("shape", [(2, 1), (3, 2), (40, 8), (128, 96), (512, 16)])
def test_positions_of_any_table_can_be_read(shape):
    table = np.random.default_rng(0).normal(size=shape)
    found = figures.position_cosines(table)
    assert in_the_way(found.figure) == []
    assert smallest_type(found.figure) >= 13


def test_the_tiny_model_s_neighbours_are_more_alike():
    model = DistilBertForMaskedLM.from_pretrained("tiny")
    table = model.params["distilbert"]["embeddings"]["position_embeddings"]["weight"]
    found = figures.position_cosines(table)
    near = np.diagonal(cosines(table.astype(float)), 1).mean()
    assert found.text.startswith(f"Learned: the cosine of neighbours is {near:.2f} on")


@pytest.mark.parametrize("table", [np.zeros(3), np.zeros((1, 4)), np.zeros((2, 2, 2))])
def test_what_is_no_table_is_refused(table):
    with pytest.raises(InputError, match=r"^table: expected at least 2 rows"):
        figures.position_cosines(table)


# --- words ----------------------------------------------------------------------------


def test_the_plane_is_that_of_the_covariance_s_largest_eigenvalues():
    vectors, _ = scattered(30)
    points, shares = main_plane(vectors)
    values, directions = np.linalg.eigh(np.cov(vectors.T))
    np.testing.assert_allclose(shares, values[:-3:-1] / values.sum())
    projected = (vectors - vectors.mean(axis=0)) @ directions[:, :-3:-1]
    np.testing.assert_allclose(np.abs(points), np.abs(projected), atol=1e-12)
    np.testing.assert_array_equal(points, main_plane(vectors)[0])


def test_the_sign_of_a_direction_does_not_hang_on_the_order_of_words():
    vectors, _ = scattered(30)
    points = main_plane(vectors)[0]
    np.testing.assert_allclose(main_plane(vectors[::-1])[0], points[::-1], atol=1e-12)


def test_the_words_tell_the_variance_and_whose_neighbours_are_near():
    for seed in range(2):
        vectors, groups = scattered(25, seed)
        found = figures.word_plane(words_of(25), vectors, groups)
        points, shares = main_plane(vectors)
        own = 0
        for i, point in enumerate(points):
            others = [j for j in range(25) if j != i]
            nearest = min(others, key=lambda j: ((points[j] - point) ** 2).sum())
            own += groups[i] == groups[nearest]
        assert f"hold {shares[0]:.0%} and {shares[1]:.0%} of the variance" in found.text
        assert f"For {own} of them the nearest word in the plane is" in found.text
        axes = found.figure.axes[0]
        assert axes.get_xlabel() == f"direction 1: {shares[0]:.0%} of the variance"


@pytest.mark.parametrize("n", [3, 10, 40, 150])
def test_no_word_is_in_the_way_and_those_left_out_are_counted(n):
    vectors, groups = scattered(n)
    words = words_of(n)
    found = figures.word_plane(words, vectors, groups)
    assert in_the_way(found.figure) == []
    assert smallest_type(found.figure) >= 13
    n_named = len(found.figure.axes[0].texts)
    assert (f"{n - n_named} found no room" in found.text) == (n_named < n)
    assert n_named >= min(n, 25)


def test_groups_are_named_as_they_are_written():
    vectors, groups = scattered(10)
    found = figures.word_plane(words_of(10), vectors, groups)
    texts = [text for text, _ in drawn_texts(found.figure)]
    assert " _hidden" in texts and r" \$x\$" in texts and " □□" in texts


def test_equal_points_do_not_hide_each_other_s_names():
    vectors = np.array([[0.0, 0, 1]] * 6 + [[1, 2, 3]])
    found = figures.word_plane(list("abcdefg"), vectors, list("xxxyyyz"))
    assert in_the_way(found.figure) == []
    assert "2 found no room for a name" in found.text


def test_the_words_of_the_tiny_model_lie_in_groups():
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")
    model = DistilBertForMaskedLM.from_pretrained("tiny")
    words = ["one", "two", "three", "four", "monday", "tuesday", "friday", "sunday"]
    table = model.params["distilbert"]["embeddings"]["word_embeddings"]["weight"]
    vectors = table[tokenizer.convert_tokens_to_ids(words)]
    found = figures.word_plane(words, vectors, ["number"] * 4 + ["day"] * 4)
    assert "For 8 of them the nearest word in the plane is of their own" in found.text


@pytest.mark.parametrize("form", ["png", "svg"])
def test_title_and_words_are_inside_the_files(form, tmp_path):
    vectors, groups = scattered(10)
    for found in (
        figures.position_cosines(vectors),
        figures.word_plane(words_of(10), vectors, groups),
    ):
        path = tmp_path / f"picture.{form}"
        found.save(path)
        inside = path.read_bytes()
        assert found.figure.get_suptitle().encode() in inside
        assert found.text.encode() in inside


@pytest.mark.parametrize(
    ("words", "vectors", "groups", "message"),
    [
        ("ab", np.eye(3), "xyz", "words: expected a list of strings"),
        (["a"], np.eye(3), ["x"] * 3, "words: expected 3, one for each vector"),
        (["a"] * 3, np.eye(3), ["x"], "groups: expected 3, one for each vector, found"),
        (["a"] * 3, np.ones((3, 4)), ["x"] * 3, "vectors: expected some that differ"),
        (["a"] * 3, np.eye(3)[:, :1], ["x"] * 3, "vectors: expected some that differ"),
        (["a"] * 2, np.eye(2), ["x"] * 2, "vectors: expected at least 3 rows of numb"),
        (list("abcdefgh"), np.eye(8), list("abcdefgh"), "groups: expected at most 7"),
    ],
)
def test_what_makes_no_plane_is_refused(words, vectors, groups, message):
    with pytest.raises(InputError, match=f"^{message}"):
        figures.word_plane(words, vectors, groups)
