"""One trajectory of spins flip by flip: the same draws as the kernels', each flip written down.

The kernels keep sums only. Here a segment that they have run is run again from where it began, one
proposal after the other, by the same tables, numbers and elementary functions.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.elementary import cosine, log
from trajsim.jit import compiled
from trajsim.kernels.lanes import Laned
from trajsim.kernels.random import inside, multiply_high, next_bits, unit
from trajsim.kernels.rejection import CLASSES
from trajsim.models.rate_laws import flip_rate, join, start


class Flips(NamedTuple):
    """Flips of one segment, in their order.

    when (k,), parts of the segment that are over; site (k,); field (k,), of the site just then.
    """

    when: NDArray[np.float64]
    site: NDArray[np.int64]
    field: NDArray[np.float64]


def replay(model: Any, walkers: Any, part: int, flips: int) -> Flips:
    """Flips of one trajectory's segment.

    Parameters
    ----------
    model : what `trajsim.kernels.jump.prepare` made
    walkers : of one trajectory, as they were when the segment began; moved on
    part : number of the segment in its period
    flips : number of flips that the segment has

    Raises
    ------
    RuntimeError
        If there are more or fewer.
    """
    found = Flips(np.empty(flips), np.empty(flips, np.int64), np.empty(flips))
    run = _by_state if isinstance(model, Laned) else _by_class
    if run(model, walkers.stream[0], walkers.spins[0], walkers.ahead, part, found) != flips:
        raise RuntimeError("a segment does not have the flips it had: other code or libraries")
    return found


@compiled
def _field(fields, harmonics, places, i, passed):
    """Field of site i when so many segments of the period have passed."""
    field = fields.offset[i]
    for q in range(harmonics):
        turns = fields.turning[q] * passed + fields.turns[q * places + i]
        field += fields.amplitude[q * places + i] * cosine(turns)
    return field


@compiled
def _write(found, k, when, site, field):
    """Write down flip k where there is room."""
    if k < len(found.when):
        found.when[k], found.site[k], found.field[k] = when, site, field


@compiled
def _by_state(model, stream, spins, ahead, part, found):
    """As `trajsim.kernels.lanes` does it; the number of flips."""
    n, p, harmonics = len(model.sites), len(model.places), len(model.harmonics)
    state, count = 0, 0
    for i in range(n):
        state |= (1 if spins[i] < 0 else 0) << i
    now = ahead[0]
    if now < 0.0:
        now = -log(inside(next_bits(stream))) * model.pause[state]
    while now < 1.0:
        mark = unit(next_bits(stream)) * model.total[state]
        pause = log(inside(next_bits(stream)))
        # The last site whose turn has come.
        site = p - 1
        while model.below[(site << n) + state] > mark:
            site -= 1
        low = model.below[(site << n) + state] if site > 0 else 0.0
        field = _field(model.fields, harmonics, p, site, part + now)
        aligned = field if (state >> site) & 1 == 0 else -field
        local = model.local[(site << n) + state]
        if mark - low < flip_rate(model.law, local, aligned * model.fields.coldness[site]):
            _write(found, count, now, site, field)
            count += 1
            state ^= 1 << site
        now -= pause * model.pause[state]
    for i in range(n):
        spins[i] = 1 - 2 * ((state >> i) & 1)
    ahead[0] = now - 1.0
    return count


@compiled
def _place(model, spins, local, level, seat, members, filled, i):
    """Put site i into the class of its bound; how much the total of the classes changes."""
    network, n, joined = model.network, len(spins), start(model.law)
    for k in range(network.first[i], network.first[i + 1]):
        equal = spins[network.neighbour[k]] == spins[i]
        joined = join(model.law, joined, network.like[k] if equal else network.unlike[k])
    local[i] = joined
    bound = flip_rate(model.law, joined, model.low[i] if spins[i] > 0 else -model.high[i])
    old, new, change = level[i], -1, 0
    if bound > 0.0:
        # The power of two just above.
        new = min(max(math.frexp(bound)[1] - model.base, 0), CLASSES - 1)
    if new == old:
        return 0
    if old >= 0:
        filled[old] -= 1
        moved = members[old * n + filled[old]]
        members[old * n + seat[i]] = moved
        seat[moved] = seat[i]
        change -= 1 << old
    if new >= 0:
        members[new * n + filled[new]] = i
        seat[i] = filled[new]
        filled[new] += 1
        change += 1 << new
    level[i] = new
    return change


@compiled
def _by_class(model, stream, spins, ahead, part, found):
    """As `trajsim.kernels.rejection` does it; the number of flips."""
    n, harmonics, network = len(spins), len(model.harmonics), model.network
    local, level, seat = np.zeros(n), np.full(n, -1), np.zeros(n, np.int64)
    members, filled = np.zeros(CLASSES * n, np.int64), np.zeros(CLASSES, np.int64)
    total, count = 0, 0
    for i in range(n):
        total += _place(model, spins, local, level, seat, members, filled, i)
    now = ahead[0]
    if now < 0.0:
        now = -log(inside(next_bits(stream))) / (model.unit * total)
    while now < 1.0:
        mark = np.int64(multiply_high(next_bits(stream), np.uint64(total)))
        chosen = CLASSES - 1
        while mark >= filled[chosen] << chosen:
            mark -= filled[chosen] << chosen
            chosen -= 1
        i = members[chosen * n + (mark >> chosen)]
        field = _field(model.fields, harmonics, n, i, part + now)
        x = spins[i] * field * model.fields.coldness[i]
        height = model.unit * (1 << chosen)
        if unit(next_bits(stream)) * height < flip_rate(model.law, local[i], x):
            _write(found, count, now, i, field)
            count += 1
            spins[i] = -spins[i]
            total += _place(model, spins, local, level, seat, members, filled, i)
            for k in range(network.first[i], network.first[i + 1]):
                total += _place(
                    model, spins, local, level, seat, members, filled, network.neighbour[k]
                )
        now -= log(inside(next_bits(stream))) / (model.unit * total)
    ahead[0] = now - 1.0
    return count
