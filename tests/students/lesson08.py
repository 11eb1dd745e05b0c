"""Answers to the exercises of lesson 8, distillation."""

import numpy as np

from distilbert_np.losses import cosine_loss, cross_entropy, kl_divergence

# Right, and written differently from the library.
RIGHT = {}
# (a wrong answer, words of what it must be told)
WRONG = {}
# A fault of the zoo, planted in the library's own function: words of the diagnosis.
FAULTS = {}


def softmax(x):
    exp = np.exp(x - x.max(axis=-1, keepdims=True))
    return exp / exp.sum(axis=-1, keepdims=True)


def log_softmax(x):
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


# --- soft targets ---------------------------------------------------------------------


def soft_targets_by_loops(logits, temperature):
    rows = []
    for row in logits:
        powers = np.exp((row - max(row)) / temperature)
        rows.append(powers / sum(powers))
    return np.array(rows)


RIGHT["soft_targets"] = [
    soft_targets_by_loops, lambda x, T: np.exp(log_softmax(x / T)),
]
WRONG["soft_targets"] = [
    (lambda x, T: softmax(x), "The temperature changes nothing"),
    (lambda x, T: softmax(T * x), "sharper, not softer"),
    (lambda x, T: softmax(x) / T, "Soften the scores"),
    (lambda x, T: softmax(softmax(x) / T), "twice"),
    (lambda x, T: np.array([*map(softmax, (x / T).T)]).T, "Columns sum to 1"),
    (lambda x, T: np.exp(x / T) / np.exp(x / T).sum(-1, keepdims=True), "infinite"),
    (lambda x, T: x / T, "scores still"),
    (lambda x, T: softmax(x) ** (1 / T), "Rows do not sum to 1"),
    (lambda x, T: log_softmax(x / T), "not log_softmax"),
    (lambda x, T: softmax(x / 2), "it is an argument"),
    (lambda x, T: np.exp((x - x.max()) / T) / np.exp((x - x.max()) / T).sum(),
     "All numbers together"),
]


# --- KL -------------------------------------------------------------------------------


def kl_by_rows(student_logits, teacher_logits, temperature):
    total = 0
    for student, teacher in zip(student_logits, teacher_logits, strict=True):
        log_p, log_q = log_softmax(teacher / temperature), log_softmax(
            student / temperature
        )
        total += np.exp(log_p) @ (log_p - log_q)
    return temperature**2 * total / len(student_logits)


def kl_of(student, teacher, T):
    """Return p, log p and log q."""
    return softmax(teacher / T), log_softmax(teacher / T), log_softmax(student / T)


def kl_without_square(student, teacher, T):
    p, log_p, log_q = kl_of(student, teacher, T)
    return np.mean(np.sum(p * (log_p - log_q), axis=1))


def kl_weighed_by_student(student, teacher, T):
    q, log_q, log_p = kl_of(teacher, student, T)
    return T * T * (q * (log_q - log_p)).sum(1).mean()


def kl_mean_of_all(student, teacher, T):
    p, log_p, log_q = kl_of(student, teacher, T)
    return T**2 * (p * (log_p - log_q)).mean()


def kl_of_hard_student(student, teacher, T):
    p, log_p, _ = kl_of(student, teacher, T)
    return T**2 * (p * (log_p - log_softmax(student))).sum(axis=-1).mean()


def kl_of_hard_teacher(student, teacher, T):
    p, log_p, _ = kl_of(student, teacher, 1)
    return T**2 * (p * (log_p - log_softmax(student / T))).sum(axis=-1).mean()


def kl_times_T(student, teacher, T):
    return T * kl_without_square(student, teacher, T)


def kl_without_own_entropy(student, teacher, T):
    p, _, log_q = kl_of(student, teacher, T)
    return -np.einsum("rc,rc->", p, log_q) * T**2 / len(p)


def kl_by_logs(student, teacher, T):
    p, q = softmax(teacher / T), softmax(student / T)
    return T**2 * np.sum(p * np.log(p / q), axis=-1).mean()


def kl_of_rows(student, teacher, T):
    p, log_p, log_q = kl_of(student, teacher, T)
    return T**2 * (p * (log_p - log_q)).sum(axis=-1)


def kl_of_words(student, teacher, T):
    p, log_p, log_q = kl_of(student, teacher, T)
    return T**2 * p * (log_p - log_q)


RIGHT["kl_divergence"] = [
    kl_by_rows, lambda s, t, T: float(kl_without_square(s, t, T) * T**2),
]
WRONG["kl_divergence"] = [
    (kl_without_square, "T² is missing"),
    (kl_times_T, "by T, not by T²"),
    (kl_weighed_by_student, "KL(student ‖ teacher)"),
    (kl_mean_of_all, "over words as well"),
    (lambda s, t, T: kl_of_rows(s, t, T).sum(), "twice the size"),
    (kl_of_hard_student, "Only the teacher is softened"),
    (kl_of_hard_teacher, "Only the student is softened"),
    (lambda s, t, T: T**2 * kl_without_square(s, t, 1), "Neither side is softened"),
    (lambda s, t, T: kl_without_square(s, t, 1), "The temperature is not used"),
    (lambda s, t, T: -T * kl_times_T(s, t, T), "never below 0"),
    (kl_without_own_entropy, "not 0 where both agree"),
    (kl_by_logs, "use log_softmax"),
    (kl_of_rows, "a number for each row"),
    (kl_of_words, "a number for each word"),
    (lambda s, t, T: 0.5 * T**2 * kl_without_square(s, t, T), "0.5 times"),
    (lambda s, t, T: T**2 * (softmax(t) * (
        log_softmax(t / T) - log_softmax(s / T))).sum(-1).mean(), "p is at temp"),
    (lambda s, t, T: T**2 * (softmax(t / T) * (
        log_softmax(t) - log_softmax(s / T))).sum(-1).mean(), "log p is at temp"),
    (lambda s, t, T: T**2 * (softmax(t / T) * (log_softmax(softmax(t / T))
        - log_softmax(softmax(s / T)))).sum(-1).mean(), "Softmax is done twice"),
    (lambda s, t, T: kl_of_words(s, t, T).sum(axis=0).mean(), "down the rows"),
    (lambda s, t, T: 4 * kl_without_square(s, t, T), "The factor is 4"),
]


# --- its gradient ---------------------------------------------------------------------


def slope(dloss, student, teacher, temperature):
    gap = softmax(student / temperature) - softmax(teacher / temperature)
    return dloss * temperature * gap / gap.shape[0]


def slope_by_chain_rule(dloss, student, teacher, T):
    p, q = softmax(teacher / T), softmax(student / T)
    R, C = p.shape
    dx = np.empty((R, C))
    for r in range(R):
        jacobian = np.eye(C) - q[r]              # of log q by the scores / T
        dx[r] = -(p[r] @ jacobian) / T
    return dloss * T**2 * dx / R


RIGHT["kl_divergence_backward"] = [slope, slope_by_chain_rule]
WRONG["kl_divergence_backward"] = [
    (lambda d, s, t, T: slope(d, s, t, T) / T, "one T remains"),
    (lambda d, s, t, T: d * T**2 * (softmax(s / T) - softmax(t / T)) / len(s),
     "a T too many"),
    (lambda d, s, t, T: d * T * (softmax(t / T) - softmax(s / T)) / len(s),
     "leads away from the teacher"),
    (lambda d, s, t, T: d * T * (softmax(s / T) - softmax(t / T)) / s.size,
     "over the rows alone"),
    (lambda d, s, t, T: d * T * (softmax(s / T) - softmax(t / T)),
     "not divided by the number of rows"),
    (lambda d, s, t, T: d * T * (softmax(s) - softmax(t / T)) / len(s),
     "The student is not softened"),
    (lambda d, s, t, T: d * T * (softmax(s) - softmax(t)) / len(s), "Neither p nor q"),
    (lambda d, s, t, T: d * (softmax(s) - softmax(t)) / len(s),
     "The temperature is not used"),
    (lambda d, s, t, T: T * (softmax(s / T) - softmax(t / T)) / len(s),
     "dloss is not used"),
    (lambda d, s, t, T: -d * T * softmax(t / T) / len(s), "adds q"),
    (lambda d, s, t, T: d * T * softmax(s / T) / len(s), "do not sum to 0"),
    (lambda d, s, t, T: d * T * (softmax(s / T) - softmax(t)) / len(s),
     "The teacher is not softened"),
]


# --- cosine ---------------------------------------------------------------------------


def cosine_by_rows(x, y):
    rows = []
    for a, b in zip(x, y, strict=True):
        lengths = np.linalg.norm(a) * np.linalg.norm(b)
        rows.append(1 - a @ b / lengths if lengths else 1.0)
    return sum(rows) / len(rows)


def unit(x):
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)


RIGHT["cosine_loss"] = [
    cosine_by_rows, lambda x, y: 1 - np.einsum("rd,rd->r", unit(x), unit(y)).mean(),
]
WRONG["cosine_loss"] = [
    (lambda x, y: np.einsum("rd,rd->r", unit(x), unit(y)).mean(), "This is the cosine"),
    (lambda x, y: np.mean(1 - np.einsum("rd,rd->r", x, y)), "lengths are forgotten"),
    (lambda x, y: np.sum(1 - (unit(x) * unit(y)).sum(-1)), "the loss is their mean"),
    (lambda x, y: 1 - (x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()),
     "one long vector"),
    (lambda x, y: 1 - (unit(x.T) * unit(y.T)).sum(-1).mean(), "over the tokens"),
    (lambda x, y: np.mean(1 - (x * y).sum(-1) / np.sqrt(
        (x * x).sum(-1) * (y * y).sum(-1))), "0/0 is NaN"),
    (lambda x, y: np.mean(1 - (x * y).sum(-1) / (
        (x * x).sum(-1) * (y * y).sum(-1) + 1e-12)), "a root is missing"),
    (lambda x, y: 1 - (unit(x) * unit(y)).sum(axis=-1), "a number for each row"),
    (lambda x, y: (1 - (x * y).sum(-1) / (np.linalg.norm(x) * np.linalg.norm(y))
                   ).mean(), "those of the whole arrays"),
    (lambda x, y: np.mean(1 - unit(x) @ unit(y).T), "meets its own row alone"),
    (lambda x, y: np.nan_to_num(1 - (x * y).sum(-1) / np.sqrt(
        (x * x).sum(-1) * (y * y).sum(-1))).mean(), "no number in the place of NaN"),
]


# --- the triple loss ------------------------------------------------------------------


def triple_by_places(sl, tl, labels, sh, th, mask):
    kl, mlm, cos = [], [], []
    for b, i in np.ndindex(labels.shape):
        if labels[b, i] != -100:
            log_q = log_softmax(sl[b, i] / 2)
            log_p = log_softmax(tl[b, i] / 2)
            kl.append(4 * np.sum(np.exp(log_p) * (log_p - log_q)))
            mlm.append(-log_softmax(sl[b, i])[labels[b, i]])
        if mask[b, i]:
            cos.append(1 - unit(sh[b, i]) @ unit(th[b, i]))
    return 5 * np.mean(kl) + 2 * np.mean(mlm) + np.mean(cos)


def triple(sl, tl, labels, sh, th, mask, weights=(5, 2, 1), T=2.0, kl=None, cos=None):
    """Return the loss, with KL and the cosine where these say."""
    kl, cos = labels != -100 if kl is None else kl, mask > 0 if cos is None else cos
    parts = (
        kl_divergence(sl[kl], tl[kl], T), cross_entropy(sl, labels),
        cosine_loss(sh[cos], th[cos]),
    )
    return np.dot(weights, parts)


def cross_entropy_by_hand(logits, labels, divisor):
    found = [
        -log_softmax(logits[place])[labels[place]]
        for place in np.ndindex(labels.shape) if labels[place] != -100
    ]
    return sum(found) / (divisor or len(found))


def with_mlm(loss):
    """Return the triple loss with another masked LM."""
    return lambda *batch: triple(*batch, weights=(5, 0, 1)) + 2 * loss(*batch)


RIGHT["triple_loss"] = [triple_by_places, triple]
WRONG["triple_loss"] = [
    (lambda *batch: triple(*batch, weights=(1, 1, 1)), "weighs them 5, 2 and 1"),
    (lambda *batch: triple(*batch, weights=(5 / 8, 2 / 8, 1 / 8)), "only adds up"),
    (lambda *batch: triple(*batch, weights=(2, 5, 1)), "are exchanged"),
    (lambda *batch: triple(*batch, kl=np.full(batch[2].shape, True)),
     "KL is over all places"),
    (lambda *batch: triple(*batch, kl=batch[5] > 0), "KL is over all tokens in sight"),
    (lambda *batch: triple(*batch, T=1.0), "at temperature 1"),
    (lambda *batch: triple(*batch, weights=(5 / 4, 2, 1)), "lacks its factor"),
    (lambda *batch: triple(*batch, weights=(20, 2, 1)), "T² twice"),
    (lambda sl, tl, labels, *rest: triple(sl, tl, labels, *rest, weights=(0, 2, 1))
     + 5 * kl_divergence(tl[labels >= 0], sl[labels >= 0], 2), "other way round"),
    (lambda *batch: triple(*batch, cos=batch[5] > -1), "over padding as well"),
    (lambda *batch: triple(*batch, cos=batch[2] > -1), "over the words asked for"),
    (with_mlm(lambda sl, tl, labels, *_: cross_entropy_by_hand(tl, labels, 0)),
     "the teacher's"),
    (with_mlm(lambda logits, _, labels, *more: cross_entropy_by_hand(
        logits, labels, labels.size)), "number of all labels"),
    (lambda *batch: triple(*batch, kl=batch[5] > -1, cos=batch[5] > -1),
     "KL and the cosine are over all"),
    (lambda *batch: triple(*batch, kl=batch[2] > 0), "a word like any other"),
]
FAULTS["triple_loss"] = [
    ("loss-over-all-places", "number of all labels"),
    ("ignored-labels-counted", "takes −100 for a word"),
]


# --- the student's start --------------------------------------------------------------

RIGHT["student_layers"] = [
    lambda n, k: np.linspace(0, n - 1, k).round().astype(int).tolist(),
    lambda n, k: [0] if k == 1 else [round((n - 1) / (k - 1) * i) for i in range(k)],
]
WRONG["student_layers"] = [
    (lambda n, k: list(range(0, n, n // k))[:k], "leave out the teacher's last layers"),
    (lambda n, k: [i * (n - 1) // max(k - 1, 1) for i in range(k)], "cut off"),
    (lambda n, k: np.floor(np.linspace(0, n - 1, k) + 0.5).astype(int).tolist(),
     "the even number"),
    (lambda n, k: np.rint(np.linspace(0, n - 1, k)).astype(int), "make a list of it"),
    (lambda n, k: [*range(k)], "These are the teacher's first"),
    (lambda n, k: [*range(n)][-k:], "These are the teacher's last"),
    (lambda n, k: [1 + round(i * (n - 1) / max(k - 1, 1)) for i in range(k)],
     "counted from 1"),
    (lambda n, k: np.linspace(0, n, k).round().astype(int).tolist(), "no layer has"),
    (lambda n, k: [round(i * (n - 1) / k) for i in range(k)], "n - 1 gaps"),
    (lambda n, k: [round(i * (n - 1) / (k - 1)) for i in range(k)], "no gap"),
    (lambda n, k: list(range(n))[::2], "every second layer"),
    (lambda n, k: np.linspace(0, n - 1, k).tolist(), "not whole"),
    (lambda n, k: np.linspace(0, n - 1, k).round().astype(int), "not a list of 6"),
]
