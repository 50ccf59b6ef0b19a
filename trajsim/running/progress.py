"""Progress bars on stderr, in terminals and notebooks, and notices of what takes long.

The only importer of tqdm.
"""

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")

# Seconds after which the user is told what is being done.
LONG_SECONDS = 1.5


@contextmanager
def announced(say: Callable[[str], None], notice: str) -> Iterator[None]:
    """Say a notice unless the block ends within LONG_SECONDS."""
    timer = threading.Timer(LONG_SECONDS, say, [notice])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def bar(total: int, unit: str, **more: Any) -> Any:
    """A bar to be updated by the caller; disabled where stderr is no terminal."""
    return _tqdm()(total=total, unit=unit, unit_scale=True, **_where(), **more)


def each(items: Iterable[Item], desc: str, **more: Any) -> Iterator[Item]:
    """Iterate over items with a bar, which is cleared at the end."""
    return iter(_tqdm()(items, desc=desc, leave=False, **_where(), **more))


def _tqdm() -> Any:
    if notebook():
        from tqdm import auto

        return auto.tqdm
    from tqdm import tqdm

    return tqdm


def _where() -> dict[str, Any]:
    return {"file": sys.stderr, "disable": not watched()}


def watched() -> bool:
    """Whether stderr is shown in a terminal or a notebook."""
    return sys.stderr.isatty() or notebook()


def notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = sys.modules.get("IPython")
    return shell is not None and "IPKernelApp" in getattr(shell.get_ipython(), "config", {})
