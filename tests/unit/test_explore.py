"""Maps and optima of the exact side, against the closed moment equations and brute force."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from small_configs import PUMP, TRIANGLE, UNDRIVEN, changed, swept

from trajsim.analysis.regimes import hot_and_cold
from trajsim.config import ConfigError, load, parse, with_parameters
from trajsim.explore import ExploreError, maximize, regime_map
from trajsim.explore.points import solve

CONFIGS = Path(__file__).parents[2] / "configs"
PHASE, PERIOD = "sites.2.drive.phase", "drive.period"


def moments(left, right, period, phase, field=0.25, rate=0.5):
    """q_L, q_R and w of the paper's pair, from its closed moment equations (J = 1)."""
    g_left, g_right = np.tanh(1 / left), np.tanh(1 / right)
    omega = 2 * np.pi / period

    def slope(t, y):
        one, two, c = y[:3]
        h_left, h_right = field * np.cos(omega * t), field * np.cos(omega * t + phase)
        n_left, n_right = np.tanh(h_left / left), np.tanh(h_right / right)
        flip_left = one - n_left - g_left * two + g_left * n_left * c
        flip_right = two - n_right - g_right * one + g_right * n_right * c
        turn_left = c - g_left - n_left * two + g_left * n_left * one
        turn_right = c - g_right - n_right * one + g_right * n_right * two
        q_left = 2 * rate * (turn_left + h_left * flip_left)
        q_right = 2 * rate * (turn_right + h_right * flip_right)
        w = field * omega * (np.sin(omega * t) * one + np.sin(omega * t + phase) * two)
        m_slopes = (-2 * rate * flip_left, -2 * rate * flip_right)
        return [*m_slopes, -2 * rate * (turn_left + turn_right), q_left, q_right, w]

    kept = {"rtol": 1e-9, "atol": 1e-12}
    settled = solve_ivp(slope, (0, 3 * period), np.zeros(6), **kept).y[:3, -1]
    return solve_ivp(slope, (0, period), [*settled, 0, 0, 0], **kept).y[3:, -1] / period


def test_each_cell_of_a_map_is_what_the_moment_equations_say():
    over = [f"{PERIOD}=100:250:3", f"{PHASE}=0.2:5.8:4"]
    m = regime_map(load(CONFIGS / "heat_engine.toml", (), over))
    assert (m.x, m.y) == (PERIOD, PHASE)
    x, y = m.grid
    np.testing.assert_allclose(x, [100, 175, 250])
    names = m.on_grid(r.name for r in m.regimes)
    efficiency = m.on_grid(m.ratios[0])
    found = []
    for i, j in np.ndindex(names.shape):
        hot, cold, w = moments(1.0, 0.1, x[j], y[i])
        assert hot > 0 > cold
        assert names[i, j] == ("engine" if w < 0 else "accelerator")
        assert efficiency[i, j] == pytest.approx(-w / hot, rel=1e-6, abs=1e-9)
        found.append(names[i, j])
    assert set(found) == {"engine", "accelerator"}


def test_the_hot_bath_changes_sides_on_a_map():
    over = ["baths.R.temperature=0.5006:0.4994:2", f"{PHASE}=2.2:4.083185307179586:2"]
    m = regime_map(load(CONFIGS / "heat_pump.toml", (), over))
    # q_L(phi; T_L, T_R) = q_R(-phi; T_R, T_L): what the one phase does below, the other does above.
    assert m.on_grid(r.name for r in m.regimes).tolist() == [
        ["pump", "accelerator"],
        ["accelerator", "pump"],
    ]
    assert m.grid[0].tolist() == [0.4994, 0.5006]
    assert m.on_grid(p.parameters[PHASE] for p in m.config.points)[:, 0].tolist() == [
        2.2,
        4.083185307179586,
    ]


@pytest.mark.parametrize("law", ["heat-bath", "metropolis", "arrhenius"])
def test_the_rate_law_decides_where_the_engine_is(law):
    """Known before: the paper's law near phi = 2.36, the others near -1.6 to -2."""
    over = [f"{PHASE}=2.36:4.4831853:2", f"{PERIOD}=190:190.5:2"]
    for rate_law, names in (
        ("glauber-product", ["engine", "accelerator"]),
        (law, ["accelerator", "engine"]),
    ):
        m = regime_map(load(CONFIGS / "heat_engine.toml", (f"model.rate_law={rate_law}",), over))
        assert m.on_grid(r.name for r in m.regimes)[0].tolist() == names


# -- optima ------------------------------------------------------------------------------------

BOXES = {
    "heat_engine": {PHASE: (0.0, 2 * np.pi), PERIOD: (60.0, 400.0)},
    "heat_pump": {PHASE: (0.0, 2 * np.pi), PERIOD: (60.0, 400.0)},
}


@pytest.fixture(scope="module")
def brute():
    """A grid over a box, made once."""
    made = {}

    def grid(name):
        if name not in made:
            over = [f"{key}={low!r}:{high!r}:13" for key, (low, high) in BOXES[name].items()]
            made[name] = regime_map(load(CONFIGS / f"{name}.toml", (), over))
        return made[name]

    return grid


@pytest.mark.parametrize(
    ("name", "goal"),
    [
        ("heat_engine", "efficiency"),
        ("heat_engine", "power"),
        ("heat_pump", "cooling"),
        ("heat_pump", "cop"),
    ],
)
def test_an_optimum_is_that_of_brute_force_and_better(brute, name, goal):
    def value(rates):
        hot, cold, w = rates.heat[0], rates.heat[1], rates.work.sum()
        regime = {"efficiency": w < 0 < hot, "power": w < 0, "cooling": cold > 0, "cop": cold > 0}
        values = {"efficiency": -w / hot, "power": -w, "cooling": cold, "cop": cold / w}
        return values[goal] if regime[goal] else -np.inf

    experiment = load(CONFIGS / f"{name}.toml").experiment
    best = maximize(experiment, goal, BOXES[name])
    m = brute(name)
    values = m.on_grid(value(s.currents.rates) for s in m.solved)
    assert best.found
    assert best.value == pytest.approx(value(best.solved.currents.rates))
    assert best.value >= values.max()
    # Nor is anything better within a cell of the grid from it.
    around = [
        np.clip(
            np.linspace(-1, 1, 5) * (ticks[1] - ticks[0]) + best.parameters[key], *BOXES[name][key]
        )
        for key, ticks in zip((m.x, m.y), m.grid, strict=True)
    ]
    for x in around[0]:
        for y in around[1]:
            there = with_parameters(experiment, {m.x: float(x), m.y: float(y)})
            assert value(solve(there).currents.rates) <= best.value * (1 + 1e-9)


def test_an_optimum_at_a_bound_says_so():
    experiment = load(CONFIGS / "heat_engine.toml").experiment
    best = maximize(experiment, "efficiency", {"sites.2.drive.phase": (2.3, 2.9)})
    assert best.at_bound == ["sites.2.drive.phase"]
    assert best.parameters["sites.2.drive.phase"] == pytest.approx(2.3, abs=1e-6)


def test_linear_oscillators_have_no_optimum_and_the_nearest_is_shown(cli):
    result = cli(
        *("optimize", CONFIGS / "oscillator_pair.toml", "--maximize", "efficiency"),
        *("--set", "baths.L.temperature=2.0", "--over", f"{PHASE}=0:6"),
    )
    assert result.exit_code == 1
    assert result.stdout.startswith("no engine found within the bounds")
    assert "regime: accelerator" in result.stdout or "regime: heater" in result.stdout


def test_what_optimize_prints_reproduces_the_optimum(cli):
    arguments = (
        *("optimize", CONFIGS / "engine_map.toml", "--maximize", "power", "--json"),
        *("--over", PHASE, "--set", "model.rate_law=metropolis", "--set", "drive.period=150.0"),
    )
    result = cli(*arguments)
    assert result.exit_code == 0, result.output
    best = json.loads(result.stdout)
    assert best["bounds"] == {PHASE: [0.0, 2 * np.pi]}
    assert (best["found"], best["at_bound"], best["point"]["regime"]) == (True, [], "engine")
    words = shlex.split(best["reproduce"])
    assert words[0] == "trajsim"
    (again,) = json.loads(cli(*words[1:], "--json").stdout)["points"]
    assert -sum(again["work_rate"].values()) == pytest.approx(best["value"], rel=1e-12)
    assert again["heat_rate"] == best["point"]["heat_rate"]
    text = cli(*(a for a in arguments if a != "--json")).stdout
    assert best["reproduce"] in text
    assert f"largest power (-w): {best['value']:.6e}" in text


@pytest.mark.parametrize(
    ("text", "over", "message"),
    [
        (PUMP, ["nonsense"], "--over nonsense: has no range; allowed: nonsense=START:STOP"),
        (swept(PUMP, f'"{PHASE}" = [0.0, 1.0]'), [PERIOD], f"a key of [sweep]: {PHASE}"),
        (PUMP, [f"{PHASE}=1"], "found '1'; allowed: START:STOP or START:STOP:NUM"),
        (PUMP, [f"{PHASE}=1:2:3:4"], "allowed: START:STOP or START:STOP:NUM"),
        (PUMP, [f"{PHASE}=1:x"], "allowed: START:STOP or START:STOP:NUM"),
        (PUMP, [f"{PHASE}=1:2,{PHASE}=3:4"], f"{PHASE} is named twice"),
        (PUMP, ["sites.3.drive.phase=0:1"], "has no '3'"),
        (PUMP, ["ensemble.seed=0:1"], "cannot be swept"),
        (PUMP, ["=0:1"], "allowed: KEY=START:STOP:NUM"),
        (PUMP, [f"{PERIOD}=-5:5"], f"{PERIOD}"),
        (PUMP, [f"{PHASE}=2:2"], "no room between the bounds 2 and 2"),
        (UNDRIVEN, ["baths.L.temperature=1:2"], "nothing is driven"),
        (changed(PUMP, ("0.499", "0.5")), [f"{PHASE}=0:1"], "between baths of two temperatures"),
        (PUMP, [], "--over is missing"),
    ],
)
def test_what_cannot_be_optimized_is_told(cli, config, text, over, message):
    options = [word for o in over for word in ("--over", o)]
    result = cli("optimize", config(text), "--maximize", "power", *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


RAMP = CONFIGS / "magnetisation_reversal.toml"
KNOTS = "sites.1.drive.points"


def test_what_is_told_of_the_best_protocol_reproduces_it(cli):
    arguments = ("optimize", RAMP, "--over", f"{KNOTS}=-1:1.13", "--minimize", "work")
    best = json.loads(cli(*arguments, "--json").stdout)
    assert best["value"] < best["before"]
    (first, *inner, last), after = best["points"]["before"], best["points"]["best"]
    assert [after[0], after[-1]] == [first, last]
    # The last jump would be smaller without the bound.
    assert after[2] == [1.0, 1.13]
    nothing, free, bound, last_one = best["gradient"]
    assert (nothing, last_one) == (None, None)
    assert abs(free) < 1e-6 < -bound
    assert [u for u, _ in after[1:-1]] == [u for u, _ in inner]
    (again,) = json.loads(cli(*shlex.split(best["reproduce"])[1:], "--json").stdout)["points"]
    assert again["protocol"]["work"]["total"]["mean"] == pytest.approx(best["value"], rel=1e-9)
    assert best["reproduce"] in cli(*arguments).stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--over", KNOTS], "allowed: one of --maximize and --minimize"),
        (["--over", KNOTS, "--minimize", "work", "--maximize", "power"], "allowed: one of"),
        (["--over", f"{KNOTS}=1", "--minimize", "work"], "allowed: LOWEST:HIGHEST"),
        (["--over", f"{KNOTS}=2:1", "--minimize", "work"], "no room between 2 and 1"),
        (["--over", KNOTS, "--over", KNOTS, "--minimize", "work"], "the points of one waveform"),
        (["--over", "sites.2.drive.points", "--minimize", "work"], "sites has no '2'"),
        (["--over", "sites.1.points", "--minimize", "work"], "sites.1.points"),
        (["--over", "drive.period=1:2", "--minimize", "work"], "with --over KEY.points"),
        (["--over", KNOTS, "--maximize", "efficiency"], "between baths of two temperatures"),
        (["--over", KNOTS, "--minimize", "work", "--set", "drive.direction=reverse"], "'forward'"),
        (["--over", KNOTS, "--minimize", "work", "--set", f"{KNOTS}=[[0,0],[1,1]]"], "2 points"),
    ],
)
def test_protocols_that_cannot_be_optimized_are_told(cli, options, message):
    result = cli("optimize", RAMP, *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_values_that_leave_what_is_allowed_on_the_way_are_told(cli):
    engine, key = CONFIGS / "stirling_engine.toml", "baths.B.temperature.points"
    result = cli("optimize", engine, "--over", key, "--minimize", "work")
    assert result.exit_code == 2
    assert "on the way to the best baths.B.temperature.points: found" in result.stderr
    assert result.stderr.endswith(f"; {key}=LOWEST:HIGHEST keeps within\n")


# -- axes --------------------------------------------------------------------------------------


def test_axes_named_take_the_place_of_the_sweep():
    text = swept(PUMP, f'"{PHASE}" = [3.0, 1.0, 2.0]', '"baths.L.temperature" = [0.5, 0.6]')
    points = parse(text, over=[f"{PHASE}, {PERIOD}=10:20:2"]).points
    assert [tuple(p.parameters.items()) for p in points] == [
        ((PHASE, phase), (PERIOD, period)) for phase in (3.0, 1.0, 2.0) for period in (10.0, 20.0)
    ]
    ends = parse(text, over=[f"{PHASE}, {PERIOD}=20:10:7"], ends=True).points
    assert [tuple(p.parameters.values()) for p in ends] == [(1, 10), (1, 20), (3, 10), (3, 20)]
    assert len(parse(text, over=[f"{PHASE}=0:1"]).points) == 41


def test_a_range_that_is_wrong_is_blamed_on_the_option():
    with pytest.raises(ConfigError) as error:
        parse(PUMP, "x.toml", over=[f"{PHASE}=0:1:0"])
    assert str(error.value) == f"--over {PHASE}=0:1:0: sweep.{PHASE}.num: found 0; allowed: " + (
        "an integer >= 1 and <= 10000"
    )


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ((), "a map has two axes, found 0; name two"),
        ((f'"{PHASE}" = [0.0, 1.0]',), f"a map has two axes, found 1: {PHASE}"),
        ((f'"{PHASE}" = [0.0]', f'"{PERIOD}" = [1.0, 2.0]'), "at least two values"),
        ((f'"{PHASE}" = [0.0, 0.0, 1.0]', f'"{PERIOD}" = [1.0, 2.0]'), "each of them once"),
    ],
)
def test_a_sweep_that_is_no_grid_has_no_map(axes, message):
    with pytest.raises(ExploreError, match=message.replace("[", r"\[")):
        regime_map(parse(swept(PUMP, *axes)))


# -- the verb ----------------------------------------------------------------------------------


def test_map_draws_one_panel_for_each_value(cli):
    result = cli(
        *("map", CONFIGS / "engine_map.toml", "--json", "-o", "figures"),
        *("--over", f"{PHASE}=0:6.283:5", "--over", f"{PERIOD}=50:400:3"),
        *("--panels", "model.rate_law=glauber-product,arrhenius"),
    )
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert {key: len(values) for key, values in answer["axes"].items()} == {PHASE: 5, PERIOD: 3}
    one, other = answer["maps"]
    assert [m["name"] for m in (one, other)] == [
        "model.rate_law = glauber-product",
        "model.rate_law = arrhenius",
    ]
    assert one["points"] != other["points"]
    for m in (one, other):
        assert sum(m["regimes"].values()) == len(m["points"]) == 15
        assert m["regimes"]["engine"] == sum(p["efficiency"] is not None for p in m["points"])
    png, pdf = map(Path, answer["figures"])
    assert png.read_bytes().startswith(b"\x89PNG")
    assert pdf.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("text", "axes"),
    [
        (TRIANGLE, ("baths.hot.temperature=0.6:2:3", "sites.c.drive.phase=0:3:4")),
        (PUMP, ("baths.R.temperature=0.4:0.6:3", f"{PHASE}=0:6:4")),  # equal in the middle
        (UNDRIVEN, ("baths.R.temperature=0.4:0.6:3", "bonds.1-2.coupling=0.5:1:2")),
        (
            changed(TRIANGLE, ('name = "c"\nbath = "cold"', 'name = "c"\nbath = "warm"')).replace(
                "[baths]", "[baths]\nwarm = { temperature = 1.0 }"
            ),
            ("baths.hot.temperature=0.6:2:3", "sites.c.drive.phase=0:3:4"),
        ),
    ],
)
def test_every_kind_of_system_has_a_map(cli, config, text, axes):
    options = [word for axis in axes for word in ("--over", axis)]
    result = cli("map", config(text), *options)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-2:] == ["runs/config-map.png", "runs/config-map.pdf"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("heat_engine", [], "a map has two axes, found 0"),
        ("quartic_pair", [f"--over={PHASE}=0:1:2", f"--over={PERIOD}=1:2:2"], "no exact side"),
        ("engine_map", ["--panels", "model.rate_law"], "allowed: KEY=VALUE,VALUE"),
        ("engine_map", ["--panels", "model.rate_law=glaube"], "allowed: 'glauber-product'"),
    ],
)
def test_what_has_no_map_is_told(cli, name, options, message):
    result = cli("map", CONFIGS / f"{name}.toml", *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not Path("runs").exists()


def test_hot_and_cold_baths_are_found_by_temperature():
    hot, cold = hot_and_cold({"a": 1.0, "b": 3.0, "c": 1.0})
    assert (hot.tolist(), cold.tolist()) == ([False, True, False], [True, False, True])
    assert hot_and_cold({"a": 1.0, "b": 1.0}) is None
    assert hot_and_cold({"a": 1.0, "b": 2.0, "c": 3.0}) is None
