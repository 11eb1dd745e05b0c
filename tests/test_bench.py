"""The command bench: what it counts, compares and prints; no time is asserted."""

import json
import sys

import numpy as np
import pytest

from distilbert_np import (
    DistilBertConfig,
    DistilBertError,
    DistilBertModel,
    DistilBertTokenizer,
)
from distilbert_np.__main__ import main
from distilbert_np.bench import (
    checkpoint,
    contenders,
    forward,
    growth,
    machine,
    report,
    start,
    step,
    texts,
    timing,
)
from distilbert_np.bench.tables import Table

QUICK = ["bench", "--model", "tiny", "--shapes", "1x4", "--runs", "1"]


@pytest.fixture
def alone(monkeypatch):
    """Let no other library be installed."""
    for name in {name for names in contenders.NEEDS.values() for name in names}:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture
def tiny_folder(tmp_path):
    """Return a folder with the embedded model and its tokenizer."""
    checkpoint.save_model("tiny", tmp_path)
    checkpoint.save_tokenizer("tiny", tmp_path)
    return tmp_path


# --- what is counted ------------------------------------------------------------------

SMALL = DistilBertConfig(dim=4, hidden_dim=8, n_heads=2, n_layers=3, vocab_size=10)
# By hand, for 2 texts of 3 tokens: 4 linears of 4 to 4 numbers for 6 tokens, scores and
# context of 2 texts' 2 heads, and the feed-forward network, 4 to 8 to 4.
BLOCK = 4 * (2 * 6 * 4 * 4) + 2 * (2 * 2) * (2 * 3 * 2 * 3) + 2 * (2 * 6 * 4 * 8)
VOCABULARY = 2 * 6 * 4 * 4 + 2 * 6 * 4 * 10


@pytest.mark.parametrize(
    ("head", "expected"), [("base", 3 * BLOCK), ("masked_lm", 3 * BLOCK + VOCABULARY)]
)
def test_flops_are_those_counted_by_hand(head, expected):
    assert BLOCK == 1824
    assert forward.flops(forward.products(SMALL, 2, 3, head)) == expected


@pytest.mark.parametrize("few", [0, 5, 6])
def test_the_products_run_are_the_products_counted(monkeypatch, few):
    monkeypatch.setattr(forward, "FEW_ROWS", few)
    sizes = forward.products(SMALL, 2, 3, "masked_lm")
    run, matmul, done = forward.matrix_products(sizes), np.matmul, []

    def spy(left, right, out):
        done.append((*left.shape, right.shape[-1]))
        assert not np.shares_memory(left, out)
        return matmul(left, right, out=out)

    monkeypatch.setattr(np, "matmul", spy)
    run()
    assert done == [                             # few rows: the weight to the left
        (times, out, inner, rows) if times == 1 and few >= rows
        else (times, rows, inner, out)
        for times, rows, inner, out in sizes
    ]


def test_a_fit_finds_its_coefficients():
    sizes = [1, 2, 5, 9]
    found = growth.fit(sizes, [3 + 2 * x + 0.5 * x**2 for x in sizes], [0, 1, 2])
    np.testing.assert_allclose(found, [3, 2, 0.5])
    assert growth.as_formula("length", found) == "3 +2·L +0.5·L²"


def test_the_quadratic_part_is_fitted_by_itself():
    sizes, parts = [1, 2, 5, 9], [0.5 * x**2 for x in [1, 2, 5, 9]]
    times = [3 + 2 * x + part for x, part in zip(sizes, parts, strict=True)]
    np.testing.assert_allclose(growth.fit_parts(sizes, times, parts), [3, 2, 0.5])
    line = growth.fit_parts(sizes, [3 + 2 * x for x in sizes], [None] * 4)
    np.testing.assert_allclose(line, [3, 2])


def test_a_fit_leaves_out_what_would_be_negative():
    sizes = [1, 2, 5, 9]
    times = [3 + 2 * x - 0.01 * x**2 for x in sizes]
    bent_down = growth.fit(sizes, times, [0, 1, 2])
    assert bent_down[2] == 0 and bent_down[1] == pytest.approx(1.95, abs=0.05)
    times = [2 * x**2 - 0.1 * x - 0.2 for x in sizes]
    c, a, b = growth.fit(sizes, times, [0, 1, 2])
    assert c == a == 0 and b == pytest.approx(1.9, abs=0.1)


def test_the_made_up_words_are_one_token_each(tmp_path):
    tokenizer = checkpoint.save_tokenizer(None, tmp_path)
    assert len(set(tokenizer.get_vocab())) == DistilBertConfig().vocab_size == 30522
    assert len(checkpoint.words(tokenizer)) == 30522 - 5
    made = checkpoint.random_texts(tokenizer, 200, 5, 20)
    lengths = {len(ids) for ids in tokenizer(made)["input_ids"]}
    assert lengths == set(range(5, 21))
    assert made == checkpoint.random_texts(tokenizer, 200, 5, 20)


# --- how it is measured ---------------------------------------------------------------


def test_contenders_take_turns():
    order = []
    runs = {name: lambda name=name: order.append(name) or 7 for name in "ABC"}
    assert timing.in_turn(runs, 2) == {"A": [7, 7], "B": [7, 7], "C": [7, 7]}
    assert "".join(order) == "ABCABC"


def test_a_slow_row_has_the_least_number_of_runs_and_a_fast_one_more(monkeypatch):
    monkeypatch.setattr(timing, "PAUSE", 0)
    assert len(timing.in_turn({"A": lambda: 1})["A"]) == timing.MOST
    monkeypatch.setattr(timing, "SECONDS", -1)
    assert len(timing.in_turn({"A": lambda: 1})["A"]) == timing.LEAST


def test_who_computes_something_else_is_not_measured():
    ours = np.array([1.0, -200.0])
    contenders.check_agreement({"ours": ours, "theirs": ours + 0.01}, "here")
    for wrong in (ours + 0.03, ours * np.nan):
        with pytest.raises(DistilBertError, match=r"^here: theirs differs from ours"):
            contenders.check_agreement({"ours": ours, "theirs": wrong}, "here")


def test_the_faster_of_two_attentions_counts():
    times = {"ours": 1.0, "torch eager": 5.0, "torch sdpa": 3.0}
    assert contenders.fastest_torch(times) == ("sdpa", 3.0)
    assert contenders.fastest_torch({"ours": 1.0}) == (None, None)


def test_a_process_has_a_peak_of_its_own():
    large = np.ones(40_000_000)                  # 320 MB, which a child would inherit
    run = timing.launched(["-c", "print('first'); print('second')"])
    assert large.nbytes == 320_000_000
    assert run["line"] == "first\n" and run["milliseconds"] > 0
    if run["megabytes"] is None:
        pytest.skip("this system does not tell the peak memory of a process")
    assert 1 < run["megabytes"] < 100


def test_a_process_that_fails_is_told_in_one_line():
    with pytest.raises(DistilBertError, match="failed: ZeroDivisionError: division"):
        timing.launched(["-c", "1 / 0"])


def test_threads_are_limited_before_numpy_is_loaded(capfd):
    command = ["bench", "growth", "--model", "tiny", "--runs", "1", "--json"]
    with pytest.raises(SystemExit) as caught:
        main([*command, "--threads", "1"])
    assert caught.value.code == 0
    assert json.loads(capfd.readouterr().out)["machine"]["threads"] == 1


# --- what it prints -------------------------------------------------------------------


def test_a_table():
    columns = {"shape": ("shape", "{}"), "ms": ("ours ms", "{:.1f}"),
               "ratio": ("ours/torch", "{:.2f}")}
    rows = [{"shape": "1x8", "ms": 12.345, "ratio": 0.5, "more": [1]},
            {"shape": "32x128", "ms": 1234.5, "ratio": None}]
    table = Table("forward", "A title", columns, rows, ["A note."], {"fits": 1})
    assert table.as_text() == (
        "A title\n"
        "\n"
        "  shape   ours ms  ours/torch\n"
        "  1x8        12.3        0.50\n"
        "  32x128   1234.5           –\n"
        "\n"
        "A note."
    )
    assert table.as_json() == {
        "what": "forward", "title": "A title", "rows": rows, "notes": ["A note."],
        "fits": 1,
    }


def test_without_other_libraries_ours_is_measured(alone, capsys):
    assert main(QUICK) == 0
    out, err = capsys.readouterr()
    assert err == ""                             # no progress where nobody looks
    hint = f"without torch: torch, transformers not installed; {contenders.INSTALL}"
    assert hint in out.splitlines()
    header, row = (line.split() for line in out.splitlines() if line[:2] == "  ")
    assert header[:3] == ["shape", "ours", "ms"] and row[0] == "1x4"
    assert float(row[1]) > 0 and row[2:7] == ["–"] * 5 and row[8].endswith("%")


def test_json_holds_what_the_table_shows(alone, monkeypatch, capsys):
    tables = []
    as_text = Table.as_text
    monkeypatch.setattr(Table, "as_text", lambda t: tables.append(as_text(t)) or "")
    assert main([*QUICK, "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert err == "" and found["machine"]["gflops"] > 0
    assert found["missing"]["torch"] == ["torch", "transformers"]
    (table,), (text,) = found["tables"], tables
    (row,) = table["rows"]
    assert row["torch_ms"] is None and row["ours_ms"] == row["milliseconds"]["ours"]
    cells = [
        "–" if row[key] is None else form.format(row[key])
        for key, (_, form) in forward.COLUMNS.items()
    ]
    assert cells in [line.split() for line in text.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--shapes", "1y8"], ["--shapes", "1x8,8x128", "'1y8'"]),
        (["--shapes", "0x8"], ["--shapes", "'0x8'"]),
        (["--shapes", ""], ["--shapes", "''"]),
        (["--shapes", "1x8,1x999"], ["--shapes", "1x999", "128 positions"]),
        (["start", "--shapes", "1x8"], ["--shapes", "forward and masked-lm", "start"]),
        (["--runs", "0"], ["--runs", "above 0", "0"]),
        (["--threads", "0"], ["--threads", "above 0", "0"]),
        (["--plot", "a.png"], ["--plot", "growth", "forward"]),
        (["growth", "--plot", "a.pdf"], ["--plot", ".png or .svg", "a.pdf"]),
        (["growth", "--plot", "no-folder/a.png"], ["--plot", "no-folder"]),
    ],
)
def test_bad_options_are_one_line_and_status_2(alone, arguments, words, capsys):
    assert main(["bench", "--model", "tiny", *arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith("bench: ") and err.count("\n") == 1
    assert all(word in err for word in words)


def test_a_figure_needs_matplotlib(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["bench", "growth", "--model", "tiny", "--plot", "a.png"]) == 2
    assert "matplotlib" in capsys.readouterr().err


def test_shapes_that_the_model_has_no_positions_for_are_left_out():
    config = DistilBertConfig(max_position_embeddings=100)
    known = forward.SHAPES["base"]
    assert forward.shapes_for(config, None, known) == [(1, 8), (1, 32), (32, 32)]
    assert forward.shapes_for(config, [(3, 100)], known) == [(3, 100)]


# --- each of what is measured ---------------------------------------------------------


def test_growth_of_the_first_layers(tiny_folder):
    model = DistilBertModel.from_pretrained(tiny_folder)
    ids, mask = checkpoint.random_ids(model.config, 2, 5)
    states = model(ids, mask, output_hidden_states=True).hidden_states
    for layers in (1, 2, 3):
        found = growth.forward_of(model, 2, 5, layers)().last_hidden_state
        np.testing.assert_array_equal(found, states[layers])
    assert model.config.n_layers == 3


def test_the_figure_of_growth(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(growth, "LENGTHS", (2, 4, 8))
    monkeypatch.setattr(growth, "LENGTH", 4)
    path = tmp_path / "growth.svg"
    drawn, draw = [], report.figures.growth

    def spy(*arguments):
        drawn.append(draw(*arguments))
        return drawn[-1]

    monkeypatch.setattr(report.figures, "growth", spy)
    command = ["bench", "growth", "--model", "tiny", "--runs", "1"]
    assert main([*command, "--plot", str(path)]) == 0
    out = capsys.readouterr().out
    assert path.read_text(encoding="utf-8").startswith("<?xml")
    assert f"The figure is in {path}" in out and "·L²" in out
    ((figure, _),) = drawn
    panels = figure.axes
    assert len(panels) == 3
    assert [len(panel.lines[-1].get_xdata()) for panel in panels] == [3, 5, 3]
    for panel in panels:
        assert panel.get_title() and panel.get_xlabel()
        assert panel.get_ylabel() == "milliseconds"


def test_a_step_of_ours_alone(alone):
    table = step.measure_steps([("small", "tiny", (2, 4))], 1)
    (row,) = table.rows
    assert row["ours_ms"] > 0 and row["torch_ms"] is row["torch_mb"] is None
    assert row["ours_mb"] is None or row["ours_mb"] > 10
    assert "2x4" in table.as_text()


def test_texts_of_ours_alone(alone, tiny_folder):
    tokenizer = DistilBertTokenizer.from_pretrained(tiny_folder)
    (row,) = texts.measure_texts(tiny_folder, tokenizer, 1, count=5).rows
    assert row["texts"] == 5 and row["tokens"] >= 25 and row["torch_s"] is None


def test_means_are_over_real_tokens():
    features = [np.array([[3.0, 0], [0, 4], [9, 9]]), np.array([[0, 2.0]])]
    found = texts.mean_vectors(features, [2, 1])
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 1]])


def test_the_start_of_ours_alone(alone, tiny_folder):
    tokenizer = DistilBertTokenizer.from_pretrained(tiny_folder)
    answer, imported = start.measure_start(tiny_folder, tokenizer, 1)
    assert answer.rows[0]["ours_ms"] > 0 and answer.rows[0]["torch_ms"] is None
    assert imported.rows[0]["ours_ms"] > imported.rows[0]["numpy_ms"] / 2 > 0


def test_other_answers_are_not_measured():
    ours = {"line": json.dumps({"masks": [[{"token_str": "paris"}]]})}
    start.check_answers({"ours": ours, "torch": {"line": '"paris"'}})
    with pytest.raises(DistilBertError, match="'paris', torch 'rome'"):
        start.check_answers({"ours": ours, "torch": {"line": '"rome"'}})


def test_the_machine_is_described_without_threadpoolctl(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    found = machine.describe()
    assert found["blas"]["name"] and found["blas"]["kernel"] is None
    assert "kernel –" in machine.as_text(found)


# --- live: with torch and onnxruntime -------------------------------------------------


def test_a_row_has_all_contenders(capsys):
    for contender in contenders.NEEDS:
        if names := contenders.missing(contender):
            pytest.skip(f"{', '.join(names)} not installed")
    for what in ("forward", "masked-lm"):
        assert main([*QUICK, "--json", what]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        (row,) = json.loads(out)["tables"][0]["rows"]
        assert row["torch_attention"] in contenders.ATTENTIONS
        for name in ("ours_ms", "torch_ms", "onnxruntime_ms", "ours_to_onnxruntime"):
            assert row[name] > 0


def test_pytorch_counts_the_same_flops(tiny_folder):
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from torch.utils.flop_counter import FlopCounterMode

    config = DistilBertConfig.read(tiny_folder)
    ids, mask = map(torch.from_numpy, checkpoint.random_ids(config, 2, 5))
    for head, model_class in contenders.CLASSES.items():
        model = contenders.torch_model(model_class.__name__, tiny_folder, "eager")
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            model(ids, mask)
        sizes = forward.products(config, 2, 5, head)
        assert counter.get_total_flops() == forward.flops(sizes)


def test_pytorch_trains_embeds_and_answers_alike(tiny_folder):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    tokenizer = DistilBertTokenizer.from_pretrained(tiny_folder)
    (row,) = step.measure_steps([("small", "tiny", (2, 4))], 1).rows
    assert row["torch_ms"] > 0
    (row,) = texts.measure_texts(tiny_folder, tokenizer, 1, count=40).rows
    assert row["ours_to_torch"] > 0
    answer = start.measure_answer(tiny_folder, tokenizer, 1)
    assert answer.rows[0]["ours_to_torch"] > 0
