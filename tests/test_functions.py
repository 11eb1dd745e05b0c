"""The primitives: exact to the last bits, tails included, and quiet on huge numbers."""

import math

import numpy as np
import pytest

from distilbert_np import functions

TYPES = [np.float32, np.float64]


def ulps(result, truth):
    """Return each error in units of the last place of the true value.

    `truth` is a list of mpmath numbers.
    """
    spacing = np.spacing(np.abs(np.array([float(t) for t in truth], result.dtype)))
    errors = [abs(t - float(r)) for t, r in zip(truth, result, strict=True)]
    return np.array([float(e / float(s)) for e, s in zip(errors, spacing, strict=True)])


def grid(low, high, dtype):
    """Return numbers from low to high, and small ones of either sign."""
    small = 10.0 ** np.linspace(-12, 0, 400)
    return np.concatenate([np.linspace(low, high, 4001), small, -small]).astype(dtype)


@pytest.fixture
def mpmath():
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(50):
        yield mpmath


@pytest.mark.parametrize(("dtype", "most"), [(np.float32, 1), (np.float64, 2)])
def test_erf(mpmath, dtype, most):
    x = grid(-7, 7, dtype)
    truth = [mpmath.erf(float(v)) for v in x]
    assert ulps(functions.erf(x), truth).max() <= most


@pytest.mark.parametrize(
    ("dtype", "low", "most"), [(np.float32, -13, 1), (np.float64, -37, 4.5)]
)
def test_gelu_tail_included(mpmath, dtype, low, most):
    x = grid(low, 10, dtype)
    truth = [
        mpmath.mpf(float(v)) * mpmath.erfc(-mpmath.mpf(float(v)) / mpmath.sqrt(2)) / 2
        for v in x
    ]
    assert ulps(functions.gelu(x), truth).max() <= most


def test_the_coefficients_of_the_normal_tail(mpmath):
    # g(t) = Φ(−a) exp(a²/2) (a + √(2/π)) on a = 4(1 + t)/(1 − t): its Chebyshev series,
    # by the discrete cosine sum over 120 nodes.
    nodes = [mpmath.cos(mpmath.pi * (2 * j + 1) / 240) for j in range(120)]

    def g(t):
        a = 4 * (1 + t) / (1 - t)
        tail = mpmath.erfc(a / mpmath.sqrt(2)) / 2
        return tail * mpmath.exp(a * a / 2) * (a + mpmath.sqrt(2 / mpmath.pi))

    values = [g(t) for t in nodes]
    for k, coefficient in enumerate(functions._TAIL):
        waves = [mpmath.cos(k * mpmath.pi * (2 * j + 1) / 240) for j in range(120)]
        total = mpmath.fdot(values, waves) * (1 if k == 0 else 2) / 120
        assert abs(total - coefficient) < 1e-17 + abs(coefficient) * 2e-16, k


@pytest.mark.parametrize("dtype", TYPES)
def test_erf_and_gelu_against_python(dtype):
    # The same without mpmath: Python's own erf and erfc, which are float64.
    x = grid(-5, 5, dtype)
    eps = np.finfo(dtype).eps
    erf = np.array([math.erf(v) for v in x])
    gelu = np.array([v * math.erfc(-v / math.sqrt(2)) / 2 for v in x.tolist()])
    np.testing.assert_allclose(functions.erf(x), erf, rtol=2 * eps)
    # Rounding v/√2 costs Python's erfc about v² half-ULPs, up to 25 here.
    np.testing.assert_allclose(functions.gelu(x), gelu, rtol=2 * eps + 6e-15)


@pytest.mark.parametrize("dtype", TYPES)
def test_gelu_new_and_silu(mpmath, dtype):
    x = grid(-13, 10, dtype)
    exact = [mpmath.mpf(float(v)) for v in x]
    c = mpmath.sqrt(2 / mpmath.pi)
    # (1 + tanh u) / 2 is 1 / (1 + exp(−2u)), which keeps mpmath's digits in the tail.
    u = [c * (v + mpmath.mpf("0.044715") * v**3) for v in exact]
    gelu_new = [v / (1 + mpmath.exp(-2 * w)) for v, w in zip(exact, u, strict=True)]
    silu = [v / (1 + mpmath.exp(-v)) for v in exact]
    # exp multiplies the rounding of its argument 2u by |2u|.
    most = 6 + 5 * np.abs([float(2 * w) for w in u])
    assert (ulps(functions.gelu_new(x), gelu_new) <= most).all()
    assert ulps(functions.silu(x), silu).max() <= 6


def rows(dtype):
    rng = np.random.default_rng(0)
    return (rng.standard_normal((30, 17)) * 6).astype(dtype)


@pytest.mark.parametrize("dtype", TYPES)
def test_softmax(mpmath, dtype):
    for row, result in zip(rows(dtype), functions.softmax(rows(dtype)), strict=True):
        exact = [mpmath.exp(float(v)) for v in row]
        truth = [v / mpmath.fsum(exact) for v in exact]
        # An ULP for each unit below the maximum is the rounding of x − max.
        assert (ulps(result, truth) <= 4 + (row.max() - row)).all()
    np.testing.assert_allclose(functions.softmax(rows(dtype)).sum(-1), 1, rtol=1e-6)


@pytest.mark.parametrize("dtype", TYPES)
def test_log_softmax(mpmath, dtype):
    results = functions.log_softmax(rows(dtype))
    for row, result in zip(rows(dtype), results, strict=True):
        log_sum = mpmath.log(mpmath.fsum([mpmath.exp(float(v)) for v in row]))
        truth = np.array([float(float(v) - log_sum) for v in row])
        # Near 0, where p is near 1, the error is one of log's argument, not relative.
        scale = np.spacing(np.maximum(1, np.abs(truth)).astype(dtype))
        assert (np.abs(result - truth) <= 3 * scale).all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("mean", "spread"), [(0, 1), (300, 1), (1e4, 1), (2.5, 2.0**-10), (0, 1e-5)]
)
def test_layer_norm_of_any_offset_and_spread(mpmath, dtype, mean, spread):
    x = (mean + rows(dtype) * spread).astype(dtype)
    weight, bias = rows(dtype)[:2]
    result = functions.layer_norm(x, weight, bias)
    for row, y in zip(x, result, strict=True):
        exact = [mpmath.mpf(float(v)) for v in row]
        centre = mpmath.fsum(exact) / len(exact)
        variance = mpmath.fsum([(v - centre) ** 2 for v in exact]) / len(exact)
        deviation = mpmath.sqrt(variance + mpmath.mpf("1e-12"))
        parts = [
            ((v - centre) / deviation * float(w), float(b))
            for v, w, b in zip(exact, weight, bias, strict=True)
        ]
        largest = max(abs(product) + abs(b) for product, b in parts)
        truth = np.array([float(product + b) for product, b in parts])
        assert np.abs(y - truth).max() <= 4 * np.spacing(dtype(largest))


def test_layer_norm_of_a_constant_row_is_the_bias():
    weight, bias = rows(np.float32)[:2]
    x = np.full((2, 17), 1 / 3, np.float32)
    np.testing.assert_array_equal(functions.layer_norm(x, weight, bias), [bias, bias])


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    "function", [*functions.ACTIVATIONS.values(), functions.erf, functions.sigmoid]
)
def test_no_finite_number_overflows(dtype, function):
    # Warnings are errors here, so overflow would be seen.
    most = np.finfo(dtype).max
    x = np.array([-most, -most / 2, -1e30, -800, -90, 0, 90, 800, 1e30, most], dtype)
    y = function(x)
    assert y.dtype == dtype and np.isfinite(y).all()
    limits = {"tanh": (-1, 1), "erf": (-1, 1), "sigmoid": (0, 1)}
    low, high = limits.get(function.__name__, (0, most))
    assert abs(y[0] - low) == 0 and y[-1] == high


@pytest.mark.parametrize("dtype", TYPES)
def test_rows_of_huge_numbers(dtype):
    most = np.finfo(dtype).max
    x = np.array([[-most, 0, most, most], [0, 1, 2, 3], [most] * 4], dtype)
    assert functions.softmax(x)[0].tolist() == [0, 0, 0.5, 0.5]
    assert functions.log_softmax(x)[0, 2] == pytest.approx(-math.log(2))
    y = functions.layer_norm(x, np.ones(4, dtype), np.zeros(4, dtype))
    mean = np.array([-1, 0, 1, 1]) - 0.25
    np.testing.assert_allclose(y[0], mean / np.sqrt((mean**2).mean()), rtol=1e-6)
    np.testing.assert_allclose(y[1], (np.arange(4) - 1.5) / math.sqrt(1.25), rtol=1e-6)
    np.testing.assert_allclose(y[2], 0, atol=1e-6)


def test_linear_is_torch_s_layout():
    weight = np.arange(6.0).reshape(3, 2)
    y = functions.linear(np.array([[[1.0, 10.0]]]), weight, np.array([0.5, 0, 0]))
    assert y.tolist() == [[[10.5, 32, 54]]]


def test_lookup_reads_rows():
    table = np.arange(8.0).reshape(4, 2)
    assert functions.lookup(np.array([[3, 0]]), table).tolist() == [[[6, 7], [0, 1]]]


def test_a_wide_row_of_huge_numbers():
    x = np.tile(np.array([1, -1], np.float64) * np.finfo(float).max, 1536)
    one, zero = np.ones(x.size), np.zeros(x.size)
    np.testing.assert_allclose(functions.layer_norm(x, one, zero), np.sign(x))


def test_integers_and_plain_numbers_are_taken_too():
    expected = functions.gelu(np.array([-1.0, 0.0, 1.0]))
    np.testing.assert_array_equal(functions.gelu(np.array([-1, 0, 1])), expected)
    assert functions.erf(1) == pytest.approx(math.erf(1))


@pytest.mark.parametrize("dtype", TYPES)
def test_strided_input_gives_the_same(dtype):
    x = rows(dtype)
    np.testing.assert_array_equal(functions.gelu(x.T), functions.gelu(x).T)
