"""How good a model is, on examples that it was not trained on."""

from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from ..functions import Array
from ..losses import IGNORED
from ..models import DistilBertPreTrainedModel
from ..outputs import ModelOutput
from ..tokenizer import DistilBertTokenizer
from .batches import (
    LABELLED_TOKENS,
    Batch,
    Example,
    batches_by_length,
    checked_examples,
    checked_mask_weights,
    length,
    make_batch,
    n_labels,
)

Metrics = dict[str, float]
LONGEST_ANSWER = 30                              # tokens
SINGLE_LABEL = "single_label_classification"


def evaluate(
    model: DistilBertPreTrainedModel,
    examples: Sequence[Example],
    tokenizer: DistilBertTokenizer | None = None,
    *,
    batch_size: int = 16,
    seed: int = 0,
    mask_weights: Array | None = None,
) -> Metrics:
    """Return how a model does on examples: first the metric to judge it by, last loss.

    masked LM               accuracy of the masked tokens
    sequence                accuracy, and f1, the mean of the classes'
    multiple choice         accuracy
    token                   f1 of the spans that the tags mark, accuracy of the tags
    question answering      f1 of the answers' tokens, exact_match of the answers

    Regression and multi-label classification have only their loss. Which tokens are
    masked depends on `seed`, `batch_size` and, if given, the `mask_weights` (V,) of the
    vocabulary. An answer may be found anywhere in the input. Raises InputError where no
    label counts.
    """
    examples = checked_examples("examples", examples, model.head)
    weights = checked_mask_weights(mask_weights, model)
    rng = np.random.default_rng(seed)
    lengths = [length(example) for example in examples]
    losses, counts, predictions, labels = [], [], [], []
    for rows in batches_by_length(lengths, batch_size, rng):
        chosen = [examples[row] for row in rows]
        batch = make_batch(chosen, model, tokenizer, rng, weights)
        if not n_labels(batch):
            continue                             # its loss would be NaN
        out = model(**batch)
        losses.append(float(out.loss))
        counts.append(n_labels(batch))
        predictions += [*predicted(out, batch)]
        labels += [*expected(batch, model.head)]
    if not losses:
        raise InputError("examples: no label counts: all are −100, or beyond the text")
    loss = {"loss": float(np.average(losses, weights=counts))}
    if model.head == "sequence" and model.config.problem_type != SINGLE_LABEL:
        return loss
    return METRICS[model.head](predictions, labels, model.config.id2label) | loss


def predicted(out: ModelOutput, batch: Batch) -> Array:
    """Return the likeliest classes (B,) or (B, L), or answers (B, 2): first and last.
    """
    if "start_positions" not in batch:
        return out.logits.argmax(axis=-1)
    hidden = np.where(batch["attention_mask"], 0, -np.inf)               # (B, L)
    starts, ends = out.start_logits + hidden, out.end_logits + hidden
    return np.array([best_span(*pair) for pair in zip(starts, ends, strict=True)])


def best_span(starts: Array, ends: Array) -> tuple[int, int]:
    """Return first and last token of the likeliest answer, from scores (L,) and (L,).

    It ends where it starts or later, and has at most LONGEST_ANSWER tokens.
    """
    scores = starts[:, None] + ends                                      # (L, L)
    positions = np.arange(len(starts))
    distance = positions - positions[:, None]                            # (L, L)
    possible = (distance >= 0) & (distance < LONGEST_ANSWER)
    best = np.where(possible, scores, -np.inf).argmax()
    start, end = np.unravel_index(best, scores.shape)
    return int(start), int(end)


def expected(batch: Batch, head: str) -> Array:
    """Return the labels (B,) or (B, L), or the answers (B, 2)."""
    if "start_positions" not in batch:
        labels = batch["labels"]
        is_column = labels.shape[1:] == (1,) and head not in LABELLED_TOKENS
        return labels[:, 0] if is_column else labels
    ends = (batch["start_positions"], batch["end_positions"])
    return np.stack([positions.reshape(-1) for positions in ends], axis=-1)


# --- the metrics of each head ---------------------------------------------------------
# Each takes a prediction and a label for every example, and the names of the classes.


def f1_score(n_shared: int, n_predicted: int, n_expected: int) -> float:
    """Return the harmonic mean of precision and recall; 1 where nothing is to find."""
    total = n_predicted + n_expected
    return 2 * n_shared / total if total else 1.0


def accuracy(predictions: Sequence[Array], labels: Sequence[Array]) -> float:
    """Return the share of right predictions where a label is not −100."""
    flat_predictions, flat_labels = np.hstack(predictions), np.hstack(labels)
    counted = flat_labels != IGNORED
    return float((flat_predictions == flat_labels)[counted].mean())


def word_metrics(predictions: list[Array], labels: list[Array], names: dict) -> Metrics:
    """Return the accuracy, of masked words or of choices."""
    return {"accuracy": accuracy(predictions, labels)}


def class_metrics(
    predictions: list[Array], labels: list[Array], names: dict
) -> Metrics:
    """Return the accuracy, and the mean F1 of the classes that occur."""
    counted = np.array(labels) != IGNORED
    found, true = np.array(predictions)[counted], np.array(labels)[counted]
    by_class = [
        f1_score(
            np.sum((found == number) & (true == number)),
            np.sum(found == number), np.sum(true == number),
        )
        for number in np.union1d(found, true)
    ]
    return {"accuracy": accuracy(predictions, labels), "f1": float(np.mean(by_class))}


def tag_metrics(predictions: list[Array], labels: list[Array], names: dict) -> Metrics:
    """Return the F1 of the spans that the tags mark, and the accuracy of the tags."""
    n_shared = n_predicted = n_expected = 0
    for prediction, label in zip(predictions, labels, strict=True):
        counted = label != IGNORED
        found = spans([names[tag] for tag in prediction[counted]])
        true = spans([names[tag] for tag in label[counted]])
        n_shared += len(found & true)
        n_predicted += len(found)
        n_expected += len(true)
    f1 = f1_score(n_shared, n_predicted, n_expected)
    return {"f1": f1, "accuracy": accuracy(predictions, labels)}


def spans(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """Return the spans that tags mark: their kind, first and last token.

    "B-animal" opens a span and "I-animal" goes on with it; tags without such letters
    mark a span by repeating. "O" is outside.
    """
    found, kind, start = set(), "O", 0
    for i, tag in enumerate([*tags, "O"]):
        letter, name = (tag[0], tag[2:]) if tag[:2] in ("B-", "I-") else ("", tag)
        if name != kind or letter == "B":
            if kind != "O":
                found.add((kind, start, i - 1))
            kind, start = name, i
    return found


def answer_metrics(
    predictions: list[Array], labels: list[Array], names: dict
) -> Metrics:
    """Return the mean F1 of the answers' tokens, and the share that match exactly."""
    f1, exact = [], []
    for (start, end), (true_start, true_end) in zip(predictions, labels, strict=True):
        n_shared = max(0, min(end, true_end) - max(start, true_start) + 1)
        f1.append(f1_score(n_shared, end - start + 1, true_end - true_start + 1))
        exact.append((start, end) == (true_start, true_end))
    return {"f1": float(np.mean(f1)), "exact_match": float(np.mean(exact))}


METRICS = {
    "masked_lm": word_metrics,
    "sequence": class_metrics,
    "multiple_choice": word_metrics,
    "token": tag_metrics,
    "question_answering": answer_metrics,
}
