"""SIGINT and SIGTERM as a wish to stop, obeyed where nothing is lost by it."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

# A block that has begun when a stop is asked for may go on this long to its end.
GRACE_SECONDS = 0.4


class StoppedError(Exception):
    """A run stopped before its end, by a signal or a full disk; it can be resumed."""


@contextmanager
def interruptible() -> Iterator[None]:
    """While entered, SIGTERM raises KeyboardInterrupt, as SIGINT does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def end_group(leader: int) -> None:
    """End a process that leads a group, and all others of it, at once."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


class Signals:
    """While entered, SIGINT and SIGTERM are noted, to be looked at between kernel calls."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
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
