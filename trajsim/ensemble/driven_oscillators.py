"""The exact ensemble of linear oscillators of which anything is driven, with any waveforms.

Stiffnesses and temperatures that change in time, and forces that are no cosines: mean and
covariance obey linear equations with periodic coefficients. One period is solved by steps, twice
as many until nothing changes; the periodic state is what ever more periods lead to.
"""

from functools import cached_property
from itertools import accumulate, pairwise

import numpy as np

from trajsim.ensemble.answers import (
    Array,
    Currents,
    Energetics,
    NoExactSideError,
    TimeSeries,
    Window,
)
from trajsim.ensemble.gaussian import Gaussian
from trajsim.ensemble.gaussian_maps import Map, joined, repeated
from trajsim.ensemble.jumps.limits import expect_time
from trajsim.ensemble.oscillator_process import SAME, OscillatorProcess
from trajsim.ensemble.oscillator_steps import STAGES, maps
from trajsim.models.oscillators import MOST_JUDGED, OscillatorNetwork, growth
from trajsim.plan import Plan

# Times that steps are made shorter by half, at most.
MOST_ROUNDS = 12
# Part of the distance to the periodic state lost in a period that is taken for none.
UNDAMPED = 1e-10
# Rounding error relative to the gross energies, and change of a map below which it is rounding.
ROUNDING, ROUGH = 1e-14, 1e-6
# What is left of a start that is forgotten.
FORGOTTEN = 1e-60
# Factor by which a motion may grow in a period; that of second moments is its square.
LARGEST_GROWTH = 1e100
BEYOND = "within a period oscillators move beyond all numbers"
# Seconds that a step takes, and for each cube of the size of its equations, as measured.
SECONDS = 1e-4, 3e-10
TOO_FAST = "oscillators move too fast against the period to follow them all"


class DrivenEnsemble:
    """Exact ensemble of linear oscillators; the quartic part of the network is left out.

    Parameters
    ----------
    network : OscillatorNetwork
    tolerance : relative accuracy asked of what a period does
    """

    def __init__(self, network: OscillatorNetwork, tolerance: float = 1e-9) -> None:
        self.network, self.tolerance = network, tolerance
        self.n = len(network.mass)
        self.process = OscillatorProcess(network)
        self._segments: dict[int, list[Map]] = {}

    # -- one period ----------------------------------------------------------------------------

    def _map(self, begin: float, end: float, finer: int) -> Map:
        """What happens between two phases; jumps at 1 are part of what ends there."""
        process = self.process
        begins, widths, _ = process.steps(begin, end, finer)
        parts = [joined(some) for some in maps(process, begins, widths)]
        if end == 1.0 and 1.0 in process.jumps:
            still = np.eye(process.size)
            jump = 0.5 * process.forms(process.jumps[1.0])
            parts.append(Map(still, np.zeros_like(still), jump, np.zeros(len(jump))))
        *_, whole = accumulate(parts, Map.then)
        return whole

    @cached_property
    def _rounds(self) -> tuple[int, Map, Map]:
        """How many times as many as the fewest steps, the period with half of them, and with all.

        Raises
        ------
        NoExactSideError
            If it would take too long, or grows beyond all numbers.
        """
        process = self.process
        a_step = SECONDS[0] + SECONDS[1] * (2.0 * STAGES * process.size) ** 3
        expect_time(3.0 * process.fewest * a_step, TOO_FAST)
        judged = self.network.stretching and self.n <= MOST_JUDGED
        if judged and growth(self.network) > LARGEST_GROWTH:
            raise NoExactSideError(BEYOND)
        finer, coarse, before = 1, self._map(0.0, 1.0, 1), np.inf
        for _ in range(MOST_ROUNDS):
            finer *= 2
            expect_time(finer * process.fewest * a_step, TOO_FAST)
            fine = self._map(0.0, 1.0, finer)
            if not all(np.isfinite(part).all() for part in fine):
                raise NoExactSideError(BEYOND)
            change = _change(coarse, fine)
            if change <= self.tolerance or ROUGH > change >= 0.5 * before:
                return finer, coarse, fine
            coarse, before = fine, change
        raise NoExactSideError(f"{finer * self.process.fewest} steps a period are too few")

    @property
    def finer(self) -> int:
        """How many times as many as the fewest steps the tolerance asks for."""
        return self._rounds[0]

    @property
    def _period(self) -> Map:
        return self._rounds[2]

    def _in_segments(self, segments: int) -> list[Map]:
        """Maps of equal segments of a period."""
        if segments not in self._segments:
            breaks = np.array(self.process.breaks)
            edges = np.arange(segments + 1) / segments
            nearest = breaks[abs(breaks - edges[:, None]).argmin(axis=1)]
            # A jump at an edge but for rounding belongs to what begins there.
            edges = np.where(abs(nearest - edges) <= SAME, nearest, edges)
            self._segments[segments] = [
                self._map(one, other, self.finer) for one, other in pairwise(edges.tolist())
            ]
        return self._segments[segments]

    # -- the periodic state --------------------------------------------------------------------

    @cached_property
    def multiplier(self) -> float:
        """Largest factor by which a period multiplies a distance to the periodic state."""
        return multiplier_of(self._period)

    def expect_periodic(self) -> None:
        """As `expect_forgotten`."""
        expect_forgotten(self.multiplier)

    def _returning(self, period: Map) -> Gaussian:
        """Gaussian of zeta that returns to itself after a period."""
        many = forever(_motion(period))
        return Gaussian(many.flow[:, 0], many.noise)

    @cached_property
    def _periodic(self) -> Gaussian:
        return self._returning(self._period)

    @property
    def periodic_state(self) -> Gaussian:
        """Periodic state at time 0.

        Raises
        ------
        NoExactSideError
            If there is none.
        """
        return _of_z(self._periodic)

    @cached_property
    def currents(self) -> Currents:
        """Period-averaged rates in the periodic state, and an estimated error of each.

        Raises
        ------
        NoExactSideError
            If there is no periodic state.
        """
        _, coarse, fine = self._rounds
        moments = moments_of(self._periodic)
        gained = fine.gained(moments)
        change = gained - coarse.gained(moments_of(self._returning(coarse)))
        gross = np.einsum("qij,ij->q", abs(fine.form), abs(moments)) + abs(fine.gain)
        error = (abs(change) + ROUNDING * gross) / self.network.period
        rates = gained / self.network.period
        works = slice(self.process.baths, None)
        # Driven terms of the energy are the same after a period.
        return Currents(
            self._split(rates, rates[works]), Energetics(*self._split(error, error[works]))
        )

    def _split(self, gained: Array, exclusive: Array) -> Energetics:
        """Energetics from heats and works (..., q) and exclusive works (..., drives)."""
        baths = self.process.baths
        no_flips = np.zeros((*gained.shape[:-1], 0))
        return Energetics(gained[..., :baths], gained[..., baths:], exclusive, no_flips)

    # -- in time -------------------------------------------------------------------------------

    def time_series(
        self, start: Gaussian, segments: int, periods: int = 1, skip: int = 0
    ) -> TimeSeries:
        """Follow a Gaussian through whole periods, cut into equal segments.

        The first `skip` periods are left out.

        Parameters
        ----------
        start : Gaussian at time 0
        segments : number of them in a period
        periods : number of periods to follow
        skip : number of periods before these
        """
        process, maps = self.process, self._in_segments(segments)
        state = self._after(of_zeta(start), skip)
        terms = process.terms(process.at_edges(segments))
        states, gains, exclusive = [_of_z(state)], [], []
        for k in range(segments * periods):
            phase, features = k % segments, process.of(moments_of(state))
            gained, begin = maps[phase].gained(moments_of(state)), terms[phase]
            if k == 0 and skip == 0:
                gained = gained + process.first_jump @ features
            elif phase == 0:
                # A row ends with the last listed values, and the next one begins with them.
                begin = terms[-1]
            state = _carried(maps[phase], state)
            kept = terms[phase + 1] @ process.of(moments_of(state)) - begin @ features
            states.append(_of_z(state))
            gains.append(gained)
            exclusive.append(gained[process.baths :] - kept)
        return TimeSeries(states, self._split(np.array(gains), np.array(exclusive)))

    def _after(self, state: Gaussian, periods: int) -> Gaussian:
        """Gaussian of zeta after whole periods."""
        if periods == 0:
            return state
        with np.errstate(over="ignore", invalid="ignore"):
            return _carried(repeated(_motion(self._period), periods), state)

    def window(self, start: Gaussian, plan: Plan) -> Window:
        """Averages over the recorded periods of trajectories that begin with `start`."""
        process = self.process
        state = self._after(of_zeta(start), plan.burn_in)
        end = process.of(moments_of(self._after(state, plan.periods)))
        moments = moments_of(state)
        total = _motion(self._period).sum(moments, plan.periods)
        gained = np.einsum("qij,ij->q", self._period.form, total) + plan.periods * self._period.gain
        begin, closing = process.terms(process.at_edges(1))
        if plan.burn_in == 0:
            gained = gained + process.first_jump @ process.of(moments)
        else:
            begin = closing
        kept = closing @ end - begin @ process.of(moments)
        rates = self._split(gained, gained[process.baths :] - kept)
        duration = plan.periods * self.network.period
        edges = self._edges(moments, plan)
        return Window(Energetics(*(each / duration for each in rates)), edges)

    def _edges(self, moments: Array, plan: Plan) -> dict[str, Array]:
        """Means of x, v and of their squares where rows begin, (phases, n) each."""
        n, rows = self.n, plan.periods // plan.segments_per_row
        between = repeated(_motion(self._period), plan.segments_per_row)
        # Rows that begin at one phase of the period, added up.
        total = between.sum(moments, rows)
        totals = [total]
        for map_ in self._in_segments(plan.rows_per_period)[:-1]:
            total = map_.carry(total) + (rows - 1.0) * map_.noise
            totals.append(total)
        mean = np.array(totals) / rows
        first, second = mean[:, 0, 1:], np.diagonal(mean, axis1=1, axis2=2)[:, 1:]
        columns = {"position": slice(n), "velocity": slice(n, 2 * n)}
        if self.network.overdamped:
            del columns["velocity"]
        return {
            f"{name}{suffix}": moments[:, some]
            for name, some in columns.items()
            for suffix, moments in (("", first), ("_squared", second))
        }


def multiplier_of(period: Map) -> float:
    """Largest factor by which a map of a period multiplies the distance of two starts."""
    return float(abs(np.linalg.eigvals(period.flow[1:, 1:])).max())


def expect_forgotten(multiplier: float) -> None:
    """See that trajectories forget their start.

    Raises
    ------
    NoExactSideError
        If they do not.
    """
    if multiplier >= 1.0 + UNDAMPED:
        raise NoExactSideError(
            f"some motion swings up, by a factor of {multiplier:.6g} a period: there is no "
            "periodic state"
        )
    if multiplier > 1.0 - UNDAMPED:
        raise NoExactSideError(
            "some motion is not damped, or too weakly to be told from undamped in double "
            "precision: there is no periodic state that can be computed"
        )


def forever(period: Map) -> Map:
    """A period again and again, until the start is forgotten.

    Raises
    ------
    NoExactSideError
        If it is not.
    """
    expect_forgotten(multiplier_of(period))
    many = period
    # What is left of the start is squared each time.
    while abs(many.flow[1:, 1:]).max() > FORGOTTEN:
        many = many.then(many)
    return many


def _motion(map_: Map) -> Map:
    """The same without its energetics."""
    return map_._replace(form=map_.form[:0], gain=map_.gain[:0])


def _change(coarse: Map, fine: Map) -> float:
    """Largest difference of two maps, of each part relative to its largest entry."""
    changes = [0.0]
    for one, other in zip(coarse, fine, strict=True):
        if one.ndim == 2:
            one, other = one[None], other[None]
        if one.ndim == 1:
            # Gains and forms together are one energetic.
            continue
        scale = abs(other).max(axis=(1, 2))
        changes += list(abs(one - other).max(axis=(1, 2))[scale > 0.0] / scale[scale > 0.0])
    scale = np.maximum(abs(fine.gain), abs(fine.form).max(axis=(1, 2), initial=0.0))
    changes += list(abs(coarse.gain - fine.gain)[scale > 0.0] / scale[scale > 0.0])
    return float(max(changes))


# Below, Gaussians of zeta = (1, z): the 1 has the mean 1 and no variance.


def of_zeta(state: Gaussian) -> Gaussian:
    """Gaussian of zeta from that of z."""
    return Gaussian(np.append(1.0, state.mean), np.pad(state.covariance, ((1, 0), (1, 0))))


def _of_z(state: Gaussian) -> Gaussian:
    return Gaussian(state.mean[1:], state.covariance[1:, 1:])


def moments_of(state: Gaussian) -> Array:
    """M (s, s) = <zeta zeta'>."""
    return np.asarray(np.outer(state.mean, state.mean) + state.covariance)


def _carried(map_: Map, state: Gaussian) -> Gaussian:
    """State after a map.

    Raises
    ------
    NoExactSideError
        If some entry is not finite.
    """
    after = Gaussian(map_.flow @ state.mean, map_.carry(state.covariance))
    if not all(np.isfinite(part).all() for part in after):
        raise NoExactSideError("some motion swings up beyond all numbers")
    return after
