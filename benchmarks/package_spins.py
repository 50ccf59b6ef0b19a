"""The pair of spins in constant fields, as packages for chemical reactions simulate it.

Two spins are one molecule that is in one of four states: eight reactions of first order, the flips,
each of which also makes one molecule of a species that counts it. From these counts at the ends of
the rows follow all that trajsim's ledger holds: heat, flips, energy, state.

Each function takes the eight rates and the time of a row and returns a function of the number of
rows and a seed that simulates one trajectory: counts (8, rows + 1) at the edges of its rows.
"""

import importlib
import os
import sys
from contextlib import contextmanager

import numpy as np

STATES = ["uu", "du", "ud", "dd"]
# (before, after, the spin that flips) by state numbers: bit i is set when spin i is down.
FLIPS = [(x, x ^ (1 << i), i) for i in (0, 1) for x in range(4)]
COUNTERS = [f"n{k}" for k in range(8)]


def rates_of(rate, coupling, temperature, field):
    """Rates of FLIPS by the paper's law, and the energy each takes up."""
    found, cost = [], []
    for x, _, i in FLIPS:
        s = [1 - 2 * (x & 1), 1 - (x & 2)]
        bond, h = coupling * s[0] * s[1], field[i] * s[i]
        found.append(
            rate * (1 - np.tanh(bond / temperature[i])) * (1 - np.tanh(h / temperature[i]))
        )
        cost.append(2 * (bond + h))
    return np.array(found), np.array(cost)


def rebop(rates, row):
    package = importlib.import_module("rebop")
    model = package.Gillespie()
    for (before, after, _), counter, rate in zip(FLIPS, COUNTERS, rates, strict=True):
        model.add_reaction(rate, [STATES[before]], [STATES[after], counter])

    def call(rows, seed):
        # Of its two ways the faster here, and only what is asked for given back.
        found = model.run(
            {"uu": 1}, tmax=row * rows, nb_steps=rows, rng=seed, sparse=True, var_names=COUNTERS
        )
        return np.array([found[name].values for name in COUNTERS])

    return call


def bioscrape(rates, row):
    package = importlib.import_module("bioscrape.types")
    simulate = importlib.import_module("bioscrape.simulator").py_simulate_model
    reactions = [
        ([STATES[before]], [STATES[after], counter], "massaction", {"k": float(rate)})
        for (before, after, _), counter, rate in zip(FLIPS, COUNTERS, rates, strict=True)
    ]
    model = package.Model(
        species=[*STATES, *COUNTERS], reactions=reactions, initial_condition_dict={"uu": 1}
    )
    random = importlib.import_module("bioscrape.random")

    def call(rows, seed):
        random.py_seed_random(seed)
        found = simulate(np.arange(rows + 1) * row, Model=model, stochastic=True)
        return found[COUNTERS].to_numpy().T

    return call


@contextmanager
def visible_to_python():
    """Let processes started meanwhile import what this one can."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(part for part in sys.path if part)
    try:
        yield
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before


def gillespy2(rates, row):
    """Its compiled solver: a C++ program made from the model."""
    package = importlib.import_module("gillespy2")
    model = package.Model(name="pair")
    model.add_species(
        [
            package.Species(name=name, initial_value=int(name == "uu"))
            for name in (*STATES, *COUNTERS)
        ]
    )
    for k, (before, after, _) in enumerate(FLIPS):
        model.add_parameter(package.Parameter(name=f"r{k}", expression=float(rates[k])))
        model.add_reaction(
            package.Reaction(
                name=f"flip{k}",
                reactants={STATES[before]: 1},
                products={STATES[after]: 1, COUNTERS[k]: 1},
                rate=f"r{k}",
            )
        )
    model.timespan(package.TimeSpan(np.arange(3) * row))
    # It builds with whatever python its own stands for, outside of a virtual environment.
    with visible_to_python():
        solver = package.SSACSolver(model=model)

    def call(rows, seed):
        solver.model.timespan(package.TimeSpan(np.arange(rows + 1) * row))
        found = solver.run(seed=seed + 1)
        return np.array([found[name] for name in COUNTERS])

    return call


def copasi(rates, row):
    package = importlib.import_module("basico")
    package.new_model(name="pair", quantity_unit="1", volume_unit="1")
    for (before, after, _), counter in zip(FLIPS, COUNTERS, strict=True):
        package.add_reaction(f"flip {counter}", f"{STATES[before]} -> {STATES[after]} + {counter}")
    for name in (*STATES, *COUNTERS):
        package.set_species(name, initial_particle_number=int(name == "uu"))
    for counter, rate in zip(COUNTERS, rates, strict=True):
        package.set_reaction_parameters(f"(flip {counter}).k1", value=float(rate))

    def call(rows, seed):
        found = package.run_time_course(
            duration=row * rows,
            intervals=rows,
            method="directMethod",
            use_numbers=True,
            use_seed=True,
            seed=seed + 1,
            max_steps=10**9,
        )
        return found[COUNTERS].to_numpy().T

    return call


PACKAGES = {"rebop": rebop, "bioscrape": bioscrape, "GillesPy2": gillespy2, "COPASI": copasi}
# Names on the package index, for versions.
DISTRIBUTIONS = {
    "rebop": "rebop",
    "bioscrape": "bioscrape",
    "GillesPy2": "gillespy2",
    "COPASI": "python-copasi",
}
