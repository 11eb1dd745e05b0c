"""The pipelines against transformers' own, live: the questions of answers.py."""

import numpy as np
import pytest
from answers import BOUND, QUESTIONS, TEXTS, Checkpoints, assert_same
from cases import Case
from shared_data import minilm_folder

from distilbert_np import DistilBertTokenizer, pipeline

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import ours
from make_answers import Theirs


@pytest.fixture(scope="module")
def theirs():
    return Theirs()


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    """Return a function that writes a question's checkpoint, once."""
    return Checkpoints(tmp_path_factory.mktemp("checkpoints")).of


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name[:60])
def test_the_answer_is_that_of_transformers(theirs, folder_of, question):
    if question.task == "question-answering" and not hasattr(
        transformers, "QuestionAnsweringPipeline"
    ):
        pytest.skip(f"transformers {transformers.__version__} answers no questions")
    found = pipeline(question.task, folder_of(question))(
        question.inputs, **question.options
    )
    assert_same(found, theirs.answer(question))


def test_options_of_the_pipeline(folder_of):
    folder = folder_of(
        next(one for one in QUESTIONS if one.task == "text-classification")
    )
    found = pipeline("sentiment-analysis", folder, top_k=None)
    expected = transformers.pipeline("sentiment-analysis", str(folder), top_k=None)
    for texts in (TEXTS, TEXTS[3], TEXTS[:1]):
        assert_same(found(texts), expected(texts))
        assert_same(found(texts, top_k=1), expected(texts, top_k=1))


def test_choices(tmp_path):
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")
    config = {"vocab_size": len(tokenizer), "max_position_embeddings": 128}
    model = ours.build(Case("choices", "multiple_choice", config), "float32")
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = transformers.DistilBertForMultipleChoice.from_pretrained(tmp_path)
    choose = pipeline("multiple-choice", tmp_path)
    choices = ["can run.", "is 你好 🤗", "", "was a very big " * 9]
    pairs = tokenizer(["Anna has a dog. It"] * 4, choices, padding=True)
    inputs = {name: torch.tensor(rows)[None] for name, rows in pairs.items()}
    with torch.no_grad():
        expected = model(**inputs).logits.softmax(-1)[0]
    answers = choose("Anna has a dog. It", choices)
    assert [a["score"] for a in answers] == sorted(a["score"] for a in answers)[::-1]
    for answer in answers:
        label, score = answer["label"], answer["score"]
        assert choices[label] == answer["choice"]
        assert score == pytest.approx(float(expected[label]), abs=BOUND)


def test_a_real_pretrained_model():
    folder = minilm_folder()
    found = pipeline("feature-extraction", folder)(TEXTS, return_tensors=True)
    expected = transformers.pipeline("feature-extraction", str(folder))(
        TEXTS, return_tensors=True
    )
    for ours_, theirs_ in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours_, theirs_.numpy(), 0, BOUND)
