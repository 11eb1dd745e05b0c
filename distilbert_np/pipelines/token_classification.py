"""token-classification: which words are names, and of what?

A tag such as B-PER opens a person's name, and I-PER goes on with it; O is outside of
all names. The model tags pieces of words; a strategy makes words and names of them.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError, shown
from ..functions import Array, softmax
from ..inputs import check_flags
from ..models import DistilBertForTokenClassification
from ..tokenizer import check_text, is_string, is_words
from .base import Answer, Pipeline, by_name, check_one_of

if TYPE_CHECKING:
    from ..tokenizer import Encoding

# What the scores (P, C) of a word's pieces make its own (C,), by strategy.
WORD_SCORES: dict[str, Callable[[Array], Array]] = {
    "first": lambda scores: scores[0],
    "max": lambda scores: scores[scores.max(axis=1).argmax()],
    "average": lambda scores: scores.mean(axis=0),
}
STRATEGIES = ("none", "simple", *WORD_SCORES)


class Text(NamedTuple):
    """A text as it was given, as a whole, and, of a list of words, where each begins.
    """

    given: str | list[str]
    whole: str
    word_starts: list[int] | None


class Piece(NamedTuple):
    """A token, or a word that several make: its place in the text and its scores."""

    word: str
    start: int
    end: int
    index: int                                   # of the token in its window
    continues: bool                              # the word of the piece before it
    scores: Array                                # (C,) probabilities of the tags


class TokenClassificationPipeline(Pipeline):
    """Tags the words of each text: people, places, animals, parts of speech."""

    model_class = DistilBertForTokenClassification

    def run(
        self, texts: Any, *, aggregation_strategy: str | None = "none",
        ignore_labels: Sequence[str] | None = None, stride: int | None = None,
        is_split_into_words: bool = False, delimiter: str | None = " ",
        **batching: Any,
    ) -> list[Any]:
        """Return for each text a list of dicts, in the order of its words.

        The `aggregation_strategy` says of what. "none": for each token `entity`, its
        tag, with `score`, `index`, `word`, `start` and `end`. Others: for each run of
        tokens with one entity `entity_group`, the tag without B- or I-, with `score`
        (the mean), `word`, `start`, `end`. "simple" takes tokens as they are; "first",
        "max" and "average" give all pieces of a word one tag: that of the first, of
        the surest, or the best on average. `text[start:end]` is how the text has it.
        Tags in `ignore_labels` (O, unless given) are left out.

        A text that is too long is cut, or is read whole in windows that overlap by
        `stride` tokens. With `is_split_into_words` a text is a list of its words, and
        places are those in the text that `delimiter` makes of them.
        """
        check_flags(is_split_into_words=is_split_into_words)
        strategy = "none" if aggregation_strategy is None else aggregation_strategy
        strategy = strategy.lower() if is_string(strategy) else strategy
        check_one_of("aggregation_strategy", strategy, STRATEGIES)
        ignored = ["O"] if ignore_labels is None else ignore_labels
        if not isinstance(ignored, (list, tuple)) or not all(map(is_string, ignored)):
            raise InputError(
                f"ignore_labels: expected a list of labels, found {shown(ignored)}"
            )
        if stride is not None and strategy == "none":
            raise InputError("stride: needs an aggregation_strategy other than 'none'")
        if is_split_into_words and is_words(texts):
            texts = [texts]                      # and a list of one answer comes back
        asked = [
            checked_text(name, text, is_split_into_words, delimiter)
            for name, text in by_name(texts).items()
        ]
        windows = [self.windows(text, stride) for text in asked]
        scores = self.read_windows(
            windows, lambda out: softmax(out.logits), **batching
        )                                                                # each (L, C)
        answers = []
        for text, of_text, of_windows in zip(asked, windows, scores, strict=True):
            found = [
                self.entities(self.pieces(text, *read), strategy, ignored)
                for read in zip(of_text, of_windows, strict=True)
            ]
            answers.append(found[0] if len(found) == 1 else without_overlaps(found))
        return answers[0] if is_string(texts) else answers

    def windows(self, text: Text, stride: int | None) -> "list[Encoding]":
        """Return the windows on a text: the first alone, unless there is a stride."""
        return self.tokenizer(
            text.given, truncation=True, max_length=self.max_length,
            is_split_into_words=text.word_starts is not None,
            return_overflowing_tokens=stride is not None, stride=stride or 0,
        ).encodings

    def pieces(self, text: Text, window: "Encoding", scores: Array) -> list[Piece]:
        """Return the tokens of a window, but for special ones, with scores (L, C)."""
        pieces = []
        for index in np.flatnonzero(np.array(window.special_tokens_mask) == 0).tolist():
            word, (start, end) = window.tokens[index], window.offsets[index]
            if text.word_starts is not None:
                before = text.word_starts[window.word_ids[index]]
                start, end = start + before, end + before
            written = text.whole[start:end]
            continues = len(word) != len(written)            # by its ##
            if window.ids[index] == self.tokenizer.unk_token_id:
                word, continues = written, False
            pieces.append(Piece(word, start, end, index, continues, scores[index]))
        return pieces

    def entities(
        self, pieces: list[Piece], strategy: str, ignore_labels: Sequence[str]
    ) -> list[Answer]:
        """Return what a strategy makes of the pieces of a window."""
        if strategy in WORD_SCORES:
            pieces = self.words(pieces, WORD_SCORES[strategy])
        tagged = [(piece, self.tag(piece)) for piece in pieces]
        if strategy == "none":
            return [
                {
                    "entity": tag, "score": float(piece.scores.max()),
                    "index": piece.index, "word": piece.word,
                    "start": piece.start, "end": piece.end,
                }
                for piece, tag in tagged if tag not in ignore_labels
            ]
        found = [self.entity(run) for run in runs(tagged)]
        return [e for e in found if e["entity_group"] not in ignore_labels]

    def tag(self, piece: Piece) -> str:
        """Return the likeliest tag of a piece."""
        return self.model.config.id2label[int(piece.scores.argmax())]

    def words(
        self, pieces: list[Piece], word_scores: Callable[[Array], Array]
    ) -> list[Piece]:
        """Return the words that pieces make, each with scores of its own."""
        words: list[list[Piece]] = []
        for piece in pieces:
            if piece.continues and words:
                words[-1].append(piece)
            else:
                words.append([piece])
        return [
            self.joined(word)._replace(
                scores=word_scores(np.stack([piece.scores for piece in word]))
            )
            for word in words
        ]

    def joined(self, pieces: list[Piece]) -> Piece:
        """Return the first of several pieces, drawn out to the end of the last."""
        word = self.tokenizer.convert_tokens_to_string([piece.word for piece in pieces])
        return pieces[0]._replace(word=word, end=pieces[-1].end)

    def entity(self, run: list[tuple[Piece, str]]) -> Answer:
        """Return the entity that a run of tagged pieces is."""
        pieces = [piece for piece, _ in run]
        whole = self.joined(pieces)
        return {
            "entity_group": run[0][1].split("-", 1)[-1],
            "score": float(np.mean([piece.scores.max() for piece in pieces])),
            "word": whole.word, "start": whole.start, "end": whole.end,
        }


def checked_text(name: str, given: Any, split: bool, delimiter: str | None) -> Text:
    """Return a text, checked; where it comes as a list of words, with their places."""
    check_text(name, given, is_words if split else is_string)
    if not split:
        return Text(given, given, None)
    delimiter = " " if delimiter is None else delimiter
    check_text("delimiter", delimiter, is_string)
    lengths = [0, *(len(word) + len(delimiter) for word in given[:-1])]
    return Text(given, delimiter.join(given), np.cumsum(lengths).tolist())


def runs(tagged: list[tuple[Piece, str]]) -> list[list[tuple[Piece, str]]]:
    """Return tagged pieces in runs of one entity; B- opens a new one.

    A tag that begins with neither B- nor I- goes on with its like.
    """
    found: list[list[tuple[Piece, str]]] = []
    before = None
    for piece, tag in tagged:
        entity = tag[2:] if tag.startswith(("B-", "I-")) else tag
        if entity == before and not tag.startswith("B-"):
            found[-1].append((piece, tag))
        else:
            found.append([(piece, tag)])
        before = entity
    return found


def without_overlaps(of_windows: list[list[Answer]]) -> list[Answer]:
    """Return the entities of a text; of those that overlap, the longest, or surest."""
    kept: list[Answer] = []
    found = [entity for entities in of_windows for entity in entities]
    for entity in sorted(found, key=lambda entity: entity["start"]):
        if not kept or entity["start"] >= kept[-1]["end"]:
            kept.append(entity)
        elif weight(entity) > weight(kept[-1]):
            kept[-1] = entity
    return kept


def weight(entity: Answer) -> tuple[int, float]:
    """Return what decides between entities that overlap: length, then score."""
    return entity["end"] - entity["start"], entity["score"]
