"""What engines have in common: they make blocks of a run, somewhere, and publish them here."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple, Protocol

from trajsim.compiled.jit import why_not_kept
from trajsim.config import Config
from trajsim.running.blocks import Done, Simulator
from trajsim.running.stopping import Signals
from trajsim.store import UnfinishedRun
from trajsim.store.in_memory import MemoryRun

# Loading a kernel from the cache takes less; the user is told of what takes more.
LONG_SECONDS = 1.5
# So many blocks are published side by side: while the disk takes in one, the next is written.
MOST_PUBLISHED_AT_ONCE = 2


class Job(NamedTuple):
    """What is simulated, the run that blocks go to, and what may stop it."""

    config: Config
    run: UnfinishedRun | MemoryRun
    signals: Signals


class Engine(Protocol):
    """Simulates the blocks that `trajsim.running.run` gives out.

    All of them make the same blocks, which are published by this process alone.
    """

    def connect(self, say: Callable[[str], None]) -> Future[None]:
        """Reach what simulates; the first that is asked for.

        The future raises RunError if that cannot be, before anything of the run is written.
        """

    def compile(self, say: Callable[[str], None]) -> Future[None]:
        """Compile the kernel where it is needed first; RunError if the config cannot be run."""

    def block(self, point: int, first: int, count: int) -> Future[Done | None]:
        """Trajectories first ... first + count - 1 of a point; None if stopped on the way."""

    def check(self) -> None:
        """Raise StoppedError if nothing more is to be expected; called several times a second."""

    def periods_done(self) -> int:
        """Periods simulated so far."""

    @property
    def block_seconds(self) -> float:
        """How long a block should take."""

    def at_once(self, block_bytes: int) -> int:
        """Number of blocks of so many bytes that may be in hand or in line."""

    def close(self) -> None:
        """Wait for what is being published; nothing else is finished. May be called again."""


def compile_and_tell(simulator: Simulator, say: Callable[[str], None]) -> None:
    """Compile the kernel, and tell the user if that takes long."""
    began = time.perf_counter()
    notice = threading.Timer(
        LONG_SECONDS, say, ["compiling the kernel, once for this kind of model ..."]
    )
    notice.daemon = True
    notice.start()
    try:
        simulator.compile()
    finally:
        notice.cancel()
    seconds = time.perf_counter() - began
    if seconds > LONG_SECONDS:
        why_not = why_not_kept()
        kept = f"it is not kept: {why_not}" if why_not else "it is kept for the next run"
        say(f"compiled the kernel in {seconds:.1f} s; {kept}")
