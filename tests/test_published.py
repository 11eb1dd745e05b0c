"""Values others published of the real checkpoints, wherever those are in the cache.

Nothing is downloaded: where a checkpoint is not in the Hugging Face cache, its tests
are skipped, and say so.
"""

import json
import re

import numpy as np
import pytest
from shared_data import SHARED

import distilbert_np as dn
from distilbert_np.functions import softmax

FILE = SHARED / "published_values.json"
ENTRIES = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else []


def checkpoint(cls, entry):
    """Return the model (or tokenizer) an entry is about, if it is in the cache."""
    same_as = re.search(r"\(= (\S+)\)", entry["model"])
    name = same_as[1] if same_as else entry["model"].split()[0]
    try:
        return cls.from_pretrained(name, local_files_only=True)
    except dn.CheckpointError:
        pytest.skip(f"{name} is not in the Hugging Face cache")


def call(cls, entry):
    return checkpoint(cls, entry)(entry["input_ids"], entry.get("attention_mask"))


def part(array, kind):
    """Return the part of an array that a kind such as `logits[:,1:4]` names."""
    for text in re.findall(r"\[([:\d,]+)\]", kind):
        axes = [[int(n) if n else None for n in s.split(":")] for s in text.split(",")]
        array = array[tuple(slice(*a) if len(a) > 1 else a[0] for a in axes)]
    return array


def hidden(entry):
    return part(call(dn.DistilBertModel, entry)[0], entry["kind"])


def first_numbers(entry):
    return call(dn.DistilBertModel, entry)[0].reshape(-1)[:5]


def word_logits(entry):
    return part(call(dn.DistilBertForMaskedLM, entry).logits, entry["kind"])


def class_logits(entry):
    logits = call(dn.DistilBertForSequenceClassification, entry).logits
    return part(logits, entry["kind"])


def tag_logits(entry):
    return part(call(dn.DistilBertForTokenClassification, entry).logits, entry["kind"])


def answer_logits(entry):
    out = call(dn.DistilBertForQuestionAnswering, entry)
    entry["expected"] = [entry["expected"]["start"], entry["expected"]["end"]]
    return [out.start_logits[:, 1:4], out.end_logits[:, 1:4]]


def label_score(entry):
    model = checkpoint(dn.DistilBertForSequenceClassification, entry)
    label, score = entry["expected"]
    decimals = len(str(score).partition(".")[2])
    entry["expected"], entry["atol"] = score, max(1e-4, 0.5 / 10**decimals)
    probabilities = softmax(model(entry["input_ids"]).logits)[0]
    return probabilities[model.config.label2id[label]]


def fill(entry):
    pipeline = dn.FillMaskPipeline(
        checkpoint(dn.DistilBertForMaskedLM, entry),
        checkpoint(dn.DistilBertTokenizer, entry),
    )
    return pipeline(entry["text"])


def fill_order(entry):
    assert [answer["token_str"] for answer in fill(entry)] == entry["expected"]
    entry["expected"] = 0
    return 0


def fill_scores(entry):
    answers = fill(entry)
    found = [[answer["token"], answer["token_str"]] for answer in answers]
    assert found == [expected[:2] for expected in entry["expected"]]
    entry["expected"] = [expected[2] for expected in entry["expected"]]
    return [answer["score"] for answer in answers]


def fill_padded_and_seen(entry):
    """Without an attention mask the padding is seen, as it was where this is from."""
    tokenizer = checkpoint(dn.DistilBertTokenizer, entry)
    ids = tokenizer(entry["text"], padding=True, return_tensors="np")["input_ids"]
    logits = checkpoint(dn.DistilBertForMaskedLM, entry)(ids).logits
    best = logits.argmax(axis=-1)[ids == tokenizer.mask_token_id]
    assert tokenizer.convert_ids_to_tokens(best) == entry["expected"]
    entry["expected"] = 0
    return 0


def fill_hidden(entry):
    """The [MASK] itself is hidden from every token, by the attention mask."""
    tokenizer = checkpoint(dn.DistilBertTokenizer, entry)
    ids = np.array(entry["input_ids"])
    hidden = ids == tokenizer.mask_token_id
    logits = checkpoint(dn.DistilBertForMaskedLM, entry)(ids, ~hidden).logits
    probabilities = softmax(logits[hidden])[0]
    words, entry["expected"] = zip(*entry["expected"], strict=True)
    best = np.argsort(-probabilities)[: len(words)]
    assert tuple(tokenizer.convert_ids_to_tokens(best)) == words
    return probabilities[best]


def answer(entry):
    """The span must be the same; the score is as exact as it was printed."""
    if len(entry["text"]) != 2 or "context in file" in entry["text"][1]:
        pytest.skip("the context is not in the file of published values")
    pipeline = dn.QuestionAnsweringPipeline(
        checkpoint(dn.DistilBertForQuestionAnswering, entry),
        checkpoint(dn.DistilBertTokenizer, entry),
    )
    found, expected = pipeline(*entry["text"]), entry["expected"]
    for name in ("answer", "start", "end"):
        assert found[name] == expected[name]
    decimals = len(str(expected["score"]).partition(".")[2])
    entry["expected"], entry["atol"] = expected["score"], max(1e-4, 1 / 10**decimals)
    return found["score"]


READERS = {
    "last_hidden_state[": hidden,
    "hidden_state[:": hidden,
    "sequence_output": first_numbers,
    "MLM logits": word_logits,
    "seqcls logits": class_logits,
    "tokencls logits": tag_logits,
    "start_logits": answer_logits,
    "fill-mask top-5 softmax": fill_scores,
    "fill-mask top-5 order": fill_order,
    "fill-mask argmax, unpadded-mask NOT passed": fill_padded_and_seen,
    "QA pipeline": answer,
    "NON-STANDARD MASK: keys equal to [MASK]": fill_hidden,
    "label/score": label_score,
    "logits": class_logits,
}


@pytest.mark.skipif(not ENTRIES, reason="the file of published values is not here")
@pytest.mark.parametrize("index", range(len(ENTRIES)) or [0])
def test_published_value(index):
    entry = dict(ENTRIES[index])
    for prefix, reader in READERS.items():
        if entry["kind"].startswith(prefix):
            result = reader(entry)
            tolerance = entry.get("atol", 1e-4)
            np.testing.assert_allclose(result, entry["expected"], 0, tolerance)
            return
    pytest.skip(f"nothing here computes {entry['kind']!r} yet")
