"""The exact ensemble of linear oscillators: a Gaussian whose mean and covariance are known.

With z = (x, v): dz/dt = A z + b(t) + noise of strength D. The mean answers every harmonic of the
drive by linear response, the periodic covariance solves the Lyapunov equation A C + C A' + D = 0.
"""

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.ensemble.answers import Currents, Energetics, NoExactSideError, TimeSeries, Window
from trajsim.models.drive import value
from trajsim.models.oscillators import OscillatorNetwork
from trajsim.plan import Plan

Array = NDArray[np.float64]
Complex = NDArray[np.complexfloating]

# Gauss-Legendre nodes in each piece of a transient, the longest piece in units of 1 / |A| and of
# the drive's fastest half turn, and how many times its slowest decay a transient lasts.
NODES, PIECE, FADED = 12, 1.0, 45.0
# A motion that decays by less than this part of the fastest rate is taken for one that never does.
UNDAMPED = 1e-10
# Above all mantissas of doubles, which therefore have inverses modulo it.
PRIME = (1 << 61) - 1
# Relative errors of a few operations, and a factor on errors that are estimated.
ROUNDING, SAFE = 1e-14, 4.0


class Gaussian(NamedTuple):
    """Mean (2n,) and covariance (2n, 2n) of (x, v)."""

    mean: Array
    covariance: Array


def lyapunov(flow: Array, noise: Array) -> Array:
    """Solution C of flow C + C flow' + noise = 0, of matrices (2n, 2n), whatever the units.

    Bartels & Stewart's method loses what is small beside the largest entries: positions and
    velocities are put into units, powers of two, in which entries are alike.
    """
    from scipy.linalg import matrix_balance, solve_continuous_lyapunov

    balanced, (unit, _) = matrix_balance(flow, permute=False, separate=True)
    both = np.outer(unit, unit)
    return np.asarray(both * solve_continuous_lyapunov(balanced, -noise / both), np.float64)


def start_state(network: OscillatorNetwork, initial: str) -> Gaussian:
    """Distribution from which trajectories with this `initial` are drawn: of the linear part.

    Raises
    ------
    NoExactSideError
        If it does not exist.
    """
    n = len(network.mass)
    if initial == "rest":
        return Gaussian(np.zeros(2 * n), np.zeros((2 * n, 2 * n)))
    ensemble = LinearEnsemble(network)
    if initial == "periodic":
        return ensemble.periodic_state
    touched = network.temperature[network.bath >= 0]
    if len(touched) == 0 or np.ptp(touched) > 0:
        raise NoExactSideError("an equilibrium exists only where all baths are equally warm")
    if np.linalg.eigvalsh(network.stiffness)[0] <= 0:
        raise NoExactSideError("no equilibrium: the stiffness leaves some motion free")
    force = np.array([value(network.drive, i, 0.0) for i in range(n)])
    inverse = np.linalg.inv(network.stiffness)
    covariance = np.zeros((2 * n, 2 * n))
    covariance[:n, :n] = touched[0] * inverse
    covariance[n:, n:] = np.diag(touched[0] / network.mass)
    return Gaussian(np.append(inverse @ force, np.zeros(n)), covariance)


def all_damped(network: OscillatorNetwork) -> bool:
    """Whether friction, however weak, reaches every motion, and none is free of a restoring force.

    In integers modulo a prime, so without rounding: no motion escapes if the accelerations at the
    sites with friction, and those of the accelerations, ... depend on all positions. A number that
    happens to be a multiple of the prime can only make it answer no.
    """
    n = len(network.mass)

    def whole(number: float) -> int:
        above, below = float(number).as_integer_ratio()
        return above * pow(below, -1, PRIME) % PRIME

    pull = [
        [whole(k) * pow(whole(m), -1, PRIME) % PRIME for k in row]
        for row, m in zip(network.stiffness, network.mass, strict=True)
    ]
    rows = [pull[i] for i in np.flatnonzero(network.friction)]
    independent: list[tuple[int, list[int]]] = []
    while rows and len(independent) < n:
        row = rows.pop()
        for at, other in independent:
            row = [(a - row[at] * b) % PRIME for a, b in zip(row, other, strict=True)]
        pivot = next((j for j, a in enumerate(row) if a), None)
        if pivot is not None:
            scale = pow(row[pivot], -1, PRIME)
            row = [a * scale % PRIME for a in row]
            independent.append((pivot, row))
            rows.append([sum(row[k] * pull[k][j] for k in range(n)) % PRIME for j in range(n)])
    return len(independent) == n


class LinearEnsemble:
    """Exact ensemble of linear oscillators; the quartic part of the network is left out.

    Raises
    ------
    NoExactSideError
        If some motion is not damped, or too weakly: then nothing becomes periodic.
    """

    def __init__(self, network: OscillatorNetwork) -> None:
        self.network = network
        n = self.n = len(network.mass)
        self.flow = np.zeros((2 * n, 2 * n))
        self.flow[:n, n:] = np.eye(n)
        self.flow[n:, :n] = -network.stiffness / network.mass[:, None]
        self.flow[n:, n:] = -np.diag(network.friction / network.mass)
        spread = 2 * network.friction * network.temperature / network.mass**2
        self.noise = np.diag(np.append(np.zeros(n), spread))
        motions = np.linalg.eigvals(self.flow)
        self.slowest = -float(motions.real.max())
        least = UNDAMPED * np.abs(motions).max()
        if self.slowest <= least:
            weakly = self.slowest > -least and all_damped(network)
            what = "too weakly to be told from undamped in double precision" if weakly else ""
            raise NoExactSideError(
                f"some motion is {f'damped {what}' if weakly else 'not damped'}: "
                f"there is no periodic state{' that can be computed' if weakly else ''}"
            )

    # -- the periodic state ------------------------------------------------------------------

    @cached_property
    def covariance(self) -> Array:
        """Covariance (2n, 2n) of the periodic state, the same at all times."""
        return lyapunov(self.flow, self.noise)

    @cached_property
    def responses(self) -> list[tuple[float, Complex, Complex]]:
        """(angular frequency, force, response of z) of every harmonic, as complex amplitudes."""
        network, n = self.network, self.n
        drive = network.drive
        found: list[tuple[float, Complex, Complex]] = []
        static = np.append(np.zeros(n), drive.offset / network.mass)
        found.append((0.0, drive.offset + 0j, -np.linalg.solve(self.flow, static) + 0j))
        for order in np.unique(drive.order):
            terms = np.where(drive.order == order, drive.amplitude * np.exp(1j * drive.phase), 0)
            force = terms.sum(axis=1)
            frequency = 2 * np.pi * order / network.period
            push = np.append(np.zeros(n), force / network.mass)
            response = np.linalg.solve(1j * frequency * np.eye(2 * n) - self.flow, push)
            found.append((float(frequency), force, response))
        return found

    def mean(self, time: float) -> Array:
        """Mean (2n,) of the periodic state."""
        turned = [(np.exp(1j * w * time) * z).real for w, _, z in self.responses]
        return np.asarray(sum(turned), np.float64)

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

        Each solution may be off by what solves its equation with what it leaves of it.
        """
        network, n = self.network, self.n
        half = self.flow @ self.covariance
        left = lyapunov(self.flow, half + half.T + self.noise)
        spread = ROUNDING * square + SAFE * np.abs(np.diag(left)[n:])
        work, exclusive = np.zeros(n), np.zeros(n)
        for frequency, force, response in self.responses[1:]:
            full = 1j * frequency * np.eye(2 * n) - self.flow
            push = np.append(np.zeros(n), force / network.mass)
            off = SAFE * np.abs(np.linalg.solve(full, push - full @ response))
            off += ROUNDING * np.abs(response)
            spread += np.abs(response[n:]) * off[n:]
            work += 0.5 * np.abs(frequency * force) * off[:n]
            exclusive += 0.5 * np.abs(force) * off[n:]
        # Heat is the difference of what friction and noise do.
        gross = network.friction * (ROUNDING * network.temperature / network.mass + spread)
        heat = [gross[network.bath == b].sum() for b in range(network.bath.max() + 1)]
        driven = network.driven >= 0
        return Energetics(np.array(heat), work[driven], exclusive[driven], np.zeros(0))

    def _rates(self, square: Array, work: Array, exclusive: Array) -> Energetics:
        """Rates from <v^2> (..., n) and works of each site (..., n)."""
        network = self.network
        heat = network.friction * (network.temperature / network.mass - square)
        driven = network.driven >= 0
        baths = [heat[..., network.bath == b].sum(axis=-1) for b in range(network.bath.max() + 1)]
        nothing = np.zeros((*heat.shape[:-1], 0))
        return Energetics(
            np.stack(baths, axis=-1), work[..., driven], exclusive[..., driven], nothing
        )

    @property
    def work_variance_rate(self) -> tuple[Array, float]:
        """Growth per unit time of the variance of each drive's work (drives,) and of their sum.

        Work is Gaussian: twice the zero-frequency noise of (df/dt) x, driven by the baths at the
        frequencies of the drive.
        """
        network, n = self.network, self.n
        each, total = np.zeros(n), 0.0
        strength = 2 * network.friction * network.temperature
        for frequency, force, _ in self.responses[1:]:
            full = 1j * frequency * np.eye(2 * n) - self.flow
            response = np.linalg.inv(full)[:n, n:] / network.mass
            spectrum = (response * strength) @ response.conj().T
            weight = 0.5 * frequency**2
            each += weight * (np.abs(force) ** 2 * np.diag(spectrum).real)
            total += weight * float((force.conj() @ spectrum @ force).real)
        return each[network.driven >= 0], total

    # -- in time -----------------------------------------------------------------------------

    def time_series(
        self, start: Gaussian, segments: int, periods: int = 1, skip: int = 0
    ) -> TimeSeries:
        """Follow a Gaussian through whole periods, cut into equal segments.

        `skip` periods are passed over first.
        """
        network, n = self.network, self.n
        width = network.period / segments
        step, away = self._carried(width), self._carried(network.period * skip)
        shift = away @ (start.mean - self.mean(0.0))
        excess = away @ (start.covariance - self.covariance) @ away.T
        fading = bool(shift.any() or excess.any())
        at, share, inner = self._nodes(width) if fading else (np.zeros(0),) * 3
        squares, works, exclusives, states = [], [], [], []
        steady = np.diag(self.covariance)[n:]
        for k in range(segments * periods):
            time = (k % segments) * width
            states.append(Gaussian(self.mean(time) + shift, self.covariance + excess))
            square, work, exclusive = self._settled(time, width)
            if fading:
                spread = np.einsum("tij,jk,tik->ti", inner, excess, inner)[:, n:]
                left = inner @ shift
                x, v = left[:, :n], left[:, n:]
                steadily = np.array([self.mean(time + t)[n:] for t in at])
                force, slope = self.forces(time + at)
                square = square + share @ ((2 * steadily + v) * v + spread)
                work = work - share @ (slope * x)
                exclusive = exclusive + share @ (force * v)
            squares.append(square + steady)
            works.append(work)
            exclusives.append(exclusive)
            shift, excess = step @ shift, step @ excess @ step.T
        states.append(Gaussian(self.mean(0.0) + shift, self.covariance + excess))
        rates = self._rates(np.array(squares), np.array(works), np.array(exclusives))
        return TimeSeries(states, Energetics(*(rate * width for rate in rates)))

    def _settled(self, time: float, width: float) -> tuple[Array, Array, Array]:
        """Averages (n,) of v^2, -x df/dt and f v over a time, in the mean of the periodic state."""
        n = self.n
        speed = np.array([frequency for frequency, _, _ in self.responses])
        force = np.array([f for _, f, _ in self.responses])
        response = np.array([z for _, _, z in self.responses])

        def average(frequency: Array) -> Complex:
            middle = np.exp(1j * frequency * (time + 0.5 * width))
            return np.asarray(middle * np.sinc(frequency * width / (2 * np.pi)))

        sums, differences = average(speed[:, None] + speed), average(speed[:, None] - speed)

        def product(a: Complex, b: Complex) -> Array:
            """Average of Re(a exp(i w t)) Re(b exp(i w t)), both summed over all harmonics."""
            both = np.einsum("jk,ji,ki->i", sums, a, b)
            return np.asarray(
                0.5 * (both + np.einsum("jk,ji,ki->i", differences, a, b.conj())).real
            )

        x, v = response[:, :n], response[:, n:]
        slope = 1j * speed[:, None] * force
        return product(v, v), -product(slope, x), product(force, v)

    def _nodes(self, width: float) -> tuple[Array, Array, Array]:
        """Times (t,) at which to look at a transient, their shares, and propagators to them.

        The shares (t,) are those of an average over a segment of this width; (t, 2n, 2n).
        """
        reach = min(width, FADED / self.slowest)
        fastest = max(frequency for frequency, _, _ in self.responses)
        norm = float(np.linalg.norm(self._balanced[0], 2))
        pieces = max(1, int(np.ceil(reach * max(norm, fastest / np.pi) / PIECE)))
        nodes, weights = np.polynomial.legendre.leggauss(NODES)
        inside = (nodes + 1) / 2 * (reach / pieces)
        first = np.array([self._carried(t) for t in inside])
        on, begin, inner = self._carried(reach / pieces), np.eye(2 * self.n), []
        for _ in range(pieces):
            inner.append(first @ begin)
            begin = on @ begin
        at = (np.arange(pieces)[:, None] * (reach / pieces) + inside).ravel()
        share = np.tile(weights / 2 / pieces, pieces) * (reach / width)
        return at, share, np.concatenate(inner)

    @cached_property
    def _balanced(self) -> tuple[Array, Array]:
        """The flow (2n, 2n) in units in which its entries are alike, and these units (2n,)."""
        from scipy.linalg import matrix_balance

        balanced, (unit, _) = matrix_balance(self.flow, permute=False, separate=True)
        return np.asarray(balanced, np.float64), np.asarray(unit, np.float64)

    def _carried(self, time: float) -> Array:
        """exp(flow time) (2n, 2n); what has faded away by then is none."""
        from scipy.linalg import expm

        if time * self.slowest > 20 * FADED:
            return np.zeros_like(self.flow)
        balanced, unit = self._balanced
        return np.asarray(unit[:, None] * expm(balanced * time) / unit, np.float64)

    def forces(self, time: Array) -> tuple[Array, Array]:
        """Forces and their time derivatives (times, n)."""
        turns = [(w, np.exp(1j * w * time)[:, None] * f) for w, f, _ in self.responses]
        force = sum(turn.real for _, turn in turns)
        slope = sum((1j * w * turn).real for w, turn in turns)
        return np.asarray(force), np.asarray(slope)

    def window(self, start: Gaussian, plan: Plan) -> Window:
        """What trajectories that begin with `start` show over the recorded periods."""
        # Periods that begin later than this are periodic to rounding.
        fading = int(np.ceil(FADED / (self.slowest * self.network.period)))
        followed = min(plan.periods, max(1, 1 + fading - plan.burn_in))
        segments, period = plan.rows_per_period, self.network.period
        states, energetics = self.time_series(start, segments, followed, plan.burn_in)
        rest = plan.periods - followed
        rates = [
            (gain.sum(axis=0) + rest * gain[-segments:].sum(axis=0)) / (plan.periods * period)
            for gain in energetics
        ]
        return Window(Energetics(*rates), self._edges(states, plan, followed))

    def _edges(self, states: list[Gaussian], plan: Plan, followed: int) -> dict[str, Array]:
        """Means of x, v and of their squares where rows begin, (phases, n) each."""
        n, segments = self.n, plan.rows_per_period
        first = np.array([state.mean for state in states])
        second = np.array([np.diag(state.covariance) for state in states]) + first**2
        found = {}
        for name, values in {
            "position": first[:, :n],
            "velocity": first[:, n:],
            "position_squared": second[:, :n],
            "velocity_squared": second[:, n:],
        }.items():
            each = values[:-1].reshape(followed, segments, n)
            begins = each[:: plan.segments_per_row]
            rows = plan.periods // plan.segments_per_row
            rest = rows - len(begins)
            final = values[-1 - segments : -1]
            found[name] = (begins.sum(axis=0) + rest * final) / rows
        return found
