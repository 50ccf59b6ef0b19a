"""Oscillators of which everything is driven, and their motion integrated apart from the kernel."""

import numpy as np
from scipy.integrate import solve_ivp

from trajsim.models import oscillators
from trajsim.models.waveform import Waveform, pack, square

PERIOD = 4.0
# A third of a step after a step of 96 to the period, and so two thirds after one of 192.
JUMP = (40 + 1 / 3) / 96
FORCE = Waveform(0.2, [(1, 0.5, 0.3), (2, 0.3, 1.0)])
TRAP = Waveform(points=[(0.0, 1.0), (0.0, 1.4), (JUMP, 2.0), (JUMP, 1.2), (1.0, 1.6), (1.0, 1.1)])
CENTER = Waveform(points=[(0.0, -0.4), (JUMP, 0.7), (JUMP, 0.1), (1.0, 0.5)])
SMOOTH = Waveform(1.5, [(1, 0.6, -0.8)])
BOND = Waveform(1.2, [(1, 0.7, 2.0)])
HEAT = Waveform(1.0, [(1, 0.5, 0.4)])
MASS, FRICTION, STILL = (1.0, 0.7), (0.8, 1.3), 0.9


def everything(temperatures=(1.0, 0.6), bond=BOND):
    """Two oscillators: force, stiffness and centre of both driven, and the bond between them."""
    return oscillators.network(
        period=PERIOD,
        mass=MASS,
        friction=FRICTION,
        temperature=temperatures,
        bath=[0, 1],
        site_stiffness=[TRAP, SMOOTH],
        site_quartic=[0.0, 0.0],
        bonds=[(0, 1, bond, 0.0)],
        drive=pack([FORCE, Waveform(STILL)]),
        driven=[True, False],
        center=[CENTER, Waveform(0.0, [(1, 0.4, 0.0)])],
    )


# Names of the drives of `everything`, in the order of its ledger.
DRIVES = ("force 0", "trap 0", "center 0", "trap 1", "center 1", "bond")


def _between(points, u):
    """Value and slope by u of a line through two points (u, value)."""
    (a, at_a), (b, at_b) = points
    slope = (at_b - at_a) / (b - a)
    return at_a + slope * (u - a), slope


def _cosines(offset, terms, u):
    angle = [(a, 2 * np.pi * k, 2 * np.pi * k * u + phase) for k, a, phase in terms]
    return (
        offset + sum(a * np.cos(x) for a, _, x in angle),
        -sum(a * w * np.sin(x) for a, w, x in angle),
    )


def parameters(u, after):
    """(value, slope by u) of force 0, trap 0, centre 0, trap 1, centre 1, bond; by hand."""
    trap = [(0.0, 1.4), (JUMP, 2.0)], [(JUMP, 1.2), (1.0, 1.6)]
    center = [(0.0, -0.4), (JUMP, 0.7)], [(JUMP, 0.1), (1.0, 0.5)]
    return [
        _cosines(0.2, [(1, 0.5, 0.3), (2, 0.3, 1.0)], u),
        _between(trap[after], u),
        _between(center[after], u),
        _cosines(1.5, [(1, 0.6, -0.8)], u),
        _cosines(0.0, [(1, 0.4, 0.0)], u),
        _cosines(1.2, [(1, 0.7, 2.0)], u),
    ]


def potential(x, force, trap, center, other_trap, other_center, bond):
    """Potential energy by hand; all may be arrays."""
    x, y = x
    return (
        trap * (x - center) ** 2 / 2
        + other_trap * (y - other_center) ** 2 / 2
        + bond * (x - y) ** 2 / 2
        - force * x
        - STILL * y
    )


def by_parameter(x, force, trap, center, other_trap, other_center, bond):
    """Derivatives of H by the parameters, (6, ...)."""
    x, y = x
    return np.stack(
        [
            -x,
            (x - center) ** 2 / 2,
            -trap * (x - center),
            (y - other_center) ** 2 / 2,
            -other_trap * (y - other_center),
            (x - y) ** 2 / 2,
        ]
    )


def works_of_jump(x, before, after):
    """Work (6,) of parameters that move from before to after on a straight line, at x fixed."""
    before, after = np.array(before), np.array(after)
    nodes, weights = np.polynomial.legendre.leggauss(4)
    s = (nodes + 1) / 2
    path = before[:, None] + (after - before)[:, None] * s
    still = [np.full(len(s), x[0]), np.full(len(s), x[1])]
    return (by_parameter(still, *path) @ (weights / 2)) * (after - before)


def cold_motion(x0=(0.0, 0.0), v0=(0.0, 0.0), periods=1):
    """Motion without noise: x, v at the end, heats (2,) and works (6,) of the last period."""
    gamma, mass = np.array(FRICTION), np.array(MASS)

    def slope(t, state, after):
        x, v = state[:2], state[2:4]
        found = parameters(t / PERIOD, after)
        force, trap, center, other_trap, other_center, bond = (value for value, _ in found)
        pull = np.array(
            [
                force - trap * (x[0] - center) - bond * (x[0] - x[1]),
                STILL - other_trap * (x[1] - other_center) + bond * (x[0] - x[1]),
            ]
        )
        by = by_parameter(x, *(value for value, _ in found))
        works = by * np.array([rate for _, rate in found]) / PERIOD
        return np.concatenate([v, (pull - gamma * v) / mass, -gamma * v**2, works])

    def values(u, after, **changed):
        found = [value for value, _ in parameters(u, after)]
        return [changed.get(name, value) for name, value in zip("ftcpqb", found, strict=True)]

    # What is listed at 0 and 1 beside the jumps there.
    opening, closing = values(0.0, 0, t=1.0), values(1.0, 1, t=1.1)
    state = np.concatenate([x0, v0, np.zeros(8)])
    begin = opening
    for _ in range(periods):
        state[4:] = 0.0
        state[6:] += works_of_jump(state[:2], begin, values(0.0, 0))
        for span, after in (((0.0, JUMP), 0), ((JUMP, 1.0), 1)):
            if after:
                state[6:] += works_of_jump(state[:2], values(JUMP, 0), values(JUMP, 1))
            ends = tuple(u * PERIOD for u in span)
            run = solve_ivp(slope, ends, state, "DOP853", args=(after,), rtol=1e-12, atol=1e-13)
            state = run.y[:, -1]
        state[6:] += works_of_jump(state[:2], values(1.0, 1), closing)
        begin = closing
    return state[:2], state[2:4], state[4:6], state[6:]


def heated_trap(stiffness=SMOOTH, temperature=HEAT):
    """One oscillator in a driven trap and a bath of driven temperature."""
    return oscillators.network(
        period=PERIOD,
        mass=[1.0],
        friction=[0.8],
        temperature=[temperature],
        bath=[0],
        site_stiffness=[stiffness],
        site_quartic=[0.0],
        bonds=[],
        drive=pack([Waveform()]),
        driven=[False],
    )


def squares():
    """A trap and a bath that switch at the quarters of a period."""
    return heated_trap(square(1.5, 0.5, 0.0), square(1.0, 0.4, np.pi / 2))
