"""Distillation: soft targets, the curves, and what each part of the loss is worth."""

from collections import defaultdict
from typing import Any

import numpy as np

from ...errors import InputError, shown
from ...functions import Array
from .canvas import (
    BLACK,
    BLUE,
    HATCHED,
    LABEL,
    LINES,
    PLAIN,
    TICK,
    Picture,
    canvas,
    drawable,
    shortened,
)
from .reading import check_index

Study = dict[str, Any]

# --- soft targets ---------------------------------------------------------------------


def soft_targets(study: Study, prompt: int = 0) -> Picture:
    """Return a figure of what teacher and student say, at three temperatures.

    `study` is what files.read_study returns; `prompt` the number of one of its masked
    sentences. At temperature T the scores are divided by T before softmax (Hinton et
    al., arXiv 1503.02531). Raises InputError for a prompt that is not there.
    """
    told = part_of(study, "soft_targets")
    check_index("prompt", prompt, len(told))
    told = told[prompt]
    figure, panels = canvas(
        drawable(shortened(told["prompt"], 60)), 15, 7.5, columns=len(told["teacher"]),
        sharex=True, sharey=True, squeeze=False,
    )
    panels = panels[0]
    for axes, temperature in zip(panels, told["teacher"], strict=True):
        draw_targets(axes, told, temperature)
    panels[0].set_yticks(
        range(len(told["words"])),
        [drawable(shortened(word)) for word in told["words"]], fontsize=LABEL,
    )
    panels[0].invert_yaxis()
    panels[-1].legend(fontsize=TICK, loc="lower right")
    return Picture(figure, targets_in_words(told))


def draw_targets(axes: Any, told: dict[str, Any], temperature: str) -> None:
    """Draw the words' probabilities at one temperature, the teacher's and student's."""
    teacher, student = told["teacher"][temperature], told["student"][temperature]
    places = range(len(teacher))
    axes.hlines(places, teacher, student, color="0.5", linewidth=2, zorder=1)
    axes.plot(teacher, places, "o", color=BLUE, markersize=13, label="teacher")
    axes.plot(
        student, places, "D", color=BLACK, markersize=8, markerfacecolor="white",
        markeredgewidth=2, label="student",
    )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda p, _: f"{p:g}")
    axes.xaxis.set_minor_formatter(lambda p, _: "")
    axes.grid(axis="x", color="0.85")
    axes.set_title(
        f"temperature {temperature}\nteacher: {sum(teacher):.0%} on these words",
        fontsize=LABEL,
    )
    axes.set_xlabel("probability (each line × 10)", fontsize=LABEL)


def targets_in_words(told: dict[str, Any]) -> str:
    """Say how the likeliest word fares with temperature, and where the two differ."""
    word, teacher, student = told["words"][0], told["teacher"], told["student"]
    steps = "; ".join(
        f"at temperature {t}, {teacher[t][0]:.2g} and {student[t][0]:.2g}"
        for t in teacher
    )
    t = next(iter(teacher))
    gaps = np.abs(np.subtract(teacher[t], student[t]))
    far = int(gaps.argmax())
    return (
        f"“{told['prompt']}”: probability of {word} for teacher and student: {steps}. "
        f"At temperature {t} they differ most on {told['words'][far]}, by "
        f"{gaps[far]:.2g}."
    )


# --- curves and ablation --------------------------------------------------------------


def distillation(study: Study) -> Picture:
    """Return a figure of the curves of teacher and students, and of the ablation.

    Left, the share of masked words got right after each epoch: the mean over seeds, in
    a band of one standard deviation. Right, the finished models on other texts, where
    lines end one standard deviation to each side. `study` is what files.read_study
    returns.
    """
    runs, rows = part_of(study, "runs"), part_of(study, "table")
    figure, (left, right) = canvas(
        "Distillation: how they learn, and what each part is worth", 15, 8, columns=2
    )
    curves = curves_by_name(runs)
    draw_curves(left, curves)
    draw_ablation(right, rows)
    return Picture(figure, study_in_words(curves, rows))


def part_of(study: Study, name: str) -> Any:
    """Return a part of the study; raise InputError where it is none."""
    if not isinstance(study, dict) or not study.get(name):
        expected = f"what read_study() returns, with {name}"
        raise InputError(f"study: expected {expected}, found {shown(study)}")
    return study[name]


def curves_by_name(runs: list[dict[str, Any]]) -> dict[str, Array]:
    """Return the accuracy by seed and epoch, (seeds, epochs), of each kind of run."""
    curves = defaultdict(list)
    for run in runs:
        curves[run["name"]].append(run["epochs"])
    return {name: np.array(epochs) for name, epochs in curves.items()}


def draw_curves(axes: Any, curves: dict[str, Array]) -> None:
    """Draw the mean over seeds by epoch, in a band of the spread."""
    for (name, accuracy), style in zip(curves.items(), LINES, strict=False):
        epochs = 1 + np.arange(accuracy.shape[1])
        mean, spread = accuracy.mean(axis=0), spread_of(accuracy)
        axes.plot(epochs, mean, label=name, **style)
        axes.fill_between(
            epochs, mean - spread, mean + spread, color=style["color"], alpha=0.25
        )
    axes.set_title("while they learn (mean over seeds, band: spread)", fontsize=LABEL)
    axes.set_xlabel("epoch", fontsize=LABEL)
    axes.set_ylabel("masked words got right", fontsize=LABEL)
    axes.yaxis.set_major_formatter(as_share)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color="0.85")
    axes.legend(fontsize=TICK, loc="lower right")


def spread_of(accuracy: Array) -> Array:
    """Return the standard deviation over seeds, (epochs,); of one seed there is none.
    """
    n_seeds = len(accuracy)
    return accuracy.std(axis=0, ddof=1) if n_seeds > 1 else 0 * accuracy[0]


def draw_ablation(axes: Any, rows: list[dict[str, Any]]) -> None:
    """Draw two bars for each model, masked words and facts, with their spread."""
    for shift, key, name, style in (
        (-0.2, "accuracy", "masked words", PLAIN),
        (0.2, "facts", "facts", HATCHED),
    ):
        means = [row[key]["mean"] for row in rows]
        spreads = [row[key]["spread"] for row in rows]
        places = [i + shift for i in range(len(rows))]
        axes.barh(
            places, means, height=0.38, xerr=spreads, label=name,
            error_kw={"capsize": 4, "elinewidth": 2}, **style,
        )
        for place, mean, spread in zip(places, means, spreads, strict=True):
            axes.text(
                mean + spread + 0.02, place, f"{mean:.1%}", fontsize=TICK, va="center"
            )
    names = [row["name"].replace("without ", "without\n") for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=TICK)
    axes.set_ylim(len(rows) - 0.4, -1.3)         # downwards, the legend above
    axes.set_xlim(0, 1.05)
    axes.xaxis.set_major_formatter(as_share)
    axes.set_title("in the end, on other texts", fontsize=LABEL)
    axes.set_xlabel("got right", fontsize=LABEL)
    axes.legend(fontsize=TICK, loc="upper right", ncols=2)


def as_share(value: float, _: int) -> str:
    """Return a number of an axis as a share."""
    return f"{value:.0%}"


def study_in_words(curves: dict[str, Array], rows: list[dict[str, Any]]) -> str:
    """Say where the curves end, and how the models rank in the end."""
    ends = ", ".join(
        f"{name} {accuracy[:, -1].mean():.1%} (epoch {accuracy.shape[1]})"
        for name, accuracy in curves.items()
    )
    ranked = ", ".join(
        f"{row['name']} {row['accuracy']['mean']:.1%} ± {row['accuracy']['spread']:.1%}"
        f" ({row['facts']['mean']:.1%} of facts)"
        for row in sorted(rows, key=lambda row: -row["accuracy"]["mean"])
    )
    return (
        f"Masked words got right after the last epoch: {ends}. In the end, on other "
        f"texts, from best to worst: {ranked}."
    )
