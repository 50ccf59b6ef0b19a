"""What a system does is named from signs that are sure, and from no others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajsim.analysis.estimate import SURE, Estimate
from trajsim.analysis.regimes import classify

TWO = {"hot": 2.0, "cold": 1.0}


def regime(heat, work, errors=1e-3, temperatures=None, driven=True):
    """Regime of independent heats and work with these errors."""
    heat = np.array(heat, float)
    errors = np.broadcast_to(errors, len(heat) + 1)
    return classify(heat, work, np.diag(errors**2), temperatures or TWO, driven)


@pytest.mark.parametrize(
    ("hot", "cold", "work", "name"),
    [
        (3.0, -2.0, -1.0, "engine"),
        (-3.0, 1.0, 2.0, "pump"),
        (-1.0, -2.0, 3.0, "heater"),
        (1.0, -3.0, 2.0, "accelerator"),
    ],
)
def test_each_regime_of_two_temperatures_is_named_by_its_signs(hot, cold, work, name):
    assert regime([hot, cold], work).name == name
    # The order of the baths means nothing.
    swapped = {"cold": 1.0, "hot": 2.0}
    assert regime([cold, hot], work, temperatures=swapped).name == name


def test_an_engine_has_an_efficiency_and_a_pump_a_cop_and_nothing_else_has_either():
    engine, pump = regime([3.0, -2.0], -1.0), regime([-3.0, 1.0], 2.0)
    assert engine.efficiency.mean == pytest.approx(1 / 3)
    assert pump.cop.mean == pytest.approx(1 / 2)
    assert (engine.cop, pump.efficiency) == (None, None)
    for other in (regime([-1.0, -2.0], 3.0), regime([1.0, -3.0], 2.0), regime([0, 0], 0)):
        assert (other.efficiency, other.cop) == (None, None)


@pytest.mark.parametrize(
    ("heat", "work", "errors"),
    [
        ([3.0, -2.0], -1.0, [0.1, 0.1, 0.4]),  # the work may be of either sign
        ([-3.0, 1.0], 2.0, [0.1, 0.4, 0.1]),  # the heat of the colder bath
        ([-3.0, 1.0], 2.0, [0.1, 0.1, 0.7]),
        ([-1.0, -2.0], 3.0, [0.4, 0.1, 0.1]),
        ([-1.0, -2.0], 3.0, [0.1, 0.7, 0.1]),
        ([1.0, -3.0], 2.0, [0.4, 0.1, 0.1]),
        ([1.0, -3.0], 2.0, [0.1, 0.1, 0.7]),
        ([0.0, 0.0], 0.0, [0.0, 0.0, 0.0]),
        ([1.0, -3.0], 2.0, [np.nan, np.nan, np.nan]),
    ],
)
def test_a_regime_that_rests_on_an_unsure_sign_is_undecided(heat, work, errors):
    found = regime(heat, work, np.array(errors))
    assert (found.name, found.efficiency, found.cop) == ("undecided", None, None)


@pytest.mark.parametrize("hot", [0.0, -1.0])
def test_work_out_of_a_system_that_takes_nothing_from_the_hot_bath_is_no_engine(hot):
    # A short run may give work at the cost of its own energy.
    found = regime([hot, -1.0], -1.0)
    assert found.name != "engine"


def test_a_heater_needs_both_heats_and_not_the_work():
    assert regime([-1.0, -2.0], 3.0, np.array([0.1, 0.1, 5.0])).name == "heater"


def test_a_sign_is_sure_beyond_three_standard_errors():
    assert SURE == 3.0
    assert [Estimate(mean, 1.0).sign for mean in (3.01, 2.99, 0.0, -2.99, -3.01)] == [
        1,
        0,
        0,
        0,
        -1,
    ]
    assert [Estimate(x, np.nan).sign for x in (1.0, -1.0, np.nan)] == [0, 0, 0]
    assert Estimate(0.0, 0.0).sign == 0
    assert Estimate(1e-300, 0.0).sign == 1


@pytest.mark.parametrize(
    ("heat", "work", "driven", "name"),
    [
        ([1.0, -2.0], 1.0, True, "transfer"),
        ([-2.0, 1.0], 1.0, True, "transfer"),
        ([-1.0, -2.0], 3.0, True, "heater"),
        ([0.0, -2.0], 2.0, True, "undecided"),
        ([0.0, 0.0], 0.0, True, "undecided"),
        ([0.0, 0.0], 0.0, False, "undecided"),
    ],
)
def test_equal_temperatures_transfer_or_heat(heat, work, driven, name):
    equal = {"L": 0.5, "R": 0.5}
    assert regime(heat, work, temperatures=equal, driven=driven).name == name


def test_a_single_bath_can_only_be_heated():
    assert regime([-1.0], 1.0, temperatures={"b": 1.0}).name == "heater"
    assert regime([-1e-4], 1e-4, temperatures={"b": 1.0}).name == "undecided"


@pytest.mark.parametrize(
    ("heat", "name"),
    [([1.0, -1.0], "conduction"), ([-1.0, 1.0], "undecided"), ([1e-4, -1e-4], "undecided")],
)
def test_undriven_baths_conduct_from_hot_to_cold(heat, name):
    assert regime(heat, 0.0, driven=False).name == name


def test_baths_of_one_temperature_count_together():
    temperatures = {"a": 1.0, "b": 2.0, "c": 1.0, "d": 2.0}
    # Hot baths give 3 in all, cold ones take 2, though b alone takes heat.
    engine = regime([1.0, -1.0, -3.0, 4.0], -1.0, temperatures=temperatures)
    assert engine.name == "engine"
    assert engine.efficiency.mean == pytest.approx(1 / 3)


def test_the_error_of_a_sum_of_heats_knows_their_correlation():
    temperatures = {"a": 1.0, "b": 1.0, "c": 2.0}
    covariance = np.diag([1.0, 1.0, 1e-4, 1e-4])
    heat = np.array([5.0, -4.0, -3.0])
    assert classify(heat, 2.0, covariance, temperatures, True).name == "undecided"
    # What one of the cold baths gives the other takes: their sum is sure.
    covariance[0, 1] = covariance[1, 0] = -0.999
    assert classify(heat, 2.0, covariance, temperatures, True).name == "pump"


def test_three_temperatures_have_signs_and_no_regime():
    temperatures = {"a": 1.0, "b": 2.0, "c": 3.0}
    found = regime([1.0, -2.0, 1e-4], 1.0, temperatures=temperatures)
    assert found.name == "q_a > 0, q_b < 0, q_c ~ 0, w > 0"
    assert (found.efficiency, found.cop) == (None, None)


@pytest.mark.parametrize("kind", ["engine", "pump"])
def test_the_error_of_a_ratio_is_that_of_many_repetitions(kind):
    random = np.random.default_rng(7)
    mean = np.array([3.0, -2.0, -1.0]) if kind == "engine" else np.array([-3.0, 1.0, 2.0])
    root = 0.02 * random.normal(size=(3, 3))
    covariance = root @ root.T
    heat = [[q[0], q[1], q[2]] for q in random.multivariate_normal(mean, covariance, size=20_000)]
    ratios = [-w / hot if kind == "engine" else cold / w for hot, cold, w in heat]
    found = classify(mean[:2], mean[2], covariance, TWO, True)
    ratio = found.efficiency if kind == "engine" else found.cop
    # The spread of 20,000 normal numbers is known to 0.5 %; higher orders add less than 0.1 %.
    assert ratio.stderr == pytest.approx(np.std(ratios), rel=0.03)
    assert ratio.mean == pytest.approx(np.mean(ratios), abs=5 * np.std(ratios) / np.sqrt(20_000))


numbers = st.floats(-1e3, 1e3).map(lambda x: round(x, 6))


@given(
    st.lists(numbers, min_size=1, max_size=4), numbers, st.floats(0, 10), st.booleans(), st.data()
)
def test_any_numbers_give_a_regime_consistent_with_themselves(heat, work, error, driven, data):
    levels = data.draw(
        st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=len(heat), max_size=len(heat))
    )
    temperatures = {f"b{k}": level for k, level in enumerate(levels)}
    found = regime(heat, work, error, temperatures, driven)
    assert found.name
    assert (found.efficiency is not None) == (found.name == "engine")
    assert (found.cop is not None) == (found.name == "pump")
    if found.name in ("engine", "pump", "heater", "accelerator") and len(set(levels)) == 2:
        cold = sum(q for q, t in zip(heat, levels, strict=True) if t == min(levels))
        assert (work < 0) == (found.name == "engine") or found.name == "heater"
        assert (cold > 0) == (found.name == "pump") or found.name == "engine"
