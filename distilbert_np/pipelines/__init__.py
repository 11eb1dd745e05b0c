"""Pipelines: text in, answer out; names, arguments and answers as in transformers."""

import os
import warnings
from typing import Any

import numpy as np

from ..errors import InputError, shown
from ..inspection import other_class
from ..models import DistilBertPreTrainedModel
from ..tokenizer import DistilBertTokenizer
from .base import Pipeline
from .feature_extraction import EmbedPipeline, FeatureExtractionPipeline
from .fill_mask import FillMaskPipeline
from .multiple_choice import MultipleChoicePipeline
from .question_answering import QuestionAnsweringPipeline
from .text_classification import TextClassificationPipeline
from .token_classification import TokenClassificationPipeline

PIPELINES: dict[str, type[Pipeline]] = {
    "fill-mask": FillMaskPipeline,
    "text-classification": TextClassificationPipeline,
    "token-classification": TokenClassificationPipeline,
    "question-answering": QuestionAnsweringPipeline,
    "multiple-choice": MultipleChoicePipeline,
    "feature-extraction": FeatureExtractionPipeline,
    "embed": EmbedPipeline,
}
ALIASES = {
    "sentiment-analysis": "text-classification", "ner": "token-classification",
    # as the command line and training call them
    "masked-lm": "fill-mask", "classify": "text-classification",
    "tag": "token-classification", "answer": "question-answering",
    "choose": "multiple-choice",
}


def pipeline(
    task: str,
    model: str | os.PathLike | DistilBertPreTrainedModel = "tiny",
    tokenizer: str | os.PathLike | DistilBertTokenizer | None = None,
    *,
    dtype: Any = np.float32,
    revision: str | None = None,
    local_files_only: bool = False,
    cache_dir: str | os.PathLike | None = None,
    model_kwargs: dict[str, Any] | None = None,
    **options: Any,
) -> Pipeline:
    """Return the pipeline of a task, with its model and tokenizer.

    `task` is one of "fill-mask", "text-classification" (or "sentiment-analysis"),
    "token-classification" ("ner"), "question-answering", "multiple-choice",
    "feature-extraction" and "embed", or as the command line calls it. `model` and
    `tokenizer` are loaded ones, or what from_pretrained takes, as are dtype, revision,
    local_files_only, cache_dir and `model_kwargs`; a tokenizer is looked for beside its
    model. `options` become those of every call. Raises InputError for a task that is
    not known, and warns of a model that was trained for another.
    """
    kind = PIPELINES.get(ALIASES.get(task, task)) if isinstance(task, str) else None
    if kind is None:
        known = ", ".join(PIPELINES)
        raise InputError(f"task: expected one of {known}, found {shown(task)}")
    if not isinstance(model, (str, os.PathLike, kind.model_class)):
        raise InputError(
            f"model: expected a {kind.model_class.__name__} or its name, "
            f"found {shown(model)}"
        )
    if not isinstance(model_kwargs, (dict, type(None))):
        raise InputError(
            f"model_kwargs: expected a dictionary, found {shown(model_kwargs)}"
        )
    where = {
        "revision": revision, "local_files_only": local_files_only,
        "cache_dir": cache_dir,
    }
    if tokenizer is None:
        if isinstance(model, DistilBertPreTrainedModel):
            raise InputError("tokenizer: a loaded model needs its tokenizer as well")
        tokenizer = model
    if not isinstance(tokenizer, DistilBertTokenizer):
        tokenizer = DistilBertTokenizer.from_pretrained(tokenizer, **where)
    if not isinstance(model, DistilBertPreTrainedModel):
        more = {"dtype": dtype} | where | (model_kwargs or {})
        name, model = model, kind.model_class.from_pretrained(model, **more)
        other = other_class(model.config, model.head)
        if other and not model.load_report.missing:          # its weights fit by chance
            warnings.warn(f"{name}: is a {other}, not trained for {task}", stacklevel=2)
    return kind(model, tokenizer, **options)
