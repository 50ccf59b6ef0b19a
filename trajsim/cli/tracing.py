"""The verb that traces one trajectory."""

import re
import sys
from pathlib import Path

import click

from trajsim.cli.common import Name, echo, fail, open_run, refusals, run_argument, say


@click.command()
@run_argument
@click.option("--trajectory", type=click.IntRange(min=0), metavar="N", help="Its number, from 0.")
@click.option(
    "--extreme",
    metavar="NAME",
    help="The trajectory whose heat or work is furthest from the mean: heat.L, work.total ...",
)
@click.option("--point", type=click.IntRange(min=0), default=0, metavar="P", help="Of a sweep.")
@click.option("--periods", metavar="A:B", help="From period A to period B; default: all.")
@click.option(
    "--every",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Of oscillators: every so many steps.",
)
@click.option("-o", "--output", type=Name(), help="Default: stdout.")
@click.option("--plot", "draw", is_flag=True, help="Draw it, too (PNG and PDF, beside RUN).")
def trace(
    run: Path,
    trajectory: int | None,
    extreme: str | None,
    point: int,
    periods: str | None,
    every: int,
    output: Path | None,
    draw: bool,
) -> None:
    """Simulate one trajectory of RUN again and write down every event (CSV)."""
    with refusals():
        from trajsim.running.progress import announced
        from trajsim.system.files import expect_writable, publishing, stem
        from trajsim.trace import TraceError

        if output is not None:
            expect_writable(output)
        opened_run = open_run(run)
        if (trajectory is None) == (extreme is None):
            fail("one of --trajectory and --extreme is needed")
        try:
            if extreme is not None:
                (furthest,) = opened_run.extremes(extreme, point)
                trajectory = furthest.trajectory
                say(
                    f"trajectory {trajectory}: {extreme} = {furthest.value:.6g}, "
                    f"{furthest.deviations:+.2f} standard deviations from the mean"
                )
            with announced(say, "simulating the trajectory again, and adding up its events ..."):
                result = opened_run.trace(trajectory or 0, point, _periods(periods), every)
        except (TraceError, ValueError) as error:
            fail(f"{run}: {error}")
        if output is not None:
            with publishing(output, text=True) as file:
                result.write(file)
            say(f"{output}: {len(result)} events")
        elif not draw:
            sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
            result.write(sys.stdout)
        if draw:
            from trajsim import plots

            points = opened_run.config.points
            figures = plots.trajectory_figures(result, points[point].experiment)
            name = stem(run)
            name += f"-point-{point}" if len(points) > 1 else ""
            name += f"-periods-{periods.replace(':', '-')}" if periods else ""
            name += f"-every-{every}" if every > 1 else ""
            for path in plots.save(figures, run.parent, name):
                echo(path)


def _periods(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,18}:\d{1,18}", text):
        fail(f"--periods: found {text!r}; allowed: A:B, two whole numbers")
    first, last = text.split(":")
    return int(first), int(last)
