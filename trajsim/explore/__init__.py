"""Maps of regimes and optima over parameters, from the exact side, without sampling."""

from trajsim.explore.maps import RegimeMap, regime_map
from trajsim.explore.optimum import GOALS, Optimum, maximize
from trajsim.explore.points import ExploreError, exact_regime

__all__ = [
    "GOALS",
    "ExploreError",
    "Optimum",
    "RegimeMap",
    "exact_regime",
    "maximize",
    "regime_map",
]
