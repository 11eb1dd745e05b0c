"""The figures: each a function of a trace or of a file; it returns a picture.

    canvas.py        what they are drawn on; the only file that imports matplotlib
    lens.py          what each layer would say of a masked word
    costs.py         parameters and FLOPs by part, beside BERT's
    distillation.py  soft targets; curves and ablation of the students
    gradients.py     the error of a gradient check, by its step
    parity.py        the error of each array of a port
    growth.py        time by length, batch and layers
"""

from .canvas import FORMATS, Picture
from .costs import costs
from .distillation import distillation, soft_targets
from .gradients import gradient_check
from .growth import growth
from .lens import logit_lens
from .parity import parity

__all__ = [
    "FORMATS", "Picture", "costs", "distillation", "gradient_check", "growth",
    "logit_lens", "parity", "soft_targets",
]
