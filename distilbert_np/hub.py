"""A name → a folder: an embedded model, a local folder, or the Hugging Face Hub."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import CheckpointError, DistilBertError, FileError, shown

TINY = Path(__file__).parent / "tiny"

# Each name stands for a base; and to a class with one of these heads, for a model that
# was trained from that base.
EMBEDDED = {"tiny": TINY / "masked-lm", "tiny-teacher": TINY / "teacher"}
TRAINED_HEADS = {
    ("tiny", "sequence"): TINY / "classify",
    ("tiny", "token"): TINY / "tag",
    ("tiny", "question_answering"): TINY / "answer",
    ("tiny", "multiple_choice"): TINY / "choose",
}

# The files of each kind, as names or patterns. One of the first two must be there.
CONFIG_FILES = ("config.json",)
WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*-of-*.safetensors",
)
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "tokenizer_config.json")

PICKLE = "pytorch_model.bin"
ONLY_A_PICKLE = (
    f"only {PICKLE} is here, a pickle, which could run code when opened; convert it "
    "with transformers: from_pretrained, then save_pretrained(folder), and give that "
    "folder"
)

NOT_HERE = f"not embedded here ({', '.join(EMBEDDED)}), not a folder"
NOT_CACHED = f"{NOT_HERE}, not whole in the cache"
COPY = (
    "copy a folder with config.json, model.safetensors, tokenizer.json (or vocab.txt) "
    "and tokenizer_config.json from another computer and give its path"
)
TOKEN = "set HF_TOKEN to a token of yours (huggingface.co/settings/tokens)"
NO_CONNECTION = (
    f"{NOT_CACHED}, and the connection to the Hugging Face Hub fails ({{reason}}); try "
    f"again later, or {COPY}"
)

# What is said, by the name of the exception's class or of one that it is derived from:
# by name, as the client is loaded late, and from 1.0 on stands on another HTTP library
# (httpx with its TransportError; before that, requests with its RequestException).
SENTENCES = {
    "HFValidationError": f"{NOT_HERE}, and no name for the Hugging Face Hub; expected "
    "one such as distilbert-base-uncased or owner/model",
    "RepositoryNotFoundError": f"{NOT_HERE}, and not on the Hugging Face Hub, or not "
    f"for everyone; check the spelling, or {TOKEN}",
    "GatedRepoError": "its owners want their terms accepted; do so at "
    f"https://huggingface.co/{{name}} and {TOKEN}",
    "RevisionNotFoundError": "it has no revision {revision!r}; expected a branch, a "
    "tag or a commit, or None for the newest",
    "HfHubHTTPError": "the Hugging Face Hub answers {answer}; check HF_TOKEN if it is "
    f"set, try again later, or {COPY}",
    "LocalEntryNotFoundError": f"{NOT_CACHED}, and local_files_only forbids "
    f"downloads; leave that out, or {COPY}",
    "OfflineModeIsEnabled": f"{NOT_CACHED}, and HF_HUB_OFFLINE forbids downloads; "
    f"unset that, or {COPY}",
    "RequestException": NO_CONNECTION,
    "TransportError": NO_CONNECTION,
    "JSONDecodeError": "what answers is not the Hugging Face Hub; log in to this "
    f"network, check HF_ENDPOINT if it is set, or {COPY}",
    "Exception": f"not to be had from the Hugging Face Hub ({{reason}}); {COPY}",
}


def find_model(
    name_or_path: str | os.PathLike,
    *kinds: Sequence[str],
    head: str | None = None,
    revision: str | None = None,
    local_files_only: bool = False,
    cache_dir: str | os.PathLike | None = None,
) -> Path:
    """Return the folder that holds a model's files, downloading them where needed.

    `name_or_path` is a folder, the name of an embedded model ("tiny"), or a repository
    of the Hugging Face Hub, from which only the files of these `kinds` are fetched. Of
    an embedded model it is the folder of this `head`, if it was trained with it. Raises
    CheckpointError, in one sentence that names the ways out, if there is none, and
    FileError where the cache cannot be read or written.
    """
    name = checked_path("model", name_or_path)
    given = {"revision": revision, "cache_dir": cache_dir}
    where = {
        key: checked_path(key, value)
        for key, value in given.items()
        if value is not None
    }
    if name in EMBEDDED and not os.path.isfile(os.path.join(name, "config.json")):
        return TRAINED_HEADS.get((name, head), EMBEDDED[name])
    if os.path.isdir(name):
        return Path(name)
    if os.path.exists(name):
        raise CheckpointError(f"model {name!r}: is a file; give its folder")
    if name.startswith((".", "/", "~")) or "\\" in name:
        raise CheckpointError(f"model {name!r}: there is no such folder")
    try:
        return download(name, kinds, local_files_only, **where)
    except DistilBertError:
        raise
    except Exception as error:                   # the client raises all sorts
        raise in_words(error, name, revision) from None


def is_embedded(folder: Path) -> bool:
    """Whether a folder is that of an embedded model."""
    return folder.parent == TINY


def checked_path(argument: str, value: Any) -> str:
    """Return a name or a path as text; raise CheckpointError if it is neither."""
    try:
        text = os.fsdecode(os.fsencode(value))   # refuses what no file could be named
    except (TypeError, ValueError):
        text = ""
    if not text or "\0" in text:
        raise CheckpointError(
            f"{argument}: expected a name or a path, found {shown(value)}"
        )
    return text


def download(
    name: str, kinds: Sequence[Sequence[str]], local_files_only: bool, **where: str
) -> Path:
    """Return the folder of the cache that holds a repository's files of these kinds.

    Raises CheckpointError where the repository has none of a kind.
    """
    from huggingface_hub import model_info, snapshot_download
    from huggingface_hub.utils import LocalEntryNotFoundError

    with passing_bars() as bar_class:
        folder = Path(snapshot_download(
            name, **where, local_files_only=local_files_only, tqdm_class=bar_class,
            allow_patterns=[file for kind in kinds for file in kind],
        ))
    absent = [
        kind for kind in kinds if not any((folder / file).exists() for file in kind[:2])
    ]
    if not absent:
        return folder
    if local_files_only:
        raise LocalEntryNotFoundError(name)
    about = model_info(name, revision=where.get("revision"))
    if absent == [WEIGHT_FILES] and PICKLE in [s.rfilename for s in about.siblings]:
        raise CheckpointError(f"model {name!r}: {ONLY_A_PICKLE}")
    names = " or ".join(absent[0][:2])
    raise CheckpointError(f"model {name!r}: its repository holds no {names}")


@contextmanager
def passing_bars() -> Iterator[type]:
    """Give a class of progress bars that a terminal shows until all is done.

    The client leaves its own open: they would be drawn over what is said next.
    """
    from huggingface_hub.utils import tqdm

    bars = []

    class PassingBar(tqdm):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            options = {"leave": False, "disable": None} | options
            super().__init__(*arguments, **options)
            bars.append(self)

    try:
        yield PassingBar
    finally:
        for bar in reversed(bars):
            bar.close()


def in_words(error: Exception, name: str, revision: str | None) -> DistilBertError:
    """Return what the Hub's client raised as one sentence for a person."""
    from http.client import responses

    if getattr(error, "errno", None):            # of the system, not of the network
        return FileError(
            f"model {name!r}: the cache of downloads cannot be read or written "
            f"({error!s:.200}); choose another place by cache_dir or HF_HOME"
        )
    if "LocalEntryNotFoundError" in class_names(error):
        error = error.__cause__ or error         # why it was not to be had elsewhere
    sentence = next(SENTENCES[c] for c in class_names(error) if c in SENTENCES)
    status = getattr(getattr(error, "response", None), "status_code", 0)
    answer = f"{status} ({responses.get(status, 'an error')})"
    said = sentence.format(
        name=name, revision=revision, answer=answer, reason=first_cause(error)
    )
    return CheckpointError(f"model {name!r:.98}: {said}")


def class_names(error: Exception) -> list[str]:
    """Return the names of an exception's class and of those it is derived from."""
    return [one.__name__ for one in type(error).__mro__]


def first_cause(error: BaseException) -> str:
    """Return what began a chain of exceptions, such as "Connection refused"."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return getattr(error, "strerror", None) or repr(error)[:100]
