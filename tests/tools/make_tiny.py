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
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import safetensors
import tokenizers

from distilbert_np import DistilBertModel, DistilBertTokenizer
from distilbert_np.hub import TINY
from distilbert_np.models import DistilBertForMaskedLM
from distilbert_np.training import Recipe, evaluate, fine_tune, study, tasks, tiny_world
from distilbert_np.training.tiny_world.limits import predictable
from distilbert_np.weights import save_tensors

TASKS = {                               # and how many rows, and times to see them
    "classify": (4_000, 4),
    "tag": (4_000, 4),
    "answer": (8_000, 6),
    "choose": (8_000, 5),
}
N_HELD_OUT = 1_000
RECIPE = Recipe(batch_size=32, lr=1e-3, warmup=0.1, weight_decay=0.01)

# --- training -------------------------------------------------------------------------


def write_rows(task: str, path: Path, seed: int, n: int, held_out: bool) -> None:
    """Write rows of a task as JSON lines."""
    rows = tiny_world.task_rows(task, seed, n, held_out)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def train_task(task: str, student: Path, folder: Path) -> dict[str, float]:
    """Train the student for a task; return its figures on rows held out."""
    n_rows, epochs = TASKS[task]
    with TemporaryDirectory() as place:
        train, test = Path(place) / "train.jsonl", Path(place) / "held-out.jsonl"
        write_rows(task, train, 0, n_rows, False)
        write_rows(task, test, 1_000, N_HELD_OUT, True)
        fine_tune(
            task, train, Path(place) / "run", student, replace(RECIPE, epochs=epochs),
            held_out=test, say=print,
        )
        embed(Path(place) / "run", folder)
        return figures(task, folder, test)


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

    config.json still says float32, which both libraries then compute in.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (folder / name).write_bytes((run / name).read_bytes())
    stored = safetensors.safe_open(run / "model.safetensors", "numpy")
    tensors = {name: stored.get_tensor(name).astype(np.float16) for name in stored.keys()}
    save_tensors(tensors, folder / "model.safetensors")
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

## Data
{data} Everything was written by the generator in this repository; no outside text and
no outside weights were used. Held-out text consists of sentences that no training text
of any of these models holds: their facts were told in other words, or of other people.

## Model
dim {dim}, {n_layers} layers, {n_heads} heads, hidden_dim {hidden_dim}, {positions}
positions, lowercase WordPiece with {vocab_size:,} pieces. Stored in float16, computed
in float32. SHA-256 of model.safetensors: `{sha256}`.

## Recipe
{recipe}

Made in NumPy alone ({python}, NumPy {numpy}, safetensors {safetensors}, tokenizers
{tokenizers}) by

{commands}

## Held-out figures
Measured on the numbers as they are stored.

{figures}
"""
STUDY_COMMAND = "    python -m distilbert_np distill --world tiny --out runs"
MAKE_COMMAND = "    python -m tests.tools.make_tiny runs"
TEXTS = (
    f"{study.N_TEXTS:,} texts of seed 0: facts in many wordings, reviews, short stories. "
    f"{study.N_HELD_OUT:,} texts of seed {study.HELD_OUT_SEED:,} were held out."
)


def write_card(folder: Path, **said: str) -> None:
    """Write the model card of an embedded model."""
    model = DistilBertModel.from_pretrained(folder)
    stored = safetensors.safe_open(folder / "model.safetensors", "numpy")
    config = model.config
    card = CARD.format(
        parameters=sum(stored.get_tensor(name).size for name in stored.keys()),
        dim=config.dim, n_layers=config.n_layers, n_heads=config.n_heads,
        hidden_dim=config.hidden_dim, positions=config.max_position_embeddings,
        vocab_size=config.vocab_size,
        sha256=sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
        python=f"Python {platform.python_version()}", numpy=np.__version__,
        safetensors=safetensors.__version__, tokenizers=tokenizers.__version__,
        **said,
    )
    (folder / "README.md").write_text(card, encoding="utf-8")


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
