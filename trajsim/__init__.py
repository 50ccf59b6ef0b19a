"""Single trajectories of small driven systems between heat baths, with the books kept.

    import trajsim

    config = trajsim.load("configs/heat_pump.toml", {"ensemble.trajectories": 2000})
    run = trajsim.simulate(config)            # in memory; simulate(config, "runs/x.h5") on disk
    print(run.averages()[0])
    print(trajsim.exact(config).heat_rate)
    print(trajsim.check(run))

Nothing is imported before it is asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trajsim.api import Exact, Run, check, exact, load, open, reproduce, simulate
    from trajsim.config import Config, ConfigError, Experiment
    from trajsim.extending.kinds import Kind, register_model
    from trajsim.models.rate_laws import register_rate_law

__version__ = "0.1.0"

__all__ = [
    "Config",
    "ConfigError",
    "Exact",
    "Experiment",
    "Kind",
    "Run",
    "check",
    "exact",
    "load",
    "open",
    "register_model",
    "register_rate_law",
    "reproduce",
    "simulate",
]
# What is not in `trajsim.api`: plugins need no more than the place where they register.
HOMES = {
    "Kind": "trajsim.extending.kinds",
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
