"""Short stories about two people, and questions that a story answers.

What is asked of one person is often true of the other with another word, so that the
answer is to be found, not guessed.
"""

import random
import re
from collections.abc import Iterable
from itertools import product
from typing import NamedTuple

from . import facts
from .facts import pick, table, words
from .grammar import capitalised, invented
from .topics import Saying, Topic, is_held_out

MEALS = table("""
    bread; cheese; soup; an apple; an egg; a pear; rice; a cake; fish; a banana; honey
    chocolate; potatoes; cherries
""")
MOODS = words("tired hungry thirsty cold sick happy sad late bored dirty angry afraid")
COLOURS = words("red blue green yellow black white brown grey")
BELONGINGS = [belonging for (belonging,) in facts.BELONGINGS]
FRIENDS = [(name,) for name, *_ in facts.PEOPLE if name[0].isupper()]
PETS = [(number, animal) for number in facts.NUMBERS[2:8]
        for animal in words("dog cat horse cow sheep goat hen duck rabbit pig mouse")]


class Event(NamedTuple):
    """What may happen to a person, how it is told, and questions with their answers."""

    topic: Topic
    questions: tuple[tuple[str, str], ...]


def told(columns: str, rows: list, templates: tuple, *questions: tuple) -> Event:
    """Return an event; `who` in its templates is the person's name, or a pronoun."""
    return Event(Topic(columns, rows, templates), questions)


EVENTS = (
    told("at place verb thing", facts.OUTINGS, (
        "{who} went to the {place}.",
        "in the morning, {who} was {at} the {place}.",
        "{who} is {at} the {place}.",
        "{who} wanted to {verb} {thing}, so {she} went to the {place}.",
    ), ("where did {person} go?", "the {place}"),
       ("where was {person}?", "the {place}"),
       ("where is {person}?", "the {place}"),
       ("who went to the {place}?", "{person}")),
    told("city", pick(facts.COUNTRIES, 1), (
        "{who} lives in {city}.",
        "{who} lives in a house in {city}.",
    ), ("where does {person} live?", "{city}"),
       ("in which city does {person} live?", "{city}"),
       ("who lives in {city}?", "{person}")),
    told("country", pick(facts.COUNTRIES, 0), (
        "{who} comes from {country}.",
        "{who} was born in {country}.",
    ), ("where does {person} come from?", "{country}"),
       ("which country does {person} come from?", "{country}")),
    told("colour thing", list(product(COLOURS, BELONGINGS)), (
        "{who} bought {colour:a} {thing}.",
        "at the market, {who} bought {colour:a} {thing}.",
        "{who} found {colour:a} {thing} in the street.",
    ), ("what did {person} get?", "{colour:a} {thing}"),
       ("what colour is the {thing} of {person}?", "{colour}"),
       ("who has {colour:a} {thing}?", "{person}")),
    told("animal habitat", facts.HABITATS, (
        "{who} saw {animal:a} in the {habitat}.",
        "in the {habitat}, {who} saw {animal:a}.",
    ), ("what did {person} see?", "{animal:a}"),
       ("which animal did {person} see?", "{animal:a}"),
       ("where did {person} see {animal:a}?", "the {habitat}"),
       ("who saw {animal:a}?", "{person}")),
    told("number animal", PETS, (
        "{who} has {number} {animal:many}.",
        "at home, {who} has {number} {animal:many}.",
    ), ("how many {animal:many} does {person} have?", "{number}"),
       ("which animals does {person} have?", "{number} {animal:many}"),
       ("who has {animal:many}?", "{person}")),
    told("friend", FRIENDS, (
        "{who} met {friend}.",
        "then {who} met {friend} in the street.",
        "{who} called {friend} on the phone.",
    ), ("who did {person} talk to?", "{friend}"),
       ("who talked to {friend}?", "{person}")),
    told("mood", [(mood,) for mood in MOODS], (
        "{who} was {mood}.",
        "{who} was very {mood} that day.",
    ), ("how was {person}?", "{mood}"), ("who was {mood}?", "{person}")),
    told("belonging day", list(product(BELONGINGS, facts.DAYS)), (
        "{who} lost {her} {belonging} on {day}.",
        "on {day}, {who} lost {her} {belonging}.",
    ), ("what did {person} lose?", "{her} {belonging}"),
       ("when did {person} lose {her} {belonging}?", "{day}"),
       ("who lost {her} {belonging}?", "{person}")),
    told("meal", MEALS, (
        "{who} ate {meal}.",
        "for breakfast, {who} ate {meal}.",
        "{who} was hungry and ate {meal}.",
    ), ("what did {person} eat?", "{meal}"), ("who ate {meal}?", "{person}")),
    told("job place", pick(facts.JOBS, 0, 3), (
        "{who} is {job:a} and works in the {place}.",
        "{who} works in the {place} as {job:a}.",
    ), ("where does {person} work?", "the {place}"),
       ("what is the job of {person}?", "{job}"),
       ("who is {job:a}?", "{person}")),
)
INVENTED_SHARE = 0.1                    # of people have a name that nobody has heard
TRIES = 200                             # to find an event that is new


class Question(NamedTuple):
    """A question on a story, its answer, and where in the story that begins."""

    text: str
    answer: str
    start: int


class Story(NamedTuple):
    """What happened, in sentences, and all questions that they answer."""

    sayings: list[Saying]
    questions: list[Question]

    @property
    def text(self) -> str:
        """The whole story."""
        return whole_text(self.sayings)


def whole_text(sayings: list[Saying]) -> str:
    """Return what some sayings make together."""
    return " ".join(saying.text for saying in sayings)


def draw_story(rng: random.Random, held_out: bool = False) -> Story:
    """Draw a story of two people, one event or two of each."""
    while True:
        first_events = rng.sample(EVENTS, rng.choice((1, 2, 2)))
        same = rng.random() < 0.5
        then = first_events if same else rng.sample(EVENTS, rng.choice((1, 2)))
        people = [with_invented_name(one, rng) for one in rng.sample(facts.PEOPLE, 2)]
        plan = [
            (event, (*person, person[i > 0]))    # a pronoun from the second event on
            for person, events in zip(people, (first_events, then), strict=True)
            for i, event in enumerate(events)
        ]
        sayings = draw_events(plan, {person[0] for person in people}, rng, held_out)
        if len(sayings) == len(plan):
            break
    asked = zip(sayings, [event.questions for event, _ in plan], strict=True)
    return Story(sayings, questions_on(sayings, asked))


PERSON = ("person", "she", "her", "him", "who")


def with_invented_name(person: tuple[str, ...], rng: random.Random) -> tuple[str, ...]:
    """Now and then, give a person another name."""
    strange = rng.random() < INVENTED_SHARE
    return (capitalised(invented(rng)), *person[1:]) if strange else person


def draw_events(
    plan: list[tuple[Event, tuple[str, ...]]], taken: set[str], rng: random.Random,
    held_out: bool,
) -> list[Saying]:
    """Draw what happened; fewer events than planned if nothing new can be told."""
    sayings = []
    for event, person in plan:
        saying = draw_event(event, person, taken, rng, held_out)
        if saying is None:
            break
        sayings.append(saying)
        taken = taken | new_words(saying)
    return sayings


def draw_event(
    event: Event, person: tuple[str, ...], taken: set[str], rng: random.Random,
    held_out: bool,
) -> Saying | None:
    """Draw what happened to a person; None if nothing new can be found to tell."""
    for _ in range(TRIES):
        columns, row, template = event.topic.say(rng)
        saying = Saying((*PERSON, *columns), (*person, *row), template)
        is_new = taken.isdisjoint(new_words(saying))
        if is_new and is_held_out(saying.text) == held_out:
            return saying
    return None


def new_words(saying: Saying) -> set[str]:
    """Return the words of an event that no other event of a story may share."""
    columns = zip(saying.columns, saying.row, strict=True)
    return {cell for column, cell in columns if column not in (*PERSON, "at")}


def questions_on(
    sayings: list[Saying], asked: Iterable[tuple[Saying, tuple[tuple[str, str], ...]]]
) -> list[Question]:
    """Return the questions that each saying answers, with the place of the answer.

    That is the first such words from the saying on; a person's, where the story names
    them first.
    """
    text, questions, start = whole_text(sayings), [], 0
    for saying, templates in asked:
        for question, answer in templates:
            words = re.compile(rf"\b{re.escape(saying.fill(answer))}\b", re.IGNORECASE)
            found = words.search(text, 0 if answer == "{person}" else start)
            asks = capitalised(saying.fill(question))
            questions.append(Question(asks, found.group(), found.start()))
        start += len(saying.text) + 1
    return questions
