"""What tests of runs share."""

import contextlib
import errno
import time

import pytest
from small_configs import PUMP, changed, swept

from trajsim.running.run import StoppedError, simulate
from trajsim.store import UnfinishedRun

SWEEP = swept(PUMP, '"sites.2.drive.phase" = [0.0, 2.2, 3.0]')


# Some seconds of work for one thread.
LONG = changed(PUMP, ("period = 10.0", "period = 200.0"), ("ies = 60", "ies = 60_000"))


def wait_for(condition, process, patience=60.0):
    """Wait until a condition holds while a process runs."""
    until = time.monotonic() + patience
    while not condition():
        assert process.poll() is None, "".join(process.communicate())
        assert time.monotonic() < until
        time.sleep(0.01)


def finished_blocks(output):
    """Number of blocks in the manifest of an unfinished run."""
    with contextlib.suppress(FileNotFoundError):
        return UnfinishedRun(output).manifest.read_bytes().count(b"\n")
    return 0


def interrupted(config, output, monkeypatch, after=2, **options):
    """Begin a run and stop it after some blocks."""
    publish, count = UnfinishedRun.publish, 0

    def publish_and_stop(*arguments):
        nonlocal count
        count += 1
        if count > after:
            raise OSError(errno.EIO, "stopped here")
        return publish(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(UnfinishedRun, "publish", publish_and_stop)
        with pytest.raises(StoppedError):
            simulate(config, output, workers=1, **options)
    return UnfinishedRun(output)
