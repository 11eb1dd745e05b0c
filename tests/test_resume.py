"""A run that was killed goes on, and ends with the bits of an undisturbed one."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import training_run
from safetensors.numpy import load_file, save_file
from test_checkpoints import as_bfloat16, from_bfloat16, safetensors
from training_run import RECIPE, outcome, run_of

from distilbert_np import CheckpointError, DistilBertForMaskedLM
from distilbert_np.errors import TrainingError
from distilbert_np.training import SGD, Recipe, fit, loop
from distilbert_np.trees import flatten

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs SIGKILL")

ROOT = Path(training_run.__file__).parents[1]


def start(kind, folder, *moments):
    """Start the script in a process of its own; return when the last run begins."""
    script = [sys.executable, training_run.__file__, kind, str(folder)]
    process = subprocess.Popen(
        [*script, *map(str, moments)], text=True, stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process):
    """Let it run to its end; return what came of it."""
    result = json.loads(process.communicate()[0])
    assert process.returncode == 0
    return result


def files(folder):
    """Return the bytes of every file in a folder, those in its folders too."""
    paths = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Return a function: of a kind of run, outcome and files where nothing kills it."""

    @cache
    def run(kind):
        folder = tmp_path_factory.mktemp("undisturbed")
        return finish(start(kind, folder)), files(folder)

    return run


def fit_here(folder, kind="masked-lm", run=None, recipe=RECIPE, **options):
    """Run it in this process; return model and history."""
    model, examples, tokenizer, held_out = run or run_of(kind)
    options = {"held_out": held_out, "save_every": 2, "progress": False} | options
    return model, fit(model, examples, tokenizer, recipe, folder=folder, **options)


# --- killed ---------------------------------------------------------------------------

# What a moment is, of a run that nothing has stopped, with a checkpoint after each 2 of
# 4 steps: 1 to 11 write the first checkpoint, 12 to 21 the second, 22 to 27 delete the
# first; 28 to 50 write the best model and its tokenizer.
MOMENTS = {
    "before the first checkpoint": [1],
    "while a checkpoint is written": [7, 14],
    "before a checkpoint gets its name": [8, 16],
    "while what was temporary is deleted": [10],
    "while the best model is written": [32, 31],
    "before the best model gets its name": [33],
    "when the best model has its name, and its configuration not yet": [34],
    "while an old checkpoint is deleted": [24, 44],
    "while the last old checkpoint is deleted": [174],
    "many times": random.Random(1).choices(range(1, 46), k=16),
}


@pytest.mark.parametrize(
    ("kind", "when"),
    [*(("masked-lm", when) for when in MOMENTS), ("classify", "many times")],
)
def test_killed_and_started_again_it_ends_with_the_same_bits(
    tmp_path, undisturbed, kind, when
):
    expected, expected_files = undisturbed(kind)
    assert finish(start(kind, tmp_path / "out", *MOMENTS[when])) == expected
    assert files(tmp_path / "out") == expected_files


def test_killed_from_outside_at_any_time(tmp_path, undisturbed):
    expected, expected_files = undisturbed("masked-lm")
    halves = 0
    for seconds in (0.05, 0.3, 0.5, 0.7):
        process = start("masked-lm", tmp_path, "slow")
        time.sleep(seconds)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        halves += any(".part" in name for name in files(tmp_path))
    assert halves                                # the kills did meet half a file
    assert finish(start("masked-lm", tmp_path)) == expected
    assert files(tmp_path) == expected_files


# --- stopped in the same process ------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 3, 4, 9])
def test_interrupted_the_half_trained_model_goes_on(tmp_path, monkeypatch, steps):
    expected = outcome(*fit_here(tmp_path / "undisturbed"))
    run = run_of("masked-lm")
    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_step", interrupted_after(steps))
        with pytest.raises(KeyboardInterrupt):
            fit_here(tmp_path / "out", run=run)
    assert outcome(*fit_here(tmp_path / "out", run=run)) == expected
    assert files(tmp_path / "out") == files(tmp_path / "undisturbed")


def interrupted_after(steps, train_step=loop.train_step):
    """Return train_step, stopped amid the step after so many as by Ctrl-C."""
    losses = []

    def step(*arguments):
        losses.append(train_step(*arguments))
        if len(losses) > steps:
            raise KeyboardInterrupt
        return losses[-1]

    return step


def test_how_often_checkpoints_are_written_changes_nothing(tmp_path):
    often = outcome(*fit_here(tmp_path / "often", save_every=1))
    seldom = outcome(*fit_here(tmp_path / "seldom", save_every=None))
    assert often == seldom == outcome(*fit_here(None))
    assert files(tmp_path / "often") == files(tmp_path / "seldom")


# --- finished, or another run ---------------------------------------------------------


def test_a_finished_run_comes_back_at_once(tmp_path, monkeypatch):
    expected = outcome(*fit_here(tmp_path))
    before = files(tmp_path)
    monkeypatch.delattr(loop, "train_step")
    assert outcome(*fit_here(tmp_path)) == expected
    assert files(tmp_path) == before


CHANGES = {
    "epochs": 4, "batch_size": 4, "accumulate": 1, "optimizer": SGD,
    "options": {"eps": 1e-6}, "lr": 1e-4, "weight_decay": 0.1, "warmup": 0.0,
    "max_grad_norm": 2.0, "seed": 6,
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the folder of a run."""
    folder = tmp_path_factory.mktemp("finished")
    fit_here(folder)
    return folder


def test_every_field_of_the_recipe_is_changed_below():
    assert CHANGES.keys() == Recipe.__dataclass_fields__.keys()


@pytest.mark.parametrize("name", CHANGES)
def test_another_recipe_is_refused(finished, name):
    recipe = replace(RECIPE, **{name: CHANGES[name]})
    assert refusal(finished, name, recipe=recipe)


def refusal(folder, name, **options):
    """Return the message that another run is refused with; nothing is written."""
    before = files(folder)
    with pytest.raises(TrainingError) as caught:
        fit_here(folder, **options)
    message = str(caught.value)
    assert message.startswith(f"{folder}: ") and "\n" not in message
    assert f" {name} " in message
    assert files(folder) == before
    return message


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("examples", lambda model, examples, *rest: (model, examples[:-1], *rest)),
        ("examples", lambda model, examples, *rest: (model, examples[::-1], *rest)),
        ("held_out", lambda *run: (*run[:3], run[3][1:])),
        ("config.n_layers",
         lambda *run: (run_of("masked-lm", n_layers=1)[0], *run[1:])),
        ("head", lambda *run: (run_of("classify")[0], *run_of("classify")[1:])),
        (
            "dtype",
            lambda model, *rest:
            (DistilBertForMaskedLM(model.config, dtype=np.float64), *rest),
        ),
    ],
)
def test_another_run_is_refused(finished, name, change):
    refusal(finished, name, run=change(*run_of("masked-lm")))


def test_another_configuration_of_the_same_shapes_is_refused(finished):
    model, *rest = run_of("masked-lm")
    model.config.dropout = 0.2
    refusal(finished, "config.dropout", run=(model, *rest))


def test_arrays_and_lists_are_the_same_examples(finished):
    model, examples, tokenizer, held_out = run_of("masked-lm")
    arrays = [{"input_ids": np.array(e["input_ids"])} for e in examples]
    fit_here(finished, run=(model, arrays, tokenizer, held_out))


def test_a_damaged_checkpoint_is_refused_by_name(tmp_path):
    fit_here(tmp_path)
    path = tmp_path / "training-checkpoint-000012" / "optimizer.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"optimizer\.safetensors"):
        fit_here(tmp_path)


def changed_shape(tensors):
    name = min(tensors)
    return tensors | {name: tensors[name][..., :1]}


def as_bytes(tensors):
    """Return the same bytes as numbers of a type that no parameter has."""
    return {name: array.view(np.uint8) for name, array in tensors.items()}


@pytest.mark.parametrize("change", [changed_shape, as_bytes])
@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors"])
def test_a_checkpoint_of_other_tensors_is_refused_by_name(tmp_path, name, change):
    fit_here(tmp_path)
    path = tmp_path / "training-checkpoint-000012" / name
    save_file(change(load_file(path)), path)
    with pytest.raises(CheckpointError) as caught:
        fit_here(tmp_path)
    assert str(caught.value) == f"{path}: holds tensors of another model"


def test_a_checkpoint_is_read_as_the_numbers_it_holds(tmp_path):
    fit_here(tmp_path)
    path = tmp_path / "training-checkpoint-000012" / "model.safetensors"
    halves = {name: as_bfloat16(array) for name, array in load_file(path).items()}
    path.write_bytes(safetensors(halves))
    model, _ = fit_here(tmp_path)
    for name, array in flatten(model.params).items():
        np.testing.assert_array_equal(array, from_bfloat16(halves[name]))


def test_the_checkpoint_holds_the_parameters_of_the_last_step(tmp_path):
    model, _ = fit_here(tmp_path)
    again = run_of("masked-lm")
    for array in flatten(again[0].params).values():
        array += 1
    again, _ = fit_here(tmp_path, run=again)
    for name, array in flatten(model.params).items():
        np.testing.assert_array_equal(flatten(again.params)[name], array, err_msg=name)
