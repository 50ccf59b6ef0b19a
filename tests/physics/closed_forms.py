"""Closed forms of spins."""

import networks
import numpy as np
from scipy.integrate import solve_ivp


def moments(case):
    """Periodic (<s1>, <s2>, <s1 s2>) at time 0 and period averages of q_L, q_R, w_1, w_2.

    The three moments of two spins under the product law close among themselves.
    """
    r, J = case.rate, case.bonds[0][2]
    # In 1 - g and d = 1 - <s1 s2>, both small where the bond is tight: differences of numbers near
    # 1 would lose the digits that the slow magnetisation hangs on.
    e_left, e_right = 2 / (1 + np.exp(2 * J / case.temperature))

    def slope(t, flat):
        y = flat.reshape(7, -1)
        m1, m2, d = y[:3]
        h = networks.fields(case, t / case.period)
        rise = networks.field_slopes(case, t / case.period)
        n_left, n_right = np.tanh(h / case.temperature)
        left = m1 - m2 + e_left * m2 - n_left * (e_left + d - e_left * d)
        right = m2 - m1 + e_right * m1 - n_right * (e_right + d - e_right * d)
        bond_left = e_left - d - n_left * (m2 - m1 + e_left * m1)
        bond_right = e_right - d - n_right * (m1 - m2 + e_right * m2)
        slopes = [
            -2 * r * left,
            -2 * r * right,
            2 * r * (bond_left + bond_right),
            2 * r * (J * bond_left + h[0] * left),
            2 * r * (J * bond_right + h[1] * right),
            -rise[0] * m1,
            -rise[1] * m2,
        ]
        return np.concatenate(slopes)

    def over_a_period(m):
        """Moments and integrals (7, starts) after a period that begins with moments (3, starts)."""
        settings = {"rtol": 1e-12, "atol": 1e-17}
        begin = np.concatenate([m, np.zeros((4, m.shape[1]))]).ravel()
        found = solve_ivp(slope, (0, case.period), begin, "DOP853", **settings)
        return found.y[:, -1].reshape(7, -1)

    # The period is an affine map of the moments: four starts give it, a fifth the averages.
    shift, *linear = over_a_period(np.eye(3, 4, 1))[:3].T
    linear = np.column_stack(linear) - shift[:, None]
    begin = np.linalg.solve(np.eye(3) - linear, shift)
    averages = over_a_period(begin[:, None])[3:, 0] / case.period
    return begin * [1, 1, -1] + [0, 0, 1], averages
