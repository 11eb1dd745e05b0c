"""The gallery: every figure of the course, as pictures and in words.

    python -m distilbert_np.teaching.gallery OUT --model tiny --text "Hello [MASK]."
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DistilBertError
from ..files import made_folder, system_errors
from ..functions import Array
from ..models import DistilBertForMaskedLM
from ..parity import report, zoo
from ..parity.compare import compare_traces
from ..parity.rounding import FLOAT32
from ..parity.traces import Shown, read_trace, trace_model, with_labels
from ..parity.tracing import load_model, traced
from ..tokenizer import DistilBertTokenizer
from ..trees import Tree
from . import figures
from .figures import FORMATS, Picture
from .files import read_study
from .numerical import gradient_errors

TEXT = "The capital of France is [MASK]."
HEAD = "masked_lm"
N_PADDING = 3                                    # places of padding behind the text
FAULT = "gelu-tanh"                              # of the port whose errors are drawn
STEPS = np.logspace(-9, 1, 21).tolist()          # the best grows with the parameters
GROUPS = {                                       # words that a small model knows, too
    "countries": "france germany italy spain ireland denmark belgium sweden",
    "cities": "paris london berlin rome madrid dublin copenhagen brussels",
    "animals": "wolf deer shark whale dolphin frog camel squirrel",
    "opinions": "boring awful ugly nice stupid bad terrible good",
}


class Scene:
    """A model and a text, and what the figures need of them, each computed once."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text
        self.tokenizer = DistilBertTokenizer.from_pretrained(name)
        self.model = DistilBertForMaskedLM.from_pretrained(name)
        self.inputs = self.tokenizer(text, return_tensors="np")
        self.tokens = self.inputs.tokens()

    @cached_property
    def trace(self) -> dict[str, Array]:
        """The trace of the text."""
        return self.model(**self.inputs, trace=True).trace

    @cached_property
    def study(self) -> Tree:
        """The figures of the embedded models' training."""
        return read_study()

    @property
    def place(self) -> int:
        """The first masked place, or the first behind [CLS]."""
        mask = self.tokenizer.mask_token
        return self.tokens.index(mask) if mask in self.tokens else 1

    def sharpest(self, layer: int) -> tuple[int, int]:
        """Return a layer, and which of its heads looks from `place` most at one token.
        """
        name = f"transformer.layer.{layer}.attention.weights"
        weights = self.trace[name][0, :, self.place]             # (H, L)
        return layer, int(weights.max(axis=-1).argmax())


def padding(scene: Scene) -> Picture:
    """Return what padding behind the text takes, from the head that it takes most of.
    """
    length = len(scene.tokens) + N_PADDING
    inputs = scene.tokenizer(
        scene.text, padding="max_length", max_length=length, return_tensors="np"
    )
    hidden = scene.model(**inputs, trace=True).trace
    seen = scene.model(inputs["input_ids"], trace=True).trace
    weights = seen["transformer.layer.0.attention.weights"]      # (1, H, L, L)
    taken = weights[0, ..., -N_PADDING:].sum(axis=(-2, -1))      # (H,)
    head = int(taken.argmax())
    return figures.padding(hidden, seen, inputs.tokens(), head=head)


def known_words(scene: Scene) -> tuple[list[str], Array, list[str]]:
    """Return the words that the vocabulary has, their vectors (n, D), and groups."""
    vocabulary = scene.tokenizer.get_vocab()
    found = [
        (word, group) for group, words in GROUPS.items() for word in words.split()
        if word in vocabulary
    ]
    words, groups = map(list, zip(*found, strict=True))
    ids = [vocabulary[word] for word in words]
    return words, scene.model.word_embeddings[ids], groups


def errors_by_step(scene: Scene) -> Mapping[str, Mapping[float, float]]:
    """Return the errors of a gradient check in both precisions, by step."""
    errors = {}
    for dtype in ("float64", "float32"):
        model = load_model(scene.name, HEAD, dtype)
        inputs = with_labels(model, scene.inputs)
        errors[dtype] = gradient_errors(model, inputs, STEPS)
    return errors


def compared(scene: Scene) -> Tree:
    """Return the comparison of a port that has a fault of the zoo with the reference.
    """
    with tempfile.TemporaryDirectory() as folder:
        trace_model(folder, scene.name, scene.inputs, HEAD)
        reference = read_trace(folder)
    with zoo.planted(FAULT):
        arrays = traced(load_model(scene.name, HEAD, "float32"), scene.inputs)
    port = {name: Shown(array, FLOAT32) for name, array in arrays.items()}
    return report.as_json(compare_traces(reference, port, scene.name))


def parity(scene: Scene) -> Picture:
    """Return the errors of a port that has a fault."""
    told = compared(scene)
    return figures.parity(told["rows"], told["tolerance"])


def costs(scene: Scene) -> Picture:
    """Return the costs of the model, at the length of a paragraph if it reads one."""
    config = scene.model.config
    return figures.costs(config, min(128, config.max_position_embeddings))


def position_cosines(scene: Scene) -> Picture:
    """Return the cosines of the model's own position vectors."""
    positions = scene.model.encoder["embeddings"]["position_embeddings"]
    return figures.position_cosines(positions["weight"])


FIGURES: dict[str, Callable[[Scene], Picture]] = {
    "all_heads": lambda scene: figures.all_heads(scene.trace, scene.tokens),
    "one_head": lambda scene: figures.one_head(
        scene.trace, scene.tokens, *scene.sharpest(0)
    ),
    "head_lines": lambda scene: figures.head_lines(
        scene.trace, scene.tokens, *scene.sharpest(scene.model.config.n_layers - 1)
    ),
    "split_heads": lambda scene: figures.split_heads(scene.trace, scene.tokens),
    "padding": padding,
    "position_cosines": position_cosines,
    "logit_lens": lambda scene: figures.logit_lens(
        scene.model, scene.tokenizer, scene.trace, scene.place
    ),
    "costs": costs,
    "soft_targets": lambda scene: figures.soft_targets(scene.study),
    "distillation": lambda scene: figures.distillation(scene.study),
    "gradient_check": lambda scene: figures.gradient_check(errors_by_step(scene)),
    "parity": parity,
    "word_plane": lambda scene: figures.word_plane(*known_words(scene)),
}


def hang(scene: Scene, folder: Path, say: Callable[[str], Any] = print) -> None:
    """Write every figure into a folder, .png and .svg; say its file and its words."""
    for name, draw in FIGURES.items():
        picture = draw(scene)
        for ending in FORMATS:
            path = folder / f"{name}{ending}"
            with system_errors(path, "written"):
                picture.save(path)
        say(f"{folder / name}{', '.join(FORMATS)}: {picture.text}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Hang the gallery; return 2 for what cannot be used, told in one line."""
    parser = argparse.ArgumentParser(
        prog="python -m distilbert_np.teaching.gallery", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("out", metavar="OUT", help="the folder for the figures")
    add("--model", default="tiny", metavar="NAME", help="as in from_pretrained: tiny")
    add("--text", default=TEXT, help=f"what it reads: {TEXT}")
    given = parser.parse_args(arguments)
    try:
        hang(Scene(given.model, given.text), made_folder(given.out))
    except DistilBertError as error:
        print(f"gallery: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
