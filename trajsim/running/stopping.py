"""SIGINT, SIGTERM and SIGHUP as a wish to stop, obeyed where nothing is lost by it."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from trajsim.errors import TrajsimError

# A block that has begun when a stop is asked for may go on this long to its end.
GRACE_SECONDS = 0.4
# A process that has not obeyed a signal after this long is ended: it may be in compiled code.
PATIENCE_SECONDS = 1.0
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def obeyed() -> list[signal.Signals]:
    """Signals that ask for a stop: a hang-up only if `nohup` has not told to ignore it."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [s for s in STOPPING if s != signal.SIGHUP or not ignored]


class StoppedError(TrajsimError):
    """A run stopped before its end, by a signal or a full disk; it can be resumed."""


class Interrupted(KeyboardInterrupt):
    """One of these signals, by its number."""

    def __init__(self, number: int) -> None:
        super().__init__("stopped")
        self.number = number


class Stop:
    """The signal that came while `interruptible` was entered; None if none did."""

    number: int | None = None


@contextmanager
def interruptible(leave: Callable[[int], None], own: bool = False) -> Iterator[Stop]:
    """While entered, the first of these signals raises Interrupted; later ones change nothing.

    Compiled code sees no signal, and what it raises may be lost in a callback: where the block is
    not left within PATIENCE_SECONDS, another thread ends the process.

    Parameters
    ----------
    leave : called with the signal's number to end the process
    own : whether the process ends with the block, so that a signal after it may end it at once
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def interrupt(number: int, _frame: FrameType | None) -> None:
        if stop.number is None:
            stop.number = number
            raise Interrupted(number)

    before = {number: signal.signal(number, interrupt) for number in obeyed()}
    shown = sys.unraisablehook

    def show(lost: Any) -> None:
        # A stop lost in a callback of compiled code is no news: the process ends all the same.
        if not isinstance(lost.exc_value, Interrupted):
            shown(lost)

    sys.unraisablehook = show
    try:
        with _ended_if_deaf(interrupt, leave):
            yield stop
    finally:
        sys.unraisablehook = shown
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if own else handler)


@contextmanager
def _ended_if_deaf(interrupt: Any, leave: Callable[[int], None]) -> Iterator[None]:
    """While entered, a thread ends the process that does not heed `interrupt`, a signal handler."""
    left = threading.Event()

    def watch() -> None:
        while number := os.read(reading, 1):
            # Whoever put another handler in its place looks after the stop.
            if signal.getsignal(number[0]) is interrupt and not left.wait(PATIENCE_SECONDS):
                leave(number[0])
        os.close(reading)

    try:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        threading.Thread(target=watch, daemon=True).start()
    except (OSError, RuntimeError):
        # Without a descriptor or a thread to spare, signals are obeyed where Python looks at them.
        yield
        return
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield
    finally:
        left.set()
        signal.set_wakeup_fd(before)
        os.close(writing)


def end_group(leader: int) -> None:
    """End a process that leads a group, and all others of it, at once."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


class Signals:
    """While entered, signals are noted, to be looked at between kernel calls."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        if threading.current_thread() is threading.main_thread():
            for number in obeyed():
                self._before[number] = signal.signal(number, self._wish)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _wish(self, _number: int, _frame: FrameType | None) -> None:
        self.ask()

    @property
    def stop(self) -> bool:
        """Whether a stop was asked for."""
        return self._since is not None

    def overdue(self, begun: bool) -> bool:
        """Whether to leave work: at once if not yet begun, else when it holds up the stop."""
        since = self._since
        return since is not None and not (begun and time.monotonic() - since < GRACE_SECONDS)

    @property
    def expired(self) -> bool:
        """Whether a stop was asked for so long ago that work still under way is given up."""
        return self._since is not None and time.monotonic() - self._since > 2 * GRACE_SECONDS

    def ask(self) -> None:
        """Ask for a stop."""
        self._since = self._since or time.monotonic()

    def check(self) -> None:
        """Raise StoppedError if a stop was asked for."""
        if self.stop:
            raise StoppedError("stopped")
