"""Jump networks against closed forms, all derived here, and the kernel's books.

Sampled means are held to 4.9 standard errors, about 60 of them: a chance of a false alarm of 6e-5.
"""

import math

import numpy as np
import pytest

import trajsim
from trajsim.ensemble import counting_of, ensemble, start_state, steady_state
from trajsim.ensemble.jumps.counting_dense import DenseCounting
from trajsim.ensemble.jumps.counting_sparse import SparseCounting
from trajsim.kernels import networks as kernel
from trajsim.models import jumps
from trajsim.models.rate_laws import HeatBath
from trajsim.output.networks import network_json, network_table
from trajsim.plan import Plan
from trajsim.running.provenance import layout_of

NEVER = {"period": 1.0}


def config(states, transitions, baths, periods=10, trajectories=2000, initial="random", **more):
    """Config of a network as plain values."""
    ensemble = {
        "trajectories": trajectories,
        "periods": periods,
        "initial": initial,
        "seed": 5,
        **more.pop("ensemble", {}),
    }
    return {
        "model": {"kind": "jumps", "rate": 0.5, "rate_law": "heat-bath"},
        "drive": NEVER,
        "baths": baths,
        "states": [{"name": n, "energy": e} for n, e in states.items()],
        "transitions": transitions,
        "ensemble": ensemble,
        **more,
    }


def dot(left, right, energy=0.3, **more):
    """A level between two leads, each with (temperature, chemical potential)."""
    baths = {
        name: {"temperature": t, "chemical_potential": mu}
        for name, (t, mu) in (("L", left), ("R", right))
    }
    filled = [
        {"states": ["empty", "full"], "bath": name, "particles": 1, "rate": gamma / 2}
        for name, gamma in (("L", 1.0), ("R", 0.6))
    ]
    return config({"empty": 0.0, "full": energy}, filled, baths, **more)


def fermi(energy, temperature, mu):
    return 1.0 / (1.0 + math.exp((energy - mu) / temperature))


LEFT, RIGHT = (0.5, 0.4), (0.3, 0.1)


def test_a_dot_between_two_leads_is_a_single_level_of_fermi_rates():
    """I = Gamma_L Gamma_R (f_L - f_R) / (Gamma_L + Gamma_R): occupied at Gamma f, left at
    Gamma (1 - f). Its heat from the left lead is (E - mu_L) I, and the second cumulant that of
    Bagrets & Nazarov, Phys. Rev. B 67, 085316 (2003)."""
    exact = trajsim.exact(dot(LEFT, RIGHT))
    fl, fr = fermi(0.3, *LEFT), fermi(0.3, *RIGHT)
    current = 0.6 * (fl - fr) / 1.6
    assert exact.particle_rate["L"] == pytest.approx(current, rel=1e-9)
    assert exact.particle_rate["R"] == pytest.approx(-current, rel=1e-9)
    assert exact.heat_rate["L"] == pytest.approx((0.3 - 0.4) * current, rel=1e-9)
    assert exact.chemical_work_rate["R"] == pytest.approx(-0.1 * current, rel=1e-9)
    assert exact.jump_rate["L"] == pytest.approx(
        (1.0 * fl + 0.6 * fr) / 1.6 * (1 - fl) + (1 - (fl + 0.6 * fr) / 1.6) * fl, rel=1e-9
    )
    variance = (0.6 * (fl * (1 - fr) + fr * (1 - fl)) - 2 * current**2) / 1.6
    found = exact.counting.cumulant_rates({"particles": [1, 0]}, 2)
    assert found == pytest.approx([current, variance], rel=1e-8)
    # Chemical work is mu times as many, heat of the other lead its own share.
    assert exact.counting.cumulant_rates({"chemical_work": [1, 0]}, 2)[1] == pytest.approx(
        0.16 * variance, rel=1e-8
    )
    covariance = exact.counting.covariance_rate
    assert covariance[0, 4] == pytest.approx((0.3 - 0.4) * variance, rel=1e-8)
    # theta(lambda): the larger eigenvalue of the tilted generator of two states.
    up = 1.0 * fl * math.exp(0.7) + 0.6 * fr
    down = 1.0 * (1 - fl) * math.exp(-0.7) + 0.6 * (1 - fr)
    full = 1.0 * (1 - fl) + 0.6 * (1 - fr)
    empty = 1.0 * fl + 0.6 * fr
    theta = -0.5 * (full + empty) + math.sqrt(0.25 * (full - empty) ** 2 + up * down)
    assert exact.counting.theta(0.0, [0, 0, 0.7, 0]) == pytest.approx(theta, rel=1e-9)


def test_a_thermoelectric_engine_is_one_of_chemical_work():
    """Strongly coupled: efficiency -(mu_L - mu_R) I / q_hot = (mu_R - mu_L) / (E - mu_L)."""
    exact = trajsim.exact(dot((1.0, 0.0), (0.4, 0.2), energy=0.5))
    assert exact.regime.name == "engine"
    assert exact.regime.efficiency.mean == pytest.approx(0.2 / 0.5, rel=1e-9)


def test_a_sampled_dot_agrees_with_its_closed_form_and_keeps_the_first_law():
    run = trajsim.simulate(dot(LEFT, RIGHT, periods=20, trajectories=20_000, initial="periodic"))
    fl, fr = fermi(0.3, *LEFT), fermi(0.3, *RIGHT)
    sampled = run.averages()[0]
    current = 0.6 * (fl - fr) / 1.6
    for bath, sign, mu in (("L", 1, 0.4), ("R", -1, 0.1)):
        mean, stderr = sampled.particle_rate[bath]
        assert abs(mean - sign * current) < 4.9 * stderr
        work = np.asarray(run["chemical_work"])[..., "LR".index(bath)]
        taken = np.asarray(run["particles"])[..., "LR".index(bath)]
        np.testing.assert_allclose(work, mu * taken, atol=1e-12)
    assert sampled.first_law_residual < 1e-14
    assert trajsim.check(run).agrees


def ring(load, temperature=0.7, law="arrhenius"):
    """Three equal states in a ring, each jump against a load."""
    around = [["a", "b"], ["b", "c"], ["c", "a"]]
    steps = [{"states": ends, "bath": "B", "load": load, "rate_law": law} for ends in around]
    bath = {"B": {"temperature": temperature}}
    return config({"a": 0.0, "b": 0.0, "c": 0.0}, steps, bath, initial="a")


def test_a_ring_under_a_load_is_a_biased_walk():
    """Steps forward at r exp(w / 2T), back at r exp(-w / 2T): counts are Poisson's."""
    w, t = 0.6, 0.7
    forward, back = 0.5 * math.exp(w / (2 * t)), 0.5 * math.exp(-w / (2 * t))
    exact = trajsim.exact(ring(w))
    assert sum(exact.work_rate.values()) == pytest.approx(w * (forward - back), rel=1e-9)
    assert exact.heat_rate["B"] == pytest.approx(-w * (forward - back), rel=1e-9)
    found = exact.counting.cumulant_rates({"work": 1.0})
    sums = [forward - back, forward + back, forward - back, forward + back]
    np.testing.assert_allclose(found, [s * w ** (k + 1) for k, s in enumerate(sums)], rtol=1e-7)
    run = trajsim.simulate(ring(w))
    assert trajsim.check(run).agrees
    # A load works at jumps alone: all of it is exclusive work, too.
    np.testing.assert_array_equal(run["work"], run["exclusive_work"])


def test_equilibrium_has_no_current_and_is_refused_around_a_cycle_with_an_affinity():
    tree = {"a": 0.0, "b": 0.4, "c": -0.2}
    steps = [
        {"states": ["a", "b"], "bath": "H", "load": 0.3},
        {"states": ["b", "c"], "bath": "C", "particles": -1},
    ]
    baths = {"H": {"temperature": 1.0}, "C": {"temperature": 0.4, "chemical_potential": 0.5}}
    experiment = trajsim.load(config(tree, steps, baths, initial="equilibrium")).experiment
    network = experiment.network()
    # Heats over temperatures: 0.1 from a to b, (-0.6 + 0.5) / 0.4 from b to c.
    weights = np.exp([0.0, -0.1, -0.1 + 0.25])
    np.testing.assert_allclose(start_state(network, "equilibrium"), weights / weights.sum())
    np.testing.assert_allclose(ensemble(network).periodic_state, weights / weights.sum())
    steps.append({"states": ["c", "a"], "bath": "H"})
    with pytest.raises(trajsim.ConfigError, match=r"b -> c -> a -> b has the affinity -0\.05"):
        trajsim.load(config(tree, steps, baths, initial="equilibrium"))


def test_affinities_of_cycles_are_sums_of_heats_over_temperatures():
    network = trajsim.load(ring(0.6)).experiment.network()
    found = jumps.potentials(network)
    (chord,) = np.flatnonzero(found.affinity)
    assert found.affinity[chord] == pytest.approx(3 * 0.6 / 0.7)
    assert sorted(jumps.cycle(network, found.parent, chord)) == [0, 1, 2]


def test_large_and_small_networks_move_alike():
    """The kernels in lanes and one trajectory at a time use the same random numbers."""
    baths = {
        "L": {"temperature": {"offset": 1.0, "amplitude": 0.4}, "chemical_potential": 0.3},
        "R": {"temperature": 0.6, "chemical_potential": {"amplitude": 0.4, "phase": 1.0}},
    }
    points = {"points": [[0, 0.1], [0.3, 0.1], [0.3, 2.0], [1, 0.3]]}
    steps = [
        {"states": ["a", "b"], "bath": "L", "particles": 1, "load": {"amplitude": 0.5}},
        {"states": ["b", "c"], "bath": "R", "particles": 2, "rate_law": "arrhenius"},
        {"states": ["c", "a"], "bath": "R", "load": 0.2},
        {"states": ["d", "a"], "bath": "L", "rate_law": "metropolis"},
    ]
    states = {"a": 0.0, "b": points, "c": {"amplitude": 1.5}, "d": 0.5}
    given = config(states, steps, baths, trajectories=70, ensemble={"burn_in": 2})
    given["drive"] = {"period": 12.0}
    given["ledger"] = {"rows_per_period": 3}
    loaded = trajsim.load(given)
    network, plan = loaded.experiment.network(), loaded.experiment.plan
    lanes = kernel.prepare(network, plan)
    assert lanes.network.parts > 1
    found = []
    for model in (lanes, lanes.network):
        replicas = kernel.begin(model, kernel.start(network, "random", None), 3, 0, 0, 70)
        rows = kernel.Rows(**layout_of(loaded).allocate(70))
        # In two pieces: what is carried over is in the replicas.
        made = [kernel.advance(model, plan, replicas, rows, *p)[0] for p in ((0, 17), (17, 36))]
        found.append((rows, made))
    (one, made), (other, made_too) = found
    assert made == made_too
    for name in kernel.Rows._fields:
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-9)


def test_many_states_are_sampled_and_solved_alike():
    """A walk on 20,000 states between two walls, drawn from the kernel itself."""
    n = 20_000
    line = [jumps.Transition(k, k + 1, 0, 0, 1.0, None, 0) for k in range(n - 1)]
    still = [0.0] * n
    network = jumps.network([str(k) for k in range(n)], [HeatBath], 1.0, still, line, [1.0], [0.0])
    plan = Plan(20, 0, 1, 1)
    model = kernel.prepare(network, plan)
    start, m = kernel.start(network, str(n // 2), None), 4000
    replicas = kernel.begin(model, start, 1, 0, 0, m)
    shapes = {
        "heat": (m, 20, 1),
        "work": (m, 20, 0),
        "exclusive_work": (m, 20, 0),
        "energy": (m, 21),
        "jumps": (m, 20, 1),
        "state": (m, 21),
        "entropy_flow": (m, 20, 0),
        "chemical_work": (m, 20, 0),
        "particles": (m, 20, 0),
    }
    whole = {"jumps": np.int32, "state": np.int32, "particles": np.int32}
    rows = kernel.Rows(**{k: np.zeros(s, whole.get(k, float)) for k, s in shapes.items()})
    kernel.advance(model, plan, replicas, rows, 0, plan.segments)
    moved = rows.state[:, -1] - n // 2
    # Steps at rate 1 either way: variance 2 t, fourth moment 3 (2 t)^2 + 2 t.
    assert abs(moved.mean()) < 4.9 * math.sqrt(40 / m)
    assert abs((moved**2).mean() - 40) < 4.9 * math.sqrt((3 * 1600 + 40 - 1600) / m)
    assert abs(rows.jumps.sum() / m - 40) < 4.9 * math.sqrt(40 / m)


def test_fluctuation_theorems_hold_with_loads_particles_and_temperatures_that_move():
    moving = {"points": [[0, 0.8], [0.4, 1.2], [0.4, 0.9], [1, 0.8]]}
    baths = {
        "L": {"temperature": moving, "chemical_potential": {"offset": 0.1, "amplitude": 0.3}},
        "R": {"temperature": 0.7},
    }
    steps = [
        {"states": ["a", "b"], "bath": "L", "particles": 1},
        {"states": ["b", "c"], "bath": "R", "load": {"amplitude": 0.4}},
        {"states": ["c", "a"], "bath": "R", "rate_law": "metropolis", "load": 0.2},
        {"states": ["a", "b"], "bath": "R"},
    ]
    energy = {"amplitude": 0.5, "phase": 1.0}
    states = {"a": 0.0, "b": energy, "c": 0.3}
    run = trajsim.simulate(config(states, steps, baths, periods=4, trajectories=20_000))
    (outcomes,) = run.theorems()
    held = {o.name for o in outcomes if o.holds}
    assert {"uniform_start", "integral", "entropy_production"} <= held
    assert not any(o.holds is False for o in outcomes)
    assert trajsim.check(run).agrees


def test_a_trace_adds_up_to_its_ledger_with_everything_driven():
    baths = {
        "L": {"temperature": {"offset": 1.0, "amplitude": 0.2}, "chemical_potential": 0.2},
        "R": {"temperature": 0.6, "chemical_potential": {"amplitude": 0.3}},
    }
    steps = [
        {"states": ["a", "b"], "bath": "L", "particles": 1, "load": {"amplitude": 0.5}},
        {"states": ["b", "c"], "bath": "R", "particles": 2},
        {"states": ["c", "a"], "bath": "R"},
    ]
    square = {"shape": "square", "amplitude": 0.4, "phase": 0.7}
    given = config({"a": 0.1, "b": square, "c": {"amplitude": 0.3}}, steps, baths, trajectories=3)
    given["model"]["rate"] = 4.0
    given["ledger"] = {"rows_per_period": 2}
    given["ensemble"]["burn_in"] = 2
    run = trajsim.simulate(given)
    # Raises where a row does not come out again.
    trace = run.trace(1)
    assert len(trace) == 1 + 20 + int(np.asarray(run["jumps"])[0, 1].sum())
    edges = [trace.at(k / 2) for k in range(21)]
    np.testing.assert_array_equal(trace.columns["state"][edges], run["state"][0, 1])
    np.testing.assert_allclose(trace.energy[edges], run["energy"][0, 1], atol=1e-12)
    assert trace.by == "bath"


def test_counting_needs_no_particles_where_there_are_none():
    counting = counting_of(trajsim.load(ring(0.6)).experiment.network())
    with pytest.raises(ValueError, match="allowed: heat, work"):
        counting.cumulant_rates({"particles": [1.0]})


def test_fluctuations_of_many_states_are_those_of_matrices():
    """Loads, particles and driven energies, followed one distribution after the other."""
    n, rng = 12, np.random.default_rng(3)
    states = {f"s{k}": float(rng.uniform(-0.5, 0.5)) for k in range(n)}
    states["s3"] = {"amplitude": 0.5}
    baths = {"L": {"temperature": 1.0, "chemical_potential": 0.4}, "R": {"temperature": 0.6}}
    steps = [
        {"states": [f"s{k}", f"s{(k + 1) % n}"], "bath": "LR"[k % 2], "particles": k % 3}
        for k in range(n)
    ]
    steps[0]["load"], steps[5]["load"] = 0.5, {"amplitude": 0.7}
    network = trajsim.load(config(states, steps, baths)).experiment.network()
    process = ensemble(network).process
    dense, sparse = DenseCounting(process, 1e-10), SparseCounting(process)
    p, v = dense.stationary, rng.standard_normal((process.baths + process.drives, n))
    for one, other in zip(dense.carry_moments(p, v), sparse.carry_moments(p, v), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-8, atol=1e-9 * abs(one).max())


def test_an_undriven_network_tells_its_currents_and_cycles():
    """Two cycles that share a transition: entropy production as from heats, as from cycles."""
    baths = {"H": {"temperature": 1.0}, "C": {"temperature": 0.4, "chemical_potential": 0.2}}
    steps = [
        {"states": ["a", "b"], "bath": "H"},
        {"states": ["b", "c"], "bath": "C", "particles": 1},
        {"states": ["c", "a"], "bath": "C", "load": 0.3},
        {"states": ["a", "b"], "bath": "C", "rate": 0.2},
    ]
    given = config({"a": 0.0, "b": 0.8, "c": 0.3}, steps, baths)
    exact = trajsim.exact(given)
    network = exact.point.experiment.network()
    steady = steady_state(network, exact.solved)
    heat = exact.heat_rate
    assert steady.entropy_production == pytest.approx(-heat["H"] - heat["C"] / 0.4, rel=1e-9)
    by_cycles = sum(c.affinity * c.current for c in steady.cycles)
    assert by_cycles == pytest.approx(steady.entropy_production, rel=1e-9)
    # Around a -> b (H) -> c -> a, and a -> b (C) -> a (H).
    found = {tuple(sorted(c.states)): abs(c.affinity) for c in steady.cycles}
    around = 0.8 / 1.0 + (-0.5 - 0.2) / 0.4 + (-0.3 - 0.3) / 0.4
    assert found[0, 1] == pytest.approx(abs(0.8 / 0.4 - 0.8))
    assert found[0, 1, 2] == pytest.approx(abs(around))
    # Currents meet at no state.
    for x in range(3):
        into = steady.currents[network.target == x].sum()
        assert into == pytest.approx(steady.currents[network.source == x].sum(), abs=1e-12)
    moving = {**given, "states": [{"name": n, "energy": {"amplitude": 0.1}} for n in "abc"]}
    assert steady_state(trajsim.load(moving).experiment.network()) is None
    answer = network_json(exact.point.experiment)["network"]
    assert answer["currents"][3]["bath"] == "C"
    assert "a -> b, H" in network_table({"network": answer})


def test_all_theorems_of_an_undriven_thermoelectric_engine_hold():
    """Exchange symmetry with chemical works and particles, which turn their signs as heats do.

    Strong coupling would make them trivial: two levels. The exact theta obeys theta(k / T) =
    theta((1 - k) / T), and the efficiency function is 0 at the mean efficiency.
    """
    baths = {"hot": {"temperature": 1.0}, "cold": {"temperature": 0.4, "chemical_potential": 0.2}}
    steps = [
        {"states": ["none", level], "bath": bath, "particles": 1}
        for level in ("one", "two")
        for bath in baths
    ]
    given = config({"none": 0.0, "one": 0.5, "two": 1.2}, steps, baths, 32, 4000)
    given["drive"] = {"period": 2.0}
    (outcomes,) = trajsim.simulate(given).theorems()
    held = {o.name for o in outcomes if o.holds}
    assert {"exchange", "uniform_start", "integral"} <= held
    assert not any(o.holds is False for o in outcomes)
    exact = trajsim.exact(given)
    beta = np.array([1.0, 1.0 / 0.4])
    theta = [float(exact.counting.theta(k * beta)) for k in (0.2, 0.8)]
    assert theta[0] == pytest.approx(theta[1], rel=1e-9)
    at_mean, beside = exact.counting.efficiency_function(
        [exact.regime.efficiency.mean, exact.regime.efficiency.mean + 0.1], hot=0
    )
    assert abs(at_mean) < 1e-9 < 1e-3 < beside
