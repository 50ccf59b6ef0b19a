"""The paper again: its figures, and each of its numbers and statements beside ours."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trajsim.analysis.regimes import Estimate
from trajsim.callables import make_callable
from trajsim.check.verdict import threshold
from trajsim.explore import exact_regime
from trajsim.files import expect_writable
from trajsim.progress import each
from trajsim.reproduce.published import NUMBERS, PARAMETERS, Number, Parameters
from trajsim.reproduce.runs import Finished, make_all
from trajsim.reproduce.statements import STATEMENTS, Judged, Runs, Statement

__all__ = ["Compared", "Reproduction", "compare", "reproduce"]

make_callable(__name__)

# Which figure of which run is the paper's.
FIGURES = {"figure-1": "sweep", "figure-2": "sweep", "figure-3": "time", "figure-4": "sweep"}


class Compared(NamedTuple):
    """A published number beside ours.

    Attributes
    ----------
    number : as published
    exact, sampled : ours
    limit : standard errors that the sampled one may be off the exact one
    """

    number: Number
    exact: float
    sampled: Estimate
    limit: float

    @property
    def deviation(self) -> float:
        """Of ours, exact, from the published one, relative to it."""
        return (self.exact - self.number.value) / abs(self.number.value)

    @property
    def sigma(self) -> float:
        """Standard errors between sampled and exact."""
        return (self.sampled.mean - self.exact) / self.sampled.stderr

    @property
    def significance(self) -> float:
        """Standard errors between sampled and zero, positive if the sign is the published one."""
        return float(np.sign(self.number.value)) * self.sampled.mean / self.sampled.stderr

    @property
    def holds(self) -> bool:
        """Exact within one of the last printed digit, sampled on it, the sign beyond doubt."""
        near = abs(self.exact - self.number.value) <= self.number.unit
        return near and abs(self.sigma) <= self.limit < self.significance


@dataclass(frozen=True)
class Reproduction:
    """All of the paper beside ours.

    Attributes
    ----------
    parameters : of the figures, and whether the runs have them
    numbers : compared
    statements : judged
    runs : by name
    figures : files written
    """

    parameters: list[tuple[Parameters, bool]]
    numbers: list[Compared]
    statements: list[tuple[Statement, Judged]]
    runs: dict[str, Finished]
    figures: list[Path]

    @property
    def agrees(self) -> bool:
        """Whether all that is published holds and every run agrees with exact."""
        return (
            all(same for _, same in self.parameters)
            and all(number.holds for number in self.numbers)
            and all(judged.holds for _, judged in self.statements)
            and all(run.check.agrees for run in self.runs.values())
        )

    def __repr__(self) -> str:
        from trajsim.output.reproduction import reproduction_text

        return reproduction_text(self).strip()


def reproduce(
    folder: Path,
    *,
    quick: bool = False,
    workers: int | None = None,
    force: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Reproduction:
    """Run what the paper shows, draw its figures, and compare.

    Parameters
    ----------
    folder : for runs, figures (PNG and PDF) and the table (Markdown and JSON)
    quick : with fewer trajectories
    workers : threads; all processors if None
    force : replace runs that are there, which otherwise are taken up
    say : called with messages for the user

    Raises
    ------
    trajsim.run.RunError
        If a run cannot be made as asked, or another one is in its place.
    trajsim.run.StoppedError
        If it was interrupted; every finished block is kept.
    OSError
        If something cannot be written, or would replace a run or a config.
    """
    expect_writable(folder / "numbers.md")
    runs = {r.name: r for r in make_all(folder, quick=quick, workers=workers, force=force, say=say)}
    made = compare(runs, _draw(runs, folder))
    from trajsim.output.reproduction import write

    write(made, folder)
    return made


def compare(runs: Runs, figures: list[Path]) -> Reproduction:
    """Compare what the paper publishes with finished runs."""
    for run in each(runs.values(), "sampled against exact"):
        run.check  # noqa: B018 - the longest part, under a bar
    return Reproduction(
        parameters=[(p, has(runs[p.run], p)) for p in PARAMETERS],
        numbers=[compared(n, runs[n.run]) for n in NUMBERS],
        statements=[(s, s.judge(runs)) for s in STATEMENTS],
        runs=dict(runs),
        figures=figures,
    )


def compared(number: Number, run: Finished) -> Compared:
    """A number beside that of a run of one point."""
    (sampled,), (solved,) = run.averages, run.solved
    experiment = run.experiment()
    kind, _, label = number.quantity.partition(".")
    if kind == "efficiency":
        ours = exact_regime(experiment, solved.currents).efficiency
        exact = ours.mean if ours else float("nan")
        estimate = sampled.regime(experiment.temperatures).efficiency
    else:
        place = list(experiment.baths).index(label)
        exact = float(getattr(solved.currents.rates, kind)[place])
        estimate = sampled.of(kind)[label]
    limit = threshold(sampled.trajectories, 1)
    return Compared(number, exact, estimate or Estimate(float("nan"), float("nan")), limit)


def has(run: Finished, wanted: Parameters) -> bool:
    """Whether some point of a run has these parameters."""
    from trajsim.config.keys import find

    def value(data: object, key: str) -> object:
        for step in find(data, key):  # type: ignore[arg-type]
            data = data[step]  # type: ignore[index]
        return data

    return any(
        all(value(point.experiment.model_dump(), key) == x for key, x in wanted.values.items())
        for point in run.config.points
    )


def _draw(runs: Runs, folder: Path) -> list[Path]:
    """The paper's figures as files."""
    from trajsim import plots

    paths: list[Path] = []
    for name, which in each(FIGURES.items(), "figures"):
        figure = plots.figures(runs[name].config, runs[name].run)[which]
        paths += plots.write(figure, folder / name)
    return paths
