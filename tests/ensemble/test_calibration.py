"""Distances from exact, in standard errors, are distributed as they should be over 400 seeds.

The check judges each run by these numbers: they must be standard normal ones (of Student, to be
exact), all of them, or its false alarms would not be as rare as stated. Quantities of one run are
correlated, those of different seeds are not: each quantity is tested over the seeds by itself, at
its share of a false alarm of 1e-4. `pytest -m ensemble` does it for larger samples and more models.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from random_networks import random_config
from scipy import stats

import trajsim.comparison
from trajsim.comparison import check
from trajsim.comparison.counted import ExactFluctuations
from trajsim.config import load, parse
from trajsim.ledger import Layout
from trajsim.running.provenance import layout_of
from trajsim.running.run import model_of

FOLDER = Path(__file__).parents[2] / "configs"
FALSE_ALARM, SEEDS = 1e-4, 400
PAIR = ["ensemble.periods=4", "ensemble.burn_in=1", "ensemble.initial='periodic'"]
SHORT = [*PAIR, "ensemble.trajectories=1000"]
CASES = {
    "heat_pump": lambda: load(FOLDER / "heat_pump.toml", SHORT),
    "oscillator_pair": lambda: load(
        FOLDER / "oscillator_pair.toml", [*SHORT, "ledger.periods_per_row=2"]
    ),
}
MANY = {
    "heat_engine": lambda: load(FOLDER / "heat_engine.toml", [*PAIR, "ensemble.trajectories=4000"]),
    "three spins": lambda: parse(
        random_config(300, 3, [1.2, 0.7], "metropolis", "random", "rows_per_period = 2")
    ),
    "four spins": lambda: parse(random_config(301, 4, [0.8, 1.3, 1.0], "heat-bath", "up")),
    "oscillator_chain": lambda: load(
        FOLDER / "oscillator_chain.toml",
        ["ensemble.periods=8", "ensemble.trajectories=2000", "ledger.periods_per_row=2"],
    ),
}


@dataclass
class Sampled:
    """A run that is not in a file."""

    layout: Layout
    columns: dict[str, Any]

    def blocks(self, names=None):
        yield 0, 0, {name: self.columns[name] for name in names}


def scores(config, monkeypatch):
    """Distances (seeds, q) of all that the check judges."""
    experiment, layout = config.experiment, layout_of(config)
    kernel, model, start = model_of(experiment)
    plan, count = experiment.plan, layout.trajectories
    # The exact side is the same for all seeds.
    windows = trajsim.comparison.expected(config)
    exact = SimpleNamespace(covariance=cache(ExactFluctuations(experiment).covariance))
    monkeypatch.setattr(trajsim.comparison, "expected", lambda config: windows)
    monkeypatch.setattr(trajsim.comparison, "ExactFluctuations", lambda experiment: exact)
    found = []
    for seed in range(SEEDS):
        columns = layout.allocate(count)
        replicas = kernel.begin(model, start, seed, 0, 0, count)
        kernel.advance(model, plan, replicas, kernel.Rows(**columns), 0, plan.segments)
        verdict = check(Sampled(layout, columns), config)
        found.append({q.name: q.sigma for q in verdict.judged if q.name != "first_law"})
    names = [n for n in found[0] if all(n in f for f in found) and found[0][n] != 0.0]
    # Nothing was judged in some seeds only: that would be a choice by the outcome.
    assert set().union(*found) - set(found[0]) == set()
    return names, np.array([[f[n] for n in names] for f in found]), count


def calibrated(names, z, trajectories):
    """Chances of a worse fit of each quantity's shape, spread and mean over the seeds."""
    kinds = {n.split(".")[0] for n in names}
    assert {"heat_rate", "work_rate", "heat_variance_rate", "covariance_rate"} <= kinds
    student = stats.t(trajectories - 1)
    shape = np.array([stats.kstest(column, student.cdf).pvalue for column in z.T])
    squares = (stats.norm.isf(student.sf(z)) ** 2).sum(axis=0)
    spread = 2 * np.minimum(stats.chi2.sf(squares, len(z)), stats.chi2.cdf(squares, len(z)))
    mean = 2 * stats.norm.sf(abs(z.sum(axis=0)) / np.sqrt(len(z)))
    return shape, spread, mean


def judge(make, monkeypatch, capsys=None):
    names, z, trajectories = scores(make(), monkeypatch)
    chances = calibrated(names, z, trajectories)
    # A run in twenty, at most, has a quantity beyond what is allowed at a false alarm of 5 %.
    allowed = stats.t.isf(0.05 / (2 * len(names)), trajectories - 1)
    alarms = int((abs(z).max(axis=1) > allowed).sum())
    if capsys is not None:
        with capsys.disabled():
            least = ", ".join(f"{c.min():.2g}" for c in chances)
            print(
                f"\n{len(names)} quantities, least chances of shape, spread and mean {least}; mean "
                f"square {(z**2).mean():.3f}; {alarms} of {len(z)} beyond 5 % limits"
            )
    share = FALSE_ALARM / 4
    for chance in chances:
        worst = int(chance.argmin())
        assert chance[worst] > share / len(names), names[worst]
    assert alarms <= stats.binom.isf(share, len(z), 0.05)


@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_distances_in_standard_errors_are_those_of_student(make, monkeypatch):
    judge(make, monkeypatch)


@pytest.mark.ensemble
@pytest.mark.parametrize("make", [*CASES.values(), *MANY.values()], ids=[*CASES, *MANY])
def test_the_same_of_more_models(make, monkeypatch, capsys):
    judge(make, monkeypatch, capsys)


@pytest.mark.parametrize("wrong", ["errors 15 % too small", "values off by 0.3 of an error"])
def test_a_calibration_that_is_off_is_found(wrong):
    z = np.random.default_rng(5).standard_normal((SEEDS, 40))
    bad = 1.15 * z if wrong.startswith("errors") else z + 0.3
    names = ["heat_rate.L", "work_rate.1", "heat_variance_rate.L", "covariance_rate.x"]
    share = FALSE_ALARM / 4 / z.shape[1]
    assert min(c.min() for c in calibrated(names, z, 10**6)) > share
    assert min(c.min() for c in calibrated(names, bad, 10**6)) < share
