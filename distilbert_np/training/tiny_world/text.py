"""The text that models learn from: statements, reviews and stories, told at random.

Everything comes from a seed. What held-out text tells, the training text never tells
in those words: its facts are told otherwise, or of other people. (Openers, and answers
such as "It is in Europe.", recur.)
"""

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .grammar import capitalised
from .reviews import draw_review
from .stories import draw_story
from .topics import TOPICS, Saying, Topic, is_held_out, topics_of

OPENERS = (
    "everyone knows that", "we learn at school that", "the teacher says that",
    "it is true that", "I know that", "my mother says that", "of course,", "yes,",
    "you can read in this book that", "my friend told me that", "remember that",
)
STRANGE_SHARE = 0.03                    # of statements speak of names nobody has heard
COMMON = 4                              # a word that is told so often is worth a piece
NO_STOP_SHARE = 0.1                     # of texts lose their full stop, as users' do


class Statement(NamedTuple):
    """A text of one or two sentences, and the word in it that carries the fact."""

    text: str
    fact_word: str


def draw_saying(rng: random.Random, held_out: bool, among: tuple[Topic, ...]) -> Saying:
    """Draw a fact and a way to say it, of the larger topics more often."""
    weights = [topic.share for topic in among]
    while True:
        topic = rng.choices(among, weights)[0]
        strange = topic.strange and rng.random() < STRANGE_SHARE and not held_out
        saying = topic.say_strange(rng) if strange else topic.say(rng)
        if is_held_out(saying.text) == held_out:
            return saying


def is_plain(text: str) -> bool:
    """Whether the text is one plain sentence, which may stand inside a longer one."""
    return text.endswith(".") and not re.search(r"[.?!:] ", text)


def draw_statement(rng: random.Random, held_out: bool = False) -> Statement:
    """One fact alone, after an opener, or together with a second fact."""
    saying = draw_saying(rng, held_out, TOPICS)
    text, fact_word = saying.fill(saying.template), saying.row[-1]
    shape = rng.random()
    if shape < 0.15 and is_plain(text):
        text = f"{rng.choice(OPENERS)} {text}"
    elif shape < 0.30:
        # Half of the pairs share a topic: the reader must look at the right subject.
        topics = TOPICS if rng.random() < 0.5 else topics_of(saying)
        other = draw_saying(rng, held_out, topics)
        more, fact_word = other.fill(other.template), other.row[-1]
        if shape < 0.22 and is_plain(text):
            link = rng.choice(("and", "while"))
            text = f"{text[:-1]}, {link} {more}"
        else:
            text = f"{text} {capitalised(more)}"
    return Statement(capitalised(text), fact_word)


def draw_told_story(rng: random.Random, held_out: bool = False) -> str:
    """A story, and now and then a question on it with its answer."""
    story = draw_story(rng, held_out)
    if rng.random() < 0.5:
        return story.text
    question = rng.choice(story.questions)
    return f"{story.text} {question.text} {capitalised(question.answer)}."


def draw_paragraph(rng: random.Random, held_out: bool = False) -> str:
    """A longer text of several statements, so that every position is learned."""
    count = rng.randint(4, 9)
    return " ".join(draw_statement(rng, held_out).text for _ in range(count))


SHAPES = {                              # how often a text is of each kind, of a hundred
    lambda rng, held_out: draw_statement(rng, held_out).text: 86,
    lambda rng, held_out: draw_review(rng, held_out).text: 7,
    draw_told_story: 6,
    draw_paragraph: 1,
}


def sentences(seed: int, n: int, held_out: bool = False) -> Iterator[str]:
    """The first n texts that this seed tells; the same ones every time."""
    rng = random.Random(seed)
    for _ in range(n):
        draw = rng.choices([*SHAPES], [*SHAPES.values()])[0]
        text = draw(rng, held_out)
        yield text.removesuffix(".") if rng.random() < NO_STOP_SHARE else text


def statements(seed: int, n: int, held_out: bool = False) -> Iterator[Statement]:
    """The first n statements that this seed tells, each with its fact word."""
    rng = random.Random(seed)
    for _ in range(n):
        yield draw_statement(rng, held_out)


def fact_words() -> set[str]:
    """Every single word that stands in a table, in lower case: possible answers."""
    cells = {cell for topic in TOPICS for row in topic.rows for cell in row}
    return {cell.lower() for cell in cells if cell.isalpha()}


def whole_words(texts: Iterable[str]) -> list[str]:
    """The words that a vocabulary must hold whole: the tables', and common ones.

    WordPiece alone would cut the rarer words; but a masked word is one piece, so every
    possible answer must be one piece. Invented names stay in pieces, as they should.
    """
    counts = Counter(re.findall(r"[a-z]+", " ".join(texts).lower()))
    return sorted(fact_words() | {word for word, n in counts.items() if n >= COMMON})
