"""Linear oscillators of which anything is driven, as the exact side sees them.

With z = (x, v) and zeta = (1, z), d zeta/dt = F(t) zeta + noise of strength D(t). Energies, powers
and heats are sums over few products of coordinates, the features

    1, x_i, x_i^2, v_i^2, (x_i - x_j)^2 of each bond.

Overdamped motion has z = x, and in place of v_i^2 the products x_i x_j of two forces on one site.
"""

import math
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.ensemble.answers import Array
from trajsim.models.oscillators import OscillatorNetwork, flow_of, stiffness_of
from trajsim.models.waveform import at_edges, phases_of_breaks, values, values_and_slopes

Integers = NDArray[np.integer]
# Largest change of the phase of any motion or wave in a step, before steps are made shorter.
FASTEST = 1.25
# Phases at which the fastest motion is looked for, in every part between breaks.
LOOKED_AT = 4
# Difference of phases that is taken for rounding.
SAME = 1e-12


class Parameters(NamedTuple):
    """Forces, stiffnesses and centres (..., n), stiffnesses of bonds (..., bonds)."""

    force: Array
    trap: Array
    center: Array
    bond: Array


class OscillatorProcess:
    """Generators, heats, powers and jumps of a network of n sites; s = 2 n + 1, or n + 1.

    Energetics (q,) are the heats of all baths and then the inclusive works of all drives.

    Parameters
    ----------
    network : OscillatorNetwork; its quartic part is left out
    """

    def __init__(self, network: OscillatorNetwork) -> None:
        self.network = network
        self.period = network.period
        n = self.n = len(network.mass)
        self.size, self.overdamped = network.size + 1, network.overdamped
        # Coordinates that feel noise, and whether that of heats is not all in the kinetic energy.
        self.noisy = np.arange(self.size - n, self.size)
        self.noisy_heat = self.overdamped or len(network.site) > n
        self.baths, self.drives = int(network.bath.max()) + 1, network.drives
        self.waves = (network.drive, network.traps, network.centers, network.couplings)
        self.breaks = phases_of_breaks(*self.waves, network.temperatures)
        unit = np.eye(self.size)
        one, x, v = unit[:1], unit[1 : n + 1], unit[n + 1 :]
        bonds = x[network.ends[:, 0]] - x[network.ends[:, 1]]
        row = np.repeat(np.arange(n), np.diff(network.springs.first))
        near = np.zeros((n, n))
        near[row, network.springs.column] = 1.0
        self._pairs = np.array(np.nonzero(np.triu(near.T @ near, 1) * self.overdamped))
        a, b = self._pairs
        # Features are products of two linear forms of zeta.
        self.left = np.concatenate([one, np.repeat(one, n, axis=0), x, v, bonds, x[a]])
        self.right = np.concatenate([one, x, x, v, bonds, x[b]])
        self.features = len(self.left)
        self._x, self._xx, self._vv = 1, 1 + n, 1 + 2 * n
        self._bond = self._vv + len(v)
        self._xy = self._bond + len(bonds)

    @cached_property
    def patterns(self) -> Array:
        """Symmetric matrices (features, s, s), of which zeta' . zeta / 2 is each feature."""
        product = self.left[:, :, None] * self.right[:, None, :]
        return np.asarray(product + product.swapaxes(1, 2))

    def forms(self, coefficients: Any) -> Any:
        """Symmetric matrices (..., s, s) of energies from their coefficients (..., features)."""
        return np.tensordot(coefficients, self.patterns, axes=1)

    def of(self, moments: Array) -> Array:
        """Features (features,) of M (s, s)."""
        return np.asarray(np.einsum("ki,ij,kj->k", self.left, moments, self.right))

    # -- what is driven ------------------------------------------------------------------------

    def parameters(self, u: Array, before: bool = False) -> Parameters:
        """Parameters at the phases u (t,); `before`: the jumps just there."""
        return Parameters(*(values(waves, u, before) for waves in self.waves))

    def at_edges(self, segments: int) -> Parameters:
        """Parameters at the edges (segments + 1,) of a period, as ledgers of a first one know."""
        return Parameters(*(at_edges(waves, segments) for waves in self.waves))

    def terms(self, at: Parameters) -> Array:
        """Coefficients (..., drives, features) of the driven terms of the energy."""
        network = self.network
        out = np.zeros((*at.force.shape[:-1], self.drives, self.features))
        for i in range(self.n):
            if network.driven[i] >= 0:
                out[..., network.driven[i], self._x + i] = -at.force[..., i]
            spring = at.trap[..., i], at.center[..., i]
            for number in (network.driven_trap[i], network.driven_center[i]):
                if number >= 0:
                    self._put(out, number, i, *_square(*spring))
        self._put_bonds(out, at.bond)
        return out

    def _put(self, out: Array, drive: np.integer, site: int, *powers: Array) -> None:
        """Coefficients of 1, x and x^2 of a site."""
        for feature, power in zip((0, self._x + site, self._xx + site), powers, strict=True):
            out[..., drive, feature] = power

    def _put_bonds(self, out: Array, stiffness: Array) -> None:
        for b in np.flatnonzero(self.network.driven_bond >= 0):
            out[..., self.network.driven_bond[b], self._bond + b] = 0.5 * stiffness[..., b]

    def jump_work(self, old: Parameters, new: Parameters) -> Array:
        """Coefficients (..., drives, features) of the works of jumps.

        Where stiffness and centre of a site jump together, the work is divided as if both moved
        in proportion.
        """
        network = self.network
        out = self.terms(new) - self.terms(old)
        for i in range(self.n):
            trap, center = network.driven_trap[i], network.driven_center[i]
            if trap >= 0 and center >= 0:
                a, b = old.center[..., i], new.center[..., i]
                rise = 0.5 * (new.trap[..., i] - old.trap[..., i])
                shares = rise * (a * a + a * b + b * b) / 3.0, -rise * (a + b), rise
                of_center = [out[..., center, f] for f in (0, self._x + i, self._xx + i)]
                rest = [whole - share for whole, share in zip(of_center, shares, strict=True)]
                self._put(out, trap, i, *shares)
                self._put(out, center, i, *rest)
        return out

    def coefficients(self, u: Array) -> Array:
        """Coefficients (t, q, features) of heat currents and powers at phases u, before jumps."""
        network = self.network
        heat = self._heats(u)
        both = [values_and_slopes(waves, u, before=True) for waves in self.waves]
        at = Parameters(*(value for value, _ in both))
        speed = Parameters(*(slope / self.period for _, slope in both))
        work = np.zeros((len(u), self.drives, self.features))
        for i in range(self.n):
            k, c = at.trap[:, i], at.center[:, i]
            if network.driven[i] >= 0:
                work[:, network.driven[i], self._x + i] = -speed.force[:, i]
            if network.driven_trap[i] >= 0:
                self._put(work, network.driven_trap[i], i, *_square(speed.trap[:, i], c))
            if network.driven_center[i] >= 0:
                pull = k * speed.center[:, i]
                self._put(work, network.driven_center[i], i, pull * c, -pull, 0.0 * pull)
        self._put_bonds(work, speed.bond)
        return np.concatenate([heat, work], axis=1)

    def _heats(self, u: Array) -> Array:
        """Coefficients (t, baths, features) of heat currents at phases u, before jumps."""
        network, n = self.network, self.n
        temperature = values(network.temperatures, u, before=True)
        heat = np.zeros((len(u), self.baths, self.features))
        flows = self.flows(u)[:, 1:] if self.overdamped else np.zeros(0)
        for c, (i, bath) in enumerate(zip(network.site, network.bath, strict=True)):
            if bath < 0:
                continue
            friction = network.friction[c]
            if not self.overdamped:
                heat[:, bath, 0] += friction / network.mass[i] * temperature[:, c]
                heat[:, bath, self._vv + i] -= friction
                continue
            # -F^2 / gamma - (T / gamma) dF/dx, of which a row of the flow is F / gamma.
            row, (a, b) = flows[:, i], self._pairs
            heat[:, bath, 0] -= friction * row[:, 0] ** 2 + temperature[:, c] * row[:, 1 + i]
            square = slice(self._xx, self._xx + n)
            heat[:, bath, self._x : self._x + n] -= 2.0 * friction * row[:, :1] * row[:, 1:]
            heat[:, bath, square] -= friction * row[:, 1:] ** 2
            heat[:, bath, self._xy :] -= 2.0 * friction * row[:, 1 + a] * row[:, 1 + b]
        return heat

    # -- jumps ---------------------------------------------------------------------------------

    @cached_property
    def jumps(self) -> dict[float, Array]:
        """Coefficients (q, features) of works where something jumps, by phase, in every period."""
        u = np.array(self.breaks)
        old, new = self.parameters(u, before=True), self.parameters(u)
        for before, after, edges in zip(old, new, self.at_edges(1), strict=True):
            before[0] = after[-1] = edges[1]
            # Two pieces that meet may differ by rounding.
            np.copyto(after, before, where=np.isclose(after, before, rtol=1e-14, atol=0.0))
        works = self._of_all(self.jump_work(old, new))
        return {phase: work for phase, work in zip(self.breaks, works, strict=True) if work.any()}

    @cached_property
    def first_jump(self) -> Array:
        """Coefficients (q, features) to add in the first period.

        It begins with the first listed values, not with those at the end of a period.
        """
        ends = self.at_edges(1)
        first = Parameters(*(value[0] for value in self.parameters(np.zeros(1))))
        opening, closing = (Parameters(*(edges[k] for edges in ends)) for k in (0, 1))
        return self._of_all(self.jump_work(opening, first) - self.jump_work(closing, first))

    def is_linear(self, weights: Array) -> bool:
        """Whether works with weights (drives,) are linear in positions at all times."""
        quadratic = slice(self._xx, None)
        power = self.coefficients(self._looked_at)[:, self.baths :]
        jumps = [work[self.baths :] for work in (*self.jumps.values(), self.first_jump)]
        parts = np.concatenate([power, np.reshape(jumps, (-1, *power.shape[1:]))])
        return not (weights @ parts[..., quadratic]).any()

    def _of_all(self, works: Array) -> Array:
        """Coefficients (..., q, features) from those of works alone."""
        no_heat = np.zeros((*works.shape[:-2], self.baths, self.features))
        return np.concatenate([no_heat, works], axis=-2)

    # -- motion --------------------------------------------------------------------------------

    def flows(self, u: Array) -> Array:
        """F (t, s, s) at phases u (t,), before jumps."""
        network = self.network
        at = self.parameters(u, before=True)
        flow = np.zeros((len(u), self.size, self.size))
        inertia = network.at_sites(network.friction) if self.overdamped else network.mass
        flow[:, self.noisy, 0] = (at.force + at.trap * at.center) / inertia
        flow[:, 1:, 1:] = flow_of(network, stiffness_of(network.ends, at.trap, at.bond))
        return flow

    def noises(self, u: Array) -> Array:
        """Strengths D (t, n) of the noise of `noisy` at phases u (t,), before jumps."""
        return self.network.at_sites(self._noises(u))

    def _noises(self, u: Array) -> Array:
        """Strengths (t, c) of the noise of each contact."""
        network = self.network
        temperature = values(network.temperatures, u, before=True)
        if self.overdamped:
            return np.asarray(2.0 / network.friction * temperature)
        return np.asarray(2.0 * network.friction / network.mass[network.site] ** 2 * temperature)

    # -- what exp(A) counts --------------------------------------------------------------------

    def kinetic(self, weights: Array) -> Array:
        """Symmetric matrices (f, s, s) of the kinetic energies with the weights (f, q) of heats."""
        out = np.zeros((len(weights), self.size, self.size))
        if not self.noisy_heat:
            out[:, self.noisy, self.noisy] = self._by_contact(weights) * self.network.mass
        return out

    def tilt(self, u: Array, weights: Array) -> Array:
        """Symmetric matrices (t, f, k, s, s) of works, less those of all forces on warmed sites.

        Parameters
        ----------
        u : (t, k) phases, before jumps
        weights : (f, q) of the energetics
        """
        n, v = self.n, self.noisy
        works = self.coefficients(u.ravel())[:, self.baths :]
        works = works.reshape(*u.shape, self.drives, self.features)
        weighted = np.tensordot(works, weights[:, self.baths :], axes=([2], [1]))
        tilt = self.forms(np.moveaxis(weighted, -1, 1))
        # Rows of the flow, without the friction.
        flow = self.flows(u.ravel()).reshape(*u.shape, self.size, self.size)
        force = flow[:, None, :, n + 1 :, : n + 1] * self.network.mass[:, None]
        power = self._by_contact(weights)[:, None, :, None] * force
        tilt[..., v, : n + 1] -= power
        tilt[..., : n + 1, v] -= power.swapaxes(-1, -2)
        return np.asarray(tilt)

    def noise_tilt(self, u: Array, weights: Array) -> tuple[Array, Array, Array]:
        """What exp(z A) does to the motion if the noise of heats counts: z * first, z V + z^2 W.

        Parameters
        ----------
        u : (t, k) phases, before jumps
        weights : (f, q) of the energetics

        Returns
        -------
        first, V, W : (t, f, k, s, s) changes of the flow, and symmetric matrices
        """
        network, shape = self.network, (*u.shape, self.size, self.size)
        rates = np.tensordot(self.coefficients(u.ravel()), weights, axes=([1], [1]))
        mean = self.forms(np.moveaxis(rates.reshape(*u.shape, self.features, -1), -1, 1))
        # The noise of each contact in the heat of its bath, in units of that of its site.
        if self.overdamped:
            force = self.flows(u.ravel()).reshape(shape)[..., self.noisy, :]
            coupling = -network.friction[:, None] * force[..., network.site, :]
        else:
            coupling = (network.mass[:, None] * np.eye(self.size)[self.noisy])[network.site]
            coupling = np.broadcast_to(coupling, (*u.shape, *coupling.shape))
        strength = self._noises(u.ravel()).reshape(*u.shape, -1)
        heats = self._by_contact(weights)[:, None]
        weighted = (heats * strength[:, None])[..., None] * coupling[:, None]
        flow = np.zeros(mean.shape)
        for c, site in enumerate(network.site):
            flow[..., self.noisy[site], :] += weighted[..., c, :]
        square = (heats[..., None] * weighted).swapaxes(-1, -2) @ coupling[:, None]
        return flow, mean, square

    def _by_contact(self, weights: Array) -> Array:
        """Weights (f, c) of the heats of the contacts."""
        bath = self.network.bath
        return np.where(bath >= 0, weights[:, np.maximum(bath, 0)], 0.0)

    # -- steps ---------------------------------------------------------------------------------

    @property
    def _looked_at(self) -> Array:
        """Phases (t,) in all parts of the period between breaks."""
        inside = np.linspace(0.0, 1.0, LOOKED_AT + 1)[1:]
        begins, widths = np.array(self.breaks[:-1]), np.diff(self.breaks)
        return np.asarray((begins[:, None] + widths[:, None] * inside).ravel())

    @cached_property
    def fewest(self) -> int:
        """Steps a period in which nothing turns or decays by more than FASTEST."""
        flows = self.flows(self._looked_at)
        rate = float(abs(np.linalg.eigvals(flows)).max()) * self.period
        waves = (*self.waves, self.network.temperatures)
        orders = [float(w.order.max(where=w.amplitude != 0.0, initial=0)) for w in waves]
        return max(1, math.ceil(max(rate, 2.0 * np.pi * max(orders)) / FASTEST))

    def steps(self, begin: float, end: float, finer: int) -> tuple[Array, Array, Integers]:
        """Steps between two phases: equal panels, cut at the breaks of the waveforms.

        Parameters
        ----------
        begin, end : phases
        finer : how many times as many panels as the fewest

        Returns
        -------
        begins, widths, panels : beginnings and widths (t,), and the number (t,) of its panel
        """
        count = finer * math.ceil((end - begin) * self.fewest)
        grid = begin + (end - begin) * np.arange(count) / count
        breaks = np.array([u for u in self.breaks if begin <= u < end])
        # A panel that begins next to a break begins with it.
        near = np.searchsorted(breaks, grid)
        apart = np.ones(count, np.bool_)
        for shift in (0, 1):
            other = np.append(breaks, 2.0)[np.maximum(near - shift, 0)]
            apart &= abs(other - grid) > SAME
        begins = np.union1d(grid[apart], breaks)
        panels = np.searchsorted(grid, begins + SAME) - 1
        return begins, np.diff(np.append(begins, end)), panels


def _square(stiffness: Array, center: Array) -> tuple[Array, Array, Array]:
    """Coefficients of 1, x and x^2 in stiffness (x - center)^2 / 2."""
    pull = stiffness * center
    return 0.5 * pull * center, -pull, 0.5 * stiffness
