"""The study: a teacher and its student in the tiny world, and what the recipe is worth.

    study("runs", seeds=(0, 1, 2), variants=VARIANTS)

For each seed a teacher of seven layers learns the tiny world, and then students of
three are made from it: by the whole recipe, and by the recipe without one of its parts,
as in the ablation of DistilBERT's authors (Sanh et al., arXiv 1910.01108, table 4).
What is reported was measured on sentences that no model has read, and that chose no
epoch.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..config import DistilBertConfig, whole
from ..errors import InputError, shown
from ..files import made_folder, written_whole
from ..functions import softmax
from ..losses import IGNORED
from ..models import DistilBertForMaskedLM
from ..tokenizer import DistilBertTokenizer
from .batches import Example, mask_weights
from .distill import RECIPE, Distillation, student_of
from .loop import History, fit
from .metrics import evaluate
from .recipe import Recipe
from .tiny_world import sentences, statements, whole_words

# --- what is trained on what ----------------------------------------------------------

N_TEXTS, N_HELD_OUT, N_TEST = 32_000, 2_000, 6_000
TEXT_SEED, EPOCH_SEED, TEST_SEED = 0, 1_000, 2_000  # to learn, to choose by, to report
VOCAB_SIZE, MAX_LENGTH = 1_900, 128
SHAPE = {
    "vocab_size": VOCAB_SIZE, "max_position_embeddings": MAX_LENGTH,
    "dim": 96, "n_heads": 4, "hidden_dim": 384,
    "dropout": 0.0, "attention_dropout": 0.0,    # there is little to overfit
}
# In a model so narrow the words take more of the parameters than in BERT-base, and half
# of the layers less than the 40 % that DistilBERT saves: hence seven layers, not six.
TEACHER_LAYERS, STUDENT_LAYERS = 7, 3
TEACHER_RECIPE = replace(RECIPE, epochs=15, batch_size=64, lr=2e-3)
STUDENT_RECIPE = replace(RECIPE, epochs=4, batch_size=32, lr=1.5e-3)


@dataclass(frozen=True)
class Variant:
    """A way to train a student: the weights of the losses, and where it starts."""

    kl: float = Distillation.kl
    mlm: float = Distillation.mlm
    cos: float = Distillation.cos
    from_teacher: bool = True


VARIANTS = {
    "distilled": Variant(),
    "without KL": Variant(kl=0.0),
    "without cosine": Variant(cos=0.0),
    "without masked LM": Variant(mlm=0.0),
    "random start": Variant(from_teacher=False),
    "without distillation": Variant(kl=0.0, cos=0.0, from_teacher=False),
}


@dataclass(frozen=True)
class World:
    """The tiny world as models see it: its texts, in tokens."""

    tokenizer: DistilBertTokenizer
    examples: list[Example]                      # to learn
    held_out: list[Example]                      # by which the best epoch is chosen
    test: list[Example]                          # held out too: what is reported
    facts: list[Example]                         # of them, with the fact word hidden


def read_world() -> World:
    """Return the texts to learn, those held out, and the tokenizer learned from them.
    """
    texts = list(sentences(TEXT_SEED, N_TEXTS))
    tokenizer = DistilBertTokenizer.learned_from(
        texts, VOCAB_SIZE, whole_words(texts), MAX_LENGTH
    )
    held_out = dict.fromkeys(sentences(EPOCH_SEED, N_HELD_OUT, held_out=True))
    test = dict.fromkeys(sentences(TEST_SEED, N_TEST, held_out=True))
    return World(
        tokenizer,
        in_tokens(texts, tokenizer),
        in_tokens(held_out, tokenizer),
        in_tokens([one for one in test if one not in held_out], tokenizer),
        list(fact_questions(tokenizer)),
    )


def in_tokens(texts: Iterable[str], tokenizer: DistilBertTokenizer) -> list[Example]:
    """Return texts as examples, the longest ones cut."""
    rows = tokenizer(list(texts), truncation=True)["input_ids"]
    return [{"input_ids": ids} for ids in rows]


def fact_questions(tokenizer: DistilBertTokenizer) -> Iterator[Example]:
    """Yield held-out statements in which the fact word, and no other, is hidden.

    It must stand there once, so that the text cannot give it away.
    """
    for text, word in dict.fromkeys(statements(TEST_SEED, N_TEST, held_out=True)):
        ids = np.array(tokenizer(text)["input_ids"])
        is_fact = ids == tokenizer.convert_tokens_to_ids(word.lower())
        if is_fact.sum() == 1:
            yield {
                "input_ids": np.where(is_fact, tokenizer.mask_token_id, ids),
                "labels": np.where(is_fact, ids, IGNORED),
            }


# --- runs -----------------------------------------------------------------------------


def train_teacher(world: World, seed: int, folder: Path, **options: Any) -> History:
    """Train a teacher by masked LM."""
    config = DistilBertConfig(n_layers=TEACHER_LAYERS, **SHAPE)
    teacher = DistilBertForMaskedLM(config, seed=seed)
    recipe = replace(TEACHER_RECIPE, seed=seed)
    return train(world, teacher, recipe, folder, **options)


def train_student(
    world: World, teacher: DistilBertForMaskedLM, variant: Variant, seed: int,
    folder: Path, **options: Any,
) -> History:
    """Train a student of this teacher, by one of the variants."""
    student = student_of(teacher, STUDENT_LAYERS)
    if not variant.from_teacher:
        # of another seed than its teacher, which began by the same draws
        student = DistilBertForMaskedLM(student.config, seed=seed + 1_000)
    objective = Distillation(teacher, variant.kl, variant.mlm, variant.cos)
    recipe = replace(STUDENT_RECIPE, seed=seed)
    return train(world, student, recipe, folder, objective=objective, **options)


def train(
    world: World, model: DistilBertForMaskedLM, recipe: Recipe, folder: Path,
    **options: Any,
) -> History:
    """Train a model on the world's text; rare words are asked for more often."""
    weights = mask_weights(
        world.examples, VOCAB_SIZE, world.tokenizer.all_special_ids
    )
    return fit(
        model, world.examples, world.tokenizer, recipe, held_out=world.held_out,
        folder=folder, mask_weights=weights, **options,
    )


def study(
    folder: str | os.PathLike, seeds: Sequence[int] = (0,),
    variants: Sequence[str] = ("distilled",), progress: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Train a teacher and its students for each seed; return what came of them.

    Each run has a folder of its own, such as `seed-0/teacher`, which from_pretrained
    opens. What is done already is not done again: a study may be stopped, and several
    processes may share it, each with seeds of its own; called once more with all seeds,
    it gathers them. The report is also written to `folder`/study.json. Raises
    InputError for an unknown variant, or where there is nothing to do.
    """
    check_variants(variants)
    if not seeds or not all(map(whole(0), seeds)):
        raise InputError(f"seeds: expected whole numbers from 0, found {shown(seeds)}")
    folder, world = made_folder(folder), read_world()
    say(f"{len(world.examples):,} texts, {len(world.test):,} held out")
    runs = [
        run for seed in dict.fromkeys(seeds)
        for run in runs_of_seed(world, seed, variants, folder, progress, say)
    ]
    rows = table(runs)
    say("\n" + table_text(rows))
    teacher, student = (
        DistilBertForMaskedLM.from_pretrained(run_folder(folder, seeds[0], name))
        for name in ("teacher", variants[0])
    )
    told = {"runs": runs, "table": rows} | beside(teacher, student, world.tokenizer)
    say(f"the student is {told['speed']:.2f} times as fast as its teacher")
    with written_whole(folder, "study.json") as path:
        path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return told


def runs_of_seed(
    world: World, seed: int, variants: Sequence[str], folder: Path, progress: bool,
    say: Callable[[str], None],
) -> Iterator[dict[str, Any]]:
    """Train a teacher, and of it a student of each variant; yield what came of each."""
    place = run_folder(folder, seed, "teacher")
    history = train_teacher(world, seed, place, progress=progress)
    yield report(world, seed, "teacher", place, history, say)
    teacher = DistilBertForMaskedLM.from_pretrained(place)
    for name in variants:
        place = run_folder(folder, seed, name)
        history = train_student(
            world, teacher, VARIANTS[name], seed, place, progress=progress
        )
        yield report(world, seed, name, place, history, say)


def run_folder(folder: Path, seed: int, name: str) -> Path:
    """Return the folder of a run."""
    return folder / f"seed-{seed}" / name.replace(" ", "-")


def check_variants(variants: Sequence[str]) -> None:
    """Raise InputError unless all of these are variants, and there is one."""
    for name in variants or [None]:
        if name not in VARIANTS:
            raise InputError(
                f"variants: expected some of {', '.join(VARIANTS)}, found {shown(name)}"
            )


# --- what came of them ----------------------------------------------------------------


def report(
    world: World, seed: int, name: str, folder: Path, history: History,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Return what became of a run: the model's figures, and the curve to there."""
    model = DistilBertForMaskedLM.from_pretrained(folder)
    masked, facts = shares_right(model, world)
    right = f"{masked:.1%} of masked words right, {facts:.1%} of facts"
    say(f"seed {seed}, {name}: {right}")
    n_epochs = len(history.evaluations)
    return {
        "seed": seed,
        "name": name,
        "parameters": model.num_parameters(),
        "accuracy": masked,
        "facts": facts,
        "epochs": [one["accuracy"] for one in history.evaluations],
        "losses": [
            float(np.mean(part)) for part in np.array_split(history.losses, n_epochs)
        ],
    }


def shares_right(model: DistilBertForMaskedLM, world: World) -> tuple[float, float]:
    """Return which share of masked words, and of fact words, a model finds."""
    masked = evaluate(model, world.test, world.tokenizer, batch_size=64)
    facts = evaluate(model, world.facts, batch_size=64)
    return masked["accuracy"], facts["accuracy"]


FIGURES = ("accuracy", "facts", "kept")


def table(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each kind of run: means over the seeds, and their spreads.

    `kept` is the share of its own teacher's accuracy that a student keeps. A spread is
    the standard deviation of a sample, None where there is one seed.
    """
    teachers = {run["seed"]: run for run in runs if run["name"] == "teacher"}
    rows = []
    for name in dict.fromkeys(run["name"] for run in runs):
        mine = [run for run in runs if run["name"] == name]
        row = {"name": name, "seeds": len(mine), "parameters": mine[0]["parameters"]}
        measured = (
            [run["accuracy"] for run in mine],
            [run["facts"] for run in mine],
            [run["accuracy"] / teachers[run["seed"]]["accuracy"] for run in mine],
        )
        for figure, values in zip(FIGURES, measured, strict=True):
            spread = float(np.std(values, ddof=1)) if len(mine) > 1 else None
            row[figure] = {"mean": float(np.mean(values)), "spread": spread}
        rows.append(row)
    return rows


def table_text(rows: Sequence[dict[str, Any]]) -> str:
    """Return the table to be read."""
    lines = [f"{'':<22}{'parameters':>12}{'masked words':>16}{'facts':>16}{'kept':>16}"]
    for row in rows:
        cells = "".join(f"{as_share(row[key]):>16}" for key in FIGURES)
        lines.append(f"{row['name']:<22}{row['parameters']:>12,}{cells}")
    return "\n".join(lines)


def as_share(figure: dict[str, Any]) -> str:
    """Return a mean with its spread, in percent."""
    mean, spread = figure["mean"], figure["spread"]
    return f"{mean:.1%}" + ("" if spread is None else f" ± {100 * spread:.1f}")


PROMPTS = (
    "The capital of France is [MASK].",
    "A [MASK] lives in the sea.",
    "Anna saw a [MASK] in the forest.",
    "The film was [MASK], and I left early.",
)
TEMPERATURES = (1, 2, 4)
N_WORDS = 8


def beside(
    teacher: DistilBertForMaskedLM, student: DistilBertForMaskedLM,
    tokenizer: DistilBertTokenizer,
) -> dict[str, Any]:
    """Return a teacher beside its student: how fast, and what they say of a few gaps.

    `speed` is how many times as fast the student reads a text; `soft_targets` has, for
    each prompt, the teacher's likeliest words, and what probability either gives them
    at each temperature.
    """
    soft_targets = []
    for prompt in PROMPTS:
        inputs = tokenizer(prompt, return_tensors="np")
        gap = inputs.tokens().index(tokenizer.mask_token)
        logits = {
            "teacher": teacher(**inputs).logits[0, gap],
            "student": student(**inputs).logits[0, gap],
        }
        likeliest = logits["teacher"].argsort()[::-1][:N_WORDS]
        soft_targets.append({
            "prompt": prompt,
            "words": tokenizer.convert_ids_to_tokens(likeliest),
            **{
                who: {
                    str(t): softmax(scores / t)[likeliest].tolist()
                    for t in TEMPERATURES
                }
                for who, scores in logits.items()
            },
        })
    return {"speed": speed_ratio(teacher, student), "soft_targets": soft_targets}


def speed_ratio(
    teacher: DistilBertForMaskedLM, student: DistilBertForMaskedLM, runs: int = 15
) -> float:
    """Return how many times as fast as its teacher a student reads a batch of texts.

    The median over turns, in which either reads the same 64 texts of 16 tokens; without
    the heads, which are alike.
    """
    rng = np.random.default_rng(0)
    ids = rng.integers(student.config.vocab_size, size=(64, 16))
    ratios = []
    for _ in range(runs):
        seconds = []
        for model in (teacher, student):
            start = time.perf_counter()
            model.encode(ids)
            seconds.append(time.perf_counter() - start)
        ratios.append(seconds[0] / seconds[1])
    return float(np.median(ratios))
