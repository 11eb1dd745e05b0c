"""The loop: steps, epochs, evaluations, and checkpoints to go on from.

    fit(model, examples, tokenizer, Recipe(epochs=5, lr=1e-3), folder="out")
"""

import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ..config import whole
from ..errors import InputError, TrainingError, shown
from ..files import made_folder
from ..functions import Array
from ..models import DistilBertPreTrainedModel
from ..tokenizer import DistilBertTokenizer
from ..trees import flatten
from .batches import (
    Example,
    batches_by_length,
    checked_examples,
    checked_mask_weights,
    chunks,
    length,
    make_batch,
)
from .checkpoints import load_tensors, read_state, save_checkpoint
from .metrics import Metrics, evaluate
from .recipe import Recipe
from .step import Objective, own_loss, train_step

# What a random stream is for. Each epoch's order and each step has a stream of its own,
# made from the seed, so that a run that goes on draws what it would have drawn.
ORDER, STEP = 1, 2


@dataclass
class History:
    """What became of a run: the loss of each step, and the evaluation of each epoch."""

    losses: list[float] = field(default_factory=list)
    evaluations: list[Metrics] = field(default_factory=list)
    resumed_at: int = 0                          # the step of the checkpoint, if any

    @property
    def best(self) -> Metrics | None:
        """The evaluation whose first figure is the best; the earlier one of equals."""
        return max(self.evaluations, key=merit) if self.evaluations else None


def merit(evaluation: Metrics) -> tuple[float, ...]:
    """Return what evaluations are compared by: the first metric, and then the loss."""
    metrics = [v for name, v in evaluation.items() if name not in ("epoch", "loss")]
    keys = (*metrics[:1], -evaluation["loss"])
    return tuple(key if math.isfinite(key) else -math.inf for key in keys)


def fit(
    model: DistilBertPreTrainedModel,
    examples: Iterable[Example],
    tokenizer: DistilBertTokenizer | None = None,
    recipe: Recipe | None = None,
    *,
    held_out: Iterable[Example] | None = None,
    folder: str | Path | None = None,
    save_every: int | None = None,
    progress: bool = True,
    on_evaluation: Callable[[Metrics], None] | None = None,
    objective: Objective | None = None,
    mask_weights: Array | None = None,
) -> History:
    """Train a model in place; return its losses, and how it did after each epoch.

    `examples` are dicts, each of one text and unpadded:

        sequence, token      input_ids, labels
        question answering   input_ids, start_positions, end_positions
        multiple choice      input_ids (a list for each choice), labels
        masked LM            input_ids; the `tokenizer` masks them anew in each batch

    `held_out` examples are evaluated after each epoch; `on_evaluation` gets the result.
    `folder` receives the model: the best epoch's, if some are held out, else the last.
    It also receives a checkpoint after every `save_every` steps and each epoch: called
    again with the same arguments, a run that was stopped goes on from the last one, and
    on the same machine ends with the bits it would have ended with.

    `objective` is what is made small, such as a Distillation; without one, the model's
    own loss. `mask_weights` (V,) say how readily masked LM asks for each token; of what
    is held out all are asked for alike, so that the figures of several runs compare.

    Raises TrainingError where a loss or gradient is not finite, naming the first such
    tensor, or where `folder` holds another run; InputError for unusable arguments.
    """
    if save_every is not None and not whole(1)(save_every):
        found = shown(save_every)
        raise InputError(f"save_every: expected a number of steps, found {found}")
    if tokenizer is not None and not isinstance(tokenizer, DistilBertTokenizer):
        found = shown(tokenizer)
        raise InputError(f"tokenizer: expected a DistilBertTokenizer, found {found}")
    recipe = Recipe() if recipe is None else recipe
    if not isinstance(recipe, Recipe):
        raise InputError(f"recipe: expected a Recipe, found {shown(recipe)}")
    run = Run(
        model, examples, tokenizer, recipe, held_out, folder, objective, mask_weights
    )
    run.resume()
    tell = on_evaluation or (lambda metrics: None)
    for metrics in run.history.evaluations:      # those before a stop
        tell(metrics)
    start, n_tokens = time.monotonic(), 0
    with tqdm(
        total=run.n_steps, initial=run.step, unit="step", disable=not progress
    ) as bar:
        for epoch in range(run.step // run.steps_per_epoch, recipe.epochs):
            for batches in run.order(epoch)[run.step % run.steps_per_epoch :]:
                n_tokens += run.take_step(batches)
                rate = n_tokens / (time.monotonic() - start)
                loss = run.history.losses[-1]
                bar.set_postfix_str(f"loss {loss:.3f}, {rate:,.0f} tokens/s", False)
                bar.update()
                amid_epoch = run.step % run.steps_per_epoch
                if save_every and amid_epoch and run.step % save_every == 0:
                    run.save()
            run.evaluate(epoch)
            run.save()
            bar.clear()
            for metrics in run.history.evaluations[-1:]:
                tell(metrics)
    return run.history


class Run:
    """A run of training: the model, what it learns from, and how far it has come."""

    def __init__(
        self,
        model: DistilBertPreTrainedModel,
        examples: Iterable[Example],
        tokenizer: DistilBertTokenizer | None,
        recipe: Recipe,
        held_out: Iterable[Example] | None,
        folder: str | Path | None,
        objective: Objective | None,
        mask_weights: Array | None,
    ) -> None:
        self.model, self.tokenizer, self.recipe = model, tokenizer, recipe
        self.examples = checked_examples("examples", examples, model.head)
        self.held_out = held_out
        if held_out is not None:
            self.held_out = checked_examples("held_out", held_out, model.head)
        self.objective = objective
        self.mask_weights = checked_mask_weights(mask_weights, model)
        self.folder = None if folder is None else made_folder(folder)
        self.optimizer = recipe.make_optimizer(model.params)
        n_batches = math.ceil(len(self.examples) / recipe.batch_size)
        self.steps_per_epoch = math.ceil(n_batches / recipe.accumulate)
        self.n_steps = recipe.epochs * self.steps_per_epoch
        self.settings = self.describe() if self.folder else {}
        self.step = 0
        self.history = History()

    def order(self, epoch: int) -> list[list[Array]]:
        """Return the numbers of the examples of each batch of each step of an epoch."""
        rng = np.random.default_rng([self.recipe.seed, epoch, ORDER])
        lengths = [length(example) for example in self.examples]
        batches = batches_by_length(lengths, self.recipe.batch_size, rng)
        return chunks(batches, self.recipe.accumulate)

    def take_step(self, order: list[Array]) -> int:
        """Train once on batches of these examples; return how many tokens they had."""
        recipe = self.recipe
        rng = np.random.default_rng([recipe.seed, self.step, STEP])
        batches = [
            make_batch(
                [self.examples[row] for row in rows], self.model, self.tokenizer, rng,
                self.mask_weights,
            )
            for rows in order
        ]
        lr = recipe.lr_at(self.step, self.n_steps)
        self.step += 1
        try:
            loss = train_step(
                self.model, batches, self.optimizer, lr, recipe.max_grad_norm, rng,
                self.objective or own_loss,
            )
        except TrainingError as error:
            raise TrainingError(f"step {self.step}: {error}") from None
        self.history.losses.append(loss)
        return sum(int(batch["attention_mask"].sum()) for batch in batches)

    def evaluate(self, epoch: int) -> None:
        """Evaluate what is held out, and save the model if none was better before."""
        if self.held_out:
            metrics = evaluate(
                self.model, self.held_out, self.tokenizer,
                batch_size=self.recipe.batch_size, seed=self.recipe.seed,
            )
            self.history.evaluations.append({"epoch": epoch + 1} | metrics)
            if self.history.best is not self.history.evaluations[-1]:
                return
        if self.folder:
            self.model.save_pretrained(self.folder)
            if self.tokenizer:
                self.tokenizer.save_pretrained(self.folder)

    # --- going on after a stop --------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """Return what a run must share with another one to be the same, for JSON."""
        settled = ("architectures", "dtype", "problem_type")       # by the run itself
        config = {
            f"config.{name}": value
            for name, value in self.model.config.to_dict().items()
            if name not in settled
        }
        weights, teacher = self.mask_weights, getattr(self.objective, "teacher", None)
        settings = asdict(self.recipe) | {
            "model": self.model.load_report and self.model.load_report.source,
            "head": self.model.head,
            "dtype": self.model.dtype.name,
            "examples": f"{len(self.examples)} ({digest(self.examples)})",
            "held_out": digest(self.held_out),
            "mask_weights": None if weights is None else digest(weights),
            "objective": self.objective,
            "teacher": teacher and digest_of_params(teacher),
        } | config
        return json.loads(json.dumps(settings, default=name_of))

    def save(self) -> None:
        """Write a checkpoint."""
        if self.folder:
            state = {
                "step": self.step,
                "settings": self.settings,
                "losses": self.history.losses,
                "evaluations": self.history.evaluations,
            }
            save_checkpoint(self.folder, self.optimizer, state)

    def resume(self) -> None:
        """Go on from the checkpoint in the folder; if there is none, write the first.
        """
        if self.folder is None:
            return
        state = read_state(self.folder)
        if state is None:
            self.save()
            return
        theirs = state["settings"]
        for name, ours in self.settings.items():
            if theirs.get(name) != ours:
                raise TrainingError(
                    f"{self.folder}: holds a checkpoint of another run: {name} was "
                    f"{theirs.get(name)}, and is {ours}; choose another folder"
                )
        load_tensors(self.folder, self.optimizer)
        self.step = self.optimizer.n_steps = state["step"]
        self.history = History(state["losses"], state["evaluations"], self.step)


def digest(examples: list[Example] | Array | None) -> str:
    """Return a fingerprint of examples, or of numbers."""
    text = json.dumps(examples, default=lambda array: array.tolist())
    return sha256(text.encode()).hexdigest()[:16]


def digest_of_params(model: DistilBertPreTrainedModel) -> str:
    """Return a fingerprint of a model's parameters."""
    sha = sha256()
    for array in flatten(model.params).values():
        sha.update(np.ascontiguousarray(array))
    return sha.hexdigest()[:16]


def name_of(value: Any) -> str:
    """Return the name of a class or function, for JSON."""
    return getattr(value, "__name__", repr(value))
