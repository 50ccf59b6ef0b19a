"""Runs disturbed in earnest, a sample of it; `python tests/faults/run.py` does all."""

import sys

import pytest
from run import plan, scenes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="preloads a library, asks /proc")


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory):
    with scenes(tmp_path_factory.mktemp("faults"), whole=False) as made:
        yield made


NAMES = [
    *("killed_at_random", "stopped_by_signals", "limited_file_size", "read_only", "damaged"),
    *("other_header", "other_config", "racing"),
    *("killed_before_calls", "killed_within_writes", "stopped_before_calls", "failing_calls"),
    "killed_shards",
    *("filled_disk", "vanished", "two_at_once"),
]
PRELOADED = NAMES[8:]


@pytest.mark.parametrize("name", NAMES)
def test_a_disturbed_run_ends_well_loses_nothing_and_is_resumed_to_the_same_bytes(disturbed, name):
    small, large = disturbed
    if name in PRELOADED and small.program.shim is None:
        pytest.skip("no C compiler for the library that is preloaded")
    (fault,) = [f for f in plan(small, large, whole=False) if f.func.__name__ == name]
    outcomes = list(fault())
    if name == "filled_disk" and not outcomes:
        pytest.skip("no file system can be mounted here")
    assert outcomes
    assert [(o.fault, o.moment, o.wrong) for o in outcomes if o.wrong] == []
