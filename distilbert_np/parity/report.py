"""What a comparison found, as a table with a conclusion, or for machines."""

from collections.abc import Iterator
from textwrap import fill

from ..trees import Tree
from ..weights import listing
from .causes import Finding
from .compare import Comparison, Row

HEADER = ("off by", "inherited", "added", "rounding", "times")
MOST = 4                                         # names in a list
WIDTH = 96


def as_text(compared: Comparison) -> str:
    """Return the table, and what follows from it."""
    sentences = (
        fill(text, WIDTH, subsequent_indent="    ", break_long_words=False,
             break_on_hyphens=False)
        for text in conclusion(compared)
    )
    return "\n".join([*table(compared), "", *sentences])


def as_json(compared: Comparison) -> Tree:
    """Return all of it for machines."""
    wrong = compared.wrong
    return {
        "match": not wrong,
        "first_divergent": wrong[0].name if wrong else None,
        "causes": causes(compared),
        "tolerance": compared.tolerance,
        "missing": compared.missing,
        "unchecked": compared.unchecked,
        "unknown": compared.unknown,
        "rows": [row_as_json(row) for row in compared.rows],
    }


def row_as_json(row: Row) -> Tree:
    """Return a row for machines; an error that is no number becomes null."""
    told = dict(vars(row))
    for name in ("total", "inherited", "added", "floor", "times"):
        value = told[name]
        told[name] = None if value is None or value == float("inf") else value
    told["shape"] = list(row.shape)
    told["findings"] = [
        {"cause": found.cause, "meaning": found.meaning, "times": found.times}
        for found in row.findings
    ]
    return told


def causes(compared: Comparison) -> dict[str, list[str]]:
    """Return the likeliest cause of each array that is wrong: the arrays by cause."""
    found: dict[str, list[str]] = {}
    for row in compared.wrong:
        found.setdefault(row.findings[0].cause, []).append(row.name)
    return found


# --- the table ------------------------------------------------------------------------


def table(compared: Comparison) -> Iterator[str]:
    """Yield the lines: a row for each array that the port shows, under its part."""
    yield f"{'':36}" + "".join(f"{name:>11}" for name in HEADER)
    part = None
    for row in compared.rows:
        if row.state == "missing":
            continue
        where, name = parted(row.name)
        if where not in (part, ""):              # the loss goes with the head
            yield where
            part = where
        yield line(name, row)


def parted(name: str) -> tuple[str, str]:
    """Return the part of the model that an array belongs to, and its name there."""
    pieces = name.split(".")
    n = 1 + (pieces[0] == "gradients")
    if "transformer" in pieces[:n]:
        n += 2
    if len(pieces) <= n:
        n = len(pieces) - 1
    return ".".join(pieces[:n]), ".".join(pieces[n:])


def line(name: str, row: Row) -> str:
    """Return the line of an array."""
    numbers = "".join(
        f"{short(value):>11}"
        for value in (row.total, row.inherited, row.added, row.floor)
    )
    if row.added is None and row.state == "rounding":
        return f"  {name:<34}{'same':>11}"
    times = "" if row.times is None else many(row.times)
    verdict = {"bug": "  BUG", "inherited": "  inherited"}.get(row.state, "")
    if row.state == "shape":
        verdict = f"  BUG: has shape {row.shape}, which no layout of it has"
    layout = f"  as {row.layout}" if row.layout else ""
    return f"  {name:<34}{numbers} {times:>10}{verdict}{layout}".rstrip()


def short(value: float | None) -> str:
    """Return an error in few digits."""
    if value is None:
        return ""
    return f"{value:.1e}" if value else "0"


def many(times: float) -> str:
    """Return how many times rounding an error is, so that it fits a column."""
    return f"{times:,.1f}" if times < 1e6 else f"{times:.1e}"


# --- the conclusion -------------------------------------------------------------------


def conclusion(compared: Comparison) -> Iterator[str]:
    """Yield what follows from the table, in sentences."""
    if not compared.wrong:
        yield from agreement(compared)
    else:
        yield from divergence(compared)
    followed = [name for name in compared.missing if name in compared.followed]
    for what, which in (
        ("Not shown, so checked only by what follows", followed),
        ("Not shown, nor what follows, so not checked", compared.unchecked),
        ("Not known here, so not compared", compared.unknown),
    ):
        if which:
            yield f"{what}: {names(which)}"


def agreement(compared: Comparison) -> Iterator[str]:
    """Yield that all is well, and how well."""
    judged = [row for row in compared.rows if row.times is not None]
    worst = max(judged, key=lambda row: row.times, default=None)
    if worst is None:
        yield "The inputs agree; nothing else was shown."
        return
    yield (
        f"No bug: what each of {len(judged)} arrays adds is rounding, at most "
        f"{worst.times:.1f} times float32's own"
    )
    yield f"(at {worst.name}; up to {compared.tolerance:g} times counts as rounding)."


def divergence(compared: Comparison) -> Iterator[str]:
    """Yield where it first goes wrong, why, and where else."""
    first = compared.wrong[0]
    yield f"First divergent: {first.name}"
    if first.times is not None:
        yield (
            f"  its own step adds {short(first.added)}, {many(first.times)} times what "
            f"float32's rounding does; "
            + (f"{short(first.inherited)} was inherited" if first.inherited
               else "nothing was inherited")
        )
    yield from (f"  {text}" for text in likely(first.findings))
    for cause, where in causes(compared).items():
        others = [name for name in where if name != first.name]
        if others and cause == first.findings[0].cause:
            yield f"  the same at {names(others)}"
        elif others:
            (row,) = (row for row in compared.wrong if row.name == others[0])
            yield f"Also wrong: {names(others)}"
            yield f"  {cause}: {row.findings[0].meaning}"


def likely(found: list[Finding]) -> Iterator[str]:
    """Yield the likely causes of the first divergence."""
    for number, finding in enumerate(found):
        start = "likely cause" if number == 0 else "or, as good as this"
        explains = "" if finding.times is None else (
            f"; so computed, {finding.times:.1f} times rounding is left"
        )
        yield f"{start}: {finding.cause}: {finding.meaning}{explains}"


def names(found: list[str]) -> str:
    """Return names in a line, the first of many; those of several layers as one."""
    layers: dict[str, list[str]] = {}
    for name in found:
        before, is_in_layer, after = name.partition(".layer.")
        number, _, after = after.partition(".")
        place = f"{before}.layer.{{}}.{after}" if is_in_layer else name
        layers.setdefault(place, []).append(number)
    together = [
        place.format(",".join(numbers)) if "{}" in place else place
        for place, numbers in layers.items()
    ]
    return listing(together, MOST)
