"""The tiny world: simple, true English about a small closed world.

The embedded models are trained on this text and on nothing else, so all that they know
can be read here.

    facts.py    tables of what is true
    grammar.py  how words change
    topics.py   ways to say it
    reviews.py  what somebody saw, and how they liked it
    stories.py  what happened to two people, and questions on it
    text.py     all of that, told at random from a seed
    tasks.py    the same with labels
    limits.py   what of it can be guessed at all

    python -m distilbert_np.training.tiny_world --count 10
    python -m distilbert_np.training.tiny_world --task classify > reviews.jsonl
"""

from .tasks import task_rows
from .text import sentences, statements, whole_words

__all__ = ["sentences", "statements", "task_rows", "whole_words"]
