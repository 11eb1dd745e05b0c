"""A checkpoint file ⇄ a tree of parameters.

Parameters are nested dicts, named as in the checkpoint: the tensor
`transformer.layer.0.attention.q_lin.weight` is found at
`params["transformer"]["layer"]["0"]["attention"]["q_lin"]["weight"]`.
"""

import json
import math
import mmap
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import bert
from .config import DistilBertConfig
from .embeddings import sinusoidal_table
from .errors import CheckpointError
from .files import opened, read_json
from .functions import Array
from .hub import ONLY_A_PICKLE, PICKLE
from .trees import Tree, unflatten

Shapes = dict[str, tuple[int, ...]]

# --- the table of parameters ----------------------------------------------------------

ENCODER = {
    "embeddings.word_embeddings.weight": "V D",
    "embeddings.position_embeddings.weight": "P D",
    "embeddings.LayerNorm.weight": "D",
    "embeddings.LayerNorm.bias": "D",
}
BLOCK = {
    "attention.q_lin.weight": "D D", "attention.q_lin.bias": "D",
    "attention.k_lin.weight": "D D", "attention.k_lin.bias": "D",
    "attention.v_lin.weight": "D D", "attention.v_lin.bias": "D",
    "attention.out_lin.weight": "D D", "attention.out_lin.bias": "D",
    "sa_layer_norm.weight": "D", "sa_layer_norm.bias": "D",
    "ffn.lin1.weight": "F D", "ffn.lin1.bias": "F",
    "ffn.lin2.weight": "D F", "ffn.lin2.bias": "D",
    "output_layer_norm.weight": "D", "output_layer_norm.bias": "D",
}
HEADS = {
    "base": {},
    "masked_lm": {
        "vocab_transform.weight": "D D", "vocab_transform.bias": "D",
        "vocab_layer_norm.weight": "D", "vocab_layer_norm.bias": "D",
        "vocab_projector.weight": "V D", "vocab_projector.bias": "V",
    },
    "sequence": {
        "pre_classifier.weight": "D D", "pre_classifier.bias": "D",
        "classifier.weight": "C D", "classifier.bias": "C",
    },
    "token": {"classifier.weight": "C D", "classifier.bias": "C"},
    "question_answering": {"qa_outputs.weight": "2 D", "qa_outputs.bias": "2"},
    "multiple_choice": {
        "pre_classifier.weight": "D D", "pre_classifier.bias": "D",
        "classifier.weight": "1 D", "classifier.bias": "1",
    },
}
HEAD_MODULES = {name.partition(".")[0] for head in HEADS.values() for name in head}
DECODER = "vocab_projector.weight"               # tied: the word embeddings themselves
WORDS = "embeddings.word_embeddings.weight"
POSITIONS = "embeddings.position_embeddings.weight"

# What may stand in a file beside the parameters, and is left out and reported: other
# heads (with BERT's), and a buffer that old versions stored.
SPARE = HEAD_MODULES | {"pooler", "cls"}
SPARE_BUFFER = "embeddings.position_ids"


def parameter_table(config: DistilBertConfig, head: str) -> dict[str, str]:
    """Return the shape, in letters, of each parameter, by its name without prefix.

    The masked-LM decoder is listed only where it is a parameter of its own, not tied.
    """
    block = {
        f"transformer.layer.{i}.{name}": letters
        for i in range(config.n_layers)
        for name, letters in BLOCK.items()
    }
    table = ENCODER | block | HEADS[head]
    if config.tie_word_embeddings:
        table.pop(DECODER, None)
    return table


def parameter_shapes(config: DistilBertConfig, head: str) -> Shapes:
    """Return the shape of each parameter of `parameter_table` in numbers."""
    size, table = config.dimensions(), parameter_table(config, head)
    return {name: in_numbers(letters, size) for name, letters in table.items()}


def in_numbers(letters: str, size: dict[str, int]) -> tuple[int, ...]:
    """Return a shape, given in letters, in numbers: "V D" -> (30522, 768).

    Letters that stand together, as in "BL D", are multiplied.
    """
    return tuple(
        math.prod(size[s] if s in size else int(s) for s in factors)
        for factors in letters.split()
    )


# --- a new model ----------------------------------------------------------------------


def initialise(
    name: str,
    shape: tuple[int, ...],
    config: DistilBertConfig,
    rng: "np.random.Generator",
) -> Array:
    """Return first values for one parameter (float32), as transformers draws them.

    Weights are normal with deviation `initializer_range`, biases 0, LayerNorm gains 1,
    the padding token's row 0.
    """
    if name.endswith(".bias"):
        return np.zeros(shape, np.float32)
    if name.endswith(("LayerNorm.weight", "layer_norm.weight")):
        return np.ones(shape, np.float32)
    if name == POSITIONS and config.sinusoidal_pos_embds:
        return sinusoidal_table(*shape).astype(np.float32)
    weight = rng.standard_normal(shape, np.float32)
    weight *= config.initializer_range
    if name == WORDS and config.pad_token_id is not None:
        weight[config.pad_token_id] = 0
    return weight


def new_params(config: DistilBertConfig, head: str, seed: int, dtype: np.dtype) -> Tree:
    """Return the parameters of a model nobody has trained, from a seed."""
    rng = np.random.default_rng(seed)
    shapes = parameter_shapes(config, head)
    tensors = {
        name: initialise(name, shape, config, rng).astype(dtype, copy=False)
        for name, shape in shapes.items()
    }
    return as_params(tensors, head)


def as_params(tensors: dict[str, Array], head: str) -> Tree:
    """Return the tree of a model: heads keep their encoder under `distilbert`."""
    tree = unflatten(tensors)
    tree.setdefault("transformer", {"layer": {}})            # a stack of no blocks
    encoder = {part: tree.pop(part) for part in ("embeddings", "transformer")}
    return encoder if head == "base" else {"distilbert": encoder} | tree


# --- reading files --------------------------------------------------------------------

# The types that weights are stored in, by the format's codes. NumPy has no bfloat16.
WEIGHT_DTYPES = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16,
}
DTYPES = WEIGHT_DTYPES | {
    "I64": np.int64, "I32": np.int32, "U8": np.uint8, "BOOL": np.bool_,
}


class Stored(NamedTuple):
    """A tensor as its file holds it: the format's dtype code, and the mapped bytes."""

    code: str
    array: Array


def find_weights(folder: Path) -> Path:
    """Return a checkpoint's file of weights, or the index of its shards."""
    for name in ("model.safetensors", "model.safetensors.index.json"):
        if os.path.lexists(folder / name):       # be it a link that leads nowhere
            return folder / name
    if (folder / PICKLE).exists():
        raise CheckpointError(f"{folder}: {ONLY_A_PICKLE}")
    raise CheckpointError(f"{folder}: there is no model.safetensors here")


def map_file(path: Path) -> dict[str, Stored]:
    """Return the tensors of a safetensors file, mapped into memory and not copied.

    The pages are private: writing to an array changes neither the file nor another
    reader. Raises CheckpointError where the safetensors library refuses the file.
    """
    from safetensors import SafetensorError, safe_open

    with opened(path, CheckpointError, mode="rb") as file:
        try:
            with safe_open(path, framework="np"):        # checks the whole header
                pass
        except SafetensorError as error:
            raise CheckpointError(f"{path}: not a safetensors file ({error})") from None
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    start = 8 + int.from_bytes(mapping[:8], "little")
    header = json.loads(mapping[8:start])
    header.pop("__metadata__", None)
    try:
        return {
            name: Stored(entry["dtype"], view(mapping, start, entry))
            for name, entry in header.items()
        }
    except ValueError as error:                  # of a shape that NumPy cannot hold
        raise CheckpointError(f"{path}: {error}") from None


def view(mapping: mmap.mmap, start: int, entry: Tree) -> Array:
    """Return a tensor of a mapped file; where its type is unusual, its bytes."""
    first, end = entry["data_offsets"]
    if entry["dtype"] in DTYPES:
        shape, dtype = entry["shape"], DTYPES[entry["dtype"]]
    else:
        shape, dtype = (end - first,), np.uint8
    return np.ndarray(shape, dtype, mapping, start + first)


def map_shards(index: Path) -> dict[str, Stored]:
    """Return the tensors of all the shards that an index file names."""
    shard_of = read_json(index, CheckpointError).get("weight_map")
    shards = shard_of.values() if isinstance(shard_of, dict) else [None]
    if not all(isinstance(shard, str) for shard in shards):
        raise CheckpointError(f"{index}: weight_map: expected an object of file names")
    tensors: dict[str, Stored] = {}
    for shard in dict.fromkeys(shards):
        # A path is not followed; a link is, for the Hub's cache is made of them.
        if Path(shard).name != shard:
            raise CheckpointError(f"{index}: a shard outside the folder: {shard!r}")
        more = map_file(index.parent / shard)
        if twice := sorted(tensors.keys() & more.keys()):
            raise CheckpointError(f"{index}: two shards hold {listing(twice)}")
        tensors |= more
    if absent := sorted(set(shard_of) - set(tensors)):
        raise CheckpointError(f"{index}: no shard holds {listing(absent)}")
    return tensors


def convert(stored: Stored, dtype: np.dtype) -> Array:
    """Return a stored weight in `dtype`: the mapped array itself, if it is that."""
    array = stored.array
    if stored.code == "BF16":                    # the upper half of a float32
        array = (array.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):   # refused by name later
        return array.astype(dtype, copy=False)


def is_finite(array: Array) -> bool:
    """Whether an array holds neither NaN nor infinity: then its sum is neither."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = array.sum()                      # half the time of looking at each
    return bool(np.isfinite(total) or np.isfinite(array).all())


def listing(names: list[str], most: int = 5) -> str:
    """Return names in one line, the first few of many."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


# --- from stored names to parameters --------------------------------------------------


@dataclass(repr=False)
class LoadReport:
    """What became of each tensor of a checkpoint and each parameter of the model."""

    source: str
    used: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    tied: dict[str, str] = field(default_factory=dict)
    computed: dict[str, str] = field(default_factory=dict)
    dtypes: dict[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        stored = ", ".join(f"{count} {code}" for code, count in self.dtypes.items())
        lines = [
            f"loaded from {self.source}",
            f"  used        {len(self.used)} tensors (stored as {stored})",
        ]
        for label, names in (
            ("tied", [f"{name} = {source}" for name, source in self.tied.items()]),
            ("computed", [f"{name}: {how}" for name, how in self.computed.items()]),
            ("missing", [f"{name}: newly initialised" for name in self.missing]),
            ("unexpected", [f"{name}: left out" for name in self.unexpected]),
        ):
            for name in names:
                lines.append(f"  {label:<11} {name}")
                label = ""
        return "\n".join(lines)


def module_of(name: str) -> str:
    """Return the module that a dotted name begins with."""
    return name.partition(".")[0]


def plain_names(names: list[str], source: Path) -> dict[str, str]:
    """Return, for each stored name, ours: no prefix, no gamma or beta, BERT renamed."""
    if bert.is_bert(names):
        plain = bert.plain_bert_names(names)
    else:
        plain = {name: name.removeprefix("distilbert.") for name in names}
    plain = {stored_name: modern_name(name) for stored_name, name in plain.items()}
    if twice := [name for name, n in Counter(plain.values()).items() if n > 1]:
        raise CheckpointError(f"{source}: holds two tensors each for {listing(twice)}")
    return plain


def modern_name(name: str) -> str:
    """Return a tensor's name with LayerNorm's old gamma and beta as weight and bias."""
    path, dot, leaf = name.rpartition(".")
    return path + dot + {"gamma": "weight", "beta": "bias"}.get(leaf, leaf)


def is_tied(stored: dict[str, Stored], config: DistilBertConfig) -> bool:
    """Whether the masked-LM decoder is the table of word embeddings.

    A file may leave a tied decoder out, or repeat the table. Where it holds another
    matrix, that matrix is meant, whatever the configuration says.
    """
    if not config.tie_word_embeddings or DECODER not in stored or WORDS not in stored:
        return config.tie_word_embeddings
    return np.array_equal(stored[DECODER].array, stored[WORDS].array)


def report_on(
    source: Path, shapes: Shapes, stored: dict[str, Stored], config: DistilBertConfig
) -> LoadReport:
    """Settle what becomes of each tensor that is stored and each that is needed."""
    report = LoadReport(
        str(source),
        used=[name for name in shapes if name in stored],
        missing=[name for name in shapes if name not in stored],
        unexpected=[name for name in stored if name not in shapes],
    )
    report.dtypes = dict(Counter(stored[name].code for name in report.used))
    if bert.TOKEN_TYPES in stored:
        report.unexpected.remove(bert.TOKEN_TYPES)
        report.computed[POSITIONS] = "token type 0 added to every row"
    if config.sinusoidal_pos_embds and POSITIONS in report.missing:
        report.missing.remove(POSITIONS)
        report.computed[POSITIONS] = "sines and cosines"
    return report


def complaints(
    report: LoadReport, shapes: Shapes, stored: dict[str, Stored]
) -> list[str]:
    """Return what is wrong with a checkpoint for these parameters: ideally nothing."""
    found = []
    if missing := [
        name for name in report.missing if module_of(name) not in HEAD_MODULES
    ]:
        found.append(f"missing {listing(missing)}")
    if unexpected := [
        name for name in report.unexpected
        if module_of(name) not in SPARE and name != SPARE_BUFFER
    ]:
        found.append(f"unexpected {listing(unexpected)}")
    if types := stored.get(bert.TOKEN_TYPES):                # of 1, 2 or more rows
        rows = max((1, *types.array.shape[:1]))
        shapes = shapes | {bert.TOKEN_TYPES: (rows, *shapes[POSITIONS][1:])}
    for name in [name for name in shapes if name in stored]:
        code, array = stored[name]
        if code not in WEIGHT_DTYPES:
            codes = ", ".join(WEIGHT_DTYPES)
            found.append(f"{name} is stored as {code}, expected one of {codes}")
        elif array.shape != shapes[name]:
            found.append(f"{name} has shape {array.shape}, expected {shapes[name]}")
    return found


def map_weights(source: Path) -> dict[str, Stored]:
    """Return the tensors of a checkpoint by the names they have here, mapped only."""
    mapped = map_shards(source) if source.suffix == ".json" else map_file(source)
    plain = plain_names(list(mapped), source)
    return {plain[name]: tensor for name, tensor in mapped.items()}


def match(
    source: Path, stored: dict[str, Stored], config: DistilBertConfig, head: str
) -> tuple[LoadReport, list[str]]:
    """Return what becomes of each tensor of a checkpoint, and what is wrong with it.

    `config` learns whether the masked-LM decoder is tied; if so, it leaves `stored`.
    """
    tied = {}
    if head == "masked_lm":
        config.tie_word_embeddings = is_tied(stored, config)
        if config.tie_word_embeddings:
            stored.pop(DECODER, None)
            tied = {DECODER: WORDS}
    shapes = parameter_shapes(config, head)
    report = report_on(source, shapes, stored, config)
    report.tied = tied
    return report, complaints(report, shapes, stored)


def load_params(
    folder: Path, config: DistilBertConfig, head: str, seed: int, dtype: np.dtype
) -> tuple[Tree, LoadReport]:
    """Read a checkpoint folder into the parameters of a model with this head.

    Parameters of the head that the file lacks are drawn from `seed`. Raises
    CheckpointError, listing the names, if the encoder is not whole or does not fit.
    """
    source = find_weights(folder)
    stored = map_weights(source)
    report, found = match(source, stored, config, head)
    if found:
        raise CheckpointError(f"{source}: {'; '.join(found[:4])}")

    shapes = parameter_shapes(config, head)
    rng = np.random.default_rng(seed)
    tensors = {
        name: convert(stored[name], dtype) if name in stored
        else initialise(name, shape, config, rng).astype(dtype, copy=False)
        for name, shape in shapes.items()
    }
    if bert.TOKEN_TYPES in stored:
        token_types = convert(stored[bert.TOKEN_TYPES], dtype)
        with np.errstate(over="ignore", invalid="ignore"):       # likewise
            tensors[POSITIONS] = bert.fold_token_types(tensors[POSITIONS], token_types)
    if broken := [name for name, array in tensors.items() if not is_finite(array)]:
        raise CheckpointError(f"{source}: NaN or infinity in {listing(broken)}")
    return as_params(tensors, head), report


def save_tensors(tensors: dict[str, Array], path: Path) -> None:
    """Write a safetensors file, every array bit for bit."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    # The library writes an array's memory as it lies: a transposed one comes out
    # scrambled unless it is laid straight first.
    straight = {name: np.asarray(a, order="C") for name, a in tensors.items()}
    try:
        save_file(straight, path, metadata={"format": "pt"})  # transformers' own format
    except SafetensorError as error:             # the disk is full, say
        raise OSError(str(error)) from None
