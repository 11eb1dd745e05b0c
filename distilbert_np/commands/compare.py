"""The verb compare: where a port's arrays first go wrong, and the likely cause."""

import argparse
import json
import warnings
from pathlib import Path

from ..errors import InputError
from ..files import system_errors
from ..parity import report
from ..parity.compare import Comparison, compare_traces
from ..parity.traces import (
    check_alike,
    model_of,
    read_arrays,
    read_map,
    read_trace,
    renamed,
)
from ..trees import Tree
from ..weights import listing


def compare(arguments: argparse.Namespace) -> int:
    """Answer a compare command; return 0 if the port is right, 1 if it goes wrong."""
    if arguments.plot:
        check_ending(arguments.plot)
    reference = read_trace(arguments.reference)
    check_alike(arguments.mine, reference)
    shown = read_arrays(arguments.mine)
    if arguments.map:
        shown = renamed(shown, read_map(arguments.map))
    name = model_of(reference, arguments.model)
    compared = compare_traces(reference, shown, name, arguments.tolerance)
    refuse_strangers(arguments.mine, compared)
    told = report.as_json(compared)
    print(json.dumps(told) if arguments.json else report.as_text(compared))
    if arguments.plot:
        plot(told, arguments.plot)
    return 0 if compared.matches else 1


def refuse_strangers(path: str, compared: Comparison) -> None:
    """Raise InputError if nothing that a port shows has a name that is known here."""
    if all(row.state == "missing" for row in compared.rows):
        raise InputError(
            f"{path}: none of its names is one of the reference's: "
            f"{listing(compared.unknown, 3)}; --map FILE tells which are which"
        )


def check_ending(path: str) -> None:
    """Raise InputError unless a figure can be written to a file of this name."""
    from ..teaching.figures import FORMATS

    if Path(path).suffix not in FORMATS:
        raise InputError(f"--plot: expected a name ending in {' or '.join(FORMATS)}")


def plot(told: Tree, path: str) -> None:
    """Draw the errors into a file, .png or .svg, if there are any."""
    from ..teaching.figures import parity

    if not any(row["floor"] for row in told["rows"]):
        warnings.warn("--plot: nothing to draw: no array has an error", stacklevel=2)
        return
    picture = parity(told["rows"], told["tolerance"])
    with system_errors(path, "written"):
        picture.save(Path(path))
