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

from typing import Any

from . import figures

__all__ = ["check", "figures", "hint", "reveal"]


def __getattr__(name: str) -> Any:
    """Load the classroom, all exercises with it, when a lesson first asks for it.

    Commands that only draw need not wait for that.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import classroom

    return getattr(classroom, name)
