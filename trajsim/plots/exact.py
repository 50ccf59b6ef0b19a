"""Exact twins of what figures of fluctuations show, where there are any."""

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
from trajsim.ensemble import NoExactSideError
from trajsim.plots.distributions import Curves, shown
from trajsim.running.progress import each

Array = NDArray[np.float64]
Answer = TypeVar("Answer")

# Points of a curve, and how far it reaches beyond what samples are trusted for.
CURVE_POINTS, BEYOND = 81, 1.15
# Points of a curve of more spins than so many, each of which takes a while.
FEW_SITES, FEW_POINTS = 3, 25
# Probabilities of bins that are not so many times their errors are not shown.
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


def exact_twins(experiment: Experiment, found: Fluctuations) -> Twins:
    """Exact twins of fluctuations over the same windows."""
    try:
        exact = ExactFluctuations(experiment)
        reverse = ExactFluctuations(exact.reversed_experiment())
    except NoExactSideError:
        return Twins(None, None, None)
    places = shown(found) if found.histograms and exact.counting.quick else []
    probabilities: list[Array | None] = [None] * len(found.observables)
    curves: list[Curves | None] = [None] * len(found.observables)
    # What takes long is linear algebra, which lets other threads go on.
    with ThreadPoolExecutor() as pool:
        known = pool.map(lambda k: _known(partial(_probabilities, exact, found, k)), places)
        for k, answer in zip(
            places, each(known, "exact histograms", total=len(places)), strict=True
        ):
            probabilities[k] = answer
    for k in each(places, "exact curves"):
        curves[k] = _known(partial(_curves, exact, reverse, found, k))
    return Twins(_known(partial(exact.covariance, found.windows)), probabilities, curves)


def _known(answer: Callable[[], Answer]) -> Answer | None:
    """What the exact side answers; None where it does not."""
    try:
        return answer()
    except NoExactSideError:
        return None


def _probabilities(exact: ExactFluctuations, found: Fluctuations, k: int) -> Array:
    p, error = exact.probabilities(found.observables[k], found.windows, found.histograms[k])
    return np.where(p > UNKNOWN * error, p, np.nan)


def _curves(
    exact: ExactFluctuations, reverse: ExactFluctuations, found: Fluctuations, k: int
) -> Curves:
    quick = len(exact.experiment.sites) <= FEW_SITES or not exact.experiment.two_states
    observable = found.observables[k]
    argument = _argument(found.generating[k], CURVE_POINTS if quick else FEW_POINTS)
    curves = (
        exact.theta(observable, found.windows, argument),
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
        each = [exact.cumulants(f.observables, f.windows) for f in windows]
        return each, exact.cumulant_rates(windows[0].observables)
    except NoExactSideError:
        return None, None
