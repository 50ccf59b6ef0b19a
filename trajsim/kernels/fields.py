"""Fields of the sites for the spin kernels, with the segment as unit of time."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.elementary import cosine
from trajsim.compiled.jit import compiled
from trajsim.compiled.simd import read
from trajsim.models.drive import value
from trajsim.models.spins import SpinNetwork
from trajsim.plan import Plan


class Fields(NamedTuple):
    """Fields of the sites, padded to p entries.

    offset (p,), the constant part; turning (k,), turns of each harmonic in a segment;
    amplitude, turns (k * p,), those of each harmonic, with its phase in whole turns;
    beta (p,), 1 / T_i.
    """

    offset: NDArray[np.float64]
    turning: NDArray[np.float64]
    amplitude: NDArray[np.float64]
    turns: NDArray[np.float64]
    beta: NDArray[np.float64]


def fields_of(network: SpinNetwork, plan: Plan, p: int) -> Fields:
    """Fields of a network; the k harmonics are those that some site has."""
    n, drive = len(network.bath), network.drive
    orders = np.unique(drive.order[drive.amplitude != 0.0])
    amplitude, turns = np.zeros((len(orders), p)), np.zeros((len(orders), p))
    for q, order in enumerate(orders):
        # Harmonics of the same order at a site are added.
        terms = np.where(drive.order == order, drive.amplitude * np.exp(1j * drive.phase), 0.0)
        amplitude[q, :n] = np.abs(terms.sum(axis=1))
        turns[q, :n] = np.angle(terms.sum(axis=1)) / (2.0 * np.pi)
    return Fields(
        offset=np.pad(drive.offset, (0, p - n)),
        turning=orders / plan.rows_per_period,
        amplitude=amplitude.ravel(),
        turns=turns.ravel(),
        beta=np.pad(1.0 / network.temperature, (0, p - n)),
    )


@compiled(inline=True)
def field_of(fields, harmonics, p, i, elapsed):
    """Field of site i when `elapsed` segments of the period have passed.

    Parameters
    ----------
    fields : Fields
    harmonics : number of them
    p : number of entries to which sites are padded
    i : site
    elapsed : segments since the start of the period
    """
    field = read(fields.offset, i)
    for q in range(harmonics):
        turns = read(fields.turning, q) * elapsed + read(fields.turns, q * p + i)
        field += read(fields.amplitude, q * p + i) * cosine(turns)
    return field


def per_segment(network: SpinNetwork, plan: Plan) -> NamedTuple:
    """The rate law with the segment as its unit of time."""
    law = network.law
    return law._replace(rate=law.rate * network.period / plan.rows_per_period)


@compiled
def edge_fields(network, segments):
    """Fields (segments + 1, n) at the edges of the segments of a period, n numbers by n."""
    n = len(network.bath)
    h = np.empty((segments + 1, n))
    for edge in range(segments + 1):
        for i in range(n):
            h[edge, i] = value(network.drive, i, (edge % segments) / segments)
    return h
