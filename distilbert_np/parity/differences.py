"""How far two sides are apart: a row for each tensor, with its bound and a verdict."""

import math
from dataclasses import asdict, dataclass, replace

import numpy as np

from ..config import DistilBertConfig
from ..errors import InputError
from ..functions import Array
from ..trees import Tree
from .bounds import FLOAT64_BOUND, GRADIENT_BOUND, float32_bound, vanishes
from .steps import GRADIENTS, last_state
from .theirs import Computed

# A model may amplify rounding beyond the bound: then so many times the error that the
# other side has, too.
AMPLIFIED = 2

Sides = dict[str, Computed]                      # what one side computes, by dtype


@dataclass(frozen=True)
class Row:
    """How far a tensor is off: ours in float64, and both in float32.

    In float64 as a share of the largest value. In float32 it is the largest error; of
    gradients that, too, is a share. `parameter` is the worst of a group of gradients.
    """

    name: str
    float64: float
    float64_bound: float
    ours: float
    torch: float
    bound: float
    parameter: str | None = None

    @property
    def excess(self) -> float:
        """The larger error as a multiple of its bound: above 1, it is a mismatch."""
        return worst_of(self.float64 / self.float64_bound, self.ours / self.bound)


@dataclass(frozen=True)
class OnnxRow:
    """How far an output of an .onnx file is off in float32, and ours of the same name.

    `counterpart` is the name of that one, in a trace.
    """

    name: str
    counterpart: str
    onnx: float
    ours: float
    bound: float

    @property
    def excess(self) -> float:
        """The error as a multiple of its bound: above 1, it is a mismatch."""
        return worst_of(self.onnx / self.bound)


def worst_of(*shares: float) -> float:
    """Return the largest number; a NaN counts as infinite."""
    return max(math.inf if math.isnan(share) else share for share in shares)


def value_rows(ours: Sides, theirs: Sides, seen: Array) -> list[Row]:
    """Return a row for each array of the forward pass, in computing order.

    In float64 of all of it; in float32 of the tokens that are `seen` (B, L).
    """
    rows = []
    for name, exact in theirs["float64"].values.items():
        torch = error(theirs["float32"].values[name], exact, seen)
        rows.append(Row(
            name, share(ours["float64"].values[name], exact), FLOAT64_BOUND,
            error(ours["float32"].values[name], exact, seen), torch,
            max(float32_bound(exact), AMPLIFIED * torch),
        ))
    return rows


def gradient_rows(
    config: DistilBertConfig, head: str, ours: Sides, theirs: Sides
) -> list[Row]:
    """Return a row for each parameter's gradient that both sides have."""
    rows = []
    for name, double in ours["float64"].gradients.items():
        if name not in theirs["float64"].gradients:
            continue
        exact = theirs["float64"].gradients[name]
        if vanishes(config, head, name):
            exact = np.zeros_like(exact)
        torch = share(theirs["float32"].gradients[name], exact)
        rows.append(Row(
            GRADIENTS + name, share(double, exact), GRADIENT_BOUND["float64"],
            share(ours["float32"].gradients[name], exact), torch,
            max(GRADIENT_BOUND["float32"], AMPLIFIED * torch),
        ))
    return rows


def grouped(rows: list[Row]) -> list[Row]:
    """Return the worst row of each group, as backward meets them: the head first."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        parameter = row.name.removeprefix(GRADIENTS)
        member = replace(row, parameter=parameter, name=GRADIENTS + group_of(parameter))
        groups.setdefault(member.name, []).append(member)
    return [max(groups[name], key=lambda row: row.excess) for name in reversed(groups)]


def group_of(parameter: str) -> str:
    """Return where a parameter sits: in the embeddings, in a layer, or in the head."""
    first, *others = parameter.split(".")
    if first == "transformer":
        return ".".join([first, *others[:2]])
    return first if first == "embeddings" else "head"


def error(found: Array, exact: Array, seen: Array | None = None) -> float:
    """Return the largest difference, NaN where there is one.

    Of vectors (B, L, D) only those of tokens that are `seen` count, if it is given: a
    model is not trained to give the others sense, and may amplify rounding there.
    """
    if seen is not None and exact.ndim == 3:
        found, exact = found[seen], exact[seen]
    return float(np.abs(found - exact).max())


def share(found: Array, exact: Array) -> float:
    """Return the largest difference as a share of the largest value, if that is not 0.
    """
    return error(found, exact) / (float(np.abs(exact).max()) or 1.0)


def as_data(row: Row | OnnxRow) -> Tree:
    """Return a row ready for JSON, which knows no NaN and no infinity: None is these.
    """
    fields = asdict(row) | {"excess": row.excess}
    finite = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in fields.items()
    }
    return finite | {"agrees": row.excess <= 1}


# --- outputs of an .onnx file ---------------------------------------------------------


def with_outputs(
    values: dict[str, Array], config: DistilBertConfig, head: str
) -> dict[str, Array]:
    """Return a trace's arrays, and outputs by the names that transformers gives them.

    The first of the outputs comes first of all.
    """
    states = {"last_hidden_state": values[last_state(config.n_layers)]}
    if head == "base":
        return states | values
    logits = values["head.logits"]
    if head == "question_answering":
        ends = {"start_logits": logits[..., 0], "end_logits": logits[..., 1]}
        return ends | states | values
    return {"logits": logits} | states | values


def counterparts(
    outputs: dict[str, Array], exact: dict[str, Array]
) -> dict[str, str]:
    """Return the name in `exact` of each output that has one: by name; or by place.

    Exporters give the first output any name: it counts if the shape is right.
    """
    found = {name: name for name in outputs if name in exact}
    first, main = next(iter(outputs)), next(iter(exact))
    if first not in found and outputs[first].shape == exact[main].shape:
        found = {first: main} | found
    return found


def onnx_row(
    name: str, counterpart: str, found: Array, exact: Array, ours: Array, seen: Array
) -> OnnxRow:
    """Return how far an output is off; raise InputError if its shape is another."""
    if found.shape != exact.shape:
        raise InputError(
            f"--onnx: {name} has shape {found.shape}, {counterpart} has {exact.shape}"
        )
    rounding = error(ours, exact, seen)
    bound = max(float32_bound(exact), AMPLIFIED * rounding)
    return OnnxRow(name, counterpart, error(found, exact, seen), rounding, bound)
