"""Interface of engines: they simulate blocks of a run, somewhere, and publish them here."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple, Protocol

from trajsim.compiled.jit import why_not_kept
from trajsim.config import Config
from trajsim.running.blocks import Done, Simulator
from trajsim.running.progress import LONG_SECONDS, announced
from trajsim.running.stopping import Signals
from trajsim.store import UnfinishedRun
from trajsim.store.in_memory import MemoryRun

# Blocks published in parallel: while one is synced to the disk, the next is written.
MOST_PUBLISHED_AT_ONCE = 2


class Job(NamedTuple):
    """The config to simulate, the run that gets the blocks, and the signals that may stop it."""

    config: Config
    run: UnfinishedRun | MemoryRun
    signals: Signals


class Engine(Protocol):
    """Simulates the blocks that `trajsim.running.run` submits.

    All engines make the same blocks, which are published by this process alone.
    """

    def connect(self, say: Callable[[str], None]) -> Future[None]:
        """Connect to the workers; called first.

        The future raises RunError if that fails, before anything of the run is written.
        """

    def compile(self, say: Callable[[str], None]) -> Future[None]:
        """Compile the kernel where it is needed first; RunError if the config cannot be run."""

    def block(self, point: int, first: int, count: int) -> Future[Done | None]:
        """Trajectories first ... first + count - 1 of a point; None if stopped on the way."""

    def check(self) -> None:
        """Raise StoppedError if the workers are lost; called several times a second."""

    def periods_done(self) -> int:
        """Periods simulated so far."""

    @property
    def block_seconds(self) -> float:
        """Target duration of a block."""

    def at_once(self, block_bytes: int) -> int:
        """Largest number of blocks of this size that may be submitted at a time."""

    def close(self) -> None:
        """Wait for blocks that are being published; abandon all others. May be called again."""


def compile_and_tell(simulator: Simulator, say: Callable[[str], None]) -> None:
    """Prepare the model and compile the kernel, and tell the user what takes long.

    Of hundreds of oscillators the distribution from which trajectories begin does.
    """
    start_time = time.perf_counter()
    with announced(say, "preparing the start of the trajectories ..."):
        simulator.prepare()
    prepared = time.perf_counter()
    if prepared - start_time > LONG_SECONDS:
        say(f"prepared the start in {prepared - start_time:.1f} s")
    with announced(say, "compiling the kernel, once for this kind of model ..."):
        simulator.compile()
    seconds = time.perf_counter() - prepared
    # Loading from the cache takes less.
    if seconds > LONG_SECONDS:
        reason = why_not_kept()
        cached = f"it is not kept: {reason}" if reason else "it is kept for the next run"
        say(f"compiled the kernel in {seconds:.1f} s; {cached}")
