"""What the tool does that embeds models."""

import json

import numpy as np
import pytest

from distilbert_np import (
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertTokenizer,
)
from tests.tools import make_tiny

SMALL = {"dim": 8, "n_heads": 2, "hidden_dim": 12, "n_layers": 1}


@pytest.fixture
def run(tmp_path):
    """Return the folder of a model that was trained."""
    words = DistilBertTokenizer.learned_from(["anna sees a wolf"], 200, ["anna"])
    model = DistilBertForMaskedLM(DistilBertConfig(vocab_size=200, **SMALL), seed=0)
    for saved in (words, model):
        saved.save_pretrained(tmp_path / "run")
    return tmp_path / "run"


def test_a_model_is_embedded_in_half_the_size(run, tmp_path):
    make_tiny.embed(run, tmp_path / "tiny")
    before, after = map(DistilBertForMaskedLM.from_pretrained, (run, tmp_path / "tiny"))
    for name, array in make_tiny.load_file(run / "model.safetensors").items():
        rounded = make_tiny.load_file(tmp_path / "tiny" / "model.safetensors")[name]
        assert rounded.dtype == np.float16
        np.testing.assert_array_equal(rounded, array.astype(np.float16))
    assert before.dtype == after.dtype == np.float32
    ours, theirs = map(DistilBertTokenizer.from_pretrained, (run, tmp_path / "tiny"))
    assert ours("Anna sees wolves") == theirs("Anna sees wolves")
    names = {path.name for path in (tmp_path / "tiny").iterdir()}
    assert names == {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"
    }


def test_its_card_tells_what_it_is(run):
    make_tiny.write_card(
        run, pipeline_tag="fill-mask", title="A model", what="It fills in words.",
        limits="It knows little.",
        data="A text.", recipe="Much patience.", commands="    make it",
        figures=make_tiny.in_table({"accuracy": 0.5}),
    )
    card = (run / "README.md").read_text(encoding="utf-8")
    size = DistilBertForMaskedLM.from_pretrained(run).num_parameters()
    assert f"{size:,} parameters" in card and "| accuracy | 0.5000 |" in card
    assert "\n    make it\n" in card and max(map(len, card.splitlines())) <= 88


def test_numbers_are_rounded_wherever_they_stand():
    told = {"runs": [{"accuracy": 0.123456789, "seed": 3, "losses": [1e-7]}]}
    text = json.dumps(make_tiny.rounded(told))
    assert text == '{"runs": [{"accuracy": 0.12346, "seed": 3, "losses": [1e-07]}]}'
