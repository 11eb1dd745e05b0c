"""Lesson 10, the parity clinic: what there is to write, and what goes wrong."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...functions import Array, softmax
from ...parity import compare, differences, steps
from ...parity.planting import function_of
from ...parity.zoo import ZOO, Fault
from .. import clinic
from ..clinic import HEALTHY, PATIENTS, relative_error
from ..exercise import Exercise

rng = np.random.default_rng(10)
NAN = float("nan")

# --- how far off an array is ----------------------------------------------------------


def not_divided(found: Array, exact: Array) -> Any:
    """This is the largest difference, not a share of the largest value: of numbers
    around 1000 a difference of 1 is little, of numbers around 1 it is all.
    """
    return np.abs(found - exact).max()


def signed(found: Array, exact: Array) -> Any:
    """Numbers that are too small do not show: take the absolute value of the
    difference before its largest.
    """
    return (found - exact).max() / (np.abs(exact).max() or 1.0)


def divided_by_found(found: Array, exact: Array) -> Any:
    """It is divided by the port's largest value: what is measured is not the measure.
    """
    return np.abs(found - exact).max() / (np.abs(found).max() or 1.0)


def of_each_number(found: Array, exact: Array) -> Any:
    """Each difference is divided by its own number: where that is 0, or nearly, a
    healthy array looks sick. Divide by the array's largest value.
    """
    return np.abs((found - exact) / exact).max()


def mean_error(found: Array, exact: Array) -> Any:
    """This is the mean difference: a single wrong number among many gets lost in it."""
    return np.abs(found - exact).mean() / (np.abs(exact).max() or 1.0)


def largest_unsigned(found: Array, exact: Array) -> Any:
    """It is divided by the largest number, not by the largest absolute value."""
    return np.abs(found - exact).max() / (exact.max() or 1.0)


def zeros_divided(found: Array, exact: Array) -> Any:
    """Where all numbers should be 0 it divides by 0: let the largest count as 1 then.
    """
    return np.abs(found - exact).max() / np.abs(exact).max()


def nan_overlooked(found: Array, exact: Array) -> Any:
    """NaN is overlooked, and is the worst error of all: array.max() keeps it; nanmax
    does not, nor does Python's own max always.
    """
    return np.nanmax(np.abs(found - exact)) / (np.abs(exact).max() or 1.0)


def small_not_divided(found: Array, exact: Array) -> Any:
    """Arrays of small numbers are divided by 1, so their errors seem small. Divide by 1
    only where all of exact is 0.
    """
    return np.abs(found - exact).max() / max(np.abs(exact).max(), 1.0)


def zeros_never_off(found: Array, exact: Array) -> Any:
    """Where all should be 0, nothing is ever off: return the largest difference then,
    divided by 1.
    """
    return relative_error(found, exact) * bool(exact.any())


def of_norms(found: Array, exact: Array) -> Any:
    """These are roots of sums of squares: a single wrong number among many gets lost in
    them. Take the largest of each.
    """
    return np.linalg.norm(found - exact) / (np.linalg.norm(exact) or 1.0)


def is_no_number(found: Any, *arguments: Any) -> bool:
    """One number is asked for, the largest of all: max() over everything."""
    return np.ndim(found) > 0


TABLE = np.array([[2.0, -4.0], [0.5, 1.0]])

RELATIVE_ERROR = Exercise(
    name="relative_error",
    lesson=10,
    minutes=3,
    difficulty=1,
    answer=clinic.relative_error,
    cases={
        "4 numbers": (TABLE * [[1.0, 0.9], [1.2, 1.0]], TABLE),
        "all too small": (TABLE - 0.2, TABLE),
        "one zero among large numbers": (np.array([1e-9, 999.0]), np.array([0.0, 1e3])),
        "small numbers": (np.array([0.02, 0.01]), np.array([0.02, 0.015])),
        "what should be 0": (np.full((2, 2), 1e-3), np.zeros((2, 2))),
        "NaN": (np.array([1.0, NAN, 3.0]), np.array([1.0, 2.0, 4.0])),
    },
    hints=(
        "Two numbers: the largest difference, and the largest value that is right.",
        "Signs are of no interest in either: np.abs, and then max().",
        "np.abs(found - exact).max() / (np.abs(exact).max() or 1.0): `or` takes the 1 "
        "where the largest is 0.",
    ),
    slips=(
        not_divided, signed, divided_by_found, of_each_number, mean_error,
        largest_unsigned, zeros_divided, nan_overlooked, small_not_divided,
        zeros_never_off, of_norms,
    ),
    signs=(is_no_number,),
    reveals=(differences.share, differences.error),
)

# --- where it first goes wrong --------------------------------------------------------

Arrays = Mapping[str, Array]


def errors_of(reference: Arrays, port: Arrays) -> dict[str, float]:
    """Return the error of each array that the port shows, in computing order."""
    return {
        name: relative_error(port[name], exact)
        for name, exact in reference.items() if name in port
    }


def the_worst(reference: Arrays, port: Arrays, tolerance: float) -> Any:
    """This is the array with the largest error. Errors grow on their way: the first
    that is off is where to look.
    """
    errors = errors_of(reference, port)
    worst = max(errors, key=lambda name: np.nan_to_num(errors[name], nan=np.inf))
    return None if errors[worst] <= tolerance else worst


def in_the_ports_order(reference: Arrays, port: Arrays, tolerance: float) -> Any:
    """It goes by the port's order, which may be any, such as the alphabet's: the
    reference is in computing order.
    """
    errors = errors_of(reference, port)
    return next((name for name in port if not errors[name] <= tolerance), None)


def nan_passes(reference: Arrays, port: Arrays, tolerance: float) -> Any:
    """NaN passes: NaN > tolerance is False, as every comparison with NaN. Ask for
    `not error <= tolerance`.
    """
    errors = errors_of(reference, port)
    return next((name for name, error in errors.items() if error > tolerance), None)


def all_must_be_shown(reference: Arrays, port: Arrays, tolerance: float) -> Any:
    """A port need not show everything: pass over names that it does not have."""
    for name, exact in reference.items():
        if not relative_error(port[name], exact) <= tolerance:
            return name
    return None


def the_last(reference: Arrays, port: Arrays, tolerance: float) -> Any:
    """This is the last array that is off: return at the first one."""
    errors = errors_of(reference, port)
    return ([None] + [name for name in errors if not errors[name] <= tolerance])[-1]


def all_that_are_off(reference: Arrays, port: Arrays, tolerance: float) -> Any:
    """These are all arrays that are off: the first of them is asked for, its name, or
    None.
    """
    errors = errors_of(reference, port)
    return [name for name in errors if not errors[name] <= tolerance]


def in_absolute_terms(reference: Arrays, port: Arrays, tolerance: float) -> Any:
    """The errors are absolute: compare relative_error with the tolerance, or arrays of
    large numbers are always the first.
    """
    for name in errors_of(reference, port):
        if not np.abs(port[name] - reference[name]).max() <= tolerance:
            return name
    return None


def the_first_name(reference: Arrays, port: Arrays, tolerance: float) -> Any:
    """It returns at the first array, off or not: only after the whole loop is it known
    that none is.
    """
    name, error = next(iter(errors_of(reference, port).items()))
    return None if error <= tolerance else name


def side_by_side(reference: Arrays, port: Arrays, tolerance: float) -> Any:
    """zip pairs the first with the first, whatever their names. The port is in another
    order: look up port[name].
    """
    pairs = zip(reference.items(), port.values(), strict=False)
    return next(
        (name for (name, exact), found in pairs
         if not relative_error(found, exact) <= tolerance), None,
    )


def missing_is_off(reference: Arrays, port: Arrays, tolerance: float) -> Any:
    """A name that the port lacks is returned. Of such an array nothing is known: go on
    with the next.
    """
    for name, exact in reference.items():
        if name not in port or not relative_error(port[name], exact) <= tolerance:
            return name
    return None


def tolerance_fixed(reference: Arrays, port: Arrays, tolerance: float) -> Any:
    """1e-5 is written in the function. The tolerance is an argument."""
    return clinic.first_divergent(reference, port, 1e-5)


def traces(off: Mapping[str, float], order: str = "abcde") -> tuple[Arrays, Arrays]:
    """Return a reference of five arrays, and a port's: `off` says by how much."""
    sizes = dict(zip("cabed", (50, 100, 150, 200, 250), strict=True))
    reference = {name: size * rng.normal(size=(2, 3)) for name, size in sizes.items()}
    port = {
        name: reference[name] + off.get(name, 1e-8) * np.abs(reference[name]).max()
        for name in order
    }
    return reference, port


FIRST_DIVERGENT = Exercise(
    name="first_divergent",
    lesson=10,
    minutes=4,
    difficulty=2,
    answer=clinic.first_divergent,
    cases={
        "b is off": (*traces({"b": 0.01, "e": 0.3, "d": 0.2}), 1e-5),
        "a port in another order": (*traces({"a": 0.1, "b": 0.1}, "bdeac"), 1e-5),
        "all within the tolerance": (*traces({"e": 9e-7}), 1e-5),
        "NaN": (*traces({"a": NAN, "e": 0.1}), 1e-5),
        "a port that shows little": (*traces({"d": 1e-4}, "edb"), 1e-5),
        "the very first is off": (*traces({"c": 0.01, "b": 0.1}), 1e-5),
        "a wide tolerance": (*traces({"a": 0.01, "e": 0.5}), 0.1),
    },
    hints=(
        "Walk through the reference, name by name: its order is that of computing.",
        "A name that the port does not have tells nothing: go on with the next one.",
        "NaN <= tolerance is False, and so is NaN > tolerance. Which question lets NaN "
        "count as off?",
        "for name, exact in reference.items(): if name in port and not "
        "relative_error(port[name], exact) <= tolerance: return name. After the loop: "
        "return None.",
    ),
    slips=(
        the_worst, in_the_ports_order, nan_passes, all_must_be_shown, the_last,
        all_that_are_off, in_absolute_terms, the_first_name, side_by_side,
        missing_is_off, tolerance_fixed,
    ),
)

# --- what a step added ----------------------------------------------------------------

Formula = Callable[..., Array]
Read = tuple[Array, ...]


def divided_by_port(step: Formula, read: Read, found: Array) -> Any:
    """The port's array and the right one have changed places: the error is relative to
    what is right, relative_error(found, exact).
    """
    return relative_error(step(*(array.astype(np.float64) for array in read)), found)


def of_first_input(step: Formula, read: Read, found: Array) -> Any:
    """Only the first of the arrays is passed on: step(*arrays) passes all of them."""
    return relative_error(found, step(read[0].astype(np.float64)))


def against_inputs(step: Formula, read: Read, found: Array) -> Any:
    """The step does not run: what the port found is compared with what it read."""
    return relative_error(found, read[0].astype(np.float64))


def error_not_relative(step: Formula, read: Read, found: Array) -> Any:
    """This is the absolute error: relative_error divides by the largest value."""
    exact = step(*(array.astype(np.float64) for array in read))
    return np.abs(found - exact).max()


def is_exactly_0(found: Any, *arguments: Any) -> bool:
    """A healthy step seems to add nothing at all: it was run in float32 and rounded as
    the port did. Make float64 of what it reads first.
    """
    return bool(found == 0)


def product(x: Array, y: Array) -> Array:
    """Return x @ y."""
    return x @ y


def both(x: Array, y: Array) -> Array:
    """Return x + y."""
    return x + y


def shorter(*shape: int) -> Array:
    """Return numbers of this shape in float32."""
    return (30 * rng.normal(size=shape)).astype(np.float32)


def port_of(step: Formula, *read: Array, factor: float = 1.0) -> tuple[Any, Read, Any]:
    """Return a step, what a port read, and what it made of that."""
    return step, read, (factor * step(*read)).astype(np.float32)


ADDED_ERROR = Exercise(
    name="added_error",
    lesson=10,
    minutes=4,
    difficulty=2,
    answer=clinic.added_error,
    cases={
        "a healthy sum": port_of(both, shorter(3, 4), shorter(3, 4)),
        "a softmax that is 1 % too large": port_of(
            softmax, shorter(2, 5), factor=1.01
        ),
        "a healthy matrix product": port_of(product, shorter(4, 64), shorter(64, 4)),
        "a sum that is half of what it should be": port_of(
            both, shorter(2, 3), shorter(2, 3), factor=0.5
        ),
    },
    hints=(
        "What went wrong before is in the arrays that the port read. From these, what "
        "should this step have given?",
        "Run it in float64, array.astype(np.float64), so that it adds no rounding of "
        "its own.",
        "exact = step(*(array.astype(np.float64) for array in read)), and then "
        "relative_error(found, exact).",
    ),
    slips=(divided_by_port, of_first_input, against_inputs, error_not_relative),
    signs=(is_exactly_0,),
    reveals=(clinic.added_error, compare.Comparer.measured, steps.outcome),
)

# --- the diagnoses --------------------------------------------------------------------


def speaks_against(letter: str, name: str) -> str:
    """Say what speaks against a fault, by its name, as the diagnosis of a patient."""
    truth = PATIENTS[letter]
    if name == HEALTHY:
        return "Some step adds more than rounding: find the first one that does."
    fault = ZOO[name]
    if "masked_lm" not in fault.heads:
        return f"{name} is a fault of another head: this model fills in hidden words."
    if truth == HEALTHY:
        return f"With {name} {first_of(fault)} would be off by more than rounding."
    if fault.first != ZOO[truth].first:
        return (
            f"With {name} the first array to be wrong would be {first_of(fault)}. "
            "Which is it here?"
        )
    needs = f" Only an input with {fault.needs} shows it." if fault.needs else ""
    return (
        f"{name} would be wrong at the same array first, {first_of(fault)}, but not by "
        f"these numbers.{needs} Compute that step with it, and compare."
    )


def first_of(fault: Fault) -> str:
    """Return the array that a fault makes wrong first, in the first block."""
    return fault.first.replace("*", "0")


def as_slip(letter: str, name: str) -> Callable[[], str]:
    """Return the function that gives a wrong diagnosis, with what speaks against it."""

    def slip() -> str:
        return name

    slip.__doc__ = speaks_against(letter, name)
    return slip


def not_in_the_zoo(found: Any) -> bool:
    """That is no name of the zoo, which `python -m distilbert_np zoo` lists; nor is it
    "no bug".
    """
    return found not in [*ZOO, HEALTHY]


def lines_of(name: str) -> tuple[Callable[..., Any], ...]:
    """Return the functions that a fault changes; of health, the one that judges it."""
    if name == HEALTHY:
        return (compare.Comparer.measured,)
    return tuple(dict.fromkeys(map(function_of, ZOO[name].edits)))


def diagnosis(letter: str, minutes: int, difficulty: int, *hints: str) -> Exercise:
    """Return the exercise of a patient: what is its fault called?

    The last hint is the name; what is revealed, the code that is right there.
    """
    truth = PATIENTS[letter]

    def answer() -> str:
        return truth

    answer.__name__ = f"diagnosis_{letter.lower()}"
    return Exercise(
        name=answer.__name__,
        lesson=10,
        minutes=minutes,
        difficulty=difficulty,
        answer=answer,
        cases={f"patient {letter}": ()},
        hints=(*hints, f"Patient {letter}: {truth}."),
        slips=tuple(
            as_slip(letter, name) for name in [*ZOO, HEALTHY] if name != truth
        ),
        signs=(not_in_the_zoo,),
        reveals=lines_of(truth),
        secret=True,
    )


EXERCISES = (
    RELATIVE_ERROR,
    FIRST_DIVERGENT,
    ADDED_ERROR,
    diagnosis(
        "A", 1, 1,
        "The table of the lesson shows which array is the first to be off, and that "
        "nothing was inherited there. Which lines of the zoo's list name that array?",
        "Compare the rows of this array with those of the reference: is any of them "
        "right, but in another place?",
    ),
    diagnosis(
        "B", 2, 1,
        "Of which array does first_divergent tell? What does the step read, and is "
        "that right?",
        "All the right numbers, but not in their places: np.sort says so. What happens "
        "to the heads after they were weighed?",
    ),
    diagnosis(
        "C", 3, 2,
        "Which is the first array that is off by more than the tolerance? How large is "
        "it in the reference?",
        "The gradient of k_lin's bias should be 0: whatever is added to all keys is "
        "added to whole rows of scores, and softmax does not see it. Compared with 0 "
        "all rounding looks large; what about added_error of the other steps?",
    ),
    diagnosis(
        "D", 3, 2,
        "The error is small, and only in some numbers. Of which step?",
        "Plot what the step gives against what it reads, or look at the difference for "
        "inputs near 2 and −2. Which other formulas have this shape?",
        "Try both formulas of the zoo on the patient's own input: gelu_new, and "
        "x * sigmoid(1.702 * x).",
    ),
    diagnosis(
        "E", 3, 2,
        "Which texts are off: all, or those with padding?",
        "Hidden tokens get a weight of 0, as they should. What do the rows sum to?",
        "A row that sums to less than 1 was divided before the hidden ones were taken "
        "out.",
    ),
    diagnosis(
        "F", 3, 3,
        "Of which array is it? And of the others of this kind?",
        "Divide what the patient has by what it should be, less the bias: one factor "
        "for each token. Is it nearer to 1 where the variance of what was read is "
        "large?",
        "The factor is √(variance / (variance + eps)): solve for eps.",
    ),
    diagnosis(
        "G", 3, 3,
        "The forward pass is healthy, and so is the loss: clinic.patient(\"G\", "
        "gradients=True) shows the way back.",
        "Pass over the gradients of k_lin's bias, which should be 0, as in patient C. "
        "Which is left?",
        "The difference from what it should be is itself an array that you know: "
        "compare it with gradients.vocab_projector.weight.",
    ),
)
