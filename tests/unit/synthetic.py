"""Ledgers made of random numbers whose statistics are known."""

from dataclasses import dataclass, field

import numpy as np
from scipy.stats import norm

from trajsim.analysis.averages import Averages, Quantity
from trajsim.analysis.estimate import Estimate
from trajsim.analysis.theorems import Setting, theorems
from trajsim.comparison.claims import claims
from trajsim.config import parse
from trajsim.ledger import Layout

FALSE_ALARM = 1e-4


@dataclass
class Ledger:
    """Trajectories of one point, handed out in slices as a run does.

    heat (m, rows, baths), work (m, rows, drives); a row is a period.
    """

    heat: np.ndarray
    work: np.ndarray | None = None
    slices: int = 1
    rows_per_period: int = 1
    more: dict[str, np.ndarray] = field(default_factory=dict)
    kind: str = "spins"
    sites: int = 2
    period: float = 1.0

    @property
    def layout(self):
        m, rows, baths = self.heat.shape
        drives = 0 if self.work is None else self.work.shape[2]
        return Layout(
            kind=self.kind,
            points=1,
            trajectories=m,
            rows=rows,
            rows_per_period=self.rows_per_period,
            row_periods=1.0 / self.rows_per_period,
            periods=[self.period],
            labels={
                "bath": list("LRABCD"[:baths]),
                "drive": list("1234"[:drives]),
                "site": [str(k + 1) for k in range(self.sites)],
            },
            parameters={},
        )

    def blocks(self, names=None):
        m, rows, _ = self.heat.shape
        # As every run has, whether or not it matters.
        up = np.ones((m, rows + 1, self.sites), np.int8)
        known = ("state",) if self.kind == "spins" else ("position", "velocity")
        columns = {**dict.fromkeys(known, up), "heat": self.heat, **self.more}
        if self.work is not None:
            columns["work"] = self.work
        for part in np.array_split(np.arange(len(self.heat)), self.slices):
            yield 0, int(part[0]), {name: columns[name][part] for name in names or columns}


def threshold(comparisons):
    """Standard errors that the largest of so many may lie off, at FALSE_ALARM for all together."""
    return norm.isf(FALSE_ALARM / (2 * comparisons))


def setting(**others):
    """Two spins at temperatures 1 and 0.5, from a uniform start unless said otherwise."""
    known = {
        "system": "spins",
        "states": 4,
        "spell": lambda x: "".join("-" if x >> i & 1 else "+" for i in range(2)),
        "temperatures": np.array([1.0, 0.5]),
        "initial": "random",
        "burn_in": 0,
    }
    return Setting(**{**known, **others})


def outcomes(ledger, here, partner=None, partner_setting=None):
    """Outcomes at the one point, by name."""
    partners = None if partner is None else [partner_setting]
    (found,) = theorems(ledger, [here], partner, partners)
    return {outcome.name: outcome for outcome in found}


def states(random, trajectories, rows):
    return {"state": random.choice(np.array([1, -1], np.int8), (trajectories, rows + 1, 2))}


def symmetric_heat(random, trajectories, rows, temperatures, spread=0.5, mean=None):
    """Heats whose x = -sum Q / T is normal with mean half its variance in every row.

    Then <exp(-x)> = 1 and P(x) / P(-x) = exp(x), for any number of rows.
    """
    mean = spread**2 / 2 if mean is None else mean
    x = random.normal(mean, spread, (trajectories, rows))
    share = random.normal(size=(trajectories, rows))
    # Heat that passes from one bath to the other at equal odds changes x too: take it out again.
    heat = np.stack([-temperatures[0] * (x + share), temperatures[1] * share], axis=-1)
    return heat


def made(seed, trajectories=100_000, rows=4, **others):
    random = np.random.default_rng(seed)
    heat = symmetric_heat(random, trajectories, rows, (1.0, 0.5), **others)
    return Ledger(heat, slices=3, more=states(random, trajectories, rows))


def averages(heat, work, error, shadow=None, parameters=None, trajectories=1000):
    """Averages with independent errors of the heats and the total work."""
    errors = np.broadcast_to(error, 3)
    quantities = [
        Quantity("heat", bath, Estimate(q, e))
        for bath, q, e in zip("LR", heat, errors[:2], strict=True)
    ]
    quantities += [Quantity("work", drive, Estimate(work / 2, errors[2])) for drive in "12"]
    return Averages(
        parameters=parameters or {},
        trajectories=trajectories,
        time=1.0,
        quantities=quantities,
        edges={},
        shadow_work=None if shadow is None else Estimate(shadow, 0.0),
        total_work=Estimate(work, errors[2]),
        covariance=np.diag(errors**2),
        first_law_residual=0.0,
        largest_entry=1.0,
    )


def judged(text, *arguments, **more):
    (point,) = claims(parse(text), [averages(*arguments, **more)]).points
    return point
