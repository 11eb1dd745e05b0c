"""Parameters and FLOPs by part, DistilBERT beside BERT."""

from collections import Counter
from typing import Any

from ...config import DistilBertConfig
from ...costs import PARTS, QUADRATIC, cost_of_sequence, flops
from ...errors import InputError, shown
from ...inputs import is_whole
from ...inspection import POOLER, TOKEN_TYPES, count, in_units, parameter_groups
from .canvas import HATCHED, LABEL, PLAIN, TICK, Picture, canvas

HEAD = "masked_lm"
PROJECTIONS, _, FEED_FORWARD = PARTS
NAMES = {                                        # from the top of the figure down
    "embeddings": "embeddings",
    PROJECTIONS: "attention:\nprojections",
    QUADRATIC: "attention: scores\nand context",
    FEED_FORWARD: "feed-forward",
    "layer norms": "layer norms",
    "head": "masked-LM head",
    "pooler": "pooler",
}


def costs(config: DistilBertConfig, length: int = 128) -> Picture:
    """Return a figure of the parameters and the FLOPs of each part, beside BERT's.

    The BERT has the same sizes, but twice the layers, token types and a pooler; both
    have a masked-LM head, whose decoder is the table of words. The FLOPs are those of
    the matrix products for one text of so many tokens. Raises InputError for a length
    that is not 1 to max_position_embeddings.
    """
    check_length(length, config)
    bert = config.changed(n_layers=2 * config.n_layers)
    models = [
        f"DistilBERT, {config.n_layers} layers", f"BERT, {bert.n_layers} layers"
    ]
    learnt = [parameters_by_part(config), parameters_by_part(bert) + berts_own(config)]
    pooler = flops([(1, 1, config.dim, config.dim)])
    counted = [
        flops_by_part(config, length), flops_by_part(bert, length) | {"pooler": pooler}
    ]
    figure, (left, right) = canvas(
        "What it costs: DistilBERT beside BERT", 15, 8.5, columns=2, sharey=True
    )
    draw_parts(left, learnt, "parameters", models)
    what = f"FLOPs of matrix products, {length} tokens"
    draw_parts(right, counted, what, models)
    left.invert_yaxis()
    return Picture(figure, costs_in_words(models, learnt, counted, length))


def check_length(length: Any, config: DistilBertConfig) -> None:
    """Raise InputError unless this is a model's config, and so many positions its own.
    """
    if not isinstance(config, DistilBertConfig):
        raise InputError(f"config: expected a model's config, found {shown(config)}")
    longest = config.max_position_embeddings
    if not is_whole(length, 1, longest):
        raise InputError(f"length: expected 1 to {longest}, found {shown(length)}")


def parameters_by_part(config: DistilBertConfig) -> Counter[str]:
    """Return how many numbers each part has learnt."""
    counts: Counter[str] = Counter()
    for group in parameter_groups(config, HEAD):
        for each in group["parameters"]:
            part = part_of(group["name"], each["name"])
            counts[part] += group["times"] * each["count"]
    return counts


def berts_own(config: DistilBertConfig) -> Counter[str]:
    """Return the parameters that a BERT has beyond twice the layers."""
    token_types, pooler = count(TOKEN_TYPES, config), count(POOLER, config)
    return Counter(embeddings=token_types, pooler=pooler)


def part_of(group: str, name: str) -> str:
    """Return the part that a parameter belongs to."""
    if group == "head":
        return "head"
    if "norm" in name.lower():
        return "layer norms"
    if group == "embeddings":
        return "embeddings"
    return PROJECTIONS if name.startswith("attention.") else FEED_FORWARD


def flops_by_part(config: DistilBertConfig, length: int) -> dict[str, int]:
    """Return the FLOPs of each part that multiplies matrices."""
    by_part = dict(cost_of_sequence(config, HEAD, length)["flops"])
    del by_part["total"]
    return by_part


def draw_parts(
    axes: Any, models: list[dict[str, int]], what: str, names: list[str]
) -> None:
    """Draw two bars for each part, DistilBERT's over BERT's, with their values."""
    for shift, values, name, style in zip(
        (-0.2, 0.2), models, names, (PLAIN, HATCHED), strict=True
    ):
        widths = [values.get(part, 0) for part in NAMES]
        places = [i + shift for i in range(len(NAMES))]
        total = in_units(sum(values.values()))
        bars = axes.barh(places, widths, height=0.38, label=f"{name}: {total}", **style)
        written = [in_units(n) if n else "none" for n in widths]
        axes.bar_label(bars, written, padding=5, fontsize=TICK)
    axes.set_yticks(range(len(NAMES)), NAMES.values(), fontsize=LABEL)
    axes.set_title(what, fontsize=LABEL)
    axes.set_xticks([])
    axes.set_xlim(0, 1.2 * max(n for values in models for n in values.values()))
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.legend(fontsize=TICK, loc="lower right", title="in all", title_fontsize=TICK)


def costs_in_words(
    models: list[str], learnt: list[dict[str, int]], counted: list[dict[str, int]],
    length: int,
) -> str:
    """Say how the two compare, and which part is the largest."""
    sizes = [sum(parts.values()) for parts in learnt]
    works = [sum(parts.values()) for parts in counted]
    largest = max(learnt[0], key=learnt[0].get)
    busiest = max(counted[0], key=counted[0].get)
    return (
        f"{models[0]}: {in_units(sizes[0])} parameters, {in_units(works[0])} FLOPs for "
        f"{length} tokens; {models[1]}: {in_units(sizes[1])} and {in_units(works[1])}. "
        f"So DistilBERT has {sizes[0] / sizes[1]:.0%} of the parameters and "
        f"{works[0] / works[1]:.0%} of the work. The largest part of its parameters is "
        f"{largest} ({learnt[0][largest] / sizes[0]:.0%}), of its work {busiest} "
        f"({counted[0][busiest] / works[0]:.0%})."
    )
