"""Published results of other papers beside ours: values that hold exactly, in closed form.

Each is computed here from its formula; what a paper only shows in a figure is not among them.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from trajsim.analysis.estimate import Estimate
from trajsim.analysis.protocols import ProtocolTotals
from trajsim.comparison.protocols import exact_protocol, sampled
from trajsim.comparison.verdict import threshold
from trajsim.output import table, to_json
from trajsim.paper.runs import Finished, Planned, make_all
from trajsim.system.files import expect_writable, publish

# Relative difference of an exact answer from a closed form that is taken for rounding.
ROUNDED = 1e-7
WORDS = {True: "holds", False: "DOES NOT HOLD"}
HEADING = ("quantity", "closed form", "exact", "sampled", "sigma", "")


class Value(NamedTuple):
    """A quantity with a closed form.

    Attributes
    ----------
    name : in words
    source : where the formula is from
    expected : its value
    run : in which it is measured
    quantity : "heat.NAME", its rate, or of a protocol that ends all of it; "work", of all drives in
        a period; "energy"; of protocols also "work.variance" and "share" (see `_of_protocols`)
    per : number by which the quantity is divided
    within : relative difference that the closed form is known to leave out
    solved : whether the exact ensemble reaches it
    """

    name: str
    source: str
    expected: float
    run: Planned
    quantity: str
    per: float = 1.0
    within: float = 0.0
    solved: bool = True


class Landmark(NamedTuple):
    """A paper, and what of it is reproduced."""

    citation: str
    values: tuple[Value, ...]


class Judged(NamedTuple):
    """A value beside ours; `limit` is the allowed distance of the sample in standard errors."""

    value: Value
    exact: float | None
    sampled: Estimate[float]
    limit: float

    @property
    def sigma(self) -> float:
        """Standard errors between the sample and the closed form."""
        return (self.sampled.mean - self.value.expected) / self.sampled.stderr

    @property
    def holds(self) -> bool:
        """Whether the exact answer is the closed form, and the sample agrees with it."""
        expected, within = self.value.expected, max(self.value.within, ROUNDED)
        close = self.exact is None or abs(self.exact - expected) <= within * abs(expected)
        off = self.value.within * abs(expected) / self.sampled.stderr
        return close and abs(self.sigma) <= self.limit + off


@dataclass(frozen=True)
class LandmarkResult:
    """What came out for a paper: its name, what it is, and each value judged."""

    name: str
    landmark: Landmark
    judged: list[Judged]

    @property
    def agrees(self) -> bool:
        """Whether every value holds."""
        return all(judged.holds for judged in self.judged)

    def as_text(self) -> str:
        """Output of `trajsim reproduce --paper NAME`."""
        rows = table(HEADING, map(_row, self.judged))
        sources = dict.fromkeys(judged.value.source for judged in self.judged)
        held = sum(judged.holds for judged in self.judged)
        return (
            f"{self.landmark.citation}\n\n{rows}closed forms: {'; '.join(sources)}\n\n"
            f"{held} of {len(self.judged)} values hold\n"
        )

    def as_json(self) -> dict[str, Any]:
        """Output of `trajsim reproduce --paper NAME --json`."""
        return {
            "agrees": self.agrees,
            "paper": self.name,
            "citation": self.landmark.citation,
            "values": [
                {
                    "name": judged.value.name,
                    "source": judged.value.source,
                    "expected": judged.value.expected,
                    "exact": judged.exact,
                    "sampled": judged.sampled._asdict(),
                    "sigma": judged.sigma,
                    "holds": judged.holds,
                    "run": judged.value.run.name,
                }
                for judged in self.judged
            ],
        }

    def as_markdown(self) -> str:
        """The same as a page."""
        lines = [HEADING, ("---",) * len(HEADING), *map(_row, self.judged)]
        grid = "".join(f"| {' | '.join(line)} |\n" for line in lines)
        return f"# {self.landmark.citation}\n\n{grid}"

    def __repr__(self) -> str:
        return self.as_text().strip()


# -- closed forms ------------------------------------------------------------------------------


def ising_ring_heat(coupling: float, rate: float, hot: float, cold: float) -> float:
    """Heat rate for each hot spin of a ring of alternating baths, heat-bath law (Racz & Zia)."""
    return coupling * rate * (math.tanh(2 * coupling / cold) - math.tanh(2 * coupling / hot))


def ising_torus_energy(length: int, temperature: float) -> float:
    """Energy per site of length x length spins on a torus, J = 1 (Kaufman 1949, Eq. 51)."""
    step = 1e-4

    def log_z(inverse: float) -> float:
        cosines = np.cos(np.pi * np.arange(2 * length) / length)
        cosh = math.cosh(2 * inverse) / math.tanh(2 * inverse) - cosines
        gamma = np.arccosh(np.maximum(cosh, 1.0))
        gamma[0] = 2 * inverse + math.log(math.tanh(inverse))
        logs, signs = [], []
        for some in (gamma[1::2], gamma[::2]):
            for term in (2 * np.cosh(length / 2 * some), 2 * np.sinh(length / 2 * some)):
                logs.append(np.log(np.maximum(abs(term), 1e-300)).sum())
                signs.append(np.sign(term).prod())
        top = max(logs)
        total = sum(s * math.exp(x - top) for x, s in zip(logs, signs, strict=True))
        bonds = length**2 / 2 * math.log(2 * math.sinh(2 * inverse))
        return float(bonds - math.log(2) + top + math.log(total))

    beta = 1 / temperature
    near = log_z(beta + step) - log_z(beta - step)
    far = log_z(beta + 2 * step) - log_z(beta - 2 * step)
    return -(8 * near - far) / (12 * step * length**2)


def glauber_work(
    sites: int, temperature: float, rate: float, amplitude: float, period: float
) -> float:
    """Work per spin and period of a weak uniform field on a ring, J = 1, in linear response.

    The magnetisation relaxes at the rate 2 r (1 - tanh(2 J / T)) (Glauber 1963), and the field
    pushes it by 2 r (h / T) <1 - tanh^2((s_1 + s_3) J / T)>, here with the equilibrium of a ring.
    """
    eta, gamma = math.tanh(1 / temperature), math.tanh(2 / temperature)
    second = (eta**2 + eta ** (sites - 2)) / (1 + eta**sites)
    push = 2 * rate / temperature * (1 - gamma**2 * (1 + second) / 2)
    omega, relaxation = 2 * math.pi / period, 2 * rate * (1 - gamma)
    return math.pi * amplitude**2 * push * omega / (relaxation**2 + omega**2)


def dragged_work(distance: float, duration: float) -> float:
    """Work on an overdamped particle in a trap that is dragged steadily, k = gamma = T = 1.

    The particle lags behind the trap by v (1 - exp(-t)); the work is Gaussian with twice this
    variance.
    """
    return (distance / duration) ** 2 * (duration - 1.0 + math.exp(-duration))


def dragged_entropy(distance: float, duration: float) -> float:
    """Entropy production of the same, begun in equilibrium: the heat given to the bath.

    It is the work less the energy of the last lag; the entropy of the particle stays the same,
    since the width of its distribution does.
    """
    lag = distance / duration * (1.0 - math.exp(-duration))
    return dragged_work(distance, duration) - lag**2 / 2.0


def dragged_share(distance: float, duration: float) -> float:
    """2 (t dW/dt)^2 / (Var W sigma) of the same, t the duration; at most 1 (Koyuk & Seifert).

    A drift greater by eps times the mean velocity makes the states of the same protocol taken
    1 + eps times as slowly; the paths then have the Fisher information sigma / 2 of eps, which by
    Cramer and Rao is not less than (dW/deps)^2 / Var W.
    """
    decay = math.exp(-duration)
    slope = distance**2 * (2.0 * (1.0 - decay) / duration**2 - (1.0 + decay) / duration)
    work = dragged_work(distance, duration)
    return 2.0 * slope**2 / (2.0 * work * dragged_entropy(distance, duration))


# -- papers ------------------------------------------------------------------------------------

_RING = Planned("racz-zia-64", "ising_ring", (), ("ensemble.trajectories=100",))
_SMALL = ("lattice.shape=[4]", "ensemble.trajectories=10000")
_FOUR = Planned("racz-zia-4", "ising_ring", _SMALL, ("ensemble.trajectories=1000",))
_RACZ_ZIA = "Z. Racz, R. K. P. Zia, Phys. Rev. E 49, 139 (1994)"
_RIEDER = "Z. Rieder, J. L. Lebowitz, E. Lieb, J. Math. Phys. 8, 1073 (1967)"
_ENDS = (
    "lattice.shape=[4]",
    'sites=[{name="0", bath="hot", stiffness=1.0}, {name="3", bath="cold", stiffness=1.0}]',
)
_CHAIN = Planned("rieder-4", "harmonic_chain", _ENDS, ("ensemble.trajectories=200",))
_ENDLESS = Planned("rieder-24", "harmonic_chain", (), ("ensemble.trajectories=200",))
_TORUS = Planned("onsager", "ising_torus", (), ("ensemble.trajectories=40",))
_SCHMIEDL = "T. Schmiedl, U. Seifert, Phys. Rev. Lett. 98, 108301 (2007)"
_BEST, _RAMP = (
    Planned(
        f"schmiedl-seifert-{name}",
        "dragged_trap",
        ("sweep={}", f"sites.1.center.points={points}"),
        ("ensemble.trajectories=2000",),
    )
    for name, points in (
        ("best", f"[[0, 0.0], [0, {5 / 3}], [1, {10 / 3}], [1, 5.0]]"),
        ("ramp", "[[0, 0.0], [1, 5.0]]"),
    )
)
_KOYUK = "T. Koyuk, U. Seifert, Phys. Rev. Lett. 125, 260604 (2020)"
# The slope with the duration by differences of a tenth: the share is off by 0.95 %.
_DURATIONS = Planned(
    "koyuk-seifert",
    "dragged_trap",
    (
        'sweep={"drive.period"=[4.5, 5.0, 5.5]}',
        "sites.1.center.points=[[0, 0.0], [1, 5.0]]",
        "ensemble.trajectories=200000",
    ),
    ("ensemble.trajectories=20000",),
)
_FIELD = Planned("glauber-response", "glauber_ring", (), ("ensemble.trajectories=1000",))

PAPERS = {
    "racz-zia": Landmark(
        f"{_RACZ_ZIA}: two-temperature kinetic Ising ring",
        tuple(
            Value(
                f"heat rate per hot spin, ring of {sites}",
                _RACZ_ZIA,
                ising_ring_heat(1.0, 0.5, 2.0, 1.0),
                run,
                "heat.hot",
                per=sites / 2,
                solved=sites < 10,
            )
            for sites, run in ((4, _FOUR), (64, _RING))
        ),
    ),
    "onsager": Landmark(
        "L. Onsager, Phys. Rev. 65, 117 (1944); B. Kaufman, Phys. Rev. 76, 1232 (1949): "
        "Ising model on a torus",
        (
            Value(
                "energy per spin, 16 x 16, critical temperature",
                "Kaufman's partition function",
                ising_torus_energy(16, 2 / math.log(1 + math.sqrt(2))),
                _TORUS,
                "energy",
                per=256,
                solved=False,
            ),
        ),
    ),
    "schmiedl-seifert": Landmark(
        f"{_SCHMIEDL}: least work on a dragged trap",
        (
            Value("work of the best protocol, with jumps", _SCHMIEDL, 25 / 3, _BEST, "work"),
            Value("work of a ramp", "derived here", 25 / math.e, _RAMP, "work"),
        ),
    ),
    "koyuk-seifert": Landmark(
        f"{_KOYUK}: uncertainty relation of any protocol, here of a trap dragged for the time 5",
        (
            Value("work", "derived here", dragged_work(5.0, 5.0), _DURATIONS, "work"),
            Value(
                "variance of the work",
                "derived here",
                2.0 * dragged_work(5.0, 5.0),
                _DURATIONS,
                "work.variance",
            ),
            Value(
                "entropy production",
                "derived here",
                dragged_entropy(5.0, 5.0),
                _DURATIONS,
                "heat.B",
                per=-1.0,
            ),
            Value(
                "2 (t dW/dt)^2 / variance, over the entropy production",
                f"{_KOYUK}: at most 1; its value derived here",
                dragged_share(5.0, 5.0),
                _DURATIONS,
                "share",
                within=0.01,
            ),
        ),
    ),
    "glauber-response": Landmark(
        "R. J. Glauber, J. Math. Phys. 4, 294 (1963): response of a ring to a weak field",
        (
            Value(
                "work per spin and period, ring of 8",
                "linear response, derived here",
                glauber_work(8, 1.5, 0.5, 0.02, 5.0),
                _FIELD,
                "work",
                per=8,
                # The next order in the field over the temperature.
                within=1e-4,
            ),
        ),
    ),
    "rieder-lebowitz-lieb": Landmark(
        f"{_RIEDER}: harmonic chain between two baths",
        (
            Value(
                "heat rate per unit of temperature, 4 sites", _RIEDER, 4 / 21, _CHAIN, "heat.hot"
            ),
            Value(
                "the same, 24 sites: that of an endless chain",
                _RIEDER,
                (3 - math.sqrt(5)) / 4,
                _ENDLESS,
                "heat.hot",
            ),
        ),
    ),
}


# -- comparison --------------------------------------------------------------------------------


def reproduce_landmark(
    name: str,
    folder: Path,
    *,
    quick: bool = False,
    workers: int | None = None,
    force: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> LandmarkResult:
    """Simulate the runs of a paper, and compare its values.

    Parameters
    ----------
    name : key of PAPERS
    folder : for runs and the table (Markdown and JSON)
    quick, workers, force, say : as of `trajsim.paper.reproduce`

    Raises
    ------
    trajsim.running.run.RunError, trajsim.running.run.StoppedError, OSError
        As `trajsim.paper.reproduce` does.
    """
    landmark = PAPERS[name]
    expect_writable(folder / "numbers.md")
    planned = tuple({value.run.name: value.run for value in landmark.values}.values())
    made = make_all(folder, planned=planned, quick=quick, workers=workers, force=force, say=say)
    runs, many = {run.name: run for run in made}, len(landmark.values)
    judged = [_judged(value, runs[value.run.name], many) for value in landmark.values]
    result = LandmarkResult(name, landmark, judged)
    publish(folder / "numbers.md", result.as_markdown())
    publish(folder / "numbers.json", to_json(result.as_json()) + "\n")
    return result


def _judged(value: Value, run: Finished, values: int) -> Judged:
    experiment, averages = run.experiment(), run.averages[0]
    kind, _, label = value.quantity.partition(".")
    period, exact = experiment.drive.period, None
    if experiment.ends:
        durations = [point.experiment.drive.period for point in run.config.points]
        mean, stderr = _of_protocols(value.quantity, sampled(run.run, run.config), durations)
        totals = [exact_protocol(point.experiment) for point in run.config.points]
        exact = _of_protocols(value.quantity, totals, durations).mean
    elif kind == "heat":
        index = list(experiment.baths).index(label)
        mean, stderr = averages.heat_rate[label]
        if value.solved:
            exact = float(run.solved[0].currents.rates.heat[index])
    elif kind == "work":
        mean, stderr = (period * x for x in averages.total_work)
        if value.solved:
            exact = float(run.solved[0].currents.rates.work.sum()) * period
    else:
        mean, stderr = (x.item() for x in averages.edges["energy"])
    return Judged(
        value,
        None if exact is None else exact / value.per,
        Estimate(mean / value.per, stderr / abs(value.per)),
        threshold(averages.trajectories, values),
    )


def _of_protocols(
    quantity: str, totals: Sequence[ProtocolTotals[Any] | None], durations: Sequence[float]
) -> Estimate[float]:
    """A quantity of the protocol in the middle of a sweep of its duration, exact or sampled.

    "share" is 2 (t dW/dt)^2 / (Var W sigma) with the slope by differences of the outer protocols,
    at the temperature 1. Its relative errors are added up: they are not independent.

    Parameters
    ----------
    quantity : "work", "work.variance", "heat.NAME" or "share"
    totals : of each protocol
    durations : of each protocol
    """
    every = [one for one in totals if one is not None]
    middle, label = len(every) // 2, quantity.partition(".")[2]
    if quantity.startswith("heat"):
        return _estimate(every[middle].heat[label].mean)
    works = [list(one.work.values())[-1] for one in every]
    mean, variance = map(_estimate, works[middle])
    if quantity != "share":
        return mean if quantity == "work" else variance
    (heat,) = (_estimate(one.mean) for one in every[middle].heat.values())
    first, last = (_estimate(works[k].mean) for k in (0, -1))
    per = durations[middle] / (durations[-1] - durations[0])
    slope, error = (last.mean - first.mean) * per, math.hypot(first.stderr, last.stderr) * per
    share = 2.0 * slope**2 / (variance.mean * -heat.mean)
    relative = (2.0 * error / slope, variance.stderr / variance.mean, heat.stderr / heat.mean)
    return Estimate(share, share * sum(map(abs, relative)))


def _estimate(value: Any) -> Estimate[float]:
    """An estimate; one without an error of an exact number."""
    return value if isinstance(value, Estimate) else Estimate(float(value), 0.0)


# -- as text -----------------------------------------------------------------------------------


def _row(judged: Judged) -> tuple[str, ...]:
    exact = "out of reach" if judged.exact is None else f"{judged.exact:.8g}"
    return (
        judged.value.name,
        f"{judged.value.expected:.8g}",
        exact,
        f"{judged.sampled.mean:.6g} +- {judged.sampled.stderr:.1e}",
        f"{judged.sigma:+.2f}",
        WORDS[judged.holds],
    )
