"""The kit of cases: small models, and the calls of them that show what ports get wrong.

    python -m distilbert_np.parity.kit OUT

writes into OUT/models a checkpoint for each head, with its tokenizer, and into
OUT/traces a trace for each case. That kit is committed, in the folder cases beside this
file. `--size base` writes it in full size, `--model NAME` the traces for a checkpoint.

Every number comes from seeded streams that never change (RandomState, uniform numbers
only). Biases, gains and the padding token's row are random like all others: zeros would
hide a port that drops them.
"""

import argparse
import math
import sys
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..config import DistilBertConfig
from ..errors import DistilBertError, InputError
from ..functions import Array
from ..inputs import problem_type
from ..inspection import named_head
from ..losses import IGNORED
from ..models import CLASSES
from ..models import DistilBertPreTrainedModel as Model
from ..tokenizer import SPECIAL_TOKENS, DistilBertTokenizer, wordpiece
from ..trees import Tree
from ..weights import as_params, listing, parameter_shapes
from .traces import trace_model

# --- the models -----------------------------------------------------------------------

WORDS = """\
a the and at in of on to we were who what where does
cat dog bird night morning river rain tree house friend paris zurich cafe creme
sing sang sleep bark swim drink eat read see run live
loud quiet old small warm red
##s ##ing ##ed ##ly ##er ##est ##ness ##m ##n un ##friend ##ve nai
b c d e f g h i j k l m n o p q r s t u v w x y z
日 本 の 城 山 , . ? ! ' -
"""
KNOWN = [*SPECIAL_TOKENS.values(), *WORDS.split()]

# No two axes of an array are of one length, where heads, say, could pass for texts.
SIZES: dict[str, dict[str, int]] = {
    "tiny": {
        "vocab_size": len(KNOWN), "max_position_embeddings": 16,
        "n_layers": 2, "n_heads": 3, "dim": 15, "hidden_dim": 26,
    },
    "base": {},
}
LONGEST, N_CLASSES, CHOICES = 512, 5, 3

# By folder: the head, and what the configuration says beside the sizes.
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "base": ("base", {"max_position_embeddings": LONGEST}),
    "masked_lm": ("masked_lm", {}),
    **{
        folder: ("sequence", {"num_labels": N_CLASSES, "problem_type": kind})
        for folder, kind in (
            ("sequence", "single_label_classification"),
            ("multi_label", "multi_label_classification"),
            ("regression", "regression"),
        )
    },
    "token": ("token", {"num_labels": N_CLASSES}),
    "question_answering": ("question_answering", {}),
    "multiple_choice": ("multiple_choice", {}),
    "teacher": ("masked_lm", {"n_layers": 3}),
}


def new_model(folder: str, size: str) -> Model:
    """Return a model of the kit; all but the teacher have one encoder.

    (A table with fewer rows is the beginning of the same table.)
    """
    head, fields = MODELS[folder]
    model = CLASSES[head](DistilBertConfig(**SIZES[size] | fields))
    salt = "teacher." if folder == "teacher" else ""
    tensors = {
        name: drawn(name, shape, salt)
        for name, shape in parameter_shapes(model.config, head).items()
    }
    model.params = as_params(tensors, head)
    return model


def drawn(name: str, shape: tuple[int, ...], salt: str) -> Array:
    """Return the numbers of a parameter, float32, from a stream of its own.

    They are of a size that keeps scores and activations lively at any depth; the tables
    are as small as trained ones are, so that LayerNorm's epsilon shows.
    """
    stream = np.random.RandomState(zlib.crc32(f"{salt}{name}".encode()))
    uniform = stream.random_sample(shape) * 2 - 1
    if name.endswith("bias"):
        uniform *= 0.5
    elif name.endswith(("LayerNorm.weight", "layer_norm.weight")):
        uniform = 1 + uniform / 2
    elif "embeddings" in name:
        uniform /= 8
    else:
        gain = 1.5 if "q_lin" in name or "k_lin" in name else 1.0
        uniform *= gain * math.sqrt(3 / shape[-1])
    return uniform.astype(np.float32)


def new_tokenizer(config: DistilBertConfig) -> DistilBertTokenizer:
    """Return the kit's tokenizer; ids that no text here has go by `[unused7]`."""
    unused = (f"[unused{i}]" for i in range(config.vocab_size - len(KNOWN)))
    backend = wordpiece({token: i for i, token in enumerate([*KNOWN, *unused])})
    limit = config.max_position_embeddings
    return DistilBertTokenizer(backend, model_max_length=limit)


def save_model(folder: Path, size: str) -> None:
    """Write a model of the kit, by the folder's name, and its tokenizer."""
    model = new_model(folder.name, size)
    model.save_pretrained(folder)
    new_tokenizer(model.config).save_pretrained(folder)


# --- the labels -----------------------------------------------------------------------
# Each takes ids and mask (B, L), and the number of classes C.


def words_asked(ids: Array, mask: Array, C: int) -> Tree:
    """Return every third token for a label, where it is in sight; −100 elsewhere."""
    asked = (np.arange(ids.shape[1]) % 3 == 1) & mask.astype(bool)
    return {"labels": np.where(asked, ids, IGNORED)}


def tags(ids: Array, mask: Array, C: int) -> Tree:
    """Return a class for two tokens of three, where in sight; −100 elsewhere."""
    places = np.arange(ids.shape[1])
    asked = (places % 3 > 0) & mask.astype(bool)
    return {"labels": np.where(asked, (ids + places) % C, IGNORED)}


def answers(ids: Array, mask: Array, C: int) -> Tree:
    """Return a start and an end for each text, some of them outside of it."""
    B, L = ids.shape
    starts, ends = [1, -1, L, L + 3], [3, L, 2, -5]
    return {
        "start_positions": np.resize(starts, B), "end_positions": np.resize(ends, B),
    }


def choices(ids: Array, mask: Array, C: int) -> Tree:
    """Return the right choice for each question: the first, the third, …"""
    return {"labels": np.arange(len(ids) // CHOICES) * 2 % CHOICES}


# --- the cases ------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A call of a model.

    texts    what is read, or pairs of texts
    about    what there is to it, and what it shows that has no name
    faults   names of the faults (as in causes.py) that it is there to show
    model    a key of MODELS
    labels   makes them; else they are those that a trace makes up (default_labels)
    hidden   places that the mask hides beside the padding: (text, its places), …
    options  what the tokenizer is told
    only     patterns of the arrays to keep
    """

    name: str
    texts: Sequence[str | tuple[str, str]]
    about: str
    faults: Sequence[str] = ()
    model: str = "base"
    labels: Callable[[Array, Array, int], Tree] | None = None
    hidden: Sequence[tuple[int, slice]] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    padding_side: str = "right"
    gradients: bool = False
    teacher: str | None = None
    only: Sequence[str] = ()

    @property
    def head(self) -> str:
        """The head that is run."""
        return MODELS[self.model][0]


TWO = ("the cat sleeps", "dogs bark loudly at night")
FOUR = ("a cat sleeps .", "dogs bark loudly at night", "rain", "who sings in paris ?")
SENTENCE = "the old dog barked loudly at the quiet cats , and a small bird sang ! "
CASES = [
    Case(
        "one-token", ("bird", "night"), "one token, without [CLS] and [SEP]: attention "
        "weights are 1. Shows axes of length 1 that are squeezed away",
        ("positions-off-by-one", "softmax-wrong-axis"),
        options={"add_special_tokens": False, "max_length": 1},
    ),
    Case(
        "right-padding", FOUR, "four texts, padded to the right",
        ("mask-ignored", "mask-inverted", "causal-mask", "padding-averaged-in"),
    ),
    Case(
        "left-padding", FOUR, "the same texts, padded to the left. Shows a mask taken "
        "for a length",
        ("mask-ignored", "positions-counted-in-sight", "first-token-taken"),
        padding_side="left",
    ),
    Case(
        "first-hidden", TWO, "of one text the first token is hidden, of the other two "
        "in the middle. Shows a mask taken for a length",
        ("mask-ignored", "mask-on-queries", "positions-counted-in-sight"),
        hidden=((0, slice(1)), (1, slice(3, 5))),
    ),
    Case(
        "blind-row", TWO, "one text sees nothing: all its weights are 1/L, its mean "
        "is 0",
        ("mask-fill-1e4", "mask-fill-infinity", "padding-averaged-in"),
        hidden=((0, slice(None)),),
    ),
    Case(
        "longest", (SENTENCE * 40,), f"{LONGEST} tokens; only hidden states are kept. "
        "Shows a table of positions that is too short, and long sums in float16",
        ("positions-off-by-one", "sinusoidal-regenerated"),
        only=("*LayerNorm", "*output_layer_norm", "sentence.mean"),
    ),
    Case(
        "unknown", ("𓀀 𓁐 𓂋 𓃭", "𓀀 𓁐 𓂋 𓃭 𓆣 𓇳"), "every word is [UNK]: positions alone "
        "tell the tokens apart",
        ("positions-missing", "positions-off-by-one"),
    ),
    Case(
        "accents-and-cjk", ("Café CRÈME in Zürich", "日本の城, naïve 港!"),
        "capitals, accents, characters that are words, one of them unknown. Shows a "
        "tokenizer that keeps accents or capitals, or leaves 日本 whole: begin from "
        "the texts",
    ),
    Case(
        "encoder-gradients", TWO, "the way back, from a gradient of the last hidden "
        "states",
        ("pad-row-gradient",), gradients=True,
    ),
    Case(
        "masked-lm", TWO, "labels for every third token, −100 elsewhere",
        ("head-activation-missing", "decoder-transposed", "ignored-labels-counted",
         "loss-over-all-places", "tied-gradient-forgotten"),
        "masked_lm", words_asked, gradients=True,
    ),
    Case(
        "sequence", TWO, "one class of five for each text",
        ("tokens-averaged", "last-token-taken", "pooler-tanh"),
        "sequence", gradients=True,
    ),
    Case(
        "multi-label", TWO, "five truths for each text. Shows softmax for sigmoid",
        ("loss-summed",), "multi_label", gradients=True,
    ),
    Case(
        "regression", TWO, "five numbers for each text. Shows half the square for the "
        "square",
        ("loss-summed",), "regression", gradients=True,
    ),
    Case(
        "token", TWO, "a class for two tokens of three, −100 elsewhere",
        ("ignored-labels-counted", "loss-over-all-places", "loss-summed"),
        "token", tags, gradients=True,
    ),
    Case(
        "question-answering",
        (("who sings ?", "a bird"), ("where ?", "in the house"),
         ("what barks ?", "dogs"), ("who ?", "a friend")),
        "starts and ends, some below 0, some at L or beyond. Shows start and end "
        "swapped, and answers outside the text that count",
        ("loss-summed", "pad-row-gradient"),
        "question_answering", answers, gradients=True,
    ),
    Case(
        "multiple-choice",
        (("a dog", "barks"), ("a dog", "sings"), ("a dog", "rains"),
         ("in the river", "we read"), ("in the river", "trees run"),
         ("in the river", "we swim")),
        "two questions of three choices. Shows softmax over texts, not over the "
        "choices of one",
        ("tokens-averaged", "pooler-tanh", "loss-summed"),
        "multiple_choice", choices, gradients=True,
    ),
    Case(
        "distillation", TWO, "the loss of distillation from a teacher of three layers. "
        "Shows KL the wrong way round, T² forgotten, hidden tokens in the cosine",
        ("tied-gradient-forgotten",),
        "masked_lm", words_asked, gradients=True, teacher="teacher",
    ),
]


def arguments_of(
    case: Case, tokenizer: DistilBertTokenizer, config: DistilBertConfig
) -> Tree:
    """Return the arguments of a case's call."""
    limit = min(LONGEST, config.max_position_embeddings)
    options = {"padding": True, "truncation": True, "max_length": limit}
    options |= case.options
    tokenizer.padding_side = case.padding_side
    encoded = tokenizer(list(case.texts), return_tensors="np", **options)
    ids, mask = encoded["input_ids"], encoded["attention_mask"]          # (B, L)
    for text, places in case.hidden:
        mask[text, places] = 0
    labels = case.labels(ids, mask, config.num_labels) if case.labels else {}
    if case.head == "multiple_choice":
        ids, mask = (x.reshape(-1, CHOICES, x.shape[1]) for x in (ids, mask))
    return {"input_ids": ids, "attention_mask": mask} | labels


def told_of(case: Case, tokenizer: DistilBertTokenizer, ids: Array) -> Tree:
    """Return what a manifest tells of its case: the texts, their tokens and ids."""
    rows = ids.reshape(-1, ids.shape[-1]).tolist()
    return {
        "name": case.name, "about": case.about, "faults": list(case.faults),
        "texts": list(case.texts), "ids": rows,
        "tokens": [tokenizer.convert_ids_to_tokens(row) for row in rows],
    }


# --- the kit --------------------------------------------------------------------------


def write_kit(
    folder: Path, size: str = "tiny", dtype: str = "float64",
    only: Iterable[str] = (),
) -> list[Case]:
    """Write models and traces of a size into a folder; return the cases.

    `only` are the names of some cases. Raises InputError for names that are none.
    """
    cases, models = chosen(CASES, only), folder / "models"
    used = {name for case in cases for name in (case.model, case.teacher)}
    for name in MODELS.keys() & used:
        save_model(models / name, size)
    for case in cases:
        teacher = str(models / case.teacher) if case.teacher else None
        write_case(case, folder, str(models / case.model), teacher, dtype)
    return cases


def write_kit_of(
    name: str, folder: Path, dtype: str = "float64", only: Iterable[str] = ()
) -> list[Case]:
    """Write traces of a checkpoint, by its encoder and own head; return the cases.

    `name` is what from_pretrained takes.
    """
    config = DistilBertConfig.from_pretrained(name)
    cases = chosen([case for case in CASES if suits(case, config)], only)
    for case in cases:
        write_case(case, folder, name, None, dtype)
    return cases


def write_case(
    case: Case, folder: Path, model: str, teacher: str | None, dtype: str
) -> None:
    """Write the trace of a case of a model, or of a model and its teacher."""
    config = DistilBertConfig.from_pretrained(model)
    tokenizer = DistilBertTokenizer.from_pretrained(model)
    arguments = arguments_of(case, tokenizer, config)
    trace_model(
        folder / "traces" / case.name, model, arguments, case.head,
        gradients=case.gradients, teacher=teacher, dtype=dtype, only=case.only,
        case=told_of(case, tokenizer, arguments["input_ids"]),
    )


def suits(case: Case, config: DistilBertConfig) -> bool:
    """Whether a case is one of the encoder's, or of the head that a checkpoint has."""
    if case.teacher or case.head not in ("base", named_head(config)):
        return False
    kind = MODELS[case.model][1].get("problem_type")
    return kind in (None, problem_type(np.arange(1), config))


def chosen(cases: Sequence[Case], names: Iterable[str]) -> list[Case]:
    """Return the cases of these names, or all; raise InputError for other names."""
    known, names = {case.name: case for case in cases}, list(names)
    if unknown := [name for name in names if name not in known]:
        raise InputError(
            f"--case: expected one of {', '.join(known)}, found {listing(unknown)}"
        )
    return [known[name] for name in names or known]


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m distilbert_np.parity.kit",
        description="Write the kit of cases: traces that show what ports get wrong.",
    )
    add = parser.add_argument
    add("out", type=Path, metavar="OUT", help="the folder to write to")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--size", choices=SIZES, default="tiny",
        help="of the models that are made (default: tiny)",
    )
    which.add_argument(
        "--model", metavar="NAME",
        help="in their place a checkpoint: the encoder's cases, and its own head's",
    )
    add(
        "--dtype", choices=("float64", "float32"), default="float64",
        help="precision (default: float64)",
    )
    add(
        "--case", action="append", default=[], metavar="NAME",
        help="write this case alone (may be given again)",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a kit; return the exit status, which is 2 if that cannot be done."""
    given = make_parser().parse_args(arguments)
    try:
        if given.model:
            cases = write_kit_of(given.model, given.out, given.dtype, given.case)
        else:
            cases = write_kit(given.out, given.size, given.dtype, given.case)
    except DistilBertError as error:
        print(f"kit: {error}", file=sys.stderr)
        return 2
    print(f"{len(cases)} cases in {given.out / 'traces'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
