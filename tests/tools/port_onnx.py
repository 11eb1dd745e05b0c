"""A port, made with onnxruntime: a graph of which every tensor is an output.

    python tests/tools/port_onnx.py CHECKPOINT INPUTS OUT [--bug NAME]

CHECKPOINT is a folder, INPUTS a .safetensors file of tensors named `inputs.input_ids`
and `inputs.attention_mask`; OUT is the .safetensors file to write. In it each array
goes by its name in the graph; names.json, beside it, says which of ours it is. Every
node of the graph tells which module it is of, and torch_names.json knows the modules.
"""

import argparse
import ast
import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
import transformers
from safetensors.numpy import load_file, save_file

Arrays = dict[str, np.ndarray]

READ = ("input_ids", "attention_mask")
OPSET = 20                                       # the first in which Gelu is one node
SCOPES = "pkg.torch.onnx.name_scopes"            # where PyTorch notes a node's modules
NO_SCOPES = "['', '']"                           # a few nodes at the end have no note
X_COMES_FIRST = ("MatMul", "Gemm", "LayerNormalization")         # of what they read

# Our name for each module's output, and for what some read; a bare encoder's modules
# lack the prefix. Attention is a module of many nodes: the op tells two of them.
PREFIX = "distilbert."
LAYER_NUMBER = re.compile(r"(?<=layer\.)\d+")
TORCH_NAMES = json.loads(Path(__file__).with_name("torch_names.json").read_text())
ATTENTION = "transformer.layer.{i}.attention"
NAMES = {theirs.removeprefix(PREFIX): ours for theirs, ours in TORCH_NAMES.items()} | {
    f"{ATTENTION}.Mul": f"{ATTENTION}.scores",
    f"{ATTENTION}.Softmax": f"{ATTENTION}.weights",
}

# --- the bugs, each planted in the graph ----------------------------------------------


def tanh_gelu(graph: onnx.GraphProto) -> None:
    """Use the approximate form of GELU."""
    for node in graph.node:
        if node.op_type == "Gelu":
            del node.attribute[:]
            node.attribute.append(onnx.helper.make_attribute("approximate", "tanh"))


def large_epsilon(graph: onnx.GraphProto) -> None:
    """Leave LayerNorm's epsilon at ONNX's default."""
    for node in graph.node:
        if node.op_type == "LayerNormalization":
            epsilon = next(a for a in node.attribute if a.name == "epsilon")
            epsilon.f = 1e-5


def dropped_bias(graph: onnx.GraphProto) -> None:
    """Forget the bias of the feed-forward network's first linear."""
    for tensor in graph.initializer:
        if tensor.name.endswith("ffn.lin1.bias"):
            zeros = np.zeros(tensor.dims, np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(zeros, tensor.name))


def inverted_mask(graph: onnx.GraphProto) -> None:
    """Hide the tokens, and show the padding."""
    for node in graph.node:
        if node.op_type == "Where":
            node.input[1], node.input[2] = node.input[2], node.input[1]


BUGS: dict[str, Callable[[onnx.GraphProto], None]] = {
    "tanh-gelu": tanh_gelu,
    "large-epsilon": large_epsilon,
    "dropped-bias": dropped_bias,
    "inverted-mask": inverted_mask,
}


# --- the port -------------------------------------------------------------------------


def export(checkpoint: str, inputs: Arrays) -> onnx.ModelProto:
    """Return the graph that PyTorch makes of the checkpoint, for inputs of this shape.
    """
    config = transformers.AutoConfig.from_pretrained(checkpoint)
    model: Any = getattr(transformers, config.architectures[0]).from_pretrained(
        checkpoint, dtype=torch.float32, attn_implementation="eager"
    )
    model.config.return_dict = False             # a graph returns tensors
    tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")          # PyTorch, of itself
        program = torch.onnx.export(
            model.eval(), kwargs=tensors, opset_version=OPSET, verbose=False
        )
    return program.model_proto


def run(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    """Return every array of floats that onnxruntime computes, by its tensor's name."""
    tensors = [name for node in model.graph.node for name in node.output]
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in tensors)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    computed = dict(zip(tensors, session.run(None, inputs), strict=True))
    return {name: array for name, array in computed.items() if array.dtype.kind == "f"}


def module_of(node: onnx.NodeProto) -> str:
    """Return the name of the module that a node is part of, without `distilbert.`"""
    notes = {note.key: note.value for note in node.metadata_props}
    *_, module, _ = ast.literal_eval(notes.get(SCOPES, NO_SCOPES))
    return module.removeprefix(PREFIX)


def tensors_by_module(graph: onnx.GraphProto) -> dict[str, str]:
    """Return a tensor for each module: what its last node writes.

    There is one for `MODULE.OP` too, what the last such node writes, and one for
    `MODULE.input`, what the module reads.
    """
    found: dict[str, str] = {}
    for node in graph.node:
        module = module_of(node)
        found[module] = found[f"{module}.{node.op_type}"] = node.output[0]
        if node.op_type in X_COMES_FIRST:
            found[f"{module}.input"] = node.input[0]
    return found


def names_of(graph: onnx.GraphProto) -> dict[str, str]:
    """Return our name for each tensor of the graph that has one."""
    names: dict[str, str] = {}
    for module, tensor in tensors_by_module(graph).items():
        pattern = LAYER_NUMBER.sub("{i}", module)
        if pattern in NAMES:
            number = "".join(LAYER_NUMBER.findall(module))       # a head has none
            names[tensor] = NAMES[pattern].replace("{i}", number)
    return names


def main(arguments: list[str] | None = None) -> None:
    """Run the port on a file of inputs; write what it computes, and its names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("checkpoint")
    parser.add_argument("inputs")
    parser.add_argument("out", type=Path)
    parser.add_argument("--bug", choices=BUGS)
    given = parser.parse_args(arguments)

    arrays = load_file(given.inputs)
    inputs = {name: arrays[f"inputs.{name}"] for name in READ}
    model = export(given.checkpoint, inputs)
    if given.bug:
        BUGS[given.bug](model.graph)
    save_file(run(model, inputs), given.out)
    names = json.dumps(names_of(model.graph), indent=1)
    given.out.with_name("names.json").write_text(names + "\n")


if __name__ == "__main__":
    main()
