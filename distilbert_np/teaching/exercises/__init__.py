"""The exercises of the ten lessons, by name; a file for each lesson."""

from ..exercise import Exercise
from . import lesson03_attention, lesson07_backward, lesson09_fast

LESSONS = (lesson03_attention, lesson07_backward, lesson09_fast)
EXERCISES: dict[str, Exercise] = {
    exercise.name: exercise for lesson in LESSONS for exercise in lesson.EXERCISES
}
