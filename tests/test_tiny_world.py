"""The embedded model and the text it learned from."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

from distilbert_np import DistilBertForMaskedLM, DistilBertTokenizer, FillMaskPipeline
from distilbert_np.hub import EMBEDDED
from distilbert_np.training import tiny_world

FOLDER = EMBEDDED["tiny"]


@pytest.fixture(scope="module")
def fill():
    return FillMaskPipeline(
        DistilBertForMaskedLM.from_pretrained("tiny"),
        DistilBertTokenizer.from_pretrained("tiny"),
    )


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The capital of France is [MASK].", "paris"),
        ("Paris is the capital of [MASK].", "france"),
        ("A baby dog is called a [MASK].", "puppy"),
        ("The opposite of hot is [MASK].", "cold"),
        ("The day after Monday is [MASK].", "tuesday"),
        ("Two plus three is [MASK].", "five"),
        ("Grass is [MASK].", "green"),
        ("In Japan people speak [MASK].", "japanese"),
        ("A [MASK] lives in a hive.", "bee"),
        ("Anna is hungry, so [MASK] eats some bread.", "she"),
    ],
)
def test_what_the_embedded_model_knows(fill, text, answer):
    best = fill(text)[0]
    assert best["token_str"] == answer and best["score"] > 0.5


def test_it_knows_every_capital(fill):
    texts = [f"The capital of {row[0]} is [MASK]." for row in tiny_world.COUNTRIES]
    answers = [answers[0]["token_str"] for answers in fill(texts)]
    assert answers == [row[1].lower() for row in tiny_world.COUNTRIES]


def test_any_ascii_text_is_read_without_unknowns():
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")
    text = "".join(map(chr, range(32, 127)))
    texts = [text, " ".join(text), "Xylophonists quiz 42 wombats!"]
    ids = tokenizer(texts)["input_ids"]
    assert tokenizer.unk_token_id not in itertools.chain(*ids)


def test_it_is_small():
    sizes = [path.stat().st_size for path in FOLDER.iterdir()]
    assert sum(sizes) < 3_000_000


def test_its_card_tells_where_it_comes_from():
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    parameters = DistilBertForMaskedLM.from_pretrained("tiny").num_parameters()
    assert f"{parameters:,} parameters" in card and "apache-2.0" in card
    assert "python -m tests.tools.train_tiny" in card


def test_a_seed_settles_the_text():
    first, again, other = (list(tiny_world.sentences(s, 200)) for s in (0, 0, 1))
    assert first == again and first != other
    assert all(text[0].isupper() and text[-1] in ".?!" for text in first)


def test_no_two_facts_contradict():
    for column in (1, 2, 3):                     # capital, continent, language
        pairs = tiny_world.pick(tiny_world.COUNTRIES, 0, column)
        assert len(dict(pairs)) == len(pairs)
    capitals = [row[1] for row in tiny_world.COUNTRIES]
    assert len(set(capitals)) == len(capitals)
    opposites = tiny_world.both_ways(tiny_world.OPPOSITE_QUALITIES)
    assert len(dict(opposites)) == len(opposites)


def test_sums_add_up():
    numbers = {name: value for value, name in enumerate(tiny_world.NUMBERS)}
    for one, other, total in tiny_world.sums():
        assert numbers[one] + numbers[other] == numbers[total]


def test_the_generator_prints():
    command = [sys.executable, "-m", tiny_world.__name__, "--count", "3"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == list(tiny_world.sentences(0, 3))


def test_its_attention_is_whole_at_every_length():
    model = DistilBertForMaskedLM.from_pretrained("tiny")
    ids = np.full((1, model.config.max_position_embeddings), 7)
    for weights in model(ids, output_attentions=True).attentions:
        np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
