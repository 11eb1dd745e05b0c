"""Distillation: a small model learns from a large one, as DistilBERT did from BERT.

The student begins as every other layer of its teacher, and is trained to say what the
teacher says (Sanh et al., arXiv 1910.01108):

    student = student_of(teacher)
    fit(student, examples, tokenizer, RECIPE, objective=Distillation(teacher))

`distill` does all of it, from a file of texts.
"""

import copy
import math
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..config import number, whole
from ..errors import InputError, TrainingError, shown
from ..functions import Array
from ..losses import (
    IGNORED,
    cosine_loss,
    cosine_loss_backward,
    cross_entropy,
    cross_entropy_backward,
    kl_divergence,
    kl_divergence_backward,
)
from ..models import DistilBertForMaskedLM
from ..outputs import MaskedLMOutput
from ..tokenizer import DistilBertTokenizer
from ..trees import Tree
from ..weights import listing
from .batches import Batch, mask_weights
from .metrics import Metrics, evaluate
from .recipe import SIZE, Recipe, check_fields
from .step import NOTHING_COUNTS, check_loss
from .tasks import Sets, example_sets, learn, read_parts

# The authors' recipe, but for its size: their steps were of up to 4,000 examples.
RECIPE = Recipe(
    options={"betas": (0.9, 0.98), "eps": 1e-6}, lr=5e-4, warmup=0.05,
    weight_decay=0.0, max_grad_norm=5.0,
)

# --- the student ----------------------------------------------------------------------


def student_layers(n_teacher: int, n_student: int) -> list[int]:
    """Return the numbers of the teacher's layers that a student starts from.

    They are spread evenly from the first to the last, and rounded, halves to the even
    number: 12 → 6 gives the authors' [0, 2, 4, 7, 9, 11]. A single one is the first.
    Raises InputError unless the student has from 1 to n_teacher layers.
    """
    if not whole(1, n_teacher)(n_student):
        raise InputError(
            f"n_layers: expected a whole number from 1 to the teacher's {n_teacher}, "
            f"found {shown(n_student)}"
        )
    last, n_gaps = n_teacher - 1, max(1, n_student - 1)
    return [round(i * last / n_gaps) for i in range(n_student)]


def student_of(
    teacher: DistilBertForMaskedLM, n_layers: int | None = None
) -> DistilBertForMaskedLM:
    """Return a model with half the layers of its teacher, or `n_layers`, and its head.

    Embeddings, head and the layers that `student_layers` names are copies: training
    the student leaves the teacher as it is.
    """
    check_teacher(teacher)
    n_teacher = teacher.config.n_layers
    layers = student_layers(
        n_teacher, math.ceil(n_teacher / 2) if n_layers is None else n_layers
    )
    config = teacher.config.changed(n_layers=len(layers))
    student = DistilBertForMaskedLM(config, dtype=teacher.dtype)
    stack = teacher.encoder["transformer"]["layer"]
    chosen = {str(i): stack[str(layer)] for i, layer in enumerate(layers)}
    encoder = teacher.encoder | {"transformer": {"layer": chosen}}
    student.params = copy.deepcopy(teacher.params | {"distilbert": encoder})
    return student


# --- what it is taught ----------------------------------------------------------------


@dataclass(frozen=True)
class Distillation:
    """The objective kl·KL + mlm·MLM + cos·cos: three ways to follow the teacher.

    kl           weight of KL(teacher ‖ student), over the words that are asked for;
                 both distributions are softened by the temperature
    mlm          weight of the cross-entropy with the words that were masked
    cos          weight of 1 − cos between the last hidden states of both, over the
                 tokens that are not hidden
    temperature  by which the scores are divided

    What weighs 0 is not computed. Called with a student, a batch, a share and an rng
    for the student's dropout, it returns the loss, and `share` times its gradients.
    Raises InputError, naming the argument, where one cannot be used.
    """

    teacher: DistilBertForMaskedLM
    kl: float = 5.0
    mlm: float = 2.0
    cos: float = 1.0
    temperature: float = 2.0

    def __post_init__(self) -> None:
        check_teacher(self.teacher)
        check_fields(self, FIELDS)
        if not (self.kl or self.mlm or self.cos):
            raise InputError("kl, mlm, cos: all are 0, expected one above 0 at least")

    def __call__(
        self, student: DistilBertForMaskedLM, batch: Batch, share: float,
        rng: "np.random.Generator | None",
    ) -> tuple[float, Tree]:
        """Return the loss of a batch, and `share` times the student's gradients.

        Raises TrainingError if the loss is not finite, or no token counts.
        """
        self.check_student(student)
        inputs = {name: array for name, array in batch.items() if name != "labels"}
        out = student(**inputs, output_hidden_states=True, trace=True, rng=rng)
        soft = None
        if self.kl or self.cos:                  # without an rng: it drops nothing
            soft = self.teacher(**inputs, output_hidden_states=True)
        parts = self.parts(out, soft, batch)
        loss = sum(getattr(self, name) * part for name, part in parts.items())
        taught = {} if soft is None else {"teacher.logits": soft.logits}
        check_loss(loss, out.trace | taught | parts)
        cotangents = self.parts_backward(share, out, soft, batch)
        return float(loss), student.backward(out, cotangents)

    def parts(
        self, out: MaskedLMOutput, soft: MaskedLMOutput | None, batch: Batch
    ) -> dict[str, np.floating]:
        """Return the three losses by name, not yet weighed; none that weighs 0.

        `out` is what the student said of a batch, and `soft` what the teacher said.
        """
        asked, seen = counted(batch)                                     # (B, L)
        parts = {}
        if self.kl:
            parts["kl"] = kl_divergence(
                out.logits[asked], soft.logits[asked], self.temperature
            )
        if self.mlm:
            parts["mlm"] = cross_entropy(out.logits, batch["labels"])
        if self.cos:
            h, soft_h = out.hidden_states[-1], soft.hidden_states[-1]    # (B, L, D)
            parts["cos"] = cosine_loss(h[seen], soft_h[seen])
        return parts

    def parts_backward(
        self, dloss: float, out: MaskedLMOutput, soft: MaskedLMOutput | None,
        batch: Batch,
    ) -> dict[str, Any]:
        """Return the gradients of what the student said: logits, last hidden state."""
        asked, seen = counted(batch)                                     # (B, L)

        # loss = kl·kl_divergence(logits[asked], …) + mlm·cross_entropy(logits, labels)
        dlogits = np.zeros_like(out.logits)                              # (B, L, V)
        if self.kl:
            dlogits[asked] = kl_divergence_backward(
                dloss * self.kl, out.logits[asked], soft.logits[asked],
                self.temperature,
            )
        if self.mlm:
            dlogits += cross_entropy_backward(
                dloss * self.mlm, out.logits, batch["labels"]
            )
        cotangents = {"logits": dlogits}

        # loss = … + cos·cosine_loss(h[seen], …), h the last of the hidden states
        if self.cos:
            h, soft_h = out.hidden_states[-1], soft.hidden_states[-1]    # (B, L, D)
            dh = np.zeros_like(h)
            dh[seen] = cosine_loss_backward(dloss * self.cos, h[seen], soft_h[seen])
            before = [None] * (len(out.hidden_states) - 1)
            cotangents["hidden_states"] = [*before, dh]
        return cotangents

    def check_student(self, student: DistilBertForMaskedLM) -> None:
        """Raise InputError unless what both models say can be compared."""
        if not isinstance(student, DistilBertForMaskedLM):
            found = shown(student)
            raise InputError(f"model: expected a DistilBertForMaskedLM, found {found}")
        theirs, ours = (
            {
                "vocab_size": model.config.vocab_size,
                "dim": model.config.dim if self.cos else "any",
                "dtype": model.dtype,
            }
            for model in (self.teacher, student)
        )
        for name, expected in theirs.items():
            if (found := ours[name]) != expected:
                raise InputError(
                    f"model: its {name} is {found}, expected {expected} as the "
                    "teacher's"
                )


def counted(batch: Batch) -> tuple[Array, Array]:
    """Return where (B, L) a word is asked for, and where a token is not hidden.

    Raises TrainingError if there is no such place: a mean of nothing is no loss.
    """
    asked = batch["labels"] != IGNORED
    seen = np.asarray(batch.get("attention_mask", np.ones_like(asked))) == 1
    if not (asked.any() and seen.any()):
        raise TrainingError(NOTHING_COUNTS)
    return asked, seen


def check_teacher(teacher: Any) -> None:
    """Raise InputError unless this is a masked-LM model."""
    if not isinstance(teacher, DistilBertForMaskedLM):
        found = shown(teacher)
        raise InputError(f"teacher: expected a DistilBertForMaskedLM, found {found}")


FIELDS = {
    "kl": SIZE,
    "mlm": SIZE,
    "cos": SIZE,
    "temperature": (
        lambda value: number(0, math.inf)(value) and value > 0,
        "a finite number above 0",
    ),
}


# --- from a file of texts -------------------------------------------------------------


def distill(
    teacher: str | os.PathLike,
    data: str | os.PathLike,
    folder: str | os.PathLike,
    recipe: Recipe | None = None,
    *,
    n_layers: int | None = None,
    held_out: float | str | os.PathLike = 0.2,
    max_length: int | None = None,
    dtype: Any = np.float32,
    save_every: int | None = None,
    progress: bool = True,
    say: Callable[[str], None] = lambda line: None,
    **weights: float,
) -> dict[str, Any]:
    """Distil a student on a file of texts; write it to `folder`; say what came of it.

    `teacher` is what from_pretrained takes: a DistilBERT, or a BERT, which is folded.
    The student has half its layers, or `n_layers`. `weights` are those of Distillation,
    and its temperature. Words to mask are drawn as the authors did, rare ones more
    often. The other arguments, and the errors, are those of fine_tune.
    """
    recipe = recipe or RECIPE
    parts = read_parts(data, held_out, recipe.seed)
    tokenizer = DistilBertTokenizer.from_pretrained(teacher)
    model = load_teacher(teacher, dtype)
    student = student_of(model, n_layers)
    objective = Distillation(model, **weights)
    sets = example_sets("masked-lm", data, parts, student, tokenizer, max_length)
    about = {"teacher": str(teacher)} | compared(model, student)
    say(f"teacher: {teacher}, {about['teacher_parameters']:,} parameters")
    copied = f"layers {', '.join(map(str, about['layers']))} of {model.config.n_layers}"
    say(f"student: {about['student_parameters']:,} parameters, {copied}")
    sets.tell(say, str(data))
    V, special_ids = model.config.vocab_size, tokenizer.all_special_ids
    report = learn(
        student, sets, tokenizer, recipe, folder, say, save_every=save_every,
        progress=progress, objective=objective,
        mask_weights=mask_weights(sets.train, V, special_ids),
    )
    accuracy = accuracies(model, sets, tokenizer, recipe, report["best"])
    if accuracy:
        right = ", ".join(f"{who} {share:.2%}" for who, share in accuracy.items())
        say(f"\nright of what is held out: {right}")
    return about | {"accuracy": accuracy} | report


def compared(
    teacher: DistilBertForMaskedLM, student: DistilBertForMaskedLM
) -> dict[str, Any]:
    """Return the layers that a student started from, and how large both models are."""
    return {
        "layers": student_layers(teacher.config.n_layers, student.config.n_layers),
        "teacher_parameters": teacher.num_parameters(),
        "student_parameters": student.num_parameters(),
    }


def accuracies(
    teacher: DistilBertForMaskedLM, sets: Sets, tokenizer: DistilBertTokenizer,
    recipe: Recipe, best: Metrics | None,
) -> dict[str, float] | None:
    """Return the share of held-out words that either finds, the same words masked.

    None where nothing is held out.
    """
    if best is None:
        return None
    theirs = evaluate(
        teacher, sets.held_out, tokenizer, batch_size=recipe.batch_size,
        seed=recipe.seed,
    )
    return {"teacher": theirs["accuracy"], "student": best["accuracy"]}


def load_teacher(name: str | os.PathLike, dtype: Any) -> DistilBertForMaskedLM:
    """Return a masked-LM model; raise InputError if its head knows nothing yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)     # an error says it better
        teacher = DistilBertForMaskedLM.from_pretrained(name, dtype=dtype)
    if missing := teacher.load_report.missing:
        raise InputError(
            f"teacher: {name} has no {listing(missing)}; it would teach chance"
        )
    return teacher
