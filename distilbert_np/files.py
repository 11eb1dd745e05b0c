"""Files are read with care, and written whole or not at all."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PART = ".distilbert_np.part"                     # ends the name of what is not whole


def read_json(path: Path, error_class: type[ValueError]) -> dict[str, Any]:
    """Return the object that a JSON file holds; raise `error_class` if there is none.

    Only regular files are opened: reading a pipe would wait for ever.
    """
    if not path.is_file():
        raise error_class(f"{path}: there is no regular file of this name")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise error_class(f"{path}: not a JSON file ({error})") from None
    if not isinstance(content, dict):
        raise error_class(f"{path}: expected a JSON object, found {content!r:.40}")
    return content


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to, and rename it to `path` when all went well.

    Whoever reads `path` meanwhile sees the old file whole; after an error it is still
    there, and the temporary file is gone.
    """
    import tempfile  # here, since it takes its time

    handle, temporary = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name}.", suffix=PART
    )
    os.close(handle)
    try:
        yield Path(temporary)
        os.chmod(temporary, 0o644)               # until here for the owner's eyes alone
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


@contextmanager
def written_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder to write to, and rename it to `path` when all went well.
    """
    temporary = path.with_name(f".{path.name}{PART}")
    temporary.mkdir(parents=True)
    yield temporary
    os.replace(temporary, path)


def delete_parts(folder: Path) -> None:
    """Delete the temporary files and folders that killed writers left in a folder."""
    import shutil  # here, since it takes its time

    for part in folder.glob(f".*{PART}"):
        shutil.rmtree(part) if part.is_dir() else part.unlink()
