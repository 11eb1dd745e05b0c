"""What a lesson needs beside the model: figures, and exercises that check themselves.

    figures/        the figures, drawn with matplotlib alone
    exercise.py     what an exercise is; exercises/ holds those of the ten lessons
    files.py        the files of figures that the lessons read
    numerical.py    gradients checked by differences
    gallery.py      every figure, as pictures and in words
    results.py      results side by side
    judging.py      a student's function is tried, and the verdict found
    classroom.py    what the notebooks call: check, hint, reveal
    clinic.py       the patients of lesson 10, ports with a fault each
    bundle.py       the course on a stick, for where there is no network
"""

from . import figures
from .classroom import check, hint, reveal

__all__ = ["check", "figures", "hint", "reveal"]
