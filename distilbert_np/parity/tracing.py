"""Trace a model: every array of one call, with what a porter needs to know of each."""

import hashlib
import os
import platform
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import hub, weights
from ..config import DistilBertConfig
from ..errors import InputError
from ..functions import Array
from ..inputs import check_numbers, check_shape, problem_type
from ..losses import IGNORED
from ..models import CLASSES
from ..models import DistilBertPreTrainedModel as Model
from ..outputs import ModelOutput
from ..trace import trace_table
from ..training import Distillation
from ..trees import Tree, flatten
from ..weights import parameter_table
from .rounding import difference, size
from .steps import GRADIENTS, START, TEACHER, Step, run, steps_of

FORMAT = "distilbert_np trace, version 1"
START_NAME = START.removeprefix("inputs.")
MORE_LETTERS = {                                 # beyond trace_table's
    "sentence.mean": "B D", "loss": "", "distillation.kl": "", "distillation.mlm": "",
    "distillation.cos": "", "inputs.n_choices": "", "inputs.head_mask": "N H",
    "inputs.inputs_embeds": "B L D", START: "B L D", TEACHER + "logits": "B L V",
    TEACHER + "last_hidden_state": "B L D", "inputs.start_positions": "B",
    "inputs.end_positions": "B",
}


def load_model(name: str | os.PathLike, head: str, dtype: str) -> Model:
    """Return a model; a head that the checkpoint lacks is drawn from seed 0."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?s).*newly initialised", UserWarning)
        return CLASSES[head].from_pretrained(name, dtype=dtype)


# --- the arrays -----------------------------------------------------------------------


def traced(
    model: Model, arguments: Mapping[str, Any], gradients: bool = False,
    teacher: Model | None = None,
) -> dict[str, Array]:
    """Return every array of a call by its name, in computing order.

    `arguments` are those of the call. With `gradients`, also those of the loss, by
    every parameter and hidden state; for the encoder alone, which has no loss, the
    gradients begin with `last_hidden_state_gradient` among the arguments. A `teacher`
    adds the losses of distillation, whose sum is then the loss.
    """
    arguments = dict(arguments)
    check_labels(model, arguments)
    start = arguments.pop(START_NAME, None)
    out = model(**arguments, output_hidden_states=True, trace=True)
    values = dict(out.trace)
    if model.head == "multiple_choice":
        values["inputs.n_choices"] = np.array(out.logits.shape[1])
    if start is not None:
        start = check_shape(START_NAME, start, out.last_hidden_state.shape)
        values[START] = check_numbers(START_NAME, start, model.dtype)
    douts = {"last_hidden_state": values.get(START)} if model.head == "base" else None
    if teacher is not None:
        taught, douts = taught_by(teacher, model, out, arguments)
        values |= {TEACHER + name: array for name, array in taught.items()}
        del values["loss"]
    if gradients:
        check_start(model, values)
        grads = gradients_by_name(model, out, douts)
        values |= {GRADIENTS + name: array for name, array in grads.items()}
    return in_order(model, values, gradients)


def gradients_by_name(
    model: Model, out: ModelOutput, douts: Tree | None = None
) -> dict[str, Array]:
    """Return the gradient of each parameter, by its name without `distilbert.`.

    It is that of the loss, or goes back from `douts`, the gradients of other outputs.
    """
    grads = flatten(model.backward(out, douts))
    return {name.removeprefix("distilbert."): array for name, array in grads.items()}


def taught_by(
    teacher: Model, student: Model, out: ModelOutput, arguments: Tree
) -> tuple[Tree, Tree]:
    """Return what a teacher says, and the gradients of what the student said."""
    batch = {name: np.asarray(array) for name, array in arguments.items()}
    inputs = {name: array for name, array in batch.items() if name != "labels"}
    if "labels" not in batch:
        raise InputError("labels: distillation needs them, found none")
    objective = Distillation(teacher)
    objective.check_student(student)
    soft = teacher(**inputs, output_hidden_states=True)
    taught = {"logits": soft.logits, "last_hidden_state": soft.hidden_states[-1]}
    return taught, objective.parts_backward(1.0, out, soft, batch)


def labels_of(head: str) -> tuple[str, ...]:
    """Return the names of what a call of a head needs for a loss, or a gradient."""
    if head == "base":
        return (START_NAME,)
    if head == "question_answering":
        return ("start_positions", "end_positions")
    return ("labels",)


def check_labels(model: Model, arguments: Mapping[str, Any]) -> None:
    """Raise InputError where labels are those of another head."""
    own = labels_of(model.head)
    for name in (START_NAME, "labels", "start_positions", "end_positions"):
        if name in arguments and name not in own:
            raise InputError(
                f"{name}: found some, of which the head {model.head} takes none; its "
                f"own are {' and '.join(own)}"
            )


def check_start(model: Model, values: Mapping[str, Array]) -> None:
    """Raise InputError where there is nothing to differentiate."""
    for name in labels_of(model.head):
        if f"inputs.{name}" not in values:
            raise InputError(f"{name}: gradients begin with this, found none")


def in_order(
    model: Model, values: dict[str, Array], gradients: bool
) -> dict[str, Array]:
    """Return the inputs, then what each step gives; what is not there yet is computed.
    """
    ordered = {n: array for n, array in values.items() if n.startswith("inputs.")}
    for step in steps_of(model, list(ordered), gradients):
        given = {name: values[name] for name in step.gives if name in values}
        if len(given) < len(step.gives):
            given = run(step, model, ordered) | given
        ordered |= {name: given[name] for name in step.gives}
    return ordered


def default_labels(model: Model, arguments: Mapping[str, Any]) -> dict[str, Array]:
    """Return labels for a call that has none, so that there is a loss.

    masked LM: each token itself · tokens: (id + place) mod C, both −100 where hidden ·
    classes: the text's number mod C · truths: the remainder of number + class by 2 ·
    numbers: half the text's number · answers: from place 1 to the last · choices: 0.
    For the encoder alone, the last hidden state's gradient, drawn from seed 0. Where
    vectors are given in the place of ids, these count as 0.
    """
    out = model(**arguments, trace=True)
    mask = out.trace["inputs.attention_mask"]
    ids = out.trace.get("inputs.input_ids", np.zeros_like(mask, int))
    B, L = ids.shape
    if model.head == "base":
        rng = np.random.default_rng(0)
        return {START_NAME: rng.standard_normal(out.last_hidden_state.shape)}
    if model.head == "question_answering":
        ends = {"start_positions": min(1, L - 1), "end_positions": L - 1}
        return {name: np.full(B, place) for name, place in ends.items()}
    if model.head == "sequence":
        return {"labels": labels_of_texts(B, model.config)}
    if model.head == "multiple_choice":
        return {"labels": np.zeros(len(out.logits), int)}
    tags = (ids + np.arange(L)) % model.config.num_labels
    own = ids if model.head == "masked_lm" else tags
    return {"labels": np.where(mask.astype(bool), own, IGNORED)}


def labels_of_texts(n: int, config: DistilBertConfig) -> Array:
    """Return labels for so many texts, (B,) or (B, C), by the problem's type."""
    texts, C = np.arange(n), config.num_labels
    return {
        "single_label_classification": texts % C,
        "multi_label_classification": np.add.outer(texts, np.arange(C)) % 2 / 1.0,
        "regression": np.tile(texts[:, None] / 2, C),
    }[problem_type(texts, config)]


# --- the manifest ---------------------------------------------------------------------


def letters_of(model: Model) -> dict[str, str]:
    """Return the shape, in letters, of each array that a trace may hold, by name."""
    table = trace_table(model.config, model.head)
    labels = {
        "masked_lm": "B L", "token": "B L", "sequence": "B", "multiple_choice": "B/C",
    }
    if model.config.problem_type not in (None, "single_label_classification"):
        labels["sequence"] = "B C"
    table |= MORE_LETTERS
    table["inputs.labels"] = labels.get(model.head, "")
    for i in range(model.config.n_layers):
        table[f"transformer.layer.{i}.attention.head_masked_weights"] = "B H L L"
    parameters = parameter_table(model.config, model.head)
    if model.head == "masked_lm":
        parameters |= {weights.DECODER: "V D"}
    return table | {
        GRADIENTS + name: letters for name, letters in (table | parameters).items()
    }


def describe(
    model: Model, values: Mapping[str, Array], singles: Mapping[str, Array],
    source: str, dtype: str,
) -> Tree:
    """Return the manifest of a trace.

    `values` are in float64, `singles` the same in float32: how far these are apart at
    most is each array's floor.
    """
    given = [name for name in values if name.startswith("inputs.")]
    gradients = any(name.startswith(GRADIENTS) for name in values)
    step_of = {
        name: step for step in steps_of(model, given, gradients) for name in step.gives
    }
    letters = letters_of(model)
    folder = Path(model.load_report.source).parent
    return {
        "format": FORMAT,
        "model": source,
        "head": model.head,
        "weights_sha256": digest(folder),
        "dtype": dtype,
        "order": "row-major: the last axis is the one whose numbers are neighbours",
        "letters": sizes(model, values),
        "settings": settings(model),
        "versions": versions(),
        "tensors": {
            name: about(model, step_of.get(name), letters.get(name, ""), array,
                        singles[name])
            for name, array in values.items()
        },
    }


def about(
    model: Model, step: Step | None, letters: str, array: Array, single: Array
) -> Tree:
    """Return what the manifest tells of an array."""
    told: Tree = {"shape": list(array.shape), "letters": letters}
    if step is not None:                         # not an input
        told |= {
            "formula": step.formula.replace("ACTIVATION", model.config.activation),
            "reads": list(step.reads),
            "params": step.params,
        }
    if array.dtype.kind == "f":
        told["floor"] = float(f"{size(difference(single, array)).most:.3g}")
    return told


def sizes(model: Model, values: Mapping[str, Array]) -> dict[str, int]:
    """Return the number that each letter of the shapes stands for."""
    B, L = values["inputs.attention_mask"].shape
    letters = {"B": B, "L": L} | model.config.dimensions()
    if "inputs.n_choices" in values:
        letters["C"] = int(values["inputs.n_choices"])
    return letters


def settings(model: Model) -> Tree:
    """Return what a port has to know of the configuration beside the sizes."""
    config = model.config
    return {
        "activation": config.activation,
        "layer_norm_eps": 1e-12,
        "tie_word_embeddings": config.tie_word_embeddings,
        "pad_token_id": config.pad_token_id,
        "problem_type": config.problem_type,
    }


def versions() -> dict[str, str]:
    """Return the versions that a trace was made with."""
    from .. import __version__  # here, since it imports this package whole

    return {
        "distilbert_np": __version__, "numpy": np.__version__,
        "python": platform.python_version(),
    }


def digest(folder: Path) -> str:
    """Return the SHA-256 of a checkpoint's weights: of the file, or of all shards."""
    source = weights.find_weights(folder)
    files = [source] if source.suffix != ".json" else sorted(
        folder.glob(hub.WEIGHT_FILES[-1])
    )
    sha = hashlib.sha256()
    for path in files:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                sha.update(block)
    return sha.hexdigest()
