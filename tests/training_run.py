"""A run of training to be killed: python training_run.py KIND FOLDER [MOMENT …]

It prints what a test compares. For each MOMENT the run is first started in a process of
its own, which kills itself where it touches files for the time of that number; the next
one goes on. The moment "slow" is none: from there on each file of tensors is left half
written for a while, so that another process can kill this one meanwhile.
"""

import hashlib
import json
import os
import signal
import sys
import time
from itertools import count

from distilbert_np import (
    DistilBertConfig,
    DistilBertForMaskedLM,
    DistilBertForSequenceClassification,
    DistilBertTokenizer,
    weights,
)
from distilbert_np.training import Recipe, checkpoints, fit, tiny_world
from distilbert_np.trees import flatten

TOUCHES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree"}
RECIPE = Recipe(epochs=3, batch_size=3, accumulate=2, lr=3e-3, seed=5)


def run_of(kind, n_layers=2):
    """Return the arguments of a small run: model, examples, tokenizer, held out."""
    tokenizer = DistilBertTokenizer.from_pretrained("tiny")
    config = DistilBertConfig(
        vocab_size=len(tokenizer), max_position_embeddings=64, dim=12, n_heads=2,
        n_layers=n_layers, hidden_dim=24,
    )
    texts = list(tiny_world.sentences(3, 30))
    examples = [{"input_ids": ids} for ids in tokenizer(texts)["input_ids"]]
    if kind == "masked-lm":
        return DistilBertForMaskedLM(config), examples[6:], tokenizer, examples[:6]
    for example, text in zip(examples, texts, strict=True):
        example["labels"] = int(" is " in text)
    model = DistilBertForSequenceClassification(config)
    return model, examples[6:], tokenizer, examples[:6]


def outcome(model, history):
    """Return all that two runs must share, ready for JSON."""
    bits = b"".join(array.tobytes() for array in flatten(model.params).values())
    return {
        "losses": history.losses,
        "evaluations": history.evaluations,
        "parameters": hashlib.sha256(bits).hexdigest(),
    }


def die_at(moment):
    """Kill this process where it touches files for the time of this number."""
    touches = count(1)

    def hook(event, arguments):
        # Reading the text of a module is not touching the run.
        if event not in TOUCHES or (event == "open" and arguments[1] == "r"):
            return
        if next(touches) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def save_slowly(tensors, path, save=weights.save_tensors):
    """Write half of a file of tensors, wait, and write the whole."""
    save(tensors, path)
    half = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(half)
    time.sleep(0.2)
    save(tensors, path)


def main(kind, folder, *moments):
    def run(moment=None):
        model, examples, tokenizer, held_out = run_of(kind)
        if moment:
            die_at(moment)
        return outcome(model, fit(
            model, examples, tokenizer, RECIPE, held_out=held_out, folder=folder,
            save_every=2, progress=False,
        ))

    for moment in moments:
        if moment == "slow":
            weights.save_tensors = checkpoints.save_tensors = save_slowly
        elif (child := os.fork()) == 0:
            run(int(moment))
            os._exit(0)
        elif os.waitpid(child, 0)[1] not in (0, signal.SIGKILL):
            sys.exit("a run failed that was to be killed")
    print("ready", flush=True)
    print(json.dumps(run()))


if __name__ == "__main__":
    main(*sys.argv[1:])
