"""Run a command; print as JSON its first line, when that came, and its peak memory.

This file is run by its path and imports little: on Linux a process starts with the peak
memory of the one that started it, so measured ones are started from this small one.
"""

import json
import os
import subprocess
import sys
import time


def main() -> int:
    """Run the command in sys.argv and return its exit status."""
    start = time.perf_counter()
    child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
    line = child.stdout.readline()
    seconds = time.perf_counter() - start
    child.stdout.read()
    status, peak = wait(child)
    print(json.dumps({
        "line": line.decode("utf-8"), "milliseconds": 1000 * seconds, "megabytes": peak,
    }))
    return status


def wait(child: subprocess.Popen) -> tuple[int, float | None]:
    """Return a process's exit status and peak memory in MB, if the system tells it."""
    if not hasattr(os, "wait4"):                 # as on Windows
        return child.wait(), None
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024
    return child.returncode, usage.ru_maxrss * unit / 1e6


if __name__ == "__main__":
    sys.exit(main())
