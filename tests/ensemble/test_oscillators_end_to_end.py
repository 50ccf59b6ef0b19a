"""Oscillators from a config to a checked file, through the same path as spins."""

import hashlib
from pathlib import Path

import pytest

from trajsim.comparison import against, check
from trajsim.config import load
from trajsim.ensemble import NoExactSideError
from trajsim.running.run import simulate
from trajsim.store import open_run, verify

CONFIGS = Path(__file__).parents[2] / "configs"
SHORT = ("ensemble.trajectories=700", "ensemble.periods=20", "ledger.periods_per_row=5")


def run(name, path, *overrides, workers=2):
    config = load(CONFIGS / name, [*SHORT, *overrides])
    simulate(config, path, workers=workers)
    return open_run(path), config


def test_the_file_is_the_same_for_any_number_of_workers(tmp_path):
    digests = set()
    for workers in (1, 2, 4):
        path = tmp_path / f"{workers}.h5"
        run("oscillator_pair.toml", path, workers=workers)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize("name", ["oscillator_pair.toml", "oscillator_chain.toml"])
def test_shipped_oscillators_agree_with_the_gaussian_ensemble(tmp_path, name):
    made, config = run(name, tmp_path / "x.h5")
    assert verify(made.path) == []
    # False alarm 1e-4 over all quantities, seed fixed.
    verdict = check(made, config)
    assert verdict.agrees
    judged = {q.name.split(".")[0] for q in verdict.judged}
    assert {"heat_variance_rate", "work_variance_rate", "covariance_rate"} <= judged


def test_quartic_oscillators_have_no_exact_side_and_agree_with_twice_the_steps(tmp_path):
    made, config = run("quartic_pair.toml", tmp_path / "a.h5")
    finer, _ = run(
        "quartic_pair.toml", tmp_path / "b.h5", "integrator.steps_per_period=192", "ensemble.seed=9"
    )
    # The first law holds with the shadow work, of which there is some.
    assert verify(made.path) == []
    with pytest.raises(NoExactSideError, match="quartic"):
        check(made, config)
    assert against(made, finer).agrees
    coarse, _ = run("oscillator_pair.toml", tmp_path / "c.h5", "integrator.steps_per_period=4")
    assert not against(made, coarse).agrees
