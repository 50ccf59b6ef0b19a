"""Million drive periods a second of the paper's two driven spins, ledger on, at its two points.

Everybody fills the same ledger, a row a period and trajectory: heat of both baths, inclusive and
exclusive work of both drives, flips, energy and spins at the edges. Beside the speed stands how far
the furthest of twelve means is from the exact ensemble, in standard errors.

    python benchmarks/spins.py
"""

import ctypes
from functools import partial

import common
import numpy as np

POINTS = {"pump": "heat_pump.toml", "engine": "heat_engine.toml"}
PERIODS, BURN_IN = 50, 2
COLUMNS = ("heat", "work", "exclusive_work", "energy", "flips", "state")
# Trajectories a call: some tenths of a second each. NumPy is at its best with some thousand.
COUNTS = {
    "trajsim": 16384,
    "C, tuned": 16384,
    "C, plain": 2048,
    "numba, plain": 1024,
    "NumPy ensemble": 2048,
    "pure Python": 128,
}


class Pair(ctypes.Structure):
    """Parameters as the C sources have them."""

    _fields_ = (
        *((name, ctypes.c_double) for name in ("rate", "coupling", "period")),
        *((name, ctypes.c_double * 2) for name in ("temperature", "amplitude", "phase")),
    )


def pair_of(experiment):
    """The pair's parameters as plain numbers."""
    drives = [site.drive for site in experiment.sites]
    return {
        "rate": experiment.model.rate,
        "coupling": experiment.bonds[0].coupling,
        "period": experiment.drive.period,
        "temperature": [experiment.baths[site.bath].temperature for site in experiment.sites],
        "amplitude": [drive.amplitude for drive in drives],
        "phase": [drive.phase for drive in drives],
    }


def trajsim_call(kernel, model, start, plan, columns, count, number):
    replicas = kernel.begin(model, start, 2007, 0, number * count, count)
    _, witness = kernel.advance(model, plan, replicas, kernel.Rows(**columns), 0, plan.segments)
    assert kernel.fault(witness, 0) is None


def c_call(library, pair, columns, count, number):
    library.advance(
        ctypes.byref(common.fill(Pair, pair)),
        common.pointers(columns, COLUMNS),
        *(ctypes.c_uint64(number), ctypes.c_int64(count)),
        *(ctypes.c_int64(BURN_IN), ctypes.c_int64(PERIODS)),
    )


def user_call(advance, pair, columns, count, number):
    advance(pair, {name: columns[name] for name in COLUMNS}, number, count, BURN_IN, PERIODS)


def players(experiment, avx2):
    """By name: what fills the columns of a ledger with so many trajectories, for a round."""
    from user_spins import advance_numba, advance_numpy, advance_python

    from trajsim.kernels import kernel_of

    network, plan, pair = experiment.network(), experiment.plan, pair_of(experiment)
    kernel = kernel_of(network)
    model, start = kernel.prepare(network, plan), kernel.start(network, "up", None)
    found = {"trajsim": partial(trajsim_call, kernel, model, start, plan)}
    for name, source in {"C, tuned": "spins_tuned.c", "C, plain": "spins_plain.c"}.items():
        library = common.build(source, avx2)
        if library:
            found[name] = partial(c_call, library, pair)
    users = {"numba, plain": advance_numba, "NumPy ensemble": advance_numpy}
    for name, advance in {**users, "pure Python": advance_python}.items():
        found[name] = partial(user_call, advance, pair)
    return found


def main():
    options = common.arguments("Driven spins", avx2=common.AVX2)
    if options.avx2:
        common.without_avx512()
    from ledgers import Ledgers

    from trajsim.config import load
    from trajsim.ensemble import ensemble, start_state
    from trajsim.running.provenance import layout_of

    results = {}
    for point, file in POINTS.items():
        overrides = [f"ensemble.periods={PERIODS}", f"ensemble.burn_in={BURN_IN}"]
        config = load(common.CONFIGS / file, overrides)
        experiment, contenders, ledgers = config.experiment, [], {}
        for name, play in players(experiment, options.avx2).items():
            count = 32 if options.quick else COUNTS[name]
            books = ledgers[name] = Ledgers(layout_of(config), count)
            contenders.append(
                common.Contender(
                    name,
                    run=lambda n, play=play, books=books: play(books.columns, books.count, n),
                    amount=count * experiment.plan.segments,
                    after=books.take,
                )
            )
        seconds = common.race(contenders, options.rounds or (1 if options.quick else 7))
        network = experiment.network()
        window = ensemble(network).window(start_state(network, "up"), experiment.plan)
        exact = np.concatenate([*window.rates, window.edges["occupation"][0]])
        results[point] = report(point, seconds, ledgers, exact, experiment.drive.period)
    common.save("spins-avx2" if options.avx2 else "spins", options, {"points": results})


def report(point, seconds, ledgers, exact, period):
    """Print the table of a point and return it as data."""
    # Without a compiler, the numba loop is what everybody is compared with.
    slow = "C, plain" if "C, plain" in seconds else "numba, plain"
    found, rows = {}, []
    for name, values in seconds.items():
        this = found[name] = {
            "seconds_per_period": common.times(values),
            "times_faster": common.ratios(seconds[slow], values),
            **ledgers[name].against(exact),
        }
        taken, ratio = this["seconds_per_period"], this["times_faster"]
        mean, error = this["means"], this["stderr"]
        flips = sum(mean[f"flips.{i}"] for i in (1, 2)) * period
        rows.append(
            [
                name,
                f"{1e-6 / taken['min']:.3f}",
                f"{1e-6 / taken['median']:.3f}",
                f"{ratio['median']:.2f}",
                f"{ratio['min']:.2f}-{ratio['max']:.2f}",
                f"{flips:.3f}",
                *(f"{mean[q]:+.2e} +- {error[q]:.0e}" for q in ("heat.L", "heat.R")),
                f"{this['furthest']:.1f}",
                f"{this['first_law_residual']:.0e}",
            ]
        )
    print(f"\n{point}: million periods a second; ratio to {slow}")
    header = ["", "best", "median", "ratio", "of pairs", "flips a period", "q_L", "q_R"]
    common.table([*header, "sigma", "first law"], rows)
    flips = float(exact[6:8].sum() * period)
    print(
        f"exact: {flips:.3f} flips a period, q_L {exact[0]:+.3e}, q_R {exact[1]:+.3e}; "
        f"sigma: of the furthest of {len(exact)} means"
    )
    return {
        "compared_with": slow,
        "period": period,
        "exact": dict(zip(ledgers[slow].names, exact.tolist(), strict=True)),
        "contenders": found,
    }


if __name__ == "__main__":
    main()
