"""An exercise: what a student is to write, and what is known of it.

The answer key is the library itself. A wrong answer is diagnosed as `compare` diagnoses
a port: what students get wrong is written down as functions, the slips; the one that
gives the student's numbers, in every case, is what happened, and its docstring says so.
Where none does, a sign may (rows do not sum to 1), or else the first wrong number is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Arguments = tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Exercise:
    """A function to write; the student's stub is called my_ and its name.

    name        what it computes: softmax
    lesson      the number of the notebook, 1 to 10
    minutes     how long it takes
    difficulty  1 (a line), 2 (some lines and a thought), 3 (worth the board)
    answer      the right function: the library's, or a few lines around it
    cases       arguments to try it with, by what is special about them ("two heads");
                the first is the one the lesson shows
    hints       from a nudge to nearly everything
    slips       wrong functions that students write; the docstring is what to tell them
    signs       tests of a result, `sign(found, *arguments)`, true where its docstring
                is what is wrong
    reveals     the functions of the library to show, if not the answer itself
    secret      whether to keep what is right from who is wrong: it can be guessed at
    """

    name: str
    lesson: int
    minutes: int
    difficulty: int
    answer: Callable[..., Any]
    cases: Mapping[str, Arguments]
    hints: tuple[str, ...]
    slips: tuple[Callable[..., Any], ...] = ()
    signs: tuple[Callable[..., bool], ...] = ()
    reveals: tuple[Callable[..., Any], ...] = ()
    secret: bool = False

    @property
    def stub(self) -> str:
        """The name of the function that the student writes."""
        return f"my_{self.name}"

    @property
    def level(self) -> str:
        """The difficulty, to be seen at a glance: ●●○."""
        return "●" * self.difficulty + "○" * (3 - self.difficulty)
