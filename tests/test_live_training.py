"""What fine_tune writes, opened by transformers."""

import numpy as np
import pytest
from test_tasks import CLASSES, RECIPE, rows_of, write

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from distilbert_np import DistilBertTokenizer
from distilbert_np.training import fine_tune

TEXTS = ["The capital of France is Paris.", "Rome is a city."]


@pytest.mark.parametrize("task", CLASSES)
def test_transformers_opens_what_was_trained_and_answers_the_same(tmp_path, task):
    data = write(tmp_path / "data.csv", rows_of(task))
    out = tmp_path / "out"
    fine_tune(task, data, out, recipe=RECIPE, progress=False)
    ours = CLASSES[task].from_pretrained(out, dtype=np.float64)
    theirs, info = getattr(transformers, type(ours).__name__).from_pretrained(
        out, dtype=torch.float64, output_loading_info=True
    )
    assert not any(info.values())
    assert theirs.config.id2label == ours.config.id2label
    assert theirs.config.label2id == ours.config.label2id
    if task == "classify":
        assert set(theirs.config.label2id) >= {"africa", "asia", "europe"}
        assert theirs.config.problem_type == "single_label_classification"
    if task == "tag":
        assert set(theirs.config.label2id) == {"O", "B-city", "B-country"}

    inputs = DistilBertTokenizer.from_pretrained(out)(
        TEXTS, padding=True, return_tensors="np"
    )
    their_tokenizer = transformers.AutoTokenizer.from_pretrained(out)
    their_inputs = their_tokenizer(TEXTS, padding=True, return_tensors="np")
    for name, array in inputs.items():
        np.testing.assert_array_equal(array, their_inputs[name])
    arrays = {
        name: array[None] if task == "choose" else array
        for name, array in inputs.items()
    }
    with torch.no_grad():
        expected = theirs.eval()(
            **{name: torch.from_numpy(array) for name, array in arrays.items()}
        )
    found = ours(**arrays)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-12, rtol=0)
