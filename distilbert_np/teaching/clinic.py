"""The parity clinic: ports of one model, each with a fault of the zoo, or with none.

    clinic = Clinic("tiny")
    clinic.reference                             # every array, in float64
    clinic.patient("A")                          # the same of a port, in float32

The name of a fault is for the student to find; it is in no array.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext

import numpy as np

from ..errors import InputError, shown
from ..functions import Array
from ..models import DistilBertPreTrainedModel as Model
from ..parity import zoo
from ..parity.compare import Comparison, compare
from ..parity.differences import share
from ..parity.kit import words_asked
from ..parity.rounding import difference, precision, size
from ..parity.steps import GRADIENTS, Step, run, steps_of
from ..parity.traces import Shown
from ..parity.tracing import letters_of, load_model, traced
from ..tokenizer import DistilBertTokenizer

HEALTHY = "no bug"
PATIENTS = {                                     # from easy to hard
    "A": "positions-off-by-one",
    "B": "heads-not-merged-back",
    "C": HEALTHY,
    "D": "gelu-tanh",
    "E": "mask-after-softmax",
    "F": "norm-eps-1e-5",
    "G": "tied-gradient-forgotten",
}
TEXTS = (                                        # of unlike length: some get padding
    "The capital of France is Paris.",
    "A shark lives in the sea, and the sky is blue.",
    "The opposite of hot is cold.",
)


class Clinic:
    """A masked-LM model, one call of it, and what ports make of that call.

    name       what from_pretrained takes
    tokens     the tokens of each text, padding included
    steps      how each array is made of others, in computing order
    reference  every array by its name, in float64: forward, loss and gradients
    """

    def __init__(self, name: str) -> None:
        self.model, self.single = (
            load_model(name, "masked_lm", dtype) for dtype in ("float64", "float32")
        )
        tokenizer = DistilBertTokenizer.from_pretrained(name)
        inputs = tokenizer(list(TEXTS), padding=True, return_tensors="np")
        ids, mask = inputs["input_ids"], inputs["attention_mask"]          # (B, L)
        self.tokens = [tokenizer.convert_ids_to_tokens(row) for row in ids.tolist()]
        self.inputs = {"input_ids": ids, "attention_mask": mask}
        self.inputs |= words_asked(ids, mask, 0)
        self.given, self.reference = parted(self.model, self.inputs)
        self.steps = steps_of(self.model, self.given, gradients=True)

    def patient(self, letter: str, gradients: bool = False) -> dict[str, Array]:
        """Return the arrays of a patient by their names, in float32.

        They are those of the forward pass, or with `gradients` of the way back as well.
        Raises InputError for a letter that no patient has.
        """
        if letter not in list(PATIENTS):
            letters = ", ".join(PATIENTS)
            raise InputError(f"patient: expected {letters}, found {shown(letter)}")
        return self.port(PATIENTS[letter], gradients)

    def port(self, fault: str = HEALTHY, gradients: bool = False) -> dict[str, Array]:
        """Return the arrays of a port with a fault of the zoo, in float32."""
        with nullcontext() if fault == HEALTHY else zoo.planted(fault):
            return parted(self.single, self.inputs, gradients)[1]

    def step(self, name: str) -> Step:
        """Return the step that gives an array; raise InputError if none does."""
        for step in self.steps:
            if name in step.gives:
                return step
        raise InputError(f"array: no step gives {shown(name)}")

    def expected(self, name: str, port: dict[str, Array]) -> Array:
        """Return what an array should be, in float64, from a port's own inputs to it.
        """
        return run(self.step(name), self.model, self.given | port)[name]

    def compare(self, port: dict[str, Array]) -> Comparison:
        """Compare a port with the reference, as the command `compare` does."""
        gradients = any(name.startswith(GRADIENTS) for name in port)
        healthy = self.port(gradients=gradients)
        truth = {name: self.reference[name] for name in healthy}
        floors = {
            name: size(difference(healthy[name], array)).most
            for name, array in truth.items()
        }
        found = {name: Shown(array, precision(array)) for name, array in port.items()}
        models = self.model, self.single
        return compare(
            self.given | truth, found, models, letters_of(self.model), floors
        )


def parted(
    model: Model, inputs: Mapping[str, Array], gradients: bool = True
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the arrays of a call by their names: what is given, what is computed."""
    given, computed = {}, {}
    for name, array in traced(model, inputs, gradients).items():
        (given if name.startswith("inputs.") else computed)[name] = array
    return given, computed


# --- first aid ------------------------------------------------------------------------


def relative_error(found: Array, exact: Array) -> float:
    """Return the largest error of an array, as a share of its largest value.

    NaN if there is one. Where all should be 0, the error itself.
    """
    return share(found, exact)


def first_divergent(
    reference: Mapping[str, Array], port: Mapping[str, Array], tolerance: float
) -> str | None:
    """Return the name of the first array that is off by more than `tolerance`.

    First in the reference's order, which is that of computing; of arrays that the port
    does not show nothing is known. The error is relative_error; NaN is off. None if no
    array is off.
    """
    for name, expected in reference.items():
        if name in port and not relative_error(port[name], expected) <= tolerance:
            return name
    return None


def added_error(
    step: Callable[..., Array], read: tuple[Array, ...], found: Array
) -> float:
    """Return the relative error that a step added by itself.

    `step` computes, as it should be, from the arrays that the port `read`; `found` is
    what the port made of them. What was wrong with these before counts for nothing.
    """
    exact = step(*(array.astype(np.float64) for array in read))
    return relative_error(found, exact)
