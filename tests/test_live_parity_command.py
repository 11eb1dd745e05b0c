"""The command parity: what agrees is said to agree, and what does not, and where."""

import json
import sys
from functools import partial

import numpy as np
import pytest
from shared_data import minilm_folder

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from torch_side import BERT, randomised, theirs

from distilbert_np import DistilBertConfig, DistilBertForMaskedLM, ffn, functions
from distilbert_np.__main__ import main
from distilbert_np.hub import TINY
from distilbert_np.parity import live
from distilbert_np.parity import theirs as others
from distilbert_np.parity.batch import sample_inputs
from distilbert_np.parity.differences import value_rows
from distilbert_np.trees import flatten
from distilbert_np.weights import HEADS

EMBEDDINGS = "embeddings.LayerNorm"
FIRST_WEIGHTS = "transformer.layer.0.attention.weights"
FIRST_FFN = "transformer.layer.0.output_layer_norm"


@pytest.fixture
def says(capsys):
    """Return a function that runs the command, and returns its status and its words.
    """
    def run(*arguments):
        status = main(["parity", *map(str, arguments)])
        out, err = capsys.readouterr()
        assert err == ""
        return status, out

    return run


@pytest.fixture
def tells(says):
    """Return a function that runs the command, and returns what it tells in JSON."""
    def run(*arguments):
        status, out = says(*arguments, "--json")
        told = json.loads(out, parse_constant=pytest.fail)      # no NaN, no Infinity
        assert status == (0 if told["agrees"] else 1)
        return told

    return run


def wrong(told):
    """Return the names of the rows that do not agree, in order."""
    return [row["name"] for row in told["rows"] if not row["agrees"]]


# --- what agrees ----------------------------------------------------------------------


def test_the_table_is_for_people(says):
    status, out = says("tiny")
    lines = out.splitlines()
    assert status == 0 and max(map(len, lines)) <= 100
    assert lines[0] == "tiny: DistilBertForMaskedLM"
    rows = [line for line in lines if line.endswith("  ok")]
    assert len(rows) == 14 and len({*map(len, rows)}) == 1
    assert lines[-1].startswith("14 of 14 rows agree. The worst is ")


@pytest.mark.parametrize("head", HEADS)
def test_each_embedded_model_agrees(tells, head):
    told = tells("tiny", "--head", head.replace("_", "-"))
    assert told["agrees"] and told["head"] == head
    assert told["not_compared"] == told["drawn"] == []
    names = [row["name"] for row in told["rows"]]
    assert names[:3] == [EMBEDDINGS, FIRST_WEIGHTS, FIRST_FFN]
    assert ("loss" in names) == ("head.logits" in names) == (head != "base")
    assert names[-1] == "gradients.embeddings"
    assert all(row["ours"] > 0 < row["torch"] for row in told["rows"])


def test_every_parameter_has_its_gradient_compared(tells):
    model = DistilBertForMaskedLM.from_pretrained("tiny")
    expected = {name.removeprefix("distilbert.") for name in flatten(model.params)}
    told = tells("tiny")
    found = [row["name"].removeprefix("gradients.") for row in told["gradients"]]
    assert len(found) == len(expected) and {*found} == expected


@pytest.mark.parametrize("folder", sorted(TINY.glob("*/")), ids=lambda path: path.name)
def test_the_head_is_the_folders_own(tells, folder):
    told = tells(folder)
    (named,) = json.loads((folder / "config.json").read_text())["architectures"]
    assert told["agrees"] and told["class"] == told["transformers_class"] == named


@pytest.mark.parametrize(
    ("head", "config"),
    [
        ("base", {"activation": "relu", "sinusoidal_pos_embds": True}),
        ("base", {"n_layers": 0}),
        ("masked_lm", {"tie_word_embeddings": False, "pad_token_id": 7}),
        ("sequence", {"num_labels": 1}),
        ("sequence", {"num_labels": 3, "problem_type": "multi_label_classification"}),
        ("sequence", {"num_labels": 3, "problem_type": "regression"}),
    ],
)
def test_a_small_distilbert_agrees(tmp_path, tells, head, config):
    theirs(head, **config).save_pretrained(tmp_path)
    told = tells(tmp_path)
    assert told["agrees"] and told["head"] == head, wrong(told)


@pytest.mark.parametrize("name", ["BertModel", "BertForMaskedLM"])
def test_a_bert_is_opened_as_a_bert(tmp_path, tells, name):
    config = transformers.BertConfig(**BERT)
    randomised(getattr(transformers, name)(config)).save_pretrained(tmp_path)
    told = tells(tmp_path)
    assert told["agrees"] and told["transformers_class"] == name, wrong(told)
    assert told["class"] == f"Distil{name}" and told["left_out"] == []
    left_out = ["embeddings.token_type_embeddings.weight"]
    if name == "BertModel":
        left_out += ["pooler.dense.bias", "pooler.dense.weight"]
    assert told["not_compared"] == [f"gradients.{name}" for name in left_out]


def test_of_a_bert_classifier_the_encoder_agrees(tmp_path, says):
    bert = transformers.BertForSequenceClassification(transformers.BertConfig(**BERT))
    randomised(bert).save_pretrained(tmp_path)
    status, out = says(tmp_path)
    assert status == 0 and "DistilBertModel, BertModel in transformers" in out
    assert "is not as DistilBERT's: BertForSequenceClassification\n" in out


def test_a_head_that_is_missing_is_the_same_on_both_sides(tmp_path, tells):
    theirs("base").save_pretrained(tmp_path)
    told = tells(tmp_path, "--head", "token")
    assert told["agrees"]
    assert told["drawn"] == ["classifier.weight", "classifier.bias"]


def test_minilm_agrees_on_texts(tells):
    told = tells(minilm_folder(), "--text", "No.", "Paris is the capital of France.")
    assert told["agrees"], wrong(told)
    assert told["inputs_shape"] == [2, 9]


def test_the_batch_hides_all_sorts():
    batch = sample_inputs(DistilBertConfig())
    seen = batch["attention_mask"]
    assert seen.shape == (6, 24) and [*seen.sum(axis=1)] == [24, 12, 12, 23, 1, 0]
    assert [*seen[:, 0]] == [1, 1, 0, 0, 1, 0] and batch["input_ids"].max() > 30000


# --- what does not --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "name", "fault", "first"),
    [
        ("attention", "mask_bias", lambda mask, dtype: None, FIRST_WEIGHTS),
        ("embeddings", "lookup", lambda ids, weight: weight[ids - 1], EMBEDDINGS),
        ("encoder", "layer_norm", partial(functions.layer_norm, eps=1e-5), FIRST_FFN),
    ],
)
def test_a_wrong_formula_is_found_where_it_is(
    says, monkeypatch, place, name, fault, first
):
    monkeypatch.setattr(f"distilbert_np.{place}.{name}", fault)
    status, out = says("tiny")
    assert status == 1 and f"rows, the first {first};" in " ".join(out.split())
    rows = [line.split() for line in out.splitlines() if line[:2] == "  "][1:]
    assert next(row[0] for row in rows if row[-1] == "MISMATCH") == first
    assert {row[-1] for row in rows} <= {"ok", "MISMATCH"}


def test_a_wrong_gradient_is_found_where_it_is(tells, monkeypatch):
    wrong_backward = functions.ACTIVATIONS_BACKWARD["gelu_new"]
    monkeypatch.setitem(functions.ACTIVATIONS_BACKWARD, "gelu", wrong_backward)
    layers = [f"gradients.transformer.layer.{i}" for i in (2, 1, 0)]
    told = tells("tiny", "--head", "base")
    assert wrong(told) == [*layers, "gradients.embeddings"]
    assert told["rows"][-4]["parameter"].startswith("transformer.layer.2.")


@pytest.mark.parametrize(
    ("dtype", "fewer"), [("float64", np.float32), ("float32", np.float16)]
)
def test_too_few_digits_in_one_dtype_are_found(tells, monkeypatch, dtype, fewer):
    def linear(x, weight, bias):
        y = functions.linear(x, weight, bias)
        return y.astype(fewer).astype(dtype) if y.dtype == dtype else y

    monkeypatch.setattr(ffn, "linear", linear)
    told = tells("tiny", "--head", "base")
    assert wrong(told)[0] == FIRST_FFN
    row = next(row for row in told["rows"] if row["name"] == FIRST_FFN)
    assert (row["float64"] > row["float64_bound"]) == (dtype == "float64")
    assert (row["ours"] > row["bound"]) == (dtype == "float32")


def test_a_nan_is_a_mismatch(says, tells, monkeypatch):
    monkeypatch.setitem(functions.ACTIVATIONS, "gelu", lambda x: x * np.nan)
    told = tells("tiny", "--head", "base")
    assert wrong(told)[0] == FIRST_FFN
    row = next(row for row in told["rows"] if row["name"] == FIRST_FFN)
    assert row["float64"] is row["ours"] is row["excess"] is None
    assert " NaN " in says("tiny", "--head", "base")[1]


def test_more_is_allowed_where_torch_itself_is_off():
    exact = np.ones(3)

    def row(ours, torchs):
        sides = [
            {"float64": others.Computed({"loss": exact}, {}),
             "float32": others.Computed({"loss": exact + error}, {})}
            for error in (ours, torchs)
        ]
        (found,) = value_rows(*sides, seen=np.ones((1, 3), bool))
        return found

    assert row(ours=1.0e-5, torchs=0).excess < 1 < row(ours=1.3e-5, torchs=0).excess
    assert row(ours=1.9e-2, torchs=1e-2).excess < 1 < row(2.1e-2, 1e-2).excess
    assert row(ours=np.nan, torchs=0).excess == np.inf


def test_in_float32_hidden_tokens_do_not_count_and_in_float64_they_do():
    exact, seen = np.ones((1, 2, 3)), np.array([[True, False]])
    off = exact + ~seen[..., None]
    right = {dtype: others.Computed({"h": exact}, {}) for dtype in live.DTYPES}
    for dtype, excess in (("float32", 0), ("float64", 1e12)):
        ours = right | {dtype: others.Computed({"h": off}, {})}
        assert value_rows(ours, right, seen)[0].excess == pytest.approx(excess)


# --- an .onnx file --------------------------------------------------------------------


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory):
    """Return a file of the embedded masked-LM encoder, and one of another table."""
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name)
    from distilbert_np.bench.contenders import export

    folder, files = tmp_path_factory.mktemp("onnx"), []
    model = others.torch_model("DistilBertModel", TINY / "masked-lm", "eager")
    for name in ("right", "wrong"):
        files.append(folder / f"{name}.onnx")
        export(model, files[-1])
        model.embeddings.word_embeddings.weight.data[5:] *= 1.001
    return files


def test_an_onnx_file_is_checked(says, tells, onnx_file):
    right, wrong_one = onnx_file
    told = tells("tiny", "--head", "base", "--onnx", right)
    (row,) = told["onnx"]["rows"]
    assert told["agrees"] and row["counterpart"] == "last_hidden_state"
    assert 0 < row["onnx"] < row["bound"]
    status, out = says("tiny", "--head", "base", "--onnx", wrong_one)
    assert status == 1 and "MISMATCH in 1 of 12 rows" in out
    assert "wrong.onnx" in out and " = last_hidden_state " in out


def test_an_onnx_file_of_another_head_is_refused(capsys, onnx_file):
    assert main(["parity", "tiny", "--head", "token", "--onnx", str(onnx_file[0])]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "--onnx: expected an output logits" in err


def test_an_onnx_file_needs_no_torch(says, onnx_file, monkeypatch):
    for name in others.TORCH:
        monkeypatch.setitem(sys.modules, name, None)
    status, out = says("tiny", "--head", "base", "--onnx", onnx_file[0])
    assert status == 0 and "1 of 1 rows agree" in out
    assert "so the truth is ours in float64: torch, transformers\n" in out


# --- what cannot be used --------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["/no/such/folder"], ["no such folder"]),
        (["tiny", "--onnx", "no.onnx"], ["no.onnx", "no such file"]),
        (["tiny", "--onnx", __file__], ["onnxruntime refuses"]),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(capsys, arguments, words):
    assert main(["parity", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert all(word in err for word in words)


def test_what_transformers_refuses_is_said_in_one_line(capsys, monkeypatch):
    def refuse(*_):
        raise RuntimeError("several\nlines")

    monkeypatch.setattr(others, "torch_model", refuse)
    assert main(["parity", "tiny"]) == 2
    err = capsys.readouterr().err
    assert err.endswith("masked-lm: transformers cannot open it (several lines)\n")


def test_a_library_that_is_missing_is_named(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert main(["parity", "tiny"]) == 2
    assert capsys.readouterr().err == (
        f"parity: not installed: transformers; {others.INSTALL}\n"
    )
