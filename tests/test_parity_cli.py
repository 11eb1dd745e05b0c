"""The verbs trace and compare, as a porter types them."""

import json
import os
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from distilbert_np.__main__ import main
from distilbert_np.functions import gelu_new
from distilbert_np.parity.tracing import labels_of
from distilbert_np.trace import HEADS

TEXTS = ["The capital of France is [MASK].", "Hello."]
ACTIVATION = "transformer.layer.1.ffn.activation"


def run(capsys, *arguments):
    """Return the status of a command, and what it prints on its two outputs."""
    status = main([*map(str, arguments)])
    return (status or 0, *capsys.readouterr())


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Return a folder with a trace, and the gradients, of the embedded model."""
    folder = tmp_path_factory.mktemp("reference") / "trace"
    assert main(["trace", *TEXTS, "--grad", "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def mine(reference, tmp_path):
    """Return a file of a port whose GELU in one layer is the tanh approximation."""
    arrays = {
        name: array.astype(np.float32)
        for name, array in load_file(reference / "trace.safetensors").items()
        if not name.startswith("inputs.")
    }
    arrays[ACTIVATION] = gelu_new(arrays["transformer.layer.1.ffn.lin1"])
    path = tmp_path / "mine.safetensors"
    save_file(arrays, path)
    return path


# --- trace ----------------------------------------------------------------------------


def test_trace_says_what_it_wrote(capsys, tmp_path):
    status, out, err = run(capsys, "trace", *TEXTS, "--out", tmp_path / "ref")
    assert (status, err) == (0, "")
    n = len(load_file(tmp_path / "ref" / "trace.safetensors"))
    assert f"tiny (masked_lm), 2 texts of 9 tokens, float64: {n} arrays" in out
    assert "trace.safetensors" in out and "manifest.json" in out
    status, out, _ = run(
        capsys, "trace", TEXTS[1], "--out", tmp_path / "one", "--json",
        "--dtype=float32", "--only", "head.logits",
    )
    told = json.loads(out)
    assert (told["batch"], told["dtype"], told["arrays"]) == (1, "float32", 4)


@pytest.mark.parametrize("head", HEADS)
def test_a_trace_of_a_trace_s_inputs_is_that_trace(capsys, tmp_path, head):
    first, again = tmp_path / "first", tmp_path / "again"
    options = ("--head", head, "--grad", "--out")
    assert run(capsys, "trace", *TEXTS, *options, first)[0] == 0
    given = first / "trace.safetensors"
    assert run(capsys, "trace", "--inputs", given, *options, again)[0] == 0
    arrays = load_file(given)
    assert any(name.startswith("gradients.") for name in arrays)
    for name in ("trace.safetensors", "manifest.json"):
        assert (again / name).read_bytes() == (first / name).read_bytes()


def test_a_teacher_adds_the_losses_of_distillation(capsys, tmp_path):
    first, again = tmp_path / "first", tmp_path / "again"
    options = ("--teacher", "tiny-teacher", "--out")
    assert run(capsys, "trace", TEXTS[0], *options, first)[0] == 0
    arrays = load_file(first / "trace.safetensors")
    losses = [arrays[f"distillation.{name}"] for name in ("kl", "mlm", "cos")]
    assert arrays["loss"] == pytest.approx(5 * losses[0] + 2 * losses[1] + losses[2])
    given = first / "trace.safetensors"
    assert run(capsys, "trace", "--inputs", given, *options, again)[0] == 0
    assert (again / "trace.safetensors").read_bytes() == given.read_bytes()
    assert run(capsys, "compare", first, again)[0] == 0


@pytest.mark.parametrize("ending", ["json", "npz", "folder"])
def test_the_inputs_may_be_in_any_file(capsys, tmp_path, ending):
    given = {"input_ids": [[2, 7, 3]], "attention_mask": [[1, 1, 0]]}
    path = tmp_path / f"inputs.{ending}"
    if ending == "json":
        path.write_text(json.dumps(given))
    elif ending == "npz":
        np.savez(path, **given)
    else:
        path.mkdir()
        for name, array in given.items():
            np.save(path / f"{name}.npy", array)
    assert run(capsys, "trace", "--inputs", path, "--out", tmp_path / "ref")[0] == 0
    arrays = load_file(tmp_path / "ref" / "trace.safetensors")
    for name, array in given.items():
        np.testing.assert_array_equal(arrays[f"inputs.{name}"], array)


def test_labels_are_made_up_for_vectors_too(capsys, tmp_path):
    path = tmp_path / "inputs.npz"
    vectors = np.random.RandomState(0).standard_normal((1, 3, 96))
    np.savez(path, inputs_embeds=vectors)
    for head in ("masked_lm", "base", "token"):
        status, *_ = run(
            capsys, "trace", "--inputs", path, "--grad", "--head", head,
            "--out", tmp_path / head,
        )
        assert status == 0, head
        arrays = load_file(tmp_path / head / "trace.safetensors")
        assert f"inputs.{labels_of(head)[0]}" in arrays


BAD_INPUTS = {
    "an unknown name": ({"input_ids": [[1]], "ids": 1}, (), "found ids, expected some"),
    "an id out of range": ({"input_ids": [[1, 2000]]}, (), "input_ids: found 2000"),
    "ragged ids": ({"input_ids": [[1, 2], [3]]}, ("--grad",), "input_ids: "),
    "a word": ({"input_ids": "abc"}, ("--grad",), "input_ids: "),
    "nothing": ({}, ("--grad",), "input_ids"),
    "no batch": ({"input_ids": [1, 2]}, ("--grad",), "input_ids: has shape (2,)"),
    "no token": ({"input_ids": [[]]}, ("--grad",), "input_ids: has shape (1, 0)"),
    "a short mask": (
        {"input_ids": [[1, 2]], "attention_mask": [[1]]}, (), "attention_mask: "
    ),
    "short labels": (
        {"input_ids": [[1, 2]], "labels": [[1]]}, (), "labels: has shape (1, 1)"
    ),
    "another head's labels": (
        {"input_ids": [[1, 2]], "start_positions": [1]}, (),
        "start_positions: found some, of which the head masked_lm takes none",
    ),
    "labels without a head": (
        {"input_ids": [[1, 2]], "labels": [[1, 2]]}, ("--head=base",), "labels: found"
    ),
    "half of an answer": (
        {"input_ids": [[1, 2]], "start_positions": [1]},
        ("--head=question_answering", "--grad"), "end_positions: ",
    ),
    "a gradient of another shape": (
        {"input_ids": [[1]], "last_hidden_state_gradient": [1]}, ("--head=base",),
        "last_hidden_state_gradient: has shape (1,), expected (1, 1, 96)",
    ),
    "a gradient of a word": (
        {"input_ids": [[1]], "last_hidden_state_gradient": [[["x"] * 96]]},
        ("--head=base", "--grad"), "last_hidden_state_gradient: expected numbers",
    ),
    "choices that cannot be parted": (
        {"inputs.input_ids": [[1, 2]], "inputs.n_choices": 0},
        ("--head=multiple_choice",), "inputs.input_ids: cannot be parted",
    ),
}


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_bad_inputs_are_one_line(capsys, tmp_path, name):
    given, options, words = BAD_INPUTS[name]
    path, ref = tmp_path / "inputs.json", tmp_path / "ref"
    path.write_text(json.dumps(given))
    if any(n.startswith("inputs.") for n in given):
        np.savez(path := tmp_path / "inputs.npz", **given)
    status, out, err = run(capsys, "trace", "--inputs", path, "--out", ref, *options)
    assert (status, out) == (2, "") and err.count("\n") == 1
    assert err.startswith("trace: ") and words in err
    assert not ref.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing to read"),
        (("--inputs", "nowhere.json"), "nowhere.json: there is no regular file"),
        (("--inputs", "nowhere.npz"), "nowhere.npz: there is no regular file"),
        (("x", "--inputs", "nowhere.json"), "--inputs: stands in the place of texts"),
        (("--file", "nowhere.csv"), "nowhere.csv: "),
        (("x", "--only", "logits"), "--only: no array has a name like 'logits'"),
        (("x", "--teacher", "tiny-teacher", "--head", "token"), "model: expected a"),
    ],
)
def test_a_trace_that_cannot_be_is_one_line(capsys, tmp_path, arguments, words):
    status, out, err = run(capsys, "trace", *arguments, "--out", tmp_path / "ref")
    assert (status, out) == (2, "") and err.count("\n") == 1
    assert err.startswith("trace: ") and words in err


def test_a_folder_that_is_a_file_is_one_line(capsys, tmp_path):
    (tmp_path / "ref").write_text("")
    status, _, err = run(capsys, "trace", "x", "--out", tmp_path / "ref")
    assert status == 2 and err.count("\n") == 1 and "cannot be made" in err


# --- compare --------------------------------------------------------------------------


def test_no_bug_is_status_0(capsys, reference):
    status, out, err = run(capsys, "compare", reference, reference)
    assert (status, err) == (0, "")
    assert "No bug" in out and "Not shown" not in out and "BUG" not in out
    status, out, _ = run(capsys, "compare", reference, reference, "--json")
    told = json.loads(out)
    assert status == 0 and told["match"] and told["first_divergent"] is None


def test_a_bug_is_status_1_and_named(capsys, reference, mine):
    status, out, err = run(capsys, "compare", reference, mine)
    assert (status, err) == (1, "")
    assert f"First divergent: {ACTIVATION}" in out
    assert "likely cause: gelu-tanh: GELU is the tanh approximation" in out
    (line,) = (line for line in out.splitlines() if line.startswith("  ffn.activation")
               and "BUG" in line)
    assert len(line.split()) == 7                # name, five numbers, BUG
    assert all(len(line) < 120 for line in out.splitlines())


def test_the_table_is_in_computing_order_and_keeps_its_columns(capsys, reference, mine):
    _, out, _ = run(capsys, "compare", reference, mine)
    table = out.split("\n\n")[0].splitlines()
    parts = [line for line in table[1:] if not line.startswith(" ")]
    assert parts[:2] == ["embeddings", "transformer.layer.0"]
    assert parts.index("head") < parts.index("gradients.head")
    rows = [line for line in table[1:] if line.startswith(" ")]
    width = len(table[0])
    assert all(line[width - 1] != " " for line in rows if len(line) >= width)
    assert len(rows) > 100


def test_json_tells_all_of_it(capsys, reference, mine):
    status, out, _ = run(capsys, "compare", reference, mine, "--json")
    told = json.loads(out, parse_constant=pytest.fail)
    assert status == 1 and not told["match"]
    assert told["first_divergent"] == ACTIVATION
    assert told["causes"]["gelu-tanh"] == [ACTIVATION]
    (row,) = (row for row in told["rows"] if row["name"] == ACTIVATION)
    assert row["state"] == "bug" and row["times"] > told["tolerance"] == 16
    assert row["findings"][0]["cause"] == "gelu-tanh"


def test_a_larger_tolerance_forgives_more(capsys, reference, mine):
    status, out, _ = run(capsys, "compare", reference, mine, "--tolerance", "1e9")
    assert status == 0
    assert "up to 1e+09 times counts as rounding" in " ".join(out.split())


def test_other_names_are_told_by_a_map(capsys, reference, tmp_path, mine):
    arrays = {
        name.replace("transformer.layer.", "block/"): array
        for name, array in load_file(mine).items()
    }
    save_file(arrays, mine)
    names = tmp_path / "names.json"
    names.write_text(json.dumps({
        "block/{i}.{name}": "transformer.layer.{i}.{name}",
        "gradients.block/{i}.{name}": "gradients.transformer.layer.{i}.{name}",
    }))
    status, out, _ = run(capsys, "compare", reference, mine, "--map", names)
    assert status == 1 and f"First divergent: {ACTIVATION}" in out
    assert "Not known" not in out


def test_a_reference_without_gradients_takes_none(capsys, tmp_path, reference):
    ref = tmp_path / "ref"
    for head in ("masked_lm", "base"):
        run(capsys, "trace", *TEXTS, "--out", ref, "--head", head)
        status, out, err = run(capsys, "compare", ref, reference)
        assert (status, err) == (0, ""), head
        assert "Not known here, so not compared:" in out and "gradients." in out


def test_positions_may_be_given_for_each_text(capsys, reference, tmp_path):
    ids = load_file(reference / "trace.safetensors")["inputs.position_ids"]
    np.savez(tmp_path / "mine.npz", **{"inputs.position_ids": np.repeat(ids, 2, 0)})
    assert run(capsys, "compare", reference, tmp_path / "mine.npz")[0] == 0
    np.savez(tmp_path / "mine.npz", **{"inputs.position_ids": np.repeat(ids, 2, 0) + 1})
    assert run(capsys, "compare", reference, tmp_path / "mine.npz")[0] == 1


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_errors_are_drawn(capsys, reference, mine, tmp_path, ending):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"errors.{ending}"
    assert run(capsys, "compare", reference, mine, "--plot", path)[0] == 1
    start = path.read_bytes()[:100]
    assert start.startswith(b"\x89PNG") if ending == "png" else b"<?xml" in start


def test_there_may_be_nothing_to_draw(capsys, reference, tmp_path):
    pytest.importorskip("matplotlib")
    ids = load_file(reference / "trace.safetensors")["inputs.input_ids"]
    np.savez(tmp_path / "mine.npz", **{"inputs.input_ids": ids})
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        status, out, err = run(
            capsys, "compare", reference, tmp_path / "mine.npz", "--plot",
            tmp_path / "errors.png",
        )
    assert status == 0 and "The inputs agree" in out
    assert err == "warning: --plot: nothing to draw: no array has an error\n"


BAD_COMPARISONS = {
    "no reference": (("nowhere", "{ref}"), "nowhere: not a trace"),
    "no port": (("{ref}", "nowhere"), "nowhere: there is no regular file"),
    "no port of arrays": (("{ref}", "nowhere.npz"), "nowhere.npz: there is no regular"),
    "not a trace": (("{tmp}", "{ref}"), "not a trace"),
    "not arrays": (("{ref}", "{ref}/manifest.json"), "not a safetensors file"),
    "no name of ours": (
        ("{ref}", "{tmp}/strange.npz"), "none of its names is one of the reference's"
    ),
    "a folder without arrays": (("{ref}", "{tmp}"), "nor any .npy file"),
    "another model": (("{ref}", "{ref}", "--model", "tiny-teacher"), "SHA-256"),
    "no map": (("{ref}", "{ref}", "--map", "nowhere"), "nowhere: "),
    "a picture of no kind": (("{ref}", "{ref}", "--plot", "x.gif"), ".png or .svg"),
}


def test_a_picture_that_cannot_be_written_does_not_keep_the_table(capsys, reference):
    pytest.importorskip("matplotlib")
    status, out, err = run(
        capsys, "compare", reference, reference, "--plot", "nowhere/x.png"
    )
    assert status == 2 and "No bug" in out
    assert err.count("\n") == 1 and "x.png: cannot be written" in err


@pytest.mark.parametrize("name", BAD_COMPARISONS)
def test_a_comparison_that_cannot_be_is_one_line(capsys, reference, tmp_path, name):
    arguments, words = BAD_COMPARISONS[name]
    np.savez(tmp_path / "strange.npz", x=np.ones(3))
    arguments = [text.format(ref=reference, tmp=tmp_path) for text in arguments]
    status, out, err = run(capsys, "compare", *arguments)
    assert (status, out) == (2, "") and err.count("\n") == 1
    assert err.startswith("compare: ") and words in err


@pytest.mark.parametrize("tolerance", ["0", "-1", "nan", "inf", "x", ""])
def test_a_tolerance_is_a_number_above_0(capsys, reference, tolerance):
    with pytest.raises(SystemExit) as caught:
        main(["compare", str(reference), str(reference), f"--tolerance={tolerance}"])
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "--tolerance" in err


def test_a_shell_sees_the_status(reference, mine, tmp_path):
    command = [sys.executable, "-m", "distilbert_np", "compare", str(reference)]
    surroundings = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    damaged = shutil.copy(mine, tmp_path / "damaged.safetensors")
    os.truncate(damaged, 1000)
    for port, status in ((reference, 0), (mine, 1), (damaged, 2)):
        done = subprocess.run(
            [*command, str(port)], capture_output=True, text=True, env=surroundings
        )
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr


def test_a_trace_as_inputs_brings_its_model_and_head(capsys, tmp_path):
    run(capsys, "trace", *TEXTS, "--model", "tiny-teacher", "--out", tmp_path / "ref")
    status, out, _ = run(
        capsys, "trace", "--inputs", tmp_path / "ref", "--dtype", "float32",
        "--fault", "mask-ignored", "--out", tmp_path / "mine",
    )
    assert status == 0 and out.startswith("tiny-teacher (masked_lm)")
    assert "with the fault mask-ignored: " in out
    assert "(shows with hidden tokens alone)" in out
    status, out, _ = run(capsys, "compare", tmp_path / "ref", tmp_path / "mine")
    assert status == 1 and "likely cause: mask-ignored" in out
    status, out, err = run(capsys, "compare", tmp_path / "mine", tmp_path / "ref")
    assert (status, out) == (2, "") and "made with the fault 'mask-ignored'" in err


def test_made_up_labels_are_told(capsys, tmp_path):
    told = run(capsys, "trace", *TEXTS, "--grad", "--out", tmp_path / "x")[1]
    assert "made up, as none were given: labels" in told


def test_a_reference_that_strays_is_no_match(capsys, reference, tmp_path):
    shutil.copytree(reference, tmp_path / "ref")
    arrays = load_file(reference / "trace.safetensors")
    changed = arrays | {"head.logits": arrays["head.logits"] + 1}
    save_file(changed, tmp_path / "ref" / "trace.safetensors")
    status, out, _ = run(capsys, "compare", tmp_path / "ref", reference)
    assert status == 1 and "No bug" in out
    assert "the reference is not what its model computes" in " ".join(out.split())
