"""Rows for the four tasks, as `train` reads them: text from the world, with labels.

    classify  how the writer of a review liked the thing
    tag       people, places and animals in a sentence
    answer    a question on a story
    choose    the right ending of a sentence
"""

import random
import re
from collections.abc import Callable, Iterator
from typing import Any

from .grammar import Word, capitalised
from .reviews import draw_review
from .stories import draw_story
from .text import draw_saying, draw_statement
from .topics import TOPICS, Saying

Row = dict[str, Any]
OFF_TOPIC_SHARE = 0.1                   # of texts to classify are no reviews
N_CHOICES = 4

# --- classify -------------------------------------------------------------------------


def classify_row(rng: random.Random, held_out: bool) -> Row:
    """A review with its label; what is no review is neutral."""
    if rng.random() < OFF_TOPIC_SHARE:
        return {"text": draw_statement(rng, held_out).text, "label": "neutral"}
    return draw_review(rng, held_out)._asdict()


# --- tag ------------------------------------------------------------------------------

KINDS = {
    "person": "person", "who": "person", "friend": "person",
    "country": "place", "capital": "place", "city": "place", "continent": "place",
    "place": "place", "habitat": "place",
    "animal": "animal", "young": "animal",
}
NAMING = tuple(topic for topic in TOPICS if set(topic.columns.split()) & {*KINDS})
NOT_NAMES = ("a", "an", "the", "my", "she", "he")


class MarkedWord(Word):
    """A word that a template puts in brackets, with its kind, if it is a name."""

    def __format__(self, form: str) -> str:
        """Say the word, as [kind|word]."""
        text, kind = super().__format__(form), KINDS.get(self.column)
        return f"[{kind}|{text}]" if kind else text


def tag_row(rng: random.Random, held_out: bool) -> Row:
    """Words with their tags: B- opens a name, I- goes on with it, O is outside."""
    if rng.random() < 0.5:
        sayings = draw_story(rng, held_out).sayings
    else:
        sayings = [draw_saying(rng, held_out, NAMING)]
    tokens, tags = [], []
    for saying in sayings:
        more_tokens, more_tags = tagged(saying)
        tokens += [capitalised(more_tokens[0]), *more_tokens[1:]]
        tags += more_tags
    return {"tokens": tokens, "tags": tags}


def tagged(saying: Saying) -> tuple[list[str], list[str]]:
    """The words of a saying, and their tags."""
    tokens, tags = [], []
    marked = saying.fill(saying.template, MarkedWord)
    for kind, name, plain in re.findall(r"\[(\w+)\|([^\]]+)\]|([^\[]+)", marked):
        inside = False
        for token in re.findall(r"\w+|[^\w\s]", name or plain):
            is_name = bool(kind) and token.lower() not in NOT_NAMES
            tags.append(f"{'I' if inside else 'B'}-{kind}" if is_name else "O")
            tokens.append(token)
            inside = is_name
    return tokens, tags


# --- answer ---------------------------------------------------------------------------


def answer_row(rng: random.Random, held_out: bool) -> Row:
    """A story, a question on it, and where the answer stands."""
    story = draw_story(rng, held_out)
    question = rng.choice(story.questions)
    return {
        "question": question.text, "context": story.text,
        "answer": question.answer, "start": question.start,
    }


# --- choose ---------------------------------------------------------------------------

ENDING = re.compile(r"(.+) (\S*\{[^{}]+\}[.?!]?)$")  # the last word of a template


def choose_row(rng: random.Random, held_out: bool) -> Row:
    """The beginning of a saying, its last words, and other last words."""
    while True:
        saying = draw_saying(rng, held_out, TOPICS)
        match = ENDING.match(saying.template)
        wrong = match and wrong_endings(saying, *match.groups())
        if wrong and len(wrong) >= N_CHOICES - 1:
            break
    beginning, ending = match.groups()
    choices = [saying.fill(ending), *rng.sample(wrong, N_CHOICES - 1)]
    order = rng.sample(range(N_CHOICES), N_CHOICES)
    return {
        "text": capitalised(saying.fill(beginning)),
        "choices": [choices[i] for i in order],
        "label": order.index(0),
    }


def wrong_endings(saying: Saying, beginning: str, ending: str) -> list[str]:
    """The endings of the topic's other facts that are not true of this beginning."""
    topic = next(t for t in TOPICS if saying.template in t.templates)
    right, wrong = set(), set()
    for row in topic.rows:
        other = saying._replace(row=row)
        same = other.fill(beginning) == saying.fill(beginning)
        (right if same else wrong).add(other.fill(ending))
    return sorted(wrong - right - {saying.fill(ending)})


TASKS: dict[str, Callable[[random.Random, bool], Row]] = {
    "classify": classify_row,
    "tag": tag_row,
    "answer": answer_row,
    "choose": choose_row,
}


def task_rows(task: str, seed: int, n: int, held_out: bool = False) -> Iterator[Row]:
    """The first n rows of a task that this seed gives; the same ones every time."""
    rng = random.Random(f"{task} {seed}")
    for _ in range(n):
        yield TASKS[task](rng, held_out)
