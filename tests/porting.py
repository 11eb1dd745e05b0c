"""A port in small: the steps of a case run one by one, some of them done otherwise."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import ours
from cases import GRADIENT_CASES, Case

from distilbert_np.parity.compare import Comparison, compare
from distilbert_np.parity.rounding import difference, size
from distilbert_np.parity.steps import OPERATIONS, Operation, Step, outcome, steps_of
from distilbert_np.parity.traces import Shown, as_shown
from distilbert_np.parity.tracing import letters_of, traced
from distilbert_np.weights import POSITIONS, WORDS

Arrays = dict[str, np.ndarray]
SMALL_CASES = [name for name in GRADIENT_CASES if not name.startswith("base size")]


class Truth(NamedTuple):
    """What a port of a case is held against: our models, the trace, what rounding does.
    """

    double: Any
    single: Any
    trace: Arrays
    single_trace: Arrays
    gradients: bool

    @property
    def inputs(self) -> Arrays:
        """The inputs of the trace."""
        return {n: a for n, a in self.trace.items() if n.startswith("inputs.")}

    @property
    def steps(self) -> list[Step]:
        """The steps, in computing order."""
        return steps_of(self.double, list(self.inputs), self.gradients)

    def step(self, name: str) -> Step:
        """Return the step that gives this array."""
        (step,) = (step for step in self.steps if name in step.gives)
        return step

    @property
    def floors(self) -> dict[str, float]:
        """How far float32 is from float64 at most, by name."""
        return {
            name: size(difference(self.single_trace[name], array)).most
            for name, array in self.trace.items()
        }


def truth_of(case: Case, gradients: bool = True) -> Truth:
    """Return the truth about a case."""
    double, single = (ours.build(case, dtype) for dtype in ("float64", "float32"))
    given = case.arguments()
    if cotangents := case.cotangents():
        given["last_hidden_state_gradient"] = cotangents["last_hidden_state"]
    traces = (traced(model, given, gradients) for model in (double, single))
    return Truth(double, single, *traces, gradients)


class NarrowRows(Case):
    """A case whose embeddings are as small as trained ones: there epsilons show."""

    def tensors(self) -> Arrays:
        """Return the parameters, the embeddings' tables 64 times as small."""
        tensors = super().tensors()
        for name in (WORDS, POSITIONS):
            tensors[name] /= 64
        return tensors


CASES = GRADIENT_CASES | {"narrow rows": NarrowRows("narrow rows", "base")}


@cache
def truth(name: str, gradients: bool = True) -> Truth:
    """Return the truth about the case of this name."""
    return truth_of(CASES[name], gradients)


def ported(
    about: Truth, otherwise: Mapping[str, Operation] | None = None,
    stored: Callable[[np.ndarray], np.ndarray] = np.float32,
) -> Arrays:
    """Return the arrays of a float32 port that does some steps, by name, otherwise.

    `stored` rounds each array before the next step reads it.
    """
    values, otherwise = about.inputs, otherwise or {}
    for step in about.steps:
        operation = otherwise.get(step.name, OPERATIONS[step.operation])
        with np.errstate(all="ignore"):
            found = outcome(step, operation, about.single, values)
            values |= {name: stored(array) for name, array in found.items()}
    return values


def held_against(
    about: Truth, mine: Mapping[str, np.ndarray | Shown], **options: Any
) -> Comparison:
    """Return what comes of comparing a port's arrays with the truth."""
    shown = {
        name: array if isinstance(array, Shown) else as_shown(Path("mine"), array)
        for name, array in mine.items()
    }
    return compare(
        about.trace, shown, (about.double, about.single), letters_of(about.double),
        about.floors, **options,
    )


def row_of(compared: Comparison, name: str) -> Any:
    """Return the row of an array."""
    (row,) = (row for row in compared.rows if row.name == name)
    return row


def causes_of(compared: Comparison) -> dict[str, str]:
    """Return the likeliest cause of each array that is wrong, by its name."""
    return {row.name: row.findings[0].cause for row in compared.wrong}
