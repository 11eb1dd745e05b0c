"""A name → a folder: an embedded model, a local folder, or the Hugging Face Hub."""

import os
from collections.abc import Sequence
from pathlib import Path

from .errors import CheckpointError

EMBEDDED = {"tiny": Path(__file__).parent / "tiny" / "masked-lm"}

CONFIG_FILES = ("config.json",)
WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*-of-*.safetensors",
)
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt")


def find_model(
    name_or_path: str | os.PathLike,
    files: Sequence[str],
    *,
    revision: str | None = None,
    local_files_only: bool = False,
    cache_dir: str | os.PathLike | None = None,
) -> Path:
    """Return the folder that holds a model's files, downloading them where needed.

    `name_or_path` is a folder, the name of an embedded model ("tiny"), or a repository
    of the Hugging Face Hub, from which only `files` (names or patterns) are fetched.
    Raises CheckpointError, in one sentence that names the ways out, if there is none.
    """
    try:
        name = os.fspath(name_or_path)
    except TypeError:
        raise CheckpointError(
            f"model: expected a name or a folder, found {name_or_path!r:.60}"
        ) from None
    if name in EMBEDDED and not os.path.isfile(os.path.join(name, "config.json")):
        return EMBEDDED[name]
    if os.path.isdir(name):
        return Path(name)
    if name.startswith((".", "/", "~")) or "\\" in name:
        raise CheckpointError(f"model {name!r}: there is no such folder")
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                name,
                revision=revision,
                cache_dir=cache_dir,
                local_files_only=local_files_only,
                allow_patterns=list(files),
            )
        )
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise CheckpointError(
            f"model {name!r}: not embedded here ({', '.join(EMBEDDED)}), not a folder, "
            f"and not to be had from the Hugging Face Hub ({reason}). Without a "
            "network, copy a folder with config.json, model.safetensors and vocab.txt "
            "from another computer and give its path"
        ) from None
