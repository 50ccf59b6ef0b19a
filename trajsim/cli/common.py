"""Messages, exit statuses and options of all verbs."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

# Not imported later: needed by messages when no more files can be opened.
from trajsim.system.text import printable, writable

if TYPE_CHECKING:
    from trajsim.analysis.averages import Averages
    from trajsim.api import Run

# A verb that cannot be resumed and is stopped by a signal ends with 128 + its number.
DONE, DISAGREES, BAD_INPUT, STOPPED, INTERNAL, OUT_OF_RESOURCES, PIPE_CLOSED = 0, 1, 2, 3, 4, 5, 141
NOT_FOUND = DISAGREES

RAN_OUT = frozenset(
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EFBIG", "EMFILE", "ENFILE", "ENOMEM", "EAGAIN")
)
RAN_OUT_WORDS = ("can't start new thread", "failed to map segment", *map(os.strerror, RAN_OUT))


class Name(click.Path):
    """Name of a file or folder: `Path` would take an empty one for the working directory."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> Any:
        """Like click's, but refuse an empty name."""
        if value == "":
            self.fail("the name is empty", parameter, context)
        return super().convert(value, parameter, context)


config_argument = click.argument("config", type=Name())
run_argument = click.argument("run", type=Name())
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
        from trajsim.extending.plugins import request

        request(words)


TRACEBACK = "traceback"


def _want_traceback(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        context.ensure_object(dict)[TRACEBACK] = True


def traceback_option() -> click.Option:
    """The option --traceback."""
    return click.Option(
        ["--traceback"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_want_traceback,
        help="Show where an error comes from; so does TRAJSIM_TRACEBACK=1.",
    )


def add_common_options(command: click.Command) -> None:
    """Add --plugin and --traceback to a verb."""
    command.params.append(traceback_option())
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


# Length at which messages are truncated.
LONGEST_MESSAGE = 50_000


def echo(*lines: object) -> None:
    """Print lines of the result; line breaks within them, as in file names, are escaped."""
    echo_text("".join(f"{printable(str(line))}\n" for line in lines))


def echo_text(text: str) -> None:
    """Print a text of several lines, such as a table."""
    _print(text if text.endswith("\n") else f"{text}\n")


def say(*lines: str) -> None:
    """Print a message to stderr; errors of stderr are ignored."""
    message = "\n".join(map(printable, lines))
    if len(message) > LONGEST_MESSAGE:
        hidden = len(message) - LONGEST_MESSAGE
        message = f"{message[:LONGEST_MESSAGE]}... ({hidden} more characters)"
    with suppress(OSError):
        _print(f"{message}\n", err=True)


def _print(text: str, err: bool = False) -> None:
    """Print a text with unprintable characters escaped."""
    stream = sys.stderr if err else sys.stdout
    shown = writable(printable(text, keep="\n"), stream.encoding if stream else None)
    click.echo(shown, nl=False, err=err)


def ran_out(error: BaseException | None, memory: bool = False) -> bool:
    """Whether an error, or a cause of it, is a lack of files, threads or disk space.

    `memory`: or of memory. A bad file that requests too much is no lack of memory.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in RAN_OUT:
            return True
        if memory and isinstance(error, MemoryError):
            return True
        # Errors of libraries and of the loader, known by their messages only.
        if isinstance(error, (ImportError, OSError, RuntimeError)) and any(
            words in str(error) for words in RAN_OUT_WORDS
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


def fail(*lines: str, status: int | None = None) -> NoReturn:
    """Exit with a message; the default status is that of bad input, or of a lack of resources."""
    say(*lines)
    if status is None:
        status = OUT_OF_RESOURCES if ran_out(sys.exception()) else BAD_INPUT
    sys.exit(status)


@contextmanager
def refusals() -> Iterator[None]:
    """Context of the work of every verb: checks the requirements first.

    `trajsim.cli.ending` converts errors to messages and exit statuses.
    """
    from trajsim.system.platform import expect_memory, unsupported

    reason = unsupported()
    if reason:
        fail(reason)
    expect_memory()
    _tell_what_takes_long()
    yield


def _tell_what_takes_long() -> None:
    """Show log messages of long computations, in terminals and notebooks."""
    import logging

    from trajsim.running.progress import watched

    logger = logging.getLogger("trajsim")
    if watched() and not logger.handlers:
        logger.addHandler(logging.StreamHandler())
        logger.setLevel(logging.INFO)


def expect_run(path: Path) -> None:
    """Refuse a config where a run is expected."""
    from trajsim.system.files import A_CONFIG, holds_config

    if holds_config(path):
        fail(f"{path}: {A_CONFIG}")


def open_run(run: Path) -> "Run":
    """An opened run; says if its plugins have changed since it was made."""
    from trajsim import api

    result = api.open(run)
    for note in result.plugin_notes:
        say(f"{run}: {note}")
    return result


def warn_of_shadow(sampled: "list[Averages]") -> None:
    """Warn about the first point at which the integrator's error is large."""
    from trajsim import output as out

    warning = next(filter(None, map(out.shadow_warning, sampled)), None)
    if warning:
        say(warning)
