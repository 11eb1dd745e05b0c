"""What must change nothing: padding, batching, calling twice, one's own arrays."""

import numpy as np
import ours
import pytest
from cases import BASE_CASES, CASES

from distilbert_np.trees import flatten

# Of the largest value: BLAS picks other kernels for other shapes, and the last bit of a
# score grows with the values that follow from it.
BOUND = {"float32": 2e-6, "float64": 1e-14}


def sequences(case):
    """Return ragged sequences of ids, in the case's vocabulary."""
    rng = np.random.RandomState(1)
    lengths = range(1, case.full_config().max_position_embeddings + 1, 2)
    vocabulary = case.full_config().vocab_size
    return [rng.randint(vocabulary, size=length) for length in list(lengths)[:6]]


def pad(rows, side):
    """Return rows as one array, filled up on one side, and the mask that says so."""
    longest = max(map(len, rows))
    ids = np.full((len(rows), longest), 7)
    mask = np.zeros((len(rows), longest), int)
    for row, sequence in enumerate(rows):
        start = 0 if side == "right" else longest - len(sequence)
        span = slice(start, start + len(sequence))
        ids[row, span], mask[row, span] = sequence, 1
    return ids, mask


@pytest.mark.parametrize("dtype", BOUND)
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("name", ["base", "base, odd dims", "masked_lm"])
def test_padding_and_batching_change_nothing(name, side, dtype):
    model = ours.build(CASES[name], dtype)
    rows = sequences(CASES[name])
    ids, mask = pad(rows, side)
    positions = np.maximum(mask.cumsum(axis=1) - 1, 0)
    together = model(ids, mask, position_ids=positions)[0]
    for row, sequence in enumerate(rows):
        alone = model(sequence[None])[0][0]
        error = np.abs(together[row][mask[row] == 1] - alone).max()
        assert error <= BOUND[dtype] * max(1, np.abs(alone).max())


def test_padding_changes_nothing_at_base_size():
    model = ours.build(BASE_CASES[0], "float32")
    rows = [np.arange(5, 14), np.arange(100, 121)]
    ids, mask = pad(rows, "right")
    together = model.encode(ids, mask).last_hidden_state
    alone = model.encode(rows[0][None]).last_hidden_state[0]
    assert np.abs(together[0, :9] - alone).max() <= 2e-6 * np.abs(alone).max()


@pytest.mark.parametrize("dtype", BOUND)
def test_the_same_call_twice_gives_the_same_bits(dtype):
    case = CASES["masked_lm"]
    model = ours.build(case, dtype)
    first, second = (model(**case.arguments()).logits for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_call_writes_neither_to_parameters_nor_to_arguments():
    case = CASES["token, head_mask"]
    model = ours.build(case, "float64")
    arguments = case.arguments()
    for array in [*flatten(model.params).values(), *arguments.values()]:
        array.setflags(write=False)
    model(**arguments, **ours.EVERYTHING)


def test_hidden_keys_get_exactly_no_attention():
    case = CASES["base, odd dims"]
    out = ours.build(case, "float32")(**case.arguments(), output_attentions=True)
    mask = case.arguments()["attention_mask"].astype(bool)
    for weights in out.attentions:
        np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-6)
        for row in range(4):                     # these see at least one key
            assert (weights[row][..., ~mask[row]] == 0).all()
        np.testing.assert_array_equal(weights[4], np.float32(1 / case.length))


@pytest.mark.parametrize("name", ["base", "base, head_mask"])
def test_hidden_states_and_attentions_are_those_of_the_trace(name):
    case = CASES[name]
    out = ours.build(case, "float32")(**case.arguments(), **ours.EVERYTHING)
    assert len(out.hidden_states) == 3 and len(out.attentions) == 2
    assert out.hidden_states[0] is out.trace["embeddings.LayerNorm"]
    assert out.hidden_states[2] is out.last_hidden_state
    used = "head_masked_weights" if "head_mask" in name else "weights"
    for i, weights in enumerate(out.attentions):
        assert weights is out.trace[f"transformer.layer.{i}.attention.{used}"]
