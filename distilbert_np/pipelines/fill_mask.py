"""fill-mask: which words belong at each [MASK]?"""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from ..functions import Array, softmax
from ..models import DistilBertForMaskedLM
from .base import Answer, Pipeline, by_name, check_whole, tokenizer_options


class FillMaskPipeline(Pipeline):
    """Fills each `[MASK]` of a text with the words that the model finds likeliest."""

    model_class = DistilBertForMaskedLM

    def run(
        self, texts: str | Sequence[str], *, top_k: int = 5,
        targets: str | Sequence[str] | None = None,
        tokenizer_kwargs: dict[str, Any] | None = None, **batching: Any,
    ) -> list[Any]:
        """Return the `top_k` best answers for each mask, likeliest first.

        An answer is a dict: `score` (a probability), `token` (an id), `token_str`, and
        `sequence`, the text with this mask filled (and special tokens shown, if other
        masks remain). A text with one mask gets a list of answers, one with several a
        list of such lists; several texts get a list of either (but a list of one text
        gets what that text would, as in transformers).

        Only `targets` are considered, where there are any: words of the vocabulary, or
        the first piece of others, with a warning. `tokenizer_kwargs` go to the
        tokenizer, such as {"truncation": True}. Raises InputError where a text has no
        mask.
        """
        check_whole("top_k", top_k)
        options = tokenizer_options("tokenizer_kwargs", tokenizer_kwargs)
        candidates = self.candidates(targets)                            # (C,)
        rows = [
            self.masked_row(name, text, options)
            for name, text in by_name(texts).items()
        ]

        def answers_of(ids: Array, mask: Array) -> Iterator[list[Any]]:
            is_mask = ids == self.tokenizer.mask_token_id                # (B, L)
            h = self.model.encode(ids, mask).last_hidden_state           # (B, L, D)
            # Scores for the whole vocabulary are dear: for the masks alone.
            logits, _ = self.model.score(h[is_mask], rng=None)           # (M, V)
            probabilities = softmax(logits)[:, candidates]               # (M, C)
            by_text = np.split(probabilities, np.cumsum(is_mask.sum(axis=1))[:-1])
            for row, seen, of_text in zip(ids, mask, by_text, strict=True):
                yield self.fill(row[seen], candidates, of_text, top_k)

        answers = self.read(rows, answers_of, **batching)
        return answers[0] if len(answers) == 1 else answers

    def candidates(self, targets: Any) -> Array:
        """Return the ids (C,) of the words that may fill a mask: targets, or all."""
        n_words = min(self.model.config.vocab_size, len(self.tokenizer))
        if targets is None:
            return np.arange(n_words)
        vocabulary, found = self.tokenizer.get_vocab(), []
        for name, word in by_name(targets, name="target").items():
            ids = self.encode(name, word, add_special_tokens=False).input_ids
            token = vocabulary.get(word, ids[0] if ids else None)
            if token is None or token >= n_words:
                raise InputError(f"{name}: found nothing to fill in in {word!r:.80}")
            if token != vocabulary.get(word):
                piece = self.tokenizer.convert_ids_to_tokens(token)
                warnings.warn(
                    f"{name}: {word!r} is not in the vocabulary; {piece!r} is, and "
                    "takes its place", stacklevel=4,
                )
            found.append(token)
        if not found:
            raise InputError("targets: expected at least one word, found none")
        return np.unique(found)

    def masked_row(self, name: str, text: Any, options: dict[str, Any]) -> Array:
        """Return the ids (L,) of a text, in which there must be a mask."""
        row = self.row(name, self.encode(name, text, **options))
        if self.tokenizer.mask_token_id not in row:
            mask = self.tokenizer.mask_token
            raise InputError(f"{name}: found no {mask} (in capitals) in {text!r:.80}")
        return row

    def fill(
        self, ids: Array, candidates: Array, probabilities: Array, top_k: int
    ) -> list[Any]:
        """Return the answers for one text (L,) from probabilities (M, C)."""
        masks = np.flatnonzero(ids == self.tokenizer.mask_token_id)      # (M,)
        answers = []
        for position, scores in zip(masks, probabilities, strict=True):
            best = np.argsort(-scores, kind="stable")[:top_k]
            answers.append([
                self.answer(ids, position, candidates[c], scores[c], masks.size == 1)
                for c in best
            ])
        return answers[0] if masks.size == 1 else answers

    def answer(
        self, ids: Array, position: int, token: int, score: float, only_mask: bool
    ) -> Answer:
        """Return one answer for the mask at one position."""
        filled = ids.copy()
        filled[position] = token
        filled = filled[filled != self.tokenizer.pad_token_id]
        return {
            "score": float(score),
            "token": int(token),
            "token_str": self.tokenizer.decode([token]),
            "sequence": self.tokenizer.decode(filled, skip_special_tokens=only_mask),
        }
