"""The files of figures that the lessons read."""

from pathlib import Path
from typing import Any

from ..errors import FileError
from ..files import read_json

STUDY = Path(__file__).parents[1] / "tiny" / "study.json"


def read_study() -> dict[str, Any]:
    """Return what came of the embedded models' training, a teacher and its students.

    `runs` has each run's curve by seed and name, `table` their means and spreads,
    `soft_targets` what teacher and student say of a masked word at temperatures 1, 2
    and 4, `speed` how many times as fast the student is. training/study.py made them.
    """
    return read_json(STUDY, FileError)
