"""The command train, as a user types it, misspells it and stops it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import distilbert_np
from distilbert_np import DistilBertForSequenceClassification, __main__, training
from distilbert_np.__main__ import main
from distilbert_np.training import Recipe, fine_tune, tiny_world

ROOT = Path(distilbert_np.__file__).parents[1]


@pytest.fixture
def data(tmp_path):
    """Return a file of 24 labelled texts."""
    rows = [f"The {animal} is here.,{label}\n" for _ in range(6)
            for animal, label in (("cat", "pet"), ("dog", "pet"), ("owl", "bird"),
                                  ("hen", "bird"))]
    path = tmp_path / "data.csv"
    path.write_text("text,label\n" + "".join(rows))
    return path


def command(task, data, out, *more):
    return ["train", "--task", task, "--data", str(data), "--out", str(out), *more]


# --- what it prints -------------------------------------------------------------------


def test_the_table_of_the_epochs(tmp_path, data, capsys):
    assert main(command("classify", data, tmp_path / "out", "--epochs", "2")) == 0
    out, err = capsys.readouterr()
    assert err == ""                             # no bar where nobody looks
    lines = out.splitlines()
    assert lines[0] == "classify, from tiny: 19 examples, 5 held out"
    assert lines[1] == "labels: bird, pet"
    assert lines[3].split() == ["epoch", "accuracy", "f1", "loss"]
    assert [line.split()[0] for line in lines[4:6]] == ["1", "2"]
    assert len({len(line) for line in lines[3:6]}) == 1
    assert lines[-1].startswith("The model of epoch ")
    assert lines[-1].endswith(f" is in {tmp_path / 'out'}")


def test_json_is_what_fine_tune_returns(tmp_path, data, capsys):
    assert main(command("classify", data, tmp_path / "a", "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    expected = fine_tune("classify", data, tmp_path / "b", progress=False)
    assert found == expected | {"folder": str(tmp_path / "a")}


def test_where_nothing_is_held_out_it_says_which_model_is_written(
    tmp_path, data, capsys
):
    out = tmp_path / "out"
    assert main(command("classify", data, out, "--held-out", "0")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "24 examples, 0 held out" in lines[0]
    assert lines[-1] == f"The model of the last epoch is in {out}"


def test_what_is_cut_off_is_told(tmp_path, capsys):
    rows = [{"question": "Where is Anna?", "context": context, "answer": "Paris"}
            for context in ["Anna is in Paris."] * 9 + ["cat " * 200 + "Paris"]]
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    assert main(command("answer", path, tmp_path / "out", "--epochs", "1")) == 0
    assert "1 rows left out" in capsys.readouterr().out


# --- flags ----------------------------------------------------------------------------

FLAGS = {
    "epochs": 2, "batch_size": 5, "accumulate": 3, "lr": 0.01, "warmup": 0.5,
    "weight_decay": 0.2, "max_grad_norm": 3.0, "seed": 7,
}


def spied(monkeypatch):
    """Let fine_tune write down how it is called; return the list."""
    calls = []

    def spy(*arguments, **options):
        calls.append((arguments, options))
        return fine_tune(*arguments, **options)

    monkeypatch.setattr(training, "fine_tune", spy)
    return calls


def test_every_flag_reaches_the_run(tmp_path, data, monkeypatch, capsys):
    calls = spied(monkeypatch)
    flags = [
        f"--{name.replace('_', '-')}={value}" for name, value in FLAGS.items()
    ] + ["--max-length=6", "--save-every=4", "--dtype=float64", f"--held-out={data}",
         "--model=tiny"]
    assert main(command("classify", data, tmp_path / "out", *flags)) == 0
    ((arguments, options),) = calls
    assert options.pop("say")
    assert arguments == (
        "classify", str(data), str(tmp_path / "out"), "tiny", Recipe(**FLAGS)
    )
    assert options == {
        "held_out": str(data), "max_length": 6, "save_every": 4, "dtype": "float64",
        "progress": False,
    }


def test_a_command_without_flags_is_the_recipe_s_own(
    tmp_path, data, monkeypatch, capsys
):
    calls = spied(monkeypatch)
    assert main(command("classify", data, tmp_path / "out")) == 0
    ((arguments, options),) = calls
    assert arguments[3:] == ("tiny", Recipe()) and options["held_out"] == 0.2
    assert options["max_length"] is None and options["save_every"] is None


def test_help_tells_all_that_there_is(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["train", "--help"])
    text = capsys.readouterr().out
    assert caught.value.code == 0
    columns = ("text", "label", "text_pair", "tokens", "tags", "question", "context",
               "answer", "start", "choices")
    options = ("--task", "--data", "--out", "--model", "--held-out", "--max-length",
               "--save-every", "--json", *(f"--{n.replace('_', '-')}" for n in FLAGS))
    for word in (*columns, *options, *training.tasks.TASKS):
        assert word in text, word
    defaults = Recipe()
    for name in FLAGS:
        assert f"(default: {getattr(defaults, name)})" in " ".join(text.split())


def test_the_command_knows_the_tasks():
    parser = __main__.make_parser()
    for task in training.tasks.TASKS:
        assert parser.parse_args(command(task, "d.csv", "out")).task == task


# --- mistakes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        ["--task", "sing"], ["--epochs", "many"], ["--lr", "fast"], ["--epoch=s"],
        ["--dtype", "float16"], ["--lr"], ["more"],
    ],
)
def test_bad_usage_is_one_line_and_status_2(tmp_path, data, capsys, change):
    with pytest.raises(SystemExit) as caught:
        main(command("classify", data, tmp_path / "out", *change))
    out, err = capsys.readouterr()
    assert caught.value.code == 2 and out == "" and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("absent", ["--task", "--data", "--out"])
def test_what_must_be_given_is_named(tmp_path, data, capsys, absent):
    given = command("classify", data, tmp_path / "out")
    place = given.index(absent)
    with pytest.raises(SystemExit):
        main(given[:place] + given[place + 2 :])
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and absent in err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--data", "nowhere.csv"], ["nowhere.csv"]),
        (["--held-out", "nowhere.csv"], ["nowhere.csv"]),
        (["--held-out", "1"], ["held_out", "1"]),
        (["--held-out", "nan"], ["held_out", "nan"]),
        (["--model", "./nowhere"], ["./nowhere"]),
        (["--epochs", "0"], ["epochs", "0"]),
        (["--lr", "-1"], ["lr", "-1"]),
        (["--lr", "nan"], ["lr", "nan"]),
        (["--lr", "inf"], ["lr", "inf"]),
        (["--max-length", "1"], ["max_length", "1"]),
        (["--save-every", "-1"], ["save_every", "-1"]),
        (["--task", "tag"], ["data.csv, line 2", "t"]),
        (["--task", "choose"], ["data.csv, line 2", "choices"]),
        (["--out", "FILE"], ["FILE"]),
        (["--lr", "1e30", "--warmup", "0"], ["step 2", "not finite"]),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_and_status_2(
    tmp_path, data, capsys, monkeypatch, change, words
):
    monkeypatch.chdir(tmp_path)
    Path("FILE").write_text("a file")
    assert main(command("classify", data, "out", *change)) == 2
    out, err = capsys.readouterr()
    assert "epoch" not in out and err.startswith("train: ") and err.count("\n") == 1
    assert all(word in err for word in words), err


def test_other_settings_in_the_same_folder_are_refused(tmp_path, data, capsys):
    assert main(command("classify", data, tmp_path / "out", "--epochs", "1")) == 0
    capsys.readouterr()
    assert main(command("classify", data, tmp_path / "out", "--epochs", "2")) == 2
    out, err = capsys.readouterr()
    assert "epoch" not in out and err.count("\n") == 1
    assert "epochs was 1, and is 2" in err and str(tmp_path / "out") in err


# --- stopped --------------------------------------------------------------------------


def start(data, out):
    """Start a long run in a process of its own; return once it wrote a checkpoint."""
    before = set(out.glob("training-checkpoint-*"))
    process = subprocess.Popen(
        [sys.executable, "-m", "distilbert_np",
         *command("classify", data, out, *LONG)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    end = time.monotonic() + 60
    while set(out.glob("training-checkpoint-*")) <= before and time.monotonic() < end:
        time.sleep(0.005)
    return process


LONG = ("--epochs=6", "--batch-size=2", "--save-every=5", "--json")


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_stopped_and_killed_the_same_command_goes_on(tmp_path, data, capsys):
    out = tmp_path / "out"
    process = start(data, out)
    process.send_signal(signal.SIGINT)
    assert process.communicate() == ("", "")
    assert process.returncode == 130
    assert len(list(out.glob("training-checkpoint-*"))) >= 1

    process = start(data, out)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL

    assert main(command("classify", data, out, *LONG)) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(command("classify", data, tmp_path / "undisturbed", *LONG)) == 0
    expected = json.loads(capsys.readouterr().out)
    assert found.pop("resumed_at") > expected.pop("resumed_at") == 0
    assert found == expected | {"folder": str(out)}
    weights = [(folder / "model.safetensors").read_bytes()
               for folder in (out, tmp_path / "undisturbed")]
    assert weights[0] == weights[1]
    assert len(list(out.glob("training-checkpoint-*"))) == 1
    assert not list(out.glob(".*"))


# --- what is written ------------------------------------------------------------------


def test_fill_mask_opens_what_masked_lm_wrote(tmp_path, capsys):
    path, out = tmp_path / "data.jsonl", tmp_path / "out"
    path.write_text("".join(
        json.dumps({"text": text}) + "\n" for text in tiny_world.sentences(9, 16)
    ))
    assert main(command("masked-lm", path, out, "--epochs=1")) == 0
    capsys.readouterr()
    question = "The capital of France is [MASK]."
    assert main(["fill-mask", question, "--model", str(out), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["masks"][0][0]["token_str"] == "paris"     # it has not forgotten


def test_a_command_trains_on_what_a_command_wrote(tmp_path, data, capsys):
    model, reports = "tiny", []
    for out in (tmp_path / "first", tmp_path / "second"):
        flags = ("--model", model, "--held-out", data, "--lr=2e-3", "--json")
        assert main(command("classify", data, out, *map(str, flags))) == 0
        reports.append(json.loads(capsys.readouterr().out))
        model = out
    losses = [report["best"]["loss"] for report in reports]
    assert losses[1] < losses[0]
    trained = DistilBertForSequenceClassification.from_pretrained(model)
    assert trained.config.label2id == {"bird": 0, "pet": 1}
