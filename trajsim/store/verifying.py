"""Verification of runs: digests, finite numbers, first law."""

from pathlib import Path

from trajsim.store.digests import altered
from trajsim.store.reading import Judge, StoredRun, open_run


def verify(path: Path) -> list[str]:
    """What is wrong with a run's file: schema, digests, finite numbers, first law.

    Returns sentences; none if the run is sound.

    Raises
    ------
    StoreError
        If the file cannot be opened as a run at all.
    """
    return wrong_with(open_run(path))


def wrong_with(run: StoredRun) -> list[str]:
    """Like `verify`, for an opened run."""
    judge = Judge(run, run.checksums)
    for point, first, columns in run.blocks(sound=False):
        judge.add(point, first, columns)
    judge.end()
    wrong = judge.wrong
    if run.digests:
        with run.file() as file:
            wrong += altered(run.path, file, run.size, run.digests, judge.hashes)
    if not run.complete:
        wrong.append("the run is unfinished")
    return wrong


def unproven(path: Path) -> str | None:
    """What `verify` cannot check in a finished file of an earlier version, in a sentence."""
    run = open_run(path)
    if run.digests or not run.finished:
        return None
    return (
        f"written by an earlier version (schema {run.header['schema']}), without digests of times, "
        "swept values, labels, units and descriptions: whether these were altered is not known"
    )
