"""Answers to the exercises of lesson 6, heads and losses."""

import itertools
import math

import numpy as np

from distilbert_np.functions import (
    gelu,
    gelu_new,
    layer_norm,
    linear,
    log_softmax,
    relu,
    sigmoid,
    softmax,
)
from distilbert_np.heads import masked_lm_head
from distilbert_np.heads import sequence_head as library_sequence_head
from distilbert_np.losses import cross_entropy

# Right, and written differently from the library.
RIGHT = {}
# (a wrong answer, words of what it must be told)
WRONG = {}
# A fault of the zoo, planted in the library's own function: words of the diagnosis.
FAULTS = {}


# --- cross-entropy --------------------------------------------------------------------


def entropy_by_loop(logits, labels, ignored=-100):
    losses = []
    for row, label in zip(
        logits.reshape(-1, logits.shape[-1]), labels.ravel(), strict=True
    ):
        if label != ignored:
            largest = max(row)
            total = sum(math.exp(score - largest) for score in row)
            losses.append(largest + math.log(total) - row[label])
    return sum(losses) / len(losses) if losses else float("nan")


def entropy_by_one_hot(logits, labels, ignored=-100):
    one_hot = labels[..., None] == np.arange(logits.shape[-1])
    one_hot &= (labels != ignored)[..., None]
    log_p = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    return -(log_p * one_hot).sum() / (labels != ignored).sum()


def log_p_by_loop(logits, labels):
    rows = log_softmax(logits).reshape(-1, logits.shape[-1])
    return np.array([row[i] for row, i in zip(rows, labels.ravel(), strict=True)])


def entropy_over_all(logits, labels, ignored=-100):
    safe = np.where(labels == ignored, 0, labels)
    return np.mean(-log_p_by_loop(logits, safe) * (labels.ravel() != ignored))


def entropy_clipped(logits, labels, ignored=-100):
    return -log_p_by_loop(logits, np.maximum(labels, 0)).mean()


def entropy_of_all(logits, labels, ignored=-100):
    return -log_p_by_loop(logits, labels).mean()


def entropy_summed(logits, labels, ignored=-100):
    keep = labels != ignored
    return -np.sum(log_p_by_loop(logits[keep], labels[keep]))


def entropy_without_minus(logits, labels, ignored=-100):
    return -1 * entropy_by_loop(logits, labels, ignored)


def entropy_of_scores(logits, labels, ignored=-100):
    keep = labels != ignored
    chosen = np.take_along_axis(logits[keep], labels[keep][:, None], 1)
    return np.mean(-chosen)


def entropy_by_exp(logits, labels, ignored=-100):
    keep = labels != ignored
    p = np.exp(logits[keep])
    p = p / p.sum(1, keepdims=True)
    return -np.log(p[range(len(p)), labels[keep]]).mean()


def entropy_by_log_of_softmax(logits, labels, ignored=-100):
    keep = labels != ignored
    p = np.take_along_axis(softmax(logits[keep]), labels[keep][:, None], 1)
    return -np.log(p).mean()


def entropy_without_log(logits, labels, ignored=-100):
    keep = labels != ignored
    p = softmax(logits[keep])[np.arange(keep.sum()), labels[keep]]
    return (1 - p).mean()


def entropy_with_a_little(logits, labels, ignored=-100):
    keep = labels != ignored
    p = softmax(logits[keep])[np.arange(keep.sum()), labels[keep]]
    return np.mean(-np.log(p + 1e-12))


def entropy_of_a_table(logits, labels, ignored=-100):
    keep = labels != ignored
    return np.mean([-row[labels[keep]] for row in log_softmax(logits[keep])])


def entropy_moved(logits, labels, ignored=-100):
    rows, labels = (logits[:-1], labels[1:]) if labels.ndim == 1 else (
        logits[:, :-1], labels[:, 1:]
    )
    return entropy_by_loop(rows, labels, ignored)


def entropy_of_texts(logits, labels, ignored=-100):
    if labels.ndim == 1:
        return entropy_by_loop(logits, labels, ignored)
    total = 0
    for b in range(len(labels)):
        total += entropy_by_loop(logits[b], labels[b], ignored)
    return total / len(labels)


def entropy_0_of_nothing(logits, labels, ignored=-100):
    loss = entropy_by_loop(logits, labels, ignored)
    return 0.0 if math.isnan(loss) else loss


def entropy_of_rows(logits, labels, ignored=-100):
    keep = labels != ignored
    return [-p for p in log_p_by_loop(logits[keep], labels[keep])]


def entropy_of_one_axis(logits, labels, ignored=-100):
    total, n = 0, 0
    for i in range(len(labels)):
        if labels[i] != ignored:
            total -= log_softmax(logits[i])[labels[i]]
            n += 1
    return total / n


RIGHT["cross_entropy"] = [entropy_by_loop, entropy_by_one_hot]
WRONG["cross_entropy"] = [
    (entropy_over_all, "divided by the number of all labels"),
    (entropy_clipped, "taken for class 0"),
    (entropy_of_all, "used as numbers of classes"),
    (entropy_summed, "the sum over the labels that count"),
    (entropy_without_minus, "The sign is missing"),
    (entropy_of_scores, "until log_softmax has normalised them"),
    (entropy_by_exp, "Large scores overflow"),
    (entropy_by_log_of_softmax, "softmax rounds a small probability to 0"),
    (entropy_moved, "as for GPT"),
    (entropy_of_texts, "a mean of each text's mean"),
    (entropy_0_of_nothing, "a mean of nothing is NaN"),
    (entropy_with_a_little, "Large losses are cut off"),
    (entropy_of_a_table, "takes every label from every row"),
    (entropy_of_rows, "it is a list, not a number"),
    (lambda *given: np.array(entropy_of_rows(*given)), "the losses of the rows"),
    (lambda logits, labels, ignored=-100: entropy_by_loop(logits, labels),
     "−100 is written in the function"),
    (entropy_without_log, "That is 1 − p"),
    (lambda logits, labels, ignored=-100: entropy_by_loop(logits, labels, ignored)
     / math.log(2), "Every number is 1.4427 times the right one"),
    (entropy_of_one_axis, "Right for rows"),
    (lambda logits, labels, ignored=-100: -np.mean(
        log_softmax(logits[labels != ignored])), "mean is over all classes"),
    (lambda logits, labels, ignored=-100: entropy_by_loop(
        softmax(logits), labels, ignored), "Softmax is done twice"),
]
FAULTS["cross_entropy"] = [
    ("ignored-labels-counted", "taken for class 0"),
    ("loss-over-all-places", "divided by the number of all labels"),
]


# --- the masked-LM head and its loss --------------------------------------------------


def masked_lm_by_hand(h, params, decoder, labels):
    x = h @ params["vocab_transform"]["weight"].T + params["vocab_transform"]["bias"]
    x = gelu(x)
    x = (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)
    x = x * params["vocab_layer_norm"]["weight"] + params["vocab_layer_norm"]["bias"]
    logits = np.einsum("bld,vd->blv", x, decoder) + params["vocab_projector"]["bias"]
    return logits, entropy_by_loop(logits, labels)


def masked_lm_word_by_word(h, params, decoder, labels):
    x = layer_norm(
        gelu(linear(h, **params["vocab_transform"])), **params["vocab_layer_norm"]
    )
    bias = params["vocab_projector"]["bias"]
    logits = np.stack(
        [x @ row + b for row, b in zip(decoder, bias, strict=True)], axis=-1
    )
    return logits, entropy_by_one_hot(logits, labels)


def headed(change, loss=entropy_by_loop):
    """Return a wrong answer: `change` says what the last linear reads."""

    def answer(h, params, decoder, labels):
        features = change(h, params)
        logits = features @ decoder.T + params["vocab_projector"]["bias"]
        return logits, loss(logits, labels)

    return answer


def transformed(h, params):
    return linear(h, **params["vocab_transform"])


def normed(x, params):
    return layer_norm(x, **params["vocab_layer_norm"])


def right_features(h, params):
    return normed(gelu(transformed(h, params)), params)


def no_projector_bias(h, params, decoder, labels):
    logits = right_features(h, params) @ decoder.T
    return logits, entropy_by_loop(logits, labels)


def decoder_read_as_dv(h, params, decoder, labels):
    matrix = decoder.ravel().reshape(h.shape[-1], -1)
    logits = right_features(h, params) @ matrix + params["vocab_projector"]["bias"]
    return logits, entropy_by_loop(logits, labels)


def decoder_drawn(h, params, decoder, labels):
    fresh = np.random.RandomState(1).normal(size=decoder.shape)
    return masked_lm_by_hand(h, params, fresh, labels)


def masked_lm_scored(change):
    """Return an answer whose scores are changed before the loss is taken."""
    def answer(h, params, decoder, labels):
        logits = change(masked_lm_by_hand(h, params, decoder, labels)[0])
        return logits, cross_entropy(logits, labels)

    return answer


def masked_lm_from(steps):
    """Return an answer that makes its features from h in another way."""
    def answer(h, params, decoder, labels):
        logits = steps(h, params) @ decoder.T + params["vocab_projector"]["bias"]
        return logits, cross_entropy(logits, labels)

    return answer


def softened(h, params, decoder, labels):
    logits, loss = masked_lm_by_hand(h, params, decoder, labels)
    return np.exp(log_softmax(logits)), loss


RIGHT["masked_lm_loss"] = [masked_lm_by_hand, masked_lm_word_by_word]
WRONG["masked_lm_loss"] = [
    (headed(lambda h, params: normed(transformed(h, params), params)),
     "GELU is missing"),
    (headed(lambda h, params: normed(relu(transformed(h, params)), params)),
     "not ReLU"),
    (headed(lambda h, params: gelu(transformed(h, params))), "LayerNorm is missing"),
    (headed(lambda h, params: gelu(normed(transformed(h, params), params))),
     "in each other's place"),
    (headed(lambda h, params: normed(gelu_new(transformed(h, params)), params)),
     "not right yet. [0]: Right to 3 digits only"),
    (headed(right_features, entropy_over_all), "number of all labels"),
    (headed(right_features, entropy_clipped), "taken for word 0"),
    (headed(right_features, entropy_moved), "as for GPT"),
    (headed(right_features, entropy_summed), "the sum over what counts"),
    (headed(right_features, entropy_of_all), "index -100 is out of bounds"),
    (softened, "Those are probabilities"),
    (no_projector_bias, "lack the bias of vocab_projector"),
    (decoder_read_as_dv, "stored as (D, V)"),
    (decoder_drawn, "no products with the decoder's rows"),
    (lambda *given: masked_lm_head(*given[:3], "gelu")[0], "not 2 things"),
    (lambda *given: masked_lm_by_hand(*given)[1], "not 2 things"),
    (lambda *given: masked_lm_by_hand(*given)[::-1], "in each other's place"),
    (lambda *given: (softmax(masked_lm_by_hand(*given)[0]),
                     masked_lm_by_hand(*given)[1]), "Those are probabilities"),
    (masked_lm_scored(softmax), "Softmax is done twice"),
    (masked_lm_from(lambda h, params: h), "Three steps are missing"),
    (masked_lm_from(lambda h, params: linear(h, **params["vocab_transform"])),
     "two steps are missing"),
]
FAULTS["masked_lm_loss"] = [
    ("head-activation-missing", "GELU is missing"),
    ("decoder-untied", "no products with the decoder's rows"),
    ("decoder-transposed", "stored as (D, V)"),
    ("ignored-labels-counted", "taken for word 0"),
    ("loss-over-all-places", "number of all labels"),
]


# --- the head that classifies a text --------------------------------------------------


def sequence_by_einsum(h, params):
    pre, last = params["pre_classifier"], params["classifier"]
    hidden = np.einsum("bd,od->bo", h[:, 0, :], pre["weight"]) + pre["bias"]
    return np.einsum("bd,cd->bc", np.clip(hidden, 0, None), last["weight"]) + (
        last["bias"]
    )


def sequence_by_loop(h, params):
    rows = []
    for text in h:
        hidden = params["pre_classifier"]["weight"] @ text[0]
        hidden = hidden + params["pre_classifier"]["bias"]
        hidden = hidden * (hidden > 0)
        rows.append(
            params["classifier"]["weight"] @ hidden + params["classifier"]["bias"]
        )
    return np.array(rows)


def classified(choose, activation):
    """Return an answer that reads what `choose` takes of h, with an activation."""

    def answer(h, params):
        pre, last = params["pre_classifier"], params["classifier"]
        hidden = activation(choose(h) @ pre["weight"].T + pre["bias"])
        return hidden @ last["weight"].T + last["bias"]

    return answer


def first(h):
    return h[:, 0]


RIGHT["sequence_head"] = [sequence_by_einsum, sequence_by_loop]
WRONG["sequence_head"] = [
    (classified(first, np.tanh), "BERT's pooler"),
    (classified(first, gelu), "whatever the configuration says"),
    (classified(first, lambda x: x), "stands ReLU"),
    (classified(lambda h: h[:, -1], relu), "The last token is classified"),
    (classified(lambda h: h.sum(1) / h.shape[1], relu), "The mean of all tokens"),
    (classified(lambda h: h, relu), "Every token gets scores"),
    (classified(first, sigmoid), "not right yet. For a text of one token"),
    (classified(lambda h: h[0], relu), "h[0] is the first text"),
    (lambda h, params: np.maximum(classified(first, np.array)(h, params), 0),
     "scores may be negative"),
    (lambda h, params: first(h) @ params["classifier"]["weight"].T
     + params["classifier"]["bias"], "are missing"),
    (lambda h, params: relu(linear(first(h), **params["pre_classifier"]))
     @ params["classifier"]["weight"].T, "bias of classifier is missing"),
    (lambda h, params: np.exp(log_softmax(sequence_by_loop(h, params))),
     "Those are probabilities"),
    (library_sequence_head, "it is a tuple"),
    (lambda h, params: log_softmax(sequence_by_einsum(h, params)), "logarithms of"),
    (lambda h, params: np.maximum(sequence_by_einsum(h, params), 0), "second ReLU"),
]
FAULTS["sequence_head"] = [
    ("pooler-tanh", "BERT's pooler"),
    ("last-token-taken", "The last token is classified"),
]


# --- several choices ------------------------------------------------------------------


def choices_by_loop(h, params, n_choices):
    scores = sequence_by_loop(h, params)[:, 0]
    return np.array([
        scores[i : i + n_choices] for i in range(0, len(scores), n_choices)
    ])


def choices_by_split(h, params, n_choices):
    scores, _ = library_sequence_head(h, params)
    return np.stack(np.split(scores.ravel(), len(h) // n_choices))


def choices_by_stride(h, params, n_choices):
    scores = sequence_by_loop(h, params)[:, 0]
    n_texts = len(scores) // n_choices
    return np.array([scores[i::n_texts] for i in range(n_texts)])


RIGHT["choice_head"] = [choices_by_loop, choices_by_split]
WRONG["choice_head"] = [
    (choices_by_stride, "Choices and texts are swapped"),
    (lambda h, params, n: np.array(np.split(sequence_by_loop(h, params)[:, 0], n)),
     "became the number of rows"),
    (lambda h, params, n: np.swapaxes(choices_by_loop(h, params, n), 0, 1),
     "The shape is (C, B)"),
    (lambda h, params, n: sequence_by_loop(h, params), "one below the other"),
    (lambda h, params, n: softmax(choices_by_loop(h, params, n)),
     "Those are probabilities"),
    (lambda h, params, n: library_sequence_head(h, params).reshape(-1, n),
     "has no attribute"),
]


# --- the loss of an answer's two ends -------------------------------------------------


def question_by_loop(logits, starts, ends):
    L = logits.shape[1]
    means = []
    for side, places in enumerate((starts, ends)):
        losses = []
        for text, place in zip(logits, places, strict=True):
            if place < L:
                scores = text[:, side]
                losses.append(np.logaddexp.reduce(scores) - scores[max(place, 0)])
        means.append(np.mean(losses))
    return sum(means) / 2


def question_by_minus_100(logits, starts, ends):
    L = logits.shape[1]
    labels = np.stack([starts, ends])
    labels = np.where(labels >= L, -100, np.maximum(labels, 0))
    by_end = np.moveaxis(logits, -1, 0)
    both = [entropy_by_one_hot(*pair) for pair in zip(by_end, labels, strict=True)]
    return 0.5 * both[0] + 0.5 * both[1]


def question_with(places, combine=np.mean, sides=(0, 1)):
    """Return an answer that first does something to the places, given L."""

    def answer(logits, starts, ends):
        L = logits.shape[1]
        pairs = [(logits[:, :, sides[0]], starts), (logits[:, :, sides[1]], ends)]
        return combine([
            cross_entropy(scores, places(labels, L), L) for scores, labels in pairs
        ])

    return answer


def clamped(labels, L):
    return np.minimum(np.maximum(labels, 0), L)


def question_in_one(logits, starts, ends):
    L = logits.shape[1]
    rows = np.moveaxis(logits, -1, 1)                              # (B, 2, L)
    labels = clamped(np.stack([starts, ends], axis=1), L)          # (B, 2)
    return cross_entropy(rows, labels, L)


def question_halved(logits, starts, ends):
    L = logits.shape[1]
    a = cross_entropy(logits[..., 0], np.clip(starts, 0, L), L)
    b = cross_entropy(logits[..., 1], np.clip(ends, 0, L), L)
    return a + b / 2


def question_of_two(logits, starts, ends):
    L = logits.shape[-1]
    a = cross_entropy(logits[..., 0], np.clip(starts, 0, L), L)
    return (a + cross_entropy(logits[..., 1], np.clip(ends, 0, L), L)) / 2


RIGHT["question_answering_loss"] = [question_by_loop, question_by_minus_100]
WRONG["question_answering_loss"] = [
    (question_with(clamped, sum), "Their mean is asked for"),
    (question_with(clamped, sides=(1, 0)), "Start and end are swapped"),
    (question_with(clamped, lambda both: both[0]), "the start alone"),
    (question_with(clamped, lambda both: both[1]), "the end alone"),
    (question_with(lambda labels, L: labels.clip(max=L)), "takes −1 for the last"),
    (question_with(lambda labels, L: labels.clip(0, L - 1)), "taken for the last"),
    (question_with(lambda labels, L: np.where((labels < 0) | (labels > L), L, labels)),
     "Positions below 0 are left out"),
    (question_in_one, "one mean over all starts and ends"),
    (lambda logits, starts, ends: (
        entropy_by_one_hot(logits[..., 0], starts) + cross_entropy(logits[..., 1], ends)
    ) / 2, "not right yet. Right for two texts"),
    (lambda logits, starts, ends: np.mean([
        cross_entropy(logits[..., 0], starts), cross_entropy(logits[..., 1], ends)
    ]), "Positions outside the text"),
    (question_halved, "Only the second loss is halved"),
    (question_of_two, "its length is 2"),
]


# --- the best span --------------------------------------------------------------------


def span_by_loops(starts, ends):
    best, span = -math.inf, None
    for start in range(len(starts)):
        for end in range(start, min(start + 30, len(ends))):
            if starts[start] + ends[end] > best:
                best, span = starts[start] + ends[end], (start, end)
    return span


def span_by_sorting(starts, ends):
    pairs = itertools.product(range(len(starts)), repeat=2)
    pairs = [(i, j) for i, j in pairs if i <= j <= i + 29]
    return max(pairs, key=lambda pair: starts[pair[0]] + ends[pair[1]])


def spans_where(is_possible):
    """Return an answer that tries pairs, of a start i and an end j, in order."""

    def answer(starts, ends):
        pairs = itertools.product(range(len(starts)), repeat=2)
        pairs = (pair for pair in pairs if is_possible(*pair))
        return max(pairs, key=lambda pair: starts[pair[0]] + ends[pair[1]])

    return answer


def span_greedy(starts, ends):
    start = np.argmax(starts)
    end = max(range(start, min(len(ends), start + 30)), key=lambda j: ends[j])
    return start, end


def span_from(best, score):
    """Return an answer by loops, with the best so far, and the score of a pair."""
    def answer(starts, ends):
        most, pair = best, None
        for i in range(len(starts)):
            for j in range(i, min(i + 30, len(ends))):
                if score(starts[i], ends[j]) > most:
                    most, pair = score(starts[i], ends[j]), (i, j)
        return pair

    return answer


def span_in_triangle(starts, ends):
    scores = np.tril(np.triu(starts[:, None] + ends), 29)
    return np.unravel_index(scores.argmax(), scores.shape)


RIGHT["best_span"] = [span_by_loops, span_by_sorting]
WRONG["best_span"] = [
    (lambda starts, ends: (np.argmax(starts), np.argmax(ends)), "each the best alone"),
    (span_greedy, "The best start is fixed first"),
    (lambda starts, ends: (starts.argmax(), starts.argmax() + np.argmax(
        ends[starts.argmax() :])), "The best start is fixed first"),
    (lambda starts, ends: (starts.argmax(), np.argmax(ends[starts.argmax() :])),
     "how far behind the start"),
    (lambda starts, ends: divmod(int((starts + ends[:, None]).argmax()), len(ends)),
     "The end lies before the start"),
    (lambda starts, ends: np.subtract(span_by_loops(starts, ends), (0, 1)).tolist(),
     "not right yet. For four tokens"),
    (spans_where(lambda i, j: i < j < i + 30), "may be one token long"),
    (spans_where(lambda i, j: i <= j), "The answer is too long"),
    (spans_where(lambda i, j: i <= j <= i + 30), "31 tokens are allowed"),
    (spans_where(lambda i, j: i <= j < i + 29), "Only 29 tokens are allowed"),
    (spans_where(lambda i, j: abs(i - j) < 30), "its end may come before its start"),
    (lambda *given: span_by_loops(*given)[::-1], "in each other's place"),
    (lambda *given: (span_by_loops(*given)[0], span_by_loops(*given)[1] + 1),
     "one past the end"),
    (lambda starts, ends: int((starts[:, None] + ends).argmax()), "it is a number"),
    (span_in_triangle, "has the score 0"),
    (span_from(-np.inf, lambda a, b: a * b), "multiplied"),
    (lambda *given: np.array(span_by_loops(*given)), "not 2 things"),
]
