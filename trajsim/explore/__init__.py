"""Maps of regimes and optima over parameters, from the exact side, without sampling."""

from trajsim.explore.maps import RegimeMap, regime_map
from trajsim.explore.optimum import GOALS, Optimum, maximize
from trajsim.explore.points import ExploreError, exact_regime
from trajsim.explore.protocols import AIMS, BestProtocol, best_protocol

__all__ = [
    "AIMS",
    "GOALS",
    "BestProtocol",
    "ExploreError",
    "Optimum",
    "RegimeMap",
    "best_protocol",
    "exact_regime",
    "maximize",
    "regime_map",
]
