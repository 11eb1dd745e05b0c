"""Run the notebooks: as they are handed out, and with every exercise solved.

    python -m tests.tools.notebooks                  # all of them, both ways
    python -m tests.tools.notebooks 03 07            # some of them
    python -m tests.tools.notebooks --store          # handed out; outputs kept in them
    python -m tests.tools.notebooks --model FOLDER   # with another line at the top

As handed out nothing may stop, and every check says "not tried yet"; solved, each stub
is the library's function, and every check says "right".
"""

import argparse
import ast
import copy
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
MOST_BYTES = 400_000
OPEN, SOLVED = "○", "✓"


def notebooks(numbers):
    """Return the paths of the notebooks with these numbers, or else of all."""
    paths = sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
    return [path for path in paths if not numbers or path.name[:2] in numbers]


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(book, tag=None):
    """Return the code cells, or those with a tag."""
    return [
        cell for cell in book.cells
        if cell.cell_type == "code"
        and (tag is None or tag in cell.metadata.get("tags", []))
    ]


def stubs(source):
    """Return the functions named my_… that a cell defines."""
    return [
        node for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("my_")
    ]


def solved(book):
    """Return the notebook with the library's function in place of every stub."""
    book = copy.deepcopy(book)
    for cell in code_cells(book, "exercise"):
        lines = cell.source.splitlines()
        for stub in reversed(stubs(cell.source)):
            name = stub.name.removeprefix("my_")
            lines[stub.lineno - 1 : stub.end_lineno] = [
                "from distilbert_np.teaching.classroom import solution",
                f"def {stub.name}(*given):",
                f"    return solution({name!r})(*given)",
            ]
        cell.source = "\n".join(lines)
    return book


def with_model(book, model):
    """Return the notebook with another model in the line at its top."""
    book = copy.deepcopy(book)
    (cell,) = (cell for cell in code_cells(book, "setup") if "MODEL = " in cell.source)
    cell.source = re.sub(r"(?m)^MODEL = \S+", f"MODEL = {model!r}", cell.source)
    return book


def run(book):
    """Run a notebook in place, in the notebooks' folder; raise what stops it."""
    NotebookClient(
        book, timeout=600, kernel_name="python3", coalesce_streams=True,
        resources={"metadata": {"path": str(FOLDER)}},
    ).execute()


def printed(cell):
    return "".join(output.get("text", "") for output in cell.outputs)


def check_marks(book, mark):
    """Raise an error unless each check says so."""
    for cell in code_cells(book, "exercise"):
        n_checks = cell.source.count("check(my_")
        found = re.findall(r"^[○✗✓]", printed(cell), re.MULTILINE)
        if not n_checks or found != [mark] * n_checks:
            raise AssertionError(f"expected {mark}:\n{cell.source}\n{printed(cell)}")


def timed_run(path, book, mark, way):
    start = time.perf_counter()
    run(book)
    check_marks(book, mark)
    print(f"{path.name:38}{way:12}{time.perf_counter() - start:6.0f} s", flush=True)


def store(path, book):
    """Write a notebook with its outputs, without when and how long."""
    for cell in code_cells(book):
        cell.metadata.pop("execution", None)
    book.metadata.pop("widgets", None)
    book.metadata["language_info"] = {"name": "python"}
    text = nbformat.writes(book) + "\n"
    size = len(text.encode())
    if size > MOST_BYTES:
        raise AssertionError(f"{path.name}: {size:,} bytes, allowed {MOST_BYTES:,}")
    path.write_text(text, encoding="utf-8")


def main(arguments):
    parser = argparse.ArgumentParser(prog="python -m tests.tools.notebooks")
    parser.add_argument("numbers", nargs="*", metavar="NN")
    parser.add_argument("--store", action="store_true")
    parser.add_argument("--model")
    options = parser.parse_args(arguments)
    for path in notebooks(options.numbers):
        book = read(path)
        if options.model:
            book = with_model(book, options.model)
        done = copy.deepcopy(book)
        timed_run(path, done, OPEN, "handed out")
        if options.store:
            store(path, done)
        else:
            timed_run(path, solved(book), SOLVED, "solved")


if __name__ == "__main__":
    main(sys.argv[1:])
