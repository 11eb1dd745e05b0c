"""What a model is made of: where its numbers sit, what they cost, beside BERT-base.

All of it follows from the configuration and the tables of names and shapes; of a
checkpoint no more is read than what it holds.
"""

import math
import os
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from textwrap import fill, indent

from . import bert, hub, models, weights
from .config import DistilBertConfig
from .costs import (
    QUADRATIC,
    cost_of_sequence,
    flops,
    formula,
    lengths,
    memory,
    products,
    products_by_part,
)
from .errors import CheckpointError
from .trace import check_head
from .trees import Tree, flatten
from .weights import DECODER, WORDS, Stored, in_numbers

CLASSES = {head: known.__name__ for head, known in models.CLASSES.items()}
STACK = "transformer.layer"


def inspect(name_or_path: str | os.PathLike, head: str | None = None) -> Tree:
    """Return what `describe` tells of a folder, an embedded model, or one of the Hub.

    From the Hub config.json alone is fetched. Unless a `head` is asked for, it is the
    one that config.json names; but where there are weights that lack it, the one that
    they hold. Raises ConfigError or CheckpointError where a file cannot be read; what
    else is wrong with the weights is told under `complaints`.
    """
    if head is not None:
        check_head(head)
    folder = hub.find_model(name_or_path, hub.CONFIG_FILES, head=head)
    config = DistilBertConfig.read(folder)
    try:
        source = weights.find_weights(folder)
    except CheckpointError:
        told = describe(config, head or named_head(config) or "base")
    else:
        stored = weights.map_weights(source)
        head = head or held_head(stored, named_head(config))
        held = describe_weights(source, stored, config, head)
        told = describe(config, head) | {"weights": held}
    return {"model": os.fspath(name_or_path)} | told


def named_head(config: DistilBertConfig) -> str | None:
    """Return the head of the class in `architectures`, a DistilBERT's or a BERT's."""
    names = getattr(config, "architectures", None)
    for name in names if isinstance(names, list) else []:
        for head, known in CLASSES.items():
            if name in (known, known.removeprefix("Distil")):
                return head
    return None


def other_class(config: DistilBertConfig, head: str) -> str | None:
    """Return the class that a model was trained as, if it has another head than this.

    The encoder alone goes with all heads, and any model has an encoder.
    """
    named = named_head(config)
    is_other = "base" not in (named, head) and named not in (None, head)
    return CLASSES[named] if is_other else None


def held_head(stored: dict[str, Stored], named: str | None) -> str:
    """Return the named head if the weights hold it, else the largest that they hold."""
    held = [
        head for head, table in weights.HEADS.items()
        if {*table} - {DECODER} <= {*stored}
    ]
    return max(held, key=lambda head: (head == named, len(weights.HEADS[head])))


def describe_weights(
    source: Path, stored: dict[str, Stored], config: DistilBertConfig, head: str
) -> Tree:
    """Return what a checkpoint holds for a model: the load report, bytes, complaints.

    `config` learns whether the masked-LM decoder is tied.
    """
    n_bytes = sum(tensor.array.nbytes for tensor in stored.values())
    report, complaints = weights.match(source, stored, config, head)
    return asdict(report) | {"bytes": n_bytes, "complaints": complaints}


# --- as data --------------------------------------------------------------------------


def describe(config: DistilBertConfig, head: str = "base") -> Tree:
    """Return what a model is made of and what it costs, as plain data, ready for JSON.

    `head` is a key of weights.HEADS; raises InputError for another.
    """
    check_head(head)
    groups = parameter_groups(config, head)
    total = sum(group["count"] for group in groups)
    by_part = products_by_part(head)
    return {
        "class": CLASSES[head], "head": head,
        "config": config.to_dict(), "letters": config.dimensions(),
        "parameters": {"total": total, "groups": groups},
        "tensors": tensors(config, head),
        "memory": {dtype: memory(total, dtype) for dtype in ("float32", "float64")},
        "formulas": {part: formula(sizes) for part, sizes in by_part.items()},
        "sequences": [
            cost_of_sequence(config, head, length) for length in lengths(config)
        ],
        "beside_bert": beside_bert(config),
        "weights": None,
    }


def parameter_groups(config: DistilBertConfig, head: str) -> list[Tree]:
    """Return the parameters of the embeddings, of one layer (N times), of the head.

    A tied decoder, which is the table of words, is listed and counts nothing.
    """
    groups = []
    for name, times, table in (
        ("embeddings", 1, weights.ENCODER),
        (STACK, config.n_layers, weights.BLOCK),
        ("head", 1, weights.HEADS[head]),
    ):
        parameters = [parameter(*item, config) for item in table.items()]
        one = sum(each["count"] for each in parameters)
        groups.append({
            "name": name, "times": times, "one": one, "count": times * one,
            "parameters": parameters,
        })
    return groups


def parameter(name: str, letters: str, config: DistilBertConfig) -> Tree:
    """Return a parameter's name, shape, count, and what it is tied to."""
    shape = in_numbers(letters, config.dimensions())
    is_tied = name == DECODER and config.tie_word_embeddings
    return {
        "name": name, "letters": letters, "shape": list(shape),
        "count": 0 if is_tied else math.prod(shape),
        "tied_to": WORDS if is_tied else None,
    }


def tensors(config: DistilBertConfig, head: str) -> Tree:
    """Return the shape of every tensor, by its name in a checkpoint."""
    tree = weights.as_params(weights.parameter_table(config, head), head)
    size = config.dimensions()
    return {
        name: {"letters": letters, "shape": list(in_numbers(letters, size))}
        for name, letters in flatten(tree).items()
    }


# --- beside BERT-base -----------------------------------------------------------------

BERT_BASE = DistilBertConfig(n_layers=12)        # but for what DistilBERT leaves out:
TOKEN_TYPES = {bert.TOKEN_TYPES: "2 D"}
POOLER = {"pooler.dense.weight": "D D", "pooler.dense.bias": "D"}


def beside_bert(config: DistilBertConfig) -> Tree:
    """Return the sizes of BERT-base and of this model, heads left out, and the shares.

    The FLOPs are those of a sequence of `length` tokens.
    """
    length = min(128, config.max_position_embeddings)
    theirs, ours = encoder_sizes(BERT_BASE, length), encoder_sizes(config, length)
    token_types = count(TOKEN_TYPES, BERT_BASE)
    theirs["embeddings"] += token_types
    theirs["parameters"] += token_types
    theirs["with_pooler"] = theirs["parameters"] + count(POOLER, BERT_BASE)
    ours["with_pooler"] = ours["parameters"]     # it has none
    sizes = {
        what: {"bert_base": n, "this": ours[what], "share": ours[what] / n}
        for what, n in theirs.items()
    }
    return {"length": length, "sizes": sizes}


def encoder_sizes(config: DistilBertConfig, length: int) -> dict[str, int]:
    """Return how large an encoder is: layers, FLOPs, and parameters by place."""
    embeddings = count(weights.ENCODER, config)
    in_layers = config.n_layers * count(weights.BLOCK, config)
    return {
        "layers": config.n_layers,
        "flops": flops(products(config, 1, length, "base")),
        "embeddings": embeddings, "in_layers": in_layers,
        "parameters": embeddings + in_layers,
    }


def count(table: dict[str, str], config: DistilBertConfig) -> int:
    """Return how many numbers the parameters of a table hold."""
    size = config.dimensions()
    return sum(math.prod(in_numbers(letters, size)) for letters in table.values())


# --- as text --------------------------------------------------------------------------

WIDTH = 88                                       # columns, at most
MOST_LETTERS = 32                                # of a folder; else its last part alone
MOST_NAMES = 5                                   # of tensors that are amiss
FIELDS = {
    "D": "dim", "F": "hidden_dim", "H": "n_heads", "K": "D / H",
    "V": "vocab_size", "P": "max_position_embeddings", "N": "n_layers",
    "C": "num_labels",
}


def as_text(told: Tree, full: bool = False) -> str:
    """Return what `inspect` or `describe` tells as text, of 88 columns at most.

    With `full` all tensors are listed, by their names in a checkpoint.
    """
    sections = [
        title(told, full), configuration(told), parameter_tree(told),
        memory_table(told), sequence_table(told), bert_table(told),
    ]
    if full:
        sections.append(tensor_list(told))
    lines = "\n\n".join("\n".join(lines) for lines in sections).split("\n")
    return "\n".join(cut(line) for line in lines)


def title(told: Tree, full: bool) -> list[str]:
    """Return what this is, and what its checkpoint holds, if one was looked for."""
    size = f"{told['class']}, {told['parameters']['total']:,} parameters"
    if "model" not in told:
        return [size]
    name, held = told["model"], told["weights"]
    lines = [f"{name if len(name) <= MOST_LETTERS else Path(name).name}: {size}"]
    if held is None:
        return [*lines, "no model.safetensors: all of this follows from config.json"]
    codes = ", ".join(f"{n} {code}" for code, n in held["dtypes"].items())
    lines.append(
        f"{Path(held['source']).name}, {in_units(held['bytes'], 'B')}: "
        f"{len(held['used'])} tensors used (stored as {codes})"
    )
    computed = [f"{name}: {how}" for name, how in held["computed"].items()]
    for label, names in (
        ("computed", computed), ("missing", held["missing"]),
        ("unexpected", held["unexpected"]),
    ):
        lines += labelled(label, names, len(names) if full else MOST_NAMES)
    return lines


def labelled(label: str, names: list[str], most: int) -> list[str]:
    """Return a line for each of the first names, with the label before the first."""
    more = [f"and {len(names) - most} more"] if len(names) > most else []
    return [
        f"  {'' if i else label:<10}  {name}"
        for i, name in enumerate(names[:most] + more)
    ]


def configuration(told: Tree) -> list[str]:
    """Return the configuration: the letters, and what has none."""
    config, letters = told["config"], told["letters"]
    fields = [[f"  {x}  {field}", f"{letters[x]:,}"] for x, field in FIELDS.items()]
    halves = zip(aligned(fields[:4]), aligned(fields[4:]), strict=True)
    positions = "sines and cosines" if config["sinusoidal_pos_embds"] else "learnt"
    return [
        "configuration",
        *map("  ".join, halves),
        f"  activation {config['activation']}, dropout {config['dropout']} (attention "
        f"{config['attention_dropout']}), positions {positions}",
    ]


def parameter_tree(told: Tree) -> list[str]:
    """Return the parameters, a line for each module and each group of modules."""
    total, groups = told["parameters"]["total"], told["parameters"]["groups"]
    blank = [""] * 5
    rows = [["parameters", "weight, bias", "", "count", "share"]]
    for group in groups:
        if group["parameters"]:
            rows += [blank, group_row(group, total), *module_rows(group, total)]
    rows += [blank, ["  total", "", "", f"{total:,}", "100.0%"]]
    return aligned(rows) + [
        f"  tied: {parameter['name']} is {parameter['tied_to']}, counted once"
        for group in groups for parameter in group["parameters"] if parameter["tied_to"]
    ]


def group_row(group: Tree, total: int) -> list[str]:
    """Return the row of a group: its sum."""
    name, n = f"  {group['name']}", group["count"]
    if group["name"] != STACK:
        return [name, "", "", f"{n:,}", percent(n, total)]
    return [f"{name}.i", "", counted(group, group["one"]), f"{n:,}", percent(n, total)]


def module_rows(group: Tree, total: int) -> list[list[str]]:
    """Return a row for each module of a group: its weight, and its bias."""
    rows = []
    for module, parameters in groupby(group["parameters"], module_of):
        letters, shapes, counts = zip(*map(shown, parameters), strict=True)
        n = sum(counts)
        rows.append([
            f"    {module.removeprefix(group['name'] + '.')}",
            ", ".join(letters), ", ".join(shapes),
            counted(group, n), percent(group["times"] * n, total),
        ])
    return rows


def counted(group: Tree, n: int) -> str:
    """Return a number of parameters as text, so many times in the stack of layers."""
    return f"{group['times']} × {n:,}" if group["name"] == STACK else f"{n:,}"


def shown(parameter: Tree) -> tuple[str, str, int]:
    """Return a parameter's shape in letters and in numbers, as text, and its count."""
    shape = "tied" if parameter["tied_to"] else by(parameter["shape"])
    return parameter["letters"], shape, parameter["count"]


def module_of(parameter: Tree) -> str:
    """Return the module that a parameter belongs to."""
    return parameter["name"].rpartition(".")[0]


def memory_table(told: Tree) -> list[str]:
    """Return the memory of the parameters and of training, in both precisions."""
    labels = {
        "parameters": "parameters", "gradients": "+ gradients",
        "moments": "+ Adam's two moments", "training": "training, without the trace",
    }
    return aligned([["memory", *told["memory"]]] + [
        [f"  {label}"]
        + [in_units(sizes[what], "B") for sizes in told["memory"].values()]
        for what, label in labels.items()
    ])


def sequence_table(told: Tree) -> list[str]:
    """Return what a sequence costs by its length: FLOPs, and the trace's memory."""
    costs, formulas = told["sequences"], told["formulas"]
    flops = {
        part: [cost["flops"][part] for cost in costs] for part in [*formulas, "total"]
    }
    shares = map(percent, flops[QUADRATIC], flops["total"])
    traces = [in_units(4 * cost["trace_numbers"], "B") for cost in costs]
    *lines, trace = aligned([
        ["FLOPs of one sequence", "L =", *(f"{cost['length']:,}" for cost in costs)],
        *([f"  {part}", formulas.get(part, ""), *map(in_units, numbers)]
          for part, numbers in flops.items()),
        ["  quadratic share", f"{formulas[QUADRATIC]} / total", *shares],
        ["trace, float32", "", *traces],
    ])
    note = "  Matrix products alone are counted, a multiply-add as 2."
    return [*lines, note, "", trace]


def bert_table(told: Tree) -> list[str]:
    """Return the sizes beside BERT-base's, and a sentence about them."""
    length, sizes = told["beside_bert"]["length"], told["beside_bert"]["sizes"]
    labels = {
        "layers": "layers", "embeddings": "parameters in the embeddings",
        "in_layers": "parameters in the layers", "parameters": "parameters",
        "with_pooler": "parameters, with BERT's pooler",
        "flops": f"FLOPs at L = {length}",
    }
    rows = [["beside BERT-base, without heads", "BERT-base", "this model", "share"]]
    for what, label in labels.items():
        size = sizes[what]
        shown = in_units if what == "flops" else "{:,}".format
        rows.append([
            f"  {label}", shown(size["bert_base"]), shown(size["this"]),
            f"{size['share']:.1%}",
        ])
    return [*aligned(rows), "", indent(fill(sentence(sizes), WIDTH - 2), "  ")]


def sentence(sizes: Tree) -> str:
    """Return how many parameters fewer than BERT-base a model has, and which.

    DistilBERT has half of those in the layers and all of those in the embeddings.
    """
    fewer = {
        what: f"{abs(1 - size['share']):.1%} {'more' if size['share'] > 1 else 'fewer'}"
        for what, size in sizes.items()
    }
    layers, embeddings = (
        f"{sizes[place]['share']:.1%}" for place in ("in_layers", "embeddings")
    )
    is_distilbert = (layers, embeddings) == ("50.0%", "100.0%")
    return (
        f"{fewer['parameters']} parameters than BERT-base ({fewer['with_pooler']} with "
        f"its pooler): {layers} of those in the layers, {embeddings} of those in the "
        f"embeddings{'; so the paper says 40%, not 50%' if is_distilbert else ''}."
    )


def tensor_list(told: Tree) -> list[str]:
    """Return a line for each tensor, by its name in a checkpoint."""
    rows = [
        [f"  {name}", tensor["letters"], by(tensor["shape"])]
        for name, tensor in told["tensors"].items()
    ]
    return ["tensors, by their names in a checkpoint", *aligned(rows)]


# --- parts of a line ------------------------------------------------------------------


def aligned(rows: list[list[str]]) -> list[str]:
    """Return rows of cells as lines: the first cell to the left, others to the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return lines


def by(shape: list[int]) -> str:
    """Return a shape as text: 768 × 768."""
    return " × ".join(map(str, shape))


def percent(part: int, whole: int) -> str:
    """Return part / whole as text, or a dash of nothing."""
    return f"{part / whole:.1%}" if whole else "–"


def in_units(number: int, unit: str = "") -> str:
    """Return a number in three digits and thousands: 267942120 B is 268 MB."""
    scaled, prefixes = number, list("EPTGMk")
    prefix = ""
    while scaled >= 999.5 and prefixes:
        scaled, prefix = scaled / 1000, prefixes.pop()
    digits = f"{scaled:#.3g}".rstrip(".") if prefix else str(number)
    return f"{digits} {prefix}{unit}".rstrip()


def cut(line: str) -> str:
    """Return a line, its end left out where it is too long."""
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
