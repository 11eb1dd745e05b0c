"""Print texts of the tiny world, or rows of a task, each on a line of its own."""

import argparse
import json
import os
import sys

from .tasks import TASKS, task_rows
from .text import sentences


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m distilbert_np.training.tiny_world", description=__doc__
    )
    add = parser.add_argument
    add("--task", choices=TASKS, help="rows of this task, as JSON lines for `train`")
    add("--seed", type=int, default=0, help="another seed, other texts (default: 0)")
    add("--count", type=int, default=10, help="how many (default: 10)")
    add("--held-out", action="store_true", help="texts that no model has learned from")
    options = parser.parse_args()
    if options.count < 1 or options.seed < 0:
        parser.error("expected a count from 1 and a seed from 0")
    drawn = (options.seed, options.count, options.held_out)
    if options.task:
        rows = task_rows(options.task, *drawn)
        lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    else:
        lines = sentences(*drawn)
    try:
        for line in lines:
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:                      # the reader has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
