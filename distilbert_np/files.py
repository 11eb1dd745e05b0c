"""Files are read with care, and each is written whole or not at all."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from .errors import FileError, InputError, shown

PART = ".distilbert_np.part"                     # ends the name of what is not whole
DEEPEST = 100                                    # and deeper no JSON is nested


@contextmanager
def system_errors(path: str | os.PathLike, deed: str) -> Iterator[None]:
    """Raise FileError, naming the path, where the system refuses what is done inside.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise FileError(f"{path}: cannot be {deed} ({reason})") from None


# --- reading --------------------------------------------------------------------------


@contextmanager
def opened(path: Path, error_class: type[ValueError], **how: Any) -> Iterator[IO]:
    """Open a file as `open` does; raise `error_class` if there is none.

    Only regular files are opened: reading a pipe would wait for ever.
    """
    with system_errors(path, "read"):
        if not path.is_file():
            raise error_class(f"{path}: there is no regular file of this name")
        with open(path, **how) as file:
            yield file


def read_text(path: Path, error_class: type[ValueError]) -> str:
    """Return the text in a file; raise `error_class` if it is not in UTF-8.

    A byte-order mark, which Windows likes to begin with, is passed over.
    """
    with opened(path, error_class, encoding="utf-8-sig") as file:
        try:
            return file.read()
        except UnicodeDecodeError as error:
            raise error_class(f"{path}: not a text in UTF-8 ({error})") from None


def read_json(path: Path, error_class: type[ValueError]) -> dict[str, Any]:
    """Return the object that a JSON file holds; raise `error_class` if there is none.
    """
    text = read_text(path, error_class)
    try:
        content = json.loads(text)
        if depth(content) > DEEPEST:
            raise ValueError(f"nested more than {DEEPEST} deep")
    except (ValueError, RecursionError) as error:
        raise error_class(f"{path}: not a JSON file ({error})") from None
    if not isinstance(content, dict):
        raise error_class(f"{path}: expected a JSON object, found {shown(content)}")
    return content


def depth(value: Any) -> int:
    """Return how deep the lists and objects of a JSON value are nested."""
    if not isinstance(value, (dict, list)):
        return 0
    items = value.values() if isinstance(value, dict) else value
    return 1 + max(map(depth, items), default=0)


# --- writing --------------------------------------------------------------------------


def made_folder(folder: str | os.PathLike) -> Path:
    """Return a folder, made if need be; raise InputError for what is no name of one.
    """
    with system_errors(folder, "made"):
        try:
            path = Path(folder or None)          # "" would be the current folder
            path.mkdir(parents=True, exist_ok=True)
        except (TypeError, ValueError):          # no name, or one with a null character
            message = f"folder: expected the name of one, found {shown(folder)}"
            raise InputError(message) from None
    return path


@contextmanager
def written_whole(folder: str | os.PathLike, name: str = "") -> Iterator[Path]:
    """Give a temporary path to write to, and move that to its place when all went well.

    It is the path of the file `name` of the folder; or, without a name, of a folder for
    several. Whoever reads one meanwhile sees the old or the new one whole; after an
    error the old ones are still there, and what was temporary is gone. The folder is
    made if need be. Of several the last to be moved is config.json, so that what was no
    model is never half of one.
    """
    import shutil  # here, since they take their time
    import tempfile

    folder = made_folder(folder)
    with system_errors(folder / name, "written"):
        part = Path(tempfile.mkdtemp(dir=folder, prefix=".", suffix=PART))
        try:
            mode = usual_mode(part)
            yield part / name
            for whole in sorted(part.iterdir(), reverse=True):
                if whole.is_file():
                    whole.chmod(mode)            # safetensors' are for the owner alone
                os.replace(whole, folder / whole.name)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def usual_mode(folder: Path) -> int:
    """Return the permissions that a new file has by the user's umask."""
    probe = folder / "probe"
    probe.touch()
    mode = probe.stat().st_mode
    probe.unlink()
    return mode


def delete_parts(folder: Path) -> None:
    """Delete the temporary folders that killed writers left in a folder."""
    import shutil  # here, since it takes its time

    for part in folder.glob(f".*{PART}"):
        with system_errors(part, "deleted"):
            shutil.rmtree(part)
