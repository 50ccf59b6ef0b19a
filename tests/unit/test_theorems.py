"""Theorems on ledgers made to obey them, and on ledgers made not to."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp
from synthetic import FALSE_ALARM, Ledger, made, outcomes, setting, states

from trajsim.analysis.estimate import Estimate
from trajsim.analysis.theorems.integral import LogMean
from trajsim.analysis.theorems.setting import Outcome, Prediction, durations


def test_heats_that_obey_the_uniform_theorem_are_found_to():
    found = outcomes(made(1), setting())
    assert found["uniform_start"].refusal is None
    assert found["uniform_start"].holds
    assert len(found["uniform_start"].judged) >= 2
    # The final state is independent of the heats here, and uniform: the general form holds too.
    assert found["integral"].holds
    assert len(found["integral"].judged) >= 8


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperatures": np.array([0.93, 0.5])},
        {"temperatures": np.array([1.0, 0.46])},
    ],
)
def test_wrong_temperatures_turn_the_uniform_theorem_red(wrong):
    assert outcomes(made(1), setting(**wrong))["uniform_start"].holds is False


@pytest.mark.parametrize("factor", [-1.0, 1.05, 0.95])
def test_wrong_heats_turn_the_uniform_theorem_red(factor):
    ledger = made(1)
    ledger.heat = factor * ledger.heat
    found = outcomes(ledger, setting())
    assert found["uniform_start"].holds is False


def test_heat_symmetric_under_exchange_is_found_to_be_so_with_its_own_reverse():
    found = outcomes(made(2), setting(own_reverse=True))
    assert found["exchange"].holds
    assert len(found["exchange"].judged) > 20
    assert outcomes(made(2), setting())["exchange"].holds is None


def test_heat_symmetric_under_exchange_is_found_to_be_so_with_a_reversed_run():
    partner = setting(direction="reverse")
    found = outcomes(made(3), setting(), made(4, trajectories=50_000, rows=7), partner)
    assert found["exchange"].holds
    # Only rows that both have are compared, over 1, 2 and 4.
    assert "over 4 rows" in found["exchange"].estimates[-1].what


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("wrong", [{"spread": 0.53}, {"mean": 0.14}, {"mean": -0.125}])
def test_heat_that_is_not_symmetric_is_found_out(own, wrong):
    ledger = made(5, **{"mean": 0.125, **wrong})
    if own:
        found = outcomes(ledger, setting(own_reverse=True))
    else:
        found = outcomes(ledger, setting(), made(6), setting(direction="reverse"))
    assert found["exchange"].holds is False


def work_ledger(seed, beta=2.0, spread=0.4, mean=None):
    """Total work normal with mean beta variance / 2, by two drives; heats follow."""
    random = np.random.default_rng(seed)
    total = random.normal(beta * spread**2 / 2 if mean is None else mean, spread, (100_000, 3))
    other = random.normal(size=total.shape)
    work = np.stack([total - other, other], axis=-1)
    return Ledger(-work, work, slices=2, more=states(random, 100_000, 3))


EQUILIBRIUM = {"temperatures": np.array([0.5, 0.5]), "initial": "equilibrium"}


def test_work_that_obeys_jarzynski_and_crooks_is_found_to():
    found = outcomes(
        work_ledger(1),
        setting(**EQUILIBRIUM),
        work_ledger(2),
        setting(**EQUILIBRIUM, direction="reverse"),
    )
    assert found["jarzynski"].holds
    assert found["crooks"].holds
    alone = outcomes(work_ledger(1), setting(**EQUILIBRIUM, own_reverse=True))
    assert alone["crooks"].holds
    assert outcomes(work_ledger(1), setting(**EQUILIBRIUM))["crooks"].refusal is not None


@pytest.mark.parametrize(
    "wrong", [{"spread": 0.42, "mean": 0.16}, {"mean": 0.175}, {"mean": -0.16}]
)
def test_work_that_does_not_obey_is_found_out(wrong):
    found = outcomes(work_ledger(3, **wrong), setting(**EQUILIBRIUM, own_reverse=True))
    assert found["jarzynski"].holds is False
    assert found["crooks"].holds is False


@pytest.mark.parametrize("temperature", [0.45, 0.55])
def test_a_wrong_temperature_turns_jarzynski_and_crooks_red(temperature):
    wrong = {**EQUILIBRIUM, "temperatures": np.full(2, temperature)}
    found = outcomes(work_ledger(4), setting(**wrong, own_reverse=True))
    assert found["jarzynski"].holds is False
    assert found["crooks"].holds is False


def test_gallavotti_cohen_holds_for_independent_symmetric_rows():
    ledger = made(7, trajectories=200_000, rows=8, spread=0.4)
    here = setting(driven=False, own_reverse=True, initial="periodic")
    found = outcomes(ledger, here)["gallavotti_cohen"]
    assert found.holds
    reverse = setting(direction="reverse")
    other = made(8, trajectories=100_000, rows=8, spread=0.4)
    found = outcomes(ledger, setting(), other, reverse)["gallavotti_cohen"]
    assert found.holds


def lopsided(seed, up, down, chance):
    """Rows of a heat whose x = -sum Q / T is `up` by some chance, else `down`."""
    random = np.random.default_rng(seed)
    x = np.where(random.random((200_000, 8)) < chance, up, down)
    return Ledger(np.stack([-x, np.zeros_like(x)], axis=-1), more=states(random, *x.shape))


def test_gallavotti_cohen_compares_a_run_with_the_mirror_image_of_its_reverse():
    # Unlike a normal law this one is another in the reversed run: P~(-x) = P(x) exp(-x).
    up, down = 1.2, -0.3
    chance = (np.exp(-down) - 1) / (np.exp(-down) - np.exp(-up))
    run, partner = lopsided(21, up, down, chance), setting(direction="reverse")
    reverse = lopsided(22, -up, -down, chance * np.exp(-up))
    found = outcomes(run, setting(), reverse, partner)["gallavotti_cohen"]
    assert found.holds
    found = outcomes(run, setting(), lopsided(23, up, down, chance), partner)["gallavotti_cohen"]
    assert found.holds is False


@pytest.mark.parametrize("wrong", [{"spread": 0.42, "mean": 0.08}, {"spread": 0.4, "mean": -0.08}])
def test_gallavotti_cohen_fails_where_rows_are_not_symmetric(wrong):
    ledger = made(9, trajectories=200_000, rows=8, **wrong)
    found = outcomes(ledger, setting(driven=False, own_reverse=True))["gallavotti_cohen"]
    assert found.holds is False


def test_gallavotti_cohen_refuses_rows_that_are_short_against_what_relaxes():
    # The second row carries another spread than the rest.
    ledger = made(10, trajectories=200_000, rows=4, spread=0.3)
    ledger.heat[:, 1] *= 3.0
    found = outcomes(ledger, setting(driven=False, own_reverse=True))["gallavotti_cohen"]
    assert "still changes" in found.refusal


def test_uncertainty_is_the_ratio_of_known_rates():
    # q = (-0.3, 0.1) a row, variances 0.5 and 2 a row, sigma = 0.3 / 1 - 0.1 / 0.5 = 0.1.
    random = np.random.default_rng(11)
    mean, spread = np.array([-0.3, 0.1]), np.sqrt([0.5, 2.0])
    ledger = Ledger(random.normal(mean, spread, (100_000, 4, 2)))
    slope = np.array([-0.1, 0.3])
    here = setting(initial="periodic", speed_slope=slope)
    found = outcomes(ledger, here)["uncertainty"]
    expected = np.array([0.5, 2.0]) * 0.1 / (2 * (mean - slope) ** 2)
    values = np.array([e.value for e in found.estimates])
    errors = np.array([e.stderr for e in found.estimates])
    assert abs((values - expected) / errors).max() < stats.norm.isf(FALSE_ALARM / 4)
    assert (errors < 0.05 * expected).all()
    # 0.625 and 2.5: the first would break the bound.
    assert found.holds is False
    steady = np.array(list(found.remarks.values()))
    np.testing.assert_allclose(steady, np.array([0.5, 2.0]) * 0.1 / (2 * mean**2), rtol=0.1)
    assert all("not a bound" in name for name in found.remarks)
    kept = setting(initial="periodic", speed_slope=np.array([-0.2, 0.3]))
    assert outcomes(ledger, kept)["uncertainty"].holds


# -- refusals ----------------------------------------------------------------------------------


REFUSED = {
    "uniform_start": [
        ({"initial": "up"}, "'up', not 'random'"),
        ({"burn_in": 2}, "burn-in of 2 periods"),
        ({"system": "oscillators", "states": 0, "initial": "rest"}, "no uniform"),
    ],
    "integral": [
        ({"initial": "up"}, "all in one state"),
        ({"initial": "periodic"}, "no exact probabilities"),
    ],
    "jarzynski": [
        ({"initial": "equilibrium"}, "different temperatures"),
        ({**EQUILIBRIUM, "initial": "periodic"}, "'periodic', not in 'equilibrium'"),
        ({**EQUILIBRIUM, "burn_in": 1}, "burn-in of 1"),
        ({**EQUILIBRIUM, "canonical": False, "states": 0}, "linear forces only"),
        ({**EQUILIBRIUM, "canonical": False}, "loads or chemical potentials"),
        ({**EQUILIBRIUM, "driven": False}, "nothing is driven"),
    ],
    "crooks": [
        ({**EQUILIBRIUM}, "not its own reverse"),
        ({**EQUILIBRIUM, "initial": "random", "own_reverse": True}, "not in 'equilibrium'"),
    ],
    "exchange": [
        ({}, "not its own reverse"),
        ({"initial": "periodic", "own_reverse": True}, "not 'random'"),
    ],
    "entropy_production": [
        ({"initial": "up"}, "all in one state"),
        ({}, "no exact probabilities"),
    ],
    "gallavotti_cohen": [
        ({"system": "oscillators", "states": 0}, "no bound"),
        ({}, "not its own reverse"),
        ({"temperatures": np.ones(2), "driven": False}, "nothing grows"),
    ],
    "uncertainty": [
        ({}, "no burn-in"),
        ({"initial": "periodic"}, "was not given"),
    ],
}


@pytest.mark.parametrize(
    ("name", "others", "reason"),
    [(name, others, reason) for name, cases in REFUSED.items() for others, reason in cases],
)
def test_a_theorem_is_refused_where_its_conditions_do_not_hold(name, others, reason):
    found = outcomes(work_ledger(5), setting(**others))[name]
    assert reason in found.refusal
    assert found.holds is None
    assert found.estimates == []


@pytest.mark.parametrize("name", ["crooks", "exchange", "gallavotti_cohen"])
def test_two_forward_runs_are_no_pair(name):
    here = setting(**EQUILIBRIUM) if name == "crooks" else setting()
    found = outcomes(work_ledger(6), here, work_ledger(7), here)[name]
    assert "both runs are forward" in found.refusal


def test_the_reversed_run_must_begin_as_its_theorem_asks():
    wrong = setting(**{**EQUILIBRIUM, "initial": "periodic"}, direction="reverse")
    found = outcomes(work_ledger(6), setting(**EQUILIBRIUM), work_ledger(7), wrong)["crooks"]
    assert "the reversed run" in found.refusal


# -- estimates ---------------------------------------------------------------------------------


def test_means_of_exponentials_are_those_of_logsumexp():
    random = np.random.default_rng(1)
    logs = random.normal(size=(5000, 3)) + np.array([0.0, -900.0, 600.0])
    logs[::3, 0] = -np.inf
    mean = LogMean()
    for part in np.split(logs, [10, 700, 4000]):
        mean.add(part)
    found = mean.estimates(["a", "b", "c"], np.ones(3))
    for k in (0, 2):
        expected = logsumexp(logs[:, k]) - np.log(5000)
        assert np.log(found[k].value) == pytest.approx(expected, rel=1e-10)
        top = logs[:, k].max()
        weight = np.exp(logs[:, k] - top)
        error = weight.std(ddof=1) / np.sqrt(5000)
        assert np.log(found[k].stderr) == pytest.approx(np.log(error) + top, abs=1e-8)
        assert found[k].effective == pytest.approx(weight.sum() ** 2 / (weight**2).sum())
        skewness = stats.skew(weight) / np.sqrt(5000)
        assert found[k].skewness == pytest.approx(skewness, rel=1e-3)


def test_a_mean_that_a_few_trajectories_make_is_not_trusted():
    logs = np.random.default_rng(2).normal(-8.0, 4.0, (10_000, 1))
    mean = LogMean()
    mean.add(logs)
    (found,) = mean.estimates(["a"], np.ones(1))
    assert found.effective < 200
    assert not found.trusted
    assert Outcome("a", "b", None, [found]).holds is None


def test_z_allows_for_the_skewness_of_a_mean():
    # Means of 60 exponential numbers, skewness 2 / sqrt(60): 40,000 of them.
    x = np.random.default_rng(3).exponential(size=(40_000, 60))
    error = x.std(axis=1, ddof=1) / np.sqrt(60)
    g = stats.skew(x, axis=1) / np.sqrt(60)

    def scores(skewness):
        triples = zip(x.mean(axis=1), error, skewness, strict=True)
        return np.abs([Prediction("", Estimate(m, e), 1.0, 60, True, s).z for m, e, s in triples])

    # 108 of 40,000 are expected beyond 3. Uncorrected there are several times as many.
    assert (scores(0 * g) > 3).sum() > 250
    assert (scores(g) > 3).sum() < stats.poisson.isf(FALSE_ALARM, 200)


@pytest.mark.parametrize(
    ("rows", "step", "expected"),
    [(1, 1, [1]), (8, 1, [1, 2, 4, 8]), (10, 1, [1, 2, 4, 8, 10]), (12, 4, [4, 8, 12]), (3, 4, [])],
)
def test_durations_double_up_to_the_longest(rows, step, expected):
    assert durations(rows, step) == expected


def test_the_threshold_allows_one_false_alarm_in_ten_thousand():
    e = Prediction("", Estimate(1.0, 0.1), 1.0, 1e6, True)
    for count in (1, 7, 300):
        outcome = Outcome("", "", None, [e] * count)
        assert 2 * count * stats.norm.sf(outcome.threshold) == pytest.approx(FALSE_ALARM)
        bound = Outcome("", "", None, [e] * count, bound=True)
        assert count * stats.norm.sf(bound.threshold) == pytest.approx(FALSE_ALARM)
