"""Pipelines: text in, answer out."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from .config import whole
from .errors import InputError
from .functions import Array, softmax
from .inputs import shown
from .models import DistilBertForMaskedLM, DistilBertModel, DistilBertPreTrainedModel
from .tokenizer import DistilBertTokenizer, check_text, is_string

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
        h = self.model.encode(**encoded).last_hidden_state[0]            # (L, D)
        # Scores for the whole vocabulary are dear: for the masks alone.
        logits, _ = self.model.score(h[masks], rng=None)                 # (M, V)
        answers = []
        for position, probabilities in zip(masks, softmax(logits), strict=True):
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


class EmbedPipeline:
    """Turns each text into one vector: the mean of its tokens' last hidden states."""

    def __init__(self, model: DistilBertModel, tokenizer: DistilBertTokenizer) -> None:
        self.model = model
        self.tokenizer = tokenizer

    def __call__(
        self, texts: str | Sequence[str], *, max_tokens_per_batch: int = 1024,
        normalize: bool = True, progress: bool | None = None,
    ) -> Array:
        """Return a vector (D,) for a text, or (n, D) for a list, in the model's dtype.

        It is the mean over all tokens of a text, [CLS] and [SEP] too, divided by its
        Euclidean length unless `normalize` is False: `vectors @ vectors.T` are cosine
        similarities. Texts longer than the model's positions are cut.

        Texts of like length go through the model together, `max_tokens_per_batch` at
        most, padding counted; a longer text goes alone. Of each text only its ids and
        its vector are kept. `progress` says whether there is a bar (None: if stderr is
        a terminal). Raises InputError, naming the place in the list of what is no text.
        """
        single = isinstance(texts, str)
        if not single and not isinstance(texts, (list, tuple)):
            found = shown(texts)
            raise InputError(f"texts: expected a text or a list of them, found {found}")
        if not whole(1)(max_tokens_per_batch):
            raise InputError(
                "max_tokens_per_batch: expected a whole number above 0, found "
                f"{shown(max_tokens_per_batch)}"
            )
        from tqdm import tqdm  # here, since it takes its time

        rows = self.tokenize([texts] if single else texts)
        vectors = np.empty((len(rows), self.model.config.dim), self.model.dtype)
        hidden = None if progress is None else not progress  # None: tqdm asks stderr
        with tqdm(total=len(rows), unit="text", leave=False, disable=hidden) as bar:
            for batch in batches_by_tokens(rows, max_tokens_per_batch):
                vectors[batch] = self.means([rows[i] for i in batch])
                bar.update(len(batch))
        if normalize:
            lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)    # (n, 1)
            vectors /= np.maximum(lengths, 1e-12)
        return vectors[0] if single else vectors

    def tokenize(self, texts: Sequence[str]) -> list[Array]:
        """Return the ids of each text, (L,), cut to what the model can read."""
        limit = self.model.config.max_position_embeddings
        limit = min(limit, self.tokenizer.model_max_length)
        rows = []
        for i, text in enumerate(texts):
            check_text(f"texts[{i}]", text, is_string)
            ids = self.tokenizer.encode(text, truncation=True, max_length=limit)
            rows.append(np.array(ids, np.int32))
        return rows

    def means(self, rows: Sequence[Array]) -> Array:
        """Return the mean of each text's hidden states, (B, D), from ids (L,)."""
        lengths = np.array([len(row) for row in rows])                   # (B,)
        mask = np.arange(lengths.max()) < lengths[:, None]               # (B, L)
        # Padded on the right, wherever the tokenizer pads: on the left, a token's
        # position would depend on the batch.
        ids = np.zeros(mask.shape, np.int32)                             # (B, L)
        ids[mask] = np.concatenate(rows)
        h = self.model(ids, mask).last_hidden_state                      # (B, L, D)
        return np.stack([h[i, :n].mean(axis=0) for i, n in enumerate(lengths)])


def batches_by_tokens(rows: Sequence[Array], max_tokens: int) -> list[Array]:
    """Return the numbers of all texts in batches of like length, the longest first.

    A batch has at most `max_tokens` tokens, padding counted, or only one text. With the
    longest first, memory peaks at once, and the time left is not guessed too short.
    """
    lengths = np.array([len(row) for row in rows], int)
    order = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        size = max(1, max_tokens // lengths[order[start]])
        batches.append(order[start : start + size])
        start += size
    return batches


PIPELINES = {
    "fill-mask": (FillMaskPipeline, DistilBertForMaskedLM),
    "embed": (EmbedPipeline, DistilBertModel),
}


def pipeline(
    task: str,
    model: str | os.PathLike | DistilBertPreTrainedModel = "tiny",
    tokenizer: str | os.PathLike | DistilBertTokenizer | None = None,
    **options: Any,
) -> FillMaskPipeline | EmbedPipeline:
    """Return the pipeline of a task, "fill-mask" or "embed", with model and tokenizer.

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
