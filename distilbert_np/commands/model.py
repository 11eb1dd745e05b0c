"""The model that answers a command: loaded, and named at the end."""

import warnings
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..hub import EMBEDDED
from ..models import DistilBertPreTrainedModel
from ..pipelines import Pipeline, pipeline

REAL_MODEL = "distilbert-base-uncased"
TRAINED = {                                      # for the verbs that tiny cannot answer
    "classify": "distilbert-base-uncased-finetuned-sst-2-english",
    "tag": "Davlan/distilbert-base-multilingual-cased-ner-hrl",
    "answer": "distilbert-base-cased-distilled-squad",
}


def load(verb: str, name: str, dtype: Any) -> Pipeline:
    """Return the pipeline of a verb; refuse a model whose head nobody has trained.

    Its answers would be chance that looks like knowledge.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)     # an error says it better
        pipe = pipeline(verb, name, dtype=dtype)
    if pipe.model.load_report.missing:
        known = f", or --model {TRAINED[verb]}" if verb in TRAINED else ""
        task = "masked-lm" if verb == "fill-mask" else verb
        raise InputError(
            f"--model {name}: its head for {verb} is not trained; train one (python -m "
            f"distilbert_np train --task {task} …) and give --model FOLDER{known}"
        )
    return pipe


def who_answered(name: str, model: DistilBertPreTrainedModel) -> str:
    """Return a line about the model, and for an embedded one, about its limits."""
    line = f"model: {name}, {model.num_parameters():,} parameters"
    if Path(model.load_report.source).parent in EMBEDDED.values():
        line += (
            "; it knows only a tiny world of simple facts.\n"
            f"The real one: --model {REAL_MODEL} (downloads 268 MB once)"
        )
    return line
