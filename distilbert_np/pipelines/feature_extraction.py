"""feature-extraction: a vector for each token; embed: one for each text."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..functions import Array
from ..inputs import check_flags
from ..models import DistilBertModel
from ..tokenizer import is_string
from .base import Pipeline, by_name, check_one_of, tokenizer_options


class FeatureExtractionPipeline(Pipeline):
    """Turns each text into vectors, one for each token: the last hidden state."""

    model_class = DistilBertModel

    def run(
        self, texts: str | Sequence[str], *, return_tensors: bool | str = False,
        truncation: bool | str | None = None,
        tokenize_kwargs: dict[str, Any] | None = None, **batching: Any,
    ) -> Any:
        """Return for each text its vectors as nested lists, (1, L, D), or as an array.

        It is an array with return_tensors=True, or "np". `truncation` and
        `tokenize_kwargs` go to the tokenizer.
        """
        check_one_of("return_tensors", return_tensors, (True, False, "np"))
        options = tokenizer_options("tokenize_kwargs", tokenize_kwargs)
        options = {"truncation": truncation} | options
        rows = [
            self.row(name, self.encode(name, text, **options))
            for name, text in by_name(texts).items()
        ]

        def vectors(ids: Array, mask: Array) -> Iterator[Any]:
            h = self.model(ids, mask).last_hidden_state                  # (B, L, D)
            for states, length in zip(h, mask.sum(axis=1), strict=True):
                of_text = states[None, :length].copy()                   # (1, L, D)
                yield of_text if return_tensors else of_text.tolist()

        answers = self.read(rows, vectors, **batching)
        return answers[0] if is_string(texts) else answers


class EmbedPipeline(Pipeline):
    """Turns each text into one vector: the mean of its tokens' last hidden states."""

    model_class = DistilBertModel

    def run(
        self, texts: str | Sequence[str], *, normalize: bool = True, **batching: Any
    ) -> Array:
        """Return a vector (D,) for a text, or (n, D) for a list, in the model's dtype.

        It is the mean over all tokens of a text, [CLS] and [SEP] too, divided by its
        Euclidean length unless `normalize` is False: `vectors @ vectors.T` are cosine
        similarities. Texts longer than the model's positions are cut. Of each text only
        its ids and its vector are kept.
        """
        check_flags(normalize=normalize)
        rows = [
            self.row(name, self.encode(name, text, truncation=True))
            for name, text in by_name(texts).items()
        ]
        vectors = np.empty((len(rows), self.model.config.dim), self.model.dtype)
        for numbers, ids, mask in self.batches(rows, **batching):
            vectors[numbers] = self.means(ids, mask)
        if normalize:
            lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)    # (n, 1)
            vectors /= np.maximum(lengths, 1e-12)
        return vectors[0] if is_string(texts) else vectors

    def means(self, ids: Array, mask: Array) -> Array:
        """Return the mean of each row's hidden states, (B, D), without the padding."""
        return mean_in_sight(self.model(ids, mask).last_hidden_state, mask)


def mean_in_sight(h: Array, mask: Array) -> Array:               # (B, L, D) -> (B, D)
    """Return the mean of each text's vectors over the tokens in sight; 0 if none is."""
    seen = mask.astype(bool)                                     # (B, L)
    return np.stack([
        states[row].sum(axis=0) / max(1, int(row.sum()))
        for states, row in zip(h, seen, strict=True)
    ])
