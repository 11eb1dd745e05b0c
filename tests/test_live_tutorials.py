"""transformers' tutorials, run with both libraries on one checkpoint and compared."""

import numpy as np
import pytest
from shared_data import minilm_folder

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import distilbert_np

CONFIG = {"dim": 48, "n_heads": 4, "n_layers": 2, "hidden_dim": 96}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a checkpoint of a *masked-LM* model with the real uncased vocabulary."""
    vocabulary = minilm_folder() / "vocab.txt"
    folder = tmp_path_factory.mktemp("checkpoint")
    (folder / "vocab.txt").write_bytes(vocabulary.read_bytes())
    torch.manual_seed(0)
    config = transformers.DistilBertConfig(**CONFIG, initializer_range=0.2)
    transformers.DistilBertForMaskedLM(config).save_pretrained(folder)
    return folder


def both(name, folder, **options):
    """Return a class's model from both libraries, with the same parameters."""
    cls = getattr(distilbert_np, name)
    if name == "DistilBertForMaskedLM":
        ours = cls.from_pretrained(folder, **options)
    else:
        with pytest.warns(UserWarning, match="newly initialised"):
            ours = cls.from_pretrained(folder, **options)
        ours.save_pretrained(folder / name)
        folder = folder / name
    theirs = getattr(transformers, name).from_pretrained(folder, dtype=torch.float32)
    return ours, theirs.eval()


def compare(ours, theirs, **arguments):
    """Call both models and compare every output that transformers gives."""
    tensors = {name: torch.from_numpy(np.asarray(a)) for name, a in arguments.items()}
    with torch.no_grad():
        expected = theirs(**tensors)
    result = ours(**arguments)
    assert list(result) == list(expected)
    for name in expected:
        np.testing.assert_allclose(result[name], expected[name], atol=1e-5, rtol=1e-5)
    return result


@pytest.fixture(scope="module")
def tokenizers(folder):
    ours = distilbert_np.DistilBertTokenizer.from_pretrained(folder)
    return ours, transformers.DistilBertTokenizer.from_pretrained(folder)


@pytest.fixture
def encode(tokenizers):
    """Return a function that encodes with both tokenizers, and checks they agree."""

    def encode(*texts, **options):
        result = tokenizers[0](*texts, return_tensors="np", **options)
        expected = tokenizers[1](*texts, return_tensors="np", **options)
        assert list(result) == list(expected)
        for name in expected:
            np.testing.assert_array_equal(result[name], expected[name])
        return result

    return encode


def test_configuration():
    ours, theirs = distilbert_np.DistilBertConfig(), transformers.DistilBertConfig()
    for name, value in ours.to_dict().items():
        assert getattr(theirs, name) == value, name


def test_base_model(folder, encode):
    model, reference = both("DistilBertForMaskedLM", folder)
    model_only = distilbert_np.DistilBertModel.from_pretrained(folder)
    inputs = encode("Hello, my dog is cute")
    expected = [101, 7592, 1010, 2026, 3899, 2003, 10140, 102]
    assert inputs.input_ids.tolist() == [expected]
    compare(model_only, reference.distilbert, **inputs)
    assert model.load_report.missing == []


def test_masked_lm(folder, encode):
    ours, theirs = both("DistilBertForMaskedLM", folder)
    inputs = encode("The capital of France is [MASK].")
    labels = encode("The capital of France is Paris.")["input_ids"]
    compare(ours, theirs, **inputs)
    compare(ours, theirs, **inputs, labels=labels)
    masked = np.where(inputs.input_ids == 103, labels, -100)
    compare(ours, theirs, **inputs, labels=masked)


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ({}, np.array([[1]])),
        ({"num_labels": 5}, np.array([4])),
        (
            {"num_labels": 3, "problem_type": "multi_label_classification"},
            np.array([[0, 1, 1]], np.float32),
        ),
        ({"num_labels": 1}, np.array([0.25], np.float32)),
    ],
)
def test_sequence_classification(folder, encode, options, labels):
    ours, theirs = both("DistilBertForSequenceClassification", folder, **options)
    compare(ours, theirs, **encode("Hello, my dog is cute"), labels=labels)
    assert ours.config.problem_type == theirs.config.problem_type


def test_multiple_choice(folder, encode):
    ours, theirs = both("DistilBertForMultipleChoice", folder)
    prompt = (
        "In Italy, pizza served in formal settings, such as at a restaurant, is "
        "presented unsliced."
    )
    choice0 = "It is eaten with a fork and a knife."
    choice1 = "It is eaten while held in the hand."
    encoding = encode([[prompt, choice0], [prompt, choice1]], padding=True)
    labels = np.array(0)[None]
    compare(ours, theirs, **{k: v[None] for k, v in encoding.items()}, labels=labels)


def test_token_classification(folder, encode):
    ours, theirs = both("DistilBertForTokenClassification", folder)
    inputs = encode(
        "HuggingFace is a company based in Paris and New York",
        add_special_tokens=False,
    )
    predicted = compare(ours, theirs, **inputs).logits.argmax(-1)
    compare(ours, theirs, **inputs, labels=predicted)


def test_question_answering(folder, encode):
    ours, theirs = both("DistilBertForQuestionAnswering", folder)
    inputs = encode("Who was Jim Henson?", "Jim Henson was a nice puppet")
    compare(ours, theirs, **inputs)
    compare(
        ours, theirs, **inputs,
        start_positions=np.array([14]), end_positions=np.array([15]),
    )


def test_fill_mask_pipeline(folder, tokenizers):
    ours, theirs = both("DistilBertForMaskedLM", folder)
    fill = distilbert_np.FillMaskPipeline(ours, tokenizers[0])
    task = {"model": theirs, "tokenizer": tokenizers[1]}
    reference = transformers.pipeline("fill-mask", **task)
    for text in ("The capital of [MASK] is Paris.", "A [MASK] and a [MASK], both old."):
        for result, expected in zip(fill(text), reference(text), strict=True):
            pairs = [(result, expected)] if isinstance(result, dict) else zip(
                result, expected, strict=True)
            for answer, wanted in pairs:
                score = pytest.approx(wanted.pop("score"), rel=1e-4)
                assert answer.pop("score") == score
                assert answer == wanted
