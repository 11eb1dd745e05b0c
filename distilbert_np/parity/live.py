"""parity: any DistilBERT or BERT through transformers and through ours, side by side.

The truth is what PyTorch computes in float64. Ours must agree with it in float64, where
a wrong formula has nowhere to hide. In float32 both are held against it: where PyTorch
itself is as far off, it is rounding.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import wrap
from typing import NamedTuple

from .. import bert, hub, inspection, weights
from ..config import DistilBertConfig
from ..errors import InputError
from ..functions import Array
from ..inspection import MOST_LETTERS, aligned
from ..trees import Tree
from .batch import Batch, as_choices, sample_inputs, text_inputs
from .bounds import FLOAT64_BOUND, GRADIENT_BOUND
from .differences import (
    AMPLIFIED,
    Sides,
    as_data,
    counterparts,
    gradient_rows,
    grouped,
    onnx_row,
    value_rows,
    with_outputs,
)
from .steps import GRADIENTS
from .theirs import (
    TORCH,
    Computed,
    need,
    not_installed,
    run_onnx,
    run_torch,
    versions,
)
from .tracing import default_labels, gradients_by_name, load_model

ONNX = ("onnxruntime",)
DTYPES = ("float64", "float32")


@dataclass(frozen=True)
class Subject:
    """What is compared: a checkpoint that both sides open, by its class on each."""

    folder: Path
    head: str
    config: DistilBertConfig
    is_bert: bool
    drawn: list[str]                             # parameters that it lacked
    left_out: list[str]                          # the class named by its config.json

    @property
    def our_class(self) -> str:
        """The name of our class."""
        return inspection.CLASSES[self.head]

    @property
    def their_class(self) -> str:
        """The name of transformers' class: the same, or that of BERT."""
        return self.our_class.removeprefix("Distil") if self.is_bert else self.our_class


class Call(NamedTuple):
    """What both sides are called with: ids, mask and labels; the tokens seen (B, L).

    Backward starts from the loss; or from `start`, a gradient of the last hidden state,
    which leaves out those that nobody sees.
    """

    batch: Batch
    seen: Array
    start: Array | None


def side_by_side(
    name: str, head: str | None = None, onnx: str | None = None,
    texts: Sequence[str] = (),
) -> Tree:
    """Return how far both sides are apart, row by row, as plain data.

    `name` is what from_pretrained takes; the head is the model's own unless another is
    asked for; `onnx` names a file to check as well; `texts` are read instead of a batch
    from a seed. Raises DistilBertError where a library is missing or a file cannot be
    used.
    """
    need(ONNX if onnx else TORCH)
    with TemporaryDirectory() as scratch:
        subject = open_subject(name, head, Path(scratch))
        call = make_call(name, texts, subject)
        outputs = run_onnx(Path(onnx), call.batch) if onnx else {}
        ours = {dtype: run_ours(subject, dtype, call) for dtype in DTYPES}
        theirs = {} if not_installed(TORCH) else {
            dtype: run_theirs(subject, dtype, call) for dtype in DTYPES
        }
    told = describe(name, subject, call)
    told |= beside_torch(subject, ours, theirs, call.seen)
    if onnx:
        found = beside_onnx(outputs, subject, ours, theirs, call.seen)
        told["versions"] |= versions(ONNX)
        told["onnx"] = {"file": onnx} | found
    return told | {"agrees": all(row["agrees"] for row in all_rows(told))}


def open_subject(name: str, head: str | None, scratch: Path) -> Subject:
    """Return what is compared: a folder, and the head that it holds or that is asked.

    Where the folder lacks parameters, both sides read a copy in `scratch` that has
    them, drawn from a seed.
    """
    folder = hub.find_model(name, hub.CONFIG_FILES, hub.WEIGHT_FILES, head=head)
    config, source = DistilBertConfig.read(folder), weights.find_weights(folder)
    stored = weights.map_weights(source)
    is_bert = bert.is_bert(list(stored))
    named = inspection.named_head(config)
    asked, head = head, head or inspection.held_head(stored, named)
    weights.match(source, stored, config, head)  # config learns what is tied
    needed = weights.parameter_shapes(config, head)
    lacking = [parameter for parameter in needed if parameter not in stored]
    if lacking:
        model = load_model(folder, head, "float64")
        folder, is_bert = scratch / "whole", False
        model.save_pretrained(folder)
    left_out = [] if asked or named in (None, head) else config.architectures
    return Subject(folder, head, config, is_bert, lacking, left_out)


def make_call(name: str, texts: Sequence[str], subject: Subject) -> Call:
    """Return what both sides are called with: texts, or a batch that sees faults."""
    config = subject.config
    inputs = text_inputs(name, texts, config) if texts else sample_inputs(config)
    batch = as_choices(inputs) if subject.head == "multiple_choice" else inputs
    model = load_model(subject.folder, subject.head, "float64")
    batch = batch | default_labels(model, batch)
    seen = inputs["attention_mask"].astype(bool)
    start = batch.pop("last_hidden_state_gradient", None)
    return Call(batch, seen, None if start is None else start * seen[..., None])


def describe(name: str, subject: Subject, call: Call) -> Tree:
    """Return what is compared, as plain data."""
    return {
        "model": str(name), "head": subject.head, "class": subject.our_class,
        "transformers_class": subject.their_class, "drawn": subject.drawn,
        "left_out": subject.left_out, "inputs_shape": [*call.seen.shape],
        "versions": versions(TORCH),
    }


def run_ours(subject: Subject, dtype: str, call: Call) -> Computed:
    """Return what our model computes of a batch, forward and backward."""
    model = load_model(subject.folder, subject.head, dtype)
    out = model(**call.batch, trace=True)
    cotangents = None if call.start is None else {"last_hidden_state": call.start}
    return Computed(out.trace, gradients_by_name(model, out, cotangents))


def run_theirs(subject: Subject, dtype: str, call: Call) -> Computed:
    """Return what transformers' model computes of a batch, forward and backward."""
    return run_torch(
        subject.their_class, subject.folder, dtype, call.batch, call.start
    )


def beside_torch(subject: Subject, ours: Sides, theirs: Sides, seen: Array) -> Tree:
    """Return the rows of what both sides compute, and which gradients one side lacks.
    """
    if not theirs:
        return {"rows": [], "gradients": [], "not_compared": []}
    gradients = gradient_rows(subject.config, subject.head, ours, theirs)
    rows = [*value_rows(ours, theirs, seen), *grouped(gradients)]
    names = ours["float64"].gradients.keys() ^ theirs["float64"].gradients.keys()
    return {
        "rows": [as_data(row) for row in rows],
        "gradients": [as_data(row) for row in gradients],
        "not_compared": sorted(GRADIENTS + name for name in names),
    }


def beside_onnx(
    outputs: dict[str, Array], subject: Subject, ours: Sides, theirs: Sides,
    seen: Array,
) -> Tree:
    """Return the rows of an .onnx file's outputs, and which have no counterpart.

    The truth is PyTorch's in float64, or ours where PyTorch is not or says nothing.
    Raises InputError if not a single one has.
    """
    truth = ours["float64"].values | (theirs["float64"].values if theirs else {})
    exact, single = (
        with_outputs(values, subject.config, subject.head)
        for values in (truth, ours["float32"].values)
    )
    known = counterparts(outputs, exact)
    if not known:
        raise InputError(
            f"--onnx: expected an output {next(iter(exact))}, or one named as in a "
            f"trace, found {weights.listing(list(outputs))}"
        )
    rows = [
        onnx_row(name, there, outputs[name], exact[there], single[there], seen)
        for name, there in known.items()
    ]
    return {
        "rows": [as_data(row) for row in rows],
        "not_checked": [name for name in outputs if name not in known],
    }


def all_rows(told: Tree) -> list[Tree]:
    """Return the rows of the table, those of the .onnx file last."""
    return [*told["rows"], *told.get("onnx", {}).get("rows", [])]


# --- as text --------------------------------------------------------------------------

WIDTH = 88                                       # columns of a sentence
LEGEND = (
    "float64: how far ours is off PyTorch's, as a share of the largest value; the "
    f"bound is {FLOAT64_BOUND:.0e}, for gradients {GRADIENT_BOUND['float64']:.0e}. "
    "float32: the largest error of ours, and of PyTorch, against PyTorch's float64, at "
    "tokens in sight; of gradients as a share of the largest. Where a model amplifies "
    f"rounding, the bound is {AMPLIFIED} times PyTorch's own error. A row of gradients "
    "is its worst one."
)


def as_text(told: Tree) -> str:
    """Return what `side_by_side` tells as text, of 100 columns at most."""
    sections = [title(told), *tables(told), notes(told), summary(told)]
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def title(told: Tree) -> list[str]:
    """Return what is compared, on which batch, with which versions."""
    name, (B, L) = told["model"], told["inputs_shape"]
    ours, theirs = told["class"], told["transformers_class"]
    classes = ours if ours == theirs else f"{ours}, {theirs} in transformers"
    used = ", ".join(f"{library} {n}" for library, n in told["versions"].items())
    return [
        f"{name if len(name) <= MOST_LETTERS else Path(name).name}: {classes}",
        f"{B} rows of {L} tokens; {used}",
    ]


def tables(told: Tree) -> list[list[str]]:
    """Return the lines of the tables: beside PyTorch, and beside an .onnx file."""
    found = []
    if rows := told["rows"]:
        header = ["", "float64", "float32: ours", "torch", "bound", ""]
        columns = ("float64", "ours", "torch", "bound")
        found += [wrapped(LEGEND), table(rows, header, columns)]
    if rows := told.get("onnx", {}).get("rows"):
        header = [Path(told["onnx"]["file"]).name, "float32: onnx", "ours", "bound", ""]
        found.append(table(rows, header, ("onnx", "ours", "bound")))
    return found


def table(rows: list[Tree], header: list[str], columns: Sequence[str]) -> list[str]:
    """Return rows as aligned lines: names, numbers, and whether a row agrees."""
    return aligned([header] + [
        [
            f"  {label(row)}", *(number(row[column]) for column in columns),
            f"{'ok' if row['agrees'] else 'MISMATCH':<8}",
        ]
        for row in rows
    ])


def label(row: Tree) -> str:
    """Return a row's name; of an output, also its counterpart's, if that is another."""
    name = row["name"]
    counterpart = row.get("counterpart", name)
    return name if name == counterpart else f"{name} = {counterpart}"


def number(value: float | None) -> str:
    """Return an error as text."""
    return "NaN" if value is None else f"{value:.1e}"


def notes(told: Tree) -> list[str]:
    """Return what the tables do not say: what was made up, and what was left out."""
    onnx = told.get("onnx", {})
    said = [
        (told["drawn"], "drawn from a seed for both, since the checkpoint lacks it"),
        (told["left_out"], "not compared, since its head is not as DistilBERT's"),
        (told["not_compared"], "not compared, since one side has none"),
        (onnx.get("not_checked"), "not checked, since nothing here has this name"),
        (not_installed(TORCH), "not installed, so the truth is ours in float64"),
    ]
    lines = [
        line for names, what in said if names
        for line in wrapped(f"{what}: {weights.listing(names)}")
    ]
    if told["head"] == "base" and told["rows"]:
        lines.append("gradients: of a weighted sum of the last hidden states")
    return lines


def summary(told: Tree) -> list[str]:
    """Return in words what agrees, and what is worst, and where."""
    rows = all_rows(told)
    worst = max(rows, key=excess)
    wrong = [row for row in rows if not row["agrees"]]
    if not wrong:
        return wrapped(
            f"{len(rows)} of {len(rows)} rows agree. The worst is {place(worst)}, at "
            f"{excess(worst):.0%} of its bound."
        )
    return wrapped(
        f"MISMATCH in {len(wrong)} of {len(rows)} rows, the first {place(wrong[0])}; "
        f"the worst is {place(worst)}, {excess(worst):.2g} times its bound."
    )


def excess(row: Tree) -> float:
    """Return a row's error as a multiple of its bound."""
    return math.inf if row["excess"] is None else row["excess"]


def place(row: Tree) -> str:
    """Return a row's name; of a group, also that of its worst parameter."""
    parameter = row.get("parameter")
    return f"{row['name']} ({parameter})" if parameter else row["name"]


def wrapped(text: str) -> list[str]:
    """Return a text as lines, its names whole."""
    return wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
