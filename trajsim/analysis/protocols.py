"""Heat, work and free energy over a protocol that ends, under the same names on both sides."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.averages import Source
from trajsim.analysis.estimate import ByLabel, Estimate
from trajsim.analysis.fluctuations import Fluctuations, fluctuations
from trajsim.analysis.free_energy import Bennett, bennett, jarzynski_estimate
from trajsim.analysis.theorems.integral import LogMean
from trajsim.analysis.theorems.setting import Prediction
from trajsim.analysis.windows import columns_of

Array = NDArray[np.float64]
V = TypeVar("V")


class Spread(NamedTuple, Generic[V]):
    """Mean and variance of a heat or a work over the protocol."""

    mean: V
    variance: V


@dataclass(frozen=True)
class ProtocolTotals(Generic[V]):
    """Heat and work over one period from equilibrium: numbers if exact, estimates if sampled.

    Attributes
    ----------
    heat : by bath
    work : by drive, and that of all drives together; none where nothing is driven that does work
    jarzynski : <exp(-W/T)>, which is exp(-dF/T); None without one constant temperature of all
        baths, or where trajectories do not begin in equilibrium of the whole energy
    delta_f : free energy in equilibrium at the end less that at time 0; None as of `jarzynski`, or
        where it is not known. From samples it is Jarzynski's estimate, -T ln <exp(-W/T)>
    dissipated_work : <W> - dF
    """

    heat: ByLabel[Spread[V]]
    work: ByLabel[Spread[V]]
    jarzynski: V | None
    delta_f: V | None
    dissipated_work: V | None


@dataclass(frozen=True)
class SampledProtocol(ProtocolTotals[Estimate[float]]):
    """The same from trajectories.

    Attributes
    ----------
    trajectories : number of them
    average : Jarzynski's, with its effective sample size; None as `jarzynski`
    bennett : dF from this run and one of the reversed protocol; None without one
    """

    trajectories: int
    average: Prediction | None
    bennett: Bennett | None


def sampled_protocols(
    run: Source, temperatures: Sequence[float | None], reversed_run: Source | None = None
) -> Iterator[tuple[int, SampledProtocol]]:
    """Points of a run that have trajectories, each with its totals.

    The works of all trajectories of a point are held in memory.

    Parameters
    ----------
    run : of trajectories that begin in equilibrium and take one period
    temperatures : (points,) of all baths alike; None where <exp(-W/T)> has no meaning
    reversed_run : the same of the reversed protocol
    """
    backward = works(reversed_run) if reversed_run is not None else iter(())
    following = next(backward, None)
    for (point, work), spread in zip(works(run), fluctuations(run, detailed=False), strict=True):
        while following is not None and following[0] < point:
            following = next(backward, None)
        reverse = following[1] if following is not None and following[0] == point else None
        yield point, _sampled(spread, work, temperatures[point], reverse)


def works(run: Source) -> Iterator[tuple[int, Array]]:
    """Points of a run, each with the total works (trajectories,) of whole trajectories."""
    blocks = run.blocks(columns_of(run.layout)[-1:])
    for point, slices in groupby(blocks, key=lambda block: block[0]):
        parts = [
            columns["work"].sum(axis=(1, 2))
            if "work" in columns
            else np.zeros(len(columns["heat"]))
            for _, _, columns in slices
        ]
        yield point, np.concatenate(parts)


def _sampled(
    spread: Fluctuations, work: Array, temperature: float | None, backward: Array | None
) -> SampledProtocol:
    time = spread.windows.time
    by_kind: dict[str, Any] = {"heat": ByLabel(), "work": ByLabel()}
    for k, o in enumerate(spread.observables):
        by_kind[o.kind][o.label] = Spread(
            *(
                Estimate(*(float(part[order, k]) * time for part in spread.cumulants))
                for order in (0, 1)
            )
        )
    average = estimate = both = None
    if temperature is not None:
        mean = LogMean()
        mean.add(-work[:, None] / temperature)
        (average,) = mean.estimates(["jarzynski"], np.full(1, np.nan))
        estimate = jarzynski_estimate(work, temperature)
        both = bennett(work, backward, temperature) if backward is not None else None
    return SampledProtocol(
        by_kind["heat"],
        by_kind["work"],
        average.estimate if average else None,
        estimate.delta_f if estimate else None,
        estimate.dissipated_work if estimate else None,
        len(work),
        average,
        both,
    )
