"""Nanoseconds a trajectory-step of the paper's two Langevin oscillators, and steps they need.

The pair of Fig. 4, linear (alpha = 0) and quartic (alpha = 1), ledger on, a row a period. A step of
one scheme is worth several of another: beside the speed stand the steps a period for 0.1 % in every
current of the linear pair, and the periods a second that both together give.

    python benchmarks/oscillators.py
"""

import ctypes
from functools import partial

import common
import numpy as np

CONFIGS = {"alpha = 0": "oscillator_pair.toml", "alpha = 1": "quartic_pair.toml"}
PERIODS, BURN_IN, STEPS = 20, 10, 96
COLUMNS = ("heat", "work", "exclusive_work", "shadow_work", "energy", "position", "velocity")
COUNTS = {
    "trajsim HOH": 16384,
    "trajsim HOH, 32-bit noise": 16384,
    "trajsim BAOAB": 16384,
    "trajsim BAOAB, 32-bit noise": 16384,
    "C, tuned HOH": 16384,
    "C, tuned HOH, 32-bit noise": 16384,
    "C, plain BAOAB": 8192,
    "numba, plain BAOAB": 1024,
    "NumPy BAOAB": 2048,
}
REFERENCE = "C, tuned HOH"
# Relative error of every current at which steps are counted.
ASKED = 1e-3


class Pair(ctypes.Structure):
    """Parameters as the C sources have them."""

    _fields_ = (
        *((name, ctypes.c_double) for name in ("mass", "friction", "stiffness", "coupling")),
        *((name, ctypes.c_double) for name in ("quartic", "period")),
        *((name, ctypes.c_double * 2) for name in ("temperature", "amplitude", "phase")),
    )


def pair_of(experiment):
    """The pair's parameters as plain numbers: its sites are alike."""
    site = experiment.sites[0]
    return {
        "mass": experiment.model.mass,
        "friction": experiment.model.friction,
        "stiffness": site.stiffness,
        "coupling": experiment.bonds[0].stiffness,
        "quartic": site.quartic,
        "period": experiment.drive.period,
        "temperature": [experiment.baths[site.bath].temperature for site in experiment.sites],
        "amplitude": [site.drive.amplitude for site in experiment.sites],
        "phase": [site.drive.phase for site in experiment.sites],
    }


# Each of these fills the columns for a plan and a number of steps a period, from rest.


def trajsim_call(network, scheme, noise, columns, count, number, plan, steps):
    from trajsim.ensemble import start_state
    from trajsim.kernels import kernel_of

    kernel = kernel_of(network)
    model = kernel.prepare(network, plan, scheme=scheme, steps_per_period=steps, noise=noise)
    start = kernel.start(network, "rest", start_state(network, "rest"))
    replicas = kernel.begin(model, start, 4, 0, number * count, count)
    _, witness = kernel.advance(model, plan, replicas, kernel.Rows(**columns), 0, plan.segments)
    assert kernel.fault(witness, 0) is None


def c_call(library, pair, more, columns, count, number, plan, steps):
    library.advance(
        ctypes.byref(common.fill(Pair, pair)),
        common.pointers(columns, COLUMNS),
        *(ctypes.c_uint64(number), ctypes.c_int64(count)),
        *(ctypes.c_int64(n) for n in (plan.burn_in, plan.periods, steps)),
        *more,
    )


def user_call(advance, pair, columns, count, number, plan, steps):
    ledger = {name: columns[name] for name in COLUMNS}
    advance(pair, ledger, number, count, plan.burn_in, plan.periods, steps)


def players(experiment, avx2, cold=False):
    """By name: the calls above, for an experiment or for the same at next to no temperature."""
    from user_oscillators import advance_numba, advance_numpy

    network, pair = experiment.network(), pair_of(experiment)
    if cold:
        network = network._replace(temperature=np.full_like(network.temperature, COLD))
        pair["temperature"] = [COLD, COLD]
    found = {}
    for scheme in ("HOH", "BAOAB"):
        for noise, said in {"float64": "", "float32": ", 32-bit noise"}.items():
            call = partial(trajsim_call, network, scheme.lower(), noise)
            found[f"trajsim {scheme}{said}"] = call
    tuned = common.build("oscillators_tuned.c", avx2)
    for fine, said in {1: "", 0: ", 32-bit noise"}.items() if tuned else ():
        found[f"C, tuned HOH{said}"] = partial(c_call, tuned, pair, [ctypes.c_int(fine)])
    plain = common.build("oscillators_plain.c", avx2)
    if plain:
        found["C, plain BAOAB"] = partial(c_call, plain, pair, [])
    found["numba, plain BAOAB"] = partial(user_call, advance_numba, pair)
    found["NumPy BAOAB"] = partial(user_call, advance_numpy, pair)
    return found


COLD = 1e-20


def steps_needed(call, layout, exact, plan):
    """Fewest steps a period that bring every current within ASKED of its exact value.

    Noise has no part in it: the driven part of a linear network's currents does not depend on
    temperature, so it is read off one trajectory of a cold one.
    """

    def good(steps):
        columns = layout.allocate(1)
        call(columns, 1, 0, plan, steps)
        found = [columns[name].sum(axis=(0, 1)) for name in ("heat", "work", "exclusive_work")]
        error = np.concatenate(found) / layout.duration(0) / exact - 1
        return bool(np.abs(error).max() < ASKED)

    return common.fewest(good)


def main():
    options = common.arguments("Driven Langevin oscillators", avx2=common.AVX2)
    if options.avx2:
        common.without_avx512()
    from ledgers import Ledgers

    from trajsim.config import load
    from trajsim.ensemble import ensemble, start_state
    from trajsim.running.provenance import layout_of

    results, needed = {}, {}
    for case, file in CONFIGS.items():
        overrides = [f"ensemble.periods={PERIODS}", f"ensemble.burn_in={BURN_IN}"]
        config = load(common.CONFIGS / file, [*overrides, "ledger.periods_per_row=1"])
        experiment, contenders, ledgers = config.experiment, [], {}
        network, plan, layout = experiment.network(), experiment.plan, layout_of(config)
        exact = None
        if network.linear:
            rates = ensemble(network).window(start_state(network, "rest"), plan).rates
            exact = np.concatenate(rates)
            # Temperatures are equal: in the periodic state nothing flows but what is driven.
            driven = np.concatenate(ensemble(network).currents.rates)
            for name, call in players(experiment, options.avx2, cold=True).items():
                needed[name] = steps_needed(call, layout, driven, plan)
        for name, play in players(experiment, options.avx2).items():
            count = 64 if options.quick else COUNTS[name]
            books = ledgers[name] = Ledgers(layout, count)
            contenders.append(
                common.Contender(
                    name,
                    run=lambda n, play=play, books=books, plan=plan: play(
                        books.columns, books.count, n, plan, STEPS
                    ),
                    amount=count * plan.segments * STEPS,
                    after=books.take,
                )
            )
        seconds = common.race(contenders, options.rounds or (1 if options.quick else 7))
        results[case] = report(case, seconds, ledgers, exact, needed)
    name = "oscillators-avx2" if options.avx2 else "oscillators"
    common.save(name, options, {"steps_per_period": STEPS, "cases": results})


def report(case, seconds, ledgers, exact, needed):
    """Print the table of a case and return it as data."""
    fast = REFERENCE if REFERENCE in seconds else "trajsim HOH"
    found, rows = {}, []
    expected = (exact, 0.0) if exact is not None else ledgers["trajsim HOH"].means()
    for name, values in seconds.items():
        this = found[name] = {
            "seconds_per_step": common.times(values),
            "times_slower": common.ratios(values, seconds[fast]),
            "steps_for_a_thousandth": needed[name],
            **ledgers[name].against(*expected),
        }
        taken, ratio = this["seconds_per_step"], this["times_slower"]
        rows.append(
            [
                name,
                f"{1e9 * taken['min']:.2f}",
                f"{1e9 * taken['median']:.2f}",
                f"{ratio['median']:.2f}",
                f"{ratio['min']:.2f}-{ratio['max']:.2f}",
                needed[name] if exact is not None else "",
                f"{1e-6 / taken['min'] / needed[name]:.3f}" if exact is not None else "",
                f"{this['furthest']:.1f}" if exact is not None or name != "trajsim HOH" else "",
                f"{this['first_law_residual']:.0e}",
            ]
        )
    print(f"\n{case}: nanoseconds a trajectory-step at {STEPS} steps a period; ratio to {fast}")
    header = ["", "best", "median", "ratio", "of pairs", "steps for 0.1 %", "million periods/s"]
    common.table([*header, "sigma", "first law"], rows)
    print(
        "sigma: of the furthest of 6 means from "
        + ("the exact ensemble" if exact is not None else "those of trajsim HOH")
    )
    return {"compared_with": fast, "contenders": found}


if __name__ == "__main__":
    main()
