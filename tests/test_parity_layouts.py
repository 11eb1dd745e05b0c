"""Layouts: the same numbers with their axes otherwise are the same array, and named."""

import numpy as np
import pytest
from cases import Case
from porting import held_against, ported, row_of, truth, truth_of

from distilbert_np.attention import merge_heads
from distilbert_np.parity.alternatives import heads_by_reshape
from distilbert_np.parity.layouts import arranged, named, undone

APART = {"B": 2, "L": 5, "D": 12, "H": 3, "K": 4, "F": 7, "V": 11}
ALIKE = {"B": 6, "L": 6, "D": 36, "H": 6, "K": 6, "F": 36, "V": 36}  # tells no axis

LAYOUTS = [
    ("B H L K", lambda x: x, ""),
    ("B H L K", merge_heads, "(B, L, H·K)"),
    ("B H L K", lambda x: x.transpose(0, 2, 1, 3), "(B, L, H, K)"),
    ("B H L K", lambda x: x.swapaxes(2, 3), "(B, H, K, L)"),
    ("B H L K", lambda x: x.T, "(K, L, H, B)"),
    ("B H L K", lambda x: merge_heads(x).T, "(K·H, L, B)"),
    ("B H L K", lambda x: x.reshape(-1), "(B·H·L·K)"),
    ("B H L K", lambda x: x.reshape(-1, *x.shape[2:]), "(B·H, L, K)"),
    ("B H L L", lambda x: x.T, "(L′, L, H, B)"),
    ("B H L L", lambda x: x.swapaxes(0, 1), "(H, B, L, L′)"),
    ("B L D", lambda x: x.T, "(D, L, B)"),
    ("B L D", lambda x: x.swapaxes(0, 1), "(L, B, D)"),
    ("B L D", lambda x: x.reshape(-1, x.shape[-1]), "(B·L, D)"),
    ("B L D", lambda x: x.T.reshape(-1), "(D·L·B)"),
    ("B L D", lambda x: x[:, None, :, :, None], ""),
    ("V D", lambda x: x.T, "(D, V)"),
    ("D D", lambda x: x.T, "(D′, D)"),
    ("F D", lambda x: x.T, "(D, F)"),
    ("", lambda x: x.reshape(1), ""),
]


@pytest.mark.parametrize("size", [APART, ALIKE])
@pytest.mark.parametrize(("letters", "laid_out", "name"), LAYOUTS)
def test_a_layout_is_recognised_named_and_undone(letters, laid_out, name, size):
    rng = np.random.RandomState(0)
    expected = np.asarray(rng.standard_normal([size[x] for x in letters.split()]))
    theirs = laid_out(expected).astype(np.float32)
    value, axes = arranged(theirs, expected)
    np.testing.assert_array_equal(value, expected.astype(np.float32))
    assert value.dtype == np.float32
    if name != "(K·H, L, B)":                    # whose axis may be H·K, to its reader
        assert named(theirs.shape, axes, expected.shape, letters) == name


@pytest.mark.parametrize("shape", [(2, 5, 13), (2, 60, 1, 2), (0,), (120, 5), ()])
def test_what_has_other_numbers_has_no_layout(shape):
    assert arranged(np.zeros(shape), np.ones((2, 5, 12))) is None


def test_another_order_of_axes_must_be_clearly_nearer():
    # More than half of the way to the transpose is an error still.
    x = np.random.RandomState(0).standard_normal((6, 6))
    for share, axes in ((0.6, (0, 1)), (0.9, (1, 0))):
        assert arranged(x + share * (x.T - x), x)[1] == axes


def test_what_is_not_finite_stays_as_it_is():
    x = np.full((3, 3), np.nan)
    assert arranged(x, np.ones((3, 3)))[1] == (0, 1)
    x = np.arange(9.0).reshape(3, 3)
    x[0, 1] = np.inf
    assert arranged(x, np.arange(9.0).reshape(3, 3))[1] == (0, 1)


@pytest.mark.parametrize(
    ("ending", "laid_out", "name"),
    [
        ("attention.q", merge_heads, "(B, L, H·K)"),
        ("attention.k", lambda x: x.swapaxes(2, 3), "(B, H, K, L)"),
        ("ffn.lin1", lambda x: x.T, "(F, L, B)"),
        ("head.logits", lambda x: x.reshape(-1, x.shape[-1]), "(B·L, V)"),
        ("q_lin.weight", lambda x: x.T, "(D′, D)"),
        ("lin1.weight", lambda x: x.T, "(D, F)"),
    ],
)
def test_a_port_in_another_layout_is_right(ending, laid_out, name):
    about = truth("masked_lm")
    mine = {
        n: laid_out(a) if n.endswith(ending) else a for n, a in ported(about).items()
    }
    compared = held_against(about, mine)
    assert not compared.wrong
    layouts = {row.name: row.layout for row in compared.rows if row.layout}
    assert layouts and set(layouts.values()) == {name}
    assert all(n.endswith(ending) for n in layouts)


def test_a_port_in_column_major_order_is_right():
    about = truth("masked_lm")
    mine = {name: array.T for name, array in ported(about).items()}
    compared = held_against(about, mine)
    assert not compared.wrong
    assert row_of(compared, "transformer.layer.0.ffn.lin1").layout == "(F, L, B)"


def test_a_port_without_the_axis_of_a_single_text_is_right():
    about = truth_of(Case("one text", "masked_lm", labels="words", batch=1))
    mine = {
        name: array[0] if array.shape[:1] == (1,) else array
        for name, array in ported(about).items()
    }
    compared = held_against(about, mine)
    assert not compared.wrong
    assert mine["head.logits"].ndim == 2


def test_positions_may_be_repeated_for_each_text():
    about = truth("masked_lm")
    mine = ported(about)
    positions = mine["embeddings.positions"]
    mine["embeddings.positions"] = np.repeat(positions, 5, axis=0)
    assert not held_against(about, mine).wrong
    mine["embeddings.positions"][3] += 1
    assert held_against(about, mine).wrong[0].name == "embeddings.positions"


@pytest.mark.parametrize("count", [0, 3])
def test_nothing_else_may_be_repeated(count):
    about = truth_of(Case("one text", "masked_lm", labels="words", batch=1))
    mine = ported(about)
    mine["head.logits"] = np.repeat(mine["head.logits"], count, axis=0)
    (wrong,) = held_against(about, mine).wrong
    assert (wrong.name, wrong.state) == ("head.logits", "shape")


def test_heads_split_by_reshape_alone_are_no_layout():
    for case in ("base", "base, head size 1", "masked_lm"):
        about = truth(case, gradients=False)
        name = "transformer.layer.0.attention.v"
        mine = ported(about, {name: heads_by_reshape})
        row = held_against(about, mine).wrong[0]
        assert (row.name, row.layout) == (name, "")
        assert row.findings[0].cause == "heads-not-transposed"


# --- any shape ------------------------------------------------------------------------


def test_any_order_and_grouping_of_axes_is_undone():
    hypothesis = pytest.importorskip("hypothesis")
    from hypothesis import strategies as some

    @hypothesis.settings(deadline=None, max_examples=150, database=None)
    @hypothesis.given(some.data())
    def check(data):
        shape = data.draw(some.lists(some.integers(1, 4), min_size=1, max_size=4))
        expected = np.random.RandomState(0).standard_normal(shape)
        axes = data.draw(some.permutations(range(len(shape))))
        theirs = expected.transpose(axes)
        grouped = []
        for length in theirs.shape:
            if grouped and data.draw(some.booleans()):
                grouped[-1] *= length
            else:
                grouped.append(length)
        grouped.insert(data.draw(some.integers(0, len(grouped))), 1)
        value, _ = arranged(theirs.reshape(grouped), expected)
        np.testing.assert_array_equal(value, expected)
        value = undone(theirs, tuple(axes), expected.shape)
        np.testing.assert_array_equal(value, expected)

    check()
