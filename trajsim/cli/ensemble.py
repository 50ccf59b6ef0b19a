"""Verbs of the exact side."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from trajsim.cli.common import (
    as_json,
    config_argument,
    echo_text,
    fail,
    overrides_option,
    refusals,
    say,
)

if TYPE_CHECKING:
    from typing import Any

    from trajsim.analysis.protocols import ProtocolTotals
    from trajsim.config import Point


@click.command()
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
        from trajsim.ensemble import NoExactSideError
        from trajsim.explore.points import solve
        from trajsim.output.networks import network_json, network_table
        from trajsim.output.protocols import protocol_json, protocol_table

        try:
            solved = [(point, solve(point.experiment)) for point in loaded.points]
            networks = [network_json(point.experiment, answer) for point, answer in solved]
            fluctuations = [_counted(point) if counting else {} for point in loaded.points]
        except NoExactSideError as error:
            fail(f"{config}: {error}")
        protocols = [_protocol(config, point) for point in loaded.points]
        answers = list(zip(solved, networks, fluctuations, protocols, strict=True))
        if as_json:
            points = [
                {**out.exact_json(*pair), **network, **protocol_json(protocol), **counted}
                for pair, network, counted, protocol in answers
            ]
            echo_text(out.to_json({"points": points}))
        else:
            from trajsim.output.counting import counted_table

            for pair, network, counted, protocol in answers:
                text = out.exact_table(*pair) + network_table(network)
                echo_text(text + protocol_table(protocol))
                if counted:
                    echo_text("\n" + counted_table(counted))


def _protocol(config: Path, point: "Point") -> "ProtocolTotals[float] | None":
    """Exact totals over a protocol that ends; None where there are none, and a word of why."""
    from trajsim.comparison.protocols import exact_protocol
    from trajsim.ensemble import NoExactSideError

    try:
        return exact_protocol(point.experiment)
    except NoExactSideError as error:
        say(f"{config}: no totals over the protocol: {error}")
        return None


def _counted(point: "Point") -> "dict[str, Any]":
    """Exact fluctuations at one point of a config."""
    from trajsim.ensemble import counting_of
    from trajsim.output.counting import counted

    return counted(counting_of(point.experiment.network()), point.experiment)
