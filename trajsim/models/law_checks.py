"""Numerical checks of a rate law from a plugin: detailed balance, monotony, scaling, kinks.

Its rates are computed as the kernels compute them, for single numbers and in vectors, over a grid
of energies of flips up to some 500 temperatures.
"""

import inspect
import itertools
from typing import Any

import numpy as np
from numba.core.errors import NumbaError
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import WIDTH, bare, load, spread, store
from trajsim.extending.plugins import PluginError
from trajsim.models.law_functions import FUNCTIONS, flip_rate, join, start

Array = NDArray[np.float64]

ARGUMENTS = {"start": 1, "bond": 2, "join": 3, "flip_rate": 3}
# x = h s / T of the field, 0 twice: as many of them as fit into vectors, each with its negative.
HALF = np.geomspace(1e-4, 150.0, 2 * WIDTH - 1)
FIELDS = np.concatenate([-HALF[::-1], [0.0, 0.0], HALF])
# x = J s s / T of no, one, two and three bonds.
BONDS = [(), (0.1,), (0.37,), (1.0,), (3.0,), (40.0,), (0.37, 1.0), (3.0, 0.1), (0.37, 1.0, 0.2)]
# Relative error of a ratio of rates whose logarithm is of the order of 1; 1 - tanh(x) loses more
# digits.
ROUNDING = 1e-9
# Rates below this are not checked.
SMALLEST = 1e-280
# Change of the slope of ln rate at dE = 0 above which it is a kink.
KINK = 0.01


class RateLawError(PluginError):
    """A class that is no valid rate law; the message says what it violates, and where."""


@compiled
def _tabulate(law, parts, fields, single, side_by_side):
    """Rates of bonds joined from parts (m, b) in fields (w,): single numbers (m, w), vectors."""
    w = len(fields)
    for m in range(len(parts)):
        local = start(law)
        for b in range(parts.shape[1]):
            local = join(law, local, parts[m, b])
        for k in range(w):
            single[m, k] = flip_rate(law, local, fields[k])
        for k in range(0, w, WIDTH):
            vector_rate = flip_rate(law, spread(local), load(bare(fields), k))
            store(bare(side_by_side), m * w + k, vector_rate)


def check_law(name: str, law: Any) -> None:
    """Check that a class is a rate law.

    Raises
    ------
    RateLawError
        If its functions are missing, it breaks detailed balance, does not fall with its x, or has a
        kink that it does not declare.
    """
    _has_form(name, law)
    for sizes in BONDS:
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=len(sizes))))
        x = signs * np.array(sizes)
        rates = _rates(name, law(1.0), x)
        _is_a_rate(name, rates)
        _is_proportional(name, rates, _rates(name, law(2.0), x))
        _decreases(name, rates)
        _obeys_detailed_balance(name, rates, x.sum(axis=1)[:, None] + FIELDS)
    single = np.array([[x] for (x,) in (b for b in BONDS if len(b) == 1)])
    both_signs = np.concatenate([-single[::-1], single])
    _decreases(name, _rates(name, law(1.0), both_signs).T, "of a bond")
    _declares_its_kink(name, law)


def _has_form(name: str, law: Any) -> None:
    fields = getattr(law, "_fields", None)
    if not (isinstance(law, type) and issubclass(law, tuple) and fields):
        raise RateLawError(f"rate law {name!r}: {law!r} is no NamedTuple class")
    if fields[0] != "rate" or len(law._field_defaults) != len(fields) - 1:  # type: ignore[attr-defined]
        raise RateLawError(
            f"rate law {name!r}: its fields are {', '.join(fields)}; allowed: rate, then others "
            "with defaults"
        )
    for function, count in ARGUMENTS.items():
        static = inspect.getattr_static(law, function, None)
        if not isinstance(static, staticmethod):
            raise RateLawError(f"rate law {name!r}: no static function {function} in its class")
        plain = static.__func__
        if len(inspect.signature(plain).parameters) != count:
            raise RateLawError(
                f"rate law {name!r}: {function} takes {inspect.signature(plain)}; allowed: as in "
                f"trajsim.models.rate_laws, {count} arguments"
            )


def _rates(name: str, law: Any, x: Array) -> Array:
    """Rates (m, fields) where the bonds' x are (m, b)."""
    try:
        parts = np.array([[law.bond(law, value) for value in line] for line in x], np.float64)
    except Exception as error:
        raise RateLawError(
            f"rate law {name!r}: bond fails in plain Python: {type(error).__name__}: {error}"
        ) from None
    parts = parts.reshape(x.shape)
    single, side_by_side = np.empty((len(x), len(FIELDS))), np.empty((len(x), len(FIELDS)))
    try:
        _tabulate(law, parts, FIELDS, single, side_by_side)
    except NumbaError as error:
        lines = [line.strip() for line in str(error).splitlines()]
        # The innermost line is what numba could not compile.
        last = max((k for k, line in enumerate(lines) if line.startswith(">>>")), default=1)
        raise RateLawError(
            f"rate law {name!r} cannot be compiled for single numbers and vectors (arithmetic, "
            "min, max, math.sqrt, trajsim.compiled.elementary and trajsim.compiled.simd.where "
            "can be): " + " ".join(lines[last - 1 : last + 1])
        ) from None
    bad = ~np.isclose(single, side_by_side, rtol=ROUNDING, atol=SMALLEST, equal_nan=True)
    if bad.any():
        m, k = np.argwhere(bad)[0]
        raise RateLawError(
            f"rate law {name!r}: flip_rate is {single[m, k]:g} of single numbers and "
            f"{side_by_side[m, k]:g} of the same in vectors, x = {FIELDS[k]:g}"
        )
    return single


def _is_a_rate(name: str, rates: Array) -> None:
    bad = np.isnan(rates) | (rates < 0.0)
    if bad.any():
        m, k = np.argwhere(bad)[0]
        raise RateLawError(f"rate law {name!r}: its rate is {rates[m, k]} at x = {FIELDS[k]:g}")


def _is_proportional(name: str, rates: Array, doubled: Array) -> None:
    finite = np.isfinite(doubled) & (rates > SMALLEST)
    if not np.allclose(doubled[finite], 2.0 * rates[finite], rtol=ROUNDING, atol=0.0):
        raise RateLawError(
            f"rate law {name!r}: its rates are not proportional to its field `rate`, which sets "
            "the unit of time"
        )


def _decreases(name: str, rates: Array, of: str = "of the field") -> None:
    """Check rates (m, k) at growing x: the kernels' bounds are the rates at the least x."""
    with np.errstate(invalid="ignore"):
        rises = rates[:, 1:] > rates[:, :-1] * (1.0 + ROUNDING)
    if rises.any():
        m, k = np.argwhere(rises)[0]
        raise RateLawError(
            f"rate law {name!r}: its rate rises with the x {of}, from {rates[m, k]:g} to "
            f"{rates[m, k + 1]:g}: then the bound that flips are drawn from is none"
        )


def _obeys_detailed_balance(name: str, rates: Array, total: Array) -> None:
    """Check ln rate(s) - ln rate(flipped) = -dE/T; total (m, fields) is half of dE/T."""
    # Bonds and fields come with their negatives, in order.
    back = rates[::-1, ::-1]
    known = (rates > SMALLEST) & (back > SMALLEST) & np.isfinite(rates) & np.isfinite(back)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(rates) - np.log(back)
    lost = (rates <= 0.0) & (np.abs(2.0 * total) < 300.0)
    bad = lost | (known & ~(np.abs(ratio + 2.0 * total) <= ROUNDING * np.maximum(1.0, -ratio)))
    if bad.any():
        # Report the one with the smallest dE.
        m, k = min(np.argwhere(bad), key=lambda at: abs(total[tuple(at)]))
        raise RateLawError(
            f"rate law {name!r} breaks detailed balance: a flip of cost dE/T = "
            f"{2 * total[m, k]:g} has rate {rates[m, k]:.12g}, the flip back {back[m, k]:.12g}; "
            f"their ratio is {rates[m, k] / back[m, k]:.12g}, allowed: exp(-dE/T) = "
            f"{np.exp(-2 * total[m, k]):.12g}"
        )


def _declares_its_kink(name: str, law: Any) -> None:
    with np.errstate(divide="ignore"):
        log = np.log(_rates(name, law(1.0), np.zeros((1, 0)))[0])
    middle = len(HALF)
    step = HALF[0]
    kink = abs(log[middle - 1] + log[middle + 2] - 2.0 * log[middle]) / step
    if kink > KINK and not getattr(law, "kinked", False):
        raise RateLawError(
            f"rate law {name!r}: its rate has a kink where a flip costs nothing (slope of ln rate "
            f"changes by {kink:.3g}); say so by `kinked = True` in the class"
        )


assert set(ARGUMENTS) == set(FUNCTIONS)
