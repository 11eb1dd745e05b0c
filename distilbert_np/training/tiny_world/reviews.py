"""Short reviews: what somebody saw, ate or read, and how they liked it.

"The room was dirty, but we loved the hotel." is positive: the last word counts. Half of
the neutral texts tell of something else altogether, or use words that nobody knows.
"""

import random
from typing import NamedTuple

from . import facts
from .facts import table, words
from .grammar import Word, capitalised, invented
from .topics import is_held_out

LABELS = ("negative", "neutral", "positive")
REVIEWED = table("""
    film, story, actors, music, ending; book, story, pictures, ending, people
    play, story, actors, music, stage; concert, music, singer, songs, hall
    restaurant, food, waiter, soup, tables; cafe, coffee, cake, waiter, chairs
    hotel, room, bed, breakfast, view; museum, paintings, guide, garden, rooms
    holiday, weather, food, hotel, beach; party, food, music, guests, games
    journey, seats, weather, view, driver; lesson, teacher, examples, questions, room
    market, bread, fruit, cheese, people; zoo, animals, food, guide, weather
""")
# What can be said of a part, in the singular or plural: words of praise, and of blame.
SAID = table("""
    story ending, was, exciting clever funny new, boring stupid long sad
    music coffee cake bread cheese, was, good fresh wonderful fine, bad cold awful old
    breakfast soup food fruit, was, good fresh wonderful fine, bad cold awful old
    actors people guests animals, were, friendly clever funny kind, sad tired bad loud
    singer waiter guide, was, kind friendly polite clever, rude slow tired unfriendly
    teacher driver, was, kind friendly polite clever, rude slow tired unfriendly
    pictures songs paintings, were, beautiful clever funny new, boring stupid old bad
    examples games questions, were, beautiful clever funny new, boring stupid old bad
    room hall bed stage, was, clean warm quiet big, dirty cold loud small
    hotel beach garden, was, clean warm quiet big, dirty cold loud small
    tables chairs seats rooms, were, clean new soft warm, dirty broken hard cold
    view weather, was, wonderful beautiful bright fine, terrible awful grey bad
""")
ASPECTS = {
    aspect: {"was": was, "positive": words(good), "negative": words(bad)}
    for aspects, was, good, bad in SAID
    for aspect in words(aspects)
}
VERDICTS = {
    "positive": {
        "quality": words("good great wonderful excellent lovely perfect nice"),
        "felt": words("loved liked enjoyed praised"),
        "unfelt": words("dislike hate"),
        "mild": words("good nice interesting"),
        "result": table("""
            I want to go again; we stayed until the end; I told all my friends about it
            I was happy all day; we laughed and smiled; I thank everyone
            we will come again soon; it was worth the money
        """),
    },
    "negative": {
        "quality": words("bad terrible awful horrible boring poor stupid ugly"),
        "felt": words("hated disliked"),
        "unfelt": words("like enjoy love"),
        "mild": words("bad boring ugly"),
        "result": table("""
            I left early; I want my money back; I will never go again
            we nearly fell asleep; I was angry all day; we went home before the end
            I told my friends to stay at home; it was not worth the money
        """),
    },
}
TEMPLATES = (
    "the {aspect} {was} {word}, and I {felt} the {thing}.",
    "I {felt} the {thing} because the {aspect} {was} {word}.",
    "{person} {felt} the {thing} because the {aspect} {was} {word}.",
    "the {aspect} {was} {other}, but I {felt} the {thing}.",
    "the {aspect} {was} {other}, but {person} {felt} the {thing}.",
    "although the {aspect} {was} {other}, we {felt} the {thing}.",
    "the {aspect} {was} not {other}, and I {felt} the {thing}.",
    "the {thing} was {quality}.",
    "the {thing} was very {quality}.",
    "the {thing} was not {unlike}.",
    "I did not {unfelt} the {thing}.",
    "{person} did not {unfelt} the {thing}.",
    "what {quality:a} {thing}!",
    "it was {quality:a} {thing}, and {person} {felt} it, too.",
    "the {thing} was {quality}, so {result}.",
    "the {aspect} {was} {word}. {result:cap}.",
    "the {aspect} of the {thing} {was} {word}, and {result}.",
    "{person} {felt} the {thing}. {she:cap} says that the {aspect} {was} {word}.",
    "we think that the {thing} was {quality}.",
    "everyone {felt} the {thing}, and so did I.",
)
NEUTRAL = (
    "{person} told me about the {thing} on {day}.",
    "this is the {thing} that {person} talked about.",
    "I read about the {thing} in the newspaper.",
    "{person} and {her} friend talk about the {aspect} of the {thing}.",
    "my friend asks {person} about the {thing}.",
    "on {day}, {person} went to the {thing}.",
    "there is {thing:a} in {city}.",
    "the {thing} begins on {day}.",
    "{person} knows the {aspect} of the {thing}.",
    "the {thing} was {unheard}.",
    "the {aspect} {was} {unheard}, and the {thing} was {unheard}.",
)
OPENERS = (
    "we saw the {thing} on {day}.", "I was there with {person}.", "it was {day}.",
    "{person} came with us.", "this was in {city}.",
    "I went with {person} and {her} friend.",
)
OPENER_SHARE = 0.25


class Review(NamedTuple):
    """A review and how its writer liked the thing."""

    text: str
    label: str


def draw_review(rng: random.Random, held_out: bool = False) -> Review:
    """Draw a review; with `held_out`, one whose verdict is never told."""
    while True:
        label = rng.choice(LABELS)
        fields = draw_fields(rng, label)
        template = rng.choice(NEUTRAL if label == "neutral" else TEMPLATES)
        text = capitalised(template.format(**fields))
        if is_held_out(text) == held_out:
            break
    if rng.random() < OPENER_SHARE:
        text = f"{capitalised(rng.choice(OPENERS).format(**fields))} {text}"
    return Review(text, label)


def draw_fields(rng: random.Random, label: str) -> dict[str, Word]:
    """Draw the words for a template: the thing, its part, its praise or blame."""
    thing, *aspects = rng.choice(REVIEWED)
    aspect = rng.choice(aspects)
    person, she, her, _ = rng.choice(facts.PEOPLE)
    liked = label if label in VERDICTS else "positive"
    disliked = "negative" if liked == "positive" else "positive"
    verdict = VERDICTS[liked]
    fields = {
        "thing": thing, "aspect": aspect, "was": ASPECTS[aspect]["was"],
        "word": rng.choice(ASPECTS[aspect][liked]),
        "other": rng.choice(ASPECTS[aspect][disliked]),
        "quality": rng.choice(verdict["quality"]), "felt": rng.choice(verdict["felt"]),
        "unfelt": rng.choice(verdict["unfelt"]),
        "result": rng.choice(verdict["result"])[0],
        "unlike": rng.choice(VERDICTS[disliked]["mild"]),
        "person": person, "she": she, "her": her, "day": rng.choice(facts.DAYS),
        "city": rng.choice(facts.COUNTRIES)[1], "unheard": invented(rng),
    }
    return {name: Word(word, name) for name, word in fields.items()}
