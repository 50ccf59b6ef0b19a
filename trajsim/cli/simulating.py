"""Verbs that simulate, merge and compile."""

import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trajsim.cli.common import (
    STOPPED,
    Name,
    as_json,
    config_argument,
    echo,
    echo_text,
    expect_run,
    fail,
    overrides_option,
    refusals,
    say,
    warn_of_shadow,
)

if TYPE_CHECKING:
    from trajsim.running.run import Summary
    from trajsim.store import UnfinishedRun


LEAST_TOLD = 0.1  # seconds
# Sites up to which the exact side is fast.
QUICK_SITES = 10


@click.command("run")
@config_argument
@click.option("-o", "--output", type=Name(), help="Default: runs/<config stem>.h5.")
@overrides_option
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    help="Threads, or processes of the engine dask; default: as many as processors.",
)
@click.option(
    "--engine",
    metavar="threads|dask|dask:ADDRESS",
    default="threads",
    show_default=True,
    help="Where to simulate: here, in processes of this machine, or by the workers of a scheduler.",
)
@click.option("--resume", is_flag=True, help="Take up an unfinished run; leave a complete one.")
@click.option("--force", is_flag=True, help="Replace an output that is there.")
@click.option(
    "--reverse",
    is_flag=True,
    help="Run the protocol backwards in time; default output: runs/<config stem>-reverse.h5.",
)
@click.option(
    "--shard",
    metavar="K/N",
    help="Simulate only the K-th of N shares, into <output stem>.shard-K-of-N.h5.parts; see merge.",
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
    shard: str | None,
    as_json: bool,
) -> None:
    """Simulate CONFIG; print averages and, where there is an exact side, the check."""
    with refusals():
        from trajsim.config import load

        backwards = ('drive.direction="reverse"',) if reverse else ()
        loaded = load(config, (*overrides, *backwards))
        from trajsim.extending.plugins import requested
        from trajsim.running.run import RunError, StoppedError, simulate
        from trajsim.store import Shard, UnfinishedRun

        target = output or Path("runs") / f"{config.stem}{'-reverse' if reverse else ''}.h5"
        try:
            part = Shard.parse(shard) if shard is not None else None
        except ValueError as error:
            fail(f"--shard: {error}")
        say(f"{loaded.experiment.title or config}: {loaded.summary}")
        for caution in dict.fromkeys(c for p in loaded.points for c in p.experiment.cautions()):
            say(caution)
        try:
            summary = simulate(
                *(loaded, target),
                workers=workers,
                engine=engine,
                resume=resume,
                force=force,
                shard=part,
                say=say,
            )
        except RunError as error:
            fail(str(error))
        except (StoppedError, KeyboardInterrupt) as error:
            command = ["trajsim", "run", str(config), "-o", str(target), "--resume"]
            command += [word for override in overrides for word in ("--set", override)]
            command += ["--reverse"] if reverse else []
            command += ["--shard", str(part)] if part else []
            command += ["--engine", engine] if engine != "threads" else []
            command += [word for plugin in requested() for word in ("--plugin", plugin)]
            state = _state_of(UnfinishedRun(part.output(target) if part else target))
            fail(f"{error}; {state} with:", f"  {shlex.join(command)}", status=STOPPED)
        if part:
            next_command = shlex.join(["trajsim", "merge", str(target)])
            say(f"when all {part.total} shards are there: {next_command}")
        _print_summary(summary, as_json, report=part is None)


def _state_of(run: "UnfinishedRun") -> str:
    """State of a stopped run, for the message."""
    if not run.exists():
        return "nothing is left. Begin again"
    with suppress(OSError):
        if not run.size():
            return "no block was finished yet. Go on"
    return "finished blocks are kept. Go on"


@click.command()
@click.argument("shards", nargs=-1, required=True, type=Name())
@click.option("-o", "--output", type=Name(), help="Default: the run they are named after.")
@click.option("--force", is_flag=True, help="Replace an output that is there.")
@click.option("--remove", is_flag=True, help="Delete the shards when the file is there.")
@as_json
def merge(
    shards: tuple[Path, ...], output: Path | None, force: bool, remove: bool, as_json: bool
) -> None:
    """Make the file of a run from all of its SHARDS: folders, or x.h5 for all those beside it."""
    with refusals():
        for path in shards:
            expect_run(path)
        from trajsim.running.merging import merge as merge_shards
        from trajsim.running.run import RunError, StoppedError

        try:
            summary = merge_shards(shards, output, force=force, remove=remove, say=say)
        except RunError as error:
            fail(str(error))
        except (StoppedError, KeyboardInterrupt):
            fail("stopped; nothing is changed, the shards are as they were", status=STOPPED)
        _print_summary(summary, as_json, report=True)


def _print_summary(summary: "Summary", as_json: bool, report: bool) -> None:
    """Print the summary of a run and, of a whole run, its averages and check."""
    from trajsim import output as out

    compiling = summary.compile_time
    say(
        f"{summary.path}: {summary.simulated_periods:.4g} periods, {summary.events:.4g} events "
        f"in {summary.wall_time - compiling:.1f} s"
        + (f", and {compiling:.1f} s of preparing and compiling" if compiling >= LEAST_TOLD else "")
    )
    if as_json:
        echo_text(
            out.to_json(
                {
                    "run": str(summary.path),
                    "wall_time": summary.wall_time,
                    "simulated_periods": summary.simulated_periods,
                    "events": summary.events,
                }
            )
        )
    elif report:
        try:
            _report(summary.path)
        except KeyboardInterrupt:
            fail(f"stopped; {summary.path} is complete", status=STOPPED)


def _report(target: Path) -> None:
    """Print averages and, where possible, the check of a new run."""
    from trajsim import api
    from trajsim import output as out
    from trajsim.comparison import CannotCheckError, check
    from trajsim.ensemble import NoExactSideError

    run = api.open(target)
    sampled, sites = run.averages(), len(run.config.experiment.sites)
    warn_of_shadow(sampled)
    if sites > QUICK_SITES:
        say(f"comparing with the exact ensemble of {sites} sites, if it is in reach")
    try:
        verdict = check(run, run.config, sampled)
    except (CannotCheckError, NoExactSideError) as error:
        for point in sampled[:3]:
            echo_text(out.averages_table(point))
        echo(f"not checked: {error}")
        return
    echo_text(out.check_table(verdict))
    if len(sampled) == 1:
        echo_text(out.regime_line(sampled[0]))


@click.command()
@click.argument("configs", metavar="[CONFIG]...", nargs=-1, type=Name())
@overrides_option
def warmup(configs: tuple[Path, ...], overrides: tuple[str, ...]) -> None:
    """Compile ahead what runs of CONFIGs need; of every kind of model if there are none."""
    with refusals():
        import time

        from trajsim.config import load

        if overrides and not configs:
            fail("--set goes with a config")
        by_name = {str(path): load(path, overrides) for path in configs}
        from trajsim.compiled.jit import compiled_code, why_not_kept
        from trajsim.running.run import RunError
        from trajsim.running.warmup import shipped, warm_up

        by_name = by_name or shipped()
        start_time = time.perf_counter()
        for number, (name, config) in enumerate(by_name.items(), 1):
            say(f"{number}/{len(by_name)}: {name} ...")
            last_time = time.perf_counter()
            try:
                warm_up(config)
            except RunError as error:
                fail(f"{name}: {error}")
            say(f"{number}/{len(by_name)}: {name}: {time.perf_counter() - last_time:.1f} s")
        if why_not_kept():
            fail(f"compiled code is not kept: {why_not_kept()}")
        echo(f"{compiled_code()}: ready in {time.perf_counter() - start_time:.1f} s")
