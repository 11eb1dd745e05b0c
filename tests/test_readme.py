"""README says what is true: its commands run, its output is the output."""

import os
import re
import shlex
from pathlib import Path

import pytest

from distilbert_np.__main__ import distill, main, make_parser, train

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    """Return README's code blocks of a language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def python_block(words):
    """Return the one block of Python that has these words."""
    (found,) = (block for block in blocks("python") if words in block)
    return found


def last_line(block):
    return block.strip().splitlines()[-1]


def test_the_first_block_answers_and_the_second_tests():
    first, second = blocks("bash")[:2]
    assert "pip install -r requirements.txt" in first
    assert last_line(first).startswith("python -m distilbert_np fill-mask")
    assert second.strip() == "python -m pytest"


def test_the_output_shown_is_the_output(capsys):
    command = shlex.split(last_line(blocks("bash")[0]))
    assert main(command[3:]) == 0
    assert capsys.readouterr().out.strip() == blocks("text")[0].strip()


def test_the_picture_shows_what_its_words_say():
    pytest.importorskip("matplotlib")
    from distilbert_np.teaching import gallery

    ((words, path),) = re.findall(r"!\[(.*)\]\((.*)\)", README)
    scene = gallery.Scene("tiny", gallery.TEXT)
    assert words == gallery.FIGURES[Path(path).stem](scene).text
    assert (ROOT / path).stat().st_size < 100_000


def test_the_tour_runs_and_prints_what_it_says(capsys):
    runs_and_prints(blocks("python")[0], capsys)


def test_what_is_said_of_fit_runs_and_prints_what_it_says(capsys):
    runs_and_prints(python_block("import Recipe, fit"), capsys)


def test_what_is_said_of_distillation_runs_and_prints_what_it_says(capsys):
    runs_and_prints(python_block("student_of"), capsys)


def test_the_distill_command_is_one_that_would_run():
    study, command = (block for block in blocks("bash") if " distill " in block)
    arguments = make_parser().parse_args(shlex.split(command)[3:])
    assert arguments.run is distill and arguments.teacher == "tiny-teacher"
    arguments = make_parser().parse_args(shlex.split(study)[3:])
    assert arguments.run is distill and arguments.seeds == [0, 1, 2]


def test_the_diagnosis_shown_is_the_diagnosis(tmp_path, monkeypatch, capsys):
    (block,) = (block for block in blocks("bash") if " compare " in block)
    monkeypatch.chdir(tmp_path)
    statuses = [main(shlex.split(line)[3:]) for line in block.splitlines()]
    assert statuses == [0, 0, 1]
    printed = without_measures(capsys.readouterr().out)
    (promised,) = (block for block in blocks("text") if "First divergent" in block)
    assert without_measures(promised) in printed


def without_measures(text):
    """Return a text without the numbers that rounding makes, and line ends."""
    numbers = r"\d[\d,.e-]* (?=times|was)|(?<=most at ).*(?= likely)"
    return re.sub(numbers, "# ", " ".join(text.split()))


def test_what_is_said_of_many_texts_runs_and_prints_what_it_says(capsys):
    runs_and_prints(python_block("import pipeline\n"), capsys)


def runs_and_prints(block, capsys):
    exec(compile(block, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    promised = re.findall(r"print\(.*\) *# (.*)", block)
    assert printed == promised


def test_the_verdict_shown_is_the_verdict(capsys):
    block = python_block("check(my_split_heads)")
    exec(compile(block, "README.md", "exec"), {})
    *_, promised = block.partition("check(my_split_heads)\n")
    printed = capsys.readouterr().out.splitlines()
    assert [f"# {line}" for line in printed] == promised.splitlines()


def test_the_train_command_is_one_that_would_run():
    *_, command = (block for block in blocks("bash") if "train" in block)
    arguments = make_parser().parse_args(shlex.split(command)[3:])
    assert arguments.run is train and (ROOT / arguments.data).is_file()


def test_the_load_report_shown_is_the_report():
    *_, shown = re.findall(r"```\n(>>> .*?)```", README, re.DOTALL)
    imported, asked, *lines = shown.splitlines()
    names = {}
    exec(imported.removeprefix(">>> "), names)
    with pytest.warns(UserWarning, match="newly initialised"):
        report = repr(eval(asked.removeprefix(">>> "), names))
    assert lines == report.replace(f"{ROOT}{os.sep}", "").splitlines()


@pytest.mark.parametrize("link", re.findall(r"\]\(((?!http)[^)#]+)\)", README))
def test_links_lead_somewhere(link):
    assert (ROOT / link).exists()


def test_every_room_is_on_the_map():
    for path in (ROOT / "distilbert_np").glob("*.py"):
        if path.stem != "__init__":
            assert path.name in README, path.name
