"""Large arrays in blocks that fit in the cache, shared by the processor's cores.

A formula of ten NumPy calls takes its arrays ten times from memory to the processor and
back, and one core computes. Block by block, they stay in the cache; and as NumPy gives
Python's lock back while it computes, threads can take blocks side by side. The blocks
are cut alike whatever the number of threads, so the results have the same bits.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from .runtime import helpers, n_threads

Array = np.ndarray

# Numbers in a block. With smaller ones, threads that wait for each other's lock lose
# more than the nearest cache gains; less work than this is not worth a second thread.
BLOCK = 1 << 17


def share(function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Call function(*task) for each task, on all threads; return what it returned.

    The answers are in the order of the tasks, whichever thread took them.
    """
    waiting = deque(enumerate(tasks))
    answers: list[Any] = [None] * len(waiting)
    error_handling = np.geterr()                 # belongs to a thread: taken along

    def work() -> None:
        with np.errstate(**error_handling):
            while waiting:
                try:
                    i, task = waiting.popleft()
                except IndexError:               # another thread took the last one
                    return
                answers[i] = function(*task)

    n_helpers = min(n_threads(), len(waiting)) - 1
    helping = [helpers().submit(work) for _ in range(n_helpers)]
    work()
    for helper in helping:
        if not helper.cancel():                  # one that never began has no part
            helper.result()
    return answers


def blocks(shape: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield indices that cut an array of this shape into blocks of whole rows."""
    axis = 0
    while axis < len(shape) - 2 and math.prod(shape[axis + 1 :]) > BLOCK:
        axis += 1
    for leading in np.ndindex(shape[:axis]):
        if axis == len(shape) - 1:               # a single row
            yield (*leading, ...)
        else:
            row = max(1, math.prod(shape[axis + 1 :]))
            for part in parts(shape[axis], BLOCK // row):
                yield (*leading, part)


def parts(length: int, most: int) -> list[slice]:
    """Return slices of like size, at most `most` (or 1) long, that make up a length."""
    count = math.ceil(length / max(1, most))
    ends = [i * length // max(1, count) for i in range(count + 1)]
    return [slice(start, end) for start, end in pairwise(ends)]


def in_blocks(function: Callable[..., Any], *arrays: Array) -> list[Any]:
    """Call function(*blocks) on each block of some arrays; return what it returned.

    The arrays are of one shape, or broadcast to it. The function gets views, and writes
    its result into one of them. Rows, along the last axis, are never cut.
    """
    arrays = tuple(np.atleast_1d(array) for array in arrays)
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    arrays = tuple(
        array if array.shape == shape else np.broadcast_to(array, shape)
        for array in arrays
    )
    if math.prod(shape) <= BLOCK:
        return [function(*arrays)]
    return share(
        function, (tuple(array[block] for array in arrays) for block in blocks(shape))
    )
