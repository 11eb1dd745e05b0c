"""What the notebooks call: check an answer, give a hint, reveal the library's own."""

import inspect
from collections.abc import Callable
from typing import Any

from ..errors import InputError, shown
from ..inputs import is_whole
from .exercise import Exercise
from .exercises import EXERCISES
from .judging import judge, key_of

Answer = Callable[..., Any]

# Now, before a student puts a function into the library and is compared with it.
for _exercise in EXERCISES.values():
    key_of(_exercise)


def check(answer: Answer, name: str | None = None) -> None:
    """Print whether an answer is right; if it is not, what went wrong.

    `answer` is the function itself, named my_ and the exercise's name; or tell the
    `name`, as in check(lambda x: x, "softmax"). Whatever it does, this goes on.
    """
    try:
        if isinstance(answer, str):
            raise InputError(f"expected the function itself, found {shown(answer)}")
        exercise = exercise_of(answer if name is None else name)
    except InputError as error:
        print(f"✗ check: {error}")
        return
    print(judge(exercise, answer))


def hint(answer: Answer | str, number: int = 1) -> None:
    """Print a hint for an exercise; the higher its number, the more it tells."""
    exercise = exercise_of(answer)
    n_hints = len(exercise.hints)
    if not is_whole(number, 1, n_hints):
        raise InputError(f"number: expected 1 to {n_hints}, found {shown(number)}")
    more = f"more: hint({exercise.stub}, {number + 1})"
    if number == n_hints:
        more = f"that was the last; the answer: reveal({exercise.stub})"
    print(f"{exercise.hints[number - 1]}\n({number} of {n_hints}; {more})")


def reveal(answer: Answer | str) -> None:
    """Print the library's own source of what an exercise asks for."""
    exercise = exercise_of(answer)
    for function in exercise.reveals or (exercise.answer,):
        file = "/".join(function.__module__.split(".")) + ".py"
        print(f"# {file}\n\n{inspect.getsource(function)}")


def solution(name: str) -> Answer:
    """Return the function that is the answer key of an exercise."""
    return exercise_of(name).answer


def exercise_of(answer: Answer | str) -> Exercise:
    """Return the exercise that a function answers, or that a name names."""
    name = answer if isinstance(answer, str) else getattr(answer, "__name__", None)
    if not isinstance(answer, str) and not callable(answer):
        raise InputError(
            f"expected the function itself, as in check(my_softmax); found what one "
            f"returns: {shown(answer)}"
        )
    if name is None:
        raise InputError(
            f'a {type(answer).__name__} has no name; tell it, as in check(f, "softmax")'
        )
    exercise = EXERCISES.get(str(name).removeprefix("my_"))
    if exercise is None:
        raise InputError(
            f"{shown(name)} is no exercise; tell its name, as in check(f, "
            f'"softmax"). There are {", ".join(EXERCISES)}'
        )
    return exercise
