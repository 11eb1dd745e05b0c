"""Evaluation: every figure against counting by hand, on small models and made tags."""

import itertools
import math

import numpy as np
import ours
import pytest
from cases import ODD, SMALL, Case

from distilbert_np import DistilBertForMaskedLM, DistilBertTokenizer
from distilbert_np.losses import cross_entropy
from distilbert_np.training import pad
from distilbert_np.training.metrics import (
    LONGEST_ANSWER,
    answer_metrics,
    best_span,
    class_metrics,
    evaluate,
    f1_score,
    spans,
    tag_metrics,
)
from distilbert_np.trees import flatten

KINDS = {
    "masked_lm": Case("figures, masked_lm", "masked_lm", ODD),
    "classes": Case("figures, classes", "sequence", {"num_labels": 3}),
    "regression": Case("figures, regression", "sequence", {"num_labels": 1}),
    "truths": Case("figures, truths", "sequence", {"num_labels": 3}),
    "token": Case(
        "figures, token", "token",
        {"num_labels": 3, "id2label": {0: "O", 1: "B-x", 2: "I-x"}},
    ),
    "answers": Case("figures, answers", "question_answering"),
    "choices": Case("figures, choices", "multiple_choice"),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def some_labels(kind, size, n_classes, rng):
    """Return the labels of an example of `size` tokens, by name."""
    if kind in ("masked_lm", "token"):
        labels = rng.randint(n_classes, size=size)
        labels[rng.random_sample(size) < 0.4] = -100
        labels[-1] = 1
        return {"labels": labels.tolist()}
    if kind == "answers":
        start, end = sorted(rng.randint(size, size=2).tolist())
        return {"start_positions": start, "end_positions": end}
    if kind == "regression":
        return {"labels": float(rng.randint(-8, 8) / 4)}
    if kind == "truths":
        return {"labels": rng.randint(2, size=n_classes).astype(float).tolist()}
    return {"labels": int(rng.randint(n_classes))}


def examples_of(kind, n=23, shortest=2):
    """Return examples of up to 9 tokens; of choices, 3 for each text."""
    config, rng = KINDS[kind].full_config(), np.random.RandomState(5)
    n_classes = config.vocab_size if kind == "masked_lm" else config.num_labels
    examples = []
    for _ in range(n):
        sizes = rng.randint(shortest, 10, size=3)
        ids = [rng.randint(1, config.vocab_size, size=size).tolist() for size in sizes]
        if kind == "choices":
            labels = {"labels": int(rng.randint(3))}
        else:
            labels, ids = some_labels(kind, sizes[0], n_classes, rng), ids[0]
        examples.append({"input_ids": ids} | labels)
    return examples


def model_of(kind, dtype=np.float64):
    return ours.build(KINDS[kind], dtype)


def alone(kind, example):
    """Return what a model says of one example, without the batch axis."""
    model = model_of(kind)
    out = model(np.array([example["input_ids"]]))
    if kind == "answers":
        return out.start_logits[0], out.end_logits[0]
    return out.logits[0]


# --- evaluate -------------------------------------------------------------------------


def losses_add_up(kind):
    """Return examples whose loss does not depend on their company.

    That of answers does, in PyTorch too, where texts are of several lengths: it is the
    cross-entropy over all places, and those that are filled up are among them.
    """
    return examples_of(kind, shortest=9 if kind == "answers" else 2)


@every_kind
def test_the_loss_is_that_of_all_as_one_batch(kind):
    examples = losses_add_up(kind)
    batch = pad(examples, 0, kind in ("masked_lm", "token"))
    expected = model_of(kind)(**batch).loss
    found = evaluate(model_of(kind), examples, batch_size=4)["loss"]
    assert found == pytest.approx(expected, rel=1e-13)


@every_kind
def test_the_size_of_batches_changes_nothing(kind):
    examples = losses_add_up(kind)
    first, *others = [
        evaluate(model_of(kind), examples, batch_size=size, seed=size)
        for size in (1, 4, 16, 100)
    ]
    for other in others:
        assert list(other) == list(first)
        assert other == pytest.approx(first, rel=1e-12)


def test_padding_does_not_change_which_answers_are_right():
    examples = examples_of("answers")
    first, *others = [
        evaluate(model_of("answers"), examples, batch_size=size) for size in (1, 4, 100)
    ]
    for other in others:
        assert other["f1"] == pytest.approx(first["f1"], rel=1e-12)
        assert other["exact_match"] == first["exact_match"]


@every_kind
def test_figures_are_plain_numbers_the_loss_last(kind):
    metrics = evaluate(model_of(kind, np.float32), examples_of(kind))
    assert list(metrics)[-1] == "loss"
    assert all(type(value) is float for value in metrics.values())


@every_kind
def test_evaluation_changes_no_parameter(kind):
    model, fresh = model_of(kind), model_of(kind)
    evaluate(model, examples_of(kind))
    after = flatten(model.params)
    for name, array in flatten(fresh.params).items():
        assert np.array_equal(after[name], array)


@pytest.mark.parametrize("kind", ["regression", "truths"])
def test_where_there_is_no_one_class_there_is_only_the_loss(kind):
    assert list(evaluate(model_of(kind), examples_of(kind))) == ["loss"]


def test_accuracy_of_words():
    examples, right, asked = examples_of("masked_lm"), 0, 0
    for example in examples:
        guesses = alone("masked_lm", example).argmax(axis=-1)
        # Every tenth guess is wanted, so that some are right.
        for i, label in enumerate(example["labels"]):
            if label != -100:
                if asked % 10 == 0:
                    example["labels"][i] = int(guesses[i])
                right += guesses[i] == example["labels"][i]
                asked += 1
    metrics = evaluate(model_of("masked_lm"), examples, batch_size=4)
    assert list(metrics) == ["accuracy", "loss"]
    assert 0.1 <= right / asked < 1
    assert metrics["accuracy"] == right / asked


def test_accuracy_and_f1_of_classes():
    examples = examples_of("classes")
    guesses = [int(alone("classes", example).argmax()) for example in examples]
    for example, guess in list(zip(examples, guesses, strict=True))[::3]:
        example["labels"] = guess
    labels = [example["labels"] for example in examples]
    pairs = list(zip(guesses, labels, strict=True))
    f1 = []
    for k in set(guesses) | set(labels):
        precise = [label == k for guess, label in pairs if guess == k]
        recalled = [guess == k for guess, label in pairs if label == k]
        hits = sum(precise)
        f1.append(2 * hits / (len(precise) + len(recalled)))
    metrics = evaluate(model_of("classes"), examples, batch_size=4)
    assert list(metrics) == ["accuracy", "f1", "loss"]
    assert metrics["accuracy"] == sum(g == label for g, label in pairs) / len(pairs)
    assert metrics["f1"] == pytest.approx(np.mean(f1), rel=1e-14)


def test_accuracy_of_choices():
    examples, right = examples_of("choices"), 0
    for example in examples:
        # Each choice on its own, unpadded: its score does not depend on the others.
        scores = [
            model_of("choices")(np.array([[choice]])).logits[0, 0]
            for choice in example["input_ids"]
        ]
        right += int(np.argmax(scores)) == example["labels"]
    metrics = evaluate(model_of("choices"), examples, batch_size=4)
    assert list(metrics) == ["accuracy", "loss"]
    assert 0 < right < len(examples)
    assert metrics["accuracy"] == right / len(examples)


def test_f1_and_accuracy_of_tags():
    examples, names = examples_of("token"), KINDS["token"].full_config().id2label
    shared = n_found = n_true = right = asked = 0
    for number, example in enumerate(examples):
        guesses = alone("token", example).argmax(axis=-1)
        if number % 3 == 0:                      # some are right
            example["labels"] = guesses.tolist()
        kept = [i for i, label in enumerate(example["labels"]) if label != -100]
        found = spans([names[int(guesses[i])] for i in kept])
        true = spans([names[example["labels"][i]] for i in kept])
        shared, n_found = shared + len(found & true), n_found + len(found)
        n_true += len(true)
        right += sum(guesses[i] == example["labels"][i] for i in kept)
        asked += len(kept)
    metrics = evaluate(model_of("token"), examples, batch_size=4)
    assert list(metrics) == ["f1", "accuracy", "loss"]
    precision, recall = shared / n_found, shared / n_true
    f1 = 2 * precision * recall / (precision + recall)
    assert 0.1 < f1 < 1
    assert metrics["f1"] == pytest.approx(f1, rel=1e-14)
    assert metrics["accuracy"] == right / asked


def test_f1_and_exact_match_of_answers():
    examples, f1, exact = examples_of("answers"), [], []
    for number, example in enumerate(examples):
        guess = best_span(*alone("answers", example))
        if number % 4 == 0:
            example["start_positions"], example["end_positions"] = guess
        true = (example["start_positions"], example["end_positions"])
        found_tokens = set(range(guess[0], guess[1] + 1))
        true_tokens = set(range(true[0], true[1] + 1))
        shared = len(found_tokens & true_tokens)
        f1.append(2 * shared / (len(found_tokens) + len(true_tokens)))
        exact.append(guess == true)
    metrics = evaluate(model_of("answers"), examples, batch_size=4)
    assert list(metrics) == ["f1", "exact_match", "loss"]
    assert metrics["exact_match"] == np.mean(exact) > 0
    assert metrics["f1"] == pytest.approx(np.mean(f1), rel=1e-14)


def test_an_answer_is_never_in_what_was_filled_in():
    # This model takes a position for the answer that lies beyond the shorter text.
    config = SMALL | {"n_layers": 0, "vocab_size": 8}
    model = ours.build(Case("figures, far", "question_answering", config), np.float64)
    positions = model.encoder["embeddings"]["position_embeddings"]["weight"]
    weight = model.params["qa_outputs"]["weight"]
    positions *= 10
    weight[:] = positions[5] - positions[1]
    short = {"input_ids": [1, 2, 3], "start_positions": 0, "end_positions": 0}
    long = short | {"input_ids": [1, 2, 3, 4, 5, 6, 7]}
    out = model(**pad([short, long], 0, False))
    assert out.start_logits[0].argmax() == 5 and out.end_logits[0].argmax() == 5
    for guess in itertools.product(range(3), repeat=2):
        short["start_positions"], short["end_positions"] = guess
        together = evaluate(model, [short, long], batch_size=2)["exact_match"]
        apart = evaluate(model, [short, long], batch_size=1)["exact_match"]
        assert together == apart


@pytest.mark.parametrize("kind", ["masked_lm", "token"])
def test_examples_that_ask_nothing_change_nothing(kind):
    examples = examples_of(kind)
    silent = {"input_ids": [3, 1, 2], "labels": [-100, -100, -100]}
    expected = evaluate(model_of(kind), examples)
    for size in (1, 4, 100):
        found = evaluate(model_of(kind), [silent, *examples, silent], batch_size=size)
        assert found == pytest.approx(expected, rel=1e-12)


def test_classes_that_are_not_asked_change_nothing():
    examples = examples_of("classes")
    silent = {"input_ids": [3, 1, 2], "labels": -100}
    expected = evaluate(model_of("classes"), examples)
    found = evaluate(model_of("classes"), [silent, *examples], batch_size=100)
    assert found == pytest.approx(expected, rel=1e-12)


def test_answers_beyond_the_text_weigh_nothing_in_the_loss():
    examples = examples_of("answers", 6, shortest=9)
    outside = examples[0] | {"start_positions": 10, "end_positions": 11}
    one_batch = evaluate(model_of("answers"), [outside, *examples], batch_size=100)
    small = evaluate(model_of("answers"), [outside, *examples], batch_size=2)
    assert small["loss"] == pytest.approx(one_batch["loss"], rel=1e-12)


@pytest.mark.parametrize("kind", ["classes", "choices", "answers"])
def test_labels_in_a_list_of_their_own(kind):
    # The models take (B, 1) as well.
    examples = examples_of(kind)
    wrapped = [
        {name: v if name == "input_ids" else [v] for name, v in example.items()}
        for example in examples
    ]
    expected = evaluate(model_of(kind), examples, batch_size=4)
    assert evaluate(model_of(kind), wrapped, batch_size=4) == expected


def test_the_seed_chooses_the_masks():
    model = DistilBertForMaskedLM.from_pretrained("tiny")
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")
    texts = ["The capital of France is Paris.", "A dog is an animal.", "Snow is cold."]
    examples = [{"input_ids": ids} for ids in tokenizer(texts * 3)["input_ids"]]
    first, again, other = (
        evaluate(model, examples, tokenizer, seed=seed) for seed in (0, 0, 1)
    )
    assert first == again
    assert first["loss"] != other["loss"]


def test_a_batch_of_one_weighs_by_its_labels():
    # Means of batches that are not alike would not be the mean of all.
    model, examples = model_of("masked_lm"), examples_of("masked_lm", 2)
    examples[0] = {"input_ids": [5] * 9, "labels": [7] * 9}
    rows = [
        (alone("masked_lm", example), np.array(example["labels"]))
        for example in examples
    ]
    counts = [(labels != -100).sum() for _, labels in rows]
    assert counts[0] != counts[1]
    sums = [
        cross_entropy(logits, labels) * count
        for (logits, labels), count in zip(rows, counts, strict=True)
    ]
    found = evaluate(model, examples, batch_size=1)["loss"]
    assert found == pytest.approx(sum(sums) / sum(counts), rel=1e-13)


# --- spans ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("", set()),
        ("O O", set()),
        ("B-x", {("x", 0, 0)}),
        ("B-x I-x O", {("x", 0, 1)}),
        ("O B-x I-x I-x", {("x", 1, 3)}),
        ("B-x B-x", {("x", 0, 0), ("x", 1, 1)}),
        ("B-x I-x B-x I-x", {("x", 0, 1), ("x", 2, 3)}),
        ("B-x I-y", {("x", 0, 0), ("y", 1, 1)}),
        ("B-x I-y I-y I-x", {("x", 0, 0), ("y", 1, 2), ("x", 3, 3)}),
        ("O I-x I-x O", {("x", 1, 2)}),
        ("I-x B-x", {("x", 0, 0), ("x", 1, 1)}),
        ("B-x O I-x", {("x", 0, 0), ("x", 2, 2)}),
        ("x", {("x", 0, 0)}),
        ("x x O x", {("x", 0, 1), ("x", 3, 3)}),
        ("x y y", {("x", 0, 0), ("y", 1, 2)}),
    ],
)
def test_spans(tags, expected):
    assert spans(tags.split()) == expected


def conll_spans(tags):
    """Return the spans as the CoNLL script finds them: by where each starts and ends.
    """
    found, start = set(), None
    padded = [("O", ""), *[(tag[0], tag[2:]) for tag in tags], ("O", "")]
    for i in range(1, len(padded)):
        (before, kind_before), (here, kind) = padded[i - 1], padded[i]
        changes = kind != kind_before
        if before != "O" and (here in "BO" or changes):
            found.add((kind_before, start, i - 2))
        if here == "B" or (here == "I" and (before == "O" or changes)):
            start = i - 1
    return found


def test_spans_are_those_of_conll():
    letters = ["O", "B-x", "I-x", "B-y", "I-y"]
    for n in range(6):
        for tags in itertools.product(letters, repeat=n):
            assert spans(tags) == conll_spans(tags), tags


# --- answers --------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 5, LONGEST_ANSWER, LONGEST_ANSWER + 1, 70])
def test_the_best_span_of_all(size):
    rng = np.random.RandomState(size)
    for _ in range(20):
        starts, ends = rng.standard_normal((2, size))
        possible = [
            (starts[i] + ends[j], (i, j))
            for i in range(size) for j in range(i, min(size, i + LONGEST_ANSWER))
        ]
        assert best_span(starts, ends) == max(possible)[1]


def test_an_answer_does_not_end_before_it_starts():
    starts, ends = np.array([0.0, 0.0, 9.0]), np.array([9.0, 0.0, 1.0])
    assert best_span(starts, ends) == (2, 2)


def test_tags_of_single_tokens():
    model = model_of("token")
    data = [{"input_ids": [7], "labels": [1]}, {"input_ids": [8], "labels": [2]}]
    found = evaluate(model, data, batch_size=2)
    assert found == pytest.approx(evaluate(model, data, batch_size=1))


def test_the_longest_answer():
    starts, ends = np.zeros(40), np.zeros(40)
    starts[3] = ends[3 + LONGEST_ANSWER - 1] = 5
    assert best_span(starts, ends) == (3, 3 + LONGEST_ANSWER - 1)
    ends[3 + LONGEST_ANSWER] = 6                 # one token too far
    assert best_span(starts, ends) == (3, 3 + LONGEST_ANSWER - 1)


def test_hidden_places_are_no_answer():
    starts = np.array([1.0, 2.0, -math.inf])
    assert best_span(starts, starts) == (1, 1)


def test_figures_of_answers():
    guesses = [(2, 4), (2, 4), (2, 4), (0, 0)]
    labels = [(2, 4), (4, 5), (5, 9), (0, 0)]
    # Of 3 and 2 tokens 1 is shared: 2·1 / (3 + 2)
    assert answer_metrics(guesses, labels, {}) == {
        "f1": pytest.approx((1 + 0.4 + 0 + 1) / 4), "exact_match": 0.5,
    }


# --- the figures, from made-up guesses ------------------------------------------------


@pytest.mark.parametrize(
    ("shared", "guessed", "wanted", "f1"),
    [(0, 0, 0, 1), (0, 3, 0, 0), (0, 0, 3, 0), (3, 3, 3, 1), (1, 2, 4, 1 / 3)],
)
def test_f1(shared, guessed, wanted, f1):
    assert f1_score(shared, guessed, wanted) == pytest.approx(f1, rel=1e-15)


def test_figures_of_classes():
    # Class 0: 1 of 2 guesses, 1 of 1; class 1: 1 of 1, 1 of 3; class 2: 0 of 1, none.
    guesses, labels = [0, 0, 1, 2], [0, 1, 1, 1]
    f1 = [2 / 3, 2 / 4, 0]
    assert class_metrics(guesses, labels, {}) == {
        "accuracy": 0.5, "f1": pytest.approx(sum(f1) / 3),
    }


def test_figures_of_tags_do_not_look_where_nothing_is_asked():
    names = {0: "O", 1: "B-x", 2: "I-x"}
    # The pieces of a word after its first are −100, and what is guessed there is no
    # matter: B, I and O against B, I and I.
    label = np.array([-100, 1, -100, 2, -100, 2, -100])
    guess = np.array([1, 1, 1, 2, 0, 0, 2])
    assert tag_metrics([guess], [label], names) == {
        "f1": 0.0, "accuracy": pytest.approx(2 / 3),
    }
    better = np.array([1, 1, 1, 2, 0, 2, 2])
    assert tag_metrics([better], [label], names) == {"f1": 1.0, "accuracy": 1.0}


def test_spans_of_several_texts_are_counted_together():
    names = {0: "O", 1: "B-x"}
    labels = [np.array([1, 1, 1]), np.array([1, 0])]
    guesses = [np.array([1, 0, 0]), np.array([1, 1])]
    figures = tag_metrics(guesses, labels, names)
    assert figures["f1"] == pytest.approx(2 * 2 / (3 + 4))    # 2 are shared
    assert figures["accuracy"] == pytest.approx(2 / 5)
