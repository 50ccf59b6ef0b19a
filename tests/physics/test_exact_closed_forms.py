"""The exact ensemble obeys the closed forms, symmetries and published figures of two spins."""

from dataclasses import replace

import networks
import numpy as np
import pytest
from closed_forms import moments
from networks import ENGINE, PUMP, TRIANGLE, Network, pair

from trajsim.ensemble.jumps.spins import jump_process
from trajsim.ensemble.spins import ensemble as master_equation
from trajsim.models.rate_laws import LAWS

UNDRIVEN = pair(h0=0.0)
RICH = Network(
    temperatures=[0.8, 0.45],
    bath=[0, 1],
    bonds=[(0, 1, -0.6)],
    harmonics=[[(1, 0.5, 0.2), (2, 0.3, 1.0)], [(1, 0.4, 2.0), (3, 0.2, -1.0)]],
    offset=[0.2, -0.1],
    rate=0.7,
    period=12.0,
)
PAIRS = {
    "pump": PUMP,
    "engine": ENGINE,
    "rich": RICH,
    "fast": pair(0.9, 0.3, h0=0.8, period=2.0),
    "slow": pair(1.0, 0.7, h0=0.5, period=600.0),
    "tight": pair(0.5, 0.4, coupling=3.0),
}
# Written to the tolerance the solution was asked for, with a digit to spare.
CLOSE = {"rtol": 1e-9, "atol": 1e-16}


def generator(network, phase):
    process = jump_process(network)
    return process.generators(process.rates(np.array([phase])))[0]


def currents(case):
    return master_equation(case.build()).currents.rates


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("case", [PUMP, RICH, TRIANGLE], ids=["pump", "rich", "triangle"])
def test_generator_holds_the_rates_of_the_law_and_conserves_probability(law, case):
    case = replace(case, law=law)
    for fraction in (0.0, 0.3, 0.71):
        w = generator(case.build(), fraction)
        np.testing.assert_allclose(w, networks.generator(case, fraction), rtol=1e-12, atol=1e-15)
        assert abs(w.sum(axis=0)).max() < 1e-15 * abs(w).max() * len(w)


def test_states_are_numbered_with_the_first_site_fastest_and_all_up_first():
    # Only the first spin can flip in a strong field on the second: 0 <-> 1 and 2 <-> 3.
    case = Network([1.0], [0, 0], [], [[], []], offset=[0.5, 300.0], law="arrhenius")
    w = generator(case.build(), 0.0)
    assert w[1, 0] == pytest.approx(0.5 * np.exp(-0.5), rel=1e-14)
    assert w[0, 1] == pytest.approx(0.5 * np.exp(0.5), rel=1e-14)
    assert w[2, 0] < 1e-100


def test_heat_of_the_undriven_pair_is_that_of_its_closed_form():
    for left, right, J, r in [(0.5, 0.499, 1.0, 0.5), (1.0, 0.1, -0.7, 0.3), (0.2, 2.0, 0.4, 2.0)]:
        q = currents(pair(left, right, h0=0.0, coupling=J, rate=r))
        expected = r * J * (np.tanh(J / right) - np.tanh(J / left))
        np.testing.assert_allclose(q.heat, [expected, -expected], **CLOSE)
        assert q.work.size == 0


@pytest.mark.parametrize("name", PAIRS)
def test_moments_and_currents_obey_the_closed_moment_equations(name):
    case = PAIRS[name]
    begin, averages = moments(case)
    master = master_equation(case.build())
    s = networks.spins(case)
    observed = np.array([s[0], s[1], s[0] * s[1]]) @ master.periodic_state
    np.testing.assert_allclose(observed, begin, **CLOSE)
    rates = master.currents.rates
    np.testing.assert_allclose(rates.heat, averages[:2], **CLOSE)
    np.testing.assert_allclose(rates.work, averages[2:], **CLOSE)


@pytest.mark.parametrize("law", LAWS)
def test_exchanging_the_baths_reverses_the_phase(law):
    # q_L(phi; TL, TR) = q_R(-phi; TR, TL): the other spin, seen from its own clock.
    one = currents(pair(0.6, 0.5, h0=0.4, phase=1.3, period=30.0, law=law))
    two = currents(pair(0.5, 0.6, h0=0.4, phase=-1.3, period=30.0, law=law))
    np.testing.assert_allclose(one.heat, two.heat[::-1], **CLOSE)
    np.testing.assert_allclose(one.work, two.work[::-1], **CLOSE)
    np.testing.assert_allclose(one.exclusive_work, two.exclusive_work[::-1], **CLOSE)


@pytest.mark.parametrize("law", LAWS)
def test_reversing_the_bond_and_one_field_changes_nothing(law):
    one = currents(pair(0.6, 0.5, h0=0.4, phase=1.3, period=30.0, law=law))
    two = currents(pair(0.6, 0.5, h0=0.4, phase=1.3 + np.pi, coupling=-1.0, period=30.0, law=law))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, **CLOSE)


@pytest.mark.parametrize("law", LAWS)
def test_currents_repeat_after_half_a_period(law):
    # Half a period later both fields are reversed, and so may all spins be.
    master = master_equation(pair(0.6, 0.5, h0=0.4, phase=1.3, period=30.0, law=law).build())
    energetics = master.time_series(master.periodic_state, 16).energetics
    for name in ("heat", "work", "flips"):
        halves = getattr(energetics, name)
        np.testing.assert_allclose(halves[:8], halves[8:], rtol=1e-9, atol=1e-12)
        # Within a half they do change.
        assert np.ptp(halves[:8], axis=0).min() > 1e-4


@pytest.mark.parametrize("law", LAWS)
def test_a_spin_without_bonds_turns_its_own_work_into_heat_whatever_the_phase(law):
    rates = [
        currents(pair(0.6, 0.5, h0=0.4, phase=phase, coupling=0.0, period=30.0, law=law))
        for phase in (0.0, 1.3, 4.0)
    ]
    for one in rates:
        np.testing.assert_allclose(one.heat, -one.work, **CLOSE)
        np.testing.assert_allclose(one.heat, rates[0].heat, **CLOSE)
    assert (rates[0].work > 1e-4).all()


def test_currents_are_those_the_paper_publishes():
    # The paper's digits end with its solver's step error: 1e-3, and 5e-3 of the efficiency.
    pump, engine = currents(PUMP), currents(ENGINE)
    assert pump.heat[1] == pytest.approx(3.674e-4, rel=1e-3)
    assert pump.heat[0] == pytest.approx(-1.025e-3, rel=1e-3)
    assert currents(UNDRIVEN).heat[0] == pytest.approx(1.41e-4, rel=1e-3)
    assert -engine.work.sum() / engine.heat[0] == pytest.approx(1.75e-2, rel=5e-3)


def test_currents_converge_to_known_digits():
    pump, engine = currents(PUMP), currents(ENGINE)
    assert pump.heat[1] == pytest.approx(3.6732e-4, abs=0.6e-8)
    assert pump.heat[0] == pytest.approx(-1.02434e-3, abs=0.6e-8)
    assert currents(UNDRIVEN).heat[0] == pytest.approx(1.4104e-4, abs=0.6e-8)
    assert -engine.work.sum() / engine.heat[0] == pytest.approx(1.7560e-2, abs=0.6e-6)
