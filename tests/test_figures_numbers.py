"""The figures of numbers: lens, costs, distillation, gradient check, parity, growth.

Their words are computed from the data; their texts do not overlap; what they cannot
draw they say in one line.
"""

import copy
import json

import numpy as np
import pytest
from pictures import covered, drawn_texts, in_the_way, smallest_type

from distilbert_np import (
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertForSequenceClassification,
    DistilBertTokenizer,
)
from distilbert_np.errors import InputError
from distilbert_np.functions import softmax
from distilbert_np.inspection import describe
from distilbert_np.teaching import figures
from distilbert_np.teaching.files import read_study
from distilbert_np.teaching.numerical import gradient_errors
from distilbert_np.trees import flatten

TEXT = "The capital of France is [MASK]."
STEPS = [10.0**power for power in range(-9, 1)]
LONG = "##internationalisierungsmassnahme"


def small_model(**changes):
    """Return an untrained model of small vectors."""
    sizes = {"dim": 24, "hidden_dim": 48, "n_heads": 2, "vocab_size": 1000}
    return DistilBertForMaskedLM(DistilBertConfig(**sizes | changes))


class Words:
    """A tokenizer whose words are as given, again and again."""

    def __init__(self, *words):
        self.words = words

    def convert_ids_to_tokens(self, ids):
        return [self.words[i % len(self.words)] for i in ids]


@pytest.fixture(scope="module")
def tiny():
    """Return the embedded model, its tokenizer, and its inputs."""
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")
    model = DistilBertForMaskedLM.from_pretrained("tiny")
    return model, tokenizer, tokenizer(TEXT, return_tensors="np")


@pytest.fixture
def study():
    return copy.deepcopy(read_study())


def assert_readable(picture):
    """Nothing overlaps or is covered, and the type is large enough for a projector."""
    assert in_the_way(picture.figure) == []
    assert covered(picture.figure) == []
    assert smallest_type(picture.figure) >= 13


# --- the logit lens -------------------------------------------------------------------


def lens_of(model, tokenizer, ids, place, **options):
    trace = model(ids, trace=True).trace
    return figures.logit_lens(model, tokenizer, trace, place, **options)


def test_the_lens_ends_where_the_model_does(tiny):
    model, tokenizer, inputs = tiny
    out = model(**inputs, trace=True)
    picture = figures.logit_lens(model, tokenizer, out.trace, 6)
    last = softmax(out.logits[0, 6])
    best = np.argsort(-last)[:5]
    lines = picture.figure.axes[0].lines
    assert [len(line.get_ydata()) for line in lines] == [model.config.n_layers + 1] * 5
    found = [line.get_ydata()[-1] for line in lines]
    np.testing.assert_allclose(found, last[best], rtol=1e-4)
    first, second = tokenizer.convert_ids_to_tokens(best[:2].tolist())
    assert f"the last layer says {first} ({last[best[0]]:.2g}" in picture.text
    assert f"; {second} {last[best[1]]:.2g}" in picture.text
    assert "trained on the last layer only" in picture.text
    caveat = picture.figure.get_supxlabel()
    assert "trained on the last layer only" in caveat
    assert_readable(picture)


def test_the_lens_tells_of_another_text(tiny):
    model, tokenizer, _ = tiny
    inputs = tokenizer([TEXT, "The capital of Italy is [MASK]."], return_tensors="np")
    trace = model(**inputs, trace=True).trace
    for text, word in enumerate(("paris", "rome")):
        picture = figures.logit_lens(model, tokenizer, trace, 6, text=text)
        assert f"says {word}" in picture.text


@pytest.mark.parametrize("n_layers", [1, 3, 6, 12, 24])
@pytest.mark.parametrize("words", [("a", "the"), (LONG, "W" * 20), ("a$b$", "日_^本")])
def test_words_of_any_kind_have_room(n_layers, words):
    model = small_model(n_layers=n_layers)
    picture = lens_of(model, Words(*words), [[1, 2, 3]], 1, top=7)
    assert in_the_way(picture.figure) == []
    assert smallest_type(picture.figure) >= 13


def test_the_lens_says_what_it_cannot_draw(tiny):
    model, tokenizer, inputs = tiny
    trace = model(**inputs, trace=True).trace
    lens = figures.logit_lens
    other = DistilBertForSequenceClassification(model.config)
    for arguments, words in (
        ((other, tokenizer, trace, 6), "model: expected a DistilBertForMaskedLM"),
        ((model, tokenizer, trace, 9), "place: expected 0 to 8, found 9"),
        ((model, tokenizer, trace, -1), "place: expected 0 to 8, found -1"),
        ((model, tokenizer, trace, 6, 1), "text: expected 0 to 0, found 1"),
        ((model, tokenizer, trace, 6, 0, 8), "top: expected 1 to 7, found 8"),
        ((model, tokenizer, {}, 6), "trace: has no transformer.layer.0"),
        ((model, tokenizer, None, 6), "trace: expected model"),
        ((small_model(), tokenizer, trace, 6), "trace: expected this model's own"),
    ):
        with pytest.raises(InputError, match=words):
            lens(*arguments)


# --- costs ----------------------------------------------------------------------------


@pytest.mark.parametrize("length", [8, 128])
def test_costs_are_those_of_inspect(tiny, length):
    config = tiny[0].config
    picture = figures.costs(config, length)
    told = describe(config, "masked_lm")
    bars = [bar.get_width() for bar in picture.figure.axes[0].patches]
    assert sum(bars[:7]) == told["parameters"]["total"]
    work = next(each for each in told["sequences"] if each["length"] == length)
    bars = [bar.get_width() for bar in picture.figure.axes[1].patches]
    assert sum(bars[:7]) == work["flops"]["total"]
    assert f"FLOPs for {length} tokens" in picture.text
    assert_readable(picture)


def test_costs_of_the_real_sizes():
    picture = figures.costs(DistilBertConfig())
    # With the head: 66.4 and 109.5 million without.
    assert "DistilBERT, 6 layers: 67.0 M parameters" in picture.text
    assert "BERT, 12 layers: 110 M" in picture.text
    assert "61% of the parameters" in picture.text
    bars = [bar.get_width() for bar in picture.figure.axes[0].patches]
    assert (sum(bars[:7]), sum(bars[7:])) == (66_985_530, 110_104_890)
    assert_readable(picture)


@pytest.mark.parametrize("length", [0, 513, 1.5, "8"])
def test_costs_of_no_length(length):
    with pytest.raises(InputError, match="length: expected 1 to 512, found"):
        figures.costs(DistilBertConfig(), length)


# --- distillation ---------------------------------------------------------------------


@pytest.mark.parametrize("prompt", range(4))
def test_soft_targets_tell_of_their_prompt(study, prompt):
    told = study["soft_targets"][prompt]
    picture = figures.soft_targets(study, prompt)
    assert told["prompt"] in picture.text
    for t in ("1", "2", "4"):
        teacher, student = told["teacher"][t][0], told["student"][t][0]
        assert f"at temperature {t}, {teacher:.2g} and {student:.2g}" in picture.text
    assert_readable(picture)


def test_soft_targets_find_the_widest_gap(study):
    told = study["soft_targets"][0]
    told["student"]["1"][4] = told["teacher"]["1"][4] + 0.5
    told["words"][4] = LONG
    picture = figures.soft_targets(study)
    assert f"differ most on {LONG}, by 0.5." in picture.text
    assert in_the_way(picture.figure) == []


def test_the_curves_and_the_ablation(study):
    picture = figures.distillation(study)
    ends = [run["epochs"][-1] for run in study["runs"] if run["name"] == "teacher"]
    assert f"teacher {np.mean(ends):.1%} (epoch {15})" in picture.text
    row = study["table"][-1]
    told = f"{row['accuracy']['mean']:.1%} ± {row['accuracy']['spread']:.1%}"
    assert f"{row['name']} {told}" in picture.text
    assert_readable(picture)


def test_the_words_follow_the_study(study):
    study["table"][-1]["accuracy"]["mean"] = 0.999
    study["runs"] = [run for run in study["runs"] if run["seed"] == 0]   # no spread
    picture = figures.distillation(study)
    assert "from best to worst: without distillation 99.9%" in picture.text
    assert f"teacher {study['runs'][0]['epochs'][-1]:.1%}" in picture.text


def test_a_study_that_is_none(study):
    for found in (None, {}, {"runs": []}):
        with pytest.raises(InputError, match="study: expected what read_study"):
            figures.distillation(found)
    with pytest.raises(InputError, match="prompt: expected 0 to 3, found 4"):
        figures.soft_targets(study, 4)


# --- the gradient check ---------------------------------------------------------------


@pytest.fixture(scope="module")
def errors(tiny):
    """Return the errors of the embedded model's gradients in both precisions."""
    labels = np.where(np.arange(9) == 6, tiny[1].convert_tokens_to_ids("rome"), -100)
    inputs = {**tiny[2], "labels": labels[None]}
    return {
        dtype: gradient_errors(
            DistilBertForMaskedLM.from_pretrained("tiny", dtype=dtype), inputs, STEPS
        )
        for dtype in ("float64", "float32")
    }


def test_the_errors_are_a_v(errors):
    for dtype, precise, best_at in (("float64", 1e-7, 1e-4), ("float32", 1e-2, 1e-1)):
        off = errors[dtype]
        best = min(off, key=off.get)
        assert off[best] < precise and best_at / 100 <= best <= 10 * best_at
        assert off[1e-9] > 100 * off[best] and off[1.0] > 10 * off[best]
    # Where the curve rules, a tenth of the step has a hundredth of the error.
    off = errors["float64"]
    assert off[0.1] / off[0.01] == pytest.approx(100, rel=0.1)


def test_the_model_stays_as_it_was(tiny):
    model, _, inputs = tiny
    given = {**inputs, "labels": inputs["input_ids"]}
    before = {name: array.copy() for name, array in flatten(model.params).items()}
    first = gradient_errors(model, given, [1e-2])
    for name, array in flatten(model.params).items():
        assert array.tobytes() == before[name].tobytes()
    assert gradient_errors(model, given, [1e-2]) == first
    assert gradient_errors(model, given, [1e-2], seed=1) != first


def test_a_wrong_gradient_is_seen(tiny, monkeypatch):
    inputs = {**tiny[2], "labels": tiny[2]["input_ids"]}
    model = DistilBertForMaskedLM.from_pretrained("tiny", dtype=np.float64)
    right, backward = gradient_errors(model, inputs, [1e-4]), model.backward

    def wrong(out):
        grads = backward(out)
        grads["vocab_transform"]["weight"] *= 1.1
        return grads

    monkeypatch.setattr(model, "backward", wrong)
    found = gradient_errors(model, inputs, [1e-4])
    assert found[1e-4] > 1e-4 > 1000 * right[1e-4]


def test_differences_need_labels_and_steps(tiny):
    model, _, inputs = tiny
    with pytest.raises(InputError, match="out: has no loss"):
        gradient_errors(model, inputs, [1e-3])
    for step in (0, -1, np.nan, np.inf, "a"):
        with pytest.raises(InputError, match="steps: expected finite numbers above 0"):
            gradient_errors(model, inputs, [step])


def test_the_v_is_told(errors):
    picture = figures.gradient_check(errors)
    for dtype, off in errors.items():
        best = min(off, key=off.get)
        told = f"{dtype}: the best step is {best:.0e}, with a relative error of "
        assert told + f"{off[best]:.0e}" in picture.text
        assert f"the smallest step, 1e-09, it is {off[1e-9]:.0e}" in picture.text
    assert_readable(picture)
    better = {"float64": errors["float64"] | {1e-7: 1e-15, 1e-6: 0.0}}
    assert "the best step is 1e-07" in figures.gradient_check(better).text


def test_errors_that_are_none():
    for found, words in (
        (None, "errors: expected errors by dtype"),
        ({}, "errors: expected errors by dtype"),
        ({"float64": [1]}, "errors: float64: expected a dict"),
        ({"float64": {0.1: 0.0}}, "errors: float64: expected one above 0"),
    ):
        with pytest.raises(InputError, match=words):
            figures.gradient_check(found)


# --- parity and growth ----------------------------------------------------------------


def parity_rows(n_layers, gradients=True):
    """Return rows as a comparison has them, of a port that is right."""
    layer = ["attention.q", "attention.scores", "ffn.activation", "output_layer_norm"]
    names = ["embeddings.words", "embeddings.LayerNorm"]
    names += [f"transformer.layer.{i}.{n}" for i in range(n_layers) for n in layer * 3]
    names += ["head.vocab_transform", "head.logits"]
    if gradients:
        names += ["loss", *(f"gradients.{name}" for name in reversed(names))]
    return [
        {"name": name, "state": "rounding", "floor": 1e-7, "added": 1e-7, "total": 2e-7}
        for name in names
    ]


@pytest.mark.parametrize("n_layers", [1, 3, 6, 12])
def test_the_parts_of_many_arrays_can_be_read(n_layers):
    rows = parity_rows(n_layers)
    rows[5] |= {"state": "bug", "added": 1e-3}
    figure, _ = figures.parity(rows, 16.0)
    labels = [label for label in figure.axes[0].get_xticklabels() if label.get_text()]
    level = [words for words, _ in drawn_texts(figure) if "layer " not in words]
    assert len(labels) == 2 * n_layers + 5 and "largest error" in level
    at = [figure.axes[0].transData.transform((t, 1))[0] for t in
          figure.axes[0].get_xticks()]
    tall = labels[0].get_fontsize() * figure.dpi / 72
    assert np.diff(at).min() * np.sin(np.radians(labels[0].get_rotation())) >= tall
    assert covered(figure) == [] and smallest_type(figure) >= 13


def test_a_port_that_is_right_is_told_so():
    rows = parity_rows(2)
    rows[7]["added"] = 3.14e-7
    text = figures.parity(rows, 16.0).text
    assert text == (
        f"Of {len(rows)} arrays none goes wrong: each step adds rounding alone. The "
        f"most is in {rows[7]['name']}, 3.1 × float32's own error, where 16 × are "
        "allowed."
    )


def test_a_port_that_is_wrong_is_told_where():
    rows = parity_rows(2)
    rows[9] |= {"state": "bug", "added": 2.5e-3}
    rows[11] |= {"state": "bug", "added": None}
    text = figures.parity(rows, 16.0).text
    assert f"Of {len(rows)} arrays 2 go wrong. The first is {rows[9]['name']}: " in text
    assert "adds an error of 2.5e-03, where rounding makes up to 1.6e-06" in text
    rows[9]["added"] = None
    assert "its step adds NaN or infinity" in figures.parity(rows, 16.0).text


def test_growth_is_told_in_numbers():
    rows = [
        {"grows": grows, "batch": 2, "length": 8, "layers": 3, "ms": 1.5 * size}
        | {grows: size}
        for grows in ("length", "batch", "layers") for size in (1, 2, 4)
    ]
    fits = {"length": [0.1, 1.0, 0.02], "batch": [0.0, 1.5], "layers": [0.0, 1.5]}
    picture = figures.growth(rows, fits, "How it grows")
    assert picture.text.startswith(
        "From length 1 to 4 the time grows from 1.5 to 6 ms, of which 0.32 ms are the "
        "quadratic part. From batch 1 to 4 the time grows"
    )
    assert_readable(picture)


# --- the study ------------------------------------------------------------------------


def test_the_study_is_the_one_of_the_package():
    study = read_study()
    assert {"runs", "table", "soft_targets", "speed"} <= {*study}
    assert json.dumps(study) == json.dumps(read_study())


# --- what cannot be drawn -------------------------------------------------------------


@pytest.mark.parametrize(("draw", "name"), [
    (lambda: figures.costs(None), "config: "),
    (lambda: figures.costs({"dim": 32}), "config: "),
    (lambda: figures.parity(None, 4.0), "rows: "),
    (lambda: figures.parity([], 4.0), "rows: "),
    (lambda: figures.parity([{}], 4.0), "rows: "),
    (lambda: figures.gradient_check({"float64": {"a": 1.0}}), "errors: float64: "),
    (lambda: figures.gradient_check({"float64": {1.0: "a"}}), "errors: float64: "),
    (lambda: figures.gradient_check({"float64": {-1.0: 1.0}}), "errors: float64: "),
    (lambda: figures.position_cosines(np.full((3, 4), np.nan)), "table: "),
    (lambda: figures.word_plane(
        ["a"] * 3, np.full((3, 3), np.inf), ["a"] * 3), "vectors: "),
])
def test_what_cannot_be_drawn_is_told_in_one_line(draw, name):
    with pytest.raises(InputError) as told:
        draw()
    assert str(told.value).startswith(name) and "\n" not in str(told.value)


def test_a_picture_prints_its_words():
    picture = figures.parity(parity_rows(1), 16.0)
    assert str(picture) == picture.text
