"""A number and its standard error, and tables of them by label."""

import math
from decimal import Decimal
from typing import Any, Generic, NamedTuple, TypeVar

# Standard errors beyond which a sign is certain.
SURE = 3.0
# Digits of a mean that are shown at most: a double has no more.
MOST_DIGITS = 16

T = TypeVar("T")
V = TypeVar("V")


def sigmas(value: float, error: float, doubt: float = 0.0) -> float:
    """Distance of a number from zero in errors, with its sign; 0 where the error is not known.

    Parameters
    ----------
    value : the number
    error : its standard error, or that of its numerical solution; nan where not known
    doubt : bound of a systematic error, such as by rounding
    """
    excess = max(0.0, abs(value) - doubt)
    if excess == 0.0 or not error >= 0.0:
        return 0.0
    return math.copysign(excess / error if error > 0 else math.inf, value)


def sign(value: float, error: float, sure: float = SURE, doubt: float = 0.0) -> int:
    """+1 or -1 where a number is more than `sure` errors from zero (`sigmas`), else 0.

    Parameters
    ----------
    value, error, doubt : as for `sigmas`
    sure : least distance, in errors
    """
    distance = sigmas(value, error, doubt)
    return (distance > sure) - (distance < -sure)


class Estimate(NamedTuple, Generic[T]):
    """A mean and its standard error (nan where not known): numbers, or arrays of one shape.

    `mean, stderr = estimate` unpacks it. As text, the digits in brackets are those of the error:
    `0.557(26)` is 0.557 +- 0.026. A format holds for both: `f"{estimate:.3e}"` is
    `5.573e-01 +- 2.600e-02`.
    """

    mean: T
    stderr: T

    @property
    def sign(self) -> int:
        """+1 or -1 where the sign is sure (beyond 3 standard errors), else 0."""
        return sign(self.mean, self.stderr)  # type: ignore[arg-type]

    def at(self: "Estimate[Any]", index: Any) -> "Estimate[Any]":
        """Estimate at an index of arrays, such as `at((1, 0))`."""
        return Estimate(self.mean[index], self.stderr[index])

    def __str__(self) -> str:
        if getattr(self.mean, "ndim", 0):
            return f"{self.mean} +- {self.stderr}"
        return _shorthand(float(self.mean), float(self.stderr))  # type: ignore[arg-type]

    def __format__(self, spec: str) -> str:
        return f"{self.mean:{spec}} +- {self.stderr:{spec}}" if spec else str(self)


def _shorthand(mean: float, error: float) -> str:
    """Mean with the first two digits of its error in brackets, as in 1.234(56)e-05."""
    if not (math.isfinite(mean) and math.isfinite(error) and error > 0):
        digits, e, power = f"{mean:.6g}".partition("e")
        return f"{digits}({error:.2g}){e}{power}"
    # Powers of ten of the last digit that is shown, and of the first.
    last = max(_power(error) - 1, _power(mean) - MOST_DIGITS + 1 if mean else -999)
    m, s = (Decimal(x).quantize(Decimal(1).scaleb(last)) for x in (mean, error))
    first = max(m.adjusted() if m else last + 1, last + 1)
    # Zeros that stand for unknown digits are not written, nor long rows of zeros.
    power_of_ten = first if last > 0 or not -5 < first < MOST_DIGITS else 0
    places = power_of_ten - last
    m, scaled = m.scaleb(-power_of_ten), s.scaleb(-power_of_ten)
    shown = f"{scaled:.{places}f}" if scaled >= 1 else str(int(s.scaleb(-last)))
    return f"{m:.{places}f}({shown})" + (f"e{power_of_ten:+03d}" if power_of_ten else "")


def _power(x: float) -> int:
    """Power of ten of the first digit, once rounded to two."""
    return int(f"{x:.1e}".partition("e")[2])


class ByLabel(dict[str, V]):
    """Values by label of baths, drives or sites; the KeyError of an unknown label lists them."""

    def __missing__(self, label: object) -> V:
        known = f"there are {', '.join(self)}" if self else "there are none"
        raise KeyError(f"no {label!r}; {known}")

    def __repr__(self) -> str:
        shown = (
            f"{label!r}: {value if isinstance(value, Estimate) else repr(value)}"
            for label, value in self.items()
        )
        return f"{{{', '.join(shown)}}}"
