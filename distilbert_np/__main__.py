"""The command line: python -m distilbert_np VERB …

Exit status: 0 done, 2 bad usage or input, said in one line, 130 stopped by Ctrl-C.
"""

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from .errors import DistilBertError
from .hub import EMBEDDED
from .pipelines import FillMaskPipeline, pipeline

REAL_MODEL = "distilbert-base-uncased"
EXAMPLE = "The capital of France is [MASK]."
COLUMNS = """\
FILE is CSV, its first line naming the columns, or JSON lines (.jsonl):
  masked-lm  text
  classify   text, label: the name of a class [, text_pair]
  tag        tokens, tags: one for each token; in CSV, separated by spaces
  answer     question, context, answer: words of the context, or empty if it has none
             [, start: where they begin, from 0; else the first place that has them]
  choose     text, choices: in CSV, separated by |, label: the right one's number from 0
"""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that says what is wrong in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Write the line and leave with status 2."""
        self.exit(2, f"{self.prog}: {message} (--help explains)\n")


def make_parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser(prog="python -m distilbert_np", description="DistilBERT in NumPy.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    add_fill_mask(verbs)
    add_train(verbs)
    return parser


def add_fill_mask(verbs: Any) -> None:
    """Add the verb fill-mask and its options."""
    fill = verbs.add_parser(
        "fill-mask",
        help="fill each [MASK] of a text with the likeliest words",
        description="Fill each [MASK] of a text with the likeliest words.",
        epilog=f'example: python -m distilbert_np fill-mask "{EXAMPLE}"',
    )
    fill.set_defaults(run=fill_mask)
    fill.add_argument("text", help="a text that holds [MASK], in quotes")
    add_model(fill)
    fill.add_argument(
        "--top-k", type=int, default=5, metavar="K", help="answers for each mask"
    )
    fill.add_argument("--json", action="store_true", help="print JSON, for machines")


def add_train(verbs: Any) -> None:
    """Add the verb train and its options."""
    train_verb = verbs.add_parser(
        "train",
        help="fine-tune a model on a file of texts with their labels",
        description="Fine-tune a model on a file of texts with their labels.\n\n"
        + COLUMNS,
        epilog="example: python -m distilbert_np train --task classify --data "
        "reviews.csv --out reviews\n"
        "Stopped or killed, it goes on from its last checkpoint (one each epoch, and\n"
        "with --save-every N also each N steps) when you give the command again.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train_verb.set_defaults(run=train)
    add = train_verb.add_argument
    tasks = ("masked-lm", "classify", "tag", "answer", "choose")
    add("--task", required=True, choices=tasks, help="what to learn")
    add("--data", required=True, metavar="FILE", help="a .csv or .jsonl file")
    add("--out", required=True, metavar="FOLDER", help="where the model is written to")
    add_model(train_verb)
    add(
        "--held-out", type=share_or_file, default=0.2, metavar="SHARE|FILE",
        help="the share of the rows to measure on, or a file of others (default: 0.2)",
    )
    for name, kind, default, text in (
        ("--epochs", int, 3, "times that every row is seen"),
        ("--batch-size", int, 16, "rows in a batch"),
        ("--accumulate", int, 1, "batches that make one step together"),
        ("--lr", float, 5e-5, "learning rate at its peak"),
        ("--warmup", float, 0.1, "share of the steps in which it rises to that"),
        ("--weight-decay", float, 0.01, "pull of the weights towards 0"),
        ("--max-grad-norm", float, 1.0, "norm that the gradient is clipped to"),
        ("--seed", int, 0, "of order, masks, dropout and what is held out"),
        ("--max-length", int, None, "tokens that texts are cut to (default, and most: "
         "as many as the model has positions)"),
        ("--save-every", int, None, "steps between checkpoints, beside each epoch's"),
    ):
        shown = "" if default is None else f" (default: {default})"
        add(name, type=kind, default=default, metavar="N", help=text + shown)
    add("--json", action="store_true", help="print JSON, for machines")


def add_model(verb: argparse.ArgumentParser) -> None:
    """Add the options that choose a model."""
    verb.add_argument(
        "--model",
        default="tiny",
        help="an embedded model (tiny), a folder, or a name on the Hugging Face Hub "
        f"such as {REAL_MODEL} (default: tiny)",
    )
    verb.add_argument(
        "--dtype", choices=("float32", "float64"), default="float32", help="precision"
    )


def share_or_file(text: str) -> float | str:
    """Return a number if the text is one, else the text: the name of a file."""
    try:
        return float(text)
    except ValueError:
        return text


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


def train(arguments: argparse.Namespace) -> None:
    """Answer a train command: fine-tune, and report what came of it."""
    from .training import Recipe, fine_tune  # here, since it takes its time

    recipe = Recipe(**{
        name: getattr(arguments, name)
        for name in ("epochs", "batch_size", "accumulate", "lr", "warmup",
                     "weight_decay", "max_grad_norm", "seed")
    })
    report = fine_tune(
        arguments.task, arguments.data, arguments.out, arguments.model, recipe,
        held_out=arguments.held_out, max_length=arguments.max_length,
        dtype=arguments.dtype, save_every=arguments.save_every,
        progress=sys.stderr.isatty(),
        **({} if arguments.json else {"say": partial(print, flush=True)}),
    )
    if arguments.json:
        print(json.dumps(report))
        return
    which = f"epoch {report['best']['epoch']}" if report["best"] else "the last epoch"
    print(f"\nThe model of {which} is in {report['folder']}")


def one_line(message: Any, *_: Any) -> None:
    """Show a warning as a person would say it."""
    print(f"warning: {message}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    parsed = make_parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = one_line
            parsed.run(parsed)
    except DistilBertError as error:
        print(f"{parsed.verb}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{parsed.verb}: stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
