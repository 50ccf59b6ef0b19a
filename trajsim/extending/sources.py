"""Code from outside the package: which sources it comes from, and a digest of them.

Compiled code is kept by this digest (`trajsim.compiled.jit`), and a run says which it was made
with. It covers the sources of a module and of the modules that its names come from, with the
numbers that these modules hold, for numba compiles them in. Of a package, all of its sources count.
"""

import hashlib
import itertools
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

# A source written later than this may not be the one that this process runs.
BEGAN = time.time()
# What nobody edits between two runs, and what has a digest of its own.
KNOWN = {"trajsim", "numba", "llvmlite", "numpy", "scipy", *sys.stdlib_module_names}
INSTALLED = ("site-packages", "dist-packages")
NUMBERS = (bool, int, float, complex)


def is_outside(module: str) -> bool:
    """Whether a module is neither ours nor one of the libraries that we know."""
    return bool(module) and module.partition(".")[0] not in KNOWN


def home_of(made_of: type) -> str:
    """Module of a class, or "__main__" if it is not to be found there: typed in, or made anew."""
    found: Any = sys.modules.get(made_of.__module__)
    for part in made_of.__qualname__.split("."):
        found = getattr(found, part, None)
    return made_of.__module__ if found is made_of else "__main__"


def digest_of(modules: Iterable[str]) -> str | None:
    """SHA-256 of the sources of modules, all of them outside the package.

    None where they cannot be told: typed in by hand, or edited since this process began.
    """
    digest = hashlib.sha256()
    found: dict[str, ModuleType] = {}
    for name in sorted(modules):
        _gather(name, found)
    files = sorted({file for name, module in found.items() for file in _files(name, module)})
    if not files or any(not _files(name, module) for name, module in found.items()):
        return None
    try:
        for file in files:
            if file.stat().st_mtime > BEGAN:
                return None
            digest.update(file.name.encode())
            digest.update(file.read_bytes())
    except OSError:
        return None
    for name in sorted(found):
        digest.update(name.encode())
        for line in _numbers(found[name]):
            digest.update(line)
    return digest.hexdigest()


def _gather(name: str, found: dict[str, ModuleType]) -> None:
    """Note a module, and those that its names come from."""
    module = sys.modules.get(name)
    if name in found or module is None or not is_outside(name):
        return
    found[name] = module
    for value in list(vars(module).values()):
        other = value.__name__ if isinstance(value, ModuleType) else _home(value)
        # A package knows the modules in it that were imported by now; their sources count anyway.
        if isinstance(value, ModuleType) and other.startswith(f"{name}."):
            continue
        # Libraries are installed, not edited; what is compiled counts wherever it is.
        if hasattr(value, "py_func") or not _installed(other) or _top(other) == _top(name):
            _gather(other, found)


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
    """SHA-256 of what functions do, for those that have no source: typed in by hand."""
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


def set_apart(made_of: type) -> None:
    """Give a class from outside a name that no other class has had in this process.

    The linker tells compiled functions apart by the names of the classes in their signatures:
    of two classes of one name, the second would be served the code of the first.
    """
    name = made_of.__qualname__.rpartition(".")[2]
    home = home_of(made_of)
    digest = digest_of([home])
    made_of.__name__ = f"{name}_{digest[:16] if digest else f'number_{next(_NUMBERS)}'}"


_NUMBERS = itertools.count(1)
