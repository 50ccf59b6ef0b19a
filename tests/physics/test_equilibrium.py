"""Nonlinear oscillators that begin in equilibrium, and what that is good for."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

import trajsim
from trajsim.config import parse
from trajsim.kernels import langevin
from trajsim.models.oscillators import proposal_of
from trajsim.running.run import model_of

FALSE_ALARM = 1e-4
TEXT = """
[model]
kind = "oscillators"
friction = 1.0
DYNAMICS
[drive]
period = 1.0
[baths]
a = { temperature = 0.5 }
[[sites]]
name = "1"
bath = "a"
stiffness = -4.0
quartic = 4.0
drive = 0.3
cosine = [{ amplitude = 0.4, wavelength = 0.7, phase = 0.5 }]
[[sites]]
name = "2"
bath = "a"
stiffness = 0.5
center = 0.4
[[bonds]]
sites = ["1", "2"]
stiffness = 0.8
quartic = 0.5
[integrator]
steps_per_period = 50
[ensemble]
trajectories = 1
periods = 1
initial = "equilibrium"
seed = 1
"""


def energy(x, y):
    """By hand."""
    one = -2 * x**2 + x**4 - 0.3 * x + 0.4 * np.cos(2 * np.pi * x / 0.7 + 0.5)
    return one + 0.25 * (y - 0.4) ** 2 + 0.4 * (x - y) ** 2 + 0.125 * (x - y) ** 4


@pytest.mark.parametrize("dynamics", ["underdamped", "overdamped"])
def test_double_wells_begin_in_the_boltzmann_distribution(dynamics):
    text = TEXT.replace("DYNAMICS", f'dynamics = "{dynamics}"')
    experiment = parse(text).experiment
    assert experiment.canonical
    _, model, start = model_of(experiment)
    assert start.settle == 0.0
    replicas = langevin.begin(model, start, 5, 0, 0, 20_000)
    grid = np.linspace(-4.0, 4.0, 1601)
    weight = np.exp(-energy(grid[:, None], grid) / 0.5)
    for i in (0, 1):
        cumulative = np.cumsum(weight.sum(axis=1 - i)) / weight.sum()
        found = stats.kstest(replicas.x[i], lambda x, c=cumulative: np.interp(x, grid, c))
        assert found.pvalue > FALSE_ALARM / 4
    if dynamics == "underdamped":
        assert stats.kstest(replicas.v[0] / np.sqrt(0.5), "norm").pvalue > FALSE_ALARM
        assert abs(np.corrcoef(replicas.x[0], replicas.v[0])[0, 1]) < 0.04
    else:
        assert not replicas.v.any()
    # The part of the draws that is accepted is the ratio of two partition functions.
    proposal = proposal_of(experiment.network(), 0.5)
    K = np.array([[-3.2 + proposal.added[0], -0.8], [-0.8, 1.3]])
    force = np.array([0.3, 0.2])
    gauss = 2 * np.pi * 0.5 / np.sqrt(np.linalg.det(K))
    gauss *= np.exp(0.5 * force @ np.linalg.solve(K, force) / 0.5)
    ours = weight.sum() * (grid[1] - grid[0]) ** 2 * np.exp((0.04 - proposal.lift) / 0.5)
    assert proposal.accepted == pytest.approx(ours / gauss, rel=0.1)


ERASURE = """
[model]
kind = "oscillators"
dynamics = "overdamped"
friction = 1.0
[drive]
period = 2.0
[baths]
a = { temperature = 1.0 }
[[sites]]
name = "1"
bath = "a"
stiffness = { points = [[0, -8.0], [1, 1.0]] }
quartic = 8.0
[integrator]
steps_per_period = 400
[ensemble]
trajectories = 20000
periods = 1
initial = "equilibrium"
seed = 1961
"""


def test_jarzynski_holds_where_a_double_well_is_opened():
    run = trajsim.simulate(parse(ERASURE))

    def log_z(k):
        return np.log(quad(lambda x: np.exp(-(k * x**2 / 2 + 2 * x**4)), -8, 8, epsabs=1e-12)[0])

    change = log_z(-8.0) - log_z(1.0)
    weights = np.exp(-np.asarray(run["work"])[0, :, 0, 0] + change)
    error = weights.std() / np.sqrt(len(weights))
    assert error < 0.01
    assert abs(weights.mean() - 1.0) < stats.norm.isf(FALSE_ALARM / 2) * error


def test_wells_too_deep_to_be_drawn_are_refused_or_settle():
    deep = TEXT.replace("DYNAMICS", "").replace("stiffness = -4.0", "stiffness = -4000.0")
    with pytest.raises(trajsim.TrajsimError, match="so deep that it cannot be drawn"):
        model_of(parse(deep).experiment)
    rough = TEXT.replace("DYNAMICS", "").replace("stiffness = -4.0", "stiffness = 4.0")
    rough = rough.replace("amplitude = 0.4", "amplitude = 1e9")
    _, _, start = model_of(parse(rough).experiment)
    assert start.settle > 0.0
    assert not parse(rough).experiment.canonical
