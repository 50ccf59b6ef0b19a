"""Verbs that check and describe configs and files."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trajsim.cli.common import (
    DISAGREES,
    as_json,
    config_argument,
    echo,
    echo_text,
    expect_run,
    fail,
    overrides_option,
    refusals,
    run_argument,
    say,
)

if TYPE_CHECKING:
    from typing import Any


@click.command()
@run_argument
def verify(run: Path) -> None:
    """Check the integrity of RUN: schema, digests of all in it, finite numbers, first law."""
    with refusals():
        from trajsim.store import NoRunError, StoreError, unproven
        from trajsim.store import verify as verify_file

        expect_run(run)
        try:
            wrong = verify_file(run)
        except NoRunError:
            raise
        except StoreError as error:
            fail(str(error), status=DISAGREES)
        for sentence in wrong:
            say(f"{run}: {sentence}")
        if wrong:
            sys.exit(DISAGREES)
        doubt = unproven(run)
        if doubt:
            say(f"{run}: {doubt}")
        echo(f"{run}: sound")


@click.command()
@run_argument
@as_json
def info(run: Path, as_json: bool) -> None:
    """Tell what RUN holds and where it comes from."""
    with refusals():
        from trajsim import output as out
        from trajsim.output.networks import network_table
        from trajsim.store import open_run

        opened = open_run(run)
        layout = opened.layout
        names = ("title", "program", "version", "schema", "kind", "rate_law", "integrator", "seed")
        facts = {name: opened.header[name] for name in names if name in opened.header}
        drive = opened.header["resolved"].get("drive")
        facts["direction"] = drive.get("direction", "forward") if isinstance(drive, dict) else None
        facts["libraries"] = opened.header["libraries"]
        facts["machine"] = opened.header["machine"]
        if "plugins" in opened.header:
            facts["plugins"] = opened.header["plugins"]
        if opened.shard:
            facts["shard"] = f"{opened.shard.number} of {opened.shard.total}"
        facts["finished"] = opened.complete
        facts["points"], facts["trajectories"] = layout.points, layout.trajectories
        facts["rows"], facts["events"] = layout.rows, opened.events
        facts["labels"], facts["bytes"] = layout.labels, layout.total_bytes
        network = _network(opened.header)
        if as_json:
            echo_text(out.to_json({**facts, **network, "config": opened.header["config"]}))
        else:
            width = max(map(len, facts))
            for key, value in facts.items():
                if key == "labels":
                    value = {dim: out.some_of(names) for dim, names in value.items()}
                shown = out.inline(value) if isinstance(value, dict) else value
                echo(f"{key.ljust(width)}  {shown}")
            if network:
                echo_text("\n" + network_table(network))


def _network(header: "dict[str, Any]") -> "dict[str, Any]":
    """Currents and cycles of the jump network of a run, at its first point, if it is not driven."""
    from trajsim.config import ConfigError, restore
    from trajsim.ensemble import NoExactSideError
    from trajsim.output.networks import network_json

    try:
        config = restore(header["config"], header["resolved"])
        return network_json(config.points[0].experiment)
    except (ConfigError, NoExactSideError):
        return {}


@click.command()
@config_argument
@overrides_option
def validate(config: Path, overrides: tuple[str, ...]) -> None:
    """Tell everything that is wrong with CONFIG."""
    with refusals():
        from trajsim.config import load

        loaded = load(config, overrides)
        from trajsim.running.run import RunError, model_of

        try:
            for point in loaded.settled().points:
                model_of(point.experiment)
        except RunError as error:
            fail(f"{config}: {error}")
        echo(f"{config}: good: {loaded.summary}")


@click.command()
def schema() -> None:
    """Print the JSON Schema of configs, for editors."""
    with refusals():
        from trajsim import output as out
        from trajsim.config import json_schema

        echo_text(out.to_json(json_schema()))
