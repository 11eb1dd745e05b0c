"""Five tasks: a file of texts with their labels → a model trained on them.

What a file may be is said in rows.py. Each task reads columns of its own:

    masked-lm  text
    classify   text, label; and text_pair, where there is a second text
    tag        tokens, tags: a tag for each token; in CSV, spaces part them
    answer     question, context, answer: as it stands in the context, or empty if it
               does not; and start, where it begins (from 0), else the first such place
    choose     text, choices, label: the number of the right choice, from 0; in CSV,
               a | parts the choices
"""

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .. import models
from ..errors import InputError, shown
from ..losses import IGNORED
from ..rows import Row, read_rows
from ..tokenizer import DistilBertTokenizer, check_length
from .batches import Example
from .loop import fit
from .metrics import Metrics
from .recipe import Recipe

# --- rows to examples -----------------------------------------------------------------
# Each takes a row, `encode`, the tokenizer that cuts to the longest length, and the
# number of each label.

Encode = Callable[..., Any]
Numbers = dict[str, int]


def masked_lm_example(row: Row, encode: Encode, numbers: Numbers) -> Example | None:
    """Return the ids of a text, masked when a batch is made; None if there is no word.
    """
    ids = encode(row.text("text"))["input_ids"]
    return {"input_ids": ids} if len(ids) > 2 else None      # [CLS] and [SEP]


def classify_example(row: Row, encode: Encode, numbers: Numbers) -> Example:
    """Return the ids of a text, or of a pair, and its class."""
    ids = encode(*row.pair())["input_ids"]
    return {"input_ids": ids, "labels": numbers[class_name(row)]}


def class_name(row: Row) -> str:
    """Return the class of a text, a word that must be there."""
    name = row.text("label").strip()
    if not name:
        raise row.error("label", "the name of a class", "nothing")
    return name


def tag_example(row: Row, encode: Encode, numbers: Numbers) -> Example:
    """Return the ids of a text, and the tag of each word at the first of its pieces."""
    words, tags = row.texts("tokens", None), row.texts("tags", None)
    if not words:
        raise row.error("tokens", "one or more", "none")
    if len(words) != len(tags):
        raise row.error("tags", f"{len(words)}, one for each token", len(tags))
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
    start, end = answer_span(row)
    encoded = encode(
        row.text("question"), row.text("context"), truncation="only_second",
        return_offsets_mapping=True,
    )
    offsets, texts = encoded["offset_mapping"], encoded.sequence_ids()
    tokens = [
        i for i, (first, beyond) in enumerate(offsets)
        if texts[i] == 1 and first < end and beyond > start
    ]
    if start == end:
        tokens = [0]
    elif not tokens or offsets[tokens[-1]][1] < end:
        return None
    return {
        "input_ids": encoded["input_ids"],
        "start_positions": tokens[0],
        "end_positions": tokens[-1],
    }


def answer_span(row: Row) -> tuple[int, int]:
    """Return where in the context an answer begins, and where it has ended."""
    context, answer = row.text("context"), row.text("answer")
    stripped = answer.strip()
    given = row.cells.get("start") not in (None, "")
    if given:
        start = row.number("start") + len(answer) - len(answer.lstrip())
    else:
        start = max(context.find(stripped), 0)
    end = start + len(stripped)
    if context[start:end] != stripped:
        where = f" at {start}" if given else ""
        raise row.error("answer", f"words of the context{where}", shown(answer))
    return start, end


def choose_example(row: Row, encode: Encode, numbers: Numbers) -> Example:
    """Return the ids of the text with each of the choices, and the right one's number.
    """
    choices, label = row.choices(), row.number("label")
    if label >= len(choices):
        raise row.error("label", f"one of {len(choices)} choices, from 0", label)
    ids = [encode(row.text("text"), choice)["input_ids"] for choice in choices]
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
        lambda row: [class_name(row)],
    ),
    "tag": Task(
        models.DistilBertForTokenClassification, tag_example,
        lambda row: row.texts("tags", None),
    ),
    "answer": Task(models.DistilBertForQuestionAnswering, answer_example),
    "choose": Task(models.DistilBertForMultipleChoice, choose_example),
}


# --- rows held out --------------------------------------------------------------------


def split(rows: list[Row], share: float, seed: int) -> tuple[list[Row], list[Row]]:
    """Return the rows to train on, and the share of them that is held out, by chance.
    """
    order = np.random.default_rng(seed).permutation(len(rows))
    n_held_out = max(1, round(share * len(rows))) if share else 0
    held_out = set(order[:n_held_out].tolist())
    return (
        [row for i, row in enumerate(rows) if i not in held_out],
        [row for i, row in enumerate(rows) if i in held_out],
    )


# --- fine-tuning ----------------------------------------------------------------------


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
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Train a model for a task on a file; write it to `folder`; return what came of it.

    `model` is what from_pretrained takes. `held_out` is a share of the rows, or a file
    of its own, that the figures are measured on. Texts are cut to `max_length` tokens.
    `folder` is one that from_pretrained opens, and that of transformers as well. What
    happens is told to `say`, line by line. Raises InputError, naming the line, where a
    row cannot be used; and what `fit` raises.
    """
    if task not in list(TASKS):
        raise InputError(f"task: expected one of {', '.join(TASKS)}, found {task!r}")
    recipe = recipe or Recipe()
    parts = read_parts(data, held_out, recipe.seed)
    tokenizer = DistilBertTokenizer.from_pretrained(model)
    rows = [row for part in parts for row in part]
    network = new_model(task, rows, model, recipe.seed, dtype)
    sets = example_sets(task, data, parts, network, tokenizer, max_length)
    sets.tell(say, f"{task}, from {model}")
    if TASKS[task].label_words:
        say(f"labels: {', '.join(network.config.label2id)}")
    return {"task": task, "model": str(model)} | learn(
        network, sets, tokenizer, recipe, folder, say,
        save_every=save_every, progress=progress,
    )


class Sets(NamedTuple):
    """Examples to train on, and those that are held out.

    `n_left_out` rows had nothing to learn in their first `limit` tokens.
    """

    train: list[Example]
    held_out: list[Example]
    n_left_out: int
    limit: int

    def tell(self, say: Callable[[str], None], what: str) -> None:
        """Say how many there are of each."""
        say(f"{what}: {len(self.train)} examples, {len(self.held_out)} held out")
        if self.n_left_out:
            nothing = f"nothing to learn in the first {self.limit} tokens"
            say(f"{self.n_left_out} rows left out: {nothing}")


def example_sets(
    task: str, data: str | os.PathLike, parts: tuple[list[Row], list[Row]],
    network: models.DistilBertPreTrainedModel, tokenizer: DistilBertTokenizer,
    max_length: int | None,
) -> Sets:
    """Return the examples of the rows to train on, and of those to measure on."""
    limit = longest(network, tokenizer, max_length)
    encode = partial(tokenizer, truncation=True, max_length=limit)
    train_set, test_set = (
        examples_of(task, part, encode, network.config.label2id) for part in parts
    )
    if not train_set or (parts[1] and not test_set):
        raise InputError(f"{data}: no row has, in {limit} tokens, anything to learn")
    n_left_out = sum(map(len, parts)) - len(train_set) - len(test_set)
    return Sets(train_set, test_set, n_left_out, limit)


def learn(
    network: models.DistilBertPreTrainedModel, sets: Sets,
    tokenizer: DistilBertTokenizer, recipe: Recipe, folder: str | os.PathLike,
    say: Callable[[str], None], **options: Any,
) -> dict[str, Any]:
    """Fit a model, and say how it does after each epoch; return what came of it.

    The options are those of `fit`.
    """
    history = fit(
        network, sets.train, tokenizer, recipe, held_out=sets.held_out or None,
        folder=folder, on_evaluation=lambda metrics: say_row(say, metrics), **options,
    )
    if history.resumed_at == len(history.losses):
        say(f"\n{folder} holds this run already; nothing was left to do")
    elif history.resumed_at:
        say(f"\nThis run went on from step {history.resumed_at}")
    return {
        "folder": str(folder),
        "examples": len(sets.train),
        "held_out": len(sets.held_out),
        "left_out": sets.n_left_out,
        "resumed_at": history.resumed_at,
        "steps": len(history.losses),
        "last_loss": history.losses[-1],
        "evaluations": history.evaluations,
        "best": history.best,
    }


def say_row(say: Callable[[str], None], metrics: Metrics) -> None:
    """Say a row of the table of evaluations; before the first, the columns' names."""
    if metrics["epoch"] == 1:
        say("")
        say("".join(f"{name:>12}" for name in metrics))
    cells = (str(v) if isinstance(v, int) else f"{v:.4f}" for v in metrics.values())
    say("".join(f"{cell:>12}" for cell in cells))


def longest(
    model: models.DistilBertPreTrainedModel,
    tokenizer: DistilBertTokenizer,
    max_length: int | None,
) -> int:
    """Return how many tokens a text may have, at most `max_length` if that is given."""
    limit = min(model.config.max_position_embeddings, tokenizer.model_max_length)
    if max_length is None:
        return limit
    check_length("max_length", max_length)
    return min(limit, max_length)


def read_parts(
    data: str | os.PathLike, held_out: float | str | os.PathLike, seed: int
) -> tuple[list[Row], list[Row]]:
    """Return the rows to train on, and those to measure on: a share, or a file's."""
    rows = read_rows(data)
    if isinstance(held_out, (str, os.PathLike)):
        return rows, read_rows(held_out)
    if type(held_out) not in (int, float) or not 0 <= held_out < 1:
        found = shown(held_out)
        raise InputError(f"held_out: expected a share from 0 to below 1, found {found}")
    rows, held_out_rows = split(rows, held_out, seed)
    if not rows:
        raise InputError(f"held_out: {held_out} of {data} leaves nothing to train on")
    return rows, held_out_rows


def examples_of(
    task: str, rows: Iterable[Row], encode: Encode, numbers: Numbers
) -> list[Example]:
    """Return the examples of rows, without those that leave nothing to learn."""
    examples = []
    for row in rows:
        try:
            example = TASKS[task].example(row, encode, numbers)
        except InputError as error:
            if str(error).startswith(row.place):
                raise
            raise InputError(f"{row.place}: {error}") from None
        if example is None:
            continue
        if task == "choose" and examples:
            n_choices, n_here = len(examples[0]["input_ids"]), len(example["input_ids"])
            if n_here != n_choices:
                raise row.error("choices", f"{n_choices} as in the first row", n_here)
        examples.append(example)
    return examples


def new_model(
    task: str, rows: list[Row], name: str | os.PathLike, seed: int, dtype: Any
) -> models.DistilBertPreTrainedModel:
    """Return the model to train: its encoder is read, and its head if it is the same.

    It is where the checkpoint was trained for this task and knows all of the labels, as
    when training goes on; otherwise a new head is drawn from the seed. (Masked LM makes
    no sense with a new head, so a checkpoint without one gets a warning.)
    """
    model_class = TASKS[task].model_class
    encoder = models.DistilBertModel.from_pretrained(name, dtype=dtype)
    words = words_of_labels(task, rows)
    was = getattr(encoder.config, "architectures", None)
    same_head = was == [model_class.__name__] and words <= {*encoder.config.label2id}
    if same_head or task == "masked-lm":
        return model_class.from_pretrained(name, dtype=dtype)
    changes = {"id2label": dict(enumerate(sorted(words)))} if words else {}
    if task == "classify":
        changes["problem_type"] = "single_label_classification"
    if task == "answer":
        changes["num_labels"] = 2                # start and end
    model = model_class(encoder.config.changed(**changes), seed=seed, dtype=dtype)
    model.params["distilbert"], model.load_report = encoder.params, encoder.load_report
    return model


def words_of_labels(task: str, rows: list[Row]) -> set[str]:
    """Return the labels that rows have, where they are words; there must be several."""
    label_words = TASKS[task].label_words
    if label_words is None:
        return set()
    words = {word for row in rows for word in label_words(row)}
    if len(words) == 1:
        raise InputError(
            f"{rows[0].file}: found only one label, {words.pop()!r}, expected several"
        )
    return words
