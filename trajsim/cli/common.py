"""What all verbs share: messages, exit statuses, options."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from trajsim.analysis.averages import Averages
    from trajsim.api import Run

DISAGREES = NOT_FOUND = 1
BAD_INPUT, STOPPED = 2, 3

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
over_option = click.option(
    "--over",
    multiple=True,
    metavar="KEY[=START:STOP[:NUM]]",
    help="Vary this key and only those so named; without a range, over that of [sweep].",
)


def _request(_context: click.Context, _parameter: click.Parameter, words: tuple[str, ...]) -> None:
    if words:
        from trajsim.plugins import request

        request(words)


def add_plugin_option(command: click.Command) -> None:
    """Let a verb load rate laws and models of the user's own."""
    command.params.append(
        click.Option(
            ["--plugin"],
            multiple=True,
            metavar="FILE|MODULE",
            expose_value=False,
            callback=_request,
            help="Python code of yours that registers rate laws or models.",
        )
    )


def printable(text: str) -> str:
    """Text whose control characters a terminal shows instead of obeying them."""
    # File names may hold bytes that are no text.
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


def say(message: str) -> None:
    """Tell the user something that is not the answer."""
    click.echo(printable(message), err=True)


def fail(message: str, status: int = BAD_INPUT) -> NoReturn:
    """End with a message and a status."""
    say(message)
    sys.exit(status)


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what a user can get wrong into a message and exit status 2, a stop into 3."""
    from trajsim.config.faults import ConfigError
    from trajsim.plugins import PluginError
    from trajsim.stopping import interruptible
    from trajsim.store.files import StoreError

    try:
        with interruptible():
            yield
    except (ConfigError, PluginError, StoreError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("stopped", STOPPED)
    except BrokenPipeError:
        sys.exit(BAD_INPUT)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        fail(f"{name}{error.strerror or error}")


def opened(run: Path) -> "Run":
    """A run to be looked at; tells if it was made with other code from outside than is here."""
    from trajsim import api

    found = api.open(run)
    for note in found.plugin_notes:
        say(f"{run}: {note}")
    return found


def warn_of_shadow(sampled: "list[Averages]") -> None:
    """Tell of the first point at which the integrator's error matters."""
    from trajsim import output as out

    warning = next(filter(None, map(out.shadow_warning, sampled)), None)
    if warning:
        say(warning)
