"""Characteristic functions <exp(i w A)>, many frequencies side by side in compiled code.

The classical Runge-Kutta method for dp/dt = K(i w) p (`tilt`), LANES frequencies at once. Beside
the matrices of `collocation`, both to 2e-9, as measured for two spins over 8 periods: 0.05 s
against 0.15 for 129 frequencies, 0.5 against 1.1 for 513, 8 against 11 for 2,049.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.compiled.jit import compiled
from trajsim.ensemble.answers import Array, NoExactSideError
from trajsim.ensemble.jumps.channels import JumpProcess
from trajsim.ensemble.jumps.tilt import Tilt

Complex = NDArray[np.complex128]

LANES = 64
# Accuracy of an average, and the method's limit of stability on the axes.
TOLERANCE, STABLE = 1e-9, 2.5
MOST_STEPS = 1 << 20
# Measured seconds per jump, frequency and step.
SECONDS_A_JUMP = 8e-9
# Size below which a characteristic function is 0.
QUIET = 1e-14


@compiled(contract=True)
def _product(first, source, kind, rates, exits, angles, cosine, sine, w, re, im, out_re, out_im):
    """out = K p, (states, LANES) real and imaginary; cosine, sine (k, LANES) of counts."""
    for x in range(len(exits)):
        rate_out, angle = exits[x], angles[x]
        for lane in range(LANES):
            turn = angle * w[lane]
            out_re[x, lane] = -rate_out * re[x, lane] - turn * im[x, lane]
            out_im[x, lane] = -rate_out * im[x, lane] + turn * re[x, lane]
        for channel in range(first[x], first[x + 1]):
            k, y = kind[channel], source[channel]
            rate = rates[k]
            for lane in range(LANES):
                c, s = rate * cosine[k, lane], rate * sine[k, lane]
                out_re[x, lane] += c * re[y, lane] - s * im[y, lane]
                out_im[x, lane] += c * im[y, lane] + s * re[y, lane]


@compiled(contract=True)
def _carry(first, source, kind, rates, exits, angles, counts, active, times, jumps, w, re, im):
    """Carry columns (states, LANES) through a period in place, in steps of lengths times (t,).

    rates, exits, angles and counts are given at the beginnings, middles and ends of the steps;
    counts with a single row are constant. jumps (t + 1, states) are the counts where parameters
    jump before each step and after the last; without rows they do not jump.
    """
    classes = rates.shape[1]
    cosine, sine = np.empty((classes, LANES)), np.empty((classes, LANES))
    derivative_re, derivative_im = np.empty(re.shape), np.empty(re.shape)
    stage_re, stage_im = np.empty(re.shape), np.empty(re.shape)
    start_re, start_im = np.empty(re.shape), np.empty(re.shape)
    counts_row = -1
    for step in range(len(times)):
        time = times[step]
        if len(jumps) > 0:
            _rotate(jumps[step], w, re, im)
        start_re[:] = re
        start_im[:] = im
        stage_re[:] = re
        stage_im[:] = im
        for k in range(4):
            instant = 3 * step + (k + 1) // 2
            row = instant if len(counts) > 1 else 0
            if row != counts_row:
                counts_row = row
                for c in range(classes):
                    for lane in range(LANES):
                        cosine[c, lane] = active[c] * math.cos(w[lane] * counts[row, c])
                        sine[c, lane] = active[c] * math.sin(w[lane] * counts[row, c])
            _product(
                first,
                source,
                kind,
                rates[instant],
                exits[instant],
                angles[instant],
                cosine,
                sine,
                w,
                stage_re,
                stage_im,
                derivative_re,
                derivative_im,
            )
            weight = time * (1.0 / 6.0 if k % 3 == 0 else 1.0 / 3.0)
            substep = time * (0.5 if k < 2 else 1.0)
            for x in range(len(re)):
                for lane in range(LANES):
                    re[x, lane] += weight * derivative_re[x, lane]
                    im[x, lane] += weight * derivative_im[x, lane]
                    stage_re[x, lane] = start_re[x, lane] + substep * derivative_re[x, lane]
                    stage_im[x, lane] = start_im[x, lane] + substep * derivative_im[x, lane]
    if len(jumps) > 0:
        _rotate(jumps[len(times)], w, re, im)


@compiled(contract=True)
def _rotate(count, w, re, im):
    """Multiply each state x by exp(i w count_x)."""
    for x in range(len(count)):
        if count[x] != 0.0:
            for lane in range(LANES):
                c, s = math.cos(w[lane] * count[x]), math.sin(w[lane] * count[x])
                real, imaginary = re[x, lane], im[x, lane]
                re[x, lane] = c * real - s * imaginary
                im[x, lane] = c * imaginary + s * real


class Waves:
    """<exp(i w A)> over whole periods from a start.

    Parameters
    ----------
    tilt : of A, one field
    p : (states,) start
    periods : whole ones

    Raises
    ------
    NoExactSideError
        If jumps are so fast against the period that following them is out of reach.
    """

    def __init__(self, tilt: Tilt, p: Array, periods: int) -> None:
        self.tilt, self.p, self.periods = tilt, p, periods
        process: JumpProcess = tilt.process
        self.process = process
        self._least_steps = math.ceil(process.fastest_exit * process.period / STABLE) + 1
        if self._least_steps > MOST_STEPS:
            raise NoExactSideError("jumps are too fast against the period to follow them all")
        # Largest phase, in radians, that a state gathers in a period at w = 1.
        rotations = tilt.powers(process.at(np.arange(64) / 64))[0]
        self._rotation = float(abs(rotations).max(initial=0.0)) * process.period
        self.seconds = 0.0

    def average(self, w: Array, excluded: Any = None) -> Complex:
        """Averages (f,) at ascending w (f,), of paths without jumps of `excluded` (k,)."""
        if len(w) == 0:
            return np.zeros(0, np.complex128)
        active = np.ones(self.process.classes) if excluded is None else np.where(excluded, 0.0, 1.0)
        blocks = np.split(w, range(LANES, len(w), LANES))
        steps, last = self._converged(np.resize(blocks[-1], LANES), active)
        values = []
        for block in blocks[:-1]:
            # Lower frequencies need fewer steps.
            fraction = block[-1] / w[-1]
            fewer_steps = math.ceil(self._least_steps + (steps - self._least_steps) * fraction)
            values.append(self._values(np.resize(block, LANES), active, fewer_steps)[: len(block)])
        return np.concatenate([*values, last[: len(blocks[-1])]])

    def _converged(self, w: Array, active: Array) -> tuple[int, Complex]:
        """Steps a period for which averages at w (LANES,) are converged, and these averages."""
        # Stable for the phases of states, too.
        steps = self._least_steps + math.ceil(self._rotation * float(w.max()) / STABLE)
        before = self._values(w, active, steps)
        while True:
            steps *= 2
            now = self._values(w, active, steps)
            # Of fourth order: the error of the finer is 15 times smaller.
            if abs(now - before).max() <= 15 * TOLERANCE or steps > MOST_STEPS:
                return steps, now
            before = now

    def _values(self, w: Array, active: Array, steps: int) -> Complex:
        process, tilt, states = self.process, self.tilt, self.process.states
        edges, widths, jumps = self._edges(steps)
        # A step that begins at a break uses the values after it.
        nodes = [np.nextafter(edges, 2.0), edges + 0.5 * widths, edges + widths]
        instants = process.at(np.stack(nodes, axis=1).ravel())
        tables = [
            np.ascontiguousarray(array)
            for array in (
                instants.rates,
                instants.rates @ process.exits,
                tilt.powers(instants)[0],
                tilt.counts(instants)[0],
            )
        ]

        def carry(row: Complex) -> Complex:
            self.seconds += SECONDS_A_JUMP * steps * len(process.kind) * LANES
            re, im = row.real.copy(), row.imag.copy()
            times = widths * process.period
            _carry(*process.incoming, *tables, active, times, jumps, w, re, im)
            return re + 1j * im

        begin = np.exp(1j * np.multiply.outer(tilt.begin[0], w))
        end = np.exp(1j * np.multiply.outer(tilt.end[0], w))
        row: Complex = np.asarray(self.p[:, None] * begin, np.complex128)
        if self.periods <= states:
            for _ in range(self.periods):
                if abs(row).sum(axis=0).max() < QUIET:
                    break
                row = carry(row)
        else:
            # Fewer states than periods: compute the map of one period once.
            unit = np.eye(states, dtype=np.complex128)
            maps = np.stack([carry(np.repeat(e[:, None], LANES, axis=1)) for e in unit], axis=1)
            row = apply_maps(maps.transpose(2, 0, 1), row.T[:, :, None], self.periods)[:, :, 0].T
        return np.asarray((row * end).sum(axis=0), np.complex128)

    def _edges(self, steps: int) -> tuple[Array, Array, Array]:
        """Beginnings and widths (t,) of at least so many steps, and the counts of jumps.

        The latter (t + 1, states) before each step and after the last; empty without jumps.
        """
        edges, widths, jumps = [], [], []
        none = np.zeros(self.process.states)
        for first, last in self.process.pieces(0.0, 1.0):
            number = max(1, math.ceil(steps * (last - first) - 1e-9))
            edges.append(first + np.arange(number) * ((last - first) / number))
            widths.append(np.full(number, (last - first) / number))
            count = self.tilt.at_jump(first)
            jumps += [none if count is None else count[0], *[none] * (number - 1)]
        count = self.tilt.at_jump(1.0)
        jumps.append(none if count is None else count[0])
        counts = np.array(jumps) if self.tilt.jumped.any() else np.zeros((0, len(none)))
        return np.concatenate(edges), np.concatenate(widths), counts


def apply_maps(maps: Any, columns: Any, periods: int) -> Any:
    """Columns (f, n, m) after so many periods, each multiplied by maps (f, n, n)."""
    if periods <= maps.shape[-1] ** 2:
        for _ in range(periods):
            columns = maps @ columns
        return columns
    while periods:
        if periods % 2:
            columns = maps @ columns
        maps, periods = maps @ maps, periods // 2
    return columns
