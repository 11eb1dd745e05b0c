"""Traces on disk: a folder with the arrays and a manifest; and what a port has written.

A port may bring its arrays as one .safetensors or .npz file, or as a folder with a file
NAME.npy for each; where its names are others, a map tells which are which.
"""

import json
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile
from zlib import error as ZipError

import numpy as np

from ..errors import InputError, shown
from ..files import opened, read_json, written_whole
from ..functions import Array
from ..hub import CONFIG_FILES, WEIGHT_FILES, find_model
from ..models import DistilBertPreTrainedModel as Model
from ..trace import check_head
from ..trees import Tree
from ..weights import DTYPES, WEIGHT_DTYPES, convert, map_file, save_tensors
from .rounding import BFLOAT16, FLOAT32, precision
from .tracing import (
    FORMAT,
    default_labels,
    describe,
    digest,
    labels_of,
    load_model,
    traced,
)

CODES = {"int64": "I64", "float32": "F32", "float64": "F64"}     # of safetensors
FEW_NUMBERS = 32
ARRAYS, MANIFEST = "trace.safetensors", "manifest.json"


class Shown(NamedTuple):
    """An array of a port, and the precision (epsilon) that it was computed in."""

    array: Array
    eps: float


class Trace(NamedTuple):
    """A trace as it was written by us: its folder, arrays and manifest."""

    folder: Path
    arrays: dict[str, Array]
    manifest: Tree


# --- writing --------------------------------------------------------------------------


def trace_model(
    folder: str | os.PathLike, name: str | os.PathLike, arguments: Mapping[str, Any],
    head: str, *, gradients: bool = False, teacher: str | None = None,
    dtype: str = "float64", only: Sequence[str] = (), npy: bool = False,
    **more: Any,
) -> Tree:
    """Trace a call of a model, write the trace into a folder, return its manifest.

    `name` is what from_pretrained takes. If there are `gradients`, or a `teacher`, and
    no labels, some are made up (`default_labels`). `only` are patterns such as
    `*.output_layer_norm` of the arrays to write, beside the inputs. `more` is what else
    the manifest is to tell. Raises InputError where an argument cannot be used.
    """
    found: dict[str, dict[str, Array]] = {}      # by dtype
    for each in ("float64", "float32"):
        model = load_model(name, head, each)
        soft = None if teacher is None else load_model(teacher, "masked_lm", each)
        if gradients or soft:
            arguments = with_labels(model, arguments)
        found[each] = traced(model, arguments, gradients, soft)
    arrays = {
        name: array.astype(np.int64) if array.dtype == bool else array
        for name, array in found[dtype].items() if is_wanted(name, only)
    }
    refuse_idle(only, arrays)
    manifest = describe(
        model, found["float64"], found["float32"], source_of(name, folder), dtype
    )
    tensors = manifest.pop("tensors")
    manifest |= more
    manifest["tensors"] = {
        name: {"dtype": CODES[array.dtype.name]} | tensors[name]
        for name, array in arrays.items()
    }
    write_trace(folder, arrays, manifest, npy)
    return manifest


def with_labels(model: Model, arguments: Mapping[str, Any]) -> Tree:
    """Return the arguments of a call, with labels that are made up if there are none.
    """
    if any(name in arguments for name in labels_of(model.head)):
        return {**arguments}
    return {**arguments, **default_labels(model, arguments)}


def is_wanted(name: str, patterns: Sequence[str]) -> bool:
    """Whether an array is to be written."""
    matches = any(fnmatchcase(name, pattern) for pattern in patterns)
    return not patterns or name.startswith("inputs.") or matches


def refuse_idle(patterns: Sequence[str], names: Collection[str]) -> None:
    """Raise InputError for a pattern that no name is like."""
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise InputError(f"--only: no array has a name like {pattern!r}")


def source_of(name: str | os.PathLike, folder: str | os.PathLike) -> str:
    """Return how a trace names its model: a folder by the way to it from the trace."""
    if not os.path.isdir(name):
        return str(name)
    try:
        return Path(os.path.relpath(name, folder)).as_posix()
    except ValueError:                           # on another drive
        return os.path.abspath(name)


def write_trace(
    folder: str | os.PathLike, arrays: dict[str, Array], manifest: Tree,
    npy: bool = False,
) -> None:
    """Write a trace: manifest.json and trace.safetensors, or a file NAME.npy for each.

    An older trace.safetensors does not stay beside the latter.
    """
    with written_whole(folder) as path:
        (path / MANIFEST).write_text(readable(manifest), encoding="utf-8")
        if npy:
            for name, array in arrays.items():
                np.save(path / f"{name}.npy", np.asarray(array, order="C"))
        else:
            save_tensors(arrays, path / ARRAYS)
    if npy:
        (Path(folder) / ARRAYS).unlink(missing_ok=True)


def readable(manifest: Tree) -> str:
    """Return a manifest as JSON, with a line for each array."""
    lines = []
    for key, value in manifest.items():
        if key == "tensors":
            rows = (f"  {dumped(n)}: {dumped(about)}" for n, about in value.items())
            lines.append(f' "{key}": {{\n' + ",\n".join(rows) + "\n }")
        else:
            lines.append(f' "{key}": {dumped(value)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def dumped(value: Any) -> str:
    """Return a value as JSON in one line."""
    return json.dumps(value, ensure_ascii=False)


# --- reading --------------------------------------------------------------------------


def read_trace(folder: str | os.PathLike) -> Trace:
    """Read a trace that `trace` wrote, without a fault; raise InputError for another.
    """
    path = Path(folder)
    if not (path / MANIFEST).exists():
        raise InputError(f"{folder}: not a trace; expected a folder with {MANIFEST}")
    manifest = read_json(path / MANIFEST, InputError)
    check_manifest(path / MANIFEST, manifest)
    if fault := manifest.get("fault"):
        raise InputError(f"{folder}: made with the fault {shown(fault)}: no reference")
    found, arrays = stored_arrays(path), {}
    for name in manifest["tensors"]:
        if name not in found:
            raise InputError(f"{folder}: holds no {name}, of which {MANIFEST} tells")
        arrays[name] = found[name].array
    return Trace(path, arrays, manifest)


def check_alike(path: str | os.PathLike, reference: Trace) -> None:
    """Raise InputError if a port's arrays are a trace, but of another model."""
    if not (Path(path) / MANIFEST).exists():
        return
    manifest = read_json(Path(path) / MANIFEST, InputError)
    if manifest.get("format") == FORMAT and not has_same_weights(manifest, reference):
        raise InputError(
            f"{path}: is of other weights, those of {shown(manifest.get('model'))}; "
            f"{reference.folder} is of {shown(reference.manifest.get('model'))}"
        )


def has_same_weights(manifest: Tree, reference: Trace) -> bool:
    """Whether a trace was made with the weights of another."""
    return manifest.get("weights_sha256") == reference.manifest.get("weights_sha256")


def check_manifest(path: Path, manifest: Tree) -> None:
    """Raise InputError unless a manifest is one of a trace, with what is read of it."""
    if manifest.get("format") != FORMAT:
        found = shown(manifest.get("format"))
        raise InputError(f"{path}: format: expected {FORMAT!r}, found {found}")
    try:
        check_head(manifest.get("head"))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    tensors = manifest.get("tensors")
    is_whole = isinstance(tensors, dict) and "inputs.attention_mask" in tensors
    if not (is_whole and all(isinstance(told, dict) for told in tensors.values())):
        raise InputError(f"{path}: tensors: expected what is told of each array")
    if not isinstance(manifest.get("settings", {}), dict):
        raise InputError(f"{path}: settings: expected an object")


def read_arrays(path: str | os.PathLike) -> dict[str, Shown]:
    """Return a port's arrays by name, with the precision that they were computed in.

    Raises InputError, or CheckpointError, naming the file, where it cannot be read.
    """
    return as_computed(stored_arrays(path))


def stored_arrays(path: str | os.PathLike) -> dict[str, Shown]:
    """Return the arrays of a file, or of a folder, by name, as they are stored.

    Raises InputError, or CheckpointError, naming the file, where it cannot be read.
    """
    path = Path(path)
    if path.is_dir() and (path / ARRAYS).exists():
        path = path / ARRAYS
    files = sorted(path.glob("*.npy")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: holds neither {ARRAYS} nor any .npy file")
    found: dict[str, Shown] = {}
    for file in files:
        is_numpy = file.suffix in (".npy", ".npz")
        found |= read_npy(file) if is_numpy else read_safetensors(file)
    return found


def read_safetensors(path: Path) -> dict[str, Shown]:
    """Return the arrays of a safetensors file; bfloat16 comes as float32."""
    found = {}
    for name, stored in map_file(path).items():
        if stored.code not in DTYPES:
            known = ", ".join(DTYPES)
            raise InputError(
                f"{path}: {name} is stored as {stored.code}, expected one of {known}"
            )
        if stored.code == "BF16":
            array = convert(stored, np.dtype(np.float32))
            found[name] = Shown(array, BFLOAT16)
        else:
            found[name] = as_shown(path, stored.array)
    return found


def read_npy(path: Path) -> dict[str, Shown]:
    """Return the arrays of a .npz file, or the one of a .npy file by the file's name.

    No pickles are read, which could run code.
    """
    with opened(path, InputError, mode="rb") as file:
        try:
            found = np.load(file, allow_pickle=False)
            arrays = {path.stem: found} if isinstance(found, np.ndarray) else {**found}
        except (ValueError, EOFError, BadZipFile, ZipError) as error:
            raise InputError(f"{path}: not a file of arrays ({error})") from None
    return {name: as_shown(path, array) for name, array in arrays.items()}


def as_shown(path: Path, array: Array) -> Shown:
    """Return an array with the precision of its numbers."""
    if array.dtype.kind in "biu":
        return Shown(array, precision(array))
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind != "f" or array.dtype not in WEIGHT_DTYPES.values():
        raise InputError(f"{path}: expected numbers, found an array of {array.dtype}")
    return Shown(array, precision(array))


def as_computed(found: Mapping[str, Shown]) -> dict[str, Shown]:
    """Return a port's arrays with the precision of their numbers, not of their type.

    Lists are saved as float64, and bfloat16, which NumPy has not, as float32: where all
    arrays of a type hold the numbers of a shorter one, they were computed in that.
    """
    shorter = {}
    for eps in {one.eps for one in found.values()}:
        arrays = [one.array for one in found.values() if one.eps == eps]
        shorter[eps] = shortest(arrays, eps) if eps else eps
    return {name: Shown(one.array, shorter[one.eps]) for name, one in found.items()}


def shortest(arrays: list[Array], eps: float) -> float:
    """Return the largest epsilon of a type that holds all numbers of some arrays.

    A few numbers may be 16 bits long by chance.
    """
    for short, holds in HELD_BY.items():
        if short > eps and all(map(holds, arrays)):
            n_numbers = sum(np.unique(array).size for array in arrays)
            if short <= FLOAT32 or n_numbers >= FEW_NUMBERS:
                return short
    return eps


def is_held_by(dtype: type) -> Callable[[Array], bool]:
    """Return the test whether this type holds all of an array's numbers unrounded."""

    def test(array: Array) -> bool:
        with np.errstate(all="ignore"):
            return np.array_equal(array, array.astype(dtype), equal_nan=True)

    return test


def is_bfloat16(array: Array) -> bool:
    """Whether all numbers of an array are bfloat16's: the upper half of float32's."""
    if not is_held_by(np.float32)(array):
        return False
    bits = array.astype(np.float32).view(np.uint32)
    return not (bits & 0xFFFF).any()


HELD_BY = {                                      # by epsilon, the shortest first
    BFLOAT16: is_bfloat16,
    float(np.finfo(np.float16).eps): is_held_by(np.float16),
    FLOAT32: is_held_by(np.float32),
}


def model_of(trace: Trace, name: str | None = None) -> str:
    """Return what from_pretrained takes to load a trace's model; check its weights.

    It is what the trace names, a folder from there or a name, unless `name` is given.
    Raises InputError if the weights are not those that the trace was made with.
    """
    source = trace.manifest.get("model")
    if name is None:
        if not isinstance(source, str):
            raise InputError(f"{trace.folder / MANIFEST}: model: expected a name")
        beside = trace.folder / source
        name = str(beside) if beside.is_dir() else source
    folder = find_model(
        name, CONFIG_FILES, WEIGHT_FILES, head=trace.manifest.get("head")
    )
    expected, found = trace.manifest.get("weights_sha256"), digest(folder)
    if found != expected:
        raise InputError(
            f"{folder}: its weights have SHA-256 {found[:12]}…, expected "
            f"{str(expected)[:12]}…, with which {trace.folder} was made"
        )
    return name


# --- other names ----------------------------------------------------------------------


PLACEHOLDERS = {"{i}": r"(\d+)", "{name}": "(.+)"}


def read_map(path: str | os.PathLike) -> dict[str, str]:
    """Return a map file: a JSON object of their names and ours."""
    names = read_json(Path(path), InputError)
    for theirs, ours in names.items():
        if not isinstance(ours, str) or placeholders(theirs) != placeholders(ours):
            raise InputError(
                f"{path}: {theirs}: expected our name for it, with {{i}} or {{name}} "
                f"in both or neither, found {shown(ours)}"
            )
    return names


def placeholders(pattern: str) -> list[str]:
    """Return the placeholders in a name."""
    return re.findall("|".join(map(re.escape, PLACEHOLDERS)), pattern)


def renamed(
    shown_arrays: Mapping[str, Shown], names: Mapping[str, str]
) -> dict[str, Shown]:
    """Return the arrays by our names.

    In a map `{i}` stands for a number, such as a layer's, `{name}` for anything; of two
    entries that fit, the first counts. Names that the map does not tell stay. Raises
    InputError if two become one.
    """
    found: dict[str, Shown] = {}
    origin: dict[str, str] = {}
    for theirs, array in shown_arrays.items():
        ours = our_name(theirs, names)
        if ours in found:
            raise InputError(f"--map: both {origin[ours]} and {theirs} would be {ours}")
        found[ours], origin[ours] = array, theirs
    return found


def our_name(theirs: str, names: Mapping[str, str]) -> str:
    """Return what the map makes of a name."""
    for pattern, ours in names.items():
        regex = re.escape(pattern)
        for placeholder, what in PLACEHOLDERS.items():
            regex = regex.replace(re.escape(placeholder), what)
        if match := re.fullmatch(regex, theirs):
            for placeholder, found in zip(
                placeholders(pattern), match.groups(), strict=True
            ):
                ours = ours.replace(placeholder, found, 1)
            return ours
    return theirs
