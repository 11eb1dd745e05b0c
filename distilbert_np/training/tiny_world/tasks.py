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

from . import facts
from .grammar import Word, capitalised, plural
from .reviews import draw_review
from .stories import draw_story
from .text import draw_saying, draw_statement
from .topics import TOPICS, Saying, is_held_out, topics_of

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

KINDS = {                               # what the words of a column name
    "person": "person", "who": "person", "friend": "person",
    "country": "place", "capital": "place", "city": "place", "continent": "place",
    "place": "place", "habitat": "place",
    "animal": "animal", "young": "animal", "another": "animal",
}
NAMING = tuple(topic for topic in TOPICS if {*topic.names} & {*KINDS})
MEETINGS = (                            # names in each other's company
    "{person} saw {animal:a} near {city}.", "{person} and {friend} met in {country}.",
    "{animal:many} and {another:many} live near {city}.",
    "{city}, {person} said, is far away.",
    "from {city} to {country}, {person} went with {friend} and {animal:a}.",
    "who saw the {animal} of {person}? It was {friend}.",
    "I like {city}, and I like {country}.",
    "{friend} has {animal:a}, but {person} has no {another}.",
)
NOT_NAMES = ("a", "an", "the", "my", "she", "he")


def known_names() -> dict[str, str]:
    """Return the kind of each name of one word, however a sentence comes by it."""
    kinds = {}
    for topic in NAMING:
        for column, *cells in zip(topic.names, *topic.rows, strict=True):
            kind = KINDS.get(column)
            names = {re.sub("^(my|the) ", "", cell.lower()) for cell in cells}
            if kind == "animal":
                names |= {plural(name) for name in names}
            if kind:
                kinds |= dict.fromkeys(names, kind)
    return {name: kind for name, kind in kinds.items() if " " not in name}


NAMES = known_names()


class MarkedWord(Word):
    """A word that a template puts in brackets, with its kind, if it is a name."""

    def __format__(self, form: str) -> str:
        """Say the word, as [kind|word]."""
        text, kind = super().__format__(form), KINDS.get(self.column)
        return f"[{kind}|{text}]" if kind else text


def tag_row(rng: random.Random, held_out: bool) -> Row:
    """Words with their tags: B- opens a name, I- goes on with it, O is outside."""
    shape = rng.random()
    if shape < 0.4:
        sayings = draw_story(rng, held_out).sayings
    elif shape < 0.8:
        sayings = [draw_saying(rng, held_out, NAMING)]
    else:
        sayings = [draw_meeting(rng, held_out)]
    tokens, tags = [], []
    for saying in sayings:
        more_tokens, more_tags = tagged(saying)
        tokens += [capitalised(more_tokens[0]), *more_tokens[1:]]
        tags += more_tags
    return {"tokens": tokens, "tags": tags}


def draw_meeting(rng: random.Random, held_out: bool) -> Saying:
    """People, animals and places in one sentence, drawn by chance."""
    columns = ("person", "friend", "animal", "another", "city", "country")
    while True:
        people, animals = rng.sample(facts.PEOPLE, 2), rng.sample(facts.YOUNG, 2)
        names = [name for name, *_ in (*people, *animals)]
        city, country = rng.choice(facts.COUNTRIES)[1], rng.choice(facts.COUNTRIES)[0]
        saying = Saying(columns, (*names, city, country), rng.choice(MEETINGS))
        if is_held_out(saying.text) == held_out:
            return saying


def tagged(saying: Saying) -> tuple[list[str], list[str]]:
    """The words of a saying, and their tags."""
    tokens, tags = [], []
    marked = saying.fill(saying.template, MarkedWord)
    for kind, name, plain in re.findall(r"\[(\w+)\|([^\]]+)\]|([^\[]+)", marked):
        inside = False
        for token in re.findall(r"\w+|[^\w\s]", name or plain):
            word = token.lower()
            is_of = kind if kind and word not in NOT_NAMES else NAMES.get(word)
            tags.append(f"{'I' if inside else 'B'}-{is_of}" if is_of else "O")
            tokens.append(token)
            inside = bool(kind and is_of)
    return tokens, tags


# --- answer ---------------------------------------------------------------------------


# "She was hungry and ate rice" tells of a mood, too, which another sentence may tell.
MOODS = re.compile("^How was |^Who was ")


def answer_row(rng: random.Random, held_out: bool) -> Row:
    """A story, a question on it, and where the answer stands.

    No two events of it are alike: three layers learn what is asked for, a place or an
    animal, long before they learn of whom.
    """
    while True:
        story = draw_story(rng, held_out)
        question = rng.choice(story.questions)
        kinds = {saying.columns for saying in story.sayings}
        is_mood = MOODS.match(question.text) and "was hungry and ate" in story.text
        if len(kinds) == len(story.sayings) and not is_mood:
            break
    return {
        "question": question.text, "context": story.text,
        "answer": question.answer, "start": question.start,
    }


# --- choose ---------------------------------------------------------------------------

# Where several endings may be true, though a table has but one: lions eat meat, and the
# next one's fish; J comes after I, and after A.
LOOSE_TOPICS = (
    "animal food", "animal habitat", "thing is quality", "thing comes source",
    "one two three kind", "owner part number", "verb object tool",
    "place verb thing job", "begin end",
)
LOOSE_WAYS = (
    "{name} comes after {before}.", "{name} comes before {after}.",
    "after {before} comes {name}.", "{name} comes between {before} and {after}.",
)
STRICT = tuple(topic for topic in TOPICS if topic.columns not in LOOSE_TOPICS)


def choose_row(rng: random.Random, held_out: bool) -> Row:
    """The beginning of a saying, its end, and ends of other facts of its topic."""
    while True:
        saying = draw_saying(rng, held_out, STRICT)
        places = cuts(saying.template)
        if not places or saying.template in LOOSE_WAYS:
            continue
        cut = rng.choice(places)
        beginning, ending = saying.template[:cut].rstrip(), saying.template[cut:]
        wrong = wrong_endings(saying, beginning, ending, rng)
        if len(wrong) == N_CHOICES - 1:
            break
    choices = [saying.fill(ending), *wrong]
    order = rng.sample(range(N_CHOICES), N_CHOICES)
    return {
        "text": capitalised(saying.fill(beginning)),
        "choices": [choices[i] for i in order],
        "label": order.index(0),
    }


def cuts(template: str) -> list[int]:
    """Where the last sentence of a template can be cut: before a word of the fact."""
    last = max((m.end() for m in re.finditer(r"[.?!:] ", template)), default=0)
    return [m.start() for m in re.finditer(r"(?<= )\{", template) if m.start() > last]


def wrong_endings(
    saying: Saying, beginning: str, ending: str, rng: random.Random
) -> list[str]:
    """Endings of other facts of the topic, none of them true of this beginning."""
    rows = [row for topic in topics_of(saying) for row in topic.rows]
    if saying.row not in rows:
        return []                                # of an invented name nothing is false
    known = [i for i, name in enumerate(saying.columns) if f"{{{name}" in beginning]
    right, others = set(), []
    for row in rows:
        is_true = all(row[i] == saying.row[i] for i in known)
        if is_true:
            right.add(saying._replace(row=row).fill(ending))
        else:
            others.append(row)
    found = rng.sample(others, min(len(others), 4 * N_CHOICES))
    wrong = dict.fromkeys(saying._replace(row=row).fill(ending) for row in found)
    return [one for one in wrong if one not in right][: N_CHOICES - 1]


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
