"""Put the project's own tests through the zoo: every fault must make one of them fail.

A tool for maintainers, run from the root of the repository; CI runs it too:

    python -m tests.tools.zoo                        # all faults
    python -m tests.tools.zoo gelu-tanh mask-ignored

For each fault, pytest runs in a fresh process that has it planted, and stops at the
first test that fails. Tests that plant or compare by themselves are left out, and those
that need more than requirements.txt: the finding is the rest's. The exit status is 1
if a fault that can be seen leaves them green, or if they fail without one.
"""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from distilbert_np.parity import zoo

TESTS = Path(__file__).parents[1]
# What finds most, soonest. The rest runs where these find nothing.
FIRST = [
    f"tests/test_{name}.py"
    for name in ("parity_reference", "embed", "gradients", "losses", "pipelines")
]


def takes_part(path: Path) -> bool:
    """Whether a file holds tests that neither plant nor compare, nor need PyTorch."""
    text = path.read_text(encoding="utf-8")
    return not path.name.startswith("test_live_") and "distilbert_np.parity" not in text


ALL = [f"tests/{path.name}" for path in TESTS.glob("test_*.py") if takes_part(path)]
REST = sorted(set(ALL) - set(FIRST))


# --- the plugin of pytest -------------------------------------------------------------


def pytest_addoption(parser: Any) -> None:
    """Let pytest take the name of a fault."""
    parser.addoption("--planted", metavar="FAULT", help="a fault of the zoo to plant")


def pytest_configure(config: Any) -> None:
    """Plant it for as long as pytest runs."""
    if name := config.getoption("--planted"):
        planting = ExitStack()
        planting.enter_context(zoo.planted(name))
        config.add_cleanup(planting.close)


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Leave the models of base size for the end: small ones mostly do."""
    items.sort(key=lambda item: "base size" in item.nodeid)


# --- the run --------------------------------------------------------------------------


INVISIBLE = "\n  invisible: no output shows it, but that test looks into the trace"


class Finding(NamedTuple):
    """The test that fails first with a fault ("" if none does), and how soon it did."""

    fault: zoo.Fault
    test: str
    seconds: float

    @property
    def is_missed(self) -> bool:
        """Whether the fault can be seen, and no test sees it."""
        return not self.test and not self.fault.invisible

    def __str__(self) -> str:
        verdict = self.test or "green"
        if self.fault.invisible and self.test:
            verdict += INVISIBLE
        return f"{self.fault.name:32}{self.seconds:6.1f} s  {verdict}"


def first_failure(names: list[str], *planted: str) -> str:
    """Return the first test of these files that fails, or "".

    `planted` are options of pytest. Raises RuntimeError where pytest did not come as
    far as to run the tests.
    """
    command = [sys.executable, "-m", "pytest", "-p", "tests.tools.zoo", "-x", "-q"]
    run = subprocess.run(
        [*command, *planted, *names], cwd=TESTS.parent, capture_output=True, text=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )
    failed = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", run.stdout, re.MULTILINE)
    if run.returncode != bool(failed):
        raise RuntimeError(f"{planted}: {run.stdout[-2000:]}{run.stderr[-2000:]}")
    return failed[1] if failed else ""


def find(fault: zoo.Fault) -> Finding:
    """Run the tests with a fault, those that find most before the rest."""
    start, planted = time.monotonic(), f"--planted={fault.name}"
    test = first_failure(FIRST, planted) or first_failure(REST, planted)
    return Finding(fault, test, time.monotonic() - start)


def main(*names: str) -> int:
    """Put the tests through these faults, or all, two at a time; print what found each.
    """
    faults = [zoo.fault_named(name) for name in names] or zoo.FAULTS
    start, missed = time.monotonic(), 0
    with ThreadPoolExecutor(2) as two:
        without = two.submit(first_failure, FIRST)
        for finding in two.map(find, faults):
            print(finding, flush=True)
            missed += finding.is_missed
    if without.result():
        print(f"without any fault, {without.result()} fails: nothing is told by that")
    print(f"{len(faults)} faults, {missed} missed, {time.monotonic() - start:.0f} s")
    return int(missed > 0 or bool(without.result()))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
