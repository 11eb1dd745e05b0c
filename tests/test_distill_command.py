"""The command distill, and the function behind it: a teacher and texts → a student."""

import json
from dataclasses import replace

import numpy as np
import pytest
from test_train_command import FLAGS

from distilbert_np import (
    DistilBertForMaskedLM,
    DistilBertForSequenceClassification,
    DistilBertTokenizer,
)
from distilbert_np.__main__ import main
from distilbert_np.training import distill as distillation
from distilbert_np.training import tiny_world
from distilbert_np.training.distill import RECIPE, distill
from distilbert_np.trees import flatten

WEIGHTS = {"kl": 1.0, "mlm": 0.5, "cos": 0.0, "temperature": 4.0}


@pytest.fixture
def data(tmp_path):
    """Return a file of 40 texts."""
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(tiny_world.sentences(3, 40)))
    return path


def command(data, out, *more):
    return ["distill", "--teacher", "tiny", "--data", str(data), "--out", str(out),
            *more]


# --- what it prints -------------------------------------------------------------------


def test_what_is_told_line_by_line(tmp_path, data, capsys):
    assert main(command(data, tmp_path / "out", "--epochs", "2")) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[:3] == [
        "teacher: tiny, 541,804 parameters",
        "student: 429,964 parameters, layers 0, 2 of 3",
        f"{data}: 32 examples, 8 held out",
    ]
    assert lines[4].split() == ["epoch", "accuracy", "loss"]
    assert [line.split()[0] for line in lines[5:7]] == ["1", "2"]
    assert lines[8].startswith("right of what is held out: teacher ")
    assert lines[10].startswith("The model of epoch ")
    assert lines[10].endswith(f" is in {tmp_path / 'out'}")


def test_json_is_what_distill_returns(tmp_path, data, capsys):
    assert main(command(data, tmp_path / "a", "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    expected = distill("tiny", data, tmp_path / "b", progress=False)
    assert found == expected | {"folder": str(tmp_path / "a")}
    assert found["layers"] == [0, 2] and found["teacher"] == "tiny"
    assert found["accuracy"]["student"] == found["best"]["accuracy"]


def test_without_texts_held_out_nothing_is_compared(tmp_path, data, capsys):
    flags = ("--held-out=0", "--epochs=1")
    assert main(command(data, tmp_path / "out", *flags)) == 0
    out = capsys.readouterr().out
    assert "40 examples, 0 held out" in out and "right" not in out
    assert out.splitlines()[-1].startswith("The model of the last epoch is in ")


def test_both_models_are_asked_for_the_same_words(tmp_path, data):
    # A student with all of the layers that never moved is its teacher.
    report = distill(
        "tiny", data, tmp_path, replace(RECIPE, lr=0.0, epochs=1), n_layers=3,
        progress=False,
    )
    assert report["accuracy"]["student"] == report["accuracy"]["teacher"] > 0.5


def test_the_student_in_the_folder_is_the_best_one(tmp_path, data):
    report = distill("tiny", data, tmp_path / "out", held_out=data, progress=False)
    student = DistilBertForMaskedLM.from_pretrained(tmp_path / "out")
    assert student.config.n_layers == 2
    assert student.num_parameters() == report["student_parameters"]
    ask = ["fill-mask", "Paris is [MASK].", "--model", str(tmp_path / "out")]
    assert main(ask) == 0


def test_words_are_masked_as_the_authors_did(tmp_path, data, monkeypatch):
    given = {}

    def spy(*arguments, learn=distillation.learn, **options):
        given.update(options)
        return learn(*arguments, **options)

    monkeypatch.setattr(distillation, "learn", spy)
    distill("tiny", data, tmp_path / "out", progress=False)
    weights = given["mask_weights"]
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")
    assert not weights[tokenizer.all_special_ids].any()
    assert weights[tokenizer.convert_tokens_to_ids(".")] < 0.15      # in most texts
    assert weights.max() == 1 and np.count_nonzero(weights) == 1900 - 5


def test_a_student_may_teach_another(tmp_path, data):
    first = distill("tiny", data, tmp_path / "first", progress=False)
    report = distill(tmp_path / "first", data, tmp_path / "second", progress=False)
    assert report["teacher"] == first["folder"] and report["layers"] == [0]


# --- flags ----------------------------------------------------------------------------


def spied(monkeypatch):
    """Let distill write down how it is called; return the list."""
    calls = []

    def spy(*arguments, **options):
        calls.append((arguments, options))
        return distill(*arguments, **options)

    monkeypatch.setattr(distillation, "distill", spy)
    return calls


def test_every_flag_reaches_the_run(tmp_path, data, monkeypatch, capsys):
    calls = spied(monkeypatch)
    numbers = (FLAGS | WEIGHTS).items()
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in numbers] + [
        "--max-length=6", "--save-every=4", "--dtype=float64", f"--held-out={data}",
        "--layers=1",
    ]
    assert main(command(data, tmp_path / "out", *flags)) == 0
    ((arguments, options),) = calls
    assert options.pop("say")
    assert arguments == (
        "tiny", str(data), str(tmp_path / "out"), replace(RECIPE, **FLAGS)
    )
    assert options == WEIGHTS | {
        "n_layers": 1, "held_out": str(data), "max_length": 6, "save_every": 4,
        "dtype": "float64", "progress": False,
    }


def test_a_command_without_flags_is_the_authors_recipe(
    tmp_path, data, monkeypatch, capsys
):
    calls = spied(monkeypatch)
    assert main(command(data, tmp_path / "out")) == 0
    ((arguments, options),) = calls
    assert arguments[3] == RECIPE and options["n_layers"] is None
    for name, field in distillation.Distillation.__dataclass_fields__.items():
        if name != "teacher":
            assert options[name] == field.default, name
    numbers = (RECIPE.lr, RECIPE.warmup, RECIPE.weight_decay, RECIPE.max_grad_norm)
    assert numbers == (5e-4, 0.05, 0.0, 5.0)
    assert RECIPE.options == {"betas": (0.9, 0.98), "eps": 1e-6}


def test_help_tells_all_that_there_is(capsys):
    with pytest.raises(SystemExit):
        main(["distill", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for name in ("teacher", "data", "out", "layers", "dtype", "held_out", "json",
                 "max_length", "save_every", *FLAGS, *WEIGHTS):
        assert f"--{name.replace('_', '-')}" in text, name


# --- mistakes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--data", "nowhere.txt"], ["nowhere.txt"]),
        (["--teacher", "./nowhere"], ["./nowhere"]),
        (["--layers", "4"], ["n_layers", "the teacher's 3", "4"]),
        (["--layers", "0"], ["n_layers", "0"]),
        (["--kl", "-1"], ["kl", "-1"]),
        (["--temperature", "0"], ["temperature", "0"]),
        (["--kl=0", "--mlm=0", "--cos=0"], ["kl, mlm, cos"]),
        (["--epochs", "0"], ["epochs", "0"]),
        (["--held-out", "1"], ["held_out", "1"]),
        (["--lr", "1e30", "--warmup", "0"], ["step 2", "not finite"]),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_and_status_2(
    tmp_path, data, capsys, monkeypatch, change, words
):
    monkeypatch.chdir(tmp_path)
    assert main(command(data, "out", *change)) == 2
    out, err = capsys.readouterr()
    assert "epoch" not in out and err.startswith("distill: ") and err.count("\n") == 1
    assert all(word in err for word in words), err


@pytest.mark.parametrize("absent", ["--teacher", "--data"])
def test_what_must_be_given_is_named(tmp_path, data, capsys, absent):
    given = command(data, tmp_path / "out")
    place = given.index(absent)
    assert main(given[:place] + given[place + 2 :]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and err.startswith(f"distill: {absent}: expected ")
    assert not (tmp_path / "out").exists()


def test_a_teacher_that_knows_nothing_is_refused(tmp_path, data, capsys):
    config = DistilBertForMaskedLM.from_pretrained("tiny").config
    folder = tmp_path / "classifier"
    DistilBertForSequenceClassification(config).save_pretrained(folder)
    DistilBertTokenizer.from_pretrained("tiny").save_pretrained(folder)
    assert main(command(data, tmp_path / "out", "--teacher", str(folder))) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "vocab_" in err and str(folder) in err


def test_another_teacher_in_the_same_folder_is_refused(tmp_path, data, capsys):
    distill("tiny", data, tmp_path / "out", progress=False)
    model = DistilBertForMaskedLM.from_pretrained("tiny")
    flatten(model.params)["vocab_projector.bias"][7] += 1
    model.save_pretrained(tmp_path / "other")
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")
    tokenizer.save_pretrained(tmp_path / "other")
    teacher = str(tmp_path / "other")
    assert main(command(data, tmp_path / "out", "--teacher", teacher)) == 2
    assert "of another run: teacher was" in capsys.readouterr().err
