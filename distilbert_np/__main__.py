"""The command line: python -m distilbert_np VERB …

Exit status: 0 done, 2 bad usage or input, said in one line.
"""

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from .errors import DistilBertError
from .hub import EMBEDDED
from .pipelines import FillMaskPipeline, pipeline

REAL_MODEL = "distilbert-base-uncased"
EXAMPLE = "The capital of France is [MASK]."


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that says what is wrong in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Write the line and leave with status 2."""
        self.exit(2, f"{self.prog}: {message} (--help explains)\n")


def make_parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser(prog="python -m distilbert_np", description="DistilBERT in NumPy.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    fill = verbs.add_parser(
        "fill-mask",
        help="fill each [MASK] of a text with the likeliest words",
        description="Fill each [MASK] of a text with the likeliest words.",
        epilog=f'example: python -m distilbert_np fill-mask "{EXAMPLE}"',
    )
    fill.add_argument("text", help="a text that holds [MASK], in quotes")
    fill.add_argument(
        "--model",
        default="tiny",
        help="an embedded model (tiny), a folder, or a name on the Hugging Face Hub "
        f"such as {REAL_MODEL} (default: tiny)",
    )
    fill.add_argument(
        "--top-k", type=int, default=5, metavar="K", help="answers for each mask"
    )
    fill.add_argument(
        "--dtype", choices=("float32", "float64"), default="float32", help="precision"
    )
    fill.add_argument("--json", action="store_true", help="print JSON, for machines")
    return parser


def fill_mask(arguments: argparse.Namespace) -> None:
    """Answer a fill-mask command, and say which model answered."""
    fill = pipeline("fill-mask", arguments.model, dtype=arguments.dtype)
    answers = fill(arguments.text, top_k=arguments.top_k)
    by_mask = answers if isinstance(answers[0], list) else [answers]
    if arguments.json:
        print(json.dumps({"model": arguments.model, "masks": by_mask}))
        return
    print(arguments.text)
    for mask in by_mask:
        print()
        width = max(len(answer["token_str"]) for answer in mask)
        for answer in mask:
            print(f"  {answer['token_str']:<{width}}  {answer['score']:7.2%}")
    print(f"\n{who_answered(arguments.model, fill)}")


def who_answered(name: str, fill: FillMaskPipeline) -> str:
    """Return a line about the model, and for an embedded one, about its limits."""
    line = f"model: {name}, {fill.model.num_parameters():,} parameters"
    if Path(fill.model.load_report.source).parent in EMBEDDED.values():
        line += (
            "; it knows only a tiny world of simple facts.\n"
            f"The real one: --model {REAL_MODEL} (downloads 268 MB once)"
        )
    return line


def one_line(message: Any, *_: Any) -> None:
    """Show a warning as a person would say it."""
    print(f"warning: {message}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    parsed = make_parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = one_line
            fill_mask(parsed)
    except DistilBertError as error:
        print(f"{parsed.verb}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
