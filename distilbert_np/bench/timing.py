"""Contenders in turn, A B C A B C …: what slows the machine slows them all alike."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from ..errors import DistilBertError
from . import launch

Measured = TypeVar("Measured")

PAUSE = 0.05                # seconds that worker threads may spin on after their work
SECONDS = 4.0               # that a row may take, where it needs no more for its LEAST
LEAST, MOST = 5, 50         # rounds
ROOT = Path(__file__).parents[2]                 # where distilbert_np is imported from


def timed(run: Callable[[], Any]) -> Callable[[], float]:
    """Return a function that runs once and returns the seconds it took."""

    def measure() -> float:
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    return measure


def in_turn(
    measures: dict[str, Callable[[], Measured]], n: int | None = None,
    pause: float = PAUSE,
) -> dict[str, list[Measured]]:
    """Return what each measured in n rounds (None: as many as a few seconds allow).

    Each should have run before, for a first run takes longer than others. Where all
    are of one library, no `pause` is needed between them.
    """
    results: dict[str, list[Measured]] = {name: [] for name in measures}
    start = time.perf_counter()
    for done in range(n or MOST):
        elapsed = time.perf_counter() - start
        if n is None and done >= LEAST and elapsed > SECONDS:
            break
        for name, measure in measures.items():
            time.sleep(pause)
            results[name].append(measure())
    return results


def medians(
    runs: dict[str, Callable[[], Any]], n: int | None = None, pause: float = PAUSE
) -> dict[str, float]:
    """Return the median milliseconds of each run, taken in turn."""
    times = in_turn({name: timed(run) for name, run in runs.items()}, n, pause)
    return {name: 1000 * statistics.median(values) for name, values in times.items()}


def launched(command: list[str]) -> dict[str, Any]:
    """Run a Python command in a process of its own; return what launch.py tells of it.

    Raises DistilBertError, quoting the command's last line, where it fails.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    run = subprocess.run(
        [sys.executable, "-I", launch.__file__, sys.executable, *command],
        capture_output=True, text=True, encoding="utf-8",
        env=os.environ | {
            "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8",
            "HF_HUB_OFFLINE": "1",
            "PYTHONDONTWRITEBYTECODE": "",       # else Python compiles us each time
        },
    )
    if run.returncode:
        last = (run.stderr.strip().splitlines() or ["no message"])[-1]
        raise DistilBertError(f"a process of its own failed: {last}")
    return json.loads(run.stdout)


def show_progress(text: str = "") -> None:
    """Show on one line of stderr what is being done, if that is a terminal."""
    if sys.stderr.isatty():
        print(f"\r{text:<78.78}\r", end="", file=sys.stderr, flush=True)


@contextmanager
def progress_cleared() -> Iterator[None]:
    """Leave no progress on the line when all is done, or something went wrong."""
    try:
        yield
    finally:
        show_progress()
