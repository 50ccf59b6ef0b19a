"""Verbs about regimes: maps and optima of the exact side, significant regimes of sampled sweeps."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trajsim.cli.common import (
    NOT_FOUND,
    Name,
    as_json,
    config_argument,
    echo,
    echo_text,
    fail,
    open_run,
    over_option,
    overrides_option,
    refusals,
    run_argument,
    warn_of_shadow,
)

if TYPE_CHECKING:
    from trajsim.config import Config


@click.command("map")
@config_argument
@over_option
@overrides_option
@click.option(
    "--panels",
    metavar="KEY=VALUE,VALUE,...",
    help="A map for each of these values, side by side.",
)
@click.option("-o", "--output", type=Name(), help="Folder; default: runs.")
@as_json
def map_command(
    config: Path,
    over: tuple[str, ...],
    overrides: tuple[str, ...],
    panels: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Map what CONFIG does over the grid of two swept parameters, exactly (PNG and PDF).

    The axes are the two keys of [sweep], or those that --over names, such as
    --over sites.2.drive.phase=0:6.283:41 --over drive.period=20:400:41.
    """
    with refusals():
        configs = [(name, _load(config, more, over)) for name, more in _panels(overrides, panels)]
        from trajsim.system.files import expect_writable, stem

        folder = output or Path("runs")
        expect_writable(folder / f"{stem(config)}-map.png")
        from trajsim import output as out
        from trajsim import plots
        from trajsim.ensemble import NoExactSideError
        from trajsim.explore import ExploreError, regime_map
        from trajsim.output.maps import map_json, map_table

        try:
            maps = [regime_map(panel, name) for name, panel in configs]
        except (ExploreError, NoExactSideError) as error:
            fail(f"{config}: {error}")
        saved = plots.save(plots.map_figures(maps), folder, stem(config))
        files = [str(path) for path in saved]
        if as_json:
            echo_text(out.to_json({**map_json(maps), "figures": files}))
        else:
            echo_text(map_table(maps))
            echo(*files)


def _load(config: Path, overrides: tuple[str, ...], over: tuple[str, ...]) -> "Config":
    from trajsim.config import load

    return load(config, overrides, over)


def _panels(
    overrides: tuple[str, ...], panels: str | None
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Name and overrides of each map."""
    if panels is None:
        yield "", overrides
        return
    key, equals, values = panels.partition("=")
    if not equals or not key.strip():
        fail(f"--panels {panels}: allowed: KEY=VALUE,VALUE,...")
    for value in values.split(","):
        yield f"{key.strip()} = {value.strip()}", (*overrides, f"{key}={value}")


@click.command()
@config_argument
@over_option
@click.option(
    "--maximize",
    "goal",
    type=click.Choice(["efficiency", "cop", "cooling", "power"]),
    help="-w/q_hot or -w of an engine, q_cold/w or q_cold of a pump.",
)
@click.option("--minimize", "small", type=click.Choice(["work"]), help="Of a protocol's points.")
@overrides_option
@as_json
def optimize(
    config: Path,
    over: tuple[str, ...],
    goal: str | None,
    small: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Find where CONFIG is at its best, exactly; bounds are the ranges in [sweep] or of --over.

    --over KEY.points moves the values of a waveform's points, all but the first and the last.
    Exit status 1 if no engine, or no pump, was found within the bounds.
    """
    with refusals():
        from trajsim.config import load

        if not over:
            fail("--over is missing: it names what varies, as --over KEY,KEY or KEY=START:STOP")
        if (goal is None) == (small is None):
            fail("allowed: one of --maximize and --minimize")
        if over[0].partition("=")[0].strip().endswith(".points"):
            _optimize_protocol(config, over, goal or small or "", overrides, as_json)
            return
        if goal is None:
            fail("--minimize work: allowed: with --over KEY.points, the points of a waveform")
        loaded = load(config, overrides, over, ends=True)
        from trajsim import output as out
        from trajsim.ensemble import NoExactSideError
        from trajsim.explore import ExploreError, maximize
        from trajsim.output.maps import optimum_json, optimum_table

        bounds = {
            key: (low, loaded.points[-1].parameters[key])
            for key, low in loaded.points[0].parameters.items()
        }
        try:
            best = maximize(loaded.experiment, goal, bounds)
        except (ExploreError, NoExactSideError) as error:
            fail(f"{config}: {error}")
        if as_json:
            echo_text(out.to_json(optimum_json(best, config, overrides)))
        else:
            echo_text(optimum_table(best, config, overrides))
        if not best.found:
            sys.exit(NOT_FOUND)


def _optimize_protocol(
    config: Path, over: tuple[str, ...], aim: str, overrides: tuple[str, ...], as_json: bool
) -> None:
    """`optimize` of the values of a waveform's points, between KEY.points=LOW:HIGH if given."""
    from trajsim.config import ConfigError, load

    key, equals, span = (part.strip() for part in over[0].partition("="))
    bounds = None
    if equals:
        try:
            low, high = map(float, span.split(":"))
        except ValueError:
            fail(f"--over {over[0]}: found {span!r}; allowed: LOWEST:HIGHEST, of the values")
        if not low < high:
            fail(f"--over {over[0]}: no room between {low:g} and {high:g}")
        bounds = low, high
    if len(over) > 1 or "," in over[0]:
        fail(f"--over {', '.join(over)}: allowed: the points of one waveform")
    loaded = load(config, (*overrides, "sweep={}"))
    from trajsim import output as out
    from trajsim.ensemble import NoExactSideError
    from trajsim.explore import ExploreError, best_protocol
    from trajsim.output.maps import best_protocol_json, best_protocol_table

    try:
        best = best_protocol(loaded.experiment, key, aim, bounds)
    except (ExploreError, NoExactSideError) as error:
        fail(f"{config}: {error}")
    except ConfigError as error:
        words = "; ".join(fault.message for fault in error.faults)
        fail(f"{config}: on the way to the best {key}: {words}; {key}=LOWEST:HIGHEST keeps within")
    if as_json:
        echo_text(out.to_json(best_protocol_json(best, config, overrides)))
    else:
        echo_text(best_protocol_table(best, config, overrides))


@click.command()
@run_argument
@click.option("-o", "--output", type=Name(), help="Folder; default: beside it.")
@as_json
def regimes(run: Path, output: Path | None, as_json: bool) -> None:
    """Tell which points of a swept RUN are pumps or engines beyond doubt (with PNG and PDF)."""
    with refusals():
        from trajsim import output as out
        from trajsim import plots
        from trajsim.comparison import CannotCheckError
        from trajsim.comparison.claims import claims
        from trajsim.output.claims import claims_json, claims_table
        from trajsim.system.files import expect_writable, stem

        folder = output or run.parent
        expect_writable(folder / f"{stem(run)}-regimes.png")
        opened_run = open_run(run)
        loaded, sampled = opened_run.config, opened_run.averages()
        warn_of_shadow(sampled)
        try:
            judged = claims(loaded, sampled)
        except CannotCheckError as error:
            fail(f"{run}: {error}")
        saved = plots.save(plots.claims_figures(judged), folder, stem(run))
        files = [str(path) for path in saved]
        if as_json:
            echo_text(out.to_json({**claims_json(judged), "figures": files}))
        else:
            echo_text(claims_table(judged, loaded))
            echo(*files)
