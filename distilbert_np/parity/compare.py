"""Compare a port's arrays with ours: where theirs first go wrong, and how.

Each step is run again, in float64, from the port's own inputs to it. So the error of an
array falls in two: what is *inherited*, because the inputs were off already, and what
the port's own step *added*. The latter is a bug where it is more than TOLERANCE times
what float32 adds there, which is measured by running the same step in float32.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..errors import InputError
from ..functions import Array
from ..models import DistilBertPreTrainedModel as Model
from . import layouts
from .causes import Finding, Wrong, findings
from .rounding import (
    FLOAT32,
    PRECISIONS,
    Size,
    difference,
    floor,
    precision,
    scale,
    size,
)
from .steps import GRADIENTS, TEACHER, Step, run, steps_of
from .traces import Shown, Trace
from .tracing import labels_of, letters_of, load_model

# Of float32's error. Ports that are right stay below 8, and faults begin at 40.
TOLERANCE = 16.0


@dataclass
class Row:
    """What is known of one array.

    state      rounding; inherited: off, but its own step is right; bug; shape: no
               layout of it fits; missing: the port does not show it
    total      largest difference from the reference
    inherited  how much of that its inputs brought along
    added      how much its own step added
    floor      what rounding adds at most in this step
    times      how many times rounding was added: at most, or as root mean square
    precision  that of the rounding: float32, or what the port shows
    layout     its axes, if they are others than ours
    worst      of a bug: the place of the largest error, the number there, the right one
    """

    name: str
    state: str
    shape: tuple[int, ...] = ()
    total: float | None = None
    inherited: float | None = None
    added: float | None = None
    floor: float | None = None
    times: float | None = None
    precision: str = ""
    layout: str = ""
    worst: tuple[list[int], float, float] | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_wrong(self) -> bool:
        """Whether the port goes wrong here."""
        return self.state in ("bug", "shape")


@dataclass
class Comparison:
    """What came of comparing: a row for each array, in computing order.

    followed   the names of what goes into something that the port shows
    unknown    names of the port that are not ours
    tolerance  how many times float32's error is rounding still
    """

    rows: list[Row]
    followed: set[str]
    unknown: list[str]
    tolerance: float

    @property
    def wrong(self) -> list[Row]:
        """The arrays at which the port goes wrong, the first one first."""
        return [row for row in self.rows if row.is_wrong]

    @property
    def matches(self) -> bool:
        """Whether the port is right, as far as it shows."""
        return not self.wrong and not self.strays

    @property
    def strays(self) -> list[Row]:
        """The arrays that are off the reference although no step is wrong.

        Then the reference is not what its model computes.
        """
        return [] if self.wrong else [r for r in self.rows if r.state == "inherited"]

    @property
    def missing(self) -> list[str]:
        """The names of what the port does not show."""
        return [row.name for row in self.rows if row.state == "missing"]

    @property
    def unchecked(self) -> list[str]:
        """The names of what is missing and goes into nothing that the port shows."""
        return [name for name in self.missing if name not in self.followed]


@dataclass
class Comparer:
    """Runs the steps in both precisions from what a port shows.

    The first fields are what `compare` is given. The others grow with each step: the
    values so far, the epsilon of each (0 for whole numbers), the steps, their rows.
    """

    reference: Mapping[str, Array]
    shown: Mapping[str, Shown]
    double: Model
    single: Model
    letters: Mapping[str, str]
    floors: Mapping[str, float]
    tolerance: float
    doubles: dict[str, Array] = field(default_factory=dict)
    singles: dict[str, Array] = field(default_factory=dict)
    precisions: dict[str, float] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def read_input(self, name: str, array: Array) -> None:
        """Take in an input: where the port shows it, it must be the same."""
        self.doubles[name] = self.singles[name] = array
        self.precisions[name] = precision(array)
        if name not in self.shown:
            return
        theirs, eps = self.shown[name]
        # Of a float32 reference and a float64 port, the coarser says what is the same.
        eps = self.precisions[name] = max(eps, precision(array))
        (expected,) = self.repeated(name, theirs, array)
        fits = layouts.arranged(as_texts(theirs, expected.ndim), expected)
        is_same = fits is not None and self.is_same(name, fits[0], expected, eps)
        if is_same and name.startswith(TEACHER):
            self.doubles[name] = self.singles[name] = fits[0]
        state = "rounding" if is_same else "bug"
        found = [] if is_same else [Finding("inputs-differ")]
        self.rows.append(Row(name, state, theirs.shape, findings=found))

    def is_same(self, name: str, value: Array, array: Array, eps: float) -> bool:
        """Whether an input is the reference's, up to the rounding of its own type.

        What a teacher said may be off by what its whole computation rounds.
        """
        error = size(difference(value, array))
        if name.startswith(TEACHER):
            return error.most <= self.tolerance * self.usual(name, array, eps)
        return error.over(floor(array, array, eps)) <= 1

    def usual(self, name: str, truth: Array, eps: float) -> float:
        """Return what rounding adds at most on all the way to an array."""
        once = FLOAT32 * scale(truth).most
        return max(self.floors.get(name, 0.0), once) * max(1.0, eps / FLOAT32)

    def read_step(self, step: Step) -> None:
        """Run a step; judge what the port shows of it, and go on from that."""
        self.steps.append(step)
        with np.errstate(all="ignore"):
            double = run(step, self.double, self.doubles)
            single = run(step, self.single, self.singles)
        for name in step.gives:
            row, value = Row(name, "missing"), None
            if name in self.shown:
                row, value = self.judge(step, name, single[name], double[name])
            self.rows.append(row)
            is_theirs = value is not None
            self.doubles[name] = value if is_theirs else double[name]
            self.singles[name] = value if is_theirs else single[name]
            self.precisions[name] = (
                self.shown[name].eps if is_theirs else self.precision_read(step)
            )

    def judge(
        self, step: Step, name: str, single: Array, double: Array
    ) -> tuple[Row, Array | None]:
        """Return the row of an array that the port shows, and it in our layout."""
        theirs, eps = self.shown[name]
        if not eps and double.dtype.kind == "f":
            raise InputError(f"MINE: {name}: expected numbers of a float type, found "
                             f"{theirs.dtype}")
        letters = self.letters.get(name, "")
        single, double = self.repeated(name, theirs, single, double)
        fits = layouts.arranged(theirs, double)
        if fits is None:
            detail = f"{theirs.shape}; {letters} is {double.shape}"
            found = [Finding("shape-differs", detail=detail)]
            return Row(name, "shape", theirs.shape, findings=found), None
        value, axes = fits[0].astype(np.float64, copy=False), fits[1]
        is_masked = False
        if step.operation == "scores":
            mask = self.doubles["inputs.attention_mask"]
            value, is_masked = layouts.unmasked(value, double, mask)
        eps = max(eps, self.precision_read(step))
        allowed = floor(single, double, eps, self.doubles[step.reads[0]])
        row = self.measured(name, value, double, allowed, eps)
        row.shape = theirs.shape
        row.layout = layouts.named(theirs.shape, axes, double.shape, letters)
        if is_masked:
            row.layout = f"{row.layout} scores + mask".strip()
        if row.is_wrong:
            row.worst = worst_number(value, double)
            row.findings = findings(Wrong(
                self.double, [*self.unseen_before(step), step], self.doubles, name,
                value, double, allowed, eps, self.tolerance, letters,
            ), self.is_of_wrong_forward(step))
        return row, value

    def measured(
        self, name: str, value: Array, double: Array, allowed: Size, eps: float
    ) -> Row:
        """Return the row of an array: how far it is off, and why."""
        added = size(difference(value, double))
        row = Row(name, "rounding", added=added.most, floor=allowed.most,
                  times=added.over(allowed), precision=PRECISIONS.get(eps, ""))
        if name in self.reference:
            truth = self.reference[name]
            row.total = size(difference(value, truth)).most
            row.inherited = size(difference(double, truth)).most
            usual = max(self.usual(name, truth, eps), allowed.most)
            if row.inherited > self.tolerance * usual:
                row.state = "inherited"
        if row.times > self.tolerance:
            row.state = "bug"
        return row

    def precision_read(self, step: Step) -> float:
        """Return the largest epsilon of what a step reads.

        What is made of float32 numbers is no more exact if it is kept in float64.
        """
        return max(self.precisions[name] for name in step.reads)

    def repeated(self, name: str, theirs: Array, *ours: Array) -> Iterator[Array]:
        """Yield ours, repeated for each text where it is positions, and theirs is."""
        each = (len(self.reference["inputs.attention_mask"]), *ours[0].shape[1:])
        is_so = self.letters.get(name, "").startswith("1|B") and theirs.shape == each
        yield from (np.broadcast_to(x, each) if is_so else x for x in ours)

    def is_of_wrong_forward(self, step: Step) -> bool:
        """Whether a step goes back through one that was wrong on the way there."""
        wrong = {row.name for row in self.rows if row.is_wrong}
        passed = {name.removeprefix(GRADIENTS) for name in step.reads}
        return step.operation.endswith("backward") and bool(wrong & passed)

    def unseen_before(self, step: Step) -> list[Step]:
        """Return the steps that led here and of which the port shows nothing."""
        wanted, found = {*step.reads}, []
        for earlier in reversed(self.steps[:-1]):
            if any(name in wanted and name not in self.shown for name in earlier.gives):
                wanted |= {*earlier.reads}
                found.append(earlier)
        return found[::-1]


def worst_number(value: Array, expected: Array) -> tuple[list[int], float, float]:
    """Return the place of the largest error, the number there, and the right one."""
    error = difference(value, expected)
    place = np.unravel_index(int(error.argmax()), error.shape)
    return [int(i) for i in place], float(value[place]), float(expected[place])


def as_texts(array: Array, ndim: int) -> Array:
    """Return an input that has more axes than these with the first two as one.

    So are the choices of all questions (B/C, C, L) laid out here: as texts (B, L).
    """
    if array.ndim <= ndim:
        return array
    questions, choices, *others = array.shape
    return array.reshape(questions * choices, *others)


def compare(
    reference: Mapping[str, Array], shown: Mapping[str, Shown],
    models: tuple[Model, Model], letters: Mapping[str, str],
    floors: Mapping[str, float], tolerance: float = TOLERANCE,
) -> Comparison:
    """Compare what a port shows with the reference, step by step.

    `models` are the model in float64 and in float32; `letters` and `floors` tell the
    axes of each array and float32's error from the inputs to there, by its name.
    """
    comparer = Comparer(reference, shown, *models, letters, floors, tolerance)
    given = [name for name in reference if name.startswith("inputs.")]
    for name in given:
        comparer.read_input(name, reference[name])
    begin = {f"inputs.{name}" for name in labels_of(models[0].head)}
    has_gradients = any(name.startswith(GRADIENTS) for name in [*reference, *shown])
    steps = steps_of(models[0], given, has_gradients and begin <= {*given})
    for step in steps:
        comparer.read_step(step)
    known = {*given, *(name for step in steps for name in step.gives)}
    unknown = [name for name in shown if name not in known]
    return Comparison(comparer.rows, going_into(shown, steps), unknown, tolerance)


def going_into(names: Collection[str], steps: list[Step]) -> set[str]:
    """Return the names of all that steps read on the way to arrays of these names."""
    read: set[str] = set()
    for step in reversed(steps):
        if any(name in names or name in read for name in step.gives):
            read |= {*step.reads}
    return read


def compare_traces(
    reference: Trace, shown: Mapping[str, Shown], name: str,
    tolerance: float = TOLERANCE,
) -> Comparison:
    """Compare what a port shows with a trace; `name` is where its model is loaded from.
    """
    head = reference.manifest["head"]
    models = tuple(load_model(name, head, dtype) for dtype in ("float64", "float32"))
    for model in models:
        settings = reference.manifest.get("settings", {})
        model.config.problem_type = settings.get("problem_type")
    tensors = reference.manifest["tensors"]
    floors = {name: about.get("floor", 0.0) for name, about in tensors.items()}
    letters = letters_of(models[0])
    return compare(reference.arrays, shown, models, letters, floors, tolerance)
