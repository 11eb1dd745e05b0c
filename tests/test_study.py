"""The study of the tiny world, on a world so small that it takes seconds."""

import json
from dataclasses import replace

import numpy as np
import pytest

from distilbert_np import DistilBertForMaskedLM
from distilbert_np.__main__ import main
from distilbert_np.errors import InputError
from distilbert_np.losses import IGNORED
from distilbert_np.training import study, tiny_world
from distilbert_np.trees import flatten


@pytest.fixture(scope="module", autouse=True)
def small():
    """Make the study small."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "N_TEXTS": 160, "N_HELD_OUT": 24, "N_TEST": 24,
            "TEACHER_LAYERS": 2, "STUDENT_LAYERS": 1,
            "SHAPE": study.SHAPE | {"dim": 32, "hidden_dim": 32},
            "TEACHER_RECIPE": replace(
                study.TEACHER_RECIPE, epochs=4, batch_size=8, lr=5e-3
            ),
            "STUDENT_RECIPE": replace(study.STUDENT_RECIPE, epochs=2),
        }.items():
            patch.setattr(study, name, value)
        yield


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Return the folder of a finished study, and its report."""
    folder = tmp_path_factory.mktemp("study")
    return folder, study.study(folder, (0, 1), [*study.VARIANTS], progress=False)


def runs_of(report, name):
    """Return the runs of a report that have this name."""
    return [run for run in report["runs"] if run["name"] == name]


def test_each_seed_has_a_teacher_and_every_student(told):
    folder, report = told
    assert [run["name"] for run in report["runs"]] == 2 * ["teacher", *study.VARIANTS]
    for run in report["runs"]:
        place = folder / f"seed-{run['seed']}" / run["name"].replace(" ", "-")
        model = DistilBertForMaskedLM.from_pretrained(place)
        assert model.num_parameters() == run["parameters"]
        assert model.config.n_layers == (2 if run["name"] == "teacher" else 1)
        n_epochs = 4 if run["name"] == "teacher" else 2
        assert len(run["epochs"]) == len(run["losses"]) == n_epochs


def test_the_report_is_a_file_too(told):
    folder, report = told
    assert json.loads((folder / "study.json").read_text(encoding="utf-8")) == report


def test_a_run_depends_on_its_seed_and_its_kind(told):
    losses = {(run["seed"], run["name"]): run["losses"][0] for run in told[1]["runs"]}
    assert len({*losses.values()}) == len(losses)


def test_a_finished_study_is_not_done_again(told, monkeypatch):
    folder, report = told
    monkeypatch.setattr("distilbert_np.training.loop.train_step", None)
    lines = []
    again = study.study(folder, (0,), ["distilled"], progress=False, say=lines.append)
    assert again["runs"] == report["runs"][:2]
    assert lines[0] == f"160 texts, {len(study.read_world().test)} held out"
    assert "distilled" in lines[-2] and "times as fast" in lines[-1]


def test_the_table_has_means_and_spreads(told):
    rows = {row["name"]: row for row in told[1]["table"]}
    assert [*rows] == ["teacher", *study.VARIANTS]
    ours = [run["accuracy"] for run in runs_of(told[1], "distilled")]
    theirs = [run["accuracy"] for run in runs_of(told[1], "teacher")]
    row = rows["distilled"]
    assert row["accuracy"]["mean"] == pytest.approx(sum(ours) / 2)
    assert row["accuracy"]["spread"] == pytest.approx(abs(ours[0] - ours[1]) / 2**0.5)
    kept = [a / b for a, b in zip(ours, theirs, strict=True)]
    assert row["kept"]["mean"] == pytest.approx(sum(kept) / 2)
    assert rows["teacher"]["kept"] == {"mean": 1, "spread": 0}
    alone = study.table(told[1]["runs"][:2])
    assert alone[0]["accuracy"]["spread"] is None
    assert "±" in study.table_text(told[1]["table"])
    assert "±" not in study.table_text(alone)


def test_a_seed_counts_once(told):
    again = study.study(told[0], (1, 1), ["distilled"], progress=False)
    assert [row["seeds"] for row in again["table"]] == [1, 1]


def test_half_of_the_layers_are_faster(told):
    assert told[1]["speed"] > 1                  # two layers against one


def test_soft_targets_are_softer_where_it_is_warmer(told):
    for target in told[1]["soft_targets"]:
        for who in ("teacher", "student"):
            sums = [sum(target[who][str(t)]) for t in study.TEMPERATURES]
            assert 0 < sums[2] <= sums[1] <= sums[0] <= 1 + 1e-6
        assert target["teacher"]["1"] == sorted(target["teacher"]["1"], reverse=True)
        assert len(target["words"]) == study.N_WORDS


# --- the parts ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world():
    """Return the small world."""
    return study.read_world()


def test_what_is_held_out_is_not_learned(world):
    learned = {tuple(example["input_ids"]) for example in world.examples}
    chosen_by, reported = (
        {tuple(example["input_ids"]) for example in examples}
        for examples in (world.held_out, world.test)
    )
    assert chosen_by and reported
    assert not learned & (chosen_by | reported) and not chosen_by & reported
    assert len(world.tokenizer) <= study.VOCAB_SIZE


def test_a_fact_word_is_hidden_and_nowhere_else(world):
    mask = world.tokenizer.mask_token_id
    words = {word.lower() for _, word in tiny_world.statements(2_000, 24, True)}
    assert len(world.facts) > 10
    for example in world.facts:
        ids, labels = example["input_ids"], example["labels"]
        (gap,) = np.flatnonzero(labels != IGNORED)
        assert ids[gap] == mask and labels[gap] not in ids
        assert world.tokenizer.convert_ids_to_tokens(labels[gap]) in words


@pytest.mark.parametrize("name", study.VARIANTS)
def test_a_student_starts_and_learns_as_its_kind_says(name, world, monkeypatch):
    teacher = DistilBertForMaskedLM(
        study.DistilBertConfig(n_layers=2, **study.SHAPE), seed=0
    )
    seen = {}
    monkeypatch.setattr(
        study, "fit", lambda student, *_, **options: seen.update(options, of=student)
    )
    study.train_student(world, teacher, study.VARIANTS[name], 0, None)
    variant, objective = study.VARIANTS[name], seen["objective"]
    weights = (objective.kl, objective.mlm, objective.cos)
    assert weights == (variant.kl, variant.mlm, variant.cos)
    q_lin = "transformer.layer.0.attention.q_lin.weight"
    words = "embeddings.word_embeddings.weight"
    for tensor in (q_lin, words):                # its teacher's seed is 0 as well
        theirs, ours = (flatten(m.encoder)[tensor] for m in (teacher, seen["of"]))
        assert np.array_equal(theirs, ours) == variant.from_teacher
    assert seen["mask_weights"][world.tokenizer.mask_token_id] == 0
    assert len({*seen["mask_weights"].tolist()}) > 10


def test_unknown_variants_and_seeds_are_refused(tmp_path):
    for wrong in (["distiled"], []):
        with pytest.raises(InputError, match="variants: expected some of distilled"):
            study.study(tmp_path, variants=wrong)
    for wrong in ((), (1, -1), ("0",)):
        with pytest.raises(InputError, match="seeds: expected whole numbers from 0"):
            study.study(tmp_path, seeds=wrong)


# --- the command ----------------------------------------------------------------------


def test_the_command_tells_the_table(tmp_path, capsys):
    command = ["distill", "--world", "tiny", "--out", str(tmp_path)]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert out.startswith("160 texts, ")
    assert "seed 0, distilled: " in out and "times as fast as its teacher" in out
    assert "without KL" not in out
    assert main([*command, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [run["name"] for run in report["runs"]] == ["teacher", "distilled"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--world", "tiny", "--teacher", "x"], "--teacher: --world tiny settles it"),
        (["--world", "tiny", "--epochs", "1"], "--epochs: --world tiny settles it"),
        (["--world", "tiny", "--held-out", "0.1"], "--held-out: --world tiny settles"),
        (["--seeds", "1"], "--seeds: expected with --world tiny alone"),
        (["--ablation"], "--ablation: expected with --world tiny alone"),
    ],
)
def test_options_that_would_be_in_vain_are_refused(options, message, tmp_path, capsys):
    assert main(["distill", "--out", str(tmp_path), *options]) == 2
    assert message in capsys.readouterr().err
