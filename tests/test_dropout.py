"""Dropout: from one explicit rng, where the configuration says, and undone by none."""

from dataclasses import replace

import numpy as np
import ours
import pytest
from cases import CASES, Case

from distilbert_np import InputError
from distilbert_np.functions import dropout, dropout_backward
from distilbert_np.trees import flatten, unflatten

TYPES = [np.float32, np.float64]
HEADS = list(ours.CLASSES)
CHANCES = ["dropout", "attention_dropout", "seq_classif_dropout", "qa_dropout"]
# Which chance drops the inputs of each head's last linear.
OF_HEAD = {
    "sequence": "seq_classif_dropout",
    "token": "dropout",
    "question_answering": "qa_dropout",
    "multiple_choice": "seq_classif_dropout",
}


def with_chances(case: Case, **chances: float) -> Case:
    """Return a case with these chances of dropping, and 0 for the others."""
    config = case.config | dict.fromkeys(CHANCES, 0.0) | chances
    return replace(case, config=config)


def called(case, dtype="float32", seed=0, **changes):
    """Return what the case's model returns in training mode, traced."""
    rng = np.random.default_rng(seed)
    given = case.arguments() | ours.EVERYTHING | changes
    return ours.build(case, dtype)(**given, rng=rng)


# --- the function ---------------------------------------------------------------------


def test_without_an_rng_nothing_is_dropped():
    x = np.ones((2, 3))
    y, trace = dropout(x, 0.5, None)
    assert y is x and trace == {}
    assert dropout_backward(x, trace) is x


def test_a_chance_of_0_drops_nothing_and_draws_nothing():
    x, rng = np.ones((2, 3)), np.random.default_rng(0)
    y, trace = dropout(x, 0, rng)
    assert y is x and trace == {}
    assert rng.random() == np.random.default_rng(0).random()


@pytest.mark.parametrize("dtype", TYPES)
def test_a_chance_of_1_drops_everything(dtype):
    y, trace = dropout(np.full((2, 3), 5, dtype), 1, np.random.default_rng(0))
    assert y.dtype == trace["dropout_factors"].dtype == dtype
    assert (y == 0).all() and (trace["dropout_factors"] == 0).all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_factors_are_0_or_what_keeps_the_mean(p, dtype):
    x = np.full((300, 400), 3, dtype)
    y, trace = dropout(x, p, np.random.default_rng(0))
    factors = trace["dropout_factors"]
    assert list(trace) == ["dropout_factors", "dropout"] and trace["dropout"] is y
    assert y.dtype == factors.dtype == dtype and y.shape == x.shape
    np.testing.assert_array_equal(np.unique(factors), np.array([0, 1 / (1 - p)], dtype))
    np.testing.assert_array_equal(y, x * factors)
    # The number dropped is binomial; so, five deviations wide, is the mean.
    sigma = np.sqrt(p * (1 - p) / x.size)
    assert abs((factors == 0).mean() - p) <= 5 * sigma
    assert abs(y.mean(dtype=float) / 3 - 1) <= 5 * sigma / (1 - p)


def test_each_number_is_dropped_by_itself():
    _, trace = dropout(np.ones((200, 300)), 0.5, np.random.default_rng(0))
    kept = (trace["dropout_factors"] > 0).astype(float)
    for share, size in ((kept.mean(axis=0), 200), (kept.mean(axis=1), 300)):
        assert np.abs(share - 0.5).max() <= 5 * 0.5 / np.sqrt(size)
        assert share.std() == pytest.approx(0.5 / np.sqrt(size), rel=0.25)


def test_backward_multiplies_by_the_factors():
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, 4, 5))
    _, trace = dropout(x, 0.3, rng)
    expected = dy * trace["dropout_factors"]
    np.testing.assert_array_equal(dropout_backward(dy, trace), expected)
    assert (expected == 0).any() and (expected != 0).any()


# --- in a model -----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_seed_settles_everything(dtype):
    case = with_chances(CASES["sequence"], **dict.fromkeys(CHANCES, 0.3))
    first, again, other = (called(case, dtype, seed).trace for seed in (0, 0, 1))
    for name in first:
        np.testing.assert_array_equal(first[name], again[name], err_msg=name)
        if "dropout" in name or name in ("head.logits", "loss"):
            assert (first[name] != other[name]).any(), name


def test_an_rng_goes_on_from_call_to_call():
    case = CASES["token"]
    model, rng = ours.build(case, "float32"), np.random.default_rng(0)
    first, second = (model(**case.arguments(), rng=rng).logits for _ in range(2))
    assert (first != second).any()


@pytest.mark.parametrize("head", HEADS)
def test_a_seed_drops_the_same_in_both_precisions(head):
    case = with_chances(CASES[head], **dict.fromkeys(CHANCES, 0.3))
    single, double = (called(case, dtype).trace for dtype in ("float32", "float64"))
    names = [name for name in single if name.endswith("dropout_factors")]
    assert len(names) == 5 + (head in OF_HEAD)
    for name in names:
        assert single[name].dtype == np.float32 and double[name].dtype == np.float64
        np.testing.assert_array_equal(single[name] == 0, double[name] == 0)


def test_no_two_dropouts_are_the_same_draw():
    case = with_chances(CASES["token"], **dict.fromkeys(CHANCES, 0.5))
    trace = called(case).trace
    same_shape = [
        trace[f"{name}.dropout_factors"]
        for name in ("embeddings", "transformer.layer.0.ffn", "transformer.layer.1.ffn",
                     "head")
    ]
    for i, factors in enumerate(same_shape):
        for others in same_shape[:i]:
            assert (factors != others).any()


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("chance", CHANCES)
def test_every_dropout_is_drawn_with_its_own_chance(head, chance):
    trace = called(with_chances(CASES[head], **{chance: 0.5})).trace
    layers = [f"transformer.layer.{i}" for i in range(2)]
    expected = {
        "dropout": ["embeddings", *(f"{layer}.ffn" for layer in layers)],
        "attention_dropout": [f"{layer}.attention" for layer in layers],
    }.get(chance, [])
    if OF_HEAD.get(head) == chance:
        expected = [*expected, "head"]
    drawn = [name for name in trace if "dropout" in name]
    both = ("dropout_factors", "dropout")
    assert drawn == [f"{place}.{name}" for place in expected for name in both]
    for place in expected:
        factors = trace[f"{place}.dropout_factors"]
        assert set(np.unique(factors)) == {0, 2}
        read = {
            "embeddings": "embeddings.LayerNorm",
            "head": "head.relu" if "head.relu" in trace
            else "transformer.layer.1.output_layer_norm",
        }.get(place, place + (".weights" if "attention" in place else ".lin2"))
        np.testing.assert_array_equal(trace[f"{place}.dropout"], trace[read] * factors)


def test_a_chance_of_0_is_evaluation():
    case = with_chances(CASES["sequence"])
    trained = called(case).logits
    used = ours.build(case, "float32")(**case.arguments()).logits
    np.testing.assert_array_equal(trained, used)


def test_a_chance_of_1_is_finite():
    case = with_chances(CASES["masked_lm"], **dict.fromkeys(CHANCES, 1.0))
    out = called(case)
    assert np.isfinite(out.loss) and (out.hidden_states[0] == 0).all()
    grads = ours.build(case, "float32").backward(out)
    assert all(np.isfinite(array).all() for array in flatten(grads).values())


@pytest.mark.parametrize("name", ["base", "base, head_mask"])
def test_what_a_training_call_returns_is_what_went_on(name):
    # Hidden states and attentions after dropout, as in transformers.
    case = with_chances(CASES[name], dropout=0.5, attention_dropout=0.5)
    out = called(case)
    assert out.hidden_states[0] is out.trace["embeddings.dropout"]
    used = "head_masked_weights" if "head_mask" in name else "dropout"
    for i, weights in enumerate(out.attentions):
        at = f"transformer.layer.{i}.attention."
        assert weights is out.trace[at + used]
        if "head_mask" in name:
            factors = out.trace["inputs.head_mask"][i][:, None, None]
            np.testing.assert_array_equal(weights, out.trace[at + "dropout"] * factors)
        read = weights @ out.trace[at + "v"]
        B, _, L, _ = read.shape
        merged = read.transpose(0, 2, 1, 3).reshape(B, L, -1)
        np.testing.assert_array_equal(merged, out.trace[at + "context"])


@pytest.mark.parametrize("head", HEADS)
def test_without_a_trace_a_training_call_returns_the_same(head):
    case = with_chances(CASES[head], **dict.fromkeys(CHANCES, 0.5))
    traced, plain = called(case), called(case, trace=False)
    assert plain.trace is None
    for name, array in ours.outputs(plain).items():
        np.testing.assert_array_equal(array, ours.outputs(traced)[name], err_msg=name)


@pytest.mark.parametrize("head", HEADS)
def test_a_training_call_writes_to_no_parameter(head):
    case = with_chances(CASES[head], **dict.fromkeys(CHANCES, 0.5))
    model, rng = ours.build(case, "float64"), np.random.default_rng(0)
    for array in flatten(model.params).values():
        array.setflags(write=False)
    out = model(**case.arguments(), trace=True, rng=rng)
    model.backward(out, case.cotangents())


@pytest.mark.parametrize(
    "rng", [0, "seed", True, np.random, np.random.RandomState(0), np.random.PCG64(0)]
)
def test_an_rng_of_another_kind_is_refused(rng):
    case = CASES["sequence"]
    model = ours.build(case, "float32")
    with pytest.raises(InputError, match=r"^rng: .*Generator.*default_rng.*found") as e:
        model(**case.arguments(), rng=rng)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("head", HEADS)
def test_gradients_of_a_training_call_are_its_slopes(head):
    # A seed makes the call a function of the parameters alone; along a random direction
    # its central difference is that of the gradient.
    case = with_chances(CASES[head], **dict.fromkeys(CHANCES, 0.3))
    model = ours.build(case, "float64")
    arguments = case.arguments()
    arguments["input_ids"] %= case.full_config().vocab_size - 1
    arguments["input_ids"] += 1                  # the padding row has no gradient
    # Nor do differences see the scores of a row that sees nothing: the mask swallows
    # them, and PyTorch's backward and ours pass that over.
    arguments["attention_mask"][..., 0] = 1
    cotangents = case.cotangents() or {"loss": 1.0}
    leaves = flatten(model.params)
    rng = np.random.RandomState(0)
    direction = {name: rng.random_sample(a.shape) - 0.5 for name, a in leaves.items()}

    def value(step):
        moved = {name: a + step * direction[name] for name, a in leaves.items()}
        model.params = unflatten(moved)
        rng = np.random.default_rng(5)
        out = model(**arguments, trace=True, rng=rng)
        return out, sum((out[name] * d).sum() for name, d in cotangents.items())

    grads = flatten(model.backward(value(0)[0], cotangents))
    along = sum((grads[name] * d).sum() for name, d in direction.items())
    step = 1e-6
    slope = (value(step)[1] - value(-step)[1]) / (2 * step)
    assert along == pytest.approx(slope, rel=1e-6)
