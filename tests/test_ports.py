"""Two ports that owe nothing to our code, tried as a porter would try theirs.

A clean one is not called wrong; of one with a bug, `compare` names place and cause.
"""

import json
from pathlib import Path

import numpy as np
import ours
import pytest
from cases import MINI_HEADS

import distilbert_np as dn
from distilbert_np.__main__ import main
from distilbert_np.hub import EMBEDDED
from distilbert_np.parity.traces import trace_model

for library in ("torch", "transformers", "onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(library)

from tools import port_onnx, port_torch

TOOLS = {"torch": port_torch, "onnx": port_onnx}
TORCH_NAMES = Path(port_torch.__file__).with_name("torch_names.json")
CASES = {case.head: case for case in MINI_HEADS if case.head != "multiple_choice"}
MODELS = ["tiny", *CASES]
MISSING = {                                      # what a port cannot, or need not, show
    "torch": ("attention.scores", "head.relu", "vocab_projector.weight", "mean"),
    "onnx": ("embeddings.positions", "head.relu", "loss", "mean"),
}
FOUND = {                                        # where each bug first shows, and why
    ("torch", "tanh-gelu"): ("transformer.layer.0.ffn.activation", "gelu-tanh"),
    ("torch", "large-epsilon"): ("transformer.layer.0.sa_layer_norm", "norm-eps-1e-5"),
    ("torch", "ignored-mask"): (
        "transformer.layer.0.attention.weights", "mask-ignored"
    ),
    ("torch", "dropped-bias"): (
        "transformer.layer.0.attention.out_lin", "bias-dropped"
    ),
    ("torch", "swapped-q-k"): ("transformer.layer.0.attention.q", "query-key-swapped"),
    ("torch", "sqrt-dim"): (
        "transformer.layer.0.attention.weights", "scores-scaled-by-dim"
    ),
    ("onnx", "tanh-gelu"): ("transformer.layer.0.ffn.activation", "gelu-tanh"),
    ("onnx", "large-epsilon"): ("embeddings.LayerNorm", "norm-eps-1e-5"),
    ("onnx", "dropped-bias"): ("transformer.layer.0.ffn.lin1", "bias-dropped"),
    ("onnx", "inverted-mask"): (
        "transformer.layer.0.attention.weights", "mask-inverted"
    ),
}


def reference(name, folder):
    """Write a checkpoint and its trace, of a ragged batch, into a folder."""
    model, arguments = our_model(name)
    model.save_pretrained(folder / "model")
    trace_model(
        folder / "reference", folder / "model", arguments, model.head,
        gradients=model.head != "base",
    )


def our_model(name):
    """Return a model of ours, and the arguments of a call: ragged, padded left."""
    if name != "tiny":
        return ours.build(CASES[name], "float32"), CASES[name].arguments()
    ids = np.random.RandomState(0).randint(1900, size=(3, 7))
    mask = np.ones_like(ids)
    mask[0, :3] = mask[1, 5:] = mask[2, 0] = 0
    labels = np.where(ids % 2, ids, -100)
    arguments = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    return dn.DistilBertForMaskedLM.from_pretrained(EMBEDDED["tiny"]), arguments


def compared(tool, folder, capsys, *options):
    """Run a port and `compare`; return the status, and what is printed as JSON."""
    mine = folder / "mine.safetensors"
    given = [folder / "model", folder / "reference" / "trace.safetensors", mine]
    TOOLS[tool].main([*map(str, given), *options])
    names = TORCH_NAMES if tool == "torch" else folder / "names.json"
    capsys.readouterr()
    status = main(
        ["compare", str(folder / "reference"), str(mine), "--map", str(names), "--json"]
    )
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("tool", "dtype"), [("torch", "float32"), ("torch", "float64"), ("onnx", "float32")]
)
def test_a_clean_port_is_not_called_wrong(tool, dtype, name, tmp_path, capsys):
    reference(name, tmp_path)
    options = ("--dtype", dtype) if tool == "torch" else ()
    status, told = compared(tool, tmp_path, capsys, *options)
    assert (status, told["first_divergent"]) == (0, None)
    assert not [row["name"] for row in told["rows"] if row["state"] == "inherited"]
    ways = ("gradients.",) if tool == "onnx" else ()
    assert not [
        name for name in told["missing"]
        if not name.endswith(MISSING[tool]) and not name.startswith(ways)
    ]


@pytest.mark.parametrize(
    ("tool", "bug"), [(tool, bug) for tool in TOOLS for bug in TOOLS[tool].BUGS]
)
def test_a_bug_is_found_where_it_is_and_named(tool, bug, tmp_path, capsys):
    reference("tiny", tmp_path)
    status, told = compared(tool, tmp_path, capsys, "--bug", bug)
    place, cause = FOUND[tool, bug]
    assert (status, told["first_divergent"]) == (1, place)
    assert next(iter(told["causes"])) == cause
    assert set(told["causes"]) <= {cause, "forward-differs"}
