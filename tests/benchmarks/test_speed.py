"""Times of primitives, a block, the encoder and a training step: pytest-benchmark.

Not part of the tests; needs `pip install -e ".[bench]"`. To compare with what was:

    python -m pytest tests/benchmarks --benchmark-save=before
    python -m pytest tests/benchmarks --benchmark-compare
"""

import numpy as np
import pytest

from distilbert_np import (
    DistilBertConfig,
    DistilBertForSequenceClassification,
    DistilBertModel,
)
from distilbert_np import functions as f
from distilbert_np.encoder import transformer_block, transformer_block_backward
from distilbert_np.training import AdamW, train_step

B, L = 1, 128
TINY = {"dim": 96, "hidden_dim": 384, "n_heads": 4, "n_layers": 3}
SIZES = {"tiny": TINY, "base": {}}


@pytest.fixture(params=SIZES)
def config(request):
    return DistilBertConfig(vocab_size=2000, **SIZES[request.param])


def random(*shape):
    return np.random.default_rng(0).standard_normal(shape, np.float32)


# --- primitives -----------------------------------------------------------------------


def test_linear(benchmark, config):
    D, F = config.dim, config.hidden_dim
    benchmark(f.linear, random(B, L, D), random(F, D), random(F))


def test_linear_backward(benchmark, config):
    D, F = config.dim, config.hidden_dim
    benchmark(f.linear_backward, random(B, L, F), random(B, L, D), random(F, D))


def test_gelu(benchmark, config):
    benchmark(f.gelu, random(B, L, config.hidden_dim))


def test_gelu_backward(benchmark, config):
    x = random(B, L, config.hidden_dim)
    benchmark(f.gelu_backward, x, x)


def test_softmax(benchmark, config):
    benchmark(f.softmax, random(B, config.n_heads, L, L))


def test_softmax_backward(benchmark, config):
    x = random(B, config.n_heads, L, L)
    benchmark(f.softmax_backward, x, f.softmax(x))


def test_layer_norm(benchmark, config):
    D = config.dim
    benchmark(f.layer_norm, random(B, L, D), random(D), random(D))


def test_layer_norm_backward(benchmark, config):
    x = random(B, L, config.dim)
    benchmark(f.layer_norm_backward, x, x, random(config.dim))


# --- layers and models ----------------------------------------------------------------


@pytest.fixture
def block(config):
    """Return x (B, L, D), and what a block needs beside it."""
    model = DistilBertModel(config.changed(n_layers=1))
    params = model.params["transformer"]["layer"]["0"]
    return random(B, L, config.dim), params, np.ones((B, L), bool), config


def test_block(benchmark, block):
    benchmark(transformer_block, *block)


def test_block_backward(benchmark, block):
    x, params, _, config = block
    y, trace = transformer_block(*block)
    benchmark(transformer_block_backward, y, x, params, trace, config)


def test_encoder(benchmark, config):
    model = DistilBertModel(config)
    benchmark(model, np.ones((B, L), int))


def test_training_step(benchmark, config):
    model = DistilBertForSequenceClassification(config)
    optimizer, rng = AdamW(model.params), np.random.default_rng(0)
    batch = {"input_ids": np.ones((B, L), int), "labels": np.ones(B, int)}
    benchmark(train_step, model, [batch], optimizer, 5e-5, 1.0, rng)
