"""Tables: rows of named values, as text for people and as JSON for machines."""

from dataclasses import dataclass, field
from typing import Any

from ..inspection import aligned

Row = dict[str, Any]
ABSENT = "–"                                     # shown where a contender is missing


@dataclass
class Table:
    """What was measured: rows of values by key, and how each column is shown.

    `columns` gives, for each key, its header and its format. `more` joins the rows in
    JSON; `notes` follow them in text.
    """

    what: str
    title: str
    columns: dict[str, tuple[str, str]]
    rows: list[Row]
    notes: list[str] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return what the table holds, ready for JSON."""
        shown = {"what": self.what, "title": self.title, "rows": self.rows}
        return shown | self.more | {"notes": self.notes}

    def as_text(self) -> str:
        """Return the table with its title, a line for each row, and the notes."""
        lines = aligned([self.header(), *map(self.cells, self.rows)])
        return "\n".join(
            [self.title, "", *(f"  {line}" for line in lines)]
            + ([""] if self.notes else []) + self.notes
        )

    def header(self) -> list[str]:
        """Return the header of each column."""
        return [header for header, _ in self.columns.values()]

    def cells(self, row: Row) -> list[str]:
        """Return a row's values as they are shown."""
        return [
            ABSENT if row[key] is None else form.format(row[key])
            for key, (_, form) in self.columns.items()
        ]


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """Return ours / theirs, or None where one of them was not measured."""
    return None if ours is None or theirs is None else ours / theirs
