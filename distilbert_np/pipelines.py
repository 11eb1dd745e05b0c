"""Pipelines: text in, answer out."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from .errors import InputError
from .functions import softmax
from .models import DistilBertForMaskedLM
from .tokenizer import DistilBertTokenizer

Answer = dict[str, Any]


class FillMaskPipeline:
    """Fills each `[MASK]` of a text with the words that the model finds likeliest."""

    def __init__(
        self, model: DistilBertForMaskedLM, tokenizer: DistilBertTokenizer
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer

    def __call__(self, text: str | Sequence[str], top_k: int = 5) -> list[Any]:
        """Return the `top_k` best answers for each mask, likeliest first.

        An answer is a dict: `score` (a probability), `token` (an id), `token_str`, and
        `sequence`, the text with this mask filled (and special tokens shown, if other
        masks remain). A text with one mask gives a list of answers, one with several a
        list of such lists; a list of texts gives a list of either. Raises InputError
        where a text has no mask.
        """
        if isinstance(text, (list, tuple)):
            return [self.fill(one, top_k) for one in text]
        return self.fill(text, top_k)

    def fill(self, text: str, top_k: int) -> list[Any]:
        """Return the answers for one text."""
        if type(top_k) is not int or top_k < 1:
            raise InputError(f"top_k: expected a whole number above 0, found {top_k!r}")
        encoded = self.tokenizer(text, return_tensors="np")
        ids = encoded["input_ids"][0]                                    # (L,)
        masks = np.flatnonzero(ids == self.tokenizer.mask_token_id)
        if not masks.size:
            mask = self.tokenizer.mask_token
            raise InputError(f"text: found no {mask} (in capitals) in {text!r:.80}")
        logits = self.model(**encoded).logits[0]                         # (L, V)
        answers = []
        for position in masks:
            probabilities = softmax(logits[position])                    # (V,)
            best = np.argsort(-probabilities, kind="stable")[:top_k]
            answers.append([
                self.answer(ids, position, token, probabilities[token], masks.size == 1)
                for token in best
            ])
        return answers[0] if masks.size == 1 else answers

    def answer(
        self, ids: np.ndarray, position: int, token: int, score: float, only_mask: bool
    ) -> Answer:
        """Return one answer for the mask at one position."""
        filled = ids.copy()
        filled[position] = token
        return {
            "score": float(score),
            "token": int(token),
            "token_str": self.tokenizer.decode([token]),
            "sequence": self.tokenizer.decode(filled, skip_special_tokens=only_mask),
        }


PIPELINES = {"fill-mask": (FillMaskPipeline, DistilBertForMaskedLM)}


def pipeline(
    task: str,
    model: str | os.PathLike | DistilBertForMaskedLM = "tiny",
    tokenizer: str | os.PathLike | DistilBertTokenizer | None = None,
    **options: Any,
) -> FillMaskPipeline:
    """Return the pipeline of a task with its model and tokenizer.

    `model` and `tokenizer` are loaded ones, or what from_pretrained takes; a tokenizer
    is looked for beside its model. `options` go to the model's from_pretrained. Raises
    InputError for a task that is not known.
    """
    if task not in PIPELINES:
        known = ", ".join(PIPELINES)
        raise InputError(f"task: expected one of {known}, found {task!r}")
    kind, model_class = PIPELINES[task]
    places = ("revision", "local_files_only", "cache_dir")
    where = {name: options[name] for name in places if name in options}
    if not isinstance(model, (str, os.PathLike, model_class)):
        raise InputError(
            f"model: expected a {model_class.__name__} or its name, found {model!r:.60}"
        )
    if tokenizer is None:
        if isinstance(model, model_class):
            raise InputError("tokenizer: a loaded model needs its tokenizer as well")
        tokenizer = model
    if not isinstance(tokenizer, DistilBertTokenizer):
        tokenizer = DistilBertTokenizer.from_pretrained(tokenizer, **where)
    if not isinstance(model, model_class):
        model = model_class.from_pretrained(model, **options)
    return kind(model, tokenizer)
