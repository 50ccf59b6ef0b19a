"""Output of `trajsim map` and `trajsim optimize`."""

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trajsim.config import Point
from trajsim.explore import AIMS, GOALS, BestProtocol, Optimum, RegimeMap
from trajsim.output import exact_json, exact_table, table
from trajsim.system.text import printable


def map_json(maps: list[RegimeMap]) -> dict[str, Any]:
    """`trajsim map --json`: the axes, and the points of each map as in `exact --json`."""
    x, y = maps[0].grid
    return {
        "axes": {maps[0].x: x.tolist(), maps[0].y: y.tolist()},
        "maps": [
            {
                "name": m.name,
                "regimes": dict(_counts(m)),
                "points": [
                    exact_json(point, solved)
                    for point, solved in zip(m.config.points, m.solved, strict=True)
                ],
            }
            for m in maps
        ],
    }


def map_table(maps: list[RegimeMap]) -> str:
    """For each map the number of points in each regime, and where ratios are largest."""
    text = ""
    for m in maps:
        rows = []
        for regime, count in _counts(m):
            best = [""] * 3
            kind = {"engine": "efficiency", "pump": "cop"}.get(regime)
            if kind:
                ratios = [r.efficiency if kind == "efficiency" else r.cop for r in m.regimes]
                means = [np.nan if ratio is None else ratio.mean for ratio in ratios]
                k = int(np.nanargmax(means))
                point = m.config.points[k].parameters
                best = [f"{kind} {means[k]:.4e}", f"{point[m.x]:.6g}", f"{point[m.y]:.6g}"]
            rows.append((regime, str(count), f"{count / len(m.regimes):.1%}", *best))
        text += (f"\n{m.name}\n" if m.name else "\n") + table(
            ("regime", "points", "share", "largest", f"at {m.x}", m.y), rows
        )
    return text


def _counts(m: RegimeMap) -> list[tuple[str, int]]:
    return Counter(regime.name for regime in m.regimes).most_common()


# -- optima ------------------------------------------------------------------------------------


def optimum_json(best: Optimum, config: Path, overrides: tuple[str, ...]) -> dict[str, Any]:
    """`trajsim optimize --json`; `point` is as in `exact --json`."""
    return {
        "maximize": best.goal,
        "found": best.found,
        "value": best.value,
        "parameters": best.parameters,
        "bounds": best.bounds,
        "at_bound": best.at_bound,
        "evaluations": best.evaluations,
        "point": exact_json(Point(best.parameters, best.experiment), best.solved),
        "set": _settings(best, overrides),
        "reproduce": _command(best, config, overrides),
    }


def optimum_table(best: Optimum, config: Path, overrides: tuple[str, ...]) -> str:
    """`trajsim optimize`: the optimum, its currents, and a command that reproduces them."""
    goal = GOALS[best.goal]
    if best.found:
        text = f"largest {best.goal} ({goal.meaning}): {best.value:.6e}\n\n"
    else:
        text = (
            f"no {goal.regime} found within the bounds: {best.goal} is that of "
            f"{'an engine' if goal.regime == 'engine' else 'a pump'}. The nearest to one:\n\n"
        )
    rows = [
        (key, f"{x:.8g}", f"{low:g}", f"{high:g}", "at the bound" * (key in best.at_bound))
        for (key, x), (low, high) in zip(best.parameters.items(), best.bounds.values(), strict=True)
    ]
    text += table(("parameter", "best", "from", "to", ""), rows)
    text += exact_table(Point({}, best.experiment), best.solved)
    text += f"{best.evaluations} points were solved. The best again:\n"
    return text + f"  {printable(_command(best, config, overrides))}\n"


def best_protocol_json(
    best: BestProtocol, config: Path, overrides: tuple[str, ...]
) -> dict[str, Any]:
    """`trajsim optimize --over KEY.points --json`."""
    return {
        "of": best.aim,
        "key": best.key,
        "protocol_ends": best.ends,
        "before": best.before,
        "value": best.value,
        "points": {"before": best.first, "best": best.best},
        "gradient": best.gradient.tolist(),
        "evaluations": best.evaluations,
        "converged": best.converged,
        "set": _setting(best),
        "reproduce": _reproduce(config, (*overrides, "sweep={}", _setting(best))),
    }


def best_protocol_table(best: BestProtocol, config: Path, overrides: tuple[str, ...]) -> str:
    """`trajsim optimize --over KEY.points`: the points before and at the best."""
    aim = AIMS[best.aim]
    word, per = "largest" if aim.large else "least", "over the protocol" * best.ends or "a period"
    text = (
        f"{word} {best.aim} ({aim.meaning}) {per}: {best.value:.8g}, before {best.before:.8g}\n\n"
    )
    rows = [
        (f"{u:g}", f"{value:.6g}", f"{better:.8g}")
        for (u, value), (_, better) in zip(best.first, best.best, strict=True)
    ]
    text += table(("part of the period", "before", "best"), rows)
    text += f"{best.evaluations} protocols were solved"
    text += "" if best.converged else ", and a better one may be near"
    command = _reproduce(config, (*overrides, "sweep={}", _setting(best)))
    return f"{text}. The best again:\n  {printable(command)}\n"


def _setting(best: BestProtocol) -> str:
    return f"{best.key}={best.best!r}"


def _settings(best: Optimum, overrides: tuple[str, ...]) -> list[str]:
    """Values of --set for the optimum, with all digits of floats; nothing is swept."""
    return [*overrides, "sweep={}", *(f"{key}={x!r}" for key, x in best.parameters.items())]


def _command(best: Optimum, config: Path, overrides: tuple[str, ...]) -> str:
    return _reproduce(config, _settings(best, overrides))


def _reproduce(config: Path, settings: Sequence[str]) -> str:
    words = ["trajsim", "exact", str(config)]
    return shlex.join(words + [w for setting in settings for w in ("--set", setting)])
