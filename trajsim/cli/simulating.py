"""Verbs that simulate, or make ready for it."""

import shlex
from pathlib import Path

import click

from trajsim.cli.common import (
    STOPPED,
    as_json,
    config_argument,
    fail,
    overrides_option,
    refusals,
    say,
    warn_of_shadow,
)


@click.command("run")
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
        from trajsim.plugins import requested
        from trajsim.run import RunError, StoppedError, simulate
        from trajsim.store import Parts

        target = output or Path("runs") / f"{config.stem}{'-reverse' if reverse else ''}.h5"
        say(f"{loaded.experiment.title or config}: {loaded.summary}")
        try:
            summary = simulate(loaded, target, workers=workers, resume=resume, force=force, say=say)
        except RunError as error:
            fail(str(error))
        except (StoppedError, KeyboardInterrupt) as error:
            again = ["trajsim", "run", str(config), "-o", str(target), "--resume"]
            again += [word for override in overrides for word in ("--set", override)]
            again += ["--reverse"] if reverse else []
            again += [word for plugin in requested() for word in ("--plugin", plugin)]
            there = Parts(target).exists()
            left = "finished blocks are kept. Go on" if there else "nothing is left. Begin again"
            fail(f"{error or 'stopped'}; {left} with:\n  {shlex.join(again)}", STOPPED)
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
            try:
                _report(target)
            except KeyboardInterrupt:
                fail(f"stopped; {target} is complete", STOPPED)


def _report(target: Path) -> None:
    """Averages and, where possible, the check of a fresh run."""
    from trajsim import api
    from trajsim import output as out
    from trajsim.check import CannotCheckError, check
    from trajsim.exact import NoExactSideError

    run = api.open(target)
    experiment, sampled = run.config.experiment, run.averages()
    warn_of_shadow(sampled)
    try:
        verdict = check(run, run.config, sampled)
    except (CannotCheckError, NoExactSideError) as error:
        for point in sampled[:3]:
            click.echo(out.averages_table(point, experiment), nl=False)
        click.echo(f"not checked: {error}")
        return
    click.echo(out.check_table(verdict), nl=False)
    if len(sampled) == 1:
        click.echo(out.regime_line(sampled[0], experiment), nl=False)


@click.command()
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
