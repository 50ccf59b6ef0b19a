"""Reproduction of the paper: its figures, and each of its numbers and statements beside ours."""

from collections.abc import Callable
from pathlib import Path

from trajsim.paper.comparing import Compared, compared, has
from trajsim.paper.landmarks import LandmarkResult, reproduce_landmark
from trajsim.paper.published import NUMBERS, PARAMETERS
from trajsim.paper.reproduction import Reproduction, write
from trajsim.paper.runs import make_all
from trajsim.paper.statements import STATEMENTS, Runs
from trajsim.running.progress import each
from trajsim.system.files import expect_writable

__all__ = ["Compared", "LandmarkResult", "Reproduction", "compare", "has", "reproduce"]


# The paper's figures: name of the run, and of its figure.
FIGURES = {"figure-1": "sweep", "figure-2": "sweep", "figure-3": "time", "figure-4": "sweep"}


def reproduce(
    folder: Path,
    *,
    paper: str | None = None,
    quick: bool = False,
    workers: int | None = None,
    force: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Reproduction | LandmarkResult:
    """Simulate the paper's runs, draw its figures, and compare its numbers.

    Parameters
    ----------
    folder : for runs, figures (PNG and PDF) and the table (Markdown and JSON)
    paper : another paper, a key of `trajsim.paper.landmarks.PAPERS`, of which values are compared
    quick : with fewer trajectories
    workers : threads; all processors if None
    force : replace existing runs, which otherwise are continued
    say : called with messages for the user

    Raises
    ------
    trajsim.running.run.RunError
        If a run cannot be made, or another one has its name.
    trajsim.running.run.StoppedError
        If it was interrupted; every finished block is kept.
    OSError
        If something cannot be written, or would replace a run or a config.
    """
    if paper is not None:
        return reproduce_landmark(paper, folder, quick=quick, workers=workers, force=force, say=say)
    expect_writable(folder / "numbers.md")
    runs = {r.name: r for r in make_all(folder, quick=quick, workers=workers, force=force, say=say)}
    result = compare(runs, _draw(runs, folder))
    write(result, folder)
    return result


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


def _draw(runs: Runs, folder: Path) -> list[Path]:
    """The paper's figures as files."""
    from trajsim import plots

    paths: list[Path] = []
    for name, figure_name in each(FIGURES.items(), "figures"):
        figure = plots.figures(runs[name].config, runs[name].run)[figure_name]
        paths += plots.write(figure, folder / name)
    return paths
