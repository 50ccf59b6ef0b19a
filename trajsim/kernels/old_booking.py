"""What a spin trajectory writes into its ledger: the one home of the heat and work of spins."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.jit import compiled
from trajsim.models.spins import exchange_of, flip_energy


class Rows(NamedTuple):
    """Ledger of m trajectories; the columns are described in `trajsim.ledger`.

    heat (m, row, bath), work and exclusive_work (m, row, drive), energy (m, row + 1),
    flips (m, row, n) int32, state (m, row + 1, n) int8. Counts and sums must begin at 0.
    """

    heat: NDArray[np.float64]
    work: NDArray[np.float64]
    exclusive_work: NDArray[np.float64]
    energy: NDArray[np.float64]
    flips: NDArray[np.int32]
    state: NDArray[np.int8]


@compiled(inline=True)
def note_edge(network, spins, h_edge, at, rows, k, edge):
    """Write the state and its energy in the fields h_edge[at] at an edge between two rows."""
    total = 0.0
    for i in range(len(spins)):
        # Every bond is met from both its ends.
        total -= spins[i] * (0.5 * exchange_of(network, spins, i) + h_edge[at, i])
        rows.state[k, edge, i] = spins[i]
    rows.energy[k, edge] = total


@compiled(inline=True)
def book_flip(network, spins, i, h, before, rows, k, row):
    """Book the flip of spin i in field h: heat, exclusive work, and work since `before`."""
    rows.heat[k, row, network.bath[i]] += flip_energy(network, spins, i, h)
    rows.flips[k, row, i] += 1
    drive = network.driven[i]
    if drive >= 0:
        rows.work[k, row, drive] -= spins[i] * (h - before)
        rows.exclusive_work[k, row, drive] -= 2.0 * spins[i] * h


@compiled(inline=True)
def book_edge(network, spins, before, lane, h_edge, at, rows, k, row):
    """Book the work of every drive from its spin's last flip, before[lane], to h_edge[at]."""
    for i in range(len(spins)):
        drive = network.driven[i]
        if drive >= 0:
            rows.work[k, row, drive] -= spins[i] * (h_edge[at, i] - before[lane, i])
