"""What `bench` does: check what is asked, then one table after another."""

import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from ..errors import InputError, shown
from ..teaching import figures
from . import machine
from .checkpoint import save_model, save_tokenizer
from .contenders import INSTALL, NEEDS, missing
from .forward import Shape, measure_forward
from .growth import measure_growth
from .start import measure_start
from .step import measure_steps
from .tables import Table
from .texts import measure_texts
from .timing import progress_cleared, show_progress

EXAMPLE_SHAPES = "1x8,8x128"
STEP_SHAPE, TINY_STEP_SHAPE = (8, 128), (16, 32)


class Options(NamedTuple):
    """What is measured, of which model, at which shapes, how often; where to draw it.
    """

    what: str = "forward"
    model: str | None = None
    shapes: list[Shape] | None = None
    runs: int | None = None
    plot: Path | None = None
    threads: int | None = None

    def wants(self, what: str) -> bool:
        """Whether this is to be measured."""
        return self.what in (what, "all")


def read_options(
    what: str, model: str | None, shapes: str | None, runs: int | None,
    plot: str | None, threads: int | None,
) -> Options:
    """Return the options of a command; raise InputError where one cannot be used."""
    options = Options(
        what, model, None if shapes is None else read_shapes(shapes), runs,
        None if plot is None else Path(plot), threads,
    )
    for name, number in (("runs", runs), ("threads", threads)):
        if number is not None and number < 1:
            message = f"--{name}: expected a whole number above 0, found {number}"
            raise InputError(message)
    if shapes and not (options.wants("forward") or options.wants("masked-lm")):
        raise InputError(f"--shapes: is for forward and masked-lm, found {what}")
    if options.plot:
        check_plot(options)
    return options


def read_shapes(text: str) -> list[Shape]:
    """Return the batches and lengths that a text such as 1x8,8x128 names."""
    found = [re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", part) for part in text.split(",")]
    if not all(found):
        raise InputError(
            f"--shapes: expected batch x length such as {EXAMPLE_SHAPES}, "
            f"found {shown(text)}"
        )
    return [(int(match[1]), int(match[2])) for match in found if match]


def check_plot(options: Options) -> None:
    """Raise InputError unless the figure can be drawn and written, before all runs."""
    if not options.wants("growth"):
        raise InputError(f"--plot: is for growth, found {options.what}")
    if options.plot.suffix not in figures.FORMATS:
        raise InputError(
            f"--plot: expected a name that ends in {' or '.join(figures.FORMATS)}, "
            f"found {shown(str(options.plot))}"
        )
    if not options.plot.absolute().parent.is_dir():
        raise InputError(f"--plot: there is no folder {options.plot.parent}")
    if find_spec("matplotlib") is None:
        raise InputError(f"--plot: needs matplotlib, which is not here; {INSTALL}")


def measure(options: Options, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure; `say` is given each part as text, when it is there. Return all of it."""
    described = machine.describe()
    left_out = {name: names for name in NEEDS if (names := missing(name))}
    tables = []
    with progress_cleared(), TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        show_progress("model")
        model = save_model(options.model, Path(folder))
        show_progress()
        above = [machine.as_text(described), *hints(left_out), f"model: {model}"]
        say("\n".join(above))
        for table in measured(options, Path(folder)):
            show_progress()
            say("\n" + table.as_text())
            tables.append(table.as_json())
    return {
        "machine": described, "missing": left_out, "model": model, "tables": tables,
    }


def hints(left_out: dict[str, list[str]]) -> list[str]:
    """Return a line for each contender that is missing, and how to get it."""
    return [
        f"without {name}: {', '.join(names)} not installed; {INSTALL}"
        for name, names in left_out.items()
    ]


def measured(options: Options, folder: Path) -> Iterator[Table]:
    """Yield the tables that are asked for, of the model in a folder."""
    n = options.runs
    if options.wants("forward"):
        yield measure_forward("base", folder, options.shapes, n)
    if options.wants("masked-lm"):
        yield measure_forward("masked_lm", folder, options.shapes, n)
    if options.wants("growth"):
        yield growth(options, folder)
    if options.wants("step"):
        yield measure_steps([
            (options.model or "base size", str(folder), STEP_SHAPE),
            ("tiny", "tiny", TINY_STEP_SHAPE),
        ], n)
    if options.wants("texts") or options.wants("start"):
        tokenizer = save_tokenizer(options.model, folder)
    if options.wants("texts"):
        yield measure_texts(folder, tokenizer, n)
    if options.wants("start"):
        yield from measure_start(folder, tokenizer, n)


def growth(options: Options, folder: Path) -> Table:
    """Return the table of growth, and write the figure if there is to be one."""
    table = measure_growth(folder, options.runs)
    if options.plot:
        title = "How the time of a forward pass grows"
        figures.growth(table.rows, table.more["fits"], title).save(options.plot)
        table.notes.append(f"The figure is in {options.plot}")
    return table
