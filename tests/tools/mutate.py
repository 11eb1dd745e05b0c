"""Break checkpoints at random, many times over, and tell what came of it.

A tool for maintainers, run from the root of the repository; a test runs some of it:

    python -m tests.tools.mutate 100000              # the seeds from 0 to 99,999
    python -m tests.tools.mutate 200000 100000       # those from 100,000 on

Each worker process tells its seed before it begins, so that one that crashes, or hangs,
is reported with it. Memory is limited to a gigabyte more than a worker starts with.
The exit status is 1 if anything happened that must not.
"""

import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from mutations import Offence, judge, mutated

Judge = Callable[[int, Path], tuple[str, str]]
EXTRA_MEMORY = 1 << 30
OUTCOMES = ("accepted", "CheckpointError", "ConfigError", "InputError", "FileError")
OFFENCE = "OFFENCE"


def work(connection: Connection, seeds: range, judge: Judge, folder: Path) -> None:
    """Judge one seed after another; tell each before, and what came of it."""
    limit_memory()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)     # where Rust tells of its panics
    for seed in seeds:
        connection.send((seed, None))
        with TemporaryDirectory(dir=folder) as empty:
            try:
                outcome = judge(seed, Path(empty))
            except Offence as offence:
                outcome = OFFENCE, str(offence)
        connection.send((seed, outcome))
    connection.close()


def limit_memory() -> None:
    """Let no call of this process get much more memory than it has, where that goes."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):               # not on Linux
        return
    limit = pages * resource.getpagesize() + EXTRA_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


class Worker:
    """A process that works through seeds, and how far it has come."""

    def __init__(self, seeds: range, *more: Any) -> None:
        context = get_context("spawn")
        self.seeds, self.more, self.seed = seeds, more, None
        self.connection, end = context.Pipe(duplex=False)
        self.process = context.Process(target=work, args=(end, seeds, *more))
        self.process.start()
        end.close()
        self.since, self.is_done = math.inf, not seeds     # it has not begun yet

    def listen(self, tally: "Tally", seconds: float) -> str | None:
        """Take in what it tells; return what is wrong with it, if anything is."""
        try:
            while self.connection.poll():
                self.seed, outcome = self.connection.recv()
                self.since = time.monotonic()
                if outcome is not None:
                    tally.add(self.seed, *outcome)
                    self.is_done = self.seed == self.seeds[-1]
        except EOFError:
            self.process.join()
            code = self.process.exitcode
            return None if self.is_done else f"the process ended with {code}"
        is_late = time.monotonic() > self.since + seconds
        return f"took more than {seconds} s" if is_late else None

    def stop(self) -> None:
        """End the process, if it still runs."""
        self.process.kill()
        self.process.join()
        self.connection.close()

    def successor(self) -> "Worker":
        """Return a worker for the seeds after the one that ended this."""
        left = self.seeds[self.seeds.index(self.seed) + 1 :]
        return Worker(left, *self.more)


@dataclass
class Tally:
    """What came of the seeds, by kind of file, and what must not have."""

    counts: Counter = field(default_factory=Counter)
    offences: dict[int, str] = field(default_factory=dict)

    def add(self, seed: int, kind: str, outcome: str) -> None:
        """Count a seed."""
        if kind == OFFENCE:
            self.offences[seed] = outcome
            kind, outcome = mutated(seed).kind, OFFENCE
        self.counts[kind, outcome] += 1

    def table(self) -> str:
        """Return the counts as lines, and a line for each offence."""
        columns = (*OUTCOMES, OFFENCE)
        kinds = sorted({kind for kind, _ in self.counts})
        lines = [f"{'broken':28}{'seeds':>8}" + "".join(f"{c:>16}" for c in columns)]
        for kind in [*kinds, "all"]:
            of_kind = Counter()
            for (k, outcome), count in self.counts.items():
                of_kind[outcome] += count * (kind in (k, "all"))
            cells = "".join(f"{of_kind[column]:16,}" for column in columns)
            lines.append(f"{kind:28}{sum(of_kind.values()):8,}{cells}")
        for seed, what in sorted(self.offences.items()):
            lines.append(f"seed {seed}, {mutated(seed).kind}: {what}")
        return "\n".join(lines)


def run(
    seeds: range, judge: Judge = judge, seconds: float = 60, n_workers: int = 2
) -> Tally:
    """Judge all seeds, each in at most so many seconds."""
    tally = Tally()
    with TemporaryDirectory() as folder:
        parts = [seeds[i::n_workers] for i in range(n_workers)]
        workers = [Worker(part, judge, Path(folder)) for part in parts]
        while workers:
            wait([worker.connection for worker in workers], timeout=0.1)
            for worker in list(workers):
                trouble = worker.listen(tally, seconds)
                if trouble or worker.is_done:
                    worker.stop()
                    workers.remove(worker)
                if trouble:
                    tally.add(worker.seed, OFFENCE, trouble)
                    workers.append(worker.successor())
    return tally


def main(end: str, begin: str = "0") -> Any:
    """Judge the seeds from begin to end, and print the table."""
    start = time.monotonic()
    tally = run(range(int(begin), int(end)), n_workers=os.cpu_count() or 1)
    print(tally.table())
    print(f"{time.monotonic() - start:.0f} s")
    return 1 if tally.offences else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
