"""Waiting for what happens in other processes."""

import contextlib
import time
from pathlib import Path

PATIENCE = 120.0


def wait_until(condition):
    """Wait until a condition holds."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def processes_of(session):
    """Processes of a session that are still there."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            fields = (path / "stat").read_text().rsplit(")", 1)[1].split()
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(path.name))
    return found
