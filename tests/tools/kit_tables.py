"""Write the tables in the README of the parity kit's cases.

A tool for maintainers, run from the root of the repository after a change of the kit:

    python -m tests.tools.kit_tables

What stands between <!-- NAME --> and <!-- end of NAME --> is written anew: the cases,
the computation in order, and which fault which case shows.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from distilbert_np import parity
from distilbert_np.functions import Array
from distilbert_np.models import DistilBertPreTrainedModel as Model
from distilbert_np.parity.causes import MEANING, causes_at, tried
from distilbert_np.parity.compare import TOLERANCE
from distilbert_np.parity.kit import CASES, MODELS, new_model
from distilbert_np.parity.rounding import FLOAT32, Size, difference, floor, size
from distilbert_np.parity.steps import GRADIENTS, TEACHER, Step, run, steps_of
from distilbert_np.parity.traces import model_of, read_trace
from distilbert_np.parity.tracing import letters_of, load_model

FOLDER = Path(parity.__file__).parent / "cases"
README = FOLDER / "README.md"
CLEARLY = 2 * TOLERANCE                          # on any machine: what README claims

# --- which fault a case shows ---------------------------------------------------------


def faults_shown(name: str) -> dict[str, float]:
    """Return, by its name, how many times float32's error each fault is off in a case.
    """
    trace = read_trace(FOLDER / "traces" / name)
    checkpoint, head = model_of(trace), trace.manifest["head"]
    double, single = (load_model(checkpoint, head, d) for d in ("float64", "float32"))
    given = [n for n in trace.arrays if n.startswith("inputs.")]
    values = {n: trace.arrays[n] for n in given}
    has_gradients = any(n.startswith(GRADIENTS) for n in trace.arrays)
    found: dict[str, float] = {}
    for step in steps_of(double, given, has_gradients):
        right, rounded = (run(step, model, values) for model in (double, single))
        for fault, wrong in faulty(step, double, values):
            for name, array in right.items():
                allowed = floor(rounded[name], array, FLOAT32)
                times = off_by(wrong[name], array).over(allowed)
                found[fault] = max(found.get(fault, 0.0), times)
        values |= right
    return found


def off_by(array: Array, right: Array) -> Size:
    """Return how large an error is; of another shape, it is infinite."""
    if array.shape[1:] != right.shape[1:]:
        return Size(np.inf, np.inf)
    return size(difference(array, np.broadcast_to(right, array.shape)))


def faulty(
    step: Step, model: Model, values: dict[str, Array]
) -> Iterator[tuple[str, dict[str, Array]]]:
    """Yield what a step gives with each fault that it may have."""
    for fault, _, operation in causes_at(step):
        if (found := tried(step, operation, model, values)) is not None:
            yield fault, found


# --- the tables -----------------------------------------------------------------------


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("  |", " |") for line in lines)


def code(names: list[str]) -> str:
    """Return names in code type."""
    return ", ".join(f"`{name}`" for name in names)


def cases_table() -> str:
    """Return the table of cases."""
    rows = [
        [f"`{case.name}`", f"`{case.model}`", case.about, code(case.faults)]
        for case in CASES
    ]
    return table(["case", "model", "what it is", "there to show"], rows)


def faults_table() -> str:
    """Return what each fault is, and which cases show it."""
    shown = {case.name: faults_shown(case.name) for case in CASES}
    faults = dict.fromkeys(fault for found in shown.values() for fault in found)
    rows = [
        [f"`{fault}`", MEANING[fault], where([
            name for name, found in shown.items() if found.get(fault, 0) >= CLEARLY
        ])]
        for fault in faults
    ]
    return table(["fault", "what the port does", "cases that show it"], rows)


def where(show: list[str]) -> str:
    """Return the names of cases; of the others, if these are fewer."""
    others = [case.name for case in CASES if case.name not in show]
    if len(others) >= len(show):
        return code(show)
    return f"all but {code(others)}" if others else "all"


def steps_table() -> str:
    """Return the computation in order: the encoder, then each head and its loss."""
    parts = []
    for folder in MODELS:
        if folder not in ("multi_label", "regression", "teacher"):
            parts += rows_of(folder)
    return table(["array", "shape", "formula", "parameters"], parts)


def rows_of(folder: str) -> list[list[str]]:
    """Return the rows of a model's steps: all of the encoder's, or those of a head."""
    model = new_model(folder, "tiny")
    letters, rows = letters_of(model), {}
    for step in steps_to_losses(model):
        name, params = (LAYER.sub("{i}", text) for text in (step.name, step.params))
        if folder == "base" or not name.startswith(("embeddings.", "transformer.")):
            formula = step.formula.replace("ACTIVATION", model.config.activation)
            rows[name, formula] = [
                f"`{name}`", letters[step.name].replace("|", r"\|") or "`[]`", formula,
                f"`{params}`" if params else "",
            ]
    title = [] if folder == "base" else [[f"**{folder}**", "", "", ""]]
    return [*title, *rows.values()]


def steps_to_losses(model: Model) -> list[Step]:
    """Return the steps to a model's loss, then, of a masked LM, to distillation's."""
    labels = [f"inputs.{name}" for name in LABELS]
    to_distillation = [TEACHER + "logits"] if model.head == "masked_lm" else []
    return steps_of(model, labels) + steps_of(model, to_distillation)


LAYER = re.compile(r"(?<=layer\.)\d+")
LABELS = ("labels", "start_positions", "end_positions")
TABLES = {"cases": cases_table, "steps": steps_table, "faults": faults_table}


def filled(text: str, name: str) -> str:
    """Return README's text with one table written anew."""
    return with_table(text, name, TABLES[name]())


def with_table(text: str, name: str, table: str) -> str:
    """Return a text with another table between the marks of its name."""
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(end)
    return f"{before}{start}\n{table}\n{end}{after}"


def main() -> None:
    """Write all tables."""
    text = README.read_text(encoding="utf-8")
    for name in TABLES:
        text = filled(text, name)
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
