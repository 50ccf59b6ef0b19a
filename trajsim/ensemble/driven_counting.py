"""Fluctuations of heat and work of linear oscillators of which anything is driven.

<exp(z A)> over a short time is a Gaussian function of the states at both ends of it, found from the
propagator of the Riccati equation's Hamiltonian matrix (`trajsim.ensemble.oscillator_steps`);
these, and then periods, are put together by integrals over the state in between
(`trajsim.ensemble.gaussian_maps`). Nothing grows in that, and no logarithm changes its branch.
"""

import copy
import math

import numpy as np
from numpy.typing import ArrayLike

from trajsim.ensemble import series
from trajsim.ensemble.answers import Array, NoExactSideError
from trajsim.ensemble.driven_oscillators import DrivenEnsemble
from trajsim.ensemble.gaussian import Gaussian
from trajsim.ensemble.gaussian_counting import GaussianCounting
from trajsim.ensemble.gaussian_maps import (
    Complex,
    Powers,
    Tilted,
    added,
    added_powers,
    joined,
    repeated,
)
from trajsim.ensemble.oscillator_steps import Panels, powers_of, propagators, tilted
from trajsim.ensemble.weights import Weighting, expect_periods, many
from trajsim.models.oscillators import OscillatorNetwork

# Powers of the counting field of which propagators are made.
POWERS = 20
# Relative change of the averages over a period with twice as many panels, which are then enough,
# and how often panels are halved, at most.
CHANGE, ROUNDS = 1e-9, 12
# Decimals of ratios of weights.
SAME = 13
# Numbers in matrices that are put together at once.
BATCH = 1 << 18
# Doublings of periods, at most, and what is left of the first state when long times begin.
DOUBLINGS, FORGOTTEN = 64, 1e-9
# Panels times the cubes of the sizes of their matrices, up to which distributions take seconds.
QUICK = 1e6


class DrivenCounting(GaussianCounting):
    """Exact fluctuations of heat and work of linear oscillators of which anything is driven.

    `weights` and results as in `trajsim.ensemble.jumps.counting.JumpCounting`.

    Parameters
    ----------
    network : OscillatorNetwork; its quartic part is left out
    tolerance : relative accuracy of what a period does
    """

    ensemble: DrivenEnsemble

    def __init__(self, network: OscillatorNetwork, tolerance: float = 1e-10) -> None:
        super().__init__(DrivenEnsemble(network, tolerance))
        self.process = self.ensemble.process
        self._first = True
        # Propagators of panels by weights and number of panels, and how many are enough by weights
        # and size of z, in powers of two.
        self._panels: dict[tuple[bytes, int], Panels] = {}
        self._enough: dict[tuple[bytes, int], int] = {}

    @property
    def quick(self) -> bool:  # type: ignore[override]
        """Whether distributions and generating functions take seconds, not minutes."""
        panels = self.process.fewest * self.ensemble.finer
        return bool(panels * (2.0 * self.process.size) ** 3 <= QUICK)

    @property
    def later(self) -> "DrivenCounting":
        """The same for times that begin after whole periods, with the parameters of their end."""
        other = copy.copy(self)
        other._first = False
        return other

    def _together(self, weights: Weighting) -> Array:
        """Weights (q,) of all energetics."""
        return np.append(*self._weights(weights))

    # -- averages of exponentials --------------------------------------------------------------

    def _solve(self, weights: Array, z: Complex, finer: int) -> Tilted:
        """<exp(z A)> (k,) over a period, for A with weights (q,)."""
        process, key = self.process, (weights.tobytes(), finer)
        if key not in self._panels:
            # Only those of the last weights are kept: distributions ask for many z.
            for other in [k for k in self._panels if k[0] != key[0]]:
                del self._panels[other]
            self._panels[key] = propagators(process, finer, weights[None], POWERS)
        panels, parts = self._panels[key], []
        batch = max(1, BATCH // (len(panels.ends) * 4 * process.size**2))
        for k in range(0, len(z), batch):
            parts.append(joined(tilted(process, panels, weights, z[k : k + batch])))
        whole = Tilted(*map(np.concatenate, zip(*parts, strict=True)))
        if 1.0 in process.jumps:
            last = process.forms(np.multiply.outer(z, weights) @ process.jumps[1.0])
            whole = whole.then(added(last))
        return whole

    def _period(self, weights: Array, z: Complex) -> Tilted:
        """The same, with panels so short that shorter ones would change nothing."""
        # Multiples of the same weights are the same but for z.
        scale = float(weights[abs(weights).argmax()]) or 1.0
        weights, z = np.asarray(np.round(weights / scale, SAME) + 0.0), scale * z
        largest = z[abs(z).argmax()][None]
        key = weights.tobytes(), math.frexp(float(abs(largest[0])))[1]
        if key not in self._enough:
            finer = self.ensemble.finer
            coarse = self._solve(weights, largest, finer)
            for _ in range(ROUNDS):
                fine = self._solve(weights, largest, 2 * finer)
                if _change(coarse, fine) <= CHANGE:
                    break
                finer, coarse = 2 * finer, fine
            else:
                raise NoExactSideError("the counting field is too large to follow its averages")
            self._enough[key] = finer
        return self._solve(weights, z, self._enough[key])

    def log_averages(
        self, start: Gaussian | str, periods: int, weights: Weighting, z: ArrayLike
    ) -> Complex:
        """log <exp(z A)> (k,) over `periods` from a start, for z (k,), real or complex.

        Parameters
        ----------
        start : Gaussian, or its name
        periods : whole ones
        weights : of heats and works in A
        z : (k,) values of the counting field
        """
        expect_periods(periods)
        state, together = self.start_distribution(start), self._together(weights)
        fields = np.asarray(z, np.complex128)
        with np.errstate(over="ignore", invalid="ignore"):
            total = repeated(self._period(together, fields), periods)
            if self._first:
                first = self.process.forms(together @ self.process.first_jump)
                total = total._replace(form=total.form + fields[:, None, None] * first)
            drawn = added(np.zeros_like(total.form))
            flow, noise = np.zeros_like(total.flow), np.zeros_like(total.noise)
            flow[:, :, 0] = np.append(1.0, state.mean)
            noise[:, 1:, 1:] = state.covariance
            return drawn._replace(flow=flow, noise=noise).then(total).log_average

    def theta(self, heat: ArrayLike = 0.0, work: ArrayLike = 0.0) -> Array:
        """Scaled cumulant generating function (...) of heat (..., baths) and work (..., drives).

        inf where it does not exist: heat and work have tails that fall exponentially.
        """
        self.ensemble.expect_periodic()
        heats, works, shape = many(heat, work, self.baths, self.drives)
        values = [self._theta(weights) for weights in np.concatenate([heats, works], axis=1)]
        return np.reshape(values, shape)

    def _theta(self, weights: Array) -> float:
        period, periods = self._period(weights, np.ones(1, np.complex128)), 1
        with np.errstate(all="ignore"):
            for _ in range(DOUBLINGS):
                twice = period.then(period)
                growth = ((twice.log_average - period.log_average) / periods).real[0]
                if not (twice.exists.all() and np.isfinite(growth)):
                    break
                if abs(period.flow[:, 1:, 1:]).max() <= FORGOTTEN:
                    return float(growth / self.period)
                period, periods = twice, 2 * periods
        return np.inf

    # -- cumulants, by power series ------------------------------------------------------------

    def _powers(self, weights: Array, order: int) -> Powers:
        """<exp(z A)> over a period as power series, for weights (f, q)."""
        process, powers = self.process, order + 1
        panels = propagators(process, self.ensemble.finer, weights, powers)
        whole = joined(powers_of(process, panels, weights))
        if 1.0 in process.jumps:
            last = process.forms(weights @ process.jumps[1.0])
            whole = whole.then(added_powers(last, powers))
        return whole

    def _growth(self, weights: Array, order: int) -> Array:
        """Cumulants (f, order) per unit time at long times, for weights (f, q)."""
        self.ensemble.expect_periodic()
        period, periods = self._powers(weights, order), 1
        while True:
            twice = period.then(period)
            growth = (twice.log_average - period.log_average) / (periods * self.period)
            if abs(period.flow[..., 1:, 1:]).max() <= FORGOTTEN:
                return np.array([series.cumulants(each) for each in growth])
            period, periods = twice, 2 * periods

    def _gained(self, start: Gaussian | str, periods: int, weights: Array, order: int) -> Array:
        """Cumulants (f, order) over `periods` from a start, for weights (f, q)."""
        expect_periods(periods)
        state, size = self.start_distribution(start), self.process.size
        with np.errstate(over="ignore", invalid="ignore"):
            total = repeated(self._powers(weights, order), periods)
            if self._first:
                total.form[:, 1] += self.process.forms(weights @ self.process.first_jump)
            drawn = added_powers(np.zeros((len(weights), size, size)), order + 1)
            drawn.flow[:, 0] = 0.0
            drawn.flow[:, 0, :, 0] = np.append(1.0, state.mean)
            drawn.noise[:, 0, 1:, 1:] = state.covariance
            found = drawn.then(total).log_average
        if not np.isfinite(found).all():
            raise NoExactSideError("some motion swings up beyond all numbers")
        return np.array([series.cumulants(each) for each in found])

    def cumulant_rates(self, weights: Weighting, order: int = 4) -> Array:
        """Growth (order,) of the cumulants 1 ... order of A per unit time, at long times."""
        return np.asarray(self._growth(self._together(weights)[None], order)[0])

    def finite_cumulants(
        self, start: Gaussian | str, periods: int, weights: Weighting, order: int = 4
    ) -> Array:
        """Cumulants (order,) of A over `periods` from a start.

        Parameters
        ----------
        start, periods, weights : as for `log_averages`
        order : of the highest cumulant
        """
        return np.asarray(self._gained(start, periods, self._together(weights)[None], order)[0])

    def _variance_rates(self, vectors: Array) -> Array:
        return np.asarray(self._growth(vectors, 2)[:, 1])

    def _variances(self, start: Gaussian | str, periods: int, vectors: Array) -> Array:
        return np.asarray(self._gained(start, periods, vectors, 2)[:, 1])

    def _is_gaussian(self, weights: Weighting) -> bool:
        heat, work = self._weights(weights)
        return not heat.any() and self.process.is_linear(work)


def _change(coarse: Tilted, fine: Tilted) -> float:
    """Largest relative difference of two averages over a period."""
    if not (coarse.exists.all() and fine.exists.all()):
        return 0.0 if (coarse.exists == fine.exists).all() else np.inf
    changes = [abs(coarse.constant - fine.constant).max() / max(1.0, abs(fine.constant).max())]
    for one, other in zip(coarse[:3], fine[:3], strict=True):
        changes.append(abs(one - other).max() / max(abs(other).max(), 1e-300))
    return float(max(changes))
