"""Files are written whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to, and rename it to `path` when all went well.

    Whoever reads `path` meanwhile sees the old file whole; after an error it is still
    there, and the temporary file is gone.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    os.chmod(temporary, 0o644)                   # mkstemp's are for the owner's eyes
    try:
        yield Path(temporary)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
