"""Other papers beside ours: closed forms against enumeration, and what the verb says."""

import itertools
import json
import math

import numpy as np
import pytest
from click.testing import CliRunner

import trajsim
from trajsim.cli import main
from trajsim.paper import landmarks
from trajsim.paper.landmarks import (
    PAPERS,
    Judged,
    dragged_entropy,
    dragged_share,
    dragged_work,
    glauber_work,
    ising_torus_energy,
)
from trajsim.paper.runs import shipped


@pytest.mark.parametrize("temperature", [1.3, 2.269185, 4.0])
def test_energy_on_a_torus_is_that_of_an_enumeration(temperature):
    spins = np.array(list(itertools.product([1, -1], repeat=16))).reshape(-1, 4, 4)
    bonds = sum((spins * np.roll(spins, 1, axis=axis)).sum(axis=(1, 2)) for axis in (1, 2))
    weights = np.exp((bonds - bonds.max()) / temperature)
    expected = -(weights @ bonds) / weights.sum() / 16
    assert ising_torus_energy(4, temperature) == pytest.approx(expected, abs=1e-9)


def test_energy_on_a_torus_is_the_published_one():
    assert ising_torus_energy(16, 2 / math.log(1 + math.sqrt(2))) == pytest.approx(
        -1.45306485, abs=5e-9
    )


@pytest.mark.parametrize("sites", [3, 5])
def test_work_of_a_weak_field_is_that_of_the_exact_ensemble_at_ever_weaker_fields(sites):
    off = []
    for amplitude in (0.2, 0.1):
        overrides = {
            "lattice.shape": [sites],
            "lattice.site.drive.amplitude": amplitude,
            "drive.period": 3.0,
        }
        exact = trajsim.exact(trajsim.load(shipped() / "glauber_ring.toml", overrides))
        work = 3.0 * exact.total_work_rate / sites
        off.append(work / glauber_work(sites, 1.5, 0.5, amplitude, 3.0) - 1.0)
    # What is left out is of second order in the field.
    assert off[0] / off[1] == pytest.approx(4.0, rel=0.05)


def value(paper, k):
    return PAPERS[paper].values[k]


@pytest.mark.parametrize(("sites", "rate"), [(4, 4 / 21), (24, (3 - math.sqrt(5)) / 4)])
def test_exact_currents_of_the_harmonic_chain_are_the_closed_form(sites, rate):
    k = [4, 24].index(sites)
    planned = value("rieder-lebowitz-lieb", k).run
    exact = trajsim.exact(planned.load(quick=False))
    assert exact.heat_rate["hot"] == pytest.approx(rate, rel=1e-9)
    assert value("rieder-lebowitz-lieb", k).expected == pytest.approx(rate, rel=1e-15)


@pytest.mark.parametrize("sites", [4, 6])
def test_exact_currents_of_the_ring_are_the_closed_form(sites):
    overrides = {"lattice.shape": [sites]}
    exact = trajsim.exact(trajsim.load(shipped() / "ising_ring.toml", overrides))
    assert exact.heat_rate["hot"] / (sites / 2) == pytest.approx(0.10121671, abs=5e-9)


@pytest.mark.parametrize(
    ("exact", "mean", "holds"),
    [
        (None, 0.10121671, True),
        (0.10121671228, 0.1013, True),
        (0.10121671228, 0.1023, False),
        (0.101217, 0.1013, False),
    ],
)
def test_a_value_holds_where_exact_and_sample_do(exact, mean, holds):
    sampled = trajsim.Estimate(mean, 1e-4)
    assert Judged(value("racz-zia", 0), exact, sampled, 4.0).holds == holds


@pytest.fixture
def short(monkeypatch):
    """The ring of 64 alone, with few trajectories."""
    planned = value("racz-zia", 1).run._replace(quick=("ensemble.trajectories=50",))
    only = PAPERS["racz-zia"]._replace(values=(value("racz-zia", 1)._replace(run=planned),))
    monkeypatch.setitem(landmarks.PAPERS, "racz-zia", only)


def test_the_verb_compares_the_values_of_a_paper(short, tmp_path):
    words = ["reproduce", "--paper", "racz-zia", "--quick", "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    (row,) = (x for x in result.stdout.splitlines() if x.startswith("heat rate per hot spin"))
    assert "  0.10121671  out of reach  " in row
    assert row.endswith("  holds")
    assert "1 of 1 values hold" in result.stdout
    written = json.loads((tmp_path / "out" / "numbers.json").read_text())
    assert written["agrees"]
    assert written["values"][0]["exact"] is None
    assert "| heat rate per hot spin" in (tmp_path / "out" / "numbers.md").read_text()
    # What is there is taken up, and told in JSON.
    result = CliRunner().invoke(main, [*words, "--json"])
    assert json.loads(result.stdout) == written
    assert "is there already" in result.stderr


def test_an_unknown_paper_is_refused_with_the_names_there_are(tmp_path):
    result = CliRunner().invoke(main, ["reproduce", "--paper", "onsagr"])
    assert result.exit_code == 2
    assert "did you mean 'onsager'?" in result.stderr
    with pytest.raises(ValueError, match="did you mean 'onsager'"):
        trajsim.reproduce(tmp_path, paper="onsagr")


def test_papers_are_listed():
    result = CliRunner().invoke(main, ["reproduce", "--paper", "list"])
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == list(PAPERS)


@pytest.mark.parametrize("k", [0, 1])
def test_exact_work_on_a_dragged_trap_is_the_closed_form(k):
    paper = value("schmiedl-seifert", k)
    exact = trajsim.exact(paper.run.load(quick=False))
    work = exact.protocol.work["total"]
    assert work.mean == pytest.approx([25 / 3, 25 / math.e][k], rel=1e-9)
    assert paper.expected == pytest.approx([25 / 3, 25 / math.e][k], rel=1e-15)


def test_entropy_and_share_of_a_dragged_trap_come_of_its_lag():
    """Of the lag alone, integrated by steps: dx/dt = -(x - v t), work v (v t - x) dt."""
    distance, duration, n = 5.0, 5.0, 200_000

    def moved(duration):
        speed, dt, x, work = distance / duration, duration / n, 0.0, 0.0
        for k in range(n):
            lag = (k + 0.5) * dt * speed - x - 0.5 * dt * (k * dt * speed - x)
            work, x = work + speed * lag * dt, x + lag * dt
        return work, work - (distance - x) ** 2 / 2

    work, entropy = moved(duration)
    slope = (moved(5.01)[0] - moved(4.99)[0]) / 0.02 * duration
    assert dragged_work(distance, duration) == pytest.approx(work, rel=1e-6)
    assert dragged_entropy(distance, duration) == pytest.approx(entropy, rel=1e-6)
    # The variance of a Gaussian work that obeys Jarzynski's equality is twice the work.
    share = 2 * slope**2 / (2 * work * entropy)
    assert dragged_share(distance, duration) == pytest.approx(share, rel=1e-5)
    assert dragged_share(distance, 1e4) == pytest.approx(1.0, abs=1e-3)


def test_exact_answers_of_a_dragged_trap_are_the_closed_forms():
    config = value("koyuk-seifert", 0).run.load(quick=False)
    protocols = [point.protocol for point in trajsim.exact(config)]
    durations = [point.experiment.drive.period for point in config.points]
    for one in PAPERS["koyuk-seifert"].values:
        exact = landmarks._of_protocols(one.quantity, protocols, durations)
        expected = pytest.approx(one.per * one.expected, rel=one.within or 1e-9)
        assert exact.mean == expected
        assert exact.stderr == 0.0


def test_the_error_of_a_share_is_not_below_that_of_repeated_runs():
    """Standard deviation of shares told by many small runs against the error each of them states:
    an upper bound, since relative errors are added up."""
    planned = value("koyuk-seifert", 0).run
    shares = []
    for seed in range(40):
        few = (f"ensemble.seed={seed + 1}", "ensemble.trajectories=2000")
        config = planned._replace(overrides=planned.overrides + few).load(quick=False)
        run = trajsim.simulate(config)
        shares.append(landmarks._of_protocols("share", run.protocols(), [4.5, 5.0, 5.5]))
    spread = np.std([share.mean for share in shares], ddof=1)
    # A standard deviation of 40 is off by more than 40 % once in 1e4 times.
    assert spread < 1.4 * np.mean([share.stderr for share in shares])
    assert spread > 0.4 * np.mean([share.stderr for share in shares])
