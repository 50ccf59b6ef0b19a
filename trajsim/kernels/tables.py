"""Tables over the states of a small network for the kernel `lanes`."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled
from trajsim.kernels.moving import MovingBonds, edges_of, moving_bonds
from trajsim.kernels.waves import Waves, padded, per_segment, waves_of
from trajsim.models.spins import SpinNetwork, exchange_of, local_of, rate_bound, spins_of
from trajsim.plan import Plan


class LaneModel(NamedTuple):
    """A network of n sites prepared; p is the power of two at or above n, at least 2.

    sites, baths, drives, places : n, b, d and p zeros: the lengths of tuples are known when the
        kernel is compiled
    law : the rate law, per segment
    pause : (2**n,), mean time between proposals in a state
    total : (2**n,), rate of all proposals in a state
    below : (p * 2**n,), cumulative rate of the proposals at all sites before one, in a state
    local : (p * 2**n,), bonds of each spin joined by the rate law
    cost : (p * 2**n,), energy that a flip puts into the bonds that are not driven
    exchange : (2**n,), energy of the bonds that are not driven
    beta : (p,), 1 / T_i of each site, if that is constant
    bonds : what is driven of bonds and temperatures
    edges : (segments + 1, n + bonds), fields and driven couplings at the edges of the segments
    All tables, those of the fields too, are padded so that 8 numbers can be read from any place.
    """

    network: SpinNetwork
    sites: tuple[int, ...]
    baths: tuple[int, ...]
    drives: tuple[int, ...]
    places: tuple[int, ...]
    law: NamedTuple
    fields: Waves
    beta: NDArray[np.float64]
    bonds: MovingBonds
    pause: NDArray[np.float64]
    total: NDArray[np.float64]
    below: NDArray[np.float64]
    local: NDArray[np.float64]
    cost: NDArray[np.float64]
    exchange: NDArray[np.float64]
    edges: NDArray[np.float64]


def prepare(network: SpinNetwork, plan: Plan) -> LaneModel:
    """Tables over the states of a small network."""
    n = len(network.bath)
    p = max(2, 1 << (n - 1).bit_length())
    length = network.period / plan.rows_per_period
    bound, local, cost = (np.zeros((1 << n, p)) for _ in range(3))
    exchange = np.zeros(1 << n)
    _tabulate(network, bound, local, cost, exchange)
    below = np.cumsum(length * bound, axis=1)
    total = below[:, -1].copy()
    below = np.concatenate([np.zeros((1 << n, 1)), below[:, :-1]], axis=1)
    with np.errstate(divide="ignore"):
        pause = 1.0 / total
    tables = {
        "pause": pause,
        "total": total,
        "below": below.T,
        "local": local.T,
        "cost": cost.T,
        "exchange": exchange,
        "beta": np.pad(1.0 / network.temperature, (0, p - n)),
    }
    return LaneModel(
        network=network,
        sites=(0,) * n,
        baths=(0,) * (int(network.bath.max()) + 1),
        drives=(0,) * network.drives,
        places=(0,) * p,
        law=per_segment(network, plan),
        fields=waves_of(network.drive, plan, p),
        bonds=moving_bonds(network, plan, p),
        **{name: padded(table) for name, table in tables.items()},
        edges=edges_of(network, plan),
    )


@compiled
def _tabulate(network, bound, local, cost, exchange):
    """Fill tables (2**n, n or more) and, the last, (2**n,)."""
    n = len(network.bath)
    spins = np.empty(n, np.int8)
    for x in range(len(bound)):
        spins_of(x, spins)
        for i in range(n):
            local[x, i] = local_of(network, spins, i)
            bound[x, i] = rate_bound(network, local[x, i], spins[i], i)
            cost[x, i] = 2.0 * spins[i] * exchange_of(network, spins, i)
            # Every bond is counted from both its ends.
            exchange[x] -= 0.25 * cost[x, i]
