"""Oscillators for tests, and the kernel run on them without config, store or threads."""

import numpy as np

from trajsim.kernels import langevin
from trajsim.ledger import Layout
from trajsim.models import drive, oscillators


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
        drive=drive.pack([0, 0], [[(1, amplitude, 0.0)], [(1, amplitude, phase)]]),
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
        drive=drive.pack(
            [0.3, 0.0, 0.0, -0.2],
            [[(1, 0.8, 0.3), (3, 0.4, 1.0)], [], [(2, 0.6, -0.5)], []],
        ),
        driven=[True, False, True, True],
    )


def simulate(network, plan, count, scheme="hoh", steps=48, seed=1, noise="float64", state=None):
    """Ledger columns of `count` trajectories from rest, or from a Gaussian state."""
    baths, drives = int(network.bath.max()) + 1, int(network.driven.max()) + 1
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
    )
    columns = layout.allocate(count)
    model = langevin.prepare(network, plan, scheme, steps, noise)
    size = 2 * len(network.mass)
    start = langevin.Start(np.zeros(size), np.zeros((size, size)), 0.0)
    if state is not None:
        start = langevin.start(network, "periodic", state)
    walkers = langevin.begin(model, start, seed, 0, 0, count)
    _, broken = langevin.advance(model, plan, walkers, langevin.Rows(**columns), 0, plan.segments)
    assert langevin.fault(broken, 0) is None
    return columns


def currents(columns, network, plan):
    """Means over trajectories and rows per unit time: heats, works, exclusive works."""
    time = plan.periods * network.period
    return np.concatenate(
        [columns[k].sum(axis=1).mean(axis=0) / time for k in ("heat", "work", "exclusive_work")]
    )
