"""Bad input to a call: one line naming the argument, what was found, what expected."""

import linecache
from decimal import Decimal

import numpy as np
import pytest
from cases import SMALL

import distilbert_np as dn

IDS = np.arange(10).reshape(2, 5)
MASKED = np.ma.array(IDS, mask=IDS > 7)
FAR = 10**9                                      # so many rows would fill any memory
NAN, INF = float("nan"), float("inf")


def model(cls=dn.DistilBertModel, **changes):
    return cls(dn.DistilBertConfig(**SMALL | changes))


class Unreadable:
    """What looks like an array and will not become one, as some tensors do."""

    def __init__(self, error):
        self.error = error

    def __array__(self, dtype=None, copy=None):
        raise self.error


class Unprintable:
    """What cannot even be printed."""

    def __repr__(self):
        raise RuntimeError


def nested(depth):
    """Return a list in a list in a list …"""
    value = [1]
    for _ in range(depth):
        value = [value]
    return value


def repeated(row, rows=FAR):
    """Return an array of very many rows that takes the memory of one."""
    return np.broadcast_to(np.asarray(row), (rows, *np.shape(row)))


def refuses(call, *words):
    """Check that a call is refused in one line that holds these words."""
    with pytest.raises(dn.InputError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ([[1, 40]], ("input_ids", "40", "(0, 1)", "0 to 39")),
        ([[1], [-1]], ("input_ids", "-1", "(1, 0)")),
        ([[1.0, 2.0]], ("input_ids", "integers", "float64")),
        ([[True, False]], ("input_ids", "integers", "bool")),
        (np.array([[2**63 + 5]], np.uint64), ("input_ids", "9223372036854775813")),
        ([[1, 2], [3]], ("input_ids", "unequal length")),
        ([["a"]], ("input_ids", "numbers", "[['a']]")),
        (np.array([[b"a"]]), ("input_ids", "numbers", "b'a'")),
        (IDS.astype(object), ("input_ids", "numbers", "object")),
        ([[1, Decimal(2)]], ("input_ids", "numbers", "Decimal('2')")),
        (IDS * 1j, ("input_ids", "integers", "complex128")),
        (IDS.astype("M8[s]"), ("input_ids", "numbers", "datetime64[s]")),
        (IDS.astype("m8[s]"), ("input_ids", "numbers", "timedelta64[s]")),
        (np.zeros((2, 5), [("a", int)]), ("input_ids", "numbers", "('a', '<i8')")),
        (MASKED, ("input_ids", "masked", "filled")),
        ([[[1], [2, 3]], [[4]]], ("input_ids", "unequal length")),
        (nested(99), ("input_ids", "unequal length")),
        (Unreadable(RuntimeError("it requires\ngrad")), ("input_ids", "requires grad")),
        (Unreadable(TypeError("on a GPU")), ("input_ids", "cannot", "on a GPU")),
        ([[Unreadable(TypeError("on a GPU"))]], ("input_ids", "cannot", "on a GPU")),
        (Unprintable(), ("input_ids", "numbers", "a Unprintable")),
        ([[10**5000]], ("input_ids", "numbers", "a list")),
        ((i for i in range(3)), ("input_ids", "numbers", "generator")),
        ("ids", ("input_ids", "numbers", "'ids'")),
        ([[2**70]], ("input_ids", "1180591620717411303424")),
        ([[1, None]], ("input_ids", "numbers")),
        ({"input_ids": [[1]]}, ("input_ids", "model(**inputs)")),
        ([1, 2, 3], ("input_ids", "(3,)", "(batch, length)")),
        (5, ("input_ids", "()", "(batch, length)")),
        (IDS[None], ("input_ids", "(1, 2, 5)")),
        (np.zeros((0, 5), int), ("input_ids", "(0, 5)")),
        (np.zeros((2, 0), int), ("input_ids", "(2, 0)")),
        ([], ("input_ids", "(0,)")),
        (np.zeros((1, 13), int), ("input_ids", "13 tokens", "12 positions")),
        (np.broadcast_to(1, (3, FAR)), ("input_ids", "1000000000 tokens")),
        (repeated([1.0]), ("input_ids", "integers", "float64")),
        (repeated([]), ("input_ids", "(1000000000, 0)")),
    ],
)
def test_ids(ids, words):
    refuses(lambda: model()(ids), *words)


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.uint8, np.uint64])
def test_any_integers_are_ids(kind):
    expected = model()(IDS)[0]
    np.testing.assert_array_equal(model()(IDS.astype(kind))[0], expected)


def test_lists_are_arrays():
    np.testing.assert_array_equal(model()(IDS.tolist())[0], model()(IDS)[0])


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.ones((2, 4)), ("attention_mask", "(2, 4)", "(2, 5)")),
        (np.ones((5, 2)), ("attention_mask", "(5, 2)", "(2, 5)")),
        (np.ones(5), ("attention_mask", "(5,)", "(2, 5)")),
        (np.ones((2, 1, 1, 5)), ("attention_mask", "(2, 1, 1, 5)")),
        (np.full((2, 5), NAN), ("attention_mask", "found nan at position (0, 0)",
                                "expected 0 (hidden) or 1 (seen)")),
        (np.full((2, 5), 0.5), ("attention_mask", "found 0.5")),
        (np.eye(2, 5) + 1, ("attention_mask", "found 2.0 at position (0, 0)")),
        (-np.eye(2, 5, 3, int), ("attention_mask", "found -1 at position (0, 3)")),
        (np.full((2, 5), "1"), ("attention_mask", "numbers", "<U1")),
        (np.ones((2, 5), complex), ("attention_mask", "0 (hidden)", "complex128")),
        (MASKED > 3, ("attention_mask", "masked", "filled")),
        (1, ("attention_mask", "()", "(2, 5)")),
        (np.ones((0, 5)), ("attention_mask", "(0, 5)", "(2, 5)")),
        (repeated([1] * 5), ("attention_mask", "(1000000000, 5)", "(2, 5)")),
        ([[1] * 5, [1] * 4], ("attention_mask", "unequal length")),
    ],
)
def test_masks(mask, words):
    refuses(lambda: model()(IDS, mask), *words)


@pytest.mark.parametrize("kind", [bool, np.int64, np.float32])
def test_masks_of_any_kind(kind):
    mask = np.array([[1, 1, 0, 1, 1], [1, 1, 1, 0, 0]])
    expected = model()(IDS, mask)[0]
    np.testing.assert_array_equal(model()(IDS, mask.astype(kind))[0], expected)


def test_exactly_one_of_ids_and_embeds():
    refuses(lambda: model()(), "input_ids", "inputs_embeds", "neither")
    embeds = np.zeros((2, 5, 12))
    refuses(lambda: model()(IDS, inputs_embeds=embeds), "exactly one", "both")


@pytest.mark.parametrize(
    ("embeds", "words"),
    [
        (np.zeros((2, 5, 11)), ("inputs_embeds", "(2, 5, 11)", "12")),
        (np.zeros((2, 5)), ("inputs_embeds", "(2, 5)")),
        (np.full((1, 2, 12), NAN), ("inputs_embeds", "nan at position (0, 0, 0)")),
        (np.full((1, 2, 12), INF), ("inputs_embeds", "inf at position (0, 0, 0)")),
        (np.full((1, 2, 12), 1e300), ("inputs_embeds", "found 1e+300 at", "float32")),
        (np.zeros((1, 2, 12), complex), ("inputs_embeds", "complex128")),
        (np.zeros((1, 2, 12), bool), ("inputs_embeds", "numbers", "bool")),
        (np.zeros((0, 2, 12)), ("inputs_embeds", "(0, 2, 12)", "none of them 0")),
        (np.zeros((2, 0, 12)), ("inputs_embeds", "(2, 0, 12)", "none of them 0")),
        (np.zeros((1, 13, 12)), ("inputs_embeds", "13 tokens", "12 positions")),
        (repeated([[0.0] * 11]), ("inputs_embeds", "(1000000000, 1, 11)", "12)")),
    ],
)
def test_embeds(embeds, words):
    refuses(lambda: model()(inputs_embeds=embeds), *words)


@pytest.mark.parametrize(
    ("positions", "words"),
    [
        ([[0, 1, 2, 3, 12]], ("position_ids", "12", "(0, 4)", "0 to 11")),
        ([0, 1, 2], ("position_ids", "(3,)", "(2, 5)")),
        (np.zeros(13, int), ("position_ids", "(13,)")),
        ([[0.0] * 5], ("position_ids", "integers", "float64")),
        ([-1, 0, 1, 2, 3], ("position_ids", "found -1 at position (0,)")),
        (repeated(range(5)), ("position_ids", "(1000000000, 5)")),
    ],
)
def test_positions(positions, words):
    refuses(lambda: model()(IDS, position_ids=positions), *words)


@pytest.mark.parametrize(
    ("head_mask", "words"),
    [
        (np.ones(2), ("head_mask", "(2,)", "(3,)", "(2, 3)")),
        (np.ones((3, 2)), ("head_mask", "(3, 2)")),
        ([1, NAN, 1], ("head_mask", "found nan at position (1,)")),
        ([True, False, True], ("head_mask", "numbers", "bool")),
        (repeated([1] * 3), ("head_mask", "(1000000000, 3)")),
    ],
)
def test_head_masks(head_mask, words):
    refuses(lambda: model()(IDS, head_mask=head_mask), *words)


@pytest.mark.parametrize(
    ("rng", "words"),
    [
        (0, ("rng", "Generator", "default_rng(0)", "found 0")),
        (True, ("rng", "Generator", "found True")),
        ("0", ("rng", "Generator", "found '0'")),
        (np.random.RandomState(0), ("rng", "Generator", "RandomState")),
        (np.random.default_rng, ("rng", "Generator", "default_rng")),
        (IDS, ("rng", "Generator", "array")),
    ],
)
def test_rngs(rng, words):
    for cls in (dn.DistilBertModel, MLM, CLASSIFY, TAG, ANSWER):
        refuses(lambda cls=cls: model(cls)(IDS, rng=rng), *words)
    refuses(lambda: model(CHOOSE)(IDS[None], rng=rng), *words)


@pytest.mark.parametrize("name", ["output_attentions", "output_hidden_states", "trace"])
@pytest.mark.parametrize("value", ["no", 1, 0.0, [True], np.zeros(1, bool), np.True_],
                         ids=repr)
def test_a_switch_is_true_or_false(name, value):
    for cls in (dn.DistilBertModel, MLM, CLASSIFY, TAG, ANSWER):
        refuses(lambda cls=cls: model(cls)(IDS, **{name: value}),
                f"{name}: expected True or False, found {value!r}")
    refuses(lambda: model(CHOOSE)(IDS[None], **{name: value}), name, "True or False")


@pytest.mark.parametrize("seed", [-1, 1.5, "0", None, True, [0], np.int8(-1)], ids=repr)
def test_seeds(seed):
    words = ("seed: expected a whole number of at least 0", f"found {seed!r}")
    refuses(lambda: dn.DistilBertModel(dn.DistilBertConfig(**SMALL), seed=seed), *words)
    refuses(lambda: dn.DistilBertModel.from_pretrained("tiny", seed=seed), *words)


def test_any_whole_number_is_a_seed():
    config = dn.DistilBertConfig(**SMALL)
    words = [dn.DistilBertModel(config, seed=seed).word_embeddings
             for seed in (3, np.uint8(3), 2**99)]
    np.testing.assert_array_equal(words[0], words[1])
    assert (words[0] != words[2]).any()


def test_token_types_are_ignored_with_one_warning():
    plain = model()(IDS)
    with pytest.warns(UserWarning, match="no token types") as caught:
        out = model()(IDS, token_type_ids=np.ones((2, 5), int))
    assert len(caught) == 1
    assert "np.ones((2, 5), int)" in linecache.getline(__file__, caught[0].lineno)
    np.testing.assert_array_equal(out[0], plain[0])


def test_refused_labels_settle_nothing():
    classifier = model(CLASSIFY)
    refuses(lambda: classifier(IDS, labels=[0.0, 1.0]), "labels")
    assert classifier.config.problem_type is None
    assert np.isfinite(classifier(IDS, labels=[0, 1]).loss)


@pytest.mark.parametrize("cls", [dn.DistilBertForSequenceClassification,
                                 dn.DistilBertForMultipleChoice])
def test_a_class_of_minus_100_is_ignored(cls):
    ids = np.arange(30).reshape((3, 2, 5) if cls is CHOOSE else (3, 10))
    some = model(cls)(ids, labels=[0, -100, 1]).loss
    asked = model(cls)(ids[[0, 2]], labels=[0, 1]).loss
    assert some == pytest.approx(asked, rel=1e-6)


def test_one_position_alone_is_checked_too():
    out = model(ANSWER)(IDS, start_positions=[[1], [2]], trace=True)
    assert out.loss is None
    assert out.trace["inputs.start_positions"].tolist() == [1, 2]
    refuses(lambda: model(ANSWER)(IDS, end_positions=[1.5, 2]), "end_positions")


def test_a_configuration_is_checked_again_when_a_model_is_built():
    config = dn.DistilBertConfig(**SMALL)
    config.dim = 13
    with pytest.raises(dn.ConfigError, match=r"dim.*multiple of n_heads.*13"):
        dn.DistilBertModel(config)
    with pytest.raises(dn.ConfigError, match="DistilBertConfig, found 'tiny'"):
        dn.DistilBertModel("tiny")


def test_a_misspelt_argument_is_named():
    for cls in (dn.DistilBertModel, MLM, CLASSIFY, TAG, ANSWER, CHOOSE):
        ids = IDS[None] if cls is CHOOSE else IDS
        with pytest.raises(TypeError, match="'atention_mask'"):
            model(cls)(ids, atention_mask=np.ones((2, 5)))
        with pytest.raises(TypeError, match="'lables'"):
            model(cls)(ids, lables=IDS)


@pytest.mark.parametrize(
    "dtype", [np.float16, "(2,", "1,(", [("a", "f4")] * 2, "\ud800", ">f4", None, 5],
    ids=repr,
)
def test_an_unknown_dtype(dtype):
    config = dn.DistilBertConfig(**SMALL)
    refuses(lambda: dn.DistilBertModel(config, dtype=dtype),
            f"dtype: expected float32 or float64, found {dtype!r}")


MLM, CLASSIFY, TAG, ANSWER, CHOOSE = (
    dn.DistilBertForMaskedLM,
    dn.DistilBertForSequenceClassification,
    dn.DistilBertForTokenClassification,
    dn.DistilBertForQuestionAnswering,
    dn.DistilBertForMultipleChoice,
)


@pytest.mark.parametrize(
    ("cls", "changes", "labels", "words"),
    [
        (MLM, {}, IDS + 36, ("labels", "40", "(0, 4)", "0 to 39", "-100")),
        (MLM, {}, IDS - 1, ("labels", "-1", "(0, 0)")),
        (MLM, {}, IDS.T, ("labels", "(5, 2)", "(2, 5)")),
        (MLM, {}, IDS.astype(float), ("labels", "integers", "float64")),
        (MLM, {}, IDS > 0, ("labels", "integers", "bool")),
        (MLM, {}, MASKED, ("labels", "masked")),
        (MLM, {}, 5, ("labels", "()", "(2, 5)")),
        (MLM, {}, [[0] * 5, [0] * 4], ("labels", "unequal length")),
        (MLM, {}, repeated([0] * 5), ("labels", "(1000000000, 5)", "(2, 5)")),
        (TAG, {}, np.full((2, 5), 2), ("labels", "2", "0 to 1")),
        (TAG, {}, [0, 1], ("labels", "(2,)", "(2, 5)")),
        (TAG, {}, np.zeros((5, 2), int), ("labels", "(5, 2)", "(2, 5)")),
        (CLASSIFY, {}, [0, 2], ("labels", "2", "(1,)", "0 to 1")),
        (CLASSIFY, {}, [0, -1], ("labels", "found -1", "(1,)", "0 to 1, or -100")),
        (CLASSIFY, {}, np.array([0, 2**63], np.uint64), ("labels", str(2**63), "(1,)")),
        (CLASSIFY, {}, [True, False], ("labels", "(2,)", "(2, 2)")),
        (CLASSIFY, {}, 1, ("labels", "()", "(2,) or (2, 1)")),
        (CLASSIFY, {}, ["yes", "no"], ("labels", "numbers", "['yes', 'no']")),
        (CLASSIFY, {}, repeated(0), ("labels", "(1000000000,)", "(2,)")),
        (CLASSIFY, {}, repeated([0.0, 1.0]), ("labels", "(1000000000, 2)", "(2, 2)")),
        (CLASSIFY, {}, [[0, 1]], ("labels", "(1, 2)", "(2,)")),
        (CLASSIFY, {}, [0, 1, 0], ("labels", "(3,)")),
        (CLASSIFY, {}, [0.5, 1.0], ("labels", "(2,)", "(2, 2)")),
        (CLASSIFY, {}, [[0.5, 1.0], [0.0, -1.0]],
         ("labels", "found -1.0 at position (1, 1)", "0 to 1")),
        (CLASSIFY, {}, [[True, False], [True, True]], ("labels", "numbers", "bool")),
        (CLASSIFY, {"num_labels": 1}, [[1.0, 2.0]], ("labels", "(1, 2)", "(2, 1)")),
        (CLASSIFY, {"num_labels": 1}, [NAN, 1], ("labels", "found nan", "(0,)")),
        (
            CLASSIFY, {"num_labels": 3, "problem_type": "regression"}, [1.0, 2.0],
            ("labels", "(2,)", "(2, 3)"),
        ),
        (
            CLASSIFY, {"num_labels": 3, "problem_type": "regression"},
            np.ones((3, 2)), ("labels", "(3, 2)", "(2, 3)"),
        ),
        (
            CLASSIFY, {"problem_type": "single_label_classification"}, [0.0, 1.0],
            ("labels", "integers", "float64"),
        ),
    ],
)
def test_labels(cls, changes, labels, words):
    refuses(lambda: model(cls, **changes)(IDS, labels=labels), *words)


@pytest.mark.parametrize(
    ("positions", "words"),
    [
        ([1.5, 2.0], ("integers", "float64")),
        ([True, False], ("integers", "bool")),
        (["a", "b"], ("numbers", "['a', 'b']")),
        ([1, 2, 3], ("(3,)", "(2,) or (2, 1)")),
        ([[1, 2]], ("(1, 2)", "(2,) or (2, 1)")),
        (1, ("()", "(2,) or (2, 1)")),
        (repeated(1), ("(1000000000,)", "(2,)")),
    ],
)
def test_answers(positions, words):
    good = [0, 1]
    refuses(lambda: model(ANSWER)(IDS, start_positions=positions, end_positions=good),
            "start_positions", *words)
    refuses(lambda: model(ANSWER)(IDS, start_positions=good, end_positions=positions),
            "end_positions", *words)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.uint64])
def test_any_integers_are_positions(kind):
    starts, ends = np.array([[1, 2], [3, 0]])
    expected = model(ANSWER)(IDS, start_positions=starts, end_positions=ends).loss
    given = {"start_positions": starts.astype(kind), "end_positions": ends.astype(kind)}
    assert model(ANSWER)(IDS, **given).loss == expected


def test_a_position_beyond_any_text_is_ignored():
    far = np.array([2**63 + 1, 1], np.uint64)
    one = model(ANSWER)(IDS, start_positions=far, end_positions=[9, 2]).loss
    alone = model(ANSWER)(IDS[1:], start_positions=[1], end_positions=[2]).loss
    assert one == pytest.approx(alone, rel=1e-6)


def test_choices():
    ids = np.arange(30).reshape(2, 3, 5)
    refuses(lambda: model(CHOOSE)(IDS), "input_ids", "(2, 5)", "choices")
    swapped = np.ones((3, 2, 5))
    refuses(lambda: model(CHOOSE)(ids, swapped), "attention_mask", "(3, 2, 5)")
    short = np.ones((2, 3, 4))
    refuses(lambda: model(CHOOSE)(ids, short), "attention_mask", "(2, 3, 4)",
            "(2, 3, 5)")
    refuses(lambda: model(CHOOSE)(inputs_embeds=ids), "inputs_embeds", "(2, 3, 5)",
            "(batch, choices, length, dim)")
    refuses(lambda: model(CHOOSE)(ids, labels=[0, 3]), "labels", "3", "(1,)", "0 to 2")
    refuses(lambda: model(CHOOSE)(ids, labels=[[0, 1, 2]]), "labels", "(1, 3)", "(2,)")
    refuses(lambda: model(CHOOSE)(ids, labels=[0.0, 1.0]), "labels", "integers")
    refuses(lambda: model(CHOOSE)(ids[:0]), "input_ids", "(0, 5)")
    refuses(lambda: model(CHOOSE)(), "neither")


def test_question_answering_needs_two_labels():
    with pytest.raises(dn.ConfigError, match=r"num_labels.* 2 .*found 3"):
        model(ANSWER, num_labels=3)


def test_one_family_of_errors():
    for error in (dn.InputError, dn.ConfigError, dn.CheckpointError):
        assert issubclass(error, dn.DistilBertError) and issubclass(error, ValueError)
