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
    weights = [topic.weight or len(topic.rows) for topic in TOPICS]
    for topic, weight in zip(TOPICS, weights, strict=True):
        columns = tuple(topic.columns.split())
        share = weight / sum(weights) / len(topic.rows) / len(topic.templates)
        for row in topic.rows:
            for template in topic.templates:
                yield Saying(columns, row, template), share


def predictable() -> dict[str, float]:
    """Return shares of the words in held-out sentences, one word hidden at a time.

    guessed    by the best of readers
    certain    where nothing else could stand
    fact word  guessed, of the words that carry the fact
    """
    beliefs = defaultdict(lambda: defaultdict(float))
    asked = []
    for saying, share in every_saying():
        words = re.findall(r"\w+|[^\w\s]", saying.text.lower())
        for i, word in enumerate(words):
            context = (*words[:i], None, *words[i + 1 :])
            beliefs[context][word] += share
            if word.isalpha() and is_held_out(saying.text):
                is_fact = word == saying.row[-1].lower()
                asked.append((context, share, is_fact))
    shares = defaultdict(float)
    for context, share, is_fact in asked:
        best = max(beliefs[context].values()) / sum(beliefs[context].values())
        shares["all"] += share
        shares["guessed"] += share * best
        shares["certain"] += share * (best == 1)
        shares["facts"] += share * is_fact
        shares["facts guessed"] += share * best * is_fact
    return {
        "guessed": shares["guessed"] / shares["all"],
        "certain": shares["certain"] / shares["all"],
        "fact word": shares["facts guessed"] / shares["facts"],
    }
