"""A sign that is named exceeds its error: of samples, and of numerical solutions as well."""

import numpy as np
import pytest
from small_configs import PUMP, TRIANGLE, UNDRIVEN, changed
from synthetic import averages, judged

import trajsim
from trajsim.analysis.estimate import sign
from trajsim.analysis.regimes import classify
from trajsim.config import parse
from trajsim.ensemble import Currents, Energetics
from trajsim.explore.optimum import GOALS
from trajsim.explore.points import Flows, flows

EQUAL = {"L": 0.5, "R": 0.5}


@pytest.mark.parametrize(
    ("value", "error", "doubt", "expected"),
    [
        (3.1, 1.0, 0.0, 1),
        (-3.1, 1.0, 0.0, -1),
        (2.9, 1.0, 0.0, 0),
        (3.1, 1.0, 0.2, 0),
        (-3.3, 1.0, 0.2, -1),
        (1e-300, 0.0, 0.0, 1),
        (1e-17, 0.0, 1e-16, 0),
        (0.0, 0.0, 0.0, 0),
        (1.0, np.nan, 0.0, 0),
        (np.nan, 1.0, 0.0, 0),
        (1.0, np.inf, 0.0, 0),
    ],
)
def test_a_sign_is_that_of_a_number_beyond_its_error_and_its_doubt(value, error, doubt, expected):
    assert sign(value, error, doubt=doubt) == expected


@pytest.mark.parametrize("heat", [(-1.0, -2.0), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0)])
def test_without_drives_equally_warm_baths_have_no_regime_whatever_is_measured(heat):
    found = classify(np.array(heat), 0.0, np.eye(3) * 1e-12, EQUAL, False)
    assert found == ("undecided", None, None)
    assert classify(np.array([-1.0]), 0.0, np.eye(2) * 1e-12, {"L": 1.0}, False).name == "undecided"


@pytest.mark.parametrize("temperature", [0.37, 1.0, 3.3])
@pytest.mark.parametrize("text", [UNDRIVEN, TRIANGLE], ids=["pair", "three"])
def test_spins_in_equilibrium_have_no_currents_and_no_regime(text, temperature):
    names = list(parse(text).experiment.baths)
    still = {f"sites.{site.name}.drive": None for site in parse(text).experiment.sites}
    warm = {f"baths.{name}.temperature": temperature for name in names}
    found = trajsim.exact(trajsim.load(parse(text), {**still, **warm}))
    assert all(abs(q) <= found.heat_error[b] for b, q in found.heat_rate.items())
    assert found.regime.name == "undecided"


def oscillators(random, temperatures):
    """A chain of undriven oscillators, stiff and soft, at these temperatures of L and R."""
    n = int(random.integers(2, 6))
    stiff = 10 ** random.uniform(-3, 3, (2, n))
    return {
        "model": {"kind": "oscillators", "friction": 10 ** random.uniform(-2, 2)},
        "drive": {"period": 3.0},
        "baths": {b: {"temperature": t} for b, t in zip("LR", temperatures, strict=True)},
        "sites": [
            {"name": f"{k}", "bath": "LR"[k % 2], "stiffness": stiff[0, k]} for k in range(n)
        ],
        "bonds": [{"sites": [f"{k}", f"{k + 1}"], "stiffness": stiff[1, k]} for k in range(n - 1)],
        "integrator": {"steps_per_period": 100},
        "ensemble": {"trajectories": 1, "periods": 1, "initial": "rest", "seed": 1},
    }


def test_oscillators_in_equilibrium_have_no_currents_and_no_regime():
    random = np.random.default_rng(3)
    for _ in range(60):
        found = trajsim.exact(oscillators(random, [10 ** random.uniform(-3, 3)] * 2))
        assert all(abs(q) <= found.heat_error[b] for b, q in found.heat_rate.items())
        assert found.regime.name == "undecided"


def test_oscillators_between_two_temperatures_conduct_beyond_their_errors():
    # The errors are not so large that they hide what is there.
    random = np.random.default_rng(4)
    for _ in range(20):
        assert trajsim.exact(oscillators(random, [2.0, 1.0])).regime.name == "conduction"


def test_a_drive_of_no_amplitude_makes_no_regime(config, cli):
    text = changed(PUMP, ("0.499", "0.5")).replace("amplitude = 0.25", "amplitude = 0.0")
    result = cli("exact", config(text))
    assert "regime: undecided" in result.stdout


def test_what_rounding_leaves_of_a_sampled_rate_has_no_sign():
    # Harmonics that cancel: the work is what rounding leaves, and always the same.
    text = PUMP.replace("amplitude = 0.25", "amplitude = 0.5").replace(
        "phase = 0.0 }",
        "harmonics = [{ order = 1, amplitude = 0.5, phase = 3.141592653589793 }] }",
    )
    text = changed(
        text,
        (
            "phase = 2.2 }",
            f"harmonics = {'[{ order = 1, amplitude = 0.5, '}phase = 3.141592653589793 }}] }}",
        ),
    )
    run = trajsim.simulate(parse(text, overrides=["baths.R.temperature=0.25"]))
    (sampled,) = run.averages()
    assert 0 < abs(sampled.total_work.mean) < sampled.rounding < 1e-9
    assert sampled.regime(run.config.experiment.temperatures).name == "undecided"


def test_a_claim_needs_more_than_rounding():
    two = changed(PUMP, ("0.499", "0.1"))
    assert judged(two, (3.0, -2.0), -1e-15, 1e-18).name == "engine"
    from dataclasses import replace

    from trajsim.comparison.claims import claims

    rough = replace(averages((3.0, -2.0), -1e-15, 1e-18), sums=1.0, largest_entry=0.1)
    (point,) = claims(parse(two), [rough]).points
    assert (point.name, point.sigmas.work) == ("open", 0.0)


@pytest.mark.parametrize("goal", ["efficiency", "cop"])
def test_a_ratio_of_rounding_has_no_merit(goal):
    experiment = parse(changed(PUMP, ("0.499", "0.1"))).experiment
    heat, work = {"efficiency": ([1.0, 1.0], [-4.0, -5.0]), "cop": ([-8.0, 9.0], [1.0, 0.5])}[goal]
    nothing = np.zeros(0)
    rates = Energetics(1e-17 * np.array(heat), 1e-17 * np.array(work), nothing, nothing)
    for error, sure in ((1e-16, False), (1e-19, True)):
        errors = Energetics(np.full(2, error), np.full(2, error), nothing, nothing)
        at = flows(experiment, Currents(rates, errors))
        assert isinstance(at, Flows)
        assert (GOALS[goal].merit(at) > 0) == sure
