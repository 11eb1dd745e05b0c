"""The figures: each a function of a trace or of a file; it returns a picture.

    canvas.py     what they are drawn on; the only file that imports matplotlib
    reading.py    arrays of a trace, and the checks of what is asked
    attention.py  who looks at whom; the split into heads; what padding takes
    vectors.py    positions, and words in a plane
"""

from .attention import all_heads, head_lines, one_head, padding, split_heads
from .canvas import FORMATS, Picture
from .growth import growth
from .parity import parity
from .vectors import position_cosines, word_plane

__all__ = [
    "FORMATS", "Picture", "all_heads", "growth", "head_lines", "one_head", "padding",
    "parity", "position_cosines", "split_heads", "word_plane",
]
