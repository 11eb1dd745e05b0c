"""What a comparison found, as a table with a conclusion, or for machines."""

from collections.abc import Iterator
from math import isfinite
from textwrap import fill

from ..trees import Tree
from ..weights import listing
from .causes import Finding
from .compare import Comparison, Row

HEADER = ("off by", "inherited", "added", "rounding")
MOST = 4                                         # names in a list
WIDTH = 80
NAMES = 28                                       # columns


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
        "match": compared.matches,
        "first_divergent": wrong[0].name if wrong else None,
        "strays": [row.name for row in compared.strays],
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
        told[name] = None if value is None or not isfinite(value) else value
    told["shape"] = list(row.shape)
    if row.worst:
        place, *numbers = row.worst
        told["worst"] = [place, *(n if isfinite(n) else None for n in numbers)]
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
    yield f"{'':{NAMES}}" + "".join(f"{name:>10}" for name in HEADER) + f"{'times':>9}"
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
    start = f"  {name:<{NAMES - 2}}"
    if row.state == "shape":
        return f"{start}  BUG: {row.findings[0].meaning}"
    if row.added is None:                        # an input
        return f"{start}{'same' if row.state == 'rounding' else 'differs':>10}"
    numbers = "".join(
        f"{short(value):>10}"
        for value in (row.total, row.inherited, row.added, row.floor)
    )
    verdict = {"bug": "  BUG", "inherited": "  inherited"}.get(row.state, "")
    layout = f"  as {row.layout}" if row.layout else ""
    return f"{start}{numbers}{many(row.times):>9}{verdict}{layout}".rstrip()


def short(value: float | None) -> str:
    """Return an error in few digits."""
    if value is None:
        return ""
    if not isfinite(value):
        return "NaN"
    return f"{value:.1e}" if value else "0"


def many(times: float) -> str:
    """Return how many times rounding an error is, in few digits."""
    if not isfinite(times):
        return "NaN"
    return f"{times:.1f}" if times < 100 else f"{times:,.0f}" if times < 1e5 else (
        f"{times:.0e}"
    )


# --- the conclusion -------------------------------------------------------------------


def conclusion(compared: Comparison) -> Iterator[str]:
    """Yield what follows from the table, in sentences."""
    if compared.wrong:
        yield from divergence(compared)
    else:
        yield from agreement(compared)
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
    arrays = "1 array" if len(judged) == 1 else f"each of {len(judged)} arrays"
    yield (
        f"No bug: what {arrays} adds is rounding, at most {worst.times:.1f} times "
        f"{worst.precision}'s own (at {worst.name}; up to {compared.tolerance:g} times "
        "counts as rounding)."
    )
    if short_ones := {row.precision for row in judged} & {"float16", "bfloat16"}:
        yield (
            f"By {' and '.join(sorted(short_ones))} alone: what adds less than about "
            "a hundredth cannot be seen; show float32, if it is to be."
        )
    if compared.strays:
        yield (
            f"Yet {compared.strays[0].name} is off by {short(compared.strays[0].total)}"
            ": the reference is not what its model computes."
        )


def divergence(compared: Comparison) -> Iterator[str]:
    """Yield where it first goes wrong, why, and where else."""
    first = compared.wrong[0]
    yield f"First divergent: {first.name}"
    yield from (f"  {text}" for text in measures(first))
    yield from (f"  {text}" for text in likely(first.findings))
    for (cause, meaning), where in by_reason(compared.wrong).items():
        others = [name for name in where if name != first.name]
        if others and (cause, meaning) == reason(first):
            yield f"  the same at {names(others)}"
        elif others:
            yield f"Also wrong: {names(others)}"
            yield f"  {cause}: {meaning}"


def measures(row: Row) -> Iterator[str]:
    """Yield how wrong an array is, and where most."""
    if row.times is None:
        return
    inherited = f"{short(row.inherited)} was" if row.inherited else "nothing was"
    yield (
        f"its own step adds {short(row.added)}, {many(row.times)} times what "
        f"{row.precision}'s rounding does; {inherited} inherited"
    )
    if row.worst:
        place, found, right = row.worst
        yield f"most at {place}: {found:.6g}, from its inputs {right:.6g}"


def reason(row: Row) -> tuple[str, str]:
    """Return the likeliest cause of a row, and what it means there."""
    return row.findings[0].cause, row.findings[0].meaning


def by_reason(rows: list[Row]) -> dict[tuple[str, str], list[str]]:
    """Return the names of arrays by their likeliest cause."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        found.setdefault(reason(row), []).append(row.name)
    return found


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
