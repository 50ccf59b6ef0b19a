"""Spins that touch several baths: closed forms, another integration, traces, faults of configs.

Sampled means are held to 4.9 standard errors: 84 means, and so a false alarm in one run of 12,000;
seeds are fixed.
"""

import copy
import math
import sys
from pathlib import Path

import numpy as np
import pytest

import trajsim
from trajsim.kernels import lanes

sys.path.append(str(Path(__file__).parents[1] / "ensemble"))
from waves_apart import of_config

ONE = {
    "model": {"kind": "spins", "rate": 0.7, "rate_law": "heat-bath"},
    "drive": {"period": 2.0},
    "baths": {"L": {"temperature": 0.8}, "R": {"temperature": 0.3}},
    "sites": [{"name": "1", "baths": {"L": 1.5, "R": 0.5}, "drive": 0.4}],
    "ensemble": {"trajectories": 2000, "periods": 2, "seed": 5},
}
# Sites of one bath and of two, driven, in few enough contacts for the lanes.
PAIR = {
    "model": {"kind": "spins", "rate": 0.5, "rate_law": "glauber-product"},
    "drive": {"period": 6.0},
    "baths": {"L": {"temperature": 0.9}, "R": {"temperature": 0.4}},
    "sites": [
        {"name": "1", "baths": ["L", "R"], "drive": {"amplitude": 0.5, "phase": 0.3}},
        {"name": "2", "bath": "R", "drive": {"offset": 0.1, "amplitude": 0.4}},
        {"name": "3", "baths": {"R": 0.6, "L": 1.7}},
    ],
    "bonds": [
        {"sites": ["1", "2"], "coupling": 0.7},
        {"sites": ["2", "3"], "coupling": -0.4},
    ],
    "ensemble": {
        "trajectories": 20_000,
        "periods": 1,
        "burn_in": 1,
        "initial": "up",
        "seed": 11,
    },
    "ledger": {"rows_per_period": 2},
}


def chain():
    """A ring of six, in more contacts than the lanes take."""
    config = copy.deepcopy(PAIR)
    config["model"]["rate_law"] = "arrhenius"
    names = [str(k) for k in range(1, 7)]
    config["sites"] = [
        {"name": name, "baths": {"L": 1.0, "R": 0.4 + 0.2 * k}} for k, name in enumerate(names)
    ]
    config["sites"][0]["drive"] = {"amplitude": 0.5}
    config["sites"][3]["bath"] = "R"
    del config["sites"][3]["baths"]
    ends = zip(names, [*names[1:], names[0]], strict=True)
    config["bonds"] = [{"sites": [a, b], "coupling": 0.5} for a, b in ends]
    config["ensemble"]["trajectories"] = 5000
    return config


def test_a_spin_between_two_baths_is_the_closed_form():
    exact, (left, right), h, r = trajsim.exact(ONE), (1.5, 0.5), 0.4, 0.7
    t_left, t_right = math.tanh(h / 0.8), math.tanh(h / 0.3)
    heat = 2 * h * r * left * right * (t_right - t_left) / (left + right)
    assert exact.heat_rate["L"] == pytest.approx(heat, rel=1e-12)
    assert exact.heat_rate["R"] == pytest.approx(-heat, rel=1e-12)

    def theta(g_left, g_right):
        """Largest eigenvalue of the tilted matrix of two states, in full counting statistics."""
        multiples = ((left, t_left, g_left), (right, t_right, g_right))
        down = [r * m * (1 - t) for m, t, _ in multiples]
        up = [r * m * (1 + t) for m, t, _ in multiples]
        gone = sum(x * math.exp(2 * h * g) for x, (_, _, g) in zip(down, multiples, strict=True))
        back = sum(x * math.exp(-2 * h * g) for x, (_, _, g) in zip(up, multiples, strict=True))
        a, b = sum(down), sum(up)
        return -(a + b) / 2 + math.sqrt((a - b) ** 2 / 4 + gone * back)

    for g in ((0.3, -0.2), (-1.0, 0.5), (2.0, 2.0)):
        assert float(exact.counting.theta(heat=np.array(g))) == pytest.approx(theta(*g), abs=1e-9)


@pytest.mark.parametrize("law", ["glauber-product", "heat-bath", "metropolis", "arrhenius"])
def test_two_baths_of_one_temperature_are_one_at_the_sum_of_the_rates(law):
    several, one = copy.deepcopy(PAIR), copy.deepcopy(PAIR)
    for config in (several, one):
        config["model"]["rate_law"] = law
        config["baths"] = {name: {"temperature": 0.6} for name in ("L", "R")}
    one["sites"][0]["baths"], one["sites"][2]["baths"] = {"L": 2.0}, {"R": 2.3}
    a, b = trajsim.exact(several), trajsim.exact(one)
    assert sum(a.heat_rate.values()) == pytest.approx(sum(b.heat_rate.values()), rel=1e-9)
    for name in ("1", "2"):
        assert a.work_rate[name] == pytest.approx(b.work_rate[name], rel=1e-9)
    for name in ("1", "2", "3"):
        assert a.flip_rate[name] == pytest.approx(b.flip_rate[name], rel=1e-9)


@pytest.mark.parametrize("config", [PAIR, chain()], ids=["lanes", "rejection"])
def test_trajectories_agree_with_another_integration(config):
    contacts = sum(len(site.get("baths", "1")) for site in config["sites"])
    assert (contacts <= lanes.MOST_CONTACTS) == (config is PAIR)
    run, apart = trajsim.simulate(config), of_config(config)
    _, energy, gains = apart.follow(2, 1, 1)
    truth = {**apart.named(gains), "energy": energy}
    for name in ("heat", "work", "exclusive_work", "flips", "energy"):
        values = np.asarray(run[name][0], np.float64)
        stderr = values.std(axis=0, ddof=1) / len(values) ** 0.5
        assert (abs(values.mean(axis=0) - truth[name]) < 4.9 * stderr).all(), name
    change = np.diff(np.asarray(run["energy"][0]), axis=1)
    gained = np.asarray(run["heat"][0]).sum(axis=2) + np.asarray(run["work"][0]).sum(axis=2)
    np.testing.assert_allclose(change, gained, atol=1e-12)
    assert trajsim.check(run).agrees


@pytest.mark.parametrize("config", [PAIR, chain()], ids=["lanes", "rejection"])
def test_a_trace_gives_each_heat_to_the_bath_that_flipped(config):
    short = copy.deepcopy(config)
    short["ensemble"] |= {"trajectories": 30, "periods": 4}
    run, both = trajsim.simulate(short), set()
    for k in range(30):
        # It raises an error where its heats and works are not those of the ledger.
        trace = run.trace(k)
        for event in np.flatnonzero(trace.site == 0):
            both |= set(np.flatnonzero(trace.heat[event] != trace.heat[event - 1]).tolist())
    assert both == {0, 1}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("baths", {"L": 0.0}, "sites.1.baths.L: found 0.0; allowed: a finite number >= 1e-06"),
        ("baths", ["L", "L", "R"], "sites.1.baths: found 'L' twice; allowed: once"),
        ("baths", ["L", "Q"], "sites.1.baths: no bath 'Q'"),
        ("baths", [], "sites.1.baths: found []; allowed: at least 1 entries"),
        ("baths", 1.0, "sites.1.baths: found 1.0; allowed: a list"),
        ("bath", "L", "sites.1.baths: found beside bath; allowed: one of the two"),
        ("baths", None, "sites.1.bath: missing; allowed: the name of a bath, or `baths`"),
    ],
)
def test_faults_of_baths_are_told(key, value, said):
    config = copy.deepcopy(ONE)
    config["sites"].append({"name": "2", "baths": ["L", "R"]})
    config["sites"][0][key] = value
    if value is None:
        del config["sites"][0][key]
    with pytest.raises(trajsim.ConfigError) as caught:
        trajsim.load(config)
    assert said in str(caught.value)
