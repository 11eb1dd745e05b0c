"""Distillation: where a student starts, what it is taught, and what comes of it."""

import math
from dataclasses import replace

import numpy as np
import pytest
from cases import SMALL
from test_resume import files
from training_run import outcome, run_of

from distilbert_np import (
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertForTokenClassification,
    DistilBertTokenizer,
    InputError,
)
from distilbert_np.errors import TrainingError
from distilbert_np.losses import IGNORED, cosine_loss, cross_entropy, kl_divergence
from distilbert_np.training import (
    SGD,
    Distillation,
    Recipe,
    fit,
    loop,
    mask_weights,
    student_layers,
    student_of,
    tiny_world,
    train_step,
)
from distilbert_np.trees import flatten


def model(seed=0, dtype="float64", **changes):
    """Return a small model whose parameters are all drawn, biases too."""
    config = DistilBertConfig(**SMALL | {"n_layers": 4} | changes)
    made = DistilBertForMaskedLM(config, dtype=dtype)
    rng = np.random.default_rng(seed)
    for array in flatten(made.params).values():
        array += 0.3 * rng.standard_normal(array.shape)
    return made


def batch(seed=0, B=5, L=8):
    """Return a batch padded left and right, with words asked for and one all hidden."""
    rng = np.random.default_rng(seed)
    mask = np.ones((B, L), int)
    mask[1, 5:], mask[2, :3], mask[3, 0] = 0, 0, 0
    ids = rng.integers(1, SMALL["vocab_size"], (B, L)) * mask
    asked = (rng.random((B, L)) < 0.3) & (mask == 1)
    asked[0, 1] = True
    labels = np.where(asked, ids, IGNORED)
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


# --- the student ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_teacher", "n_student", "layers"),
    [
        (12, 6, [0, 2, 4, 7, 9, 11]),            # the authors' own choice
        (6, 3, [0, 2, 5]),
        (12, 3, [0, 6, 11]),                     # 5.5: halves go to the even number
        (4, 3, [0, 2, 3]),
        (12, 2, [0, 11]),
        (6, 1, [0]),
        (1, 1, [0]),
        (5, 5, [0, 1, 2, 3, 4]),
    ],
)
def test_layers_are_spread_from_the_first_to_the_last(n_teacher, n_student, layers):
    assert student_layers(n_teacher, n_student) == layers


def test_no_layer_is_taken_twice():
    for n_teacher in range(1, 40):
        for n_student in range(2, n_teacher + 1):
            layers = student_layers(n_teacher, n_student)
            assert layers == sorted(set(layers)) and len(layers) == n_student
            assert (layers[0], layers[-1]) == (0, n_teacher - 1)


@pytest.mark.parametrize("n_layers", [0, 5, -1, 2.0, True, "2"])
def test_a_student_without_layers_or_with_more_than_there_are_is_refused(n_layers):
    with pytest.raises(InputError, match=r"^n_layers: expected .* to .* 4, found"):
        student_of(model(), n_layers)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(("n_layers", "taken"), [(None, [0, 3]), (3, [0, 2, 3])])
def test_a_student_starts_as_a_part_of_its_teacher(n_layers, taken, tied):
    teacher = model(tie_word_embeddings=tied)
    student = student_of(teacher, n_layers)
    expected = student_tensors(teacher, taken)
    found = flatten(student.params)
    assert found.keys() == expected.keys()
    for name, array in found.items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)
    assert student.config == teacher.config.changed(n_layers=len(taken))
    assert student.dtype == teacher.dtype


def student_tensors(teacher, taken):
    """Return the tensors of some layers, numbered anew, and all that is in no layer."""
    tensors, stack = {}, "distilbert.transformer.layer."
    for name, array in flatten(teacher.params).items():
        if name.startswith(stack):
            number, _, rest = name.removeprefix(stack).partition(".")
            if int(number) not in taken:
                continue
            name = f"{stack}{taken.index(int(number))}.{rest}"
        tensors[name] = array
    return tensors


def test_a_teacher_of_odd_depth_has_a_student_of_half_rounded_up():
    assert student_of(model(n_layers=3)).config.n_layers == 2
    assert student_of(model(n_layers=1)).config.n_layers == 1


def test_what_the_student_learns_the_teacher_does_not():
    teacher = model()
    student = student_of(teacher, 4)
    theirs = flatten(teacher.params)
    for name, array in flatten(student.params).items():
        assert not np.shares_memory(array, theirs[name]), name


def test_a_student_is_saved_and_opened_as_any_model(tmp_path):
    student = student_of(model(dtype="float32"))
    student.save_pretrained(tmp_path)
    again = DistilBertForMaskedLM.from_pretrained(tmp_path)
    assert again.load_report.missing == [] and again.config.n_layers == 2
    np.testing.assert_array_equal(
        again(**batch()).logits, student(**batch()).logits
    )


# --- the objective --------------------------------------------------------------------


def by_hand(student, teacher, given, weights=(5, 2, 1), temperature=2.0):
    """Return the loss, written out."""
    inputs = {name: given[name] for name in ("input_ids", "attention_mask")}
    out, soft = (m(**inputs, output_hidden_states=True) for m in (student, teacher))
    asked, seen = given["labels"] != IGNORED, given["attention_mask"] == 1
    kl, mlm, cos = weights
    return (
        kl * kl_divergence(out.logits[asked], soft.logits[asked], temperature)
        + mlm * cross_entropy(out.logits, given["labels"])
        + cos * cosine_loss(out.hidden_states[-1][seen], soft.hidden_states[-1][seen])
    )


WEIGHTS = [(5.0, 2.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]


@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_loss_is_the_weighed_sum(weights):
    teacher, given = model(), batch()
    student = model(1, n_layers=2)
    loss, _ = Distillation(teacher, *weights, 3.0)(student, given, 1.0, None)
    assert loss == pytest.approx(by_hand(student, teacher, given, weights, 3.0), 1e-14)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_gradient_is_the_loss_s_own(weights):
    teacher, given = model(), batch()
    student = model(1, n_layers=1)
    _, grads = Distillation(teacher, *weights)(student, given, 0.5, None)
    rng = np.random.default_rng(2)
    for name, array in flatten(student.params).items():
        place = tuple(rng.integers(size) for size in array.shape)
        if name.endswith("word_embeddings.weight"):
            place = (given["input_ids"][0, 0], 3)
        at, losses = array[place], []
        for step in (1e-5, -1e-5):
            array[place] = at + step
            losses.append(by_hand(student, teacher, given, weights))
        array[place] = at
        difference = 0.5 * (losses[0] - losses[1]) / 2e-5
        found = flatten(grads)[name][place]
        assert found == pytest.approx(difference, 1e-5, 1e-8), name


def test_the_parts_are_there_to_look_at():
    teacher, given = model(), batch()
    inputs = {name: given[name] for name in ("input_ids", "attention_mask")}
    soft = teacher(**inputs, output_hidden_states=True)
    objective = Distillation(teacher)
    same = objective.parts(soft, soft, given)
    assert list(same) == ["kl", "mlm", "cos"]
    assert same["kl"] == 0 and same["cos"] == pytest.approx(0, abs=1e-12)
    assert same["mlm"] == teacher(**given).loss
    alone = replace(objective, kl=0.0, cos=0.0)
    assert alone.parts(soft, soft, given) == {"mlm": same["mlm"]}


def test_a_teacher_whom_nobody_asks_does_not_answer(monkeypatch):
    monkeypatch.setattr(DistilBertForMaskedLM, "__call__", counting := Counting())
    student = model(1, n_layers=2)
    Distillation(model(), kl=0.0, cos=0.0)(student, batch(), 1.0, None)
    assert counting.called == [student]


class Counting:
    """The call of a model that writes down whose it is."""

    def __init__(self, call=DistilBertForMaskedLM.__call__):
        self.call, self.called = call, []

    def __get__(self, instance, owner):
        def called(*arguments, **options):
            self.called.append(instance)
            return self.call(instance, *arguments, **options)

        return called


def test_the_student_drops_and_the_teacher_does_not():
    teacher, given = model(), batch()
    student = student_of(teacher, 4)
    cosine = Distillation(teacher, kl=0.0, mlm=0.0)
    still, _ = cosine(student, given, 1.0, None)
    moved, _ = cosine(student, given, 1.0, np.random.default_rng(0))
    assert still == pytest.approx(0, abs=1e-12) and moved > 1e-3
    # What is drawn is drawn for the student alone.
    rngs = [np.random.default_rng(0) for _ in range(2)]
    cosine(student, given, 1.0, rngs[0])
    student(**given, rng=rngs[1])
    assert rngs[0].random() == rngs[1].random()


def test_the_gradients_of_parts_of_a_batch_add_up():
    # Each batch counts by its labels: rows asked alike, all seen, weigh alike.
    teacher, student = model(), model(1, n_layers=2)
    given = batch(B=6)
    given["attention_mask"][:] = 1
    given["labels"][:] = IGNORED
    given["labels"][:, 2:4] = given["input_ids"][:, 2:4]
    parts = [{name: array[rows] for name, array in given.items()}
             for rows in (slice(0, 2), slice(2, 6))]
    ends = []
    for batches in ([given], parts):
        learner = student_of(student, 2)
        optimizer = SGD(learner.params, lr=0.1)
        loss = train_step(
            learner, batches, optimizer, 0.1, math.inf, None, Distillation(teacher)
        )
        ends.append((loss, flatten(learner.params)))
    assert ends[0][0] == pytest.approx(ends[1][0], 1e-13)
    for name, array in ends[0][1].items():
        np.testing.assert_allclose(array, ends[1][1][name], 0, 1e-13, err_msg=name)


# --- what is refused ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"teacher": "tiny"},
         "teacher: expected a DistilBertForMaskedLM, found 'tiny'"),
        ({"kl": -1}, "kl: expected a finite number of at least 0, found -1"),
        ({"mlm": math.nan}, "mlm: expected a finite number of at least 0, found nan"),
        ({"cos": "1"}, "cos: expected a finite number of at least 0, found '1'"),
        ({"temperature": 0}, "temperature: expected a finite number above 0, found 0"),
        ({"temperature": math.inf}, "temperature: expected a finite number above 0, "
         "found inf"),
        ({"kl": 0, "mlm": 0, "cos": 0}, "kl, mlm, cos: all are 0, expected one above 0 "
         "at least"),
    ],
)
def test_arguments_that_cannot_be_used(arguments, message):
    with pytest.raises(InputError) as caught:
        Distillation(**{"teacher": model()} | arguments)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("student", "message"),
    [
        (model(vocab_size=41),
         "model: its vocab_size is 41, expected 40 as the teacher's"),
        (model(dim=15), "model: its dim is 15, expected 12 as the teacher's"),
        (model(dtype="float32"),
         "model: its dtype is float32, expected float64 as the teacher's"),
        (DistilBertForTokenClassification(DistilBertConfig(**SMALL)),
         "model: expected a DistilBertForMaskedLM, found "
         "DistilBertForTokenClassification(3,042 float32 parameters)"),
    ],
)
def test_students_that_cannot_be_compared(student, message):
    with pytest.raises(InputError) as caught:
        Distillation(model())(student, batch(), 1.0, None)
    assert str(caught.value) == message


def test_without_cosine_a_student_may_be_narrower():
    loss, _ = Distillation(model(), cos=0.0)(model(dim=6), batch(), 1.0, None)
    assert math.isfinite(loss)


@pytest.mark.parametrize("name", ["labels", "attention_mask"])
def test_a_batch_in_which_nothing_counts_is_refused(name):
    given = batch()
    given[name] = np.full_like(given[name], IGNORED if name == "labels" else 0)
    with pytest.raises(TrainingError, match="no label counts"):
        Distillation(model())(model(), given, 1.0, None)


@pytest.mark.parametrize("whose", ["teacher", "student"])
def test_a_loss_that_is_not_finite_names_the_first_tensor(whose):
    models = {"teacher": model(), "student": model(1)}
    models[whose].params["vocab_projector"]["bias"][3] = np.nan
    name = {"teacher": "teacher.logits", "student": "head.logits"}[whose]
    with pytest.raises(TrainingError, match=f"not finite is {name}$"):
        Distillation(models["teacher"])(models["student"], batch(), 1.0, None)


# --- a run ----------------------------------------------------------------------------

RECIPE = Recipe(epochs=2, batch_size=3, accumulate=2, lr=3e-3, seed=5)


def distilled(folder=None, recipe=RECIPE, **changes):
    """Distil a small model of the tiny world; return student and history."""
    teacher, examples, tokenizer, held_out = run_of("masked-lm", n_layers=4)
    V, special = len(tokenizer), tokenizer.all_special_ids
    options = {
        "objective": Distillation(teacher), "held_out": held_out, "progress": False,
        "mask_weights": mask_weights(examples, V, special), "save_every": 2,
    } | changes
    student = student_of(teacher)
    return student, fit(student, examples, tokenizer, recipe, folder=folder, **options)


def test_a_student_comes_nearer_to_its_teacher():
    teacher = DistilBertForMaskedLM.from_pretrained("tiny")
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")
    ids = tokenizer(list(tiny_world.sentences(3, 32)))["input_ids"]
    student = student_of(teacher, 1)
    history = fit(
        student, [{"input_ids": row} for row in ids], tokenizer,
        Recipe(epochs=30, lr=2e-3, warmup=0.0), objective=Distillation(teacher),
        progress=False,
    )
    assert len(history.losses) == 60
    assert np.mean(history.losses[-4:]) < 0.5 * np.mean(history.losses[:4])


def test_fit_follows_the_objective():
    teacher, examples, tokenizer, _ = run_of("masked-lm")
    teacher.config.dropout = teacher.config.attention_dropout = 0.0
    history = fit(
        student_of(teacher, 2), examples, tokenizer, replace(RECIPE, lr=0.0),
        objective=Distillation(teacher, mlm=0.0), progress=False,
    )
    assert np.abs(history.losses).max() < 1e-5       # a student that knows it all


def test_mask_weights_are_for_training_and_not_for_evaluation():
    still = replace(RECIPE, lr=0.0)
    _, by_weight = distilled(recipe=still)
    _, alike = distilled(recipe=still, mask_weights=None)
    assert by_weight.losses != alike.losses
    assert by_weight.evaluations == alike.evaluations


@pytest.mark.parametrize("stop_at", [1, 5])
def test_a_distillation_that_was_stopped_ends_with_the_same_bits(
    tmp_path, monkeypatch, stop_at
):
    expected = outcome(*distilled(tmp_path / "undisturbed"))
    steps = []

    def stopped(*arguments, step=loop.train_step):
        steps.append(step(*arguments))
        if len(steps) > stop_at:
            raise KeyboardInterrupt
        return steps[-1]

    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_step", stopped)
        with pytest.raises(KeyboardInterrupt):
            distilled(tmp_path / "out")
    assert outcome(*distilled(tmp_path / "out")) == expected
    assert files(tmp_path / "out") == files(tmp_path / "undisturbed")


def other_teacher():
    teacher = run_of("masked-lm", n_layers=4)[0]
    flatten(teacher.params)["vocab_projector.bias"][7] += 1e-7
    return teacher


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("objective", {"objective": None}),
        ("objective", {"objective": {"kl": 4.0}}),
        ("objective", {"objective": {"temperature": 1.0}}),
        ("teacher", {"objective": {"teacher": other_teacher}}),
        ("mask_weights", {"mask_weights": None}),
    ],
)
def test_another_distillation_is_refused(tmp_path, name, change):
    distilled(tmp_path)
    teacher = run_of("masked-lm", n_layers=4)[0]
    if fields := change.get("objective"):
        fields = {k: v() if callable(v) else v for k, v in fields.items()}
        change = {"objective": Distillation(**{"teacher": teacher} | fields)}
    before = files(tmp_path)
    with pytest.raises(TrainingError, match=f"of another run: {name} was"):
        distilled(tmp_path, **change)
    assert files(tmp_path) == before
