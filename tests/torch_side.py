"""PyTorch's side of a case: transformers' model on the same tensors, every step named.

Hooks on transformers' own modules record what passes; the names are those of our trace.
"""

import re
from typing import Any

import numpy as np
import torch
import transformers
from cases import SMALL, Case
from ours import outputs
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask
from transformers.models.distilbert.modeling_distilbert import eager_attention_forward

from distilbert_np.trees import flatten
from distilbert_np.weights import as_params

CLASSES = {
    "base": transformers.DistilBertModel,
    "masked_lm": transformers.DistilBertForMaskedLM,
    "sequence": transformers.DistilBertForSequenceClassification,
    "token": transformers.DistilBertForTokenClassification,
    "question_answering": transformers.DistilBertForQuestionAnswering,
    "multiple_choice": transformers.DistilBertForMultipleChoice,
}
# Which of our names a module's first input and its output go by.
INPUT_NAMES = {
    "embeddings.LayerNorm": "embeddings.sum",
    "attention.out_lin": "attention.context",
    "sa_layer_norm": "attention_sum",
    "output_layer_norm": "ffn_sum",
    "pre_classifier": "head.first",
}
OUTPUT_NAMES = {
    "embeddings.word_embeddings": "embeddings.words",
    "embeddings.position_embeddings": "embeddings.positions",
    "embeddings.LayerNorm": "embeddings.LayerNorm",
    "attention.out_lin": "attention.out_lin",
    "sa_layer_norm": "sa_layer_norm",
    "ffn.lin1": "ffn.lin1",
    "ffn.activation": "ffn.activation",
    "ffn.lin2": "ffn.lin2",
    "output_layer_norm": "output_layer_norm",
    "vocab_transform": "head.vocab_transform",
    "activation": "head.activation",
    "vocab_layer_norm": "head.vocab_layer_norm",
    "vocab_projector": "head.logits",
    "pre_classifier": "head.pre_classifier",
    "classifier": "head.logits",
    "qa_outputs": "head.logits",
}


def build(case: Case, dtype: torch.dtype) -> Any:
    """Return transformers' model of a case, in evaluation mode."""
    fields = case.full_config().to_dict()
    config = transformers.DistilBertConfig(**fields, attn_implementation="recording")
    with torch.device("meta"):
        model = CLASSES[case.head](config)
    model = model.to_empty(device="cpu")
    names = flatten(as_params(case.tensors(), case.head))
    tensors = {name: torch.from_numpy(array) for name, array in names.items()}
    tied = case.head == "masked_lm" and config.tie_word_embeddings
    if tied:
        words = "distilbert.embeddings.word_embeddings.weight"
        tensors["vocab_projector.weight"] = tensors[words]
    model.load_state_dict(tensors, assign=True)
    if tied:                                     # one parameter, with one gradient
        model.vocab_projector.weight = model.get_input_embeddings().weight
    encoder = encoder_of(model)
    encoder.embeddings.position_ids = torch.arange(config.max_position_embeddings)[None]
    return model.to(dtype).eval()


def encoder_of(model: Any) -> Any:
    """Return the encoder of a model with a head, or of none."""
    return getattr(model, "distilbert", model)


def record(model: Any, recorded: dict[str, torch.Tensor]) -> None:
    """Hook a model so that a call fills `recorded` with every intermediate by name."""

    def remember(name: str, value: torch.Tensor) -> None:
        recorded[name] = value.detach().clone()

    def watch(module: torch.nn.Module, prefix: str, short: str) -> None:
        def hook(module: Any, inputs: tuple, output: torch.Tensor) -> None:
            if short in INPUT_NAMES:
                remember(prefix + INPUT_NAMES[short], inputs[0])
            if short in OUTPUT_NAMES:
                remember(prefix + OUTPUT_NAMES[short], output)
            if short == "dropout" and "head.pre_classifier" in recorded:
                remember("head.relu", inputs[0])

        module.register_forward_hook(hook)

    for name, module in model.named_modules():
        name = name.removeprefix("distilbert.")
        prefix = ""
        if in_block := re.fullmatch(r"(transformer\.layer\.\d+\.)(.+)", name):
            prefix, name = in_block.groups()
        watch(module, prefix, name)
        if name == "attention":
            module.record = lambda name, value, at=f"{prefix}attention.": remember(
                at + name, value
            )


def recording_attention(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, **options: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run transformers' eager attention; record what it does; apply a head mask.

    transformers 5 has no head_mask any more: the factors are multiplied in here, where
    version 4 had them.
    """
    output, weights = eager_attention_forward(
        module, query, key, value, attention_mask, **options
    )
    scores = query @ key.transpose(2, 3) * module.scaling
    for name, array in (("q", query), ("k", key), ("v", value), ("scores", scores),
                        ("weights", weights)):
        module.record(name, array)
    if getattr(module, "head_mask", None) is not None:
        weights = weights * module.head_mask[:, None, None]
        module.record("head_masked_weights", weights)
        output = (weights @ value).transpose(1, 2).contiguous()
    return output, weights


AttentionInterface.register("recording", recording_attention)
AttentionMaskInterface.register("recording", eager_mask)


def prepare(case: Case, dtype: torch.dtype) -> tuple[Any, dict[str, torch.Tensor]]:
    """Return the model of a case and the arguments of its call."""
    model = build(case, dtype)
    arguments = {}
    for name, array in case.arguments().items():
        tensor = torch.from_numpy(array)
        arguments[name] = tensor.to(dtype) if tensor.is_floating_point() else tensor
    if case.config.get("num_labels") == 1:
        arguments["labels"] = arguments["labels"].to(dtype)
    head_mask = arguments.pop("head_mask", None)
    for number, block in enumerate(encoder_of(model).transformer.layer):
        block.attention.head_mask = None if head_mask is None else head_mask[number]
    return model, arguments


def run(case: Case, dtype: torch.dtype) -> dict[str, np.ndarray]:
    """Return every array that transformers computes for a case, by our names."""
    model, arguments = prepare(case, dtype)
    recorded: dict[str, torch.Tensor] = {}
    record(model, recorded)
    with torch.no_grad():
        out = model(**arguments, output_attentions=True, output_hidden_states=True)
    if "inputs_embeds" in arguments:
        embeds = arguments["inputs_embeds"]
        recorded["embeddings.words"] = embeds.reshape(-1, *embeds.shape[-2:])
    if case.head == "multiple_choice":
        recorded["head.logits"] = out.logits
    if out.get("loss") is not None:
        recorded["loss"] = out.loss
    computed = {name: value.numpy() for name, value in recorded.items()}
    return computed | outputs(out)


def gradients(
    case: Case, dtype: torch.dtype, cotangents: dict[str, Any] | None = None,
    training: bool = False,
) -> dict[str, np.ndarray]:
    """Return the gradient of every parameter, and of inputs_embeds, by our names.

    `cotangents` are as our backward takes them. In training there is dropout.
    """
    model, arguments = prepare(case, dtype)
    for module in model.modules():
        module.record = lambda name, value: None
    model.train(training)
    leaves = dict(model.named_parameters())
    if "inputs_embeds" in arguments:
        leaves["inputs_embeds"] = arguments["inputs_embeds"].requires_grad_()
    out = model(**arguments, output_attentions=True, output_hidden_states=True)
    outputs, douts = [], []
    for name, given in (cotangents or case.cotangents() or {"loss": 1.0}).items():
        several = isinstance(given, list)
        for output, dout in zip(
            out[name] if several else [out[name]], given if several else [given],
            strict=True,
        ):
            if dout is not None:
                outputs.append(output)
                douts.append(torch.as_tensor(dout, dtype=dtype))
    torch.autograd.backward(outputs, douts)
    return {
        name: (torch.zeros_like(leaf) if leaf.grad is None else leaf.grad).numpy()
        for name, leaf in leaves.items()
    }


# --- models of random parameters, to be saved and opened ------------------------------

BERT = {
    "vocab_size": SMALL["vocab_size"], "max_position_embeddings": 12, "hidden_size": 12,
    "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 20,
    "attn_implementation": "eager",
}


def randomised(model: Any) -> Any:
    """Return a transformers model in evaluation mode, every parameter random."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-1, 1, generator=generator)
    return model.eval()


def theirs(head: str, **config: Any) -> Any:
    """Return transformers' model of random parameters."""
    config = transformers.DistilBertConfig(**(SMALL | config))
    config._attn_implementation = "eager"
    return randomised(CLASSES[head](config))
