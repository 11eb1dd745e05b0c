"""The bounds that the project promises: how far a number may lie from the truth."""

import numpy as np

from ..config import DistilBertConfig
from ..functions import Array
from .steps import last_state

FLOAT64_BOUND = 1e-12                            # of the tensor's largest value
# The largest error, as a share of the tensor's largest gradient.
GRADIENT_BOUND = {"float64": 1e-10, "float32": 1e-5}


def float32_bound(truth: Array) -> float:
    """Return the largest error that a float32 tensor may have against float64 truth."""
    return 1e-5 + 1.3e-6 * float(np.abs(truth).max())


def vanishes(config: DistilBertConfig, head: str, name: str) -> bool:
    """Whether the loss's gradient is 0 in exact arithmetic, but not in rounded.

    Both sides then hold the rounding of a sum that cancels, and there is nothing to be
    a share of: the bounds are absolute there, and hold ours against zero. `name` is
    that of the parameter.
    """
    name = name.removeprefix("distilbert.")
    if config.dim == 1:
        # LayerNorm of a single number is its bias: nothing before it is seen.
        return name != f"{last_state(config.n_layers)}.bias"
    if name.endswith("k_lin.bias"):
        return True                # adds q·bias to a whole row of scores: softmax of x
    if head == "question_answering":
        # or of x + 1 is the same, over the places of a text here, …
        return name in ("qa_outputs.bias", f"{last_state(config.n_layers)}.bias")
    if head == "multiple_choice":
        return name == "classifier.bias"         # … and here over the choices
    return False
