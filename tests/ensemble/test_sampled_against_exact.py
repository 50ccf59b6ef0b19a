"""Sampled runs agree with the exact ensemble, and runs that were tampered with do not."""

import numpy as np
import pytest
from random_networks import Tampered, random_config
from scipy import stats

from trajsim.analysis.averages import averages
from trajsim.comparison import check
from trajsim.config import parse
from trajsim.running.run import simulate
from trajsim.store import open_run

# Of as many sites, drives and harmonics as networks of other tests, where that can be.
CONFIGS = {
    "one spin, up": random_config(1, 1, [0.8], "metropolis", "up"),
    "two spins, random": random_config(
        15, 2, [1.1, 0.6], "glauber-product", "random", "rows_per_period = 4"
    ),
    "three spins, equilibrium": random_config(
        20, 3, [0.9, 0.9], "heat-bath", "equilibrium", "rows_per_period = 2", periods=3
    ),
    "three spins, periodic": random_config(
        4, 3, [1.5, 0.7, 1.0], "arrhenius", "periodic", "periods_per_row = 3"
    ),
    "four spins, up": random_config(5, 4, [1.2, 0.6], "glauber-product", "up", burn_in=2),
    "four spins, random": random_config(
        6, 4, [0.7, 1.3, 1.0], "heat-bath", "random", "periods_per_row = 2", burn_in=1
    ),
}


# It takes a kernel of its own, and so long.
MORE = "four spins, random"
PARAMETERS = [pytest.param(c, marks=[pytest.mark.ensemble] if c == MORE else []) for c in CONFIGS]


@pytest.fixture(scope="module", params=PARAMETERS, name="simulated")
def made_simulated(request, tmp_path_factory):
    config = parse(CONFIGS[request.param])
    path = tmp_path_factory.mktemp("runs") / "run.h5"
    simulate(config, path)
    return open_run(path), config


def judged(verdict, kind):
    return [q for q in verdict.judged if q.name.startswith(kind)]


def test_sampled_averages_agree_with_the_exact_ensemble(simulated):
    run, config = simulated
    verdict = check(run, config)
    assert verdict.agrees, verdict.worst
    # Nothing was left unjudged for want of events.
    labels = run.layout.labels
    assert len(judged(verdict, "heat_rate")) == len(labels["bath"])
    assert len(judged(verdict, "work_rate")) == len(labels["drive"])
    assert len(judged(verdict, "exclusive_work_rate")) == len(labels["drive"])
    assert len(judged(verdict, "flip_rate")) == len(labels["site"])
    assert len(judged(verdict, "occupation")) >= 2 ** len(labels["site"]) // 2


def test_heat_off_by_six_standard_errors_disagrees(simulated):
    run, config = simulated
    for bath, quantity in enumerate(judged(check(run, config), "heat_rate")):
        # Away from the exact value, lest the noise take the shift back.
        away = np.copysign(6 * quantity.stderr, quantity.sigma)
        shift = away * run.layout.duration(0) / run.layout.rows

        def change(columns, bath=bath, shift=shift):
            columns["heat"] = columns["heat"] + shift * (
                np.arange(columns["heat"].shape[2]) == bath
            )
            return columns

        verdict = check(Tampered(run, change), config)
        assert not verdict.agrees
        (shifted,) = (q for q in verdict.points[0].quantities if q.name == quantity.name)
        assert abs(shifted.sigma) >= 6


@pytest.mark.parametrize("column", ["heat", "work", "exclusive_work", "flips"])
def test_labels_exchanged_disagree(simulated, column):
    run, config = simulated

    def change(columns):
        if column in columns:
            columns[column] = columns[column][..., ::-1]
        return columns

    if run.layout.size({"heat": "bath", "flips": "site"}.get(column, "drive")) > 1:
        assert not check(Tampered(run, change), config).agrees


def test_standard_errors_are_those_of_independent_trajectories(simulated):
    # Means of groups of neighbours spread as the standard error says, unless streams are shared.
    run, _ = simulated
    (stated,) = averages(run)
    heat = np.concatenate([columns["heat"].sum(axis=1) for _, _, columns in run.blocks(["heat"])])
    groups = (heat / run.layout.duration(0)).reshape(300, -1, heat.shape[1]).mean(axis=1)
    spread = groups.var(axis=0) / np.array([e.stderr**2 for e in stated.of("heat").values()])
    low, high = stats.chi2.isf([1 - 0.5e-4 / len(spread), 0.5e-4 / len(spread)], 299)
    assert (low < spread).all()
    assert (spread < high).all()
