"""The stick: the repository, and what to do with it. CI installs from a real one."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from distilbert_np.teaching import bundle

ROOT = Path(__file__).parents[1]


@pytest.fixture
def asked(monkeypatch):
    """What pip is asked for; it fetches nothing and succeeds."""
    commands = []

    def run(command):
        commands.append(command)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_the_stick_holds_the_repository_and_a_start(tmp_path, asked, capsys):
    assert bundle.main([str(tmp_path)]) == 0
    assert "START.md there" in capsys.readouterr().out
    there = tmp_path / "distilbert_np"
    for name in ("README.md", "requirements.txt", "distilbert_np/tiny/study.json"):
        assert (there / name).read_bytes() == (ROOT / name).read_bytes()
    assert not [*there.rglob("__pycache__"), *there.glob(".git")]
    start = (tmp_path / "START.md").read_text(encoding="utf-8")
    assert f"{sys.version_info.major}.{sys.version_info.minor} (" in start
    (command,) = asked
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert str(ROOT / "requirements.txt") in command
    assert str(tmp_path / "wheels") in command


def test_a_second_computer_adds_to_the_stick(tmp_path, asked, monkeypatch):
    bundle.bundle(tmp_path)
    monkeypatch.setattr(sys, "platform", "another")
    bundle.bundle(tmp_path)
    start = (tmp_path / "START.md").read_text(encoding="utf-8")
    assert start.count(f"{sys.version_info.major}.{sys.version_info.minor} (") == 2
    assert "(another)" in start


def test_a_stick_within_the_repository_is_refused(asked, capsys):
    assert bundle.main([str(ROOT / "stick")]) == 2
    assert "expected a folder outside the repository" in capsys.readouterr().err
    assert not asked


def test_a_stick_beside_the_repository_is_not_in_it(
    tmp_path, asked, monkeypatch, capsys
):
    monkeypatch.chdir(ROOT)
    assert bundle.main([os.path.relpath(tmp_path, ROOT)]) == 0
    assert "START.md there" in capsys.readouterr().out


def test_no_way_round_leads_into_the_repository(tmp_path, asked, monkeypatch, capsys):
    (tmp_path / "link").symlink_to(ROOT)
    assert bundle.main([str(tmp_path / "link" / "stick")]) == 2
    assert "expected a folder outside the repository" in capsys.readouterr().err
    assert not (ROOT / "stick").exists()


def test_outside_a_clone_it_says_so(tmp_path, asked, monkeypatch, capsys):
    monkeypatch.setattr(bundle, "REPOSITORY", tmp_path / "site-packages")
    assert bundle.main([str(tmp_path / "stick")]) == 2
    assert "run it in a clone" in capsys.readouterr().err


def test_it_says_that_pip_failed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        subprocess, "run", lambda command: SimpleNamespace(returncode=1)
    )
    assert bundle.main([str(tmp_path)]) == 2
    assert "pip could not fetch" in capsys.readouterr().err


def test_a_stick_that_cannot_be_written(tmp_path, asked, capsys):
    (tmp_path / "stick").write_text("a file")
    assert bundle.main([str(tmp_path / "stick")]) == 2
    assert "cannot be written" in capsys.readouterr().err
