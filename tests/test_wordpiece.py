"""WordPiece in plain Python cuts as the tokenizers library does."""

import numpy as np
import pytest

from distilbert_np import DistilBertTokenizer
from distilbert_np.teaching.exercises import EXERCISES
from distilbert_np.teaching.wordpiece import is_punctuation, split_words, wordpiece
from distilbert_np.training.tiny_world import sentences

TEXTS = [
    *sentences(seed=5, n=100),
    "Where is Reykjavík?", "Crème brûlée, naïve façade: ÀÉÎÕÜ", "Smørrebrød, Łódź, ß",
    "“Really?!” she said… (twice) – ¿qué?", "x² + 3.50€ = $4 ~ `a_b`", "ꙮ many-eyed ꙮ",
    " \t\n", "", "привет, мир! γειά", "unhappinesses zzz qqq ########",
]


@pytest.fixture(scope="module")
def tokenizer():
    return DistilBertTokenizer.from_pretrained("tiny")


@pytest.mark.parametrize("text", TEXTS)
def test_it_agrees_with_the_library(tokenizer, text):
    known = tokenizer.get_vocab()
    words = split_words(text)
    assert words == EXERCISES["split_words"].answer(text)
    pieces = [piece for word in words for piece in wordpiece(word, known)]
    assert pieces == tokenizer.tokenize(text)


def test_it_agrees_on_letters_at_random(tokenizer):
    rng, known = np.random.default_rng(0), tokenizer.get_vocab()
    for length in range(1, 40):
        word = "".join(rng.choice([*"aeinorst"], length))
        assert wordpiece(word, known) == tokenizer.tokenize(word)


def test_every_sign_of_the_keyboard_is_punctuation():
    marks = [chr(code) for code in range(33, 127) if not chr(code).isalnum()]
    assert all(map(is_punctuation, marks)) and not any(map(is_punctuation, "aZ0 é€²"))
