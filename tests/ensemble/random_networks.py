"""Random networks of spins as texts of configs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from random_drives import numbers, random_drive

CONFIG = """
[model]
kind = "spins"
rate = {rate}
rate_law = "{law}"
[drive]
period = {period}
[baths]
{baths}
{sites}
{bonds}
[ensemble]
trajectories = {trajectories}
periods = {periods}
burn_in = {burn_in}
initial = "{initial}"
seed = {seed}
[ledger]
{ledger}
"""


def random_config(seed, sites, temperatures, law, initial, ledger="", burn_in=0, periods=6):
    """A network with random bonds, rates and drives of several harmonics, offsets included."""
    rng = np.random.default_rng(seed)
    number = numbers(rng)
    ends = [(i, j) for j in range(sites) for i in range(j) if j == i + 1 or rng.random() < 0.5]
    return CONFIG.format(
        rate=number(0.3, 0.8),
        law=law,
        period=number(5.0, 15.0),
        baths="\n".join(f"B{k} = {{ temperature = {t} }}" for k, t in enumerate(temperatures)),
        # The first site is driven, one of the others may not be.
        sites="\n".join(
            f'[[sites]]\nname = "{k}"\nbath = "B{k % len(temperatures)}"\n'
            + (random_drive(rng, 0.2, 0.7) if k == 0 or rng.random() < 0.8 else "")
            for k in range(sites)
        ),
        bonds="\n".join(
            f'[[bonds]]\nsites = ["{i}", "{j}"]\ncoupling = {number(-0.9, 0.9)}' for i, j in ends
        ),
        trajectories=12_000,
        periods=periods,
        burn_in=burn_in,
        initial=initial,
        seed=seed,
        ledger=ledger,
    )


@dataclass
class Tampered:
    """A run whose columns are changed on the way out of the store."""

    run: Any
    change: Any

    @property
    def layout(self):
        return self.run.layout

    def blocks(self, names=None):
        for point, first, columns in self.run.blocks(names):
            yield point, first, self.change(dict(columns))
