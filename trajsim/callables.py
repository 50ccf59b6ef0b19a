"""Packages that are functions, too: `trajsim.exact(experiment)` beside `trajsim.exact.master`."""

import sys
from types import ModuleType
from typing import Any


class CallableModule(ModuleType):
    """A package that answers a call with the function of `trajsim.api` that has its name."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """What the function returns."""
        from trajsim import api

        return getattr(api, self.__name__.rpartition(".")[2])(*arguments, **options)


def make_callable(name: str) -> None:
    """Let the package of this name be called."""
    sys.modules[name].__class__ = CallableModule
