"""The configuration: its fields, its labels, its file, and what it refuses."""

import json
import os
import tracemalloc

import pytest
from cases import SMALL

from distilbert_np import (
    ConfigError,
    DistilBertConfig,
    DistilBertForQuestionAnswering,
    DistilBertModel,
)

THREE = {0: "red", 1: "green", 2: "blue"}
BERT = {
    "model_type": "bert", "vocab_size": 40, "hidden_size": 12, "num_hidden_layers": 3,
    "num_attention_heads": 2, "intermediate_size": 20, "hidden_act": "gelu",
    "hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.4,
    "layer_norm_eps": 1e-12, "type_vocab_size": 2,
}


def write(folder, content):
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "config.json").write_text(text, encoding="utf-8")


def refusal(call, *arguments, **fields):
    """Return the one-line message of the ConfigError that a call must raise."""
    with pytest.raises(ConfigError) as caught:
        call(*arguments, **fields)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- fields ---------------------------------------------------------------------------


def test_the_defaults_are_those_of_distilbert_base_uncased():
    assert DistilBertConfig().to_dict() == {
        "model_type": "distilbert", "vocab_size": 30522, "dim": 768, "n_layers": 6,
        "max_position_embeddings": 512, "sinusoidal_pos_embds": False, "n_heads": 12,
        "hidden_dim": 3072, "dropout": 0.1, "attention_dropout": 0.1,
        "activation": "gelu", "initializer_range": 0.02, "qa_dropout": 0.1,
        "seq_classif_dropout": 0.2, "pad_token_id": 0, "tie_word_embeddings": True,
        "problem_type": None, "output_attentions": False,
        "output_hidden_states": False, "id2label": {0: "LABEL_0", 1: "LABEL_1"},
        "label2id": {"LABEL_0": 0, "LABEL_1": 1},
    }


ALIASES = [("hidden_size", "dim"), ("num_attention_heads", "n_heads"),
           ("num_hidden_layers", "n_layers")]


@pytest.mark.parametrize(("alias", "field"), ALIASES)
def test_an_alias_is_the_field(alias, field):
    config = DistilBertConfig(**{alias: 24})
    assert getattr(config, field) == getattr(config, alias) == 24
    setattr(config, alias, 36)
    assert getattr(config, field) == 36 and alias not in config.to_dict()


def test_each_letter_of_the_key_has_its_number():
    assert DistilBertConfig(**SMALL, num_labels=7).dimensions() == {
        "D": 12, "F": 20, "H": 3, "K": 4, "N": 2, "V": 40, "P": 12, "C": 7
    }


def test_an_unknown_attribute_is_none_of_its_fields():
    with pytest.raises(AttributeError, match="no field 'layers'"):
        _ = DistilBertConfig().layers


def test_changed_leaves_the_original_alone():
    config = DistilBertConfig(**SMALL, note=["kept"])
    copy = config.changed(n_layers=5)
    copy.note.append("more")
    assert (config.n_layers, copy.n_layers, config.note) == (2, 5, ["kept"])


def test_configurations_are_equal_by_their_fields():
    assert DistilBertConfig(dim=24) == DistilBertConfig(hidden_size=24)
    assert DistilBertConfig(dim=24) != DistilBertConfig(dim=36)


# --- labels ---------------------------------------------------------------------------

LABELS = {
    "the number": ({"num_labels": 1}, ["LABEL_0"]),
    "id2label": ({"id2label": THREE}, ["red", "green", "blue"]),
    "id2label, from JSON": ({"id2label": {"1": "b", "0": "a"}}, ["a", "b"]),
    "label2id": ({"label2id": {"b": 1, "a": 0}}, ["a", "b"]),
    "label2id and the number": ({"label2id": {"a": 0}, "num_labels": 1}, ["a"]),
    "id2label wins over label2id": ({"id2label": {0: "a"}, "label2id": {"b": 0}}, "a"),
    "the number wins": ({"id2label": THREE, "num_labels": 1}, ["LABEL_0"]),
    "null": ({"id2label": None, "num_labels": None}, ["LABEL_0", "LABEL_1"]),
}


@pytest.mark.parametrize(("fields", "labels"), LABELS.values(), ids=LABELS)
def test_labels_come_from(fields, labels):
    config = DistilBertConfig(**fields)
    assert list(config.id2label.items()) == list(enumerate(labels))
    assert config.num_labels == len(labels)
    assert config.label2id == {label: number for number, label in enumerate(labels)}


CHANGES = {
    "the same number": ({"num_labels": 3}, ["red", "green", "blue"]),
    "another number": ({"num_labels": 2}, ["LABEL_0", "LABEL_1"]),
    "id2label": ({"id2label": {0: "yes"}}, ["yes"]),
    "label2id": ({"label2id": {"yes": 0}}, ["yes"]),
}


@pytest.mark.parametrize(("changes", "labels"), CHANGES.values(), ids=CHANGES)
def test_labels_change_with(changes, labels):
    changed = DistilBertConfig(id2label=THREE).changed(**changes)
    assigned = DistilBertConfig(id2label=THREE)
    for name, value in changes.items():
        setattr(assigned, name, value)
    assert list(changed.id2label.values()) == list(assigned.id2label.values()) == labels


# --- the file -------------------------------------------------------------------------


def test_a_file_holds_every_field(tmp_path):
    config = DistilBertConfig(
        **SMALL, id2label=THREE, problem_type="regression", tie_weights_=True,
        activation="relu", sinusoidal_pos_embds=True, pad_token_id=None,
        tie_word_embeddings=False, finetuning_task="colours", nested={"a": [1, None]},
    )
    config.save_pretrained(tmp_path / "new" / "folder")
    assert DistilBertConfig.from_pretrained(tmp_path / "new" / "folder") == config


def test_a_file_may_be_silent(tmp_path):
    write(tmp_path, {})
    assert DistilBertConfig.from_pretrained(tmp_path) == DistilBertConfig()


def test_a_byte_order_mark_is_passed_over(tmp_path):
    write(tmp_path, "\ufeff" + json.dumps(SMALL))
    assert DistilBertConfig.from_pretrained(tmp_path) == DistilBertConfig(**SMALL)


def test_what_is_asked_for_replaces_what_the_file_says(tmp_path):
    write(tmp_path, SMALL)
    assert DistilBertConfig.from_pretrained(tmp_path, n_layers=0).n_layers == 0


# --- BERT's ---------------------------------------------------------------------------


def test_a_bert_is_read_in_distilberts_words():
    assert DistilBertConfig.from_dict(BERT) == DistilBertConfig(
        vocab_size=40, dim=12, n_layers=3, n_heads=2, hidden_dim=20, activation="gelu",
        dropout=0.3, attention_dropout=0.4,
    )


def test_a_bert_that_is_silent_has_twelve_layers():
    assert DistilBertConfig.from_dict({"model_type": "bert"}).n_layers == 12


@pytest.mark.parametrize("field", [
    {"layer_norm_eps": 1e-5}, {"position_embedding_type": "relative_key"},
    {"is_decoder": True},
], ids=str)
def test_a_bert_that_computes_something_else_is_refused(field):
    (name, value), = field.items()
    message = refusal(DistilBertConfig.from_dict, BERT | field)
    assert name in message and repr(value) in message


# --- what is refused ------------------------------------------------------------------

BAD = [
    *({name: value}
      for name in ("vocab_size", "max_position_embeddings", "n_heads", "dim",
                   "hidden_dim")
      for value in (0, -1, 1.5, 64.0, "64", True, None, [64], 10**9 + 1)),
    *({"n_layers": value} for value in (-1, 1.5, "6", False, None, 10_001)),
    *({"dim": dim} for dim in (13, 767)),
    *({name: value}
      for name in ("dropout", "attention_dropout", "qa_dropout", "seq_classif_dropout")
      for value in (-0.1, 1.1, float("nan"), "0.1", True, None)),
    *({"initializer_range": value}
      for value in (-1, float("inf"), float("nan"), 1e7, 10**400, "0.02", None)),
    *({"sinusoidal_pos_embds": value} for value in (0, "false", None)),
    *({"tie_word_embeddings": value} for value in (1, "true", None)),
    *({"activation": value} for value in ("swish", "GELU", None, 1, ["gelu"])),
    *({"problem_type": value} for value in ("classification", "", 1, ["regression"])),
    *({"pad_token_id": value} for value in (-1, 30522, 1.0, "0", True)),
    *({"num_labels": value} for value in (0, -1, 2.0, "2", True, 10**6 + 1, 10**99)),
    *({"id2label": value} for value in ({}, ["a"], "a", {1: "a"}, {"x": "a"},
                                        {None: "a"}, {0: "a", 2: "b"},
                                        {float("inf"): "a"}, {0.5: "a"})),
    *({"label2id": value} for value in (["a"], {"a": 1}, {"a": 0, "b": 0}, {"a": "x"},
                                        {"a": [0]}, {"a": None}, {"a": 0.5})),
]


@pytest.mark.parametrize("field", BAD, ids=str)
def test_a_field_that_cannot_be_used_is_named(field):
    (name, value), = field.items()
    message = refusal(DistilBertConfig, **field)
    before, found, after = message.partition(", found ")
    assert before.startswith(f"{name}: ") and found
    if name not in ("id2label", "label2id"):     # of these, the numbers are shown
        assert after == repr(value)[:60]


@pytest.mark.parametrize("field", BAD, ids=str)
def test_a_field_set_later_is_refused_before_a_model_is_built(field):
    config = DistilBertConfig(**SMALL)
    (name, value), = field.items()

    def build():
        setattr(config, name, value)
        DistilBertModel(config)

    assert refusal(build).startswith(f"{name}: ")


def test_a_bad_field_is_refused_with_its_file(tmp_path):
    write(tmp_path, {"dim": "768"})
    message = refusal(DistilBertConfig.from_pretrained, tmp_path)
    assert message.startswith(f"{tmp_path / 'config.json'}: dim: ")


@pytest.mark.parametrize("family", ["roberta", "gpt2", "", None, ["distilbert"]])
def test_another_family_is_refused(tmp_path, family):
    write(tmp_path, {"model_type": family})
    message = refusal(DistilBertConfig.from_pretrained, tmp_path)
    assert f"config.json: model_type: this file describes a {family!r} model" in message


@pytest.mark.parametrize(("wrong", "right"), [
    ("n_layer", "n_layers"), ("num_label", "num_labels"), ("hidden_dims", "hidden_dim"),
    ("num_hidden_layer", "num_hidden_layers"), ("dropuot", "dropout"),
])
def test_a_misspelt_field_is_refused(wrong, right):
    expected = f"unknown field {wrong!r}; did you mean {right!r}?"
    assert refusal(DistilBertConfig, **{wrong: 1}) == expected
    assert refusal(DistilBertConfig().changed, **{wrong: 1}) == expected


def test_questions_are_answered_with_two_labels():
    config = DistilBertConfig(**SMALL, num_labels=3)
    assert "num_labels: " in refusal(DistilBertForQuestionAnswering, config)


def test_questions_with_three_labels_are_refused_with_their_folder(tmp_path):
    write(tmp_path, SMALL | {"num_labels": 3})
    message = refusal(DistilBertForQuestionAnswering.from_pretrained, tmp_path)
    assert message.startswith(f"{tmp_path}: num_labels: question answering needs 2")


NOT_JSON_OBJECTS = {
    "empty": b"", "cut off": b'{"dim": 7', "a list": b"[1, 2]", "a number": b"12",
    "null": b"null", "not UTF-8": b"\xff\xfe{}", "binary": bytes(range(256)),
    "nested without end": b"[" * 100_000, "a number without end": b"1" * 10_000,
    "nested too deep": b'{"a": ' * 101 + b"1" + b"}" * 101,
}


@pytest.mark.parametrize("content", NOT_JSON_OBJECTS.values(), ids=NOT_JSON_OBJECTS)
def test_a_file_must_be_a_json_object(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    message = refusal(DistilBertConfig.from_pretrained, tmp_path)
    assert message.startswith(f"{path}: not a ") or "a JSON object" in message


ENDLESS = [
    {"max_position_embeddings": 10**12, "sinusoidal_pos_embds": True},
    {"n_layers": 10**9}, {"num_labels": 10**9}, {"vocab_size": 10**12},
    {"n_heads": 10**12, "dim": 10**12}, {"hidden_dim": 10**4000},
]


@pytest.mark.parametrize("fields", ENDLESS, ids=lambda fields: next(iter(fields)))
def test_a_size_without_end_is_refused_before_memory_is_asked_for(tmp_path, fields):
    write(tmp_path, SMALL | fields)
    tracemalloc.start()
    message = refusal(DistilBertModel.from_pretrained, tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    name = next(iter(fields))
    assert message.startswith(f"{tmp_path / 'config.json'}: {name}: expected a whole")
    assert peak < 1 << 20


@pytest.mark.parametrize("make", [None, os.mkdir, os.mkfifo])
def test_a_file_must_be_there_and_be_regular(tmp_path, make):
    path = tmp_path / "config.json"
    if make:
        make(path)
    message = refusal(DistilBertConfig.from_pretrained, tmp_path)
    assert message == f"{path}: there is no regular file of this name"


def test_a_misspelt_attribute_is_refused():
    config = DistilBertConfig()
    with pytest.raises(ConfigError, match="'n_layer'; did you mean 'n_layers'"):
        config.n_layer = 3


@pytest.mark.parametrize("name", ["check", "to_dict", "__class__", 5])
def test_a_field_cannot_take_the_name_of_a_method(name):
    message = f"{name}: not a name that a field can have"
    assert refusal(DistilBertConfig.from_dict, {name: 1}) == message
    if isinstance(name, str):
        assert refusal(setattr, DistilBertConfig(), name, 1) == message


def test_labels_set_later_are_those_of_a_file():
    config = DistilBertConfig()
    config.id2label = {"1": "blue", "0": "red", "2": 3}
    assert config.id2label == {0: "red", 1: "blue", 2: "3"} and config.num_labels == 3
    message = "id2label: numbers must run 0, 1, 2, …, found [1]"
    assert refusal(setattr, config, "id2label", {1: "blue"}) == message
    del config.id2label[0], config.id2label[2]
    assert refusal(DistilBertModel, config) == message
