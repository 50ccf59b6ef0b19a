"""Throughput against the number of sites and of workers, as figures and JSON.

Chains (and a lattice) in which every site has a bath and a drive, a row of the ledger a period.
Flips are the work of spins, site-steps that of oscillators.

    python benchmarks/scaling.py
"""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import common
import numpy as np

SPIN_SITES = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
OSCILLATOR_SITES = (2, 4, 8, 16, 32, 64, 128, 256)
SCHEMES = ("hoh", "baoab")
STEPS = 96
# Colours that the colour-blind can tell apart (Okabe & Ito).
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"

ENSEMBLE = "[ensemble]\ntrajectories = 2\nperiods = 1\nburn_in = 0\nseed = 1\n"


def config_text(model, sites, bonds, bond, more=""):
    """TOML of a network: `model` and `bond` are lines of it, bonds pairs of site numbers."""
    lines = ['title = "benchmark"', "[model]", *model, "[baths]"]
    lines += ["L = { temperature = 1.0 }", "R = { temperature = 0.9 }"]
    for i, line in enumerate(sites):
        drive = f"drive = {{ amplitude = 0.25, phase = {0.3 * i % 6.0} }}"
        lines += ["[[sites]]", f'name = "{i}"', f'bath = "{"LR"[i % 2]}"', *line, drive]
    for i, j in bonds:
        lines += ["[[bonds]]", f'sites = ["{i}", "{j}"]', bond]
    return "\n".join([*lines, more])


def spins(bonds, sites):
    model = ['kind = "spins"', "rate = 0.5", 'rate_law = "glauber-product"']
    more = f'[drive]\nperiod = 225.0\n{ENSEMBLE}initial = "up"'
    return config_text(model, [[]] * sites, bonds, "coupling = 1.0", more)


def oscillators(bonds, sites, scheme):
    model = ['kind = "oscillators"', "mass = 1.0", "friction = 1.0"]
    more = f'[integrator]\nscheme = "{scheme}"\nsteps_per_period = {STEPS}\n[drive]\nperiod = 3.0\n'
    more += f'{ENSEMBLE}initial = "rest"'
    return config_text(model, [["stiffness = 2.0"]] * sites, bonds, "stiffness = 3.0", more)


def chain(sites):
    return [(i, i + 1) for i in range(sites - 1)]


def lattice(side):
    """Bonds of a square lattice, periodic."""
    right = [(r * side + c, r * side + (c + 1) % side) for r in range(side) for c in range(side)]
    down = [(r * side + c, (r + 1) % side * side + c) for r in range(side) for c in range(side)]
    return right + down


class System:
    """A network with its kernel; `run` advances trajectories that start anew at every call."""

    def __init__(self, text, count):
        self.text, self.count, self.events = text, count, 0
        self.last(1)

    def last(self, periods):
        """Let trajectories last so many periods."""
        from trajsim.config import parse
        from trajsim.running.blocks import model_of
        from trajsim.running.provenance import layout_of

        config = parse(self.text, overrides=[f"ensemble.periods={periods}"])
        self.plan, self.layout = config.experiment.plan, layout_of(config)
        self.kernel, self.model, self.start = model_of(config.experiment)

    def run(self, number):
        """Returns the flips made, or the steps."""
        replicas = self.kernel.begin(self.model, self.start, 1, 0, number * self.count, self.count)
        rows = self.kernel.Rows(**self.layout.allocate(self.count))
        made, witness = self.kernel.advance(
            self.model, self.plan, replicas, rows, 0, self.plan.segments
        )
        assert self.kernel.fault(witness, 0) is None
        self.events += made
        return made

    def fit(self, seconds):
        """Choose the number of periods so that a call takes about so long."""
        self.run(0)
        began = time.perf_counter()
        self.run(1)
        spent = time.perf_counter() - began
        self.last(max(1, min(400, round(seconds / spent))))


def measure(systems, rounds, seconds):
    """Seconds per event of every system: flips, or steps of a trajectory."""
    found = {}
    for system in systems.values():
        system.fit(seconds)
        system.events = 0
    contenders = [common.Contender(name, s.run, 1.0) for name, s in systems.items()]
    for name, values in common.race(contenders, rounds).items():
        # Calls of a system make the same number of events but for chance.
        events = systems[name].events / (rounds + 1)
        found[name] = common.times([v / events for v in values])
    return found


def workers(systems, rounds, seconds):
    """Events a second with 1, 2, 4 ... threads, each with blocks of its own."""
    counts = [1]
    while 2 * counts[-1] <= common.CORES:
        counts.append(2 * counts[-1])
    found = {}
    for name, system in systems.items():
        system.fit(seconds)

        def together(number, threads, system=system):
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(system.run, range(number * threads, (number + 1) * threads)))

        contenders = [
            common.Contender(str(n), partial(together, threads=n), float(n)) for n in counts
        ]
        taken = common.race(contenders, rounds)
        found[name] = {
            # The best of each beside the pairs: other programs hurt two workers more than one.
            n: {"best": min(taken["1"]) / min(taken[n]), **common.ratios(taken["1"], taken[n])}
            for n in taken
        }
    return found


def main():
    options = common.arguments("Scaling with sites and workers")
    rounds, seconds = (1, 0.0) if options.quick else (options.rounds or 5, 0.3)
    most = 4 if options.quick else 10_000
    few = 4 if options.quick else 1

    flips = {
        f"chain {n}": System(spins(chain(n), n), max(8, 2048 // n // few))
        for n in SPIN_SITES
        if n <= most
    }
    if not options.quick:
        flips["lattice 16x16"] = System(spins(lattice(16), 256), 8)
    steps = {
        f"{scheme} {n}": System(oscillators(chain(n), n, scheme), 256 // few)
        for n in OSCILLATOR_SITES
        if n <= most
        for scheme in SCHEMES
    }
    results = {"spins": {"unit": "seconds a flip", "systems": measure(flips, rounds, seconds)}}
    results["oscillators"] = {
        "unit": "seconds a trajectory-step",
        "systems": measure(steps, rounds, seconds),
    }
    shared = {
        "spins, pair": System(spins(chain(2), 2), 2048 // few),
        "spins, chain of 16": System(spins(chain(16), 16), 128 // few),
        "oscillators, pair, HOH": System(oscillators(chain(2), 2, "hoh"), 512 // few),
        "oscillators, chain of 16, BAOAB": System(oscillators(chain(16), 16, "baoab"), 128),
    }
    results["workers"] = workers(shared, rounds, seconds)
    report(results)
    if options.save:
        figures(results)
    common.save("scaling", options, results)


def sites_of(name):
    return int(name.split()[1])


def report(results):
    """Print the tables."""
    print("\nspins: a flip")
    rows = [
        [name, f"{1e9 * t['min']:.1f}", f"{1e9 * t['median']:.1f}", f"{1e-6 / t['min']:.1f}"]
        for name, t in results["spins"]["systems"].items()
    ]
    common.table(["", "best, ns", "median", "million/s"], rows)
    print("\noscillators: a step of a trajectory, and of a site of it")
    rows = [
        [name, *(f"{1e9 * x:.2f}" for x in (t["min"], t["median"], t["min"] / sites_of(name)))]
        for name, t in results["oscillators"]["systems"].items()
    ]
    common.table(["", "best, ns", "median", "a site, ns"], rows)
    print("\nworkers: times the throughput of one")
    rows = [
        [name, n, f"{r['best']:.2f}", f"{r['median']:.2f}", f"{r['min']:.2f}-{r['max']:.2f}"]
        for name, by in results["workers"].items()
        for n, r in by.items()
        if n != "1"
    ]
    common.table(["", "workers", "of the best", "median", "of pairs"], rows)


def figures(results):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogFormatter

    plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False})

    def sites_axis(axes, sites):
        axes.set_xscale("log", base=2)
        axes.set_xticks(sites, [str(n) for n in sites])
        axes.set_xlabel("sites")
        axes.set_yscale("log")
        for which in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            which(LogFormatter(labelOnlyBase=False, minor_thresholds=(2, 0.7)))

    def series(systems, start):
        named = {sites_of(k): v for k, v in systems.items() if k.split()[0] == start}
        return np.array(list(named)), np.array([t["min"] for t in named.values()])

    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    systems = results["spins"]["systems"]
    n, taken = series(systems, "chain")
    axes.plot(n, 1e-6 / taken, "o-", color=BLUE, label="chain")
    at = 1e-6 / systems["lattice 16x16"]["min"]
    axes.plot([256], [at], "D", color=ORANGE, markersize=8, label="lattice 16 x 16")
    sites_axis(axes, n)
    axes.set(ylabel="million flips per second, one core")
    axes.legend(frameon=False)
    axes.grid(axis="y", which="both", alpha=0.25)
    figure.savefig(common.RESULTS / "scaling-spins.png", dpi=150)

    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    systems = results["oscillators"]["systems"]
    for scheme, color, marker in (("hoh", BLUE, "o"), ("baoab", ORANGE, "s")):
        n, taken = series(systems, scheme)
        axes.plot(n, 1e9 * taken / n, marker + "-", color=color, label=scheme.upper())
    sites_axis(axes, n)
    axes.set(ylabel="ns per site and step, one core")
    axes.legend(frameon=False)
    axes.grid(axis="y", which="both", alpha=0.25)
    figure.savefig(common.RESULTS / "scaling-oscillators.png", dpi=150)

    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    styles = zip((BLUE, ORANGE, GREEN, PURPLE), "osD^", strict=True)
    for (name, by), (color, marker) in zip(results["workers"].items(), styles, strict=True):
        counts = [int(k) for k in by]
        axes.plot(counts, [r["best"] for r in by.values()], marker + "-", color=color, label=name)
    axes.plot(counts, counts, ":", color="0.4", label="ideal")
    axes.set(xlabel="workers", ylabel="throughput relative to one worker", xticks=counts)
    axes.legend(frameon=False)
    figure.savefig(common.RESULTS / "scaling-workers.png", dpi=150)


if __name__ == "__main__":
    main()
