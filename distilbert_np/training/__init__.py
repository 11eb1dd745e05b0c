"""How a model learns: optimisers, batches, the loop; and the tiny world's text.

    optimizers.py   SGD, Adam, AdamW; clipping, and the schedule of the learning rate
    batches.py      examples of like length together, padded, masked
    step.py         forward, backward, and the parameters move
    recipe.py       the numbers that a run depends on
    loop.py         fit: steps, epochs, evaluations; checkpoints.py lets it go on
    metrics.py      accuracy, F1, exact match on what was held out
    distill.py      a small model learns from a large one
    tasks.py        files of texts with labels → examples
    tiny_world/     the text that the embedded models learned from
    study.py        a teacher and its students there, and what the recipe is worth
"""

from .batches import batches_by_length, make_batch, mask_tokens, mask_weights, pad
from .distill import Distillation, student_layers, student_of
from .loop import History, fit
from .metrics import evaluate
from .optimizers import SGD, Adam, AdamW, clip_by_global_norm, linear_schedule
from .recipe import Recipe
from .step import train_step
from .tasks import fine_tune

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Distillation",
    "History",
    "Recipe",
    "batches_by_length",
    "clip_by_global_norm",
    "evaluate",
    "fine_tune",
    "fit",
    "linear_schedule",
    "make_batch",
    "mask_tokens",
    "mask_weights",
    "pad",
    "student_layers",
    "student_of",
    "train_step",
]
