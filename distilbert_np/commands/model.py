"""The model that answers a command: loaded, and named at the end."""

import warnings
from pathlib import Path
from typing import Any

from ..config import DistilBertConfig
from ..errors import InputError
from ..hub import EMBEDDED
from ..inspection import other_class
from ..models import DistilBertPreTrainedModel
from ..pipelines import ALIASES, PIPELINES, Pipeline, pipeline
from ..weights import listing

REAL_MODEL = "distilbert-base-uncased"
TRAINED = {                                      # for the verbs that tiny cannot answer
    "classify": "distilbert-base-uncased-finetuned-sst-2-english",
    "tag": "Davlan/distilbert-base-multilingual-cased-ner-hrl",
    "answer": "distilbert-base-cased-distilled-squad",
}


def load(verb: str, name: str, dtype: Any) -> Pipeline:
    """Return the pipeline of a verb; refuse a model whose head is not trained for it.

    Its answers would be chance that looks like knowledge.
    """
    wanted = PIPELINES[ALIASES.get(verb, verb)].model_class.head
    if other := other_class(DistilBertConfig.from_pretrained(name), wanted):
        raise not_trained(verb, name, f"it is a {other}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)     # an error says it better
        pipe = pipeline(verb, name, dtype=dtype)
    if missing := pipe.model.load_report.missing:
        raise not_trained(verb, name, f"it has no {listing(missing)}")
    return pipe


def not_trained(verb: str, name: str, why: str) -> InputError:
    """Return the error that tells of models which a verb could use."""
    known = f", or --model {TRAINED[verb]}" if verb in TRAINED else ""
    task = "masked-lm" if verb == "fill-mask" else verb
    return InputError(
        f"--model {name}: its head for {verb} is not trained ({why}); train one "
        f"(python -m distilbert_np train --task {task} …) and give --model "
        f"FOLDER{known}"
    )


def who_answered(name: str, model: DistilBertPreTrainedModel) -> str:
    """Return a line about the model, and for an embedded one, about its limits."""
    line = f"model: {name}, {model.num_parameters():,} parameters"
    if Path(model.load_report.source).parent in EMBEDDED.values():
        line += (
            "; it knows only a tiny world of simple facts.\n"
            f"The real one: --model {REAL_MODEL} (downloads 268 MB once)"
        )
    return line
