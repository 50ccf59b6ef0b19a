"""Ledgers that contenders fill, and how far their means are from what they should be."""

import numpy as np

from trajsim.ledger import first_law_residual

KEPT = {"heat": "bath", "work": "drive", "exclusive_work": "drive", "flips": "site"}


class Ledgers:
    """Ledgers of a contender's calls: zeroed before the clock runs, summed up after it stopped."""

    def __init__(self, layout, count):
        self.layout, self.count = layout, count
        self.kept = [c for c in KEPT if c in (column.name for column in layout.columns)]
        self.names = [f"{c}.{label}" for c in self.kept for label in layout.labels[KEPT[c]]]
        if "state" in (column.name for column in layout.columns):
            # How often rows begin in each state, bit i set where spin i is down.
            self.names += [f"state.{x}" for x in range(1 << len(layout.labels["site"]))]
        self.totals, self.first_law = [], 0.0
        self._blank()

    def _blank(self):
        self.columns = self.layout.allocate(self.count)
        for column in self.columns.values():
            column.fill(0)  # touched, so that no contender pays for the first touch of a page

    def take(self):
        """Keep what accuracy needs: totals of each trajectory, the largest residual."""
        sums = [self.columns[name].sum(axis=1) for name in self.kept]
        if "state" in self.columns:
            down = self.columns["state"][:, :-1] < 0
            x = (down << np.arange(down.shape[-1])).sum(axis=-1)
            share = [(x == k).mean(axis=1) for k in range(1 << down.shape[-1])]
            sums.append(np.stack(share, axis=1) * self.layout.duration(0))
        self.totals.append(np.concatenate(sums, axis=1))
        residual = float(np.abs(first_law_residual(self.columns)).max())
        self.first_law = max(self.first_law, residual)
        self._blank()

    def means(self):
        """Means over all trajectories, per unit time but for states, and their standard errors."""
        rates = np.concatenate(self.totals) / self.layout.duration(0)
        return rates.mean(axis=0), rates.std(axis=0, ddof=1) / np.sqrt(len(rates))

    def against(self, expected, uncertainty=0.0):
        """How the means compare with what is expected, in standard errors of the difference."""
        mean, error = self.means()
        # Where nothing ever varied, there is nothing to divide by.
        width = np.hypot(error, uncertainty)
        sigma = np.divide(mean - expected, width, out=np.zeros_like(mean), where=width > 0)
        return {
            "trajectories": sum(len(t) for t in self.totals),
            "means": dict(zip(self.names, mean.tolist(), strict=True)),
            "stderr": dict(zip(self.names, error.tolist(), strict=True)),
            "sigma": dict(zip(self.names, sigma.tolist(), strict=True)),
            "furthest": float(np.abs(sigma).max()),
            "first_law_residual": self.first_law,
        }
