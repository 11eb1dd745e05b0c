"""The contenders: ours, PyTorch (by transformers) and onnxruntime, each a function.

All are made of one folder, so they compute from the same weights. This is the only file
that imports the other libraries; `missing` says which of them are not installed.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DistilBertError
from ..functions import Array
from ..models import (
    DistilBertForMaskedLM,
    DistilBertForSequenceClassification,
    DistilBertModel,
)
from ..parity.theirs import not_installed, quiet, torch_model
from ..pipelines import pipeline
from ..runtime import n_threads
from ..tokenizer import DistilBertTokenizer
from ..training import AdamW, train_step
from .machine import is_limited

Forward = Callable[[Array, Array], Array]        # ids and mask (B, L) -> an output
Step = Callable[[dict[str, Array]], float]       # a batch -> the loss; parameters move
Embed = Callable[[list[str]], Array]             # n texts -> (n, D)

NEEDS = {
    "torch": ("torch", "transformers"),
    "onnxruntime": ("onnxruntime", "onnx", "onnxscript", "torch", "transformers"),
}
INSTALL = 'pip install -e ".[bench]"'
ATTENTIONS = ("eager", "sdpa")                   # of transformers, for CPUs
CLASSES = {"base": DistilBertModel, "masked_lm": DistilBertForMaskedLM}
TOLERANCE = 1e-4                                 # of the largest value of ours
LR, WEIGHT_DECAY, MAX_GRAD_NORM = 5e-5, 0.01, 1.0


def missing(contender: str) -> list[str]:
    """Return the libraries that a contender needs and that are not installed."""
    return not_installed(NEEDS[contender])


def check_agreement(outputs: dict[str, Array], what: str) -> None:
    """Raise DistilBertError unless the outputs of all contenders are ours."""
    ours = outputs["ours"]
    for name, theirs in outputs.items():
        apart = np.abs(theirs - ours).max() / np.abs(ours).max()
        if not apart <= TOLERANCE:
            raise DistilBertError(
                f"{what}: {name} differs from ours by {apart:.1e} of the largest "
                f"value, expected at most {TOLERANCE:.0e}; nothing was measured"
            )


def fastest_torch(milliseconds: dict[str, float]) -> tuple[str | None, float | None]:
    """Return the attention, and the time, with which PyTorch was fastest."""
    times = {
        attention: milliseconds[f"torch {attention}"]
        for attention in ATTENTIONS if f"torch {attention}" in milliseconds
    }
    return min(times.items(), key=lambda item: item[1], default=(None, None))


# --- the forward pass -----------------------------------------------------------------


def forwards(head: str, folder: Path) -> dict[str, Forward]:
    """Return the forward pass of every contender that is installed, by its name."""
    found = {"ours": our_forward(head, folder)}
    if not missing("torch"):
        for attention in ATTENTIONS:
            found[f"torch {attention}"] = torch_forward(head, folder, attention)
    if not missing("onnxruntime"):
        found["onnxruntime"] = onnx_forward(head, folder)
    return found


def our_forward(head: str, folder: Path) -> Forward:
    """Return ours: the vectors (B, L, D), or the logits (B, L, V)."""
    model = CLASSES[head].from_pretrained(folder)

    return lambda ids, mask: model(ids, mask)[0]


def one_mask_forward(folder: Path) -> Forward:
    """Return ours as fill-mask has it: the logits (B, V) at one place of each text."""
    model = DistilBertForMaskedLM.from_pretrained(folder)

    def forward(ids: Array, mask: Array) -> Array:
        h = model.encode(ids, mask).last_hidden_state
        return model.score(h[:, 0], rng=None)[0]

    return forward


def torch_forward(head: str, folder: Path, attention: str) -> Forward:
    """Return PyTorch's, in inference mode, with one of transformers' attentions."""
    model = torch_model(CLASSES[head].__name__, folder, attention)
    import torch

    def forward(ids: Array, mask: Array) -> Array:
        with torch.inference_mode():
            return model(torch.from_numpy(ids), torch.from_numpy(mask))[0].numpy()

    return forward


def onnx_forward(head: str, folder: Path) -> Forward:
    """Return onnxruntime's, of the model that torch.onnx exports."""
    import onnxruntime

    path = folder / f"{head}.onnx"
    if not path.exists():
        export(torch_model(CLASSES[head].__name__, folder, "sdpa"), path)
    options = onnxruntime.SessionOptions()
    if is_limited():                             # else as many as it chooses itself
        options.intra_op_num_threads = n_threads()
    session = onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"]
    )

    def forward(ids: Array, mask: Array) -> Array:
        return session.run(None, {"input_ids": ids, "attention_mask": mask})[0]

    return forward


def export(model: Any, path: Path) -> None:
    """Write an .onnx file of a torch model, for any batch and length."""
    import torch

    class FirstOutput(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.model(input_ids, attention_mask)[0]

    # Two tensors: one given twice would be exported as one input.
    ids, mask = torch.ones(2, 2, 16, dtype=torch.int64).unbind()
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    with quiet():
        torch.onnx.export(
            FirstOutput().eval(), (ids, mask), path, dynamo=True, verbose=False,
            input_names=["input_ids", "attention_mask"],
            dynamic_shapes={"input_ids": axes, "attention_mask": axes},
        )


# --- a training step ------------------------------------------------------------------


def make_step(name: str, folder: Path) -> Step:
    """Return a contender's training step, by its name, of a sequence classifier.

    Forward with dropout, backward, clipping, AdamW.
    """
    if name == "ours":
        return our_step(folder)
    return torch_step(folder, name.removeprefix("torch "))


def our_step(folder: Path) -> Step:
    """Return our training step."""
    model = DistilBertForSequenceClassification.from_pretrained(folder)
    optimizer = AdamW(model.params, LR, weight_decay=WEIGHT_DECAY)
    rng = np.random.default_rng(0)

    def step(batch: dict[str, Array]) -> float:
        return train_step(model, [batch], optimizer, LR, MAX_GRAD_NORM, rng)

    return step


def torch_step(folder: Path, attention: str) -> Step:
    """Return PyTorch's training step."""
    model = torch_model("DistilBertForSequenceClassification", folder, attention)
    import torch

    model.train()
    named = dict(model.named_parameters())
    optimizer = torch.optim.AdamW(named.values(), LR, weight_decay=WEIGHT_DECAY)

    def step(batch: dict[str, Array]) -> float:
        tensors = {name: torch.from_numpy(array) for name, array in batch.items()}
        loss = model(**tensors).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(named.values(), MAX_GRAD_NORM)
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    return step


# --- many texts -----------------------------------------------------------------------


def our_embed(folder: Path, tokenizer: DistilBertTokenizer) -> Embed:
    """Return our embed pipeline: (n, D), means over each text's tokens, of length 1."""
    model = DistilBertModel.from_pretrained(folder)
    embed = pipeline("embed", model, tokenizer)
    return lambda texts: embed(texts, progress=False)


def torch_features(folder: Path) -> Callable[[list[str]], list[Array]]:
    """Return transformers' feature-extraction pipeline, in batches of 32 as they come.

    It gives an array (L, D) for each text, L with the padding of the text's batch.
    """
    model = torch_model("DistilBertModel", folder, "sdpa")
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    extract = transformers.pipeline(
        "feature-extraction", model=model, tokenizer=tokenizer, device="cpu"
    )

    def features(texts: list[str]) -> list[Array]:
        # Tensors: turning them into lists of lists would take it far longer.
        found = extract(texts, batch_size=32, truncation=True, return_tensors=True)
        return [tensor[0].numpy() for tensor in found]

    return features
