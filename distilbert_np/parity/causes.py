"""Likely causes: why a port's array is not what its own inputs make of it.

What ports get wrong (alternatives.py) is tried on those inputs. What gives the port's
array, up to rounding, is what the port does. Where nothing does, the error itself is
described: a factor, a vector too much, the places where it stands.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations, dropwhile
from typing import NamedTuple

import numpy as np

from ..attention import merge_heads
from ..functions import Array, as_rows
from ..models import DistilBertPreTrainedModel as Model
from ..weights import listing
from .alternatives import ALTERNATIVES, other_layer
from .rounding import FLOAT32, Size, difference, scale, size
from .steps import OPERATIONS, Operation, Place, Step, outcome

# What each cause means. The zoo's faults go by the same names.
MEANING = {
    "embeddings-scaled": "the word embeddings are multiplied by √D",
    "positions-off-by-one": "the positions do not start at 0",
    "positions-counted-in-sight": "positions are counted from the first token in sight",
    "positions-missing": "no position embeddings are added",
    "sinusoidal-regenerated": "positions are sines and cosines, not the stored table",
    "token-types-added": "one vector is added to every token: token types, which "
    "DistilBERT does not have",
    "embeddings-not-normalised": "the embeddings have no LayerNorm",
    "embeddings-added-to-their-norm": "the embeddings are added to their LayerNorm",
    "norm-missing": "there is no LayerNorm",
    "norm-eps-1e-3": "LayerNorm's epsilon is 1e-3, not 1e-12",
    "norm-eps-1e-5": "LayerNorm's epsilon is 1e-5, not 1e-12",
    "norm-eps-1e-6": "LayerNorm's epsilon is 1e-6, not 1e-12",
    "norm-eps-outside-root": "LayerNorm's epsilon is added to the deviation, not "
    "to the variance",
    "norm-unbiased-variance": "LayerNorm's variance divides by D − 1, not by D",
    "norm-params-missing": "LayerNorm's gain and bias are 1 and 0, not the stored ones",
    "norm-params-swapped": "LayerNorm has the gain and bias of the block's other one",
    "norm-without-mean": "LayerNorm does not subtract the mean",
    "norm-wrong-axis": "LayerNorm is over the tokens of a text, not over a token's "
    "numbers",
    "bias-dropped": "the bias is not added",
    "key-bias-dropped": "the bias is not added; no output can show it: softmax "
    "does not see what is added to a whole row of scores",
    "weight-transposed": "the weight is used as W, not as Wᵀ",
    "layers-swapped": "the parameters are another layer's",
    "query-key-swapped": "the parameters are those of q, k and v in another order",
    "pre-norm": "LayerNorm comes before attention, not after the sum",
    "heads-not-transposed": "heads are split by reshape alone, without the transpose: "
    "tokens are mixed",
    "heads-interleaved": "heads take every H-th number, not K consecutive ones",
    "heads-not-merged-back": "heads are merged by reshape alone, without the transpose",
    "scores-scaled-by-dim": "scores are divided by √D, not by √K",
    "scores-scaled-by-head-size": "scores are divided by K, not by √K",
    "scores-not-scaled": "scores are not divided by √K",
    "scores-transposed": "scores are k qᵀ, not q kᵀ",
    "mask-ignored": "hidden tokens are seen: the attention mask is ignored",
    "mask-inverted": "hidden tokens are seen, the others not: the mask is inverted",
    "mask-fill-1e4": "hidden scores get −10,000, not the lowest number: a row that "
    "sees nothing is not uniform",
    "mask-fill-infinity": "hidden scores are −∞: a row that sees nothing is NaN",
    "mask-shifted": "the mask is that of the neighbouring token",
    "softmax-not-divided": "the exponentials are not divided by their sum: rows do not "
    "add up to 1",
    "mask-after-softmax": "the mask comes after softmax: rows do not add up to 1",
    "mask-on-queries": "hidden tokens are not only unseen, they see nothing either",
    "causal-mask": "tokens see only what stands before them",
    "softmax-wrong-axis": "softmax is not over the keys, the last axis",
    "weights-transposed": "the values are weighed with the weights' transpose",
    "residual-missing": "the residual is not added",
    "residual-alone": "what the layer returns is not added to the residual",
    "residual-from-block-input": "the residual is the block's input, not what the "
    "feed-forward network read",
    "gelu-tanh": "GELU is the tanh approximation, not the exact one",
    "gelu-quick": "GELU is x·σ(1.702x), not the exact one",
    "gelu": "the activation is GELU",
    "relu": "the activation is ReLU",
    "silu": "the activation is SiLU",
    "activation-missing": "there is no activation",
    "head-activation-missing": "there is no activation in the head",
    "decoder-transposed": "the decoder's (V, D) numbers are read as (D, V)",
    "decoder-untied": "the decoder is another matrix than the word embeddings",
    "other-weights": "it is a linear function of its input, but with another weight",
    "pooler-tanh": "the head has tanh, as BERT's pooler, not ReLU",
    "last-token-taken": "the last token is taken, not the first",
    "first-token-taken": "the first token is taken, not the mean",
    "tokens-averaged": "the mean of the tokens is taken, not the first",
    "padding-averaged-in": "the mean is over all tokens, padding included",
    "ignored-labels-counted": "labels of −100 are counted, as 0",
    "loss-over-all-places": "the sum is divided by the number of all labels, those of "
    "−100 included",
    "loss-summed": "it is of the sum, not the mean",
    "tied-gradient-forgotten": "the tied decoder's share of the gradient is missing",
    "input-gradient-forgotten": "the gradient is the decoder's share alone",
    "pad-row-gradient": "the row of the padding token gets a gradient from the input",
    "weights-rounded": "the parameters are rounded to float16 or bfloat16",
    "float32-stored-as-float64": "it is off by float32's rounding: what is computed "
    "in float32 should be shown as float32",
    "float16-accumulation": "it is computed in float16",
    "bfloat16": "it is computed from factors rounded to bfloat16",
    "tf32": "it is computed from factors rounded to TF32, or to float16",
    "constant-factor": "all of it is multiplied by one number",
    "constant-added": "one vector is added to every row",
    "not-finite": "it holds NaN or infinity",
    "forward-differs": "a consequence: the way there went through another function, "
    "and this is the derivative of that",
    "inputs-differ": "the input is another one",
    "shape-differs": "it has another shape, in any order of axes",
    "unknown": "no formula that was tried gives these numbers",
}


class Finding(NamedTuple):
    """A cause, by its name; how well it explains the array; what else is to be said.

    times  how many times float32's error is left, if the cause is taken for true
    """

    cause: str
    times: float | None = None
    detail: str = ""

    @property
    def meaning(self) -> str:
        """The cause in words."""
        return MEANING[self.cause] + (f" ({self.detail})" if self.detail else "")


# What goes by another name where it stands.
NAMES = {
    ("embeddings.LayerNorm", "norm-missing"): "embeddings-not-normalised",
    ("attention.k", "bias-dropped"): "key-bias-dropped",
    ("head.activation", "activation-missing"): "head-activation-missing",
}


def causes_at(step: Step) -> Iterator[tuple[str, int, Operation]]:
    """Yield what may be wrong at a step: a cause, its variant, what it does there."""
    for name, runs in ALTERNATIVES.get(step.operation, {}).items():
        for (ending, usual), special in NAMES.items():
            if step.name.endswith(ending) and name == usual:
                name = special
        yield from ((name, number, run) for number, run in enumerate(runs))


class Wrong(NamedTuple):
    """An array of a port that is not what the port's own inputs make of it.

    model      in float64
    unseen     the steps since what the port showed last, to the one that gives it
    values     what the port showed, or these steps gave, by name
    name       the array's
    value      the array
    expected   what it should be
    floor      what rounding makes of it
    eps        of the precision that this is for
    tolerance  how many times that much is rounding still
    letters    its axes
    """

    model: Model
    unseen: list[Step]
    values: Mapping[str, Array]
    name: str
    value: Array
    expected: Array
    floor: Size
    eps: float
    tolerance: float
    letters: str

    def times(self, other: Array) -> float:
        """Return how many times rounding the array is off from another.

        What is larger than expected may be off by more.
        """
        usual = scale(self.expected).rms
        larger = max(1.0, scale(other).rms / usual) if usual else 1.0
        return size(difference(self.value, other)).over(self.floor) / larger


MOST_FINDINGS = 3
MANY_NUMBERS = 10**6
WORST = Finding("unknown", np.inf)


def findings(wrong: Wrong, forward_differs: bool = False) -> list[Finding]:
    """Return the likely causes, the likeliest first.

    `forward_differs` tells that it is a derivative of what was wrong already.
    """
    for level in levels(wrong):
        found: dict[str, Finding] = {}
        for cause, operations in level:
            times = left_by(wrong, operations)
            if times <= wrong.tolerance and times < found.get(cause, WORST).times:
                found[cause] = Finding(cause, times)
        if found:
            ranked = sorted(found.values(), key=lambda finding: finding.times)
            return ranked[:MOST_FINDINGS]
    consequence = Finding("forward-differs") if forward_differs else None
    return [of_float32(wrong) or consequence or described(wrong)]


# --- what is tried --------------------------------------------------------------------

Hypothesis = tuple[str, dict[str, Operation]]    # a cause; by step, what is done there


def levels(wrong: Wrong) -> Iterator[list[Hypothesis]]:
    """Yield what may have been done otherwise: everywhere alike, which is likeliest;
    then in one place of each layer; then once.

    The last is left out where much is unseen: it would take minutes.
    """
    numbers = sum(wrong.values[step.name].size for step in wrong.unseen[:-1])
    once = [lambda step: step.name] if numbers < MANY_NUMBERS else []
    known: set[tuple] = set()
    for alike in (lambda step: "everywhere", short_name, *once):
        level = {
            (*operations.items(),): (cause, operations)
            for cause, operations in hypotheses(wrong, alike)
        }
        yield [level[key] for key in level if key not in known]
        known |= level.keys()


def hypotheses(wrong: Wrong, alike: Callable[[Step], str]) -> Iterator[Hypothesis]:
    """Yield what may have been done otherwise, in all unseen steps that are `alike`."""
    together: dict[tuple[str, int, str], dict[str, Operation]] = {}
    for step in wrong.unseen:
        for cause, number, operation in causes_at(step):
            key = (cause, number, alike(step))
            together.setdefault(key, {})[step.name] = operation
    yield from ((cause, operations) for (cause, *_), operations in together.items())
    yield from layers_swapped(wrong)


def short_name(step: Step) -> str:
    """Return the name of what a step gives, without the number of its layer."""
    _, is_in_layer, name = step.name.partition(".layer.")
    return name.partition(".")[2] if is_in_layer else step.name


def layers_swapped(wrong: Wrong) -> Iterator[Hypothesis]:
    """Yield that two layers have each other's parameters, in what is unseen of them."""
    layers: dict[int, list[str]] = {}
    for step in wrong.unseen:
        if step.params.startswith("transformer.layer."):
            layers.setdefault(int(step.params.split(".")[2]), []).append(step.name)
    for one, other in combinations(range(wrong.model.config.n_layers), 2):
        operations = dict.fromkeys(layers.get(one, ()), other_layer(other))
        operations |= dict.fromkeys(layers.get(other, ()), other_layer(one))
        if operations:
            yield "layers-swapped", operations


def left_by(wrong: Wrong, operations: dict[str, Operation]) -> float:
    """Return how many times rounding is left, if these operations were done."""
    values = dict(wrong.values)
    for step in dropwhile(lambda step: step.name not in operations, wrong.unseen):
        operation = operations.get(step.name, OPERATIONS[step.operation])
        found = tried(step, operation, wrong.model, values)
        if found is None:
            return np.inf
        values |= found
    result = values[wrong.name]
    fits = result.shape == wrong.value.shape or wrong.letters.startswith("1|B")
    return wrong.times(result) if fits else np.inf


def tried(
    step: Step, operation: Operation, model: Model, values: Mapping[str, Array]
) -> dict[str, Array] | None:
    """Return what a step would give if this were its operation; None: it cannot be,
    in a model of this shape.
    """
    try:
        with np.errstate(all="ignore"):
            return outcome(step, operation, model, values)
    except (ValueError, IndexError, KeyError):
        return None


# --- the error itself -----------------------------------------------------------------


def described(wrong: Wrong) -> Finding:
    """Return what the error looks like, where nothing that was tried explains it."""
    for look in (not_finite, factor, vector_added, of_float16, other_weights):
        with np.errstate(all="ignore"):
            finding = look(wrong)
        if finding:
            return finding
    return Finding("unknown", detail=places(wrong))


def not_finite(wrong: Wrong) -> Finding | None:
    """Find numbers that are none."""
    odd = ~np.isfinite(wrong.value) & np.isfinite(wrong.expected)
    return Finding("not-finite", detail=places(wrong)) if odd.any() else None


def of_float32(wrong: Wrong) -> Finding | None:
    """Find no more than float32's rounding in numbers that are shown as float64."""
    times = wrong.times(wrong.expected) * wrong.eps / FLOAT32
    is_it = wrong.eps < FLOAT32 and times <= wrong.tolerance
    return Finding("float32-stored-as-float64") if is_it else None


def factor(wrong: Wrong) -> Finding | None:
    """Find that all of it is multiplied by one number."""
    squares = np.vdot(wrong.expected, wrong.expected)
    if wrong.expected.size < 2 or not squares > 0:
        return None
    number = float(np.vdot(wrong.expected, wrong.value) / squares)
    times = wrong.times(wrong.expected * number)
    is_it = times <= wrong.tolerance
    return Finding("constant-factor", times, f"{number:.6g}") if is_it else None


def vector_added(wrong: Wrong) -> Finding | None:
    """Find that one vector is added to every row."""
    if wrong.value.ndim < 2:
        return None
    more = wrong.value - wrong.expected
    rows = as_rows(more)
    if len(rows) < 2:
        return None
    times = wrong.times(wrong.expected + rows.mean(axis=0))
    to_embeddings = wrong.unseen[-1].operation == "embeddings"
    cause = "token-types-added" if to_embeddings else "constant-added"
    return Finding(cause, times) if times <= wrong.tolerance else None


LINEARS = ("linear", "heads", "decoder", "choices")


def rows_of(wrong: Wrong) -> tuple[Array, Array, Array] | None:
    """Return what a linear read, gave and should have given, bias taken off, in rows.
    """
    step = wrong.unseen[-1]
    if step.operation not in LINEARS:
        return None
    x = wrong.values[step.reads[0]].astype(np.float64)
    if not (np.isfinite(x).all() and np.isfinite(wrong.value).all()):
        return None
    bias = Place(wrong.model, step, wrong.values).params["bias"]
    x = as_rows(x)
    given = (
        merge_heads(y) if step.operation == "heads" else y
        for y in (wrong.value, wrong.expected)
    )
    return x, *(y.reshape(len(x), -1) - bias for y in given)


def of_float16(wrong: Wrong) -> Finding | None:
    """Find products that float16 holds without rounding."""
    if (rows := rows_of(wrong)) is None:
        return None
    _, product, expected = rows
    rest = np.abs(product - product.astype(np.float16))
    digit = FLOAT32 * (np.abs(product).max() + np.abs(wrong.value).max())
    is_it = is_near(product, expected) and rest.max() < digit
    return Finding("float16-accumulation") if is_it else None


def is_near(array: Array, expected: Array) -> bool:
    """Whether an array is nearly what it should be: off by less than a tenth."""
    return bool(np.abs(array - expected).mean() < 0.1 * np.abs(expected).mean())


def other_weights(wrong: Wrong) -> Finding | None:
    """Find that it is linear in what it read: only the weights are others.

    It can be told only from more rows than there are numbers in one. Of a decoder that
    is far off it is said in any case.
    """
    if (rows := rows_of(wrong)) is None:
        return None
    x, product, expected = rows
    x = np.column_stack([x, np.ones(len(x))])
    is_decoder = wrong.unseen[-1].operation == "decoder" and len(wrong.unseen) == 1
    if len(x) < x.shape[1] + 2:
        is_it = is_decoder and not is_near(product, expected)
        return Finding("decoder-untied") if is_it else None
    weight, *_ = np.linalg.lstsq(x, product, rcond=None)
    times = size(difference(x @ weight, product)).over(wrong.floor)
    cause = "decoder-untied" if is_decoder else "other-weights"
    return Finding(cause, times) if times <= wrong.tolerance else None


def places(wrong: Wrong) -> str:
    """Return where the error stands, if that is not everywhere."""
    error = difference(wrong.value, wrong.expected)
    off = error > wrong.tolerance * wrong.floor.most
    if not off.any():
        return "everywhere, but only a little"
    told = []
    letters = wrong.letters.replace("L L", "queries keys").split()
    for axis, letter in enumerate(letters):
        others = tuple(i for i in range(off.ndim) if i != axis)
        found = np.flatnonzero(off.any(axis=others))
        if letter in WHERE and len(found) < off.shape[axis]:
            told.append(f"{WHERE[letter]} {listing([str(i) for i in found])}")
    return "only in " + ", ".join(told) if told else "everywhere"


WHERE = {
    "B": "texts", "H": "heads", "L": "positions", "V": "words", "C": "classes",
    "queries": "queries", "keys": "keys",
}
