"""Many texts to vectors: the pipeline embed, and its command."""

import io
import json
import re
import sys
import tracemalloc

import numpy as np
import pytest
import tqdm

from distilbert_np import (
    DistilBertForMaskedLM,
    DistilBertModel,
    DistilBertTokenizer,
    InputError,
    pipeline,
)
from distilbert_np.__main__ import main
from distilbert_np.pipelines.base import batches_by_tokens
from distilbert_np.pipelines.feature_extraction import mean_in_sight

TEXTS = [
    "The cat is small.", "", "A dog can run, and a bird can fly over the house.", "two",
    "The capital of France is Paris.", "The capital of Italy is Rome.", "Dogs can run.",
    "Anna went to the market " * 12, "hot and cold", "What colour is the sky? Blue!",
]
BOUND = {"float32": 2e-6, "float64": 1e-14}      # of the largest value


@pytest.fixture(scope="module", params=BOUND)
def embed(request):
    return pipeline("embed", dtype=request.param)


def test_the_mean_is_of_the_tokens_in_sight_wherever_they_stand():
    h = np.array([[[1.0, 2], [3, 4], [5, 8]]] * 3)
    mask = np.array([[0, 1, 1], [1, 0, 1], [0, 0, 0]])
    np.testing.assert_array_equal(mean_in_sight(h, mask), [[4, 6], [3, 5], [0, 0]])


def spied(monkeypatch, embed):
    """Let a pipeline's model write down what it is given; return the list."""
    calls, model = [], embed.model

    def spy(ids, mask):
        calls.append((ids, mask))
        return model(ids, mask)

    spy.config, spy.dtype = model.config, model.dtype
    monkeypatch.setattr(embed, "model", spy)
    return calls


# --- the vectors ----------------------------------------------------------------------


@pytest.mark.parametrize("text", TEXTS)
def test_a_vector_is_the_mean_of_the_hidden_states(embed, text):
    inputs = embed.tokenizer(text, return_tensors="np")
    mean = embed.model(**inputs).last_hidden_state[0].mean(axis=0, dtype=float)
    tolerance = {"rtol": 0, "atol": np.abs(mean).max() * BOUND[embed.model.dtype.name]}
    np.testing.assert_allclose(embed(text, normalize=False), mean, **tolerance)
    np.testing.assert_allclose(embed(text), mean / np.sqrt(mean @ mean), **tolerance)


def test_shapes_and_dtype(embed):
    dim, dtype = embed.model.config.dim, embed.model.dtype
    for texts, shape in (("one", (dim,)), (["one"], (1, dim)), (TEXTS, (10, dim)),
                         (tuple(TEXTS), (10, dim)), ([], (0, dim)), ((), (0, dim))):
        vectors = embed(texts)
        assert vectors.shape == shape and vectors.dtype == dtype
    np.testing.assert_array_equal(embed("one"), embed(["one"])[0])


def test_a_vector_of_zeros_stays_one(embed, monkeypatch):
    monkeypatch.setattr(embed, "means", lambda ids, mask: np.zeros((len(ids), 96)))
    assert (embed(TEXTS) == 0).all()


# Each in turn: the order of the texts, and how many tokens go together.
@pytest.mark.parametrize("normalize", [True, False])
def test_neither_order_nor_batch_changes_a_vector(embed, normalize):
    def check(vectors, expected):
        error = np.abs(vectors - expected).max(axis=-1)
        bound = BOUND[embed.model.dtype.name] * np.abs(expected).max(axis=-1)
        assert (error <= bound).all()

    expected = embed(TEXTS, normalize=normalize)
    for seed in range(3):
        order = np.random.RandomState(seed).permutation(len(TEXTS))
        shuffled = embed([TEXTS[i] for i in order], normalize=normalize)
        check(shuffled, expected[order])
    for budget in (1, 20, 50, 10_000):
        options = {"normalize": normalize, "max_tokens_per_batch": budget}
        check(embed(TEXTS, **options), expected)
    check([embed(text, normalize=normalize) for text in TEXTS], expected)


def test_the_same_call_twice_gives_the_same_bits(embed):
    np.testing.assert_array_equal(embed(TEXTS), embed(TEXTS))


def test_the_tokenizer_s_padding_side_changes_nothing(embed, monkeypatch):
    expected = embed(TEXTS)
    monkeypatch.setattr(embed.tokenizer, "padding_side", "left")
    np.testing.assert_array_equal(embed(TEXTS), expected)


def test_a_text_longer_than_the_model_s_positions_is_cut(embed, monkeypatch):
    ids = embed.tokenizer("cat " * 126)["input_ids"]     # and [CLS], [SEP]
    assert len(ids) == embed.model.config.max_position_embeddings
    np.testing.assert_array_equal(embed("cat " * 500), embed("cat " * 126))
    monkeypatch.setattr(embed.tokenizer, "model_max_length", 10_000)
    np.testing.assert_array_equal(embed("cat " * 500), embed("cat " * 126))
    monkeypatch.setattr(embed.tokenizer, "model_max_length", 9)
    np.testing.assert_array_equal(embed("cat " * 500), embed("cat " * 7))


# --- batches --------------------------------------------------------------------------


def test_batches_by_tokens():
    rows = [np.zeros(length) for length in (3, 9, 2, 3, 30, 4, 2, 2)]
    batches = batches_by_tokens(rows, 12)
    assert [batch.tolist() for batch in batches] == [[4], [1], [5, 0, 3], [2, 6, 7]]
    assert [len(batch) for batch in batches_by_tokens(rows, 1)] == [1] * 8
    assert [len(batch) for batch in batches_by_tokens(rows, 30 * 8)] == [8]
    assert batches_by_tokens([], 12) == []


def test_no_batch_exceeds_the_budget_and_the_longest_comes_first(embed, monkeypatch):
    calls = spied(monkeypatch, embed)
    embed(TEXTS, max_tokens_per_batch=40)
    assert sum(len(ids) for ids, _ in calls) == len(TEXTS)
    assert all(ids.size <= 40 or len(ids) == 1 for ids, _ in calls)
    lengths = [length for _, mask in calls for length in mask.sum(axis=1)]
    assert lengths == sorted(lengths, reverse=True) and lengths[0] > 40
    for ids, mask in calls:                      # all that is hidden is on the right
        assert mask[0].all() and not (mask[:, 1:] > mask[:, :-1]).any()
        assert (ids[:, 0] == embed.tokenizer.cls_token_id).all()


def test_memory_is_bounded_by_the_budget(embed):
    def peak(n):
        texts = TEXTS[:5] * n
        tracemalloc.start()
        embed(texts, max_tokens_per_batch=100)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak(1)
    n_bytes = embed.model.config.dim * embed.model.dtype.itemsize
    grown = (peak(60) - peak(10)) / (50 * 5)     # for each text
    assert grown < n_bytes + 400                 # its vector, ids and a few pointers


# --- progress -------------------------------------------------------------------------


class Terminal(io.StringIO):
    """What says that it is a terminal."""

    def isatty(self):
        return True


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
@pytest.mark.parametrize("progress", [True, False, None])
def test_the_bar_is_shown_where_it_is_wanted(embed, monkeypatch, progress, stream):
    monkeypatch.setattr(sys, "stderr", stream())
    embed(TEXTS, progress=progress)
    wanted = stream is Terminal if progress is None else progress
    assert ("0/10" in sys.stderr.getvalue()) == wanted


def test_the_bar_counts_texts(embed, monkeypatch):
    bars = []

    class Spy(tqdm.tqdm):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            bars.append(self)

    monkeypatch.setattr(tqdm, "tqdm", Spy)
    embed(TEXTS, progress=True, max_tokens_per_batch=30)
    (bar,) = bars
    assert (bar.n, bar.total, bar.unit) == (10, 10, "text")


# --- what is refused ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        (["a", 3], {}, r"^texts\[1\]: expected a text, found 3"),
        (["a", ["b", "c"]], {}, r"^texts\[1\]: expected a text, found \['b', 'c'\]"),
        (["a", ("b", "c")], {}, r"^texts\[1\]: expected a text, found \('b', 'c'\)"),
        (["a", "b", None], {}, r"^texts\[2\]: expected a text, found None"),
        (["a", "b\ud800"], {}, r"^texts\[1\]: half a character"),
        (None, {}, "^texts: expected a text or a list of them, found None"),
        (b"a", {}, "^texts: expected a text or a list of them, found b'a'"),
        ({"a": 1}, {}, "^texts: expected a text or a list of them"),
        *(
            ("a", {"max_tokens_per_batch": budget},
             f"^max_tokens_per_batch: expected a whole number above 0, found {budget}")
            for budget in (0, -5, 2.0, True, None)
        ),
    ],
)
def test_what_is_not_text_or_no_budget(embed, texts, options, message):
    with pytest.raises(InputError, match=message):
        embed(texts, **options)


def test_the_pipeline_wants_the_bare_encoder():
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")
    model = DistilBertModel.from_pretrained("tiny")
    embed = pipeline("embed", model, tokenizer)
    assert embed.model is model and embed.tokenizer is tokenizer
    with pytest.raises(InputError, match=r"^model: expected a DistilBertModel or its"):
        pipeline("embed", DistilBertForMaskedLM.from_pretrained("tiny"), tokenizer)
    with pytest.raises(InputError, match=r"^task: expected .* embed, found 'embeds'"):
        pipeline("embeds")


# --- the command ----------------------------------------------------------------------


def test_the_table_of_similarities(capsys):
    long = "The capital of\tFrance is Paris,\nand the capital of Italy is not Paris."
    texts = ["The cat is here.", long, ""]
    assert main(["embed", *texts]) == 0
    out, err = capsys.readouterr()
    assert err == ""                             # no bar where nobody looks
    head, *lines = out.splitlines()[:4]
    assert head.split() == ["1", "2", "3"]
    assert {len(line) for line in (head, *lines)} == {79}
    assert lines[1].startswith("2  The capital of France is Paris, and ")
    vectors = pipeline("embed")(texts)
    for line, row in zip(lines, vectors @ vectors.T, strict=True):
        assert re.findall(r"-?\d\.\d{3}", line) == [f"{cosine:.3f}" for cosine in row]
    assert "…" in lines[1] and "…" not in lines[0]
    assert "model: tiny" in out and "--model distilbert-base-uncased" in out


def test_json_and_out_hold_every_number(tmp_path, capsys):
    path = tmp_path / "vectors.npy"
    command = ["embed", *TEXTS, "--dtype", "float64", "--out", str(path)]
    expected = pipeline("embed", dtype="float64")(TEXTS)
    assert main([*command, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert list(answer) == ["model", "embeddings", "unknown_words"]
    assert answer["model"] == "tiny" and len(answer["unknown_words"]) == len(TEXTS)
    np.testing.assert_array_equal(answer["embeddings"], expected)
    np.testing.assert_array_equal(np.load(path), expected)
    assert main(command) == 0
    assert f"float64 (10, 96) saved in {path}" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [path]


def test_a_dash_stands_for_the_lines_of_the_standard_input(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO("a cat\n\na\u2028dog\n"))
    assert main(["embed", "first", "-", "last", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["embeddings"]
    expected = pipeline("embed")(["first", "a cat", "", "a\u2028dog", "last"])
    np.testing.assert_array_equal(np.array(found, np.float32), expected)


def test_of_many_texts_the_first_are_compared(capsys):
    assert main(["embed", *TEXTS]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[0] for line in lines[1:9]] == list("12345678")
    assert lines[10] == "These are the first 8 of 10 texts."
    assert max(map(len, lines)) <= 80


def test_one_text_shows_its_first_numbers(capsys):
    assert main(["embed", "The cat is here."]) == 0
    line = capsys.readouterr().out.splitlines()[0]
    numbers = [f"{x:.4f}" for x in pipeline("embed")("The cat is here.")[:8]]
    assert line == f"{' '.join(numbers)} … (96 numbers)"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a", "--model", "./no-such-model"], ["no-such-model"]),
        *(                                       # told before a model is looked for
            (["a", "--model", "./no-such-model", "--out", name],
             ["--out: expected the name of a regular file", f"found {name!r}"])
            for name in ("no-such-folder/vectors.npy", ".", "", "vectors.npy/")
        ),
        (["a", "\ud800"], ["texts[1]", "surrogate"]),
        (["-"], ["nothing to read", "standard input"]),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    monkeypatch, tmp_path, capsys, arguments, words
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert main(["embed", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert all(word in err for word in words)


def test_what_the_standard_input_cannot_be_is_told(monkeypatch, capsys):
    latin = io.TextIOWrapper(io.BytesIO(b"caf\xe9\n"), "utf-8")
    monkeypatch.setattr(sys, "stdin", latin)
    assert main(["embed", "-"]) == 2
    assert "standard input: cannot be decoded" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", None)      # closed
    assert main(["embed", "-"]) == 2


def test_a_file_that_cannot_be_written_is_told(monkeypatch, tmp_path, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    assert main(["embed", "a", "--out", str(tmp_path / "vectors.npy")]) == 2
    assert "No space left" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_help_shows_an_example(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["embed", "--help"])
    assert caught.value.code == 0
    assert 'distilbert_np embed "' in capsys.readouterr().out
