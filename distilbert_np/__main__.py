"""The command line: python -m distilbert_np VERB …

Exit status: 0 done, 2 bad usage or input, said in one line, 130 stopped by Ctrl-C.
"""

import argparse
import json
import os
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from .errors import DistilBertError, InputError
from .files import written_whole
from .functions import Array
from .hub import EMBEDDED
from .models import DistilBertPreTrainedModel
from .pipelines import pipeline

REAL_MODEL = "distilbert-base-uncased"
EXAMPLE = "The capital of France is [MASK]."
MOST_COMPARED = 8                                # texts: so many columns fit a line
COLUMNS = """\
FILE is CSV, its first line naming the columns, or JSON lines (.jsonl):
  masked-lm  text
  classify   text, label: the name of a class [, text_pair]
  tag        tokens, tags: one for each token; in CSV, separated by spaces
  answer     question, context, answer: words of the context, or empty if it has none
             [, start: where they begin, from 0; else the first place that has them]
  choose     text, choices: in CSV, separated by |, label: the right one's number from 0
"""
MEASURED = """\
WHAT is one of
  forward    the encoder, at several shapes (batch x length)
  masked-lm  the same, with a score for every word at every position
  growth     how the cost grows with length, batch and layers (ours alone)
  step       a training step, its time and memory
  texts      1,000 texts of ragged length to vectors
  start      from the start of a process to the first answer; the import
  all        each of them
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
    add_embed(verbs)
    add_train(verbs)
    add_bench(verbs)
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


def add_embed(verbs: Any) -> None:
    """Add the verb embed and its options."""
    embed_verb = verbs.add_parser(
        "embed",
        help="turn texts into vectors, and compare these",
        description="Turn each text into a vector, the mean of its tokens' last hidden "
        "states, of length 1, and show how alike they are: their cosine similarities.",
        epilog='example: python -m distilbert_np embed "The cat sleeps." "Dogs bark."',
    )
    embed_verb.set_defaults(run=embed)
    embed_verb.add_argument(
        "texts", nargs="+", metavar="text",
        help="a text, in quotes; - stands for the lines of the standard input",
    )
    add_model(embed_verb)
    embed_verb.add_argument(
        "--out", metavar="FILE.npy", help="save the vectors, an array (texts, dim)"
    )
    embed_verb.add_argument(
        "--json", action="store_true", help="print JSON, for machines"
    )


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


def add_bench(verbs: Any) -> None:
    """Add the verb bench and its options."""
    bench_verb = verbs.add_parser(
        "bench",
        help="measure how fast this is, beside PyTorch and onnxruntime",
        description="Measure how fast this is on your machine, beside PyTorch and "
        "onnxruntime where they\nare installed.\n\n" + MEASURED,
        epilog="example: python -m distilbert_np bench forward --shapes 1x8,8x128\n"
        "Let nothing else run meanwhile.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    bench_verb.set_defaults(run=bench)
    add = bench_verb.add_argument
    add(
        "what", nargs="?", default="forward", metavar="WHAT",
        choices=("forward", "masked-lm", "growth", "step", "texts", "start", "all"),
        help="what to measure (default: forward)",
    )
    add(
        "--model",
        help="an embedded model (tiny), a folder, or a name on the Hugging Face Hub "
        "(default: base size, weights at random: speed does not depend on them)",
    )
    add("--shapes", metavar="BxL,…", help="batches and lengths, such as 1x8,8x128")
    add("--runs", type=int, metavar="N", help="runs of each (default: what a few "
        "seconds for each row allow, at least 5; texts: 3)")
    add("--threads", type=int, metavar="N", help="threads of each (default: as many as "
        "there are cores)")
    add("--plot", metavar="FILE", help="with growth: a figure, .png or .svg")
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
    print(f"\n{who_answered(arguments.model, fill.model)}")


def embed(arguments: argparse.Namespace) -> None:
    """Answer an embed command: print or save the vectors, or compare them."""
    texts = given_texts(arguments.texts)
    if arguments.out is not None:
        check_out(arguments.out)
    embedder = pipeline("embed", arguments.model, dtype=arguments.dtype)
    vectors = embedder(texts)
    if arguments.out is not None:
        save_array(Path(arguments.out), vectors)
    if arguments.json:
        print(json.dumps({"model": arguments.model, "embeddings": vectors.tolist()}))
        return
    print(similarity_table(texts, vectors) if len(texts) > 1 else beginning(vectors))
    if arguments.out is not None:
        print(f"\n{vectors.dtype} {vectors.shape} saved in {arguments.out}")
    print(f"\n{who_answered(arguments.model, embedder.model)}")


def given_texts(texts: Sequence[str]) -> list[str]:
    """Return the texts, "-" replaced by the lines of the standard input."""
    given = []
    for text in texts:
        try:
            given += (sys.stdin or ()) if text == "-" else [text]  # None: it is closed
        except UnicodeDecodeError as error:
            raise InputError(f"standard input: cannot be decoded ({error})") from None
    if not given:
        raise InputError("texts: found none on the standard input")
    return given


def check_out(name: str) -> None:
    """Raise InputError unless a file may have this name: before the work, not after it.
    """
    folder, file = os.path.split(name)
    is_free = os.path.isfile(name) or not os.path.exists(name)
    if not (file and os.path.isdir(folder or ".") and is_free):
        raise InputError(
            "--out: expected the name of a regular file, in a folder that exists, "
            f"found {name!r}"
        )


def save_array(path: Path, array: Array) -> None:
    """Write an array as .npy, whole or not at all."""
    with written_whole(path.parent, path.name) as part:
        content = BytesIO()                      # np.save may miss that a disk is full
        np.save(content, array)
        part.write_bytes(content.getbuffer())


def beginning(vectors: Array) -> str:
    """Return the first numbers of each vector (n, D) as a line."""
    return "\n".join(
        f"{' '.join(f'{x:.4f}' for x in vector[:8])} … ({len(vector)} numbers)"
        for vector in vectors
    )


def similarity_table(texts: Sequence[str], vectors: Array) -> str:
    """Return the cosine similarities of the first texts as lines, one for each text."""
    compared = [" ".join(text.split()) for text in texts[:MOST_COMPARED]]
    n = len(compared)
    width = min(76 - 7 * n, max(map(len, compared)))
    cosines = vectors[:n] @ vectors[:n].T                                # (n, n)
    lines = [" " * (width + 3) + "".join(f"{i + 1:7}" for i in range(n))]
    for i, text in enumerate(compared):
        cut = text if len(text) <= width else f"{text[: width - 1]}…"
        numbers = "".join(f"{cosine:7.3f}" for cosine in cosines[i])
        lines.append(f"{i + 1}  {cut:<{width}}{numbers}")
    if len(texts) > n:
        lines.append(f"\nThese are the first {n} of {len(texts)} texts.")
    return "\n".join(lines)


def who_answered(name: str, model: DistilBertPreTrainedModel) -> str:
    """Return a line about the model, and for an embedded one, about its limits."""
    line = f"model: {name}, {model.num_parameters():,} parameters"
    if Path(model.load_report.source).parent in EMBEDDED.values():
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


def bench(arguments: argparse.Namespace) -> None:
    """Answer a bench command: measure, and print a table after another."""
    from .bench import machine, report  # here, since it takes its time

    options = report.read_options(
        arguments.what, arguments.model, arguments.shapes, arguments.runs,
        arguments.plot, arguments.threads,
    )
    if options.threads and not machine.is_limited_to(options.threads):
        sys.exit(machine.run_with_threads(options.threads, arguments.command))
    say = (lambda text: None) if arguments.json else partial(print, flush=True)
    report_made = report.measure(options, say)
    if arguments.json:
        print(json.dumps(report_made))


def one_line(message: Any, *_: Any) -> None:
    """Show a warning as a person would say it."""
    print(f"warning: {message}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    parsed = make_parser().parse_args(arguments)
    parsed.command = sys.argv[1:] if arguments is None else arguments
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
