"""Sampled fluctuations lie on exact ones: histograms, cumulants, covariances, theta.

Fixed seeds; false alarm 1e-4 for every test. `pytest -m long` does it for a million trajectories.
"""

from dataclasses import replace

import numpy as np
import pytest
from random_networks import random_config
from scipy import stats

from trajsim.analysis.fluctuations import fluctuations
from trajsim.comparison.counted import ExactFluctuations
from trajsim.config import parse, with_parameters
from trajsim.running.run import simulate
from trajsim.store import open_run

FALSE_ALARM = 1e-4
# Expected counts in a bin of the chi-squared test; sparser ones are joined.
FEWEST = 25
# Of as many sites, drives and harmonics as networks of other tests: kernels are compiled for them.
TWO_ROWS = {"periods": 6, "ledger": "periods_per_row = 3"}
NETWORKS = {
    "one spin, up": random_config(12, 1, [0.8], "metropolis", "up", **TWO_ROWS),
    "two spins, random": random_config(12, 2, [1.1, 0.6], "glauber-product", "random", **TWO_ROWS),
    "two spins, periodic": random_config(8, 2, [0.5, 0.7], "heat-bath", "periodic", **TWO_ROWS),
    "three spins, equilibrium": random_config(
        16, 3, [0.9, 0.9], "arrhenius", "equilibrium", **TWO_ROWS
    ),
    "three spins, up": random_config(
        24, 3, [1.2, 0.6], "glauber-product", "up", burn_in=1, **TWO_ROWS
    ),
    "undriven pair": random_config(16, 2, [1.5, 0.5], "glauber-product", "periodic", **TWO_ROWS),
}
NETWORKS["undriven pair"] = "\n".join(
    line for line in NETWORKS["undriven pair"].splitlines() if not line.startswith("drive = {")
)


def sampled(name, path, trajectories):
    """Experiment, and fluctuations over whole trajectories and over each of their two rows."""
    config = parse(NETWORKS[name], overrides=[f"ensemble.trajectories={trajectories}"])
    simulate(config, path, workers=2)
    run = open_run(path)
    found = [next(fluctuations(run, rows)) for rows in (2, 1)]
    path.unlink()
    return config.experiment, found


@pytest.fixture(scope="module", params=NETWORKS, name="case")
def made_case(request, tmp_path_factory):
    return sampled(request.param, tmp_path_factory.mktemp("runs") / "run.h5", 200_000)


def chi_squared(counts, expected):
    """Chance of a worse fit; neighbours are joined until enough are expected."""
    joined, seen, at, so_far = [], [], 0.0, 0
    for e, c in zip(expected, counts, strict=True):
        at, so_far = at + e, so_far + c
        if at >= FEWEST:
            joined.append(at)
            seen.append(so_far)
            at, so_far = 0.0, 0
    joined[-1] += at
    seen[-1] += so_far
    square = ((np.array(seen) - joined) ** 2 / joined).sum()
    return stats.chi2.sf(square, max(1, len(joined) - 1)), len(joined)


def chances(exact, found):
    """Chance of a worse fit of each histogram of several bins whose exact ones are well known."""
    answers = {}
    for observable, histogram in zip(found.observables, found.histograms, strict=True):
        p, error = exact.probabilities(observable, found.windows, histogram)
        # Work of few flips has a density with integrable poles, which no series resolves.
        if error.max() * histogram.samples < 0.5 * np.sqrt(FEWEST):
            chance, bins = chi_squared(histogram.counts, p * histogram.samples)
            if bins > 1:
                answers[observable.name] = chance
    return answers


def lie_on_exact(experiment, whole):
    found = chances(ExactFluctuations(experiment), whole)
    # All heats but one at most, and most works.
    heats = [o for o in whole.observables if o.kind == "heat"]
    assert len([name for name in found if name.startswith("heat")]) >= max(1, len(heats) - 1)
    assert len(found) >= len(whole.observables) - 3
    assert min(found.values()) > FALSE_ALARM / len(found), found


def test_histograms_lie_on_exact_probabilities(case):
    experiment, (whole, _) = case
    lie_on_exact(experiment, whole)


@pytest.mark.long
@pytest.mark.parametrize("name", NETWORKS)
def test_a_million_trajectories_lie_on_exact_probabilities(name, tmp_path):
    experiment, (whole, _) = sampled(name, tmp_path / "x.h5", 1_000_000)
    lie_on_exact(experiment, whole)


def test_histograms_of_another_temperature_do_not(case):
    experiment, (whole, _) = case
    warm = experiment.temperatures
    # Equilibrium starts need all baths equally warm.
    baths = list(warm) if experiment.ensemble.initial == "equilibrium" else list(warm)[:1]
    other = with_parameters(experiment, {f"baths.{b}.temperature": 1.06 * warm[b] for b in baths})
    found = chances(ExactFluctuations(other), whole)
    assert min(found.values()) < FALSE_ALARM / len(found)


def scores(found, exact):
    """Distances of the four cumulants and of all covariances, in standard errors."""
    cumulants = exact.cumulants(found.observables, found.windows)
    covariance = exact.covariance(found.windows)
    for sampled, true in ((found.cumulants, cumulants), (found.covariance, covariance)):
        away = sampled.mean - true
        scale = np.abs(true).max()
        # What cannot fluctuate is zero to rounding on both sides.
        none = (sampled.stderr < 1e-9 * scale) & (np.abs(away) < 1e-9 * scale)
        yield np.where(none, 0.0, away / np.where(none, 1.0, sampled.stderr))


@pytest.mark.parametrize("which", [0, 1])
def test_cumulants_and_covariances_are_exact_ones(case, which):
    experiment, both = case
    z = np.concatenate([np.ravel(s) for s in scores(both[which], ExactFluctuations(experiment))])
    assert np.abs(z).max() < stats.norm.isf(FALSE_ALARM / 2 / z.size)


def test_cumulants_and_covariances_of_other_windows_are_not(case):
    experiment, (whole, half) = case
    # Those of two rows taken for one, at the same time.
    wrong = replace(half, windows=replace(whole.windows, time=half.windows.time))
    z = np.concatenate([np.ravel(s) for s in scores(wrong, ExactFluctuations(experiment))])
    assert np.abs(z).max() > 2 * stats.norm.isf(FALSE_ALARM / 2 / z.size)


@pytest.mark.parametrize("which", [0, 1])
def test_generating_functions_are_exact_ones(case, which):
    experiment, both = case
    exact, found, scored = ExactFluctuations(experiment), both[which], []
    for observable, g in zip(found.observables, found.generating, strict=True):
        good = g.trusted & (g.argument != 0)
        theta = exact.theta(observable, found.windows, g.argument[good])
        scored.append((g.theta[good] - theta) / g.theta_error[good])
    z = np.concatenate(scored)
    assert z.size > 20
    assert np.abs(z).max() < stats.norm.isf(FALSE_ALARM / 2 / z.size)
