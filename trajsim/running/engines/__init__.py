"""Engines: where the blocks of a run are simulated. The ledger is the same from all of them."""

import os
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from numbers import Integral

from trajsim.running.engines.base import Engine, Job
from trajsim.running.engines.threads import ThreadEngine
from trajsim.store import RunError

__all__ = ["Engine", "Job", "engine_of"]


def engine_of(name: str, workers: int | None = None) -> Callable[[Job], Engine]:
    """Maker of the engine of this name, to be given a job.

    Parameters
    ----------
    name : "threads", "dask" for processes of this machine, "dask:ADDRESS" for a scheduler's workers
    workers : threads or processes; as many as processors if None

    Raises
    ------
    RunError
        If there is none of this name, or its library is not installed, or there are no workers.
    """
    if workers is not None and not (isinstance(workers, Integral) and workers >= 1):
        raise RunError(
            f"workers: found {workers!r}; allowed: 1 or more, or None for all processors"
        )
    kind, colon, address = str(name).partition(":")
    if name == "threads":
        return partial(ThreadEngine, workers=workers or _processors())
    if kind != "dask" or (colon and not address):
        raise RunError(f"--engine: found {name!r}; allowed: threads, dask, dask:ADDRESS")
    # The second is for certificates of processes of this machine.
    needed = ("distributed",) if address else ("distributed", "cryptography")
    if not all(map(find_spec, needed)):
        raise RunError("--engine dask needs an optional library: pip install 'trajsim[dask]'")
    from trajsim.running.engines.dask import DaskEngine
    from trajsim.running.engines.places import Local, Scheduler

    if not address:
        return partial(DaskEngine, place=Local(workers or _processors()))
    if workers:
        raise RunError("--workers: of dask:ADDRESS they are those of the scheduler")
    return partial(DaskEngine, place=Scheduler(address))


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
