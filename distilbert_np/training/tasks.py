"""Five tasks: a file of texts with their labels → a model trained on them.

A file is CSV (the first line names the columns) or JSON lines (an object on each line).
Each task reads columns of its own:

    masked-lm  text
    classify   text, label; and text_pair, where there is a second text
    tag        tokens, tags: a tag for each token; in CSV, spaces part them
    answer     question, context, answer: as it stands in the context, or empty if it
               does not; and start, where it begins (from 0), else the first such place
    choose     text, choices, label: the number of the right choice, from 0; in CSV,
               a | parts the choices
"""

import csv
import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np

from .. import models
from ..config import DistilBertConfig
from ..errors import InputError
from ..losses import IGNORED
from ..tokenizer import DistilBertTokenizer
from .batches import Example
from .loop import Recipe, fit


class Row(NamedTuple):
    """A row of a file, and where it stands, for whoever has to mend it."""

    place: str
    cells: dict[str, Any]

    def text(self, column: str) -> str:
        """Return a cell that must hold a text, or a number written out."""
        value = self.cells.get(column)
        if type(value) is int:
            value = str(value)
        if not isinstance(value, str):
            raise self.error(column, "a text", value)
        return value

    def texts(self, column: str, separator: str | None) -> list[str]:
        """Return a cell that must hold a list of texts, or one text that is to be cut.
        """
        value = self.cells.get(column)
        if isinstance(value, str):
            value = value.split(separator)
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self.error(column, "a list of texts", value)
        return value

    def number(self, column: str) -> int:
        """Return a cell that must hold a whole number from 0."""
        value = self.text(column)
        if not value.isdecimal():
            raise self.error(column, "a whole number from 0", value)
        return int(value)

    def error(self, column: str, expected: str, found: Any) -> InputError:
        """Return the error that names the cell."""
        message = f"{column}: expected {expected}, found {found!r:.40}"
        return InputError(f"{self.place}: {message}")


# --- rows to examples -----------------------------------------------------------------
# Each takes a row, `encode`, the tokenizer that cuts to the longest length, and the
# number of each label.

Encode = Callable[..., Any]
Numbers = dict[str, int]


def masked_lm_example(row: Row, encode: Encode, numbers: Numbers) -> Example:
    """Return the ids of a text; they are masked when a batch is made."""
    return {"input_ids": encode(row.text("text"))["input_ids"]}


def classify_example(row: Row, encode: Encode, numbers: Numbers) -> Example:
    """Return the ids of a text, or of a pair, and its class."""
    texts = [row.text("text")]
    if row.cells.get("text_pair"):
        texts.append(row.text("text_pair"))
    ids = encode(*texts)["input_ids"]
    return {"input_ids": ids, "labels": numbers[row.text("label")]}


def tag_example(row: Row, encode: Encode, numbers: Numbers) -> Example:
    """Return the ids of a text, and the tag of each word at the first of its pieces."""
    words, tags = row.texts("tokens", None), row.texts("tags", None)
    if len(words) != len(tags):
        raise row.error("tags", f"{len(words)} of them, one for each token", tags)
    encoded = encode(words, is_split_into_words=True)
    word_ids = encoded.word_ids()
    labels = [
        IGNORED if word is None or word == before else numbers[tags[word]]
        for before, word in zip([None, *word_ids], word_ids, strict=False)
    ]
    return {"input_ids": encoded["input_ids"], "labels": labels}


def answer_example(row: Row, encode: Encode, numbers: Numbers) -> Example | None:
    """Return the ids of question and context, and the answer's first and last token.

    Without an answer both are 0, [CLS]; where it was cut off there is no example.
    """
    context, answer = row.text("context"), row.text("answer").strip()
    given = row.cells.get("start") not in (None, "")
    start = row.number("start") if given else max(context.find(answer), 0)
    end = start + len(answer)
    if context[start:end] != answer:
        raise row.error("answer", f"words that the context has at {start}", answer)
    encoded = encode(
        row.text("question"), context, truncation="only_second",
        return_offsets_mapping=True,
    )
    offsets, texts = encoded["offset_mapping"], encoded.sequence_ids()
    tokens = [
        i for i, (first, beyond) in enumerate(offsets)
        if texts[i] == 1 and first < end and beyond > start
    ]
    if answer and (not tokens or offsets[tokens[-1]][1] < end):
        return None
    first, last = (tokens[0], tokens[-1]) if answer else (0, 0)
    return {
        "input_ids": encoded["input_ids"],
        "start_positions": first,
        "end_positions": last,
    }


def choose_example(row: Row, encode: Encode, numbers: Numbers) -> Example:
    """Return the ids of the text with each of the choices, and the right one's number.
    """
    choices, label = row.texts("choices", "|"), row.number("label")
    if label >= len(choices):
        raise row.error("label", f"a number below {len(choices)}, the choices", label)
    ids = [encode(row.text("text"), choice.strip())["input_ids"] for choice in choices]
    return {"input_ids": ids, "labels": label}


class Task(NamedTuple):
    """What a task trains, how it reads a row, and where a row has words for labels."""

    model_class: type[models.DistilBertPreTrainedModel]
    example: Callable[[Row, Encode, Numbers], Example | None]
    label_words: Callable[[Row], list[str]] | None = None


TASKS = {
    "masked-lm": Task(models.DistilBertForMaskedLM, masked_lm_example),
    "classify": Task(
        models.DistilBertForSequenceClassification, classify_example,
        lambda row: [row.text("label")],
    ),
    "tag": Task(
        models.DistilBertForTokenClassification, tag_example,
        lambda row: row.texts("tags", None),
    ),
    "answer": Task(models.DistilBertForQuestionAnswering, answer_example),
    "choose": Task(models.DistilBertForMultipleChoice, choose_example),
}


# --- files to rows --------------------------------------------------------------------


def read_rows(path: str | os.PathLike) -> list[Row]:
    """Return the rows of a CSV or JSON lines file; raise InputError, naming the line.
    """
    path = Path(path)
    if path.suffix not in READERS:
        raise InputError(f"{path}: expected a file named .csv or .jsonl")
    if not path.is_file():
        raise InputError(f"{path}: there is no regular file of this name")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = [
                Row(f"{path}, line {number}", cells)
                for number, cells in READERS[path.suffix](file)
            ]
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    if not rows:
        raise InputError(f"{path}: holds no rows")
    return rows


def read_csv(file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number of each line, and its cells by the columns of the first."""
    reader = csv.DictReader(file, strict=True)
    for cells in reader:
        if None in cells:
            raise ValueError(f"line {reader.line_num} has more cells than columns")
        yield reader.line_num, cells


def read_json_lines(file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number of each line that is not empty, and its object."""
    for number, line in enumerate(file, start=1):
        if line.strip():
            cells = json.loads(line)
            if not isinstance(cells, dict):
                raise ValueError(f"line {number} is not an object")
            yield number, cells


READERS = {".csv": read_csv, ".jsonl": read_json_lines, ".json": read_json_lines}


def split(rows: list[Row], share: float, seed: int) -> tuple[list[Row], list[Row]]:
    """Return the rows to train on, and the share of them that is held out, by chance.
    """
    order = np.random.default_rng(seed).permutation(len(rows))
    n_held_out = round(share * len(rows))
    held_out = set(order[:n_held_out].tolist())
    return (
        [row for i, row in enumerate(rows) if i not in held_out],
        [row for i, row in enumerate(rows) if i in held_out],
    )


# --- the whole way --------------------------------------------------------------------


def fine_tune(
    task: str,
    data: str | os.PathLike,
    folder: str | os.PathLike,
    model: str | os.PathLike = "tiny",
    recipe: Recipe | None = None,
    *,
    held_out: float | str | os.PathLike = 0.2,
    max_length: int | None = None,
    dtype: Any = np.float32,
    save_every: int | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Train a model for a task on a file; write it to `folder`; return what came of it.

    `model` is what from_pretrained takes. `held_out` is a share of the rows, or a file
    of its own, that the figures are measured on. Texts are cut to `max_length` tokens.
    `folder` is one that from_pretrained opens, and that of transformers as well. Raises
    InputError, naming the line, where a row cannot be used; and what `fit` raises.
    """
    if task not in TASKS:
        raise InputError(f"task: expected one of {', '.join(TASKS)}, found {task!r}")
    recipe = recipe or Recipe()
    rows = read_rows(data)
    if isinstance(held_out, (int, float)):
        if not 0 <= held_out < 1:
            raise InputError(f"held_out: expected a share below 1, found {held_out}")
        rows, held_out_rows = split(rows, held_out, recipe.seed)
    else:
        held_out_rows = read_rows(held_out)

    tokenizer = DistilBertTokenizer.from_pretrained(model)
    network = new_model(task, [*rows, *held_out_rows], model, recipe.seed, dtype)
    limit = min(network.config.max_position_embeddings, tokenizer.model_max_length)
    encode = partial(
        tokenizer, truncation=True,
        max_length=limit if max_length is None else min(limit, max_length),
    )
    train_set, test_set = (
        examples_of(task, part, encode, network.config.label2id)
        for part in (rows, held_out_rows)
    )
    history = fit(
        network, train_set, tokenizer, recipe, held_out=test_set or None, folder=folder,
        save_every=save_every, progress=progress,
    )
    return {
        "task": task,
        "model": str(model),
        "folder": str(folder),
        "examples": len(train_set),
        "held_out": len(test_set),
        "cut_off": len(rows) + len(held_out_rows) - len(train_set) - len(test_set),
        "last_loss": history.losses[-1],
        "evaluations": history.evaluations,
        "best": history.best,
    }


def examples_of(
    task: str, rows: Iterable[Row], encode: Encode, numbers: Numbers
) -> list[Example]:
    """Return the examples of rows, without those whose answer was cut off."""
    examples = []
    for row in rows:
        try:
            example = TASKS[task].example(row, encode, numbers)
        except InputError as error:
            where = "" if str(error).startswith(row.place) else f"{row.place}: "
            raise InputError(f"{where}{error}") from None
        if example is not None:
            examples.append(example)
    return examples


def new_model(
    task: str, rows: Iterable[Row], name: str | os.PathLike, seed: int, dtype: Any
) -> models.DistilBertPreTrainedModel:
    """Return the model to train, its labels named as in the rows.

    Where it knows all of these labels already, as when training goes on, they keep
    their numbers.
    """
    model_class, _, label_words = TASKS[task]
    changes = {}
    if task == "classify":
        changes["problem_type"] = "single_label_classification"
    if label_words:
        found = {word for row in rows for word in label_words(row)}
        if len(found) < 2:
            raise InputError(f"labels: expected two or more, found only {found}")
        if not found <= set(DistilBertConfig.from_pretrained(name).label2id):
            changes["id2label"] = dict(enumerate(sorted(found)))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*newly initialised")
        return model_class.from_pretrained(name, seed=seed, dtype=dtype, **changes)
