"""Nanoseconds a jump of shipped jump networks, ledger on, beside a plain C program.

Everybody fills the same ledger, a row a period and trajectory, 50 periods after 2 of burn-in.
Beside the speed stands how far the furthest of the mean heats and works is from the exact ensemble,
in standard errors, and the largest residual of the first law.

    python benchmarks/networks.py
"""

import ctypes
from functools import partial

import common
import numpy as np

CASES = {
    "three-state engine": ("three_state_engine.toml", {}),
    "molecular motor": ("molecular_motor.toml", {"sweep": {}, "drive.period": 10.0}),
    "electron pump": ("electron_pump.toml", {"drive.period": 20.0}),
}
PERIODS, BURN_IN = 50, 2
COLUMNS = (
    *("heat", "work", "exclusive_work", "energy", "jumps", "state"),
    *("chemical_work", "particles"),
)
COUNTS = {"trajsim": 8192, "C, plain": 4096}
LAWS = ("heat-bath", "arrhenius")


class Network(ctypes.Structure):
    """Parameters as the C source has them."""

    _fields_ = (
        *((k, ctypes.c_int64) for k in ("states", "channels", "baths", "drives", "law", "taken_")),
        ("period", ctypes.c_double),
        *(
            (k, ctypes.c_void_p)
            for k in (
                *("first", "target", "bath", "taken", "load_drive", "energy_drive", "rate", "load"),
                *("offset", "amplitude", "phase", "temperature", "potential"),
            )
        ),
    )


def network_of(experiment):
    """A network of cosines and constants as plain arrays; those are kept beside the struct."""
    from trajsim.kernels.network_tables import channels_of

    network = experiment.network()
    channels = channels_of(network)
    k, sign = channels.transition, channels.sign
    arrays = {
        "first": channels.first,
        "target": channels.target.astype(np.int64),
        "bath": network.bath[k],
        "taken": (sign * network.particles[k]).astype(np.int64),
        "load_drive": network.loaded[k],
        "energy_drive": network.driven,
        "rate": network.rate[k],
        "load": sign * network.loads.offset[k],
        "offset": network.energies.offset,
        "amplitude": network.energies.amplitude[:, 0].copy(),
        "phase": network.energies.phase[:, 0].copy(),
        "temperature": network.temperatures.offset,
        "potential": network.potentials.offset,
    }
    numbers = {
        "states": len(network.names),
        "channels": len(k),
        "baths": network.baths,
        "drives": network.drives,
        "law": LAWS.index(experiment.model.rate_law),
        "taken_": int(network.exchanging),
        "period": network.period,
    }
    return Network(**numbers, **{name: a.ctypes.data for name, a in arrays.items()}), arrays


def trajsim_call(kernel, model, start, plan, columns, count, number):
    replicas = kernel.begin(model, start, 2007, 0, number * count, count)
    kernel.advance(model, plan, replicas, kernel.Rows(**columns), 0, plan.segments)


def c_call(library, network, columns, count, number):
    library.advance(
        ctypes.byref(network[0]),
        common.pointers(columns, COLUMNS),
        *(ctypes.c_uint64(number), ctypes.c_int64(count)),
        *(ctypes.c_int64(BURN_IN), ctypes.c_int64(PERIODS)),
    )


class Ledger:
    """Columns that are filled, and sums of the rounds."""

    def __init__(self, layout, count):
        self.layout, self.count, self.columns = layout, count, layout.allocate(count)
        self.totals, self.jumps, self.residual = [], 0, 0.0

    def take(self):
        """Add a round."""
        from trajsim.ledger import first_law_residual

        c = self.columns
        self.totals.append(np.concatenate([c["heat"].sum(axis=1), c["work"].sum(axis=1)], axis=1))
        self.jumps += int(c["jumps"].sum())
        present = {column.name: c[column.name] for column in self.layout.columns}
        self.residual = max(self.residual, float(abs(first_law_residual(present)).max()))

    def against(self, exact):
        """Furthest mean from the exact ones in standard errors."""
        totals = np.concatenate(self.totals[1:] or self.totals)
        error = totals.std(axis=0, ddof=1) / len(totals) ** 0.5
        return float((abs(totals.mean(axis=0) - exact) / np.maximum(error, 1e-12)).max())


def measure(file, overrides, options):
    """Results of a case, by contender."""
    from trajsim.api import load
    from trajsim.ensemble import ensemble, start_state
    from trajsim.kernels import kernel_of
    from trajsim.running.provenance import layout_of

    size = {"ensemble.periods": PERIODS, "ensemble.burn_in": BURN_IN}
    config = load(common.CONFIGS / file, size | overrides)
    experiment = config.experiment
    network, plan, first = experiment.network(), experiment.plan, experiment.states[0].name
    kernel = kernel_of(network)
    model, start = kernel.prepare(network, plan), kernel.start(network, first, None)
    plays = {"trajsim": partial(trajsim_call, kernel, model, start, plan)}
    library = common.build("networks_plain.c")
    if library:
        plays["C, plain"] = partial(c_call, library, network_of(experiment))
    rates = ensemble(network).window(start_state(network, first), plan).rates
    time = PERIODS * experiment.drive.period
    exact = time * np.concatenate([rates.heat, rates.work])
    # Jumps of a trajectory, burn-in included, nearly.
    jumps = rates.jumps.sum() * time * (PERIODS + BURN_IN) / PERIODS
    ledgers, contenders = {}, []
    for name, play in plays.items():
        count = 32 if options.quick else COUNTS[name]
        books = ledgers[name] = Ledger(layout_of(config), count)
        contenders.append(
            common.Contender(
                name,
                run=lambda n, play=play, books=books: play(books.columns, books.count, n),
                amount=count * jumps,
                after=books.take,
            )
        )
    seconds = common.race(contenders, options.rounds or (1 if options.quick else 7))
    slow = seconds.get("C, plain", seconds["trajsim"])
    found = {
        name: {
            "seconds_per_jump": common.times(values),
            "times_faster": common.ratios(slow, values),
            "furthest": ledgers[name].against(exact),
            "first_law_residual": ledgers[name].residual,
        }
        for name, values in seconds.items()
    }
    return {"contenders": found}


def main():
    options = common.arguments("Jump networks")
    results = {name: measure(*case, options) for name, case in CASES.items()}
    for case, found in results.items():
        print(f"\n{case}: nanoseconds a jump; ratio to C, plain")
        rows = [
            [
                name,
                *(f"{1e9 * c['seconds_per_jump'][k]:.1f}" for k in ("min", "median")),
                f"{c['times_faster']['median']:.2f}",
                f"{c['times_faster']['min']:.2f}-{c['times_faster']['max']:.2f}",
                f"{c['furthest']:.1f}",
                f"{c['first_law_residual']:.0e}",
            ]
            for name, c in found["contenders"].items()
        ]
        common.table(["", "best", "median", "ratio", "of pairs", "sigma", "first law"], rows)
    common.save("networks", options, {"cases": results})


if __name__ == "__main__":
    main()
