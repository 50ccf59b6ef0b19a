"""The exact twins that figures put under sampled points lie under them, for both families."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from trajsim.analysis.fluctuations import fluctuations
from trajsim.config import load
from trajsim.plots.distributions import in_panels
from trajsim.plots.exact import exact_cumulants, exact_twins
from trajsim.running.run import simulate
from trajsim.store import open_run

CONFIGS = Path(__file__).parents[2] / "configs"
# Chance that any of the comparisons of this file fails though all is right.
FALSE_ALARM = 1e-5
TRAJECTORIES = 40_000


@pytest.fixture(scope="module", params=["oscillator_pair", "heat_engine"])
def case(request, tmp_path_factory):
    overrides = (f"ensemble.trajectories={TRAJECTORIES}", "ensemble.periods=2", "ensemble.seed=9")
    config = load(CONFIGS / f"{request.param}.toml", (*overrides, "ledger.periods_per_row=1"))
    path = tmp_path_factory.mktemp("twins") / "run.h5"
    simulate(config, path)
    found = next(fluctuations(open_run(path), 1))
    experiment = config.experiment
    return experiment, found, exact_twins(experiment, found)


def test_bins_hold_as_many_as_their_exact_probabilities_say(case):
    _, found, twins = case
    assert len(in_panels(found)) == 3
    for k in in_panels(found):
        histogram, p = found.histograms[k], twins.probabilities[k]
        expected = p * histogram.samples
        many = np.nan_to_num(expected) > 100
        counts, error = histogram.counts[many], histogram.stderr[many]
        # Roots of counts are nearly normal. The two windows of a trajectory are not independent:
        # errors are those over batches.
        z = 2 * (np.sqrt(counts) - np.sqrt(expected[many])) * np.sqrt(counts) / error
        assert many.sum() > 8
        assert abs(z).max() < stats.norm.isf(FALSE_ALARM / 6 / many.sum() / 2)
        # And nothing of weight is left out.
        assert np.nansum(p) == pytest.approx(1.0, abs=0.03)


def test_curves_of_theta_go_through_the_samples(case):
    _, found, twins = case
    for k in in_panels(found):
        g, curves = found.generating[k], twins.curves[k]
        good = g.trusted & (g.argument != 0)
        theta = np.interp(g.argument[good], curves.argument, curves.theta)
        # What straight lines between the points of the curve may be off by.
        bend = abs(np.diff(curves.theta, 2)).max() / 4
        off = abs(g.theta[good] - theta) - bend
        assert good.sum() > 4
        assert (off / g.theta_error[good]).max() < stats.norm.isf(FALSE_ALARM / 6 / good.sum() / 2)
        np.testing.assert_allclose(curves.partner, curves.limit, rtol=1e-6, atol=1e-9)


def test_cumulants_have_exact_twins(case):
    experiment, found, _ = case
    (exact,), _ = exact_cumulants(experiment, [found])
    for k in in_panels(found):
        # Third and fourth cumulants have errors with tails of their own.
        z = (found.cumulants.mean[:2, k] - exact[:2, k]) / found.cumulants.stderr[:2, k]
        assert abs(z).max() < stats.norm.isf(FALSE_ALARM / 12 / 2)


def test_networks_too_large_for_curves_have_none(case):
    experiment, found, _ = case
    if experiment.two_states:
        many = experiment.model_copy(update={"sites": [*experiment.sites] * 6})
        assert exact_cumulants(many, [found]) == (None, None)
    else:
        quartic = [s.model_copy(update={"quartic": 1.0}) for s in experiment.sites]
        twins = exact_twins(experiment.model_copy(update={"sites": quartic}), found)
        assert twins == (None, None, None)
