"""The judge: what it says of answers of every kind, on exercises made for the purpose.
"""

import sys
from functools import partial

import numpy as np
import pytest

from distilbert_np.errors import InputError
from distilbert_np.teaching import check, classroom, hint, reveal
from distilbert_np.teaching.exercise import Exercise
from distilbert_np.teaching.judging import NOT_TRIED, RIGHT, WRONG, judge
from distilbert_np.teaching.results import difference

X = np.array([[1.0, 2.0, 4.0], [3.0, 5.0, 9.0]])


def doubled(x):
    return 2 * x


def tripled(x):
    """Three times is once too often."""
    return 3 * x


def negative(found, x):
    """It is negative: look at the sign."""
    return (found < 0).all()


def exercise(answer=doubled, cases=None, **changes):
    cases = cases or {"two rows": (X,), "one row": (X[:1] + 1,), "zeros": (0 * X,)}
    fields = {"slips": (tripled,), "signs": (negative,)} | changes
    return Exercise(
        "doubled", 1, 5, 1, answer, cases, hints=("Twice?", "Say 2 * x."), **fields
    )


def told(answer, **changes):
    verdict = judge(exercise(**changes), answer)
    assert verdict.state == WRONG
    return " ".join(verdict.why.split())


def test_right():
    verdict = judge(exercise(), lambda x: x + x)
    assert verdict.state == RIGHT
    assert str(verdict) == "✓ my_doubled: right, in all cases."


def test_right_up_to_rounding_alone():
    assert judge(exercise(), lambda x: x * (2 + 1e-13)).state == RIGHT
    assert judge(exercise(), lambda x: x * (2 + 1e-7)).state == WRONG


def test_float64_of_float32_is_right_and_told():
    verdict = judge(exercise(), lambda x: np.array(2.0) * x.astype(float))
    assert verdict.state == RIGHT and "float64" in verdict.why
    assert "float64" not in judge(exercise(), doubled).why


def test_not_tried():
    assert judge(exercise(), lambda x: ...).state == NOT_TRIED
    assert judge(exercise(), lambda x: (x, ...)).state == NOT_TRIED


def test_a_slip_is_told_by_its_docstring():
    said = told(lambda x: x + x + x)
    assert said.startswith("not right yet. Three times is once too often.")
    assert "Right for zeros, wrong for two rows: 3 at [0, 0], not 2." in said


def test_a_slip_that_fits_some_cases_alone_is_not_told():
    said = told(lambda x: 3 * x if len(x) == 2 else 4 * x)
    assert "Three times" not in said


def test_a_slip_that_always_stops_is_told_by_its_errors():
    def turned_once(x):
        """Its rows do not fit its rows: turn one of the two."""
        return x @ x

    def another(x):
        return np.matmul(x, x)

    assert "Its rows do not fit its rows" in told(another, slips=(turned_once,))
    other_error = told(lambda x: x @ x.T @ x.T, slips=(turned_once,))
    assert other_error.startswith("not right yet. For two rows: it stops")


def test_a_forgotten_return_is_told_and_nothing_else():
    def two(x):
        return [x, x]

    for answer in (doubled, two):
        verdict = judge(exercise(answer), lambda x: None)
        assert verdict.why == (
            "not right yet.\n  For two rows: it is None (is a `return` missing?)."
        )


def test_a_long_list_of_texts_is_told_to_go_on():
    said = difference([*20 * ["left"]], [*20 * ["right"]])
    assert said.count(" …") == 2 and difference(["a"], ["b"]) == "['a'], not ['b']"


def test_a_sign_is_told_where_no_slip_fits():
    assert "look at the sign" in told(lambda x: -x - 1)


@pytest.mark.parametrize(("answer", "words"), [
    (lambda x: -2 * x - 1e-3, "look at the sign"),
    (lambda x: 0.0 * x, "Every number is 0."),
    (lambda x: 10 * x, "Every number is 5 times the right one"),
    (lambda x: 2 * x[:, ::-1], "not in their places"),
    (lambda x: 2 * x.T, "The last two axes are swapped"),
    (lambda x: x / 0, "NaN or infinity"),
    (lambda x: x + 1, "Right for"),
    (lambda x: None, "is a `return` missing?"),
    (lambda x: (2 * x).tolist(), "it is a list, not an array of shape (2, 3)"),
    (lambda x: (2 * x,), "it is a tuple, not an array"),
    (lambda x: 2 * x[0], "its shape is (3,), not (2, 3)"),
    (lambda x: (2 * x).astype(complex), "holds complex128"),
    (lambda x: (2 * x).astype(object), "holds object"),
    (lambda x: "right", "it is a str"),
    (lambda x: x @ x, "it stops: ValueError"),
    (lambda x: 2 * y, "NameError: name 'y' is not defined"),  # noqa: F821
    (lambda: 2, "takes 0 positional arguments but 1 was given"),
    (lambda x: exit(), "it stops: SystemExit"),
    (3, "it stops: TypeError: 'int' object is not callable"),
])
def test_what_is_said(answer, words):
    if words == "Right for":
        cases = {"ones": (X / X,), "others": (X,)}
        assert "Right for ones, wrong for others" in told(answer, cases=cases)
    else:
        assert words in told(answer)


def test_the_line_that_stops_is_quoted():
    def answer(x):
        y = x + 1
        return y @ x

    assert "return y @ x)" in told(answer)


def test_an_answer_by_heart():
    assert "compute from the arguments" in told(lambda x: 2 * X)


def test_a_forgotten_return_is_not_an_answer_by_heart():
    assert "compute from the arguments" not in told(lambda x: None)


def total(x):
    return (2 * x).sum()


@pytest.mark.parametrize(("answer", "says_factor"), [
    (lambda x: (6 * x).sum(), True),
    (lambda x: (2 * x).max(), False),
])
def test_a_factor_of_single_numbers_is_told_if_it_is_always_the_same(
    answer, says_factor
):
    said = judge(exercise(total, slips=()), answer).why
    assert ("Every number is 3 times the right one." in said) == says_factor
    assert ("times the right one" in said) == says_factor


def test_zeros_alone_are_told():
    assert "Every number is 0." in told(lambda x: 0 * x)


def test_damage_is_told_even_where_the_result_is_right():
    def answer(x):
        x *= 2
        return x.copy()

    said = told(answer)
    assert "It changes x in place" in said and "what it returns is right" in said


def test_damage_cannot_be_compared_with_itself():
    def answer(x):
        x[...] = 0
        return 2 * x

    assert "It changes x in place" in told(answer)


def test_a_result_that_is_changed_afterwards_is_judged_as_it_was():
    buffer = np.empty((2, 3))

    def answer(x):
        return np.multiply(x, 2, out=buffer[: len(x)])

    assert judge(exercise(), answer).state == RIGHT


def test_what_it_prints_is_seen_once(capsys):
    def answer(x):
        print("looking at", x.shape)
        return 2 * x

    assert judge(exercise(), answer).state == RIGHT
    assert capsys.readouterr().out == "looking at (2, 3)\n"


def test_an_error_that_cannot_be_told_is_told_by_its_name():
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("not for you")

    def answer(x):
        raise Mute

    assert "Mute" in told(answer)


def nested(depth):
    """Return a list in a list, so many deep."""
    return [nested(depth - 1)] if depth else []


@pytest.mark.parametrize("result", [nested(400), [nested(9)] * 10, [1.0] * 1_000_000])
def test_results_without_end_are_told_at_once(result):
    assert "it is a list, not an array" in told(lambda x: result)


@pytest.mark.parametrize("spoil", [
    lambda tree: tree.update(w=None),
    lambda tree: tree.update(w=tree["w"]["b"]),
    lambda tree: tree["n"].sort(),
    lambda tree: tree["n"].__setitem__(0, np.zeros(2)),
    lambda tree: tree["w"].update(b=None),
])
def test_damage_within_an_argument_is_told(spoil):
    def answer(tree):
        spoil(tree)
        return 2 * X

    tree = {"w": {"b": X}, "n": [3, 1, 2]}
    right, cases = (lambda tree: 2 * tree["w"]["b"]), {"it": (tree,)}
    verdict = judge(exercise(right, cases), answer)
    assert "It changes tree in place" in verdict.why


def test_where_it_prints_to_is_put_back():
    def answer(x):
        sys.stdout = None
        return 2 * x

    before = sys.stdout
    try:
        assert judge(exercise(), answer).state == RIGHT and sys.stdout is before
    finally:
        sys.stdout = before


def test_a_loop_without_end_can_be_stopped_by_hand():
    def answer(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge(exercise(), answer)


# --- results --------------------------------------------------------------------------


@pytest.mark.parametrize(("found", "expected", "said"), [
    (2.0, np.float64(2), None),
    (2, 2.0, None),
    (np.array(2.0), np.float32(2), None),
    (np.array([2.0]), np.float64(2), "its shape is (1,), not ()"),
    (3.0, 2.0, "3, not 2"),
    (2.00000012, 2.0, "2.0000001, not 2"),
    (np.nan, 2.0, "nan, not 2"),
    (np.nan, np.nan, None),
    (-np.inf, -np.inf, None),
    (np.inf, -np.inf, "inf, not -inf"),
    ("a", "a", None),
    ("b", "a", "'b', not 'a'"),
    (["a", "b"], ["a", "b"], None),
    (("a", "b"), ["a", "b"], None),
    (["a"], ["a", "b"], "['a'], not ['a', 'b']"),
    ([np.zeros(2)], ["a"], "[array([0., 0.])], not ['a']"),
    (["a", "c"], ["a", "b"], "['a', 'c'], not ['a', 'b']"),
    ((X, 1), (X, 2), "[1]: 1, not 2"),
    (X, [X, 2], "it is an array of shape (2, 3), not a list of 2"),
    ((X,), (X, 2), "it has 1 thing, not 2"),
    (X, (X, 2), "it is an array of shape (2, 3), not 2 things"),
    ({"a": 1}, {"a": 1}, None),
    ({"a": 1}, {"a": 2}, "'a': 1, not 2"),
    ({"b": 1}, {"a": 1}, "the dict has ['b'], not a"),
    (1, {"a": 1}, "it is a number, not a dict of a"),
    ((X, {"w": 1}), (X, {"w": 2}), "[1] 'w': 1, not 2"),
    (True, True, None),
    (1, True, "1, not True"),
    (np.array([1, 2]), np.array([1, 2]), None),
    (np.array([1.0, 2.5]), np.array([1, 2]), "2.5 at [1], not 2"),
])
def test_differences_in_words(found, expected, said):
    assert difference(found, expected) == said


# --- what the notebooks call ----------------------------------------------------------


@pytest.fixture(autouse=True)
def one_exercise(monkeypatch):
    monkeypatch.setattr(classroom, "EXERCISES", {"doubled": exercise()})


def test_check_finds_the_exercise_by_the_name(capsys):
    def my_doubled(x):
        return x

    check(my_doubled)
    check(lambda x: 2 * x, "doubled")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "✗ my_doubled: not right yet."
    assert lines[-1] == "✓ my_doubled: right, in all cases."


@pytest.mark.parametrize(("answer", "words"), [
    (2 * X, "expected the function itself"),
    (..., "expected the function itself"),
    (len, "'len' is no exercise"),
    (lambda x: x, "'<lambda>' is no exercise"),
    (partial(doubled), "a partial has no name; tell it"),
    ("doubled", "expected the function itself"),
])
def test_check_says_what_it_cannot_check(answer, words, capsys):
    check(answer)
    said = capsys.readouterr().out
    assert said.startswith("✗ check: ") and words in said


def test_hints_one_by_one(capsys):
    hint("doubled")
    assert capsys.readouterr().out == "Twice?\n(1 of 2; more: hint(my_doubled, 2))\n"
    hint("my_doubled", 2)
    assert "that was the last" in capsys.readouterr().out
    for number in (3, 0, "1", [1], X):
        with pytest.raises(InputError, match="number: expected 1 to 2, found"):
            hint("doubled", number)


def test_reveal_shows_the_source(capsys):
    reveal("doubled")
    assert "def doubled(x):\n    return 2 * x" in capsys.readouterr().out
