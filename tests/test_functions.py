"""The primitives: exact to the last bits, tails included, and quiet on huge numbers.

Their derivatives are compared with mpmath's, which knows no formula of ours.
"""

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
    small = 10.0 ** np.linspace(-36, 0, 600)
    return np.concatenate([np.linspace(low, high, 4001), small, -small]).astype(dtype)


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 3, 4), (2, 3, 11, 5)], ids=str)
def test_matmul_is_the_product_of_each_pair(shape):
    rng = np.random.default_rng(0)
    *stack, _, K = shape
    a, b = rng.standard_normal(shape), rng.standard_normal((*stack, 7, K))
    expected = np.einsum("...mk,...nk->...mn", a, b)
    y = functions.matmul(a, b.swapaxes(-1, -2))
    np.testing.assert_allclose(y, expected, rtol=1e-13, atol=1e-13)
    y = functions.matmul(b, a.swapaxes(-1, -2)).swapaxes(-1, -2)
    np.testing.assert_allclose(y, expected, rtol=1e-13, atol=1e-13)
    y = functions.matmul(np.asfortranarray(a), b.swapaxes(-1, -2))
    np.testing.assert_allclose(y, expected, rtol=1e-13, atol=1e-13)


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
    ("dtype", "low", "most"), [(np.float32, -13, 4), (np.float64, -37, 4.5)]
)
def test_gelu_tail_included(mpmath, dtype, low, most):
    x = grid(low, 10, dtype)
    truth = [
        mpmath.mpf(float(v)) * mpmath.erfc(-mpmath.mpf(float(v)) / mpmath.sqrt(2)) / 2
        for v in x
    ]
    assert ulps(functions.gelu(x), truth).max() <= most


def test_where_the_slope_of_gelu_is_zero(mpmath):
    def slope(a):
        return mpmath.ncdf(-a) - a * mpmath.npdf(a)

    turn = mpmath.findroot(slope, 0.75)
    assert float(turn) == functions._TURN


@pytest.mark.parametrize("name", ["_TAIL", "_SLOPE"])
def test_the_coefficients_of_the_normal_tail(mpmath, name):
    # g(t) and h(t) on a = 4(1 + t)/(1 − t): their Chebyshev series, by the discrete
    # cosine sum over 120 nodes.
    nodes = [mpmath.cos(mpmath.pi * (2 * j + 1) / 240) for j in range(120)]
    turn = mpmath.findroot(lambda a: mpmath.ncdf(-a) - a * mpmath.npdf(a), 0.75)

    def function(t):
        a = 4 * (1 + t) / (1 - t)
        tail = mpmath.erfc(a / mpmath.sqrt(2)) / 2 * mpmath.exp(a * a / 2)
        if name == "_TAIL":
            return tail * (a + mpmath.sqrt(2 / mpmath.pi))
        return (tail - a / mpmath.sqrt(2 * mpmath.pi)) / (turn - a)

    values = [function(t) for t in nodes]
    for k, coefficient in enumerate(getattr(functions, name)):
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


# --- backward: the activations --------------------------------------------------------

# Where GELU's slope is zero. Near it no relative bound can hold in float64, and in
# float32 it can only because the slope is computed in float64.
GELU_TURNS = -0.7517915246935645


def gelu_slope(mpmath, x):
    """Return Φ(x) + x·φ(x) of each number."""
    exact = [mpmath.mpf(float(v)) for v in x]
    return [mpmath.erfc(-v / mpmath.sqrt(2)) / 2 + v * mpmath.npdf(v) for v in exact]


def around(centre, dtype, steps=60):
    """Return the floats next to a number, so many on either side."""
    centre = dtype(centre)
    return centre + np.arange(-steps, steps + 1).astype(dtype) * np.spacing(centre)


def test_gelu_slope_is_the_derivative_of_gelu(mpmath):
    def gelu(v):
        return v * mpmath.erfc(-v / mpmath.sqrt(2)) / 2

    x = np.array([-30, -3, -0.75, -1e-9, 0, 0.5, 8])
    for v, slope in zip(x, gelu_slope(mpmath, x), strict=True):
        assert mpmath.almosteq(mpmath.diff(gelu, float(v)), slope, 1e-40)
    assert abs(gelu_slope(mpmath, [GELU_TURNS])[0]) < 1e-16


def test_gelu_backward_in_float32_tail_and_zero_included(mpmath):
    near = np.linspace(GELU_TURNS - 0.02, GELU_TURNS + 0.02, 2001).astype(np.float32)
    at_zero = around(GELU_TURNS, np.float32)
    x = np.concatenate([grid(-13, 10, np.float32), near, at_zero])
    slope = functions.gelu_backward(np.ones_like(x), x)
    assert ulps(slope, gelu_slope(mpmath, x)).max() <= 4


def test_gelu_backward_in_float64_tail_included(mpmath):
    near = np.linspace(GELU_TURNS - 0.3, GELU_TURNS + 0.3, 1001)
    at_zero = around(GELU_TURNS, np.float64)
    x = np.concatenate([grid(-37, 10, np.float64), near, at_zero])
    slope, truth = functions.gelu_backward(np.ones_like(x), x), gelu_slope(mpmath, x)
    # 0.3 and more from the zero, to the last digits; around it, to those of Φ and x·φ,
    # which cancel there.
    far = np.abs(x - GELU_TURNS) >= 0.3
    assert ulps(slope, truth)[far].max() <= 4.5
    error = [abs(t - float(y)) for t, y in zip(truth, slope, strict=True)]
    assert max(np.array(error)[~far]) <= np.finfo(float).eps


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", ["gelu_new", "silu", "tanh", "relu"])
def test_the_other_slopes(mpmath, name, dtype):
    c, cubed = mpmath.sqrt(2 / mpmath.pi), mpmath.mpf("0.044715")
    function = {
        "gelu_new": lambda v: v / (1 + mpmath.exp(-2 * c * (v + cubed * v**3))),
        "silu": lambda v: v / (1 + mpmath.exp(-v)),
        "tanh": mpmath.tanh,
        "relu": lambda v: max(v, 0),
    }[name]
    x = np.concatenate([grid(-13, 10, dtype)[::4], around(-1.2784645, dtype)])
    slope = functions.ACTIVATIONS_BACKWARD[name](np.ones_like(x), x)
    assert slope.dtype == dtype
    truth = [mpmath.diff(function, float(v)) for v in x]
    error = [abs(t - float(y)) for t, y in zip(truth, slope, strict=True)]
    # 1 − gate, far on the right, is a rounding of the gate: x and the slope of the
    # gate's argument multiply it.
    reach = {"silu": 1, "gelu_new": 1.6 * (1 + 0.134 * x.astype(float) ** 2)}
    most = np.finfo(dtype).eps * (2 + reach.get(name, 0) * np.abs(x.astype(float)))
    assert (np.array(error, float) <= most).all()
    if name in ("gelu_new", "silu"):             # and in the left tail, relative
        tail = x < -3
        argument = np.abs(x) if name == "silu" else 1.6 * np.abs(x + 0.044715 * x**3)
        assert (ulps(slope, truth)[tail] <= 8 + 5 * argument[tail]).all()


def test_the_slope_of_relu_at_zero_is_zero():
    zeros = np.array([0.0, -0.0])
    assert functions.relu_backward(np.ones(2), zeros).tolist() == [0, 0]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", list(functions.ACTIVATIONS_BACKWARD))
def test_no_slope_overflows(dtype, name):
    most = np.finfo(dtype).max
    x = np.array([-most, -most / 2, -1e30, -800, 0, 800, 1e30, most], dtype)
    slope = functions.ACTIVATIONS_BACKWARD[name](np.ones_like(x), x)
    assert slope.dtype == dtype
    right, middle = {"tanh": (0, 1), "relu": (1, 0)}.get(name, (1, 0.5))
    assert slope.tolist() == [0] * 4 + [middle] + [right] * 3


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", list(functions.ACTIVATIONS_BACKWARD))
def test_an_activation_s_backward_is_dy_times_the_slope(dtype, name):
    backward = functions.ACTIVATIONS_BACKWARD[name]
    x = rows(dtype).reshape(3, 10, 17)
    dy = x[::-1].copy()
    dx = backward(dy, x)
    assert dx.dtype == dtype and dx.shape == x.shape
    np.testing.assert_array_equal(dx, dy * backward(np.ones_like(x), x))
    np.testing.assert_array_equal(backward(dy.T, x.T), dx.T)


# --- backward: rows -------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TYPES)
def test_softmax_backward(mpmath, dtype):
    x, dy = rows(dtype)[:12], rows(dtype)[12:24]
    dx = functions.softmax_backward(dy, functions.softmax(x))
    assert dx.dtype == dtype
    for row, upstream, result in zip(x, dy, dx, strict=True):
        exact = [mpmath.exp(float(v)) for v in row]
        p = [v / mpmath.fsum(exact) for v in exact]
        along = mpmath.fdot(p, map(float, upstream))
        truth = [q * (float(d) - along) for q, d in zip(p, upstream, strict=True)]
        error = [abs(t - float(v)) for t, v in zip(truth, result, strict=True)]
        scale = np.finfo(dtype).eps * np.abs(upstream).max()
        # p itself is off by an ULP for each unit below the maximum.
        assert (np.array(error, float) <= (8 + row.max() - row) * scale).all()


@pytest.mark.parametrize("dtype", TYPES)
def test_softmax_backward_of_huge_scores(dtype):
    most = np.finfo(dtype).max
    x = np.array([[-most, 0, most, most], [most] * 4], dtype)
    dy = np.array([[1, 2, 3, 5]] * 2, dtype)
    dx = functions.softmax_backward(dy, functions.softmax(x))
    np.testing.assert_array_equal(dx[0], [0, 0, -0.5, 0.5])
    np.testing.assert_array_equal(dx[1], np.array([-1.75, -0.75, 0.25, 2.25]) / 4)


def exact_layer_norm(mpmath, row):
    """Return a row of mpmath numbers, normalised."""
    centre = mpmath.fsum(row) / len(row)
    variance = mpmath.fsum([(v - centre) ** 2 for v in row]) / len(row)
    deviation = mpmath.sqrt(variance + mpmath.mpf("1e-12"))
    return [(v - centre) / deviation for v in row], deviation


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("mean", "spread"),
    [(0, 1), (300, 1), (1e4, 1), (2.5, 2.0**-10), (0, 1e-5), (0, 1e-7)],
)
def test_layer_norm_backward_of_any_offset_and_spread(mpmath, dtype, mean, spread):
    x = (mean + rows(dtype)[:4] * spread).astype(dtype)
    dy, weight = rows(dtype)[4:8], rows(dtype)[8]
    dx, grads = functions.layer_norm_backward(dy, x, weight)
    assert dx.dtype == dtype
    step, dweight = mpmath.mpf("1e-24"), [0] * len(weight)
    for row, upstream, result in zip(x, dy, dx, strict=True):
        exact = [mpmath.mpf(float(v)) for v in row]
        normalised, deviation = exact_layer_norm(mpmath, exact)
        pull = [float(d) * float(w) for d, w in zip(upstream, weight, strict=True)]
        largest = float(max(map(abs, pull)) / deviation)
        for i, value in enumerate(result):
            there, back = exact.copy(), exact.copy()
            there[i] += step
            back[i] -= step
            change = [
                (a - b) / (2 * step)
                for a, b in zip(exact_layer_norm(mpmath, there)[0],
                                exact_layer_norm(mpmath, back)[0], strict=True)
            ]
            error = abs(mpmath.fdot(change, pull) - float(value))
            assert error <= 6 * np.finfo(dtype).eps * largest
            dweight[i] += normalised[i] * float(upstream[i])
    size = np.finfo(dtype).eps * np.abs(dy).max() * np.sqrt(17)
    np.testing.assert_allclose(
        grads["weight"], np.array(dweight, float), rtol=0, atol=8 * size
    )
    np.testing.assert_allclose(grads["bias"], dy.sum(axis=0), rtol=0, atol=8 * size)


@pytest.mark.parametrize("dtype", TYPES)
def test_layer_norm_backward_of_huge_and_of_constant_rows(dtype):
    most = np.finfo(dtype).max
    x = np.array([[-most, 0, most, most], [1, 2, 4, 7], [most] * 4, [3] * 4], dtype)
    one, dy = np.ones(4, dtype), np.tile(np.array([3, -1, 0, 2], dtype), (4, 1))
    dx, grads = functions.layer_norm_backward(dy, x, one)
    assert np.isfinite(dx).all() and np.isfinite(grads["weight"]).all()
    alone, _ = functions.layer_norm_backward(dy[1:2], x[1:2], one)
    np.testing.assert_array_equal(dx[1:2], alone)    # whoever stands beside it
    # Scaling a row up scales its gradient down, as far as the dtype has numbers.
    scaled, _ = functions.layer_norm_backward(dy[:1], x[:1] / most, one)
    least = np.finfo(dtype).smallest_subnormal
    np.testing.assert_allclose(dx[0], scaled[0] / most, rtol=1e-4, atol=2 * least)
    assert np.abs(dx[0]).max() > 1000 * least
    # A constant row: the deviation is √eps, 1e-6, and only the mean is taken away.
    np.testing.assert_allclose(dx[3], (dy[3] - 1) * 1e6, rtol=1e-6)


def test_layer_norm_backward_of_rows_of_any_leading_axes():
    x, dy, weight = rows(float).reshape(2, 3, 5, 17), rows(float)[::-1], rows(float)[0]
    dx, grads = functions.layer_norm_backward(dy.reshape(x.shape), x, weight)
    flat, flat_grads = functions.layer_norm_backward(dy, rows(float), weight)
    np.testing.assert_array_equal(dx.reshape(flat.shape), flat)
    assert list(grads) == ["weight", "bias"]
    for name in grads:
        np.testing.assert_array_equal(grads[name], flat_grads[name])


# --- backward: linear and lookup ------------------------------------------------------


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("leading", [(), (4,), (2, 3)])
def test_linear_backward_from_its_definition(dtype, leading):
    # Whole numbers, so that sums are exact in any order.
    rng = np.random.RandomState(0)
    x = rng.randint(-5, 5, size=(*leading, 3)).astype(dtype)
    dy = rng.randint(-5, 5, size=(*leading, 2)).astype(dtype)
    weight = rng.randint(-5, 5, size=(2, 3)).astype(dtype)
    dx, grads = functions.linear_backward(dy, x, weight)
    assert list(grads) == ["weight", "bias"]
    assert {dx.dtype, grads["weight"].dtype, grads["bias"].dtype} == {np.dtype(dtype)}
    assert grads["bias"].shape == (2,) and dx.shape == x.shape
    dweight, dbias = np.zeros((2, 3)), np.zeros(2)
    for place in np.ndindex(leading):
        for o in range(2):
            dbias[o] += dy[place][o]
            dweight[o] += dy[place][o] * x[place]
        assert dx[place].tolist() == [
            sum(dy[place][o] * weight[o, i] for o in range(2)) for i in range(3)
        ]
    assert grads["weight"].tolist() == dweight.tolist()
    assert grads["bias"].tolist() == dbias.tolist()


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
@pytest.mark.parametrize("dtype", TYPES)
def test_lookup_backward_adds_up_whatever_read_a_row(dtype, kind):
    table = np.ones((5, 2), dtype)
    ids = np.array([[3, 0, 3], [3, 1, 0]], kind)
    dy = np.arange(12, dtype=dtype).reshape(2, 3, 2)
    expected = np.zeros((5, 2))
    for place in np.ndindex(2, 3):
        expected[ids[place]] += dy[place]
    dweight = functions.lookup_backward(dy, ids, table)["weight"]
    assert dweight.dtype == dtype and dweight.tolist() == expected.tolist()
    expected[0] = 0
    without_padding = functions.lookup_backward(dy, ids, table, padding_id=0)
    assert without_padding["weight"].tolist() == expected.tolist()
    assert (table == 1).all()


def test_lookup_backward_of_one_row_of_ids():
    # Position ids are (1, L) when the whole batch shares them.
    dy = np.arange(6.0).reshape(1, 3, 2)
    dweight = functions.lookup_backward(dy, np.array([[2, 0, 1]]), np.zeros((4, 2)))
    assert dweight["weight"].tolist() == [[2, 3], [4, 5], [0, 1], [0, 0]]
