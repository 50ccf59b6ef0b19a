"""Configs of linear oscillators with random bonds, masses, baths and drives."""

import numpy as np
from random_drives import numbers, random_drive

CONFIG = """
[model]
kind = "oscillators"
friction = 1.0
[drive]
period = {period}
[baths]
{baths}
{sites}
{bonds}
[integrator]
scheme = "{scheme}"
steps_per_period = {steps}
[ensemble]
trajectories = 4000
periods = 12
burn_in = {burn_in}
initial = "{initial}"
seed = {seed}
[ledger]
{ledger}
"""


def random_oscillators(seed):
    """A network of two to four oscillators, the last of which may touch no bath."""
    rng = np.random.default_rng(seed)
    number = numbers(rng)
    n = int(rng.integers(2, 5))
    baths = int(rng.integers(1, min(n, 3) + 1))
    free = n > 2 and rng.random() < 0.5

    def site(k):
        lines = [
            f'[[sites]]\nname = "{k}"\nstiffness = {number(0.5, 2.0)}\nmass = {number(0.6, 2)}'
        ]
        if not (free and k == n - 1):
            lines.append(f'bath = "B{k % baths}"\nfriction = {number(0.4, 1.5)}')
        if k == 0 or rng.random() < 0.7:
            lines.append(random_drive(rng, 0.3, 1.0))
        return "\n".join(lines)

    ends = [(i, j) for j in range(n) for i in range(j) if j == i + 1 or rng.random() < 0.5]
    period = number(2.0, 6.0)
    return CONFIG.format(
        period=period,
        baths="\n".join(f"B{k} = {{ temperature = {number(0.4, 2.0)} }}" for k in range(baths)),
        sites="\n".join(site(k) for k in range(n)),
        bonds="\n".join(
            f'[[bonds]]\nsites = ["{i}", "{j}"]\nstiffness = {number(0.3, 2.5)}' for i, j in ends
        ),
        scheme=("hoh", "baoab")[seed % 2],
        # The step's own error is far below that of the sample.
        steps=2 * int(60 * period),
        burn_in=int(rng.integers(0, 3)),
        initial=("rest", "periodic")[seed % 3 == 0],
        seed=seed,
        ledger=("rows_per_period = 2", "periods_per_row = 3", "")[seed % 3],
    )
