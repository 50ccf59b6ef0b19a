"""Verbs of the exact side."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from trajsim.cli.common import as_json, config_argument, echo_text, fail, overrides_option, refusals

if TYPE_CHECKING:
    from typing import Any

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

        try:
            solved = [(point, solve(point.experiment)) for point in loaded.points]
            fluctuations = [_counted(point) if counting else {} for point in loaded.points]
        except NoExactSideError as error:
            fail(f"{config}: {error}")
        pairs = list(zip(solved, fluctuations, strict=True))
        if as_json:
            points = [{**out.exact_json(*pair), **counted} for pair, counted in pairs]
            echo_text(out.to_json({"points": points}))
        else:
            from trajsim.output.counting import counted_table

            for pair, counted in pairs:
                echo_text(out.exact_table(*pair))
                if counted:
                    echo_text("\n" + counted_table(counted))


def _counted(point: "Point") -> "dict[str, Any]":
    """Exact fluctuations at one point of a config."""
    from trajsim.ensemble import counting_of
    from trajsim.output.counting import counted

    return counted(counting_of(point.experiment.network()), point.experiment)
