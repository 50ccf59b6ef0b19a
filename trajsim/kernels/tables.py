"""Tables over the states of a small network for the kernel `lanes`."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.kernels.cells import Costs, cells_of
from trajsim.kernels.contacts import Contacts, contacts
from trajsim.kernels.moving import MovingBonds, edges_of, moving_bonds
from trajsim.kernels.waves import Waves, padded, per_segment, places_for, waves_of
from trajsim.models.spins import SpinNetwork, rate_bounds
from trajsim.models.waveform import some
from trajsim.plan import Plan

# Numbers in a table at most.
MOST_NUMBERS = 1 << 18
# Mean time between proposals where there are none: what is left of a wait is told by it.
NEVER = 1e290


class LaneModel(NamedTuple):
    """A network of n sites with m contacts prepared; p is the power of two from m on, at least 2.

    sites, contacts, baths, drives, places : n, m, b, d and p zeros: the lengths of tuples are known
        when the kernel is compiled
    shared : one zero, unless each site has one contact, at the rate of the law
    law : the rate law, per segment
    plan : whose segments are the cells of those of the run; the segments of this model
    each : how many they are
    parts : c, how many of them have bounds of their own
    cut : one zero if c is not 1
    pause : (c * 2**n,), mean time between proposals in a state
    total : (c * 2**n,), rate of all proposals in a state
    below : (c * p * 2**n,), cumulative rate of the proposals at all contacts before one, in a state
    local : (p * 2**n,), bonds at each contact joined by the rate law
    cost : (p * 2**n,), energy that a flip puts into the bonds that are not driven
    exchange : (2**n,), energy of the bonds that are not driven
    beta : (p,), 1 / T of each contact, if that is constant
    spin, multiple : (p,), site of each contact, as the bits of an integer, and factor of its rate
    bonds : what is driven of bonds and temperatures
    edges : (segments + 1, n + bonds), fields and driven couplings at the edges of the segments
    All tables, those of the fields too, are padded so that 8 numbers can be read from any place.
    """

    network: Contacts
    sites: tuple[int, ...]
    contacts: tuple[int, ...]
    baths: tuple[int, ...]
    drives: tuple[int, ...]
    places: tuple[int, ...]
    shared: tuple[int, ...]
    law: NamedTuple
    plan: Plan
    each: int
    parts: int
    cut: tuple[int, ...]
    fields: Waves
    beta: NDArray[np.float64]
    bonds: MovingBonds
    pause: NDArray[np.float64]
    total: NDArray[np.float64]
    below: NDArray[np.float64]
    local: NDArray[np.float64]
    cost: NDArray[np.float64]
    exchange: NDArray[np.float64]
    spin: NDArray[np.float64]
    multiple: NDArray[np.float64]
    edges: NDArray[np.float64]


def prepare(network: SpinNetwork, plan: Plan) -> LaneModel:
    """Tables over the states of a small network."""
    n, m = len(network.driven), len(network.bath)
    p = places_for(m)
    costs = Costs(proposal=1.2, end=1.2 if network.moving else 2.1)
    cells = cells_of(network, plan, MOST_NUMBERS // (p << n), costs)
    plan, parts = cells.plan, len(cells.networks)
    length = network.period / plan.rows_per_period
    bound, local, cost = np.zeros((parts, 1 << n, p)), np.zeros((1 << n, p)), np.zeros((1 << n, p))
    spins = (1 - 2 * (np.arange(1 << n)[:, None] >> np.arange(n) & 1)).astype(np.int8)
    for part, bounds in zip(bound, cells.networks, strict=True):
        local[:, :m], part[:, :m] = rate_bounds(bounds, spins)
    # 2 s_i sum_j J_ij s_j of each contact.
    for k, (c, j) in enumerate(zip(network.contact_of_bonds, network.neighbour, strict=True)):
        cost[:, c] += 2.0 * network.coupling[k] * (spins[:, network.site[c]] * spins[:, j])
    exchange = np.zeros(1 << n)
    for c in network.contact[:-1]:
        # Every bond is counted from both its ends.
        exchange -= 0.25 * cost[:, c]
    below = np.cumsum(length * bound, axis=2)
    total = below[:, :, -1].copy()
    below = np.concatenate([np.zeros((parts, 1 << n, 1)), below[:, :, :-1]], axis=2)
    with np.errstate(divide="ignore"):
        pause = np.minimum(1.0 / total, NEVER)
    tables = {
        "pause": pause,
        "total": total,
        "below": below.swapaxes(1, 2),
        "local": local.T,
        "cost": cost.T,
        "exchange": exchange,
        "beta": np.pad(1.0 / network.temperature, (0, p - m)),
        "spin": np.pad(network.site, (0, p - m)).astype(np.uint64).view(np.float64),
        "multiple": np.pad(network.multiple, (0, p - m)),
    }
    return LaneModel(
        network=contacts(network),
        sites=(0,) * n,
        contacts=(0,) * m,
        baths=(0,) * (int(network.bath.max()) + 1),
        drives=(0,) * network.drives,
        places=(0,) * p,
        shared=() if network.plain else (0,),
        law=per_segment(network, plan),
        plan=plan,
        each=cells.each,
        parts=parts,
        cut=(0,) if parts > 1 else (),
        fields=waves_of(some(network.drive, network.site), plan, p),
        bonds=moving_bonds(network, plan, p),
        **{name: padded(table) for name, table in tables.items()},
        edges=edges_of(network, plan),
    )
