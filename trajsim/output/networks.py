"""The steady state of an undriven jump network as JSON and as text tables."""

from collections.abc import Sequence
from typing import Any

from trajsim.config import Experiment
from trajsim.ensemble import steady_state
from trajsim.output import table

# Lines of a table at most.
MOST_LINES = 20


def network_json(experiment: Experiment, solved: Any = None) -> dict[str, Any]:
    """{"network": {...}} of an undriven jump network; empty of all else.

    "entropy_production", "currents" [{"states", "bath", "current"}] and "cycles" [{"states",
    "begun_by", "affinity", "current"}], whose first step is made by that bath, all per unit time.
    """
    steady = steady_state(experiment.network(), solved)
    if steady is None:
        return {}
    transitions = experiment.bonds
    names = [state.name for state in experiment.sites]
    return {
        "network": {
            "entropy_production": steady.entropy_production,
            "currents": [
                {"states": t.states, "bath": t.bath, "current": float(current)}
                for t, current in zip(transitions, steady.currents, strict=True)
            ],
            "cycles": [
                {
                    "states": [names[x] for x in cycle.states],
                    "begun_by": transitions[cycle.transition].bath,
                    "affinity": cycle.affinity,
                    "current": cycle.current,
                }
                for cycle in steady.cycles
            ],
        }
    }


def network_table(answer: dict[str, Any]) -> str:
    """The same in a table; empty without a network."""
    if "network" not in answer:
        return ""
    network = answer["network"]
    rows = [
        (f"{' -> '.join(t['states'])}, {t['bath']}", f"{t['current']: .9e}")
        for t in network["currents"]
    ]
    text = f"entropy production {network['entropy_production']:.9e} per unit time\n"
    text += "\n" + table(("current, per unit time", ""), _shortened(rows))
    cycles = [
        (
            " -> ".join([*cycle["states"], cycle["states"][0]]) + f", begun by {cycle['begun_by']}",
            f"{cycle['affinity']: .6g}",
            f"{cycle['current']: .9e}",
        )
        for cycle in network["cycles"]
    ]
    return (
        text + "\n" + table(("cycle", "affinity", "current"), _shortened(cycles))
        if cycles
        else text
    )


def _shortened(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    more = len(rows) - MOST_LINES
    if more <= 0:
        return list(rows)
    return [*rows[:MOST_LINES], (f"... and {more} more", *[""] * (len(rows[0]) - 1))]
