"""Sources of plugins, and a digest of them.

Compiled code is cached by this digest (`trajsim.compiled.jit`), and runs record it. It covers the
sources of a module and of the modules that it imports names from, and the numbers in these modules,
for numba compiles them as constants. Of a package, it covers all sources.
"""

import hashlib
import itertools
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

# Sources modified later than this may differ from the code of this process.
BEGAN = time.time()
# Packages that are not edited between two runs, or have a digest of their own.
KNOWN = {"trajsim", "numba", "llvmlite", "numpy", "scipy", *sys.stdlib_module_names}
INSTALLED = ("site-packages", "dist-packages")
NUMBERS = (bool, int, float, complex)


def is_outside(module: str) -> bool:
    """Whether a module belongs to neither trajsim nor one of the known libraries."""
    return bool(module) and module.partition(".")[0] not in KNOWN


def home_of(cls: type) -> str:
    """Module of a class, or "__main__" if it is not found there: typed in, or redefined."""
    value: Any = sys.modules.get(cls.__module__)
    for part in cls.__qualname__.split("."):
        value = getattr(value, part, None)
    return cls.__module__ if value is cls else "__main__"


def digest_of(modules: Iterable[str]) -> str | None:
    """SHA-256 of the sources of modules of plugins.

    None if they are unknown: typed in by hand, or edited since this process began.
    """
    digest = hashlib.sha256()
    by_name: dict[str, ModuleType] = {}
    for name in sorted(modules):
        _collect(name, by_name)
    files = sorted({file for name, module in by_name.items() for file in _files(name, module)})
    if not files or any(not _files(name, module) for name, module in by_name.items()):
        return None
    try:
        for file in files:
            if file.stat().st_mtime > BEGAN:
                return None
            digest.update(file.name.encode())
            digest.update(file.read_bytes())
    except OSError:
        return None
    for name in sorted(by_name):
        digest.update(name.encode())
        for line in _numbers(by_name[name]):
            digest.update(line)
    return digest.hexdigest()


def _collect(name: str, by_name: dict[str, ModuleType]) -> None:
    """Collect a module, and those that it imports names from."""
    module = sys.modules.get(name)
    if name in by_name or module is None or not is_outside(name):
        return
    by_name[name] = module
    for value in list(vars(module).values()):
        other = value.__name__ if isinstance(value, ModuleType) else _home(value)
        # Skip submodules that are imported by now; their sources are covered anyway.
        if isinstance(value, ModuleType) and other.startswith(f"{name}."):
            continue
        # Installed libraries are not edited; compiled functions are covered in any case.
        if hasattr(value, "py_func") or not _installed(other) or _top(other) == _top(name):
            _collect(other, by_name)


def _home(value: Any) -> str:
    module = getattr(value, "__module__", None) if callable(value) else None
    return module if isinstance(module, str) else ""


def _top(name: str) -> str:
    return name.partition(".")[0]


def _installed(name: str) -> bool:
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is None or any(part in INSTALLED for part in Path(file).parts)


def _files(name: str, module: ModuleType) -> list[Path]:
    """Sources of a module, or of the whole package that it is in."""
    top = sys.modules.get(_top(name), module)
    places = list(getattr(top, "__path__", []))
    if places:
        return [file for place in places for file in sorted(Path(place).rglob("*.py"))]
    file = getattr(module, "__file__", None)
    return [Path(file)] if file and name != "__main__" else []


def _numbers(module: ModuleType) -> Iterator[bytes]:
    """Names and values of a module's numbers, tuples of numbers and arrays."""
    for name, value in sorted(vars(module).items()):
        if name.startswith("__"):
            continue
        if isinstance(value, NUMBERS) or (
            isinstance(value, tuple) and all(isinstance(x, NUMBERS) for x in value)
        ):
            yield f"{name}={value!r}".encode()
        elif isinstance(getattr(value, "nbytes", None), int) and hasattr(value, "dtype"):
            yield name.encode() + str(value.dtype).encode() + value.tobytes()


def code_digest(functions: Iterable[Any]) -> str:
    """SHA-256 of the bytecode of functions, for those without a source: typed in by hand."""
    digest = hashlib.sha256()
    todo = list(functions)
    while todo:
        function = todo.pop()
        function = getattr(function, "py_func", function)
        if not hasattr(function, "__code__"):
            digest.update(repr(function).encode())
            continue
        code = function.__code__
        digest.update(code.co_code)
        digest.update(repr((code.co_consts, code.co_names, code.co_varnames)).encode())
        todo += [cell.cell_contents for cell in function.__closure__ or ()]
    return digest.hexdigest()


def give_unique_name(cls: type) -> None:
    """Give a class of a plugin a name that is unique in this process.

    The linker identifies compiled functions by the names of the classes in their signatures: of two
    classes of one name, the second would get the code of the first.
    """
    name = cls.__qualname__.rpartition(".")[2]
    home = home_of(cls)
    digest = digest_of([home])
    cls.__name__ = f"{name}_{digest[:16] if digest else f'number_{next(_NUMBERS)}'}"


_NUMBERS = itertools.count(1)
