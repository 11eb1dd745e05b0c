"""The forward pass of each contender, beside the time of its matrix products alone."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from ..config import DistilBertConfig
from ..costs import Product, flops, products
from ..errors import InputError
from ..functions import FEW_ROWS, Array
from .checkpoint import random_ids
from .contenders import (
    Forward,
    check_agreement,
    fastest_torch,
    forwards,
    one_mask_forward,
)
from .tables import Row, Table, ratio
from .timing import medians, show_progress

Shape = tuple[int, int]                          # batch and length
SHAPES = {
    "base": [(1, 8), (1, 32), (1, 128), (1, 512), (8, 128), (32, 32), (4, 512)],
    "masked_lm": [(1, 8), (1, 128), (8, 128)],
}
TITLES = {
    "base": "forward: the encoder, float32, batch × length",
    "masked_lm": "masked-lm: the encoder and a score for every word at every position",
}
COLUMNS = {
    "shape": ("shape", "{}"),
    "ours_ms": ("ours ms", "{:.1f}"),
    "torch_ms": ("torch ms", "{:.1f}"),
    "torch_attention": ("by", "{}"),
    "onnxruntime_ms": ("onnx ms", "{:.1f}"),
    "ours_to_torch": ("ours/torch", "{:.2f}"),
    "ours_to_onnxruntime": ("ours/onnx", "{:.2f}"),
    "gflops": ("GFLOP/s", "{:.0f}"),
    "share_of_products": ("products", "{:.0%}"),
}
ONE_MASK = {
    "one_mask_ms": ("one mask ms", "{:.1f}"),
    "one_mask_to_torch": ("one mask/torch", "{:.2f}"),
}
NOTES = [
    "by: the faster of transformers' two attentions. onnx: onnxruntime. GFLOP/s: ours.",
    "products: the time of the matrix products alone (np.matmul), as a share of ours.",
]
ONE_MASK_NOTE = "one mask: ours as fill-mask has it, scores at one place of each text."


def measure_forward(
    head: str, folder: Path, shapes: list[Shape] | None, n: int | None
) -> Table:
    """Return the table of a forward pass; `shapes` None are those it is known for.

    Raises InputError where the model has no positions for a shape, and DistilBertError
    where the contenders do not agree.
    """
    config = DistilBertConfig.read(folder)
    chosen = shapes_for(config, shapes, SHAPES[head])
    show_progress(f"{head}: models")
    contenders = forwards(head, folder)
    others, columns, notes = {}, COLUMNS, NOTES
    if head == "masked_lm":
        others = {"one mask": one_mask_forward(folder)}
        columns, notes = COLUMNS | ONE_MASK, [*NOTES, ONE_MASK_NOTE]
    rows = []
    for shape in chosen:
        show_progress(f"{head} {shown_shape(shape)}")
        rows.append(measure_row(contenders, others, config, head, shape, n))
    what = "masked-lm" if head == "masked_lm" else "forward"
    return Table(what, TITLES[head], columns, rows, notes)


def shapes_for(
    config: DistilBertConfig, asked: list[Shape] | None, known: list[Shape]
) -> list[Shape]:
    """Return the shapes that are asked for, or of the known ones, those that fit."""
    longest = config.max_position_embeddings
    for shape in asked or []:
        if shape[1] > longest:
            raise InputError(
                f"--shapes: found {shown_shape(shape)}, but this model knows "
                f"{longest} positions"
            )
    return asked or [shape for shape in known if shape[1] <= longest]


def shown_shape(shape: Shape) -> str:
    """Return a shape as it is written: 8x128."""
    return "x".join(map(str, shape))


def measure_row(
    contenders: dict[str, Forward], others: dict[str, Forward],
    config: DistilBertConfig, head: str, shape: Shape, n: int | None,
) -> Row:
    """Return what was measured at one shape, after all contenders have agreed.

    `others` are measured beside them, and compute something else.
    """
    ids, mask = random_ids(config, *shape)
    outputs = {name: forward(ids, mask) for name, forward in contenders.items()}
    check_agreement(outputs, f"{head} {shown_shape(shape)}")
    del outputs
    sizes = products(config, *shape, head)
    multiply = matrix_products(sizes)
    multiply()                                   # contenders have run before as well
    runs = {
        name: partial(forward, ids, mask)
        for name, forward in (contenders | others).items()
    }
    times = medians(runs | {"products": multiply}, n)
    return as_row(shape, times, flops(sizes))


def as_row(shape: Shape, times: dict[str, float], n_flops: int) -> Row:
    """Return a row of the table from the median milliseconds."""
    ours, onnx = times["ours"], times.get("onnxruntime")
    attention, torch = fastest_torch(times)
    row = {
        "shape": shown_shape(shape),
        "ours_ms": ours, "torch_ms": torch, "torch_attention": attention,
        "onnxruntime_ms": onnx,
        "ours_to_torch": ratio(ours, torch), "ours_to_onnxruntime": ratio(ours, onnx),
        "gflops": n_flops / ours / 1e6, "share_of_products": times["products"] / ours,
        "milliseconds": times, "flops": n_flops,
    }
    if "one mask" in times:
        row["one_mask_ms"] = times["one mask"]
        row["one_mask_to_torch"] = ratio(times["one mask"], torch)
    return row


# --- the matrix products alone --------------------------------------------------------

def matrix_products(sizes: list[Product]) -> Callable[[], None]:
    """Return a run of these products alone, into arrays that are there already."""
    inputs, outputs, operands = {}, {}, []
    for times, rows, inner, columns in sizes:
        x = inputs.setdefault((times, rows, inner), ones(times, rows, inner))
        # Each weight is a matrix of its own, as in the model: one would stay in cache.
        weight = ones(times, columns, inner)
        left, right = x, weight.swapaxes(1, 2)
        if times == 1 and rows <= FEW_ROWS:      # as in linear: yᵀ = W xᵀ
            left, right = weight, x.swapaxes(1, 2)
        shape = (times, left.shape[1], right.shape[2])
        operands.append((left, right, outputs.setdefault(shape, ones(*shape))))

    def run() -> None:
        for left, right, y in operands:
            np.matmul(left, right, out=y)

    return run


def ones(*shape: int) -> Array:
    """Return a float32 array of ones."""
    return np.ones(shape, np.float32)
