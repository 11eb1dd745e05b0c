"""Results side by side: what a student's function returned, and what is right.

A result is an array, a number, a text or whether something is so; or a tuple, a list or
a dict of results. Whatever else comes is told in words: it is a student's, and may be
anything.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..errors import one_line, shown

# Of the largest number of an array, in float64. Formulas that are written differently
# differ by 1e-14; the smallest slip, an epsilon of 1e-5 in LayerNorm, by 1e-6.
TOLERANCE = 1e-9


class Wrong(NamedTuple):
    """A part of a result that is not what is expected, and how it differs.

    `part` is where it stands, "[1] 'weight'"; "" if it is the whole.
    """

    part: str
    found: Any
    expected: Any
    how: str


def is_same(found: Any, expected: Any) -> bool:
    """Return whether two results are the same up to rounding."""
    return first_wrong(found, expected) is None


def difference(found: Any, expected: Any) -> str | None:
    """Say in one sentence how a result differs from the right one; None if it does not.
    """
    wrong = first_wrong(found, expected)
    return wrong and wrong.how


def first_wrong(found: Any, expected: Any, part: str = "") -> Wrong | None:
    """Return the first part of a result that is wrong; None if nothing is."""
    keys: Iterable[Any] = ()
    if found is None and expected is not None:
        how = f"{part or 'it'} is None (is a `return` missing?)"
    elif isinstance(expected, Mapping):
        how, keys = mapping_difference(found, expected, part), expected
    elif isinstance(expected, tuple | list):
        how, keys = sequence_difference(found, expected, part), range(len(expected))
    else:
        how = leaf_difference(found, expected, f"{part}: " if part else "")
    if how:
        return Wrong(part, found, expected, how)
    parts = (
        first_wrong(found[key], expected[key], f"{part} {subscript(key)}".strip())
        for key in keys
    )
    return next(filter(None, parts), None)


def subscript(key: Any) -> str:
    """Return the key of a part, for people: [1], 'weight'."""
    return f"[{key}]" if isinstance(key, int) else shown(key)


def mapping_difference(found: Any, expected: Mapping, what: str) -> str | None:
    """Say how something is no dict of the same names."""
    names = ", ".join(map(str, expected))
    if not isinstance(found, Mapping):
        return f"{what or 'it'} is {kind(found)}, not a dict of {names}"
    if set(found) != set(expected):
        return f"{what or 'the dict'} has {one_line(str([*found]))}, not {names}"
    return None


def sequence_difference(found: Any, expected: tuple | list, what: str) -> str | None:
    """Say how something is no tuple or list of as many things; texts are told whole."""
    if not isinstance(found, tuple | list):
        n = len(expected)
        several = f"a list of {n}" if isinstance(expected, list) else f"{n} things"
        return f"{what or 'it'} is {kind(found)}, not {several}"
    if all(isinstance(value, str) for value in expected):
        are_texts = all(isinstance(value, str) for value in found)
        is_equal = are_texts and list(found) == list(expected)
        return None if is_equal else f"{begun(found)}, not {begun(expected)}"
    if len(found) != len(expected):
        things = "thing" if len(found) == 1 else "things"
        return f"{what or 'it'} has {len(found)} {things}, not {len(expected)}"
    return None


def leaf_difference(found: Any, expected: Any, prefix: str) -> str | None:
    """Say how something differs from a text, a truth, a number or an array."""
    if isinstance(found, np.bool_):
        found = bool(found)                      # which is what a comparison returns
    if isinstance(expected, str | bool | None):
        is_equal = type(found) is type(expected) and found == expected
        return None if is_equal else f"{prefix}{shown(found)}, not {shown(expected)}"
    return array_difference(found, np.asarray(expected), prefix)


def array_difference(found: Any, expected: np.ndarray, prefix: str) -> str | None:
    """Say how something differs from an array, or from a number, of shape ()."""
    if not isinstance(found, np.ndarray | np.generic | int | float):
        return f"{prefix}it is {kind(found)}, not {kind(expected)}"
    found = np.asarray(found)
    if found.dtype.kind not in "fiub":
        return f"{prefix}it holds {found.dtype}, not numbers"
    if found.shape != expected.shape:
        return f"{prefix}its shape is {found.shape}, not {expected.shape}"
    wrong = is_off(found, expected)
    if not wrong.any():
        return None
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    where = f" at {list(place)}" if place else ""
    wrong_one, right_one = told_apart(found[place], expected[place])
    return f"{prefix}{wrong_one}{where}, not {right_one}"


def is_off(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return where an array is not the expected one, of the same shape, up to rounding.
    """
    if expected.dtype.kind not in "f":
        return found != expected
    finite = np.abs(expected[np.isfinite(expected)])
    allowed = TOLERANCE * finite.max(initial=1e-3)
    with np.errstate(all="ignore"):
        off = ~(np.abs(found - expected) <= allowed)
    return off & ~((found == expected) | (np.isnan(found) & np.isnan(expected)))


def told_apart(found: Any, expected: Any) -> tuple[str, str]:
    """Return two numbers in six digits, or in as many as show that they differ."""
    for digits in range(6, 18):
        pair = f"{found:.{digits}g}", f"{expected:.{digits}g}"
        if pair[0] != pair[1]:
            break
    return pair


def kind(value: Any) -> str:
    """Return what something is, for people: an array of shape (2, 3), a list."""
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array of shape {value.shape}"
    if isinstance(value, np.ndarray | np.generic | int | float):
        return "a number"
    if value is None:
        return "None"
    name = getattr(value, "name", type(value).__name__)
    return f"a{'n' * (name[0] in 'aeiouAEIOU')} {name}"


def begun(texts: Any) -> str:
    """Return the beginning of a list of texts, and whether there is more of it."""
    text = shown(texts)
    return text if text.endswith("]") else f"{text.rstrip()} …"
