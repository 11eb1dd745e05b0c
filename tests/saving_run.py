"""Saving on a full disk, or killed meanwhile: python saving_run.py HOW WHAT FOLDER

It saves old things, and then new ones over them, again and again, each time with the
size of a file limited to fewer bytes than one of the new files has. HOW it then fails:

    full    the system refuses to write beyond the limit, as it does on a full disk
    killed  the system kills the process that writes beyond it, in the midst of a file
    large   there is no limit: large files are saved without end, to be killed meanwhile

It prints what a test looks at: for each limit, what came of it and what is there then.
"""

import hashlib
import json
import os
import resource
import signal
import sys
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import ours
from cases import Case

from distilbert_np import DistilBertConfig, DistilBertModel, DistilBertTokenizer
from distilbert_np.commands.embed import save_array
from distilbert_np.training import AdamW
from distilbert_np.training.checkpoints import save_checkpoint

LARGE = {"vocab_size": 20000, "dim": 600, "n_layers": 0}


def small_model(age):
    """Return an old model, or a new one: larger, in every file."""
    config = {"n_layers": 1} if age == "old" else {"note": "x" * 2000}
    return ours.build(Case(f"{age}, to be saved", "token", config), "float32")


def tokenizer(age):
    """Return an old tokenizer, or a new one, which knows more words."""
    words = [f"word{i}" for i in range(3 if age == "old" else 300)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    with TemporaryDirectory() as folder:
        (Path(folder) / "vocab.txt").write_text("\n".join(vocabulary))
        return DistilBertTokenizer.from_pretrained(folder)


def checkpoint(age):
    """Return the function that saves a checkpoint of a training run."""
    state = {"step": 1 if age == "old" else 2, "losses": [0.5] * 9999, "settings": {},
             "evaluations": []}
    return partial(
        save_checkpoint, optimizer=AdamW(small_model(age).params), state=state
    )


def vectors(age):
    """Return the function that saves an array."""
    array = np.arange(10.0 if age == "old" else 1000.0)
    return lambda folder: save_array(folder / "vectors.npy", array)


SAVERS = {
    "model": lambda age: small_model(age).save_pretrained,
    "config": lambda age: small_model(age).config.save_pretrained,
    "tokenizer": lambda age: tokenizer(age).save_pretrained,
    "training": checkpoint,
    "array": vectors,
}


def files(folder):
    """Return a digest of every file in a folder and its folders, by its name there.

    Empty folders count, too.
    """
    return {
        str(path.relative_to(folder)): digest(path)
        for path in sorted(folder.rglob("*"))
    }


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"


def limited(save, folder, how, limit):
    """Save in a process of its own, its files limited; return what came of it."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        if how == "killed":
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            save(folder)
            os.write(writing, b"saved")
        except BaseException as error:
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        os._exit(0)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    with open(reading, encoding="utf-8") as said:
        return said.read() or signal.Signals(status).name


def main(how, what, folder):
    if how == "large":
        return save_without_end(Path(folder))
    save_old, save_new = SAVERS[what]("old"), SAVERS[what]("new")
    there, trial = Path(folder) / "there", Path(folder) / "trial"
    save_old(there)
    save_new(trial)
    sizes = {path.stat().st_size for path in trial.rglob("*") if path.is_file()}
    limits = {limit for size in sizes for limit in (0, 1, size // 2, size - 1)}
    before, found = files(there), []
    for limit in sorted(limits):
        said = limited(save_new, there, how, limit)
        found.append((limit, said, files(there)))
    save_new(there)
    result = {"before": before, "found": found, "after": files(there),
              "new": files(trial)}
    print(json.dumps(result))


def save_without_end(folder):
    """Save a large model, then another over it, and so on; tell what each looks like.
    """
    models = [DistilBertModel(DistilBertConfig(**LARGE), seed=seed) for seed in (0, 1)]
    for i in count():
        models[i % 2].save_pretrained(folder)
        if i < 2:
            print(digest(folder / "model.safetensors"), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
