"""Two quartic oscillators, driven slowly and strongly, are a pump and an engine after all.

The paper's last claim is that they are neither. Here it meets a simulation that shares nothing
with the package: plain NumPy, another splitting, heat from <v^2> (dQ/dt = gamma (T/m - v^2) on
average, Eq. 5) instead of books, work by the trapezoidal rule.
"""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from trajsim.analysis.averages import averages
from trajsim.comparison.claims import claims
from trajsim.config import load
from trajsim.running.run import simulate
from trajsim.store import open_run

CONFIGS = Path(__file__).parents[2] / "configs"
FALSE_ALARM = 1e-5


def plain(temperatures, phase, alpha, amplitude, period, trajectories, periods, steps, seed):
    """q_L, q_R and w of each trajectory (trajectories, 3): k = 2, kc = 3, m = gamma = 1."""
    random = np.random.default_rng(seed)
    x, v = np.zeros((2, 2, trajectories))
    dt, omega = period / steps, 2 * np.pi / period
    keep = np.exp(-dt)
    spread = np.sqrt(np.array(temperatures) * (1 - keep**2))[:, None]
    turns = np.array([0.0, phase])[:, None]
    squares, work = np.zeros((2, trajectories)), np.zeros(trajectories)

    def force(time):
        away = x[0] - x[1]
        between = 3 * away + alpha * away**3
        inner = np.array([-between, between]) - 2 * x - alpha * x**3
        return inner + amplitude * np.cos(omega * time + turns)

    # From rest, one period to settle.
    for n in range(steps * (periods + 1)):
        if n == steps:
            squares[:], work[:] = 0.0, 0.0
        before = amplitude * np.cos(omega * n * dt + turns)
        after = amplitude * np.cos(omega * (n + 1) * dt + turns)
        old = x.copy()
        v += 0.5 * dt * force(n * dt)
        x += 0.5 * dt * v
        squares += 0.5 * v**2
        v *= keep
        v += spread * random.standard_normal(v.shape)
        squares += 0.5 * v**2
        x += 0.5 * dt * v
        v += 0.5 * dt * force((n + 1) * dt)
        work -= (0.5 * (old + x) * (after - before)).sum(axis=0)
    heat = np.array(temperatures)[:, None] - squares / (steps * periods)
    return np.vstack([heat, work / (period * periods)]).T


def estimates(values):
    """Means and standard errors of columns."""
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    """The shipped pump or engine at its best phase, with fewer trajectories."""

    def run(name, *overrides):
        path = tmp_path_factory.mktemp(name) / "run.h5"
        config = load(CONFIGS / f"{name}.toml", ("sweep={}", *overrides))
        simulate(config, path)
        return config, averages(open_run(path))

    return run


def test_the_quartic_pair_gives_work(sampled):
    """w = -0.0087, and 1,000 trajectories know it to about 0.0001."""
    config, found = sampled("quartic_engine", "ensemble.trajectories=1000")
    assert [point.name for point in claims(config, found).points] == ["engine"]
    # The linear pair at the same point is none.
    linear = ("sites.1.quartic=0.0", "sites.2.quartic=0.0", "bonds.1-2.quartic=0.0")
    config, found = sampled("quartic_engine", "ensemble.trajectories=1000", *linear)
    assert [point.name for point in claims(config, found).points] == ["neither"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "temperatures", "phase", "signs"),
    [
        ("quartic_pump", (1.0, 0.998), np.pi / 2, (-1, 1, 1)),
        ("quartic_engine", (5.0, 0.5), 1.5 * np.pi, (1, -1, -1)),
    ],
)
def test_a_plain_simulation_finds_the_pump_and_the_engine_too(
    sampled, name, temperatures, phase, signs
):
    mean, error = estimates(plain(temperatures, phase, 5.0, 10.0, 100.0, 16_384, 10, 2500, seed=1))
    sure = stats.norm.isf(FALSE_ALARM / 6)
    assert (mean * signs / error > sure).all()
    _, (a,) = sampled(name)
    ours = np.array([*(e.mean for e in a.of("heat").values()), a.total_work.mean])
    errors = np.sqrt(np.diag(a.covariance))
    z = (mean - ours) / np.hypot(error, errors)
    assert abs(z).max() < stats.norm.isf(FALSE_ALARM / 12)
