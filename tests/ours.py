"""Our side of a case: the model built from its tensors, and everything it computes."""

from typing import Any

import numpy as np
from cases import Case

import distilbert_np
from distilbert_np.trees import flatten
from distilbert_np.weights import as_params

CLASSES = {
    "base": distilbert_np.DistilBertModel,
    "masked_lm": distilbert_np.DistilBertForMaskedLM,
    "sequence": distilbert_np.DistilBertForSequenceClassification,
    "token": distilbert_np.DistilBertForTokenClassification,
    "question_answering": distilbert_np.DistilBertForQuestionAnswering,
    "multiple_choice": distilbert_np.DistilBertForMultipleChoice,
}


EVERYTHING = {"output_attentions": True, "output_hidden_states": True, "trace": True}


def build(case: Case, dtype: Any) -> Any:
    """Return our model of a case."""
    cls = CLASSES[case.head]
    model = cls.__new__(cls)                     # no need to draw parameters of its own
    model.config, model.dtype = case.full_config(), np.dtype(dtype)
    tensors = {name: array.astype(dtype) for name, array in case.tensors().items()}
    model.params = as_params(tensors, case.head)
    return model


def run(case: Case, dtype: Any) -> dict[str, np.ndarray]:
    """Return every array that our model computes, by dotted name."""
    out = build(case, dtype)(**case.arguments(), **EVERYTHING)
    computed = {k: v for k, v in out.trace.items() if not k.startswith("inputs.")}
    return computed | outputs(out)


def gradients(
    case: Case, dtype: Any, cotangents: dict[str, Any] | None = None, rng: Any = None
) -> dict[str, np.ndarray]:
    """Return the gradient of every parameter, and of inputs_embeds, by dotted name."""
    model = build(case, dtype)
    out = model(**case.arguments(), **EVERYTHING, rng=rng)
    return flatten(model.backward(out, cotangents or case.cotangents()))


def outputs(out: Any) -> dict[str, np.ndarray]:
    """Return what a model's output holds, transformers' or ours, by dotted name."""
    named: dict[str, Any] = {}
    for name, value in out.items():
        if name == "trace":
            continue
        if isinstance(value, tuple):
            named |= {f"output.{name}.{i}": part for i, part in enumerate(value)}
        else:
            named[f"output.{name}"] = value
    return {name: np.asarray(value) for name, value in named.items()}
