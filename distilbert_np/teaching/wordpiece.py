"""WordPiece in plain Python: what the `tokenizers` library does, in a form to read.

A text is split into words, and each word into the longest pieces that the vocabulary
knows (Schuster and Nakajima, 2012; as BERT has it, arXiv 1810.04805). The library does
the same in Rust, some hundred times as fast; it also takes Chinese signs one by one,
and first sets aside what a text says of special tokens, such as [MASK].
"""

import unicodedata
from collections.abc import Container

UNKNOWN = "[UNK]"


def split_words(text: str) -> list[str]:
    """Return the words of a text and its punctuation marks, in lower case."""
    letters = unicodedata.normalize("NFD", text.lower())     # é becomes e and an accent
    spaced = ""
    for letter in letters:
        if is_punctuation(letter):
            spaced += f" {letter} "
        elif unicodedata.category(letter) != "Mn":           # an accent goes
            spaced += letter
    return spaced.split()


def is_punctuation(letter: str) -> bool:
    """Return whether this is punctuation, or a sign that is found on every keyboard."""
    is_ascii_sign = "!" <= letter <= "~" and not letter.isalnum()
    return is_ascii_sign or unicodedata.category(letter).startswith("P")


def wordpiece(word: str, vocabulary: Container[str]) -> list[str]:
    """Return the pieces of a word, or [UNK] alone if it cannot be cut.

    Each piece is the longest that fits; all but the first are written with ##.
    """
    pieces, start = [], 0
    while start < len(word):
        piece = longest_piece(word, start, vocabulary)
        if piece is None:
            return [UNKNOWN]
        pieces.append(piece)
        start += len(piece.removeprefix("##") if start else piece)
    return pieces


def longest_piece(word: str, start: int, vocabulary: Container[str]) -> str | None:
    """Return the longest piece of the vocabulary that the word goes on with."""
    mark = "##" if start else ""
    for end in range(len(word), start, -1):                  # the longest first
        if (piece := mark + word[start:end]) in vocabulary:
            return piece
    return None
