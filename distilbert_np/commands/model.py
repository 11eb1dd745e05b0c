"""The model that answers a command: loaded, and named at the end."""

import warnings
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

from ..config import DistilBertConfig
from ..errors import InputError, one_line
from ..hub import CONFIG_FILES, find_model, is_embedded
from ..inspection import other_class
from ..pipelines import ALIASES, PIPELINES, Pipeline, pipeline
from ..tokenizer import DistilBertTokenizer
from ..weights import listing

REAL_MODEL = "distilbert-base-uncased"
REAL = {                                         # on the Hub, and their megabytes
    "fill-mask": (REAL_MODEL, 268),
    "classify": ("distilbert-base-uncased-finetuned-sst-2-english", 268),
    "tag": ("Davlan/distilbert-base-multilingual-cased-ner-hrl", 539),
    "answer": ("distilbert-base-cased-distilled-squad", 261),
    "embed": (REAL_MODEL, 268),
}
TAUGHT = {                                       # of the embedded models' tiny world
    "fill-mask": "simple facts",
    "classify": "reviews and feelings",
    "tag": "people, places and animals",
    "answer": "short stories",
    "choose": "facts and their endings",
    "embed": "simple facts",
}


def load(verb: str, name: str, dtype: Any) -> Pipeline:
    """Return the pipeline of a verb; refuse a model whose head is not trained for it.

    Its answers would be chance that looks like knowledge.
    """
    wanted = PIPELINES[ALIASES.get(verb, verb)].model_class.head
    folder = find_model(name, CONFIG_FILES, head=wanted)
    if other := other_class(DistilBertConfig.read(folder), wanted):
        raise not_trained(verb, name, f"it is a {other}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)     # an error says it better
        pipe = pipeline(verb, name, dtype=dtype)
    if missing := pipe.model.load_report.missing:
        raise not_trained(verb, name, f"it has no {listing(missing)}")
    return pipe


def not_trained(verb: str, name: str, why: str) -> InputError:
    """Return the error that tells of models which a verb could use."""
    known = f", or --model {REAL[verb][0]}" if verb in REAL else ""
    task = "masked-lm" if verb == "fill-mask" else verb
    return InputError(
        f"--model {name}: its head for {verb} is not trained ({why}); train one "
        f"(python -m distilbert_np train --task {task} …) and give --model "
        f"FOLDER{known}"
    )


def who_answered(verb: str, name: str, pipe: Pipeline, unknown: Iterable[str]) -> str:
    """Return a line about the model; of an embedded one, its limits and a way out, too.

    `unknown` are the words that it was asked about and does not know.
    """
    line = f"model: {name}, {pipe.model.num_parameters():,} parameters"
    if not is_tiny(pipe):
        return line
    lines = [f"{line}; it knows only a tiny world of {TAUGHT[verb]}."]
    if words := list(dict.fromkeys(unknown)):
        lines.append(f"It does not know: {listing(words)}")
    return "\n".join([*lines, real_one(verb)])


def real_one(verb: str) -> str:
    """Return where a real model for a verb is to be had."""
    if verb not in REAL:
        return f"One of your own: --model FOLDER, which train --task {verb} wrote"
    name, megabytes = REAL[verb]
    return f"The real one: --model {name} (downloads {megabytes} MB once)"


def is_tiny(pipe: Pipeline) -> bool:
    """Whether a pipeline's model is an embedded one."""
    return is_embedded(Path(pipe.model.load_report.source).parent)


# --- words that the tiny world does not have ------------------------------------------


def unknown_words(pipe: Pipeline, inputs: Any) -> list[str]:
    """Return the words of a text that an embedded model does not know, each once.

    To a real model none are unknown: it was taught to read words in pieces.
    """
    if not is_tiny(pipe):
        return []
    words = (words_in_pieces(pipe.tokenizer, text) for text in texts_of(inputs))
    return list(dict.fromkeys(chain.from_iterable(words)))


def texts_of(inputs: Any) -> list[str]:
    """Return the texts of what is asked: itself, or those in a dictionary or a list."""
    if isinstance(inputs, str):
        return [inputs]
    parts = inputs.values() if isinstance(inputs, dict) else inputs
    return list(chain.from_iterable(map(texts_of, parts)))


def limits(pipe: Pipeline, unknown: list[Any]) -> dict[str, list[Any]]:
    """Return what JSON tells of an embedded model beside its answers."""
    return {"unknown_words": unknown} if is_tiny(pipe) else {}


def words_in_pieces(tokenizer: DistilBertTokenizer, text: str) -> list[str]:
    """Return the words that the vocabulary lacks as wholes, as the text writes them.

    Digits are in it, one by one, but the tiny world writes its numbers in words.
    """
    encoded = tokenizer(text, add_special_tokens=False)
    (encoding,) = encoded.encodings
    words = dict.fromkeys(
        word for word, token in zip(encoded.word_ids(), encoded.tokens(), strict=True)
        if token.startswith("##") or token == tokenizer.unk_token or token.isdigit()
    )
    return [one_line(text[slice(*encoding.word_to_chars(word))]) for word in words]
