"""Oscillators for tests, and the kernel run on them without config, store or threads."""

import numpy as np
from scipy.integrate import solve_ivp

from trajsim.kernels import langevin
from trajsim.ledger import Layout
from trajsim.models import oscillators
from trajsim.models.waveform import Waveform, pack, values


def pair(
    temperatures=(1.0, 1.0),
    phase=np.pi / 2,
    amplitude=1.0,
    alpha=0.0,
    stiffness=2.0,
    coupling=3.0,
    friction=1.0,
    mass=1.0,
    period=3.0,
):
    """The paper's pair; its Fig. 4 point by default."""
    return oscillators.network(
        period=period,
        mass=[mass] * 2,
        friction=[friction] * 2,
        temperature=temperatures,
        bath=[0, 1],
        site_stiffness=[stiffness] * 2,
        site_quartic=[alpha] * 2,
        bonds=[(0, 1, coupling, alpha)],
        drive=pack([Waveform(0.0, [(1, amplitude, x)]) for x in (0.0, phase)]),
        driven=[True, True],
    )


def ring():
    """Four unlike oscillators, one without a bath, two baths, harmonics and an offset."""
    return oscillators.network(
        period=5.0,
        mass=[1.0, 0.5, 2.0, 1.3],
        friction=[0.7, 1.1, 9.9, 0.4],
        temperature=[1.5, 0.6, 0.0, 0.6],
        bath=[0, 1, -1, 1],
        site_stiffness=[1.0, 0.0, 0.5, 2.0],
        site_quartic=[0.0] * 4,
        bonds=[(0, 1, 1.0, 0.0), (1, 2, 2.0, 0.0), (2, 3, 0.7, 0.0), (3, 0, 0.4, 0.0)],
        drive=pack(
            [
                Waveform(0.3, [(1, 0.8, 0.3), (3, 0.4, 1.0)]),
                Waveform(),
                Waveform(0.0, [(2, 0.6, -0.5)]),
                Waveform(-0.2),
            ]
        ),
        driven=[True, False, True, True],
    )


def simulate(network, plan, count, scheme="hoh", steps=48, seed=1, noise="float64", state=None):
    """Ledger columns of `count` trajectories from rest, or from a Gaussian state."""
    baths, drives = int(network.bath.max()) + 1, network.drives
    layout = Layout(
        kind="oscillators",
        points=1,
        trajectories=count,
        rows=plan.rows,
        rows_per_period=plan.rows_per_period,
        row_periods=plan.row_periods,
        periods=[network.period],
        labels={
            "bath": list("abcdefgh"[:baths]),
            "drive": list("abcdefgh"[:drives]),
            "site": list("abcdefgh"[: len(network.mass)]),
        },
        parameters={},
        heated=network.heated,
        overdamped=network.overdamped,
    )
    columns = layout.allocate(count)
    model = langevin.prepare(network, plan, scheme, steps, noise)
    size = 2 * len(network.mass)
    start = langevin.Start(np.zeros(size), np.zeros((size, size)), 0.0)
    if state is not None:
        start = langevin.start(network, "periodic", state)
    replicas = langevin.begin(model, start, seed, 0, 0, count)
    _, broken = langevin.advance(model, plan, replicas, langevin.Rows(**columns), 0, plan.segments)
    assert langevin.fault(broken, 0) is None
    return columns


def currents(columns, network, plan):
    """Means over trajectories and rows per unit time: heats, works, exclusive works."""
    time = plan.periods * network.period
    return np.concatenate(
        [columns[k].sum(axis=1).mean(axis=0) / time for k in ("heat", "work", "exclusive_work")]
    )


def closed_form(tl, tr, phase, k=2.0, kc=3.0, f0=1.0, gamma=1.0, m=1.0, period=3.0):
    """q_L, q_R, w_L, w_R: the paper's Eq. 7."""
    w = 2 * np.pi / period
    a = k + kc - m * w**2 - 1j * gamma * w
    below = a**2 - kc**2
    one, two = a / below, kc / below
    d = 2 * gamma**2 * w**2 * kc / abs(below) ** 2
    noise = gamma * kc**2 * (tl - tr) / (2 * (m * kc**2 + (k + kc) * gamma**2))
    even = one.imag + two.imag * np.cos(phase)
    half = f0**2 * w / 2
    return np.array(
        [
            -half * (even + d * np.sin(phase)) + noise,
            -half * (even - d * np.sin(phase)) - noise,
            half * (even - two.real * np.sin(phase)),
            half * (even + two.real * np.sin(phase)),
        ]
    )


def moment_equations(network, begin, periods):
    """Mean, covariance and energetics of the moment equations, integrated by brute force."""
    n = len(network.mass)
    drift = np.zeros((2 * n, 2 * n))
    drift[:n, n:] = np.eye(n)
    drift[n:, :n] = -network.stiffness / network.mass[:, None]
    drift[n:, n:] = -np.diag(network.friction / network.mass)
    noise = np.diag(
        np.append(np.zeros(n), 2 * network.friction * network.temperature / network.mass**2)
    )

    def force(t):
        return values(network.drive, np.array([t / network.period]))[0]

    def slope(t, d=1e-4):
        # Fourth-order difference, good to 1e-13 here.
        return (8 * (force(t + d) - force(t - d)) - force(t + 2 * d) + force(t - 2 * d)) / (12 * d)

    def right(t, y):
        mean, cov = y[: 2 * n], y[2 * n : 2 * n + 4 * n * n].reshape(2 * n, 2 * n)
        dmean = drift @ mean + np.append(np.zeros(n), force(t) / network.mass)
        dcov = drift @ cov + cov @ drift.T + noise
        square = np.diag(cov)[n:] + mean[n:] ** 2
        heat = network.friction * (network.temperature / network.mass - square)
        return np.concatenate(
            [dmean, dcov.ravel(), heat, -slope(t) * mean[:n], force(t) * mean[n:]]
        )

    y = np.concatenate([begin.mean, begin.covariance.ravel(), np.zeros(3 * n)])
    return solve_ivp(
        right, (0, periods * network.period), y, method="DOP853", rtol=1e-11, atol=1e-13
    ).y[:, -1]
