"""The verb that reproduces the paper."""

import sys
from pathlib import Path

import click

from trajsim.cli.common import (
    DISAGREES,
    STOPPED,
    Name,
    as_json,
    echo,
    echo_text,
    fail,
    refusals,
    say,
)


@click.command()
@click.option(
    "-o",
    "--output",
    type=Name(),
    help="Folder; default: runs/reproduce or runs/PAPER, with --quick runs/...-quick.",
)
@click.option(
    "--paper",
    help="Another paper, of which closed forms are compared; list names them.",
)
@click.option("--quick", is_flag=True, help="Fewer trajectories: less than a minute.")
@click.option("--workers", type=click.IntRange(1, 1024), help="Threads; default: all processors.")
@click.option("--force", is_flag=True, help="Replace runs that are there.")
@as_json
def reproduce(
    output: Path | None,
    paper: str | None,
    quick: bool,
    workers: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Make the paper's figures 1 to 4 and compare each of its numbers with ours.

    Runs that are there of an earlier time are taken up. Exit status 1: something published does
    not hold, or samples disagree with the exact ensemble.
    """
    with refusals():
        from trajsim import output as out
        from trajsim.config.faults import choice
        from trajsim.paper import reproduce as make
        from trajsim.paper.landmarks import PAPERS
        from trajsim.running.run import RunError, StoppedError

        if paper == "list":
            for name, landmark in PAPERS.items():
                echo(f"{name}: {landmark.citation}")
            return
        if paper is not None and paper not in PAPERS:
            fail(f"--paper: {choice(paper, ['list', *PAPERS])}")
        folder = output or Path("runs") / f"{paper or 'reproduce'}{'-quick' if quick else ''}"
        try:
            result = make(folder, paper=paper, quick=quick, workers=workers, force=force, say=say)
        except RunError as error:
            fail(str(error))
        except (StoppedError, KeyboardInterrupt) as error:
            fail(f"{error}; the same command goes on where this one ended", status=STOPPED)
        if as_json:
            echo_text(out.to_json(result.as_json()))
        else:
            echo_text(result.as_text())
            echo(f"{folder}: {'' if paper else 'figures, '}numbers.md, numbers.json, runs")
        if not result.agrees:
            sys.exit(DISAGREES)
