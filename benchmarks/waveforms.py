"""Speed and acceptance ratio of driven spins, by what is driven and by which waveform.

The pump pair again and again, 50 periods after 2 of burn-in, ledger on: in cosine fields, in the
same as a table of 1,000 knots, in square fields, with a driven coupling, with driven temperatures,
with both baths at each of the spins; and pairs whose rates change by much. The acceptance ratio is
that of flips to proposals, both counted: every proposal takes two random numbers, so they follow
from the streams. Last, seconds of the processor in a run of two trajectories when nothing is
compiled yet.

    python benchmarks/waveforms.py [--only CASE]
"""

import math
import tempfile
from pathlib import Path

import common
from whole_program import TINY, TRAJSIM, call

PUMP = common.CONFIGS / "heat_pump.toml"
PERIODS, BURN_IN = 50, 2
PLAIN = "cosine fields"


def cosine(offset, amplitude, phase=0.0):
    return {"offset": offset, "amplitude": amplitude, "phase": phase}


def square(offset, amplitude, phase=0.0):
    return {"shape": "square", **cosine(offset, amplitude, phase)}


def knots(offset, amplitude, phase=0.0, n=1000):
    """The cosine as a table."""
    angles = [2 * math.pi * k / (n - 1) + phase for k in range(n)]
    return {
        "points": [[k / (n - 1), offset + amplitude * math.cos(a)] for k, a in enumerate(angles)]
    }


def fields(shape, amplitude=0.25):
    """Fields of the pump in a shape."""
    return {
        "sites.1.drive": shape(0.0, amplitude, 0.0),
        "sites.2.drive": shape(0.0, amplitude, 2.2),
    }


COUPLING = {"bonds.1-2.coupling": cosine(1.0, 0.2, 1.0)}
TEMPERATURES = {
    "baths.L.temperature": cosine(0.5, 0.1),
    "baths.R.temperature": cosine(0.5, 0.1, 2.2),
}
BATHS = {"sites": [{"name": n, "baths": ["L", "R"]} for n in "12"]} | fields(cosine)
ARRHENIUS = {"model.rate_law": "arrhenius"}
# By name: what is put in place in the config of the pump.
CASES = {
    PLAIN: {},
    "fields of 1,000 knots": fields(knots),
    "square fields": fields(square),
    "driven coupling": COUPLING,
    "driven temperatures": TEMPERATURES,
    "coupling and temperatures": COUPLING | TEMPERATURES,
    "two baths a site": BATHS,
}
WIDE = {
    "square fields of 2": fields(square, 2.0),
    "cosine fields of 1, Arrhenius": fields(cosine, 1.0) | ARRHENIUS,
    "square fields of 1, Arrhenius": fields(square, 1.0) | ARRHENIUS,
    "square temperature, Arrhenius": ARRHENIUS
    | {"baths.L.temperature": square(1.0, 0.7), "bonds.1-2.coupling": 0.5},
    "cosine temperature, Arrhenius": ARRHENIUS
    | {"baths.L.temperature": cosine(1.0, 0.7), "bonds.1-2.coupling": 0.5},
    "coupling from -1 to 3": {"bonds.1-2.coupling": cosine(1.0, 2.0, 1.0)},
}


class Run:
    """Trajectories of a case, and the proposals and flips of the last call."""

    def __init__(self, case, count, periods=PERIODS):
        from trajsim.api import load
        from trajsim.kernels import kernel_of
        from trajsim.running.provenance import layout_of

        size = {"ensemble.periods": periods, "ensemble.burn_in": BURN_IN}
        config = load(PUMP, size | case)
        network, self.plan = config.experiment.network(), config.experiment.plan
        self.kernel = kernel_of(network)
        self.model = self.kernel.prepare(network, self.plan)
        self.start = self.kernel.start(network, "up", None)
        self.columns, self.count = layout_of(config).allocate(count), count

    def play(self, number):
        """A call of the kernel."""
        replicas = self.kernel.begin(self.model, self.start, 7, 0, number * self.count, self.count)
        rows = self.kernel.Rows(**self.columns)
        self.flips, _ = self.kernel.advance(
            self.model, self.plan, replicas, rows, 0, self.plan.segments
        )
        return replicas

    def acceptance(self):
        """Flips accepted of those proposed, from the random numbers that were drawn."""
        after = self.play(0)
        before = self.kernel.begin(self.model, self.start, 7, 0, 0, self.count)
        numbers = drawn(before.stream, after.stream) - self.count
        return self.flips / (numbers / 2)


def drawn(before, after):
    """How many random numbers lie between two states of streams (m, 4)."""
    import numba

    from trajsim.kernels.random import next_bits

    @numba.njit
    def count(before, after):
        total = 0
        for state, last in zip(before, after):  # noqa: B905
            while state[0] != last[0] or state[1] != last[1]:
                next_bits(state)
                total += 1
        return total

    return int(count(before, after))


def first_run(case):
    """Seconds of the processor in a run of two trajectories with nothing compiled."""
    with tempfile.TemporaryDirectory() as empty:
        words = [f"{key}={toml(value)}" for key, value in case.items()]
        words = [word for setting in words for word in ("--set", setting)]
        found = call(
            *(TRAJSIM, "run", PUMP, *TINY, *words, "-o", Path(empty) / "tiny.h5"),
            NUMBA_CACHE_DIR=f"{empty}/numba",
            XDG_CACHE_HOME=f"{empty}/cache",
        )
    return found[1]


def toml(value):
    """A value as --set takes it."""
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + "}"
    return f'"{value}"' if isinstance(value, str) else str(value)


def main():
    only = {"default": "", "help": f"one case, beside {PLAIN}; without first runs"}
    options = common.arguments("Spins and waveforms", only=only)
    # Trajectories a call: some tenths of a second.
    counts = (32, 32) if options.quick else (8192, 512)
    runs = {name: Run(case, counts[0]) for name, case in CASES.items()}
    runs |= {name: Run(case, counts[1]) for name, case in WIDE.items()}
    runs = {name: run for name, run in runs.items() if options.only in ("", name) or name == PLAIN}
    results = {name: {"acceptance": run.acceptance()} for name, run in runs.items()}
    contenders = [
        common.Contender(name, run.play, run.count * run.plan.segments)
        for name, run in runs.items()
    ]
    seconds = common.race(contenders, options.rounds or (1 if options.quick else 7))
    for name, values in seconds.items():
        found = results[name]
        found["seconds_per_period"] = common.times(values)
        found["speed"] = common.ratios(seconds[PLAIN], values)
        run = runs[name]
        found["flips_per_period"] = run.flips / run.count / run.plan.segments
        if name in CASES and not options.quick and not options.only:
            found["first_run_seconds"] = first_run(CASES[name])
    report(results)
    common.save("waveforms", options, {"cases": results})


def report(results):
    """Print the table."""
    rows = [
        [
            name,
            *(f"{1e-6 / found['seconds_per_period'][k]:.2f}" for k in ("min", "median")),
            f"{found['speed']['median']:.2f}",
            f"{found['speed']['min']:.2f}-{found['speed']['max']:.2f}",
            f"{found['flips_per_period']:.2f}",
            f"{found['acceptance']:.3f}",
            f"{found['first_run_seconds']:.1f}" if "first_run_seconds" in found else "",
        ]
        for name, found in results.items()
    ]
    print(f"\nmillion periods a second; speed in that of {PLAIN}")
    header = ["", "best", "median", "speed", "of pairs", "flips a period", "acceptance"]
    common.table([*header, "first run, s"], rows)


if __name__ == "__main__":
    main()
