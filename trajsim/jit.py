"""numba, set up once: every compiled function of trajsim is made by `compiled`.

Compiled code is kept in a folder named by a digest of the sources that hold compiled
functions: numba alone looks only at the file of the function it compiles and would go on
using old code after an edit in a module that function calls. What is compiled for a class from
outside the package, or is itself from outside, goes to a folder named by the digest of its sources,
too: an index that names a class cannot be read where there is no such class.
"""

import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import llvmlite.binding
import numba
import platformdirs
from numba.core.caching import FunctionCache, NullCache

from trajsim.sources import digest_of, home_of, is_outside

# LLVM vectorises a loop over more than a few arrays only if it may check more of them for overlap.
llvmlite.binding.set_option("", "-runtime-memory-check-threshold=64")


@contextmanager
def _sure_of_blas() -> Iterator[None]:
    """Answer numba's question whether there is a BLAS: yes, scipy is among our requirements.

    It asks by importing scipy.linalg, which takes as long as the rest of numba; code that calls
    BLAS finds the real one when it is compiled or loaded.
    """
    name = "scipy.linalg.cython_blas"
    stand_in = ModuleType(name)
    try:
        sys.modules.setdefault(name, stand_in)
        yield
    finally:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]


with _sure_of_blas():
    import numba.np.arraymath

# Every edit of the sources leaves a folder behind; they go when nobody has used them for so long.
UNUSED_DAYS = 30

COMPILED_PLACES = ("jit.py", "simd", "elementary.py", "models", "kernels", "exact")


def source_digest(package: Path = Path(__file__).parent) -> str:
    """First 16 hex digits of the SHA-256 over all sources that hold compiled functions."""
    digest = hashlib.sha256()
    for place in COMPILED_PLACES:
        root = package / place
        for source in [root] if root.is_file() else sorted(root.rglob("*.py")):
            digest.update(source.relative_to(package).as_posix().encode())
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


@cache
def cache_folder(chosen: str = "", outside: str = "") -> Path:
    """Folder of the compiled code of these sources by this numba.

    In `chosen`, the user's NUMBA_CACHE_DIR, if set; else in the user's cache; else a temporary one.
    `outside` is the digest of the sources from outside that the code is made of, too.
    """
    name = "-".join(filter(None, ["kernels", source_digest(), outside[:16], "numba"]))
    name += f"-{numba.__version__}"
    usual = (platformdirs.user_cache_path("trajsim"), Path(tempfile.gettempdir()) / "trajsim")
    for parent in [Path(chosen)] if chosen else usual:
        folder = parent / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
            # Its time tells when it was last used.
            os.utime(folder)
        except OSError:
            continue
        if not chosen:
            _clear_out(parent)
        return folder
    return Path(tempfile.mkdtemp(prefix="trajsim-"))


def _clear_out(parent: Path) -> None:
    """Delete compiled code of other sources that nobody has used for so long that nobody will."""
    for folder in parent.glob("kernels-*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > UNUSED_DAYS * 86400:
                shutil.rmtree(folder)


def compiled_code() -> Path:
    """Folder of the compiled code that this process keeps."""
    settings: Any = numba.config
    return cache_folder(settings.CACHE_DIR)


class Kept:
    """Compiled code of one function, in the place of numba's own cache of a dispatcher.

    Where a specialisation is kept depends on the sources of the classes in its signature.
    """

    def __init__(self, function: Any) -> None:
        self._function = function
        self._caches: dict[str, Any] = {}

    @property
    def cache_path(self) -> str:
        """Folder of what is made of the package alone."""
        return str(compiled_code())

    def load_overload(self, signature: Any, context: Any) -> Any:
        """As of numba's caches."""
        return self._cache_of(signature).load_overload(signature, context)

    def save_overload(self, signature: Any, made: Any) -> None:
        """As of numba's caches."""
        self._cache_of(signature).save_overload(signature, made)

    def flush(self) -> None:
        """As of numba's caches."""
        for kept in self._caches.values():
            kept.flush()

    def _cache_of(self, signature: Any) -> Any:
        kinds = getattr(signature, "args", signature)
        homes = {self._function.__module__, *(m for kind in kinds for m in _modules(kind))}
        outside = set(filter(is_outside, homes))
        digest = digest_of(outside) if outside else ""
        if digest is None:
            return NullCache()
        if digest not in self._caches:
            self._caches[digest] = self._made(digest)
        return self._caches[digest]

    def _made(self, outside: str) -> Any:
        # numba picks the folder when a cache is made; leave the setting as the user had it.
        settings: Any = numba.config
        before = settings.CACHE_DIR
        settings.CACHE_DIR = str(cache_folder(before, outside))
        try:
            return FunctionCache(self._function)
        finally:
            settings.CACHE_DIR = before


def _modules(kind: Any) -> Iterator[str]:
    """Modules of all classes in a type."""
    made_of = getattr(kind, "instance_class", None)
    if made_of is not None:
        yield home_of(made_of)
    for part in getattr(kind, "types", ()):
        yield from _modules(part)


def compiled(
    function: Callable[..., Any] | None = None, *, contract: bool = False, inline: bool = False
) -> Any:
    """Compile `function` with numba: no GIL, IEEE division, cached on disk.

    `contract` lets a product and a sum become one operation with one rounding; nothing else of
    IEEE arithmetic is given up anywhere. `inline` puts the code in the place of each call: a call
    counts a reference for every array that it is passed, which takes as long as a short loop.
    """
    if function is None:
        return partial(compiled, contract=contract, inline=inline)
    dispatcher: Any = numba.njit(
        nogil=True,
        error_model="numpy",
        fastmath={"contract"} if contract else False,
        inline="always" if inline else "never",
    )(function)
    dispatcher._cache = Kept(dispatcher.py_func)
    return dispatcher
