"""Short stories about two people, and questions that a story answers.

What is asked of one person is often true of the other with another word, so that the
answer is to be found, not guessed.
"""

import random
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


def event(columns: str, rows: list, templates: tuple, *questions: tuple) -> Event:
    """Return an event; `who` in its templates is the person's name, or a pronoun."""
    return Event(Topic(columns, rows, templates), questions)


EVENTS = (
    event("at place verb thing", facts.OUTINGS, (
        "{who} went to the {place}.",
        "in the morning, {who} was {at} the {place}.",
        "{who} is {at} the {place}.",
        "{who} wanted to {verb} {thing}, so {she} went to the {place}.",
    ), ("where did {person} go?", "the {place}"),
       ("where was {person}?", "the {place}"),
       ("where is {person}?", "the {place}"),
       ("who went to the {place}?", "{person}")),
    event("city", pick(facts.COUNTRIES, 1), (
        "{who} lives in {city}.",
        "{who} lives in a house in {city}.",
    ), ("where does {person} live?", "{city}"),
       ("in which city does {person} live?", "{city}"),
       ("who lives in {city}?", "{person}")),
    event("country", pick(facts.COUNTRIES, 0), (
        "{who} comes from {country}.",
        "{who} was born in {country}.",
    ), ("where does {person} come from?", "{country}"),
       ("which country does {person} come from?", "{country}")),
    event("colour thing", list(product(COLOURS, BELONGINGS)), (
        "{who} bought {colour:a} {thing}.",
        "at the market, {who} bought {colour:a} {thing}.",
        "{who} found {colour:a} {thing} in the street.",
    ), ("what did {person} get?", "{colour:a} {thing}"),
       ("what colour is the {thing} of {person}?", "{colour}"),
       ("who has {colour:a} {thing}?", "{person}")),
    event("animal habitat", facts.HABITATS, (
        "{who} saw {animal:a} in the {habitat}.",
        "in the {habitat}, {who} saw {animal:a}.",
    ), ("what did {person} see?", "{animal:a}"),
       ("which animal did {person} see?", "{animal:a}"),
       ("where did {person} see {animal:a}?", "the {habitat}"),
       ("who saw {animal:a}?", "{person}")),
    event("number animal", PETS, (
        "{who} has {number} {animal:many}.",
        "at home, {who} has {number} {animal:many}.",
    ), ("how many {animal:many} does {person} have?", "{number}"),
       ("which animals does {person} have?", "{number} {animal:many}"),
       ("who has {animal:many}?", "{person}")),
    event("friend", FRIENDS, (
        "{who} met {friend}.",
        "then {who} met {friend} in the street.",
        "{who} called {friend} on the phone.",
    ), ("who did {person} talk to?", "{friend}"),
       ("who talked to {friend}?", "{person}")),
    event("mood", [(mood,) for mood in MOODS], (
        "{who} was {mood}.",
        "{who} was very {mood} that day.",
    ), ("how was {person}?", "{mood}"), ("who was {mood}?", "{person}")),
    event("belonging day", list(product(BELONGINGS, facts.DAYS)), (
        "{who} lost {her} {belonging} on {day}.",
        "on {day}, {who} lost {her} {belonging}.",
    ), ("what did {person} lose?", "{her} {belonging}"),
       ("when did {person} lose {her} {belonging}?", "{day}"),
       ("who lost {her} {belonging}?", "{person}")),
    event("meal", MEALS, (
        "{who} ate {meal}.",
        "for breakfast, {who} ate {meal}.",
        "{who} was hungry and ate {meal}.",
    ), ("what did {person} eat?", "{meal}"), ("who ate {meal}?", "{person}")),
    event("job place", pick(facts.JOBS, 0, 3), (
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
        return " ".join(saying.text for saying in self.sayings)


def draw_story(rng: random.Random, held_out: bool = False) -> Story:
    """Draw a story of two people, one event or two of each."""
    first_events = rng.sample(EVENTS, rng.choice((1, 2, 2)))
    same = rng.random() < 0.5
    then = list(first_events) if same else rng.sample(EVENTS, rng.choice((1, 2)))
    people = [with_invented_name(one, rng) for one in rng.sample(facts.PEOPLE, 2)]
    sayings, asked, taken = [], [], {person[0] for person in people}
    for person, events in zip(people, (first_events, then), strict=True):
        who = person[0]
        for one in events:
            saying = draw_event(one, (*person, who), taken, rng, held_out)
            if saying is None:
                return draw_story(rng, held_out)
            asked += [(len(sayings), saying, *question) for question in one.questions]
            sayings.append(saying)
            taken |= new_words(saying)
            who = person[1]                 # a pronoun from now on
    story = Story(sayings, [])
    return story._replace(questions=list(questions_on(story, asked)))


PERSON = ("person", "she", "her", "him", "who")


def with_invented_name(person: tuple[str, ...], rng: random.Random) -> tuple[str, ...]:
    """Now and then, give a person another name."""
    strange = rng.random() < INVENTED_SHARE
    return (capitalised(invented(rng)), *person[1:]) if strange else person


def draw_event(
    one: Event, person: tuple[str, ...], taken: set[str], rng: random.Random,
    held_out: bool,
) -> Saying | None:
    """Draw what happened to a person; None if nothing new can be found to tell."""
    for _ in range(TRIES):
        columns, row, template = one.topic.say(rng)
        saying = Saying((*PERSON, *columns), (*person, *row), template)
        is_new = taken.isdisjoint(new_words(saying))
        if is_new and is_held_out(saying.text) == held_out:
            return saying
    return None


def new_words(saying: Saying) -> set[str]:
    """Return the words of an event that no other event of a story may share."""
    columns = zip(saying.columns, saying.row, strict=True)
    return {cell for column, cell in columns if column not in (*PERSON, "at")}


def questions_on(story: Story, asked: list[tuple]) -> "list[Question]":
    """Yield each question with its answer, the first such words from its sentence on.

    A person is found where the story names them first.
    """
    for number, saying, question, answer in asked:
        words_of_answer = saying.fill(answer)
        sentence = sum(len(s.text) + 1 for s in story.sayings[:number])
        start = 0 if answer == "{person}" else sentence
        found = story.text.lower().index(words_of_answer.lower(), start)
        found_words = story.text[found : found + len(words_of_answer)]
        yield Question(capitalised(saying.fill(question)), found_words, found)
