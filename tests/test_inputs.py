"""Bad input to a call: one line naming the argument, what was found, what expected."""

import linecache

import numpy as np
import pytest
from cases import SMALL

import distilbert_np as dn

IDS = np.arange(10).reshape(2, 5)
NAN, INF = float("nan"), float("inf")


def model(cls=dn.DistilBertModel, **changes):
    return cls(dn.DistilBertConfig(**SMALL | changes))


def refuses(call, *words):
    """Check that a call is refused in one line that holds these words."""
    with pytest.raises(dn.InputError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ([[1, 40]], ("input_ids", "40", "(0, 1)", "0 to 39")),
        ([[1], [-1]], ("input_ids", "-1", "(1, 0)")),
        ([[1.0, 2.0]], ("input_ids", "integers", "float64")),
        ([[True, False]], ("input_ids", "integers", "bool")),
        (np.array([[2**63 + 5]], np.uint64), ("input_ids", "9223372036854775813")),
        ([[1, 2], [3]], ("input_ids", "unequal length")),
        ([["a"]], ("input_ids", "integers")),
        ([[2**70]], ("input_ids", "1180591620717411303424")),
        ([[1, None]], ("input_ids", "numbers")),
        ({"input_ids": [[1]]}, ("input_ids", "model(**inputs)")),
        ([1, 2, 3], ("input_ids", "(3,)", "(batch, length)")),
        (5, ("input_ids", "()", "(batch, length)")),
        (IDS[None], ("input_ids", "(1, 2, 5)")),
        (np.zeros((0, 5), int), ("input_ids", "(0, 5)")),
        (np.zeros((2, 0), int), ("input_ids", "(2, 0)")),
        (np.zeros((1, 13), int), ("13 tokens", "12 positions")),
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
        (np.full((2, 5), NAN), ("attention_mask", "0", "1")),
        (np.full((2, 5), 0.5), ("attention_mask", "0", "1")),
        (np.full((2, 5), 2), ("attention_mask", "0", "1")),
        (np.full((2, 5), -1), ("attention_mask", "0", "1")),
        (np.full((2, 5), "1"), ("attention_mask", "0", "1")),
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
        (np.full((1, 2, 12), NAN), ("inputs_embeds", "NaN")),
        (np.full((1, 2, 12), 1e300), ("inputs_embeds", "too large", "float32")),
        (np.zeros((1, 2, 12), complex), ("inputs_embeds", "complex128")),
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
        ([[0.0] * 5], ("position_ids", "integers")),
    ],
)
def test_positions(positions, words):
    refuses(lambda: model()(IDS, position_ids=positions), *words)


@pytest.mark.parametrize(
    ("head_mask", "words"),
    [
        (np.ones(2), ("head_mask", "(2,)", "(3,)", "(2, 3)")),
        (np.ones((3, 2)), ("head_mask", "(3, 2)")),
        ([1, NAN, 1], ("head_mask", "NaN")),
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
    with pytest.raises(TypeError, match="atention_mask"):
        model()(IDS, atention_mask=np.ones((2, 5)))


def test_an_unknown_dtype():
    config = dn.DistilBertConfig(**SMALL)
    refuses(lambda: dn.DistilBertModel(config, dtype=np.float16), "dtype", "float16")


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
        (MLM, {}, IDS.astype(float), ("labels", "integers")),
        (TAG, {}, np.full((2, 5), 2), ("labels", "2", "0 to 1")),
        (TAG, {}, [0, 1], ("labels", "(2,)", "(2, 5)")),
        (CLASSIFY, {}, [0, 2], ("labels", "2", "(1,)", "0 to 1")),
        (CLASSIFY, {}, [[0, 1]], ("labels", "(1, 2)", "(2,)")),
        (CLASSIFY, {}, [0, 1, 0], ("labels", "(3,)")),
        (CLASSIFY, {}, [0.5, 1.0], ("labels", "(2,)", "(2, 2)")),
        (CLASSIFY, {}, [[0.5, 1.0], [0.0, -1.0]], ("labels", "-1.0", "0 to 1")),
        (CLASSIFY, {"num_labels": 1}, [[1.0, 2.0]], ("labels", "(1, 2)", "(2, 1)")),
        (CLASSIFY, {"num_labels": 1}, [NAN, 1], ("labels", "NaN")),
        (
            CLASSIFY, {"num_labels": 3, "problem_type": "regression"}, [1.0, 2.0],
            ("labels", "(2,)", "(2, 3)"),
        ),
        (
            CLASSIFY, {"problem_type": "single_label_classification"}, [0.0, 1.0],
            ("labels", "integers", "float64"),
        ),
    ],
)
def test_labels(cls, changes, labels, words):
    refuses(lambda: model(cls, **changes)(IDS, labels=labels), *words)


@pytest.mark.parametrize("positions", [[1.5, 2.0], [1, 2, 3], [[1, 2]]])
def test_answers(positions):
    good = [0, 1]
    refuses(lambda: model(ANSWER)(IDS, start_positions=positions, end_positions=good),
            "start_positions")
    refuses(lambda: model(ANSWER)(IDS, start_positions=good, end_positions=positions),
            "end_positions")


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
    refuses(lambda: model(CHOOSE)(ids, labels=[0, 3]), "labels", "3", "0 to 2")
    refuses(lambda: model(CHOOSE)(), "neither")


def test_question_answering_needs_two_labels():
    with pytest.raises(dn.ConfigError, match=r"num_labels.* 2 .*found 3"):
        model(ANSWER, num_labels=3)


def test_one_family_of_errors():
    for error in (dn.InputError, dn.ConfigError, dn.CheckpointError):
        assert issubclass(error, dn.DistilBertError) and issubclass(error, ValueError)
