"""What others compute: PyTorch, by transformers, and onnxruntime, by our names."""

import contextlib
import importlib.util
import io
import warnings
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import bert
from ..errors import DistilBertError, InputError, one_line
from ..functions import Array
from ..runtime import n_threads

TORCH = ("torch", "transformers")
INSTALL = 'pip install -e ".[parity]"'


class Computed(NamedTuple):
    """What one side computes of a batch: arrays by name, gradients by parameter."""

    values: dict[str, Array]
    gradients: dict[str, Array]


def not_installed(libraries: Sequence[str]) -> list[str]:
    """Return which of these libraries are not installed."""
    return [name for name in libraries if importlib.util.find_spec(name) is None]


def need(libraries: Sequence[str]) -> None:
    """Raise DistilBertError, which says what to install, if a library is missing."""
    if missing := not_installed(libraries):
        raise DistilBertError(f"not installed: {', '.join(missing)}; {INSTALL}")


def versions(libraries: Sequence[str]) -> dict[str, str]:
    """Return the versions of those of these libraries that are installed."""
    missing = not_installed(libraries)
    return {name: version(name) for name in libraries if name not in missing}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what the other libraries have to say from both outputs."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


# --- PyTorch --------------------------------------------------------------------------


def torch_model(
    class_name: str, folder: Path, attention: str, dtype: str = "float32"
) -> Any:
    """Return transformers' model of the folder, in evaluation mode."""
    with quiet():
        import torch
        import transformers

        torch.set_num_threads(n_threads())
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        model_class = getattr(transformers, class_name)
        model = model_class.from_pretrained(
            folder, attn_implementation=attention, dtype=getattr(torch, dtype)
        )
    return model.eval()


def run_torch(
    class_name: str, folder: Path, dtype: str, batch: dict[str, Array],
    cotangent: Array | None,
) -> Computed:
    """Return what transformers' model computes of a batch, forward and backward.

    `cotangent` is the gradient of the last hidden state, where there is no loss. Raises
    DistilBertError where transformers refuses the folder.
    """
    try:
        model = torch_model(class_name, folder, "eager", dtype)
    except Exception as error:                   # it raises all sorts
        reason = one_line(str(error))[:200]
        raise DistilBertError(
            f"{folder}: transformers cannot open it ({reason})"
        ) from None
    given = {name: as_tensor(array, dtype) for name, array in batch.items()}
    with quiet():
        out = model(**given, output_hidden_states=True, output_attentions=True)
        if cotangent is None:
            out.loss.backward()
        else:
            out.last_hidden_state.backward(as_tensor(cotangent, dtype))
    return Computed(values_of(out), gradients_of(model))


def as_tensor(array: Array, dtype: str) -> Any:
    """Return an array as a tensor: of this dtype, unless it holds integers."""
    import torch

    tensor = torch.from_numpy(array)
    return tensor.to(getattr(torch, dtype)) if tensor.is_floating_point() else tensor


def values_of(out: Any) -> dict[str, Array]:
    """Return what transformers' output holds, by the names of our trace, in order."""
    import torch

    # Of a model without layers transformers keeps no hidden states at all.
    found = dict(zip(["embeddings.LayerNorm"], out.hidden_states, strict=False))
    layers = zip(out.attentions, out.hidden_states[1:], strict=True)
    for i, (weights, states) in enumerate(layers):
        found[f"transformer.layer.{i}.attention.weights"] = weights
        found[f"transformer.layer.{i}.output_layer_norm"] = states
    if "start_logits" in out:                    # of question answering
        ends = (out.start_logits, out.end_logits)
        found["head.logits"] = torch.stack(ends, dim=-1)
    elif "logits" in out:
        found["head.logits"] = out.logits
    if "loss" in out:
        found["loss"] = out.loss
    return {name: tensor.detach().numpy() for name, tensor in found.items()}


def gradients_of(model: Any) -> dict[str, Array]:
    """Return the gradients of a transformers model, by the names of our parameters.

    A BERT's have the names of the DistilBERT that it folds into. What the loss does not
    depend on has a gradient of 0.
    """
    found = {
        name: (parameter * 0 if parameter.grad is None else parameter.grad)
        for name, parameter in model.named_parameters() if parameter.requires_grad
    }
    names = list(found)
    plain = bert.plain_bert_names(names) if bert.is_bert(names) else {
        name: name.removeprefix("distilbert.") for name in names
    }
    return {plain[name]: tensor.detach().numpy() for name, tensor in found.items()}


# --- onnxruntime ----------------------------------------------------------------------


def run_onnx(path: Path, batch: dict[str, Array]) -> dict[str, Array]:
    """Return the outputs of an .onnx file for ids and mask, by name, in order.

    A graph that asks for token types is given zeros. Raises InputError where
    onnxruntime refuses the file or the batch.
    """
    import onnxruntime

    if not path.is_file():
        raise InputError(f"--onnx {path}: there is no such file")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4               # what it raises says it as well
    options.intra_op_num_threads = n_threads()
    given = batch | {"token_type_ids": np.zeros_like(batch["input_ids"])}
    try:
        session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        asked = [node.name for node in session.get_inputs()]
        if unknown := sorted({*asked} - {*given}):
            known = ", ".join(given)
            raise InputError(f"--onnx {path}: asks for {unknown[0]}; known are {known}")
        outputs = session.run(None, {name: given[name] for name in asked})
    except DistilBertError:
        raise
    except Exception as error:                   # the library raises all sorts
        reason = one_line(str(error))[:200]
        raise InputError(f"--onnx {path}: onnxruntime refuses it ({reason})") from None
    names = [node.name for node in session.get_outputs()]
    return dict(zip(names, outputs, strict=True))
