"""What is saved is read back, every bit of it; what cannot be saved leaves the old."""

import errno
import json
import mmap
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import saving_run
from safetensors import SafetensorError, safe_open
from saving_run import digest, files
from test_checkpoints import HEADS, assert_same, buffer_of, build, load, plain

from distilbert_np import DistilBertModel, DistilBertTokenizer, FileError, InputError
from distilbert_np.files import PART, delete_parts
from distilbert_np.training.checkpoints import keep_newest_checkpoint
from distilbert_np.trees import flatten, unflatten

ROOT = Path(saving_run.__file__).parents[1]

# --- written and read back ------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("head", HEADS)
def test_a_round_trip_keeps_every_bit(tmp_path, head, dtype):
    model = build(head, dtype)
    model.save_pretrained(tmp_path)
    loaded = load(tmp_path, head, dtype=dtype)
    assert_same(flatten(loaded.params), flatten(model.params))
    assert loaded.config == model.config
    assert (loaded.load_report.missing, loaded.load_report.unexpected) == ([], [])


@pytest.mark.parametrize("config", [
    {"n_layers": 0}, {"tie_word_embeddings": False}, {"sinusoidal_pos_embds": True},
], ids=str)
def test_a_round_trip_keeps_every_bit_of(tmp_path, config):
    model = build("masked_lm", **config)
    model.save_pretrained(tmp_path)
    assert_same(plain(load(tmp_path, "masked_lm")), plain(model))


def unaligned(array):
    """Return the array at an address that no number of its size begins at."""
    memory = np.zeros(array.nbytes + 1, np.uint8)
    shifted = memory[1:].view(array.dtype).reshape(array.shape)
    shifted[:] = array
    return shifted


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def inside_a_larger_one(array):
    return np.pad(array, 1)[(slice(1, -1),) * array.ndim]


LAYOUTS = {
    "column by column": np.asfortranarray,
    "every second row": lambda array: np.repeat(array, 2, axis=0)[::2],
    "backwards": lambda array: np.flip(np.flip(array).copy()),
    "inside a larger one": inside_a_larger_one,
    "big-endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
    "little-endian": lambda array: array.astype(array.dtype.newbyteorder("<")),
    "big-endian, backwards": lambda array: LAYOUTS["backwards"](
        LAYOUTS["big-endian"](array)
    ),
    "read-only": read_only,
    "unaligned": unaligned,
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("lay", LAYOUTS.values(), ids=LAYOUTS)
def test_an_array_is_saved_however_it_lies_in_memory(tmp_path, lay, dtype):
    model, expected = build(dtype=dtype), plain(build(dtype=dtype))
    extremes = np.finfo(dtype)
    for array in (*plain(model).values(), *expected.values()):
        array.flat[:4] = [-0.0, extremes.smallest_subnormal, extremes.max, extremes.min]
    model.params = unflatten({n: lay(a) for n, a in flatten(model.params).items()})
    model.save_pretrained(tmp_path)
    assert_same(plain(load(tmp_path, dtype=dtype)), expected)


def test_one_row_that_stands_for_all_is_saved_as_often(tmp_path):
    model = build()
    words = model.params["embeddings"]["word_embeddings"]
    words["weight"] = np.broadcast_to(words["weight"][0], words["weight"].shape)
    model.save_pretrained(tmp_path)
    assert_same(plain(load(tmp_path)), plain(model))


def test_a_model_is_saved_over_the_file_it_was_loaded_from(tmp_path):
    build().save_pretrained(tmp_path)
    model = load(tmp_path)
    assert isinstance(buffer_of(model.word_embeddings), mmap.mmap)
    model.params["embeddings"]["LayerNorm"]["bias"] += 1
    expected = {name: array.copy() for name, array in plain(model).items()}
    for _ in range(2):
        model.save_pretrained(tmp_path)
        assert_same(plain(load(tmp_path)), expected)
    assert_same(plain(model), expected)


@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path):
    # In the Hub's cache, several revisions may share a file.
    build().save_pretrained(tmp_path / "blobs")
    before = files(tmp_path / "blobs")
    (tmp_path / "model").mkdir()
    for name in before:
        (tmp_path / "model" / name).symlink_to(tmp_path / "blobs" / name)
    model = load(tmp_path / "model")
    model.params["embeddings"]["LayerNorm"]["bias"] += 1
    model.save_pretrained(tmp_path / "model")
    assert_same(plain(load(tmp_path / "model")), plain(model))
    assert files(tmp_path / "blobs") == before


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_files_have_the_usual_permissions_and_nothing_else_is_left(tmp_path, umask):
    before = os.umask(umask)
    try:
        build().save_pretrained(tmp_path)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    usual = 0o666 & ~umask
    assert modes == {"config.json": usual, "model.safetensors": usual}


def test_a_file_says_the_format_that_transformers_asks_for(tmp_path):
    build().save_pretrained(tmp_path)
    with safe_open(tmp_path / "model.safetensors", framework="np") as file:
        assert file.metadata() == {"format": "pt"}


# --- refused --------------------------------------------------------------------------

SAVE = {
    "model": lambda folder: build(n_layers=1).save_pretrained(folder),
    "config": lambda folder: build(n_layers=1).config.save_pretrained(folder),
    "tokenizer": lambda folder: DistilBertTokenizer.from_pretrained(
        "tiny"
    ).save_pretrained(folder),
}


@pytest.fixture
def old(tmp_path):
    """Return a folder with an old model in it."""
    build().save_pretrained(tmp_path / "old")
    return tmp_path / "old"


def refusal(save, folder):
    """Return the line that saving is refused with."""
    with pytest.raises(FileError) as caught:
        save(folder)
    message = str(caught.value)
    assert message.startswith(str(folder)) and message.isprintable()
    return message.removeprefix(str(folder))


REFUSED = PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize(("fails", "error"), [
    ("tempfile.mkdtemp", REFUSED), ("pathlib.Path.write_text", REFUSED),
    ("os.replace", REFUSED),
    ("safetensors.numpy.save_file", REFUSED),
    ("safetensors.numpy.save_file", SafetensorError("Permission denied")),
])
def test_a_save_that_fails_leaves_the_old_files_whole(old, monkeypatch, fails, error):
    def fail(*arguments, **options):
        raise error

    before = files(old)
    monkeypatch.setattr(fails, fail)
    assert refusal(SAVE["model"], old) == ": cannot be written (Permission denied)"
    monkeypatch.undo()
    assert files(old) == before


def test_a_save_that_is_interrupted_leaves_the_old_files_whole(old, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    before = files(old)
    monkeypatch.setattr("safetensors.numpy.save_file", interrupt)
    with pytest.raises(KeyboardInterrupt):
        SAVE["model"](old)
    assert files(old) == before


@pytest.mark.parametrize("save", SAVE.values(), ids=SAVE)
@pytest.mark.parametrize("name", ["file", "file/folder", "file/a/b", "x" * 300])
def test_a_folder_that_cannot_be_made(tmp_path, save, name):
    (tmp_path / "file").write_text("a file")
    before = files(tmp_path)
    assert refusal(save, tmp_path / name).startswith(": cannot be made (")
    assert files(tmp_path) == before


@pytest.mark.parametrize("save", SAVE.values(), ids=SAVE)
@pytest.mark.parametrize("name", ["", None, 5, "a\0b", "\ud800"])
def test_what_names_no_folder(tmp_path, monkeypatch, save, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        save(name)
    assert str(caught.value).startswith("folder: expected the name of one, found ")
    assert files(tmp_path) == {}


def test_a_folder_in_the_place_of_a_file(old):
    (old / "model.safetensors").unlink()
    (old / "model.safetensors").mkdir()
    assert refusal(SAVE["model"], old).startswith(": cannot be written (")
    assert not list(old.glob(f"*{PART}"))


@pytest.mark.parametrize("save", SAVE.values(), ids=SAVE)
def test_a_folder_without_permission(old, save):
    before = files(old)
    old.chmod(0o555)
    if os.access(old, os.W_OK):
        pytest.skip("nobody stops root")
    assert refusal(save, old).endswith(": cannot be written (Permission denied)")
    assert files(old) == before


def test_what_cannot_be_deleted_is_named(tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise REFUSED

    names = [f"training-checkpoint-00000{step}" for step in (1, 2)]
    for name in (*names, f".a{PART}"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr("shutil.rmtree", fail)
    said = f"/{names[0]}: cannot be deleted (Permission denied)"
    assert refusal(keep_newest_checkpoint, tmp_path) == said
    said = f"/.a{PART}: cannot be deleted (Permission denied)"
    assert refusal(delete_parts, tmp_path) == said


# --- a full disk, a kill --------------------------------------------------------------

posix = pytest.mark.skipif(os.name != "posix", reason="needs limits and signals")


def start(how, what, folder):
    """Start saving_run.py in a process of its own."""
    return subprocess.Popen(
        [sys.executable, saving_run.__file__, how, what, str(folder)],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def failed_saves(how, what, folder):
    """Return what failed saves said and left, after the old files, and then the new.
    """
    process = start(how, what, folder)
    result = json.loads(process.communicate()[0])
    assert process.returncode == 0
    assert result["after"].items() >= result["new"].items() != result["before"].items()
    assert len(result["found"]) >= 4
    return result["before"], result["found"], folder / "there"


@posix
@pytest.mark.parametrize("what", saving_run.SAVERS)
def test_a_full_disk_leaves_the_old_files_whole_and_nothing_else(tmp_path, what):
    before, found, there = failed_saves("full", what, tmp_path)
    for limit, said, left in found:
        assert said.startswith(f"FileError: {there}"), limit
        assert ": cannot be written (" in said and "File too large" in said, limit
        assert left == before, limit


@posix
@pytest.mark.parametrize("what", saving_run.SAVERS)
def test_a_kill_amid_a_file_leaves_the_old_files_whole(tmp_path, what):
    before, found, there = failed_saves("killed", what, tmp_path)
    for limit, said, left in found:
        assert said == "SIGXFSZ", limit
        parts = {name for name in left if name.split("/")[0].endswith(PART)}
        assert parts and {n: d for n, d in left.items() if n not in parts} == before
    delete_parts(there)
    assert not [path for path in there.iterdir() if path.name.startswith(".")]


@posix
def test_killed_from_outside_a_large_file_is_the_old_or_the_new(tmp_path):
    halves = 0
    for run in range(3):
        folder = tmp_path / str(run)
        process = start("large", "model", folder)
        both = {process.stdout.readline().strip() for _ in range(2)}
        while process.poll() is None and not list(folder.glob(f"*{PART}/*")):
            time.sleep(0.001)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert len(both) == 2 and digest(folder / "model.safetensors") in both
        halves += bool(list(folder.glob(f"*{PART}")))
        model = DistilBertModel.from_pretrained(folder)
        assert model.word_embeddings.shape == (20000, 600)
    assert halves                                # the kills did meet half a save


@posix
def test_vectors_that_do_not_fit_on_the_disk_are_told(tmp_path):
    path = tmp_path / "vectors.npy"
    limit = ("import resource, sys; from distilbert_np.__main__ import main;"
             "resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500));"
             "sys.exit(main(sys.argv[1:]))")
    command = [sys.executable, "-c", limit, "embed", "a", "--out", str(path)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == f"embed: {path}: cannot be written (File too large)\n"
    assert list(tmp_path.iterdir()) == []
