"""Train on the questions with NumPy and with PyTorch, by one recipe, and compare.

A tool for maintainers, not a test; it needs torch and transformers, and is run from the
root of the repository:

    OPENBLAS_NUM_THREADS=2 python -m tests.tools.compare_training

Both start from the same files and the same weights of the head, and see the same
batches in the same order; each draws its own dropout. Every seed cuts the rows into
folds of its own, and each fold is held out once, so that an accuracy is over all rows.
Epochs of the two take turns in one process, which is fair to their times.
"""

import argparse
import math
import os
import platform
import statistics
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import transformers

from distilbert_np import DistilBertTokenizer
from distilbert_np.training import Recipe, make_batch, tasks
from distilbert_np.training.loop import Run
from distilbert_np.training.optimizers import decays

DATA = Path(tasks.__file__).with_name("data") / "questions.csv"
NO_DROPOUT = {"dropout": 0.0, "attention_dropout": 0.0, "seq_classif_dropout": 0.0}
UNEVEN = 5                      # first steps of a run, which are not timed


class TorchRun:
    """What PyTorch makes of a run: the same start, batches and recipe."""

    def __init__(self, run: Run) -> None:
        self.run, recipe = run, run.recipe
        with TemporaryDirectory() as folder:
            run.model.save_pretrained(folder)
            self.model = transformers.DistilBertForSequenceClassification
            self.model = self.model.from_pretrained(folder)
        self.model.to(torch.float64 if run.model.dtype == np.float64 else torch.float32)
        named = dict(self.model.named_parameters())
        groups = [
            {"params": [p for name, p in named.items() if decays(name)]},
            {"params": [p for name, p in named.items() if not decays(name)],
             "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(
            groups, lr=recipe.lr, weight_decay=recipe.weight_decay
        )
        self.schedule = transformers.get_linear_schedule_with_warmup(
            self.optimizer, math.ceil(recipe.warmup * run.n_steps), run.n_steps
        )
        self.losses = []
        torch.manual_seed(recipe.seed)

    def take_step(self, order: list[np.ndarray]) -> None:
        """Train once on a batch of these examples."""
        self.model.train()
        (rows,) = order
        loss = self.model(**self.batch([self.run.examples[i] for i in rows])).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(
            self.model.parameters(), self.run.recipe.max_grad_norm
        )
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()
        self.losses.append(loss.item())

    @torch.no_grad()
    def guesses(self, examples: list[dict]) -> np.ndarray:
        """Return the likeliest class of each example."""
        self.model.eval()
        return self.model(**self.batch(examples)).logits.argmax(-1).numpy()

    def batch(self, examples: list[dict]) -> dict[str, torch.Tensor]:
        """Return examples as tensors."""
        batch = make_batch(examples, self.run.model, None, None)
        return {name: torch.from_numpy(array) for name, array in batch.items()}


def new_run(options, rows, seed: int, dtype=np.float32, **changes) -> Run:
    """Return a run on these rows, its model made as `fine_tune` makes it."""
    model = tasks.new_model("classify", options.rows, options.model, seed, dtype)
    model.config = model.config.changed(**changes)
    recipe = Recipe(options.epochs, options.batch_size, lr=options.lr, seed=seed)
    return Run(model, examples(options, rows, model), None, recipe, None, None)


def examples(options, rows, model) -> list[dict]:
    """Return the examples of rows."""
    encode = options.tokenizer
    return tasks.examples_of("classify", rows, encode, model.config.label2id)


def train(ours: Run, theirs: TorchRun, times: dict[str, list[float]]) -> None:
    """Train both, an epoch of the one and then an epoch of the other."""
    for epoch in range(ours.recipe.epochs):
        for name, run in (("NumPy", ours), ("PyTorch", theirs)):
            for batches in ours.order(epoch):
                start = time.perf_counter()
                run.take_step(batches)
                times[name].append(time.perf_counter() - start)


def folds(rows: list, n_folds: int, seed: int) -> list[list[int]]:
    """Return the numbers of the rows, by chance in folds of like size."""
    order = np.random.default_rng(seed).permutation(len(rows))
    return [sorted(part.tolist()) for part in np.array_split(order, n_folds)]


def cross_validate(options, seed: int, times, wrong: Counter) -> dict[str, float]:
    """Return the accuracy of both over all rows, each guessed when it was held out."""
    right = Counter()
    for number, fold in enumerate(folds(options.rows, options.folds, seed)):
        held_out = [options.rows[row] for row in fold]
        kept = [row for i, row in enumerate(options.rows) if i not in fold]
        ours = new_run(options, kept, seed * options.folds + number)
        theirs = TorchRun(ours)
        clock = {name: [] for name in times}
        train(ours, theirs, clock)
        for name in times:
            times[name] += clock[name][UNEVEN:]
        test_set = examples(options, held_out, ours.model)
        batch = make_batch(test_set, ours.model, None, None)
        guesses = {
            "NumPy": ours.model(**batch).logits.argmax(-1),
            "PyTorch": theirs.guesses(test_set),
        }
        names = ours.model.config.id2label
        for name, guessed in guesses.items():
            right[name] += int((guessed == batch["labels"]).sum())
            for row, guess in zip(held_out, guessed, strict=True):
                if names[int(guess)] != row.text("label"):
                    wrong[row.text("text"), row.text("label"), names[int(guess)]] += 1
    return {name: right[name] / len(options.rows) for name in times}


def largest_difference(options, dtype) -> tuple[float, float]:
    """Return how far apart the losses are without dropout: early on, and ever."""
    run = new_run(options, options.rows, 0, dtype, **NO_DROPOUT)
    theirs = TorchRun(run)
    train(run, theirs, {"NumPy": [], "PyTorch": []})
    apart = np.abs(np.subtract(run.history.losses, theirs.losses))
    return apart[:20].max(), apart.max()


def mean_and_deviation(values: list[float]) -> str:
    """Return both as a text."""
    return f"{statistics.mean(values):.1%} ± {statistics.stdev(values):.1%}"


def processor() -> str:
    """Return the name of the processor, as well as the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line for line in file if line.startswith("model name")]
        return names[0].split(":")[1].strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def main() -> None:
    """Print the accuracies, the times, and how close the curves are."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--wrong", type=int, default=10, help="rows to show")
    options = parser.parse_args()
    if options.seeds < 2:
        parser.error("--seeds: expected two or more, for a deviation")
    threads = int(os.environ.get("OPENBLAS_NUM_THREADS", os.cpu_count() or 1))
    torch.set_num_threads(threads)
    transformers.utils.logging.disable_progress_bar()
    options.rows = tasks.read_rows(options.data)
    options.tokenizer = DistilBertTokenizer.from_pretrained(options.model)

    print(f"{len(options.rows)} rows, {options.folds} folds, {options.epochs} epochs, "
          f"batches of {options.batch_size}, peak rate {options.lr}")
    print(f"{processor()}, {threads} threads; numpy {np.__version__}, "
          f"torch {torch.__version__}, transformers {transformers.__version__}\n")
    times, wrong = {"NumPy": [], "PyTorch": []}, Counter()
    accuracies = []
    print("seed    NumPy  PyTorch")
    for seed in range(options.seeds):
        accuracies.append(cross_validate(options, seed, times, wrong))
        cells = "".join(f"{accuracies[-1][name]:9.1%}" for name in times)
        print(f"{seed:4}{cells}", flush=True)

    for name in times:
        found = mean_and_deviation([accuracy[name] for accuracy in accuracies])
        step = statistics.median(times[name])
        print(f"{name:8} accuracy {found}, median step {step * 1000:.1f} ms")
    apart = [accuracy["NumPy"] - accuracy["PyTorch"] for accuracy in accuracies]
    error = statistics.stdev(apart) / math.sqrt(len(apart))
    print(f"NumPy − PyTorch: {statistics.mean(apart):+.1%}, standard error {error:.1%}")
    ratio = statistics.median(times["NumPy"]) / statistics.median(times["PyTorch"])
    print(f"time of a step, NumPy / PyTorch: {ratio:.2f}\n")

    for dtype in (np.float32, np.float64):
        early, ever = largest_difference(options, dtype)
        print(f"without dropout, {np.dtype(dtype)}: the losses differ by {early:.1e} "
              f"in the first 20 steps, by {ever:.1e} in all")

    if options.wrong:
        print(f"\nwrong most often, of {2 * options.seeds} times:")
    misses = Counter()
    for (text, label, _), count in wrong.items():
        misses[text, label] += count
    for (text, label), count in misses.most_common(options.wrong):
        taken = {guess: n for (t, _, guess), n in wrong.items() if t == text}
        guess = max(taken, key=taken.get)
        print(f"{count:4}  {text}  {label}, taken for {guess}")


if __name__ == "__main__":
    main()
