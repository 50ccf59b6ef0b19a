"""A trajectory simulated again event by event is the one whose sums are in the ledger."""

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import trajsim
from trajsim.trace import TraceError

CONFIGS = Path(__file__).parents[2] / "configs"
TRAJECTORIES, TRACED = 400, 125

# Two spins in lanes; rows within and of periods; oscillators linear and not; reversed; a network
# that is too large for lanes.
CASES = {
    "pump": ("heat_pump", {"ensemble.periods": 4}),
    "reversed": ("heat_engine", {"ensemble.periods": 3, "drive.direction": "reverse"}),
    "transient": ("figure-3", {"ensemble.periods": 3}),
    "long rows": ("chain", {"ensemble.periods": 6, "ledger.periods_per_row": 3}),
    "linear": ("oscillator_pair", {"ensemble.periods": 4, "ledger.periods_per_row": 1}),
    "two a row": ("oscillator_chain", {"ensemble.periods": 4, "ledger.periods_per_row": 2}),
    "quartic": ("quartic_pair", {"ensemble.periods": 3, "ledger.periods_per_row": 1}),
}


def many_spins():
    """Twelve spins on a ring between two baths, two of them driven."""
    sites = [{"name": str(k), "bath": "LR"[k % 2]} for k in range(12)]
    for k in (0, 5):
        sites[k]["drive"] = {
            "amplitude": 0.7,
            "phase": 0.4 * k,
            "offset": 0.2,
            "harmonics": [{"order": 3, "amplitude": 0.3}, {"order": 2, "amplitude": 0.1}],
        }
    return {
        "model": {"kind": "spins", "rate": 0.7, "rate_law": "heat-bath"},
        "drive": {"period": 9.0},
        "baths": {"L": {"temperature": 1.0}, "R": {"temperature": 0.6}},
        "sites": sites,
        "bonds": [{"sites": [str(k), str((k + 1) % 12)], "coupling": 0.8} for k in range(12)],
        "ensemble": {"trajectories": TRAJECTORIES, "periods": 4, "initial": "random", "seed": 3},
        "ledger": {"rows_per_period": 2},
    }


@pytest.fixture(scope="module", params=[*CASES, "many spins"])
def run(request):
    if request.param == "many spins":
        return trajsim.simulate(many_spins())
    name, overrides = CASES[request.param]
    given = {"ensemble.trajectories": TRAJECTORIES, "ensemble.seed": 11, **overrides}
    config = trajsim.load(CONFIGS / f"{name}.toml", given)
    # One point of the sweep of figures.
    return trajsim.simulate(config.points[0])


def sums(trace, run, name):
    """What a trace's `name` adds up to in each row."""
    values, period = getattr(trace, name), run.config.experiment.drive.period
    edges = np.arange(run.layout.rows + 1) * run.layout.row_periods * period
    at = np.searchsorted(trace.time, edges * (1 + 1e-12), side="right") - 1
    return np.diff(values[at], axis=0), at


def test_sums_of_a_thousand_trajectories_are_the_rows_of_the_ledger(run):
    # Eight runs, 125 trajectories each.
    chosen = np.random.default_rng(5).choice(TRAJECTORIES, TRACED, replace=False)
    columns = {column.name: run[column.name][0] for column in run.layout.columns}
    scale = max(1.0, abs(columns["energy"]).max(), abs(columns["heat"]).max())
    for number in chosen:
        trace = run.trace(int(number))
        for name in ("heat", "work"):
            found, at = sums(trace, run, name)
            np.testing.assert_allclose(found, columns[name][number], rtol=0, atol=1e-11 * scale)
        energy = columns["energy"][number]
        np.testing.assert_allclose(trace.energy[at], energy, rtol=0, atol=1e-11 * scale)
        if "state" in columns:
            np.testing.assert_array_equal(trace.columns["state"][at], columns["state"][number])
            for row in range(run.layout.rows):
                sites = trace.site[at[row] + 1 : at[row + 1] + 1]
                seen = np.bincount(sites[sites >= 0], minlength=len(run.layout.labels["site"]))
                np.testing.assert_array_equal(seen, columns["flips"][number, row])
        else:
            # The very numbers: another cut of the same steps.
            np.testing.assert_array_equal(
                trace.columns["position"][at], columns["position"][number]
            )


def energy_of(experiment, trace, k):
    """H after event k, from the config alone."""
    sites = {site.name: i for i, site in enumerate(experiment.sites)}
    angle = 2 * math.pi * trace.time[k] / experiment.drive.period
    sense = -1 if experiment.drive.direction == "reverse" else 1
    forces = []
    for site in experiment.sites:
        h = 0.0
        if site.drive:
            h = site.drive.offset + site.drive.amplitude * math.cos(
                angle + sense * site.drive.phase
            )
            for wave in site.drive.harmonics:
                h += wave.amplitude * math.cos(wave.order * angle + sense * wave.phase)
        forces.append(h)
    if experiment.model.kind == "spins":
        s = trace.columns["state"][k].astype(float)
        bonds = sum(
            b.coupling * s[sites[b.sites[0]]] * s[sites[b.sites[1]]] for b in experiment.bonds
        )
        return -bonds - float(s @ forces)
    x, v = trace.columns["position"][k], trace.columns["velocity"][k]
    total = -float(x @ forces)
    for i, site in enumerate(experiment.sites):
        mass = site.mass or experiment.model.mass
        total += (
            mass * v[i] ** 2 / 2 + site.stiffness * x[i] ** 2 / 2 + site.quartic * x[i] ** 4 / 4
        )
    for bond in experiment.bonds:
        d = x[sites[bond.sites[0]]] - x[sites[bond.sites[1]]]
        total += bond.stiffness * d**2 / 2 + bond.quartic * d**4 / 4
    return total


def test_the_energy_after_every_event_is_that_of_the_state(run):
    experiment, trace = run.config.experiment, run.trace(7)
    expected = [energy_of(experiment, trace, k) for k in range(len(trace))]
    np.testing.assert_allclose(trace.energy, expected, rtol=1e-9, atol=1e-9)


def test_a_flip_takes_its_energy_from_the_bath_of_its_site(run):
    trace = run.trace(3)
    if "state" not in trace.columns:
        pytest.skip("of spins")
    experiment, baths = run.config.experiment, run.layout.labels["bath"]
    total = trace.heat.sum(axis=1) + trace.work.sum(axis=1)
    np.testing.assert_allclose(np.diff(trace.energy), np.diff(total), rtol=0, atol=1e-12)
    for k in np.flatnonzero(trace.site >= 0):
        moved = np.flatnonzero(trace.heat[k] != trace.heat[k - 1])
        assert set(moved) <= {baths.index(experiment.sites[trace.site[k]].bath)}
        turned = np.flatnonzero(trace.columns["state"][k] != trace.columns["state"][k - 1])
        assert list(turned) == [trace.site[k]]
    assert (np.diff(trace.time) >= 0).all()


def test_a_few_periods_are_the_middle_of_all(run):
    whole, part = run.trace(9), run.trace(9, periods=(1, 3))
    period = run.config.experiment.drive.period
    inside = (whole.time >= period * (1 - 1e-12)) & (whole.time <= 3 * period * (1 + 1e-12))
    np.testing.assert_allclose(part.time, whole.time[inside], rtol=1e-12)
    begin = np.flatnonzero(inside)[0]
    for name in ("heat", "work"):
        moved = getattr(whole, name)[inside] - getattr(whole, name)[begin]
        np.testing.assert_allclose(getattr(part, name), moved, atol=1e-10)


def test_a_ledger_that_says_otherwise_is_found_out(run):
    class Other(trajsim.Run):
        def trajectory(self, point, number):
            columns = super().trajectory(point, number)
            heat = columns["heat"].copy()
            heat[-1, 0] += 1e-3
            return {**columns, "heat": heat}

    with pytest.raises(TraceError, match=r"does not come out again: its heat differs by 1\.0e-03"):
        Other(**{k: v for k, v in vars(run).items() if k != "config"}).trace(2)
    # The streams of another seed make another trajectory.
    resolved = {**run.header["resolved"]}
    resolved["ensemble"] = {**resolved["ensemble"], "seed": 12}
    with pytest.raises(TraceError, match="does not come out again"):
        replace(run, header={**run.header, "resolved": resolved}).trace(2)


def test_what_is_not_there_is_refused(run):
    for arguments in ({"trajectory": 400}, {"trajectory": -1}, {"trajectory": 0, "point": 1}):
        with pytest.raises(TraceError, match="allowed: 0 to"):
            run.trace(**arguments)
    for periods in ((0, 99), (2, 2), (-1, 1)):
        with pytest.raises(TraceError, match="allowed: within 0:"):
            run.trace(0, periods=periods)
    with pytest.raises(TraceError):
        run.trace(0, every=1009)


def test_lines_of_text_hold_every_event(run):
    trace, text = run.trace(1), io.StringIO()
    trace.write(text)
    head, *lines = text.getvalue().splitlines()
    assert len(lines) == len(trace)
    first = dict(zip(head.split(","), lines[-1].split(","), strict=True))
    assert float(first["time"]) == trace.time[-1]
    assert float(first["energy"]) == trace.energy[-1]
    assert float(first[f"heat.{run.layout.labels['bath'][-1]}"]) == trace.heat[-1, -1]
    assert "trajectory 1" in repr(trace)
