"""It learns: 300 questions, told apart by the kind of answer that they ask for.

`python -m tests.tools.compare_training` compares the accuracy with PyTorch's.
"""

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from distilbert_np import DistilBertTokenizer
from distilbert_np.training import AdamW, Recipe, fine_tune, tasks

DATA = Path(tasks.__file__).with_name("data") / "questions.csv"
KINDS = ["animal", "food", "number", "person", "place", "time"]


def questions():
    with open(DATA, encoding="utf-8", newline="") as file:
        return [(row["text"], row["label"]) for row in csv.DictReader(file)]


def words(text):
    return re.findall(r"[a-z]+", text.lower())


# --- the file -------------------------------------------------------------------------

def test_there_are_fifty_questions_of_each_kind():
    assert Counter(label for _, label in questions()) == dict.fromkeys(KINDS, 50)


def test_the_kinds_are_mixed():
    labels = [label for _, label in questions()]
    for start in range(0, 300, 50):
        assert set(labels[start : start + 50]) == set(KINDS)


def test_every_question_is_one_sentence():
    for text, _ in questions():
        assert re.fullmatch(r"[A-Z][^.?!]*[a-z]\?", text), text


def test_no_two_questions_are_nearly_the_same():
    seen = {}
    for text, _ in questions():
        found = words(text)
        # Two that differ in one word are the same without it.
        shorter = {tuple(found[:i] + found[i + 1 :]) for i in range(len(found))}
        for some in {tuple(found), *shorter}:
            assert some not in seen, f"{text} is too near to {seen[some]}"
            seen[some] = text


def test_the_tokenizer_knows_the_words():
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")
    texts = [text for text, _ in questions()]
    assert not any("[UNK]" in tokenizer.tokenize(text) for text in texts)
    pieces = [tokenizer.tokenize(word) for text in texts for word in words(text)]
    assert sum(len(found) > 1 for found in pieces) < 0.06 * len(pieces)


def test_the_first_word_alone_does_not_tell_the_kind():
    kinds = {}
    for text, label in questions():
        kinds.setdefault(words(text)[0], Counter())[label] += 1
    told = sum(max(found.values()) for found in kinds.values())
    assert told < 0.55 * 300


# --- learning it ----------------------------------------------------------------------

class HeadOnly(AdamW):
    """AdamW that leaves the encoder as it is."""

    def __init__(self, params, **options):
        super().__init__(params, **options)
        for name in list(self.params):
            if name.startswith("distilbert."):
                del self.params[name]


# Seeds 0 to 7 were right about 67 to 83 % of the questions held out; where the encoder
# does not learn, it is 20 to 52 % (seed 0: 38 %); where labels are shuffled,
# 13 to 17 %.
@pytest.mark.parametrize(
    ("optimizer", "least", "most"), [(AdamW, 0.55, 0.95), (HeadOnly, 0, 0.5)]
)
def test_the_embedded_model_learns_it(tmp_path, optimizer, least, most):
    recipe = Recipe(epochs=6, lr=2e-3, optimizer=optimizer)
    report = fine_tune("classify", DATA, tmp_path, recipe=recipe, progress=False)
    assert report["examples"] == 240 and report["held_out"] == 60
    assert least < report["evaluations"][-1]["accuracy"] < most
