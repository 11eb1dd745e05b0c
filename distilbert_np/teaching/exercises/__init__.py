"""The exercises of the ten lessons, by name; a file for each lesson."""

from ..exercise import Exercise
from . import (
    lesson01_tokens,
    lesson02_embeddings,
    lesson03_attention,
    lesson04_ffn,
    lesson05_encoder,
    lesson06_heads,
    lesson07_backward,
    lesson08_distillation,
    lesson09_fast,
    lesson10_clinic,
)

LESSONS = (
    lesson01_tokens,
    lesson02_embeddings,
    lesson03_attention,
    lesson04_ffn,
    lesson05_encoder,
    lesson06_heads,
    lesson07_backward,
    lesson08_distillation,
    lesson09_fast,
    lesson10_clinic,
)
EXERCISES: dict[str, Exercise] = {
    exercise.name: exercise for lesson in LESSONS for exercise in lesson.EXERCISES
}
