"""What a lesson needs beside the model: figures, and exercises that check themselves.

    classroom.py    what the notebooks call: check, hint, reveal
    exercise.py     what an exercise is; exercises/ holds those of the ten lessons
    judging.py      a student's function is tried, and the verdict found
    results.py      results side by side
    figures/        the figures, drawn with matplotlib alone
    gallery.py      every figure, as pictures and in words
    files.py        the files that figures and lessons read
    wordpiece.py    the tokenizer's words and pieces, in plain Python
    vectors.py      cosines, and what is near
    numerical.py    gradients checked by differences
    clinic.py       the patients of lesson 10, ports with a fault each
    bundle.py       the course on a stick, for where there is no network
"""

from . import figures
from .classroom import check, hint, reveal

__all__ = ["check", "figures", "hint", "reveal"]
