"""The committed kit of cases: it is what the README says, and sees what it says.
"""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from distilbert_np import DistilBertTokenizer
from distilbert_np.__main__ import main
from distilbert_np.parity import kit
from distilbert_np.parity.kit import CASES, MODELS
from distilbert_np.parity.traces import model_of, read_trace
from tests.tools import kit_tables

FOLDER = kit_tables.FOLDER
README = kit_tables.README.read_text(encoding="utf-8")
NAMES = [case.name for case in CASES]
BY_NAME = {case.name: case for case in CASES}
TORCH_NAMES = Path(kit_tables.__file__).with_name("torch_names.json")


def folder_of(name):
    return FOLDER / "traces" / name


def arrays_of(name):
    return load_file(folder_of(name) / "trace.safetensors")


def manifest_of(name):
    return read_trace(folder_of(name)).manifest


def tokens_of(name):
    return manifest_of(name)["case"]["tokens"]


# --- what is committed ----------------------------------------------------------------


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The kit as it is written now."""
    folder = tmp_path_factory.mktemp("kit")
    kit.write_kit(folder)
    return folder


def files_in(folder):
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def test_the_kit_has_the_files_that_are_written_now(written):
    assert files_in(FOLDER) - {Path("README.md")} == files_in(written)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_what_is_written_now(name, written):
    committed, now = (folder / "models" / name for folder in (FOLDER, written))
    for file in ("config.json", "vocab.txt"):
        assert (committed / file).read_bytes() == (now / file).read_bytes()
    tensors, others = (load_file(f / "model.safetensors") for f in (committed, now))
    assert tensors.keys() == others.keys()
    for tensor, array in tensors.items():
        np.testing.assert_array_equal(array, others[tensor], err_msg=tensor)


@pytest.mark.parametrize("name", NAMES)
def test_a_trace_is_what_is_written_now(name, written):
    committed, now = (read_trace(f / "traces" / name) for f in (FOLDER, written))
    assert list(committed.arrays) == list(now.arrays)
    for array, numbers in committed.arrays.items():
        assert numbers.dtype in (np.int64, np.float64)
        np.testing.assert_allclose(
            numbers, now.arrays[array], rtol=1e-12, atol=1e-13, err_msg=array
        )
    assert settled(committed.manifest) == settled(now.manifest)


def settled(manifest):
    """Return what a manifest tells that depends neither on machine nor on libraries."""
    told = {key: value for key, value in manifest.items() if key not in MEASURED}
    told["tensors"] = {
        name: {key: value for key, value in about.items() if key != "floor"}
        for name, about in manifest["tensors"].items()
    }
    return told


MEASURED = ("versions", "weights_sha256")


def test_the_kit_is_small():
    sizes = [(FOLDER / file).stat().st_size for file in files_in(FOLDER)]
    assert sum(sizes) <= 4_000_000 and max(sizes) <= 1_000_000


def test_the_kit_names_no_machine():
    for file in files_in(FOLDER):
        if file.suffix in (".json", ".md", ".txt"):
            text = (FOLDER / file).read_text(encoding="utf-8")
            assert not re.search(r"/home/|/tmp/|/root/", text), file


@pytest.mark.parametrize("name", NAMES)
def test_a_manifest_names_its_model_and_its_sha_256(name):
    trace = read_trace(folder_of(name))
    assert trace.manifest["model"] == f"../../models/{BY_NAME[name].model}"
    assert model_of(trace) == str(folder_of(name) / trace.manifest["model"])


@pytest.mark.parametrize("name", NAMES)
def test_a_manifest_tells_each_array_as_it_is_stored(name):
    told = {
        array: (about["dtype"], about["shape"])
        for array, about in manifest_of(name)["tensors"].items()
    }
    assert told == {
        array: ({"i": "I64", "f": "F64"}[numbers.dtype.kind], list(numbers.shape))
        for array, numbers in arrays_of(name).items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_texts_of_a_manifest_have_its_ids(name):
    told, arrays = manifest_of(name)["case"], arrays_of(name)
    assert told["ids"] == arrays["inputs.input_ids"].tolist()
    model = FOLDER / "models" / BY_NAME[name].model
    tokenizer = DistilBertTokenizer.from_pretrained(model)
    for text, ids in zip(told["texts"], told["ids"], strict=True):
        pair = text if isinstance(text, list) else [text]
        plain = tokenizer(
            *pair, truncation=True, max_length=len(ids),
            add_special_tokens=name != "one-token",
        )
        assert [i for i in ids if i != tokenizer.pad_token_id] == plain["input_ids"]


# --- what it agrees with --------------------------------------------------------------


def says_that_it_matches(capsys, *command):
    """Whether a comparison finds no bug, and says so."""
    status = main(["compare", *map(str, command)])
    return status == 0 and "No bug" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_a_case_agrees_with_itself(name, capsys):
    assert says_that_it_matches(capsys, folder_of(name), folder_of(name))


@pytest.mark.parametrize("name", NAMES)
def test_our_model_in_float32_agrees(name, tmp_path, capsys):
    case, folder = BY_NAME[name], folder_of(name)
    teacher = ["--teacher", FOLDER / "models" / case.teacher] if case.teacher else []
    command = [
        "trace", "--inputs", folder / "trace.safetensors", "--head", case.head,
        "--model", FOLDER / "models" / case.model, "--dtype", "float32", *teacher,
        *(["--grad"] if case.gradients else []), "--out", tmp_path / "mine",
    ]
    assert main([*map(str, command)]) == 0
    assert says_that_it_matches(capsys, folder, tmp_path / "mine")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "distillation"])
def test_transformers_agrees(name, tmp_path, capsys):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from tests.tools import port_torch

    mine, model = tmp_path / "mine.safetensors", FOLDER / "models" / BY_NAME[name].model
    inputs = folder_of(name) / "trace.safetensors"
    port_torch.main([str(path) for path in (model, inputs, mine)])
    assert says_that_it_matches(capsys, folder_of(name), mine, "--map", TORCH_NAMES)


# --- what each case has ---------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_no_two_axes_can_pass_for_each_other(name):
    for array, about in manifest_of(name)["tensors"].items():
        sizes = dict(zip(about["letters"].split(), about["shape"], strict=True))
        seen = [size for size in sizes.values() if size > 1]
        assert len(set(seen)) == len(seen), array


@pytest.mark.parametrize("name", MODELS)
def test_no_parameter_is_zero_or_one(name):
    tensors = load_file(FOLDER / "models" / name / "model.safetensors")
    for tensor, array in tensors.items():
        assert array.all() and (array != 1).all(), tensor


def mask_of(name):
    return arrays_of(name)["inputs.attention_mask"].astype(int)


def test_one_token_is_all_there_is():
    assert tokens_of("one-token") == [["bird"], ["night"]]


def test_padding_is_ragged_and_on_its_side():
    right, left = mask_of("right-padding"), mask_of("left-padding")
    assert len({*right.sum(axis=1).tolist()}) > 2
    assert (np.diff(right) <= 0).all() and (np.diff(left) >= 0).all()
    assert (left[:, 0] == 0).any() and (left[:, -1] == 1).all()
    assert arrays_of("left-padding")["inputs.position_ids"].tolist() == [[*range(9)]]


def test_the_first_position_is_hidden_and_a_gap_is():
    mask = mask_of("first-hidden")
    assert mask[0, 0] == 0 and mask[0, 1] == 1
    assert mask[1].tolist() == [1, 1, 1, 0, 0, 1, 1, 1, 1]


def test_a_row_that_sees_nothing_has_equal_weights_and_no_mean():
    arrays = arrays_of("blind-row")
    assert mask_of("blind-row").any(axis=1).tolist() == [False, True]
    for i in range(2):
        weights = arrays[f"transformer.layer.{i}.attention.weights"]
        np.testing.assert_allclose(weights[0], 1 / 9, rtol=1e-12)
    assert not arrays["sentence.mean"][0].any() and arrays["sentence.mean"][1].all()


def test_the_longest_fills_all_positions():
    assert mask_of("longest").shape == (1, 512) and mask_of("longest").all()


def test_unknown_words_are_all_there_is():
    for tokens in tokens_of("unknown"):
        inner = tokens[1 : tokens.index("[SEP]")]
        assert len(inner) > 1 and {*inner} == {"[UNK]"}


def test_accents_go_and_each_cjk_character_is_a_token():
    first, second = (" ".join(tokens) for tokens in tokens_of("accents-and-cjk"))
    assert first.startswith("[CLS] cafe creme in zurich [SEP] [PAD]")
    assert second == "[CLS] 日 本 の 城 , nai ##ve [UNK] ! [SEP]"


@pytest.mark.parametrize("name", ["masked-lm", "token", "distillation"])
def test_labels_are_partly_ignored(name):
    labels, mask = arrays_of(name)["inputs.labels"], mask_of(name)
    assert (labels == -100).any() and (labels[0] >= 0).any() and (labels[1] >= 0).any()
    assert (labels[mask == 0] == -100).all()


def test_answers_lie_inside_before_and_beyond_the_text():
    arrays = arrays_of("question-answering")
    L = mask_of("question-answering").shape[1]
    for name in ("inputs.start_positions", "inputs.end_positions"):
        places = arrays[name]
        assert (places < 0).any() and (places >= L).any()
        assert ((places >= 0) & (places < L)).any()


def test_each_head_has_a_loss_and_gradients():
    heads = set()
    for name in NAMES:
        arrays = arrays_of(name)
        if any(array.startswith("gradients.") for array in arrays):
            heads.add(BY_NAME[name].head)
            assert ("loss" in arrays) == (BY_NAME[name].head != "base")
            assert "gradients.embeddings.word_embeddings.weight" in arrays
    assert heads == {head for head, _ in MODELS.values()}


def test_problem_types_are_all_three():
    told = {manifest_of(name)["settings"]["problem_type"] for name in NAMES}
    assert told - {None} == {
        "single_label_classification", "multi_label_classification", "regression",
    }


def test_distillation_has_the_parts_of_its_loss():
    arrays = arrays_of("distillation")
    kl, mlm, cos = (arrays[f"distillation.{part}"] for part in ("kl", "mlm", "cos"))
    assert min(kl, mlm, cos) > 0.1
    np.testing.assert_allclose(arrays["loss"], 5 * kl + 2 * mlm + cos, rtol=1e-12)


# --- what README says -----------------------------------------------------------------


@pytest.mark.parametrize("name", kit_tables.TABLES)
def test_a_table_is_what_its_tool_writes(name):
    assert kit_tables.filled(README, name) == README
    assert f"<!-- {name} -->" in README


@pytest.mark.parametrize("name", NAMES)
def test_a_case_shows_what_it_is_there_to_show(name):
    shown = kit_tables.faults_shown(name)
    for fault in BY_NAME[name].faults:
        assert shown[fault] >= kit_tables.CLEARLY, fault


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def build(compiler, name, language, tmp_path, *options):
    """Write a program of README's into a folder, and compile it."""
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler} here")
    (code,) = blocks(language)
    (tmp_path / name).write_text(code, encoding="utf-8")
    program = tmp_path / "program"
    command = [compiler, "-o", program, tmp_path / name, *options]
    subprocess.run(command, check=True, capture_output=True)
    return program


def printed(*command):
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return run.stdout.strip()


def complaint(*command):
    """What a program says when it stops with status 2."""
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (2, "")
    return run.stderr.strip()


def without_numbers(text):
    """A text as it is on any machine: with # for numbers, whatever their width."""
    return " ".join(re.sub(r"\d[\d.,e+-]*", "#", text).split())


def test_the_program_in_c_is_a_port_that_agrees(tmp_path, capsys):
    program = build("cc", "port.c", "c", tmp_path, "-lm")
    (tmp_path / "mine").mkdir()
    model, trace = FOLDER / "models" / "base", folder_of("blind-row")
    said = printed(
        program, model / "model.safetensors", trace / "trace.safetensors",
        tmp_path / "mine" / "embeddings.LayerNorm.npy",
    )
    assert said == blocks("text")[0].strip()
    assert main(["compare", str(trace), str(tmp_path / "mine")]) == 0
    compared = capsys.readouterr().out
    assert without_numbers(compared) == without_numbers(blocks("text")[1])


def test_the_program_in_c_stops_at_another_dtype(tmp_path):
    program = build("cc", "port.c", "c", tmp_path, "-lm")
    singles = {"embeddings.sum": np.zeros((2, 9, 15), np.float32)}
    trace, out = tmp_path / "trace.safetensors", tmp_path / "out.npy"
    save_file(singles, trace)
    said = complaint(
        program, FOLDER / "models" / "base" / "model.safetensors", trace, out
    )
    assert said == "embeddings.sum: expected F64, found F32" and not out.exists()


def test_the_program_in_rust_prints_a_tensor(tmp_path):
    program = build("rustc", "tensor.rs", "rust", tmp_path)
    trace = folder_of("blind-row") / "trace.safetensors"
    said = printed(program, trace, "embeddings.LayerNorm")
    assert said == blocks("text")[2].strip()
    said = complaint(program, trace, "inputs.attention_mask")
    assert said == "inputs.attention_mask: expected F64, found I64"


def test_every_fault_that_is_named_is_known():
    assert {fault for case in CASES for fault in case.faults} <= set(kit_tables.MEANING)


# --- the command ----------------------------------------------------------------------


def test_a_checkpoint_has_the_cases_of_its_encoder_and_head(tmp_path, capsys):
    given = [str(tmp_path), "--model", "tiny", "--dtype", "float32"]
    assert kit.main(given) == 0
    assert "10 cases" in capsys.readouterr().out
    expected = {case.name for case in CASES if case.model == "base"} | {"masked-lm"}
    assert {path.name for path in (tmp_path / "traces").iterdir()} == expected
    case = tmp_path / "traces" / "masked-lm"
    manifest = read_trace(case).manifest
    assert manifest["model"] == "tiny" and manifest["dtype"] == "float32"
    assert says_that_it_matches(capsys, case, case)


def test_one_case_alone_comes_with_its_models(tmp_path):
    assert kit.main([str(tmp_path), "--case", "distillation"]) == 0
    models = {path.name for path in (tmp_path / "models").iterdir()}
    assert models == {"masked_lm", "teacher"}


def test_other_cases_and_models_are_refused(tmp_path, capsys):
    assert kit.main([str(tmp_path), "--case", "two-tokens"]) == 2
    assert "found two-tokens" in capsys.readouterr().err
    assert kit.main([str(tmp_path), "--model", "./nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_base_size_is_distilberts_own(monkeypatch):
    monkeypatch.setattr(kit, "drawn", lambda name, shape, salt: np.empty(shape[:1]))
    monkeypatch.setattr(kit, "CLASSES", {"masked_lm": Unmade})
    config = kit.new_model("masked_lm", "base").config
    assert (config.dim, config.n_layers, config.vocab_size) == (768, 6, 30522)
    tokenizer = kit.new_tokenizer(config)
    assert len(tokenizer) == 30522 and tokenizer.tokenize("Café") == ["cafe"]


class Unmade:
    """A model without parameters: those of base size take a while."""

    def __init__(self, config):
        self.config, self.params = config, {}
