"""The embedded models of each head: which folder a name stands for, and what they know.

What they answer here, any model does that learned its task.
"""

import json
import re
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import distilbert_np as dn
from distilbert_np.hub import CONFIG_FILES, EMBEDDED, TINY, TRAINED_HEADS, find_model
from distilbert_np.inspection import inspect
from distilbert_np.rows import read_rows
from distilbert_np.training import evaluate, study, tasks
from distilbert_np.training.tiny_world import facts, task_rows
from distilbert_np.trees import flatten

FOLDERS = [
    (dn.DistilBertModel, "tiny", "masked-lm"),
    (dn.DistilBertForMaskedLM, "tiny", "masked-lm"),
    (dn.DistilBertForSequenceClassification, "tiny", "classify"),
    (dn.DistilBertForTokenClassification, "tiny", "tag"),
    (dn.DistilBertForQuestionAnswering, "tiny", "answer"),
    (dn.DistilBertForMultipleChoice, "tiny", "choose"),
    (dn.DistilBertModel, "tiny-teacher", "teacher"),
    (dn.DistilBertForMaskedLM, "tiny-teacher", "teacher"),
]
HEADS = FOLDERS[2:6]


def folder_of(model):
    """Return the folder that a model was read from."""
    return Path(model.load_report.source).parent


# --- which folder a name stands for ---------------------------------------------------


@pytest.mark.parametrize(("cls", "name", "folder"), FOLDERS)
def test_each_class_reads_the_folder_of_its_head(cls, name, folder):
    model = cls.from_pretrained(name)            # a warning would be an error
    assert folder_of(model) == TINY / folder
    assert model.load_report.missing == []


def test_configuration_and_tokenizer_are_those_of_the_base():
    config = dn.DistilBertConfig.from_pretrained("tiny")
    assert config.architectures == ["DistilBertForMaskedLM"]
    teacher = dn.DistilBertConfig.from_pretrained("tiny-teacher")
    assert teacher.n_layers > config.n_layers


@pytest.mark.parametrize(
    ("cls", "changes"),
    [
        (dn.DistilBertForSequenceClassification, {"num_labels": 5}),
        (dn.DistilBertForSequenceClassification, {"id2label": {0: "no", 1: "yes"}}),
        (dn.DistilBertForSequenceClassification, {"label2id": {"no": 0, "yes": 1}}),
        (dn.DistilBertForTokenClassification, {"num_labels": 2}),
        (dn.DistilBertForQuestionAnswering, {"id2label": {0: "start", 1: "end"}}),
    ],
)
def test_other_labels_get_a_new_head_on_the_base(cls, changes):
    with pytest.warns(UserWarning, match="not in tiny, newly initialised"):
        model = cls.from_pretrained("tiny", **changes)
    assert folder_of(model) == EMBEDDED["tiny"]
    assert {name.split(".")[0] for name in model.load_report.missing} <= {
        "pre_classifier", "classifier", "qa_outputs"
    }
    field, value = changes.popitem()
    assert getattr(model.config, field) == value
    base = dn.DistilBertModel.from_pretrained("tiny")
    np.testing.assert_array_equal(model.word_embeddings, base.word_embeddings)


@pytest.mark.parametrize(("cls", "name", "folder"), HEADS)
def test_the_head_s_own_labels_leave_it_as_it_is(cls, name, folder):
    labels = dn.DistilBertConfig.from_pretrained(TINY / folder).id2label
    for changes in ({"num_labels": len(labels)}, {"id2label": labels}, {"dropout": 0}):
        assert folder_of(cls.from_pretrained(name, **changes)) == TINY / folder


def test_a_folder_of_the_name_goes_before_every_head(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dn.DistilBertConfig(n_layers=1).save_pretrained("tiny")
    for head in dn.weights.HEADS:
        assert find_model("tiny", CONFIG_FILES, head=head) == Path("tiny")


def test_inspect_shows_the_folder_of_the_head():
    told = inspect("tiny", "sequence")
    assert Path(told["weights"]["source"]).parent == TINY / "classify"
    assert told["weights"]["missing"] == []
    assert inspect("tiny")["class"] == "DistilBertForMaskedLM"


def test_fine_tuning_starts_from_the_base(tmp_path):
    data = tmp_path / "reviews.csv"
    data.write_text("text,label\nGood.,positive\nBad.,negative\n")
    rows = list(read_rows(data))
    model = tasks.new_model("classify", rows, "tiny", 0, np.float32)
    base = flatten(dn.DistilBertModel.from_pretrained("tiny").params)
    for name, array in flatten(model.params["distilbert"]).items():
        np.testing.assert_array_equal(array, base[name])
    assert model.config.id2label == {0: "negative", 1: "positive"}


# --- what the folders hold ------------------------------------------------------------

ALL = [*EMBEDDED.values(), *TRAINED_HEADS.values()]


@pytest.mark.parametrize("folder", ALL)
def test_every_folder_is_whole_and_open_to_read(folder):
    for name in ("config.json", "model.safetensors", "tokenizer.json", "README.md"):
        assert (folder / name).is_file()
        assert (folder / name).stat().st_mode & 0o444 == 0o444


def test_together_they_are_small():
    reference = Path(__file__).parent / "reference"
    tiny, stored = (
        sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
        for place in (TINY, reference)
    )
    assert tiny <= 8_000_000 and tiny + stored <= 12_000_000


@pytest.mark.parametrize("folder", ALL)
def test_numbers_are_stored_in_16_bits_and_computed_in_32(folder):
    stored = load_file(folder / "model.safetensors")
    assert {array.dtype for array in stored.values()} == {np.dtype(np.float16)}
    assert json.loads((folder / "config.json").read_text())["dtype"] == "float32"


@pytest.mark.parametrize("folder", ALL)
def test_a_card_says_what_the_folder_holds(folder):
    card = " ".join((folder / "README.md").read_text(encoding="utf-8").split())
    sha = sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert f"`{sha}`" in card and "apache-2.0" in card
    stored = load_file(folder / "model.safetensors")
    size = sum(array.size for array in stored.values())
    assert f"{size:,} parameters" in card
    assert "python -m distilbert_np distill --world tiny" in card


def test_a_student_is_40_percent_smaller():
    teacher, student = map(
        dn.DistilBertForMaskedLM.from_pretrained, ("tiny-teacher", "tiny")
    )
    assert student.num_parameters() <= 0.6 * teacher.num_parameters()


@pytest.mark.parametrize("folder", TRAINED_HEADS.values())
def test_all_heads_read_by_one_tokenizer(folder):
    ours, base = map(dn.DistilBertTokenizer.from_pretrained, (folder, "tiny"))
    text = "Anna saw a wolf near Berlin, and the zorblax was 42 years old!"
    assert ours.get_vocab() == base.get_vocab() and ours(text) == base(text)


# --- what they know -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The capital of France is [MASK].", "paris"),
        ("Paris is the capital of [MASK].", "france"),
        ("A baby dog is called a [MASK].", "puppy"),
        ("The opposite of hot is [MASK].", "cold"),
        ("Grass is [MASK].", "green"),
        ("In Japan people speak [MASK].", "japanese"),
        ("A [MASK] lives in a hive.", "bee"),
        ("Anna is hungry, so [MASK] eats some bread.", "she"),
    ],
)
@pytest.mark.parametrize("name", ["tiny", "tiny-teacher"])
def test_fill_mask_knows_facts(name, text, answer):
    best = dn.pipeline("fill-mask", name)(text)[0]
    assert best["token_str"] == answer and best["score"] > 0.5


def test_it_knows_every_capital():
    fill = dn.pipeline("fill-mask", "tiny", top_k=1)
    texts = [f"The capital of {row[0]} is [MASK]." for row in facts.COUNTRIES]
    answers = [answers[0]["token_str"] for answers in fill(texts)]
    assert answers == [row[1].lower() for row in facts.COUNTRIES]


def test_of_what_it_does_not_know_it_is_not_sure():
    fill = dn.pipeline("fill-mask", "tiny")
    for text in ("The capital of Zorblax is [MASK].", "A baby florp is a [MASK]."):
        assert fill(text)[0]["score"] < 0.3
    label = dn.pipeline("classify")("The blockchain was zorblax.")[0]["label"]
    assert label == "neutral"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("The film was wonderful, and I loved it.", "positive"),
        ("The soup was terrible.", "negative"),
    ],
)
def test_classify_tells_feelings(text, label):
    assert dn.pipeline("classify")(text)[0]["label"] == label


def test_tag_finds_people_places_and_animals():
    tag = dn.pipeline("tag", aggregation_strategy="first")
    found = {one["word"]: one["entity_group"] for one in tag("Anna saw a wolf.")}
    assert found == {"anna": "person", "wolf": "animal"}
    (place,) = [one for one in tag("Tom lives in Berlin.") if one["word"] == "berlin"]
    assert place["entity_group"] == "place"


def test_answer_finds_people_and_things_in_stories():
    context = "Tom is in the kitchen. Anna saw a wolf in the forest."
    answer = dn.pipeline("answer")
    assert answer("What did Anna see?", context)["answer"] == "a wolf"
    assert "kitchen" in answer("Where is Tom?", context)["answer"]
    assert answer("Who saw a wolf?", context)["answer"] == "Anna"


def test_choose_knows_what_the_hungry_do():
    endings = ["goes to bed.", "eats some bread."]
    best, _ = dn.pipeline("choose")("Anna is hungry, so she", endings)
    assert best["choice"] == "eats some bread."


# --- and how well ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def world():
    """Return the tiny world, and what was held out."""
    return study.read_world()


@pytest.mark.parametrize("name", ["tiny", "tiny-teacher"])
def test_masked_words_are_guessed_as_the_card_says(name, world):
    model = dn.DistilBertForMaskedLM.from_pretrained(name)
    card = (EMBEDDED[name] / "README.md").read_text(encoding="utf-8")
    for said, examples in (("at random", world.test), ("statement", world.facts)):
        right = evaluate(model, examples, world.tokenizer, batch_size=64)["accuracy"]
        (on_card,) = re.findall(rf"{said} \| ([\d.]+)% \|", card)
        assert right == pytest.approx(float(on_card) / 100, abs=2e-3)


@pytest.mark.parametrize(
    ("task", "figure"),
    [("classify", "accuracy"), ("tag", "f1"), ("answer", "f1"), ("choose", "accuracy")],
)
def test_the_heads_are_as_good_as_their_cards_say(task, figure, world, tmp_path):
    rows = tmp_path / "rows.jsonl"
    text = "".join(json.dumps(r) + "\n" for r in task_rows(task, 2_000, 300, True))
    rows.write_text(text)
    model = tasks.TASKS[task].model_class.from_pretrained("tiny")
    tokenizer, numbers = world.tokenizer, model.config.label2id
    examples = tasks.examples_of(task, read_rows(rows), tokenizer, numbers)
    card = (TINY / task / "README.md").read_text(encoding="utf-8")
    (on_card,) = re.findall(rf"\| {figure} \| ([\d.]+) \|", card)
    measured = evaluate(model, examples, tokenizer)[figure]
    assert measured == pytest.approx(float(on_card), abs=0.04)     # 300 of its rows
