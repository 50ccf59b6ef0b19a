"""Single trajectories of small driven systems between heat baths, with their heats and works.

    import trajsim

    config = trajsim.load("configs/heat_pump.toml", {"ensemble.trajectories": 2000})
    run = trajsim.simulate(config)            # in memory; simulate(config, "runs/x.h5") on disk
    print(run.averages()[0].heat_rate["L"])   # a mean and its standard error
    print(trajsim.exact(config).heat_rate["L"])
    print(trajsim.check(run))

Its errors are `TrajsimError`s. Names are imported on first access.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trajsim.analysis.estimate import Estimate
    from trajsim.analysis.windows import WindowError
    from trajsim.api import Exact, Run, check, exact, load, open, reproduce, simulate
    from trajsim.comparison.verdict import CannotCheckError
    from trajsim.config import Config, ConfigError, Experiment
    from trajsim.ensemble.answers import NoExactSideError
    from trajsim.errors import TrajsimError
    from trajsim.explore.points import ExploreError
    from trajsim.extending.kinds import Kind, register_model
    from trajsim.extending.plugins import PluginError
    from trajsim.models.rate_laws import register_rate_law
    from trajsim.running.stopping import StoppedError
    from trajsim.store import RunError, StoreError
    from trajsim.trace.window import TraceError

__version__ = "0.1.0"

__all__ = [
    "CannotCheckError",
    "Config",
    "ConfigError",
    "Estimate",
    "Exact",
    "Experiment",
    "ExploreError",
    "Kind",
    "NoExactSideError",
    "PluginError",
    "Run",
    "RunError",
    "StoppedError",
    "StoreError",
    "TraceError",
    "TrajsimError",
    "WindowError",
    "check",
    "exact",
    "load",
    "open",
    "register_model",
    "register_rate_law",
    "reproduce",
    "simulate",
]
# Modules of names that are not in `trajsim.api`, so that its imports are not needed for them.
HOMES = {
    "CannotCheckError": "trajsim.comparison.verdict",
    "Config": "trajsim.config",
    "ConfigError": "trajsim.config",
    "Estimate": "trajsim.analysis.estimate",
    "Experiment": "trajsim.config",
    "ExploreError": "trajsim.explore.points",
    "Kind": "trajsim.extending.kinds",
    "NoExactSideError": "trajsim.ensemble.answers",
    "PluginError": "trajsim.extending.plugins",
    "RunError": "trajsim.store",
    "StoppedError": "trajsim.running.stopping",
    "StoreError": "trajsim.store",
    "TraceError": "trajsim.trace.window",
    "TrajsimError": "trajsim.errors",
    "WindowError": "trajsim.analysis.windows",
    "register_model": "trajsim.extending.kinds",
    "register_rate_law": "trajsim.models.rate_laws",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'trajsim' has no attribute {name!r}")
    import importlib

    from trajsim.system.platform import unsupported

    reason = unsupported()
    if reason:
        raise ImportError(reason)
    return getattr(importlib.import_module(HOMES.get(name, "trajsim.api")), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
