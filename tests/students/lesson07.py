"""Answers to the exercises of lesson 7, backpropagation by hand."""

import numpy as np

# Right, and written differently from the library.
RIGHT = {}
# (a wrong answer, words of what it must be told)
WRONG = {}
# A fault of the zoo, planted in the library's own function: words of the diagnosis.
FAULTS = {}
# An error of tests/planted_errors.py: words of the diagnosis.
PLANTED = {}


def softmax(x):
    exp = np.exp(x - x.max(axis=-1, keepdims=True))
    return exp / exp.sum(axis=-1, keepdims=True)


# --- central differences --------------------------------------------------------------


def central_difference_by_copies(f, x, h):
    flat = []
    for i in range(x.size):
        up, down = x.copy(), x.copy()
        up.flat[i] += h
        down.flat[i] -= h
        flat.append((f(up) - f(down)) / (2 * h))
    return np.array(flat).reshape(x.shape)


def central_difference_there_and_back(f, x, h):
    slopes = np.empty(x.shape)
    for place, old in np.ndenumerate(x):
        x[place] = old + h
        slopes[place] = f(x)
        x[place] = old - h
        slopes[place] -= f(x)
        x[place] = old
    return slopes / h / 2


def differences_at(place_by_place):
    """Return an answer that finds the slope at each place like this."""
    def answer(f, x, h):
        slopes = np.zeros(x.shape)
        for place in np.ndindex(x.shape):
            slopes[place] = place_by_place(f, x, h, place)
        return slopes

    return answer


def apart(x, place, h):
    moved = x.copy()
    moved[place] += h
    return moved


def of_one_array(f, x, h, place):
    above = below = x.copy()
    above[place] += h
    below[place] -= h
    return (f(above) - f(below)) / (2 * h)


def without_brackets(f, x, h, place):
    return (f(apart(x, place, h)) - f(apart(x, place, -h))) / 2 * h


def to_the_left(f, x, h, place):
    return (f(x) - f(apart(x, place, -h))) / h


def too_early(f, x, h):
    slopes = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        slopes[place] = (f(apart(x, place, h)) - f(apart(x, place, -h))) / (2 * h)
        return slopes


def by_first_axis(f, x, h):
    slopes = np.zeros(x.shape)
    for i in range(len(x)):
        slopes[i] = (f(apart(x, i, h)) - f(apart(x, i, -h))) / (2 * h)
    return slopes


RIGHT["central_difference"] = [
    central_difference_by_copies, central_difference_there_and_back,
]


def one_sided(f, x, h):
    base = f(x)
    slopes = np.zeros(x.shape)
    for i in range(x.size):
        up = x.copy()
        up.flat[i] += h
        slopes.flat[i] = (f(up) - base) / h
    return slopes


def left_where_it_was(f, x, h):
    slopes = np.zeros(x.shape)
    for i in range(x.size):
        x.flat[i] += h
        up = f(x)
        x.flat[i] -= 2 * h
        slopes.flat[i] = (up - f(x)) / 2 / h
    return slopes


def backwards(f, x, h):
    return -central_difference_by_copies(f, x, h)


WRONG["central_difference"] = [
    (one_sided, "to one side"),
    (lambda f, x, h: central_difference_by_copies(f, x, h) * 2, "the way is 2h"),
    (lambda f, x, h: (f(x + h) - f(x - h)) / h / 2, "only one slope"),
    (lambda f, x, h: np.ones(x.shape) * (f(x + h) - f(x - h)) / h / 2,
     "moved together. Move one"),
    (left_where_it_was, "not put back"),
    (left_where_it_was, "changes x in place"),
    (backwards, "Every number is -1 times the right one"),
    (differences_at(of_one_array), "x.copy() makes another"),
    (differences_at(without_brackets), "multiplies by h"),
    (differences_at(to_the_left), "to the other side"),
    (too_early, "inside the loop"),
    (by_first_axis, "moves as a whole"),
]


# --- linear ---------------------------------------------------------------------------


def linear_backward_by_einsum(dy, x, weight):
    return np.einsum("...o,oi->...i", dy, weight), {
        "weight": np.tensordot(dy, x, (range(x.ndim - 1),) * 2),
        "bias": np.einsum("ro->o", dy.reshape(-1, len(weight))),
    }


def linear_backward_by_loops(dy, x, weight):
    dx = np.zeros_like(x)
    dweight, dbias = np.zeros_like(weight), np.zeros(len(weight))
    for row in np.ndindex(x.shape[:-1]):
        dbias += dy[row]
        dweight += np.outer(dy[row], x[row])
        dx[row] = weight.T @ dy[row]
    return dx, {"bias": dbias, "weight": dweight}


RIGHT["linear_backward"] = [linear_backward_by_einsum, linear_backward_by_loops]


def for_each_text(dy, x, weight):
    return dy @ weight, {
        "weight": np.swapaxes(dy, -1, -2) @ x, "bias": dy.sum(axis=-2),
    }


def averaged(dy, x, weight):
    dx, grads = linear_backward_by_einsum(dy, x, weight)
    n = dy.size // dy.shape[-1]
    return dx, {name: gradient / n for name, gradient in grads.items()}


def without_names(dy, x, weight):
    dx, grads = linear_backward_by_einsum(dy, x, weight)
    return dx, grads["weight"], grads["bias"]


def turned_forward(dy, x, weight):
    return np.dot(dy, weight.T), linear_backward_by_loops(dy, x, weight)[1]


def turned_over(dy, x, weight):
    flat_x, flat_dy = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    return flat_dy.dot(weight).reshape(x.shape), {
        "weight": flat_x.T.dot(flat_dy), "bias": flat_dy.sum(0),
    }


WRONG["linear_backward"] = [
    (for_each_text, "an axis too many"),
    (averaged, "A mean over the rows stands where a sum belongs"),
    (without_names, "3 things, not 2"),
    (turned_forward, "Let the shapes decide"),
    (turned_over, "must have the shape of the weight"),
    (lambda dy, x, weight: (dy @ weight, {"weight": dy.T @ x, "bias": dy.sum(0)}),
     "Right for a matrix of rows"),
]
PLANTED["linear_backward"] = [
    ("functions.linear_backward: sign of dx", "[0]: Every number is -1 times"),
    ("functions.linear_backward: y in place of dy", "What comes back is dy"),
    ("functions.linear_backward: sign of dW", "[1] 'weight': Every number is -1"),
    ("functions.linear_backward: dW transposed", "must have the shape of the weight"),
    ("functions.linear_backward: dW is a mean over rows", "a sum belongs"),
    ("functions.linear_backward: db over the wrong axis", "numbers of each row"),
    ("functions.linear_backward: db is a mean over rows", "a sum belongs"),
    ("functions.linear_backward: db of the first row alone", "first row alone"),
]


# --- softmax --------------------------------------------------------------------------


def softmax_backward_by_einsum(dy, y):
    return y * dy - y * np.einsum("...i,...i->...", dy, y)[..., np.newaxis]


def softmax_backward_by_jacobians(dy, y):
    dx = np.zeros_like(y)
    for row in np.ndindex(y.shape[:-1]):
        jacobian = np.diag(y[row]) - np.outer(y[row], y[row])
        dx[row] = jacobian @ dy[row]
    return dx


RIGHT["softmax_backward"] = [softmax_backward_by_einsum, softmax_backward_by_jacobians]


def like_a_sigmoid(dy, y):
    return (y - np.square(y)) * dy


def without_keepdims(dy, y):
    s = np.sum(dy * y, axis=-1)
    return y * (dy - s)


def down_the_columns(dy, y):
    product = y * dy
    return product - y * np.sum(product, axis=-2, keepdims=True)


def halved_sum(dy, y):
    return y * (dy - (dy * y).mean(axis=-1, keepdims=True))


def from_scores(dy, y):
    y = np.exp(y) / np.exp(y).sum(-1, keepdims=True)
    return softmax_backward_by_einsum(dy, y)


WRONG["softmax_backward"] = [
    (lambda dy, y: y * dy, "only a part"),
    (like_a_sigmoid, "−y_i y_j"),
    (without_keepdims, "keepdims=True"),
    (down_the_columns, "down the columns"),
    (halved_sum, "do not sum to 0"),
    (from_scores, "already holds the probabilities"),
    (lambda dy, y: y * dy - y * np.sum(y * dy), "One sum over everything"),
    (lambda dy, y: softmax(y) * (dy - (dy * softmax(y)).sum(-1, keepdims=True)),
     "y already holds the probabilities"),
]
PLANTED["softmax_backward"] = [
    ("functions.softmax_backward: y and dy are swapped", "changed places"),
    ("functions._softmax_backward: the sum is forgotten", "only a part"),
    ("functions._softmax_backward: y is forgotten", "a factor y in front is missing"),
    ("functions._softmax_backward: y is forgotten in the sum", "the sum of dy alone"),
    ("functions._softmax_backward: sign of the sum", "is added"),
    ("functions._softmax_backward: the wrong axis", "down the columns"),
]


# --- cross-entropy --------------------------------------------------------------------


def cross_entropy_backward_by_one_hot(dloss, logits, labels, ignored=-100):
    z = logits - logits.max(-1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    counted = (labels != ignored)[..., None]
    one_hot = labels[..., None] == np.arange(logits.shape[-1])
    return np.where(counted, p - one_hot, 0) * (dloss / max(1, counted.sum()))


def cross_entropy_backward_by_loops(dloss, logits, labels, ignored=-100):
    dlogits = np.zeros(logits.shape)
    places = [row for row in np.ndindex(labels.shape) if labels[row] != ignored]
    for row in places:
        e = np.exp(logits[row] - max(logits[row]))
        dlogits[row] = e / sum(e)
        dlogits[(*row, labels[row])] -= 1
        dlogits[row] *= dloss / len(places)
    return dlogits


def entropy_slopes(change, divisor=len):
    """Return an answer that changes p like this, and divides by so much."""
    def answer(dloss, logits, labels, ignored=-100):
        counted = labels != ignored
        rows = softmax(logits[counted])
        change(rows, labels[counted])
        dlogits = np.zeros_like(logits)
        dlogits[counted] = dloss * rows / max(divisor(rows), 1)
        return dlogits

    return answer


def minus_everywhere(rows, labels):
    rows[:, labels] -= 1


def minus_in_place_of_p(rows, labels):
    rows[np.arange(len(rows)), labels] = -1


def minus_1(rows, labels):
    rows[np.arange(len(rows)), labels] -= 1


def nothing_elsewhere(rows, labels):
    for row, label in zip(rows, labels, strict=True):
        p = row[label]
        row[:] = 0
        row[label] = p - 1


def counted_rows(dloss, logits, labels, ignored=-100):
    counted = labels != ignored
    rows = softmax(logits[counted])
    minus_1(rows, labels[counted])
    return dloss * rows / max(len(rows), 1)


RIGHT["cross_entropy_backward"] = [
    cross_entropy_backward_by_one_hot, cross_entropy_backward_by_loops,
]


def softmaxed(logits):
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def blind_to_ignored(dloss, logits, labels, ignored=-100):
    p = softmaxed(logits).reshape(-1, logits.shape[-1])
    p[np.arange(len(p)), labels.ravel()] -= 1
    return (p * dloss / len(p)).reshape(logits.shape)


def zeroed_and_averaged(dloss, logits, labels, ignored=-100):
    kept = (labels != ignored)[..., None]
    one_hot = labels[..., None] == np.arange(logits.shape[-1])
    return kept * (softmaxed(logits) - one_hot) * dloss / labels.size


def without_a_maximum(dloss, logits, labels, ignored=-100):
    e = np.exp(logits)
    p = e / e.sum(-1, keepdims=True)
    one_hot = labels[..., None] == np.arange(logits.shape[-1])
    kept = labels != ignored
    return kept[..., None] * (p - one_hot) * dloss / max(1, kept.sum())


def mean_of_nothing(dloss, logits, labels, ignored=-100):
    kept = labels != ignored
    one_hot = labels[..., None] == np.arange(logits.shape[-1])
    return kept[..., None] * (softmaxed(logits) - one_hot) * dloss / kept.sum()


def only_asked_are_pushed(dloss, logits, labels, ignored=-100):
    kept = (labels != ignored)[..., None]
    one_hot = kept & (labels[..., None] == np.arange(logits.shape[-1]))
    return (softmaxed(logits) - one_hot) * dloss / max(1, kept.sum())


WRONG["cross_entropy_backward"] = [
    (blind_to_ignored, "It goes wrong where labels are"),
    (zeroed_and_averaged, "number of all labels"),
    (without_a_maximum, "NaN or infinity"),
    (mean_of_nothing, "0 is divided by 0"),
    (only_asked_are_pushed, "still hold their probabilities"),
    (lambda dloss, logits, labels, ignored: cross_entropy_backward_by_loops(
        1, logits, labels, ignored), "dloss is never used"),
    (lambda dloss, logits, labels, ignored: cross_entropy_backward_by_loops(
        dloss, logits, labels), "argument `ignored`"),
    (lambda dloss, logits, labels, ignored: -cross_entropy_backward_by_loops(
        dloss, logits, labels, ignored), "Every number is -1 times"),
    (entropy_slopes(minus_everywhere), "at every label in every row"),
    (entropy_slopes(minus_in_place_of_p), "not `= -1`"),
    (entropy_slopes(nothing_elsewhere), "Only the label's score"),
    (entropy_slopes(minus_1, np.size), "how many scores"),
    (counted_rows, "Only the rows that count are returned"),
]
FAULTS["cross_entropy_backward"] = [
    ("ignored-labels-counted", "taken for class 0"),
    ("loss-over-all-places", "number of all labels"),
    ("loss-summed", "gradient of the sum"),
]
PLANTED["cross_entropy_backward"] = [
    ("losses.cross_entropy_backward: sign of the label", "1 is added at the label"),
    ("losses.cross_entropy_backward: the label is forgotten", "probabilities alone"),
    ("losses.cross_entropy_backward: a mean over all and not what counts",
     "number of all labels"),
    ("losses.cross_entropy_backward: a sum in place of the mean",
     "gradient of the sum"),
    ("losses.cross_entropy_backward: dloss is forgotten", "dloss is never used"),
    ("losses.cross_entropy_backward: a mean over nothing", "it stops: ZeroDivision"),
    ("losses.cross_entropy_backward: ignored is forgotten", "argument `ignored`"),
]


# --- LayerNorm ------------------------------------------------------------------------


def layer_norm_backward_step_by_step(dy, x, weight, eps=1e-12):
    D = x.shape[-1]
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred**2).mean(-1, keepdims=True)
    inverse = (variance + eps) ** -0.5
    dn = dy * weight
    dvariance = (dn * centred).sum(-1, keepdims=True) * -0.5 * inverse**3
    dcentred = dn * inverse + dvariance * 2 * centred / D
    dx = dcentred - dcentred.mean(-1, keepdims=True)
    rows = range(x.ndim - 1)
    return dx, {
        "weight": (dy * centred * inverse).sum(axis=tuple(rows)),
        "bias": dy.sum(axis=tuple(rows)),
    }


def layer_norm_backward_by_jacobians(dy, x, weight, eps=1e-12):
    D = x.shape[-1]
    dx, dweight, dbias = np.zeros(x.shape), np.zeros(D), np.zeros(D)
    for row in np.ndindex(x.shape[:-1]):
        s = np.sqrt(x[row].var() + eps)
        n = (x[row] - x[row].mean()) / s
        dweight += dy[row] * n
        dbias += dy[row]
        jacobian = (np.eye(D) - 1 / D - np.outer(n, n) / D) / s
        dx[row] = jacobian @ (weight * dy[row])
    return dx, {"weight": dweight, "bias": dbias}


def norm_slopes(dx_of, gain_of=lambda dy, dn, n: dy * n):
    """Return an answer with this dx, and these numbers to be summed for the gain."""
    def answer(dy, x, weight, eps=1e-12):
        deviation = np.sqrt(x.var(-1, keepdims=True) + eps)
        n = (x - x.mean(-1, keepdims=True)) / deviation
        dn = dy * weight
        axes = tuple(range(dy.ndim - 1))
        grads = {"weight": gain_of(dy, dn, n).sum(axes), "bias": dy.sum(axes)}
        return dx_of(n, deviation, dn, dn.mean(-1, keepdims=True),
                     (dn * n).mean(-1, keepdims=True)), grads

    return answer


RIGHT["layer_norm_backward"] = [
    layer_norm_backward_step_by_step, layer_norm_backward_by_jacobians,
]


def changed(dx=None, root=lambda v, eps: (v + eps) ** 0.5, ddof=0):
    """Return a student's function in which dx, or how to divide, is another one."""

    def answer(dy, x, weight, eps=1e-12):
        s = root(x.var(-1, keepdims=True, ddof=ddof), eps)
        n = (x - x.mean(-1, keepdims=True)) / s
        g = dy * weight
        axes = (0, 1)[: x.ndim - 1]
        grads = {"weight": np.sum(dy * n, axes), "bias": np.sum(dy, axes)}
        a, b = (np.mean(part, -1, keepdims=True) for part in (g, g * n))
        return (dx or (lambda g, n, s, a, b: (g - a - n * b) / s))(g, n, s, a, b), grads

    return answer


def sums_over_one_axis(dy, x, weight, eps=1e-12):
    dx, _ = layer_norm_backward_by_jacobians(dy, x, weight, eps)
    n = (x - x.mean(-1, keepdims=True)) / (x.var(-1, keepdims=True) + eps) ** 0.5
    return dx, {"weight": np.sum(dy * n, axis=0), "bias": np.sum(dy, axis=0)}


def bias_averaged(dy, x, weight, eps=1e-12):
    dx, grads = layer_norm_backward_by_jacobians(dy, x, weight, eps)
    return dx, grads | {"bias": dy.reshape(-1, len(weight)).mean(axis=0)}


WRONG["layer_norm_backward"] = [
    (changed(lambda g, n, s, a, b: g / s), "for constants"),
    (changed(lambda g, n, s, a, b: (g - n * b) / s), "the mean's term is missing"),
    (changed(lambda g, n, s, a, b: (g - a) / s), "the deviation's term is missing"),
    (changed(lambda g, n, s, a, b: g - a - n * b), "not divided by the deviation"),
    (changed(lambda g, n, s, a, b: (g - a - b) / s), "a factor normalised is missing"),
    (changed(lambda g, n, s, a, b: (g + a - n * b) / s), "do not sum to 0"),
    (changed(lambda g, n, s, a, b: (g - (a + n * b) * g.shape[-1]) / s),
     "a row's sums are taken away"),
    (changed(ddof=1), "D − 1"),
    (changed(root=lambda v, eps: v**0.5 + eps), "eps is added to the deviation"),
    (changed(root=lambda v, eps: v**0.5), "eps is not used"),
    (bias_averaged, "The bias's gradient is a mean"),
    (sums_over_one_axis, "summed over one axis only"),
    (norm_slopes(lambda n, s, dn, a, b: dn - a - n * b / s), "only the last term"),
    (norm_slopes(lambda n, s, dn, a, b: s * (dn - a - n * b)), "multiplied by the dev"),
    (norm_slopes(lambda n, s, dn, a, b: (dn - a - n * b) / s**2), "by the variance"),
    (norm_slopes(lambda n, s, dn, a, b: (dn - a.mean() - n * b.mean()) / s),
     "means are over everything"),
    (norm_slopes(lambda n, s, dn, a, b: (dn - a - n * b) / s,
                 lambda dy, dn, n: dn * n), "in which the gain is already"),
]
FAULTS["layer_norm_backward"] = [
    ("norm-eps-1e-5", "1e-5 is added to the variance"),
    ("norm-eps-1e-3", "[0]: Right to 3 digits only"),
    ("norm-eps-outside-root", "1e-5 is added to the deviation"),
    ("norm-unbiased-variance", "D − 1"),
]
PLANTED["layer_norm_backward"] = [
    ("functions.layer_norm_backward: x and dy are swapped", "changed places"),
    *((f"functions._layer_norm_backward: {name}", words) for name, words in (
        ("the mean term is missing", "the mean's term is missing"),
        ("the deviation term is missing", "the deviation's term is missing"),
        ("the deviation is missing", "not divided by the deviation"),
        ("the deviation moves all alike", "a factor normalised is missing"),
        ("sign of the deviation term", "the deviation's term is added"),
        ("a sum in place of the mean", "sum of dnormalised"),
        ("mean over the wrong axis", "over the rows"),
        ("the gain is missing", "the gain is missing"),
        ("gain's gradient from x not normalised", "computed from x"),
        ("gain's gradient is a mean", "The gain's gradient is a mean"),
        ("bias's gradient of some rows", "it stops"),
        ("eps is forgotten", "eps is not used"),
    )),
]
