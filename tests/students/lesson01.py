"""Answers to the exercises of lesson 1, from text to tokens."""

import re
import string
import unicodedata
from itertools import zip_longest

import numpy as np

from distilbert_np.teaching import wordpiece as plain
from distilbert_np.teaching.exercises import lesson01_tokens

# Right, and written differently from the library.
RIGHT = {}
# (a wrong answer, words of what it must be told)
WRONG = {}
# A fault of the zoo, planted in the library's own function: words of the diagnosis.
FAULTS = {}

# --- split the words ------------------------------------------------------------------


def ascii_marks(text):
    """Take text apart with string.punctuation, as the lesson suggests."""
    words = ""
    for c in unicodedata.normalize("NFD", text.lower()):
        if c in string.punctuation:
            words += " " + c + " "
        elif unicodedata.category(c) != "Mn":
            words += c
    return words.split()


def unaccented(text):
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def by_regular_expression(text):
    return re.findall(r"\w+|[^\w\s]", unaccented(text).lower())


RIGHT["split_words"] = [plain.split_words, ascii_marks, by_regular_expression]

WRONG["split_words"] = [
    (lambda text: re.findall(r"\w+|[^\w\s]", text.lower()), "Accents are still there"),
    (lambda text: ascii_marks(text)[::-1], "not ['where'"),
    (lambda text: text.split(), "text.lower() comes first"),
    (lambda text: text.lower().split(), "There are accents left"),
    (lambda text: ascii_marks(text.replace("é", "e")) if "!" not in text else
     text.lower().split(), "still hold punctuation"),
    (lambda text: re.sub(r"([^\w\s])", r" \1 ", text.lower())
     .encode("ascii", "ignore").decode().split(),
     "Letters with an accent are gone"),
    (lambda text: re.findall(r"\w+", " ".join(ascii_marks(text))), "Punctuation is go"),
    (lambda text: re.findall("[a-z0-9]+|[^a-z0-9 \t\n]", text.lower()),
     "There are accents left"),
    (lambda text: re.findall("[a-z0-9]+|[.,!?'()-]", text.lower()),
     "Letters are lost on the way"),
    (lambda text: ascii_marks(
        unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()),
     "such as ø"),
    (lambda text: re.split(r"\s", " ".join(ascii_marks(text)) + " "),
     "split() without"),
    (lambda text: re.findall(r"\w+|[^\w\s]+", unaccented(text.lower())),
     "side by side"),
    (lambda text: [w.upper() for w in ascii_marks(text)], "capital letters"),
    (lambda text: re.findall(r"\w+|[^\w\s]", unaccented(text)), "all in lower case"),
    (lambda text: re.findall(r"\S+", unaccented(text.lower())), "sticks to the words"),
    (lambda text: unaccented(text.lower()).translate(
        str.maketrans("", "", string.punctuation)).split(), "Punctuation is gone"),
    (lambda text: " ".join(ascii_marks(text)), "For the shown question: it is a str"),
    (lambda text: [np.zeros(2) for _ in ascii_marks(text)], "wrong for the shown"),
    (lambda text: print(ascii_marks(text)), "it is None (is a `return` missing?)"),
]

# --- cut a word into pieces -----------------------------------------------------------


def by_recursion(word, vocabulary, mark=""):
    if not word:
        return []
    for cut in range(len(word)):
        end = len(word) - cut
        if mark + word[:end] in vocabulary:
            rest = by_recursion(word[end:], vocabulary, "##")
            return ["[UNK]"] if "[UNK]" in rest else [mark + word[:end], *rest]
    return ["[UNK]"]


def by_longest_of_all_that_fit(word, vocabulary):
    pieces, done = [], 0
    while done < len(word):
        mark = "##" if pieces else ""
        fits = [p for p in vocabulary if p.startswith(mark) and len(p) > len(mark)
                and word.startswith(p[len(mark):], done)]
        if not fits:
            return ["[UNK]"]
        pieces.append(max(fits, key=len))
        done += len(pieces[-1]) - len(mark)
    return pieces


RIGHT["wordpiece"] = [plain.wordpiece, by_recursion, by_longest_of_all_that_fit]


def student(mark="##", down=True, unknown="whole", last=0):
    """Return a student's wordpiece, with one thing or another wrong."""
    def wordpiece(word, vocabulary):
        tokens, start = [], 0
        while start < len(word):
            ends = list(range(start + 1, len(word) + 1 - last))
            if down:
                ends.reverse()
            piece = None
            for end in ends:
                candidate = word[start:end]
                if start > 0:
                    candidate = mark + candidate
                if candidate in vocabulary:
                    piece = candidate
                    break
            if piece is None:
                if unknown == "whole":
                    return ["[UNK]"]
                if unknown == "stop":
                    return tokens
                if unknown == "append":
                    return [*tokens, "[UNK]"]
                if unknown == "each":
                    tokens.append("[UNK]")
                start += 1
            else:
                tokens.append(piece)
                start = end
        return tokens
    return wordpiece


def tried_again(word, vocabulary):
    for first in sorted(range(1, len(word) + 1), reverse=True):
        if word[:first] in vocabulary:
            tail = tried_again_inside(word[first:], vocabulary)
            if tail is not None:
                return [word[:first], *tail]
    return ["[UNK]"]


def tried_again_inside(word, vocabulary):
    if word == "":
        return []
    for first in sorted(range(1, len(word) + 1), reverse=True):
        tail = tried_again_inside(word[first:], vocabulary)
        if "##" + word[:first] in vocabulary and tail is not None:
            return ["##" + word[:first], *tail]
    return None


def stripped(word, vocabulary):
    return [piece.replace("##", "") for piece in by_recursion(word, vocabulary)]


def written_not_looked_up(word, vocabulary):
    tokens = student(mark="")(word, vocabulary)
    return tokens[:1] + ["##" + token for token in tokens[1:]]


def counting_marks(word, vocabulary):
    tokens, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocabulary:
                break
        else:
            return ["[UNK]"]
        tokens.append(piece)
        start += len(piece)
    return tokens


def short_of_letters(word, vocabulary):
    tokens, start = [], 0
    while start < len(word):
        for end in range(len(word), start + 1, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocabulary:
                break
        else:
            return ["[UNK]"]
        tokens.append(piece)
        start = end
    return tokens


WRONG["wordpiece"] = [
    (student(mark=""), "without ##, as if they began one"),
    (written_not_looked_up, "written, but not looked up"),
    (stripped, "given back without their ##"),
    (lambda word, known: by_recursion(word, known, "##"), "begins the word"),
    (student(down=False), "shortest piece"),
    (student(unknown="stop"), "the rest of the word is lost"),
    (student(unknown="append"), "Only the rest"),
    (student(unknown="skip"), "passed over"),
    (student(unknown="each"), "an [UNK] of its own"),
    (student(last=1), "Is the last letter ever reached?"),
    (tried_again, "a piece that is taken stays"),
    (lambda word, known: [word] if word in known else ["[UNK]"], "Only whole words"),
    (lambda word, known: by_recursion(word, known)[::-1], "do not spell the word"),
    (lambda word, known: [word], "not in the vocabulary, as they are written"),
    (lambda word, known: [*word], "not in the vocabulary, as they are written"),
    (lambda word, known: " ".join(by_recursion(word, known)), "word: it is a str"),
    (counting_marks, "counts the two #"),
    (short_of_letters, "a single letter is never tried"),
    (lambda word, known: np.array(by_recursion(word, known)), "not a list of 3"),
]

# --- join the pieces ------------------------------------------------------------------

RIGHT["join_pieces"] = [
    lesson01_tokens.joined_in_plain_python,
    lambda tokens: "".join(
        t[2:] if t.startswith("##") else " " + t for t in tokens
    ).strip(),
]

WRONG["join_pieces"] = [
    (lambda tokens: str.join(" ", tokens), "The ## is still there"),
    (lambda tokens: " ".join(t.lstrip("#") for t in tokens), "before it stays"),
    (lambda tokens: "".join(t.lstrip("#") for t in tokens), "no space between words"),
    (lambda tokens: re.sub(" ##", "", "".join(" " + t for t in tokens)),
     "at the beginning"),
    (lambda tokens: re.sub(" ##", "", " ".join([*tokens, ""])), "at the end"),
    (lambda tokens: " ".join(tokens).replace(" ##", "").split(),
     "not 'the kittens play'"),
]

# --- frame a text ---------------------------------------------------------------------


def framed_in_a_loop(tokens, max_length):
    result = ["[CLS]"]
    for token in tokens:
        if len(result) < max_length - 1:
            result.append(token)
    result.append("[SEP]")
    return result


def framed_and_closed_at_last(tokens, max_length):
    opened = ["[CLS]", *tokens][: max_length - 1]
    return [*opened, "[SEP]"]


RIGHT["frame"] = [
    framed_in_a_loop, framed_and_closed_at_last, lesson01_tokens.framed_in_plain_python
]


def framed_in_place(tokens, max_length):
    while len(tokens) > max_length - 2:
        tokens.pop()
    tokens.insert(0, "[CLS]")
    tokens.append("[SEP]")
    return tokens


WRONG["frame"] = [
    (framed_in_place, "changes tokens in place"),
    (lambda t, n: ["[CLS]", *t, "[SEP]"][:n], "took [SEP] away"),
    (lambda t, n: ["[CLS]", *t[0:n], "[SEP]"], "two tokens too long"),
    (lambda t, n: ["[CLS]", *t[0:n - 1], "[SEP]"], "one token too long"),
    (lambda t, n: ["[CLS]", *t[max(0, len(t) - (n - 2)):], "[SEP]"],
     "loses its beginning"),
    (lambda t, n: ["[CLS]", *t, "[SEP]"], "Nothing is cut"),
    (lambda t, n: ["[CLS]", *t[:len(t) - 2], "[SEP]"], "in any case"),
    (lambda t, n: t[0 : n - 2], "no [CLS] in front and no [SEP]"),
    (lambda t, n: ["[CLS]", *t][: n - 1], "no [SEP] at the end"),
    (lambda t, n: ["[SEP]", *t[:n - 2], "[CLS]"], "[CLS] must come first"),
    (lambda t, n: ["[CLS]", *t[:n + 1], "[SEP]"], "more than max_length"),
    (lambda t, n: ["[CLS]", *t[:-(len(t) + 2 - n)], "[SEP]"], "counted from the end"),
]

# --- pad a batch ----------------------------------------------------------------------


def padded_by_filling(rows, pad_id):
    length = max(len(row) for row in rows)
    input_ids = np.full((len(rows), length), pad_id)
    attention_mask = np.zeros((len(rows), length), dtype=int)
    for i, row in enumerate(rows):
        input_ids[i, : len(row)] = row
        attention_mask[i, : len(row)] = 1
    return input_ids, attention_mask


def padded_by_zip(rows, pad_id):
    columns = list(zip_longest(*rows, fillvalue=None))
    table = np.array(columns, dtype=object).T
    is_text = np.array([[value is not None for value in row] for row in table])
    return np.where(is_text, table, pad_id).astype(int), is_text * 1.0


RIGHT["pad"] = [padded_by_filling, padded_by_zip]


def padded_in_place(rows, pad_id):
    longest = max(len(row) for row in rows)
    mask = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
    for row in rows:
        while len(row) < longest:
            row.append(pad_id)
    return np.array(rows), np.array(mask)


def padded_in_front(rows, pad_id):
    longest = max(len(row) for row in rows)
    ids = [[pad_id] * (longest - len(row)) + row for row in rows]
    mask = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
    return np.array(ids), np.array(mask)


def with_mask(make):
    """Return an answer whose ids are right, and whose mask is made of ids and rows."""
    def pad(rows, pad_id):
        ids = padded_by_filling(rows, pad_id)[0]
        return ids, make(ids, rows, pad_id)
    return pad


WRONG["pad"] = [
    (padded_in_place, "changes rows in place"),
    (padded_in_front, "stands before the text"),
    (with_mask(lambda ids, rows, p: ids * 0 + 1), "as if it were text"),
    (with_mask(lambda ids, rows, p: (ids == p) * 1), "0 where a row begins"),
    (with_mask(lambda ids, rows, p: np.array(
        [[i >= len(row) for i in range(ids.shape[1])] for row in rows]
    )), "wrong way round"),
    (with_mask(lambda ids, rows, p: np.where(ids == p, 0, 1)), "that says [PAD]"),
    (with_mask(lambda ids, rows, p: np.sign(ids)), "need not be number 0"),
    (with_mask(lambda ids, rows, p: padded_in_front(rows, p)[1]), "of the mask stand"),
    (with_mask(lambda ids, rows, p: padded_by_filling(rows, p)[1].tolist()), "a list"),
    (with_mask(lambda ids, rows, p: np.maximum(1, ids - ids) * (ids != 9)),
     "1 for some of the padding"),
    (lambda rows, p: padded_by_filling(rows, 0), "with 0, and not with pad_id"),
    (lambda rows, p: [m[:, : min(map(len, rows))] for m in padded_by_filling(rows, p)],
     "cut to the shortest"),
    (lambda rows, p: [m[:-1] for m in padded_by_filling(
        [*rows, [p] * (1 + max(map(len, rows)))], p)], "Even the longest row"),
    (lambda rows, p: padded_by_filling(rows, p)[0], "Only the ids come back"),
    (lambda rows, p: tuple(m.tolist() for m in padded_by_filling(rows, p)),
     "np.array(...)"),
    (lambda rows, p: padded_by_filling(rows, p)[::-1], "the mask comes first"),
]
