"""Blocks of trajectories: how large to make them, making and publishing them, on any thread."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any, NamedTuple

from numpy.typing import NDArray

from trajsim.config import Config, Experiment
from trajsim.exact import NoExactSideError, start_state
from trajsim.kernels import kernel_of
from trajsim.ledger import Layout
from trajsim.plan import Plan
from trajsim.stopping import Signals
from trajsim.store import Block, Parts

# A kernel call is kept near this long, so that a stop is obeyed within a second.
CALL_SECONDS = 0.2
# Loading a kernel from the cache takes less; the user is told of what takes more.
LONG_SECONDS = 1.5
MOST_BLOCK_BYTES = 8 << 20
MOST_BYTES_AT_ONCE = 64 << 20
# So many blocks are published side by side: while the disk takes in one, the next is written.
MOST_PUBLISHED_AT_ONCE = 2


class RunError(Exception):
    """A run that cannot be made as asked."""


class Done(NamedTuple):
    """A block simulated and published, and the seconds that simulating it took."""

    block: Block
    seconds: float


class Threads:
    """Threads that do what they are given in the order in which it comes.

    They do not keep the process alive: a stop waits for none that is lost in a kernel.
    """

    def __init__(self, count: int) -> None:
        self._count, self._closed = count, False
        # Workers give tasks to publishers while others close them.
        self._lock = threading.Lock()
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def do(self, task: Callable[[], None]) -> None:
        """Have something done."""
        with self._lock:
            if self._closed:
                return
            if len(self._threads) < self._count:
                thread = threading.Thread(target=self._work, daemon=True)
                thread.start()
                self._threads.append(thread)
            self._queue.put(task)

    def close(self, wait: bool) -> None:
        """Begin nothing more; `wait` for what is being done."""
        with self._lock:
            self._closed = True
            for _ in self._threads:
                self._queue.put(None)
        for thread in self._threads if wait else []:
            thread.join()

    def _work(self) -> None:
        while (task := self._queue.get()) is not None:
            if not self._closed:
                task()
            # What it holds is let go before the next one comes.
            del task


class Ledgers:
    """Room for the ledgers of blocks, used again: fresh memory costs more than what is put in."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lock = threading.Lock()
        self._free: list[dict[str, NDArray]] = []

    def take(self, count: int) -> dict[str, NDArray]:
        """Columns for at least `count` trajectories, with anything in them."""
        with self._lock:
            while self._free:
                columns = self._free.pop()
                # What is too small once is let go: blocks grow.
                if len(columns["energy"]) >= count:
                    return columns
        return self._layout.allocate(count)

    def put_back(self, columns: dict[str, NDArray]) -> None:
        """Columns that are no longer needed."""
        with self._lock:
            self._free.append(columns)


def fulfil(promise: Future[Any], function: Callable[..., Any], *arguments: Any) -> None:
    """Keep a promise with what a function returns or raises."""
    try:
        promise.set_result(function(*arguments))
    except BaseException as error:
        promise.set_exception(error)


class Work:
    """Makes blocks on so many `workers`, and publishes them in `parts` beside them."""

    def __init__(
        self, config: Config, layout: Layout, parts: Parts, signals: Signals, workers: int
    ) -> None:
        self.config, self.layout, self.parts, self.signals = config, layout, parts, signals
        self.plan: Plan = config.experiment.plan
        self.workers = workers
        self._workers = Threads(workers)
        self._publishers = Threads(min(workers, MOST_PUBLISHED_AT_ONCE))
        self._ledgers = Ledgers(layout)
        self._lock = threading.Lock()
        self._segments_done = 0
        self._models: dict[int, tuple[Any, Any, Any]] = {}

    def close(self) -> None:
        """Wait for what is being published; what is not yet simulated never will be."""
        self._workers.close(wait=False)
        self._publishers.close(wait=True)

    def compile(self, say: Callable[[str], None]) -> Future[None]:
        """Compile the kernel, or load it from the cache, before threads need it."""
        promise: Future[None] = Future()
        self._workers.do(partial(fulfil, promise, self._compile_and_tell, say))
        return promise

    def _compile_and_tell(self, say: Callable[[str], None]) -> None:
        began = time.perf_counter()
        notice = threading.Timer(
            LONG_SECONDS, say, ["compiling the kernel, once for this kind of model ..."]
        )
        notice.daemon = True
        notice.start()
        try:
            compile_kernel(*self._model(0), self.layout, self.plan)
        finally:
            notice.cancel()
        seconds = time.perf_counter() - began
        if seconds > LONG_SECONDS:
            say(f"compiled the kernel in {seconds:.1f} s; it is kept for the next run")

    def periods_done(self) -> int:
        """Periods simulated so far, those of unfinished blocks included."""
        return self._segments_done // self.plan.rows_per_period

    def block(self, point: int, first: int, count: int) -> Future[Done | None]:
        """Trajectories first ... first + count - 1 of a point; None if stopped on the way."""
        promise: Future[Done | None] = Future()
        self._workers.do(partial(self._make, promise, point, first, count))
        return promise

    def _make(self, promise: Future[Done | None], point: int, first: int, count: int) -> None:
        try:
            room = self._ledgers.take(count)
            columns = {name: values[:count] for name, values in room.items()}
            made = self._simulate(columns, point, first, count)
        except BaseException as error:
            promise.set_exception(error)
            return
        if made is None:
            promise.set_result(None)
            return
        events, seconds = made

        def publish() -> Done:
            block = self.parts.publish(columns, point, first, events)
            self._ledgers.put_back(room)
            return Done(block, seconds)

        self._publishers.do(partial(fulfil, promise, publish))

    def _simulate(
        self, columns: dict[str, NDArray], point: int, first: int, count: int
    ) -> tuple[int, float] | None:
        """Fill the columns of a block; the events in it, and the seconds it took."""
        kernel, model, start = self._model(point)
        rows = kernel.Rows(**columns)
        seed = seed_of(self.config.points[point].experiment)
        walkers = kernel.begin(model, start, seed, point, first, count)
        began = time.perf_counter()
        events, at, step = 0, 0, max(1, 256 // count)
        while at < self.plan.segments:
            if self.signals.overdue(begun=at > 0):
                return None
            end = min(self.plan.segments, at + step)
            called = time.perf_counter()
            made, witness = kernel.advance(model, self.plan, walkers, rows, at, end)
            fault = kernel.fault(witness, first)
            if fault:
                raise RunError(f"point {point}: {fault}")
            events += made
            with self._lock:
                self._segments_done += count * (end - at)
            seconds = time.perf_counter() - called
            step = max(1, int(min(8 * step, (end - at) * CALL_SECONDS / max(seconds, 1e-6))))
            at = end
        return events, time.perf_counter() - began

    def _model(self, point: int) -> tuple[Any, Any, Any]:
        with self._lock:
            if point not in self._models:
                self._models = {
                    point: model_of(self.config.points[point].experiment),
                    **self._models,
                }
                while len(self._models) > 8:
                    self._models.popitem()
            return self._models[point]


def seed_of(experiment: Experiment) -> int:
    """Seed of the streams: a reversed run errs independently of the forward one."""
    seed = int(experiment.ensemble.seed)
    return seed if experiment.drive.direction == "forward" else seed ^ (2**64 - 1)


def model_of(experiment: Experiment, plan: Plan | None = None) -> tuple[Any, Any, Any]:
    """Kernel, model made ready for it, and start of the trajectories of an experiment.

    The plan is the experiment's own where none is given.

    Raises
    ------
    RunError
        If the integrator or the start does not fit the network.
    """
    network, initial = experiment.network(), experiment.ensemble.initial
    kernel = kernel_of(network)
    try:
        state = start_state(network, initial) if kernel.needs_state(initial) else None
        model = kernel.prepare(network, plan or experiment.plan, **experiment.integration)
    except (NoExactSideError, ValueError) as error:
        raise RunError(str(error)) from None
    return kernel, model, kernel.start(network, initial, state)


def compile_kernel(kernel: Any, model: Any, start: Any, layout: Layout, plan: Plan) -> None:
    """Have what `model_of` gave compiled, or loaded from the cache, by running it for no time."""
    rows = kernel.Rows(**layout.allocate(1))
    walkers = kernel.begin(model, start, 0, 0, 0, 1)
    kernel.advance(model, plan, walkers, rows, 0, 0)


class Sizes:
    """Cuts what is missing into blocks of about CALL_SECONDS, from what blocks took so far."""

    def __init__(self, missing: list[tuple[int, int, int]], layout: Layout, plan: Plan) -> None:
        self._missing = iter(missing)
        self._trajectory_bytes = layout.trajectory_bytes
        self._range: tuple[int, int, int] | None = next(self._missing, None)
        self._most = max(1, MOST_BLOCK_BYTES // layout.trajectory_bytes)
        self._size = float(min(self._most, max(1, 4000 // plan.segments)))

    def next(self) -> tuple[int, int, int] | None:
        """Next (point, first, count), or None when all are given out."""
        if self._range is None:
            return None
        point, first, end = self._range
        count = min(max(1, int(self._size)), end - first)
        # Two even blocks rather than a full one and a crumb.
        if count < end - first < 2 * count:
            count = (end - first + 1) // 2
        self._range = (
            (point, first + count, end) if first + count < end else next(self._missing, None)
        )
        return point, first, count

    def at_once(self, workers: int) -> int:
        """Number of blocks that workers may have in hand or in line, within what memory allows."""
        block = max(self._trajectory_bytes, int(self._size) * self._trajectory_bytes)
        return max(1, min(2 * workers + MOST_PUBLISHED_AT_ONCE, MOST_BYTES_AT_ONCE // block))

    def learn(self, count: int, seconds: float) -> None:
        """Fit the size of the next blocks to what one of `count` trajectories took."""
        fitting = count * CALL_SECONDS / max(seconds, 1e-6)
        self._size = min(max(1.0, fitting), 4 * max(self._size, 1.0), self._most)
