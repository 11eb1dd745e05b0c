"""Write the tables of the teacher's page, notebooks/README.md.

A tool for maintainers, run from the root of the repository after a change of lessons or
exercises:

    python -m tests.tools.teacher_page
    python -m tests.tools.teacher_page --owner NAME  # also: where the repository lives

What stands between <!-- NAME --> and <!-- end of NAME --> is written anew: the course
at a glance, and what wrong answers look like. An account is written into the lessons'
first cells, and so into the links to Colab and Binder.
"""

import argparse
import re
import sys

from distilbert_np.errors import one_line
from distilbert_np.teaching.exercise import Exercise
from distilbert_np.teaching.exercises import EXERCISES
from tests.tools.kit_tables import table, with_table
from tests.tools.notebooks import FOLDER, notebooks, read

PAGE = FOLDER / "README.md"
ADDRESS = re.compile(r"(?<=github\.com/)[\w-]+(?=/distilbert_np\b)")


def exercises_of(number: str) -> list[Exercise]:
    """Return the exercises of a lesson, by the number that its file begins with."""
    return [found for found in EXERCISES.values() if found.lesson == int(number)]


def title(book) -> str:
    """Return a lesson's title, without its number."""
    return book.cells[0].source.splitlines()[0].partition("·")[2].strip()


def minutes(book) -> int:
    """Return how long a lesson takes: what its frame says first of minutes."""
    frame = "\n".join(cell.source for cell in book.cells[:3])
    return int(re.search(r"(\d+) minutes", frame)[1])


def course() -> str:
    """Return the course at a glance: lessons, times, exercises, links."""
    rows = []
    for path in notebooks([]):
        book, number = read(path), path.name[:2]
        rows.append([
            number, f"[{title(book)}]({path.name})", f"{minutes(book)}",
            ", ".join(
                f"`{e.name}` {e.minutes} {e.level}" for e in exercises_of(number)
            ),
            f"[Colab]({colab(path.name)}) [Binder]({binder(path.name)})",
        ])
    exercises = "exercises: name, minutes, difficulty"
    return table(["", "lesson", "minutes", exercises, "open in"], rows)


def colab(name: str) -> str:
    """Return the address that opens a notebook in Colab."""
    at = f"{owner()}/distilbert_np/blob/main/notebooks/{name}"
    return f"https://colab.research.google.com/github/{at}"


def binder(name: str) -> str:
    """Return the address that opens a notebook in Binder."""
    at = f"{owner()}/distilbert_np/HEAD?labpath=notebooks%2F{name}"
    return f"https://mybinder.org/v2/gh/{at}"


def owner() -> str:
    """Return the account that the lessons name."""
    first, *_ = notebooks([])
    return ADDRESS.search(first.read_text(encoding="utf-8"))[0]


def mistakes() -> str:
    """Return what checks say of wrong answers: a lesson at a time, to be unfolded."""
    parts = []
    for path in notebooks([]):
        number = path.name[:2]
        lines = [line for e in exercises_of(number) for line in mistakes_in(e)]
        parts += [
            f"<details><summary>{number} {title(read(path))}</summary>", "",
            *lines, "", "</details>", "",
        ]
    return "\n".join(parts).strip()


def mistakes_in(exercise: Exercise) -> list[str]:
    """Return what the check of an exercise knows, as a list in a list."""
    if exercise.secret:                          # it has a slip for every name
        right = f"`{exercise.answer()}`; other names are told what speaks against them"
        return [f"- `{exercise.name}`: {right}"]
    told = [one_line(known.__doc__) for known in (*exercise.slips, *exercise.signs)]
    return [f"- `{exercise.name}`", *(f"  - {text}" for text in told)]


TABLES = {"course": course, "mistakes": mistakes}


def filled(text: str, name: str) -> str:
    """Return the page's text with one table written anew."""
    return with_table(text, name, TABLES[name]())


def rename_owner(name: str) -> None:
    """Write another account into the lessons' first cells."""
    for path in notebooks([]):
        text = path.read_text(encoding="utf-8")
        path.write_text(ADDRESS.sub(name, text), encoding="utf-8")


def main(arguments: list[str]) -> None:
    """Write all tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.teacher_page")
    parser.add_argument("--owner", help="the account that holds the repository")
    options = parser.parse_args(arguments)
    if options.owner:
        rename_owner(options.owner)
    text = PAGE.read_text(encoding="utf-8")
    for name in TABLES:
        text = filled(text, name)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
