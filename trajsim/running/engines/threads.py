"""Blocks simulated on threads of this process."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from numpy.typing import NDArray

from trajsim.ledger import Layout
from trajsim.running import blocks
from trajsim.running.blocks import Done, Simulator
from trajsim.running.engines.base import MOST_PUBLISHED_AT_ONCE, Job, compile_and_tell
from trajsim.running.engines.pool import Threads, fulfil

MOST_BYTES_AT_ONCE = 64 << 20


class Ledgers:
    """Arrays for the ledgers of blocks, reused: allocating memory costs more than filling it."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lock = threading.Lock()
        self._free: list[dict[str, NDArray]] = []

    def take(self, count: int) -> dict[str, NDArray]:
        """Columns for at least `count` trajectories, not initialised."""
        with self._lock:
            while self._free:
                columns = self._free.pop()
                # Arrays that are too small are dropped: blocks grow.
                if len(columns["energy"]) >= count:
                    return columns
        return self._layout.allocate(count)

    def put_back(self, columns: dict[str, NDArray]) -> None:
        """Columns that are no longer needed."""
        with self._lock:
            self._free.append(columns)


class ThreadEngine:
    """Simulates blocks on threads, and publishes them on others."""

    def __init__(self, job: Job, workers: int) -> None:
        self.job, self.workers = job, workers
        self._simulator = Simulator(job.config, job.run.layout)
        self._workers = Threads(workers)
        self._publishers = Threads(min(workers, MOST_PUBLISHED_AT_ONCE))
        self._ledgers = Ledgers(job.run.layout)
        self._lock = threading.Lock()
        self._segments_done = 0

    def connect(self, say: Callable[[str], None]) -> Future[None]:
        """Nothing to connect to: threads are started when needed."""
        promise: Future[None] = Future()
        promise.set_result(None)
        return promise

    def compile(self, say: Callable[[str], None]) -> Future[None]:
        """Compile the kernel, or load it from the cache, before threads need it."""
        promise: Future[None] = Future()
        self._workers.do(partial(fulfil, promise, compile_and_tell, self._simulator, say))
        return promise

    def check(self) -> None:
        """Nothing to check: threads are part of this process."""

    @property
    def block_seconds(self) -> float:
        """Target duration of a block: that of a kernel call."""
        return blocks.CALL_SECONDS

    def at_once(self, block_bytes: int) -> int:
        """Largest number of blocks submitted at a time, within MOST_BYTES_AT_ONCE."""
        most = 2 * self.workers + MOST_PUBLISHED_AT_ONCE
        return max(1, min(most, MOST_BYTES_AT_ONCE // block_bytes))

    def periods_done(self) -> int:
        """Periods simulated so far, those of unfinished blocks included."""
        return self._segments_done // self._simulator.plan.rows_per_period

    def block(self, point: int, first: int, count: int) -> Future[Done | None]:
        """Trajectories first ... first + count - 1 of a point; None if stopped on the way."""
        promise: Future[Done | None] = Future()
        self._workers.do(partial(self._make, promise, point, first, count))
        return promise

    def close(self) -> None:
        """Wait for blocks that are being published; abandon all others."""
        self._workers.close(wait=False)
        self._publishers.close(wait=True)

    def _make(self, promise: Future[Done | None], point: int, first: int, count: int) -> None:
        try:
            ledger = self._ledgers.take(count)
            columns = {name: values[:count] for name, values in ledger.items()}
            result = self._simulator.simulate(
                columns, point, first, count, self.job.signals.overdue, self._tick
            )
        except BaseException as error:
            promise.set_exception(error)
            return
        if result is None:
            promise.set_result(None)
            return
        events, seconds = result

        def publish() -> Done:
            block = self.job.run.publish(columns, point, first, events)
            self._ledgers.put_back(ledger)
            return Done(block, seconds)

        self._publishers.do(partial(fulfil, promise, publish))

    def _tick(self, segments: int) -> None:
        with self._lock:
            self._segments_done += segments
