"""The six classes, as users meet them: transformers' tutorials, word for word but "np".

Here on the embedded model; test_live_tutorials.py compares the same with transformers.
"""

import linecache

import numpy as np
import pytest
from cases import SMALL

from distilbert_np import (
    ConfigError,
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertForMultipleChoice,
    DistilBertForQuestionAnswering,
    DistilBertForSequenceClassification,
    DistilBertForTokenClassification,
    DistilBertModel,
    DistilBertTokenizer,
)
from distilbert_np.functions import log_softmax


@pytest.fixture(scope="module")
def tokenizer():
    return DistilBertTokenizer.from_pretrained("tiny")


def headed(cls):
    """Return an embedded model under a head that it must initialise."""
    with pytest.warns(UserWarning, match="newly initialised") as caught:
        model = cls.from_pretrained("tiny-teacher")
    assert len(caught) == 1
    assert "from_pretrained" in linecache.getline(__file__, caught[0].lineno)
    return model


def test_a_configuration_and_a_model_of_it():
    base = DistilBertConfig()
    assert (base.dim, base.n_layers, base.n_heads) == (768, 6, 12)
    model = DistilBertModel(DistilBertConfig(**SMALL))
    assert model.config.hidden_size == 12 and model.config.num_hidden_layers == 2


def test_masked_lm(tokenizer):
    model = DistilBertForMaskedLM.from_pretrained("tiny")
    inputs = tokenizer("The capital of France is [MASK].", return_tensors="np")
    logits = model(**inputs).logits
    (index,) = (inputs.input_ids == tokenizer.mask_token_id)[0].nonzero()
    assert tokenizer.decode(logits[0, index].argmax(axis=-1)) == "paris"

    sentence = "The capital of France is Paris."
    labels = tokenizer(sentence, return_tensors="np")["input_ids"]
    labels = np.where(inputs.input_ids == tokenizer.mask_token_id, labels, -100)
    outputs = model(**inputs, labels=labels)
    paris = tokenizer.convert_tokens_to_ids("paris")
    expected = -log_softmax(logits[0, index])[0, paris]
    assert outputs.loss == pytest.approx(expected, rel=1e-6)


def test_sequence_classification_from_a_base_checkpoint(tokenizer):
    model = headed(DistilBertForSequenceClassification)
    assert model.load_report.missing == [
        "pre_classifier.weight", "pre_classifier.bias", "classifier.weight",
        "classifier.bias",
    ]
    inputs = tokenizer("Hello, my dog is cute", return_tensors="np")
    labels = np.array([1])[None]                 # (1, 1), as the tutorial has it
    outputs = model(**inputs, labels=labels)
    assert outputs.logits.shape == (1, 2)
    assert outputs.loss == pytest.approx(-log_softmax(outputs.logits)[0, 1])
    assert model.config.problem_type == "single_label_classification"


@pytest.mark.parametrize(
    ("changes", "labels", "problem_type"),
    [
        ({"num_labels": 1}, [3], "regression"),
        ({"num_labels": 1}, [0.5], "regression"),
        ({"num_labels": 3}, [2], "single_label_classification"),
        ({"num_labels": 3}, [[0.0, 1.0, 1.0]], "multi_label_classification"),
    ],
)
def test_the_labels_settle_the_problem_type(changes, labels, problem_type):
    config = DistilBertConfig(**SMALL, **changes)
    model = DistilBertForSequenceClassification(config)
    assert np.isfinite(model([[1, 2, 3]], labels=labels).loss)
    assert model.config.problem_type == problem_type


def test_multiple_choice(tokenizer):
    model = headed(DistilBertForMultipleChoice)
    prompt = "In Italy, pizza served in formal settings is presented unsliced."
    choice0 = "It is eaten with a fork and a knife."
    choice1 = "It is eaten while held in the hand."
    labels = np.array(0)[None]
    encoding = tokenizer(
        [[prompt, choice0], [prompt, choice1]], return_tensors="np", padding=True
    )
    outputs = model(**{k: v[None] for k, v in encoding.items()}, labels=labels)
    assert outputs.logits.shape == (1, 2)
    assert outputs.loss == pytest.approx(-log_softmax(outputs.logits)[0, 0])


def test_token_classification(tokenizer):
    model = headed(DistilBertForTokenClassification)
    inputs = tokenizer(
        "A company based in Paris and New York", add_special_tokens=False,
        return_tensors="np",
    )
    logits = model(**inputs).logits
    predicted = logits.argmax(-1)
    names = [model.config.id2label[t.item()] for t in predicted[0]]
    assert set(names) <= {"LABEL_0", "LABEL_1"}
    loss = model(**inputs, labels=predicted).loss
    assert loss == pytest.approx(-log_softmax(logits).max(-1).mean(), rel=1e-6)


def test_question_answering(tokenizer):
    model = headed(DistilBertForQuestionAnswering)
    question, text = "Who was Jim Henson?", "Jim Henson was a nice puppet"
    inputs = tokenizer(question, text, return_tensors="np")
    outputs = model(**inputs)
    start, end = outputs.start_logits.argmax(), outputs.end_logits.argmax()
    assert min(start, end) >= 0 and max(start, end) < inputs.input_ids.shape[1]
    span = {"start_positions": np.array([14]), "end_positions": np.array([15])}
    outputs = model(**inputs, **span)
    losses = [
        -log_softmax(logits)[0, position]
        for logits, position in ((outputs.start_logits, 14), (outputs.end_logits, 15))
    ]
    assert outputs.loss == pytest.approx(np.mean(losses), rel=1e-6)


def test_one_position_is_no_loss():
    model = DistilBertForQuestionAnswering(DistilBertConfig(**SMALL))
    assert model([[1, 2, 3]], start_positions=[1]).loss is None


def test_what_the_configuration_asks_for_every_call_gives():
    asked = {"output_attentions": True, "output_hidden_states": True}
    model = DistilBertForMaskedLM(DistilBertConfig(**SMALL, **asked))
    out = model([[1, 2, 3]])
    assert len(out.attentions) == 2 and len(out.hidden_states) == 3
    assert model([[1, 2, 3]], output_attentions=False).attentions is None


@pytest.mark.parametrize("name", ["seeed", "torch_dtype", "device_map"])
def test_an_unknown_argument_of_from_pretrained_is_named(name):
    with pytest.raises(ConfigError, match=f"unknown argument '{name}'"):
        DistilBertModel.from_pretrained("tiny", **{name: 1})


# --- outputs, randomness, size --------------------------------------------------------


def test_outputs_by_attribute_key_and_number():
    model = DistilBertForMaskedLM(DistilBertConfig(**SMALL))
    out = model([[1, 2, 3]], labels=[[1, 2, 3]], output_attentions=True)
    assert list(out) == out.keys() == ["loss", "logits", "attentions"]
    assert out[0] is out["loss"] is out.loss and out[1] is out.logits
    assert out[:2] == (out.loss, out.logits) and len(out.to_tuple()) == len(out) == 3
    assert "loss" in out and "hidden_states" not in out
    assert out.hidden_states is None and dict(out)["logits"] is out.logits
    assert out.get("loss") is out.loss and out.get("hidden_states", 5) == 5
    with pytest.raises(KeyError):
        out["hidden_states"]


def test_outputs_without_labels_begin_with_the_logits():
    out = DistilBertForMaskedLM(DistilBertConfig(**SMALL))([[1, 2, 3]])
    assert out[0] is out.logits and out.loss is None


def test_outputs_print_shapes_not_numbers():
    out = DistilBertModel(DistilBertConfig(**SMALL))([[1, 2]], output_attentions=True)
    assert repr(out) == (
        "BaseModelOutput(last_hidden_state=float32 (1, 2, 12), "
        "attentions=(2 × float32 (1, 3, 2, 2)))"
    )


def test_a_seed_settles_every_parameter():
    config = DistilBertConfig(**SMALL)
    words = [DistilBertModel(config, seed=seed).word_embeddings for seed in (0, 0, 1)]
    np.testing.assert_array_equal(words[0], words[1])
    assert (words[0] != words[2]).any()
    assert (words[0][config.pad_token_id] == 0).all()
    assert words[0][1:].std() == pytest.approx(config.initializer_range, rel=0.1)


def test_precision_is_kept():
    for dtype in (np.float32, np.float64):
        model = DistilBertForMaskedLM(DistilBertConfig(**SMALL), dtype=dtype)
        out = model([[1, 2, 3]], labels=[[1, 2, 3]], output_hidden_states=True)
        assert {out.loss.dtype, out.logits.dtype, out.hidden_states[0].dtype} == {
            np.dtype(dtype)
        }
