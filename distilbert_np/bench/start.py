"""From a cold start: the first answer, its time and memory, and the time of an import.

Each run is a process of its own; the files are in the system's cache by then.
"""

import json
import statistics
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import DistilBertError
from ..tokenizer import DistilBertTokenizer
from .checkpoint import words
from .contenders import missing
from .tables import Table, ratio
from .timing import in_turn, launched, show_progress

THEIRS = """\
import json, sys
from transformers import pipeline
folder, text = sys.argv[1:]
print(json.dumps(pipeline("fill-mask", folder)(text)[0]["token_str"]))
"""
IMPORT = """\
import time
start = time.perf_counter()
import {}
print(1000 * (time.perf_counter() - start))
"""
ANSWER_COLUMNS = {
    "ours_ms": ("ours ms", "{:.0f}"),
    "torch_ms": ("torch ms", "{:.0f}"),
    "ours_to_torch": ("ours/torch", "{:.2f}"),
    "ours_mb": ("ours peak MB", "{:.0f}"),
    "torch_mb": ("torch peak MB", "{:.0f}"),
    "ours_to_torch_mb": ("ours/torch", "{:.2f}"),
}
IMPORT_COLUMNS = {
    "ours_ms": ("distilbert_np ms", "{:.0f}"),
    "numpy_ms": ("numpy ms", "{:.0f}"),
    "ours_to_numpy": ("distilbert_np/numpy", "{:.2f}"),
}


def measure_start(
    folder: Path, tokenizer: DistilBertTokenizer, n: int | None
) -> list[Table]:
    """Return two tables: the first answer of fill-mask, and the import."""
    return [measure_answer(folder, tokenizer, n), measure_import(n)]


def measure_answer(
    folder: Path, tokenizer: DistilBertTokenizer, n: int | None
) -> Table:
    """Return the table of the first answer, after the contenders gave the same one."""
    text = " ".join([*words(tokenizer)[:5], tokenizer.mask_token])
    fill_mask = ["fill-mask", text, "--model", str(folder), "--json", "--top-k", "1"]
    commands = {"ours": ["-m", __package__.partition(".")[0], *fill_mask]}
    if not missing("torch"):
        commands["torch"] = ["-c", THEIRS, str(folder), text]
    show_progress("start: the first answer")
    measures = {name: partial(launched, command) for name, command in commands.items()}
    check_answers({name: measure() for name, measure in measures.items()})
    runs = in_turn(measures, n)
    row = {}
    for key, field in (("ms", "milliseconds"), ("mb", "megabytes")):
        for name in ("ours", "torch"):
            row[f"{name}_{key}"] = median_of(runs.get(name, []), field)
    row["ours_to_torch"] = ratio(row["ours_ms"], row["torch_ms"])
    row["ours_to_torch_mb"] = ratio(row["ours_mb"], row["torch_mb"])
    title = "start: from the start of a process to the first answer of fill-mask"
    return Table("start", title, ANSWER_COLUMNS, [row])


def check_answers(runs: dict[str, dict[str, Any]]) -> None:
    """Raise DistilBertError unless PyTorch, if it is there, found the same word."""
    words = {name: json.loads(run["line"]) for name, run in runs.items()}
    ours = words["ours"]["masks"][0][0]["token_str"]
    if words.get("torch", ours) != ours:
        raise DistilBertError(
            f"start: ours answers {ours!r}, torch {words['torch']!r}; nothing was "
            "measured"
        )


def median_of(runs: list[dict[str, Any]], field: str) -> float | None:
    """Return the median of what was measured, None where nothing was."""
    values = [run[field] for run in runs if run[field] is not None]
    return statistics.median(values) if values else None


def measure_import(n: int | None) -> Table:
    """Return the table of importing this package, beside NumPy, which it imports."""
    show_progress("start: imports")
    names = {"ours": __package__.partition(".")[0], "numpy": "numpy"}
    measures = {
        name: partial(launched, ["-c", IMPORT.format(module)])
        for name, module in names.items()
    }
    for measure in measures.values():
        measure()
    runs = in_turn(measures, n)
    ours, numpy = (
        statistics.median(float(run["line"]) for run in runs[name]) for name in names
    )
    row = {"ours_ms": ours, "numpy_ms": numpy, "ours_to_numpy": ratio(ours, numpy)}
    return Table("start", "start: import, with what it imports", IMPORT_COLUMNS, [row])
