"""The Python interface of `import trajsim`, which the command line uses, too."""

import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from html import escape
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import tomli_w

from trajsim.analysis.averages import Averages, averages
from trajsim.analysis.estimate import ByLabel
from trajsim.analysis.fluctuations import Fluctuations, fluctuations
from trajsim.analysis.rates import RATES, Rates
from trajsim.analysis.regimes import Regime
from trajsim.analysis.tables import PointList, missing_library
from trajsim.comparison import Check
from trajsim.comparison import against as _against
from trajsim.comparison import check as _check
from trajsim.config import Config, Experiment, Point, build, restore
from trajsim.config import ConfigError as ConfigError  # what `load` raises is named here, too
from trajsim.config import load as _load
from trajsim.config.faults import choice, show
from trajsim.config.values import assignments, known, plain, refused
from trajsim.ensemble import counting_of, of_kind
from trajsim.errors import TrajsimError
from trajsim.explore import exact_regime
from trajsim.explore.points import TOLERANCE, solve
from trajsim.extending.plugins import differences
from trajsim.paper import LandmarkResult, Reproduction
from trajsim.paper import reproduce as _reproduce
from trajsim.paper.landmarks import PAPERS
from trajsim.running.in_memory import save, simulate_in_memory
from trajsim.running.provenance import layout_of, plugins_of
from trajsim.running.run import simulate as _simulate
from trajsim.store import RunError, StoredRun, StoreError, open_run, verify, wrong_with
from trajsim.system.files import expect_writable, publish
from trajsim.system.text import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from trajsim.analysis.extremes import Extreme
    from trajsim.analysis.protocols import ProtocolTotals, SampledProtocol
    from trajsim.analysis.theorems import Outcome
    from trajsim.ensemble.protocols import Counting
    from trajsim.trace import Trace

# Sources of a config.
Source = str | Path | Mapping[str, Any] | Config | Point | Experiment
# Overrides: values by key, texts as after `--set`, pairs (key, value), or a list of these.
Override = str | Mapping[str, Any] | tuple[str, Any]
Overrides = Override | Iterable[Override]


def load(source: Source, overrides: Overrides = ()) -> Config:
    """Config from a TOML file, a table of the same keys, or an experiment.

    Parameters
    ----------
    source : path of a file; dict with the keys of a file; or a loaded config, such as `run.config`,
        with its overrides
    overrides : values by key, {"sites.2.drive.phase": 1.0}, where nested tables are the same as
        dotted keys, {"sites": {"2": {"drive": {"phase": 1.0}}}}; or texts as after `--set`, pairs
        (key, value), or a list of these. Values may be numbers, texts, lists, tables and arrays, of
        Python, numpy or what numpy can read

    Raises
    ------
    ConfigError
        With all faults, by key; or if the source is invalid.
    """
    changes = list(assignments(overrides))
    if isinstance(source, str | Path):
        return _load(source, changes)
    if isinstance(source, Config):
        return build(plain(source.experiment), source.text, changes) if changes else source
    if not isinstance(source, Mapping | Point | Experiment):
        allowed = "the path of a config, a table of its keys, or what was loaded before"
        raise refused((), f"found {show(source)}; allowed: {allowed}")
    data = plain(source.experiment if isinstance(source, Point) else source)
    return build(data, tomli_w.dumps(known(data)), changes)


def simulate(
    source: Source,
    output: str | Path | None = None,
    *,
    workers: int | None = None,
    engine: str = "threads",
    resume: bool = False,
    force: bool = False,
) -> "Run":
    """Simulate all trajectories of a config.

    Parameters
    ----------
    source : as for `load`
    output : HDF5 file to make; without one the run is kept in memory
    workers : threads or processes here; as many as processors if None
    engine : "threads", "dask" or "dask:ADDRESS" (`pip install 'trajsim[dask]'`); the ledger is the
        same for any, and any number of workers
    resume : continue an unfinished run of the same config
    force : replace an existing output

    Raises
    ------
    ConfigError
        If the config has faults.
    trajsim.running.run.RunError
        If the run cannot be made: output exists, disk too small, config differs.
    trajsim.running.run.StoppedError
        If it was interrupted; every finished block is kept where there is an output.
    """
    config = load(source)
    if output is not None:
        path = _path(output, "the path of a file to make", RunError)
        _simulate(
            config, path, workers=workers, engine=engine, resume=resume, force=force, say=_say
        )
        return open(path)
    return _as_run(simulate_in_memory(config, workers=workers, engine=engine, say=_say))


def open(path: str | Path) -> "Run":
    """Open a run, finished or not (`x.h5.parts`); its columns are read on access.

    Raises
    ------
    trajsim.store.StoreError
        If there is none, or this version cannot read it.
    """
    return Run(**vars(open_run(_path(path, "the path of a run", StoreError))))


@overload
def exact(source: Point, tolerance: float = TOLERANCE) -> "Exact": ...
@overload
def exact(source: Source, tolerance: float = TOLERANCE) -> Any: ...
def exact(source: Source, tolerance: float = TOLERANCE) -> Any:
    """Exact ensemble of a config: of a sweep a list of them, one for each point.

    Parameters
    ----------
    source : as for `load`
    tolerance : relative, of the currents

    Raises
    ------
    trajsim.ensemble.NoExactSideError
        If there is no exact ensemble, or it is out of reach.
    trajsim.TrajsimError
        If the tolerance is not between 0 and 1.
    """
    if not (isinstance(tolerance, Real) and 0.0 < tolerance < 1.0):
        raise TrajsimError(
            f"tolerance: found {show(tolerance)}; allowed: a number above 0 and below 1"
        )
    points = [source] if isinstance(source, Point) else load(source).points
    results = PointList(Exact(p, solve(p.experiment, tolerance)) for p in points)
    return results[0] if len(results) == 1 else results


def check(run: StoredRun | str | Path, reference: StoredRun | str | Path | None = None) -> Check:
    """Compare a run with the exact ensemble, or with a reference run, in standard errors.

    Raises
    ------
    trajsim.comparison.CannotCheckError
        If there are too few trajectories or events to judge anything.
    trajsim.ensemble.NoExactSideError
        If the exact ensemble is out of reach.
    """
    own = _as_run(run)
    return _check(own, own.config) if reference is None else _against(own, _as_run(reference))


def reproduce(
    folder: str | Path,
    *,
    paper: str | None = None,
    quick: bool = False,
    workers: int | None = None,
    force: bool = False,
) -> Reproduction | LandmarkResult:
    """Reproduce the paper's figures, numbers and statements, like `trajsim reproduce`.

    Parameters
    ----------
    folder : for runs, figures and the table; existing runs are continued
    paper : another paper, of which closed forms are compared, as `reproduce --paper list` names it
    quick : with fewer trajectories
    workers : threads; all processors if None
    force : replace existing runs

    Raises
    ------
    trajsim.running.run.RunError
        If a run cannot be made, or another one has its name.
    trajsim.running.run.StoppedError
        If it was interrupted; every finished block is kept.
    ValueError
        If there is no such paper.
    """
    path = _path(folder, "the path of a folder", RunError)
    if paper is not None and paper not in PAPERS:
        raise ValueError(f"paper: {choice(paper, PAPERS)}")
    return _reproduce(path, paper=paper, quick=quick, workers=workers, force=force, say=_say)


@dataclass(frozen=True, repr=False)
class Run(StoredRun):
    """A run and its analyses; `run["heat"][0, :100]` reads a part of a column."""

    @cached_property
    def config(self) -> Config:
        """Config that the run was made from.

        Raises
        ------
        trajsim.store.StoreError
            If the run's ledger is not the one that this config makes.
        """
        config = restore(self.header["config"], self.header["resolved"], str(self.path))
        if layout_of(config) != self.layout:
            raise StoreError(f"{self.path}: its layout is not the one that its config makes")
        return config

    @property
    def plugin_notes(self) -> list[str]:
        """Sentences on plugins that have changed since the run was made with them."""
        return differences(self.header.get("plugins"), plugins_of(self.config))

    def averages(self) -> PointList[Averages]:
        """Mean rates of each point, with standard errors: a list, with `to_pandas()`."""
        temperatures = None
        # A run can be read without its config, which may need a missing plugin.
        with suppress(ConfigError, StoreError):
            temperatures = [point.experiment.regime_temperatures for point in self.config.points]
        return averages(self, temperatures)

    def fluctuations(self, window: int | None = None) -> list[Fluctuations]:
        """Cumulants, histograms and more of each point, over windows of so many rows."""
        return list(fluctuations(self, window))

    def theorems(self, reversed_run: "Run | None" = None) -> "list[list[Outcome]]":
        """Outcome of every fluctuation theorem at each point, as in `trajsim analyze`.

        Raises
        ------
        trajsim.comparison.CannotCheckError
            If the other run is not one of the reversed protocol of this one.
        """
        from trajsim.analysis.theorems import theorems
        from trajsim.comparison.settings import partners, settings

        if reversed_run is None:
            return list(theorems(self, settings(self.config)))
        other = _as_run(reversed_run)
        partner = partners(self, self.config, other, other.config)
        return list(theorems(self, settings(self.config), other, partner))

    def protocols(self, reversed_run: "Run | None" = None) -> "list[SampledProtocol | None]":
        """Heat, work and free energy of each point over a protocol that ends.

        None where a point is none, an empty list where no point is: one is one period
        (`periods = 1`, `burn_in = 0`) from `initial = "equilibrium"`.

        Parameters
        ----------
        reversed_run : of the reversed protocol, for Bennett's acceptance ratio

        Raises
        ------
        trajsim.comparison.CannotCheckError
            If that is not a run of the reversed protocol of the same system.
        """
        from trajsim.comparison.protocols import sampled

        if reversed_run is None:
            return sampled(self, self.config)
        other = _as_run(reversed_run)
        return sampled(self, self.config, (other, other.config))

    def check(self, reference: "Run | None" = None) -> Check:
        """See `trajsim.check`."""
        return check(self, reference)

    def figures(
        self, window: int | None = None, reversed_run: "Run | None" = None
    ) -> "dict[str, Figure]":
        """Figures of `trajsim plot`, by name.

        Parameters
        ----------
        window : rows of the windows over which fluctuations are shown; whole trajectories if None
        reversed_run : of the reversed protocol, for the works of a protocol that ends

        Raises
        ------
        trajsim.comparison.CannotCheckError
            If that is not a run of the reversed protocol of the same system.
        """
        from trajsim.plots import figures, work_figures

        more = {}
        if reversed_run is not None:
            other = _as_run(reversed_run)
            more = work_figures(self, self.config, other, other.config)
        return figures(self.config, self, window) | more

    def report(self, path: str | Path, reversed_run: "Run | None" = None) -> Path:
        """Write the self-contained HTML page of `trajsim report`; returns its path.

        Parameters
        ----------
        path : of the page
        reversed_run : of the reversed protocol, for what compares the two

        Raises
        ------
        trajsim.comparison.CannotCheckError
            If that is not a run of the reversed protocol of the same system.
        OSError
            If it cannot be written, or a run or a config would be replaced.
        """
        from trajsim.report import report

        page = _path(path, "the path of a page to write", RunError)
        expect_writable(page)
        other = None if reversed_run is None else _as_run(reversed_run)
        publish(page, report(self, self.config, (other, other.config) if other else None))
        return page

    def trace(
        self,
        trajectory: int,
        point: int = 0,
        periods: tuple[int, int] | None = None,
        every: int = 1,
    ) -> "Trace":
        """One trajectory event by event, simulated again (`trajsim.trace.trace`).

        Parameters
        ----------
        trajectory, point : their numbers, from 0
        periods : first and last (not included) of the recorded periods; all of them if None
        every : of oscillators, number of steps of an event

        Raises
        ------
        trajsim.trace.TraceError
            If there is no such trajectory or period, or the result disagrees with the ledger.
        """
        from trajsim.trace import TraceError, trace

        if not (isinstance(point, Integral) and 0 <= point < self.layout.points):
            raise TraceError(f"point {point!r}; allowed: 0 to {self.layout.points - 1}")
        return trace(self, self.config.points[point].experiment, trajectory, point, periods, every)

    def extremes(self, name: str, point: int = 0, count: int = 1) -> "list[Extreme]":
        """Trajectories whose heat.L, work.total ... is furthest from the mean.

        Raises
        ------
        ValueError
            If there is no such observable, or no trajectory of the point.
        """
        from trajsim.analysis.extremes import extremes

        return extremes(self, name, point, count)

    def verify(self) -> list[str]:
        """Sentences on what is wrong with the file; none if it is sound."""
        return verify(self.path) if self.image is None else wrong_with(self)

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the file that `simulate(config, path)` makes, atomically; returns its path.

        Parameters
        ----------
        path : HDF5 file to make
        force : replace an existing run

        Raises
        ------
        trajsim.RunError
            If there is a file or an unfinished run, or it cannot be written.
        trajsim.StoreError
            If the run is unfinished.
        """
        output = _path(path, "the path of a file to make", RunError)
        save(self, output, force)
        return output

    def to_xarray(self) -> Any:
        """The ledger as an `xarray.Dataset`, read on access.

        Raises
        ------
        ImportError
            Without the optional extra: pip install 'trajsim[xarray]'.
        """
        from io import BytesIO

        try:
            import xarray
        except ImportError:
            raise missing_library("to_xarray", "xarray") from None

        source = self.path if self.image is None else BytesIO(self.image)
        return xarray.open_dataset(source, group="ledger", engine="h5netcdf")

    @property
    def facts(self) -> dict[str, Any]:
        """Summary of the run, by name."""
        layout = self.layout
        return {
            "title": self.header["title"],
            "from": str(self.path)
            + (f" (shard {self.shard})" if self.shard else "")
            + ("" if self.complete else " (unfinished)"),
            "ledger": layout.summary,
            "columns": ", ".join(column.name for column in layout.columns),
            **{name: ", ".join(labels) for name, labels in layout.labels.items()},
            "events": f"{self.events:.4g}",
        }

    def __repr__(self) -> str:
        lines = [f"  {name.ljust(8)}{printable(value)}" for name, value in self.facts.items()]
        return "\n".join(["<trajsim run", *lines]) + ">"

    def _repr_html_(self) -> str:
        rows = (
            f"<tr><th style='text-align:left'>{escape(name)}</th>"
            f"<td style='text-align:left'>{escape(printable(value))}</td></tr>"
            for name, value in self.facts.items()
        )
        return f"<table>{''.join(rows)}</table>"


@dataclass(frozen=True, repr=False)
class Exact(Rates[float]):
    """Exact ensemble of one point of a config; rates are numbers, such as `heat_rate["L"]`.

    Attributes
    ----------
    point : swept values and experiment
    solved : the solution: `JumpEnsemble` of spins, of oscillators `LinearEnsemble` or
        `DrivenEnsemble`
    """

    point: Point
    solved: Any

    @property
    def parameters(self) -> dict[str, float]:  # type: ignore[override]
        """Swept values by key."""
        return self.point.parameters

    def _of(self, kind: str) -> ByLabel[float]:
        return self._by_label(kind, self.solved.currents.rates)

    def _by_label(self, kind: str, energetics: Any) -> ByLabel[float]:
        labels = self.point.experiment.labels[RATES[kind]]
        return ByLabel(zip(labels, map(float, of_kind(energetics, kind)), strict=False))

    @property
    def total_work_rate(self) -> float:
        """Inclusive work of all drives per unit time."""
        return float(self.solved.currents.rates.work.sum())

    @property
    def heat_error(self) -> ByLabel[float]:
        """Estimated errors of `heat_rate`, of the numerical solution."""
        return self._by_label("heat", self.solved.currents.error)

    @cached_property
    def protocol(self) -> "ProtocolTotals[float] | None":
        """Heat, work and free energy over a protocol that ends; None if it is none.

        Raises
        ------
        trajsim.ensemble.NoExactSideError
            If the exact side knows no fluctuations, or they are out of reach.
        """
        from trajsim.comparison.protocols import exact_protocol

        return exact_protocol(self.point.experiment)

    @property
    def regime(self) -> Regime:
        """Regime of the system, with efficiency or COP where it has one."""
        return exact_regime(self.point.experiment, self.solved.currents)

    @cached_property
    def counting(self) -> "Counting":
        """Exact fluctuations: cumulants, theta, distributions."""
        return counting_of(self.point.experiment.network())

    def __repr__(self) -> str:
        return f"<exact ensemble{self._lines()}\n  regime: {self.regime}>"


def _path(name: Any, allowed: str, error: type[TrajsimError]) -> Path:
    """Convert to a path; an error if it is none."""
    try:
        return Path(name)
    except TypeError:
        raise error(f"found {show(name)}; allowed: {allowed}") from None


def _as_run(run: StoredRun | str | Path) -> Run:
    if isinstance(run, Run):
        return run
    return Run(**vars(run)) if isinstance(run, StoredRun) else open(run)


def _say(message: str) -> None:
    """Print a message to stderr, in terminals and notebooks."""
    from trajsim.running.progress import watched

    if watched():
        print(message, file=sys.stderr)
