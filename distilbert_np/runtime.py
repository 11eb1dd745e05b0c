"""Threads and memory: how many threads work, how long BLAS's wait, what is kept.

All are a matter of speed alone. This file is loaded before NumPy, if the package is.
"""

import ctypes
import os
import signal
import sys
from functools import cache
from typing import Any

# As a command (-m stands in place of its path now): Ctrl-C ends it without a traceback
# even while it is loading; `main` has ways of its own.
if sys.argv[:1] == ["-m"] and __package__ in sys.orig_argv:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

# NumPy's OpenBLAS reads this when it is loaded. Its threads, after a matrix product,
# spin in wait for the next one, 27 ms by default: all that time they keep a core from
# ours. 2²⁰ ticks of the clock, about 0.4 ms, are enough from one product to the next.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "20")

# Who limits the threads of a BLAS by one of these means ours as well.
LIMITS = (
    "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "OMP_NUM_THREADS",
)

# The numbers of two options of mallopt, from glibc's malloc.h.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3


@cache
def n_threads() -> int:
    """Return how many threads share the work: one for each core, if nothing limits it.
    """
    if hasattr(os, "sched_getaffinity"):         # the cores this process may use
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    limits = [os.environ.get(name, "") for name in LIMITS]
    return min([cores, *(int(n) for n in limits if n.isdecimal() and int(n) > 0)])


@cache
def helpers() -> Any:
    """Return the threads that help the calling one, a ThreadPoolExecutor."""
    from concurrent.futures import ThreadPoolExecutor  # here, since it takes its time

    return ThreadPoolExecutor(n_threads() - 1, "distilbert_np")


if hasattr(os, "register_at_fork"):              # a forked child has none of them
    os.register_at_fork(after_in_child=helpers.cache_clear)


@cache
def keep_freed_memory() -> bool:
    """Have the C library keep up to 512 MB of freed memory; return whether it does.

    glibc gives the memory of large arrays back to the system when they are freed. The
    arrays of the next layer are then new pages, which the system clears when they are
    first touched: a seventh of the time of a forward pass. Other C libraries are left
    alone.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):         # no glibc
        return False
    size = 1 << 29
    return bool(mallopt(MMAP_THRESHOLD, size) and mallopt(TRIM_THRESHOLD, size))


keep_freed_memory()
