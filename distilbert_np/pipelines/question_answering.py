"""question-answering: which words of a context answer the question?"""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError, shown
from ..functions import Array, softmax
from ..inputs import check_flags, is_whole
from ..models import DistilBertForQuestionAnswering
from ..outputs import ModelOutput
from ..tokenizer import check_text, is_string
from .base import Answer, Pipeline, by_name, check_whole

if TYPE_CHECKING:
    from ..tokenizer import Encoding

LONGEST = 384                                    # tokens in a window
STRIDE = 128                                     # of these, shared with the next one
HIDDEN = -10000.0                                # the logit of what is no answer


class Span(NamedTuple):
    """Characters of a context, and the probability that they are the answer."""

    score: float
    start: int
    end: int


class Reading(NamedTuple):
    """What was found in one window: spans, and how probably it has no answer."""

    spans: list[Span]
    no_answer: float


class QuestionAnsweringPipeline(Pipeline):
    """Answers questions with words of a text: where it starts, and where it ends."""

    model_class = DistilBertForQuestionAnswering

    def run(
        self, question: Any, context: Any = None, *, top_k: int = 1,
        doc_stride: int | None = None, max_answer_len: int = 15,
        max_seq_len: int | None = None, handle_impossible_answer: bool = False,
        align_to_words: bool = True, **batching: Any,
    ) -> Any:
        """Return the best answer, a dict: `score`, `start`, `end`, `answer`.

        `context[start:end]` is the answer; its score is the probability that it starts
        there times that it ends there, and spans of the same words add up. With
        `top_k` above 1 a list of such dicts comes back, best first (unless there is
        only one; of probability 0 there is none, while transformers fills up with
        such). Instead of a question and its context there may be lists of both, one
        context for a list, a dict of the two, or a list of such dicts: a list gets a
        list (but a list of one what that one would, as in transformers).

        A long context is read in windows of `max_seq_len` tokens (384, or as many as
        the model can read) that overlap by `doc_stride` (128, or half a window).
        `max_answer_len` counts tokens. With `handle_impossible_answer` the answer may
        be "", as probable as that no window has one. `align_to_words` widens an answer
        that starts or ends within a word.
        """
        check_whole("top_k", top_k)
        check_whole("max_answer_len", max_answer_len)
        check_flags(
            handle_impossible_answer=handle_impossible_answer,
            align_to_words=align_to_words,
        )
        asked = as_questions(question, context)
        windows = [
            self.windows(name, *one, max_seq_len, doc_stride)
            for name, one in asked.items()
        ]
        logits = self.read_windows(windows, both_logits, **batching)     # each (L, 2)
        n_spans = 2 * top_k + 10 if align_to_words else top_k    # some become the same
        answers = []
        for number, one in enumerate(asked.values()):
            readings = [
                self.reading(*read, n_spans, max_answer_len, align_to_words)
                for read in zip(windows[number], logits[number], strict=True)
            ]
            answers.append(
                best_answers(readings, one.context, top_k, handle_impossible_answer)
            )
        return answers[0] if len(answers) == 1 else answers

    def windows(
        self, name: str, question: str, context: str, max_seq_len: int | None,
        doc_stride: int | None,
    ) -> "list[Encoding]":
        """Return the question with each stretch of the context: windows that overlap.
        """
        longest = min(self.max_length, LONGEST) if max_seq_len is None else max_seq_len
        check_whole("max_seq_len", longest)
        limit = self.model.config.max_position_embeddings
        if longest > limit:
            raise InputError(
                f"max_seq_len: found {longest}, but this model knows {limit} positions"
            )
        # What is left for the context beside the question, [CLS] and twice [SEP].
        room = longest - len(self.tokenizer.tokenize(question)) - 3
        if room < 1:
            raise InputError(
                f"{name}: leaves no room for its context in windows of {longest} tokens"
            )
        if doc_stride is None:
            doc_stride = min(longest // 2, STRIDE)
            if doc_stride >= room:
                doc_stride = room // 2
        if not is_whole(doc_stride, 0, room - 1):
            raise InputError(
                f"doc_stride: expected a whole number below {room}, the tokens of the "
                f"context that a window has room for, found {shown(doc_stride)}"
            )
        return self.tokenizer(
            question, context, truncation="only_second", max_length=longest,
            stride=doc_stride, return_overflowing_tokens=True,
        ).encodings

    def reading(
        self, window: "Encoding", logits: Array, n: int, max_answer_len: int,
        align_to_words: bool,
    ) -> Reading:
        """Return what is found in a window, from its logits (L, 2).

        Only the context's tokens may be the answer, and [CLS], whose probability is
        that of no answer.
        """
        is_cls = np.array(window.ids) == self.tokenizer.cls_token_id
        may_be = in_context(window) | is_cls                             # (L,)
        hidden = logits.dtype.type(HIDDEN)
        probabilities = softmax(np.where(may_be, logits.T, hidden))      # (2, L)
        spans = best_spans(window, probabilities, n, max_answer_len, align_to_words)
        return Reading(spans, float(probabilities[:, 0].prod()))


def both_logits(out: ModelOutput) -> Array:
    """Return the logits of an answer's start and of its end together, (B, L, 2)."""
    return np.stack([out.start_logits, out.end_logits], axis=-1)


def in_context(window: "Encoding") -> Array:
    """Return which tokens of a window are of the context, (L,)."""
    return np.array([text == 1 for text in window.sequence_ids])


def best_spans(
    window: "Encoding", probabilities: Array, n: int, max_answer_len: int,
    align_to_words: bool,
) -> list[Span]:
    """Return the n likeliest spans of a window, from probabilities (2, L)."""
    start, end = np.where(in_context(window), probabilities, 0)          # (L,)
    scores = np.triu(np.outer(start, end))                               # (L, L)
    scores = np.tril(scores, max_answer_len - 1)
    best = np.argsort(-scores, axis=None, kind="stable")[:n]
    spans = []
    for first, last in zip(*np.unravel_index(best, scores.shape), strict=True):
        if scores[first, last] > 0:
            place = characters(window, int(first), int(last), align_to_words)
            spans.append(Span(float(scores[first, last]), *place))
    return spans


def characters(
    window: "Encoding", first: int, last: int, align_to_words: bool
) -> tuple[int, int]:
    """Return the characters of the context from one token to another, or their words.
    """
    if not align_to_words:
        return window.offsets[first][0], window.offsets[last][1]
    words = window.token_to_word(first), window.token_to_word(last)
    begin, end = (window.word_to_chars(word, sequence_index=1) for word in words)
    return begin[0], end[1]


def best_answers(
    readings: list[Reading], context: str, top_k: int, handle_impossible_answer: bool
) -> Any:
    """Return the best answers of all windows on a context: one, or a list."""
    answers: dict[str, Answer] = {}
    for span in (span for reading in readings for span in reading.spans):
        words = context[span.start : span.end]
        answer = answers.setdefault(
            words.lower(),
            {"score": 0.0, "start": span.start, "end": span.end, "answer": words},
        )
        answer["score"] += span.score
    found = list(answers.values())
    if handle_impossible_answer or not found:
        score = min(reading.no_answer for reading in readings) if found else 0.0
        found.append({"score": score, "start": 0, "end": 0, "answer": ""})
    found = sorted(found, key=lambda answer: answer["score"], reverse=True)[:top_k]
    return found[0] if len(found) == 1 else found


class Question(NamedTuple):
    """A question and the text that may answer it."""

    question: str
    context: str


def as_questions(question: Any, context: Any) -> dict[str, Question]:
    """Return questions with their contexts, by the names that errors call them."""
    if is_string(question) and context is None:
        raise InputError("context: expected the text that may hold the answer")
    given = question if context is None else paired(question, context)
    asked = by_name(given, lambda one: isinstance(one, dict), "question")
    return {name: checked(name, one) for name, one in asked.items()}


def checked(name: str, one: Any) -> Question:
    """Return one question with its context, given as a dictionary; neither is empty."""
    if not isinstance(one, dict) or one.keys() != {*Question._fields}:
        raise InputError(
            f"{name}: expected a dictionary of question and context, found {shown(one)}"
        )
    for part, text in one.items():
        part_name = part if name == "question" else f"{name}, {part}"
        check_text(part_name, text, is_string)
        if not text:
            raise InputError(f"{part_name}: expected a text, found an empty one")
    return Question(**one)


def paired(question: Any, context: Any) -> dict[str, Any] | list[dict[str, Any]]:
    """Return questions with their contexts as dictionaries."""
    if not isinstance(question, (list, tuple)):
        return {"question": question, "context": context}
    contexts = [context] * len(question) if is_string(context) else context
    if not isinstance(contexts, (list, tuple)) or len(contexts) != len(question):
        raise InputError(
            f"context: expected a text, or {len(question)} as there are questions, "
            f"found {shown(context)}"
        )
    return [
        {"question": q, "context": c} for q, c in zip(question, contexts, strict=True)
    ]
