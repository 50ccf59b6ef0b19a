"""What `trajsim regimes` is sure of: signs beyond a family-wise threshold and the step's error."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from small_configs import PUMP, SHAPES, UNDRIVEN, changed, swept
from synthetic import averages, judged

from trajsim.comparison import CannotCheckError
from trajsim.comparison.claims import claims
from trajsim.config import parse

TWO = changed(PUMP, ("0.499", "0.1"))
EQUAL = changed(PUMP, ("0.499", "0.5"))


@pytest.mark.parametrize(
    ("text", "heat", "work", "name"),
    [
        (TWO, (3.0, -2.0), -1.0, "engine"),
        (TWO, (-3.0, 1.0), 2.0, "pump"),
        (TWO, (-1.0, -2.0), 3.0, "neither"),
        (TWO, (1.0, -3.0), 2.0, "neither"),
        (EQUAL, (-3.0, 1.0), 2.0, "transfer"),
        (EQUAL, (1.0, -3.0), 2.0, "transfer"),
        (EQUAL, (-1.0, -2.0), 3.0, "neither"),
    ],
)
def test_signs_far_beyond_their_errors_have_a_name(text, heat, work, name):
    assert judged(text, heat, work, 0.01).name == name
    # And none where the one that counts is lost in its error.
    errors = [0.01, 0.01, 1.0] if name == "engine" else [3.0, 3.0, 0.01]
    assert judged(text, heat, work, np.array(errors)).name == "open"


def test_what_a_claim_rests_on_is_in_standard_errors():
    point = judged(TWO, (3.0, -2.0), -1.0, np.array([0.1, 0.2, 0.05]))
    assert (point.sigmas.work, point.sigmas.taken) == pytest.approx((-20.0, -10.0))
    # What the integrator adds to the energy may be missing anywhere.
    point = judged(TWO, (3.0, -2.0), -1.0, np.array([0.1, 0.2, 0.05]), shadow=-0.4)
    assert (point.sigmas.work, point.sigmas.taken) == pytest.approx((-12.0, -8.0))
    assert judged(TWO, (3.0, -2.0), -1.0, 0.01, shadow=1.0).name == "open"


def test_the_threshold_keeps_the_false_alarm_of_the_whole_sweep():
    text = swept(EQUAL, '"sites.2.drive.phase" = [0.0, 1.0, 2.0]')
    config = parse(text)
    sampled = [
        averages((0.0, 0.0), 0.0, 1.0, parameters=p.parameters, trajectories=30)
        for p in config.points
    ]
    found = claims(config, sampled)
    # The work and both heats at three points, either sign of each.
    assert found.tests == 9
    assert 2 * 9 * stats.t.sf(found.threshold, 29) == pytest.approx(1e-4)
    mixed = claims(parse(TWO), [averages((0.0, 0.0), 0.0, 1.0)])
    assert mixed.tests == 2
    assert [p.name for p in found.points] == ["open"] * 3


def test_nothing_is_claimed_of_noise():
    """2,000 sweeps of pure noise: any claim in one has a chance of 1e-4, so 3 or more of 1e-3."""
    random = np.random.default_rng(5)
    config = parse(EQUAL)
    wrong = 0
    for heat_left, heat_right, work in random.normal(size=(2000, 3)):
        (point,) = claims(config, [averages((heat_left, heat_right), work, 1.0)]).points
        wrong += point.name != "open"
    assert wrong < 3


@pytest.mark.parametrize(
    ("text", "trajectories", "message"),
    [(UNDRIVEN, 100, "nothing is driven"), (PUMP, 1, "at least two trajectories")],
)
def test_what_cannot_be_judged_is_told(text, trajectories, message):
    sampled = averages((1.0, -1.0), 0.0, 0.1, trajectories=trajectories)
    if "driven" in message:
        sampled.quantities[:] = [q for q in sampled.quantities if q.kind == "heat"]
    with pytest.raises(CannotCheckError, match=message):
        claims(parse(text), [sampled])


def test_the_verb_prints_every_point_and_a_verdict(cli, run_of):
    path = run_of("sweep")
    result = cli("regimes", path, "--json", "-o", "figures")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert [p["parameters"]["sites.2.drive.phase"] for p in answer["points"]] == [0.0, 2.2, 3.0]
    assert sum(answer["counts"].values()) == 3
    (analyzed,) = [json.loads(cli("analyze", path, "--json").stdout)["points"]]
    for point, other in zip(answer["points"], analyzed, strict=True):
        assert point["heat_rate"] == other["heat_rate"]
        assert point["regime"] == other["regime"]
        work = point["total_work_rate"]
        assert point["sigma"]["work"] == pytest.approx(work["mean"] / work["stderr"])
    assert all(Path(name).stat().st_size > 1000 for name in answer["figures"])
    text = cli("regimes", path, "-o", "figures").stdout
    assert "2.phase" in text.splitlines()[0]
    assert "6 signs judged, chance that any of them is wrong 0.0001" in text


def test_an_undriven_run_has_no_verdict(cli, run_of):
    assert "undriven" in SHAPES
    result = cli("regimes", run_of("undriven"))
    assert result.exit_code == 2
    assert "nothing is driven" in result.stderr
