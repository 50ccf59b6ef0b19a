"""Blocks of trajectories: how large to make them, and making them, on any thread."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple

from numpy.typing import NDArray

from trajsim.config import Config, Experiment
from trajsim.exact import NoExactSideError, start_state
from trajsim.kernels import kernel_of
from trajsim.ledger import Layout
from trajsim.plan import Plan
from trajsim.stopping import Signals

# A kernel call is kept near this long, so that a stop is obeyed within a second.
CALL_SECONDS = 0.2
# Loading a kernel from the cache takes less; the user is told of what takes more.
LONG_SECONDS = 1.5
MOST_BLOCK_BYTES = 8 << 20
MOST_BYTES_AT_ONCE = 64 << 20


class RunError(Exception):
    """A run that cannot be made as asked."""


class Done(NamedTuple):
    """Trajectories first ... of a point, simulated."""

    point: int
    first: int
    columns: dict[str, NDArray]
    events: int
    seconds: float


def submit(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
    """Run a function on a thread that does not keep the process alive: a stop waits for none."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(function(*arguments))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


class Work:
    """Makes blocks, on any thread."""

    def __init__(self, config: Config, layout: Layout, signals: Signals, workers: int) -> None:
        self._turns = threading.BoundedSemaphore(workers)
        self.config, self.layout, self.signals = config, layout, signals
        self.plan: Plan = config.experiment.plan
        self._lock = threading.Lock()
        self._segments_done = 0
        self._models: dict[int, tuple[Any, Any, Any]] = {}

    def compile(self, say: Callable[[str], None]) -> None:
        """Compile the kernel, or load it from the cache, before threads need it."""
        began = time.perf_counter()
        notice = threading.Timer(
            LONG_SECONDS, say, ["compiling the kernel, once for this kind of model ..."]
        )
        notice.daemon = True
        notice.start()
        try:
            self._compile()
        finally:
            notice.cancel()
        seconds = time.perf_counter() - began
        if seconds > LONG_SECONDS:
            say(f"compiled the kernel in {seconds:.1f} s; it is kept for the next run")

    def _compile(self) -> None:
        kernel, model, start = self._model(0)
        rows = kernel.Rows(**self.layout.allocate(1))
        walkers = kernel.begin(model, start, 0, 0, 0, 1)
        kernel.advance(model, self.plan, walkers, rows, 0, 0)

    def periods_done(self) -> int:
        """Periods simulated so far, those of unfinished blocks included."""
        return self._segments_done // self.plan.rows_per_period

    def block(self, point: int, first: int, count: int) -> Done | None:
        """Trajectories first ... first + count - 1 of a point; None if stopped on the way."""
        with self._turns:
            return self._block(point, first, count)

    def _block(self, point: int, first: int, count: int) -> Done | None:
        kernel, model, start = self._model(point)
        columns = self.layout.allocate(count)
        rows = kernel.Rows(**columns)
        seed = _seed(self.config.points[point].experiment)
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
        return Done(point, first, columns, events, time.perf_counter() - began)

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


def _seed(experiment: Experiment) -> int:
    """Seed of the streams: a reversed run errs independently of the forward one."""
    seed = int(experiment.ensemble.seed)
    return seed if experiment.drive.direction == "forward" else seed ^ (2**64 - 1)


def model_of(experiment: Experiment) -> tuple[Any, Any, Any]:
    """Kernel, model made ready for it, and start of the trajectories of an experiment.

    Raises
    ------
    RunError
        If the integrator or the start does not fit the network.
    """
    network, initial = experiment.network(), experiment.ensemble.initial
    kernel = kernel_of(network)
    try:
        state = start_state(network, initial) if kernel.needs_state(initial) else None
        model = kernel.prepare(network, experiment.plan, **experiment.integration)
    except (NoExactSideError, ValueError) as error:
        raise RunError(str(error)) from None
    return kernel, model, kernel.start(network, initial, state)


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
        return max(1, min(2 * workers, MOST_BYTES_AT_ONCE // block))

    def learn(self, count: int, seconds: float) -> None:
        """Fit the size of the next blocks to what one of `count` trajectories took."""
        fitting = count * CALL_SECONDS / max(seconds, 1e-6)
        self._size = min(max(1.0, fitting), 4 * max(self._size, 1.0), self._most)
