"""Traces on disk: what is written, what is read, and what is refused."""

import hashlib
import json
import shutil

import numpy as np
import ours
import pytest
from cases import CASES
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from distilbert_np import DistilBertError, InputError, weights
from distilbert_np.parity.compare import compare_traces
from distilbert_np.parity.rounding import BFLOAT16, PRECISIONS
from distilbert_np.parity.steps import steps_of
from distilbert_np.parity.traces import (
    check_alike,
    model_of,
    read_arrays,
    read_map,
    read_trace,
    renamed,
    trace_model,
)
from distilbert_np.trace import trace_table

CASE = CASES["masked_lm"]
FLOATS = {"float16": 2.0**-10, "float32": 2.0**-23, "float64": 2.0**-52}


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """Return a folder with a model, and one beside it with a trace of it."""
    home = tmp_path_factory.mktemp("port")
    ours.build(CASE, "float32").save_pretrained(home / "model")
    trace_model(
        home / "trace", home / "model", CASE.arguments(), "masked_lm", gradients=True
    )
    return home / "model", home / "trace"


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def copied(traced, tmp_path, **changes):
    """Return a copy of the trace, its manifest changed."""
    folder = tmp_path / "trace"
    shutil.copytree(traced[1], folder)
    shutil.copytree(traced[0], tmp_path / "model")
    text = json.dumps(manifest_of(folder) | changes)
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    return folder


# --- what is written ------------------------------------------------------------------


def test_the_manifest_tells_of_every_array_in_computing_order(traced):
    model, folder = traced
    told, arrays = manifest_of(folder), load_file(folder / "trace.safetensors")
    tensors = told["tensors"]
    assert set(tensors) == set(arrays)
    forward = [n for n in tensors if not n.startswith(("gradients.", "inputs.labels"))]
    assert forward == [*trace_table(CASE.full_config(), "masked_lm"), "loss"]
    sizes = told["letters"] | {"1|B": 1}
    for name, about in tensors.items():
        assert about["shape"] == list(arrays[name].shape), name
        assert about["shape"] == [sizes[x] for x in about["letters"].split()], name
        is_given = name.startswith("inputs.")
        assert arrays[name].dtype in ((np.int64, bool) if is_given else (np.float64,))
    digest = hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()
    assert told["weights_sha256"] == digest
    assert (told["head"], told["dtype"]) == ("masked_lm", "float64")
    assert told["model"] == "../model"
    assert told["settings"]["activation"] == "gelu"
    assert told["versions"]["numpy"] == np.__version__


def test_the_manifest_explains_every_array_that_is_computed(traced):
    told = manifest_of(traced[1])["tensors"]
    known = set()
    for name, about in told.items():
        if name.startswith("inputs."):
            assert set(about) == {"dtype", "shape", "letters"}
        else:
            assert about["formula"] and about["reads"] and about["floor"] >= 0, name
            assert set(about["reads"]) <= known, name
            assert "ACTIVATION" not in about["formula"]
        given_together = {n for n in told if told[n].get("reads") == about.get("reads")}
        known |= {name} | (given_together if name.startswith("gradients.") else set())
    assert told["transformer.layer.1.ffn.activation"]["formula"] == "gelu(lin1)"


def test_the_floor_is_how_far_float32_is_off(traced, tmp_path):
    model, folder = traced
    trace_model(
        tmp_path, model, CASE.arguments(), "masked_lm", gradients=True, dtype="float32"
    )
    single, double = (
        load_file(path / "trace.safetensors") for path in (tmp_path, folder)
    )
    assert single["loss"].dtype == np.float32
    for name, about in manifest_of(folder)["tensors"].items():
        if "floor" in about:
            error = np.abs(single[name] - double[name]).max()
            assert about["floor"] == pytest.approx(error, rel=0.01), name
    assert manifest_of(tmp_path)["dtype"] == "float32"


def test_each_array_in_a_file_of_its_own_says_the_same(traced, tmp_path):
    model, folder = traced
    written = trace_model(
        tmp_path, model, CASE.arguments(), "masked_lm", gradients=True, npy=True
    )
    arrays = read_arrays(tmp_path)
    expected = read_arrays(folder)
    assert set(arrays) == set(expected) == set(written["tensors"])
    for name, (array, eps) in expected.items():
        np.testing.assert_array_equal(arrays[name].array, array)
        assert arrays[name].eps == eps
        stored = np.load(tmp_path / f"{name}.npy")
        assert stored.flags.c_contiguous or stored.ndim < 2


def test_a_trace_written_over_another_is_that_alone(traced, tmp_path):
    model, _ = traced
    given = CASE.arguments()
    for npy in (False, True, False):
        given["input_ids"] = given["input_ids"][::-1].copy()
        trace_model(tmp_path, model, given, "masked_lm", npy=npy)
        found = read_trace(tmp_path).arrays["inputs.input_ids"]
        np.testing.assert_array_equal(found, given["input_ids"])


@pytest.mark.parametrize("npy", [False, True])
def test_only_what_is_asked_for_is_written(traced, tmp_path, npy):
    trace_model(
        tmp_path, traced[0], CASE.arguments(), "masked_lm", npy=npy,
        only=["*.output_layer_norm", "head.logits"],
    )
    found = [name for name in read_trace(tmp_path).arrays if "inputs." not in name]
    assert found == [
        "transformer.layer.0.output_layer_norm",
        "transformer.layer.1.output_layer_norm", "head.logits",
    ]


def test_a_pattern_that_fits_nothing_is_refused(traced, tmp_path):
    with pytest.raises(InputError, match="--only: no array has a name like 'logits'"):
        trace_model(
            tmp_path, traced[0], CASE.arguments(), "masked_lm", only=["logits"]
        )


# --- what is read ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_precision_of_a_port_is_that_of_its_numbers(dtype, tmp_path):
    thirds = np.arange(3, dtype=dtype) / 3
    arrays = {"head.logits": thirds, "inputs.input_ids": np.arange(3)}
    save_file(arrays, tmp_path / "mine.safetensors")
    np.savez(tmp_path / "mine.npz", **arrays)
    np.savez_compressed(tmp_path / "small.npz", **arrays)
    (tmp_path / "folder").mkdir()
    for name, array in arrays.items():
        np.save(tmp_path / "folder" / f"{name}.npy", array)
    for mine in ("mine.safetensors", "mine.npz", "small.npz", "folder"):
        found = read_arrays(tmp_path / mine)
        assert set(found) == set(arrays)
        assert found["head.logits"].eps == FLOATS[dtype]
        assert found["head.logits"].array.dtype == dtype
        assert found["inputs.input_ids"].eps == 0


def test_float32_numbers_stay_that_where_they_are_stored_as_float64(tmp_path):
    thirds = (np.arange(3, dtype=np.float32) / 3).astype(np.float64)
    arrays = {"head.logits": thirds, "loss": np.array(np.nan), "inputs.input_ids": 3}
    np.savez(tmp_path / "mine.npz", **arrays)
    found = read_arrays(tmp_path / "mine.npz")
    precisions = {name: one.eps for name, one in found.items()}
    assert precisions == {
        "head.logits": FLOATS["float32"], "loss": FLOATS["float32"],
        "inputs.input_ids": 0,
    }
    np.savez(tmp_path / "mine.npz", **arrays | {"sentence.mean": np.float64(1 / 3)})
    found = read_arrays(tmp_path / "mine.npz")
    assert found["head.logits"].eps == FLOATS["float64"]


def test_a_single_array_goes_by_the_name_of_its_file(tmp_path):
    np.save(tmp_path / "head.logits.npy", np.arange(3.0))
    assert list(read_arrays(tmp_path / "head.logits.npy")) == ["head.logits"]


def test_numbers_with_their_bytes_the_other_way_round(tmp_path):
    numbers = np.arange(3, dtype=">f4") / 3
    np.save(tmp_path / "x.npy", numbers)
    found = read_arrays(tmp_path)["x"]
    assert found.eps == FLOATS["float32"]
    assert found.array.tolist() == numbers.tolist()


def test_bfloat16_is_read_as_it_is(tmp_path):
    numbers = np.array([1.0, -2.5, 3.140625], np.float32)  # 8 significant bits each
    data = (numbers.view(np.uint32) >> 16).astype("<u2").tobytes()
    header = {"x": {"dtype": "BF16", "shape": [3], "data_offsets": [0, len(data)]}}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path = tmp_path / "mine.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    found = read_arrays(path)["x"]
    np.testing.assert_array_equal(found.array, numbers)
    assert found.eps == BFLOAT16 == 2.0**-7
    with safe_open(path, framework="np") as file:
        assert file.get_slice("x").get_dtype() == "BF16"


def test_a_trace_is_a_port_of_itself(traced):
    reference = read_trace(traced[1])
    compared = compare_traces(
        reference, read_arrays(traced[1]), model_of(reference)
    )
    assert not compared.wrong and not compared.missing
    assert all(not row.total for row in compared.rows)


def test_the_table_of_steps_is_the_manifest_s(traced):
    told = manifest_of(traced[1])["tensors"]
    model = ours.build(CASE, "float64")
    given = [name for name in told if name.startswith("inputs.")]
    for step in steps_of(model, given, gradients=True):
        for name in step.gives:
            assert told[name]["reads"] == list(step.reads)


# --- the model of a trace -------------------------------------------------------------


def test_a_model_is_found_from_where_the_trace_is(traced, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(traced[1].parent, "elsewhere")
    reference = read_trace("elsewhere/trace")
    assert model_of(reference) == "elsewhere/trace/../model"


def test_a_model_that_was_moved_is_told(traced, tmp_path):
    folder = copied(traced, tmp_path)
    (tmp_path / "model").rename(tmp_path / "moved")
    reference = read_trace(folder)
    with pytest.raises(DistilBertError, match=r"\.\./model"):
        model_of(reference)
    moved = str(tmp_path / "moved")
    assert model_of(reference, moved) == moved


def test_other_weights_are_refused(traced, tmp_path):
    folder = copied(traced, tmp_path)
    path = tmp_path / "model" / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    expected = manifest_of(folder)["weights_sha256"][:12]
    with pytest.raises(InputError, match=f"SHA-256 .*expected {expected}…"):
        model_of(read_trace(folder))


# --- what cannot be used --------------------------------------------------------------


def npz_without_its_end(path):
    np.savez(path, x=np.arange(1000.0))
    path.write_bytes(path.read_bytes()[:-40])


def npz_with_other_bytes(path):
    np.savez_compressed(path, x=np.arange(1000.0))
    data = bytearray(path.read_bytes())
    data[200:240] = b"?" * 40
    path.write_bytes(data)


DAMAGED = {
    "empty.npy": lambda path: path.write_bytes(b""),
    "text.npy": lambda path: path.write_text("hello"),
    "short.npy": lambda path: (
        np.save(path, np.arange(9.0)), path.write_bytes(path.read_bytes()[:-8])
    ),
    "objects.npy": lambda path: np.save(path, np.array([{}])),
    "words.npy": lambda path: np.save(path, np.array(["a"])),
    "complex.npy": lambda path: np.save(path, np.array([1j])),
    "empty.npz": lambda path: path.write_bytes(b""),
    "short.npz": npz_without_its_end,
    "other.npz": npz_with_other_bytes,
    "objects.npz": lambda path: np.savez(path, x=np.array([{}])),
    "empty.safetensors": lambda path: path.write_bytes(b""),
    "text.safetensors": lambda path: path.write_text("hello, hello, hello"),
    "short.safetensors": lambda path: (
        save_file({"x": np.ones(9)}, path), path.write_bytes(path.read_bytes()[:-8])
    ),
    "folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_named_in_one_line(name, tmp_path):
    path = tmp_path / name
    DAMAGED[name](path)
    with pytest.raises(DistilBertError) as caught:
        read_arrays(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "another"}, "format: expected 'distilbert_np trace, version 1'"),
        ({"head": "sequences"}, "head: expected one of base, "),
        ({"head": None}, "head: expected one of base, "),
        ({"tensors": []}, "tensors: expected what is told of each array"),
        ({"tensors": {}}, "tensors: expected what is told of each array"),
        (
            {"tensors": {"inputs.attention_mask": 3}},
            "tensors: expected what is told of each array",
        ),
        ({"settings": "gelu"}, "settings: expected an object"),
    ],
)
def test_a_manifest_that_is_none_is_refused(traced, tmp_path, changes, words):
    folder = copied(traced, tmp_path, **changes)
    with pytest.raises(InputError) as caught:
        read_trace(folder)
    assert str(caught.value).startswith(f"{folder / 'manifest.json'}: {words}")


def test_a_model_that_is_no_name_is_refused(traced, tmp_path):
    reference = read_trace(copied(traced, tmp_path, model=3))
    with pytest.raises(InputError, match="model: expected a name"):
        model_of(reference)


def test_an_array_that_is_gone_is_missed(traced, tmp_path):
    folder = copied(traced, tmp_path)
    arrays = load_file(folder / "trace.safetensors")
    del arrays["inputs.position_ids"]
    save_file(arrays, folder / "trace.safetensors")
    with pytest.raises(InputError, match=r"holds no inputs\.position_ids, of which"):
        read_trace(folder)


# --- other names ----------------------------------------------------------------------


def map_file(tmp_path, names):
    path = tmp_path / "names.json"
    path.write_text(names if isinstance(names, str) else json.dumps(names))
    return path


def test_a_map_gives_our_names(tmp_path):
    names = read_map(map_file(tmp_path, {
        "h[{i}].out": "transformer.layer.{i}.output_layer_norm",
        "scores": "head.logits",
        "grad/{name}": "gradients.{name}",
    }))
    theirs = ["h[0].out", "h[11].out", "h[x].out", "scores", "scores2", "grad/loss.a"]
    mine = {name: number for number, name in enumerate(theirs)}
    assert renamed(mine, names) == {
        "transformer.layer.0.output_layer_norm": 0,
        "transformer.layer.11.output_layer_norm": 1,
        "h[x].out": 2, "head.logits": 3, "scores2": 4, "gradients.loss.a": 5,
    }


@pytest.mark.parametrize(
    "names",
    [
        {"a{i}": "b"}, {"a": "b{i}"}, {"a{i}": "b{name}"}, {"a": 3}, {"a": None},
        {"a": ["b"]}, "{", "[]", "",
    ],
)
def test_a_map_that_is_none_is_refused(tmp_path, names):
    path = map_file(tmp_path, names)
    with pytest.raises(InputError) as caught:
        read_map(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_two_names_that_become_one_are_refused():
    with pytest.raises(InputError, match="--map: both a and b would be b"):
        renamed({"a": 1, "b": 2}, {"a": "b"})


@pytest.mark.parametrize(("bits", "name"), [(8, "bfloat16"), (11, "float16")])
def test_short_numbers_stay_that_where_they_are_stored_as_float32(tmp_path, bits, name):
    rng = np.random.RandomState(0)
    numbers = rng.randint(2 ** (bits - 1), 2**bits, 100).astype(np.float32) / 2**bits
    np.save(tmp_path / "x.npy", numbers)
    assert PRECISIONS[read_arrays(tmp_path)["x"].eps] == name
    np.save(tmp_path / "x.npy", numbers[:3])     # of so few it may be chance
    assert PRECISIONS[read_arrays(tmp_path)["x"].eps] == "float32"


def test_a_trace_with_a_fault_is_no_reference(tmp_path):
    trace_model(tmp_path, "tiny", {"input_ids": [[2, 9, 3]]}, "base", fault="gelu-tanh")
    with pytest.raises(InputError, match="made with the fault 'gelu-tanh'"):
        read_trace(tmp_path)


def test_a_trace_of_other_weights_is_refused(tmp_path):
    for name in ("tiny", "tiny-teacher"):
        trace_model(tmp_path / name, name, {"input_ids": [[2, 9, 3]]}, "masked_lm")
    reference = read_trace(tmp_path / "tiny")
    check_alike(tmp_path / "tiny", reference)
    with pytest.raises(InputError, match="is of other weights, those of 'tiny-teacher"):
        check_alike(tmp_path / "tiny-teacher", reference)


def test_whole_numbers_are_all_written_alike(tmp_path):
    manifest = trace_model(tmp_path, "tiny", {"input_ids": [[2, 9, 3]]}, "base")
    stored = weights.map_file(tmp_path / "trace.safetensors")
    for name, about in manifest["tensors"].items():
        assert stored[name].code == about["dtype"] in ("I64", "F64"), name


def test_npy_files_have_the_shapes_of_the_manifest(tmp_path):
    given = {"input_ids": [[2, 9, 3]], "labels": [[-100, 9, -100]]}
    manifest = trace_model(tmp_path, "tiny", given, "masked_lm", npy=True)
    for name, about in manifest["tensors"].items():
        assert list(np.load(tmp_path / f"{name}.npy").shape) == about["shape"], name


def test_float64_s_lowest_number_is_read_without_a_word(tmp_path):
    masked = np.append(np.arange(40) / 3, np.finfo(np.float64).min)
    np.save(tmp_path / "x.npy", masked)
    assert PRECISIONS[read_arrays(tmp_path)["x"].eps] == "float64"
