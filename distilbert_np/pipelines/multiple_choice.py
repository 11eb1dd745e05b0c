"""multiple-choice: which of several endings goes with a text?"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import InputError, shown
from ..functions import softmax
from ..models import DistilBertForMultipleChoice
from ..tokenizer import check_text, is_string
from .base import Answer, Pipeline, by_name


class MultipleChoicePipeline(Pipeline):
    """Says which of several choices goes best with a text."""

    model_class = DistilBertForMultipleChoice

    def run(
        self, text: Any, choices: Sequence[str] | None = None, **batching: Any
    ) -> list[Any]:
        """Return the choices, likeliest first, as dicts: `choice`, `label`, `score`.

        `label` is the choice's number, from 0; scores are probabilities. Instead of a
        text and its choices there may be one dict {"text": …, "choices": […]}, or a
        list of such dicts, which gets a list of answers. What is too long is cut, the
        longer of text and choice first.
        """
        if is_string(text) and choices is None:
            raise InputError("choices: expected one text or more in a list, found none")
        inputs = text if choices is None else {"text": text, "choices": choices}
        asked = by_name(inputs, lambda one: isinstance(one, dict))
        rows, starts = [], [0]
        for name, one in asked.items():
            check_question(name, one)
            pairs = [(one["text"], choice) for choice in one["choices"]]
            encoded = self.tokenizer(pairs, truncation=True, max_length=self.max_length)
            rows += [np.array(ids, np.int32) for ids in encoded.input_ids]
            starts.append(len(rows))
        logits = np.array(self.read(
            rows,
            lambda ids, mask: self.model(ids[:, None], mask[:, None]).logits[:, 0],
            **batching,
        ))
        answers = [
            ranked_choices(one["choices"], logits[start:end])
            for one, start, end in zip(asked.values(), starts, starts[1:], strict=False)
        ]
        return answers[0] if isinstance(inputs, dict) else answers


def check_question(name: str, asked: Any) -> None:
    """Raise InputError unless this is a dict of a text and its choices."""
    if not isinstance(asked, dict) or asked.keys() != {"text", "choices"}:
        raise InputError(
            f"{name}: expected a dictionary of text and choices, found {shown(asked)}"
        )
    choices = asked["choices"]
    if not isinstance(choices, (list, tuple)) or not choices:
        raise InputError(
            f"{name}, choices: expected one text or more in a list, found "
            f"{shown(choices)}"
        )
    for text in (asked["text"], *choices):
        check_text(name, text, is_string)


def ranked_choices(choices: Sequence[str], logits: Any) -> list[Answer]:
    """Return the choices with their probabilities, from logits (C,), best first."""
    scores = softmax(logits)
    return [
        {"choice": choices[c], "label": c, "score": float(scores[c])}
        for c in np.argsort(-scores, kind="stable").tolist()
    ]
