"""How the program ends: every way has its exit status and a sentence."""

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

# Verbs that can be given again after a stop, and what is said then.
RESUMABLE = {
    "run": "stopped; the same command with --resume begins or goes on",
    "merge": "stopped; the shards are as they were",
    "reproduce": "stopped; the same command goes on where this one ended",
}
# Errors whose message is meant for the user, by the module that has to be loaded to raise them.
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
LONGEST = 300  # characters of the message of an error that nobody foresaw


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
        """As click's own, but for the exit statuses, of which click takes 1 for whatever fails."""
        if not standalone_mode or "_TRAJSIM_COMPLETE" in os.environ:
            return super().main(args, prog_name, complete_var, standalone_mode, **extra)
        own = args is None
        if own:
            _hold_standard_streams()
        words = list(sys.argv[1:] if args is None else args)
        verb = next((word for word in words if not word.startswith("-")), "")
        wanted = {TRACEBACK: os.environ.get("TRAJSIM_TRACEBACK", "") not in ("", "0")}

        def work() -> None:
            name = prog_name or "trajsim"
            with self.make_context(name, words, **extra, obj=wanted) as context:
                self.invoke(context)

        sys.exit(ended(work, verb, lambda: wanted[TRACEBACK], own))


def _hold_standard_streams() -> None:
    """Open streams that are closed, lest a file that is opened later takes their place."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115
    if sys.stdout is None:
        # A pipe that nobody reads: an answer that cannot be written is told as after `head`.
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
    """Do the work of a verb, tell the user if it ends early, and give the exit status.

    Parameters
    ----------
    work : may raise anything
    verb : its name, by which a stop is told
    with_traceback : whether the user wants to see where an error comes from
    own : whether the process ends then
    """
    try:
        with interruptible(lambda number: _leave(verb, number), own) as stop:
            status = DONE
            try:
                work()
            except BaseException as error:
                status = _told(error, verb, with_traceback)
                # Libraries make other errors of what a signal raises.
                if stop.number is not None and status not in (DONE, DISAGREES, STOPPED):
                    status = _stopped(verb, stop.number)[0]
            return _flushed(status)
    except KeyboardInterrupt as error:
        return _told(error, verb, with_traceback)


def _stopped(verb: str, number: int) -> tuple[int, str]:
    """Status and sentence after a signal."""
    return (STOPPED, RESUMABLE[verb]) if verb in RESUMABLE else (128 + number, "stopped")


def _leave(verb: str, number: int) -> NoReturn:
    """End the process at once."""
    status, sentence = _stopped(verb, number)
    with suppress(OSError):
        os.write(2, f"{sentence}\n".encode())
    os._exit(status)


def _told(error: BaseException, verb: str, with_traceback: Callable[[], bool]) -> int:
    """Exit status after an error that the user is told of here."""
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
        shown = StringIO()
        error.show(shown)
        return BAD_INPUT, shown.getvalue().rstrip("\n")
    if isinstance(error, _expected()):
        return OUT_OF_RESOURCES if ran_out(error) else BAD_INPUT, str(error)
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        status = OUT_OF_RESOURCES if ran_out(error) else BAD_INPUT
        why = "; the working directory is gone" if _nowhere() else ""
        return status, f"{name}{error.strerror or error}{why}"
    if ran_out(error, memory=True):
        what = (
            "out of memory" if isinstance(error, MemoryError) else "out of memory, files or threads"
        )
        return OUT_OF_RESOURCES, f"{what}: {_first_line(error)}".removesuffix(": ")
    return INTERNAL, (
        f"internal error: {type(error).__name__}: {_first_line(error)} ({_place(error)}). "
        "Please report it, with what TRAJSIM_TRACEBACK=1 or --traceback shows"
    )


def _nowhere() -> bool:
    """Whether the working directory was deleted: names relative to it lead nowhere."""
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
    """File and line where an error was raised, as the package knows it."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "trajsim" in frame.filename] or frames
    return f"{os.path.basename(ours[-1].filename)}:{ours[-1].lineno}" if ours else "nowhere"


def _flushed(status: int) -> int:
    """Exit status when all is written that was said: Python has one of its own if that fails."""
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
            # What is left in it goes nowhere.
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return status
