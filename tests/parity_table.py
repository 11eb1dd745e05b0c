"""Print README's parity tables: python tests/parity_table.py

Compares every tensor of every case with the committed reference that PyTorch wrote, and
then every gradient.
"""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1])]

import numpy as np
import ours
from cases import BASE_CASES, CASES, GRADIENT_CASES, Case
from reference import (
    group_of,
    load,
    manifest,
    rms,
    sample,
    sample_gradient,
    stored_gradients,
)

from distilbert_np.parity.bounds import float32_bound

TITLES = {
    "base": "encoder", "masked_lm": "masked LM",
    "sequence": "sequence classification",
    "token": "token classification", "question_answering": "question answering",
    "multiple_choice": "multiple choice",
}


def errors(case: Case) -> list[tuple[float, float, float | None, int]]:
    """Return, for each tensor: float64 error, float32 error, RMS ratio, and size.

    The first is a share of the tensor's largest value, the second of the bound.
    """
    group = group_of(case)
    double, single = ours.run(case, np.float64), ours.run(case, np.float32)
    found = []
    for name, about in manifest(group)["cases"][case.name]["tensors"].items():
        if "same_as" in about:
            continue
        truth = load(group)[f"{case.name}/{name}"]
        if np.isnan(truth).any():
            continue                             # the loss of nothing, on both sides
        double_error = np.abs(sample(double[name], case) - truth).max()
        single_error = sample(single[name], case) - truth
        torch_rms = about["torch_float32_rms"]
        found.append((
            double_error / np.abs(truth).max(),
            np.abs(single_error).max() / float32_bound(truth),
            rms(single_error) / torch_rms if torch_rms and truth.size > 1 else None,
            truth.size,
        ))
    return found


def row(title: str, cases: list[Case]) -> str:
    """Return a row of the table over some cases."""
    found = [error for case in cases for error in errors(case)]
    pooled = [(r**2 * size, size) for _, _, r, size in found if r is not None]
    ratio = np.sqrt(sum(total for total, _ in pooled) / sum(size for _, size in pooled))
    return (
        f"| {title} | {len(cases)} | {len(found)} | {max(e[0] for e in found):.1e} | "
        f"{max(e[1] for e in found):.2f} | {ratio:.2f} |"
    )


def gradient_errors(case: Case) -> list[tuple[float, float, float]]:
    """Return, for each gradient: float64 error, float32 error, PyTorch's float32 error.

    As shares of the tensor's largest gradient; those that are zero are left out.
    """
    double, single = ours.gradients(case, np.float64), ours.gradients(case, np.float32)
    found = []
    for name, (truth, about) in stored_gradients(case).items():
        if about["largest"]:
            off = (
                np.abs(sample_gradient(gradients[name], case) - truth).max()
                for gradients in (double, single)
            )
            parts = (*off, about["torch_float32"])
            found.append(tuple(part / about["largest"] for part in parts))
    return found


def gradient_row(title: str, cases: list[Case]) -> str:
    """Return a row of the table of gradients over some cases."""
    found = [errors for case in cases for errors in gradient_errors(case)]
    worst = " | ".join(f"{max(column):.1e}" for column in zip(*found, strict=True))
    return f"| {title} | {len(cases)} | {len(found)} | {worst} |"


def main() -> None:
    """Print the tables."""
    print("| model | cases | tensors | float64 | float32 | RMS |")
    print("|---|---|---|---|---|---|")
    small = [case for case in CASES.values() if group_of(case) == "small"]
    for head, title in TITLES.items():
        print(row(f"{title}, small", [case for case in small if case.head == head]))
    base = [case for case in CASES.values() if group_of(case) == "base"]
    print(row("masked LM, base size (66,985,530 parameters)", base))

    print("\n| gradients | cases | tensors | float64 | float32 | PyTorch's float32 |")
    print("|---|---|---|---|---|---|")
    small = [case for case in GRADIENT_CASES.values() if case not in BASE_CASES]
    for head, title in TITLES.items():
        cases = [case for case in small if case.head == head]
        print(gradient_row(f"{title}, small", cases))
    print(gradient_row("masked LM, base size", BASE_CASES))


if __name__ == "__main__":
    main()
