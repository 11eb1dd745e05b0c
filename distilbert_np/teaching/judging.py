"""The judge: tries a student's function on every case, and says what went wrong.

Expected results are computed before the student's function is called, from arguments
that it never gets hold of; it works on copies. So it cannot be compared with itself,
nor spoil what it is compared with.
"""

import contextlib
import io
import linecache
import sys
import textwrap
import traceback
import warnings
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np

from ..errors import one_line, shown
from .exercise import Arguments, Exercise
from .results import difference, first_wrong, is_same, kind

NOT_TRIED, WRONG, RIGHT = "not tried", "wrong", "right"
PLAIN = (int, float, complex, bool, str, type(None), type(...))
DEEPEST, LONGEST = 10, 100_000                   # of lists that are looked into
MARKS = {NOT_TRIED: "○", WRONG: "✗", RIGHT: "✓"}


@dataclass(frozen=True)
class Verdict:
    """What became of an answer: its state (not tried, wrong, right), and why."""

    stub: str
    state: str
    why: str

    def __str__(self) -> str:
        return f"{MARKS[self.state]} {self.stub}: {self.why}"


@dataclass(frozen=True)
class Unknown:
    """What stands for an object that is no result: the name of its class."""

    name: str

    def __repr__(self) -> str:
        return kind(self)


class Outcome(NamedTuple):
    """What a function did with a case: its result, or how it stopped; what it changed.
    """

    result: Any = None
    stopped: str = ""
    changed: tuple[str, ...] = ()

    @property
    def error(self) -> str:
        """How it stopped, without the line that did it."""
        return self.stopped.partition(" (line ")[0]

    def is_like(self, other: "Outcome") -> bool:
        """Whether two functions did the same, up to rounding."""
        if self.stopped or other.stopped:
            return bool(self.stopped and other.stopped)
        return is_same(self.result, other.result)


def judge(exercise: Exercise, function: Callable[..., Any]) -> Verdict:
    """Return the verdict on a student's function, whatever it is and does."""
    expected = key_of(exercise)
    found = outcomes(function, exercise.cases, names_of(exercise.answer))
    if is_untouched(next(iter(found.values()))):
        why = f"not tried yet. For a start: hint({exercise.stub})"
        return Verdict(exercise.stub, NOT_TRIED, why)
    wrong = {
        case: sentence
        for case, outcome in found.items()
        if (sentence := complaint(outcome, expected[case], exercise.secret))
    }
    if not wrong:
        why = "right, in all cases." + widening(exercise, function)
        return Verdict(exercise.stub, RIGHT, why)
    why = "not right yet.\n" + reasons(exercise, found, expected, wrong)
    return Verdict(exercise.stub, WRONG, why)


@cache
def key_of(exercise: Exercise) -> dict[str, Outcome]:
    """Return what is right in each case, as the library first said it."""
    return outcomes(exercise.answer, exercise.cases)


# --- running --------------------------------------------------------------------------


def outcomes(
    function: Callable[..., Any],
    cases: Mapping[str, Arguments],
    names: tuple[str, ...] = (),
) -> dict[str, Outcome]:
    """Return what a function does with each case; what it prints is seen for the first.
    """
    found = {}
    for case, arguments in cases.items():
        with silence() if found else contextlib.redirect_stdout(sys.stdout):
            found[case] = outcome_of(function, arguments, names)
    return found


def silence() -> contextlib.AbstractContextManager:
    """Return a context in which what is printed is not seen."""
    return contextlib.redirect_stdout(io.StringIO())


def outcome_of(
    function: Callable[..., Any], arguments: Arguments, names: tuple[str, ...] = ()
) -> Outcome:
    """Return what a function does with copies of the arguments, come what may."""
    given = deepcopy(arguments)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            result = kept(function(*given))
    except KeyboardInterrupt:                    # a loop without end, stopped by hand
        raise
    except BaseException as error:               # even exit() is only a wrong answer
        return Outcome(stopped=how_it_stopped(error, function))
    changed = [
        name
        for name, before, after in zip(names, arguments, given, strict=False)
        if not is_unchanged(after, before)
    ]
    return Outcome(result, changed=tuple(changed))


def kept(result: Any, depth: int = 0) -> Any:
    """Return a copy of a result that is safe to look at, and that nobody changes later.

    Of what is no result but an object of some class, only the class's name is kept:
    its own comparisons and its repr might do anything. So it is of lists without end.
    """
    its_class = type(result)
    if issubclass(its_class, np.ndarray):
        return np.array(result)
    if its_class in PLAIN or issubclass(its_class, np.generic):
        return result
    is_known = its_class in (tuple, list, dict)
    if not is_known or depth == DEEPEST or len(result) > LONGEST:
        return Unknown(its_class.__name__)
    if its_class is dict:
        return {
            kept(name, depth + 1): kept(part, depth + 1)
            for name, part in result.items()
        }
    return its_class(kept(part, depth + 1) for part in result)


def how_it_stopped(error: BaseException, function: Callable[..., Any]) -> str:
    """Return an exception in one line, with the student's line that raised it."""
    said = one_line(traceback.format_exception_only(error)[-1])[:200]
    file = getattr(getattr(function, "__code__", None), "co_filename", None)
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == file
    ]
    if not lines:
        return said
    code = linecache.getline(file, lines[-1]).strip()
    return f"{said} (line {lines[-1]}: {code})" if code else said


def is_unchanged(after: Any, before: Any) -> bool:
    """Return whether an argument is, to the bit, what it was."""
    if type(after) is not type(before):
        return False
    if isinstance(before, np.ndarray):
        is_alike = (after.shape, after.dtype) == (before.shape, before.dtype)
        return is_alike and after.tobytes() == before.tobytes()
    if isinstance(before, Mapping):
        return [*after] == [*before] and all(
            is_unchanged(after[name], value) for name, value in before.items()
        )
    if isinstance(before, tuple | list):
        return len(after) == len(before) and all(map(is_unchanged, after, before))
    return after is before or type(before) not in PLAIN or after == before


def names_of(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of a function's arguments, in order."""
    code = function.__code__
    return code.co_varnames[: code.co_argcount]


# --- what to say ----------------------------------------------------------------------


def is_untouched(outcome: Outcome) -> bool:
    """Return whether a function is still a stub: what it returns is `...`, or holds it.
    """
    result = outcome.result
    return result is ... or (
        isinstance(result, tuple) and any(part is ... for part in result)
    )


def complaint(
    found: Outcome, expected: Outcome, secret: bool = False
) -> str | None:
    """Say what is wrong with what a function did in one case; None if nothing is.

    If it is a `secret`, what would be right is not said.
    """
    if found.stopped:
        return f"it stops: {found.stopped}"
    sentence = difference(found.result, expected.result)
    if sentence and secret:
        return f"it is not {shown(found.result)}"
    if not sentence and found.changed:
        return "what it returns is right"
    return sentence


def reasons(
    exercise: Exercise,
    found: dict[str, Outcome],
    expected: dict[str, Outcome],
    wrong: dict[str, str],
) -> str:
    """Return why an answer is wrong: the diagnosis, where it is wrong, and a number."""
    case = next(iter(wrong))
    told = [f"For {case}: {wrong[case]}."]
    right_ones = [name for name in exercise.cases if name not in wrong]
    if right_ones:
        told = [f"Right for {right_ones[0]}, wrong for {case}: {wrong[case]}."]
    if found[case].changed:
        names = " and ".join(found[case].changed)
        told = [f"It changes {names} in place, which its caller still needs.", *told]
    told = [*filter(None, [diagnosis(exercise, found, expected, case)]), *told]
    return "\n".join(
        textwrap.fill(
            text, 88, initial_indent="  ", subsequent_indent="  ",
            break_on_hyphens=False,              # names have some
        )
        for text in told
    )


def diagnosis(
    exercise: Exercise,
    found: dict[str, Outcome],
    expected: dict[str, Outcome],
    case: str,
) -> str | None:
    """Return what happened: a slip, one answer for all cases, a sign; None if unknown.
    """
    for slip in exercise.slips:
        if did_the_same(found, outcomes(slip, exercise.cases)):
            return one_line(slip.__doc__)
    if is_always_the_same(found):
        return "It returns the same whatever it is given: compute from the arguments."
    result, right = found[case].result, expected[case].result
    if is_same(result, right) or result is None:
        return None                              # that a `return` is missing is told
    if isinstance(result, str) and not isinstance(right, str):
        return None                              # signs read what is of the right kind
    arguments = exercise.cases[case]
    for sign in exercise.signs:
        if not found[case].stopped and holds(partial(sign, result, *arguments)):
            return one_line(sign.__doc__)
    part, wrong, right, _ = first_wrong(result, right)
    if is_single(right):
        wrong, right = single_numbers(found, expected)
    change = changed_as_a_whole(wrong, right)
    return f"{part}: {change}" if change and part else change


def did_the_same(found: dict[str, Outcome], slipped: dict[str, Outcome]) -> bool:
    """Return whether two functions did the same in all cases.

    Where both stop in every case, their errors must be the same in every case, too.
    """
    if all(outcome.stopped for outcome in found.values()):
        return all(found[case].error == slipped[case].error for case in found)
    return all(found[case].is_like(slipped[case]) for case in found)


def is_always_the_same(found: dict[str, Outcome]) -> bool:
    """Return whether what is returned in all cases is something, and the same."""
    results = [outcome.result for outcome in found.values() if not outcome.stopped]
    if len(results) < 2 or results[0] is None:
        return False
    return all(is_same(results[0], other) for other in results)


def holds(sign: Callable[[], Any]) -> bool:
    """Return whether a sign is seen; it is not, in a result that it cannot read."""
    try:
        with np.errstate(all="ignore"):
            return bool(sign())
    except Exception:
        return False


def single_numbers(
    found: dict[str, Outcome], expected: dict[str, Outcome]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers that are wrong first in each case, and the right ones.

    One alone is always some multiple of the right one: it takes two to tell.
    """
    wrongs = [
        first_wrong(found[case].result, right.result)
        for case, right in expected.items() if not found[case].stopped
    ]
    pairs = [(wrong.found, wrong.expected) for wrong in wrongs if wrong]
    numbers = [pair for pair in pairs if all(map(is_single, pair))]
    wrong, right = zip(*numbers, strict=True) if numbers else ((), ())
    return np.array(wrong, float), np.array(right, float)


def is_single(value: Any) -> bool:
    """Return whether something is a single number, of the float kind."""
    is_array = isinstance(value, np.ndarray | np.floating)
    return isinstance(value, float) or (is_array and value.ndim == 0)


def changed_as_a_whole(found: Any, expected: Any) -> str | None:
    """Say what one thing, done to all numbers of the right result, makes this one."""
    numbers = (np.ndarray, np.floating, float)
    if not isinstance(found, numbers) or not isinstance(expected, numbers):
        return None
    found, expected = np.asarray(found), np.asarray(expected)
    if found.dtype.kind != "f" or expected.dtype.kind != "f":
        return None
    if not np.isfinite(found).all() and np.isfinite(expected).all():
        return "It holds NaN or infinity."
    if expected.ndim > 1 and is_same(found, expected.swapaxes(-1, -2)):
        return "The last two axes are swapped."
    if found.shape != expected.shape or not expected.any():
        return None
    if is_same(np.sort(found, axis=None), np.sort(expected, axis=None)):
        return "All the right numbers, but not in their places."
    if found.size > 1 and not found.any():
        return "Every number is 0."
    place = np.unravel_index(np.abs(expected).argmax(), expected.shape)
    factor = found[place] / expected[place]
    if expected.size > 1 and is_same(found, factor * expected):
        return f"Every number is {factor:.6g} times the right one."
    return lost_digits(found, expected)


def lost_digits(found: np.ndarray, expected: np.ndarray) -> str | None:
    """Say so, if an array is the right one but for what a shorter float rounds away."""
    error = np.abs(found - expected).max() / np.abs(expected).max()
    for dtype in (np.float32, np.float16):
        if error < 8 * np.finfo(dtype).eps:
            digits, name = np.finfo(dtype).precision, np.dtype(dtype).name
            return (
                f"Right to {digits} digits only: is a part of it computed in {name}, "
                "or by a formula that is only nearly right?"
            )
    return None


def widening(exercise: Exercise, function: Callable[..., Any]) -> str:
    """Say so, if a right answer makes float64 of float32, which the library keeps."""
    arguments = tuple(map(narrowed, next(iter(exercise.cases.values()))))
    with silence():
        results = [outcome_of(f, arguments).result for f in (function, exercise.answer)]
    found, expected = (getattr(result, "dtype", None) for result in results)
    if (found, expected) == (np.float64, np.float32):
        return " (Given float32 it returns float64; the library's keeps float32.)"
    return ""


def narrowed(argument: Any) -> Any:
    """Return an argument with its float64 arrays in float32."""
    if isinstance(argument, Mapping):
        return {name: narrowed(value) for name, value in argument.items()}
    is_float64 = isinstance(argument, np.ndarray) and argument.dtype == np.float64
    return argument.astype(np.float32) if is_float64 else argument
