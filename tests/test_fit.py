"""The loop: it learns, keeps the best, tells what it did, and stops where it must."""

import gc
import json
import math
import tracemalloc
import warnings
import weakref

import numpy as np
import ours
import pytest
from cases import SMALL

from distilbert_np import DistilBertConfig, DistilBertTokenizer, InputError
from distilbert_np.errors import FileError, TrainingError
from distilbert_np.training import (
    SGD,
    AdamW,
    History,
    Recipe,
    evaluate,
    fit,
    make_batch,
    train_step,
)
from distilbert_np.trees import flatten

# Answers that can be read off the ids: whether 5 is there, and where.
TARGET = 5


def random_ids(rng):
    """Return 4 to 9 ids of which none is special or the target."""
    return rng.integers(6, SMALL["vocab_size"], rng.integers(4, 10)).tolist()


def example(head, rng):
    """Return an example of a task that a small model can learn."""
    ids = random_ids(rng)
    place = int(rng.integers(1, len(ids)))
    if head == "sequence":
        there = int(rng.integers(2))
        ids[place] = TARGET if there else ids[place]
        return {"input_ids": ids, "labels": there}
    ids[place] = TARGET
    if head == "masked_lm":
        return {"input_ids": ids, "labels": [-100] * place + [TARGET]
                + [-100] * (len(ids) - place - 1)}
    if head == "token":
        return {"input_ids": ids, "labels": [int(i == TARGET) for i in ids]}
    if head == "question_answering":
        return {"input_ids": ids, "start_positions": place, "end_positions": place}
    right = int(rng.integers(3))
    others = [random_ids(rng) for _ in range(2)]
    return {"input_ids": [*others[:right], ids, *others[right:]], "labels": right}


def examples(head, n=32, seed=0):
    rng = np.random.default_rng(seed)
    return [example(head, rng) for _ in range(n)]


def new_model(head, dtype="float32", **changes):
    config = DistilBertConfig(**SMALL | {"initializer_range": 0.2} | changes)
    return ours.CLASSES[head](config, dtype=dtype)


HEADS = [head for head in ours.CLASSES if head != "base"]
RECIPE = Recipe(epochs=12, batch_size=8, lr=2e-2, warmup=0.1, weight_decay=0.0)
SHORT = Recipe(epochs=2, batch_size=8, lr=1e-3)


def quiet_fit(model, data, recipe=SHORT, tokenizer=None, **options):
    return fit(model, data, tokenizer, recipe, progress=False, **options)


def assert_same_params(one, other, rtol=0.0):
    leaves = flatten(other.params)
    for name, array in flatten(one.params).items():
        np.testing.assert_allclose(array, leaves[name], rtol, rtol, err_msg=name)


# --- it learns ------------------------------------------------------------------------


@pytest.mark.parametrize("head", HEADS)
def test_each_head_learns(head):
    model, test_set = new_model(head, dropout=0.0), examples(head, seed=1)
    before = evaluate(model, test_set)
    history = quiet_fit(model, examples(head, 64), RECIPE, held_out=test_set)
    assert len(history.losses) == 12 * 8 and len(history.evaluations) == 12
    assert np.mean(history.losses[-8:]) < 0.5 * np.mean(history.losses[:8])
    figure = next(iter(before))
    assert history.best["loss"] < before["loss"]
    assert history.best[figure] > max(0.7, before[figure])


@pytest.mark.parametrize(
    ("num_labels", "label"), [(1, lambda ids: len(ids) / 3), (3, lambda ids: [
        float(i in ids) for i in (7, 8, 9)])], ids=["regression", "several labels"],
)
def test_the_other_problem_types_learn(num_labels, label):
    model = new_model("sequence", num_labels=num_labels)
    data = [{"input_ids": e["input_ids"], "labels": label(e["input_ids"])}
            for e in examples("sequence")]
    history = quiet_fit(model, data, RECIPE, held_out=data)
    assert list(history.best) == ["epoch", "loss"]
    assert history.losses[-1] < 0.7 * history.losses[0]


def test_masked_lm_masks_anew_in_each_epoch():
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")
    model = new_model("masked_lm", vocab_size=len(tokenizer), dropout=0.0,
                      attention_dropout=0.0)
    data = [{"input_ids": tokenizer.encode("The capital of France is Paris.")}]
    recipe = Recipe(epochs=8, batch_size=1, lr=0.0)
    losses = quiet_fit(model, data, recipe, tokenizer).losses
    assert len(set(losses)) > 4                  # a model that stands still


# --- what comes of it -----------------------------------------------------------------


def test_the_same_arguments_give_the_same_bits():
    runs = [(new_model("token"), examples("token")) for _ in range(2)]
    histories = [quiet_fit(*run, held_out=run[1][:5]) for run in runs]
    assert histories[0] == histories[1]
    assert_same_params(runs[0][0], runs[1][0])


@pytest.mark.parametrize("changes", [{}, {"dropout": 0.0, "attention_dropout": 0.0}])
def test_another_seed_gives_another_run(changes):
    losses = []
    for seed in (0, 1):
        recipe = Recipe(epochs=1, batch_size=4, seed=seed)
        losses.append(quiet_fit(new_model("token", **changes), examples("token"),
                                recipe).losses)
    assert losses[0] != losses[1]


def test_each_epoch_has_an_order_of_its_own():
    model = new_model("token", dropout=0.0, attention_dropout=0.0)
    losses = quiet_fit(model, examples("token"), Recipe(2, 4, lr=0.0)).losses
    assert len(losses) == 16 and set(losses[:8]) != set(losses[8:])


@pytest.mark.parametrize("name", ["dropout", "attention_dropout"])
def test_dropout_is_for_training_and_not_for_evaluation(name):
    one_batch = Recipe(epochs=1, batch_size=32, lr=0.0)
    off = {"dropout": 0.0, "attention_dropout": 0.0}
    data = examples("token")
    without = quiet_fit(new_model("token", **off), data, one_batch, held_out=data)
    model = new_model("token", **off | {name: 0.5})
    with_dropout = quiet_fit(model, data, one_batch, held_out=data)
    assert abs(with_dropout.losses[0] - without.losses[0]) > 1e-3
    assert with_dropout.evaluations == without.evaluations
    assert without.losses[0] == pytest.approx(without.best["loss"], rel=1e-6)


def test_held_out_examples_do_not_change_the_training():
    runs = [(new_model("sequence"), examples("sequence")) for _ in range(2)]
    alone = quiet_fit(*runs[0])
    watched = quiet_fit(*runs[1], held_out=examples("sequence", 5, seed=1))
    assert alone.losses == watched.losses and alone.evaluations == []
    assert alone.best is None
    assert_same_params(runs[0][0], runs[1][0])


def test_the_rate_rises_and_falls():
    model, steps = new_model("sequence", dropout=0.0), []
    data = examples("sequence", 16)
    recipe = Recipe(epochs=5, batch_size=8, lr=0.5, warmup=0.4, optimizer=Spy,
                    options={"steps": steps})
    quiet_fit(model, data, recipe)
    assert steps == pytest.approx([
        0.5 * f for f in (0, 1 / 4, 2 / 4, 3 / 4, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6)
    ])


class Spy(SGD):
    """SGD that writes down the rate of each step."""

    def __init__(self, params, lr, weight_decay, steps):
        super().__init__(params, lr, weight_decay=weight_decay)
        self.steps = steps

    def step(self, grads, lr=None):
        self.steps.append(lr)
        super().step(grads, lr)


# --- history --------------------------------------------------------------------------


def test_the_best_evaluation_has_the_best_first_figure():
    runs = [{"epoch": i + 1, "f1": f1, "accuracy": 1 - f1, "loss": 1.0}
            for i, f1 in enumerate([0.2, 0.9, 0.4])]
    assert History([], runs).best is runs[1]


def test_of_equal_figures_the_lower_loss_is_better_and_then_the_earlier_epoch():
    runs = [{"epoch": i + 1, "accuracy": 0.5, "loss": loss}
            for i, loss in enumerate([0.9, 0.3, 0.3, 0.4])]
    assert History([], runs).best is runs[1]


def test_without_figures_the_loss_decides():
    runs = [{"epoch": i + 1, "loss": loss} for i, loss in enumerate([0.9, 0.2, 0.3])]
    assert History([], runs).best is runs[1]
    assert History().best is None


def test_evaluation_passes_over_batches_without_labels():
    model, data = new_model("token"), examples("token", 3)
    blank = [{"input_ids": [6, 7], "labels": [-100, -100]}] * 3
    figures = evaluate(model, data + blank, batch_size=1)
    assert figures == pytest.approx(evaluate(model, data, batch_size=1))


# --- the folder -----------------------------------------------------------------------


def test_the_folder_holds_the_best_epoch_and_memory_the_last_step(tmp_path):
    data, test_set = examples("sequence"), examples("sequence", seed=1)
    recipe = Recipe(epochs=6, batch_size=8, lr=0.5, warmup=0.0)
    model = new_model("sequence")
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")
    history = quiet_fit(model, data, recipe, tokenizer, held_out=test_set,
                        folder=tmp_path / "a" / "new" / "folder")
    folder = tmp_path / "a" / "new" / "folder"
    best, last = history.best, history.evaluations[-1]
    assert best["epoch"] < 6 and best["loss"] != last["loss"]    # a rate that harms
    for found, expected in ((type(model).from_pretrained(folder), best), (model, last)):
        figures = evaluate(found, test_set, batch_size=8)
        assert {"epoch": expected["epoch"]} | figures == expected
    assert DistilBertTokenizer.from_pretrained(folder).get_vocab() == (
        tokenizer.get_vocab()
    )


def test_without_held_out_examples_the_folder_holds_the_last_model(tmp_path):
    model = new_model("token")
    quiet_fit(model, examples("token"), folder=tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"config.json", "model.safetensors", "training-checkpoint-000008"}
    assert_same_params(type(model).from_pretrained(tmp_path), model)


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quiet_fit(new_model("token"), examples("token"), held_out=examples("token", 4),
              save_every=1)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("name", ["file", "file/folder"])
def test_a_folder_that_cannot_be_is_refused_before_the_first_step(tmp_path, name):
    (tmp_path / "file").write_text("")
    model, data = new_model("token"), examples("token")
    with pytest.raises(FileError, match=rf"^{tmp_path / name}: cannot be made \("):
        quiet_fit(model, data, folder=tmp_path / name)
    assert_same_params(model, new_model("token"))


def test_folders_of_other_names_stay(tmp_path):
    # Another trainer's checkpoints, and what other programs hide.
    names = ("checkpoint-500", "checkpoint-1000", "training-checkpoint-000001.bak",
             ".film.part")
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").write_text("mine")
    quiet_fit(new_model("token"), examples("token"), folder=tmp_path)
    assert all((tmp_path / name / "mine").exists() for name in names)


@pytest.mark.parametrize("text", [
    "{}", '{"settings": 5, "step": 1}', "[]", "{",
    *(
        json.dumps({"step": 1, "settings": {}, "losses": [2], "evaluations": []} | more)
        for more in (
            {"step": 2}, {"step": "1"}, {"settings": []}, {"losses": ["2"]},
            {"losses": None}, {"evaluations": {}}, {"evaluations": [5]},
            {"evaluations": [{"epoch": 1}]}, {"evaluations": [{"loss": None}]},
        )
    ),
])
def test_a_state_that_no_run_wrote_is_refused_and_stays(tmp_path, text):
    state = tmp_path / "training-checkpoint-000005" / "state.json"
    state.parent.mkdir()
    state.write_text(text)
    with pytest.raises(ValueError, match=r"state\.json"):
        quiet_fit(new_model("token"), examples("token"), folder=tmp_path)
    assert state.read_text() == text


def test_options_of_the_optimiser_may_be_functions(tmp_path):
    recipe = Recipe(epochs=1, options={"decays": lambda name: True})
    for _ in range(2):                           # and the second finds it again
        history = quiet_fit(new_model("token"), examples("token"), recipe,
                            folder=tmp_path)
    assert history.resumed_at == len(history.losses)


def test_a_recipe_in_the_place_of_the_tokenizer_is_refused():
    with pytest.raises(InputError, match=r"^tokenizer: expected a DistilBertTokenizer"):
        fit(new_model("token"), examples("token"), SHORT, progress=False)
    with pytest.raises(InputError, match=r"^recipe: expected a Recipe"):
        fit(new_model("token"), examples("token"), None, {"lr": 1}, progress=False)


def test_evaluations_are_told_as_they_come():
    told = []
    history = quiet_fit(new_model("token"), examples("token"),
                        held_out=examples("token", 8), on_evaluation=told.append)
    assert told == history.evaluations and len(told) > 1


def test_read_only_parameters_are_refused_before_the_first_step():
    model = new_model("token")
    flatten(model.params)["classifier.bias"].flags.writeable = False
    with pytest.raises(InputError, match=r"^classifier\.bias: is read-only"):
        quiet_fit(model, examples("token"))


# --- progress -------------------------------------------------------------------------


def test_the_bar_shows_loss_and_speed(capsys):
    history = fit(new_model("token"), examples("token"), None, SHORT)
    out, err = capsys.readouterr()
    assert out == "" and "8/8" in err and "tokens/s" in err
    assert f"loss {history.losses[-1]:.3f}" in err


def test_the_bar_of_a_run_that_goes_on_starts_where_it_is(tmp_path, capsys):
    quiet_fit(new_model("token"), examples("token"), folder=tmp_path)
    fit(new_model("token"), examples("token"), None, SHORT, folder=tmp_path)
    assert "8/8" in capsys.readouterr().err


def test_without_progress_it_says_nothing(capsys):
    quiet_fit(new_model("token"), examples("token"))
    assert capsys.readouterr() == ("", "")


# --- accumulation ---------------------------------------------------------------------


@pytest.mark.parametrize("head", HEADS)
def test_small_batches_together_make_the_step_of_a_large_one(head):
    data = examples(head, 16)
    if head == "question_answering":             # padding takes part in its softmax
        data = [e | {"input_ids": [*e["input_ids"], *[5] * 9][:9]} for e in data]
    models = [new_model(head, "float64", num_labels=2) for _ in range(2)]
    losses = []
    for model, size in zip(models, (16, 4), strict=True):
        batches = [make_batch(data[i : i + size], model, None, None)
                   for i in range(0, 16, size)]
        optimizer = SGD(model.params)
        losses += [train_step(model, batches, optimizer, 0.1, 1.0, None)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    assert_same_params(*models, rtol=1e-12)


def test_the_gradient_of_inputs_embeds_takes_no_part_in_the_step():
    data = examples("sequence", 8)
    model = new_model("sequence", "float64")
    words = flatten(model.params)["distilbert.embeddings.word_embeddings.weight"]
    batches = [make_batch(part, model, None, None) for part in (data[:4], data[4:])]
    for batch in batches:
        batch["inputs_embeds"] = words[batch.pop("input_ids")]
    optimizer = SGD(model.params, momentum=0.0)
    before = {name: p.copy() for name, p in optimizer.params.items()}
    train_step(model, batches, optimizer, 1.0, 1e-3, None)   # clipped to 0.001
    moved = [((p - before[name]) ** 2).sum() for name, p in optimizer.params.items()]
    assert math.sqrt(sum(moved)) == pytest.approx(1e-3, rel=1e-2)


def test_batches_that_accumulate_are_one_step():
    recipe = Recipe(epochs=2, batch_size=4, accumulate=3, lr=1e-3)
    history = quiet_fit(new_model("token"), examples("token", 32), recipe)
    assert len(history.losses) == 2 * 3          # 8 batches: 3, 3 and 2 of them


def test_a_batch_without_labels_is_passed_over():
    data = examples("token", 8)
    models = [new_model("token", "float64") for _ in range(2)]
    blank = {"input_ids": np.array([[6, 7]]), "attention_mask": np.ones((1, 2), int),
             "labels": np.full((1, 2), -100)}
    batch = make_batch(data, models[0], None, None)
    losses = [
        train_step(model, batches, AdamW(model.params), 0.1, 1.0, None)
        for model, batches in zip(models, ([batch], [blank, batch]), strict=True)
    ]
    assert losses[0] == losses[1]
    assert_same_params(*models)
    with pytest.raises(TrainingError, match=r"^no label counts: all are −100, or bey"):
        train_step(models[0], [blank, blank], AdamW(models[0].params), 0.1, 1.0, None)


def test_where_no_label_counts_the_step_is_named():
    data = [{"input_ids": [6, 7], "labels": [-100, -100]}]
    with pytest.raises(TrainingError, match=r"^step 1: no label counts: all are −100"):
        quiet_fit(new_model("token"), data)


# --- refused --------------------------------------------------------------------------

GOOD = {"input_ids": [1, 2, 3], "labels": 1}
BAD_EXAMPLES = {
    "none": None,
    "no examples": [],
    "texts": ["a", "b"],
    "a dict of lists": {"input_ids": [[1, 2, 3]], "labels": [1]},
    "no ids": [GOOD, {"input_ids": [], "labels": 1}],
    "a number": [{"input_ids": 5, "labels": 1}],
    "a text for ids": [{"input_ids": "abc", "labels": 1}],
    "a set": [{"input_ids": {1, 2}, "labels": 1}],
    "fractions": [{"input_ids": [1.5, 2], "labels": 1}],
    "no labels": [{"input_ids": [1, 2, 3]}],
    "labels for one only": [GOOD, {"input_ids": [1, 2, 3]}],
    "what no call takes": [GOOD | {"token": 1}],
    "lists that are not filled up": [
        GOOD | {"position_ids": [0, 1, 2]},
        {"input_ids": [1, 2], "labels": 1, "position_ids": [0, 1]},
    ],
    "a word for a label": [{"input_ids": [1, 2, 3], "labels": "x"}],
    "no class": [{"input_ids": [1, 2, 3], "labels": 7}],
    "no token": [{"input_ids": [1, 99], "labels": 1}],
    "too many": [{"input_ids": [1] * 30, "labels": 1}],
    "choices": [{"input_ids": [[1, 2, 3]], "labels": 1}],
}


@pytest.mark.parametrize(
    ("what", "name"),
    [*((what, "examples") for what in BAD_EXAMPLES),
     *((what, "held_out") for what, bad in BAD_EXAMPLES.items() if bad)],
)
def test_what_is_no_example_is_refused_in_one_line(what, name):
    sets = {"examples": [GOOD] * 4, "held_out": [GOOD]} | {name: BAD_EXAMPLES[what]}
    with pytest.raises(InputError) as caught:
        quiet_fit(new_model("sequence"), sets["examples"], held_out=sets["held_out"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("labels", [[1, 1], [1, 1, 1, 1], 1, None])
def test_each_token_needs_its_label(labels):
    data = [{"input_ids": [1, 2, 3], "labels": labels},
            {"input_ids": [1, 2, 3, 4, 5], "labels": [1, 0, 1, 0, 1]}]
    with pytest.raises(InputError, match="label"):
        quiet_fit(new_model("token"), data)


def test_a_model_without_a_loss_is_refused():
    with pytest.raises(InputError, match="DistilBertModel has no loss"):
        quiet_fit(new_model("base"), [GOOD])


def test_masking_needs_a_tokenizer():
    with pytest.raises(InputError, match=r"^tokenizer: "):
        quiet_fit(new_model("masked_lm"), [{"input_ids": [1, 2, 3]}])


NUMBERS = ("lr", "weight_decay", "warmup", "max_grad_norm")
COUNTS = ("epochs", "batch_size", "accumulate", "seed")
BAD_VALUES = [
    *((name, value) for name in COUNTS + NUMBERS
      for value in (-1, True, math.nan, "3", None, [1])),
    *((name, math.inf) for name in (*COUNTS, "lr", "weight_decay", "warmup")),
    *((name, 1.5) for name in COUNTS),
    *((name, 0) for name in ("epochs", "batch_size", "accumulate")),
    ("warmup", 1.01),
    *(("optimizer", value) for value in ("AdamW", None, 3)),
    *(("options", value) for value in (None, 3, [("eps", 1)])),
]


@pytest.mark.parametrize(("name", "value"), BAD_VALUES, ids=str)
def test_a_recipe_names_what_is_wrong(name, value):
    with pytest.raises(InputError, match=rf"^{name}: expected .*, found .+$"):
        Recipe(**{name: value})


def test_an_option_that_the_optimizer_does_not_have_is_named():
    with pytest.raises(InputError, match="beta"):
        quiet_fit(new_model("sequence"), [GOOD], Recipe(options={"beta": 0.9}))


@pytest.mark.parametrize("value", [-1, 2.5, "3"])
def test_save_every_is_a_number_of_steps(value):
    with pytest.raises(InputError, match=r"^save_every: "):
        quiet_fit(new_model("sequence"), [GOOD], save_every=value)


# --- numbers that are none ------------------------------------------------------------

FIRST_TENSORS = {
    "distilbert.embeddings.word_embeddings.weight": "embeddings.words",
    "distilbert.embeddings.LayerNorm.bias": "embeddings.LayerNorm",
    "distilbert.transformer.layer.0.attention.q_lin.weight":
        "transformer.layer.0.attention.q",
    "distilbert.transformer.layer.1.attention.k_lin.bias":
        "transformer.layer.1.attention.k",
    "distilbert.transformer.layer.1.attention.v_lin.weight":
        "transformer.layer.1.attention.v",
    "distilbert.transformer.layer.1.attention.out_lin.bias":
        "transformer.layer.1.attention.out_lin",
    "distilbert.transformer.layer.0.sa_layer_norm.weight":
        "transformer.layer.0.sa_layer_norm",
    "distilbert.transformer.layer.1.ffn.lin1.bias": "transformer.layer.1.ffn.lin1",
    "distilbert.transformer.layer.1.ffn.lin2.weight": "transformer.layer.1.ffn.lin2",
    "distilbert.transformer.layer.0.output_layer_norm.bias":
        "transformer.layer.0.output_layer_norm",
    "pre_classifier.bias": "head.pre_classifier",
    "classifier.bias": "head.logits",
}


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("name", FIRST_TENSORS)
def test_the_first_tensor_that_is_not_finite_is_named(name, value):
    model = new_model("sequence")
    flatten(model.params)[name][...] = value
    with pytest.raises(TrainingError) as caught:
        quiet_fit(model, examples("sequence"))   # ragged: some of it is padding
    first = FIRST_TENSORS[name]
    assert str(caught.value) in {
        f"step 1: the loss is {found}; the first tensor that is not finite is {first}"
        for found in ("nan", "inf", "-inf")
    }


@pytest.mark.parametrize("optimizer", [SGD, AdamW])
@pytest.mark.parametrize("lr", [1e5, 1e10, 1e30])
def test_a_run_that_diverges_stops_in_one_line_and_warns_of_nothing(optimizer, lr):
    recipe = Recipe(epochs=20, batch_size=8, lr=lr, optimizer=optimizer, warmup=0.0)
    with pytest.raises(TrainingError, match=r"^step \d+: the (loss|gradient)[^\n]+$"):
        quiet_fit(new_model("sequence"), examples("sequence"), recipe)


def test_a_gradient_that_is_not_finite_is_named():
    # −∞ before relu is 0 after it: the loss is finite, 0 · ∞ on the way back is not.
    # The way back starts at the head, so what is near it is named, not the embeddings.
    model = new_model("sequence")
    flatten(model.params)["pre_classifier.weight"][0] = -math.inf
    h = flatten(model.params)["distilbert.transformer.layer.1.output_layer_norm.bias"]
    h[...] = 100                                 # positive vectors
    with pytest.raises(TrainingError, match=(
        r"^step 1: the gradient of .*layer\.1\.output_layer_norm\.\w+ is the first"
    )):
        quiet_fit(model, examples("sequence"))


def test_gradients_whose_squares_overflow_are_said_to_be_too_large():
    model = new_model("sequence", dropout=0.0)
    flatten(model.params)["classifier.weight"][...] *= np.float32(1e30)
    with pytest.raises(TrainingError, match=r"^step \d: .*gradient.* too large"):
        quiet_fit(model, examples("sequence"))


def test_a_loss_of_nothing_is_not_blamed_on_a_tensor():
    data = [{"input_ids": [1, 2, 3], "start_positions": 3, "end_positions": 9}]
    with pytest.raises(TrainingError, match="no label counts"):
        quiet_fit(new_model("question_answering"), data)


def test_the_users_own_warnings_are_left_as_they_were():
    before = np.geterr()
    quiet_fit(new_model("sequence"), examples("sequence"))
    assert np.geterr() == before
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        quiet_fit(new_model("sequence"), examples("sequence"))
    assert caught == []


# --- memory ---------------------------------------------------------------------------


def test_no_step_needs_more_memory_than_the_one_before():
    model, data = new_model("sequence", dim=48, hidden_dim=192), examples("sequence", 8)
    optimizer = AdamW(model.params)
    batch = make_batch(data, model, None, None)
    memory = np.zeros((31, 2))
    tracemalloc.start()
    try:
        for step in range(1, 31):
            gc.collect()                         # with it go the tuples Python hoards
            tracemalloc.reset_peak()
            rng = np.random.default_rng(0)
            train_step(model, [batch], optimizer, 1e-4, 1.0, rng)
            memory[step] = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # If 27 steps kept one vector for each text it would be more; Python keeps less.
    assert (memory[30] - memory[3] < 20_000).all()


def test_more_batches_need_no_more_memory_than_two():
    model = new_model("sequence", dim=48, hidden_dim=192)
    batch = make_batch(examples("sequence", 32), model, None, None)
    optimizer, peaks = SGD(model.params), {}
    for n in (1, 2, 6):                          # what is used first is made with 1
        tracemalloc.start()
        train_step(model, [batch] * n, optimizer, 1e-4, 1.0, None)
        peaks[n] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[6] < 1.02 * peaks[2]


def test_nothing_of_the_trace_outlives_the_step(monkeypatch):
    model = new_model("sequence")
    batch = make_batch(examples("sequence", 8), model, None, None)
    traces, backward = [], model.backward

    def watched(out, cotangents):
        traces.extend(weakref.ref(a) for a in out.trace.values() if a.base is None)
        return backward(out, cotangents)

    monkeypatch.setattr(model, "backward", watched)
    ours_alone = {id(array) for array in batch.values()}
    gc.disable()                                 # it must go without the collector
    try:
        train_step(model, [batch], SGD(model.params), 1e-4, 1.0, None)
        alive = [ref() for ref in traces if ref() is not None]
    finally:
        gc.enable()
    assert len(traces) > 20
    assert [array.shape for array in alive if id(array) not in ours_alone] == []
