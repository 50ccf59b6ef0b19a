"""The exact ensemble of linear oscillators: a Gaussian whose mean and covariance are known.

With z = (x, v): dz/dt = A z + b(t) + noise of strength D. The mean answers every harmonic of the
drive by linear response, the periodic covariance solves the Lyapunov equation A C + C A' + D = 0.
"""

from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.ensemble.answers import Currents, Energetics, NoExactSideError, TimeSeries, Window
from trajsim.models.oscillators import (
    OscillatorNetwork,
    flow_of,
    proposal_of,
    pull_of,
    stiffness_of,
)
from trajsim.models.waveform import at_edges
from trajsim.plan import Plan

Array = NDArray[np.float64]
Complex = NDArray[np.complexfloating]

# Gauss-Legendre nodes in each piece of a transient, the longest piece in units of 1 / |A| and of
# the drive's fastest half turn, and how many times its slowest decay a transient lasts.
NODES, PIECE, DECAYS = 12, 1.0, 45.0
# A motion that decays by less than this part of the fastest rate is taken for one that never does.
UNDAMPED = 1e-10
# Sites of which covariances are solved: a run and check of 512 take 0.7 GB and some 10 s.
MOST_SITES = 512
# Size of triangular equations that are solved at once.
BLOCK = 64
# Above all mantissas of doubles, which therefore have inverses modulo it.
PRIME = (1 << 61) - 1
# Relative rounding error of a few operations, and a safety factor on estimated errors.
ROUNDING, SAFETY = 1e-14, 4.0


class Gaussian(NamedTuple):
    """Mean (2n,) and covariance (2n, 2n) of (x, v); of overdamped motion (n,) and (n, n) of x."""

    mean: Array
    covariance: Array


class Schur(NamedTuple):
    """flow = unit balanced / unit, and balanced = turn triangle turn', all (2n, 2n).

    Bartels & Stewart's method loses entries that are small beside the largest: positions and
    velocities are first scaled by powers of two, `unit` (2n,), so that all are of similar size.
    The triangle has 2 x 2 blocks on its diagonal where eigenvalues are complex.
    """

    unit: Array
    balanced: Array
    turn: Array
    triangle: Array


def expect_few(network: OscillatorNetwork) -> None:
    """See that a network is not so large that its covariance takes minutes to solve.

    Raises
    ------
    NoExactSideError
        If it has more than MOST_SITES sites.
    """
    n = len(network.mass)
    if n > MOST_SITES:
        raise NoExactSideError(
            f"{n} oscillators: a covariance of {network.size} x {network.size} numbers takes "
            f"minutes to solve; allowed: up to {MOST_SITES} sites"
        )


def schur(flow: Array) -> Schur:
    """Schur form of a flow (2n, 2n); of the last few it is kept."""
    return _schur(np.ascontiguousarray(flow).tobytes(), len(flow))


@lru_cache(maxsize=4)
def _schur(numbers: bytes, size: int) -> Schur:
    from scipy import linalg

    flow = np.frombuffer(numbers).reshape(size, size)
    balanced, (unit, _) = linalg.matrix_balance(flow, permute=False, separate=True)
    triangle, turn = linalg.schur(balanced)
    return Schur(*(np.asarray(each, np.float64) for each in (unit, balanced, turn, triangle)))


def lyapunov(flow: Array, noise: Array) -> Array:
    """Solution C of flow C + C flow' + noise = 0, of matrices (2n, 2n), whatever the units."""
    unit, _, turn, triangle = schur(flow)
    scale = np.outer(unit, unit)
    turned = turn.T @ (-noise / scale) @ turn
    return np.asarray(scale * (turn @ _sylvester(triangle, triangle, turned) @ turn.T), np.float64)


def _sylvester(a: Array, b: Array, c: Array) -> Array:
    """Solution X of a X + X b' = c, with a (m, m) and b (n, n) from Schur forms, c (m, n).

    Halved until small, so that nearly all of the work is products of matrices.
    """
    from scipy.linalg.lapack import dtrsyl

    m, n = c.shape
    if max(m, n) <= BLOCK:
        x, scale, _ = dtrsyl(a, b, c, tranb="T")
        return np.asarray(x * scale)
    if m >= n:
        k = _between_blocks(a)
        low = _sylvester(a[k:, k:], b, c[k:])
        return np.concatenate([_sylvester(a[:k, :k], b, c[:k] - a[:k, k:] @ low), low])
    k = _between_blocks(b)
    right = _sylvester(a, b[k:, k:], c[:, k:])
    left = _sylvester(a, b[:k, :k], c[:, :k] - right @ b[:k, k:].T)
    return np.concatenate([left, right], axis=1)


def _between_blocks(triangle: Array) -> int:
    """Row near the middle at which no 2 x 2 block of a Schur form is cut."""
    k = len(triangle) // 2
    return k + 1 if triangle[k, k - 1] else k


def start_state(network: OscillatorNetwork, initial: str) -> Gaussian:
    """Distribution from which trajectories with this `initial` are drawn: of the linear part.

    At rest, or in the equilibrium of what is listed first. Of nonlinear oscillators it is the
    proposal of `trajsim.models.oscillators.proposal_of` where there is one.

    Raises
    ------
    NoExactSideError
        If it does not exist.
    ValueError
        If there is no start of this name.
    """
    n = len(network.mass)
    if initial == "rest":
        return Gaussian(np.zeros(network.size), np.zeros((network.size, network.size)))
    if initial != "equilibrium":
        raise ValueError(f"start: found {initial!r}; allowed: 'rest', 'equilibrium', 'periodic'")
    proposal = None if network.linear else proposal_of(network, expect_one_temperature(network))
    temperature = expect_equilibrium(network) if proposal is None else network.temperature.max()
    stiffness, force, _ = potentials(network)
    inverse = np.linalg.inv(stiffness[0] + (0.0 if proposal is None else np.diag(proposal.added)))
    covariance = np.zeros((network.size, network.size))
    covariance[:n, :n] = temperature * inverse
    if not network.overdamped:
        covariance[n:, n:] = np.diag(temperature / network.mass)
    return Gaussian(np.append(inverse @ force[0], np.zeros(network.size - n)), covariance)


def expect_equilibrium(network: OscillatorNetwork) -> float:
    """The temperature at time 0 of all baths.

    Raises
    ------
    NoExactSideError
        If they differ, or the stiffness leaves some motion free at time 0.
    """
    temperature = expect_one_temperature(network)
    expect_bound(potentials(network)[0][0])
    return temperature


def expect_one_temperature(network: OscillatorNetwork) -> float:
    """The temperature at time 0 of all baths.

    Raises
    ------
    NoExactSideError
        If they differ.
    """
    temperatures = network.temperature[network.bath >= 0]
    if len(temperatures) == 0 or np.ptp(temperatures) > 0:
        raise NoExactSideError("an equilibrium exists only where all baths are equally warm")
    return float(temperatures[0])


def potentials(network: OscillatorNetwork) -> tuple[Array, Array, Array]:
    """x . stiffness . x / 2 - force . x + constant at time 0 and at the end of a period.

    Returns
    -------
    stiffness, force, constant : (2, n, n), (2, n) and (2,)
    """
    traps, centers, couplings = (
        at_edges(waves, 1) for waves in (network.traps, network.centers, network.couplings)
    )
    return (
        stiffness_of(network.ends, traps, couplings),
        pull_of(network),
        0.5 * (traps * centers * centers).sum(axis=1),
    )


def expect_bound(stiffness: Array) -> None:
    """See that a stiffness (n, n) binds all motions.

    Raises
    ------
    NoExactSideError
        If it does not.
    """
    if np.linalg.eigvalsh(stiffness)[0] <= 0:
        raise NoExactSideError("no equilibrium: the stiffness leaves some motion free")


def all_damped(network: OscillatorNetwork) -> bool:
    """Whether friction, however weak, reaches every motion, and none is free of a restoring force.

    In integers modulo a prime, so without rounding: no motion escapes if the accelerations at the
    sites with friction, and those of the accelerations, ... depend on all positions. A number that
    happens to be a multiple of the prime can only make it answer no.
    """
    n = len(network.mass)

    def residue(number: float) -> int:
        numerator, denominator = float(number).as_integer_ratio()
        return numerator * pow(denominator, -1, PRIME) % PRIME

    force = [
        [residue(k) * pow(residue(m), -1, PRIME) % PRIME for k in row]
        for row, m in zip(network.stiffness, network.mass, strict=True)
    ]
    rows = [force[i] for i in np.flatnonzero(network.friction)]
    independent: list[tuple[int, list[int]]] = []
    while rows and len(independent) < n:
        row = rows.pop()
        for column, other in independent:
            row = [(a - row[column] * b) % PRIME for a, b in zip(row, other, strict=True)]
        pivot = next((j for j, a in enumerate(row) if a), None)
        if pivot is not None:
            scale = pow(row[pivot], -1, PRIME)
            row = [a * scale % PRIME for a in row]
            independent.append((pivot, row))
            rows.append([sum(row[k] * force[k][j] for k in range(n)) % PRIME for j in range(n)])
    return len(independent) == n


class LinearEnsemble:
    """Exact ensemble of linear oscillators driven by cosines alone, forces of their sites.

    The quartic part of the network is left out.

    Raises
    ------
    NoExactSideError
        If some motion is not damped, or too weakly: then nothing becomes periodic.
    """

    def __init__(self, network: OscillatorNetwork) -> None:
        expect_few(network)
        self.network = network
        n = self.n = len(network.mass)
        self.flow = flow_of(network, network.stiffness)
        diffusion = 2 * network.friction * network.temperature / network.mass**2
        self.noise = np.diag(np.append(np.zeros(n), diffusion))
        # The 2 x 2 blocks of a Schur form have a + i sqrt(-b c) as eigenvalues, with a on the
        # diagonal and b and c beside it.
        triangle = schur(self.flow).triangle
        real, turning = np.diag(triangle), np.diag(triangle, -1) * np.diag(triangle, 1)
        self.slowest = -float(real.max())
        threshold = UNDAMPED * max(abs(real).max(), np.sqrt(abs(turning).max(initial=0.0)))
        if self.slowest <= threshold:
            weak = self.slowest > -threshold and all_damped(network)
            reason = "too weakly to be told from undamped in double precision" if weak else ""
            raise NoExactSideError(
                f"some motion is {f'damped {reason}' if weak else 'not damped'}: "
                f"there is no periodic state{' that can be computed' if weak else ''}"
            )

    # -- the periodic state ------------------------------------------------------------------

    @cached_property
    def covariance(self) -> Array:
        """Covariance (2n, 2n) of the periodic state, the same at all times."""
        return lyapunov(self.flow, self.noise)

    @cached_property
    def responses(self) -> list[tuple[float, Complex, Complex]]:
        """(angular frequency, force, response of z) of every harmonic, as complex amplitudes.

        The constant force is the offset with the pull of springs that are relaxed elsewhere.
        """
        network, n = self.network, self.n
        drive = network.drive
        harmonics: list[tuple[float, Complex, Complex]] = []
        constant = drive.offset + self._pull
        static = np.append(np.zeros(n), constant / network.mass)
        harmonics.append((0.0, constant + 0j, -np.linalg.solve(self.flow, static) + 0j))
        for order in np.unique(drive.order):
            terms = np.where(drive.order == order, drive.amplitude * np.exp(1j * drive.phase), 0)
            force = terms.sum(axis=1)
            frequency = 2 * np.pi * order / network.period
            forcing = np.append(np.zeros(n), force / network.mass)
            response = np.linalg.solve(1j * frequency * np.eye(2 * n) - self.flow, forcing)
            harmonics.append((float(frequency), force, response))
        return harmonics

    @property
    def _pull(self) -> Array:
        """Force (n,) at x = 0 of springs that are relaxed elsewhere."""
        return np.asarray(self.network.traps.offset * self.network.centers.offset)

    def mean(self, time: float) -> Array:
        """Mean (2n,) of the periodic state."""
        terms = [(np.exp(1j * w * time) * z).real for w, _, z in self.responses]
        return np.asarray(sum(terms), np.float64)

    @property
    def periodic_state(self) -> Gaussian:
        """Periodic state at time 0."""
        return Gaussian(self.mean(0.0), self.covariance)

    @cached_property
    def currents(self) -> Currents:
        """Period-averaged rates in the periodic state, from the linear response."""
        n = self.n
        square = np.diag(self.covariance)[n:].copy()
        work, exclusive = np.zeros(n), np.zeros(n)
        for frequency, force, response in self.responses[1:]:
            x, v = response[:n], response[n:]
            square += 0.5 * np.abs(v) ** 2
            # Period averages of -(df/dt) x and of f v.
            work -= 0.5 * (1j * frequency * force * x.conj()).real
            exclusive += 0.5 * (force * v.conj()).real
        return Currents(self._rates(square, work, exclusive), self._errors(square))

    def _errors(self, square: Array) -> Energetics:
        """Errors by rounding of the currents, of which <v^2> is (n,).

        Error of each solution: that of its linear equation with the residual as right side.
        """
        network, n = self.network, self.n
        drift = self.flow @ self.covariance
        covariance_error = lyapunov(self.flow, drift + drift.T + self.noise)
        velocity_error = ROUNDING * square + SAFETY * np.abs(np.diag(covariance_error)[n:])
        work, exclusive = np.zeros(n), np.zeros(n)
        for frequency, force, response in self.responses[1:]:
            system = 1j * frequency * np.eye(2 * n) - self.flow
            forcing = np.append(np.zeros(n), force / network.mass)
            response_error = SAFETY * np.abs(np.linalg.solve(system, forcing - system @ response))
            response_error += ROUNDING * np.abs(response)
            velocity_error += np.abs(response[n:]) * response_error[n:]
            work += 0.5 * np.abs(frequency * force) * response_error[:n]
            exclusive += 0.5 * np.abs(force) * response_error[n:]
        # Heat is the difference of the powers of noise and friction.
        gross = network.friction * (ROUNDING * network.temperature / network.mass + velocity_error)
        heat = [gross[network.bath == b].sum() for b in range(network.bath.max() + 1)]
        driven = network.driven >= 0
        return Energetics(np.array(heat), work[driven], exclusive[driven], np.zeros(0))

    def _rates(self, square: Array, work: Array, exclusive: Array) -> Energetics:
        """Rates from <v^2> (..., n) and works of each site (..., n)."""
        network = self.network
        heat = network.friction * (network.temperature / network.mass - square)
        driven = network.driven >= 0
        baths = [heat[..., network.bath == b].sum(axis=-1) for b in range(network.bath.max() + 1)]
        no_flips = np.zeros((*heat.shape[:-1], 0))
        return Energetics(
            np.stack(baths, axis=-1), work[..., driven], exclusive[..., driven], no_flips
        )

    @property
    def work_variance_rate(self) -> tuple[Array, float]:
        """Growth per unit time of the variance of each drive's work (drives,) and of their sum.

        Work is Gaussian: twice the zero-frequency noise of (df/dt) x, driven by the baths at the
        frequencies of the drive.
        """
        network, n = self.network, self.n
        variances, total = np.zeros(n), 0.0
        strength = 2 * network.friction * network.temperature
        for frequency, force, _ in self.responses[1:]:
            system = 1j * frequency * np.eye(2 * n) - self.flow
            response = np.linalg.inv(system)[:n, n:] / network.mass
            spectrum = (response * strength) @ response.conj().T
            weight = 0.5 * frequency**2
            variances += weight * (np.abs(force) ** 2 * np.diag(spectrum).real)
            total += weight * float((force.conj() @ spectrum @ force).real)
        return variances[network.driven >= 0], total

    # -- in time -----------------------------------------------------------------------------

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
        network, n = self.network, self.n
        width = network.period / segments
        step, skipped = self._propagator(width), self._propagator(network.period * skip)
        shift = skipped @ (start.mean - self.mean(0.0))
        excess = skipped @ (start.covariance - self.covariance) @ skipped.T
        transient = bool(shift.any() or excess.any())
        times, weights, maps = self._nodes(width) if transient else (np.zeros(0),) * 3
        squares, works, exclusives, states = [], [], [], []
        velocity_variance = np.diag(self.covariance)[n:]
        for k in range(segments * periods):
            time = (k % segments) * width
            states.append(Gaussian(self.mean(time) + shift, self.covariance + excess))
            square, work, exclusive = self._periodic_averages(time, width)
            if transient:
                extra = np.einsum("tij,jk,tik->ti", maps, excess, maps)[:, n:]
                deviation = maps @ shift
                x, v = deviation[:, :n], deviation[:, n:]
                periodic_velocity = np.array([self.mean(time + t)[n:] for t in times])
                force, slope = self.forces(time + times)
                square = square + weights @ ((2 * periodic_velocity + v) * v + extra)
                work = work - weights @ (slope * x)
                exclusive = exclusive + weights @ (force * v)
            squares.append(square + velocity_variance)
            works.append(work)
            exclusives.append(exclusive)
            shift, excess = step @ shift, step @ excess @ step.T
        states.append(Gaussian(self.mean(0.0) + shift, self.covariance + excess))
        rates = self._rates(np.array(squares), np.array(works), np.array(exclusives))
        return TimeSeries(states, Energetics(*(rate * width for rate in rates)))

    def _periodic_averages(self, time: float, width: float) -> tuple[Array, Array, Array]:
        """Averages (n,) of v^2, -x df/dt and f v over a time, in the mean of the periodic state."""
        n = self.n
        omega = np.array([frequency for frequency, _, _ in self.responses])
        force = np.array([f for _, f, _ in self.responses])
        force[0] -= self._pull
        response = np.array([z for _, _, z in self.responses])

        def average(frequency: Array) -> Complex:
            phase = np.exp(1j * frequency * (time + 0.5 * width))
            return np.asarray(phase * np.sinc(frequency * width / (2 * np.pi)))

        sums, differences = average(omega[:, None] + omega), average(omega[:, None] - omega)

        def product(a: Complex, b: Complex) -> Array:
            """Average of Re(a exp(i w t)) Re(b exp(i w t)), both summed over all harmonics."""
            total = np.einsum("jk,ji,ki->i", sums, a, b)
            return np.asarray(
                0.5 * (total + np.einsum("jk,ji,ki->i", differences, a, b.conj())).real
            )

        x, v = response[:, :n], response[:, n:]
        slope = 1j * omega[:, None] * force
        return product(v, v), -product(slope, x), product(force, v)

    def _nodes(self, width: float) -> tuple[Array, Array, Array]:
        """Quadrature of a transient: times (t,), weights (t,), propagators to them (t, 2n, 2n).

        The weights are those of an average over a segment of this width.
        """
        duration = min(width, DECAYS / self.slowest)
        fastest = max(frequency for frequency, _, _ in self.responses)
        norm = float(np.linalg.norm(schur(self.flow).balanced, 2))
        pieces = max(1, int(np.ceil(duration * max(norm, fastest / np.pi) / PIECE)))
        nodes, gauss_weights = np.polynomial.legendre.leggauss(NODES)
        offsets = (nodes + 1) / 2 * (duration / pieces)
        within = np.array([self._propagator(t) for t in offsets])
        step, start, maps = self._propagator(duration / pieces), np.eye(2 * self.n), []
        for _ in range(pieces):
            maps.append(within @ start)
            start = step @ start
        times = (np.arange(pieces)[:, None] * (duration / pieces) + offsets).ravel()
        weights = np.tile(gauss_weights / 2 / pieces, pieces) * (duration / width)
        return times, weights, np.concatenate(maps)

    def _propagator(self, time: float) -> Array:
        """exp(flow time) (2n, 2n); 0 where it has decayed below all rounding."""
        from scipy.linalg import expm

        if time * self.slowest > 20 * DECAYS:
            return np.zeros_like(self.flow)
        unit, balanced, *_ = schur(self.flow)
        return np.asarray(unit[:, None] * expm(balanced * time) / unit, np.float64)

    def forces(self, time: Array) -> tuple[Array, Array]:
        """Forces of the drives and their time derivatives (times, n)."""
        waves = [(w, np.exp(1j * w * time)[:, None] * f) for w, f, _ in self.responses]
        force = sum(wave.real for _, wave in waves)
        slope = sum((1j * w * wave).real for w, wave in waves)
        return np.asarray(force - self._pull), np.asarray(slope)

    def window(self, start: Gaussian, plan: Plan) -> Window:
        """Averages over the recorded periods of trajectories that begin with `start`."""
        # Periods that begin later than this are periodic to rounding.
        transient = int(np.ceil(DECAYS / (self.slowest * self.network.period)))
        explicit = min(plan.periods, max(1, 1 + transient - plan.burn_in))
        segments, period = plan.rows_per_period, self.network.period
        states, energetics = self.time_series(start, segments, explicit, plan.burn_in)
        remaining = plan.periods - explicit
        rates = [
            (gain.sum(axis=0) + remaining * gain[-segments:].sum(axis=0)) / (plan.periods * period)
            for gain in energetics
        ]
        return Window(Energetics(*rates), self._edges(states, plan, explicit))

    def _edges(self, states: list[Gaussian], plan: Plan, explicit: int) -> dict[str, Array]:
        """Means of x, v and of their squares where rows begin, (phases, n) each."""
        n, segments = self.n, plan.rows_per_period
        first = np.array([state.mean for state in states])
        second = np.array([np.diag(state.covariance) for state in states]) + first**2
        means = {}
        for name, values in {
            "position": first[:, :n],
            "velocity": first[:, n:],
            "position_squared": second[:, :n],
            "velocity_squared": second[:, n:],
        }.items():
            by_period = values[:-1].reshape(explicit, segments, n)
            row_starts = by_period[:: plan.segments_per_row]
            rows = plan.periods // plan.segments_per_row
            remaining = rows - len(row_starts)
            final = values[-1 - segments : -1]
            means[name] = (row_starts.sum(axis=0) + remaining * final) / rows
        return means
