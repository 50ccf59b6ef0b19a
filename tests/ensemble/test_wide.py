"""Every shipped config and 20 random networks and rate laws, sampled against exact.

`pytest -m ensemble`: some minutes. Chance of a false alarm over all of them together: 1e-4.
"""

from pathlib import Path

import networks
import numpy as np
import pytest
from flip_counts import counted, scores_of_changes, scores_of_flips
from networks import FALSE_ALARM
from random_networks import random_config
from random_oscillators import random_oscillators
from scipy import stats

from trajsim.comparison import against, check
from trajsim.config import load, parse
from trajsim.models.rate_laws import LAWS
from trajsim.running.run import simulate
from trajsim.store import open_run, verify

pytestmark = pytest.mark.ensemble

FOLDER = Path(__file__).parents[2] / "configs"
# What the time of a test asks for: fewer trajectories than are shipped, or fewer points.
REDUCED = {
    "chain": ["ensemble.trajectories=4000"],
    "figure-1": ["ensemble.trajectories=2000"],
    "figure-2": ["ensemble.trajectories=2000"],
    "figure-3": ["ensemble.trajectories=5000"],
    "figure-4": ["ensemble.trajectories=1000"],
    "oscillator_chain": ["ensemble.trajectories=4000"],
    "oscillator_pair": ["ensemble.trajectories=4000"],
    "quartic_pair": ["ensemble.trajectories=4000"],
}
SHIPPED = sorted(path.stem for path in FOLDER.glob("*.toml"))
SPINS, OSCILLATORS = range(14), range(100, 106)
# Of up to four spins: more have too many states to count the flips in each.
SMALL = [
    *("figure-1", "figure-2", "figure-3", "heat_engine", "heat_pump", "undriven"),
    *(f"spins {k}" for k in SPINS[:12]),
]


def random_spins(seed):
    """A network of one to four spins, or five, with up to three baths, any law and any start."""
    rng = np.random.default_rng(1000 + seed)
    sites = int(rng.integers(1, 5)) if seed in SPINS[:12] else 5
    baths = int(rng.integers(1, min(sites, 3) + 1))
    initial = ("up", "random", "periodic", "equilibrium")[seed // 4 % 4]
    ledger = ("rows_per_period = 2", "periods_per_row = 3", "")[seed % 3]
    temperatures = [round(t, 3) for t in rng.uniform(0.5, 1.6, baths)]
    if initial == "equilibrium":
        temperatures = temperatures[:1] * baths
    law = list(LAWS)[seed % 4]
    burn_in = int(rng.integers(0, 3))
    return random_config(200 + seed, sites, temperatures, law, initial, ledger, burn_in)


def config_of(name):
    """Config of a case by its name."""
    kind, _, seed = name.partition(" ")
    if not seed:
        return load(FOLDER / f"{name}.toml", REDUCED.get(name, []))
    return parse((random_spins if kind == "spins" else random_oscillators)(int(seed)))


CASES = [*SHIPPED, *(f"spins {k}" for k in SPINS), *(f"oscillators {k}" for k in OSCILLATORS)]
# Each case may be judged three times.
SHARE = FALSE_ALARM / (3 * len(CASES))


def threshold(comparisons, trajectories=np.inf):
    """Standard errors that the furthest of so many may lie off, at a test's share of the alarm."""
    return stats.t.isf(SHARE / (2 * comparisons), trajectories - 1)


def test_there_are_twenty_random_networks_with_every_law():
    assert len(SPINS) + len(OSCILLATORS) == 20
    laws = {config_of(f"spins {k}").experiment.model.rate_law for k in SPINS}
    assert laws == set(LAWS)
    assert set(REDUCED) <= set(SHIPPED)


@pytest.mark.parametrize("name", CASES)
def test_means_variances_and_covariances_are_exact_ones(name, tmp_path):
    config = config_of(name)
    simulate(config, tmp_path / "run.h5", workers=2)
    run = open_run(tmp_path / "run.h5")
    assert verify(run.path) == []
    if name == "quartic_pair":
        # No exact side: against twice the steps.
        finer = load(FOLDER / f"{name}.toml", [*REDUCED[name], "ensemble.seed=77"])
        steps = 2 * finer.experiment.integrator.steps_per_period
        finer = load(
            FOLDER / f"{name}.toml",
            [*REDUCED[name], "ensemble.seed=77", f"integrator.steps_per_period={steps}"],
        )
        simulate(finer, tmp_path / "finer.h5", workers=2)
        verdict = against(run, open_run(tmp_path / "finer.h5"))
    else:
        verdict = check(run, config)
    furthest = abs(verdict.worst.sigma)
    assert furthest < threshold(len(verdict.judged), config.experiment.ensemble.trajectories)
    labels = run.layout.labels
    heats = [q for q in verdict.judged if q.name.startswith("heat_rate")]
    assert len(heats) == len(labels["bath"]) * len(config.points)


def network_of(experiment):
    """The same network for the physics written a second time."""
    sites, baths = experiment.sites, list(experiment.baths)
    number = {site.name: k for k, site in enumerate(sites)}
    fields = [site.drive for site in sites]
    return networks.Network(
        temperatures=[bath.temperature for bath in experiment.baths.values()],
        bath=[baths.index(site.bath) for site in sites],
        bonds=[(*(number[end] for end in b.sites), b.coupling) for b in experiment.bonds],
        harmonics=[
            [(1, f.amplitude, f.phase), *((h.order, h.amplitude, h.phase) for h in f.harmonics)]
            if f
            else []
            for f in fields
        ],
        offset=[f.offset if f else 0.0 for f in fields],
        driven=[f is not None for f in fields],
        law=experiment.model.rate_law,
        rate=experiment.model.rate,
        period=experiment.drive.period,
    )


@pytest.mark.parametrize("name", SMALL)
def test_flips_in_every_state_phase_and_channel_are_as_frequent_as_they_should_be(
    name, monkeypatch
):
    case = network_of(config_of(name).experiment)
    # Fewer cells for more states: their number times that of the states is what takes time.
    cells = 128 if case.sites < 3 else 32
    exact = networks.solve(case, cells, rtol=1e-9)
    counts = counted(case, 100_000, cells)
    changes = scores_of_changes(counts, exact.end.swapaxes(1, 2))
    flips = scores_of_flips(counts, exact.energetics.flips, fewest=100)
    for z in (changes, flips):
        assert len(z) >= 3 * case.sites
        assert abs(z).max() < threshold(len(z))
