"""Lesson 8, distillation: what there is to write, and what goes wrong."""

from typing import Any

import numpy as np

from ... import losses
from ...functions import Array, log_softmax, softmax
from ...losses import cosine_loss, cross_entropy, kl_divergence
from ...training import distill
from ..exercise import Exercise

rng = np.random.default_rng(8)

# What is shown in the lesson: three words, of which the teacher likes two.
TEACHER = np.array([[4.0, 3.0, 0.0], [0.0, 2.0, 2.0]])
STUDENT = np.array([[2.0, 1.0, 1.0], [0.0, 1.0, 3.0]])
LARGE = np.array([[1800.0, 0.0, -1800.0], [0.0, 1700.0, 1704.0]])


def drawn(*shape: int) -> Array:
    """Return numbers of this shape, from the lesson's own stream."""
    return rng.normal(size=shape) * 2


# --- soft targets ---------------------------------------------------------------------


def soft_targets(logits: Array, temperature: float) -> Array:
    """Return the distributions (R, C) that scores (R, C) make at a temperature."""
    return softmax(logits / temperature)


def temperature_unused(logits: Array, temperature: float) -> Array:
    """The temperature changes nothing: these are the probabilities at temperature 1.
    """
    return softmax(logits)


def scores_multiplied(logits: Array, temperature: float) -> Array:
    """Multiplied by the temperature the distribution gets sharper, not softer."""
    return softmax(logits * temperature)


def probabilities_divided(logits: Array, temperature: float) -> Array:
    """It is the probabilities that are divided, so rows no longer sum to 1. Soften the
    scores, before softmax.
    """
    return softmax(logits) / temperature


def softmax_twice(logits: Array, temperature: float) -> Array:
    """Softmax is done twice: the temperature divides the scores, not probabilities."""
    return softmax(softmax(logits) / temperature)


def softmax_over_rows(logits: Array, temperature: float) -> Array:
    """Columns sum to 1, not rows: softmax is over the words, the last axis."""
    return softmax((logits / temperature).T).T


def overflowing_softmax(logits: Array, temperature: float) -> Array:
    """exp of a large score is infinite: subtract the row's largest score before exp."""
    exp = np.exp(logits / temperature)
    return exp / exp.sum(axis=-1, keepdims=True)


def still_scores(logits: Array, temperature: float) -> Array:
    """These are scores still: softmax makes probabilities of them."""
    return logits / temperature


def logarithms(logits: Array, temperature: float) -> Array:
    """Those are logarithms of probabilities: softmax, not log_softmax."""
    return log_softmax(logits / temperature)


def always_at_2(logits: Array, temperature: float) -> Array:
    """The temperature is 2, whatever is asked for: it is an argument."""
    return softmax(logits / 2)


def one_sum(logits: Array, temperature: float) -> Array:
    """All numbers together sum to 1. Each row should: axis=-1, keepdims=True."""
    return softmax(logits.ravel() / temperature).reshape(logits.shape)


def rows_do_not_sum_to_1(found: Array, *arguments: Any) -> bool:
    """Rows do not sum to 1, so they are no distributions: what is divided by what?"""
    return not np.allclose(found.sum(axis=-1), 1)


SOFT_TARGETS = Exercise(
    name="soft_targets",
    lesson=8,
    minutes=3,
    difficulty=1,
    answer=soft_targets,
    cases={
        "2 rows of 3 words, temperature 2": (TEACHER, 2.0),
        "temperature 1": (drawn(3, 5), 1.0),
        "temperature 4": (drawn(4, 6), 4.0),
        "a temperature below 1": (drawn(2, 4), 0.5),
        "large scores": (LARGE, 2.0),
    },
    hints=(
        "At which point of the way from scores to probabilities can a number make the "
        "differences between words smaller?",
        "Divide the scores by the temperature; then do what you always do with scores.",
        "softmax(logits / temperature), over the last axis, as in lesson 3.",
    ),
    slips=(
        temperature_unused, scores_multiplied, probabilities_divided, softmax_twice,
        softmax_over_rows, overflowing_softmax, still_scores, logarithms, always_at_2,
        one_sum,
    ),
    signs=(rows_do_not_sum_to_1,),
)

# --- KL -------------------------------------------------------------------------------


def kl_without_square(student_logits: Array, teacher_logits: Array, T: float) -> Any:
    """The factor T² is missing: without it, the softer the targets, the less they teach
    beside the other losses.
    """
    return kl_divergence(student_logits, teacher_logits, T) / T**2


def kl_times_T(student_logits: Array, teacher_logits: Array, T: float) -> Any:
    """It is multiplied by T, not by T²: each of the two distributions was softened."""
    return kl_divergence(student_logits, teacher_logits, T) / T


def kl_reversed(student_logits: Array, teacher_logits: Array, T: float) -> Any:
    """This is KL(student ‖ teacher). The teacher is p: it weighs the sum, and its log p
    comes first.
    """
    return kl_divergence(teacher_logits, student_logits, T)


def kl_not_softened(student_logits: Array, teacher_logits: Array, T: float) -> Any:
    """Neither side is softened: divide both by the temperature, then take softmax."""
    return kl_divergence(student_logits, teacher_logits) * T**2


def kl_temperature_unused(
    student_logits: Array, teacher_logits: Array, T: float
) -> Any:
    """The temperature is not used: it divides the scores, and its square multiplies the
    sum.
    """
    return kl_divergence(student_logits, teacher_logits)


def kl_student_not_softened(
    student_logits: Array, teacher_logits: Array, T: float
) -> Any:
    """Only the teacher is softened: a student that agrees would have a loss above 0."""
    return kl_divergence(T * student_logits, teacher_logits, T)


def kl_teacher_not_softened(
    student_logits: Array, teacher_logits: Array, T: float
) -> Any:
    """Only the student is softened: the soft targets are the teacher's, at T."""
    return kl_divergence(student_logits, T * teacher_logits, T)


def kl_mean_over_words(student_logits: Array, teacher_logits: Array, T: float) -> Any:
    """The mean is over words as well: sum over the words, the mean is over rows alone.
    """
    return kl_divergence(student_logits, teacher_logits, T) / student_logits.shape[-1]


def kl_summed(student_logits: Array, teacher_logits: Array, T: float) -> Any:
    """The rows are added up: it should be their mean, so that a batch of twice the size
    does not count twice.
    """
    return kl_divergence(student_logits, teacher_logits, T) * len(student_logits)


def kl_negative(student_logits: Array, teacher_logits: Array, T: float) -> Any:
    """The sign: KL is never below 0. Is it log p − log q, or the other way round?"""
    return -kl_divergence(student_logits, teacher_logits, T)


def soft_cross_entropy(student_logits: Array, teacher_logits: Array, T: float) -> Any:
    """This is the cross-entropy −Σ p·log q. Its gradient is the same, but it is not 0
    where both agree: Σ p·log p is missing.
    """
    p, log_q = softmax(teacher_logits / T), log_softmax(student_logits / T)
    return T**2 * -(p * log_q).sum(axis=-1).mean()


def kl_of_logarithms(student_logits: Array, teacher_logits: Array, T: float) -> Any:
    """Where softmax rounds to 0 its logarithm is −∞: use log_softmax."""
    p, q = softmax(teacher_logits / T), softmax(student_logits / T)
    return T**2 * (p * (np.log(p) - np.log(q))).sum(axis=-1).mean()


def kl_weighed_at_1(student_logits: Array, teacher_logits: Array, T: float) -> Any:
    """p is at temperature 1, while log p and log q are softened: the weights are the
    soft targets.
    """
    log_p, log_q = log_softmax(teacher_logits / T), log_softmax(student_logits / T)
    return T**2 * (softmax(teacher_logits) * (log_p - log_q)).sum(axis=-1).mean()


def kl_log_p_at_1(student_logits: Array, teacher_logits: Array, T: float) -> Any:
    """log p is at temperature 1, while p and log q are softened."""
    log_p, log_q = log_softmax(teacher_logits), log_softmax(student_logits / T)
    return T**2 * (softmax(teacher_logits / T) * (log_p - log_q)).sum(axis=-1).mean()


def kl_softmax_twice(student_logits: Array, teacher_logits: Array, T: float) -> Any:
    """Softmax is done twice: log_softmax takes the scores, divided by the temperature.
    """
    p, q = softmax(teacher_logits / T), softmax(student_logits / T)
    return T**2 * (p * (log_softmax(p) - log_softmax(q))).sum(axis=-1).mean()


def kl_summed_down(student_logits: Array, teacher_logits: Array, T: float) -> Any:
    """The sum goes down the rows, and the mean along the words: sum over the words,
    the last axis.
    """
    R, C = student_logits.shape
    return kl_divergence(student_logits, teacher_logits, T) * R / C


def kl_times_4(student_logits: Array, teacher_logits: Array, T: float) -> Any:
    """The factor is 4, whatever the temperature: it is T²."""
    return kl_divergence(student_logits, teacher_logits, T) * 4 / T**2


def is_per_row(found: Any, *arguments: Any) -> bool:
    """There is a number for each row: the loss is one number, the mean of these."""
    return np.shape(found) == np.shape(arguments[0])[:1]


def is_per_word(found: Any, *arguments: Any) -> bool:
    """There is a number for each word: sum over the words, then take the rows' mean."""
    return np.shape(found) == np.shape(arguments[0])


KL_CASES = {
    "2 rows of 3 words, temperature 2": (STUDENT, TEACHER, 2.0),
    "temperature 1": (drawn(3, 5), drawn(3, 5), 1.0),
    "5 rows, temperature 4": (drawn(5, 4), drawn(5, 4), 4.0),
    "one row": (drawn(1, 6), drawn(1, 6), 3.0),
    "large scores": (LARGE[::-1] * 0.75, LARGE, 2.0),
}

KL_DIVERGENCE = Exercise(
    name="kl_divergence",
    lesson=8,
    minutes=7,
    difficulty=2,
    answer=losses.kl_divergence,
    cases=KL_CASES,
    hints=(
        "Two distributions for each row: p from the teacher, q from the student, both "
        "at the temperature.",
        "Σ p·(log p − log q) is a sum over the last axis. What is left is one number "
        "for each row: take the mean.",
        "For the logarithms take log_softmax(logits / temperature), which stays finite "
        "where softmax is 0. And T² multiplies the whole.",
        "log_p = log_softmax(teacher_logits / temperature), log_q likewise of the "
        "student; p = softmax(teacher_logits / temperature); then "
        "temperature**2 * (p * (log_p - log_q)).sum(axis=-1).mean().",
    ),
    slips=(
        kl_without_square, kl_times_T, kl_reversed, kl_not_softened,
        kl_temperature_unused, kl_student_not_softened, kl_teacher_not_softened,
        kl_mean_over_words, kl_summed, kl_negative, soft_cross_entropy,
        kl_of_logarithms, kl_weighed_at_1, kl_log_p_at_1, kl_softmax_twice,
        kl_summed_down, kl_times_4,
    ),
    signs=(is_per_row, is_per_word),
)

# --- its gradient ---------------------------------------------------------------------

gradient = losses.kl_divergence_backward


def gradient_without_T(dloss: float, student: Array, teacher: Array, T: float) -> Array:
    """A factor T is missing: the loss has T², softening divides by T, and one T
    remains.
    """
    return gradient(dloss, student, teacher, T) / T


def gradient_with_square(
    dloss: float, student: Array, teacher: Array, T: float
) -> Array:
    """There is a T too many: the inner derivative, of student / T, is 1/T."""
    return gradient(dloss, student, teacher, T) * T


def gradient_uphill(dloss: float, student: Array, teacher: Array, T: float) -> Array:
    """The sign: a step against this gradient leads away from the teacher. Where q is
    larger than p, the loss grows with the student's score.
    """
    return -gradient(dloss, student, teacher, T)


def gradient_over_words(
    dloss: float, student: Array, teacher: Array, T: float
) -> Array:
    """It is divided by the number of all scores: the mean is over the rows alone."""
    return gradient(dloss, student, teacher, T) / student.shape[-1]


def gradient_of_sum(dloss: float, student: Array, teacher: Array, T: float) -> Array:
    """It is not divided by the number of rows: the loss is a mean over these."""
    return gradient(dloss, student, teacher, T) * len(student)


def gradient_student_not_softened(
    dloss: float, student: Array, teacher: Array, T: float
) -> Array:
    """The student is not softened: q is softmax(student_logits / temperature)."""
    return gradient(dloss, T * student, teacher, T)


def gradient_teacher_not_softened(
    dloss: float, student: Array, teacher: Array, T: float
) -> Array:
    """The teacher is not softened: p is softmax(teacher_logits / temperature)."""
    return gradient(dloss, student, T * teacher, T)


def gradient_not_softened(
    dloss: float, student: Array, teacher: Array, T: float
) -> Array:
    """Neither p nor q is softened: both are made of scores divided by T."""
    return gradient(dloss, T * student, T * teacher, T)


def gradient_temperature_unused(
    dloss: float, student: Array, teacher: Array, T: float
) -> Array:
    """The temperature is not used: it softens p and q, and a factor T remains."""
    return gradient(dloss, student, teacher, 1.0)


def gradient_of_whole_loss(
    dloss: float, student: Array, teacher: Array, T: float
) -> Array:
    """dloss is not used: this loss may be a part of a larger one, which weighs it."""
    return gradient(1.0, student, teacher, T)


def gradient_of_own_log(
    dloss: float, student: Array, teacher: Array, T: float
) -> Array:
    """This is −p: the derivative of log q alone. A score stands in its row's sum as
    well, for every word; that adds q.
    """
    p = softmax(teacher / T)
    return -p * (dloss * T / len(p))


def rows_do_not_cancel(found: Array, *arguments: Any) -> bool:
    """The rows of this gradient do not sum to 0, as they must: adding a number to all
    scores of a row changes no probability.
    """
    return not np.allclose(found.sum(axis=-1), 0)


KL_BACKWARD = Exercise(
    name="kl_divergence_backward",
    lesson=8,
    minutes=6,
    difficulty=3,
    answer=losses.kl_divergence_backward,
    cases={
        case: (dloss, *arguments)
        for dloss, (case, arguments) in zip(
            (1.0, 1.0, 5.0, -2.0, 1.0), KL_CASES.items(), strict=True
        )
    },
    hints=(
        "Only log q depends on the student. What is the gradient of cross-entropy by "
        "its scores? (p is soft here, not 0 and 1.)",
        "Of −Σ p·log q by the scores that q is the softmax of: q − p.",
        "Three factors remain: T² from the loss, 1/T from the student's scores divided "
        "by T, 1/R from the mean over rows. And dloss.",
        "(q - p) * (dloss * temperature / len(q)), with both p and q at the "
        "temperature.",
    ),
    slips=(
        gradient_without_T, gradient_with_square, gradient_uphill, gradient_over_words,
        gradient_of_sum, gradient_student_not_softened, gradient_teacher_not_softened,
        gradient_not_softened, gradient_temperature_unused, gradient_of_whole_loss,
        gradient_of_own_log,
    ),
    signs=(rows_do_not_cancel,),
)

# --- cosine ---------------------------------------------------------------------------


def mean_cosine(x: Array, y: Array) -> Any:
    """This is the cosine: 1 where both point the same way. A loss is to be small
    there: 1 − cosine.
    """
    return 1 - cosine_loss(x, y)


def not_normalised(x: Array, y: Array) -> Any:
    """The lengths are forgotten: x·y grows with them, the cosine does not."""
    return (1 - (x * y).sum(axis=-1)).mean()


def root_forgotten(x: Array, y: Array) -> Any:
    """It is divided by the squares of the lengths: a root is missing."""
    squares = (x * x).sum(axis=-1) * (y * y).sum(axis=-1) + 1e-12
    return (1 - (x * y).sum(axis=-1) / squares).mean()


def cosine_summed(x: Array, y: Array) -> Any:
    """The rows are added up: the loss is their mean."""
    return cosine_loss(x, y) * len(x)


def one_vector(x: Array, y: Array) -> Any:
    """All rows are taken for one long vector: each row has a cosine of its own."""
    return cosine_loss(x.reshape(1, -1), y.reshape(1, -1))


def over_tokens(x: Array, y: Array) -> Any:
    """Sums go over the tokens: the numbers of one token, the last axis, are its vector.
    """
    return cosine_loss(x.T, y.T)


def lengths_of_all(x: Array, y: Array) -> Any:
    """The lengths are those of the whole arrays: each row has a length of its own,
    axis=-1.
    """
    lengths = np.sqrt((x * x).sum() * (y * y).sum())
    return (1 - (x * y).sum(axis=-1) / lengths).mean()


def all_pairs(x: Array, y: Array) -> Any:
    """Every row of x meets every row of y: x @ y.T does that. A token meets its own
    row alone: (x * y).sum(axis=-1).
    """
    x, y = (
        rows / np.sqrt((rows * rows).sum(axis=-1, keepdims=True) + 1e-12)
        for rows in (x, y)
    )
    return (1 - x @ y.T).mean()


def zeros_agree(x: Array, y: Array) -> Any:
    """A row of zeros has loss 0, as if it pointed the right way. Its cosine is 0: add
    1e-12 to the squared lengths, and put no number in the place of NaN.
    """
    return cosine_loss(x, y) - ((x * x).sum(axis=-1) == 0).mean()


def zero_divided(x: Array, y: Array) -> Any:
    """A row of zeros has length 0, and 0/0 is NaN: add 1e-12 to each squared length."""
    lengths = np.linalg.norm(x, axis=-1) * np.linalg.norm(y, axis=-1)
    return (1 - (x * y).sum(axis=-1) / lengths).mean()


COSINE_LOSS = Exercise(
    name="cosine_loss",
    lesson=8,
    minutes=4,
    difficulty=1,
    answer=losses.cosine_loss,
    cases={
        "2 vectors of 2 numbers": (
            np.array([[3.0, 4.0], [2.0, 0.0]]), np.array([[4.0, 3.0], [0.0, 5.0]])
        ),
        "5 vectors": (drawn(5, 3), drawn(5, 3)),
        "the opposite direction": (np.ones((1, 4)), -3 * np.ones((1, 4))),
        "a vector of zeros": (np.array([[0.0, 0.0], [1.0, 2.0]]), drawn(2, 2)),
    },
    hints=(
        "cos = x·y / (|x|·|y|), for each row. What is the sum of products of a row?",
        "x·y is (x * y).sum(axis=-1); |x|² is (x * x).sum(axis=-1).",
        "Add 1e-12 to both squared lengths, so that a row of zeros does not divide by "
        "0; divide x·y by the root of their product; then the mean of 1 − that.",
    ),
    slips=(
        mean_cosine, not_normalised, root_forgotten, cosine_summed, one_vector,
        over_tokens, lengths_of_all, all_pairs, zeros_agree, zero_divided,
    ),
    signs=(is_per_row,),
)

# --- the triple loss ------------------------------------------------------------------


def triple_loss(
    student_logits: Array, teacher_logits: Array, labels: Array,
    student_states: Array, teacher_states: Array, attention_mask: Array,
) -> np.floating:
    """Return 5·KL + 2·masked LM + 1·cosine, as DistilBERT's authors weighed them.

    Logits are (B, L, V), states (B, L, D), labels and mask (B, L). KL, at temperature
    2, and masked LM are over the words that are asked for (labels other than −100), the
    cosine over the tokens that are not hidden.
    """
    asked, seen = labels != -100, attention_mask == 1                    # (B, L)
    kl = kl_divergence(student_logits[asked], teacher_logits[asked], 2.0)
    mlm = cross_entropy(student_logits, labels)
    cos = cosine_loss(student_states[seen], teacher_states[seen])
    return 5 * kl + 2 * mlm + 1 * cos


Six = tuple[Array, Array, Array, Array, Array, Array]


def parts_of(batch: Six) -> tuple[Any, Any, Any]:
    """Return the three losses, as they should be."""
    student_logits, teacher_logits, labels, student_states, teacher_states, mask = batch
    asked, seen = labels != -100, mask == 1
    return (
        kl_divergence(student_logits[asked], teacher_logits[asked], 2.0),
        cross_entropy(student_logits, labels),
        cosine_loss(student_states[seen], teacher_states[seen]),
    )


def weighed(kl: Any, mlm: Any, cos: Any) -> Any:
    """Return the sum of three losses with the recipe's weights."""
    return 5 * kl + 2 * mlm + 1 * cos


def all_alike(*batch: Array) -> Any:
    """The three losses count alike: the recipe weighs them 5, 2 and 1."""
    return sum(parts_of(batch))


def divided_by_weights(*batch: Array) -> Any:
    """It is divided by the sum of the weights, 8: the recipe only adds up."""
    return triple_loss(*batch) / 8


def weights_exchanged(*batch: Array) -> Any:
    """The weights of KL and masked LM are exchanged: KL has 5, masked LM has 2."""
    kl, mlm, cos = parts_of(batch)
    return weighed(mlm, kl, cos)


def kl_over_all_places(*batch: Array) -> Any:
    """KL is over all places, padding included: take the rows where a word is asked for,
    labels != -100.
    """
    _, mlm, cos = parts_of(batch)
    rows = (logits.reshape(-1, logits.shape[-1]) for logits in batch[:2])
    return weighed(kl_divergence(*rows, 2.0), mlm, cos)


def kl_over_seen_places(*batch: Array) -> Any:
    """KL is over all tokens in sight: it asks only where the label is not −100."""
    _, mlm, cos = parts_of(batch)
    seen = batch[5] == 1
    return weighed(kl_divergence(batch[0][seen], batch[1][seen], 2.0), mlm, cos)


def kl_at_temperature_1(*batch: Array) -> Any:
    """KL is at temperature 1, its default: the recipe says 2."""
    _, mlm, cos = parts_of(batch)
    asked = batch[2] != -100
    return weighed(kl_divergence(batch[0][asked], batch[1][asked]), mlm, cos)


def kl_without_its_square(*batch: Array) -> Any:
    """KL lacks its factor T²: kl_divergence has it already, so do not divide it out."""
    kl, mlm, cos = parts_of(batch)
    return weighed(kl / 4, mlm, cos)


def kl_squared_twice(*batch: Array) -> Any:
    """KL is multiplied by T² twice: kl_divergence does so already."""
    kl, mlm, cos = parts_of(batch)
    return weighed(4 * kl, mlm, cos)


def kl_of_exchanged(*batch: Array) -> Any:
    """KL is the other way round: kl_divergence takes the student first."""
    _, mlm, cos = parts_of(batch)
    asked = batch[2] != -100
    return weighed(kl_divergence(batch[1][asked], batch[0][asked], 2.0), mlm, cos)


def cosine_of_hidden(*batch: Array) -> Any:
    """The cosine is over padding as well: take the tokens in sight, mask == 1."""
    kl, mlm, _ = parts_of(batch)
    rows = (states.reshape(-1, states.shape[-1]) for states in batch[3:5])
    return weighed(kl, mlm, cosine_loss(*rows))


def cosine_where_asked(*batch: Array) -> Any:
    """The cosine is over the words asked for alone: it is over every token in sight."""
    kl, mlm, _ = parts_of(batch)
    asked = batch[2] != -100
    return weighed(kl, mlm, cosine_loss(batch[3][asked], batch[4][asked]))


def nothing_left_out(*batch: Array) -> Any:
    """KL and the cosine are over all places. KL asks where the label is not −100, the
    cosine looks where the mask is 1.
    """
    _, mlm, _ = parts_of(batch)
    sl, tl, sh, th = (
        batch[i].reshape(-1, batch[i].shape[-1]) for i in (0, 1, 3, 4)
    )
    return weighed(kl_divergence(sl, tl, 2.0), mlm, cosine_loss(sh, th))


def word_0_left_out(*batch: Array) -> Any:
    """KL leaves out labels of 0. That is a word like any other: labels != -100."""
    _, mlm, cos = parts_of(batch)
    asked = batch[2] > 0
    return weighed(kl_divergence(batch[0][asked], batch[1][asked], 2.0), mlm, cos)


def labels_of_teacher(*batch: Array) -> Any:
    """Masked LM is the teacher's: it is the student that is to find the words."""
    kl, _, cos = parts_of(batch)
    return weighed(kl, cross_entropy(batch[1], batch[2]), cos)


def mlm_over_all_places(*batch: Array) -> Any:
    """Masked LM is divided by the number of all labels: −100 does not count, not in the
    mean either.
    """
    kl, mlm, cos = parts_of(batch)
    return weighed(kl, mlm * (batch[2] != -100).mean(), cos)


def mlm_of_ignored(*batch: Array) -> Any:
    """Masked LM takes −100 for a word, number 0: such places are to be left out."""
    kl, _, cos = parts_of(batch)
    return weighed(kl, cross_entropy(batch[0], np.maximum(batch[2], 0)), cos)


def batch_of(B: int, L: int, V: int, D: int, n_hidden: int) -> Six:
    """Return logits, labels, states and mask, the last tokens of a text hidden."""
    mask = np.ones((B, L), int)
    mask[0, L - n_hidden :] = 0
    asked = (np.arange(L) % 3 == 1) & (mask == 1)
    labels = np.where(asked, rng.integers(1, V, size=(B, L)), -100)
    labels[B // 2, 1] *= B < 2                   # in a batch, word 0 is asked for too
    states = drawn(B, L, D), drawn(B, L, D)
    return drawn(B, L, V), drawn(B, L, V), labels, *states, mask


TRIPLE_LOSS = Exercise(
    name="triple_loss",
    lesson=8,
    minutes=6,
    difficulty=3,
    answer=triple_loss,
    cases={
        "one text of 3 tokens, the last hidden": batch_of(1, 3, 4, 2, 1),
        "2 texts of 6 tokens": batch_of(2, 6, 5, 3, 2),
        "nothing hidden": batch_of(3, 4, 7, 2, 0),
    },
    hints=(
        "Three losses, each a call of a function that you are given; then one line "
        "that adds them. What differs is where each looks.",
        "logits[asked] with asked = labels != -100, (B, L), is (R, V): just the rows "
        "where a word is asked for. cross_entropy leaves out −100 by itself.",
        "states[seen] with seen = attention_mask == 1 is (R, D): the tokens in sight.",
        "5 * kl_divergence(student_logits[asked], teacher_logits[asked], 2.0) + "
        "2 * cross_entropy(student_logits, labels) + "
        "cosine_loss(student_states[seen], teacher_states[seen])",
    ),
    slips=(
        all_alike, divided_by_weights, weights_exchanged, kl_over_all_places,
        kl_over_seen_places, kl_at_temperature_1, kl_without_its_square,
        kl_squared_twice, kl_of_exchanged, cosine_of_hidden, cosine_where_asked,
        labels_of_teacher, mlm_over_all_places, mlm_of_ignored, nothing_left_out,
        word_0_left_out,
    ),
    reveals=(triple_loss, distill.Distillation.parts),
)

# --- the student's start --------------------------------------------------------------


def every_other(n_teacher: int, n_student: int) -> list[int]:
    """Equal steps from 0 leave out the teacher's last layers: spread the numbers from
    the first layer to the last, n_teacher - 1.
    """
    step = n_teacher // n_student
    return [i * step for i in range(n_student)]


def every_second(n_teacher: int, n_student: int) -> list[int]:
    """That is every second layer, however many are asked for: spread n_student numbers
    evenly from the first layer to the last.
    """
    return list(range(0, n_teacher, 2))


def not_rounded(n_teacher: int, n_student: int) -> list[float]:
    """The numbers are not whole: round them."""
    return [i * (n_teacher - 1) / max(1, n_student - 1) for i in range(n_student)]


def cut_off(n_teacher: int, n_student: int) -> list[int]:
    """The numbers are cut off, not rounded: 6.6 is nearer to 7. int() cuts off."""
    return [int(i * (n_teacher - 1) / max(1, n_student - 1)) for i in range(n_student)]


def rounded_up(n_teacher: int, n_student: int) -> list[int]:
    """Halves are rounded up: round takes the even number, 2 for 2.5."""
    gaps = max(1, n_student - 1)
    return [int(i * (n_teacher - 1) / gaps + 0.5) for i in range(n_student)]


def the_first(n_teacher: int, n_student: int) -> list[int]:
    """These are the teacher's first layers: spread them from the first to the last."""
    return list(range(n_student))


def the_last(n_teacher: int, n_student: int) -> list[int]:
    """These are the teacher's last layers: spread them from the first to the last."""
    return list(range(n_teacher - n_student, n_teacher))


def counted_from_1(n_teacher: int, n_student: int) -> list[int]:
    """The layers are counted from 1: the first is number 0."""
    return [number + 1 for number in distill.student_layers(n_teacher, n_student)]


def past_the_end(n_teacher: int, n_student: int) -> list[int]:
    """The last number is n_teacher, which no layer has: counted from 0, the last is
    n_teacher - 1.
    """
    gaps = max(1, n_student - 1)
    return [round(i * n_teacher / gaps) for i in range(n_student)]


def without_the_last(n_teacher: int, n_student: int) -> list[int]:
    """The last layer is never reached: between n layers there are n - 1 gaps."""
    return [round(i * (n_teacher - 1) / n_student) for i in range(n_student)]


def no_gap(n_teacher: int, n_student: int) -> list[int]:
    """A student of one layer has no gap to divide by: it starts as layer 0."""
    return [round(i * (n_teacher - 1) / (n_student - 1)) for i in range(n_student)]


def left_as_array(n_teacher: int, n_student: int) -> Array:
    """The numbers are right, but an array: make a list of it, numbers.tolist()."""
    return np.array(distill.student_layers(n_teacher, n_student))


STUDENT_LAYERS = Exercise(
    name="student_layers",
    lesson=8,
    minutes=4,
    difficulty=2,
    answer=distill.student_layers,
    cases={
        "12 layers, of which 6": (12, 6),
        "7 layers, of which 3": (7, 3),
        "all of them": (5, 5),
        "a single one": (6, 1),
        "6 layers, of which 3": (6, 3),
    },
    hints=(
        "The first is 0 and the last is n_teacher - 1. How many gaps are between "
        "n_student numbers?",
        "In the middle of 12 → 6: number i is i · 11/5, rounded.",
        "round(i * (n_teacher - 1) / gaps) for i in range(n_student), where gaps is "
        "n_student - 1, but at least 1.",
    ),
    slips=(
        every_other, every_second, not_rounded, cut_off, rounded_up, the_first,
        the_last, counted_from_1, past_the_end, without_the_last, no_gap,
        left_as_array,
    ),
)

EXERCISES = (
    SOFT_TARGETS, KL_DIVERGENCE, KL_BACKWARD, COSINE_LOSS, TRIPLE_LOSS, STUDENT_LAYERS,
)
