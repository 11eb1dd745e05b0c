"""text-classification: which class is a text, or a pair of texts, of?"""

from typing import Any

import numpy as np

from ..errors import InputError, shown
from ..functions import Array, softmax
from ..models import DistilBertForSequenceClassification
from ..tokenizer import is_string
from .base import Answer, Pipeline, by_name, check_one_of, check_whole

FUNCTIONS = {
    "softmax": softmax,
    "sigmoid": lambda logits: np.exp(-np.logaddexp(0, -logits)),
    "none": lambda logits: logits,
}


class TextClassificationPipeline(Pipeline):
    """Sorts each text into the classes of the model: a feeling, a topic, a number."""

    model_class = DistilBertForSequenceClassification

    def __call__(self, texts: Any, **options: Any) -> Any:
        """Return the answers; `run` says to what, and with which options.

        As in transformers, the answer to a single text is in a list, unless this call
        gives `top_k`.
        """
        answers = super().__call__(texts, **options)
        return [answers] if is_string(texts) and "top_k" not in options else answers

    def run(
        self, texts: Any, *, top_k: int | str | None = "best",
        function_to_apply: str | None = None, truncation: bool | str | None = None,
        max_length: int | None = None, padding: bool | str = False, **batching: Any,
    ) -> Any:
        """Return for each text a dict: `label`, and `score`, likeliest first.

        `texts` is a text, a pair as {"text": …, "text_pair": …}, or a list of these.
        With a number as `top_k`, or None for all, an answer is a list of such dicts.
        Scores are the `function_to_apply` of the logits: "softmax", "sigmoid", "none";
        unless given it is none for regression, sigmoid where each label is true or
        false on its own, or is the only one, and else softmax. `truncation` and
        `max_length` go to the tokenizer, and so does `padding`, which changes nothing.
        """
        if top_k is not None and not (is_string(top_k) and top_k == "best"):
            check_whole("top_k", top_k)
        function = FUNCTIONS[self.function_name(function_to_apply)]
        options = {
            "truncation": truncation, "max_length": max_length, "padding": padding
        }
        inputs = by_name(texts, lambda one: isinstance(one, (str, dict)))
        rows = [
            self.row(name, self.encode(name, *text_and_pair(name, one), **options))
            for name, one in inputs.items()
        ]
        found = self.read(
            rows, lambda ids, mask: function(self.model(ids, mask).logits), **batching
        )                                                                # each (C,)
        answers = [self.answer(scores, top_k) for scores in found]
        return answers if isinstance(texts, (list, tuple)) else answers[0]

    def function_name(self, asked: str | None) -> str:
        """Return the name of the function that makes scores of logits."""
        config = self.model.config
        asked = asked.lower() if is_string(asked) else asked
        check_one_of("function_to_apply", asked, (None, "default", *FUNCTIONS))
        if asked in FUNCTIONS:
            return asked
        if config.problem_type == "regression":
            return "none"
        independent = config.problem_type == "multi_label_classification"
        return "sigmoid" if independent or config.num_labels == 1 else "softmax"

    def answer(self, scores: Array, top_k: int | str | None) -> Answer | list[Answer]:
        """Return the labels of one text by their scores (C,), the best first."""
        best = [
            {"label": self.model.config.id2label[c], "score": float(scores[c])}
            for c in np.argsort(-scores, kind="stable").tolist()
        ]
        return best[0] if is_string(top_k) else best[:top_k]


def text_and_pair(name: str, value: Any) -> tuple[Any, Any]:
    """Return the text, and the second one or None, of a text or a dictionary."""
    if not isinstance(value, dict):
        return value, None
    if "text" not in value or not value.keys() <= {"text", "text_pair"}:
        raise InputError(
            f"{name}: expected the keys text and text_pair, found {shown([*value])}"
        )
    return value["text"], value.get("text_pair")
