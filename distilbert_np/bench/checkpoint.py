"""The model that is measured: a folder, which every contender opens; and texts for it.

Without a name it is of base size, its weights random: speed does not depend on them.
"""

import warnings
from itertools import islice, product
from pathlib import Path

import numpy as np

from ..config import DistilBertConfig
from ..functions import Array
from ..models import DistilBertForMaskedLM
from ..tokenizer import SPECIAL_TOKENS, DistilBertTokenizer

CONSONANTS, VOWELS = "bdfglmnprst", "aeiou"


def save_model(name: str | None, folder: Path) -> str:
    """Write the model that is measured into `folder`; return a line about it.

    `name` is what from_pretrained takes, None for base size with random weights.
    """
    if name is None:
        model, kind = DistilBertForMaskedLM(DistilBertConfig()), "base size, random"
    else:
        with warnings.catch_warnings():          # of a head that the file lacks
            warnings.simplefilter("ignore", UserWarning)
            model, kind = DistilBertForMaskedLM.from_pretrained(name), name
    model.save_pretrained(folder)
    return f"{kind}, {model.num_parameters():,} parameters with the masked-LM head"


def save_tokenizer(name: str | None, folder: Path) -> DistilBertTokenizer:
    """Write the tokenizer of that model into `folder`, and return it."""
    if name is None:
        vocabulary = made_up_vocabulary(DistilBertConfig().vocab_size)
        text = "\n".join(vocabulary) + "\n"
        (folder / "vocab.txt").write_text(text, encoding="utf-8")
        name = str(folder)
    tokenizer = DistilBertTokenizer.from_pretrained(name)
    tokenizer.save_pretrained(folder)
    return tokenizer


def made_up_vocabulary(size: int) -> list[str]:
    """Return the special tokens, and words of three syllables: bababa, bababe, …"""
    letters = product(*[CONSONANTS, VOWELS] * 3)
    special = list(SPECIAL_TOKENS.values())
    return special + ["".join(word) for word in islice(letters, size - len(special))]


def words(tokenizer: DistilBertTokenizer) -> list[str]:
    """Return the words that are one token each, by their ids."""
    vocabulary = tokenizer.get_vocab()
    plain = [word for word in vocabulary if word.isascii() and word.isalpha()]
    return sorted(filter(str.islower, plain), key=vocabulary.get)


def random_texts(
    tokenizer: DistilBertTokenizer, count: int, shortest: int, longest: int
) -> list[str]:
    """Return texts of so many tokens each, [CLS] and [SEP] included, from a seed."""
    rng, known = np.random.default_rng(0), words(tokenizer)
    lengths = rng.integers(shortest - 2, longest - 2, count, endpoint=True)
    return [" ".join(rng.choice(known, length)) for length in lengths]


def random_ids(
    config: DistilBertConfig, batch: int, length: int
) -> tuple[Array, Array]:
    """Return ids and an attention mask that hides none, both (B, L), from a seed."""
    rng = np.random.default_rng(0)
    ids = rng.integers(config.vocab_size, size=(batch, length))          # (B, L)
    return ids, np.ones_like(ids)
