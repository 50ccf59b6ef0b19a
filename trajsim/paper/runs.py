"""The runs that reproduce the paper: their configs, sizes and results."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.analysis.averages import Averages, averages
from trajsim.analysis.profile import Profile, profiles
from trajsim.comparison import Check, check
from trajsim.config import Config, Experiment, load
from trajsim.ensemble import ensemble
from trajsim.running.provenance import header_of
from trajsim.running.run import finished, simulate
from trajsim.store import StoredRun, open_run

Array = NDArray[np.float64]
TOLERANCE = 1e-9


class Planned(NamedTuple):
    """A run to be made.

    Attributes
    ----------
    name : of its file
    config : the shipped config, without its ending
    overrides : of the config
    quick : more overrides for quick runs
    """

    name: str
    config: str
    overrides: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()

    def load(self, quick: bool) -> Config:
        """The config."""
        path = shipped() / f"{self.config}.toml"
        return load(path, self.overrides + (self.quick if quick else ()))


def _many(trajectories: int, periods: int) -> tuple[str, ...]:
    """Overrides for many periods in the periodic state, with one row for each trajectory."""
    return (
        f"ensemble.trajectories={trajectories}",
        f"ensemble.periods={periods}",
        f"ledger.periods_per_row={periods}",
        "ensemble.burn_in=0",
        'ensemble.initial="periodic"',
    )


def _fewer(trajectories: int) -> tuple[str, ...]:
    return (f"ensemble.trajectories={trajectories}",)


RUNS = (
    Planned("undriven", "undriven", _many(100_000, 200), _fewer(25_000)),
    # q_R is 4e-4, and its error 3.7e-6 after 2e7 periods.
    Planned("heat_pump", "heat_pump", _many(500_000, 200), _fewer(25_000)),
    Planned("heat_engine", "heat_engine", _many(20_000, 200), _fewer(2_000)),
    # No fewer show the signs of each point.
    Planned("figure-1", "figure-1"),
    Planned("figure-2", "figure-2", (), _fewer(300)),
    Planned("figure-3", "figure-3", (), _fewer(5_000)),
    Planned("figure-4", "figure-4", (), _fewer(200)),
    Planned(
        "figure-4-warmer",
        "figure-4",
        ("baths.L.temperature=2.0", "ensemble.seed=5"),
        _fewer(200),
    ),
)


def shipped() -> Path:
    """Folder of the configs that come with the program."""
    return Path(str(files("trajsim") / "configs"))


class Current(NamedTuple):
    """A current along a sweep: exact, sampled, standard error, each (n,)."""

    exact: Array
    mean: Array
    stderr: Array

    def __add__(self, other: Any) -> "Current":
        """Sum of two currents; its error is bounded by the sum of theirs."""
        return Current(*(a + b for a, b in zip(self, other, strict=True)))

    def __neg__(self) -> "Current":
        return Current(-self.exact, -self.mean, self.stderr)


class Sweep(NamedTuple):
    """Currents along the phase, by name: q_L, q_R, w, w_L, w_R and those of exclusive work."""

    phase: Array
    currents: dict[str, Current]
    trajectories: int


@dataclass(frozen=True)
class Finished:
    """A finished run and its analyses."""

    name: str
    config: Config
    run: StoredRun

    @cached_property
    def averages(self) -> list[Averages]:
        """Of each point."""
        return averages(self.run, [p.experiment.regime_temperatures for p in self.config.points])

    @cached_property
    def profiles(self) -> list[Profile]:
        """Of each point, row by row."""
        return profiles(self.run)

    @cached_property
    def check(self) -> Check:
        """Sampled against exact."""
        return check(self.run, self.config, self.averages)

    @cached_property
    def solved(self) -> list[Any]:
        """Exact ensemble of each point."""
        return [ensemble(p.experiment.network(), TOLERANCE) for p in self.config.points]

    def sweep(self, **fixed: float) -> Sweep:
        """Points with these temperatures, R=0.5, in the order of the phase."""
        temperatures = {f"baths.{bath}.temperature": t for bath, t in fixed.items()}
        points = [
            k
            for k, point in enumerate(self.config.points)
            if all(point.parameters[key] == value for key, value in temperatures.items())
        ]
        sampled = [self.averages[k] for k in points]
        rates = [self.solved[k].currents.rates for k in points]
        currents: dict[str, Current] = {}
        for kind, letter in (("heat", "q"), ("work", "w"), ("exclusive_work", "x")):
            exact = np.array([getattr(r, kind) for r in rates])
            means = np.array([list(a.of(kind).values()) for a in sampled])
            for column, side in enumerate("LR"):
                currents[f"{letter}_{side}"] = Current(
                    exact[:, column], means[:, column, 0], means[:, column, 1]
                )
        total = np.array([a.total_work for a in sampled])
        work = np.array([r.work.sum() for r in rates])
        currents["w"] = Current(work, total[:, 0], total[:, 1])
        currents["x"] = currents["x_L"] + currents["x_R"]
        phase = [self.experiment(k).sites[1].drive.phase for k in points]
        return Sweep(np.array(phase), currents, min(a.trajectories for a in sampled))

    def experiment(self, point: int = 0) -> Experiment:
        """Experiment of a point."""
        return self.config.points[point].experiment


def make_all(
    folder: Path,
    *,
    planned: tuple[Planned, ...] = (),
    quick: bool,
    workers: int | None,
    force: bool,
    say: Callable[[str], None],
) -> Iterator[Finished]:
    """Make every run in a folder; existing ones are continued.

    Parameters
    ----------
    folder : of the runs
    planned : which; default: RUNS
    quick : with fewer trajectories
    workers : threads; all processors if None
    force : replace existing runs
    say : called with messages for the user

    Raises
    ------
    trajsim.running.run.RunError
        If a file is another run.
    trajsim.running.run.StoppedError
        If it was interrupted; every finished block is kept.
    """
    every = planned or RUNS
    for number, one in enumerate(every, 1):
        config = one.load(quick)
        path = folder / f"{one.name}.h5"
        say(f"{number}/{len(every)} {path}: {config.summary}")
        if path.is_file() and not force:
            finished(path, header_of(config))
            say(f"{number}/{len(every)} {path}: is there already")
        else:
            simulate(config, path, workers=workers, resume=not force, force=force, say=say)
        yield Finished(one.name, config, open_run(path))
