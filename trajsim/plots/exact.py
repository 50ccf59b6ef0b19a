"""Exact curves of the figures of fluctuations, where there are any."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.fluctuations import Fluctuations
from trajsim.analysis.scgf import FURTHEST, Generating
from trajsim.comparison.counted import ExactFluctuations
from trajsim.config import Experiment
from trajsim.ensemble import NoExactSideError, Weights, counting_of
from trajsim.ensemble.distribution import Distribution
from trajsim.plots.distributions import Curves, in_panels
from trajsim.running.progress import each

Array = NDArray[np.float64]
Answer = TypeVar("Answer")

# Points of a curve, and its range relative to that in which samples are trusted.
CURVE_POINTS, BEYOND = 81, 1.15
# Spins above which a curve has fewer points, for each takes long.
FEW_SITES, FEW_POINTS = 3, 25
# Probabilities of bins below so many times their errors are not shown.
UNKNOWN = 3.0
# Seconds that exact cumulants of a figure may take.
PATIENCE = 2.0


class Twins(NamedTuple):
    """Exact covariances, probabilities of bins and curves of theta; None where there are none.

    The lists have an entry for each observable, None for those that are not shown.
    """

    covariance: Array | None
    probabilities: list[Array | None] | None
    curves: list[Curves | None] | None


def exact_twins(experiment: Experiment, sampled: Fluctuations) -> Twins:
    """Exact values of fluctuations over the same windows."""
    try:
        exact = ExactFluctuations(experiment)
        reverse = ExactFluctuations(exact.reversed_experiment())
    except NoExactSideError:
        return Twins(None, None, None)
    indices = in_panels(sampled) if sampled.histograms and exact.counting.quick else []
    probabilities: list[Array | None] = [None] * len(sampled.observables)
    curves: list[Curves | None] = [None] * len(sampled.observables)
    # Most of the time is spent in linear algebra, which releases the GIL.
    with ThreadPoolExecutor() as pool:
        results = pool.map(lambda k: _or_none(partial(_probabilities, exact, sampled, k)), indices)
        for k, answer in zip(
            indices, each(results, "exact histograms", total=len(indices)), strict=True
        ):
            probabilities[k] = answer
    for k in each(indices, "exact curves"):
        curves[k] = _or_none(partial(_curves, exact, reverse, sampled, k))
    return Twins(_or_none(partial(exact.covariance, sampled.windows)), probabilities, curves)


def _or_none(answer: Callable[[], Answer]) -> Answer | None:
    """Result of a function of the exact side; None if it raises NoExactSideError."""
    try:
        return answer()
    except NoExactSideError:
        return None


def _probabilities(exact: ExactFluctuations, sampled: Fluctuations, k: int) -> Array:
    p, error = exact.probabilities(sampled.observables[k], sampled.windows, sampled.histograms[k])
    return np.where(p > UNKNOWN * error, p, np.nan)


def _curves(
    exact: ExactFluctuations, reverse: ExactFluctuations, sampled: Fluctuations, k: int
) -> Curves:
    quick = exact.experiment.state_count <= 2**FEW_SITES
    observable = sampled.observables[k]
    argument = _argument(sampled.generating[k], CURVE_POINTS if quick else FEW_POINTS)
    curves = (
        exact.theta(observable, sampled.windows, argument),
        exact.long_theta(observable, argument),
        reverse.partner_theta(observable, argument),
    )
    # Averages of exponentials of the heat of oscillators do not exist everywhere.
    return Curves(argument, *(np.where(np.isfinite(c), c, np.nan) for c in curves))


def _argument(sampled: Generating, points: int) -> Array:
    """Values of lambda of a curve; where none is trusted, within a standard deviation of zero."""
    low, high = sampled.limits
    if low == high:
        low, high = sampled.argument[0] / FURTHEST, sampled.argument[-1] / FURTHEST
    return np.linspace(BEYOND * low, BEYOND * high, points)


def exact_cumulants(
    experiment: Experiment, windows: list[Fluctuations]
) -> tuple[list[Array] | None, Array | None]:
    """Exact cumulants (4, q) per unit time over each of these windows, and for long times."""
    try:
        exact = ExactFluctuations(experiment, PATIENCE)
        by_window = [exact.cumulants(f.observables, f.windows) for f in windows]
        return by_window, exact.cumulant_rates(windows[0].observables)
    except NoExactSideError:
        return None, None


def exact_works(
    forward: Experiment, backward: Experiment
) -> tuple[Distribution, Distribution] | None:
    """Distributions of the work over both protocols; None where there are none in seconds."""
    try:
        both = [counting_of(e.network(), patience=PATIENCE) for e in (forward, backward)]
        if not all(counting.quick for counting in both):
            return None
        one, other = (c.distribution("equilibrium", 1, Weights(0.0, 1.0)) for c in both)
        return one, other
    except NoExactSideError:
        return None
