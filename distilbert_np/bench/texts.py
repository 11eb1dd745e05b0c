"""Many texts of ragged length to vectors: pipeline against pipeline."""

from pathlib import Path

import numpy as np

from ..config import DistilBertConfig
from ..functions import Array
from ..tokenizer import DistilBertTokenizer
from .checkpoint import random_texts
from .contenders import check_agreement, missing, our_embed, torch_features
from .tables import Table, ratio
from .timing import medians, show_progress

COUNT, SHORTEST, LONGEST = 1000, 5, 200          # texts, and tokens in one
RUNS = 3                                         # a run is long: its noise averages out
COLUMNS = {
    "texts": ("texts", "{:,}"),
    "tokens": ("tokens", "{:,}"),
    "ours_s": ("ours s", "{:.1f}"),
    "torch_s": ("torch s", "{:.1f}"),
    "ours_to_torch": ("ours/torch", "{:.2f}"),
    "ours_texts_per_second": ("ours texts/s", "{:.0f}"),
}
NOTES = [
    "ours: the pipeline embed. torch: transformers' pipeline feature-extraction, in",
    "batches of 32; the means of its vectors are taken outside the time.",
]


def measure_texts(
    folder: Path, tokenizer: DistilBertTokenizer, n: int | None, count: int = COUNT
) -> Table:
    """Return the table of many texts; raise DistilBertError if vectors disagree."""
    show_progress("texts: models")
    longest = min(LONGEST, DistilBertConfig.read(folder).max_position_embeddings)
    texts = random_texts(tokenizer, count, SHORTEST, longest)
    lengths = [len(ids) for ids in tokenizer(texts)["input_ids"]]
    embed = our_embed(folder, tokenizer)
    runs = {"ours": lambda: embed(texts)}
    show_progress("texts: compared")
    vectors = {"ours": embed(texts)}
    if not missing("torch"):
        extract = torch_features(folder)
        runs["torch"] = lambda: extract(texts)
        vectors["torch"] = mean_vectors(extract(texts), lengths)
    check_agreement(vectors, "texts")

    show_progress("texts: measured")
    times = {name: ms / 1000 for name, ms in medians(runs, n or RUNS).items()}
    ours, torch = times["ours"], times.get("torch")
    title = f"texts: {count:,} texts of {SHORTEST} to {longest} tokens, as vectors"
    return Table("texts", title, COLUMNS, [{
        "texts": count, "tokens": sum(lengths), "ours_s": ours, "torch_s": torch,
        "ours_to_torch": ratio(ours, torch), "ours_texts_per_second": count / ours,
    }], NOTES)


def mean_vectors(features: list[Array], lengths: list[int]) -> Array:
    """Return the mean over each text's tokens, of Euclidean length 1, (n, D)."""
    means = np.stack([
        vectors[:length].mean(axis=0)
        for vectors, length in zip(features, lengths, strict=True)
    ])                                                             # (n, D)
    return means / np.linalg.norm(means, axis=-1, keepdims=True)
