"""The figures of attention: they say what their arrays say, and can be read."""

import re

import numpy as np
import pytest
from pictures import in_the_way, smallest_type, tokens_of

from distilbert_np import DistilBertForMaskedLM, DistilBertTokenizer
from distilbert_np.errors import InputError
from distilbert_np.teaching import figures
from distilbert_np.teaching.figures.attention import (
    reshape_alone,
    reshape_then_transpose,
)

WORDS = ["[CLS]", "the", "capital", "of", "france", "is", "[MASK]", ".", "[SEP]"]


def made_trace(n_layers=2, n_heads=2, length=9, padding=0, seed=0):
    """Return a trace of one text, of arrays that the figures of attention read."""
    rng = np.random.default_rng(seed)
    mask = np.arange(length)[None] < length - padding
    trace = {"inputs.attention_mask": mask}
    for i in range(n_layers):
        exp = rng.exponential(size=(1, n_heads, length, length)) ** 2
        exp *= mask[:, None, None]
        attention = f"transformer.layer.{i}.attention"
        trace[f"{attention}.weights"] = exp / exp.sum(axis=-1, keepdims=True)
        trace[f"{attention}.q"] = rng.normal(size=(1, n_heads, length, 8))
    return trace


def picture(name, trace, tokens, **where):
    """Return a figure; padding is drawn against a trace where it is seen."""
    if name == "padding":
        length = len(tokens)
        return figures.padding(trace, made_trace(length=length), tokens, **where)
    return getattr(figures, name)(trace, tokens, **where)


NAMES = ["all_heads", "one_head", "head_lines", "split_heads", "padding"]


def numbers(text):
    """Return the numbers with two decimals that a text tells."""
    return re.findall(r"\d\.\d\d\b", text)


# --- what they say --------------------------------------------------------------------


def test_one_head_tells_what_is_looked_at_most_and_the_largest_weight():
    trace = made_trace()
    weights = np.full((9, 9), 0.05)
    weights[:, 8] = 0.3
    weights[4] = 0.01
    weights[4, 2] = 0.92
    trace["transformer.layer.1.attention.weights"][0, 1] = weights
    for draw in (figures.one_head, figures.head_lines):
        text = draw(trace, WORDS, layer=1, head=1).text
        average = weights[:, 8].mean()
        assert f"most attention goes to “[SEP]” ({average:.2f} on average)" in text
        assert "the largest weight, 0.92, is from “france” to “capital”." in text
        assert text.startswith("Layer 1, head 1, over 9 tokens")


def test_other_numbers_make_another_sentence():
    for name in NAMES:
        told = {
            picture(name, made_trace(padding=3, length=9, seed=seed), WORDS).text
            for seed in range(2)
        }
        assert len(told) == (1 if name in ("split_heads", "padding") else 2), name


def test_of_equal_tokens_the_place_is_told():
    trace = made_trace(length=4)
    weights = np.eye(4)[[0, 2, 2, 2]]
    trace["transformer.layer.0.attention.weights"][0, 0] = weights
    text = figures.one_head(trace, ["[CLS]", "a", "a", "[SEP]"]).text
    assert "goes to “a” (place 2) (0.75 on average)" in text


def test_lines_are_drawn_for_more_than_an_even_share():
    trace = made_trace()
    weights = trace["transformer.layer.0.attention.weights"][0, 0]
    found = figures.head_lines(trace, WORDS)
    lines = found.figure.axes[0].collections[0]
    larger = weights > 1 / 9
    assert f"Drawn are the {larger.sum()} of 81 weights" in found.text
    ends = np.array([line[:, 1] for line in lines.get_segments()])
    np.testing.assert_array_equal(ends, np.argwhere(larger))
    order = np.argsort(weights[larger])
    assert (np.diff(np.array(lines.get_linewidths())[order]) >= 0).all()


def test_even_weights_are_drawn_without_lines():
    trace = made_trace()
    trace["transformer.layer.0.attention.weights"][:] = 1 / 9
    assert "Drawn are the 0 of 81" in figures.head_lines(trace, WORDS).text


def test_all_heads_tells_the_sharpest_and_the_most_even():
    trace = made_trace(n_layers=3, n_heads=4)
    for i in range(3):
        trace[f"transformer.layer.{i}.attention.weights"][:] = 0.1 + np.eye(9)[8] * 0.1
    trace["transformer.layer.1.attention.weights"][0, 2] = np.eye(9)[[2] * 9]
    trace["transformer.layer.2.attention.weights"][0, 3] = 1 / 9
    found = figures.all_heads(trace, WORDS)
    assert found.text == (
        "3 layers of 4 heads, over 9 tokens: 10 of the 12 heads give most attention to "
        "“[SEP]”; the sharpest is layer 1, head 2, where a token's largest weight is "
        "1.00 on average; the most even is layer 2, head 3 (0.11)."
    )
    shown = [axes.images[0].get_array() for axes in found.figure.axes[:12]]
    np.testing.assert_array_equal(shown[6], np.eye(9)[[2] * 9])


def test_the_split_is_the_library_s_and_the_wrong_one_deals_out_whole_tokens():
    trace = made_trace(n_heads=3, length=6)
    q = trace["transformer.layer.0.attention.q"]
    x = q.transpose(0, 2, 1, 3).reshape(1, 6, 24)
    np.testing.assert_array_equal(reshape_then_transpose(x, 3), q[0])
    np.testing.assert_array_equal(reshape_alone(x, 3)[0, :3].ravel(), x[0, 0])
    found = figures.split_heads(trace, WORDS[:6])
    every = ", ".join(f"“{word}”" for word in WORDS[:6])
    assert f"head 0 holds a piece of {every}." in found.text
    assert "Reshape alone: head 0 holds pieces of “[CLS]”, “the”." in found.text
    before, right, wrong = (
        [text.get_text() for text in axes.texts if text.get_text() in WORDS]
        for axes in found.figure.axes
    )
    assert before == right == WORDS[:6] * 3
    assert wrong == [word for word in WORDS[:6] for _ in range(3)]
    numbers = [text.get_text() for text in found.figure.axes[2].texts]
    assert f"{x[0, 1, 0]:.1f}" == numbers[3 * 5 + 1]


def test_a_large_split_shows_its_beginning_and_says_so():
    trace = made_trace(n_heads=12, length=40)
    found = figures.split_heads(trace, tokens_of(40))
    title = found.figure.get_suptitle()
    assert "the first 6 of 40 tokens, the first 4 of 12 heads" in title
    assert found.text.startswith("6 tokens, split into 4 heads.")


def test_padding_tells_what_it_takes():
    masked, unmasked = made_trace(padding=3), made_trace(seed=1)
    tokens = [*WORDS[:6], *["[PAD]"] * 3]
    text = figures.padding(masked, unmasked, tokens, layer=1, head=1).text
    shares = unmasked["transformer.layer.1.attention.weights"][0, 1, :6, 6:].sum(-1)
    row = shares.argmax()
    assert text == (
        "Layer 1, head 1: hidden by the mask, padding takes 0.00 of a token's "
        f"attention; seen, {shares.mean():.2f} on average, and most, "
        f"{shares[row]:.2f}, from “{tokens[row]}”."
    )


def test_padding_may_stand_on_both_sides():
    masked = made_trace()
    masked["inputs.attention_mask"] = np.array([[0, 0, 1, 1, 1, 1, 1, 0, 0]])
    found = figures.padding(masked, made_trace(seed=1), WORDS)
    assert [len(axes.patches) for axes in found.figure.axes[:2]] == [2, 2]
    assert in_the_way(found.figure) == []


def test_they_read_the_trace_of_the_tiny_model():
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")
    model = DistilBertForMaskedLM.from_pretrained("tiny")
    texts = ["A cat is small.", "The capital of France is [MASK]."]
    inputs = tokenizer(texts, return_tensors="np", padding=True)
    masked = model(**inputs, trace=True).trace
    unmasked = model(input_ids=inputs["input_ids"], trace=True).trace
    tokens = tokenizer.convert_ids_to_tokens(inputs["input_ids"][1])
    for name in NAMES[:4]:
        found = picture(name, masked, tokens, text=1)
        assert "9 tokens" in found.text or name == "split_heads"
        assert in_the_way(found.figure) == [], name
    tokens = tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
    text = figures.padding(masked, unmasked, tokens, layer=1, head=2).text
    assert "padding takes 0.00" in text
    weights = unmasked["transformer.layer.1.attention.weights"][0, 2]
    assert f"{weights[:7, 7:].sum(axis=-1).mean():.2f} on average" in text


# --- what can be read -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "kind"),
    [(2, "long"), (4, "short"), (9, "long"), (17, "odd"), (40, "long"), (128, "odd")],
)
@pytest.mark.parametrize("name", NAMES)
def test_no_text_is_in_the_way(name, length, kind):
    trace = made_trace(length=length, padding=length // 2)
    found = picture(name, trace, tokens_of(length, kind))
    assert in_the_way(found.figure) == []
    assert smallest_type(found.figure) >= 13
    assert 10 <= found.figure.get_figwidth() <= 15
    assert found.figure.get_figheight() <= 15


@pytest.mark.parametrize(
    ("n_layers", "n_heads", "length"), [(1, 1, 40), (3, 4, 9), (6, 12, 9), (6, 12, 40)]
)
def test_all_heads_of_any_model_fit(n_layers, n_heads, length):
    trace = made_trace(n_layers, n_heads, length)
    found = figures.all_heads(trace, tokens_of(length))
    assert in_the_way(found.figure) == []
    assert len(found.figure.axes) == n_layers * n_heads + 1        # and the scale
    found = figures.split_heads(trace, tokens_of(length))
    assert in_the_way(found.figure) == []


@pytest.mark.parametrize("form", ["png", "svg"])
@pytest.mark.parametrize("name", NAMES)
def test_title_and_words_are_inside_the_files(name, form, tmp_path):
    found = picture(name, made_trace(padding=3), WORDS)
    path = tmp_path / f"picture.{form}"
    found.save(path)
    inside = path.read_bytes()
    for words in (found.figure.get_suptitle(), found.text.partition("“")[0]):
        assert words.encode() in inside


def test_odd_tokens_are_saved_too(tmp_path):
    for name in NAMES:
        found = picture(name, made_trace(length=15, padding=7), tokens_of(15))
        found.save(tmp_path / "picture.svg")
        found.save(tmp_path / "picture.png")


# --- what they refuse -----------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"layer": 2}, "layer: expected 0 to 1, found 2"),
        ({"layer": -1}, "layer: expected 0 to 1, found -1"),
        ({"layer": 0.5}, "layer: expected 0 to 1, found 0.5"),
        ({"head": 2}, "head: expected 0 to 1, found 2"),
        ({"head": "x"}, "head: expected 0 to 1, found 'x'"),
        ({"text": 1}, "text: expected 0 to 0, found 1"),
    ],
)
def test_what_is_out_of_range_is_said(name, asked, message):
    takes = {"all_heads": {"text"}, "split_heads": {"layer", "text"}}
    if not asked.keys() <= takes.get(name, {"layer", "head", "text"}):
        pytest.skip("it takes no such argument")
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        picture(name, made_trace(padding=3), WORDS, **asked)


@pytest.mark.parametrize("name", NAMES)
def test_other_tokens_are_refused(name):
    trace = made_trace(padding=3)
    with pytest.raises(InputError, match=r"^tokens: expected 9, one for each"):
        getattr(figures, name)(*[trace] * (1 + (name == "padding")), WORDS[:8])
    with pytest.raises(InputError, match=r"^tokens: expected a list of strings"):
        picture(name, trace, "a" * 9)


@pytest.mark.parametrize("name", NAMES)
def test_an_array_that_is_not_there_is_named(name):
    part = "q" if name == "split_heads" else "weights"
    trace = made_trace(padding=3)
    del trace[f"transformer.layer.1.attention.{part}"]
    asked = {} if name == "all_heads" else {"layer": 1}
    missing = rf"trace: has no transformer\.layer\.1\.attention\.{part}; call the model"
    with pytest.raises(InputError, match=missing):
        picture(name, trace, WORDS, **asked)
    with pytest.raises(InputError, match=missing.replace("1", "0")):
        picture(name, {}, WORDS)
    with pytest.raises(InputError, match=r"^trace: expected model"):
        picture(name, None, WORDS)


def test_a_text_without_padding_is_refused():
    with pytest.raises(InputError, match="hides 0 of the 9 tokens of text 0"):
        figures.padding(made_trace(), made_trace(), WORDS)
