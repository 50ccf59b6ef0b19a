"""Random systems under waveforms of all kinds, against integrations that share no code with them.

The references (`waves_apart`) read the config alone. Exact currents are held to 1e-6, means of all
columns of the ledger, in every row, to 4.9 standard errors: about 900 means in all, and so a chance
of a false alarm of 1e-3 over the whole file; seeds are fixed.
"""

import numpy as np
import pytest
from random_drives import numbers
from waves_apart import of_config

import trajsim
from trajsim.ensemble import ensemble

pytestmark = pytest.mark.ensemble

# Spins from the eleventh on touch one bath or more, each at its own multiple of the rate; so do
# oscillators from the eighth on, and the two before are overdamped.
SPINS, OSCILLATORS = range(14), range(9)
CASES = [*(("spins", k) for k in SPINS), *(("oscillators", k) for k in OSCILLATORS)]
# The rest takes a kernel of its own each, and the exact sides of more states.
QUICK = [("spins", 1), ("spins", 5), ("oscillators", 0), ("oscillators", 2)]
QUICK += [("oscillators", 6), ("oscillators", 8)]
COLUMNS = ("heat", "entropy_flow", "work", "exclusive_work", "flips", "energy")
LAWS = ("glauber-product", "heat-bath", "metropolis", "arrhenius")
LEDGERS = (
    {},
    {"rows_per_period": 2},
    {"rows_per_period": 5},
    {"rows_per_period": 4},
    {"periods_per_row": 2},
)


def random_waveform(rng, low, high):
    """A number or a waveform of any kind between two bounds, as a config has it."""
    number, middle, reach = numbers(rng), 0.5 * (low + high), 0.5 * (high - low)
    kind = str(rng.choice(["number", "cosine", "square", "triangle", "points", "points"]))
    if kind == "number":
        return number(low, high)
    if kind == "cosine":
        orders = rng.choice([2, 3, 5], rng.integers(0, 3), replace=False)
        more = [
            {
                "order": int(k),
                "amplitude": number(-0.15 * reach, 0.15 * reach),
                "phase": number(-3, 3),
            }
            for k in orders
        ]
        size = number(-0.6 * reach, 0.6 * reach)
        return {"offset": middle, "amplitude": size, "phase": number(-3, 3), "harmonics": more}
    if kind != "points":
        return {
            "shape": kind,
            "offset": middle,
            "amplitude": number(-reach, reach),
            "phase": number(-3, 3),
        }
    # Jumps at both ends and inside, some of them where rows begin.
    inside = [k / 20 for k in np.sort(rng.choice(np.arange(1, 20), rng.integers(4), replace=False))]
    parts = [0.0, *inside, 1.0]
    parts = sorted([*parts, *(u for u in parts if rng.random() < 0.5)])
    return {"points": [[u, number(low, high)] for u in parts]}


def random_case(kind, seed):
    """Config of one to four sites, of which most parameters are driven."""
    rng = np.random.default_rng(seed if kind == "spins" else 1000 + seed)
    number, spins = numbers(rng), kind == "spins"
    n = int(rng.integers(2, 5) if spins else rng.integers(1, 4))
    initial = str(rng.choice(["up" if spins else "rest", "equilibrium", "periodic"]))
    baths = 1 if initial == "equilibrium" else int(rng.integers(1, min(n, 2) + 1))
    several, overdamped = seed >= (10 if spins else 7), not spins and seed in (5, 6)
    baths = 2 if several and initial != "equilibrium" else baths
    ledger, period = LEDGERS[rng.integers(len(LEDGERS))], number(2.0, 6.0)

    def site(k):
        out = {"name": str(k), "bath": f"B{k % baths}"}
        if several and (k == 0 or rng.random() < 0.7):
            del out["bath"]
            out["baths"] = {f"B{b}": number(0.3, 1.5) for b in range(baths)}
        if rng.random() < 0.7:
            out["drive"] = random_waveform(rng, -0.7, 0.7)
        if not spins:
            out |= {"mass": number(0.6, 1.6), "friction": number(0.5, 1.4)}
            if overdamped:
                del out["mass"]
            out["stiffness"] = random_waveform(rng, 0.6, 2.2)
            if rng.random() < 0.6:
                out["center"] = random_waveform(rng, -0.7, 0.7)
        return out

    def bond(i, j):
        ends = {"sites": [str(i), str(j)]}
        if spins:
            return {**ends, "coupling": random_waveform(rng, -0.8, 0.8)}
        return {**ends, "stiffness": random_waveform(rng, 0.4, 1.8)}

    ends = [
        (i, j) for j in range(n) for i in range(j) if j == i + 1 or (spins and rng.random() < 0.4)
    ]
    model = {"rate": number(0.3, 0.8), "rate_law": LAWS[seed % 4]} if spins else {"friction": 1.0}
    config = {
        "model": {"kind": kind, **model},
        "drive": {
            "period": 2.5 * period if spins else period,
            "direction": ("forward", "forward", "reverse")[seed % 3],
        },
        "baths": {f"B{k}": {"temperature": random_waveform(rng, 0.4, 1.3)} for k in range(baths)},
        "sites": [site(k) for k in range(n)],
        "bonds": [bond(i, j) for i, j in ends],
        "ensemble": {
            "trajectories": 4000,
            "periods": ledger.get("periods_per_row", int(rng.integers(1, 4))),
            "burn_in": int(rng.integers(0, 3)),
            "initial": initial,
            "seed": seed,
        },
        "ledger": ledger,
    }
    if not spins:
        # The step's own error is far below that of the sample.
        steps = 20 * int(12 * period)
        scheme = "sweep" if overdamped else ("hoh", "baoab")[seed % 2]
        config["integrator"] = {"scheme": scheme, "steps_per_period": steps}
        config["model"]["dynamics"] = "overdamped" if overdamped else "underdamped"
    return config


def marked(cases, quick):
    return [pytest.param(*c, marks=[] if c in quick else pytest.mark.ensemble) for c in cases]


@pytest.mark.parametrize(("kind", "seed"), marked(CASES, QUICK))
def test_exact_currents_are_those_of_another_integration(kind, seed):
    judge_currents(random_case(kind, seed))


@pytest.mark.parametrize(
    "stiffness",
    [
        {"points": [[0, 1], [0.3, 0], [0.6, 0], [0.6, 2], [1, 1]]},
        {"offset": 0.7, "amplitude": -0.7, "phase": 1.0},
    ],
)
def test_a_trap_may_be_off_for_a_while(stiffness):
    config = random_case("oscillators", 0)
    config["sites"][0]["stiffness"] = stiffness
    judge_currents(config)


def judge_currents(config):
    exact, apart = trajsim.exact(config), of_config(config)
    _, _, (gains,) = apart.follow(1, 1, burn_in=1, start=apart.periodic())
    truth = apart.named(gains / apart.period)
    found = {"heat": exact.heat_rate, "work": exact.work_rate, "flips": exact.flip_rate}
    for name, rates in found.items():
        values = [float(rates[label]) for label in rates if label != "total"]
        np.testing.assert_allclose(values, truth[name], atol=1e-6 * abs(gains).max(), err_msg=name)


def expected(config):
    """Means of all columns (row, ...) of a config's ledger by the other integration."""
    ensemble, ledger = config["ensemble"], config["ledger"]
    apart = of_config(config)
    _, energy, gains = apart.follow(
        ledger.get("rows_per_period", 1), ensemble["periods"], ensemble["burn_in"]
    )
    periods = ledger.get("periods_per_row", 1)
    gains = gains.reshape(-1, periods, gains.shape[1]).sum(axis=1)
    return {**apart.named(gains), "energy": energy[::periods]}


def furthest(config):
    """Largest distance of a sampled mean from what is expected, in standard errors."""
    run, truth = trajsim.simulate(config), expected(config)
    # What does not fluctuate is as exact as the other integration, or as steps of second order:
    # the work of a centre that rests beside a stiffness that moves was 0.16 / steps^2.
    steps = config.get("integrator", {}).get("steps_per_period", 1e4)
    least, largest = steps**-2.0, 0.0
    for name in [c.name for c in run.layout.columns if c.name in COLUMNS]:
        values = np.asarray(run[name][0], np.float64)
        assert values.shape[1:] == truth[name].shape
        stderr = values.std(axis=0, ddof=1) / len(values) ** 0.5
        z = (values.mean(axis=0) - truth[name]) / np.maximum(stderr, least)
        largest = max(largest, abs(z).max())
    return largest


@pytest.mark.ensemble
@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_means_of_all_columns_in_every_row_are_those_of_another_integration(kind, seed):
    assert furthest(random_case(kind, seed)) < 4.9


def test_jumps_at_edges_between_rows_stay_there_backwards_in_time():
    """0.8 is the edge 4 / 5, and backwards the edge 1 / 5; but 1 - 0.8 is less than 0.2."""
    config = random_case("spins", 1)
    for k, site in enumerate(config["sites"]):
        site["drive"] = {"points": [[0, 0.1], [0.8, 0.1], [0.8, 0.5], [1, 0.5]]} if k == 0 else 0.2
    config["drive"]["direction"] = "reverse"
    network = trajsim.load(config).experiment.network()
    solved = ensemble(network)
    work = solved.time_series(solved.periodic_state, 5).energetics.work[:, 0]
    assert list(abs(work) > 1e-12) == [False, True, False, False, False]
