"""Checkpoints, live: transformers opens what is written here, and the other way round;
BERTs folded in agree with transformers' BERT."""

import json

import numpy as np
import ours
import pytest
from cases import SMALL, Case, ragged_mask
from shared_data import minilm_folder

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import torch_side
from torch_side import BERT, randomised, theirs

from distilbert_np import DistilBertConfig, DistilBertModel, DistilBertTokenizer
from distilbert_np.trees import flatten
from distilbert_np.weights import WORDS

HEADS = list(ours.CLASSES)
DECODER = "vocab_projector.weight"
OPTIONS = {
    "id2label": {0: "red", 1: "green", 2: "blue"}, "problem_type": "regression",
    "activation": "relu", "dropout": 0.3, "pad_token_id": 3, "n_heads": 4,
    "sinusoidal_pos_embds": False, "tie_word_embeddings": False,
    "finetuning_task": "colours", "nested": {"kept": [1, None, "as it came"]},
}


# --- both sides -----------------------------------------------------------------------


def open_there(head, folder):
    """Return transformers' model of a folder, which must need and leave out nothing."""
    model, info = torch_side.CLASSES[head].from_pretrained(
        folder, output_loading_info=True, attn_implementation="eager"
    )
    assert not any(info.values()), info
    return model.eval()


def open_here(head, folder, dtype="float32"):
    """Return our model of a folder, which must need and leave out nothing."""
    model = ours.CLASSES[head].from_pretrained(folder, dtype=dtype)
    report = model.load_report
    assert (report.missing, report.unexpected) == ([], [])
    return model


def assert_same_parameters(model, their_model):
    """Assert that two models hold the same numbers by the same names, bit for bit."""
    found = flatten(model.params)
    expected = {name: t.numpy() for name, t in their_model.state_dict().items()}
    if model.config.tie_word_embeddings:
        expected.pop(DECODER, None)
    assert found.keys() == expected.keys()
    for name, array in found.items():
        assert array.dtype == expected[name].dtype, name
        assert array.tobytes() == expected[name].tobytes(), name


def inputs(head="base"):
    """Return ragged inputs: padded right, left, with holes and wholly hidden."""
    ids = np.random.RandomState(2).randint(SMALL["vocab_size"], size=(5, 7))
    given = {"input_ids": ids, "attention_mask": ragged_mask(5, 7)}
    if head == "multiple_choice":
        return {name: array[:, None] for name, array in given.items()}
    return given


def assert_same_outputs(model, their_model, given):
    """Assert that float64 outputs are within 1e-12 of their largest value."""
    with torch.no_grad():
        tensors = {name: torch.from_numpy(array) for name, array in given.items()}
        out = their_model(**tensors, output_hidden_states=True)
    expected = ours.outputs(out)
    expected.pop("output.pooler_output", None)               # BERT's, left out here
    found = ours.outputs(model(**given, output_hidden_states=True))
    assert found.keys() == expected.keys()
    for name, array in found.items():
        error = np.abs(array - expected[name]).max()
        assert error <= 1e-12 * np.abs(expected[name]).max(), name


# --- DistilBERT, both ways ------------------------------------------------------------


@pytest.mark.parametrize("head", HEADS)
def test_their_folder_opens_here(tmp_path, head):
    their_model = theirs(head)
    their_model.save_pretrained(tmp_path)
    assert_same_parameters(open_here(head, tmp_path), their_model)
    double = open_here(head, tmp_path, "float64")
    assert_same_outputs(double, their_model.double(), inputs(head))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("head", HEADS)
def test_our_folder_opens_there(tmp_path, head, dtype):
    model = ours.build(Case(head, head), dtype)
    for array in flatten(model.params).values():
        array *= model.dtype.type(1.1)           # all 53 bits of a float64
    model.save_pretrained(tmp_path)
    their_model = open_there(head, tmp_path)
    assert_same_parameters(model, their_model)
    if dtype == "float64":
        assert_same_outputs(model, their_model, inputs(head))


@pytest.mark.parametrize("head", HEADS[1:])
def test_both_miss_the_same_in_a_base_checkpoint(tmp_path, head):
    theirs("base").save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match="newly initialised"):
        model = ours.CLASSES[head].from_pretrained(tmp_path)
    _, info = torch_side.CLASSES[head].from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert set(model.load_report.missing) == set(info["missing_keys"])


def test_their_shards_open_here(tmp_path):
    their_model = theirs("masked_lm")
    their_model.save_pretrained(tmp_path, max_shard_size="4KB")
    assert len(list(tmp_path.glob("model-*-of-*.safetensors"))) > 3
    assert_same_parameters(open_here("masked_lm", tmp_path), their_model)


def test_an_untied_decoder_goes_both_ways(tmp_path):
    their_model = theirs("masked_lm", tie_word_embeddings=False)
    their_model.save_pretrained(tmp_path / "theirs")
    model = open_here("masked_lm", tmp_path / "theirs")
    assert_same_parameters(model, their_model)
    model.save_pretrained(tmp_path / "ours")
    assert_same_parameters(model, open_there("masked_lm", tmp_path / "ours"))


def write_decoder(folder, equal):
    """Write a masked-LM folder whose configuration ties the decoder that it holds."""
    their_model = theirs("masked_lm", tie_word_embeddings=False)
    if equal:
        words = their_model.distilbert.get_input_embeddings().weight
        their_model.vocab_projector.weight.data.copy_(words)
    their_model.save_pretrained(folder)
    path = folder / "config.json"
    fields = json.loads(path.read_text()) | {"tie_word_embeddings": True}
    path.write_text(json.dumps(fields))


@pytest.mark.parametrize("equal", [True, False])
def test_a_decoder_in_the_file_is_the_same_on_both_sides(tmp_path, equal):
    # One that differs is meant, whatever the configuration says: neither side ties it.
    write_decoder(tmp_path, equal)
    their_model = open_there("masked_lm", tmp_path)
    words = their_model.distilbert.get_input_embeddings().weight
    assert (their_model.vocab_projector.weight is words) == equal
    model = open_here("masked_lm", tmp_path, "float64")
    assert model.load_report.tied == ({DECODER: WORDS} if equal else {})
    assert_same_outputs(model, their_model.double(), inputs())


def as_json(config):
    """Return a configuration's fields as JSON holds them, but for who wrote it."""
    fields = json.loads(json.dumps(config.to_dict()))
    return {name: fields[name] for name in SMALL | OPTIONS | {"label2id": None}}


def test_a_configuration_goes_both_ways(tmp_path):
    config = DistilBertConfig(**SMALL | OPTIONS)
    config.save_pretrained(tmp_path / "ours")
    their_config = transformers.DistilBertConfig.from_pretrained(tmp_path / "ours")
    assert as_json(their_config) == as_json(config) and their_config.num_labels == 3
    their_config.save_pretrained(tmp_path / "theirs")
    back = DistilBertConfig.from_pretrained(tmp_path / "theirs")
    assert as_json(back) == as_json(config) and back.num_labels == 3


def test_the_number_of_labels_wins_over_their_names_on_both_sides():
    fields = {"id2label": OPTIONS["id2label"], "num_labels": 2}
    their_config = transformers.DistilBertConfig(**fields)
    assert DistilBertConfig(**fields).id2label == their_config.id2label


def test_the_defaults_are_theirs():
    fields = DistilBertConfig().to_dict()
    their_fields = transformers.DistilBertConfig().to_dict()
    assert fields == {name: their_fields[name] for name in fields}


# --- BERT -----------------------------------------------------------------------------

@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
@pytest.mark.parametrize(("head", "name", "left_out"), [
    ("base", "BertModel", ["pooler.dense.bias", "pooler.dense.weight"]),
    ("masked_lm", "BertForMaskedLM", []),
    ("token", "BertForTokenClassification", []),
    ("question_answering", "BertForQuestionAnswering", []),
])
def test_a_bert_agrees_with_transformers(tmp_path, head, name, left_out, activation):
    config = transformers.BertConfig(**BERT, hidden_act=activation)
    bert = randomised(getattr(transformers, name)(config).double())
    bert.save_pretrained(tmp_path)
    model = ours.CLASSES[head].from_pretrained(tmp_path, dtype="float64")
    assert sorted(model.load_report.unexpected) == left_out
    assert model.load_report.missing == []
    assert_same_outputs(model, bert, inputs())


TEXTS = [
    "What is the capital of France?",
    "Paris is the capital and most populous city of France.",
    "No.",
    "A much longer text, of many words, so that every other one is padded: " * 6,
]


@pytest.fixture(scope="module")
def minilm():
    return minilm_folder()


@pytest.fixture(scope="module")
def tokens(minilm):
    """Return texts of four lengths as one padded batch."""
    tokenizer = DistilBertTokenizer.from_pretrained(minilm)
    tokens = dict(tokenizer(TEXTS, padding=True, return_tensors="np").items())
    lengths = set(tokens["attention_mask"].sum(axis=1))
    assert len(lengths) == len(TEXTS) and max(lengths) > 90
    return tokens


def minilm_on_both_sides(minilm, dtype):
    bert = transformers.BertModel.from_pretrained(
        minilm, attn_implementation="eager", dtype=getattr(torch, dtype)
    )
    return DistilBertModel.from_pretrained(minilm, dtype=dtype), bert.eval()


def test_minilm_agrees_with_transformers(minilm, tokens):
    model, bert = minilm_on_both_sides(minilm, "float64")
    assert model.load_report.unexpected == [
        "embeddings.position_ids", "pooler.dense.bias", "pooler.dense.weight"
    ]
    assert_same_outputs(model, bert, tokens)


def test_minilm_agrees_with_transformers_in_float32(minilm, tokens):
    # Where a token is seen. At this model's padding rounding is amplified thirtyfold,
    # on both sides: transformers' own float32 is off by 1e-4 there, the truth is above.
    model, bert = minilm_on_both_sides(minilm, "float32")
    with torch.no_grad():
        out = bert(**{name: torch.from_numpy(array) for name, array in tokens.items()})
    seen = tokens["attention_mask"].astype(bool)
    found = model(**tokens).last_hidden_state[seen]
    np.testing.assert_allclose(
        found, out.last_hidden_state.numpy()[seen], rtol=0, atol=1e-5
    )
