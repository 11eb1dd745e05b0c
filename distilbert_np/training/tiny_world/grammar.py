"""How words change: articles, plurals, verb forms; and words that never were."""

import random

IRREGULAR_PLURALS = {
    "sheep": "sheep", "deer": "deer", "fish": "fish", "salmon": "salmon",
    "trout": "trout", "mouse": "mice", "goose": "geese", "wolf": "wolves",
    "calf": "calves", "knife": "knives", "person": "people",
}
ONSETS = (
    "b", "bl", "br", "d", "dr", "f", "fl", "g", "gl", "k", "kl", "m", "n", "p", "pl",
    "qu", "r", "sk", "t", "tr", "v", "w", "z",
)
CODAS = ("b", "g", "k", "l", "n", "rt", "sh", "x")


def with_article(noun: str) -> str:
    """'an owl', 'a dog'."""
    vowel = noun[0] in "aeiou" or noun == "hour"
    return f"an {noun}" if vowel else f"a {noun}"


def plural(noun: str) -> str:
    """'dogs', 'mice', 'sheep'."""
    return IRREGULAR_PLURALS.get(noun) or with_s(noun)


def with_s(word: str) -> str:
    """The plural of a noun, or a verb after 'he': 'puppies', 'watches', 'barks'."""
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    hissing = word.endswith(("s", "sh", "ch", "x", "z", "to", "do", "go"))
    return word + ("es" if hissing else "s")


def with_ing(verb: str) -> str:
    """'baking', 'seeing', 'barking'."""
    return (verb if verb.endswith("ee") else verb.removesuffix("e")) + "ing"


def capitalised(text: str) -> str:
    """Raise the first letter and leave all others alone."""
    return text[0].upper() + text[1:]


FORMS = {
    "": str, "a": with_article, "many": plural, "does": with_s, "doing": with_ing,
    "cap": capitalised,
}


class Word(str):
    """A word of a column, which a template can bend: '{animal:a}', '{verb:does}'."""

    def __new__(cls, text: str, column: str = "") -> "Word":
        """Return the text as a word that knows its column."""
        word = super().__new__(cls, text)
        word.column = column
        return word

    def __format__(self, form: str) -> str:
        """Say the word in one of the FORMS."""
        return FORMS[form](str(self))


def invented(rng: random.Random) -> str:
    """A word that nobody has heard, such as 'blorvik': two syllables or three."""
    count = rng.choice((2, 2, 3))
    starts = rng.choices(ONSETS, k=count)
    syllables = [start + rng.choice("aeiou") for start in starts]
    return "".join(syllables) + rng.choice(CODAS)
