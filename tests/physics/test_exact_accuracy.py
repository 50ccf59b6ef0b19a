"""Currents of two spins are good to 1e-10, also where few steps had to do."""

import numpy as np
import pytest
from closed_forms import moments
from networks import ENGINE, PUMP, pair

from trajsim.ensemble import ensemble

PHASES = [0.0, 0.7, 1.9, np.pi, 4.4, 5.6]
CASES = {
    "pump": PUMP,
    "engine": ENGINE,
    **{f"figure 1, {phase:.2f}": pair(0.5, 0.5, phase=phase) for phase in PHASES},
    **{f"figure 2, {phase:.2f}": pair(1.0, 0.1, phase=phase, period=190.0) for phase in PHASES},
}


@pytest.mark.parametrize("name", CASES)
def test_currents_are_good_to_ten_digits(name):
    case = CASES[name]
    _, averages = moments(case)
    rates, error = ensemble(case.build()).currents
    found = np.append(rates.heat, rates.work)
    # Where two spins of one temperature do the same, a work may be as small as rounding.
    floor = 1e-14 * abs(rates.flips).sum()
    np.testing.assert_allclose(found, averages, rtol=1e-10, atol=floor)
    # And the stated error is no boast.
    assert (abs(found - averages) < np.append(error.heat, error.work) + 2 * floor).all()
