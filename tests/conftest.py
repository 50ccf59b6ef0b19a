"""What a test registers from outside the package is forgotten after it."""

import gc
import os
import sys
from pathlib import Path

import pytest

# Tests run side by side already: threads of BLAS wait for each other by spinning, which made a
# test of 64 states five times as long. Set before numpy is loaded, and for processes of tests.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Compiling makes millions of objects, and each look for cycles goes through those of all tests:
# looked for less often, a kernel is compiled in some 15 % less time.
gc.set_threshold(100_000, 20, 20)

TESTS = Path(__file__).parent


@pytest.fixture(autouse=True)
def registries_as_before(monkeypatch):
    """Registries, what was asked for by `--plugin`, where modules are looked for and were found.

    A module that is still known would not be run again, and so not register anything.
    """
    known = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    remembered(monkeypatch)
    yield
    for name in set(sys.modules) - known:
        if from_outside(name):
            del sys.modules[name]


def from_outside(name):
    """Whether a module is neither of trajsim, of a library, nor of the tests."""
    sources = sys.modules.get("trajsim.extending.sources")
    file = getattr(sys.modules[name], "__file__", None)
    if sources is None or file is None or not sources.is_outside(name):
        return False
    places = Path(file).parts
    return TESTS not in Path(file).parents and not any(p in places for p in sources.INSTALLED)


def remembered(monkeypatch):
    """Have registries forget afterwards what they do not hold yet."""
    plugins = sys.modules.get("trajsim.extending.plugins")
    if plugins is None:
        return
    monkeypatch.setattr(plugins, "_requested", list(plugins._requested))
    monkeypatch.setattr(plugins, "_loaded", set(plugins._loaded))
    for module, name in (
        ("trajsim.models.rate_laws", "LAWS"),
        ("trajsim.extending.kinds", "KINDS"),
    ):
        if module in sys.modules:
            registry = getattr(sys.modules[module], name)
            monkeypatch.setattr(registry, "_registered", dict(registry._registered))
