"""The command line: python -m distilbert_np VERB …

Exit status: 0 done, 1 the answer is no (what was compared does not agree), 2 bad usage
or input, said in one line; 130 stopped by Ctrl-C, 141 by a reader of its output who has
had enough, both in silence.
"""

import argparse
import json
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn

from . import __version__, inspection
from .commands.ask import ask
from .commands.embed import embed
from .commands.model import REAL_MODEL, real_one
from .errors import CheckpointError, DistilBertError, InputError
from .pipelines.token_classification import STRATEGIES
from .weights import HEADS

EXAMPLE = "The capital of France is [MASK]."
MODELS = (
    "an embedded model (tiny, tiny-teacher), a folder, or a name on the Hugging Face "
    "Hub"
)
TEXT_FILE = "a .txt file, a text on each line; or .csv or .jsonl with a column text"
COLUMNS = """\
FILE is CSV, its first line naming the columns, or JSON lines (.jsonl), or for masked-lm
plain text (.txt), a text on each line:
  masked-lm  text
  classify   text, label: the name of a class [, text_pair]
  tag        tokens, tags: one for each token; in CSV, separated by spaces
  answer     question, context, answer: words of the context, or empty if it has none
             [, start: where they begin, from 0; else the first place that has them]
  choose     text, choices: in CSV, separated by |, label: the right one's number from 0
"""
RECIPE = ("epochs", "batch_size", "accumulate", "lr", "warmup", "weight_decay",
          "max_grad_norm", "seed")
RUN = ("held_out", "max_length", "save_every")
WEIGHTS = ("kl", "mlm", "cos", "temperature")    # of what a student is taught
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
    version = f"distilbert_np {__version__}"
    parser.add_argument("--version", action="version", version=version)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    add_fill_mask(verbs)
    add_classify(verbs)
    add_tag(verbs)
    add_answer(verbs)
    add_choose(verbs)
    add_embed(verbs)
    add_inspect(verbs)
    add_trace(verbs)
    add_compare(verbs)
    add_zoo(verbs)
    add_parity(verbs)
    add_train(verbs)
    add_distill(verbs)
    add_bench(verbs)
    return parser


def add_verb(
    verbs: Any, name: str, does: str, example: str, description: str = "",
    closing: str = "",
) -> argparse.ArgumentParser:
    """Add a verb, with its help and an example; return its parser."""
    return verbs.add_parser(
        name, help=does, description=description or f"{does[0].upper()}{does[1:]}.",
        epilog=f"example: python -m distilbert_np {name} {example}\n{closing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_question(
    verbs: Any, name: str, does: str, example: str, description: str = ""
) -> argparse.ArgumentParser:
    """Add a verb that asks a model; its help also says which model answers."""
    closing = f"By default tiny answers.\n{real_one(name)}"
    return add_verb(verbs, name, does, example, description, closing)


def add_fill_mask(verbs: Any) -> None:
    """Add the verb fill-mask and its options."""
    verb = add_question(
        verbs, "fill-mask", "fill each [MASK] of a text with the likeliest words",
        f'"{EXAMPLE}"',
    )
    add_texts(verb, "a text that holds [MASK], in quotes")
    add_common(verb, ask)
    add_top_k(verb, 5, "answers for each mask")


def add_classify(verbs: Any) -> None:
    """Add the verb classify and its options."""
    verb = add_question(
        verbs, "classify", "say which class a text is of",
        '"The film was boring, and I left early."',
        description="Say which class of the model a text is of. Texts that are too "
        "long are cut.",
    )
    add_texts(verb, "a text, in quotes")
    add_common(verb, ask, f"{TEXT_FILE} [, text_pair]")
    add_top_k(verb, None, "labels for each text")


def add_tag(verbs: Any) -> None:
    """Add the verb tag and its options."""
    verb = add_question(
        verbs, "tag", "find the names in a text, and say what they name",
        '"Anna saw a wolf near Berlin."',
    )
    add_texts(verb, "a text, in quotes")
    add_common(verb, ask)
    verb.add_argument(
        "--strategy", choices=STRATEGIES, default="first",
        help="what the tags of a word's pieces make its tag (default: first; simple: "
        "pieces may differ; none: show the pieces)",
    )


def add_answer(verbs: Any) -> None:
    """Add the verb answer and its options."""
    verb = add_question(
        verbs, "answer", "answer a question with words of a text",
        '"What did Anna see?" '
        '"Tom is in the kitchen. Anna saw a wolf in the forest."',
    )
    verb.add_argument("question", nargs="?", help="a question, in quotes")
    verb.add_argument(
        "context", nargs="?",
        help="the text that may hold the answer, of any length; - stands for the "
        "standard input",
    )
    add_common(verb, ask, "a .csv or .jsonl file with columns question, context")
    add_top_k(verb, 1, "answers for each question")
    verb.add_argument(
        "--or-none", action="store_true",
        help="say (none) where that is likelier than any words",
    )


def add_choose(verbs: Any) -> None:
    """Add the verb choose and its options."""
    verb = add_question(
        verbs, "choose", "say which of several endings goes best with a text",
        '"Anna is hungry, so she" "eats some bread." "goes to bed."',
    )
    verb.add_argument("text", nargs="?", help="a text, in quotes")
    verb.add_argument(
        "choices", nargs="*", metavar="choice", help="an ending, in quotes"
    )
    add_common(
        verb, ask,
        "a .csv or .jsonl file with columns text, choices: in CSV, separated by |",
    )


def add_embed(verbs: Any) -> None:
    """Add the verb embed and its options."""
    verb = add_question(
        verbs, "embed", "turn texts into vectors, and compare these",
        '"The cat sleeps." "Dogs bark."',
        description="Turn each text into a vector, the mean of its tokens' last hidden "
        "states, of length 1,\nand show how alike they are: their cosine similarities. "
        "Texts that are too long are\ncut.",
    )
    add_texts(verb, "a text, in quotes")
    add_common(verb, embed)
    verb.add_argument(
        "--out", metavar="FILE.npy", help="save the vectors, an array (texts, dim)"
    )


def add_texts(verb: argparse.ArgumentParser, what: str) -> None:
    """Add the texts of a command."""
    verb.add_argument(
        "texts", nargs="*", metavar="text",
        help=f"{what}; - stands for the lines of the standard input",
    )


def add_common(verb: argparse.ArgumentParser, run: Any, file: str = TEXT_FILE) -> None:
    """Add what all verbs on texts have: a file, a model, and JSON."""
    verb.set_defaults(run=run)
    verb.add_argument("--file", metavar="FILE", help=file)
    add_model(verb)
    verb.add_argument(
        "--json", action="store_true",
        help="print JSON, for machines: an object for each text; of an embedded model "
        "also unknown_words, those that it does not know",
    )


def add_top_k(verb: argparse.ArgumentParser, default: int | None, what: str) -> None:
    """Add the option that says how many answers are wanted."""
    verb.add_argument(
        "--top-k", type=above_0, default=default, metavar="K",
        help=f"{what} (default: {default or 'all'})",
    )


def above_0(text: str) -> int:
    """Return a whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"expected a whole number above 0, found {text!r}"
        )
    return int(text)


def number_above_0(text: str) -> float:
    """Return a number above 0, no infinity."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text!r}")
    return number


def add_inspect(verbs: Any) -> None:
    """Add the verb inspect and its options."""
    inspect_verb = verbs.add_parser(
        "inspect",
        help="show what a model is made of, and what it costs",
        description="Show where the parameters of a model sit, what they and a forward "
        "pass cost, and the same of BERT-base. From the Hub config.json alone is "
        "fetched; of weights in a folder only their names, shapes and types are read.",
        epilog=f"example: python -m distilbert_np inspect {REAL_MODEL}",
    )
    inspect_verb.set_defaults(run=inspect)
    add = inspect_verb.add_argument
    add(
        "model", nargs="?", default="tiny", metavar="MODEL",
        help=f"{MODELS} (default: tiny)",
    )
    add_head(inspect_verb, "the head to count")
    add("--full", action="store_true", help="list every tensor, by its full name")
    add("--json", action="store_true", help="print JSON, for machines")


def add_trace(verbs: Any) -> None:
    """Add the verb trace and its options."""
    verb = add_verb(
        verbs, "trace", "write every intermediate of a call to a folder",
        f'"{EXAMPLE}" --grad --out reference',
        description="Run a model on texts, or on arrays, and write every array on the "
        "way: trace.safetensors,\nand manifest.json, which tells of each its shape, "
        "formula, what it is computed from, and\nhow far float32 strays from float64.",
        closing="then: python -m distilbert_np compare reference MINE",
    )
    verb.set_defaults(run=trace)
    add_texts(verb, "a text, in quotes; of a multiple-choice model, an ending")
    add = verb.add_argument
    add("--file", metavar="FILE", help=TEXT_FILE)
    add(
        "--inputs", metavar="FILE",
        help="in place of texts: the arguments of the call (input_ids, attention_mask, "
        "labels, …) as .json, .safetensors or .npz; or a trace, whose model it then is",
    )
    add("--out", required=True, metavar="FOLDER", help="where the trace is written to")
    add("--model", help=f"{MODELS} (default: tiny, or the trace's)")
    add_head(verb, "the head to run")
    add(
        "--grad", action="store_true",
        help="also the loss, and its gradient by every parameter and hidden state; "
        "labels are made up if there are none",
    )
    add("--teacher", metavar="MODEL", help="the loss is that of distillation from this")
    add(
        "--fault", metavar="NAME",
        help="compute it with a fault that ports have had; zoo lists them",
    )
    add_dtype(verb, "float64", ", the truth that float32 is measured by")
    add(
        "--only", action="append", metavar="PATTERN",
        help="write these arrays alone, beside the inputs: '*.output_layer_norm'",
    )
    add("--npy", action="store_true", help="write a file NAME.npy for each array")
    add("--json", action="store_true", help="print JSON, for machines")


def add_compare(verbs: Any) -> None:
    """Add the verb compare and its options."""
    verb = add_verb(
        verbs, "compare", "tell where a port's arrays first go wrong, and why",
        "reference mine.safetensors --map names.json",
        description="Compare what a port computed with a trace. Each step is run again "
        "in float64 from the\nport's own inputs, so that errors which were inherited "
        "are told from those which were added;\nand what was added is a bug if it is "
        "more than rounding. Exit status: 0 no bug, 1 a bug, 2\nthe files cannot be "
        "compared.",
        closing="names.json: {\"their name, layer {i}\": \"our name, layer {i}\"}",
    )
    verb.set_defaults(run=compare)
    add = verb.add_argument
    add("reference", metavar="REF", help="a folder that trace wrote")
    add(
        "mine", metavar="MINE",
        help="the port's arrays: .safetensors, .npz, or a folder with a file NAME.npy "
        "for each; some of them will do, in any layout",
    )
    add("--map", metavar="FILE", help="a JSON object of MINE's names and REF's")
    add("--model", help="where the reference's model is now, if it was moved")
    add(
        "--tolerance", type=number_above_0, default=16.0, metavar="N",
        help="how many times the error of rounding counts as rounding (default: 16)",
    )
    add("--plot", metavar="FILE", help="draw the errors: a figure, .png or .svg")
    add("--json", action="store_true", help="print JSON, for machines")


def add_zoo(verbs: Any) -> None:
    """Add the verb zoo and its options."""
    verb = add_verb(
        verbs, "zoo", "list the faults that ports have had, or tell about some",
        "gelu-tanh",
        closing="trace --fault NAME computes with one.",
    )
    verb.set_defaults(run=show_zoo)
    verb.add_argument(
        "names", nargs="*", metavar="NAME",
        help="a fault: its story, who had it, the lines that it changes",
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
    add_model(train_verb)
    add_run(train_verb, lr=5e-5, warmup=0.1, weight_decay=0.01, max_grad_norm=1.0)


def add_distill(verbs: Any) -> None:
    """Add the verb distill and its options."""
    verb = add_verb(
        verbs, "distill", "train a small model to say what a large one says",
        "--teacher tiny-teacher --data texts.txt --out student",
        description="Train a small masked-language model, the student, to say what a "
        "large one, its teacher,\nsays, as DistilBERT learned from BERT. The student "
        "starts as some of the teacher's layers.\nStopped or killed, it goes on from "
        "its last checkpoint when you give the command again.\n\n"
        "With --world tiny, a teacher is trained first, on the text of the tiny world, "
        "and all\nnumbers are settled; beside --out and --json there are --seeds and "
        "--ablation. It takes\nhalf an hour on two cores, with the ablation an hour "
        "for each seed.",
        closing="or: python -m distilbert_np distill --world tiny --out runs",
    )
    verb.set_defaults(run=distill, default_of=verb.get_default)
    add = verb.add_argument
    add("--world", choices=("tiny",), help="train a teacher first, and its student")
    add(
        "--seeds", type=int, nargs="+", default=[0], metavar="N",
        help="with --world: do all of it for each of these (default: 0)",
    )
    add(
        "--ablation", action="store_true",
        help="with --world: also train students without a part of the recipe",
    )
    add("--teacher", metavar="MODEL", help=f"{MODELS} such as bert-base-uncased")
    add("--data", metavar="FILE", help=TEXT_FILE)
    add("--layers", type=int, metavar="N", help="layers of the student (default: half)")
    for name, default, text in (
        ("--kl", 5.0, "weight of the Kullback-Leibler divergence from the teacher"),
        ("--mlm", 2.0, "weight of the loss of the masked words themselves"),
        ("--cos", 1.0, "weight of the cosine loss of the last hidden states"),
        ("--temperature", 2.0, "temperature that softens both distributions"),
    ):
        add_number(verb, name, float, default, text)
    add_dtype(verb)
    add_run(verb, lr=5e-4, warmup=0.05, weight_decay=0.0, max_grad_norm=5.0)


def add_run(verb: argparse.ArgumentParser, **defaults: float) -> None:
    """Add what all training has: a folder, what is held out, the recipe's numbers."""
    add = verb.add_argument
    add("--out", required=True, metavar="FOLDER", help="where the model is written to")
    add(
        "--held-out", type=share_or_file, default=0.2, metavar="SHARE|FILE",
        help="the share of the rows to measure on, or a file of others (default: 0.2)",
    )
    for name, kind, default, text in (
        ("--epochs", int, 3, "times that every row is seen"),
        ("--batch-size", int, 16, "rows in a batch"),
        ("--accumulate", int, 1, "batches that make one step together"),
        ("--lr", float, defaults["lr"], "learning rate at its peak"),
        ("--warmup", float, defaults["warmup"],
         "share of the steps in which it rises to that"),
        ("--weight-decay", float, defaults["weight_decay"],
         "pull of the weights towards 0"),
        ("--max-grad-norm", float, defaults["max_grad_norm"],
         "norm that the gradient is clipped to"),
        ("--seed", int, 0, "of order, masks, dropout and what is held out"),
        ("--max-length", int, None, "tokens that texts are cut to (default, and most: "
         "as many as the model has positions)"),
        ("--save-every", int, None, "steps between checkpoints, beside each epoch's"),
    ):
        add_number(verb, name, kind, default, text)
    add("--json", action="store_true", help="print JSON, for machines")


def add_number(
    verb: argparse.ArgumentParser, name: str, kind: type, default: Any, text: str
) -> None:
    """Add an option that takes a number."""
    shown = "" if default is None else f" (default: {default})"
    verb.add_argument(name, type=kind, default=default, metavar="N", help=text + shown)


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
        help=f"{MODELS} (default: base size, weights at random: speed does not depend "
        "on them)",
    )
    add("--shapes", metavar="BxL,…", help="batches and lengths, such as 1x8,8x128")
    add("--runs", type=int, metavar="N", help="runs of each (default: what a few "
        "seconds for each row allow, at least 5; texts: 3)")
    add("--threads", type=int, metavar="N", help="threads of each (default: as many as "
        "there are cores)")
    add("--plot", metavar="FILE", help="with growth: a figure, .png or .svg")
    add("--json", action="store_true", help="print JSON, for machines")


def add_parity(verbs: Any) -> None:
    """Add the verb parity and its options."""
    verb = add_verb(
        verbs, "parity", "compare a model here with the same model in transformers",
        "distilbert-base-uncased",
        description="Run a DistilBERT or a BERT through transformers and through this, "
        "forward and backward, in\nfloat32 and float64, and say how far apart they "
        "are: hidden states, attentions, logits,\nloss, gradients. Needs torch and "
        "transformers; with --onnx alone, onnxruntime.",
        closing="Exit status: 0 all agrees, 1 a mismatch, 2 a file cannot be used.",
    )
    verb.set_defaults(run=parity)
    add = verb.add_argument
    add("model", metavar="MODEL", help=MODELS)
    add_head(verb, "the head to compare")
    add("--onnx", metavar="FILE.onnx", help="a file whose outputs to check as well")
    add(
        "--text", nargs="+", default=[], metavar="TEXT",
        help="texts to read (default: a ragged batch of any words, from a seed)",
    )
    add("--json", action="store_true", help="print JSON, for machines")


def add_model(verb: argparse.ArgumentParser) -> None:
    """Add the options that choose a model."""
    verb.add_argument("--model", default="tiny", help=f"{MODELS} (default: tiny)")
    add_dtype(verb)


def add_head(verb: argparse.ArgumentParser, what: str) -> None:
    """Add the option that chooses a head."""
    verb.add_argument(
        "--head", choices=HEADS, metavar="HEAD",
        type=lambda name: name.replace("-", "_"),
        help=f"{what}: {', '.join(HEADS)} (default: the model's own)",
    )


def add_dtype(
    verb: argparse.ArgumentParser, default: str = "float32", why: str = ""
) -> None:
    """Add the option that chooses the precision."""
    verb.add_argument(
        "--dtype", choices=("float32", "float64"), default=default,
        help=f"precision (default: {default}{why})",
    )


def share_or_file(text: str) -> float | str:
    """Return a number if the text is one, else the text: the name of a file."""
    try:
        return float(text)
    except ValueError:
        return text


def inspect(arguments: argparse.Namespace) -> None:
    """Answer an inspect command; raise CheckpointError where the weights do not fit."""
    told = inspection.inspect(arguments.model, arguments.head)
    full = arguments.full
    print(json.dumps(told) if arguments.json else inspection.as_text(told, full))
    held = told["weights"]
    if held and held["complaints"]:
        raise CheckpointError(f"{held['source']}: {'; '.join(held['complaints'][:4])}")


def trace(arguments: argparse.Namespace) -> None:
    """Answer a trace command: run a model, and write every array on the way."""
    from .commands import trace as command  # here, since it takes its time

    command.trace(arguments)


def compare(arguments: argparse.Namespace) -> int:
    """Answer a compare command; the status is 1 if the port goes wrong."""
    from .commands import compare as command  # here, since it takes its time

    return command.compare(arguments)


def show_zoo(arguments: argparse.Namespace) -> None:
    """Answer a zoo command: print the table, or the stories of faults."""
    from .parity import zoo  # here, since it takes its time

    stories = [zoo.story(zoo.fault_named(name)) for name in arguments.names]
    print("\n\n\n".join(stories) or zoo.table())


def train(arguments: argparse.Namespace) -> None:
    """Answer a train command: fine-tune, and report what came of it."""
    from .training import Recipe, fine_tune  # here, since it takes its time

    report = fine_tune(
        arguments.task, arguments.data, arguments.out, arguments.model,
        Recipe(**chosen(arguments, RECIPE)), **run_options(arguments),
    )
    show_report(report, arguments.json)


def distill(arguments: argparse.Namespace) -> None:
    """Answer a distill command: train a student, and report what came of it."""
    from .training import distill as distillation  # here, since it takes its time

    if arguments.world:
        study(arguments)
        return
    refuse_given(arguments, ("seeds", "ablation"), "expected with --world tiny alone")
    for name, what in (("teacher", "a model"), ("data", "a file of texts")):
        if getattr(arguments, name) is None:
            raise InputError(f"--{name}: expected {what}, found none (--help explains)")
    report = distillation.distill(
        arguments.teacher, arguments.data, arguments.out,
        replace(distillation.RECIPE, **chosen(arguments, RECIPE)),
        n_layers=arguments.layers, **chosen(arguments, WEIGHTS),
        **run_options(arguments),
    )
    show_report(report, arguments.json)


def study(arguments: argparse.Namespace) -> None:
    """Train teachers and students of the tiny world, and print what came of them."""
    from .training import study as tiny_study

    own = ("teacher", "data", "layers", "dtype", *RUN, *RECIPE, *WEIGHTS)
    refuse_given(arguments, own, "--world tiny settles it; leave it out")
    variants = [*tiny_study.VARIANTS] if arguments.ablation else ["distilled"]
    told = tiny_study.study(
        arguments.out, arguments.seeds, variants, **progress_options(arguments)
    )
    if arguments.json:
        print(json.dumps(told))


def refuse_given(
    arguments: argparse.Namespace, names: Sequence[str], why: str
) -> None:
    """Raise InputError if one of these options is not as it is by default."""
    for name in names:
        if getattr(arguments, name) != arguments.default_of(name):
            raise InputError(f"--{name.replace('_', '-')}: {why}")


def chosen(arguments: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """Return the arguments of these names."""
    return {name: getattr(arguments, name) for name in names}


def run_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what every run of training is told, beside its recipe."""
    return chosen(arguments, ("dtype", *RUN)) | progress_options(arguments)


def progress_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return how a run tells of its progress: a bar on a terminal; lines, or JSON."""
    told = {} if arguments.json else {"say": partial(print, flush=True)}
    return {"progress": sys.stderr.isatty()} | told


def show_report(report: dict[str, Any], as_json: bool) -> None:
    """Print what came of a run: which model is where, or all of it as JSON."""
    if as_json:
        print(json.dumps(report))
        return
    which = f"epoch {report['best']['epoch']}" if report["best"] else "the last epoch"
    print(f"\nThe model of {which} is in {report['folder']}")


def parity(arguments: argparse.Namespace) -> int:
    """Answer a parity command: print the table; return 0 if all agrees, else 1."""
    from .parity import live  # here, since it takes its time

    told = live.side_by_side(
        arguments.model, arguments.head, arguments.onnx, arguments.text
    )
    print(json.dumps(told) if arguments.json else live.as_text(told))
    return 0 if told["agrees"] else 1


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


def show_warning(message: Any, *_: Any) -> None:
    """Show a warning as a person would say it."""
    print(f"warning: {message}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:           # it is closed
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - to the end
    if hasattr(sys.stdout, "reconfigure"):       # ? for what a terminal cannot show
        sys.stdout.reconfigure(errors="replace")
    if hasattr(sys.stdin, "reconfigure"):        # what cannot be decoded is refused
        sys.stdin.reconfigure(errors="strict")
    parsed = make_parser().parse_args(arguments)
    parsed.command = sys.argv[1:] if arguments is None else arguments
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:    # it was loading till now
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = show_warning
            status = parsed.run(parsed)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        return 130
    except (DistilBertError, OSError) as error:
        print(f"{parsed.verb}: {error}", file=sys.stderr)
        return 2
    return status or 0


if __name__ == "__main__":
    sys.exit(main())
