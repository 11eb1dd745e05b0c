"""The notebooks as files: framed alike, with stored outputs, stubs that fit.

They are run, as handed out and solved, by `python -m tests.tools.notebooks`, in CI.
"""

import ast
import inspect
import re

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")

from distilbert_np.teaching.exercises import EXERCISES
from tests.tools import teacher_page
from tests.tools.notebooks import (
    FOLDER,
    MOST_BYTES,
    check_marks,
    code_cells,
    notebooks,
    read,
    solved,
    stubs,
    with_model,
)

SETUP = '''\
import sys

sys.path.insert(0, "..")                         # in a clone the package is next door
if "google.colab" in sys.modules:
    %pip install -q git+https://github.com/OWNER/distilbert_np
'''
FRAME = ("**What you will do**", "**What you will learn**", "**What you need**")
END = "Text and figures: CC-BY-4.0. Code: Apache-2.0."

BOOKS = {path.stem: read(path) for path in notebooks([])}
each = pytest.mark.parametrize("name", BOOKS)


def markdown(book):
    return "\n".join(c.source for c in book.cells if c.cell_type == "markdown")


def test_there_are_ten_lessons():
    assert [name[:2] for name in BOOKS] == [f"{n:02}" for n in range(1, 11)]


@each
def test_a_lesson_is_framed_as_all_are(name):
    book, number = BOOKS[name], int(name[:2])
    assert book.cells[0].source.startswith(f"# {number} · ")
    frame = "\n".join(cell.source for cell in book.cells[:3])
    for part in FRAME:
        assert part in frame
    assert 30 <= teacher_page.minutes(book) <= 50
    text = markdown(book)
    assert "\n## On your own" in f"\n{text}" and "\n## Further reading" in f"\n{text}"
    assert text.endswith(END)


@each
def test_one_line_at_the_top_names_the_model(name):
    (cell,) = code_cells(BOOKS[name], "setup")
    assert cell is code_cells(BOOKS[name])[0]
    first, rest = cell.source.split("\n", 1)
    assert re.match(r'MODEL = "tiny[a-z-]*" +# the real one: ', first)
    assert SETUP in teacher_page.ADDRESS.sub("OWNER", rest)
    changed = code_cells(with_model(BOOKS[name], "folder"), "setup")[0].source
    assert changed.startswith("MODEL = 'folder' ")
    if number_of_others := sum("MODEL = " in c.source for c in BOOKS[name].cells[3:]):
        raise AssertionError(f"{number_of_others} more lines set MODEL")


@each
def test_every_exercise_of_the_lesson_is_there_once(name):
    found = [
        stub for cell in code_cells(BOOKS[name], "exercise")
        for stub in stubs(cell.source)
    ]
    exercises = [e for e in EXERCISES.values() if e.lesson == int(name[:2])]
    assert [stub.name for stub in found] == [e.stub for e in exercises]
    assert len(exercises) >= 3
    for stub, exercise in zip(found, exercises, strict=True):
        names = [argument.arg for argument in stub.args.args]
        known = list(inspect.signature(exercise.answer).parameters)
        assert names == known[: len(names)]
        assert len(names) >= max(map(len, exercise.cases.values()))
        assert ast.unparse(stub.body[-1]) == "return ..."
        assert ast.get_docstring(stub)


@each
def test_minutes_and_difficulty_are_the_exercises(name):
    heading = r"### Exercise (\d+)\.(\d+): .*\((\d+) minutes?, ([●○]{3})\)"
    said = re.findall(heading, markdown(BOOKS[name]))
    exercises = [e for e in EXERCISES.values() if e.lesson == int(name[:2])]
    assert said == [
        (str(int(name[:2])), str(i + 1), str(e.minutes), e.level)
        for i, e in enumerate(exercises)
    ]


@each
def test_stored_outputs_are_small_and_those_of_a_run(name):
    path = FOLDER / f"{name}.ipynb"
    assert path.stat().st_size <= MOST_BYTES
    cells = [cell for cell in code_cells(BOOKS[name]) if cell.source]
    assert [c.execution_count for c in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.text
            data = output.get("data", {})
            assert "image/png" not in data or output.metadata["image/png"]["alt"]
    check_marks(BOOKS[name], "○")


@each
def test_solving_replaces_every_stub(name):
    source = "\n".join(cell.source for cell in code_cells(solved(BOOKS[name])))
    assert "solution(" in source and "return ..." not in source


@each
def test_nothing_of_one_machine_is_told(name):
    text = (FOLDER / f"{name}.ipynb").read_text(encoding="utf-8")
    assert not re.search(r"/home/|/tmp/|/work/|/root/|site-packages", text)


# --- the teacher's page ---------------------------------------------------------------

PAGE = teacher_page.PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", teacher_page.TABLES)
def test_a_table_of_the_page_is_what_its_tool_writes(name):
    assert teacher_page.filled(PAGE, name) == PAGE


@pytest.mark.parametrize("link", re.findall(r"\]\(((?!http)[^)#]+)\)", PAGE))
def test_links_of_the_page_lead_somewhere(link):
    assert (FOLDER / link).exists()


def test_the_verdict_shown_is_the_verdict():
    from distilbert_np.teaching.judging import judge

    exercise = EXERCISES["split_heads"]
    verdict = judge(exercise, lambda x, n: x.reshape(len(x), n, -1, x.shape[-1] // n))
    (shown,) = re.findall(r"```text\n(.*?)\n```", PAGE, re.DOTALL)
    assert str(verdict) == shown
