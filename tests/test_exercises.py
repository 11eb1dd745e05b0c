"""The exercises' checks are tested as code: right answers pass, wrong are told why.

tests/students holds answers to each exercise, right and wrong, as students write them.
"""

import numpy as np
import pytest

from distilbert_np import attention
from distilbert_np.parity import planting, zoo
from distilbert_np.teaching.classroom import EXERCISES  # takes the answer key, too
from distilbert_np.teaching.judging import NOT_TRIED, RIGHT, WRONG, judge
from tests.planted_errors import ERRORS
from tests.students import LESSONS


def of_all_lessons(kind):
    """Return (exercise, one answer of its kind) for all lessons."""
    return [
        (EXERCISES[name], answer)
        for lesson in LESSONS
        for name, answers in getattr(lesson, kind, {}).items()
        for answer in answers
    ]


def label(value):
    return getattr(value, "name", None) or getattr(value, "__name__", None)


def told(exercise, answer):
    """Return what an answer is told, which must be that it is wrong."""
    verdict = judge(exercise, answer)
    assert verdict.state == WRONG
    return " ".join(verdict.why.split())


each_exercise = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=label)


def test_every_exercise_has_students():
    names = {name for lesson in LESSONS for name in lesson.RIGHT}
    assert names == set(EXERCISES)
    assert names == {name for lesson in LESSONS for name in lesson.WRONG}


@each_exercise
def test_the_library_is_right(exercise):
    verdict = judge(exercise, exercise.answer)
    assert verdict.state == RIGHT and str(verdict) == (
        f"✓ my_{exercise.name}: right, in all cases."
    )


@pytest.mark.parametrize(("exercise", "answer"), of_all_lessons("RIGHT"), ids=label)
def test_right_answers_are_right(exercise, answer):
    assert str(judge(exercise, answer)).startswith("✓")


@pytest.mark.parametrize(("exercise", "answer"), of_all_lessons("WRONG"), ids=label)
def test_wrong_answers_are_told_why(exercise, answer):
    function, words = answer
    assert words in told(exercise, function)


@pytest.mark.parametrize(("exercise", "fault"), of_all_lessons("FAULTS"), ids=label)
def test_faults_of_the_zoo_are_told(exercise, fault):
    name, words = fault

    def faulty(*arguments):
        with zoo.planted(name):
            return exercise.answer(*arguments)

    assert words in told(exercise, faulty)


@pytest.mark.parametrize(("exercise", "error"), of_all_lessons("PLANTED"), ids=label)
def test_errors_planted_in_the_backward_pass_are_told(exercise, error):
    name, words = error
    (edit,) = (edit for edit in ERRORS if edit.name == name)

    def faulty(*arguments):
        with planting.planted(edit):
            return exercise.answer(*arguments)

    assert words in told(exercise, faulty)


def test_no_planted_error_of_these_exercises_is_left_out():
    for lesson in LESSONS:
        for name, told_errors in getattr(lesson, "PLANTED", {}).items():
            parts = EXERCISES[name].reveals or (EXERCISES[name].answer,)
            functions = {function.__name__ for function in parts}
            named = {error.name for error in ERRORS if error.function in functions}
            assert named == {error for error, _ in told_errors}


@each_exercise
def test_each_slip_is_wrong_and_has_a_diagnosis_of_its_own(exercise):
    diagnoses = [" ".join(slip.__doc__.split()) for slip in exercise.slips]
    for slip, diagnosis in zip(exercise.slips, diagnoses, strict=True):
        assert diagnosis in told(exercise, slip)
    assert len(set(diagnoses)) == len(diagnoses) >= 1


@pytest.mark.parametrize("exercise", [
    exercise for exercise in EXERCISES.values()
    if not exercise.secret                       # whose slips are names of the zoo
], ids=label)
def test_each_diagnosis_is_told_to_a_student(exercise):
    words = [
        words
        for lesson in LESSONS
        for kind in ("WRONG", "FAULTS", "PLANTED")
        for _, words in getattr(lesson, kind, {}).get(exercise.name, [])
    ]
    for wrong in (*exercise.slips, *exercise.signs):
        diagnosis = " ".join(wrong.__doc__.split())
        assert any(told in diagnosis for told in words), diagnosis


@each_exercise
def test_a_stub_is_not_tried_yet(exercise):
    assert judge(exercise, lambda *arguments: ...).state == NOT_TRIED
    assert judge(exercise, lambda *arguments: (..., ...)).state == NOT_TRIED


def has_parts(arguments):
    """Return whether there is anything in the arguments that can be changed."""
    return any(isinstance(argument, np.ndarray | dict | list) for argument in arguments)


def damage(*arguments):
    """Spoil every array of the arguments in place."""
    for argument in arguments:
        if isinstance(argument, dict):
            damage(*argument.values())
        elif isinstance(argument, np.ndarray):
            argument[...] = 0
        elif isinstance(argument, list):
            argument.clear()


def skip_without_parts(exercise):
    """Skip the test of an exercise whose arguments cannot be changed."""
    if not any(map(has_parts, exercise.cases.values())):
        pytest.skip("its arguments cannot be changed")


@each_exercise
def test_damage_to_its_arguments_is_seen(exercise):
    skip_without_parts(exercise)

    def damaging(*arguments):
        result = exercise.answer(*arguments)
        damage(*arguments)
        return result

    assert "in place" in told(exercise, damaging)


def test_a_function_put_into_the_library_is_not_compared_with_itself(monkeypatch):
    exercise = EXERCISES["attention"]
    monkeypatch.setattr(attention, "softmax", lambda scores, bias=None: scores)
    assert judge(exercise, exercise.answer).state == WRONG


@each_exercise
def test_damage_before_it_computes_is_not_compared_with_itself(exercise):
    skip_without_parts(exercise)

    def damaging(*arguments):
        damage(*arguments)
        return exercise.answer(*arguments)

    told(exercise, damaging)


@each_exercise
def test_the_shown_result_by_heart_is_wrong(exercise):
    if len(exercise.cases) == 1:
        pytest.skip("one case is all there is")
    shown = exercise.answer(*next(iter(exercise.cases.values())))
    assert "compute from the arguments" in told(exercise, lambda *arguments: shown)


class Awkward:
    """An object that lets nobody look at it."""

    def __getattribute__(self, name):
        raise RuntimeError("not for you")

    def __eq__(self, other):
        raise RuntimeError("not for you")

    def __repr__(self):
        raise RuntimeError("not for you")


def stops(*arguments):
    raise SystemExit("enough")


def divides_by_zero(*arguments):
    return 1 / 0


def never_returns(*arguments):
    return never_returns(*arguments)


@each_exercise
@pytest.mark.parametrize("answer", [
    stops, divides_by_zero, never_returns, lambda: 1,
    *(lambda *arguments, value=value: value for value in (
        None, 3, "three", [], {}, np.zeros((7, 7)), np.array(["a"]), np.array(None),
        Awkward(), Awkward, iter(()), float("nan"), 1j, [[1], [2, 3]], (1, 2, 3, 4),
    )),
], ids=label)
def test_nothing_that_is_wrong_stops_the_check(exercise, answer):
    assert told(exercise, answer)


@each_exercise
def test_it_can_be_read(exercise):
    assert exercise.hints and exercise.difficulty in (1, 2, 3)
    assert 1 <= exercise.minutes <= 20
    for text in (*exercise.hints, *exercise.cases):
        assert text.strip() == text
