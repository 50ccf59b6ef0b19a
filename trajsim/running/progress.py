"""Progress of long work on stderr, where somebody looks at it; the only importer of tqdm."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")


def bar(total: int, unit: str, **more: Any) -> Any:
    """A bar to be updated by hand; quiet where stderr is no terminal."""
    return _tqdm()(total=total, unit=unit, unit_scale=True, **_where(), **more)


def each(items: Iterable[Item], desc: str, **more: Any) -> Iterator[Item]:
    """The items, with a bar that goes on as they are taken and leaves no trace."""
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
    """Whether somebody looks at stderr: a terminal or a notebook."""
    return sys.stderr.isatty() or notebook()


def notebook() -> bool:
    """Whether a notebook shows what is printed."""
    shell = sys.modules.get("IPython")
    return shell is not None and "IPKernelApp" in getattr(shell.get_ipython(), "config", {})
