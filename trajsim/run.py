"""From a config to a file: blocks of trajectories on threads, published one by one.

The only importer of tqdm.
"""

import json
import os
import platform
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from functools import cache
from importlib.metadata import version as library_version
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from numpy.typing import NDArray
from tqdm import tqdm

import trajsim
from trajsim.config import Config, Experiment
from trajsim.exact import NoExactSideError, start_state
from trajsim.kernels import kernel_of
from trajsim.ledger import Layout
from trajsim.plan import Plan
from trajsim.store import Block, Parts, StoreError, pack
from trajsim.store.parts import gaps
from trajsim.store.reading import SCHEMA

LIBRARIES = ("numba", "numpy", "scipy", "llvmlite")
# A kernel call is kept near this long, so that a stop is obeyed within a second.
CALL_SECONDS = 0.2
# A block that has begun when a stop is asked for may go on this long to its end.
GRACE_SECONDS = 0.4
MOST_BLOCK_BYTES = 16 << 20
MOST_TRAJECTORY_BYTES = 64 << 20


class RunError(Exception):
    """A run that cannot be made as asked; nothing was started."""


class StoppedError(Exception):
    """A run stopped before its end, by a signal or a full disk; it can be resumed."""


class Summary(NamedTuple):
    """What a run did."""

    path: Path
    wall_time: float
    simulated_periods: int
    events: int


class _Done(NamedTuple):
    point: int
    first: int
    columns: dict[str, NDArray]
    events: int
    seconds: float


def layout_of(config: Config) -> Layout:
    """Shape and labels of the ledger that a config makes."""
    first = config.experiment
    plan = first.plan
    return Layout(
        kind=first.model.kind,
        points=len(config.points),
        trajectories=first.ensemble.trajectories,
        rows=plan.rows,
        rows_per_period=plan.rows_per_period,
        row_periods=plan.row_periods,
        periods=[point.experiment.drive.period for point in config.points],
        labels=first.labels,
        parameters={
            key: [point.parameters[key] for point in config.points]
            for key in config.points[0].parameters
        },
    )


def header_of(config: Config) -> dict[str, Any]:
    """Provenance that is written with a run."""
    experiment = config.experiment
    return {
        "title": experiment.title,
        "program": "trajsim",
        "version": trajsim.__version__,
        "schema": SCHEMA,
        "config": config.text,
        "resolved": json.loads(experiment.model_dump_json()),
        "seed": str(experiment.ensemble.seed),
        "kind": experiment.model.kind,
        "method": experiment.method,
        "libraries": {name: library_version(name) for name in LIBRARIES},
        "machine": {"processor": _processor(), "system": platform.system()},
        "layout": asdict(layout_of(config)),
    }


@cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def simulate(
    config: Config,
    output: Path,
    *,
    workers: int | None = None,
    resume: bool = False,
    force: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Summary:
    """Run all trajectories of a config into `output`.

    Parameters
    ----------
    config : from `trajsim.config.load`
    output : HDF5 file to make; while the run goes on its blocks are in `output` + ".parts"
    workers : threads; all processors if None. The ledger is the same for any number
    resume : take up an unfinished run of the same config
    force : replace an output that is there
    say : called with messages for the user

    Raises
    ------
    RunError
        If the run cannot be made as asked: output there, disk too small, config differs.
    StoppedError
        If it was stopped by SIGINT, SIGTERM or a full disk; every finished block is kept.
    """
    began = time.perf_counter()
    layout, header = layout_of(config), header_of(config)
    parts = Parts(output)
    with _Signals() as signals:
        if output.exists() and not parts.exists() and resume and not force:
            raise RunError(f"{output}: already complete; --force makes it anew")
        if output.exists() and not (resume or force):
            raise RunError(f"{output}: exists; --force replaces it")
        _fits(layout, output)
        try:
            parts.lock()
        except OSError as error:
            raise RunError(f"{parts.folder}: cannot be made: {error.strerror}") from None
        except StoreError as error:
            raise RunError(str(error)) from None
        try:
            blocks = _take_up(parts, header, layout, resume, force, say)
            try:
                _run_blocks(config, layout, parts, blocks, workers or _processors(), signals, say)
                _pack(parts, output, layout, signals)
            except OSError as error:
                raise StoppedError(f"{parts.folder}: {error.strerror or error}") from None
            except StoreError as error:
                raise StoppedError(str(error)) from None
        finally:
            parts.unlock()
    events = sum(block.events for block in blocks)
    plan = config.experiment.plan
    periods = layout.points * layout.trajectories * (plan.burn_in + plan.periods)
    return Summary(output, time.perf_counter() - began, periods, events)


def _fits(layout: Layout, output: Path) -> None:
    """Refuse a ledger too large for memory or disk."""
    if layout.trajectory_bytes > MOST_TRAJECTORY_BYTES:
        raise RunError(
            f"a trajectory's ledger of {layout.rows} rows takes "
            f"{layout.trajectory_bytes >> 20} MB; "
            f"allowed: {MOST_TRAJECTORY_BYTES >> 20} MB (raise ledger.periods_per_row)"
        )
    folder = output.absolute().parent
    while not folder.exists():
        folder = folder.parent
    # The blocks and the file made of them are there at the same time.
    need, free = 2 * layout.total_bytes + (8 << 20), shutil.disk_usage(folder).free
    if need > free:
        raise RunError(
            f"{output}: the run needs {need / 1e9:.3g} GB of disk, {free / 1e9:.3g} GB are free; "
            "fewer trajectories or a larger ledger.periods_per_row need less"
        )


def _take_up(
    parts: Parts,
    header: dict[str, Any],
    layout: Layout,
    resume: bool,
    force: bool,
    say: Callable[[str], None],
) -> list[Block]:
    """Blocks that are done already; a fresh folder where there are none."""
    if parts.exists() and not force:
        if not resume:
            raise RunError(
                f"{parts.folder}: an unfinished run is there; --resume takes it up, "
                "--force throws it away"
            )
        differences = parts.differences(header)
        if differences:
            raise RunError(f"{parts.folder}: cannot be resumed: " + "; ".join(differences))
        if parts.other_machine(header):
            say("resuming on another kind of machine: last digits of the rest may differ")
        listed = len(parts.blocks())
        blocks = parts.sound_blocks(layout)
        if len(blocks) < listed:
            say(f"{listed - len(blocks)} damaged blocks will be simulated again")
        say(f"resuming: {sum(b.trajectories for b in blocks)} trajectories are done")
        return blocks
    parts.begin(header)
    return []


def _run_blocks(
    config: Config,
    layout: Layout,
    parts: Parts,
    blocks: list[Block],
    workers: int,
    signals: "_Signals",
    say: Callable[[str], None],
) -> None:
    """Simulate what is missing and add it to `blocks`."""
    missing = list(gaps(blocks, layout))
    if not missing:
        return
    work = _Work(config, layout, signals)
    work.compile(say)
    signals.interrupt = False
    sizes = _Sizes(missing, layout, config.experiment.plan)
    plan = config.experiment.plan
    each = plan.burn_in + plan.periods
    before = sum(block.trajectories for block in blocks) * each
    with (
        ThreadPoolExecutor(workers) as pool,
        tqdm(
            total=layout.points * layout.trajectories * each,
            initial=before,
            unit=" periods",
            unit_scale=True,
            file=sys.stderr,
            disable=not sys.stderr.isatty(),
            dynamic_ncols=True,
        ) as bar,
    ):
        running: set[Future[_Done | None]] = set()
        try:
            while True:
                while len(running) < 2 * workers and not signals.stop:
                    task = sizes.next()
                    if task is None:
                        break
                    running.add(pool.submit(work.block, *task))
                if not running:
                    break
                finished, running = wait(running, timeout=0.1, return_when=FIRST_COMPLETED)
                for future in finished:
                    done = future.result()
                    if done is not None:
                        count = len(done.columns["energy"])
                        blocks.append(
                            parts.publish(done.columns, done.point, done.first, done.events)
                        )
                        sizes.learn(count, done.seconds)
                bar.update(before + work.periods_done() - bar.n)
        except BaseException:
            signals.ask()
            raise
    signals.check()


class _Work:
    """Makes blocks, on any thread."""

    def __init__(self, config: Config, layout: Layout, signals: "_Signals") -> None:
        self.config, self.layout, self.signals = config, layout, signals
        self.plan: Plan = config.experiment.plan
        self._lock = threading.Lock()
        self._segments_done = 0
        self._models: dict[int, tuple[Any, Any, Any]] = {}

    def compile(self, say: Callable[[str], None]) -> None:
        """Compile the kernel, or load it from the cache, before threads need it."""
        began = time.perf_counter()
        kernel, model, start = self._model(0)
        rows = kernel.Rows(**self.layout.allocate(1))
        walkers = kernel.begin(model, start, 0, 0, 0, 1)
        kernel.advance(model, self.plan, walkers, rows, 0, 0)
        seconds = time.perf_counter() - began
        if seconds > 2.0:
            say(f"compiled the kernel in {seconds:.1f} s; it is kept for the next run")

    def periods_done(self) -> int:
        """Periods simulated so far, those of unfinished blocks included."""
        return self._segments_done // self.plan.rows_per_period

    def block(self, point: int, first: int, count: int) -> _Done | None:
        """Trajectories first ... first + count - 1 of a point; None if stopped on the way."""
        kernel, model, start = self._model(point)
        columns = self.layout.allocate(count)
        rows = kernel.Rows(**columns)
        seed = self.config.points[point].experiment.ensemble.seed
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
        return _Done(point, first, columns, events, time.perf_counter() - began)

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


class _Sizes:
    """Cuts what is missing into blocks of about CALL_SECONDS, from what blocks took so far."""

    def __init__(self, missing: list[tuple[int, int, int]], layout: Layout, plan: Plan) -> None:
        self._missing = iter(missing)
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

    def learn(self, count: int, seconds: float) -> None:
        """Fit the size of the next blocks to what one of `count` trajectories took."""
        fitting = count * CALL_SECONDS / max(seconds, 1e-6)
        self._size = min(max(1.0, fitting), 4 * max(self._size, 1.0), self._most)


def _pack(parts: Parts, output: Path, layout: Layout, signals: "_Signals") -> None:
    with tqdm(
        total=layout.points * layout.trajectories,
        desc="packing",
        unit=" trajectories",
        unit_scale=True,
        file=sys.stderr,
        disable=not sys.stderr.isatty(),
        leave=False,
    ) as bar:

        def tick(count: int) -> None:
            signals.check()
            bar.update(count)

        pack(parts, output, layout, tick)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Signals:
    """SIGINT and SIGTERM as a wish to stop, noticed between kernel calls.

    While `interrupt` is true (compiling, before any thread runs) a signal stops at once.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self.interrupt = True
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "_Signals":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._wish)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _wish(self, _number: int, _frame: FrameType | None) -> None:
        self.ask()
        if self.interrupt:
            self.check()

    @property
    def stop(self) -> bool:
        """Whether a stop was asked for."""
        return self._since is not None

    def overdue(self, begun: bool) -> bool:
        """Whether to leave work: at once if not yet begun, else when it holds up the stop."""
        since = self._since
        return since is not None and not (begun and time.monotonic() - since < GRACE_SECONDS)

    def ask(self) -> None:
        """Ask for a stop."""
        self._since = self._since or time.monotonic()

    def check(self) -> None:
        """Raise StoppedError if a stop was asked for."""
        if self.stop:
            raise StoppedError("stopped")
