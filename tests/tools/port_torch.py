"""A port, made in PyTorch: transformers' DistilBERT, watched by hooks on its modules.

    python tests/tools/port_torch.py CHECKPOINT INPUTS OUT [--bug NAME] [--dtype DTYPE]

CHECKPOINT is a folder, INPUTS a .safetensors file of tensors named `inputs.input_ids`,
`inputs.attention_mask`, `inputs.labels`; OUT is the .safetensors file to write. In it
each module's output goes by the module's name, what it read by that name and `.input`,
and each gradient by `grad.` and the name of what it is for. torch_names.json says which
of ours each is.
"""

import argparse
from collections.abc import Callable
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file

Tensors = dict[str, torch.Tensor]

READ = (
    "input_ids", "attention_mask", "position_ids",
    "labels", "start_positions", "end_positions",
)

# --- the bugs, each planted in a block ------------------------------------------------


def tanh_gelu(block: Any) -> None:
    """Use the approximate form of GELU."""
    block.ffn.activation = torch.nn.GELU(approximate="tanh")


def large_epsilon(block: Any) -> None:
    """Leave LayerNorm's epsilon at PyTorch's default."""
    block.sa_layer_norm.eps = block.output_layer_norm.eps = 1e-5


def ignored_mask(block: Any) -> None:
    """Keep the attention mask from attention."""
    block.attention.register_forward_pre_hook(
        lambda _, args, options: (args, options | {"attention_mask": None}),
        with_kwargs=True,
    )


def dropped_bias(block: Any) -> None:
    """Forget the bias of attention's last linear."""
    block.attention.out_lin.bias = None


def swapped_q_k(block: Any) -> None:
    """Load the weights of q where those of k belong, and the other way round."""
    attention = block.attention
    attention.q_lin, attention.k_lin = attention.k_lin, attention.q_lin


def sqrt_dim(block: Any) -> None:
    """Divide the scores by √D, not √K."""
    block.attention.scaling = block.attention.dim**-0.5


BUGS: dict[str, Callable[[Any], None]] = {
    "tanh-gelu": tanh_gelu,
    "large-epsilon": large_epsilon,
    "ignored-mask": ignored_mask,
    "dropped-bias": dropped_bias,
    "swapped-q-k": swapped_q_k,
    "sqrt-dim": sqrt_dim,
}


# --- the port -------------------------------------------------------------------------


def open_model(checkpoint: str, dtype: torch.dtype) -> torch.nn.Module:
    """Return the model of the class that the checkpoint names, in evaluation mode."""
    config = transformers.AutoConfig.from_pretrained(checkpoint)
    model_class = getattr(transformers, config.architectures[0])
    return model_class.from_pretrained(
        checkpoint, dtype=dtype, attn_implementation="eager"
    ).eval()


def prefix(model: Any) -> str:
    """Return what a bare encoder's names lack: in a model with a head it has a name."""
    return "distilbert" if model is model.base_model else ""


def watch(model: Any) -> Tensors:
    """Hook every module that has no parts; return the dict that a call will fill."""
    seen: Tensors = {}

    def hook_for(name: str) -> Callable[..., None]:
        def hook(module: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
            seen[f"{name}.input"], seen[name] = inputs[0], output

        return hook

    for name, module in model.named_modules(prefix=prefix(model)):
        if not list(module.children()):
            module.register_forward_hook(hook_for(name))
    return seen


def run(model: Any, inputs: Tensors) -> Tensors:
    """Return all that the model computes; with labels, the loss and its gradients."""
    seen = watch(model)
    out = model(**inputs, output_attentions=True)
    seen |= {f"attentions.{i}": weights for i, weights in enumerate(out.attentions)}
    if out.get("loss") is None:
        return seen
    parameters = dict(model.named_parameters(prefix=prefix(model)))
    return seen | {"loss": out.loss} | gradients(out.loss, seen | parameters)


def gradients(loss: torch.Tensor, tensors: Tensors) -> Tensors:
    """Return the gradient of the loss for every tensor that it depends on."""
    wanted = {name: tensor for name, tensor in tensors.items() if tensor.requires_grad}
    found = torch.autograd.grad(loss, list(wanted.values()), allow_unused=True)
    return {
        f"grad.{name}": gradient
        for name, gradient in zip(wanted, found, strict=True)
        if gradient is not None
    }


def read_inputs(path: str) -> Tensors:
    """Return the arguments of the call: those of READ that the file has."""
    tensors = load_file(path)
    return {
        name: tensors[f"inputs.{name}"] for name in READ if f"inputs.{name}" in tensors
    }


def main(arguments: list[str] | None = None) -> None:
    """Run the port on a file of inputs, and write what it computes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("checkpoint")
    parser.add_argument("inputs")
    parser.add_argument("out")
    parser.add_argument("--bug", choices=BUGS)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    given = parser.parse_args(arguments)

    model = open_model(given.checkpoint, getattr(torch, given.dtype))
    if given.bug:
        for block in model.base_model.transformer.layer:
            BUGS[given.bug](block)
    computed = run(model, read_inputs(given.inputs))
    # One tensor may go by two names, but a file takes it once: hence the copies.
    copies = {name: t.detach().contiguous().clone() for name, t in computed.items()}
    save_file(copies, given.out)


if __name__ == "__main__":
    main()
