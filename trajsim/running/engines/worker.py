"""Workers of other processes or machines: they make blocks in the form that is published."""

import json
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.config import Config, restore
from trajsim.running.blocks import Simulator
from trajsim.running.provenance import identity, layout_of, plugins_of, processor
from trajsim.store import RunError
from trajsim.store.blocks import block_with_file
from trajsim.store.memory import Memory


class SentBlock(NamedTuple):
    """A block on its way to the process that publishes it."""

    name: str  # of its file, which tells all of it
    # Its file, uncompressed: zlib saves a third at best, and takes longer at both ends than a
    # network of 1 Gbit/s. An array is sent without being copied.
    image: NDArray[np.uint8]
    seconds: float
    processor: str


def order_of(config: Config) -> bytes:
    """All that a worker needs to know of a run, small enough to be sent with every block."""
    order = {
        "config": config.text,
        "resolved": json.loads(config.experiment.model_dump_json()),
        "identity": identity(),
        "plugins": plugins_of(config),
    }
    return zlib.compress(json.dumps(order).encode(), 9)


def differences(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    """Differences of two processes that keep them from making blocks of one run; or empty."""
    return "; ".join(
        f"{key}: {theirs.get(key)} there, {ours.get(key)} here"
        for key in sorted({*theirs, *ours})
        if theirs.get(key) != ours.get(key)
    )


@lru_cache(maxsize=4)
def _simulator_of(order: bytes) -> Simulator:
    """Compiled simulator of a run; cached in the process."""
    content = json.loads(zlib.decompress(order))
    # Seen from the process that asked: it is "here".
    wrong = differences(identity(), content["identity"])
    if wrong:
        raise RunError(f"a worker is not of this trajsim: {wrong}")
    config = restore(content["config"], content["resolved"], "<order>")
    wrong = differences(plugins_of(config), content["plugins"])
    if wrong:
        raise RunError(f"a worker has other code from outside: {wrong}")
    simulator = Simulator(config, layout_of(config))
    simulator.compile()
    return simulator


def make(order: bytes, run: str, point: int, first: int, count: int) -> SentBlock | None:
    """Trajectories first ... first + count - 1 of a point; None if the task was cancelled.

    Parameters
    ----------
    order : from `order_of`
    run : SHA-256 of the header of the run that the block is for
    point, first, count : which trajectories

    Raises
    ------
    RunError
        If this process is not of the same trajsim, or the block cannot be simulated.
    """
    simulator, unwanted = _simulator_of(order), _unwanted()
    columns = simulator.layout.allocate(count)
    result = simulator.simulate(columns, point, first, count, lambda _: unwanted())
    if result is None:
        return None
    events, seconds = result
    block, image = block_with_file(Memory(), columns, point, first, events, run)
    return SentBlock(block.file, np.frombuffer(image, np.uint8), seconds, processor())


def _unwanted() -> Callable[[], bool]:
    """Function that tells whether the task of this thread was cancelled."""
    from distributed import get_worker

    try:
        worker = get_worker()
        key = worker.get_current_task()
    except (ValueError, AttributeError):
        return lambda: False

    def unwanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is None or task.state != "executing"

    return unwanted
