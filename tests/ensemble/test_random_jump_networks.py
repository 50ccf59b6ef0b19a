"""Random jump networks, all laws and waveforms, against integrations that share no code with them.

The references (`waves_apart`) read the config alone. Exact currents are held to 1e-6, means of all
columns of the ledger, in every row, to 4.9 standard errors: about 600 means in all, and so a chance
of a false alarm of 6e-4 over the whole file; seeds are fixed.
"""

import numpy as np
import pytest
from random_drives import numbers
from test_random_waveforms import LAWS, LEDGERS, random_waveform
from waves_apart import of_config

import trajsim

CASES = range(10)
# The rest takes kernels of their own.
QUICK = (0, 7)
COLUMNS = (
    *("heat", "entropy_flow", "work", "exclusive_work", "energy"),
    *("jumps", "chemical_work", "particles"),
)


def random_network(seed):
    """Config of three to five states with a few cycles, up to three baths, particles in two of
    three."""
    rng = np.random.default_rng(2000 + seed)
    number, n = numbers(rng), int(rng.integers(3, 6))
    names = [f"s{k}" for k in range(n)]
    baths = [f"B{k}" for k in range(int(rng.integers(1, 4)))]
    ledger, period = LEDGERS[rng.integers(len(LEDGERS))], number(3.0, 8.0)
    initial = str(rng.choice(["random", "periodic", names[1]]))
    particles, still = seed % 3 != 0, seed == 3
    # A ring, and some chords and parallel transitions by other baths.
    pairs = [(k, (k + 1) % n, k % len(baths)) for k in range(n)]
    more = [(a, b, bath) for a in range(n) for b in range(a) for bath in range(len(baths))]
    known = {(frozenset(p[:2]), p[2]) for p in pairs}
    pairs += [p for p in more if (frozenset(p[:2]), p[2]) not in known and rng.random() < 0.2]

    def parameter(low, high):
        return number(low, high) if still else random_waveform(rng, low, high)

    def transition(a, b, bath):
        out = {"states": [names[a], names[b]], "bath": baths[bath]}
        if rng.random() < 0.4:
            out["load"] = parameter(-0.8, 0.8)
        if rng.random() < 0.5:
            out["rate"] = number(0.3, 1.5)
        if rng.random() < 0.6 and seed % 2:
            out["rate_law"] = str(rng.choice(LAWS))
        if particles and rng.random() < 0.6:
            out["particles"] = int(rng.choice([-1, 1, 2]))
        return out

    return {
        "model": {"kind": "jumps", "rate": number(0.4, 1.0), "rate_law": LAWS[seed % 4]},
        "drive": {"period": period, "direction": ("forward", "reverse")[seed % 2]},
        "baths": {
            name: {
                "temperature": parameter(0.5, 1.3),
                "chemical_potential": parameter(-0.5, 0.5),
            }
            for name in baths
        },
        "states": [{"name": name, "energy": parameter(-0.7, 0.7)} for name in names],
        "transitions": [transition(*pair) for pair in pairs],
        "ensemble": {
            "trajectories": 4000,
            "periods": ledger.get("periods_per_row", int(rng.integers(1, 4))),
            "burn_in": int(rng.integers(0, 3)),
            "initial": initial,
            "seed": seed,
        },
        "ledger": ledger,
    }


def marked(cases):
    return [pytest.param(c, marks=[] if c in QUICK else pytest.mark.ensemble) for c in cases]


@pytest.mark.parametrize("seed", CASES)
def test_exact_currents_are_those_of_another_integration(seed):
    config = random_network(seed)
    exact, apart = trajsim.exact(config), of_config(config)
    _, _, (gains,) = apart.follow(1, 1, burn_in=1, start=apart.periodic())
    truth = apart.named(gains / apart.period)
    found = {
        "heat": exact.heat_rate,
        "work": exact.work_rate,
        "exclusive_work": exact.exclusive_work_rate,
        "jumps": exact.jump_rate,
        "chemical_work": exact.chemical_work_rate,
        "particles": exact.particle_rate,
    }
    for name, rates in found.items():
        if rates or name not in ("chemical_work", "particles"):
            values = [float(x) for x in rates.values()]
            np.testing.assert_allclose(
                values, truth[name], atol=1e-6 * abs(gains).max(), err_msg=name
            )


@pytest.mark.parametrize("seed", marked(CASES))
def test_means_of_all_columns_in_every_row_are_those_of_another_integration(seed):
    config = random_network(seed)
    run, ensemble = trajsim.simulate(config), config["ensemble"]
    _, energy, gains = of_config(config).follow(
        config["ledger"].get("rows_per_period", 1), ensemble["periods"], ensemble["burn_in"]
    )
    periods = config["ledger"].get("periods_per_row", 1)
    gains = gains.reshape(-1, periods, gains.shape[1]).sum(axis=1)
    truth = {**of_config(config).named(gains), "energy": energy[::periods]}
    columns = [c.name for c in run.layout.columns if c.name in COLUMNS]
    assert len(columns) >= 4
    for name in columns:
        values = np.asarray(run[name][0], np.float64)
        assert values.shape[1:] == truth[name].shape
        stderr = values.std(axis=0, ddof=1) / len(values) ** 0.5
        z = (values.mean(axis=0) - truth[name]) / np.maximum(stderr, 1e-8)
        assert abs(z).max() < 4.9, name
