"""What a test registers from outside the package is forgotten after it."""

import sys

import pytest


@pytest.fixture(autouse=True)
def registries_as_before(monkeypatch):
    """Registries, what was asked for by `--plugin`, and where modules are looked for."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    plugins = sys.modules.get("trajsim.plugins")
    if plugins is None:
        return
    monkeypatch.setattr(plugins, "_requested", list(plugins._requested))
    monkeypatch.setattr(plugins, "_loaded", set(plugins._loaded))
    for module, name in (("trajsim.models.rate_laws", "LAWS"), ("trajsim.kinds", "KINDS")):
        if module in sys.modules:
            registry = getattr(sys.modules[module], name)
            monkeypatch.setattr(registry, "_registered", dict(registry._registered))
