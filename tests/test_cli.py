"""The command line, as a user types it."""

import json
import os
import subprocess
import sys

import pytest

from distilbert_np import (
    DistilBertError,
    DistilBertForMaskedLM,
    DistilBertModel,
    DistilBertTokenizer,
    pipeline,
)
from distilbert_np.__main__ import main

FRANCE = "The capital of France is [MASK]."


def test_the_first_command_answers_paris(capsys):
    assert main(["fill-mask", FRANCE]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == FRANCE
    word, percent = lines[2].split()
    assert word == "paris" and float(percent.rstrip("%")) > 50
    assert "model: tiny" in out and "--model distilbert-base-uncased" in out


def test_json_is_for_machines(capsys):
    assert main(["fill-mask", FRANCE, "--json", "--top-k", "2"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["model"] == "tiny"
    (mask,) = answer["masks"]
    assert len(mask) == 2 and mask[0]["token_str"] == "paris"
    assert mask[0]["sequence"] == "the capital of france is paris."
    assert mask[0]["score"] > mask[1]["score"]


def test_two_masks_get_two_tables(capsys):
    text = "[MASK] is the capital of [MASK]."
    assert main(["fill-mask", text, "--top-k=1", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["masks"]
    assert first[0]["sequence"].startswith(f"[CLS] {first[0]['token_str']} is the")
    assert second[0]["sequence"].startswith("[CLS] [MASK] is the capital")
    assert second[0]["sequence"].endswith(f"{second[0]['token_str']}. [SEP]")
    assert main(["fill-mask", text, "--top-k=1"]) == 0
    assert capsys.readouterr().out.count("%") == 2


def test_float64_says_the_same(capsys):
    scores = []
    for dtype in ("float32", "float64"):
        main(["fill-mask", FRANCE, "--json", "--dtype", dtype])
        scores.append(json.loads(capsys.readouterr().out)["masks"][0][0]["score"])
    assert scores[0] == pytest.approx(scores[1], rel=1e-5) and scores[0] != scores[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fill-mask", "No gap here."], ["[MASK]", "No gap here."]),
        (["fill-mask", "[MASK]", "--top-k", "0"], ["top_k", "0"]),
        (["fill-mask"], ["nothing to read", "--file", "--help"]),
        (["fill-mask", "[MASK] " * 200], ["202 tokens", "128 positions"]),
    ],
)
def test_bad_input_is_one_line_and_status_2(capsys, arguments, words):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert all(word in err for word in words)


@pytest.mark.parametrize(
    "arguments", [[], ["fill"], ["fill-mask", "x", "--topk", "3"]]
)
def test_bad_usage_is_one_line_and_status_2(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    out, err = capsys.readouterr()
    assert caught.value.code == 2 and out == "" and err.count("\n") == 1
    assert "--help" in err


def test_a_model_that_cannot_be_had_says_how_to_go_on(tmp_path):
    # Port 9 of this machine: nobody listens, so the network is as good as pulled.
    surroundings = os.environ | {
        "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path),
    }
    command = [sys.executable, "-m", "distilbert_np", "fill-mask", "[MASK]"]
    run = subprocess.run(
        [*command, "--model", "distilbert-base-uncased"],
        capture_output=True, text=True, env=surroundings,
    )
    assert run.returncode == 2 and run.stdout == ""
    assert "Traceback" not in run.stderr
    last = run.stderr.splitlines()[-1]
    assert "distilbert-base-uncased" in last and "model.safetensors" in last


def test_help_shows_an_example(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["fill-mask", "--help"])
    assert caught.value.code == 0
    assert f'fill-mask "{FRANCE}"' in capsys.readouterr().out


def test_a_folder_of_the_embedded_model_s_name_is_not_taken_for_it(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    model = DistilBertForMaskedLM.from_pretrained("tiny")
    DistilBertTokenizer.from_pretrained("tiny").save_pretrained("tiny")
    model.save_pretrained("tiny")
    assert main(["fill-mask", FRANCE]) == 0
    assert "tiny world" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("answer-everything",), "task"),
        (("fill-mask", DistilBertModel), "model"),
        (("fill-mask", None), "model"),
    ],
)
def test_a_pipeline_of_something_else(arguments, word):
    with pytest.raises(DistilBertError, match=f"^{word}: expected"):
        pipeline(*arguments)


def test_a_pipeline_of_what_is_already_loaded():
    model = DistilBertForMaskedLM.from_pretrained("tiny")
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")
    fill = pipeline("fill-mask", model, tokenizer)
    assert fill.model is model and fill(FRANCE)[0]["token_str"] == "paris"
    with pytest.raises(DistilBertError, match=r"^tokenizer: a loaded model"):
        pipeline("fill-mask", model)
