"""Answers to the exercises of lesson 10, the parity clinic."""

import numpy as np

# Right, and written differently from the library.
RIGHT = {}
# (a wrong answer, words of what it must be told)
WRONG = {}


# --- how far off an array is ----------------------------------------------------------


def largest(x):
    return np.linalg.norm(x.ravel(), np.inf)


def relative(found, exact):
    error, most = largest(found - exact), max(abs(exact.max()), abs(exact.min()))
    return error / most if most else error


def relative_by_loops(found, exact):
    most, error = 0.0, 0.0
    for a, b in zip(found.flat, exact.flat, strict=True):
        most = max(most, abs(b))
        if not abs(a - b) <= error:
            error = abs(a - b)
            if np.isnan(error):
                return error
    return error / (most or 1)


RIGHT["relative_error"] = [relative, relative_by_loops]
WRONG["relative_error"] = [
    (lambda x, y: largest(x - y), "largest difference, not a share"),
    (lambda x, y: -(y - x).min() / (largest(y) or 1), "too small do not show"),
    (lambda x, y: largest(x - y) / (largest(x) or 1), "the port's largest value"),
    (lambda x, y: np.max(abs(x / y - 1)), "divided by its own number"),
    (lambda x, y: abs(x - y).sum() / y.size / (largest(y) or 1), "mean difference"),
    (lambda x, y: largest(x - y) / (np.sort(y, None)[-1] or 1),
     "largest absolute value"),
    (lambda x, y: largest(x - y) / largest(y), "divides by 0"),
    (lambda x, y: max(d for d in abs(x - y).flat if d == d) / (abs(y).max() or 1),
     "NaN is overlooked"),
    (lambda x, y: abs(x - y) / (abs(y).max() or 1), "One number is asked for"),
    (lambda x, y: abs(x - y).max() / max(abs(y).max(), 1), "seem small"),
    (lambda x, y: abs(x - y).max() / abs(y).max() if y.any() else 0.0, "ever off"),
    (lambda x, y: np.sqrt(((x - y) ** 2).sum() / ((y**2).sum() or 1)),
     "sums of squares"),
]


# --- where it first goes wrong --------------------------------------------------------


def first(reference, port, tolerance):
    off = [
        name for name in reference
        if name in port and not relative(port[name], reference[name]) <= tolerance
    ]
    return off[0] if off else None


def first_by_keys(reference, port, tolerance):
    for name in filter(port.__contains__, reference):
        error = relative(port[name], reference[name])
        if error > tolerance or np.isnan(error):
            return name


def worst(reference, port, tolerance):
    errors = {name: relative(port[name], reference[name]) for name in port}
    name = max(errors, key=lambda name: (np.isnan(errors[name]), errors[name]))
    return name if first(reference, port, tolerance) else None


def by_the_port(reference, port, tolerance):
    for name, array in port.items():
        if not relative(array, reference[name]) <= tolerance:
            return name


def with_larger(reference, port, tolerance):
    for name, exact in reference.items():
        if name in port and relative(port[name], exact) > tolerance:
            return name


def of_everything(reference, port, tolerance):
    for name, exact in reference.items():
        if not relative(port[name], exact) <= tolerance:
            return name


def absolute(reference, port, tolerance):
    for name, exact in reference.items():
        if name in port and not abs(port[name] - exact).max() < tolerance:
            return name


def hasty(reference, port, tolerance):
    for name, exact in reference.items():
        if name in port:
            return None if relative(port[name], exact) <= tolerance else name


def pairwise(reference, port, tolerance):
    for name, found in zip(reference, port.values(), strict=False):
        if not relative(found, reference[name]) <= tolerance:
            return name


def of_the_first_missing(reference, port, tolerance):
    for name in reference:
        if name not in port or not relative(port[name], reference[name]) <= tolerance:
            return name


RIGHT["first_divergent"] = [first, first_by_keys]
WRONG["first_divergent"] = [
    (worst, "largest error"),
    (by_the_port, "by the port's order"),
    (with_larger, "NaN passes"),
    (of_everything, "need not show everything"),
    (lambda r, p, t: first(dict(reversed(r.items())), p, t), "last array that is off"),
    (lambda r, p, t: [n for n in r if n in p and not relative(p[n], r[n]) <= t],
     "all arrays that are off"),
    (absolute, "absolute"),
    (hasty, "after the whole loop"),
    (pairwise, "zip pairs"),
    (of_the_first_missing, "nothing is known"),
    (lambda r, p, t: first(r, p, 1e-5), "is an argument"),
    (lambda r, p, t: None if first(r, p, t) else first(r, p, t), "`return` missing"),
]


# --- what a step added ----------------------------------------------------------------


def added(step, read, found):
    doubles = [np.array(array, np.float64) for array in read]
    return relative(found, step(*doubles))


RIGHT["added_error"] = [
    added, lambda step, read, found: float(added(step, read, np.float64(found))),
]
WRONG["added_error"] = [
    (lambda step, read, found: relative(found, step(*read)), "run in float32"),
    (lambda step, read, found: relative(
        np.float64(step(*map(np.float64, read))), np.float64(found)), "changed places"),
    (lambda step, read, found: relative(found, step(read[0].astype(float))),
     "step(*arrays) passes all"),
    (lambda step, read, found: relative(found, step(read)), "missing 1 required"),
    (lambda step, read, found: relative(found, read[0].astype(float)), "does not run"),
    (lambda step, read, found: abs(found - step(*map(np.float64, read))).max(),
     "absolute error"),
]


# --- the diagnoses --------------------------------------------------------------------


def says(name):
    return lambda: name


RIGHT |= {
    f"diagnosis_{letter}": [says(name)]
    for letter, name in {
        "a": "positions-off-by-one", "b": "heads-not-merged-back", "c": "no bug",
        "d": "gelu-tanh", "e": "mask-after-softmax", "f": "norm-eps-1e-5",
        "g": "tied-gradient-forgotten",
    }.items()
}
WRONG["diagnosis_a"] = [
    (says("sinusoidal-regenerated"), "not by these numbers"),
    (says("positions-counted-in-sight"), "input with hidden tokens shows"),
    (says("embeddings-scaled"), "would be embeddings.words"),
    (says("positions start at 1"), "no name of the zoo"),
    (says("no bug"), "more than rounding"),
    (says("pooler-tanh"), "another head"),
    (lambda: 3, "no name of the zoo"),
]
WRONG["diagnosis_b"] = [
    (says("heads-not-transposed"), "would be transformer.layer.0.attention.q"),
    (says("heads_not_merged_back"), "no name of the zoo"),
]
WRONG["diagnosis_c"] = [
    (says("float16-accumulation"), "would be off by more than rounding"),
    (says("key-bias-dropped"), "transformer.layer.0.attention.k would be off"),
]
WRONG["diagnosis_d"] = [
    (says("gelu-quick"), "not by these numbers"),
    (says("norm-eps-1e-5"), "would be embeddings.LayerNorm"),
]
WRONG["diagnosis_e"] = [
    (says("mask-ignored"), "not by these numbers"),
    (says("mask-fill-infinity"), "a text with no token in sight shows"),
    (says("softmax-wrong-axis"), "not by these numbers"),
]
WRONG["diagnosis_f"] = [
    (says("norm-eps-1e-3"), "not by these numbers"),
    (says("norm-unbiased-variance"), "not by these numbers"),
    (says("gelu-tanh"), "would be transformer.layer.0.ffn.activation"),
]
WRONG["diagnosis_g"] = [
    (says("no bug"), "more than rounding"),
    (says("loss-summed"), "would be gradients.head.logits"),
    (says("pad-row-gradient"), "not by these numbers"),
]
