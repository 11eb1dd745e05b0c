"""Gradients checked by differences: how far the two agree, step by step."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..errors import InputError, shown
from ..functions import Array
from ..inputs import check_seed
from ..models import DistilBertPreTrainedModel as Model
from ..trees import flatten, unflatten

Leaves = dict[str, Array]                        # parameters by their dotted names


def gradient_errors(
    model: Model, inputs: Mapping[str, Any], steps: Iterable[float], seed: int = 0
) -> dict[float, float]:
    """Return, for each step h, how far a difference of the loss L is off its gradient.

    The difference is (L(p + h u) − L(p − h u)) / 2h, for one random direction u of
    length 1 through all parameters p, drawn from the `seed`; the gradient says that it
    is ⟨∇L, u⟩, and the error is relative to that. `inputs` are those of a call, with
    labels. The model's own parameters are not touched. Raises InputError without
    labels, or for a step that is not above 0.
    """
    steps = [check_step(step) for step in steps]
    gradient = flatten(model.backward(model(**inputs, trace=True)))
    direction = random_direction(flatten(model.params), check_seed(seed))
    slope = sum(
        np.vdot(gradient[name].astype(np.float64), u) for name, u in direction.items()
    )

    def loss(distance: float) -> float:
        return float(moved(model, direction, distance)(**inputs).loss)

    differences = {step: (loss(step) - loss(-step)) / (2 * step) for step in steps}
    return {
        step: float(abs(difference - slope) / abs(slope))
        for step, difference in differences.items()
    }


def check_step(step: Any) -> float:
    """Return a step as a number; raise InputError unless it is above 0 and finite."""
    is_number = isinstance(step, int | float | np.number)
    if not is_number or not 0 < step < np.inf:
        raise InputError(f"steps: expected finite numbers above 0, found {shown(step)}")
    return float(step)


def random_direction(leaves: Leaves, seed: int) -> Leaves:
    """Return a random direction of length 1 through all of these arrays."""
    rng = np.random.default_rng(seed)
    numbers = {name: rng.standard_normal(p.shape) for name, p in leaves.items()}
    length = np.sqrt(sum(np.vdot(u, u) for u in numbers.values()))
    return {name: u / length for name, u in numbers.items()}


def moved(model: Model, direction: Leaves, distance: float) -> Model:
    """Return a copy of the model, its parameters moved so far in a direction."""
    other = copy.copy(model)
    other.params = unflatten({
        name: p + (distance * direction[name]).astype(p.dtype)
        for name, p in flatten(model.params).items()
    })
    return other
