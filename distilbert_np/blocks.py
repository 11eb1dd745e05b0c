"""Large arrays in blocks that fit in the cache, shared by the processor's cores.

A formula of ten NumPy calls takes its arrays ten times from memory to the processor and
back, and one core computes. Block by block, they stay in the cache; and as NumPy gives
Python's lock back while it computes, threads can take blocks side by side. The blocks
are cut alike whatever the number of threads, so the results have the same bits.
"""

import math
import os
from collections import deque
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray

# Numbers in a block: the temporaries of a formula then fit in the L2 cache, and each
# NumPy call is long enough for the threads not to wait for each other's lock.
BLOCK = 1 << 16

# Who limits the threads of NumPy's BLAS by one of these means ours as well.
LIMITS = (
    "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "OMP_NUM_THREADS",
)


@cache
def n_threads() -> int:
    """Return how many threads share the work: one for each core, if nothing limits it.
    """
    if hasattr(os, "sched_getaffinity"):         # the cores this process may use
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    limits = [os.environ.get(name, "") for name in LIMITS]
    return min([cores, *(int(n) for n in limits if n.isdigit() and int(n) > 0)])


@cache
def helpers() -> Any:
    """Return the threads that help the calling one (a ThreadPoolExecutor)."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(n_threads() - 1, "distilbert_np")


if hasattr(os, "register_at_fork"):              # a forked child has none of them
    os.register_at_fork(after_in_child=helpers.cache_clear)


def blocks(shape: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield indices that cut an array of this shape into blocks of whole rows."""
    axis = 0
    while axis < len(shape) - 2 and math.prod(shape[axis + 1 :]) > BLOCK:
        axis += 1
    for leading in np.ndindex(shape[:axis]):
        if axis >= len(shape) - 1:               # a single row
            yield (*leading, ...)
            continue
        per_block = max(1, BLOCK // max(1, math.prod(shape[axis + 1 :])))
        count = math.ceil(shape[axis] / per_block)
        ends = [i * shape[axis] // max(1, count) for i in range(count + 1)]
        for start, end in pairwise(ends):
            yield (*leading, slice(start, end))


def in_blocks(function: Callable[..., Any], *arrays: Array) -> list[Any]:
    """Call function(*blocks) on each block of some arrays; return what it returned.

    The arrays are of one shape, or broadcast to it. The function gets views, and writes
    its result into one of them. Rows, along the last axis, are never cut.
    """
    arrays = tuple(np.atleast_1d(array) for array in arrays)
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    if math.prod(shape) <= BLOCK:
        return [function(*arrays)]
    arrays = tuple(
        array if array.shape == shape else np.broadcast_to(array, shape)
        for array in arrays
    )
    waiting = deque(enumerate(blocks(shape)))
    results: list[Any] = [None] * len(waiting)
    error_handling = np.geterr()                 # belongs to a thread: taken along

    def work() -> None:
        with np.errstate(**error_handling):
            while waiting:
                try:
                    i, block = waiting.popleft()
                except IndexError:               # another thread took the last one
                    return
                results[i] = function(*(array[block] for array in arrays))

    n_helpers = min(n_threads(), len(waiting)) - 1
    helping = [helpers().submit(work) for _ in range(n_helpers)]
    work()
    for helper in helping:
        if not helper.cancel():                  # one that never began has no part
            helper.result()
    return results
