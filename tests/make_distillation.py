"""Write tests/reference/distillation.* anew: python tests/make_distillation.py

Needs torch and transformers (the parity extra). The losses are PyTorch's own modules,
put together as in the authors' distiller; models, optimiser, clipping and schedule are
those of make_trajectories.py; all in float64.
"""

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1])]

import numpy as np
import torch
import transformers
from distillation import (
    LEARNED,
    LESSONS,
    LOSSES,
    N_STEPS,
    WARMUP,
    WAY,
    Array,
    Lesson,
    State,
    batch,
    sample,
)
from make_trajectories import build, make_optimizer, state_of, write_files
from reference import digest, vanishes
from torch.nn.functional import log_softmax, softmax

VERSION = 1


def losses_of(
    teacher: Any, student: Any, lesson: Lesson, given: dict[str, Array]
) -> dict[str, torch.Tensor]:
    """Return the weighed loss of a batch, and its three parts, all of them computed."""
    inputs = {name: torch.as_tensor(array) for name, array in given.items()}
    labels, T = inputs.pop("labels"), lesson.temperature
    with torch.no_grad():
        soft = teacher(**inputs, output_hidden_states=True)
    out = student(**inputs, output_hidden_states=True)
    asked = labels > -1
    kl = torch.nn.KLDivLoss(reduction="batchmean")(
        log_softmax(out.logits[asked] / T, dim=-1),
        softmax(soft.logits[asked] / T, dim=-1),
    ) * T**2
    mlm = torch.nn.CrossEntropyLoss(ignore_index=-100)(
        out.logits.flatten(0, 1), labels.flatten()
    )
    cos = torch.zeros(())
    if lesson.weights[2]:                        # else the widths may differ
        seen = inputs["attention_mask"] == 1
        h, soft_h = out.hidden_states[-1][seen], soft.hidden_states[-1][seen]
        cos = torch.nn.CosineEmbeddingLoss()(h, soft_h, torch.ones(len(h)))
    parts = (kl, mlm, cos)
    loss = sum(w * part for w, part in zip(lesson.weights, parts, strict=True))
    return dict(zip(LOSSES, (loss, *parts), strict=True))


def learn(
    lesson: Lesson, dtype: torch.dtype
) -> tuple[dict[str, float], dict[str, Array]]:
    """Return the loss of a batch, and its parts; and the student's gradients."""
    teacher, student = (build(case, dtype) for case in lesson.cases)
    losses = losses_of(teacher, student, lesson, lesson.cases[1].arguments())
    losses["loss"].backward()
    return {name: loss.item() for name, loss in losses.items()}, {
        name: parameter.grad.numpy() for name, parameter in student.named_parameters()
    }


def train(lesson: Lesson, dtype: torch.dtype) -> Iterator[tuple[float, float, State]]:
    """Yield loss, gradient's norm, and what there is after each step of PyTorch's."""
    teacher, student = (build(case, dtype) for case in lesson.cases)
    optimizer = make_optimizer(student, WAY)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, WARMUP, N_STEPS)
    for step in range(N_STEPS):
        optimizer.zero_grad()
        given = batch(lesson.cases[1], step)
        loss = losses_of(teacher, student, lesson, given)["loss"]
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(student.parameters(), WAY.max_norm)
        optimizer.step()
        schedule.step()
        yield loss.item(), norm.item(), state_of(student, optimizer)


def described(tensors: dict[str, Array]) -> tuple[Array, dict[str, Any]]:
    """Return sampled tensors in one row, and how many are kept of each; its largest."""
    samples = {name: sample(array) for name, array in tensors.items()}
    return np.concatenate(list(samples.values())), {
        name: [kept.size, float(f"{np.abs(tensors[name]).max():.12g}")]
        for name, kept in samples.items()
    }


def describe(lesson: Lesson) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return what is stored of a lesson, and its manifest entry."""
    losses, gradients = learn(lesson, torch.float64)
    for name, gradient in gradients.items():
        if vanishes(lesson.cases[1], name):      # and is rounding
            assert np.abs(gradient).max() <= 1e-10
            gradient[:] = 0
    row, about = described(gradients)
    arrays = {"losses": np.array(list(losses.values())), "gradients": row}
    entry = {
        "weights_sha256": [digest(case.tensors()) for case in lesson.cases],
        "gradients": about,
    }
    if lesson is LEARNED:
        steps, _, states = zip(*train(lesson, torch.float64), strict=True)
        arrays["steps"] = np.array(steps)
        arrays["state"], entry["state"] = described(states[-1])
    return {f"{lesson.name}/{name}": array for name, array in arrays.items()}, entry


def write() -> None:
    """Write both files."""
    tensors, lessons = {}, {}
    for lesson in LESSONS:
        arrays, lessons[lesson.name] = describe(lesson)
        tensors |= arrays
    write_files("distillation", VERSION, tensors, {"lessons": lessons})


if __name__ == "__main__":
    warnings.simplefilter("error")
    torch.set_num_threads(1)                     # the arrays are small
    write()
