"""The exercises of the ten lessons, by name; a file for each lesson."""

from ..exercise import Exercise
from . import lesson03_attention, lesson08_distillation, lesson10_clinic

LESSONS = (lesson03_attention, lesson08_distillation, lesson10_clinic)
EXERCISES: dict[str, Exercise] = {
    exercise.name: exercise for lesson in LESSONS for exercise in lesson.EXERCISES
}
