"""What can be known: how often the best of readers guesses a hidden word.

Of the statements, every sentence and its probability can be listed. Someone who knew
that list by heart would guess, for the rest of a sentence, the word most often found in
the gap; nobody can do better.
"""

import re
from collections import defaultdict
from collections.abc import Iterator

from .topics import TOPICS, Saying, is_held_out


def every_saying() -> Iterator[tuple[Saying, float]]:
    """Yield every saying of the world, with its probability among single statements."""
    total = sum(topic.share for topic in TOPICS)
    for topic in TOPICS:
        share = topic.share / total / len(topic.rows) / len(topic.templates)
        for row in topic.rows:
            for template in topic.templates:
                yield Saying(topic.names, row, template), share


def predictable() -> dict[str, float]:
    """Return shares of the words in held-out sentences, one word hidden at a time.

    guessed    by the best of readers
    certain    where nothing else could stand
    fact word  guessed, of the words that carry the fact
    """
    beliefs = defaultdict(lambda: defaultdict(float))
    gaps = []
    for saying, share in every_saying():
        is_asked = is_held_out(saying.text)
        for context, word in gaps_of(saying.text):
            beliefs[context][word] += share
            if is_asked and word.isalpha():
                gaps.append((context, share, word == saying.row[-1].lower()))
    best = {
        context: max(shares.values()) / sum(shares.values())
        for context, shares in beliefs.items()
    }
    every = sum(share for _, share, _ in gaps)
    return {
        "guessed": sum(share * best[gap] for gap, share, _ in gaps) / every,
        "certain": sum(share for gap, share, _ in gaps if best[gap] == 1) / every,
        "fact word": sum(share * best[gap] for gap, share, is_fact in gaps if is_fact)
        / sum(share for _, share, is_fact in gaps if is_fact),
    }


def gaps_of(text: str) -> Iterator[tuple[tuple[str | None, ...], str]]:
    """Yield each word of a text, after what is left of the text without it."""
    words = re.findall(r"\w+|[^\w\s]", text.lower())
    for i, word in enumerate(words):
        yield (*words[:i], None, *words[i + 1 :]), word
