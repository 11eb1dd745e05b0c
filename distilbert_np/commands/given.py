"""What a command is asked: texts in its arguments, on standard input, in a file."""

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from ..errors import InputError
from ..rows import Row, read_rows

Thing = TypeVar("Thing")


class Asked(NamedTuple):
    """What a pipeline is to be given, and where it stood, for errors to say."""

    place: str
    inputs: Any


def given(
    arguments: Sequence[Any], file: str | None, read: Callable[[Row], Any]
) -> Iterator[Asked]:
    """Yield what stands in the arguments, then what is in the rows of a file.

    The argument "-" stands for the lines of the standard input. `read` makes of a row
    what the pipeline is given. Raises InputError if there is nothing at all.
    """
    empty = True
    for i, argument in enumerate(arguments):
        place = f"texts[{i}]" if len(arguments) > 1 else ""
        lines = standard_input() if argument == "-" else [Asked(place, argument)]
        for one in lines:
            empty = False
            yield one
    for row in read_rows(file) if file else ():
        empty = False
        yield Asked(row.place, read(row))
    if empty:
        raise InputError(
            "found nothing to read: give a text in quotes, - for the lines of the "
            "standard input, or --file FILE (--help explains)"
        )


def standard_input() -> Iterator[Asked]:
    """Yield the lines of the standard input, without their ends."""
    try:
        for number, line in enumerate(sys.stdin or (), start=1):  # None: it is closed
            text = line.rstrip("\r\n")
            if number == 1:
                text = text.removeprefix("\ufeff")      # as Windows likes to begin
            yield Asked(f"standard input, line {number}", text)
    except UnicodeDecodeError as error:
        raise InputError(f"standard input: cannot be decoded ({error})") from None


def whole_standard_input() -> str:
    """Return the standard input as one text."""
    return "\n".join(one.inputs for one in standard_input())


def in_parts(things: Iterator[Thing], size: int) -> Iterator[list[Thing]]:
    """Yield things in lists of `size`, as they come; the last may be shorter."""
    while part := list(islice(things, size)):
        yield part
