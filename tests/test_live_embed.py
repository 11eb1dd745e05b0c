"""The pipeline embed against transformers' model, live: mean and length by PyTorch."""

import numpy as np
import pytest

from distilbert_np import pipeline
from distilbert_np.hub import EMBEDDED

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TEXTS = [
    "The cat is small.", "", "A dog can run, and a bird can fly over the house.",
    "word " * 300, "The capital of France is Paris.", "hot", "Anna, Ben & 3 others …",
]
BOUND = {"float32": 1e-5, "float64": 1e-12}


@pytest.fixture(scope="module")
def random_folder(tmp_path_factory):
    """Return a checkpoint of other sizes, random, that transformers wrote."""
    folder = tmp_path_factory.mktemp("checkpoint")
    tokenizer = transformers.AutoTokenizer.from_pretrained(EMBEDDED["tiny"])
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.DistilBertConfig(
        vocab_size=len(tokenizer), dim=60, n_heads=5, n_layers=2, hidden_dim=100,
        max_position_embeddings=40, initializer_range=0.3,
    )
    transformers.DistilBertModel(config).save_pretrained(folder)
    return folder


def pooled(folder, dtype, normalize):
    """Return what transformers and PyTorch make of the texts, as one ragged batch."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.DistilBertModel.from_pretrained(
        folder, dtype=getattr(torch, dtype)
    ).eval()
    inputs = tokenizer(
        TEXTS, padding=True, truncation=True, return_tensors="pt",
        max_length=model.config.max_position_embeddings,
    )
    mask = inputs["attention_mask"][..., None]
    with torch.no_grad():
        h = model(inputs["input_ids"], inputs["attention_mask"]).last_hidden_state
    vectors = (h * mask).sum(dim=1) / mask.sum(dim=1)
    if normalize:
        vectors = torch.nn.functional.normalize(vectors)
    return vectors.numpy()


@pytest.mark.parametrize("dtype", BOUND)
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("which", ["embedded", "random"])
def test_vectors(which, normalize, dtype, random_folder):
    folder = EMBEDDED["tiny"] if which == "embedded" else random_folder
    expected = pooled(folder, dtype, normalize)
    embed = pipeline("embed", folder, dtype=dtype)
    vectors = embed(TEXTS, normalize=normalize, max_tokens_per_batch=150)
    assert vectors.dtype == expected.dtype and vectors.shape == expected.shape
    assert np.abs(vectors - expected).max() <= BOUND[dtype] * np.abs(expected).max()
