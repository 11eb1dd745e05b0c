"""The logit lens: what each layer would say of a masked word."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import InputError, shown
from ...functions import Array, softmax
from ...inputs import is_whole
from ...models import DistilBertForMaskedLM, hidden_states
from ...tokenizer import DistilBertTokenizer
from ...trees import unflatten
from .canvas import LABEL, LINES, Picture, apart, canvas, drawable, shortened
from .reading import BLOCKS, array_of, check_index, count_layers

CAVEAT = (
    "Read with care: the head was trained on the last layer only; earlier layers "
    "speak its language badly."
)


def logit_lens(
    model: DistilBertForMaskedLM, tokenizer: DistilBertTokenizer,
    trace: Mapping[str, Array], place: int, text: int = 0, top: int = 5,
) -> Picture:
    """Return a figure of how likely words are at a place, told after each layer.

    The masked-LM head is applied to what each layer returns, the embeddings too, and
    the likeliest words of the last layer are drawn: the "logit lens" of nostalgebraist
    (2020). The head was trained on the last layer only, so what it makes of an earlier
    one is a hint and no proof; Belrose et al. (arXiv 2303.08112) show how far it is
    off. `trace` is the model's own. Raises InputError where an argument is none of it.
    """
    probabilities = lens(model, trace, place, text)                       # (N + 1, V)
    check_top(top)
    if not hasattr(tokenizer, "convert_ids_to_tokens"):
        raise InputError(f"tokenizer: expected the model's, found {shown(tokenizer)}")
    best = np.argsort(-probabilities[-1], kind="stable")[:top]
    words = tokenizer.convert_ids_to_tokens(best.tolist())
    first = tokenizer.convert_ids_to_tokens(probabilities.argmax(axis=-1).tolist())

    figure, axes = canvas(f"What each layer says of place {place}", 14, 7.5)
    draw_lens(axes, probabilities[:, best], words)
    mark_layers(axes, first)
    figure.supxlabel(CAVEAT, fontsize=LABEL, style="italic")
    return Picture(figure, lens_in_words(place, probabilities[:, best], words, first))


def lens(
    model: DistilBertForMaskedLM, trace: Mapping[str, Array], place: int, text: int
) -> Array:
    """Return the head's probabilities of all words after each layer, (N + 1, V)."""
    if getattr(model, "head", None) != "masked_lm":
        raise InputError(f"model: expected a DistilBertForMaskedLM, found {model!r}")
    n_layers = model.config.n_layers
    B, L, D = array_of(trace, f"{BLOCKS}0.output_layer_norm").shape
    if (count_layers(trace), D) != (n_layers, model.config.dim):
        raise InputError(
            f"trace: expected this model's own, of {n_layers} layers and vectors of "
            f"{model.config.dim} numbers, found {count_layers(trace)} layers and {D}"
        )
    check_index("text", text, B)
    check_index("place", place, L)
    states = hidden_states(unflatten(dict(trace)))
    h = np.stack([state[text, place] for state in states])                # (N + 1, D)
    logits, _ = model.score(h, None)                                      # (N + 1, V)
    return softmax(logits)


def check_top(top: Any) -> None:
    """Raise InputError for more words than lines can be told apart, or none."""
    if not is_whole(top, 1, len(LINES)):
        raise InputError(f"top: expected 1 to {len(LINES)}, found {shown(top)}")


def draw_lens(axes: Any, probabilities: Array, words: list[str]) -> None:
    """Draw a line for each word, and its name and last probability at the end."""
    last = len(probabilities) - 1
    highest = probabilities.max()
    heights = apart(probabilities[-1].tolist(), gap=0.06 * highest)
    for word, line, height, style in zip(
        words, probabilities.T, heights, LINES, strict=False
    ):
        axes.plot(line, **style)
        axes.annotate(
            f"{drawable(shortened(word))}  {line[-1]:.2g}", (last, line[-1]),
            (last + 0.06 * (last + 1), height), fontsize=LABEL, va="center",
            arrowprops={
                "arrowstyle": "-", "color": style["color"], "relpos": (0, 0.5)
            },
        )
    axes.set_ylim(-0.03 * highest, 1.05 * max(highest, *heights))
    axes.set_xlim(-0.3, 1.35 * last + 0.4)       # with room for the words
    axes.set_ylabel("probability", fontsize=LABEL)
    axes.grid(axis="y", color="0.85")


def mark_layers(axes: Any, first: list[str]) -> None:
    """Name the layers along the x-axis, each with the word that it puts first."""
    step = -(-len(first) // 13)                  # of many layers, every step-th
    most = min(14, 80 * step // len(first))      # letters that have room
    names = ["embeddings" if most >= 10 else "emb."] + [
        f"layer {i}" if most >= 7 else str(i) for i in range(len(first) - 1)
    ]
    labels = [
        f"{name}\n{drawable(shortened(word, most))}"
        for name, word in zip(names, first, strict=True)
    ]
    axes.set_xticks(range(0, len(first), step), labels[::step])
    axes.set_xlabel("after …, and the word that it puts first", fontsize=LABEL)


def lens_in_words(
    place: int, probabilities: Array, words: list[str], first: list[str]
) -> str:
    """Say what the lens shows: the likeliest word's way, and what each layer says."""
    way = ", ".join(f"{p:.2g}" for p in probabilities[:, 0])
    said = ", ".join(first)
    others = "".join(
        f"; {word} {p:.2g}"
        for word, p in zip(words[1:], probabilities[-1, 1:], strict=True)
    )
    return (
        f"At place {place} the last layer says {words[0]} "
        f"({probabilities[-1, 0]:.2g}{others}). From the embeddings to the last layer "
        f"{words[0]} has probability {way}, and the word put first is {said}. {CAVEAT}"
    )
