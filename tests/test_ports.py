"""Two ports that owe nothing to our code, tried as a porter would try theirs.

A clean one agrees with our trace; one with a bug goes wrong first where the bug is.
"""

import json
from pathlib import Path

import numpy as np
import ours
import pytest
from cases import MINI_HEADS
from safetensors.numpy import load_file, save_file

import distilbert_np as dn
from distilbert_np.attention import split_heads
from distilbert_np.hub import EMBEDDED
from distilbert_np.trees import flatten

for library in ("torch", "transformers", "onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(library)

from tools import port_onnx, port_torch

TOOLS = {"torch": port_torch, "onnx": port_onnx}
TORCH_NAMES = Path(port_torch.__file__).with_name("torch_names.json")
CASES = {case.head: case for case in MINI_HEADS if case.head != "multiple_choice"}
MODELS = ["tiny", *CASES]
BOUNDS = {"float32": 3e-6, "float64": 1e-12}     # of the largest number of a tensor
LAST_LINEAR = {
    "masked_lm": "vocab_projector", "sequence": "classifier", "token": "classifier",
    "question_answering": "qa_outputs",
}
MISSING = {                                      # what a port cannot, or need not, show
    "torch": ("attention.scores", "head.relu"),
    "onnx": ("embeddings.positions", "head.relu", "loss"),
}
FIRST_WRONG = {
    ("torch", "tanh-gelu"): "transformer.layer.0.ffn.activation",
    ("torch", "large-epsilon"): "transformer.layer.0.sa_layer_norm",
    ("torch", "ignored-mask"): "transformer.layer.0.attention.weights",
    ("torch", "dropped-bias"): "transformer.layer.0.attention.out_lin",
    ("torch", "swapped-q-k"): "transformer.layer.0.attention.q",
    ("torch", "sqrt-dim"): "transformer.layer.0.attention.weights",
    ("onnx", "tanh-gelu"): "transformer.layer.0.ffn.activation",
    ("onnx", "large-epsilon"): "embeddings.LayerNorm",
    ("onnx", "dropped-bias"): "transformer.layer.0.ffn.lin1",
    ("onnx", "inverted-mask"): "transformer.layer.0.attention.weights",
}


def our_model(name, dtype):
    """Return a model of ours, and the arguments of a call: ragged, padded left."""
    if name != "tiny":
        return ours.build(CASES[name], dtype), CASES[name].arguments()
    model = dn.DistilBertForMaskedLM.from_pretrained(EMBEDDED["tiny"], dtype=dtype)
    ids = np.random.RandomState(0).randint(model.config.vocab_size, size=(3, 7))
    mask = np.ones_like(ids)
    mask[0, :3] = mask[1, 5:] = mask[2, 0] = 0
    labels = np.where(ids % 2, ids, -100)
    return model, {"input_ids": ids, "attention_mask": mask, "labels": labels}


def our_side(name, dtype, folder):
    """Return a model of ours and its output; write what the ports read to a folder."""
    model, arguments = our_model(name, dtype)
    out = model(**arguments, trace=True)
    our_model(name, "float32")[0].save_pretrained(folder)
    inputs = {n: a for n, a in out.trace.items() if n.startswith("inputs.")}
    save_file(inputs, folder / "inputs.safetensors")
    return model, out


def port(tool, folder, *options):
    """Run a port; return the path of what it wrote, and of the map to our names."""
    mine = folder / "mine.safetensors"
    given = [folder, folder / "inputs.safetensors", mine]
    TOOLS[tool].main([*map(str, given), *options])
    return mine, TORCH_NAMES if tool == "torch" else folder / "names.json"


def read(mine, names, n_layers):
    """Return a port's arrays by our names; what the map does not list keeps its own."""
    arrays = load_file(mine)
    for theirs, our_name in json.loads(names.read_text(encoding="utf-8")).items():
        for i in map(str, range(n_layers)):
            if theirs.replace("{i}", i) in arrays:
                arrays[our_name.replace("{i}", i)] = arrays[theirs.replace("{i}", i)]
    return arrays


def errors(arrays, trace):
    """Return the error, of the tensor's largest number, of each array, in order."""
    found = {}
    for name, right in trace.items():
        if name in arrays:
            array = arrays[name]
            if array.ndim < right.ndim:
                array = split_heads(array, right.shape[1])
            assert array.shape == right.shape, name
            found[name] = np.abs(array - right).max() / np.abs(right).max()
    return found


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("tool", "dtype"), [("torch", "float32"), ("torch", "float64"), ("onnx", "float32")]
)
def test_a_clean_port_agrees(tool, dtype, name, tmp_path):
    model, out = our_side(name, dtype, tmp_path)
    options = ("--dtype", dtype) if tool == "torch" else ()
    arrays = read(*port(tool, tmp_path, *options), model.config.n_layers)
    computed = {n: a for n, a in out.trace.items() if not n.startswith("inputs.")}
    found = errors(arrays, computed)
    assert all(n.endswith(MISSING[tool]) for n in computed.keys() - found.keys())
    assert all(error <= BOUNDS[dtype] for error in found.values()), found


@pytest.mark.parametrize("name", [name for name in MODELS if name != "base"])
def test_gradients_agree(name, tmp_path):
    model, out = our_side(name, "float64", tmp_path)
    arrays = read(*port("torch", tmp_path, "--dtype", "float64"), model.config.n_layers)
    grads = {
        name.removeprefix("distilbert."): gradient
        for name, gradient in flatten(model.backward(out)).items()
    }
    largest = max(np.abs(gradient).max() for gradient in grads.values())
    for name, right in grads.items():
        theirs = arrays[f"gradients.{name}"]
        np.testing.assert_allclose(theirs, right, rtol=0, atol=1e-12 * largest)
    for on_the_way, bias in bias_added_last(model).items():
        theirs = arrays[f"gradients.{on_the_way}"]
        total = theirs.reshape(-1, theirs.shape[-1]).sum(axis=0)
        np.testing.assert_allclose(total, grads[bias], rtol=0, atol=1e-12 * largest)


def bias_added_last(model):
    """Return the bias whose gradient is the sum, over places, of each one on the way.
    """
    blocks = range(model.config.n_layers)
    norms = [f"transformer.layer.{i}.output_layer_norm" for i in blocks]
    biases = {norm: f"{norm}.bias" for norm in ["embeddings.LayerNorm", *norms]}
    return biases | {"head.logits": f"{LAST_LINEAR[model.head]}.bias"}


@pytest.mark.parametrize(
    ("tool", "bug"), [(tool, bug) for tool in TOOLS for bug in TOOLS[tool].BUGS]
)
def test_a_bug_shows_first_where_it_is(tool, bug, tmp_path):
    model, out = our_side("tiny", "float32", tmp_path)
    arrays = read(*port(tool, tmp_path, "--bug", bug), model.config.n_layers)
    found = errors(arrays, out.trace)
    wrong = [name for name, error in found.items() if not error <= BOUNDS["float32"]]
    assert wrong[0] == FIRST_WRONG[tool, bug]
