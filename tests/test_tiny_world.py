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
    praise, blame = (
        {*reviews.VERDICTS[label]["felt"]} for label in ("positive", "negative")
    )
    rng = random.Random(1)
    drawn = [reviews.draw_review(rng) for _ in range(600)]
    assert {review.label for review in drawn} == {*reviews.LABELS}
    for review in drawn:
        said = {*re.findall(r"\w+", review.text)}
        if said & praise:
            assert review.label == "positive", review
        if said & blame:
            assert review.label == "negative", review


def test_an_answer_stands_in_its_story():
    rng = random.Random(2)
    for _ in range(300):
        story = stories.draw_story(rng)
        assert story.questions
        for question in story.questions:
            assert story.text[question.start :].startswith(question.answer)


def test_an_answer_is_of_the_person_who_is_asked_for():
    rng = random.Random(3)
    for _ in range(300):
        story = stories.draw_story(rng)
        ends = list(itertools.accumulate(len(s.text) + 1 for s in story.sayings))
        for question in story.questions:
            names = {s.row[0] for s in story.sayings}
            asked = {name for name in names if name in question.text}
            if len(asked) != 1 or question.text.startswith("Who"):
                continue
            teller = next(s for s, end in zip(story.sayings, ends, strict=True)
                          if question.start < end)
            assert {teller.row[0]} == asked, (story.text, question)


# --- rows of the tasks ----------------------------------------------------------------


@pytest.mark.parametrize("task", tasks.TASKS)
def test_a_seed_settles_the_rows(task):
    first, again, other = (list(tiny_world.task_rows(task, s, 20)) for s in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize("task", tasks.TASKS)
def test_no_row_held_out_is_among_the_others(task):
    rows = {json.dumps(row) for row in tiny_world.task_rows(task, 0, 1_000)}
    assert not rows & {json.dumps(r) for r in tiny_world.task_rows(task, 1, 200, True)}


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


def test_one_choice_alone_is_true():
    capitals = {f"The capital of {row[0]} is": f"{row[1]}." for row in facts.COUNTRIES}
    seen = 0
    for row in tiny_world.task_rows("choose", 0, 1_500):
        assert len({*row["choices"]}) == len(row["choices"]) == tasks.N_CHOICES
        if row["text"] in capitals:
            assert row["choices"][row["label"]] == capitals[row["text"]]
            seen += 1
    assert seen


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
