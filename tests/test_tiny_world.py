"""The text that the embedded models learn from."""

import itertools
import json
import random
import re
import subprocess
import sys

import pytest

from distilbert_np import DistilBertTokenizer
from distilbert_np.training import tiny_world
from distilbert_np.training.tiny_world import (
    facts,
    grammar,
    limits,
    reviews,
    stories,
    tasks,
    text,
    topics,
)

TOLD = list(tiny_world.sentences(0, 2_000))
HELD_OUT = list(tiny_world.sentences(0, 500, held_out=True))


def parts(texts):
    """Every sentence of some texts, and every pair, as a saying may be of two."""
    for one in texts:
        sentences = re.split(r"(?<=[.?!]) ", one)
        yield from sentences
        yield from map(" ".join, itertools.pairwise(sentences))


# --- what is told ---------------------------------------------------------------------


def test_a_seed_settles_the_text():
    again, other = (list(tiny_world.sentences(seed, 200)) for seed in (0, 1))
    assert again == TOLD[:200] and other != again
    assert all(one[0].isupper() for one in TOLD)


def test_most_texts_end_as_sentences_do_and_some_do_not():
    bare = [one for one in TOLD if one[-1] not in ".?!"]
    assert 0.05 < len(bare) / len(TOLD) < 0.15


@pytest.mark.parametrize(
    "told", ["capital of", "plus", "opposite of", " lives in ", "loved the", "saw a"]
)
def test_it_tells_of_many_things(told):
    assert any(told in one for one in TOLD)


def test_nothing_held_out_is_told():
    told = set(parts(TOLD))
    sayings = [saying for saying, _ in limits.every_saying()]
    held_out = {one.text for one in sayings if topics.is_held_out(one.text)}
    assert 0.1 < len(held_out) / len(sayings) < 0.15
    assert not told & held_out
    assert set(parts(HELD_OUT)) & held_out


@pytest.mark.parametrize("held_out", [False, True])
def test_so_it_is_with_events_and_reviews(held_out):
    rng = random.Random(5)
    for _ in range(100):
        for saying in stories.draw_story(rng, held_out).sayings:
            assert topics.is_held_out(saying.text) == held_out
        # an opener may stand before what is held out, which is never a question
        sentences = re.split(r"(?<=[.!]) ", reviews.draw_review(rng, held_out).text)
        assert any(topics.is_held_out(one) == held_out for one in sentences[:2])


def test_every_fact_is_told_in_some_words():
    of_people = "person"                         # theirs are told of other people
    for topic in topics.TOPICS:
        if topic.columns.startswith(of_people):
            continue
        columns = tuple(topic.columns.split())
        for row in topic.rows:
            ways = [topics.Saying(columns, row, way).text for way in topic.templates]
            assert not all(map(topics.is_held_out, ways)), row


def test_no_two_facts_contradict():
    for column in (1, 2, 3):                     # capital, continent, language
        pairs = facts.pick(facts.COUNTRIES, 0, column)
        assert len(dict(pairs)) == len(pairs)
    capitals = [row[1] for row in facts.COUNTRIES]
    assert len(set(capitals)) == len(capitals)
    opposites = topics.both_ways(facts.OPPOSITE_QUALITIES)
    assert len(dict(opposites)) == len(opposites)


def test_sums_add_up():
    numbers = {name: value for value, name in enumerate(facts.NUMBERS)}
    for one, other, total in topics.sums():
        assert numbers[one] + numbers[other] == numbers[total]


def test_invented_words_are_in_no_table():
    rng = random.Random(0)
    made_up = {grammar.invented(rng) for _ in range(2_000)}
    assert len(made_up) > 1_900 and not made_up & text.fact_words()


def test_what_can_be_guessed_at_all():
    shares = limits.predictable()
    assert 0.9 < shares["certain"] < shares["guessed"] < 1
    assert 0.9 < shares["fact word"] < 1


def test_who_guesses_by_the_list_is_as_good_as_said(monkeypatch):
    topic = topics.Topic(
        "animal sound", [("cat", "meows"), ("dog", "barks")], ("a {animal} {sound}.",)
    )
    monkeypatch.setattr(limits, "TOPICS", (topic,))
    monkeypatch.setattr(limits, "is_held_out", lambda sentence: True)
    # an animal by its sound, a sound by its animal: nothing else could stand there
    assert limits.predictable() == {"guessed": 1, "certain": 1, "fact word": 1}
    same = topics.Topic("animal", [("cat",), ("dog",)], ("a {animal}.",))
    monkeypatch.setattr(limits, "TOPICS", (same,))
    # "a" is certain; of the two animals either is as likely
    assert limits.predictable() == {"guessed": 0.75, "certain": 0.5, "fact word": 0.5}


# --- reviews and stories --------------------------------------------------------------


def test_reviews_say_what_their_labels_say():
    rng = random.Random(1)
    drawn = [reviews.draw_review(rng) for _ in range(2_000)]
    assert {review.label for review in drawn} == {*reviews.LABELS}
    # "the room was terrible, but I loved the hotel": the verdict is on the whole
    clear = [one for one in drawn if not re.search("but |lthough ", one.text)]
    assert len(clear) > 1_500
    for review in clear:
        for verdict, its in reviews.VERDICTS.items():
            quality, felt, unfelt = (
                "|".join(its[words]) for words in ("quality", "felt", "unfelt")
            )
            says = rf"(?<!not )\b({quality})[.,!]|did not ({unfelt}) |\b({felt}) "
            # what is said of a part may be of the other kind
            whole = re.sub(" the [a-z]+ (was|were) (not )?[a-z]+", "", review.text)
            if re.search(says, whole):
                assert review.label == verdict, review


def test_an_answer_stands_in_its_story():
    rng = random.Random(2)
    for _ in range(1_000):
        story = stories.draw_story(rng)
        assert story.questions
        for question in story.questions:
            before, here = story.text[: question.start], story.text[question.start :]
            assert here.startswith(question.answer)
            assert not before[-1:].isalnum()     # "baker" is not the one in "bakery"
            assert not here[len(question.answer) :][:1].isalnum()


def test_an_answer_is_of_the_one_who_is_asked_for():
    rng = random.Random(3)
    for _ in range(300):
        story = stories.draw_story(rng)
        asked = iter(story.questions)
        start = 0
        for saying in story.sayings:
            event = next(
                one for one in stories.EVENTS if saying.template in one.topic.templates
            )
            name, end = saying.row[0], start + len(saying.text)
            for _, answer in event.questions:
                question = next(asked)
                if answer == "{person}":
                    assert question.answer.lower() == name.lower()
                else:
                    assert name in question.text and start <= question.start < end
            start = end + 1


# --- rows of the tasks ----------------------------------------------------------------


@pytest.mark.parametrize("task", tasks.TASKS)
def test_a_seed_settles_the_rows(task):
    first, again, other = (list(tiny_world.task_rows(task, s, 20)) for s in (0, 0, 1))
    assert first == again != other


ASKED = {                                        # what a row asks, and the answer
    "classify": lambda row: row["text"],
    "tag": lambda row: tuple(row["tokens"]),
    "answer": lambda row: row["context"],
    "choose": lambda row: (row["text"], row["choices"][row["label"]]),
}


@pytest.mark.parametrize("task", tasks.TASKS)
def test_what_is_held_out_is_not_asked_elsewhere(task):
    rows, held_out = (
        {ASKED[task](row) for row in tiny_world.task_rows(task, *drawn)}
        for drawn in ((0, 1_000), (1, 300, True))
    )
    assert len(rows) > 500 and len(held_out) > 200 and not rows & held_out


def test_tags_open_and_go_on():
    rows = list(tiny_world.task_rows("tag", 0, 300))
    kinds = {tag for row in rows for tag in row["tags"]}
    assert {"O", "B-person", "B-place", "B-animal", "I-place"} <= kinds
    for row in rows:
        assert len(row["tokens"]) == len(row["tags"])
        for before, tag in itertools.pairwise(["O", *row["tags"]]):
            assert not tag.startswith("I-") or before[1:] == tag[1:]
        names = dict(zip(row["tokens"], row["tags"], strict=True))
        assert names.get("Anna", "B-person") == "B-person"
        assert names.get("Berlin", "B-place") == "B-place"


def test_a_name_is_one_wherever_it_stands():
    for row in tiny_world.task_rows("tag", 1, 500):
        for token, tag in zip(row["tokens"], row["tags"], strict=True):
            if kind := tasks.NAMES.get(token.lower()):
                assert tag[2:] == kind, row
    assert tasks.NAMES["mother"] == "person" and tasks.NAMES["mice"] == "animal"
    assert tasks.NAMES["market"] == "place" and "states" not in tasks.NAMES


def test_one_choice_alone_is_true():
    true = {saying.text for saying, _ in limits.every_saying()}
    for row in tiny_world.task_rows("choose", 0, 1_500):
        assert len({*row["choices"]}) == len(row["choices"]) == tasks.N_CHOICES
        whole = [f"{row['text']} {choice}" for choice in row["choices"]]
        told = [text in true for text in whole]
        assert told == [i == row["label"] for i in range(tasks.N_CHOICES)], whole


# --- the vocabulary -------------------------------------------------------------------


def test_a_vocabulary_has_every_answer_and_every_letter():
    words = text.whole_words(TOLD)
    tokenizer = DistilBertTokenizer.learned_from(TOLD, 1_900, words)
    assert len(tokenizer) == 1_900 and tokenizer.pad_token_id == 0
    for word in text.fact_words():
        assert tokenizer.tokenize(word) == [word]
    printable = "".join(map(chr, range(32, 127)))
    ids = tokenizer([printable, " ".join(printable), "Xylophonists quiz 42 wombats!"])
    assert tokenizer.unk_token_id not in itertools.chain(*ids["input_ids"])


# --- the command ----------------------------------------------------------------------


def run(*arguments):
    """Return the lines that the command prints."""
    command = [sys.executable, "-m", tiny_world.__name__, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_generator_prints():
    assert run("--count", "3") == TOLD[:3]
    assert run("--count", "2", "--held-out") == HELD_OUT[:2]
    rows = tiny_world.task_rows("tag", 4, 2)
    assert [json.loads(row) for row in run("--task", "tag", "--seed", "4", "--count",
                                           "2")] == list(rows)
