"""The figures: each a function of a trace or of a file; it returns a picture.

    canvas.py   what they are drawn on; the only file that imports matplotlib
"""

from .canvas import FORMATS, Picture
from .growth import growth
from .parity import parity

__all__ = ["FORMATS", "Picture", "growth", "parity"]
