"""What a model costs: the matrix products of a pass, their FLOPs, and memory.

All of it follows from the configuration. Of the work of a pass only the matrix products
are counted, 2 FLOPs for each multiply-add. config.py explains the letters.
"""

import math
from collections import Counter
from collections.abc import Iterable

import numpy as np

from .config import DistilBertConfig
from .trace import trace_table
from .trees import Tree
from .weights import in_numbers

Product = tuple[int, ...]            # so many times, R rows, I numbers in, O out

# --- the matrix products of a pass, in order ------------------------------------------

BLOCK = {
    "attention.q_lin": "1 BL D D",
    "attention.k_lin": "1 BL D D",
    "attention.v_lin": "1 BL D D",
    "attention.scores": "BH L K L",
    "attention.context": "BH L L K",
    "attention.out_lin": "1 BL D D",
    "ffn.lin1": "1 BL D F",
    "ffn.lin2": "1 BL F D",
}
HEADS = {
    "base": {},
    "masked_lm": {"vocab_transform": "1 BL D D", "vocab_projector": "1 BL D V"},
    "sequence": {"pre_classifier": "1 B D D", "classifier": "1 B D C"},
    "token": {"classifier": "1 BL D C"},
    "question_answering": {"qa_outputs": "1 BL D 2"},
    "multiple_choice": {"pre_classifier": "1 B D D", "classifier": "1 B D 1"},
}


def products(
    config: DistilBertConfig, batch: int, length: int, head: str
) -> list[Product]:
    """Return the sizes of a forward pass's matrix products, in order.

    For multiple choice `batch` counts sequences: one for each choice of each text.
    """
    size = config.dimensions() | {"B": batch, "L": length}
    tables = [BLOCK] * config.n_layers + [HEADS[head]]
    return [in_numbers(sizes, size) for table in tables for sizes in table.values()]


def flops(sizes: Iterable[Product]) -> int:
    """Return the additions and multiplications of matrix products."""
    return sum(2 * math.prod(size) for size in sizes)


# --- part by part ---------------------------------------------------------------------

QUADRATIC = "scores and context"
PARTS = {
    "projections": ("q_lin", "k_lin", "v_lin", "out_lin"),
    QUADRATIC: ("scores", "context"),
    "feed-forward": ("lin1", "lin2"),
}
LENGTHS = (8, 32, 128, 512)


def products_by_part(head: str) -> dict[str, list[str]]:
    """Return the sizes, in letters, of the products of each part, all N layers'."""
    by_part = {
        part: [
            f"N{sizes}" for name, sizes in BLOCK.items()
            if name.partition(".")[2] in names
        ]
        for part, names in PARTS.items()
    }
    return by_part | ({"head": list(HEADS[head].values())} if HEADS[head] else {})


def formula(products: list[str]) -> str:
    """Return the FLOPs of products in one sequence as a formula, such as 8 N L D²."""
    terms: Counter[str] = Counter()
    for sizes in products:
        powers = Counter(sizes)
        powers["D"] += powers["K"]               # H heads of K = D/H numbers each
        term = " ".join(x + "²" * (powers[x] == 2) for x in "NLDFVC" if powers[x])
        terms[term] += 2 * math.prod(int(x) for x in sizes if x.isdigit())
    return " + ".join(f"{factor} {term}" for term, factor in terms.items())


def lengths(config: DistilBertConfig) -> list[int]:
    """Return the lengths to tell the costs of: the longest, and some that are shorter.
    """
    longest = config.max_position_embeddings
    return [length for length in LENGTHS if length < longest] + [longest]


def cost_of_sequence(config: DistilBertConfig, head: str, length: int) -> Tree:
    """Return the FLOPs of one sequence, by part and in all, and its trace's numbers."""
    size = config.dimensions() | {"B": 1, "L": length}
    by_part = {
        part: flops(in_numbers(sizes, size) for sizes in products)
        for part, products in products_by_part(head).items()
    }
    return {
        "length": length,
        "flops": by_part | {"total": sum(by_part.values())},
        "trace_numbers": trace_numbers(config, head, size),
    }


# --- memory ---------------------------------------------------------------------------


def trace_numbers(config: DistilBertConfig, head: str, size: dict[str, int]) -> int:
    """Return how many numbers a trace of one sequence holds, inputs and dropout apart.
    """
    return sum(
        # 1|B is 1 here, and a choice has one score.
        math.prod(in_numbers(letters.replace("1|", "").replace("/C C", ""), size))
        for name, letters in trace_table(config, head).items()
        if not name.startswith("inputs.")
    )


def memory(n_parameters: int, dtype: str) -> dict[str, int]:
    """Return the bytes of the parameters, and of what a training step adds to them.

    The trace of the batch is not among them.
    """
    once = n_parameters * np.dtype(dtype).itemsize
    return {
        "parameters": once, "gradients": once, "moments": 2 * once, "training": 4 * once
    }
