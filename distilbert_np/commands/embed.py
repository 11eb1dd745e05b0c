"""embed: texts to vectors, saved, printed or compared."""

import argparse
import json
import os
from collections.abc import Sequence
from io import BytesIO
from itertools import chain
from pathlib import Path

import numpy as np

from ..errors import InputError, one_line
from ..files import written_whole
from ..functions import Array
from .given import given
from .model import limits, load, unknown_words, who_answered

MOST_COMPARED = 8                                # texts: so many columns fit a line


def embed(arguments: argparse.Namespace) -> None:
    """Answer an embed command: print or save the vectors, or compare them."""
    asked = given(arguments.texts, arguments.file, lambda row: row.text("text"))
    texts = [one.inputs for one in asked]
    if arguments.out is not None:
        check_out(arguments.out)
    embedder = load("embed", arguments.model, arguments.dtype)
    vectors = embedder(texts)
    if arguments.out is not None:
        save_array(Path(arguments.out), vectors)
    unknown = [unknown_words(embedder, text) for text in texts]
    if arguments.json:
        told = {"model": arguments.model, "embeddings": vectors.tolist()}
        print(json.dumps(told | limits(embedder, unknown)))
        return
    print(similarity_table(texts, vectors) if len(texts) > 1 else beginning(vectors))
    if arguments.out is not None:
        print(f"\n{vectors.dtype} {vectors.shape} saved in {arguments.out}")
    print(f"\n{who_answered('embed', arguments.model, embedder, chain(*unknown))}")


def check_out(name: str) -> None:
    """Raise InputError unless a file may have this name: before the work, not after it.
    """
    folder, file = os.path.split(name)
    is_free = os.path.isfile(name) or not os.path.exists(name)
    if not (file and os.path.isdir(folder or ".") and is_free):
        raise InputError(
            "--out: expected the name of a regular file, in a folder that exists, "
            f"found {name!r}"
        )


def save_array(path: Path, array: Array) -> None:
    """Write an array as .npy, whole or not at all."""
    with written_whole(path.parent, path.name) as part:
        content = BytesIO()                      # np.save may miss that a disk is full
        np.save(content, array)
        part.write_bytes(content.getbuffer())


def beginning(vectors: Array) -> str:
    """Return the first numbers of each vector (n, D) as a line."""
    return "\n".join(
        f"{' '.join(f'{x:.4f}' for x in vector[:8])} … ({len(vector)} numbers)"
        for vector in vectors
    )


def similarity_table(texts: Sequence[str], vectors: Array) -> str:
    """Return the cosine similarities of the first texts as lines, one for each text."""
    compared = [one_line(text) for text in texts[:MOST_COMPARED]]
    n = len(compared)
    width = min(76 - 7 * n, max(map(len, compared)))
    cosines = vectors[:n] @ vectors[:n].T                                # (n, n)
    lines = [" " * (width + 3) + "".join(f"{i + 1:7}" for i in range(n))]
    for i, text in enumerate(compared):
        cut = text if len(text) <= width else f"{text[: width - 1]}…"
        numbers = "".join(f"{cosine:7.3f}" for cosine in cosines[i])
        lines.append(f"{i + 1}  {cut:<{width}}{numbers}")
    if len(texts) > n:
        lines.append(f"\nThese are the first {n} of {len(texts)} texts.")
    return "\n".join(lines)
