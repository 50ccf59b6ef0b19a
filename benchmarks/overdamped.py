"""Nanoseconds a trajectory-step of two overdamped particles between two baths.

The shipped Brownian gyrator, and the same with quartic wells, a row of 80 steps.
trajsim's step is of second order, that of plain C (Euler and Maruyama) of first.

    python benchmarks/overdamped.py
"""

import ctypes
from functools import partial

import common
import numpy as np

STEPS = 80
PLAN = (
    "sweep={}",
    "ensemble.periods=20",
    "ensemble.burn_in=10",
    "ensemble.initial='rest'",
    "ledger.periods_per_row=1",
)
WELLS = {"linear": (), "quartic wells": ("sites.x.quartic=1.0", "sites.y.quartic=1.0")}
COUNTS = {"trajsim": 16384, "C, plain": 8192}


class Pair(ctypes.Structure):
    """Parameters as the C source has them."""

    _fields_ = (
        *((name, ctypes.c_double) for name in ("friction", "stiffness", "coupling")),
        *((name, ctypes.c_double) for name in ("quartic", "period")),
        ("temperature", ctypes.c_double * 2),
    )


def trajsim_call(network, columns, count, number, plan):
    from trajsim.ensemble import start_state
    from trajsim.kernels import kernel_of

    kernel = kernel_of(network)
    model = kernel.prepare(network, plan, scheme="sweep", steps_per_period=STEPS, noise="float64")
    start = kernel.start(network, "rest", start_state(network, "rest"))
    replicas = kernel.begin(model, start, 4, 0, number * count, count)
    _, broken = kernel.advance(model, plan, replicas, kernel.Rows(**columns), 0, plan.segments)
    assert kernel.fault(broken, 0) is None


def c_call(library, experiment, columns, count, number, plan):
    site = experiment.sites[0]
    pair = {
        "friction": experiment.model.friction,
        "stiffness": site.stiffness,
        "coupling": experiment.bonds[0].stiffness,
        "quartic": site.quartic,
        "period": experiment.drive.period,
        "temperature": [experiment.baths[s.bath].temperature for s in experiment.sites],
    }
    library.advance(
        ctypes.byref(common.fill(Pair, pair)),
        common.pointers(columns, ("heat", "energy", "position")),
        *(ctypes.c_uint64(number), ctypes.c_int64(count)),
        *(ctypes.c_int64(n) for n in (plan.burn_in, plan.periods, STEPS)),
    )


def main():
    options = common.arguments("Overdamped particles")
    from trajsim.config import load
    from trajsim.running.provenance import layout_of

    results = {}
    for case, wells in WELLS.items():
        config = load(
            common.CONFIGS / "brownian_gyrator.toml",
            (*PLAN, *wells),
        )
        experiment, plan = config.experiment, config.experiment.plan
        calls = {"trajsim": partial(trajsim_call, experiment.network())}
        plain = common.build("overdamped_plain.c")
        if plain:
            calls["C, plain"] = partial(c_call, plain, experiment)
        contenders, found = [], {}
        for name, call in calls.items():
            count = 64 if options.quick else COUNTS[name]
            columns = layout_of(config).allocate(count)
            found[name] = columns
            contenders.append(
                common.Contender(
                    name,
                    run=lambda n, call=call, columns=columns, count=count, plan=plan: call(
                        columns, count, n, plan
                    ),
                    amount=count * plan.segments * STEPS,
                )
            )
        seconds = common.race(contenders, options.rounds or (1 if options.quick else 7))
        rows, results[case] = [], {}
        for name, values in seconds.items():
            taken, ratio = common.times(values), common.ratios(values, seconds["trajsim"])
            heat = found[name]["heat"][..., 0].mean(axis=1) / config.experiment.drive.period
            error = heat.std() / np.sqrt(len(heat))
            results[case][name] = {"seconds_per_step": taken, "times_slower": ratio}
            ends = f"{1e9 * taken['min']:.2f}", f"{1e9 * taken['median']:.2f}"
            rows.append([name, *ends, f"{ratio['median']:.2f}", f"{heat.mean():.5f}+-{error:.5f}"])
        print(f"\n{case}: nanoseconds a trajectory-step; ratio to trajsim; heat from the hot bath")
        common.table(["", "best", "median", "ratio", "heat"], rows)
    common.save("overdamped", options, {"steps_per_period": STEPS, "cases": results})


if __name__ == "__main__":
    main()
