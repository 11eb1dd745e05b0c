"""Print texts of the tiny world, or rows of a task, each on a line of its own."""

import argparse
import json

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
    add("--held-out", action="store_true", help="texts that are never told otherwise")
    options = parser.parse_args()
    drawn = (options.seed, options.count, options.held_out)
    if options.task is None:
        print("\n".join(sentences(*drawn)))
        return
    for row in task_rows(options.task, *drawn):
        print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main()
