"""Runs without a file: made in memory, and optionally saved to one."""

import mmap
import os
from collections.abc import Callable
from pathlib import Path

from trajsim.config import Config
from trajsim.ledger import Layout
from trajsim.running.engines import Job, engine_of
from trajsim.running.provenance import header_of
from trajsim.running.run import (
    expect_replaceable,
    expect_size,
    expect_target,
    make_blocks,
    pack_with_bar,
    wait_for,
)
from trajsim.running.stopping import Signals
from trajsim.store import RunError, StoredRun, StoreError, UnfinishedRun
from trajsim.store.files import publish
from trajsim.store.in_memory import MEMORY, MemoryRun
from trajsim.store.reading import open_image

# Memory of a run while its file is made from its blocks, relative to its ledger.
BYTES_A_BYTE = 1.25


def simulate_in_memory(
    config: Config,
    *,
    workers: int | None = None,
    engine: str = "threads",
    say: Callable[[str], None] = lambda _: None,
) -> StoredRun:
    """Run all trajectories of a config; nothing is written to any disk.

    Parameters
    ----------
    config, workers, engine, say : as for `trajsim.running.run.simulate`

    Raises
    ------
    RunError
        If the run cannot be made as asked, or its ledger does not fit into memory.
    StoppedError
        If it was stopped by SIGINT or SIGTERM; the run is lost.
    """
    config = config.settled()
    run, make = MemoryRun(header_of(config)), engine_of(engine, workers)
    expect_size(run.layout)
    _expect_memory(run.layout)
    with Signals() as signals:
        job = Job(config, run, signals)
        active = make(job)
        try:
            for step in (active.connect, active.compile):
                wait_for(step(say), signals)
            make_blocks(active, job)
        finally:
            active.close()
        image = pack_with_bar(run, signals)
    return open_image(MEMORY, image)


def _expect_memory(layout: Layout) -> None:
    """Refuse a ledger that is too large for the memory of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    needed = BYTES_A_BYTE * layout.total_bytes
    if needed > memory:
        raise RunError(
            f"in memory, the run needs {needed / 1e9:.3g} GB, of which this machine has "
            f"{memory / 1e9:.3g}; a run with an output is written to disk as it is made"
        )


def save(run: StoredRun, output: Path, force: bool = False) -> None:
    """Write the file of a finished run, the same that `simulate` makes, atomically.

    Parameters
    ----------
    run : in memory or in a file
    output : HDF5 file to make
    force : replace an existing run

    Raises
    ------
    RunError
        If there is a file or an unfinished run, which is not to be replaced, `output` cannot be
        the name of a run, or it cannot be written.
    StoreError
        If the run is unfinished.
    """
    if not run.finished:
        raise StoreError(f"{run.path}: unfinished; it becomes a file when it is resumed")
    expect_target(output)
    if output.exists() and not force:
        raise RunError(f"{output}: exists; force=True replaces it")
    expect_replaceable(output)
    unfinished = UnfinishedRun(output)
    if unfinished.exists():
        raise RunError(f"{unfinished.folder}: an unfinished run is there; allowed: another name")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        if run.image is not None:
            publish(output, run.image)
            return
        with (
            run.path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image,
            memoryview(image) as data,
        ):
            publish(output, data)
    except OSError as error:
        raise RunError(f"{output}: cannot be written: {error.strerror or error}") from None
