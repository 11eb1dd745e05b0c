"""Distillation, live: against PyTorch on other seeds; BERT-base's student."""

import numpy as np
import pytest
from distillation import (
    LEARNED,
    LESSONS,
    LOSSES,
    WAY,
    Lesson,
    build,
    gradients,
    load,
    losses,
    sample,
    stored,
    train,
)
from gradients import check_close
from reference import digest, vanishes
from test_live_checkpoints import inputs, open_there
from trajectories import check_state

from distilbert_np import DistilBertForMaskedLM
from distilbert_np.training import student_of
from distilbert_np.trees import flatten

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import make_distillation

OTHERS = [
    Lesson("live"),
    Lesson("live, at temperature 1", temperature=1.0),
    Lesson("live, KL alone", (1.0, 0.0, 0.0), 3.0),
    Lesson("live, cosine alone", (0.0, 0.0, 1.0)),
    Lesson("live, without KL", (0.0, 2.0, 1.0)),
    Lesson("live, without MLM", (5.0, 0.0, 1.0)),
    Lesson("live, another head", teacher={"tie_word_embeddings": False, "n_layers": 3}),
    Lesson("live, pad is 7", teacher={"pad_token_id": 7}, student={"n_layers": 1}),
    Lesson("live, as deep", teacher={"activation": "silu"}, student={"n_layers": 4}),
]


def named(lessons):
    return pytest.mark.parametrize("lesson", lessons, ids=[x.name for x in lessons])


@named(OTHERS + LESSONS)
def test_losses_and_every_gradient(lesson):
    exact_losses, exact = make_distillation.learn(lesson, torch.float64)
    for name, loss in losses(lesson, np.float64).items():
        assert loss == pytest.approx(exact_losses[name], rel=1e-12), name
    for dtype in ("float64", "float32"):
        found = gradients(lesson, dtype)
        assert set(found) == set(exact)
        for name, result in found.items():
            largest = np.abs(exact[name]).max()
            check_close(
                lesson.cases[1], name, result, result, exact[name], largest
            )


@named([OTHERS[0], OTHERS[3], OTHERS[6]])
def test_8_steps(lesson):
    norms = []
    for (loss, found), (exact_loss, norm, exact) in zip(
        train(lesson, np.float64), make_distillation.train(lesson, torch.float64),
        strict=True,
    ):
        assert loss == pytest.approx(exact_loss, rel=1e-12)
        largest = {name: np.abs(array).max() for name, array in exact.items()}
        check_state(lesson.cases[1], WAY, found, exact, 1e-11, largest)
        norms.append(norm)
    assert lesson is not OTHERS[0] or max(norms) > WAY.max_norm      # some are clipped


@named(LESSONS)
def test_the_committed_reference_is_what_torch_says_today(lesson):
    now, exact = make_distillation.learn(lesson, torch.float64)
    assert list(now) == list(LOSSES)
    np.testing.assert_allclose(
        [*now.values()], load()[f"{lesson.name}/losses"], rtol=1e-13
    )
    kept, largest = stored(lesson, "gradients")
    for name, array in exact.items():
        if not vanishes(lesson.cases[1], name):
            error = np.abs(sample(array) - kept[name]).max()
            assert error <= 1e-11 * largest[name], name


def test_the_committed_steps_are_what_torch_says_today():
    *_, (loss, _, state) = make_distillation.train(LEARNED, torch.float64)
    assert loss == pytest.approx(load()[f"{LEARNED.name}/steps"][-1], rel=1e-12)
    kept, largest = stored(LEARNED, "state")
    now = {name: sample(array) for name, array in state.items()}
    check_state(LEARNED.cases[1], WAY, now, kept, 1e-12, largest)


def test_the_teacher_is_left_as_it_is():
    objective, _ = build(LEARNED, np.float64)
    before = digest(flatten(objective.teacher.params))
    objective(student_of(objective.teacher), LEARNED.cases[1].arguments(), 1.0, None)
    assert digest(flatten(objective.teacher.params)) == before


# --- BERT-base's student is DistilBERT ------------------------------------------------


def free_memory():
    """Return how many bytes may still be taken, as Linux estimates it."""
    try:
        with open("/proc/meminfo") as file:
            fields = dict(line.split(":") for line in file)
    except OSError:
        pytest.skip("how much memory is free is not known here")
    return int(fields["MemAvailable"].split()[0]) * 1024


def test_the_student_of_a_bert_base_is_a_distilbert(tmp_path):
    if free_memory() < 3e9:
        pytest.skip("needs 3 GB of memory")
    torch.manual_seed(0)
    bert = transformers.BertForMaskedLM(transformers.BertConfig())
    bert.save_pretrained(tmp_path / "bert")
    del bert
    teacher = DistilBertForMaskedLM.from_pretrained(tmp_path / "bert")
    student = student_of(teacher)
    assert student.config.n_layers == 6
    encoder = flatten(student.encoder)
    assert sum(array.size for array in encoder.values()) == 66_362_880
    student.save_pretrained(tmp_path / "student")
    theirs = open_there("masked_lm", tmp_path / "student")
    assert theirs.distilbert.num_parameters() == 66_362_880
    given = {name: torch.from_numpy(a) for name, a in inputs("masked_lm").items()}
    with torch.no_grad():
        expected = theirs(**given).logits.numpy()
    found = student(**inputs("masked_lm")).logits
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
