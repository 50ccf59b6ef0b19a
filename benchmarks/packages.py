"""trajsim beside packages that simulate the same systems, where these are installed.

Two spins in constant fields as a reaction network, and the linear pair of Langevin oscillators. All
of them on one core. What is not installed is left out with a word why.

    python3 -m venv benchmarks/.venv
    benchmarks/.venv/bin/pip install -e . -r benchmarks/requirements.txt
    benchmarks/.venv/bin/python benchmarks/packages.py
"""

import os
from functools import partial

import common
import numpy as np
import package_oscillators
import package_spins

# Rows of a period's length: of the packages' one long trajectory, of trajsim's many.
ROWS, TRAJECTORIES, PERIODS = 20_000, 8192, 50
BATCH = 50
STEPS, OSCILLATORS, SETTLE, KEEP = 96, 3072, 5, 10
ASKED, COLD = 1e-3, 1e-20

FIELDS = """
title = "Two spins in constant fields"
[model]
kind = "spins"
rate = 0.5
rate_law = "glauber-product"
[drive]
period = 225.0
[baths]
L = { temperature = 0.5 }
R = { temperature = 0.499 }
[[sites]]
name = "1"
bath = "L"
drive = { offset = 0.25 }
[[sites]]
name = "2"
bath = "R"
drive = { offset = -0.15 }
[[bonds]]
sites = ["1", "2"]
coupling = 1.0
[ensemble]
trajectories = 2
periods = 50
burn_in = 2
initial = "up"
seed = 1
"""


def installed(packages, make):
    """By name what `make` made of every package; for the others the reason."""
    found, missing = {}, {}
    for name, package in packages.items():
        try:
            found[name] = make(package)
        except Exception as error:  # whatever an optional package may die of
            missing[name] = f"{type(error).__name__}: {str(error).splitlines()[0][:80]}"
            print(f"{name} is left out: {missing[name]}")
    return found, missing


def judged(means, errors, exact, names):
    """Means, their standard errors and how many of these the furthest is off."""
    kept = [k for k in range(len(names)) if np.isfinite(means[k])]
    return {
        "means": {names[k]: float(means[k]) for k in kept},
        "stderr": {names[k]: float(errors[k]) for k in kept},
        "furthest": max(abs(float((means[k] - exact[k]) / errors[k])) for k in kept),
    }


# -- spins ---------------------------------------------------------------------------------------


def spins(options):
    from ledgers import Ledgers
    from spins import trajsim_call

    from trajsim.config import parse
    from trajsim.ensemble import ensemble
    from trajsim.kernels import kernel_of
    from trajsim.running.provenance import layout_of

    config = parse(FIELDS)
    experiment, network, plan = (
        config.experiment,
        config.experiment.network(),
        config.experiment.plan,
    )
    temperature = [experiment.baths[site.bath].temperature for site in experiment.sites]
    rates, cost = package_spins.rates_of(
        *(experiment.model.rate, experiment.bonds[0].coupling, temperature),
        [site.drive.offset for site in experiment.sites],
    )
    kernel, period = kernel_of(network), experiment.drive.period
    play = partial(
        trajsim_call, kernel, kernel.prepare(network, plan), kernel.start(network, "up", None), plan
    )
    count, rows = (32, 200) if options.quick else (TRAJECTORIES, ROWS)
    books, counts = Ledgers(layout_of(config), count), {}
    contenders = [
        common.Contender(
            "trajsim",
            run=lambda n: play(books.columns, books.count, n),
            amount=count * plan.segments,
            after=books.take,
        )
    ]
    calls, missing = installed(package_spins.PACKAGES, lambda make: make(rates, period))
    for name, call in calls.items():
        kept = counts[name] = []
        contenders.append(
            common.Contender(
                name, run=lambda n, call=call, kept=kept: kept.append(call(rows, n)), amount=rows
            )
        )
    seconds = common.race(contenders, options.rounds or (1 if options.quick else 5))
    rates = ensemble(network).currents.rates
    exact, names = np.append(rates.heat, rates.flips), ["heat.L", "heat.R", "flips.1", "flips.2"]
    mean, error = books.means()
    pick = [books.names.index(name) for name in names]
    accuracy = {"trajsim": judged(mean[pick], error[pick], exact, names)}
    for name, kept in counts.items():
        accuracy[name] = judged(*means_of(kept, cost, period), exact, names)
    slow = seconds["trajsim"]
    found = {
        name: {
            "seconds_per_period": common.times(taken),
            "times_slower": common.ratios(taken, slow),
            **accuracy[name],
        }
        for name, taken in seconds.items()
    }
    print("\nspins in constant fields: million periods a second, one core")
    common.table(
        ["", "best", "median", "trajsim faster", "flips a period", "q_L", "sigma"],
        [
            [
                name,
                f"{1e-6 / this['seconds_per_period']['min']:.3f}",
                f"{1e-6 / this['seconds_per_period']['median']:.3f}",
                f"{this['times_slower']['median']:.1f}",
                f"{(this['means']['flips.1'] + this['means']['flips.2']) * period:.3f}",
                f"{this['means']['heat.L']:+.2e} +- {this['stderr']['heat.L']:.0e}",
                f"{this['furthest']:.1f}",
            ]
            for name, this in found.items()
        ],
    )
    print(f"exact: {rates.flips.sum() * period:.3f} flips a period, q_L {rates.heat[0]:+.3e}")
    return {"contenders": found, "missing": missing, "period": period}


def means_of(kept, cost, period):
    """Rates of heat of both baths and of flips, with errors from batches of rows."""
    spin = np.array([i for _, _, i in package_spins.FLIPS])
    batches = []
    for counts in kept:
        made = np.diff(counts[:, ::BATCH], axis=1)[:, 1:]
        sums = [(made * cost[:, None])[spin == i].sum(axis=0) for i in (0, 1)]
        sums += [made[spin == i].sum(axis=0) for i in (0, 1)]
        batches.append(sums)
    rates = np.concatenate(batches, axis=1) / (BATCH * period)
    return rates.mean(axis=1), rates.std(axis=1, ddof=1) / np.sqrt(rates.shape[1])


# -- oscillators ---------------------------------------------------------------------------------


def oscillators(options):
    from ledgers import Ledgers
    from oscillators import pair_of, trajsim_call

    from trajsim.config import load
    from trajsim.ensemble import ensemble
    from trajsim.running.provenance import layout_of

    count, keep = (6, 1) if options.quick else (OSCILLATORS, KEEP)
    overrides = [f"ensemble.periods={keep}", f"ensemble.burn_in={SETTLE}"]
    file = common.CONFIGS / "oscillator_pair.toml"
    config = load(file, [*overrides, "ledger.periods_per_row=1"])
    experiment, network, plan = (
        config.experiment,
        config.experiment.network(),
        config.experiment.plan,
    )
    pair, period = pair_of(experiment), experiment.drive.period
    rates = ensemble(network).currents.rates
    exact, names = np.append(rates.heat, rates.work), ["heat.L", "heat.R", "work.1", "work.2"]
    contenders, accuracy, needed = [], {}, {}
    for scheme in ("HOH", "BAOAB"):
        books = Ledgers(layout_of(config), 4 * count)
        play = partial(trajsim_call, network, scheme.lower(), "float64")
        contenders.append(
            common.Contender(
                f"trajsim {scheme}",
                run=lambda n, play=play, books=books: play(
                    books.columns, books.count, n, plan, STEPS
                ),
                amount=books.count * plan.segments * STEPS,
                after=books.take,
            )
        )
        accuracy[f"trajsim {scheme}"] = lambda books=books: tuple(a[:4] for a in books.means())
    calls, missing = installed(
        package_oscillators.PACKAGES, lambda make: (make, make(pair, STEPS, count))
    )
    for name, (make, call) in list(calls.items()):
        try:
            call(1, 0)
        except Exception as error:  # some find out only now what they lack
            missing[name] = f"{type(error).__name__}: {str(error).splitlines()[0][:80]}"
            print(f"{name} is left out: {missing[name]}")
            continue
        kept = []
        contenders.append(
            common.Contender(
                name,
                run=lambda n, call=call, kept=kept: kept.append(call(SETTLE + keep, n)),
                amount=count * (SETTLE + keep) * STEPS,
            )
        )
        accuracy[name] = partial(energetics_of, kept, period)
        if not options.quick:
            needed[name] = common.fewest(partial(good, make, pair, exact), 10_000)
    seconds = common.race(contenders, options.rounds or (1 if options.quick else 5))
    fast = seconds["trajsim HOH"]
    found = {
        name: {
            "seconds_per_step": common.times(taken),
            "times_slower": common.ratios(taken, fast),
            "steps_for_a_thousandth": needed.get(name),
            **judged(*accuracy[name](), exact, names),
        }
        for name, taken in seconds.items()
    }
    print(f"\nlinear oscillators: ns a trajectory-step at {STEPS} steps a period, one core")
    common.table(
        ["", "best", "median", "to trajsim HOH", "steps for 0.1 %", "q_L", "w_1", "sigma"],
        [
            [
                name,
                f"{1e9 * this['seconds_per_step']['min']:.1f}",
                f"{1e9 * this['seconds_per_step']['median']:.1f}",
                f"{this['times_slower']['median']:.1f}",
                steps_said(name, this["steps_for_a_thousandth"]),
                *(
                    f"{this['means'][q]:+.4f} +- {this['stderr'][q]:.4f}"
                    if q in this["means"]
                    else ""
                    for q in ("heat.L", "work.1")
                ),
                f"{this['furthest']:.1f}",
            ]
            for name, this in found.items()
        ],
    )
    print(f"exact: q_L {exact[0]:+.4f}, w_1 {exact[2]:+.4f}")
    return {"contenders": found, "missing": missing, "steps_per_period": STEPS}


def steps_said(name, steps):
    """Steps as a table says them: HOH and BAOAB keep equilibrium, the others err in that as well.

    What a cold network needs is therefore the least that the others need.
    """
    if steps is None:
        return ""
    return f">= {steps}" if name in ("diffrax", "LAMMPS") else str(steps)


def energetics_of(kept, period):
    """Mean rates of heat and work when the start is forgotten, and their standard errors."""
    both = [np.concatenate(energetics, axis=1)[SETTLE:] / period for energetics in kept]
    if both[0].shape[2] > 1:
        rates = np.concatenate([energetics.mean(axis=0) for energetics in both], axis=1)
    else:  # only the sum over all trajectories is kept: the rows must tell the error
        rates = np.concatenate([energetics[:, :, 0].T for energetics in both], axis=1)
    return rates.mean(axis=1), rates.std(axis=1, ddof=1) / np.sqrt(rates.shape[1])


def good(make, pair, exact, steps):
    """Whether every current that is kept is within ASKED: from one cold period, without noise."""
    cold = {**pair, "temperature": [COLD, COLD]}
    heat, work = make(cold, steps, 3)(20, 0)
    found = np.concatenate([heat, work], axis=1)[-1].mean(axis=1) / pair["period"]
    return bool(np.nanmax(np.abs(found / exact - 1)) < ASKED)


def main():
    options = common.arguments("trajsim beside packages")
    if hasattr(os, "sched_setaffinity"):
        # Some would take all cores. Done before they are imported.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    results = {"spins": spins(options), "oscillators": oscillators(options)}
    names = {**package_spins.DISTRIBUTIONS, **package_oscillators.DISTRIBUTIONS}
    common.save("packages", options, results, [*names.values(), "copasi-basico", "jaxlib"])


if __name__ == "__main__":
    main()
