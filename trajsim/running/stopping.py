"""Handling of SIGINT, SIGTERM and SIGHUP: a run stops where no finished block is lost."""

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

# Seconds that a block may continue after a stop is requested.
GRACE_SECONDS = 0.4
# Seconds after which a process that does not react to a signal, such as in compiled code, is ended.
PATIENCE_SECONDS = 1.0
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def obeyed() -> list[signal.Signals]:
    """Signals that request a stop; SIGHUP only if it is not ignored, as under `nohup`."""
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
    """Context in which the first of these signals raises Interrupted; later ones are ignored.

    Signals are not handled in compiled code, and exceptions may be lost in callbacks: if the block
    is not left within PATIENCE_SECONDS, another thread ends the process.

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

    old_handlers = {number: signal.signal(number, interrupt) for number in obeyed()}
    old_hook = sys.unraisablehook

    def show(lost: Any) -> None:
        # An Interrupted lost in a callback of compiled code is not shown: the process ends anyway.
        if not isinstance(lost.exc_value, Interrupted):
            old_hook(lost)

    sys.unraisablehook = show
    try:
        with _ended_if_unresponsive(interrupt, leave):
            yield stop
    finally:
        sys.unraisablehook = old_hook
        for number, handler in old_handlers.items():
            signal.signal(number, signal.SIG_DFL if own else handler)


@contextmanager
def _ended_if_unresponsive(interrupt: Any, leave: Callable[[int], None]) -> Iterator[None]:
    """Context in which a thread ends the process if the handler `interrupt` has no effect."""
    finished = threading.Event()

    def watch() -> None:
        while number := os.read(reading, 1):
            # Another handler in its place is responsible for the stop.
            if signal.getsignal(number[0]) is interrupt and not finished.wait(PATIENCE_SECONDS):
                leave(number[0])
        os.close(reading)

    try:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        threading.Thread(target=watch, daemon=True).start()
    except (OSError, RuntimeError):
        # Without a free descriptor or thread, signals are handled by Python alone.
        yield
        return
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield
    finally:
        finished.set()
        signal.set_wakeup_fd(before)
        os.close(writing)


def end_group(leader: int) -> None:
    """End a process that leads a group, and all others of it, at once."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


class Signals:
    """Context in which signals are recorded, to be checked between kernel calls."""

    def __init__(self) -> None:
        self._asked_at: float | None = None
        self._old_handlers: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        if threading.current_thread() is threading.main_thread():
            for number in obeyed():
                self._old_handlers[number] = signal.signal(number, self._wish)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)

    def _wish(self, _number: int, _frame: FrameType | None) -> None:
        self.ask()

    @property
    def stop(self) -> bool:
        """Whether a stop was requested."""
        return self._asked_at is not None

    def overdue(self, begun: bool) -> bool:
        """Whether to abandon a block: at once if not yet begun, else after GRACE_SECONDS."""
        since = self._asked_at
        return since is not None and not (begun and time.monotonic() - since < GRACE_SECONDS)

    @property
    def expired(self) -> bool:
        """Whether a stop was requested so long ago that running blocks are abandoned."""
        return self._asked_at is not None and time.monotonic() - self._asked_at > 2 * GRACE_SECONDS

    def ask(self) -> None:
        """Request a stop."""
        self._asked_at = self._asked_at or time.monotonic()

    def check(self) -> None:
        """Raise StoppedError if a stop was requested."""
        if self.stop:
            raise StoppedError("stopped")
