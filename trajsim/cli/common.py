"""What all verbs share: messages, exit statuses, options."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

# At once: a message about files that cannot be opened needs it.
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
        """As click's own, but an empty name is refused."""
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
    """To see where an error comes from."""
    return click.Option(
        ["--traceback"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_want_traceback,
        help="Show where an error comes from; so does TRAJSIM_TRACEBACK=1.",
    )


def add_common_options(command: click.Command) -> None:
    """Let a verb load rate laws and models of the user's own, and show tracebacks."""
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


# More of a message is not shown.
LONGEST_MESSAGE = 50_000


def echo(*lines: object) -> None:
    """Print lines of the answer; ends of lines within them, as file names may have, are escaped."""
    echo_text("".join(f"{printable(str(line))}\n" for line in lines))


def echo_text(text: str) -> None:
    """Print a text of several lines, such as a table."""
    _print(text if text.endswith("\n") else f"{text}\n")


def say(*lines: str) -> None:
    """Tell the user something that is not the answer; nothing is lost if nobody listens."""
    message = "\n".join(map(printable, lines))
    if len(message) > LONGEST_MESSAGE:
        left = len(message) - LONGEST_MESSAGE
        message = f"{message[:LONGEST_MESSAGE]}... ({left} more characters)"
    with suppress(OSError):
        _print(f"{message}\n", err=True)


def _print(text: str, err: bool = False) -> None:
    """Print a text in letters that the terminal has, and that it does not obey."""
    stream = sys.stderr if err else sys.stdout
    shown = writable(printable(text, keep="\n"), stream.encoding if stream else None)
    click.echo(shown, nl=False, err=err)


def ran_out(error: BaseException | None, memory: bool = False) -> bool:
    """Whether an error, or one that led to it, is that files, threads or disk space ran out.

    `memory`: or memory. What a bad file asks for in vain is no lack of it.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in RAN_OUT:
            return True
        if memory and isinstance(error, MemoryError):
            return True
        # What a library or the loader tells in words alone.
        if isinstance(error, (ImportError, OSError, RuntimeError)) and any(
            words in str(error) for words in RAN_OUT_WORDS
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


def fail(*lines: str, status: int | None = None) -> NoReturn:
    """End with a message and a status; without one that of bad input, unless something ran out."""
    say(*lines)
    if status is None:
        status = OUT_OF_RESOURCES if ran_out(sys.exception()) else BAD_INPUT
    sys.exit(status)


@contextmanager
def refusals() -> Iterator[None]:
    """What every verb does its work in: refuses at once where it cannot be done.

    Errors are turned into messages and exit statuses by `trajsim.cli.ending`.
    """
    from trajsim.system.platform import expect_memory, unsupported

    reason = unsupported()
    if reason:
        fail(reason)
    expect_memory()
    _tell_what_takes_long()
    yield


def _tell_what_takes_long() -> None:
    """Show what the ensemble says of its work, where somebody looks at it."""
    import logging

    from trajsim.running.progress import watched

    logger = logging.getLogger("trajsim")
    if watched() and not logger.handlers:
        logger.addHandler(logging.StreamHandler())
        logger.setLevel(logging.INFO)


def expect_run(path: Path) -> None:
    """Refuse a config in a run's place."""
    from trajsim.system.files import A_CONFIG, holds_config

    if holds_config(path):
        fail(f"{path}: {A_CONFIG}")


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
