"""Lesson 1, from text to tokens: what there is to write, and what goes wrong."""

import unicodedata
from collections.abc import Callable, Sequence

import numpy as np

from ... import tokenizer
from ...functions import Array
from ...training import batches
from .. import wordpiece as plain
from ..exercise import Exercise
from ..wordpiece import is_punctuation

# --- split the words ------------------------------------------------------------------


def split_words(text: str) -> list[str]:
    """Return a text's words, as the tokenizers library (in Rust) splits them."""
    numbered = {token: i for i, token in enumerate(tokenizer.SPECIAL_TOKENS.values())}
    backend = tokenizer.wordpiece(numbered)
    normal = backend.normalizer.normalize_str(text)
    return [word for word, _ in backend.pre_tokenizer.pre_tokenize_str(normal)]


def capitals_kept(text: str) -> list[str]:
    """Capital letters are still there: this model's vocabulary is all in lower case."""
    return marked_off(without_accents(text)).split()


def accents_kept(text: str) -> list[str]:
    """Accents are still there. NFD makes two characters of é, the letter and its
    accent: unicodedata.normalize("NFD", text). Then leave the accents out.
    """
    return marked_off(text.lower()).split()


def accented_letters_dropped(text: str) -> list[str]:
    """Letters with an accent are gone altogether. Only the accent is to go: take letter
    and accent apart first.
    """
    plain_letters = text.lower().encode("ascii", "ignore").decode()
    return marked_off(plain_letters).split()


def foreign_letters_dropped(text: str) -> list[str]:
    """Letters that are not ASCII are gone, such as ø, which is a letter and has no
    accent. Drop the accents alone: unicodedata.category(character) == "Mn".
    """
    letters = without_accents(text.lower()).encode("ascii", "ignore").decode()
    return marked_off(letters).split()


def split_at_spaces(text: str) -> list[str]:
    """Punctuation still sticks to the words: each mark is a word of its own."""
    return without_accents(text.lower()).split()


def marks_in_a_row_kept(text: str) -> list[str]:
    """Marks side by side, as in "?!", are still one word: each is one of its own."""
    words: list[str] = []
    for word in without_accents(text.lower()).split():
        parts = [""]
        for letter in word:
            if parts[-1] and is_punctuation(parts[-1][-1]) != is_punctuation(letter):
                parts.append("")
            parts[-1] += letter
        words += parts
    return words


def without_accents(text: str) -> str:
    letters = unicodedata.normalize("NFD", text)
    return "".join(c for c in letters if unicodedata.category(c) != "Mn")


def marked_off(text: str) -> str:
    return "".join(f" {c} " if is_punctuation(c) else c for c in text)


def has_capitals(found: list[str], text: str) -> bool:
    """There are capital letters: text.lower() comes first."""
    return any(word != word.lower() for word in found)


def has_accents(found: list[str], text: str) -> bool:
    """There are accents left. unicodedata.normalize("NFD", text) takes them off their
    letters, as characters of category "Mn": leave those out.
    """
    return any(word != without_accents(word) for word in found)


def has_empty_words(found: list[str], text: str) -> bool:
    """There are words without a letter, or with spaces: split() without an argument
    cuts at any number of spaces, tabs and line ends.
    """
    return any(word.split() != [word] for word in found)


def has_mixed_words(found: list[str], text: str) -> bool:
    """Some words still hold punctuation, which is to stand alone."""
    return any(len(word) > 1 and any(map(is_punctuation, word)) for word in found)


def has_lost_marks(found: list[str], text: str) -> bool:
    """Punctuation is gone. It is kept: each mark is a word of its own."""
    return sum(map(is_punctuation, "".join(found))) < sum(map(is_punctuation, text))


def has_lost_letters(found: list[str], text: str) -> bool:
    """Letters are lost on the way: compare what comes out with what goes in."""
    n_expected = len("".join(without_accents(text.lower()).split()))
    return len("".join(found)) < n_expected


SPLIT_WORDS = Exercise(
    name="split_words",
    lesson=1,
    minutes=6,
    difficulty=2,
    answer=split_words,
    cases={
        "the shown question": ("Where is Reykjavík?",),
        "plain words": ("the dog chases the cat",),
        "spaces, tabs and line ends": ("  two \t words\n",),
        "marks side by side": ("Really?! Yes... (of course)",),
        "marks within words": ("My dog's well-known.",),
        "many accents": ("Crème brûlée, naïve façade",),
        "a letter that has no accent": ("Smørrebrød costs 12.50",),
        "no text at all": ("",),
    },
    hints=(
        "Go step by step: lower case, then accents, then punctuation, then split.",
        "unicodedata.normalize(\"NFD\", text) turns each accented letter into the "
        "letter and an accent; leave out every character c with "
        "unicodedata.category(c) == \"Mn\".",
        "A trick for punctuation: put a space before and after each mark. Then split() "
        "does the rest.",
        "In one loop over the characters: if c in string.punctuation, add f\" {c} \" "
        "to the new text; else, if it is no accent, add c. At last new_text.split().",
    ),
    slips=(
        capitals_kept, accents_kept, accented_letters_dropped, foreign_letters_dropped,
        split_at_spaces, marks_in_a_row_kept,
    ),
    signs=(
        has_capitals, has_accents, has_empty_words, has_mixed_words, has_lost_marks,
        has_lost_letters,
    ),
    reveals=(split_words, plain.split_words, is_punctuation),
)

# --- cut a word into pieces -----------------------------------------------------------


def wordpiece(word: str, vocabulary: frozenset[str]) -> list[str]:
    """Return a word's pieces, as the tokenizers library (in Rust) cuts them."""
    tokens = [*tokenizer.SPECIAL_TOKENS.values(), *vocabulary]
    backend = tokenizer.wordpiece({token: i for i, token in enumerate(tokens)})
    return [token.value for token in backend.model.tokenize(word)]


Namer = Callable[[str, int], str]                # a part, and where it starts: a piece


def marked(part: str, start: int) -> str:
    return f"##{part}" if start else part


def bare(part: str, start: int) -> str:
    return part


def continuing(part: str, start: int) -> str:
    return f"##{part}"


def cut(
    word: str, vocabulary: frozenset[str], looked_up: Namer = marked,
    written: Namer = marked, longest_first: bool = True,
) -> tuple[list[str], str]:
    """Return the pieces as far as there are any, and the rest that has none."""
    pieces, start = [], 0
    while start < len(word):
        ends = range(start + 1, len(word) + 1)
        for end in reversed(ends) if longest_first else ends:
            if looked_up(word[start:end], start) in vocabulary:
                pieces.append(written(word[start:end], start))
                start = end
                break
        else:
            break
    return pieces, word[start:]


def or_unknown(pieces: list[str], rest: str) -> list[str]:
    return ["[UNK]"] if rest else pieces


def without_marks(word: str, vocabulary: frozenset[str]) -> list[str]:
    """Pieces that continue a word are looked up without ##, as if they began one."""
    return or_unknown(*cut(word, vocabulary, bare, bare))


def marked_too_late(word: str, vocabulary: frozenset[str]) -> list[str]:
    """The ## is written, but not looked up: "##y" is in the vocabulary under "##y", and
    "y" is another piece.
    """
    return or_unknown(*cut(word, vocabulary, bare, marked))


def marks_taken_off(word: str, vocabulary: frozenset[str]) -> list[str]:
    """The pieces are the right ones, but they are given back without their ##."""
    return or_unknown(*cut(word, vocabulary, marked, bare))


def all_marked(word: str, vocabulary: frozenset[str]) -> list[str]:
    """The first piece is looked up with ## as well: it begins the word, and has none.
    """
    return or_unknown(*cut(word, vocabulary, continuing, continuing))


def shortest_first(word: str, vocabulary: frozenset[str]) -> list[str]:
    """The shortest piece is taken that fits, and not the longest: try the ends from the
    far side, len(word), down.
    """
    return or_unknown(*cut(word, vocabulary, longest_first=False))


def rest_dropped(word: str, vocabulary: frozenset[str]) -> list[str]:
    """Where no piece fits any more, the pieces so far are given back, and the rest of
    the word is lost. Then the whole word is one [UNK].
    """
    return cut(word, vocabulary)[0]


def rest_unknown(word: str, vocabulary: frozenset[str]) -> list[str]:
    """Only the rest for which no piece fits became [UNK]. The whole word does: one
    [UNK], and none of its pieces.
    """
    pieces, rest = cut(word, vocabulary)
    return [*pieces, "[UNK]"] if rest else pieces


def letters_skipped(word: str, vocabulary: frozenset[str]) -> list[str]:
    """A letter for which no piece fits is passed over, and the cutting goes on. Then
    the whole word is one [UNK].
    """
    pieces: list[str] = []
    while word:
        found, word = cut_on(word, vocabulary, bool(pieces))
        pieces += found
        word = word[1:]
    return pieces


def letters_unknown(word: str, vocabulary: frozenset[str]) -> list[str]:
    """Each letter for which no piece fits became an [UNK] of its own, and the cutting
    went on. The whole word is one [UNK].
    """
    pieces: list[str] = []
    while word:
        found, word = cut_on(word, vocabulary, bool(pieces))
        pieces += [*found, "[UNK]"] if word else found
        word = word[1:]
    return pieces


def cut_on(
    word: str, vocabulary: frozenset[str], continues: bool
) -> tuple[list[str], str]:
    """Cut what may be the rest of a word."""
    def naming(part: str, start: int) -> str:
        return marked(part, start or continues)

    return cut(word, vocabulary, naming, naming)


def whole_word_alone(word: str, vocabulary: frozenset[str]) -> list[str]:
    """Only whole words are looked up; what is no word of the vocabulary may still be
    made of pieces.
    """
    return [word if word in vocabulary else "[UNK]"]


def end_too_early(word: str, vocabulary: frozenset[str]) -> list[str]:
    """Every word comes out as [UNK]. Is the last letter ever reached? word[start:end]
    stops before `end`, so the first end to try is len(word).
    """
    return ["[UNK]"]


def with_second_thoughts(word: str, vocabulary: frozenset[str]) -> list[str]:
    """You go back and try a shorter piece where the longest leads nowhere. It would be
    a fine idea, but WordPiece does not: a piece that is taken stays.
    """
    return backtracked(word, 0, vocabulary) or (["[UNK]"] if word else [])


def backtracked(word: str, start: int, vocabulary: frozenset[str]) -> list[str] | None:
    if start == len(word):
        return []
    for end in range(len(word), start, -1):
        piece = marked(word[start:end], start)
        if piece in vocabulary:
            rest = backtracked(word, end, vocabulary)
            if rest is not None:
                return [piece, *rest]
    return None


def marks_counted(word: str, vocabulary: frozenset[str]) -> list[str]:
    """The start moves on by len(piece), which counts the two # as letters. The next
    piece begins at the place in the word where this one ended.
    """
    pieces, start = [], 0
    while start < len(word):
        found, _ = cut_on(word[start:], vocabulary, start > 0)
        if not found:
            return ["[UNK]"]
        pieces.append(found[0])
        start += len(found[0])
    return pieces


def letters_not_tried(word: str, vocabulary: frozenset[str]) -> list[str]:
    """A piece of a single letter is never tried: the last end to try is start + 1, and
    range(len(word), start, -1) stops there.
    """
    longer = {piece for piece in vocabulary if len(piece.removeprefix("##")) > 1}
    return or_unknown(*cut(word, frozenset(longer)))


def does_not_spell_the_word(
    found: list[str], word: str, vocabulary: frozenset[str]
) -> bool:
    """The pieces, put together again, do not spell the word."""
    return "[UNK]" not in found and word != "".join(
        piece.removeprefix("##") if i else piece for i, piece in enumerate(found)
    )


def uses_other_pieces(found: list[str], word: str, vocabulary: frozenset[str]) -> bool:
    """Some of the pieces are not in the vocabulary, as they are written here."""
    return not {*found} <= {*vocabulary, "[UNK]"}


PIECES = frozenset((
    "un", "happy", "happ", "hap", "play", "in", "s", "y", "##happ", "##hap", "##py",
    "##pi", "##p", "##ily", "##i", "##l", "##y", "##ing", "##s",
))

WORDPIECE = Exercise(
    name="wordpiece",
    lesson=1,
    minutes=10,
    difficulty=3,
    answer=wordpiece,
    cases={
        "the shown word": ("unhappily", PIECES),
        "a word of the vocabulary": ("happy", PIECES),
        "a word and an ending": ("plays", PIECES),
        "a single letter": ("s", PIECES),
        "a piece that only continues words": ("ing", PIECES),
        "a piece that only begins words": ("unplay", PIECES),
        "an end that nothing fits": ("playzz", PIECES),
        "a middle that nothing fits": ("playzing", PIECES),
        "a letter that is in no piece": ("q", PIECES),
        "a longest piece that leads nowhere": (
            "abcd", frozenset(["a", "ab", "##bcd", "##c", "c", "d", "bcd"])
        ),
    },
    hints=(
        "Keep the place where the next piece starts. While it is not the end of the "
        "word, find the longest piece that starts there.",
        "For the longest, try word[start:end] for end = len(word), len(word) - 1, ... "
        "down to start + 1, and stop at the first that is in the vocabulary.",
        "If start > 0, what you look up, and what you keep, is \"##\" + "
        "word[start:end].",
        "If no end gives a piece, return [\"[UNK]\"] for the whole word. (A `for` may "
        "have an `else`: it runs where no `break` did.) Forget this, and the loop "
        "never ends: stop it with the square button.",
    ),
    slips=(
        without_marks, marked_too_late, marks_taken_off, all_marked, shortest_first,
        rest_dropped, rest_unknown, letters_skipped, letters_unknown, whole_word_alone,
        end_too_early, with_second_thoughts, marks_counted, letters_not_tried,
    ),
    signs=(does_not_spell_the_word, uses_other_pieces),
    reveals=(wordpiece, plain.wordpiece, plain.longest_piece),
)

# --- join the pieces ------------------------------------------------------------------


def join_pieces(tokens: list[str]) -> str:
    """Return the text that tokens make, as the tokenizers library joins them."""
    numbered = {token: i for i, token in enumerate(tokenizer.SPECIAL_TOKENS.values())}
    return tokenizer.wordpiece(numbered).decoder.decode(tokens)


def joined_in_plain_python(tokens: list[str]) -> str:
    """Return the same where no token is a punctuation mark, before which the library
    takes the space away.
    """
    return " ".join(tokens).replace(" ##", "")


def marks_left(tokens: list[str]) -> str:
    """The ## is still there: it says that a piece goes on the word before it."""
    return " ".join(tokens)


def spaces_left(tokens: list[str]) -> str:
    """The ## is gone, but the space before it stays: a piece goes right behind the one
    before it.
    """
    return " ".join(tokens).replace("##", "")


def all_in_one(tokens: list[str]) -> str:
    """There is no space between words: one comes before each token without ##."""
    return "".join(tokens).replace("##", "")


def space_in_front(tokens: list[str]) -> str:
    """There is a space at the beginning, before the first word."""
    return "".join(t[2:] if t.startswith("##") else f" {t}" for t in tokens)


def space_at_end(tokens: list[str]) -> str:
    """There is a space at the end, behind the last word."""
    return "".join(f"{token} " for token in tokens).replace(" ##", "")


JOIN_PIECES = Exercise(
    name="join_pieces",
    lesson=1,
    minutes=3,
    difficulty=1,
    answer=join_pieces,
    cases={
        "the shown tokens": (["the", "kitten", "##s", "play"],),
        "whole words": (["the", "dog", "sleeps"],),
        "a word of many pieces": (["un", "##h", "##app", "##il", "##y"],),
        "one token": (["paris"],),
    },
    hints=(
        "Where does a space belong: before which tokens?",
        "\" \".join(tokens) puts a space before every token but the first. Before "
        "which of them is it too much?",
        "Replace \" ##\", with its space, by nothing.",
    ),
    slips=(marks_left, spaces_left, all_in_one, space_in_front, space_at_end),
    reveals=(join_pieces, joined_in_plain_python),
)

# --- frame a text ---------------------------------------------------------------------


def frame(tokens: list[str], max_length: int) -> list[str]:
    """Return [CLS], as many tokens as there is room for, and [SEP]."""
    known = [*tokenizer.SPECIAL_TOKENS.values(), *tokens]
    words = tokenizer.DistilBertTokenizer(
        tokenizer.wordpiece({token: i for i, token in enumerate(known)})
    )
    return words(
        tokens, is_split_into_words=True, truncation=True, max_length=max_length
    ).tokens()


def framed_in_plain_python(tokens: list[str], max_length: int) -> list[str]:
    """Return the same: two places are for [CLS] and [SEP]."""
    return ["[CLS]", *tokens[: max_length - 2], "[SEP]"]


def framed(tokens: list[str]) -> list[str]:
    return ["[CLS]", *tokens, "[SEP]"]


def cut_after_framing(tokens: list[str], max_length: int) -> list[str]:
    """The cut took [SEP] away: cut first, and frame what is left."""
    return framed(tokens)[:max_length]


def not_counted(tokens: list[str], max_length: int) -> list[str]:
    """A cut text is two tokens too long: [CLS] and [SEP] need room as well."""
    return framed(tokens[:max_length])


def one_counted(tokens: list[str], max_length: int) -> list[str]:
    """A cut text is one token too long: both [CLS] and [SEP] need room."""
    return framed(tokens[: max_length - 1])


def end_kept(tokens: list[str], max_length: int) -> list[str]:
    """A text that is too long loses its beginning; it is the end that goes."""
    return framed(tokens[len(tokens) - max_length + 2 :])


def never_cut(tokens: list[str], max_length: int) -> list[str]:
    """Nothing is cut: a text may have max_length tokens at most, with [CLS] and [SEP].
    """
    return framed(tokens)


def always_cut(tokens: list[str], max_length: int) -> list[str]:
    """Two tokens are cut off in any case. Cut only what goes beyond max_length - 2."""
    return framed(tokens[:-2])


def not_framed(tokens: list[str], max_length: int) -> list[str]:
    """There is no [CLS] in front and no [SEP] at the end."""
    return tokens[: max_length - 2]


def opened_alone(tokens: list[str], max_length: int) -> list[str]:
    """There is no [SEP] at the end."""
    return ["[CLS]", *tokens[: max_length - 2]]


def cut_from_the_end(tokens: list[str], max_length: int) -> list[str]:
    """The cut is counted from the end, tokens[:-n]. Where nothing is too much n is 0 or
    below, and tokens[:-0] is empty. Count from the front: how many tokens stay?
    """
    return framed(tokens[: -(len(tokens) + 2 - max_length)])


def is_too_long(found: list[str], tokens: list[str], max_length: int) -> bool:
    """There are more than max_length tokens."""
    return len(found) > max_length


def frame_is_off(found: list[str], tokens: list[str], max_length: int) -> bool:
    """[CLS] must come first and [SEP] last, whatever happens in between."""
    return (found[0], found[-1]) != ("[CLS]", "[SEP]")


FRAME = Exercise(
    name="frame",
    lesson=1,
    minutes=4,
    difficulty=1,
    answer=frame,
    cases={
        "the shown text": (["the", "black", "dog", "chases", "a", "small", "cat"], 5),
        "room to spare": (["the", "cat", "sleeps"], 10),
        "just as long as may be": (["the", "cat", "sleeps"], 5),
        "a token too long": (["the", "cat", "sleeps"], 4),
        "room for the frame alone": (["the", "cat"], 2),
        "no token": ([], 8),
    },
    hints=(
        "Two things happen: the text is cut, and it is framed. Which comes first?",
        "Of max_length places two are taken, by [CLS] and [SEP]. How many are left?",
        "tokens[: max_length - 2] is a new list, cut only if it has to be.",
        "[\"[CLS]\", *kept, \"[SEP]\"] is a list with all of `kept` in the middle.",
    ),
    slips=(
        cut_after_framing, not_counted, one_counted, end_kept, never_cut, always_cut,
        not_framed, opened_alone, cut_from_the_end,
    ),
    signs=(is_too_long, frame_is_off),
    reveals=(frame, framed_in_plain_python),
)

# --- pad a batch ----------------------------------------------------------------------

Rows = Sequence[list[int]]


def pad(rows: Rows, pad_id: int) -> tuple[Array, Array]:
    """Return rows of ids as one array (B, L), and where it holds them, 1, or padding.
    """
    batch = batches.pad([{"input_ids": row} for row in rows], pad_id, False)
    return batch["input_ids"], batch["attention_mask"]


def filled(rows: Rows, length: int, pad_id: int) -> tuple[Array, Array]:
    """Return rows filled up to a length, and the mask."""
    ids = np.array([[*row, *[pad_id] * (length - len(row))][:length] for row in rows])
    return ids, (np.arange(length) < [[len(row)] for row in rows]).astype(int)


def longest(rows: Rows) -> int:
    return max(map(len, rows))


def all_seen(rows: Rows, pad_id: int) -> tuple[Array, Array]:
    """The mask is 1 everywhere, so the model would read the padding as if it were text:
    0 where there is padding.
    """
    ids, mask = pad(rows, pad_id)
    return ids, np.ones_like(mask)


def mask_inverted(rows: Rows, pad_id: int) -> tuple[Array, Array]:
    """The mask is the wrong way round: 1 is for tokens of the text, 0 for padding."""
    ids, mask = pad(rows, pad_id)
    return ids, 1 - mask


def mask_by_id(rows: Rows, pad_id: int) -> tuple[Array, Array]:
    """The mask hides a token of the text that happens to be number pad_id, as of a text
    that says [PAD]. What is padding is told by the length of a row, not by its numbers.
    """
    ids, _ = pad(rows, pad_id)
    return ids, (ids != pad_id).astype(int)


def mask_not_zero(rows: Rows, pad_id: int) -> tuple[Array, Array]:
    """The mask asks whether an id is 0, but padding need not be number 0: it is pad_id.
    Better still, ask how long the row was.
    """
    ids, _ = pad(rows, pad_id)
    return ids, (ids != 0).astype(int)


def padded_left(rows: Rows, pad_id: int) -> tuple[Array, Array]:
    """The padding stands before the text. It belongs behind it, so that the first token
    stays at position 0.
    """
    ids, mask = pad([row[::-1] for row in rows], pad_id)
    return ids[:, ::-1], mask[:, ::-1]


def mask_of_the_other_side(rows: Rows, pad_id: int) -> tuple[Array, Array]:
    """The ids are right, but the zeros of the mask stand at the left, where the text
    is.
    """
    ids, mask = pad(rows, pad_id)
    return ids, mask[:, ::-1]


def padded_with_zero(rows: Rows, pad_id: int) -> tuple[Array, Array]:
    """The rows are filled up with 0, and not with pad_id."""
    return pad(rows, 0)


def cut_to_the_shortest(rows: Rows, pad_id: int) -> tuple[Array, Array]:
    """The rows are cut to the shortest, and text is lost: fill them up to the longest.
    """
    return filled(rows, min(map(len, rows)), pad_id)


def one_too_many(rows: Rows, pad_id: int) -> tuple[Array, Array]:
    """Even the longest row gets a padding token: fill up to its length, no further."""
    return filled(rows, longest(rows) + 1, pad_id)


def ids_alone(rows: Rows, pad_id: int) -> Array:
    """Only the ids come back: return two arrays, input_ids, attention_mask."""
    return pad(rows, pad_id)[0]


def as_lists(rows: Rows, pad_id: int) -> tuple[list, list]:
    """The numbers are right, but they are lists: make an array of each, np.array(...).
    """
    ids, mask = pad(rows, pad_id)
    return ids.tolist(), mask.tolist()


def changed_places(rows: Rows, pad_id: int) -> tuple[Array, Array]:
    """Here the mask comes first: return input_ids, and then attention_mask."""
    return pad(rows, pad_id)[::-1]


def hides_text(found: tuple[Array, Array], rows: Rows, pad_id: int) -> bool:
    """The mask is 0 where a row begins: 1 is for tokens of the text, 0 for padding."""
    return not found[1][:, 0].all()


def shows_padding(found: tuple[Array, Array], rows: Rows, pad_id: int) -> bool:
    """The mask is 1 for some of the padding: a row's mask has as many ones as the row
    has tokens.
    """
    return any(mask.sum() > len(row) for mask, row in zip(found[1], rows, strict=True))


PAD = Exercise(
    name="pad",
    lesson=1,
    minutes=6,
    difficulty=2,
    answer=pad,
    cases={
        "the shown rows": ([[2, 7, 8, 9, 3], [2, 5, 3]], 0),
        "rows of one length": ([[2, 6, 3], [2, 9, 3]], 0),
        "another pad_id": ([[1, 4], [1, 4, 6, 2], [1, 0, 2]], 5),
        "a text that holds pad_id": ([[2, 0, 3], [2, 4, 5, 3]], 0),
        "a single row": ([[2, 8, 3]], 0),
    },
    hints=(
        "How long must every row be, so that they make an array?",
        "For a row, the padding is [pad_id] * (longest - len(row)); its mask is "
        "len(row) ones, then as many zeros as there is padding.",
        "Make new lists, row + padding: row += padding would change the caller's own. "
        "Then np.array(...) of all the new rows.",
    ),
    slips=(
        all_seen, mask_inverted, mask_by_id, mask_not_zero, padded_left,
        mask_of_the_other_side, padded_with_zero, cut_to_the_shortest, one_too_many,
        ids_alone, as_lists, changed_places,
    ),
    signs=(hides_text, shows_padding),
    reveals=(batches.pad, batches.pad_rows),
)

EXERCISES = (SPLIT_WORDS, WORDPIECE, JOIN_PIECES, FRAME, PAD)
