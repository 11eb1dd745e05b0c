"""Lesson 6, heads and losses: what there is to write, and what goes wrong."""

import numpy as np

from ... import heads, losses
from ...functions import Array, gelu, layer_norm, linear, log_softmax, relu, softmax
from ...training.metrics import LONGEST_ANSWER, best_span
from ...trees import Tree
from ..exercise import Exercise
from .material import random_linear

rng = np.random.default_rng(6)

# --- cross-entropy --------------------------------------------------------------------


def log_p_of(logits: Array, labels: Array) -> Array:              # -> (...)
    """Return the logarithm of the probability of each label."""
    return np.take_along_axis(log_softmax(logits), labels[..., None], axis=-1)[..., 0]


def over_all_places(logits: Array, labels: Array, ignored: int = -100) -> float:
    """Return the sum over the labels that count, divided by the number of all."""
    n_counted = np.sum(labels != ignored)
    return losses.cross_entropy(logits, labels, ignored) * n_counted / labels.size


def ignored_as_class_0(logits: Array, labels: Array, ignored: int = -100) -> float:
    """A label of −100 is taken for class 0, and counts in the mean. Its row is to be
    left out.
    """
    return -log_p_of(logits, np.clip(labels, 0, None)).mean()


def ignored_counted(logits: Array, labels: Array, ignored: int = -100) -> float:
    """Ignored labels are used as numbers of classes: leave out their rows first, with
    counted = labels != ignored.
    """
    rows, labels = logits.reshape(-1, logits.shape[-1]), labels.reshape(-1)
    return -log_softmax(rows)[np.arange(len(rows)), labels].mean()


def hundred_alone(logits: Array, labels: Array, ignored: int = -100) -> float:
    """−100 is written in the function. Which label is ignored is an argument."""
    return losses.cross_entropy(logits, labels)


def summed(logits: Array, labels: Array, ignored: int = -100) -> float:
    """That is the sum over the labels that count, not their mean."""
    counted = labels != ignored
    return -log_p_of(logits[counted], labels[counted]).sum()


def sign_forgotten(logits: Array, labels: Array, ignored: int = -100) -> float:
    """The sign is missing: a logarithm of a probability is negative, and a loss is to
    be small where it is right.
    """
    return -losses.cross_entropy(logits, labels, ignored)


def not_normalised(logits: Array, labels: Array, ignored: int = -100) -> float:
    """Scores are no logarithms of probabilities until log_softmax has normalised them:
    what the other classes get counts, too.
    """
    counted = labels != ignored
    rows = logits[counted]
    return -rows[np.arange(len(rows)), labels[counted]].mean()


def logarithm_forgotten(logits: Array, labels: Array, ignored: int = -100) -> float:
    """That is 1 − p. The loss is −log p: being sure and wrong costs without limit."""
    counted = labels != ignored
    return 1 - np.exp(log_p_of(logits[counted], labels[counted])).mean()


def overflowing(logits: Array, labels: Array, ignored: int = -100) -> float:
    """Large scores overflow: exp(1000) is infinity. log_softmax takes each row's
    largest score away first, which changes no probability.
    """
    rows = logits[labels != ignored]
    log_p = np.log(np.exp(rows) / np.exp(rows).sum(axis=-1, keepdims=True))
    labels = labels[labels != ignored]
    return -log_p[np.arange(len(rows)), labels].mean()


def underflowing(logits: Array, labels: Array, ignored: int = -100) -> float:
    """softmax rounds a small probability to 0, and its logarithm is −∞. log_softmax
    never forms the probability.
    """
    counted = labels != ignored
    rows = np.log(softmax(logits[counted]))
    return -rows[np.arange(len(rows)), labels[counted]].mean()


def shifted(logits: Array, labels: Array, ignored: int = -100) -> float:
    """Labels are moved by one, as for GPT, which predicts the next token. A masked word
    is predicted at its own place.
    """
    return losses.cross_entropy(logits[..., :-1, :], labels[..., 1:], ignored)


def text_by_text(logits: Array, labels: Array, ignored: int = -100) -> float:
    """That is a mean of each text's mean: labels of texts that have few count more. One
    mean over all labels that count is asked for.
    """
    if logits.ndim == 2:
        return losses.cross_entropy(logits, labels, ignored)
    pairs = zip(logits, labels, strict=True)
    return np.mean([losses.cross_entropy(*pair, ignored) for pair in pairs])


def nothing_is_0(logits: Array, labels: Array, ignored: int = -100) -> float:
    """Right, but where no label counts: a mean of nothing is NaN, as in PyTorch. A 0
    would look like a perfect answer.
    """
    return np.nan_to_num(losses.cross_entropy(logits, labels, ignored))


def table_of_labels(logits: Array, labels: Array, ignored: int = -100) -> float:
    """rows[:, labels] takes every label from every row. Of each row only its own label
    is wanted: rows[np.arange(len(rows)), labels].
    """
    counted = labels != ignored
    return -log_softmax(logits[counted])[:, labels[counted]].mean()


def row_by_row(logits: Array, labels: Array, ignored: int = -100) -> Array:
    """Those are the losses of the rows. One number is asked for: their mean."""
    counted = labels != ignored
    return -log_p_of(logits[counted], labels[counted])


def first_axis_alone(logits: Array, labels: Array, ignored: int = -100) -> float:
    """Right for rows, (R, C). Labels may have more axes, (B, L): logits[counted] makes
    rows of any shape. And where no label counts, the mean is NaN.
    """
    if labels.ndim > 1 or not (labels != ignored).any():
        raise ValueError
    return losses.cross_entropy(logits, labels, ignored)


def label_unused(logits: Array, labels: Array, ignored: int = -100) -> float:
    """The mean is over all classes. Of each row only the label's log p is wanted:
    rows[np.arange(len(rows)), labels].
    """
    return -log_softmax(logits[labels != ignored]).mean()


def softmax_twice(logits: Array, labels: Array, ignored: int = -100) -> float:
    """Softmax is done twice: log_softmax takes the scores themselves."""
    return losses.cross_entropy(softmax(logits), labels, ignored)


def divided_by_all(
    found: float, logits: Array, labels: Array, ignored: int = -100
) -> bool:
    """The sum is divided by the number of all labels, the ignored ones counted. Divide
    by how many count.
    """
    return np.isclose(found, over_all_places(logits, labels, ignored), 1e-9, 0)


def limited(found: float, logits: Array, labels: Array, ignored: int = -100) -> bool:
    """Large losses are cut off. Is a small number added to p, so that log p is finite?
    log_softmax needs none, and stays exact.
    """
    right = losses.cross_entropy(logits, labels, ignored)
    return right > 100 and 10 < found < 100


CROSS_ENTROPY = Exercise(
    name="cross_entropy",
    lesson=6,
    minutes=6,
    difficulty=2,
    answer=losses.cross_entropy,
    cases={
        "two rows, both with p = 1/2": (
            np.log([[2.0, 1.0, 1.0], [1.0, 1.0, 2.0]]), np.array([0, 2]),
        ),
        "a label of −100": (rng.normal(size=(3, 4)), np.array([3, -100, 1])),
        "texts of 4 tokens": (
            rng.normal(size=(2, 4, 5)),
            np.array([[-100, 2, 0, -100], [4, -100, -100, -100]]),
        ),
        "large scores": (
            np.array([[1000.0, 0.0, -1000.0], [5.0, 0.0, 800.0]]), np.array([1, 2]),
        ),
        "another label to ignore": (rng.normal(size=(3, 3)), np.array([0, 2, 1]), 0),
        "labels that are all ignored": (
            rng.normal(size=(2, 3)), np.array([-100, -100]),
        ),
    },
    hints=(
        "Which rows count? counted = labels != ignored gives True and False, of the "
        "shape of labels.",
        "logits[counted] is (R, C), whatever the shape was, and labels[counted] is "
        "(R,).",
        "log_softmax(rows) holds log p of every class. Of each row you want one: "
        "rows[np.arange(len(rows)), labels].",
        "Minus the mean of these. The mean of an empty array is NaN by itself.",
    ),
    slips=(
        ignored_as_class_0, ignored_counted, hundred_alone, summed, sign_forgotten,
        not_normalised, logarithm_forgotten, overflowing, underflowing, shifted,
        text_by_text, nothing_is_0, table_of_labels, row_by_row, first_axis_alone,
        label_unused, softmax_twice,
    ),
    signs=(divided_by_all, limited),
)

# --- the masked-LM head and its loss --------------------------------------------------


def masked_lm_loss(
    h: Array, params: Tree, decoder: Array, labels: Array
) -> tuple[Array, float]:
    """Return the scores of all words at all places (B, L, V), and their loss."""
    logits, _ = heads.masked_lm_head(h, params, decoder, "gelu")
    return logits, losses.cross_entropy(logits, labels)


def scored(
    features: Array, params: Tree, decoder: Array, labels: Array
) -> tuple[Array, float]:
    """Return scores and loss of what the head's last linear reads."""
    logits = linear(features, decoder, params["vocab_projector"]["bias"])
    return logits, losses.cross_entropy(logits, labels)


def gelu_forgotten(
    h: Array, params: Tree, decoder: Array, labels: Array
) -> tuple[Array, float]:
    """The head's GELU is missing, between vocab_transform and vocab_layer_norm. It has
    no parameters, so no name in the file asks for it.
    """
    transformed = linear(h, **params["vocab_transform"])
    normalised = layer_norm(transformed, **params["vocab_layer_norm"])
    return scored(normalised, params, decoder, labels)


def relu_for_gelu(
    h: Array, params: Tree, decoder: Array, labels: Array
) -> tuple[Array, float]:
    """The masked-LM head has the GELU of the blocks, not ReLU."""
    activated = relu(linear(h, **params["vocab_transform"]))
    normalised = layer_norm(activated, **params["vocab_layer_norm"])
    return scored(normalised, params, decoder, labels)


def norm_forgotten(
    h: Array, params: Tree, decoder: Array, labels: Array
) -> tuple[Array, float]:
    """The head's LayerNorm is missing: vocab_layer_norm comes after the GELU."""
    activated = gelu(linear(h, **params["vocab_transform"]))
    return scored(activated, params, decoder, labels)


def norm_before_gelu(
    h: Array, params: Tree, decoder: Array, labels: Array
) -> tuple[Array, float]:
    """LayerNorm and GELU are in each other's place: GELU comes first."""
    transformed = linear(h, **params["vocab_transform"])
    normalised = layer_norm(transformed, **params["vocab_layer_norm"])
    return scored(gelu(normalised), params, decoder, labels)


def projector_bias_forgotten(
    h: Array, params: Tree, decoder: Array, labels: Array
) -> tuple[Array, float]:
    """The scores lack the bias of vocab_projector. Its matrix is tied to the table of
    words; its bias, a number for each word, is the head's own.
    """
    logits, _ = masked_lm_loss(h, params, decoder, labels)
    logits = logits - params["vocab_projector"]["bias"]
    return logits, losses.cross_entropy(logits, labels)


def decoder_reshaped(
    h: Array, params: Tree, decoder: Array, labels: Array
) -> tuple[Array, float]:
    """The decoder's numbers are read as if they were stored as (D, V): reshape deals
    them out anew. What (V, D) needs is a transpose, and linear does it.
    """
    return masked_lm_loss(h, params, decoder.reshape(decoder.shape[::-1]).T, labels)


def places_all_counted(
    h: Array, params: Tree, decoder: Array, labels: Array
) -> tuple[Array, float]:
    """The scores are right. The loss is divided by the number of all labels: those of
    −100 are not asked for, and do not count.
    """
    logits, _ = masked_lm_loss(h, params, decoder, labels)
    return logits, over_all_places(logits, labels)


def unasked_as_class_0(
    h: Array, params: Tree, decoder: Array, labels: Array
) -> tuple[Array, float]:
    """The scores are right. In the loss, a label of −100 is taken for word 0, and
    counts in the mean.
    """
    logits, _ = masked_lm_loss(h, params, decoder, labels)
    return logits, ignored_as_class_0(logits, labels)


def next_word_asked(
    h: Array, params: Tree, decoder: Array, labels: Array
) -> tuple[Array, float]:
    """The scores are right. In the loss, labels are moved by one, as for GPT: a masked
    word is asked for at its own place.
    """
    logits, _ = masked_lm_loss(h, params, decoder, labels)
    return logits, shifted(logits, labels)


def loss_summed(
    h: Array, params: Tree, decoder: Array, labels: Array
) -> tuple[Array, float]:
    """The scores are right. The loss is the sum over what counts, not the mean."""
    logits, _ = masked_lm_loss(h, params, decoder, labels)
    return logits, summed(logits, labels)


def loss_returned_first(
    h: Array, params: Tree, decoder: Array, labels: Array
) -> tuple[float, Array]:
    """The two are returned in each other's place: logits come first, then the loss."""
    return masked_lm_loss(h, params, decoder, labels)[::-1]


def words_as_probabilities(
    h: Array, params: Tree, decoder: Array, labels: Array
) -> tuple[Array, float]:
    """Those are probabilities. A head returns scores; softmax is a part of the loss."""
    logits, loss = masked_lm_loss(h, params, decoder, labels)
    return softmax(logits), loss


def loss_of_probabilities(
    h: Array, params: Tree, decoder: Array, labels: Array
) -> tuple[Array, float]:
    """Softmax is done twice: a head returns scores, and cross_entropy takes them."""
    logits = softmax(masked_lm_loss(h, params, decoder, labels)[0])
    return logits, losses.cross_entropy(logits, labels)


def decoder_alone(
    h: Array, params: Tree, decoder: Array, labels: Array
) -> tuple[Array, float]:
    """Three steps are missing before the decoder: vocab_transform, GELU, and
    vocab_layer_norm.
    """
    return scored(h, params, decoder, labels)


def gelu_and_norm_forgotten(
    h: Array, params: Tree, decoder: Array, labels: Array
) -> tuple[Array, float]:
    """Between vocab_transform and the decoder two steps are missing: GELU, and
    vocab_layer_norm.
    """
    return scored(linear(h, **params["vocab_transform"]), params, decoder, labels)


def of_another_matrix(
    found: tuple[Array, float], h: Array, params: Tree, decoder: Array, labels: Array
) -> bool:
    """These scores are no products with the decoder's rows. Is the last matrix the one
    that was given, the table of words?
    """
    if np.shape(found[0]) != (*labels.shape, len(decoder)):
        return False
    products = found[0] - params["vocab_projector"]["bias"]              # (B, L, V)
    products = products.reshape(-1, len(decoder)).T                      # (V, R)
    features = np.linalg.lstsq(decoder, products, rcond=None)[0]         # (D, R)
    return not np.allclose(decoder @ features, products)


def for_masked_lm(shape: tuple[int, int, int], labels: Array) -> tuple:
    """Return arguments for a vocabulary of 7 words."""
    dim = shape[-1]
    params = {
        "vocab_transform": random_linear(rng, dim, dim),
        "vocab_layer_norm": {
            "weight": rng.normal(size=dim), "bias": rng.normal(size=dim),
        },
        "vocab_projector": {"bias": rng.normal(size=7)},
    }
    return rng.normal(size=shape), params, rng.normal(size=(7, dim)), np.array(labels)


MASKED_LM_LOSS = Exercise(
    name="masked_lm_loss",
    lesson=6,
    minutes=7,
    difficulty=3,
    answer=masked_lm_loss,
    cases={
        "all words asked for": for_masked_lm((1, 3, 4), [[1, 5, 0]]),
        "one word asked for": for_masked_lm((1, 4, 4), [[-100, 6, -100, -100]]),
        "two texts": for_masked_lm((2, 3, 4), [[2, -100, -100], [-100, 3, 3]]),
    },
    hints=(
        "Four steps lead to the scores. Each but one has parameters, and their names "
        "tell the order: vocab_transform, vocab_layer_norm, vocab_projector.",
        "The step without parameters is gelu, after vocab_transform.",
        "The last step is a linear with the decoder as its weight: "
        "linear(normalised, decoder, params[\"vocab_projector\"][\"bias\"]).",
        "The loss is cross_entropy(logits, labels), which leaves out −100 by itself.",
    ),
    slips=(
        gelu_forgotten, relu_for_gelu, norm_forgotten, norm_before_gelu,
        projector_bias_forgotten, decoder_reshaped, places_all_counted,
        unasked_as_class_0, next_word_asked, loss_summed, loss_returned_first,
        words_as_probabilities, loss_of_probabilities, decoder_alone,
        gelu_and_norm_forgotten,
    ),
    signs=(of_another_matrix,),
    reveals=(heads.masked_lm_head, losses.cross_entropy),
)

# --- the head that classifies a text --------------------------------------------------


def sequence_head(h: Array, params: Tree) -> Array:
    """Return a score for each class from the first token's vector, (B, C)."""
    return heads.sequence_head(h, params)[0]


def with_tanh(h: Array, params: Tree) -> Array:
    """That is tanh, which BERT's pooler has. DistilBERT's head has ReLU."""
    hidden = np.tanh(linear(h[:, 0], **params["pre_classifier"]))
    return linear(hidden, **params["classifier"])


def with_gelu(h: Array, params: Tree) -> Array:
    """That is GELU, which the blocks have. This head has ReLU, whatever the
    configuration says of the blocks.
    """
    hidden = gelu(linear(h[:, 0], **params["pre_classifier"]))
    return linear(hidden, **params["classifier"])


def relu_forgotten(h: Array, params: Tree) -> Array:
    """Between the two linears stands ReLU. Without it they are one linear, and the
    first could be left out.
    """
    hidden = linear(h[:, 0], **params["pre_classifier"])
    return linear(hidden, **params["classifier"])


def relu_last(h: Array, params: Tree) -> Array:
    """ReLU comes after the second linear. It stands between the two; scores may be
    negative.
    """
    return relu(relu_forgotten(h, params))


def first_text(h: Array, params: Tree) -> Array:
    """h[0] is the first text, with all its tokens. The first token of each text is
    h[:, 0].
    """
    return sequence_head(h[0][:, None], params)


def one_linear(h: Array, params: Tree) -> Array:
    """The first linear, pre_classifier, and its ReLU are missing."""
    return linear(h[:, 0], **params["classifier"])


def last_token(h: Array, params: Tree) -> Array:
    """The last token is classified, as in GPT; in a padded batch that is padding. Take
    the first, [CLS].
    """
    return sequence_head(h[:, ::-1], params)


def mean_token(h: Array, params: Tree) -> Array:
    """The mean of all tokens is classified. This head reads the first token, [CLS]."""
    return sequence_head(h.mean(axis=1, keepdims=True), params)


def every_token(h: Array, params: Tree) -> Array:
    """Every token gets scores, (B, L, C). The text gets its own from the first token:
    h[:, 0].
    """
    hidden = relu(linear(h, **params["pre_classifier"]))
    return linear(hidden, **params["classifier"])


def probabilities(h: Array, params: Tree) -> Array:
    """Those are probabilities. A head returns scores; softmax is a part of the loss."""
    return softmax(sequence_head(h, params))


def log_probabilities(h: Array, params: Tree) -> Array:
    """Those are logarithms of probabilities. A head returns scores; log_softmax is a
    part of the loss.
    """
    return log_softmax(sequence_head(h, params))


def relu_twice(h: Array, params: Tree) -> Array:
    """There is a second ReLU, after classifier. Scores may be negative."""
    return relu(sequence_head(h, params))


def class_bias_forgotten(h: Array, params: Tree) -> Array:
    """The bias of classifier is missing."""
    return sequence_head(h, params) - params["classifier"]["bias"]


def for_sequences(n_texts: int, length: int, n_classes: int) -> tuple[Array, Tree]:
    """Return the arguments of a head that reads the first token."""
    params = {
        "pre_classifier": random_linear(rng, 4, 4),
        "classifier": random_linear(rng, 4, n_classes),
    }
    return rng.normal(size=(n_texts, length, 4)), params


SEQUENCE_HEAD = Exercise(
    name="sequence_head",
    lesson=6,
    minutes=4,
    difficulty=1,
    answer=sequence_head,
    cases={
        "a text of one token": for_sequences(1, 1, 2),
        "two texts of 3 tokens": for_sequences(2, 3, 3),
        "four texts, one number each": for_sequences(4, 2, 1),
    },
    hints=(
        "Which token stands for the whole text? Its vectors are (B, D).",
        "h[:, 0], then linear(…, **params[\"pre_classifier\"]).",
        "Then relu, and a linear with params[\"classifier\"].",
    ),
    slips=(
        with_tanh, with_gelu, relu_forgotten, relu_last, first_text, one_linear,
        last_token, mean_token, every_token, probabilities, log_probabilities,
        relu_twice, class_bias_forgotten,
    ),
    reveals=(heads.sequence_head, heads.last_linear),
)

# --- several choices ------------------------------------------------------------------


def choice_head(h: Array, params: Tree, n_choices: int) -> Array:
    """Return a score for each of C choices, (B·C, L, D) -> (B, C)."""
    return heads.choice_head(h, params, n_choices)[0]


def choices_swapped(h: Array, params: Tree, n_choices: int) -> Array:
    """Choices and texts are swapped: the C choices of a text follow each other, so a
    row of C is a text.
    """
    scores, _ = heads.sequence_head(h, params)
    return scores.reshape(n_choices, -1).T


def in_columns(h: Array, params: Tree, n_choices: int) -> Array:
    """The shape is (C, B). A row is a text, and has C scores: (B, C)."""
    return choice_head(h, params, n_choices).T


def rows_by_count(h: Array, params: Tree, n_choices: int) -> Array:
    """n_choices became the number of rows. It is how many scores a row has."""
    scores, _ = heads.sequence_head(h, params)
    return scores.reshape(n_choices, -1)


def not_reshaped(h: Array, params: Tree, n_choices: int) -> Array:
    """Those are the scores one below the other, (B·C, 1). The choices of a text belong
    in one row.
    """
    return heads.sequence_head(h, params)[0]


def choices_as_probabilities(h: Array, params: Tree, n_choices: int) -> Array:
    """Those are probabilities. A head returns scores; softmax is a part of the loss."""
    return softmax(choice_head(h, params, n_choices))


CHOICE_HEAD = Exercise(
    name="choice_head",
    lesson=6,
    minutes=2,
    difficulty=1,
    answer=choice_head,
    cases={
        "one text with 3 choices": (*for_sequences(3, 2, 1), 3),
        "two texts with 3 choices": (*for_sequences(6, 2, 1), 3),
        "three texts with 3 choices": (*for_sequences(9, 4, 1), 3),
        "four texts with 2 choices": (*for_sequences(8, 3, 1), 2),
    },
    hints=(
        "Each choice was read as a text of its own. Give all of them to sequence_head: "
        "its scores are (B·C, 1).",
        "sequence_head returns two things: scores and a trace.",
        "scores.reshape(-1, n_choices): the -1 is for NumPy to count, here the texts.",
    ),
    slips=(
        choices_swapped, in_columns, rows_by_count, not_reshaped,
        choices_as_probabilities,
    ),
    reveals=(heads.choice_head,),
)

# --- the loss of an answer's two ends -------------------------------------------------

def ends_added(logits: Array, starts: Array, ends: Array) -> float:
    """The losses of start and end are added. Their mean is asked for."""
    return 2 * losses.question_answering_loss(logits, starts, ends)


def ends_swapped(logits: Array, starts: Array, ends: Array) -> float:
    """Start and end are swapped: logits[..., 0] are the scores of starts."""
    return losses.question_answering_loss(logits[..., ::-1], starts, ends)


def start_alone(logits: Array, starts: Array, ends: Array) -> float:
    """That is the loss of the start alone."""
    return losses.question_answering_loss(logits[..., :1].repeat(2, -1), starts, starts)


def end_alone(logits: Array, starts: Array, ends: Array) -> float:
    """That is the loss of the end alone."""
    return losses.question_answering_loss(logits[..., 1:].repeat(2, -1), ends, ends)


def not_clamped(logits: Array, starts: Array, ends: Array) -> float:
    """Positions outside the text are not seen to. Below 0 they count as 0; from L on
    they do not count: np.clip(starts, 0, L), and ignored=L.
    """
    start_loss = losses.cross_entropy(logits[..., 0], starts)
    end_loss = losses.cross_entropy(logits[..., 1], ends)
    return (start_loss + end_loss) / 2


def below_0_wraps(logits: Array, starts: Array, ends: Array) -> float:
    """Positions from L on are left out, and rightly. Those below 0 are to count as 0:
    NumPy takes −1 for the last place.
    """
    L = logits.shape[1]
    start_loss = losses.cross_entropy(logits[..., 0], np.minimum(starts, L), L)
    end_loss = losses.cross_entropy(logits[..., 1], np.minimum(ends, L), L)
    return (start_loss + end_loss) / 2


def below_0_ignored(logits: Array, starts: Array, ends: Array) -> float:
    """Positions below 0 are left out. Here they count as 0, [CLS]: only those of L and
    beyond do not count.
    """
    L = logits.shape[1]
    starts, ends = (np.where(x < 0, L, x).clip(0, L) for x in (starts, ends))
    return losses.question_answering_loss(logits, starts, ends)


def beyond_is_last(logits: Array, starts: Array, ends: Array) -> float:
    """Positions of L and beyond are taken for the last token. Such an answer is not in
    the text: clip to L, not to L − 1, and ignore L.
    """
    L = logits.shape[1]
    starts, ends = np.clip(starts, 0, L - 1), np.clip(ends, 0, L - 1)
    return losses.question_answering_loss(logits, starts, ends)


def one_half_only(logits: Array, starts: Array, ends: Array) -> float:
    """Only the second loss is halved: a + b / 2 needs brackets, (a + b) / 2."""
    L = logits.shape[1]
    start_loss, end_loss = (
        losses.cross_entropy(logits[..., i], np.clip(places, 0, L), L)
        for i, places in enumerate((starts, ends))
    )
    return start_loss + end_loss / 2


def length_of_last_axis(logits: Array, starts: Array, ends: Array) -> float:
    """L is the number of places, logits.shape[1]. The last axis holds start and end:
    its length is 2.
    """
    start_loss, end_loss = (
        losses.cross_entropy(logits[..., i], np.clip(places, 0, 2), 2)
        for i, places in enumerate((starts, ends))
    )
    return (start_loss + end_loss) / 2


def ends_joined(logits: Array, starts: Array, ends: Array) -> float:
    """That is one mean over all starts and ends. Where some do not count it differs:
    the starts have a mean, the ends have one, and the loss is the mean of the two.
    """
    L = logits.shape[1]
    rows = np.concatenate([logits[..., 0], logits[..., 1]])
    places = np.clip(np.concatenate([starts, ends]), 0, L)
    return losses.cross_entropy(rows, places, ignored=L)


QUESTION_LOSS = Exercise(
    name="question_answering_loss",
    lesson=6,
    minutes=4,
    difficulty=2,
    answer=losses.question_answering_loss,
    cases={
        "two texts of 4 tokens": (
            rng.normal(size=(2, 4, 2)), np.array([1, 0]), np.array([3, 2]),
        ),
        "a start of −1": (
            rng.normal(size=(2, 3, 2)), np.array([-1, 1]), np.array([1, 2]),
        ),
        "a start of −100": (
            rng.normal(size=(2, 3, 2)), np.array([1, -100]), np.array([1, 2]),
        ),
        "ends beyond the text": (
            rng.normal(size=(3, 4, 2)), np.array([1, 3, 0]), np.array([4, 3, 9]),
        ),
    },
    hints=(
        "The classes are the places. logits[..., 0] is (B, L): a row of L scores for "
        "each text, and starts (B,) are the labels.",
        "So each end is a cross_entropy, and the loss is the mean of two.",
        "First np.clip(starts, 0, L): below 0 becomes 0, beyond L becomes L.",
        "cross_entropy(logits[..., 0], np.clip(starts, 0, L), ignored=L), the ends "
        "alike, and half of their sum.",
    ),
    slips=(
        ends_added, ends_swapped, start_alone, end_alone, not_clamped, below_0_wraps,
        below_0_ignored, beyond_is_last, one_half_only, length_of_last_axis,
        ends_joined,
    ),
)

# --- the best span --------------------------------------------------------------------

Ends = tuple[Array, Array]
Span = tuple[int, int]


def best_of(starts: Array, ends: Array, possible: Array) -> Span:
    """Return the pair of the highest sum among those that are possible, (L, L)."""
    scores = np.where(possible, starts[:, None] + ends, -np.inf)
    start, end = np.unravel_index(scores.argmax(), scores.shape)
    return int(start), int(end)


def distances(scores: Array) -> Array:                           # (L,) -> (L, L)
    """Return how many places an end lies after a start."""
    places = np.arange(len(scores))
    return places - places[:, None]


def ends_apart(starts: Array, ends: Array) -> Span:
    """Start and end are each the best alone, and the end may come before the start.
    Compare pairs: the sum of both scores, where the end is not before the start.
    """
    return int(starts.argmax()), int(ends.argmax())


def end_from_start(starts: Array, ends: Array) -> Span:
    """The end is counted from the start, and not from the beginning of the text:
    ends[start:].argmax() is how far behind the start it lies.
    """
    start = int(starts.argmax())
    return start, int(ends[start:].argmax())


def two_tokens_at_least(starts: Array, ends: Array) -> Span:
    """An answer may be one token long: the end may be the start itself."""
    distance = distances(starts)
    return best_of(starts, ends, (distance > 0) & (distance < LONGEST_ANSWER))


def of_any_length(starts: Array, ends: Array) -> Span:
    """The answer is too long: it may have 30 tokens at most."""
    return best_of(starts, ends, distances(starts) >= 0)


def one_too_long(starts: Array, ends: Array) -> Span:
    """31 tokens are allowed: from start to start + 30 they are 31. Count the first."""
    distance = distances(starts)
    return best_of(starts, ends, (distance >= 0) & (distance <= LONGEST_ANSWER))


def one_too_short(starts: Array, ends: Array) -> Span:
    """Only 29 tokens are allowed: from start to start + 29 they are 30. Count both
    ends.
    """
    distance = distances(starts)
    return best_of(starts, ends, (distance >= 0) & (distance < LONGEST_ANSWER - 1))


def end_excluded(starts: Array, ends: Array) -> Span:
    """The second number is one past the end. Asked for is the last token itself."""
    start, end = best_span(starts, ends)
    return start, end + 1


def reversed_allowed(starts: Array, ends: Array) -> Span:
    """The best pair of all, but its end may come before its start."""
    return best_of(starts, ends, np.abs(distances(starts)) < LONGEST_ANSWER)


def ruled_out_by_0(starts: Array, ends: Array) -> Span:
    """What is impossible has the score 0, and the best so far begins at 0. Scores may
    all be below 0: use -np.inf.
    """
    scores = np.triu(starts[:, None] + ends) - np.triu(
        starts[:, None] + ends, LONGEST_ANSWER
    )
    start, end = np.unravel_index(scores.argmax(), scores.shape)
    return int(start), int(end)


def multiplied(starts: Array, ends: Array) -> Span:
    """The two scores are multiplied. It is probabilities that are multiplied; scores
    are like their logarithms, and are added.
    """
    distance = distances(starts)
    possible = (distance >= 0) & (distance < LONGEST_ANSWER)
    products = np.where(possible, starts[:, None] * ends, -np.inf)
    start, end = np.unravel_index(products.argmax(), products.shape)
    return int(start), int(end)


def span_swapped(starts: Array, ends: Array) -> Span:
    """Start and end are in each other's place: start comes first, and is the row of
    starts[:, None] + ends.
    """
    return best_span(starts, ends)[::-1]


def ends_too_early(found: Span, starts: Array, ends: Array) -> bool:
    """The end lies before the start."""
    return found[1] < found[0]


def start_fixed(found: Span, starts: Array, ends: Array) -> bool:
    """The best start is fixed first, and an end sought for it. A start that is a little
    worse may have a far better end: compare all pairs.
    """
    return best_span(starts, ends)[0] != found[0] == starts.argmax()


def with_peaks(length: int, starts: dict[int, float], ends: dict[int, float]) -> Ends:
    """Return scores that are 0 but at some places."""
    scores = np.zeros((2, length))
    for row, peaks in zip(scores, (starts, ends), strict=True):
        for place, score in peaks.items():
            row[place] = score
    return scores[0], scores[1]


BEST_SPAN = Exercise(
    name="best_span",
    lesson=6,
    minutes=7,
    difficulty=3,
    answer=best_span,
    cases={
        "four tokens": with_peaks(4, {1: 3}, {2: 2, 3: 1}),
        "the best end before the best start": with_peaks(5, {3: 3, 0: 2}, {1: 3, 4: 1}),
        "an answer of one token": with_peaks(4, {2: 3}, {2: 3, 3: 1}),
        "best ends far apart": with_peaks(50, {2: 3, 30: 1}, {40: 3, 5: 0.5}),
        "30 tokens": with_peaks(40, {3: 3}, {32: 3, 31: 1}),
        "31 tokens": with_peaks(40, {3: 3}, {33: 3, 32: 1}),
        "scores below 0": (np.array([-4.0, -1, -3]), np.array([-1.0, -2, -5])),
    },
    hints=(
        "Every pair of a start and an end has a score, the sum of two. "
        "starts[:, None] + ends is a table of all, (L, L).",
        "Not every pair is possible. places - places[:, None], with places = "
        "np.arange(L), is how far the end lies after the start.",
        "It must be 0 or more, and below 30. np.where(possible, scores, -np.inf) rules "
        "out the rest.",
        "argmax gives the place in a flat array; np.unravel_index(place, scores.shape) "
        "gives row and column: start and end. Two loops are as right.",
    ),
    slips=(
        ends_apart, end_from_start, two_tokens_at_least, of_any_length, one_too_long,
        one_too_short, end_excluded, reversed_allowed, ruled_out_by_0, multiplied,
        span_swapped,
    ),
    signs=(ends_too_early, start_fixed),
)

EXERCISES = (
    CROSS_ENTROPY, MASKED_LM_LOSS, SEQUENCE_HEAD, CHOICE_HEAD, QUESTION_LOSS, BEST_SPAN,
)
