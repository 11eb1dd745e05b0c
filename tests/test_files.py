"""Files that are no files, files that the system refuses, messages about them.

Each of these stands, one after the other, under every name that something opens.
"""

import builtins
import errno
import io
import mmap
import os
import pickle
import signal
import socket
from pathlib import Path

import mutations
import pytest
import safetensors
import training_run

from distilbert_np import (
    CheckpointError,
    ConfigError,
    DistilBertConfig,
    DistilBertError,
    DistilBertModel,
    DistilBertTokenizer,
    FileError,
    InputError,
)
from distilbert_np.training import fit, tasks

CONFIG, SETTINGS = "config.json", "tokenizer_config.json"
SHARD = mutations.SHARDS[1]
CHECKPOINT = "training-checkpoint-000012"

# What opens each name, and what it raises where there is no such file.
LOADERS = {
    CONFIG: (DistilBertConfig.from_pretrained, ConfigError),
    mutations.WEIGHTS: (DistilBertModel.from_pretrained, CheckpointError),
    mutations.INDEX: (DistilBertModel.from_pretrained, CheckpointError),
    SHARD: (DistilBertModel.from_pretrained, CheckpointError),
    "vocab.txt": (DistilBertTokenizer.from_pretrained, CheckpointError),
    "tokenizer.json": (DistilBertTokenizer.from_pretrained, CheckpointError),
    SETTINGS: (DistilBertTokenizer.from_pretrained, CheckpointError),
    "data.csv": (lambda folder: tasks.read_rows(folder / "data.csv"), InputError),
    "data.jsonl": (lambda folder: tasks.read_rows(folder / "data.jsonl"), InputError),
    "data.txt": (lambda folder: tasks.read_rows(folder / "data.txt"), InputError),
    **{
        f"{CHECKPOINT}/{name}": (lambda folder: go_on(folder), CheckpointError)
        for name in ("state.json", "model.safetensors", "optimizer.safetensors")
    },
}


def go_on(folder):
    """Go on with the training run in a folder."""
    model, examples, tokenizer, held_out = training_run.run_of("masked-lm")
    return fit(model, examples, tokenizer, training_run.RECIPE, held_out=held_out,
               folder=folder, progress=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the files of a folder that a training run was finished in."""
    folder = tmp_path_factory.mktemp("trained")
    go_on(folder)
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.fixture(params=LOADERS)
def name(request):
    return request.param


@pytest.fixture
def folder(tmp_path, name, trained):
    """Return a folder from which the loader of the name reads just that file."""
    files = dict(mutations.good_files("shards" if "-of-" in name else "whole", "base"))
    if name == mutations.INDEX:
        files = dict(mutations.good_files("shards", "base"))
    if name == "vocab.txt":
        del files["tokenizer.json"]
    if name.startswith(CHECKPOINT):
        files = trained
    files |= {"data.csv": b"text\na\n", "data.jsonl": b'{"text": "a"}\n',
              "data.txt": b"a\n"}
    for file, content in files.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(content)
    return tmp_path


@pytest.fixture
def no_hang():
    """Stop a test that waits for ever."""
    def stop(*_):
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def refusal(error_class, folder, name):
    """Return what loading is refused with: exactly this class, a line with the path."""
    with pytest.raises(DistilBertError) as caught:
        LOADERS[name][0](folder)
    message = str(caught.value)
    assert type(caught.value) is error_class, message
    assert message.startswith(f"{folder / name}: ") and message.isprintable()
    return message.removeprefix(f"{folder / name}: ")


# --- no regular file ------------------------------------------------------------------


def make_socket(path):
    os.chdir(path.parent)                        # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)


def make_link_to_a_pipe(path):
    os.mkfifo(path.parent / "pipe")
    path.symlink_to("pipe")


NO_FILES = {
    "a directory": os.mkdir,
    "a pipe": getattr(os, "mkfifo", None),
    "a socket": make_socket,
    "a link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "a link to /dev/null": lambda path: path.symlink_to("/dev/null"),
    "a link to a pipe": make_link_to_a_pipe,
    "a link that leads nowhere": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
}

needs_posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX system")


@needs_posix
@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES)
def test_what_is_no_regular_file_is_refused(folder, name, make, no_hang, monkeypatch):
    monkeypatch.chdir(folder)                    # and back again, after the socket
    (folder / name).unlink()
    make(folder / name)
    said = refusal(LOADERS[name][1], folder, name)
    assert said == "there is no regular file of this name"


def test_an_empty_file_is_refused(folder, name):
    (folder / name).write_bytes(b"")
    assert refusal(LOADERS[name][1], folder, name)


@needs_posix
def test_a_link_to_a_file_is_that_file(folder, name):
    # The Hub's cache is made of such links.
    (folder / "blobs").mkdir()
    (folder / name).rename(folder / "blobs" / "blob")
    (folder / name).symlink_to(folder / "blobs" / "blob")
    LOADERS[name][0](folder)


# --- refused by the system ------------------------------------------------------------

REASONS = {
    "permission": errno.EACCES, "an I/O error": errno.EIO, "vanished": errno.ENOENT,
    "too many open files": errno.EMFILE,
}


def failing(function, path, code):
    """Return a function that fails with this code when it is given this path."""
    def fail_or_call(file, *rest, **options):
        if not isinstance(file, int) and Path(file) == path:
            raise OSError(code, os.strerror(code), str(path))
        return function(file, *rest, **options)

    return fail_or_call


@pytest.mark.parametrize("code", REASONS.values(), ids=REASONS)
def test_a_file_that_cannot_be_opened(folder, name, code, monkeypatch):
    monkeypatch.setattr(builtins, "open", failing(open, folder / name, code))
    said = refusal(FileError, folder, name)
    assert said == f"cannot be read ({os.strerror(code)})"


class Unreadable(io.RawIOBase):
    """A file that can be opened, and not read."""

    def readable(self):
        return True

    def readinto(self, buffer):
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_file_that_cannot_be_read(folder, name, monkeypatch):
    """A text is read, and a file of tensors mapped, after it was opened."""
    path = folder / name

    def unreadable(file, *rest, open=open, **options):
        if isinstance(file, int) or Path(file) != path:
            return open(file, *rest, **options)
        return io.TextIOWrapper(io.BufferedReader(Unreadable()), encoding="utf-8")

    def unmappable(handle, *rest, mmap=mmap.mmap, **options):
        if not os.path.samestat(os.fstat(handle), os.stat(path)):
            return mmap(handle, *rest, **options)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    if path.suffix == ".safetensors":
        monkeypatch.setattr(mmap, "mmap", unmappable)
    else:
        monkeypatch.setattr(builtins, "open", unreadable)
    said = refusal(FileError, folder, name)
    assert said == f"cannot be read ({os.strerror(errno.EIO)})"


def test_a_file_that_vanishes_before_the_library_opens_it(tmp_path, monkeypatch):
    for file, content in mutations.good_files("whole", "base").items():
        (tmp_path / file).write_bytes(content)
    path, safe_open = tmp_path / mutations.WEIGHTS, safetensors.safe_open

    def vanish(*arguments, **options):
        path.unlink()
        return safe_open(*arguments, **options)

    monkeypatch.setattr(safetensors, "safe_open", vanish)
    said = refusal(FileError, tmp_path, mutations.WEIGHTS)
    assert said.startswith("cannot be read (No such file or directory")


def test_a_file_without_permission(folder, name):
    (folder / name).chmod(0)
    if os.access(folder / name, os.R_OK):
        pytest.skip("nobody stops root")
    said = refusal(FileError, folder, name)
    assert said == "cannot be read (Permission denied)"


# --- the error itself -----------------------------------------------------------------


def test_it_is_one_of_the_family_and_the_systems():
    error = FileError("a: cannot be read")
    assert isinstance(error, DistilBertError) and isinstance(error, OSError)
    assert str(pickle.loads(pickle.dumps(error))) == "a: cannot be read"


@pytest.mark.parametrize(("message", "shown"), [
    ("a: b\nc\r\n", "a: b\\nc\\r\\n"),
    ("a: \x1b[2J\0\ud800\u2028", "a: \\x1b[2J\\x00\\ud800\\u2028"),
    ("a: “é” 中 😀 −1", "a: “é” 中 😀 −1"),
    ("a: " + "x" * 997, "a: " + "x" * 997),
    ("a: " + "x" * 99997 + "!", "a: " + "x" * 697 + " … " + "x" * 199 + "!"),
])
def test_a_message_is_one_line_that_ends(message, shown):
    for error_class in (DistilBertError, FileError):
        assert str(error_class(message)) == shown


# --- what a file may say of others ----------------------------------------------------


def test_names_out_of_a_file_stay_in_one_line(tmp_path):
    files = mutations.good_files("whole", "base")
    text, data = mutations.split_file(files[mutations.WEIGHTS])
    text = text.replace("embeddings.LayerNorm.bias", r"a\nb\u001b[2J")
    (tmp_path / CONFIG).write_bytes(files[CONFIG])
    (tmp_path / mutations.WEIGHTS).write_bytes(mutations.with_header(text, data))
    said = refusal(CheckpointError, tmp_path, mutations.WEIGHTS)
    assert said.endswith(r"unexpected a\nb\x1b[2J")


@pytest.mark.parametrize("shape", [[0, 1 << 62], [0] + [1] * 70], ids=len)
def test_a_shape_that_numpy_cannot_hold_is_refused(tmp_path, shape):
    tensor = {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}
    header = mutations.dumps({"pooler.a": tensor})
    (tmp_path / CONFIG).write_bytes(mutations.good_files("whole", "base")[CONFIG])
    (tmp_path / mutations.WEIGHTS).write_bytes(mutations.with_header(header, b""))
    assert refusal(CheckpointError, tmp_path, mutations.WEIGHTS)
