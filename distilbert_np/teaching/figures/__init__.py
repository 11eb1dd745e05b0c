"""The figures: each a function of a trace or of a file; it returns a picture.

    canvas.py        what they are drawn on; the only file that imports matplotlib
    reading.py       arrays of a trace, and the checks of what is asked
    attention.py     who looks at whom; the split into heads; what padding takes
    vectors.py       cosines of positions; words in a plane
    lens.py          what each layer would say of a masked word
    costs.py         parameters and FLOPs by part, beside BERT's
    distillation.py  soft targets; curves and ablation of the students
    gradients.py     the error of a gradient check, by its step
    parity.py        the error of each array of a port
    growth.py        time by length, batch and layers
"""

from .attention import all_heads, head_lines, one_head, padding, split_heads
from .canvas import FORMATS, Picture
from .costs import costs
from .distillation import distillation, soft_targets
from .gradients import gradient_check
from .growth import growth
from .lens import logit_lens
from .parity import parity
from .vectors import position_cosines, word_plane

__all__ = [
    "FORMATS", "Picture", "all_heads", "costs", "distillation", "gradient_check",
    "growth", "head_lines", "logit_lens", "one_head", "padding", "parity",
    "position_cosines", "soft_targets", "split_heads", "word_plane",
]
