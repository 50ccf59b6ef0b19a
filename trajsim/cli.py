"""The command line. Everything heavy is imported inside the commands: `--help` is instant."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

import trajsim

if TYPE_CHECKING:
    from typing import Any

    from trajsim.analysis.averages import Averages
    from trajsim.analysis.theorems import Outcome
    from trajsim.config import Config, Point
    from trajsim.store import Run

DISAGREES, BAD_INPUT, STOPPED = 1, 2, 3

config_argument = click.argument("config", type=click.Path(path_type=Path))
run_argument = click.argument("run", type=click.Path(path_type=Path))
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
overrides_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Put a value in place of the config's.",
)


def say(message: str) -> None:
    """Tell the user something that is not the answer."""
    # File names may hold bytes that are no text.
    click.echo(message.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), err=True)


def fail(message: str, status: int = BAD_INPUT) -> NoReturn:
    """End with a message and a status."""
    say(message)
    sys.exit(status)


@contextmanager
def refusals() -> Iterator[None]:
    """Turn everything a user can get wrong into a message and exit status 2."""
    from trajsim.config.faults import ConfigError
    from trajsim.store.files import StoreError

    try:
        yield
    except (ConfigError, StoreError) as error:
        fail(str(error))
    except BrokenPipeError:
        sys.exit(BAD_INPUT)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        fail(f"{name}{error.strerror or error}")


def config_of(run: "Run") -> "Config":
    """Config that a run was made from."""
    from trajsim.config import restore

    return restore(run.header["config"], run.header["resolved"], str(run.path))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(trajsim.__version__)
def main() -> None:
    """Single trajectories of small driven systems between heat baths, with the books kept."""


@main.command("run")
@config_argument
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Default: runs/<config stem>.h5."
)
@overrides_option
@click.option("--workers", type=click.IntRange(1, 1024), help="Threads; default: all processors.")
@click.option("--engine", type=click.Choice(["threads"]), default="threads", show_default=True)
@click.option("--resume", is_flag=True, help="Take up an unfinished run.")
@click.option("--force", is_flag=True, help="Replace an output that is there.")
@click.option(
    "--reverse",
    is_flag=True,
    help="Run the protocol backwards in time; default output: runs/<config stem>-reverse.h5.",
)
@as_json
def run_command(
    config: Path,
    output: Path | None,
    overrides: tuple[str, ...],
    workers: int | None,
    engine: str,
    resume: bool,
    force: bool,
    reverse: bool,
    as_json: bool,
) -> None:
    """Simulate CONFIG; print averages and, where there is an exact side, the check."""
    with refusals():
        from trajsim.config import load

        backwards = ('drive.direction="reverse"',) if reverse else ()
        loaded = load(config, (*overrides, *backwards))
        from trajsim import output as out
        from trajsim.run import RunError, StoppedError, simulate

        target = output or Path("runs") / f"{config.stem}{'-reverse' if reverse else ''}.h5"
        say(f"{loaded.experiment.title or config}: {out.config_summary(loaded)}")
        try:
            summary = simulate(loaded, target, workers=workers, resume=resume, force=force, say=say)
        except RunError as error:
            fail(str(error))
        except StoppedError as error:
            again = ["trajsim", "run", str(config), "-o", str(target), "--resume"]
            again += [word for override in overrides for word in ("--set", override)]
            again += ["--reverse"] if reverse else []
            fail(f"{error}; finished blocks are kept. Go on with:\n  {shlex.join(again)}", STOPPED)
        say(
            f"{target}: {summary.simulated_periods:.4g} periods, {summary.events:.4g} events "
            f"in {summary.wall_time:.1f} s"
        )
        if as_json:
            click.echo(
                out.to_json(
                    {
                        "run": str(target),
                        "wall_time": summary.wall_time,
                        "simulated_periods": summary.simulated_periods,
                        "events": summary.events,
                    }
                )
            )
        else:
            _report(target)


def _report(target: Path) -> None:
    """Averages and, where possible, the check of a fresh run."""
    from trajsim import output as out
    from trajsim.analysis.averages import averages
    from trajsim.check import CannotCheckError, check
    from trajsim.exact import NoExactSideError
    from trajsim.store import open_run

    run = open_run(target)
    loaded, sampled = config_of(run), averages(run)
    _warn_of_shadow(sampled)
    try:
        verdict = check(run, loaded, sampled)
    except (CannotCheckError, NoExactSideError) as error:
        for point in sampled[:3]:
            click.echo(out.averages_table(point, loaded.experiment), nl=False)
        click.echo(f"not checked: {error}")
        return
    click.echo(out.check_table(verdict), nl=False)
    if len(sampled) == 1:
        click.echo(out.regime_line(sampled[0], loaded.experiment), nl=False)


def _warn_of_shadow(sampled: "list[Averages]") -> None:
    """Tell of the first point at which the integrator's error matters."""
    from trajsim import output as out

    warning = next(filter(None, map(out.shadow_warning, sampled)), None)
    if warning:
        say(warning)


@main.command()
@config_argument
@overrides_option
@click.option("--counting", is_flag=True, help="Add the cumulants of heat and work.")
@as_json
def exact(config: Path, overrides: tuple[str, ...], counting: bool, as_json: bool) -> None:
    """Ensemble averages of CONFIG without sampling."""
    with refusals():
        from trajsim.config import load

        loaded = load(config, overrides)
        from trajsim import output as out
        from trajsim.exact import NoExactSideError

        try:
            solved = [(point, out.solve(point)) for point in loaded.points]
            counted = [_counted(point) if counting else {} for point in loaded.points]
        except NoExactSideError as error:
            fail(f"{config}: {error}")
        pairs = list(zip(solved, counted, strict=True))
        if as_json:
            points = [{**out.exact_json(*pair), **more} for pair, more in pairs]
            click.echo(out.to_json({"points": points}))
        else:
            from trajsim.counting_output import counted_table

            for pair, more in pairs:
                click.echo(out.exact_table(*pair), nl=False)
                if more:
                    click.echo("\n" + counted_table(more), nl=False)


def _counted(point: "Point") -> "dict[str, Any]":
    """Exact fluctuations at one point of a config."""
    from trajsim.counting_output import counted
    from trajsim.exact import counting_of

    return counted(counting_of(point.experiment.network()), point.experiment)


@main.command()
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
    type=click.Path(path_type=Path),
    help="A run of the reversed protocol, for the theorems that compare the two.",
)
@as_json
def analyze(
    run: Path, window: int | None, with_theorems: bool, reversed_run: Path | None, as_json: bool
) -> None:
    """Averages and fluctuations of RUN with standard errors, and what the system does."""
    with refusals():
        from trajsim import output as out
        from trajsim import output_fluctuations as more
        from trajsim.analysis.averages import averages
        from trajsim.analysis.fluctuations import fluctuations
        from trajsim.analysis.windows import WindowError
        from trajsim.store import open_run

        opened = open_run(run)
        loaded, sampled = config_of(opened), averages(opened)
        experiments = {tuple(p.parameters.values()): p.experiment for p in loaded.points}
        pairs = [(a, experiments[tuple(a.parameters.values())]) for a in sampled]
        if not pairs:
            fail(f"{run}: no trajectory is finished yet")
        _warn_of_shadow(sampled)
        try:
            found = list(fluctuations(opened, window))
        except WindowError as error:
            fail(f"{run}: {error}")
        outcomes = _outcomes(opened, reversed_run) if with_theorems or reversed_run else None
        if as_json:
            points = [
                {**out.averages_json(a, e), **more.fluctuations_json(f)}
                for (a, e), f in zip(pairs, found, strict=True)
            ]
            for point, asked in zip(points, outcomes or [], strict=False):
                point["theorems"] = more.theorems_json(asked)
            click.echo(
                out.to_json(
                    {
                        "points": points,
                        "trajectories": min(a.trajectories for a in sampled),
                        "time": sampled[0].time,
                        "first_law_residual": max(a.first_law_residual for a in sampled),
                    }
                )
            )
        else:
            for k, ((a, e), f) in enumerate(zip(pairs, found, strict=True)):
                click.echo(out.averages_table(a, e) + more.fluctuations_table(f), nl=False)
                if outcomes is not None:
                    click.echo(more.theorems_table(outcomes[k]), nl=False)


def _outcomes(run: "Run", reversed_run: Path | None) -> "list[list[Outcome]]":
    """What a run says of every theorem, point by point."""
    from trajsim.analysis.theorems import theorems
    from trajsim.check import CannotCheckError
    from trajsim.check.settings import partners, settings
    from trajsim.store import open_run

    config = config_of(run)
    if reversed_run is None:
        return list(theorems(run, settings(config)))
    other = open_run(reversed_run)
    try:
        partner = partners(run, config, other, config_of(other))
    except CannotCheckError as error:
        fail(str(error))
    return list(theorems(run, settings(config), other, partner))


@main.command("check")
@run_argument
@click.option(
    "--against",
    "reference",
    type=click.Path(path_type=Path),
    help="Compare with this run instead, such as one of twice the steps.",
)
@as_json
def check_command(run: Path, reference: Path | None, as_json: bool) -> None:
    """Compare RUN with the exact ensemble, every quantity in standard errors."""
    with refusals():
        from trajsim import output as out
        from trajsim.check import CannotCheckError, against, check
        from trajsim.exact import NoExactSideError
        from trajsim.store import open_run

        opened = open_run(run)
        try:
            if reference is None:
                verdict = check(opened, config_of(opened))
            else:
                verdict = against(opened, open_run(reference))
        except (CannotCheckError, NoExactSideError) as error:
            fail(f"{run}: cannot be checked: {error}")
        if as_json:
            click.echo(out.to_json(out.check_json(verdict)))
        else:
            click.echo(out.check_table(verdict, most_points=1000), nl=False)
        if not verdict.agrees:
            sys.exit(DISAGREES)


@main.command()
@click.argument("source", metavar="RUN|CONFIG", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder; default: beside it.")
@overrides_option
@click.option("--window", type=click.IntRange(min=1), metavar="ROWS", help="As of analyze.")
def plot(source: Path, output: Path | None, overrides: tuple[str, ...], window: int | None) -> None:
    """Draw RUN over the exact curves, or the exact curves of CONFIG alone (PNG and PDF)."""
    with refusals():
        from trajsim import plots
        from trajsim.analysis.windows import WindowError
        from trajsim.config import load
        from trajsim.store import open_run

        if source.suffix == ".toml":
            figures = plots.figures(load(source, overrides), None)
            folder = output or Path("runs")
        elif overrides:
            fail("--set goes with a config, not with a run")
        else:
            run = open_run(source)
            try:
                figures = plots.figures(config_of(run), run, window)
            except WindowError as error:
                fail(f"{source}: {error}")
            folder = output or source.parent
        for path in plots.save(figures, folder, source.stem):
            click.echo(path)


@main.command()
@run_argument
def verify(run: Path) -> None:
    """Check the integrity of RUN: schema, checksums, finite numbers, first law."""
    with refusals():
        from trajsim.store import StoreError
        from trajsim.store import verify as verify_file

        try:
            wrong = verify_file(run)
        except StoreError as error:
            fail(str(error), DISAGREES)
        for sentence in wrong:
            say(f"{run}: {sentence}")
        if wrong:
            sys.exit(DISAGREES)
        click.echo(f"{run}: sound")


@main.command()
@run_argument
@as_json
def info(run: Path, as_json: bool) -> None:
    """Tell what RUN holds and where it comes from."""
    with refusals():
        from trajsim import output as out
        from trajsim.store import open_run

        opened = open_run(run)
        layout = opened.layout
        names = ("title", "program", "version", "schema", "kind", "rate_law", "integrator", "seed")
        facts = {name: opened.header[name] for name in names if name in opened.header}
        facts["direction"] = opened.header["resolved"]["drive"].get("direction", "forward")
        facts["libraries"] = opened.header["libraries"]
        facts["machine"] = opened.header["machine"]
        facts["finished"] = opened.finished
        facts["points"], facts["trajectories"] = layout.points, layout.trajectories
        facts["rows"], facts["events"] = layout.rows, opened.events
        facts["labels"], facts["bytes"] = layout.labels, layout.total_bytes
        if as_json:
            click.echo(out.to_json({**facts, "config": opened.header["config"]}))
        else:
            width = max(map(len, facts))
            for key, value in facts.items():
                shown = out.inline(value) if isinstance(value, dict) else value
                click.echo(f"{key.ljust(width)}  {shown}")


@main.command()
@config_argument
@overrides_option
def validate(config: Path, overrides: tuple[str, ...]) -> None:
    """Tell everything that is wrong with CONFIG."""
    with refusals():
        from trajsim import output as out
        from trajsim.config import load

        loaded = load(config, overrides)
        from trajsim.run import RunError, model_of

        try:
            for point in loaded.points:
                model_of(point.experiment)
        except RunError as error:
            fail(f"{config}: {error}")
        click.echo(f"{config}: good: {out.config_summary(loaded)}")


@main.command()
@click.argument("configs", metavar="[CONFIG]...", nargs=-1, type=click.Path(path_type=Path))
@overrides_option
def warmup(configs: tuple[Path, ...], overrides: tuple[str, ...]) -> None:
    """Compile ahead what runs of CONFIGs need; of every kind of model if there are none."""
    with refusals():
        import time

        from trajsim.config import load

        if overrides and not configs:
            fail("--set goes with a config")
        named = {str(path): load(path, overrides) for path in configs}
        from trajsim.jit import compiled_code
        from trajsim.run import RunError
        from trajsim.warmup import shipped, warm_up

        named = named or shipped()
        began = time.perf_counter()
        for number, (name, config) in enumerate(named.items(), 1):
            say(f"{number}/{len(named)}: {name} ...")
            before = time.perf_counter()
            try:
                warm_up(config)
            except RunError as error:
                fail(f"{name}: {error}")
            say(f"{number}/{len(named)}: {name}: {time.perf_counter() - before:.1f} s")
        click.echo(f"{compiled_code()}: ready in {time.perf_counter() - began:.1f} s")


@main.command()
def schema() -> None:
    """Print the JSON Schema of configs, for editors."""
    from trajsim import output as out
    from trajsim.config import json_schema

    click.echo(out.to_json(json_schema()))
