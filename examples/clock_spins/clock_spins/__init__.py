"""Driven three-state clock spins, each in contact with one bath: a model for trajsim.

H = -sum_bonds J_ij cos(theta_i - theta_j) - sum_i h_i(t) cos(theta_i - psi_i), where theta_i is one
of 0, 2 pi / 3 and 4 pi / 3, and a spin jumps from one to either of the others.
"""

import trajsim
from trajsim.ledger import SPINS, Column

__version__ = "1.0"

CLOCK_SPINS = trajsim.Kind(
    experiment="clock_spins.config:ClockExperiment",
    # Heat, work, exclusive work, energy and the number of flips as of spins; a state of its own.
    columns=(
        *SPINS[:5],
        Column("clock", ("edge", "site"), "|i1", "1", "k of theta = 2 pi k / 3, at the edges"),
    ),
    network="clock_spins.model:ClockNetwork",
    kernel="clock_spins.kernel",
    exact="clock_spins.exact",
)

trajsim.register_model("clock-spins", CLOCK_SPINS)
