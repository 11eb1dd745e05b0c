"""What the exercises of several lessons are tried with: random parameters."""

import math

import numpy as np

from ...trees import Tree


def random_linear(rng: np.random.Generator, n_in: int, n_out: int) -> Tree:
    """Return a weight (n_out, n_in), and a bias (n_out,) that is not 0."""
    weight = rng.normal(size=(n_out, n_in)) / math.sqrt(n_in)
    return {"weight": weight, "bias": rng.normal(size=n_out)}


def random_attention(rng: np.random.Generator, dim: int) -> Tree:
    """Return the parameters of attention, four linears of dim numbers."""
    names = ("q_lin", "k_lin", "v_lin", "out_lin")
    return {name: random_linear(rng, dim, dim) for name in names}


def random_ffn(rng: np.random.Generator, dim: int, hidden_dim: int) -> Tree:
    """Return the parameters of a feed-forward network."""
    return {
        "lin1": random_linear(rng, dim, hidden_dim),
        "lin2": random_linear(rng, hidden_dim, dim),
    }
