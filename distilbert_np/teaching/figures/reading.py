"""What a figure is given: arrays are read off a trace, and what is asked is checked."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import InputError, shown
from ...functions import Array
from ...inputs import is_whole

BLOCKS = "transformer.layer."


def check_index(name: str, index: Any, count: int) -> None:
    """Raise InputError unless `index` counts one of `count` things, from 0."""
    if not is_whole(index, 0, count - 1):
        raise InputError(f"{name}: expected 0 to {count - 1}, found {shown(index)}")


def check_trace(trace: Any) -> None:
    """Raise InputError unless this is a trace: arrays by name."""
    if not isinstance(trace, Mapping):
        raise InputError(
            f"trace: expected model(**inputs, trace=True).trace, found {shown(trace)}"
        )


def array_of(trace: Any, name: str) -> Array:
    """Return an array of a trace; raises InputError, naming it, if it is not there."""
    check_trace(trace)
    if name not in trace:
        raise InputError(f"trace: has no {name}; call the model with trace=True")
    return np.asarray(trace[name])


def count_layers(trace: Any) -> int:
    """Return how many layers a trace tells of."""
    check_trace(trace)
    blocks = (name for name in trace if str(name).startswith(BLOCKS))
    return max(1, len({name.split(".")[2] for name in blocks}))


def array_of_text(trace: Any, layer: Any, name: str, text: Any) -> Array:
    """Return an array of one layer for one text: without its first axis, B."""
    check_index("layer", layer, count_layers(trace))
    array = array_of(trace, f"{BLOCKS}{layer}.{name}")
    check_index("text", text, len(array))
    return array[text]


def check_strings(name: str, strings: Any, count: int, what: str) -> list[str]:
    """Return the strings as a list; raises InputError unless one stands for each."""
    is_list = isinstance(strings, (list, tuple, np.ndarray))
    if not is_list or not all(isinstance(string, str) for string in strings):
        raise InputError(f"{name}: expected a list of strings, found {shown(strings)}")
    if len(strings) != count:
        raise InputError(
            f"{name}: expected {count}, one for each {what}, found {len(strings)}"
        )
    return [str(string) for string in strings]


def check_tokens(tokens: Any, length: int) -> list[str]:
    """Return the tokens of one text as a list, one for each place of the trace."""
    return check_strings("tokens", tokens, length, "place of the text in the trace")
