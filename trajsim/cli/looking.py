"""Verbs that analyse and show runs."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from trajsim.cli.common import (
    DISAGREES,
    Name,
    as_json,
    echo,
    echo_text,
    fail,
    open_run,
    overrides_option,
    refusals,
    run_argument,
    say,
    warn_of_shadow,
)


@click.command()
@run_argument
@click.option(
    "--window",
    type=click.IntRange(min=1),
    metavar="ROWS",
    help="Fluctuations over windows of so many rows; default: whole trajectories.",
)
@click.option("--theorems", "with_theorems", is_flag=True, help="Ask RUN of fluctuation theorems.")
@click.option(
    "--reversed",
    "reversed_run",
    type=Name(),
    help="A run of the reversed protocol: Bennett's dF, and theorems that compare the two.",
)
@as_json
def analyze(
    run: Path, window: int | None, with_theorems: bool, reversed_run: Path | None, as_json: bool
) -> None:
    """Averages and fluctuations of RUN with standard errors, and what the system does."""
    with refusals():
        from tempfile import TemporaryFile

        from trajsim import output as out
        from trajsim.analysis.fluctuations import fluctuations
        from trajsim.analysis.windows import WindowError, Windows
        from trajsim.comparison import CannotCheckError
        from trajsim.output import fluctuations as more
        from trajsim.output.protocols import protocol_json, protocol_table

        source = open_run(run)
        if source.shard:
            say(f"shard {source.shard.number} of {source.shard.total}: its trajectories alone")
        sampled = source.averages()
        if not sampled:
            fail(f"{run}: no trajectory is finished yet")
        warn_of_shadow(sampled)
        try:
            Windows.of(source.layout, 0, window)
        except WindowError as error:
            fail(f"{run}: {error}")
        pairs = zip(sampled, fluctuations(source, window), strict=True)
        backward = open_run(reversed_run) if reversed_run else None
        try:
            outcomes = source.theorems(backward) if with_theorems or backward else None
            protocols = source.protocols(backward) or [None] * len(sampled)
        except CannotCheckError as error:
            fail(str(error))
        if as_json:
            totals = {
                "trajectories": min(a.trajectories for a in sampled),
                "time": sampled[0].time,
                "first_law_residual": max(a.first_law_residual for a in sampled),
            }
            points = (
                {
                    **out.averages_json(a),
                    **more.fluctuations_json(f),
                    **protocol_json(protocols[k]),
                    **({"theorems": more.theorems_json(outcomes[k])} if outcomes else {}),
                }
                for k, (a, f) in enumerate(pairs)
            )
            # Printed only when it is complete; buffered on disk until then.
            with TemporaryFile("w+", encoding="utf-8") as text:
                text.writelines(out.points_json(points, totals))
                text.seek(0)
                while lines := text.readlines(1 << 20):
                    echo_text("".join(lines))
        else:
            for k, (a, f) in enumerate(pairs):
                protocol = protocol_table(protocols[k])
                echo_text(out.averages_table(a) + more.fluctuations_table(f) + protocol)
                if outcomes is not None:
                    echo_text(more.theorems_table(outcomes[k]))


@click.command("check")
@run_argument
@click.option(
    "--against",
    "reference",
    type=Name(),
    help="Compare with this run instead, such as one of twice the steps.",
)
@as_json
def check_command(run: Path, reference: Path | None, as_json: bool) -> None:
    """Compare RUN with the exact ensemble, every quantity in standard errors."""
    with refusals():
        from trajsim import api
        from trajsim import output as out
        from trajsim.comparison import CannotCheckError
        from trajsim.ensemble import NoExactSideError

        try:
            verdict = api.check(open_run(run), reference)
        except (CannotCheckError, NoExactSideError) as error:
            fail(f"{run}: cannot be checked: {error}")
        if as_json:
            echo_text(out.to_json(out.check_json(verdict)))
        else:
            echo_text(out.check_table(verdict, most_points=1000))
        if not verdict.agrees:
            sys.exit(DISAGREES)


@click.command()
@click.argument("source", metavar="RUN|CONFIG", type=Name())
@click.option("-o", "--output", type=Name(), help="Folder; default: beside it.")
@overrides_option
@click.option("--window", type=click.IntRange(min=1), metavar="ROWS", help="As of analyze.")
@click.option(
    "--reversed",
    "reversed_run",
    type=Name(),
    help="A run of the reversed protocol: draw the works of both, which cross at dF.",
)
def plot(
    source: Path,
    output: Path | None,
    overrides: tuple[str, ...],
    window: int | None,
    reversed_run: Path | None,
) -> None:
    """Draw RUN over the exact curves, or the exact curves of CONFIG alone (PNG and PDF)."""
    _one_thread_for_matrices()
    with refusals():
        from trajsim import plots
        from trajsim.system.files import expect_writable, holds_config, holds_run, stem

        by_name = source.suffix.lower() == ".toml" and not holds_run(source)
        of_config = by_name or holds_config(source)
        if overrides and not of_config:
            fail("--set goes with a config, not with a run")
        for name, given in (("--window", window), ("--reversed", reversed_run)):
            if given and of_config:
                fail(f"{name} goes with a run, not with a config")
        folder = output or (Path("runs") if of_config else source.parent)
        name = stem(source) + ("-config" if of_config else "")
        expect_writable(folder / f"{name}.png")
        figures = (
            _of_config(source, overrides) if of_config else _of_run(source, window, reversed_run)
        )
        for path in plots.save(figures, folder, name, window):
            echo(path)


def _one_thread_for_matrices() -> None:
    """Keep numpy, which is not imported yet, from several threads for a matrix.

    Exact curves are of many small matrices, solved side by side: more threads wait for each other
    (24 oscillators, 2 cores: 101 s in place of 25 s).
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _of_config(source: Path, overrides: tuple[str, ...]) -> dict[str, Any]:
    """Figures of the exact curves alone."""
    from trajsim import api, plots

    config = api.load(source, overrides)
    missing = plots.no_exact_side(config.experiment)
    if missing:
        fail(f"{source}: there are no exact curves to draw: {missing}")
    return plots.figures(config, None)


def _of_run(source: Path, window: int | None, reversed_run: Path | None) -> dict[str, Any]:
    """Figures of a run over the exact curves."""
    from trajsim import plots
    from trajsim.analysis.windows import WindowError
    from trajsim.comparison import CannotCheckError

    run = open_run(source)
    missing = plots.no_exact_side(run.config.experiment)
    if missing:
        say(f"{source}: drawn without exact curves: {missing}")
    try:
        return run.figures(window, open_run(reversed_run) if reversed_run else None)
    except WindowError as error:
        fail(f"{source}: {error}")
    except CannotCheckError as error:
        fail(str(error))


@click.command("report")
@run_argument
@click.option("-o", "--output", type=Name(), help="Default: beside RUN, ending in .html.")
@click.option(
    "--reversed", "reversed_run", type=Name(), help="A run of the reversed protocol, as of plot."
)
def report_command(run: Path, output: Path | None, reversed_run: Path | None) -> None:
    """Write RUN as one HTML page: figures, averages, check, theorems, config, provenance."""
    _one_thread_for_matrices()
    with refusals():
        from trajsim.comparison import CannotCheckError
        from trajsim.system.files import expect_writable, stem

        page = output or run.parent / f"{stem(run)}.html"
        expect_writable(page)
        try:
            echo(open_run(run).report(page, open_run(reversed_run) if reversed_run else None))
        except CannotCheckError as error:
            fail(str(error))
