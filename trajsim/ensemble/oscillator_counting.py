"""Full counting statistics of linear oscillators: work is Gaussian, heat is quadratic.

With z = (x, v), dz/dt = A z + b(t) + noise of strength D, and A = sum_b heat_b Q_b + sum_i work_i
W_i, the average <exp(A)> from z at time s is exp(z' X z / 2 + y . z + c). Backwards in time
-dX/dt = L' X + X L + X D X + V, -dy/dt = (L + D X)' y + X b - work f'(t),
-dc/dt = b . y + y' D y / 2 + tr(D X) / 2 + sum_i heat_i gamma_i T_i / m_i,
where heat tilts the flow, L = A + 2 heat gamma T / m on the velocities, and V = 2 gamma heat
(heat T - 1) there (a Riccati equation; Kundu, Sabhapandit & Dhar, J. Stat. Mech. P03007, 2011).
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from trajsim.ensemble import series
from trajsim.ensemble.answers import Array
from trajsim.ensemble.gaussian import Gaussian, LinearEnsemble, lyapunov
from trajsim.ensemble.gaussian_counting import GaussianCounting
from trajsim.ensemble.gaussian_maps import Complex
from trajsim.ensemble.oscillator_finite import log_averages, thetas
from trajsim.ensemble.weights import Weighting, Weights, expect_periods, many
from trajsim.models.oscillators import OscillatorNetwork

# Points of Cauchy's integral, and the radius of its circle in units of the analytic disc's.
AROUND, CIRCLE = 32, 0.2


class LinearCounting(GaussianCounting):
    """Exact fluctuations of heat and work of linear oscillators driven by cosines alone.

    `weights` and results as in `trajsim.ensemble.jumps.counting.JumpCounting`.

    Parameters
    ----------
    network : OscillatorNetwork; its quartic part is left out

    Raises
    ------
    NoExactSideError
        If some motion is not damped.
    """

    ensemble: LinearEnsemble

    @property
    def later(self) -> "LinearCounting":
        """The same for times that begin after whole periods."""
        return self

    def __init__(self, network: OscillatorNetwork) -> None:
        super().__init__(LinearEnsemble(network))

    # -- weights -------------------------------------------------------------------------------

    def _by_site(self, weights: Weighting) -> tuple[Array, Array]:
        """Heat and work weights (n,) of the sites, 0 where there is no bath or drive."""
        heat, work = self._weights(weights)
        network = self.network
        coupled, driven = network.bath >= 0, network.driven >= 0
        heats, works = np.zeros(self.n), np.zeros(self.n)
        heats[coupled] = heat[network.bath[coupled]]
        works[driven] = work[network.driven[driven]]
        return heats, works

    def _velocities(self, diagonal: Array) -> Array:
        """Matrix (2n, 2n) with a diagonal (n,) on the velocities."""
        return np.diag(np.append(np.zeros(self.n), diagonal))

    # -- cumulants -----------------------------------------------------------------------------

    def cumulant_rates(self, weights: Weighting, order: int = 4) -> Array:
        """Growth (order,) of the cumulants 1 ... order of A per unit time, at long times.

        The power series of X and y in the counting field solve Lyapunov equations and linear
        responses, one power after the other.
        """
        network, flow, noise = self.network, self.ensemble.flow, self.ensemble.noise
        heat, work = self._by_site(weights)
        noise_power = network.friction * network.temperature / network.mass
        tilt = self._velocities(2 * heat * noise_power)
        # V = z V_1 + z^2 V_2
        potential = [
            np.zeros_like(flow),
            self._velocities(-2 * network.friction * heat),
            self._velocities(2 * network.friction * network.temperature * heat**2),
        ]
        powers = order + 1
        x = [np.zeros_like(flow)]
        for k in range(1, powers):
            terms = tilt.T @ x[k - 1] + x[k - 1] @ tilt
            terms = terms + sum((x[j] @ noise @ x[k - j] for j in range(1, k)), np.zeros_like(flow))
            terms = terms + (potential[k] if k < 3 else 0.0)
            x.append(lyapunov(flow.T, terms))
        theta = np.array([0.5 * np.trace(noise @ each) for each in x])
        theta[1] += (heat * noise_power).sum()
        for frequency, force, _ in self.ensemble.responses:
            theta += self._driven(x, tilt, frequency, force, work)
        return series.cumulants(theta)

    def _driven(
        self, x: list[Array], tilt: Array, frequency: float, force: Any, work: Array
    ) -> Array:
        """Contribution of one harmonic of the forces to the series of theta."""
        noise, n = self.ensemble.noise, self.n
        forcing = np.append(np.zeros(n), force / self.network.mass)
        work_source = np.append(-work * 1j * frequency * force, np.zeros(n))
        # -dy/dt = M' y + ..., for y = Re(y exp(i w t)): (i w + flow') y = -(...)
        system = 1j * frequency * np.eye(2 * n) + self.ensemble.flow.T
        y = [np.zeros(2 * n, np.complex128)]
        for k in range(1, len(x)):
            source = tilt.T @ y[k - 1] + x[k] @ forcing + (work_source if k == 1 else 0.0)
            source = source + sum(x[j] @ noise @ y[k - j] for j in range(1, k))
            y.append(np.asarray(np.linalg.solve(system, -source), np.complex128))
        # Average of a product of two waves over the period; 1 for constants.
        weight = 0.5 if frequency > 0 else 1.0
        return np.array(
            [
                weight * (forcing.conj() @ y[k]).real
                + 0.5 * weight * sum((y[j].conj() @ noise @ y[k - j]).real for j in range(k + 1))
                for k in range(len(x))
            ]
        )

    def _variance_rates(self, vectors: Array) -> Array:
        return np.array([self.cumulant_rates(self._split(v), 2)[1] for v in vectors])

    def _split(self, vector: Array) -> Weights:
        return Weights(vector[: self.baths], vector[self.baths :])

    # -- theta ---------------------------------------------------------------------------------

    def theta(self, heat: ArrayLike = 0.0, work: ArrayLike = 0.0) -> Array:
        """Scaled cumulant generating function (...) of heat (..., baths) and work (..., drives).

        inf where it does not exist: heat of oscillators has tails that fall exponentially.
        """
        heats, works, shape = many(heat, work, self.baths, self.drives)
        values = [
            thetas(self.ensemble, *self._by_site(Weights(*pair)), np.ones(1, np.complex128))[0].real
            for pair in zip(heats, works, strict=True)
        ]
        return np.reshape(values, shape)

    # -- finite times --------------------------------------------------------------------------

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
        sites, fields = self._by_site(weights), np.asarray(z, np.complex128)
        return log_averages(self.ensemble, self.start_distribution(start), periods, *sites, fields)

    def finite_cumulants(
        self, start: Gaussian | str, periods: int, weights: Weighting, order: int = 4
    ) -> Array:
        """Cumulants (order,) of A over `periods` from a start, by Cauchy's integral.

        Parameters
        ----------
        start, periods, weights : as for `log_averages`
        order : of the highest cumulant
        """
        variance = self.cumulant_rates(weights, 2)[1] * self.period * periods
        # Well inside the disc in which log <exp(z A)> is analytic: tails of heat fall as
        # exp(-Q/T).
        heat, _ = self._by_site(weights)
        beta = abs(heat * np.maximum(self.network.temperature, 1e-300)).max()
        radius = CIRCLE / max(beta, np.sqrt(max(variance, 0.0)), 1e-60)
        circle = np.exp(2j * np.pi * np.arange(AROUND) / AROUND)
        values = self.log_averages(start, periods, weights, radius * circle)
        powers = np.fft.fft(values)[: order + 1].real / AROUND / radius ** np.arange(order + 1)
        return series.cumulants(powers)

    def _variances(self, start: Gaussian | str, periods: int, vectors: Array) -> Array:
        found = [self.finite_cumulants(start, periods, self._split(v), 2) for v in vectors]
        return np.array(found)[:, 1]

    def _is_gaussian(self, weights: Weighting) -> bool:
        return not self._by_site(weights)[0].any()
