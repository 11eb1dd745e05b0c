"""The recipe: the numbers that a run of training depends on."""

import math
import sys
from dataclasses import dataclass, field
from typing import Any

from ..config import number, whole
from ..errors import InputError, shown
from ..trees import Tree
from .optimizers import AdamW, Optimizer, linear_schedule


@dataclass(frozen=True)
class Recipe:
    """What the outcome of a run depends on, beside the model and the examples.

    epochs         times that every example is seen
    batch_size     examples in a batch
    accumulate     batches whose gradients make one step together
    optimizer      SGD, Adam or AdamW
    options        the optimiser's own, such as {"betas": (0.9, 0.98)}
    lr             learning rate at its peak
    warmup         share of the steps in which it rises to that; then it falls to 0
    weight_decay   pull of the weights towards 0; none on biases and LayerNorms
    max_grad_norm  global norm that the gradient is clipped to
    seed           of the order of examples, of masks and of dropout

    Raises InputError, naming the field, where one cannot be used.
    """

    epochs: int = 3
    batch_size: int = 16
    accumulate: int = 1
    optimizer: type[Optimizer] = AdamW
    options: dict[str, Any] = field(default_factory=dict)
    lr: float = 5e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self, FIELDS)

    def lr_at(self, step: int, n_steps: int) -> float:
        """Return the learning rate at a step, counted from 0, of so many."""
        warmup_steps = math.ceil(self.warmup * n_steps)
        return self.lr * linear_schedule(step, warmup_steps, n_steps)

    def make_optimizer(self, params: Tree) -> Optimizer:
        """Return the optimiser for these parameters."""
        try:
            return self.optimizer(
                params, lr=self.lr, weight_decay=self.weight_decay, **self.options
            )
        except TypeError as error:
            raise InputError(f"options: {self.optimizer.__name__}: {error}") from None


def check_fields(settings: Any, fields: dict[str, tuple[Any, str]]) -> None:
    """Raise InputError, naming the field, unless each is right: (is it?, expected)."""
    for name, (is_right, expected) in fields.items():
        value = getattr(settings, name)
        if not is_right(value):
            raise InputError(f"{name}: expected {expected}, found {shown(value)}")


COUNT = (whole(1), "a whole number of at least 1")
SIZE = (number(0, sys.float_info.max), "a finite number of at least 0")
FIELDS = {
    "epochs": COUNT,
    "batch_size": COUNT,
    "accumulate": COUNT,
    "optimizer": (
        lambda value: isinstance(value, type) and issubclass(value, Optimizer),
        "an optimiser such as AdamW",
    ),
    "options": (lambda value: isinstance(value, dict), "a dictionary"),
    "lr": SIZE,
    "weight_decay": SIZE,
    "warmup": (number(0, 1), "a share from 0 to 1"),
    "max_grad_norm": (
        lambda value: type(value) in (int, float) and value > 0,
        "a number above 0 (infinity for no clipping)",
    ),
    "seed": (whole(0), "a whole number of at least 0"),
}
