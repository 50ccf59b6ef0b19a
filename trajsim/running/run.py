"""Runs from a config to a file: an engine simulates blocks, which are published one by one."""

import errno
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from trajsim.config import Config
from trajsim.ledger import MOST_TRAJECTORY_BYTES, Layout
from trajsim.running.blocks import Done, Sizes, model_of
from trajsim.running.engines import Engine, Job, engine_of
from trajsim.running.progress import bar
from trajsim.running.provenance import header_of
from trajsim.running.stopping import Signals, StoppedError
from trajsim.store import (
    RunError,
    Shard,
    StoredRun,
    StoreError,
    UnfinishedRun,
    differences,
    open_run,
)
from trajsim.store.shards import run_of
from trajsim.store.unfinished import WHAT
from trajsim.system.files import NEVER_REPLACED, holds_config

__all__ = ["RunError", "StoppedError", "Summary", "model_of", "simulate"]


class Summary(NamedTuple):
    """Path, duration and size of a run."""

    path: Path  # of a shard, its folder
    wall_time: float
    simulated_periods: int
    events: int
    compile_time: float = 0.0  # of the wall time


def simulate(
    config: Config,
    output: Path,
    *,
    workers: int | None = None,
    engine: str = "threads",
    resume: bool = False,
    force: bool = False,
    shard: Shard | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Summary:
    """Run all trajectories of a config, or those of a shard, into `output`.

    Parameters
    ----------
    config : from `trajsim.config.load`
    output : HDF5 file to make; during the run its blocks are in `output` + ".parts"
    workers : threads or processes here; as many as processors if None
    engine : "threads", "dask" or "dask:ADDRESS"; the ledger is the same for any, and any workers
    resume : continue an unfinished run of the same config; a complete one is left as it is
    force : replace an existing output
    shard : simulate its share alone, into the folder x.shard-3-of-16.h5.parts if `output` is x.h5
    say : called with messages for the user

    Raises
    ------
    RunError
        If the run cannot be made: output exists or is no name for a run, disk too small, config
        differs, no scheduler at the address.
    StoppedError
        If it was stopped by SIGINT, SIGTERM, a full disk or a lost scheduler; every finished block
        is kept.
    """
    start_time = time.perf_counter()
    if resume and force:
        raise RunError(
            "--resume and --force: one keeps what is there, one replaces it; allowed: one of them"
        )
    expect_target(output, shard)
    given, config = config, config.settled()
    if config is not given:
        chosen = config.experiment.integration
        say(f"integrator: {chosen['scheme']}, {chosen['steps_per_period']} steps a period (chosen)")
    run = UnfinishedRun(shard.output(output) if shard else output, header_of(config, shard))
    make = engine_of(engine, workers)
    with Signals() as signals:
        events, compiling = _existing_events(run, resume, force), 0.0
        if events is None:
            _expect_room(run)
            job = Job(config, run, signals)
            events, compiling = _make(run, job, make(job), resume, force, say)
        else:
            say(f"{run.output}: already complete; --force makes it anew")
    plan = config.experiment.plan
    periods = run.trajectories * (plan.burn_in + plan.periods)
    seconds = time.perf_counter() - start_time
    return Summary(run.folder if shard else run.output, seconds, periods, events, compiling)


def expect_target(output: Path, shard: Shard | None = None) -> None:
    """Refuse an invalid name of a run's file, whether or not existing files may be replaced.

    Raises
    ------
    RunError
        If it has the name of a folder of parts or of a shard, is a folder, a device, a broken link
        or a config, would be among the files of another run, or something has the name of its
        folder of parts.
    """
    if output.name.lower().endswith(".parts"):
        raise RunError(
            f"{output}: .parts is the ending of the folders of unfinished runs; "
            "allowed: another name, such as x.h5"
        )
    if output.name and run_of(UnfinishedRun(output).folder):
        raise RunError(f"{output}: a shard of a run is called so; allowed: another name")
    outputs = (output, shard.output(output)) if shard and output.name else (output,)
    for path in outputs:
        _expect_plain(path)
    folder = Path(os.path.realpath(output.parent))
    if folder.suffix == ".parts" and UnfinishedRun(folder.with_suffix("")).exists():
        raise RunError(f"{output}: in the folder of another run")
    parts = UnfinishedRun(outputs[-1]).folder
    if os.path.lexists(parts) and not parts.is_dir():
        kind = "a link that leads to no folder" if parts.is_symlink() else "a file"
        raise RunError(f"{parts}: {kind}, in the way of the run's blocks; move it elsewhere")


def expect_replaceable(output: Path) -> None:
    """Refuse to replace a link: it is ambiguous whether the link or its target is meant.

    Raises
    ------
    RunError
        If there is a link.
    """
    if output.is_symlink():
        real = os.path.realpath(output)
        raise RunError(f"{output}: a link to {real}, which is not replaced; allowed: that name")


def _expect_plain(output: Path) -> None:
    """Refuse an existing path that is neither a plain file nor a link to one, or is a config."""
    if output.is_symlink() and not output.exists():
        raise RunError(f"{output}: a link that leads nowhere; allowed: another name")
    # Names there belong to the system: /dev/stdout may lead to a plain file.
    folder = Path(os.path.realpath(output.parent))
    system = folder == Path("/dev") or folder.is_relative_to("/proc")
    unsuitable = output.is_dir() or (output.exists() and not output.is_file())
    if not output.name or system or unsuitable:
        raise RunError(f"{output}: not a file that a run could be written to")
    if holds_config(output):
        raise RunError(f"{output}: {NEVER_REPLACED}")


def _existing_events(run: UnfinishedRun, resume: bool, force: bool) -> int | None:
    """Events of the run if it exists already; None if it is to be made.

    Raises
    ------
    RunError
        If another run exists, and may not be replaced.
    """
    if force:
        expect_replaceable(run.output)
    if force or not run.output.exists() or (resume and run.exists()):
        return None
    if not run.exists():
        run.tidy()
    if not resume:
        raise RunError(f"{run.output}: exists; --force replaces it")
    return finished(run.output, run.header).events


def finished(output: Path, header: dict[str, Any]) -> StoredRun:
    """The finished run at `output`.

    Raises
    ------
    RunError
        If it is not a run, or has another config than `header`.
    """
    try:
        run = open_run(output)
    except StoreError as error:
        raise RunError(f"{error}; --force replaces it") from None
    different = differences(run.header, header, WHAT)
    if different:
        raise RunError(f"{output}: is another run: {'; '.join(different)}; --force replaces it")
    return run


def _make(
    run: UnfinishedRun,
    job: Job,
    work: Engine,
    resume: bool,
    force: bool,
    say: Callable[[str], None],
) -> tuple[int, float]:
    """Make or continue a run; the number of its events, and the seconds before its first.

    No existing file is deleted before all checks have passed.
    """
    try:
        wait_for(work.connect(say), job.signals)
        run.lock()
        # Another run may have ended between the first check and the lock.
        events = _existing_events(run, resume, force)
        if events is not None:
            return events, 0.0
        existing = run.exists() and not force
        if existing:
            _resume(run, resume, say)
        compile_start = time.perf_counter()
        if not existing or run.missing():
            wait_for(work.compile(say), job.signals)
        compiling = time.perf_counter() - compile_start
        if not existing:
            if run.exists():
                _expect_models(job)
            run.begin()
        try:
            make_blocks(work, job)
            events = run.events
            if not run.shard:
                for message in pack_with_bar(run, job.signals):
                    say(message)
        except OSError as error:
            raise StoppedError(f"{run.folder}: {error.strerror or error}") from None
        except StoreError as error:
            raise StoppedError(str(error)) from None
        except RunError:
            # A run that cannot be made leaves no folder.
            work.close()
            if not run.size():
                run.remove()
            raise
    finally:
        # Keep the lock until all blocks are published.
        work.close()
        run.tidy()
    return events, compiling


def _resume(run: UnfinishedRun, resume: bool, say: Callable[[str], None]) -> None:
    """Continue the existing run, if `resume`."""
    if not resume:
        what = "a shard, finished or not," if run.shard else "an unfinished run"
        raise RunError(
            f"{run.folder}: {what} is there; --resume takes it up, --force throws it away"
        )
    try:
        for message in run.resume():
            say(message)
    except OSError as error:
        raise StoppedError(f"{run.folder}: {error.strerror or error}") from None


def _expect_models(job: Job) -> None:
    """Refuse a config with a point that cannot be simulated."""
    for point in job.config.points:
        job.signals.check()
        model_of(point.experiment)


def _expect_room(run: UnfinishedRun) -> None:
    """Refuse more shards than trajectories, and a ledger too large for memory or for the disk."""
    layout, folder = run.layout, run.output.absolute().parent
    total = layout.points * layout.trajectories
    if run.shard and run.shard.total > total:
        raise RunError(
            f"--shard: found {run.shard} of {total} trajectories; allowed: {total} shards"
        )
    expect_size(layout)
    while not folder.exists():
        folder = folder.parent
    needed, free = run.room + (1 << 20), shutil.disk_usage(folder).free
    if needed > free:
        raise RunError(
            f"{run.output}: the run needs {needed / 1e9:.3g} GB of disk, {free / 1e9:.3g} GB are "
            "free; fewer trajectories or a larger ledger.periods_per_row need less"
        ) from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def expect_size(layout: Layout) -> None:
    """Refuse a ledger of which a single trajectory is too large for memory.

    Raises
    ------
    RunError
        If it takes more than MOST_TRAJECTORY_BYTES.
    """
    if layout.trajectory_bytes > MOST_TRAJECTORY_BYTES:
        raise RunError(
            f"a trajectory's ledger of {layout.rows} rows takes "
            f"{layout.trajectory_bytes >> 20} MB; "
            f"allowed: {MOST_TRAJECTORY_BYTES >> 20} MB (raise ledger.periods_per_row)"
        )


def make_blocks(work: Engine, job: Job) -> None:
    """Simulate and publish all missing trajectories of a run, block by block."""
    missing, plan = job.run.missing(), job.config.experiment.plan
    if not missing:
        return
    with closing(work):
        try:
            _submit_blocks(work, Sizes(missing, job.run.layout, plan), job)
        except BaseException:
            job.signals.ask()
            raise
    job.signals.check()


def _submit_blocks(work: Engine, sizes: Sizes, job: Job) -> None:
    periods_each = sizes.plan.burn_in + sizes.plan.periods
    total = job.run.trajectories * periods_each
    done_before = total - sizes.trajectories * periods_each
    running: set[Future[Done | None]] = set()
    with bar(total, " periods", initial=done_before, dynamic_ncols=True) as progress:
        while True:
            while len(running) < work.at_once(sizes.block_bytes) and not job.signals.stop:
                task = sizes.next()
                if task is None:
                    break
                running.add(work.block(*task))
            if not running or job.signals.expired:
                break
            work.check()
            finished, running = wait(running, timeout=0.1, return_when=FIRST_COMPLETED)
            for future in finished:
                done = future.result()
                if done is not None:
                    sizes.learn(done.block.trajectories, done.seconds, work.block_seconds)
            progress.update(done_before + work.periods_done() - progress.n)


def wait_for(task: Future[None], signals: Signals) -> None:
    """Wait for a task to end; raise StoppedError if a stop was requested."""
    while not (task.done() or signals.stop):
        wait({task}, timeout=0.1)
    if task.done():
        task.result()
    signals.check()


def pack_with_bar(run: Any, signals: Signals, *shards: UnfinishedRun) -> Any:
    """Call a run's `pack` with a progress bar; raise StoppedError if a stop is requested."""
    total = run.layout.points * run.layout.trajectories
    with bar(total, " trajectories", desc="packing", leave=False) as progress:

        def tick(count: int) -> None:
            signals.check()
            progress.update(count)

        return run.pack(tick, *shards)
