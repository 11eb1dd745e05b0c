"""Files of texts, with labels or without: CSV, JSON lines or plain text → rows.

The first line of CSV names its columns; JSON lines have an object on each; each line of
plain text is a row with one column, `text`.
"""

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from .errors import InputError, shown
from .files import opened


class Row(NamedTuple):
    """A row of a file, and where it stands, for whoever has to mend it."""

    file: str
    line: int
    cells: dict[str, Any]

    @property
    def place(self) -> str:
        """Where the row stands."""
        return f"{self.file}, line {self.line}"

    def error(self, column: str, expected: str, found: Any) -> InputError:
        """Return the error that names the cell."""
        return InputError(f"{self.place}: {column}: expected {expected}, found {found}")

    def cell(self, column: str) -> Any:
        """Return a cell that must be there."""
        if self.cells.get(column) is None:
            there = [name for name, value in self.cells.items() if value is not None]
            raise self.error(column, "a column of this name", ", ".join(there))
        return self.cells[column]

    def text(self, column: str) -> str:
        """Return a cell that must hold a text, or a whole number, written out."""
        value = self.cell(column)
        if type(value) is int and abs(value) < 10**9:
            value = str(value)
        if not isinstance(value, str):
            raise self.error(column, "a text", shown(value))
        return value

    def texts(self, column: str, separator: str | None) -> list[str]:
        """Return a cell that must hold a list of texts, or one text that is to be cut.
        """
        value = self.cell(column)
        if isinstance(value, str):
            value = value.split(separator)
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self.error(column, "a list of texts", shown(value))
        return value

    def pair(self) -> list[str]:
        """Return the text, and behind it a second one, if there is any."""
        columns = ["text", "text_pair"] if self.cells.get("text_pair") else ["text"]
        return [self.text(column) for column in columns]

    def choices(self) -> list[str]:
        """Return the choices that go with a text; in CSV, a | parts them."""
        return [choice.strip() for choice in self.texts("choices", "|")]

    def number(self, column: str) -> int:
        """Return a cell that must hold a whole number from 0."""
        value = self.text(column)
        if not value.isdecimal() or len(value) > 9:
            raise self.error(column, "a whole number from 0", shown(value))
        return int(value)


def read_rows(path: str | os.PathLike) -> list[Row]:
    """Return the rows of a CSV, JSON lines or text file; an InputError names the line.
    """
    path = Path(path)
    if path.suffix.lower() not in READERS:
        raise InputError(f"{path}: expected a file named .csv, .jsonl or .txt")
    with opened(path, InputError, encoding="utf-8-sig", newline="") as file:
        try:
            rows = [
                Row(str(path), line, cells)
                for line, cells in READERS[path.suffix.lower()](file)
            ]
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: cannot be read ({error})") from None
    if not rows:
        raise InputError(f"{path}: holds no rows")
    return rows


def read_csv(file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number of each line, and its cells by the columns of the first."""
    reader, last = csv.DictReader(file, strict=True), 1
    try:
        for cells in reader:
            if None in cells:
                raise ValueError(f"line {reader.line_num}: more cells than columns")
            last = reader.line_num
            yield last, cells
    except csv.Error as error:
        raise ValueError(f"line {last + 1}: {error}") from None


def read_json_lines(file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number of each line that is not empty, and its object."""
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            cells = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", error)
            raise ValueError(f"line {number}: not JSON ({reason})") from None
        if not isinstance(cells, dict):
            raise ValueError(f"line {number}: not an object")
        yield number, cells


def read_text(file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number of each line, and the line as the text of its row."""
    for number, line in enumerate(file, start=1):
        yield number, {"text": line.rstrip("\r\n")}


READERS = {
    ".csv": read_csv, ".jsonl": read_json_lines, ".json": read_json_lines,
    ".txt": read_text,
}
