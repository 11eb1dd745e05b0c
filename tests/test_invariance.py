"""What must change nothing: padding, batching, calling twice, one's own arrays."""

from dataclasses import replace

import numpy as np
import ours
import pytest
from cases import BASE_CASES, CASES

from distilbert_np import pipeline
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


# --- gradients ------------------------------------------------------------------------

GRADIENT_BOUND = {"float32": 2e-6, "float64": 1e-13}     # of the largest gradient


def close(grads, others, dtype):
    """Check that two flat trees of gradients agree."""
    assert list(grads) == list(others)
    largest = max(np.abs(array).max() for array in others.values())
    assert largest > 0
    for name, array in others.items():
        error = np.abs(grads[name] - array).max()
        assert error <= GRADIENT_BOUND[dtype] * largest, name


def total(parts):
    """Return the sum of several flat trees."""
    return {name: sum(part[name] for part in parts) for name in parts[0]}


def tags_for(rows, n_labels):
    """Return a label for each token of each row, some of them ignored."""
    rng = np.random.RandomState(2)
    tags = [rng.randint(n_labels, size=len(row)) for row in rows]
    return [np.where(rng.random_sample(len(t)) < 0.3, -100, t) for t in tags]


@pytest.mark.parametrize("dtype", GRADIENT_BOUND)
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("name", ["masked_lm", "masked_lm, untied", "token"])
def test_gradients_see_neither_padding_nor_batching(name, side, dtype):
    case = CASES[name]
    model = ours.build(case, dtype)
    rows = sequences(case)
    tags = tags_for(rows, model(rows[0][None]).logits.shape[-1])
    ids, mask = pad(rows, side)
    labels = np.full(ids.shape, -100)
    labels[mask == 1] = np.concatenate(tags)
    positions = np.maximum(mask.cumsum(axis=1) - 1, 0)
    out = model(ids, mask, position_ids=positions, labels=labels, trace=True)
    together = flatten(model.backward(out))
    alone = []
    for row, tag in zip(rows, tags, strict=True):
        out = model(row[None], labels=tag[None], trace=True)
        share = (tag != -100).sum() / (labels != -100).sum()
        alone.append(flatten(model.backward(out, {"loss": share})))
    close(together, total(alone), dtype)


@pytest.mark.parametrize("dtype", GRADIENT_BOUND)
@pytest.mark.parametrize("side", ["right", "left"])
def test_gradients_of_vectors_see_neither(side, dtype):
    case = CASES["base, odd dims"]
    model = ours.build(case, dtype)
    rows = sequences(case)
    ids, mask = pad(rows, side)
    positions = np.maximum(mask.cumsum(axis=1) - 1, 0)
    out = model(ids, mask, position_ids=positions, trace=True)
    dh = np.random.RandomState(3).random_sample(out[0].shape) * mask[..., None]
    together = flatten(model.backward(out, {"last_hidden_state": dh}))
    alone = []
    for number, row in enumerate(rows):
        out = model(row[None], trace=True)
        own = {"last_hidden_state": dh[number][mask[number] == 1][None]}
        alone.append(flatten(model.backward(out, own)))
    close(together, total(alone), dtype)


@pytest.mark.parametrize("dtype", GRADIENT_BOUND)
@pytest.mark.parametrize(
    "name",
    ["sequence", "sequence, regression", "sequence, multi-label", "question_answering",
     "multiple_choice"],
)
def test_a_batch_s_gradient_is_the_mean_of_its_parts(name, dtype):
    case = CASES[name]
    model = ours.build(case, dtype)
    given = case.arguments()
    if name == "question_answering":             # every one counts, at either end
        given |= {"start_positions": np.arange(5), "end_positions": np.arange(5)}
    size = len(given["input_ids"])
    out = model(**given, trace=True)
    whole = flatten(model.backward(out))
    parts = []
    for part in (slice(0, 1), slice(1, size)):
        out = model(**{k: array[part] for k, array in given.items()}, trace=True)
        share = len(given["input_ids"][part]) / size
        parts.append(flatten(model.backward(out, {"loss": share})))
    close(whole, total(parts), dtype)


@pytest.mark.parametrize("dtype", GRADIENT_BOUND)
@pytest.mark.parametrize("head", ours.CLASSES)
def test_the_same_training_call_twice_gives_the_same_bits(head, dtype):
    case = CASES[head]
    model = ours.build(case, dtype)

    def gradients():
        rng = np.random.default_rng(0)
        out = model(**case.arguments(), trace=True, rng=rng)
        return flatten(model.backward(out, case.cotangents()))

    first, second = gradients(), gradients()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


def test_what_hidden_tokens_are_does_not_change_a_gradient():
    case = replace(CASES["token"], batch=4)      # these see at least one key
    model = ours.build(case, "float64")
    given = case.arguments()
    hidden = given["attention_mask"] == 0
    given["labels"] = np.where(hidden, -100, given["labels"])
    first = flatten(model.backward(model(**given, trace=True)))
    given["input_ids"] = np.where(hidden, 7, given["input_ids"])
    second = flatten(model.backward(model(**given, trace=True)))
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


# --- one's own arrays -----------------------------------------------------------------


def bits(arrays):
    """Return the bytes of named arrays, or of a tree of them."""
    return {name: np.asarray(a).tobytes() for name, a in flatten(arrays).items()}


def locked(arrays):
    """Return a tree of arrays in which none can be written to."""
    for array in flatten(arrays).values():
        array.setflags(write=False)
    return arrays


def cotangents_for(out):
    """Return a gradient for each output, that of ones."""
    ones = {
        name: [np.ones_like(part) for part in value] if isinstance(value, tuple)
        else np.ones_like(value)
        for name, value in out.items() if name != "trace"
    }
    for value in ones.values():
        for array in value if isinstance(value, list) else [value]:
            array.setflags(write=False)
    return ones


@pytest.fixture(params=ours.CLASSES)
def head(request):
    return request.param


@pytest.fixture(params=["made", "mapped"])
def model(request, head, tmp_path):
    """A model whose parameters are arrays of its own, or a mapped file's."""
    model = ours.build(CASES[head], "float32")
    if request.param == "made":
        return model
    model.save_pretrained(tmp_path)
    return ours.CLASSES[head].from_pretrained(tmp_path)


@pytest.fixture(params=["ids", "embeds"])
def arguments(request, head):
    """Arguments of every kind, each of the very type that the model computes with."""
    options = ("positions", "head mask")
    if request.param == "embeds":
        options = (*options, "embeds")
    given = replace(CASES[head], options=options).arguments()
    given["attention_mask"] = given["attention_mask"].astype(bool)
    return {
        name: array.astype(np.float32) if array.dtype == float else array
        for name, array in given.items()
    }


def call(model, arguments):
    return model(**arguments, **ours.EVERYTHING, rng=np.random.default_rng(0))


def test_what_a_call_reads_it_leaves_as_it_was(model, arguments):
    locked(model.params)
    locked(arguments)
    before = bits(model.params) | bits(arguments)
    out = call(model, arguments)
    trace = bits(locked(out.trace))
    cotangents = cotangents_for(out)
    model.backward(out, cotangents)
    assert bits(model.params) | bits(arguments) == before
    assert bits(out.trace) == trace


def test_what_a_call_returns_is_nobody_else_s(model, arguments):
    before = bits(model.params) | bits(arguments)
    out = call(model, arguments)
    grads = model.backward(out, cotangents_for(out))
    first = bits(ours.outputs(out)) | bits(grads)
    for array in flatten(grads).values():
        array[...] = 7
    assert bits(model.backward(out, cotangents_for(out))).items() <= first.items()
    for array in [*ours.outputs(out).values(), *out.trace.values()]:
        if array.flags.writeable:
            array[...] = 7
    assert bits(model.params) | bits(arguments) == before
    assert bits(ours.outputs(call(model, arguments))).items() <= first.items()


@pytest.mark.parametrize("task", ["fill-mask", "embed"])
def test_a_pipeline_leaves_its_model_as_it_was(task):
    pipe = pipeline(task)
    before = bits(locked(pipe.model.params))
    first = pipe("The [MASK] is here.")
    if task == "embed":
        first, changed = first.copy(), first
        changed[...] = 7
    np.testing.assert_array_equal(pipe("The [MASK] is here."), first)
    assert bits(pipe.model.params) == before
