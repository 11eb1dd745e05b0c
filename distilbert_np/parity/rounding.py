"""How large an error is, and how large rounding makes it.

Two measures, since faults are of two kinds: the largest difference shows what is wrong
in one place, the root of the mean square what is a little wrong everywhere, which is
far above noise of the same height.
"""

from typing import NamedTuple

import numpy as np

from ..functions import Array

FLOAT32 = float(np.finfo(np.float32).eps)
BFLOAT16 = 2.0**-7
PRECISIONS = {
    float(np.finfo(np.float64).eps): "float64", FLOAT32: "float32",
    float(np.finfo(np.float16).eps): "float16", BFLOAT16: "bfloat16",
}
FEW = 32                                         # numbers: luck may round all well
NOTHING = 1e-12                                  # what float64 leaves of a sum of 0


class Size(NamedTuple):
    """How large an error is: at most, and the root of its mean square."""

    most: float
    rms: float

    def over(self, floor: "Size") -> float:
        """Return how many times as large as another this is, by either measure.

        Infinitely many where nothing is allowed, as of whole numbers.
        """
        pairs = zip(self, floor, strict=True)
        return max(
            own / other if other else np.inf if own else 0.0 for own, other in pairs
        )


def precision(array: Array) -> float:
    """Return the epsilon of an array's type of numbers, 0 if they are whole."""
    return float(np.finfo(array.dtype).eps) if array.dtype.kind == "f" else 0.0


def difference(x: Array, y: Array) -> Array:
    """Return |x − y| in float64: 0 where both are NaN or alike, infinite where one is.
    """
    x, y = x.astype(np.float64), y.astype(np.float64)
    with np.errstate(all="ignore"):
        apart = np.abs(x - y)
    are_alike = (x == y) | (np.isnan(x) & np.isnan(y))
    return np.where(are_alike, 0.0, np.where(np.isnan(apart), np.inf, apart))


def size(error: Array) -> Size:
    """Return how large an array of errors is."""
    if not error.size:
        return Size(0.0, 0.0)
    most = float(error.max())
    if most in (0.0, np.inf):
        return Size(most, most)
    return Size(most, most * float(np.sqrt(np.mean(np.square(error / most)))))


def scale(array: Array) -> Size:
    """Return how large an array's numbers are, but for those that are none."""
    return size(np.abs(array[np.isfinite(array)]))


def floor(
    single: Array, double: Array, eps: float, read: Array | None = None
) -> Size:
    """Return what rounding adds, by float32's error, for a precision of `eps`.

    It is at least that of a single rounding: half the last digit of the largest number.
    Where that is nothing beside what was `read`, as in sums that cancel, or where there
    are so few numbers that float32 may have hit upon the truth by chance, it is half
    the last digit of the largest that was read, unless these are whole numbers.
    """
    found = size(difference(single, double)[np.isfinite(double)])
    largest = scale(double)
    if read is not None and read.dtype.kind == "f":
        given = scale(read)
        if double.size < FEW or largest.most < NOTHING * given.most:
            largest = Size(*map(max, largest, given))
    once = FLOAT32 / 2
    most, rms = (
        max(error, once * value) if np.isfinite(error) else once * value
        for error, value in zip(found, largest, strict=True)
    )
    tiny = float(np.finfo(np.float64).tiny)
    return Size(max(most, tiny) * eps / FLOAT32, max(rms, tiny) * eps / FLOAT32)
