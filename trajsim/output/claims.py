"""Output of `trajsim regimes`."""

from typing import Any

from trajsim.analysis.estimate import Estimate
from trajsim.comparison import FALSE_ALARM
from trajsim.comparison.claims import Claims
from trajsim.config import Config
from trajsim.output import averages_json, table

MEANINGS = {
    "pump": "a colder bath gives heat",
    "transfer": "one of two equally warm baths gives heat",
    "engine": "work is gained",
    "neither": "no colder bath gives heat, and work is lost",
    "open": "not sure",
}


# Columns of the table; regimes are told by the sum of all works.
KINDS = ("heat", "work", "chemical_work")


def claims_json(claims: Claims) -> dict[str, Any]:
    """`trajsim regimes --json`: points as in `analyze --json`, with the significant regime."""
    points = []
    for sampled, name, signs in claims.points:
        point = averages_json(sampled)
        if sampled.shadow_work:
            point["shadow_work_rate"] = sampled.shadow_work._asdict()
        points.append({**point, "sure": name, "sigma": {"work": signs.work, "taken": signs.taken}})
    return {
        "false_alarm": FALSE_ALARM,
        "threshold": claims.threshold,
        "tests": claims.tests,
        "counts": {name: claims.count(name) for name in MEANINGS},
        "points": points,
    }


def claims_table(claims: Claims, config: Config) -> str:
    """A line for each point, then the verdict on all of them."""
    keys = _columns(config)
    first = claims.points[0].sampled
    heats = [f"q_{bath}" for bath in first.of("heat")]
    works = [f"w_{drive}" for drive in first.of("work")]
    chemical = [f"w_chem_{bath}" for bath in first.of("chemical_work")]
    names = [*heats, *works, *chemical, "w"]
    rows = []
    for a, name, _ in claims.points:
        shadow = f"{a.shadow_work.mean:.0e}" if a.shadow_work else ""
        rows.append(
            [
                *(f"{a.parameters[key]:.5g}" for key in keys),
                *(_short(e) for kind in KINDS for e in a.of(kind).values()),
                _short(a.total_work),
                shadow,
                a.regime.name,
                name,
            ]
        )
    heading = [*map(_word, keys), *names, "shadow" if first.shadow_work else "", "regime", "sure"]
    return table(heading, rows) + verdict_lines(claims)


def verdict_lines(claims: Claims) -> str:
    """The verdict on all points, in sentences."""
    text = "".join(
        f"{claims.count(name)} of {len(claims.points)} points: {name} ({meaning})\n"
        for name, meaning in MEANINGS.items()
        if claims.count(name)
    )
    return text + (
        f"sure: beyond {claims.threshold:.2f} standard errors and the shadow work; "
        f"{claims.tests} signs judged, chance that any of them is wrong {FALSE_ALARM:g}\n"
    )


def _columns(config: Config) -> list[str]:
    """Swept keys, without those that always have the value of an earlier one."""
    kept: list[str] = []
    columns: list[list[float]] = []
    for key in config.points[0].parameters:
        values = [point.parameters[key] for point in config.points]
        if values not in columns:
            kept.append(key)
            columns.append(values)
    return kept


def _word(key: str) -> str:
    """A key without its first and middle parts: L.temperature, 2.phase, period."""
    parts = key.split(".")
    return f"{parts[1]}.{parts[-1]}" if len(parts) > 2 else parts[-1]


def _short(estimate: Estimate) -> str:
    return f"{estimate.mean:+.3e} +- {estimate.stderr:.0e}"
