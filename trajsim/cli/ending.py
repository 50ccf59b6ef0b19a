"""Exit statuses and messages at the end of the program."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import StringIO
from typing import Any, NoReturn

import click

from trajsim.cli.common import (
    BAD_INPUT,
    DISAGREES,
    DONE,
    INTERNAL,
    OUT_OF_RESOURCES,
    PIPE_CLOSED,
    STOPPED,
    TRACEBACK,
    ran_out,
    say,
)
from trajsim.running.stopping import interruptible

# Verbs that can be resumed after a stop, and their messages.
RESUMABLE = {
    "run": "stopped; the same command with --resume begins or goes on",
    "merge": "stopped; the shards are as they were",
    "reproduce": "stopped; the same command goes on where this one ended",
}
# Errors whose messages are for the user, by the module in which they are defined.
EXPECTED = {
    "trajsim.analysis.windows": "WindowError",
    "trajsim.store": "RunError",
    "trajsim.comparison.verdict": "CannotCheckError",
    "trajsim.config.faults": "ConfigError",
    "trajsim.ensemble.answers": "NoExactSideError",
    "trajsim.explore.points": "ExploreError",
    "trajsim.extending.plugins": "PluginError",
    "trajsim.store.files": "StoreError",
    "trajsim.trace.window": "TraceError",
}
LONGEST = 300  # characters of the message of an unexpected error


class Program(click.Group):
    """All verbs."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Like click's, but with our exit statuses; click's is 1 for every failure."""
        if not standalone_mode or "_TRAJSIM_COMPLETE" in os.environ:
            return super().main(args, prog_name, complete_var, standalone_mode, **extra)
        own = args is None
        if own:
            _hold_standard_streams()
        arguments = list(sys.argv[1:] if args is None else args)
        verb = next((word for word in arguments if not word.startswith("-")), "")
        options = {TRACEBACK: os.environ.get("TRAJSIM_TRACEBACK", "") not in ("", "0")}

        def work() -> None:
            name = prog_name or "trajsim"
            with self.make_context(name, arguments, **extra, obj=options) as context:
                self.invoke(context)

        sys.exit(ended(work, verb, lambda: options[TRACEBACK], own))


def _hold_standard_streams() -> None:
    """Open standard streams that are closed, so that no other file gets their descriptors."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115
    if sys.stdout is None:
        # A pipe without a reader: writing to it fails as after `head`.
        reading, writing = os.pipe()
        os.dup2(writing, 1)
        for end in {reading, writing} - {1}:
            os.close(end)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115


def ended(
    work: Callable[[], object], verb: str, with_traceback: Callable[[], bool], own: bool
) -> int:
    """Do the work of a verb, report errors, and return the exit status.

    Parameters
    ----------
    work : may raise anything
    verb : its name, for messages
    with_traceback : whether to show tracebacks
    own : whether the process ends afterwards
    """
    try:
        with interruptible(lambda number: _leave(verb, number), own) as stop:
            status = DONE
            try:
                work()
            except BaseException as error:
                status = _report_error(error, verb, with_traceback)
                # Libraries may replace the exception of a signal by another one.
                if stop.number is not None and status not in (DONE, DISAGREES, STOPPED):
                    status = _stopped(verb, stop.number)[0]
            return _flush(status)
    except KeyboardInterrupt as error:
        return _report_error(error, verb, with_traceback)


def _stopped(verb: str, number: int) -> tuple[int, str]:
    """Status and sentence after a signal."""
    return (STOPPED, RESUMABLE[verb]) if verb in RESUMABLE else (128 + number, "stopped")


def _leave(verb: str, number: int) -> NoReturn:
    """End the process at once."""
    status, sentence = _stopped(verb, number)
    with suppress(OSError):
        os.write(2, f"{sentence}\n".encode())
    os._exit(status)


def _report_error(error: BaseException, verb: str, with_traceback: Callable[[], bool]) -> int:
    """Report an error to the user; the exit status."""
    if isinstance(error, SystemExit):
        return (
            error.code if isinstance(error.code, int) else DONE if error.code is None else INTERNAL
        )
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        return PIPE_CLOSED
    status, sentence = _outcome(error, verb)
    # Only a config has several faults, and only click makes sentences of several lines.
    lines = [sentence]
    if isinstance(error, click.ClickException):
        lines = sentence.splitlines()
    elif hasattr(error, "faults"):
        lines = [str(fault) for fault in error.faults]
    if with_traceback():
        import traceback

        say(*"".join(traceback.format_exception(error)).splitlines())
    say(*lines)
    return status


def _outcome(error: BaseException, verb: str) -> tuple[int, str]:
    """Exit status and sentence after an error."""
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return _stopped(verb, getattr(error, "number", 2))
    if isinstance(error, click.ClickException):
        buffer = StringIO()
        error.show(buffer)
        return BAD_INPUT, buffer.getvalue().rstrip("\n")
    if isinstance(error, _expected()):
        return OUT_OF_RESOURCES if ran_out(error) else BAD_INPUT, str(error)
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        status = OUT_OF_RESOURCES if ran_out(error) else BAD_INPUT
        reason = "; the working directory is gone" if _lost_directory() else ""
        return status, f"{name}{error.strerror or error}{reason}"
    if ran_out(error, memory=True):
        resource = (
            "out of memory" if isinstance(error, MemoryError) else "out of memory, files or threads"
        )
        return OUT_OF_RESOURCES, f"{resource}: {_first_line(error)}".removesuffix(": ")
    return INTERNAL, (
        f"internal error: {type(error).__name__}: {_first_line(error)} ({_place(error)}). "
        "Please report it, with what TRAJSIM_TRACEBACK=1 or --traceback shows"
    )


def _lost_directory() -> bool:
    """Whether the working directory was deleted."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    except OSError:
        pass
    return False


def _expected() -> tuple[type[BaseException], ...]:
    loaded = [(sys.modules.get(module), name) for module, name in EXPECTED.items()]
    return tuple(getattr(module, name) for module, name in loaded if hasattr(module, name))


def _first_line(error: BaseException) -> str:
    line = next(iter(str(error).splitlines()), "")
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} ..."


def _place(error: BaseException) -> str:
    """File and line of the package where an error was raised."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "trajsim" in frame.filename] or frames
    return f"{os.path.basename(ours[-1].filename)}:{ours[-1].lineno}" if ours else "nowhere"


def _flush(status: int) -> int:
    """Flush the standard streams; the exit status, which would be Python's if that failed later."""
    for stream in (sys.stderr, sys.stdout):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError) as error:
            if stream is sys.stdout and status in (DONE, DISAGREES):
                status, sentence = _outcome(error, "")
                if isinstance(error, BrokenPipeError):
                    status = PIPE_CLOSED
                else:
                    say(f"standard output: {sentence}")
            # Discard the rest of its buffer.
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return status
