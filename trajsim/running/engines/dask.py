"""Blocks simulated by Dask's workers, sent here, verified and published."""

import itertools
import logging
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from trajsim.running.blocks import Done, Simulator, model_of
from trajsim.running.engines.base import MOST_PUBLISHED_AT_ONCE, Job, compile_and_tell
from trajsim.running.engines.places import Local
from trajsim.running.engines.pool import Threads, fulfil
from trajsim.running.engines.worker import SentBlock, differences, make, order_of
from trajsim.running.provenance import identity, processor
from trajsim.running.stopping import StoppedError
from trajsim.store import RunError

# Submissions of a block whose workers were killed; each is tried four times by the scheduler.
MOST_TRIES = 3
# Least duration of a block, and the client's time per block times the number of workers, several
# times what it needs (benchmarks/reliability.md).
BLOCK_SECONDS, CLIENT_SECONDS = 0.5, 0.02
# Seconds between updates of the number of workers.
COUNT_SECONDS = 2.0

Task = tuple[int, int, int]


class Place(Protocol):
    """Interface of the location of workers."""

    address: str
    workers: int

    def connect(self) -> Any:
        """A client of the scheduler; RunError if there is none."""

    def count(self, client: Any) -> None:
        """Update the number of workers."""

    def check(self) -> None:
        """Raise StoppedError if the workers have ended."""

    def close(self) -> None:
        """End processes that were started."""


class DaskEngine:
    """Submits blocks to Dask's workers; only a few at a time are sent here to be published."""

    def __init__(self, job: Job, place: Place) -> None:
        self.job, self.place = job, place
        self._simulator = Simulator(job.config, job.run.layout)
        self._order = order_of(job.config)
        self._publishers, self._helper = Threads(MOST_PUBLISHED_AT_ONCE), Threads(1)
        self._lock = threading.Lock()
        self._pending: set[Any] = set()
        self._client: Any = None
        self._quiet = Quiet()
        self._say: Callable[[str], None] = lambda _: None
        self._name, self._numbers = f"trajsim-{uuid.uuid4().hex}", itertools.count()
        self._trajectories_done, self._counted, self._warned = 0, time.monotonic(), False
        self._closed = False

    # -- beginning ---------------------------------------------------------------------------

    def connect(self, say: Callable[[str], None]) -> Future[None]:
        """Connect to the scheduler and check its workers."""
        promise: Future[None] = Future()
        self._helper.do(partial(fulfil, promise, self._connect, say))
        return promise

    def _connect(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._quiet.begin()
        self._client = self.place.connect()
        if isinstance(self.place, Local):
            return
        self.place.count(self._client)
        if not self.place.workers:
            say(f"the scheduler at {self.place.address} has no workers yet")
        for address, theirs in self._client.run(identity, on_error="return").items():
            if not isinstance(theirs, dict):
                raise RunError(f"the worker at {address} has no trajsim of this kind: {theirs}")
            wrong = differences(theirs, identity())
            if wrong:
                raise RunError(f"the worker at {address} is not of this trajsim: {wrong}")

    def compile(self, say: Callable[[str], None]) -> Future[None]:
        """Compile the kernel for workers of this machine, or check the config for others."""
        promise: Future[None] = Future()
        if isinstance(self.place, Local):
            self._helper.do(partial(fulfil, promise, compile_and_tell, self._simulator, say))
        else:
            self._helper.do(partial(fulfil, promise, self._may_be_run))
        return promise

    def _may_be_run(self) -> None:
        model_of(self.job.config.points[0].experiment)

    # -- blocks ------------------------------------------------------------------------------

    def block(self, point: int, first: int, count: int) -> Future[Done | None]:
        """Trajectories first ... first + count - 1 of a point; None if stopped on the way."""
        promise: Future[Done | None] = Future()
        self._submit(promise, (point, first, count), 1)
        return promise

    def _submit(self, promise: Future[Done | None], task: Task, tries: int) -> None:
        key = f"{self._name}-{next(self._numbers)}"
        future = self._client.submit(
            make, self._order, self.job.run.run_id, *task, key=key, pure=False
        )
        with self._lock:
            self._pending.add(future)
        future.add_done_callback(
            lambda done: self._publishers.do(partial(self._receive, promise, task, tries, done))
        )

    def _receive(self, promise: Future[Done | None], task: Task, tries: int, future: Any) -> None:
        """Publish a block that is done, or set the error."""
        from distributed import KilledWorker

        try:
            result = future.result()
        except (KilledWorker, CancelledError, OSError) as error:
            # The last two may mean that the scheduler is lost, which may be known only later.
            lost = self._lost()
            if lost is None and tries < MOST_TRIES:
                self._submit(promise, task, tries + 1)
            else:
                promise.set_exception(lost or StoppedError(_failed(task, error)))
        except RunError as error:
            promise.set_exception(error)
        except BaseException as error:
            message = f"a worker cannot make a block: {type(error).__name__}: {error}"
            promise.set_exception(self._lost() or RunError(message))
        else:
            fulfil(promise, self._publish, result, *task)
        finally:
            with self._lock:
                self._pending.discard(future)
            with suppress(Exception):
                future.release()

    def _publish(self, result: SentBlock | None, point: int, first: int, count: int) -> Done | None:
        if result is None:
            return None
        if result.processor != processor() and not self._warned:
            self._warned = True
            self._say("workers are of another kind of machine: last digits may differ from here")
        block = self.job.run.adopt(result.name, result.image.data, point, first, count)
        with self._lock:
            self._trajectories_done += count
        return Done(block, result.seconds)

    # -- while running -----------------------------------------------------------------------

    def check(self) -> None:
        """Raise StoppedError if the scheduler or the workers are gone for good."""
        self.place.check()
        lost = self._lost()
        if lost:
            raise lost
        if time.monotonic() - self._counted > COUNT_SECONDS:
            self._counted = time.monotonic()
            self._helper.do(self._count)

    def _lost(self) -> StoppedError | None:
        if self._client.status == "running":
            return None
        return StoppedError(f"the scheduler at {self.place.address} is gone")

    def _count(self) -> None:
        # A lost scheduler is detected by `check`.
        with suppress(Exception):
            self.place.count(self._client)

    @property
    def block_seconds(self) -> float:
        """Target duration of a block, for this process to keep up with all workers."""
        return max(BLOCK_SECONDS, CLIENT_SECONDS * self.place.workers)

    def at_once(self, block_bytes: int) -> int:
        """Largest number of blocks submitted at a time; finished ones wait at their workers."""
        return 2 * max(1, self.place.workers) + MOST_PUBLISHED_AT_ONCE

    def periods_done(self) -> int:
        """Periods of the published blocks."""
        plan = self._simulator.plan
        return self._trajectories_done * (plan.burn_in + plan.periods)

    # -- ending ------------------------------------------------------------------------------

    def close(self) -> None:
        """Cancel unfinished blocks, wait for those being published, end processes."""
        if self._closed:
            return
        self._closed = True
        self._helper.close(wait=False)
        with self._lock:
            waiting = list(self._pending)
        connected = self._client is not None and self._client.status == "running"
        if self._client is not None:
            with suppress(Exception):
                if waiting and connected:
                    self._client.cancel(waiting, force=True)
            self._publishers.close(wait=True)
            with suppress(Exception):
                self._client.close(timeout=5)
        with suppress(Exception):
            self.place.close()
        # A client that has lost its scheduler logs messages after its end.
        if connected:
            self._quiet.end()


class Quiet:
    """Silences Dask's own log messages: errors are reported by this program."""

    NAMES = ("distributed", "tornado", "asyncio")

    def __init__(self) -> None:
        self._before: dict[logging.Logger, int] = {}

    def begin(self) -> None:
        """Silence the loggers."""
        import distributed  # noqa: F401  (it makes its loggers)

        for name in [*self.NAMES, *logging.root.manager.loggerDict]:
            if name.partition(".")[0] in self.NAMES:
                logger = logging.getLogger(name)
                self._before.setdefault(logger, logger.level)
                logger.setLevel(logging.CRITICAL + 1)

    def end(self) -> None:
        """Restore the levels of the loggers."""
        for logger, level in self._before.items():
            logger.setLevel(level)


def _failed(task: Task, error: BaseException) -> str:
    point, first, count = task
    last = getattr(error, "last_worker", None)
    reason = (
        f"their workers were killed again and again (out of memory?); the last: {last}"
        if last
        else f"they do not arrive: {str(error) or type(error).__name__}"
    )
    return f"trajectories {first} to {first + count - 1} of point {point}: {reason}"
