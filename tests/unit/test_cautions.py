"""What is allowed, but not as good as a user may expect, is said at the beginning of a run."""

from pathlib import Path

import pytest

import trajsim
from trajsim.models.oscillators import step_error

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize(("period", "off"), [(30.0, 0.0106), (100.0, 0.157), (1000.0, 15.1)])
def test_the_error_of_steps_too_long_is_told_within_a_factor_of_two(period, off):
    # `off`: of the works of 200,000 trajectories, beside the exact ones.
    config = trajsim.load(CONFIGS / "oscillator_pair.toml", {"drive.period": period})
    error = step_error(config.points[0].experiment.network(), 96)
    assert off / 2 < error < 2 * off


def test_no_shipped_config_is_cautioned():
    for path in sorted(CONFIGS.glob("*.toml")):
        for point in trajsim.load(path).points:
            assert list(point.experiment.cautions()) == [], path


def test_a_run_says_that_its_steps_are_too_long(cli, tmp_path):
    few = ("--set", "ensemble.trajectories=4", "--set", "ensemble.periods=10")
    path = CONFIGS / "oscillator_pair.toml"
    result = cli("run", path, *few, "--set", "drive.period=1000", "-o", tmp_path / "x.h5")
    assert "integrator.steps_per_period = " in result.stderr
    assert "works are off by some" in result.stderr
    assert "works are off" not in cli("run", path, *few, "-o", tmp_path / "y.h5").stderr
