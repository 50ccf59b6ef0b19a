"""A check takes no rounding for a signal, on either side, and still sees what is larger."""

import json
import math

import numpy as np
import pytest
from small_configs import PUMP, changed

import trajsim
from trajsim.comparison.covariances import covariance_rounding
from trajsim.comparison.verdict import comparison
from trajsim.config import parse

MANY = changed(PUMP, ("trajectories = 60", "trajectories = 3000"), ("0.499", "0.4"))


def cancelling(amplitude):
    """The pump with a drive of the first site whose two cosines add up to nothing."""
    drive = (
        f"{{ amplitude = {amplitude}, harmonics = [{{ order = 1, amplitude = {amplitude}, "
        "phase = 3.141592653589793 }] }"
    )
    return changed(MANY, ("{ amplitude = 0.25, phase = 0.0 }", drive))


@pytest.mark.parametrize("amplitude", [0.5, 1e5])
def test_drives_that_cancel_to_rounding_agree(amplitude):
    run = trajsim.simulate(parse(cancelling(amplitude)))
    found = trajsim.check(run)
    assert found.agrees, found
    (point,) = found.points
    of_drive = [q for q in point.quantities if q.name.endswith("work.1") or ".work.1." in q.name]
    assert {q.sigma for q in of_drive} == {0.0}
    # Nothing else is let off.
    rest = [q for q in point.quantities if q.name.startswith(("heat_rate", "flip_rate"))]
    assert all(q.rounding < 1e-3 * q.stderr and q.sigma for q in rest)
    assert run.check(trajsim.simulate(parse(cancelling(amplitude), overrides=["ensemble.seed=1"])))


def test_a_drive_far_above_rounding_is_judged():
    text = cancelling(0.5).replace(
        "harmonics = [{ order = 1, amplitude = 0.5", "harmonics = [{ order = 1, amplitude = 0.49999"
    )
    (point,) = trajsim.check(trajsim.simulate(parse(text))).points
    of_drive = [q for q in point.quantities if q.name in ("work_rate.1", "work_variance_rate.1")]
    assert [q.sigma != 0.0 for q in of_drive] == [True, True]
    assert all(q.rounding < 1e-2 * q.stderr for q in of_drive)


@pytest.mark.parametrize(
    ("off", "stderr", "events", "sigma"),
    [
        (0.9e-12, 1e-15, 1e9, 0.0),
        (-0.9e-12, 0.0, 0.0, 0.0),
        (1e-11, 1e-13, 1e9, 9.95037),
        (-1e-11, 0.0, 1e9, -10.0),
        (-1e-8, 1e-9, 1e9, -10.0),
        (1.5e-12, 1e-13, 10, None),
        (1.5e-12, math.nan, 1e9, None),
    ],
)
def test_what_exceeds_rounding_is_judged(off, stderr, events, sigma):
    found = comparison("x", off, stderr, 0.0, events, 1e-12).sigma
    assert found == (sigma if sigma is None else pytest.approx(sigma, rel=1e-5))


def test_the_rounding_of_covariances_is_that_of_sums_with_it():
    random = np.random.default_rng(5)
    time, size = 50.0, 1e-4
    heats = random.multivariate_normal([0.0, 0.0], [[4.0, 1.0], [1.0, 0.25]], 20_000) * time**0.5
    before = np.cov(heats, rowvar=False) / time
    for seed in range(20):
        off = size * time * np.random.default_rng(seed).uniform(-1, 1, heats.shape)
        after = np.cov(heats + off, rowvar=False) / time
        assert (np.abs(after - before) <= covariance_rounding(before, size, time)).all()
    # What is off in step with the heats is the worst.
    off = size * time * np.sign(heats)
    after = np.cov(heats + off, rowvar=False) / time
    share = np.abs(after - before) / covariance_rounding(before, size, time)
    assert (share <= 1.0).all()
    assert share.max() > 0.3


def test_the_first_law_has_a_rounding_and_no_standard_error(cli, config, tmp_path):
    path = tmp_path / "run.h5"
    assert cli("run", config(MANY), "-o", path).exit_code == 0
    (point,) = json.loads(cli("check", path, "--json").stdout)["points"]
    (law,) = [q for q in point["quantities"] if q["name"] == "first_law"]
    assert law["stderr"] is None
    assert law["sampled"] < law["rounding"] < 1e-6
    assert law["sigma"] == pytest.approx(law["sampled"] / law["rounding"])
    (line,) = [x for x in cli("check", path).stdout.splitlines() if x.startswith("first_law")]
    assert len(line.split()) == 4
