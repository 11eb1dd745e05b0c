"""Files of texts with their labels: what examples they become, and what is refused."""

import csv
import json
import random

import numpy as np
import pytest

import distilbert_np
from distilbert_np import DistilBertConfig, DistilBertError, DistilBertTokenizer
from distilbert_np.training import Recipe, evaluate, fine_tune, tasks
from distilbert_np.training.tiny_world import facts

RECIPE = Recipe(epochs=2, batch_size=8, lr=1e-3)
CLASSES = {
    "masked-lm": distilbert_np.DistilBertForMaskedLM,
    "classify": distilbert_np.DistilBertForSequenceClassification,
    "tag": distilbert_np.DistilBertForTokenClassification,
    "answer": distilbert_np.DistilBertForQuestionAnswering,
    "choose": distilbert_np.DistilBertForMultipleChoice,
}


# --- rows of the tiny world -----------------------------------------------------------


def rows_of(task):
    """Return 30 rows of a task; lists where a file may part texts."""
    countries = facts.pick(facts.COUNTRIES, 0, 1, 2)[1:61:2]
    rows = []
    for i, (country, capital, continent) in enumerate(countries):
        text = f"The capital of {country} is {capital}."
        words = [*text[:-1].split(), "."]
        other = countries[i - 1][1]
        rows.append({
            "masked-lm": {"text": text},
            "classify": {"text": f"{capital} is a city.", "label": continent.lower()},
            "tag": {"tokens": words, "tags": [
                {country: "B-country", capital: "B-city"}.get(word, "O")
                for word in words
            ]},
            "answer": {"question": f"What is the capital of {country} ?",
                       "context": text, "answer": capital},
            "choose": {"text": f"The capital of {country} is",
                       "choices": [capital, other][:: 1 - 2 * (i % 2)],
                       "label": i % 2},
        }[task])
    return rows


def write(path, rows):
    """Write rows as CSV or JSON lines, by the file's name; return the path."""
    if path.suffix == ".csv":
        marks = {"tokens": " ", "tags": " ", "choices": "|"}
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            for row in rows:
                writer.writerow({
                    name: marks[name].join(v) if isinstance(v, list) else v
                    for name, v in row.items()
                })
    else:
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tokenizer():
    return DistilBertTokenizer.from_pretrained("tiny")


def encoder(tokenizer, max_length=128):
    """Return the tokenizer that cuts, as fine_tune makes it."""
    return lambda *texts, **options: tokenizer(
        *texts, **{"truncation": True, "max_length": max_length} | options
    )


def example_of(task, cells, tokenizer, numbers=None, max_length=128):
    row = tasks.Row("the row", 1, cells)
    encode = encoder(tokenizer, max_length)
    return tasks.TASKS[task].example(row, encode, numbers or {})


# --- the whole way --------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize("task", CLASSES)
def test_a_file_becomes_a_model_that_does_what_is_reported(
    tmp_path, tokenizer, task, suffix
):
    data = write(tmp_path / f"data{suffix}", rows_of(task))
    report = fine_tune(task, data, tmp_path / "out", recipe=RECIPE, progress=False)
    assert (report["examples"], report["held_out"], report["left_out"]) == (24, 6, 0)
    assert (report["task"], report["model"]) == (task, "tiny")
    assert [e["epoch"] for e in report["evaluations"]] == [1, 2]
    assert report["best"] in report["evaluations"]
    json.dumps(report)

    # The figures are those of the written folder, on the rows that were held out.
    model = CLASSES[task].from_pretrained(tmp_path / "out")
    assert model.load_report.missing == []
    _, held_out = tasks.split(tasks.read_rows(data), 0.2, RECIPE.seed)
    test_set = tasks.examples_of(
        task, held_out, encoder(tokenizer), model.config.label2id
    )
    written = DistilBertTokenizer.from_pretrained(tmp_path / "out")
    figures = evaluate(model, test_set, written, batch_size=8, seed=RECIPE.seed)
    best = {k: v for k, v in report["best"].items() if k != "epoch"}
    assert figures == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("task", CLASSES)
def test_both_formats_give_the_same_examples(tmp_path, tokenizer, task):
    numbers = {"africa": 0, "asia": 1, "europe": 2, "america": 3, "oceania": 4,
               "O": 0, "B-country": 1, "B-city": 2}
    sets = []
    for suffix in (".csv", ".jsonl", ".json"):
        path = write(tmp_path / f"data{suffix}", rows_of(task))
        rows = tasks.read_rows(path)
        sets.append(tasks.examples_of(task, rows, encoder(tokenizer), numbers))
    assert len(sets[0]) == 30 and sets[0] == sets[1] == sets[2]


def test_what_is_learnt_is_known_after_a_while(tmp_path):
    data = write(tmp_path / "data.jsonl", [
        {"text": f"The {animal} is here.", "label": label}
        for label, animals in (("pet", "cat dog"), ("bird", "owl hen"))
        for animal in animals.split() for _ in range(10)
    ])
    recipe = Recipe(epochs=4, batch_size=8, lr=3e-3)
    report = fine_tune("classify", data, tmp_path / "out", recipe=recipe,
                       progress=False)
    assert report["best"]["accuracy"] == report["best"]["f1"] == 1


def test_a_file_of_its_own_is_held_out(tmp_path):
    rows = rows_of("classify")
    data = write(tmp_path / "data.csv", rows)
    others = write(tmp_path / "others.jsonl", rows[:4])
    report = fine_tune("classify", data, tmp_path / "out", recipe=RECIPE,
                       held_out=others, progress=False)
    assert (report["examples"], report["held_out"]) == (30, 4)


def test_nothing_need_be_held_out(tmp_path):
    data = write(tmp_path / "data.csv", rows_of("choose"))
    report = fine_tune("choose", data, tmp_path / "out", recipe=RECIPE, held_out=0,
                       progress=False)
    assert (report["examples"], report["held_out"], report["best"]) == (30, 0, None)
    assert report["evaluations"] == []


def test_the_seed_settles_the_split():
    rows = [tasks.Row(str(i), i, {}) for i in range(40)]
    first, again, other = (tasks.split(rows, 0.25, seed) for seed in (0, 0, 1))
    assert first == again != other
    kept, held_out = first
    assert len(held_out) == 10 and sorted(kept + held_out) == sorted(rows)
    assert kept == [row for row in rows if row in kept]      # in the file's order
    assert held_out != rows[:10] and held_out != rows[-10:]


def test_the_dtype_is_the_folder_s(tmp_path):
    data = write(tmp_path / "data.csv", rows_of("classify"))
    fine_tune("classify", data, tmp_path / "out", recipe=RECIPE, dtype="float64",
              progress=False)
    assert DistilBertConfig.from_pretrained(tmp_path / "out").dtype == "float64"


# --- labels ---------------------------------------------------------------------------


def test_labels_are_numbered_in_their_order_and_written(tmp_path):
    data = write(tmp_path / "data.csv", rows_of("tag"))
    fine_tune("tag", data, tmp_path / "out", recipe=RECIPE, progress=False)
    config = DistilBertConfig.from_pretrained(tmp_path / "out")
    assert config.id2label == {0: "B-city", 1: "B-country", 2: "O"}
    assert config.label2id == {"B-city": 0, "B-country": 1, "O": 2}


def test_a_model_that_knows_the_labels_keeps_their_numbers(tmp_path):
    rows = [{"text": "a cat", "label": "z"}, {"text": "a dog", "label": "m"}] * 4
    network = CLASSES["classify"].from_pretrained
    with pytest.warns(UserWarning, match="newly initialised"):
        model = network("tiny", id2label={0: "z", 1: "a", 2: "m"})
    model.save_pretrained(tmp_path / "first")
    DistilBertTokenizer.from_pretrained("tiny").save_pretrained(tmp_path / "first")
    fine_tune("classify", write(tmp_path / "data.csv", rows), tmp_path / "second",
              tmp_path / "first", RECIPE, progress=False)
    config = DistilBertConfig.from_pretrained(tmp_path / "second")
    assert config.id2label == {0: "z", 1: "a", 2: "m"}


def test_training_goes_on_from_a_written_folder(tmp_path):
    data = write(tmp_path / "data.csv", rows_of("classify"))
    recipe = Recipe(epochs=1, batch_size=8, lr=1e-3)
    losses, model = [], "tiny"
    for name in ("first", "second", "third"):
        report = fine_tune("classify", data, tmp_path / name, model, recipe,
                           progress=False)
        losses.append(report["best"]["loss"])
        model = tmp_path / name
    assert losses[0] > losses[1] > losses[2]


def test_other_labels_get_a_new_classifier(tmp_path):
    rows = rows_of("classify")
    data = write(tmp_path / "data.csv", rows)
    fine_tune("classify", data, tmp_path / "first", recipe=RECIPE, progress=False)
    yes_no = [row | {"label": ["yes", "no"][i % 2]} for i, row in enumerate(rows)]
    data = write(tmp_path / "others.csv", yes_no)
    fine_tune("classify", data, tmp_path / "second", tmp_path / "first", RECIPE,
              progress=False)
    config = DistilBertConfig.from_pretrained(tmp_path / "second")
    assert config.id2label == {0: "no", 1: "yes"}


def test_answers_are_learned_from_a_model_of_many_classes(tmp_path):
    data = write(tmp_path / "data.csv", rows_of("classify"))
    fine_tune("classify", data, tmp_path / "first", recipe=RECIPE, progress=False)
    data = write(tmp_path / "data.jsonl", rows_of("answer"))
    report = fine_tune("answer", data, tmp_path / "second", tmp_path / "first", RECIPE,
                       progress=False)
    assert np.isfinite(report["last_loss"])


@pytest.mark.parametrize(("label", "found"), [("", "nothing"), (" ", "nothing")])
def test_a_class_has_a_name(tokenizer, label, found):
    with pytest.raises(DistilBertError, match=f"label: .*found {found}"):
        example_of("classify", {"text": "a cat", "label": label}, tokenizer, {})


def test_another_model_is_not_taken_for_the_one_that_was_trained(tmp_path):
    data = write(tmp_path / "data.csv", rows_of("classify"))
    for out, model in (("first", "tiny"), ("second", tmp_path / "first")):
        fine_tune("classify", data, tmp_path / out, model, RECIPE, progress=False)
    with pytest.raises(DistilBertError, match="model"):
        fine_tune("classify", data, tmp_path / "first", tmp_path / "second", RECIPE,
                  progress=False)


# --- examples -------------------------------------------------------------------------


def test_an_example_of_masked_lm(tokenizer):
    found = example_of("masked-lm", {"text": "A cat sat."}, tokenizer)
    assert found == {"input_ids": tokenizer.encode("A cat sat.")}


def test_an_example_of_classify(tokenizer):
    numbers = {"pet": 3, "7": 1}
    row = {"text": "A cat.", "label": "pet"}
    found = example_of("classify", row, tokenizer, numbers)
    assert found == {"input_ids": tokenizer.encode("A cat."), "labels": 3}
    row |= {"text_pair": "A dog.", "label": 7}
    found = example_of("classify", row, tokenizer, numbers)
    assert found == {"input_ids": tokenizer.encode("A cat.", "A dog."), "labels": 1}
    for nothing in ("", None):
        row["text_pair"] = nothing
        found = example_of("classify", row, tokenizer, numbers)
        assert found["input_ids"] == tokenizer.encode("A cat.")


@pytest.mark.parametrize(
    ("words", "max_length"),
    [
        (["The", "Xylophonist", "sat", "."], 128),
        (["Zoë", "naïvement", "東京", "cat"], 128),
        (["The", "Xylophonist", "sat", "."], 5),
        (["cat", "\u200b", "dog"], 128),         # of the second nothing is left
    ],
)
def test_a_tag_stands_at_the_first_piece_of_its_word(tokenizer, words, max_length):
    numbers = {tag: 10 + i for i, tag in enumerate("abcd")}
    row = {"tokens": words, "tags": list("abcd")[: len(words)]}
    found = example_of("tag", row, tokenizer, numbers, max_length)
    labels, expected = found["labels"], [-100]
    for tag, word in zip(row["tags"], words, strict=True):
        pieces = tokenizer.tokenize(word)
        expected += [numbers[tag], *[-100] * len(pieces[1:])] if pieces else []
    expected = [*expected[: max_length - 1], -100]
    assert labels == expected and len(labels) == len(found["input_ids"])
    assert len({len(tokenizer.tokenize(word)) for word in words}) > 1


ANSWERS = [
    # context, answer, start, the text that the tokens cover
    ("Anna is in Paris.", "Paris", None, "Paris"),
    ("Anna is in Paris today.", "in Paris", None, "in Paris"),
    ("Paris is Paris.", "Paris", None, "Paris"),
    ("Paris is Paris.", "Paris", 9, "Paris"),
    ("Paris is Paris.", "Paris", "9", "Paris"),
    ("  Anna\tis in  Paris .", "Paris", None, "Paris"),
    ("Zoë mange à Orléans.", "Orléans", None, "Orléans"),
    ("Zoe\u0308 and A\u030angstrom.", "A\u030angstrom", None, "A\u030angstrom"),
    ("首都は東京です", "東京", None, "東京"),
    ("🙂🙂 Anna is in Paris", "Paris", None, "Paris"),
    ("Anna is in Paris.", " Paris ", None, "Paris"),
    ("Anna lives in Xylophonia.", "Xylophonia", None, "Xylophonia"),
]


@pytest.mark.parametrize(("context", "answer", "start", "covered"), ANSWERS)
def test_an_answer_s_tokens_lead_back_to_its_text(
    tokenizer, context, answer, start, covered
):
    question = "Where is Anna? In Paris?"        # its own "Paris" is not meant
    row = {"question": question, "context": context, "answer": answer}
    if start is not None:
        row["start"] = start
    found = example_of("answer", row, tokenizer)
    encoded = tokenizer(question, context, return_offsets_mapping=True)
    assert found["input_ids"] == encoded["input_ids"]
    first, last = found["start_positions"], found["end_positions"]
    assert encoded.sequence_ids()[first] == encoded.sequence_ids()[last] == 1
    offsets = encoded["offset_mapping"]
    begin, end = offsets[first][0], offsets[last][1]
    assert context[begin:end] == covered
    assert begin == (context.find(covered) if start is None else int(start))


def test_an_answer_within_a_word_is_the_pieces_that_hold_it(tokenizer):
    row = {"question": "What?", "context": "It is 42km away.", "answer": "42"}
    found = example_of("answer", row, tokenizer)
    first, last = found["start_positions"], found["end_positions"]
    pieces = tokenizer.convert_ids_to_tokens(found["input_ids"][first : last + 1])
    assert "".join(pieces).replace("##", "").startswith("42")


@pytest.mark.parametrize("start", [None, "", 3, "3"])
def test_no_answer_is_the_first_token(tokenizer, start):
    row = {"question": "Who?", "context": "Anna is here.", "answer": "",
           "start": start}
    found = example_of("answer", row, tokenizer)
    assert (found["start_positions"], found["end_positions"]) == (0, 0)


def test_an_answer_that_is_cut_off_is_left_out_and_counted(tmp_path, tokenizer):
    rows = rows_of("answer")
    rows[3] |= {"context": "cat " * 200 + "Paris", "answer": "Paris"}
    assert example_of("answer", rows[3], tokenizer) is None
    data = write(tmp_path / "data.jsonl", rows)
    report = fine_tune("answer", data, tmp_path / "out", recipe=RECIPE, progress=False)
    assert report["left_out"] == 1 and report["examples"] + report["held_out"] == 29


def test_an_answer_is_cut_off_where_its_last_piece_is(tokenizer):
    row = {"question": "Where?", "context": "In Paris today .",
           "answer": "Paris today"}
    n_tokens = len(tokenizer("Where?", "In Paris today")["input_ids"])
    assert example_of("answer", row, tokenizer, max_length=n_tokens) is not None
    assert example_of("answer", row, tokenizer, max_length=n_tokens - 1) is None


def test_an_example_of_choose(tokenizer):
    row = {"text": "Anna is", "choices": "cold | hot", "label": "1"}
    found = example_of("choose", row, tokenizer)
    ids = [tokenizer.encode("Anna is", choice) for choice in ("cold", "hot")]
    assert found == {"input_ids": ids, "labels": 1}


@pytest.mark.parametrize("task", CLASSES)
def test_texts_are_cut_to_max_length(tokenizer, task):
    row = rows_of(task)[0]
    numbers = {"O": 0, "B-city": 1, "B-country": 2, row.get("label"): 0}
    limit = 13 if task == "answer" else 4
    found = example_of(task, row, tokenizer, numbers, limit) or {"input_ids": []}
    rows = found["input_ids"] if task == "choose" else [found["input_ids"]]
    assert all(len(ids) <= limit for ids in rows)


# --- refused --------------------------------------------------------------------------

CLASSIFY = "text,label\na cat,x\na dog,y\na cow,x\n"
QUESTION = '{"question": "who", "context": "anna is", "answer": "anna"}\n'
BAD_FILES = {
    # task, name, content, what the one line says
    "missing column": ("classify", "d.csv", "text,lab\na,b\nc,d\n",
                       ["d.csv, line 2", "label"]),
    "missing key": ("classify", "d.jsonl", '{"text": "a"}\n', ["line 1", "label"]),
    "too few cells": ("classify", "d.csv", CLASSIFY + "a\n", ["line 5", "label"]),
    "too many cells": ("classify", "d.csv", CLASSIFY + "a,b,c\n", ["line 5", "cells"]),
    "an open quote": ("classify", "d.csv", CLASSIFY + '"a,x\n', ["line 5"]),
    "tags and tokens": ("tag", "d.csv", "tokens,tags\na b,O O\na b c,O x\n",
                        ["line 3", "tags", "3"]),
    "tags that are numbers": ("tag", "d.jsonl", '{"tokens": ["a"], "tags": [1]}\n',
                              ["line 1", "tags", "[1]"]),
    "tokens that are a number": ("tag", "d.jsonl", '{"tokens": 5, "tags": ["O"]}\n'
                                 '{"tokens": ["a"], "tags": ["x"]}\n',
                                 ["line 1", "tokens", "5"]),
    "no such choice": ("choose", "d.csv", "text,choices,label\na,b|c,2\n",
                       ["line 2", "label", "2"]),
    "a word for a choice": ("choose", "d.csv", "text,choices,label\na,b|c,c\n",
                            ["line 2", "label", "'c'"]),
    "minus one": ("choose", "d.jsonl",
                  '{"text": "a", "choices": ["b", "c"], "label": -1}\n',
                  ["line 1", "label", "-1"]),
    "a huge number": ("choose", "d.csv", f"text,choices,label\na,b|c,{'9' * 5000}\n",
                      ["line 2", "label"]),
    "an unequal number of choices": (
        "choose", "d.csv",
        "text,choices,label\na,b|c,1\na,b|c,1\na,b|c,1\na,b|c|d,1\n",
        ["line 5", "choices", "2", "3"]),
    "no choices": ("choose", "d.jsonl", '{"text": "a", "choices": [], "label": 0}\n',
                   ["line 1"]),
    "not in the context": ("answer", "d.jsonl", QUESTION.replace('"anna"', '"bob"'),
                           ["line 1", "answer", "'bob'"]),
    "not where start says": (
        "answer", "d.jsonl", QUESTION + QUESTION.replace("}", ', "start": 2}'),
        ["line 2", "answer", "2"]),
    "start is no number": (
        "answer", "d.jsonl", QUESTION + QUESTION.replace("}", ', "start": "x"}'),
        ["line 2", "start", "'x'"]),
    "a huge start": (
        "answer", "d.jsonl",
        QUESTION + QUESTION.replace("}", f', "start": "{"9" * 5000}"}}'),
        ["line 2", "start"]),
    "an endless question": ("answer", "d.jsonl",
                            QUESTION.replace("who", "who " * 200), ["line 1"]),
    "one label": ("classify", "d.csv", "text,label\na,x\nb,x\n", ["d.csv", "'x'"]),
    "a label that is no text": ("classify", "d.jsonl", '{"text": "a", "label": 1.5}\n',
                                ["line 1", "label", "1.5"]),
    "true": ("classify", "d.jsonl", '{"text": "a", "label": true}\n',
             ["line 1", "label", "True"]),
    "half a character": ("masked-lm", "d.jsonl", '{"text": "\\ud800"}\n', ["line 1"]),
    "not JSON": ("masked-lm", "d.jsonl", '{"text": "a"}\n{"text": "b"}\n{text: c}\n',
                 ["d.jsonl", "line 3"]),
    "an array": ("masked-lm", "d.jsonl", '{"text": "a"}\n["b"]\n', ["line 2"]),
    "a JSON file of several lines": ("masked-lm", "d.json",
                                     '[\n{"text": "a"}\n]\n', ["line 1"]),
    "too deep": ("masked-lm", "d.jsonl", "[" * 100_000, ["d.jsonl"]),
    "latin-1": ("masked-lm", "d.csv", "text\ncaf\xe9\n".encode("latin-1"),
                ["d.csv", "utf-8"]),
    "UTF-16": ("masked-lm", "d.csv", "text\na\n".encode("utf-16"), ["utf-8"]),
    "an empty file": ("masked-lm", "d.csv", "", ["d.csv", "no rows"]),
    "a head without rows": ("masked-lm", "d.csv", "text\n", ["d.csv", "no rows"]),
    "blank lines": ("masked-lm", "d.jsonl", "\n\n", ["d.jsonl", "no rows"]),
    "another kind of file": ("masked-lm", "d.tsv", "text\n", ["d.tsv", ".csv"]),
    "nothing to train on": ("masked-lm", "d.csv", "text\na\n", ["held_out"]),
}


def refusal(tmp_path, task, path, **options):
    """Return the one line that fine_tune refuses a file with, before any step."""
    options = {"recipe": RECIPE, "progress": False} | options
    with pytest.raises(DistilBertError) as caught:
        fine_tune(task, path, tmp_path / "out", **options)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 300 + len(str(tmp_path))
    assert not (tmp_path / "out").exists()
    return message.replace(str(tmp_path), "")


@pytest.mark.parametrize("what", BAD_FILES)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(tmp_path, what):
    task, name, content, words = BAD_FILES[what]
    encoded = content if isinstance(content, bytes) else content.encode()
    (tmp_path / name).write_bytes(encoded)
    held_out = 0.9 if what == "nothing to train on" else 0
    message = refusal(tmp_path, task, tmp_path / name, held_out=held_out)
    assert all(word in message for word in words), message


@pytest.mark.parametrize("name", ["there is none.csv", "folder.csv"])
def test_a_path_without_a_file_is_refused(tmp_path, name):
    (tmp_path / "folder.csv").mkdir()
    assert name in refusal(tmp_path, "masked-lm", tmp_path / name)
    data = write(tmp_path / "data.csv", rows_of("masked-lm"))
    message = refusal(tmp_path, "masked-lm", data, held_out=tmp_path / name)
    assert name in message


@pytest.mark.parametrize("max_length", [0, 1, -1, 2.5, "3"])
def test_a_max_length_that_holds_nothing_is_refused(tmp_path, max_length):
    data = write(tmp_path / "data.csv", rows_of("classify"))
    message = refusal(tmp_path, "classify", data, max_length=max_length)
    assert "max_length" in message


@pytest.mark.parametrize("share", [1, 1.5, -0.1, float("nan"), True, None])
def test_a_share_is_below_1(tmp_path, share):
    data = write(tmp_path / "data.csv", rows_of("classify"))
    assert refusal(tmp_path, "classify", data, held_out=share).startswith("held_out: ")


@pytest.mark.parametrize("task", ["sing", "", None, ["classify"]])
def test_an_unknown_task_is_refused(tmp_path, task):
    message = refusal(tmp_path, task, tmp_path / "data.csv")
    assert message.startswith("task: ") and "masked-lm" in message


def test_texts_in_which_nothing_can_be_masked_are_passed_over(tmp_path):
    rows = [{"text": text} for text in ["a cat", "", "a dog", " "] * 8]
    data = write(tmp_path / "data.jsonl", rows)
    recipe = Recipe(epochs=1, batch_size=2, lr=1e-3)
    report = fine_tune("masked-lm", data, tmp_path / "out", recipe=recipe,
                       progress=False)
    assert np.isfinite(report["best"]["loss"])


def test_a_byte_order_mark_windows_lines_and_blank_ones_are_passed_over(tmp_path):
    text = "\ufeff" + CLASSIFY.replace("\n", "\r\n\r\n")
    (tmp_path / "d.csv").write_bytes(text.encode())
    rows = tasks.read_rows(tmp_path / "d.csv")
    assert [row.cells for row in rows] == [
        {"text": "a cat", "label": "x"}, {"text": "a dog", "label": "y"},
        {"text": "a cow", "label": "x"},
    ]
    lines = '\ufeff{"text": "a\u2028b"}\r\n\r\n{"text": "c"}\r\n'
    (tmp_path / "d.jsonl").write_bytes(lines.encode())
    rows = tasks.read_rows(tmp_path / "d.jsonl")
    assert [row.cells["text"] for row in rows] == ["a\u2028b", "c"]
    assert rows[1].place.endswith("line 3")


# --- anything at all ------------------------------------------------------------------

SNIPPETS = [
    "text", "label", "tokens", "tags", "question", "context", "answer", "start",
    "choices", "text_pair", ",", ",", ",", "\n", "\n", '"', '"', "{", "}", "[", "]",
    ":", "|", " ", "0", "1", "-1", "9" * 30, "1e400", "null", "true", "NaN", "\\ud800",
    "\0", "\r", "\ufeff", "é", "東", "a cat", "a dog", '{"text": "a", "label": "b"}\n',
]


FITTING = {
    "text": "a cat", "label": "1", "tokens": ["a", "b"], "tags": ["x", "y"],
    "question": "who", "context": "a cat", "answer": "cat", "start": 2,
    "choices": ["x", "y"], "text_pair": "",
}


def random_value(rng, depth=0):
    """Return a random JSON value; more often one that fits."""
    kind = rng.randrange(9 if depth < 2 else 7)
    if kind > 6:
        return [random_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return [
        rng.choice(["a cat", "", "x", " ", "é", "\ud800", "0", "1", "9" * 5000]), None,
        rng.choice([True, False]), rng.choice([0, 1, -1, 10**30]),
        rng.choice([0.5, float("nan"), float("inf")]), {"a": 1}, ["a", "b"],
    ][kind]


def random_content(rng, kind):
    """Return random bytes, words that mean something, or JSON of columns that exist."""
    if kind == "bytes":
        return rng.randbytes(rng.randrange(200))
    if kind == "words":
        words = rng.choices(SNIPPETS, k=rng.randrange(40))
        return "".join(words).encode("utf-8", "surrogatepass")
    columns = [snippet for snippet in SNIPPETS[:10] if rng.random() < 0.9]
    return "\n".join(
        json.dumps({
            column: random_value(rng) if rng.random() < 0.6 else FITTING[column]
            for column in columns
        })
        for _ in range(rng.randrange(1, 4))
    ).encode()


@pytest.mark.parametrize("kind", ["bytes", "words", "json"])
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_whatever_a_file_holds_it_is_read_or_refused(tmp_path, tokenizer, kind, suffix):
    rng = random.Random(f"{kind}{suffix}")
    path, encode, n_refused = tmp_path / f"d{suffix}", encoder(tokenizer), 0
    for _ in range(400 if kind == "json" else 100):
        path.write_bytes(random_content(rng, kind))
        for name, task in tasks.TASKS.items():
            try:
                rows = tasks.read_rows(path)
                words = [w for row in rows for w in (task.label_words or iter)(row)
                         if isinstance(w, str)]
                numbers = {word: i for i, word in enumerate(words)}
                tasks.examples_of(name, rows, encode, numbers)
            except DistilBertError as error:
                assert "\n" not in str(error)
                n_refused += 1
    assert n_refused > 50
