"""transformers opens every embedded model, and says what we say."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest

import distilbert_np as dn
from distilbert_np.hub import EMBEDDED, TRAINED_HEADS

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TEXTS = ["Anna saw a wolf near Berlin.", "The film was zorblax, but I loved it!", ""]
FOLDERS = [
    ("DistilBertModel", EMBEDDED["tiny"]),
    ("DistilBertForMaskedLM", EMBEDDED["tiny"]),
    ("DistilBertForMaskedLM", EMBEDDED["tiny-teacher"]),
    ("DistilBertForSequenceClassification", TRAINED_HEADS["tiny", "sequence"]),
    ("DistilBertForTokenClassification", TRAINED_HEADS["tiny", "token"]),
    ("DistilBertForQuestionAnswering", TRAINED_HEADS["tiny", "question_answering"]),
    ("DistilBertForMultipleChoice", TRAINED_HEADS["tiny", "multiple_choice"]),
]


@pytest.mark.parametrize(("name", "folder"), FOLDERS)
def test_it_agrees(name, folder):
    theirs = getattr(transformers, name).from_pretrained(folder).eval()
    ours = getattr(dn, name).from_pretrained(folder)
    assert theirs.dtype == torch.float32 and ours.dtype == np.float32
    inputs = dn.DistilBertTokenizer.from_pretrained(folder)(
        TEXTS, padding=True, return_tensors="np"
    )
    inputs = {key: inputs[key] for key in ("input_ids", "attention_mask")}
    if ours.head == "multiple_choice":
        inputs = {key: array[None] for key, array in inputs.items()}
    with torch.no_grad():
        expected = theirs(**{key: torch.tensor(array) for key, array in inputs.items()})
    for key, array in ours(**inputs).items():
        right = expected[key].numpy()
        np.testing.assert_allclose(array, right, atol=1e-5 * np.abs(right).max())


@pytest.mark.parametrize("folder", {folder for _, folder in FOLDERS})
def test_its_tokenizer_does(folder):
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    ours = dn.DistilBertTokenizer.from_pretrained(folder)
    assert theirs(TEXTS)["input_ids"] == ours(TEXTS)["input_ids"]
    assert theirs.model_max_length == ours.model_max_length == 128


def test_the_numbers_of_lesson_5_are_what_transformers_computes():
    path = Path(__file__).parents[1] / "notebooks" / "05_the_whole_encoder.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    (source,) = (s for c in cells if "THEIRS =" in (s := "".join(c["source"])))
    quoted = ast.literal_eval(ast.parse(source).body[0].value)["tiny"]

    folder = EMBEDDED["tiny"]
    inputs = dn.DistilBertTokenizer.from_pretrained(folder)(
        "The capital of France is [MASK].", return_tensors="np"
    )
    model = transformers.DistilBertModel.from_pretrained(folder).double().eval()
    with torch.no_grad():
        h = model(torch.tensor(inputs["input_ids"])).last_hidden_state.numpy()
    vector = h[0, inputs.tokens().index("[MASK]")]
    np.testing.assert_allclose(vector[: len(quoted)], quoted, rtol=0, atol=1e-13)
