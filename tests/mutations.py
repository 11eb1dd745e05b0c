"""Good checkpoint folders, broken at random from a seed, and the judge of what is said.

`mutated(seed)` takes the files of a small checkpoint (whole, in shards, or a BERT's),
breaks one of them in one to three places, and remembers which. `judge` loads them and
runs what was loaded. It gives back what came of it, or raises Offence: what cannot be
used must be refused by an error of this package, in a line that names the folder.
"""

import json
import math
import random
import struct
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import ours
import safetensors
from cases import SMALL
from test_checkpoints import (
    BERT_CONFIG,
    TOKEN_TYPES,
    as_bfloat16,
    in_bert,
    tensors_of,
)
from test_checkpoints import safetensors as safetensors_bytes

from distilbert_np import DistilBertConfig, DistilBertError, DistilBertTokenizer
from distilbert_np.trees import flatten
from distilbert_np.weights import map_file, parameter_shapes

WORDS = "hello my dog is cute cat un ##able a ##a b ##b ' , ! ? . the 中 é"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS.split()]
TEXTS = ["Hello, my dog is cute!", "unable [MASK] aab 中 café"]
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
LAYOUTS = ["whole", "whole", "shards", "bert", "no head", "types"]
SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]


class Offence(AssertionError):
    """What must not happen, whatever the files hold."""


class Mutated(NamedTuple):
    """The files of a broken checkpoint, and what was broken."""

    kind: str
    head: str
    files: dict[str, bytes]


# --- good folders ---------------------------------------------------------------------


@cache
def good_files(layout: str, head: str) -> dict[str, bytes]:
    """Return the files of a checkpoint that loads, in one of LAYOUTS."""
    config, tensors = SMALL | {"initializer_range": 0.02}, tensors_of(head)
    if layout == "no head":
        tensors = tensors_of("base")
    if layout == "types":
        tensors = in_all_types(tensors)
    if layout == "bert":
        config, tensors = as_bert(config, tensors)
    files = tokenizer_files() | {"config.json": json.dumps(config).encode()}
    if layout != "shards":
        return files | {WEIGHTS: file_of(tensors)}
    parts = [dict(list(tensors.items())[i::2]) for i in range(2)]
    weight_map = {
        name: shard for shard, part in zip(SHARDS, parts, strict=True) for name in part
    }
    index = json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map})
    shards = zip(SHARDS, map(file_of, parts), strict=True)
    return files | {INDEX: index.encode()} | dict(shards)


@cache
def tokenizer_files() -> dict[str, bytes]:
    """Return the three files of a tokenizer, as this package writes them."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "vocab.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
        DistilBertTokenizer.from_pretrained(folder).save_pretrained(folder)
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def file_of(tensors: dict[str, np.ndarray]) -> bytes:
    """Return the bytes of a safetensors file."""
    text, data = split_file(safetensors_bytes(tensors))
    return with_header('{"__metadata__": {"format": "pt"}, ' + text[1:], data)


def with_header(text: str, data: bytes) -> bytes:
    encoded = text.encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(encoded)) + encoded + data


def in_all_types(tensors: dict) -> dict:
    """Return tensors stored in the four types that weights may have, by turns."""
    types = [np.float32, np.float64, np.float16, None]
    return {
        name: array.astype(kind) if (kind := types[i % 4]) else as_bfloat16(array)
        for i, (name, array) in enumerate(tensors.items())
    }


def as_bert(config: dict, tensors: dict) -> tuple[dict, dict]:
    """Return a configuration and tensors as a BERT's."""
    renamed = {in_bert(name, "bert."): array for name, array in tensors.items()}
    renamed["bert." + TOKEN_TYPES] = np.ones((2, 12), np.float32)
    return config | BERT_CONFIG, renamed


# --- JSON that may be wrong -----------------------------------------------------------


class Pairs(list):
    """A JSON object as its pairs: a key may come twice."""


class Raw(str):
    """A JSON value as its text, right or wrong."""


def loads(text: str | bytes) -> Any:
    """Return JSON with its objects as Pairs."""
    return json.loads(text, object_pairs_hook=Pairs)


def dumps(value: Any) -> str:
    """Return the text of such JSON."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, (Pairs, dict)):
        items = value.items() if isinstance(value, dict) else value
        pairs = (f"{dumps(name)}: {dumps(item)}" for name, item in items)
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(dumps, value)) + "]"
    return json.dumps(value)


def nested(depth: int) -> list[str]:
    return ["[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth]


NUMBERS = [
    "0", "1", "-1", "2", "3", "12", "13", "1.0", "0.5", "-0", "-0.0", "1e3", "1e400",
    "-1e400", "1e-400", "NaN", "Infinity", "-Infinity", "255", "65536", "2147483648",
    "4294967295", "4294967296", "1000000", "100000000", "1000000000000", "9" * 18,
    "9223372036854775807", "9223372036854775808", "18446744073709551615",
    "18446744073709551616", "9" * 30, "9" * 4300, "9" * 5000,
]
STRINGS = [
    "", "a", "0", "12", "gelu", "relu", "bert", "distilbert", "regression", "true",
    "../a", "../../etc/passwd", "/etc/passwd", "/dev/zero", ".", "..", "a/b", "a\0b",
    "a\nb", "\x1b[2J\r", "\u2028", "\ud800", "é" * 300, "x" * 20000, "config.json",
    "vocab.txt", *SHARDS, "[CLS]", "[PAD]", "[UNK]", "F16", "BF16", "F64", "I64",
]
VALUES = [
    *NUMBERS, *map(json.dumps, STRINGS), "null", "true", "false", "[]", "{}", "[1, 2]",
    '[[0, "a"], null]', '{"a": 1}', '{"0": "a", "1": "b"}', '{"0": "a", "2": "b"}',
    '{"a": 0, "b": 1}', '{"a": 0, "a": 1}', "tru", "{", "'a'", "01", "+1", "1,", "[1,]",
    *nested(50), *nested(150), *nested(400), *nested(700), *nested(5000), "[" * 100000,
]


def random_value(rng: random.Random) -> Raw:
    """Return some JSON value; now and then it is none."""
    return Raw(rng.choice(VALUES))


def places(value: Any) -> list[tuple[Any, int]]:
    """Return every place in a JSON value: a container, and the number of an item."""
    if not isinstance(value, list):
        return []
    found = [(value, i) for i in range(len(value))]
    for item in value:
        found += places(item[1] if isinstance(value, Pairs) else item)
    return found


def mutate_json(rng: random.Random, content: Any) -> Any:
    """Return such JSON with one item replaced, dropped, doubled, added or renamed."""
    found = places(content)
    if not found or rng.random() < 0.02:
        return random_value(rng)
    # Containers first, so that few large ones do not get all of it.
    container = rng.choice([*{id(c): c for c, _ in found}.values()])
    i = rng.randrange(len(container))
    is_object, do = isinstance(container, Pairs), rng.choice("rrrrddaknk")
    if do == "d":
        del container[i]
    elif do == "n":
        container.insert(rng.randrange(len(container) + 1), container[i])
    elif is_object:
        name, value = container[i]
        if do == "r":
            container[i] = (name, random_value(rng))
        elif do == "a":
            container.append((rng.choice([name, *STRINGS]), random_value(rng)))
        else:
            other = rng.choice(container)[0]
            container[i] = (rng.choice([other, *STRINGS]), value)
    else:
        container[i] = random_value(rng)
    return content


def json_mutation(rng: random.Random, content: bytes) -> bytes:
    """Return the bytes of a JSON file with one item that is wrong."""
    return dumps(mutate_json(rng, loads(content))).encode("utf-8", "surrogatepass")


# --- bytes that are wrong -------------------------------------------------------------

INSERTED = [
    b"\0", b"\n", b"\r\n", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc3", b'"',
    b"{", b"}", b"[", b"]", b",", b":", b"-", b"0", b"9" * 20, b"\\", b"\\u0000", b" ",
    b"\x1b[2J", bytes(64), b"\xff" * 64,
]


def two_ranges(rng: random.Random, size: int) -> list[int]:
    """Return the four ends of two ranges, most of them short."""
    if rng.random() < 0.5:
        start = rng.randrange(size + 1)
        ends = [start, *(start + rng.randrange(20) for _ in range(3))]
    else:
        ends = [rng.randrange(size + 1) for _ in range(4)]
    return sorted(min(end, size) for end in ends)


def byte_mutation(rng: random.Random, content: bytes) -> bytes:
    """Return bytes flipped, cut off, put in, taken out, doubled or swapped."""
    a, b, c, d = two_ranges(rng, len(content))
    x = content
    kind = rng.randrange(9)
    if kind == 0:
        return x[:a]
    if kind == 1:
        return x[:a] + rng.choice(INSERTED) + x[a:]
    if kind == 2:
        return x[:a] + rng.randbytes(b - a) + x[b:]
    if kind == 3:
        return x[:a] + x[b:]
    if kind == 4:
        return x[:b] + x[a:b] + x[b:]
    if kind == 5:
        return x[:a] + x[c:d] + x[b:c] + x[a:b] + x[d:]
    if kind == 6:
        return x[:a] + bytes(b - a) + x[b:]
    if kind == 7:
        return rng.choice(INSERTED) + x
    flipped = bytearray(x or b"a")
    for _ in range(rng.randrange(1, 4)):
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


# --- the files of weights -------------------------------------------------------------


def split_file(content: bytes) -> tuple[str, bytes]:
    """Return header and data of a safetensors file, if it has them."""
    size = 8 + int.from_bytes(content[:8], "little")
    if len(content) < 8 or size > len(content):
        raise ValueError("broken before")
    return content[8:size].decode(), content[size:]


def length_mutation(rng: random.Random, content: bytes) -> bytes:
    """Return a file whose header is said to have another length."""
    size = int.from_bytes(content[:8], "little")
    lengths = [0, 1, 2, size - 1, size + 1, size + 8, len(content) - 8, len(content),
               100_000_000, 100_000_001, 1 << 32, 1 << 62, (1 << 63) - 1, 1 << 63,
               (1 << 64) - 9, (1 << 64) - 1, rng.getrandbits(64)]
    return struct.pack("<Q", rng.choice(lengths) % (1 << 64)) + content[8:]


CODES = [
    "F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "F6_E2M3",
    "C64", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL", "F31", "f32",
    "",
]
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I16": 2, "I8": 1, "U8": 1,
         "F8_E4M3": 1, "BOOL": 1, "I32": 4, "U32": 4, "C64": 8}


def header_mutation(rng: random.Random, content: bytes) -> bytes:
    """Return a file whose header says something else, in its right length."""
    text, data = split_file(content)
    header = loads(text)
    entry = rng.choice([entry for name, entry in header if name != "__metadata__"])
    rng.choice([
        lambda: mutate_json(rng, header),
        lambda: replace_number(rng, entry),
        lambda: replace_number(rng, entry),
        lambda: replace(entry, "dtype", rng.choice(CODES)),
        lambda: other_type(rng, entry),
        lambda: other_type(rng, entry),
        lambda: rename(rng, header),
        lambda: swap_names(rng, header),
        lambda: rng.shuffle(header),
        lambda: add_empty(rng, header, len(data)),
        lambda: header.append(("__metadata__", {"a": " " * rng.randrange(9)})),
    ])()
    return with_header(dumps(header), data)


def replace(entry: Pairs, name: str, value: Any) -> None:
    entry[:] = [(n, value if n == name else v) for n, v in entry]


def replace_number(rng: random.Random, entry: Pairs) -> None:
    """Replace an offset, or a length of a shape."""
    numbers = dict(entry)[rng.choice(["data_offsets", "shape"])]
    i = rng.randrange(len(numbers))
    near = [numbers[i] + n for n in (-4, -1, 1, 4)]
    numbers[i] = rng.choice([*near, *map(Raw, NUMBERS)])


def other_type(rng: random.Random, entry: Pairs) -> None:
    """Call the same bytes numbers of another type, and let the shape fit them."""
    code, fields = rng.choice([*SIZES]), dict(entry)
    begin, end = fields["data_offsets"]
    n, shape = (end - begin) // SIZES[code], list(fields["shape"])
    replace(entry, "dtype", code)
    if rng.random() < 0.8:
        last = n * shape[-1] // max(math.prod(shape), 1)
        replace(entry, "shape", [*shape[:-1], last])


def add_empty(rng: random.Random, header: Pairs, end: int) -> None:
    """Add a tensor of no bytes; its shape may be any that holds a 0."""
    shape = [0, *rng.choices([0, 1, 12, 10**9, 1 << 62, (1 << 64) - 1], k=3)]
    entry = {"dtype": "F32", "shape": shape, "data_offsets": [end, end]}
    if rng.random() < 0.3:
        entry["shape"] = [1] * 70 + [0]
    header.append((rng.choice(["pooler.a", "a"]), Pairs(entry.items())))


def rename(rng: random.Random, header: Pairs) -> None:
    i = rng.randrange(len(header))
    name, entry = header[i]
    path, _, leaf = name.rpartition(".")
    header[i] = (rng.choice([
        f"distilbert.{name}", f"bert.{name}", name.removeprefix("bert."), leaf, path,
        f"{path}.gamma", f"{path}.beta", f"classifier.{leaf}", f"pooler.{name}",
        f"{path}.", f".{name}", f"cls.{name}", f"{name}\n", name.replace("0", "1"),
        "embeddings.position_ids", *STRINGS,
    ]), entry)


def swap_names(rng: random.Random, header: Pairs) -> None:
    i, j = rng.randrange(len(header)), rng.randrange(len(header))
    (a, x), (b, y) = header[i], header[j]
    header[i], header[j] = (a, y), (b, x)


WORST = [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, -0.0, 1e20]


def data_mutation(rng: random.Random, content: bytes) -> bytes:
    """Return a file with other numbers in it."""
    text, data = split_file(content)
    if rng.random() < 0.3:
        return with_header(text, byte_mutation(rng, data))
    numbers = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        at = 4 * rng.randrange(max(len(numbers) // 4, 1))
        numbers[at : at + 4] = struct.pack("<f", rng.choice(WORST))
    return with_header(text, bytes(numbers))


# --- the other files ------------------------------------------------------------------


def config_mutation(rng: random.Random, content: bytes) -> bytes:
    """Return a configuration in which a field is another, absent, new or twice."""
    if rng.random() < 0.3:
        return json_mutation(rng, content)
    fields = loads(content)
    names = [*DistilBertConfig(**SMALL).to_dict(), *BERT_CONFIG, "num_labels",
             "hidden_act", "layer_norm_eps", "is_decoder", "dtype", "architectures",
             "hidden_dropout_prob", "position_embedding_type", "type_vocab_size"]
    name = rng.choice(names)
    if rng.random() < 0.5:
        fields[:] = [(n, v) for n, v in fields if n != name]
    fields.append((name, random_value(rng)))
    return dumps(fields).encode("utf-8", "surrogatepass")


def lines_mutation(rng: random.Random, content: bytes) -> bytes:
    """Return lines dropped, doubled, reordered, or with a strange one among them."""
    lines = content.split(b"\n")
    i = rng.randrange(len(lines))
    kind = rng.randrange(7)
    if kind == 0:
        del lines[i]
    elif kind == 1:
        lines.insert(rng.randrange(len(lines)), lines[i])
    elif kind == 2:
        rng.shuffle(lines)
    elif kind == 3:
        strange = [s.encode("utf-8", "surrogatepass") for s in STRINGS]
        lines.insert(i, rng.choice([*strange, *INSERTED, b"##", b" ", b"\r"]))
    elif kind == 4:
        lines = [line + b"\r" for line in lines]
    elif kind == 5:
        lines[i] = rng.choice([lines[i].upper(), lines[i] + b" ", b"##" + lines[i]])
    else:
        del lines[i:]
    return b"\n".join(lines)


# What is broken, in which files, how, and how often.
Mutation = Callable[[random.Random, bytes], bytes]
KINDS: list[tuple[str, list[str], Mutation, int]] = [
    ("weights, length", [WEIGHTS, *SHARDS], length_mutation, 1),
    ("weights, header", [WEIGHTS, *SHARDS], header_mutation, 5),
    ("weights, data", [WEIGHTS, *SHARDS], data_mutation, 2),
    ("weights, bytes", [WEIGHTS, *SHARDS], byte_mutation, 2),
    ("config.json", ["config.json"], config_mutation, 4),
    ("config.json, bytes", ["config.json"], byte_mutation, 1),
    ("index", [INDEX], json_mutation, 2),
    ("index, bytes", [INDEX], byte_mutation, 1),
    ("vocab.txt", ["vocab.txt"], lines_mutation, 1),
    ("vocab.txt, bytes", ["vocab.txt"], byte_mutation, 1),
    ("tokenizer.json", ["tokenizer.json"], json_mutation, 4),
    ("tokenizer.json, bytes", ["tokenizer.json"], byte_mutation, 1),
    ("tokenizer_config.json", ["tokenizer_config.json"], json_mutation, 1),
    ("tokenizer_config.json, bytes", ["tokenizer_config.json"], byte_mutation, 1),
]


def mutated(seed: int) -> Mutated:
    """Return a checkpoint in which a file is broken in one to three places."""
    rng = random.Random(seed)
    kind, names, mutate, _ = rng.choices(KINDS, [weight for *_, weight in KINDS])[0]
    head = rng.choice([*ours.CLASSES])
    layouts = ["shards"] if names == [INDEX] else LAYOUTS
    files = dict(good_files(rng.choice(layouts), head))
    if names == ["vocab.txt"]:
        del files["tokenizer.json"]              # which goes before it
    name = rng.choice([name for name in names if name in files])
    files[name] = mutate(rng, files[name])
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        try:
            files[name] = mutate(rng, files[name])
        except Exception:                        # it is no longer what it was
            files[name] = byte_mutation(rng, files[name])
    if rng.random() < 0.002:
        del files[name]
    return Mutated(kind, head, files)


# --- the judge ------------------------------------------------------------------------


def judge(seed: int, folder: Path) -> tuple[str, str]:
    """Load the checkpoint of a seed, written to an empty folder; raise Offence if need
    be.

    Returns what was broken, and "accepted" or the class of the first error.
    """
    kind, head, files = mutated(seed)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        outcomes = [
            attempt(folder, lambda: DistilBertConfig.from_pretrained(folder)),
            attempt(folder, lambda: loaded_model(folder, head)),
            attempt(folder, lambda: loaded_tokenizer(folder)),
        ]
        _, model, tokenizer = outcomes
        if not any(isinstance(outcome, str) for outcome in outcomes) and is_tame(model):
            outcomes.append(attempt(None, lambda: run(model, tokenizer, head)))
    for warning in warned:
        if warning.category is not UserWarning:
            raise Offence(f"a warning: {warning.category.__name__} {warning.message}")
    errors = [outcome for outcome in outcomes if isinstance(outcome, str)]
    return kind, errors[0] if errors else "accepted"


def attempt(folder: Path | None, action: Callable[[], Any]) -> Any:
    """Return what an action returns, or the class of its error, if that is allowed."""
    try:
        return action()
    except DistilBertError as error:
        message = str(error)
        if not message.isprintable():
            raise Offence(f"more than a line: {message!r}") from error
        if folder is not None and str(folder) not in message:
            raise Offence(f"names no file: {message!r}") from error
        if len(message) > 2000:
            raise Offence(f"{len(message)} characters: {message[:200]!r}…") from error
        return type(error).__name__
    except (Offence, KeyboardInterrupt):
        raise
    except BaseException as error:               # a panic of Rust is no Exception
        raise Offence(f"{type(error).__name__}: {error!s:.300}") from error


def loaded_model(folder: Path, head: str) -> Any:
    """Return the model of a folder: finite, whole, as the library reads its files."""
    model = ours.CLASSES[head].from_pretrained(folder)
    leaves = flatten(model.params)
    found = {name.removeprefix("distilbert."): a.shape for name, a in leaves.items()}
    check(found == parameter_shapes(model.config, head), "other shapes")
    for name, array in leaves.items():
        check(array.dtype == np.float32 and np.isfinite(array).all(), f"{name}: NaN")
    for path in folder.glob("*.safetensors"):
        if path.name == WEIGHTS or not (folder / WEIGHTS).exists():
            check_against_library(path)
    return model


def check(is_right: Any, what: str) -> None:
    """Raise Offence unless it is right."""
    if not is_right:
        raise Offence(what)


def check_against_library(path: Path) -> None:
    """Raise Offence unless the library reads the same tensors from a file."""
    try:
        theirs = dict(safetensors.deserialize(path.read_bytes()))
        with safetensors.safe_open(path, framework="np") as file:
            keys = set(file.keys())
            for name, entry in theirs.items():
                if entry["dtype"] in ("F64", "F32", "F16"):      # weights of NumPy
                    file.get_tensor(name)
    except Exception as error:
        raise Offence(f"the library refuses it: {error}") from error
    found = map_file(path)
    check(found.keys() == theirs.keys() == keys, "other tensors")
    for name, (code, array) in found.items():
        entry = theirs[name]
        check(code == entry["dtype"], f"{name}: another type")
        check(array.tobytes() == bytes(entry["data"]), f"{name}: other bytes")


def loaded_tokenizer(folder: Path) -> DistilBertTokenizer:
    """Return the tokenizer of a folder."""
    return DistilBertTokenizer.from_pretrained(folder)


def is_tame(model: Any) -> bool:
    """Whether all weights are so small that no sum of them overflows."""
    return all(np.abs(array).max() < 1e6 for array in flatten(model.params).values())


def run(model: Any, tokenizer: DistilBertTokenizer, head: str) -> Any:
    """Encode texts, decode the ids, and run the model on them."""
    length = min(12, model.config.max_position_embeddings)
    inputs = tokenizer(
        TEXTS, padding=True, truncation=True, max_length=length, return_tensors="np"
    )
    tokenizer.batch_decode(inputs["input_ids"])
    if head == "multiple_choice":
        inputs = {name: array[:, None] for name, array in inputs.items()}
    out = model(**inputs)
    check(all(np.isfinite(array).all() for array in out.values()), "NaN comes out")
    return out
