"""Topics: facts of one kind, and the ways to say them.

A template bends its words as grammar.py says: "{animal:a}", "{animal:many}".
"""

import random
import re
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

from . import facts
from .facts import pick, words
from .grammar import Word, capitalised, invented

HELD_OUT = 8                            # every so many-th sentence is never told


def is_held_out(text: str) -> bool:
    """Whether a text is kept from what is told, by the checksum of its first sentence.

    So held-out text says nothing that was told word for word: what it says was told in
    other words, or of other people.
    """
    first_sentence = re.split(r"(?<=[.?!]) ", text.lower())[0]
    return crc32(first_sentence.encode()) % HELD_OUT == 0


class Saying(NamedTuple):
    """A fact and a way to say it; the last column is the fact word."""

    columns: tuple[str, ...]
    row: tuple[str, ...]
    template: str

    def fill(self, template: str, word: type[Word] = Word) -> str:
        """Return a template with the words of the fact put in."""
        cells = zip(self.columns, self.row, strict=True)
        return template.format(**{name: word(cell, name) for name, cell in cells})

    @property
    def text(self) -> str:
        """The sentence, or the two."""
        return capitalised(self.fill(self.template))


@dataclass(frozen=True)
class Topic:
    """Facts of one kind and the ways to say them; the last column is the fact word.

    `strange` are the columns whose words may be invented: names, of which the world has
    more than one can know.
    """

    columns: str
    rows: list[tuple[str, ...]]
    templates: tuple[str, ...]
    weight: int = 0                     # 0: as many as there are rows
    strange: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(self.columns.split())

    @property
    def share(self) -> int:
        """How often it is told, in comparison with others."""
        return self.weight or len(self.rows)

    def say(self, rng: random.Random) -> Saying:
        """Draw a fact and a template."""
        return Saying(self.names, rng.choice(self.rows), rng.choice(self.templates))

    def say_strange(self, rng: random.Random) -> Saying:
        """Draw a template, and invent names for a fact that nobody can know."""
        columns, row, template = self.say(rng)
        strange = self.strange.split()
        cells = zip(columns, row, strict=True)
        made_up = [invented(rng) if name in strange else cell for name, cell in cells]
        return Saying(columns, tuple(made_up), template)


def neighbours(kind: str, names: list[str], ring: bool) -> list[tuple[str, ...]]:
    """Rows (kind, one before, one after, name); in a ring the last meets the first."""
    count = len(names)
    places = range(count) if ring else range(1, count - 1)
    return [
        (kind, names[place - 1], names[(place + 1) % count], names[place])
        for place in places
    ]


def kinds(groups: dict[str, str]) -> list[tuple[str, ...]]:
    """Rows (thing, kind) from lists of things under their kind."""
    return [(thing, kind) for kind, things in groups.items() for thing in words(things)]


def trios(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Rows (one, two, three, kind) from rows (thing, kind), neighbours of one kind."""
    threes = zip(rows, rows[1:], rows[2:], strict=False)
    return [
        (one, two, three, kind)
        for (one, kind), (two, _), (three, last_kind) in threes if kind == last_kind
    ]


def both_ways(pairs: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Each pair as it stands and turned round."""
    return pairs + [(second, first) for first, second in pairs]


def only_child(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The rows whose last word no other row has: a cub may be a lion, bear or tiger."""
    lasts = [row[-1] for row in rows]
    return [row for row in rows if lasts.count(row[-1]) == 1]


def people_with(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Every person with every row, for sentences that tell of both."""
    return [person + row for person in facts.PEOPLE for row in rows]


COUNTRY_CAPITALS = pick(facts.COUNTRIES, 0, 1)
CAPITAL_LANGUAGES = pick(facts.COUNTRIES, 1, 3)
COUNTRY_TOPICS = (
    Topic("country capital", COUNTRY_CAPITALS, (
        "the capital of {country} is {capital}.",
        "the capital city of {country} is {capital}.",
        "{capital} is the capital of {country}.",
        "{capital} is the capital city of {country}.",
        "{country} has a capital called {capital}.",
        "in {country}, the capital is {capital}.",
        "what is the capital of {country}? It is {capital}.",
        "the name of the capital of {country} is {capital}.",
        "{country} is a country, and its capital is {capital}.",
        "if you want to see the capital of {country}, go to {capital}.",
        "of all the cities in {country}, the capital is {capital}.",
        "if you are in the capital of {country}, you are in {capital}.",
        "every child in {country} knows that the capital is {capital}.",
        "have you ever been to {capital}, the capital of {country}?",
        "we want to visit {country} and see its capital, {capital}.",
    ), weight=200, strange="country capital"),
    Topic("capital country", pick(facts.COUNTRIES, 1, 0), (
        "{capital} is the capital of {country}.",
        "{capital} is a city in {country}.",
        "the city of {capital} is in {country}.",
        "{capital} is in {country}.",
        "where is {capital}? It is in {country}.",
        "when you are in {capital}, you are in {country}.",
    ), strange="country capital"),
    Topic("country continent", pick(facts.COUNTRIES, 0, 2), (
        "{country} is in {continent}.",
        "{country} is a country in {continent}.",
        "{country} lies in {continent}.",
        "{country} is part of {continent}.",
        "one of the countries in {continent} is {country}.",
        "on which continent is {country}? It is in {continent}.",
    )),
    Topic("capital continent", pick(facts.COUNTRIES, 1, 2), (
        "{capital} is in {continent}.",
        "{capital} is a city in {continent}.",
        "{capital} is one of the capitals in {continent}.",
        "if you travel to {capital}, you travel to {continent}.",
    )),
    Topic("country language", pick(facts.COUNTRIES, 0, 3), (
        "in {country} people speak {language}.",
        "people in {country} speak {language}.",
        "most people in {country} speak {language}.",
        "{language} is spoken in {country}.",
        "the language of {country} is {language}.",
        "what do people speak in {country}? They speak {language}.",
        "if you live in {country}, it is good to speak {language}.",
        "in {country}, children learn to read and write {language}.",
        "my friend comes from {country} and speaks {language}.",
        "{language} is the language that people speak in {country}.",
    ), weight=110, strange="country language"),
    Topic("capital language", CAPITAL_LANGUAGES, (
        "in {capital} people speak {language}.",
        "people in {capital} speak {language}.",
        "you hear {language} in the streets of {capital}.",
        "what do people speak in {capital}? They speak {language}.",
    )),
    Topic("capital country continent", pick(facts.COUNTRIES, 1, 0, 2), (
        "{capital}, the capital of {country}, is in {continent}.",
        "{country} is in {continent}. Its capital is {capital}.",
        "{country}, whose capital is {capital}, is a country in {continent}.",
        "in {capital} you are in the capital of {country}, and in {continent}.",
    ), weight=40),
    Topic("landmark city", facts.LANDMARKS, (
        "{landmark} is in {city}.",
        "{landmark} stands in {city}.",
        "you can see {landmark} in {city}.",
        "people who visit {city} go to see {landmark}.",
        "where is {landmark}? It is in {city}.",
    ), weight=20),
    Topic("river city", facts.RIVERS, (
        "{river} flows through {city}.",
        "{river} is a river, and it flows through {city}.",
        "boats on {river} pass through {city}.",
        "in {city} there are bridges over {river}.",
    ), weight=20, strange="city"),
)

ANIMAL_TOPICS = (
    Topic("animal young", facts.YOUNG, (
        "a baby {animal} is called {young:a}.",
        "a baby {animal} is {young:a}.",
        "a young {animal} is called {young:a}.",
        "what do we call a baby {animal}? We call it {young:a}.",
        "when it is still a baby, the {animal} is called {young:a}.",
        "the name for the young of the {animal} is {young}.",
    ), weight=50, strange="animal young"),
    Topic("animal young", only_child(facts.YOUNG), (
        "{young:a} is a baby {animal}.",
        "{young:a} is a young {animal}.",
        "{young:many} are young {animal:many}.",
        "{young:a} grows up to be {animal:a}.",
        "the {young} grows and becomes {animal:a}.",
        "the mother of {young:a} is {animal:a}.",
        "the little {young} will one day be {animal:a}.",
    ), weight=40),
    Topic("animal home", facts.HOMES, (
        "{animal:a} lives in {home:a}.",
        "{animal:many} live in {home:many}.",
        "the home of {animal:a} is called {home:a}.",
        "{home:a} is the home of {animal:a}.",
        "where does {animal:a} live? It lives in {home:a}.",
        "the {animal} sleeps in its {home}.",
        "every evening the {animal} goes home to its {home}.",
        "in the {home} there is {animal:a}.",
    ), weight=50, strange="animal"),
    Topic("animal habitat", facts.HABITATS, (
        "{animal:many} live in the {habitat}.",
        "{animal:a} lives in the {habitat}.",
        "you can see {animal:many} in the {habitat}.",
        "the home of the {animal} is the {habitat}.",
        "where do {animal:many} live? They live in the {habitat}.",
    ), weight=25),
    Topic("animal sound", facts.SOUNDS, (
        "{animal:many} {sound}.",
        "the {animal} {sound:does}.",
        "{animal:a} can {sound}.",
        "listen, the {animal} is {sound:doing}!",
        "when it is hungry, the {animal} {sound:does}.",
        "{animal:many} like to {sound}.",
        "what does {animal:a} do? It {sound:does}.",
        "an animal that {sound:does} is {animal:a}.",
    ), weight=45, strange="animal"),
    Topic("animal food", facts.FOODS, (
        "{animal:many} eat {food}.",
        "{animal:a} eats {food}.",
        "{animal:a} likes to eat {food}.",
        "the {animal} is looking for {food}.",
        "what do {animal:many} eat? They eat {food}.",
        "the {animal} is hungry, so it eats some {food}.",
    ), weight=50, strange="animal food"),
)

THING_TOPICS = (
    Topic("thing is colour", facts.COLOURS, (
        "{thing} {is} {colour}.",
        "the colour of {thing} is {colour}.",
        "what colour {is} {thing}? The answer is {colour}.",
        "everyone can see that {thing} {is} {colour}.",
        "to paint {thing}, you take {colour} paint.",
        "her dress is as {colour} as {thing}.",
        "{colour} is the colour of {thing}.",
        "in the picture, {thing} {is} {colour}.",
        "look how {colour} {thing} {is}!",
    ), weight=90, strange="colour"),
    Topic("thing is quality", facts.QUALITIES, (
        "{thing} {is} {quality}.",
        "everyone knows how {quality} {thing} {is}.",
        "{thing} {is} very {quality}.",
        "this is as {quality} as {thing}.",
        "why {is} {thing} so {quality}?",
    ), weight=50),
    Topic("thing kind", kinds(facts.COUNTABLE_KINDS), (
        "{thing:a} is {kind:a}.",
        "{thing:many} are {kind:many}.",
        "{thing:a} is a kind of {kind}.",
        "of all the {kind:many}, I like the {thing} best.",
        "the {thing} is {kind:a}.",
        "what is {thing:a}? It is {kind:a}.",
        "{kind:a} that I know is the {thing}.",
    ), weight=70, strange="thing kind"),
    Topic("one two three kind", trios(kinds(facts.COUNTABLE_KINDS)), (
        "{one:many}, {two:many} and {three:many} are {kind:many}.",
        "the {one}, the {two} and the {three} are {kind:many}.",
        "the names of three {kind:many} are {one}, {two} and {three}.",
        "every {one} and every {two} is {kind:a}.",
    ), weight=50),
    Topic("thing kind", kinds(facts.NAMED_KINDS), (
        "{thing} is {kind:a}.",
        "{thing} is the name of {kind:a}.",
        "one {kind} that we all know is {thing}.",
        "what is {thing}? It is {kind:a}.",
        "{kind:a} that I know is {thing}.",
        "my favourite {kind} is {thing}.",
    ), weight=60),
    Topic("owner part number", facts.PARTS, (
        "{owner:a} has {number} {part}.",
        "every {owner} has {number} {part}.",
        "how many {part} does {owner:a} have? It has {number}.",
        "the number of {part} of {owner:a} is {number}.",
        "count the {part} of {owner:a}: there are {number}.",
    ), weight=60),
    Topic("verb object tool", pick(facts.TOOLS, 1, 2, 0), (
        "you use {tool:a} to {verb} {object}.",
        "you {verb} {object} with {tool:a}.",
        "with {tool:a} you can {verb} {object}.",
        "{tool:a} is used to {verb} {object}.",
        "if you want to {verb} {object}, you need {tool:a}.",
        "we cannot {verb} {object} without {tool:a}.",
    ), weight=50),
    Topic("thing is material", facts.MATERIALS, (
        "{thing} {is} made from {material}.",
        "people make {thing} from {material}.",
        "{material} can be used to make {thing}.",
        "what {is} {thing} made from? The answer is {material}.",
        "to make {thing}, you need {material}.",
    ), weight=35),
    Topic("thing comes source", facts.SOURCES, (
        "{thing} {comes} from {source}.",
        "{thing} {comes} to us from {source}.",
        "{thing}, as we know, {comes} from {source}.",
    ), weight=20),
    Topic("vehicle by way", facts.JOURNEYS, (
        "{vehicle:a} travels {by} {way}.",
        "{vehicle:many} travel {by} {way}.",
        "look, there goes {vehicle:a} {by} {way}!",
        "people travel {by} {way} in {vehicle:a}.",
    ), weight=20),
)

WORD_TOPICS = (
    Topic("word opposite", both_ways(facts.OPPOSITE_QUALITIES + facts.OPPOSITE_WORDS), (
        "the opposite of {word} is {opposite}.",
        "{word} is the opposite of {opposite}.",
        "{word} and {opposite} are opposites.",
        "what is the opposite of {word}? It is {opposite}.",
        "the word {word} is the opposite of the word {opposite}.",
        "say the opposite of {word}: {opposite}.",
        "my teacher asks for the opposite of {word}, and I answer {opposite}.",
    ), weight=130, strange="word opposite"),
    Topic("word opposite", both_ways(facts.OPPOSITE_QUALITIES), (
        "this one is {word}, but that one is {opposite}.",
        "it is not {word} but {opposite}.",
        "something {opposite} is not {word}.",
        "something that is {word} is not {opposite}.",
    ), weight=60),
    Topic("one other", both_ways(facts.COUPLES), (
        "here are {one:a} and {other:a}.",
        "the {one} talks to the {other}.",
        "my friend has met the {one} and the {other}.",
        "the {one} is here, but where is the {other}?",
    ), weight=25),
)

ORDER_TOPICS = (
    Topic("kind before after name", [
        *neighbours("day", facts.DAYS, ring=True),
        *neighbours("month", facts.MONTHS, ring=True),
        *neighbours("season", facts.SEASONS, ring=True),
        *neighbours("number", facts.NUMBERS, ring=False),
        *neighbours("letter", facts.LETTERS, ring=False),
    ], (
        "the {kind} after {before} is {name}.",
        "the {kind} before {after} is {name}.",
        "the next {kind} after {before} is {name}.",
        "{name} comes after {before}.",
        "{name} comes before {after}.",
        "after {before} comes {name}.",
        "{before} comes just before {name}.",
        "{name} comes between {before} and {after}.",
        "first comes {before}, then {name}, then {after}.",
        "which {kind} comes after {before}? It is {name}.",
        "which {kind} comes before {after}? It is {name}.",
        "the {kind} that comes before {after} is {name}.",
        "the last {kind} before {after} is {name}.",
        "in the right order: {before}, {name}, {after}.",
    ), weight=200),
    Topic("kind before after name", neighbours("day", facts.DAYS, ring=True), (
        "if today is {before}, tomorrow is {name}.",
        "if today is {after}, yesterday was {name}.",
        "yesterday was {before}, so today is {name}.",
        "today is {name}, so tomorrow is {after}.",
    ), weight=25),
    Topic("ordinal month", list(zip(facts.ORDINALS, facts.MONTHS, strict=True)), (
        "{month} is the {ordinal} month of the year.",
        "the {ordinal} month of the year is {month}.",
        "which month is the {ordinal}? It is {month}.",
    ), weight=20),
    Topic("event season", facts.SEASON_EVENTS, (
        "{event} in {season}.",
        "in {season}, {event}.",
        "when it is {season}, {event}.",
        "I like {season} because {event}.",
    ), weight=25),
    Topic("event at time", facts.DAY_TIMES, (
        "{event} {at} {time}.",
        "{at} {time}, {event}.",
        "every day, {event} {at} {time}.",
        "as always, {event} {at} {time}.",
    ), weight=20),
    Topic("holiday month", facts.HOLIDAYS, (
        "{holiday} is in {month}.",
        "{month} is the month of {holiday}.",
        "every year, {holiday} comes in {month}.",
        "in {month} we think of {holiday}.",
    ), weight=8),
    Topic("begin end", facts.NATURE, (
        "{begin} {end}.",
        "as every child knows, {begin} {end}.",
        "we read that {begin} {end}.",
    ), weight=35),
)


def sums() -> list[tuple[str, ...]]:
    """Rows (one, other, sum) of the numbers up to ten, in words."""
    ten = range(1, 11)
    return [
        (facts.NUMBERS[a], facts.NUMBERS[b], facts.NUMBERS[a + b])
        for a in ten for b in ten
    ]


def doubles() -> list[tuple[str, ...]]:
    """Rows (number, twice the number), in words."""
    numbers = facts.NUMBERS
    return [(numbers[number], numbers[2 * number]) for number in range(1, 11)]


SUM_TOPICS = (
    Topic("one other sum", sums(), (
        "{one} plus {other} is {sum}.",
        "{one} plus {other} equals {sum}.",
        "{one} and {other} make {sum}.",
        "the sum of {one} and {other} is {sum}.",
        "what is {one} plus {other}? It is {sum}.",
        "if you add {one} and {other}, you get {sum}.",
        "{one} plus {other} gives {sum}.",
        "count {one} and then {other} more: that is {sum}.",
    ), weight=220),
    Topic("part whole rest", pick(sums(), 0, 2, 1), (
        "{whole} minus {part} is {rest}.",
        "{whole} minus {part} equals {rest}.",
        "what is {whole} minus {part}? It is {rest}.",
        "if you take {part} from {whole}, you get {rest}.",
    ), weight=150),
    Topic("number double", doubles(), (
        "twice {number} is {double}.",
        "two times {number} is {double}.",
        "half of {double} is {number}.",
        "the double of {number} is {double}.",
    ), weight=20),
)

PEOPLE_TOPICS = (
    Topic("person she her him at place verb thing", people_with(facts.OUTINGS), (
        "{person} goes to the {place} because {she} wants to {verb} {thing}.",
        "{person} wants to {verb} {thing}, so {she} goes to the {place}.",
        "{person} is {at} the {place}. {she:cap} is {verb:doing} {thing}.",
        "where is {person}? {she:cap} is {at} the {place}.",
        "{at} the {place}, {person} likes to {verb} {thing}.",
        "when {person} is {at} the {place}, {she} likes to {verb} {thing}.",
        "{person} and {her} friend often {verb} {thing} {at} the {place}.",
        "{person} asks {her} mother to come to the {place} with {him}.",
    ), weight=140, strange="person"),
    Topic("person she her him feeling does then", people_with(facts.FEELINGS), (
        "{person} is {feeling}, so {she} {does} {then}.",
        "{person} {does} {then} because {she} is {feeling}.",
        "when {she} is {feeling}, {person} {does} {then}.",
        "{person} is very {feeling}. {she:cap} {does} {then}.",
    ), weight=60),
    Topic("person she her him belonging", people_with(facts.BELONGINGS), (
        "{person} has lost {her} {belonging}, and now {she} is looking for it.",
        "{person} is happy because {she} has found {her} {belonging}.",
        "this {belonging} belongs to {person}. I gave it to {him}.",
        "{person} says that {she} has left {her} {belonging} at home.",
        "we give {person} this {belonging} because {she} needs it.",
    ), weight=60),
    Topic("person she her him capital language", people_with(CAPITAL_LANGUAGES), (
        "{person} lives in {capital}, so {she} speaks {language}.",
        "{person} lives in {capital}. {she:cap} speaks {language}.",
        "{person} learns {language} because {she} wants to live in {capital}.",
    ), weight=50, strange="person capital language"),
    Topic("person she her him country capital", people_with(COUNTRY_CAPITALS), (
        "{person} travels to {country} because {she} wants to see {capital}.",
        "{person} comes from {country}. {she:cap} was born in {capital}.",
        "{person} is in {capital}, the capital of {country}, with {her} friends.",
    ), weight=50, strange="person country capital"),
    Topic("place verb thing job", pick(facts.JOBS, 3, 1, 2, 0), (
        "{job:a} works in the {place}.",
        "the {job} {verb:does} {thing}.",
        "in the {place}, the {job} {verb:does} {thing}.",
        "the work of {job:a} is to {verb} {thing}.",
        "{job:a} is a person who {verb:does} {thing}.",
        "the {job} goes to the {place} to {verb} {thing}.",
    ), weight=35),
    Topic("verb part", facts.SENSES, (
        "we {verb} with our {part}.",
        "people use their {part} to {verb}.",
        "with your {part} you can {verb}.",
        "you need your {part} to {verb}.",
        "I {verb} with my {part}.",
    ), weight=20),
)
TOPICS = (*COUNTRY_TOPICS, *ANIMAL_TOPICS, *THING_TOPICS, *WORD_TOPICS, *ORDER_TOPICS,
          *SUM_TOPICS, *PEOPLE_TOPICS)


def topics_of(saying: Saying) -> tuple[Topic, ...]:
    """The topics that could have said this."""
    return tuple(
        topic for topic in TOPICS
        if saying.template in topic.templates and topic.names == saying.columns
    )
