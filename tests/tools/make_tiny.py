"""Make the embedded models of distilbert_np/tiny/ from a finished study.

A tool for maintainers, not a test; it is run from the root of the repository:

    python -m distilbert_np distill --world tiny --out runs --seeds 0 1 2 --ablation
    python -m tests.tools.make_tiny runs

The first command takes some hours and trains a teacher, its student and the ablation;
the second trains the student for the four tasks, in some minutes, and writes six
folders, each with its card, and the study's figures. Everything is seeded, so the same
libraries on the same kind of machine give the same models again.
"""

import argparse
import json
import platform
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import safetensors
import tokenizers
from safetensors.numpy import load_file

from distilbert_np import (
    DistilBertForMaskedLM,
    DistilBertModel,
    DistilBertTokenizer,
)
from distilbert_np.hub import TINY
from distilbert_np.training import Recipe, evaluate, fine_tune, study, tasks, tiny_world
from distilbert_np.training.distill import student_layers
from distilbert_np.training.tiny_world.limits import predictable
from distilbert_np.weights import save_tensors

N_HELD_OUT = 1_000
RECIPE = Recipe(batch_size=32, lr=1e-3, warmup=0.1, weight_decay=0.01)
TASKS = {                               # how many rows, and how to learn from them
    "classify": (4_000, replace(RECIPE, epochs=4)),
    "tag": (4_000, replace(RECIPE, epochs=4)),
    "answer": (12_000, replace(RECIPE, epochs=4)),
    "choose": (8_000, replace(RECIPE, epochs=5)),
}

# --- training -------------------------------------------------------------------------


def write_rows(task: str, path: Path, seed: int, n: int, held_out: bool) -> None:
    """Write rows of a task as JSON lines."""
    rows = tiny_world.task_rows(task, seed, n, held_out)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def train_task(task: str, runs: Path) -> dict[str, float]:
    """Train the student for a task and embed it; return its figures on rows held out.

    Like the study, this goes on where it was stopped.
    """
    n_rows, recipe = TASKS[task]
    place = runs / "tasks" / task
    place.mkdir(parents=True, exist_ok=True)
    rows = {name: place / f"{name}.jsonl" for name in ("train", "epochs", "test")}
    write_rows(task, rows["train"], study.TEXT_SEED, n_rows, False)
    write_rows(task, rows["epochs"], study.EPOCH_SEED, N_HELD_OUT, True)
    write_rows(task, rows["test"], study.TEST_SEED, N_HELD_OUT, True)
    fine_tune(
        task, rows["train"], place / "run", runs / "seed-0" / "distilled",
        recipe, held_out=rows["epochs"], say=print,
    )
    embed(place / "run", TINY / task)
    return figures(task, TINY / task, rows["test"])


def figures(task: str, folder: Path, rows: Path) -> dict[str, float]:
    """Return the figures of an embedded model, as it is stored."""
    model = tasks.TASKS[task].model_class.from_pretrained(folder)
    tokenizer = DistilBertTokenizer.from_pretrained(folder)
    examples = tasks.examples_of(
        task, tasks.read_rows(rows), tokenizer, model.config.label2id
    )
    return evaluate(model, examples, tokenizer, batch_size=64)


# --- writing --------------------------------------------------------------------------


def embed(run: Path, folder: Path) -> None:
    """Copy a trained model to where it is embedded, its numbers rounded to float16.

    config.json still says float32, which both libraries then compute in. JSON goes
    without its blanks, and vocab.txt, which tokenizer.json repeats, not at all: every
    clone carries these folders.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_bytes((run / "config.json").read_bytes())
    for name in ("tokenizer.json", "tokenizer_config.json"):
        content = json.loads((run / name).read_text(encoding="utf-8"))
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        (folder / name).write_text(text + "\n", encoding="utf-8")
    tensors = load_file(run / "model.safetensors")
    rounded = {name: array.astype(np.float16) for name, array in tensors.items()}
    save_tensors(rounded, folder / "model.safetensors")
    for file in folder.iterdir():
        file.chmod(0o644)


CARD = """\
---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: {pipeline_tag}
---

# {title}

{what} A DistilBERT of {parameters:,} parameters for teaching: it knows the tiny world
of `distilbert_np.training.tiny_world` and nothing else, and outside that world its
answers mean nothing.

{limits}

## Data

{data} Everything was written by the generator in this repository; no outside text and
no outside weights were used. What held-out text tells, no training text of any of these
models tells in those words: its facts were told otherwise, or of other people.
(Openers, and answers such as "It is in Europe.", may recur.)

## Model

{n_layers} layers of dim {dim}, with {n_heads} heads and hidden_dim {hidden_dim}; texts
of up to {positions} tokens; lowercase WordPiece with {vocab_size:,} pieces. Stored in
float16, computed in float32. SHA-256 of model.safetensors:
`{sha256}`.

## Recipe

{recipe}

Made in NumPy alone ({python}, NumPy {numpy}, safetensors {safetensors}, tokenizers
{tokenizers}) by

{commands}

## Held-out figures

Measured on the numbers as they are stored.

{figures}
"""


def wrapped(text: str) -> str:
    """Return Markdown with the lines of its plain paragraphs filled."""
    return "\n\n".join(
        part if part.startswith(("---", "#", "|", "    ")) else fill(part, 88)
        for part in text.strip().split("\n\n")
    ) + "\n"


COMMANDS = """\
    python -m distilbert_np distill --world tiny --out runs --seeds 0 1 2 --ablation
    python -m tests.tools.make_tiny runs"""
TEXTS = (
    f"{study.N_TEXTS:,} texts: facts in many wordings, reviews, short stories. By some "
    f"held-out texts the best epoch was chosen; others gave the figures below (seeds "
    f"{study.TEXT_SEED}, {study.EPOCH_SEED} and {study.TEST_SEED})."
)
MASKED = "Masked LM: of the tokens asked for, 80 % turn into [MASK], 10 % into others"


def write_card(folder: Path, **said: str) -> None:
    """Write the model card of an embedded model."""
    model = DistilBertModel.from_pretrained(folder)
    tensors = load_file(folder / "model.safetensors")
    config = model.config
    card = CARD.format(
        parameters=sum(array.size for array in tensors.values()),
        dim=config.dim, n_layers=config.n_layers, n_heads=config.n_heads,
        hidden_dim=config.hidden_dim, positions=config.max_position_embeddings,
        vocab_size=config.vocab_size,
        sha256=sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
        python=f"Python {platform.python_version()}", numpy=np.__version__,
        safetensors=safetensors.__version__, tokenizers=tokenizers.__version__,
        **said,
    )
    (folder / "README.md").write_text(wrapped(card), encoding="utf-8")


def in_table(measured: dict[str, float]) -> str:
    """Return figures as a table."""
    rows = [f"| {name} | {value:.4f} |" for name, value in measured.items()]
    return "\n".join(["| figure | held out |", "|---|---|", *rows])


def recipe_text(recipe: Recipe) -> str:
    """Return a recipe in words."""
    return (
        f"{recipe.optimizer.__name__}, peak rate {recipe.lr}, {recipe.warmup:.0%} "
        f"warm-up and linear decay, weight decay {recipe.weight_decay}, gradient clip "
        f"{recipe.max_grad_norm}, {recipe.epochs} epochs in batches of "
        f"{recipe.batch_size}, seed {recipe.seed}; the best epoch was kept."
    )


# --- the cards ------------------------------------------------------------------------


def masked_lm_figures(folder: Path, world: study.World, told: dict) -> str:
    """Return how a stored masked LM does, and how all runs of its kind did."""
    model = DistilBertForMaskedLM.from_pretrained(folder)
    masked, facts = study.shares_right(model, world)
    best = predictable()
    return f"""\
| asked for, on held-out text | right |
|---|---|
| 15 % of the tokens, at random | {masked:.1%} |
| the fact word of a statement | {facts:.1%} |

No reader can reach 100 %: whose hat was lost cannot be known. Who knew every sentence
of the generator by heart would guess {best["guessed"]:.1%} of the words of a statement,
one hidden at a time, and {best["fact word"]:.1%} of the fact words; in
{best["certain"]:.1%} of the gaps nothing else could stand. (Several words hidden at
once, stories, reviews and invented names are harder.) All runs of the study, mean and
standard deviation over its seeds; "kept" is the share of its teacher's accuracy:

{study_table(told["table"])}

The student reads {told["speed"]:.2f} times as fast as its teacher."""


def study_table(rows: list[dict]) -> str:
    """Return the study's table."""
    lines = ["| | parameters | masked words | facts | kept |", "|---|---|---|---|---|"]
    for row in rows:
        shares = " | ".join(study.as_share(row[key]) for key in study.FIGURES)
        lines.append(f"| {row['name']} | {row['parameters']:,} | {shares} |")
    return "\n".join(lines)


def make_masked_lm(name: str, run: Path, world: study.World, told: dict) -> None:
    """Embed the teacher or the student."""
    is_teacher = name == "teacher"
    embed(run, TINY / name)
    weights = study.VARIANTS["distilled"]
    layers = student_layers(study.TEACHER_LAYERS, study.STUDENT_LAYERS)
    start = "" if is_teacher else (
        f"The teacher's layers {layers}, "
        "its embeddings and its head were the start. Loss: "
        f"{weights.kl:g}·KL (temperature 2) + {weights.mlm:g}·masked LM + "
        f"{weights.cos:g}·cosine of the last hidden states. "
    )
    recipe = study.TEACHER_RECIPE if is_teacher else study.STUDENT_RECIPE
    write_card(
        TINY / name, pipeline_tag="fill-mask", commands=COMMANDS, data=TEXTS,
        title="The tiny teacher" if is_teacher else "The tiny masked language model",
        limits=LIMITS,
        what="It fills in hidden words, and taught the student that is named `tiny`."
        if is_teacher else
        "It fills in hidden words, and answers `fill-mask` and `embed` offline; it was "
        "distilled from `tiny-teacher`.",
        recipe=f"{start}{MASKED}; 15 % are asked for, rare words "
        f"more often (by count^−0.7). {recipe_text(recipe)}",
        figures=masked_lm_figures(TINY / name, world, told),
    )


LIMITS = """\
It knows capitals, languages, opposites and young animals well; sums, the numbers of
legs and of days, and what comes before or after only in part: it says that the day
after Monday is Sunday. Of names that it has never seen it is not sure, as it should
be."""
ABOUT = {                               # pipeline, title, what it does, its limits
    "classify": (
        "text-classification", "Feelings of short reviews",
        "It tells whether a short review is positive, negative or neutral.", """\
It was taught on the wordings of reviews.py alone: of others, such as "didn't", it
knows nothing, and where words are unknown it says neutral, often quite sure of it.""",
    ),
    "tag": (
        "token-classification", "People, places and animals",
        "It tags the words that name a person, a place or an animal.", """\
It goes by names that it knows and by where a name stands; family names and meals it
has never met.""",
    ),
    "answer": (
        "question-answering", "Answers in short stories",
        "It finds the answer to a question in a short story of two people.", """\
It goes by what is asked for, a place or an animal, and not by whom it is asked of:
where both people ate, it names either meal, and it never says that a story does not
tell. (Three layers did not learn to compare names: taught on stories of two sentences
in which both do alike, they found 56 % of the answers, and chance is 50 %.) Texts of
more than 128 tokens are read in windows, in which it errs more.""",
    ),
    "choose": (
        "multiple-choice", "The right ending",
        "It chooses which of several endings makes a sentence true.", """\
Endings are of facts in the tables of topics.py: it was never asked what people would
say or do.""",
    ),
}


def make_task(task: str, runs: Path) -> None:
    """Train the student for a task, and embed it."""
    measured = train_task(task, runs)
    print(task, measured)
    pipeline_tag, title, what, limits = ABOUT[task]
    n_rows, recipe = TASKS[task]
    write_card(
        TINY / task, pipeline_tag=pipeline_tag, title=title, what=what, limits=limits,
        commands=(COMMANDS + SAME + TASK_COMMANDS).format(
            task=task, n_rows=n_rows, n_held_out=N_HELD_OUT, epochs=recipe.epochs,
            batch_size=recipe.batch_size, lr=recipe.lr,
        ),
        data=f"{n_rows:,} rows. By {N_HELD_OUT:,} held-out rows the best epoch was "
        f"chosen; {N_HELD_OUT:,} others gave the figures below (seeds "
        f"{study.TEXT_SEED}, {study.EPOCH_SEED} and {study.TEST_SEED}).",
        recipe=f"Started from the distilled student. {recipe_text(recipe)}",
        figures=in_table(measured),
    )


SAME = "\n\nof which the last does much the same as\n\n"
TASK_COMMANDS = """\
    python -m distilbert_np.training.tiny_world --task {task} \\
        --count {n_rows} > train.jsonl
    python -m distilbert_np.training.tiny_world --task {task} \\
        --count {n_held_out} --seed 1000 --held-out > held-out.jsonl
    python -m distilbert_np train --task {task} --model tiny \\
        --data train.jsonl --held-out held-out.jsonl --out {task} \\
        --epochs {epochs} --batch-size {batch_size} --lr {lr}"""


def main() -> None:
    """Embed a study's models, and train and embed those of the four tasks."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("runs", type=Path, help="the folder of a finished study")
    runs = parser.parse_args().runs
    told = json.loads((runs / "study.json").read_text(encoding="utf-8"))
    world = study.read_world()
    make_masked_lm("teacher", runs / "seed-0" / "teacher", world, told)
    make_masked_lm("masked-lm", runs / "seed-0" / "distilled", world, told)
    for task in TASKS:
        make_task(task, runs)
    text = json.dumps(rounded(told)) + "\n"
    (TINY / "study.json").write_text(text, encoding="utf-8")


def rounded(told: Any) -> Any:
    """Return a report with five digits of each number: enough for figures."""
    if isinstance(told, float):
        return float(f"{told:.5g}")
    if isinstance(told, dict):
        return {name: rounded(value) for name, value in told.items()}
    return [rounded(value) for value in told] if isinstance(told, list) else told


if __name__ == "__main__":
    main()
