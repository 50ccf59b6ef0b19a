"""Blocks of trajectories: their sizes, and their simulation on any thread."""

import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from numpy.typing import NDArray

from trajsim.config import Config, Experiment
from trajsim.ensemble import NoExactSideError, start_state
from trajsim.kernels import kernel_of
from trajsim.ledger import Layout
from trajsim.plan import Plan
from trajsim.store import Block, RunError

# Target duration of a kernel call, so that a run stops within a second.
CALL_SECONDS = 0.2
MOST_BLOCK_BYTES = 8 << 20


class Done(NamedTuple):
    """A published block, and the seconds that its simulation took."""

    block: Block
    seconds: float


class Simulator:
    """Simulates blocks of a config, on any thread of any machine."""

    def __init__(self, config: Config, layout: Layout) -> None:
        self.config, self.layout = config, layout
        self.plan: Plan = config.experiment.plan
        self._lock = threading.Lock()
        self._models: dict[int, tuple[Any, Any, Any]] = {}

    def prepare(self) -> None:
        """Prepare the model of the first point."""
        self._model(0)

    def compile(self) -> None:
        """Compile the kernel, or load it from the cache, before threads need it."""
        compile_kernel(*self._model(0), self.layout, self.plan)

    def simulate(
        self,
        columns: dict[str, NDArray],
        point: int,
        first: int,
        count: int,
        overdue: Callable[[bool], bool],
        tick: Callable[[int], None] = lambda _: None,
    ) -> tuple[int, float] | None:
        """Fill the columns of a block: trajectories first ... first + count - 1 of a point.

        Parameters
        ----------
        overdue : whether to abandon a block that is, or is not, begun; called between kernel calls
        tick : called with the number of segments simulated by each kernel call

        Returns
        -------
        The events in the block and the seconds it took; None if it was abandoned.

        Raises
        ------
        RunError
            If the kernel fails.
        """
        kernel, model, start = self._model(point)
        rows = kernel.Rows(**columns)
        seed = seed_of(self.config.points[point].experiment)
        replicas = kernel.begin(model, start, seed, point, first, count)
        start_time = time.perf_counter()
        events, segment, step = 0, 0, max(1, 256 // count)
        while segment < self.plan.segments:
            if overdue(segment > 0):
                return None
            end = min(self.plan.segments, segment + step)
            call_time = time.perf_counter()
            new_events, broken = kernel.advance(model, self.plan, replicas, rows, segment, end)
            fault = kernel.fault(broken, first)
            if fault:
                raise RunError(f"point {point}: {fault}")
            events += new_events
            tick(count * (end - segment))
            seconds = time.perf_counter() - call_time
            step = max(1, int(min(8 * step, (end - segment) * CALL_SECONDS / max(seconds, 1e-6))))
            segment = end
        return events, time.perf_counter() - start_time

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
    """Seed of the streams; different for reversed runs, so that their errors are independent."""
    seed = int(experiment.ensemble.seed)
    return seed if experiment.drive.direction == "forward" else seed ^ (2**64 - 1)


def model_of(experiment: Experiment, plan: Plan | None = None) -> tuple[Any, Any, Any]:
    """Kernel, model prepared for it, and start of the trajectories of an experiment.

    The default plan is that of the experiment.

    Raises
    ------
    RunError
        If the integrator or the start does not fit the network.
    """
    network, initial = experiment.network(), experiment.ensemble.initial
    try:
        kernel = kernel_of(network)
        state = start_state(network, initial) if kernel.needs_state(initial) else None
        model = kernel.prepare(network, plan or experiment.plan, **experiment.integration)
        return kernel, model, kernel.start(network, initial, state)
    except (NoExactSideError, ValueError) as error:
        raise RunError(str(error)) from None


def compile_kernel(kernel: Any, model: Any, start: Any, layout: Layout, plan: Plan) -> None:
    """Compile the kernel of `model_of`, or load it from the cache, by running no segments.

    Parameters
    ----------
    kernel, model, start : from `model_of`
    layout, plan : of the run
    """
    rows = kernel.Rows(**layout.allocate(1))
    replicas = kernel.begin(model, start, 0, 0, 0, 1)
    kernel.advance(model, plan, replicas, rows, 0, 0)


class Sizes:
    """Divides missing trajectories into blocks of a target duration, from earlier durations."""

    def __init__(self, missing: list[tuple[int, int, int]], layout: Layout, plan: Plan) -> None:
        self._missing, self.plan = iter(missing), plan
        self.trajectories = sum(end - first for _, first, end in missing)
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
        # Two equal blocks rather than a full one and a small one.
        if count < end - first < 2 * count:
            count = (end - first + 1) // 2
        self._range = (
            (point, first + count, end) if first + count < end else next(self._missing, None)
        )
        return point, first, count

    @property
    def block_bytes(self) -> int:
        """Bytes of the next block."""
        return max(1, int(self._size)) * self._trajectory_bytes

    def learn(self, count: int, seconds: float, target: float) -> None:
        """Adapt the block size to a target, from `seconds` for `count` trajectories."""
        trajectories = count * target / max(seconds, 1e-6)
        self._size = min(max(1.0, trajectories), 4 * max(self._size, 1.0), self._most)
