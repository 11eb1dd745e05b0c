"""Threads side by side compute what one computes, bit for bit; a forked child too."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import ours
import pytest
from cases import CASES, SMALL

from distilbert_np import (
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertModel,
    DistilBertTokenizer,
    blocks,
    pipeline,
    runtime,
)
from distilbert_np.trees import flatten

LENGTHS = (1, 2, 3, 5, 7, 9, 11, 12)             # one for each thread
TEXTS = [
    "The cat is small.", "The capital of France is Paris. " * 5, "", "hot and cold",
    "A dog can run, and a bird can fly over the house.", "Blue! " * 30, "two", "unseen",
]


@pytest.fixture(autouse=True)
def restless():
    """Have Python turn from thread to thread as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.fixture
def busy_helpers(monkeypatch):
    """Have even small arrays cut into blocks, for three threads to share."""
    monkeypatch.setattr(blocks, "BLOCK", 32)
    for module in (blocks, runtime):
        monkeypatch.setattr(module, "n_threads", lambda: 3)
    runtime.helpers.cache_clear()
    yield
    runtime.helpers.cache_clear()


def side_by_side(tasks):
    """Call each task in a thread of its own, all at once; return what they return."""
    start = threading.Barrier(len(tasks))

    def run(task):
        start.wait(timeout=60)
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))


def check(tasks, rounds=3):
    """Check that tasks do alone and side by side the same, several times over."""
    alone = [task() for task in tasks]
    assert len({str(answer) for answer in alone}) == len(tasks)  # none like another's
    for _ in range(rounds):
        assert side_by_side(tasks) == alone


def bits(arrays):
    """Return the bytes of named arrays."""
    return {name: np.asarray(array).tobytes() for name, array in arrays.items()}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("head", ours.CLASSES)
def test_a_model(busy_helpers, head, dtype):
    model = ours.build(CASES[head], dtype)

    def everything(case):
        out = model(**case.arguments(), **ours.EVERYTHING)
        grads = model.backward(out, case.cotangents())
        return bits(ours.outputs(out)) | bits(out.trace) | bits(flatten(grads))

    cases = [replace(CASES[head], length=length) for length in LENGTHS]
    check([lambda case=case: everything(case) for case in cases])


def test_a_tokenizer():
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")
    cuts = [
        {}, *({"truncation": True, "max_length": length} for length in range(3, 8)),
        {"padding": "max_length", "max_length": 60}, {"padding": True},
    ]
    check([lambda cut=cut: tokenizer(TEXTS, **cut) for cut in cuts], rounds=20)


def test_a_tokenizer_that_is_saved_meanwhile(tmp_path):
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")

    def save():
        for _ in range(10):
            tokenizer.save_pretrained(tmp_path)
        return (tmp_path / "tokenizer.json").read_text(encoding="utf-8")

    def cut(length):
        options = {"truncation": True, "max_length": length}
        return [tokenizer("The cat is small.", **options) for _ in range(500)]

    cuts = [lambda length=length: cut(length) for length in (3, 4, 5)]
    check([save, *cuts], rounds=5)


def test_two_pipelines_that_share_a_tokenizer():
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")
    small = SMALL | {"vocab_size": len(tokenizer)}
    fill = pipeline("fill-mask", DistilBertForMaskedLM(DistilBertConfig(**small)),
                    tokenizer)
    embed = pipeline("embed", DistilBertModel(DistilBertConfig(**small)), tokenizer)

    def fill_some(word):
        return [fill(f"The [MASK] is {word}.", top_k=3) for _ in range(20)]

    def embed_some(word):                        # of these texts, half must be cut
        return embed([f"{word} cat " * n for n in range(1, 11)] * 5).tobytes()

    words = ["hot", "cold", "blue", "small"]
    check([lambda word=word: fill_some(word) for word in words]
          + [lambda word=word: embed_some(word) for word in words])


# --- no thread waits for ever ---------------------------------------------------------

FORK = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from distilbert_np import DistilBertForMaskedLM, DistilBertTokenizer, blocks, runtime

blocks.BLOCK = 1 << 11
runtime.n_threads = blocks.n_threads = lambda: 1 + int(sys.argv[1])
model = DistilBertForMaskedLM.from_pretrained("tiny")
tokenizer = DistilBertTokenizer.from_pretrained("tiny")

def work(number):
    inputs = tokenizer(["The cat is small."] * number, return_tensors="np")
    out = model(**inputs, labels=inputs.input_ids, trace=True)
    return float(out.loss), model.backward(out)["vocab_projector"]["bias"].tobytes()

def work_in_a_pool():
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(work, range(1, 5)))

expected = [work(number) for number in range(1, 5)]
assert work_in_a_pool() == expected
child = os.fork()
if child == 0:
    same = [work(number) for number in range(1, 5)] == work_in_a_pool() == expected
    os._exit(0 if same else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
FORK_WHILE_ENCODING = """
import os, sys, threading
from distilbert_np import DistilBertTokenizer

tokenizer = DistilBertTokenizer.from_pretrained("tiny")
texts, done = ["The cat is small."] * 20, threading.Event()

def encode():
    while not done.is_set():
        tokenizer(texts, truncation=True, max_length=5)

threads = [threading.Thread(target=encode) for _ in range(2)]
for thread in threads:
    thread.start()
codes = []
for _ in range(20):
    child = os.fork()
    if child == 0:
        os._exit(len(tokenizer("The cat is small.").input_ids) != 7)
    codes.append(os.waitpid(child, 0)[1])
done.set()
sys.exit(any(codes))
"""

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is Unix's")


def ends_well(code, *arguments):
    """Check that a program ends, within a minute or two, and with status 0."""
    command = [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
    subprocess.run(command, check=True, timeout=120)


@needs_fork
@pytest.mark.parametrize("helpers", [1, 2, 4])
def test_a_model_in_a_pool_of_threads_and_in_a_forked_child(helpers):
    ends_well(FORK, helpers)


@needs_fork
def test_a_tokenizer_in_a_child_forked_while_threads_encode():
    ends_well(FORK_WHILE_ENCODING)
