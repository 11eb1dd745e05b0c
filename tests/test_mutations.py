"""Thousands of broken checkpoints: each is used or refused in a line, as it should be.

And the judge is judged: it must object to whatever must not happen.
"""

import os
import signal
import sys
import time
import warnings

import mutations
import numpy as np
import ours
import pytest
from mutations import KINDS, LAYOUTS, Offence, check_against_library, good_files, judge

from distilbert_np import CheckpointError, DistilBertModel, InputError
from tests.tools import mutate

N_SEEDS = 3000

linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is not limited here")


def test_broken_checkpoints_are_used_or_refused_in_a_line():
    tally = mutate.run(range(N_SEEDS))
    assert not tally.offences, tally.table()
    assert sum(tally.counts.values()) == N_SEEDS
    for kind, *_ in KINDS:                       # each meets both fates, or nearly each
        refused = sum(n for (k, o), n in tally.counts.items()
                      if k == kind and o != "accepted")
        assert refused > 10, kind
        assert tally.counts[kind, "accepted"] > 0 or kind == "weights, length"


@pytest.mark.parametrize("layout", {*LAYOUTS})
@pytest.mark.parametrize("head", ours.CLASSES)
def test_without_a_mutation_each_is_accepted(tmp_path, monkeypatch, layout, head):
    good = mutations.Mutated("nothing", head, good_files(layout, head))
    monkeypatch.setattr(mutations, "mutated", lambda seed: good)
    assert judge(0, tmp_path) == ("nothing", "accepted")


def test_a_seed_is_the_same_every_time():
    first, again = mutations.mutated(7), mutations.mutated(7)
    assert first == again != mutations.mutated(8)


# --- the judge ------------------------------------------------------------------------


class Panic(BaseException):
    """No Exception, as a panic of Rust."""


def raising(error):
    def raise_it(*arguments, **options):
        raise error
    return raise_it


def warning(category):
    def warn(folder):
        warnings.warn("careful", category, stacklevel=1)
        return DistilBertModel.from_pretrained(folder)
    return warn


def loading(change):
    """Return a loader that changes the model it loads."""
    def load(folder):
        model = DistilBertModel.from_pretrained(folder)
        change(model)
        return model
    return load


def spoil(number):
    """Return a change of a model: one of its parameters gets this number."""
    def change(model):
        model.word_embeddings[0, 0] = number
    return change


def shorten(model):
    model.params["embeddings"]["LayerNorm"]["bias"] = np.zeros(11, np.float32)


def other_type(model):
    model.params["embeddings"]["LayerNorm"]["bias"] = np.zeros(12)


OFFENCES = {
    "another error": (raising(KeyError("dim")), "KeyError: 'dim'"),
    "an error that is nearly ours": (raising(ValueError("no")), "ValueError: no"),
    "no memory": (raising(MemoryError("1 TiB")), "MemoryError: 1 TiB"),
    "too deep": (raising(RecursionError("deep")), "RecursionError: deep"),
    "a panic": (raising(Panic("no entry found")), "Panic: no entry found"),
    "no file is named": (raising(CheckpointError("broken")), "names no file: 'broken'"),
    "another warning": (warning(RuntimeWarning), "a warning: RuntimeWarning careful"),
    "NaN": (loading(spoil(np.nan)), "embeddings.word_embeddings.weight: NaN"),
    "infinity": (loading(spoil(np.inf)), "embeddings.word_embeddings.weight: NaN"),
    "another shape": (loading(shorten), "other shapes"),
    "another type": (loading(other_type), "embeddings.LayerNorm.bias: NaN"),
}


@pytest.fixture
def good(monkeypatch):
    """Let nothing be broken, and each head be the encoder alone."""
    files = good_files("whole", "base")
    case = mutations.Mutated("nothing", "base", files)
    monkeypatch.setattr(mutations, "mutated", lambda seed: case)


def replace_loader(monkeypatch, load):
    model_class = type("Model", (), {"from_pretrained": staticmethod(load)})
    monkeypatch.setitem(ours.CLASSES, "base", model_class)


@pytest.mark.parametrize(("load", "objection"), OFFENCES.values(), ids=OFFENCES)
def test_the_judge_objects_to(tmp_path, monkeypatch, good, load, objection):
    replace_loader(monkeypatch, load)
    with pytest.raises(Offence) as caught:
        judge(0, tmp_path)
    assert str(caught.value) == objection


@pytest.mark.parametrize("long", [False, True])
def test_the_judge_objects_to_messages_without_end(tmp_path, monkeypatch, good, long):
    error = InputError("")
    error.args = (f"{tmp_path}: " + ("x" * 5000 if long else "two\nlines"),)
    replace_loader(monkeypatch, raising(error))
    with pytest.raises(Offence, match=r"^\d+ characters: " if long else "^more than a"):
        judge(0, tmp_path)


def test_the_judge_allows_a_warning_of_this_package(tmp_path, monkeypatch, good):
    replace_loader(monkeypatch, warning(UserWarning))
    assert judge(0, tmp_path) == ("nothing", "accepted")


def test_the_judge_runs_what_was_loaded(tmp_path, monkeypatch, good):
    monkeypatch.setattr(DistilBertModel, "__call__", raising(IndexError("row 40")))
    with pytest.raises(Offence, match="IndexError: row 40"):
        judge(0, tmp_path)


def test_the_judge_objects_to_a_file_that_the_library_refuses(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    content = good_files("whole", "base")["model.safetensors"]
    path.write_bytes(content)
    check_against_library(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(Offence, match="the library refuses it"):
        check_against_library(path)


def test_the_judge_objects_to_tensors_that_are_read_otherwise(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    path.write_bytes(good_files("whole", "base")["model.safetensors"])
    found = mutations.map_file(path)
    found["embeddings.LayerNorm.bias"].array[3] += 1
    monkeypatch.setattr(mutations, "map_file", lambda path: found)
    with pytest.raises(Offence, match=r"embeddings\.LayerNorm\.bias: other bytes"):
        check_against_library(path)
    del found["embeddings.LayerNorm.bias"]
    with pytest.raises(Offence, match="other tensors"):
        check_against_library(path)


# --- the workers ----------------------------------------------------------------------


def misbehave(seed, folder):
    """Do at some seeds what ends a worker, or should."""
    if seed == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if seed == 4:
        time.sleep(3600)
    if seed == 5:
        raise Offence("it did what it must not")
    if seed == 9:
        os._exit(3)
    assert list(folder.iterdir()) == []
    return "config.json", "accepted"


def test_a_worker_that_ends_is_reported_with_its_seed():
    tally = mutate.run(range(10), judge=misbehave, seconds=5)
    assert tally.offences == {
        2: "the process ended with -9", 4: "took more than 5 s",
        5: "it did what it must not", 9: "the process ended with 3",
    }
    assert tally.counts["config.json", "accepted"] == 6
    table = tally.table().splitlines()
    assert table[0].split()[-1] == "OFFENCE" and table[-1].startswith("seed 9, ")
    assert table[-5].split() == ["all", "10", "6", "0", "0", "0", "0", "4"]


def fill_the_memory(seed, folder):
    try:
        np.ones(1 << 31, np.uint8)
    except MemoryError as error:
        raise Offence("it asked for 2 GiB") from error
    return "config.json", "accepted"


@linux
def test_a_worker_has_no_memory_for_giants():
    tally = mutate.run(range(1), judge=fill_the_memory)
    assert tally.offences == {0: "it asked for 2 GiB"}


@pytest.mark.parametrize(("offences", "status"), [({}, 0), ({7: "a crash"}, 1)])
def test_the_tool_tells_by_its_exit_status(monkeypatch, capsys, offences, status):
    tally = mutate.Tally(offences=offences)
    monkeypatch.setattr(mutate, "run", lambda seeds, n_workers: tally)
    assert mutate.main("10") == status
    assert ("a crash" in capsys.readouterr().out) == bool(status)
