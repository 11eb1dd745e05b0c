"""The gallery: all figures are drawn from one model, saved, and told in words."""

import re
import struct
import zlib

import pytest

from distilbert_np.teaching import figures, gallery

pytest.importorskip("matplotlib")


def png_texts(data):
    """Return the texts in a PNG file, by keyword."""
    texts, at = {}, 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        key, _, rest = body.partition(b"\0")
        if kind == b"tEXt":
            texts[key.decode()] = rest.decode("latin-1")
        elif kind == b"iTXt":                    # packed or not, two more keywords
            text = rest[2:].split(b"\0", 2)[2]
            texts[key.decode()] = (zlib.decompress(text) if rest[0] else text).decode()
        at += 12 + size
    return texts


@pytest.fixture(scope="module")
def hung(tmp_path_factory):
    """Return the folder of a gallery, and the lines that it said."""
    folder, lines = tmp_path_factory.mktemp("gallery"), []
    gallery.hang(gallery.Scene("tiny", gallery.TEXT), folder, lines.append)
    return folder, lines


def test_every_figure_is_in_the_gallery():
    others = {"FORMATS", "Picture", "growth"}    # growth is measured: bench draws it
    assert {*gallery.FIGURES} == {*figures.__all__} - others


def test_every_figure_is_written_twice(hung):
    folder, _ = hung
    names = {f"{name}{end}" for name in gallery.FIGURES for end in figures.FORMATS}
    assert {path.name for path in folder.iterdir()} == names


@pytest.mark.parametrize("name", gallery.FIGURES)
def test_a_figure_s_title_and_words_are_inside(hung, name):
    folder, lines = hung
    (line,) = (line for line in lines if line.startswith(f"{folder / name}."))
    words = line.split(".svg: ", 1)[1]
    assert len(words) > 60 and re.search(r"\d", words) and "TODO" not in words
    texts = png_texts((folder / f"{name}.png").read_bytes())
    assert texts["Description"] == words and len(texts["Title"]) > 8
    svg = (folder / f"{name}.svg").read_text(encoding="utf-8")
    start = svg[: svg.index("</metadata>")]
    assert "<dc:title>" in start and "<dc:description>" in start


def test_a_text_without_a_mask_is_asked_for_its_first_word():
    assert gallery.Scene("tiny", "Hello.").place == 1
    assert gallery.Scene("tiny", gallery.TEXT).place == 6


def test_the_heads_that_are_hung_have_something_to_show():
    scene = gallery.Scene("tiny", gallery.TEXT)
    assert scene.sharpest(0) == (0, 3)           # each token looks at the one before
    assert "from “[MASK]” to “france”" in gallery.FIGURES["head_lines"](scene).text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{tmp}", "--model", "nowhere-at-all"], "nowhere-at-all"),
        (["{tmp}/file"], "file: cannot be made"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(tmp_path, capsys, arguments, words):
    (tmp_path / "file").write_text("")
    given = [argument.format(tmp=tmp_path) for argument in arguments]
    assert gallery.main(given) == 2
    err = capsys.readouterr().err
    assert err.startswith("gallery: ") and words in err and err.count("\n") == 1
