"""The pipelines: what transformers' own answer to the same questions, and bad calls."""

import json
from pathlib import Path

import numpy as np
import pytest
from answers import (
    CONTEXTS,
    FILE,
    HEADS,
    LONG,
    QUESTIONS,
    Question,
    assert_same,
    write_checkpoint,
)

from distilbert_np import (
    DistilBertConfig,
    DistilBertForQuestionAnswering,
    DistilBertTokenizer,
    InputError,
    pipeline,
)
from distilbert_np.pipelines import ALIASES

ANSWERS = json.loads(FILE.read_text(encoding="utf-8"))["answers"]


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """Return a function that puts a question to our pipeline on its checkpoint."""
    made = {}

    def answer(question, **options):
        key = f"{question.task} {question.config}"
        if key not in made:
            folder = tmp_path_factory.mktemp("checkpoint")
            write_checkpoint(folder, question)
            made[key] = pipeline(question.task, folder)
        return made[key](question.inputs, **question.options, **options)

    return answer


def test_every_question_has_its_answer_and_no_other_is_kept():
    assert [question.name for question in QUESTIONS] == list(ANSWERS)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name[:60])
@pytest.mark.parametrize(
    "batching", [{}, {"batch_size": 1}, {"max_tokens_per_batch": 99}], ids=str
)
def test_the_answer_is_that_of_transformers(ask, question, batching):
    assert_same(ask(question, **batching), ANSWERS[question.name])


# --- ways to call ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a pipeline of each task, on a checkpoint of random weights."""
    pipelines = {}
    for task in HEADS:
        folder = tmp_path_factory.mktemp("checkpoint")
        write_checkpoint(folder, Question(task, ""))
        pipelines[task] = pipeline(task, folder)
    return pipelines


INPUTS = {
    "fill-mask": ("A [MASK].",), "text-classification": ("A dog.",),
    "token-classification": ("A dog.",), "feature-extraction": ("A dog.",),
    "question-answering": ({"question": "Who?", "context": "A dog."},),
    "multiple-choice": ({"text": "A dog", "choices": ["barks.", "sings."]},),
    "embed": ("A dog.",),
}


def test_questions_may_be_given_in_four_ways(made):
    answer = made["question-answering"]
    one = answer("Who?", CONTEXTS[0])
    assert answer(question="Who?", context=CONTEXTS[0]) == one
    assert answer({"question": "Who?", "context": CONTEXTS[0]}) == one
    several = answer(["Who?", "Where?"], CONTEXTS[0])
    assert several == answer(["Who?", "Where?"], [CONTEXTS[0]] * 2)
    assert_same(several, [one, answer("Where?", CONTEXTS[0])])


def test_an_answer_is_where_it_says(made):
    for context in CONTEXTS[:2]:
        answers = made["question-answering"]("Who?", context, top_k=20)
        assert len(answers) > 1
        for found in answers:
            assert context[found["start"] : found["end"]] == found["answer"]


def test_an_answer_has_no_more_tokens_than_asked_for(made):
    answer = made["question-answering"]
    found = answer("Who?", CONTEXTS[0], top_k=50, max_answer_len=2)
    assert {len(one["answer"].split()) for one in found} == {1, 2}
    found = answer("Who?", CONTEXTS[0], top_k=50, max_answer_len=1)
    assert {len(one["answer"].split()) for one in found} == {1}


def test_a_context_without_words_has_no_answer(made):
    none = {"score": 0.0, "start": 0, "end": 0, "answer": ""}
    assert made["question-answering"]("Who?", " ") == none
    assert made["question-answering"]("Who?", " ", top_k=3) == none


def test_a_long_question_leaves_small_windows(made):
    question = "Who was it " * 11                # 33 of 40 tokens: 4 are left
    found = made["question-answering"](question, "Anna has a dog and Ben has a cat.")
    assert found["answer"]


def test_what_stands_in_no_first_window_is_found():
    # A model that answers with "dog", wherever it stands: the score of a token is its
    # word's, as there are neither layers nor positions.
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")
    config = DistilBertConfig(
        vocab_size=len(tokenizer), n_layers=0, dim=12, max_position_embeddings=40
    )
    model = DistilBertForQuestionAnswering(config)
    embeddings = model.params["distilbert"]["embeddings"]
    embeddings["position_embeddings"]["weight"][:] = 0
    dog = tokenizer.convert_tokens_to_ids("dog")
    vector = embeddings["word_embeddings"]["weight"][dog]
    vector = vector - vector.mean()
    model.params["qa_outputs"]["weight"][:] = 9 * vector / np.linalg.norm(vector)
    answer = pipeline("question-answering", model, tokenizer, max_seq_len=20)
    context = "a cat " * 200 + "and a dog " + "saw a bird " * 50
    for stride in (0, 5, 11):
        found = answer("Who?", context, doc_stride=stride)
        assert found["answer"] == "dog" and found["start"] == context.index("dog")


def test_choices_are_ranked(made):
    choose = made["multiple-choice"]
    choices = ["barks.", "sings.", "is a number of red houses in Paris."]
    answers = choose("A dog", choices)
    assert {one["label"]: one["choice"] for one in answers} == dict(enumerate(choices))
    assert sum(one["score"] for one in answers) == pytest.approx(1)
    assert answers == sorted(answers, key=lambda one: -one["score"])
    asked = {"text": "A dog", "choices": choices}
    assert choose(asked) == answers
    assert_same(choose([asked, INPUTS["multiple-choice"][0]])[0], answers)


def test_the_last_choice_is_read_though_the_text_is_long(made):
    choose = made["multiple-choice"]
    first, second = choose(LONG, ["barks.", "sings."])
    assert first["score"] > second["score"]


def test_a_task_has_several_names(made):
    for alias, task in ALIASES.items():
        found = pipeline(alias, made[task].model, made[task].tokenizer)
        assert type(found) is type(made[task])
        assert_same(found(*INPUTS[task]), made[task](*INPUTS[task]))


@pytest.mark.parametrize("task", HEADS)
def test_no_inputs_have_no_answers(made, task):
    assert list(made[task]([])) == []


@pytest.mark.parametrize("task", HEADS)
def test_a_bar_where_it_is_wanted(made, task, capsys):
    made[task]([*INPUTS[task], *INPUTS[task]], progress=True)
    assert "/2" in capsys.readouterr().err or task == "multiple-choice"
    made[task]([*INPUTS[task], *INPUTS[task]])
    assert capsys.readouterr().err == ""


def test_options_of_a_pipeline_hold_until_a_call_gives_others(made):
    fill = made["fill-mask"]
    two = pipeline("fill-mask", fill.model, fill.tokenizer, top_k=2)
    assert len(two("A [MASK].")) == 2 and len(two("A [MASK].", top_k=3)) == 3
    assert len(two("A [MASK].")) == 2


def test_batches_may_be_as_large_as_one_likes(made):
    found = made["embed"](["A dog.", "A cat."], max_tokens_per_batch=2**64)
    assert found.shape == (2, 12)


def test_float64(made):
    folder = str(Path(made["text-classification"].model.load_report.source).parent)
    score = pipeline("text-classification", folder, dtype="float64")("A dog.")
    assert_same(made["text-classification"]("A dog."), score)
    assert score != made["text-classification"]("A dog.")


# --- bad calls ------------------------------------------------------------------------

LONE = "\ud800"
BAD = [
    ("fill-mask", ["no gap"], {}, r"^text: found no \[MASK\] .* in 'no gap'"),
    ("fill-mask", [["[MASK]", "no gap"]], {}, r"^texts\[1\]: found no \[MASK\]"),
    ("fill-mask", ["[MASK]"], {"topk": 2}, "unknown option 'topk'.*'top_k'"),
    ("fill-mask", ["[MASK]"], {"top_k": 0}, "^top_k: expected a whole number above 0"),
    ("fill-mask", ["[MASK]"], {"top_k": True}, "^top_k: .* found True"),
    ("fill-mask", ["[MASK]"], {"targets": []}, "^targets: expected at least one"),
    ("fill-mask", ["[MASK]"], {"targets": [" "]}, r"^targets\[0\]: found nothing to"),
    ("fill-mask", ["[MASK]"], {"targets": 3}, "^targets: expected a target or a list"),
    ("fill-mask", [f"[MASK] {LONG}"], {}, "^text: is 1.. tokens long; .* 40 positions"),
    ("fill-mask", [LONE], {}, "^text: half a character"),
    ("fill-mask", [None], {}, "^texts: expected a text or a list of them, found None"),
    ("fill-mask", ["[MASK]"], {"batch_size": 0}, "^batch_size: expected a whole"),
    ("fill-mask", ["[MASK]"], {"zzz": 0}, "unknown option 'zzz' .*known: .*'top_k'"),
    ("text-classification", [["a", ["b", "c"]]], {}, r"^texts\[1\]: expected a text"),
    ("text-classification", [{"txt": "a"}], {}, "^text: expected the keys text and"),
    ("text-classification", [{"text": "a", "text_pair": 3}], {}, "^text, text_pair: "),
    ("text-classification", ["a"], {"top_k": -1}, "^top_k: .* found -1"),
    ("text-classification", ["a"], {"top_k": "all"}, "^top_k: .* found 'all'"),
    ("text-classification", ["a"], {"function_to_apply": "relu"}, "^function_to_apply: "
     "expected one of .*'softmax', 'sigmoid', 'none', found 'relu'"),
    ("text-classification", [LONG], {}, "^text: is 194 tokens long"),
    ("token-classification", ["a"], {"aggregation_strategy": "best"},
     "^aggregation_strategy: expected one of 'none', 'simple', .*found 'best'"),
    ("token-classification", ["a"], {"stride": 3}, "^stride: needs an aggregation"),
    ("token-classification", [LONG], {"stride": 38, "aggregation_strategy": "first"},
     "^stride: found 38, but max_length 40 has room for 38"),
    ("token-classification", ["a b"], {"is_split_into_words": True}, "^text: .*a list"),
    ("token-classification", [[["a", 3]]], {"is_split_into_words": True}, r"^texts\[0"),
    ("question-answering", ["Who?"], {}, "^context: expected the text that may hold"),
    ("question-answering", ["", "a"], {}, "^question: expected a text, found an empty"),
    ("question-answering", ["Who?", ""], {}, "^context: expected a text, found an emp"),
    ("question-answering", [[{"question": "a"}]], {}, r"^questions\[0\]: expected a d"),
    ("question-answering", [["a", "b"], ["c"]], {}, "^context: expected a text, or 2"),
    ("question-answering", ["Who?", LONE], {}, "^context: half a character"),
    ("question-answering", ["Who is " * 30, "a"], {}, "^question: leaves no room"),
    ("question-answering", ["a", "b"], {"max_answer_len": 0}, "^max_answer_len: "),
    ("question-answering", ["a", LONG], {"doc_stride": 36}, "^doc_stride: .*found 36"),
    ("question-answering", ["a", LONG], {"max_seq_len": 41}, "^max_seq_len: found 41"),
    ("multiple-choice", ["a", []], {}, "^text, choices: expected one text or more"),
    ("multiple-choice", ["a", "b"], {}, "^text, choices: expected one text or more"),
    ("multiple-choice", ["a", ["b", 3]], {}, "^text: expected a text, found 3"),
    ("multiple-choice", ["a"], {}, "^choices: expected one text or more"),
    ("token-classification", ["a"], {"ignore_labels": "O"}, "^ignore_labels: "),
    ("embed", ["a"], {"progress": "no"}, "^progress: expected True or False"),
    ("text-classification", ["a"], {"top_k": np.arange(3)}, "^top_k: "),
    ("text-classification", ["a"], {"truncation": np.arange(3)}, "^truncation: "),
    ("feature-extraction", [["", "a"]],
     {"tokenize_kwargs": {"add_special_tokens": False}}, r"^texts\[0\]: has no tokens"),
    ("feature-extraction", [LONG], {}, "^text: is 194 tokens long"),
    ("feature-extraction", [7], {}, "^texts: expected a text or a list .* found 7"),
    ("feature-extraction", ["a"], {"return_tensors": "pt"}, "^return_tensors: .* 'pt'"),
    ("embed", ["a"], {"normalize": "no"}, "^normalize: expected True or False, .*'no'"),
    ("question-answering", ["a", "b"], {"align_to_words": 2}, "^align_to_words: "),
    ("embed", ["a"], {"normalise": True}, "unknown option 'normalise'.*'normalize'"),
]


@pytest.mark.parametrize(("task", "inputs", "options", "message"), BAD)
def test_bad_calls(made, task, inputs, options, message):
    with pytest.raises(InputError, match=message) as caught:
        made[task](*inputs, **options)
    assert "\n" not in str(caught.value)


def test_a_model_that_was_trained_for_something_else(made):
    # Both heads have a classifier of this shape: only their names tell them apart.
    folder = Path(made["text-classification"].model.load_report.source).parent
    with pytest.warns(UserWarning, match="is a DistilBertForSequenceClassification"):
        pipeline("ner", folder)
    assert pipeline("embed", folder)("A dog.").shape == (12,)    # it has no head


def test_a_pipeline_that_cannot_be_made(made):
    tokenizer = made["embed"].tokenizer
    for arguments, message in (
        (("summarization",), "^task: expected one of fill-mask, .*'summarization'"),
        (({},), "^task: expected one of"),
        (("ner", made["embed"].model, tokenizer), "^model: expected a DistilBertForT"),
        (("embed", made["embed"].model), "^tokenizer: a loaded model needs"),
    ):
        with pytest.raises(InputError, match=message):
            pipeline(*arguments)
    with pytest.raises(InputError, match="unknown option 'dtyp'"):
        pipeline("embed", dtyp="float64")
