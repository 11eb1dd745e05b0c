"""The pipelines: what transformers' own answer to the same questions, and bad calls."""

import json

import pytest
from answers import FILE, QUESTIONS, assert_same, write_checkpoint

from distilbert_np import pipeline

ANSWERS = json.loads(FILE.read_text(encoding="utf-8"))["answers"]


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """Return a function that puts a question to our pipeline on its checkpoint."""
    made = {}

    def answer(question, **options):
        key = f"{question.task} {question.config}"
        if key not in made:
            folder = tmp_path_factory.mktemp("checkpoint")
            write_checkpoint(folder, question)
            made[key] = pipeline(question.task, folder)
        return made[key](question.inputs, **question.options, **options)

    return answer


def test_every_question_has_its_answer_and_no_other_is_kept():
    assert [question.name for question in QUESTIONS] == list(ANSWERS)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name[:60])
@pytest.mark.parametrize(
    "batching", [{}, {"batch_size": 1}, {"max_tokens_per_batch": 99}], ids=str
)
def test_the_answer_is_that_of_transformers(ask, question, batching):
    assert_same(ask(question, **batching), ANSWERS[question.name])
