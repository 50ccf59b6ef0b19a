"""`trajsim exact --counting`: fluctuations as JSON and as tables."""

import json
from pathlib import Path

import numpy as np
import pytest
from small_configs import PUMP, changed

CONFIGS = Path(__file__).parents[2] / "configs"


def points(cli, *arguments):
    result = cli("exact", *arguments, "--counting", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["points"]


def test_the_pump_has_variances_cumulants_and_covariances(cli):
    (pump,) = points(cli, CONFIGS / "heat_pump.toml")
    assert pump["regime"] == "pump"
    assert pump["heat_variance_rate"]["L"] == pytest.approx(0.0622357, abs=0.6e-7)
    assert pump["heat_variance_rate"]["R"] == pytest.approx(0.0621997, abs=0.6e-7)
    assert pump["work_variance_rate"]["1"] == pytest.approx(7.9776e-4, abs=0.6e-8)
    assert pump["work_variance_rate"]["total"] == pytest.approx(6.3743e-4, abs=0.6e-8)
    first, second, third, _ = pump["heat_cumulant_rates"]["L"]
    assert first == pytest.approx(pump["heat_rate"]["L"], rel=1e-8)
    assert second == pytest.approx(pump["heat_variance_rate"]["L"], rel=1e-8)
    assert third == pytest.approx(0.0147439, abs=0.6e-7)
    total = pump["work_cumulant_rates"]["total"]
    assert total[0] == pytest.approx(sum(pump["work_rate"].values()), rel=1e-8)
    covariance = pump["covariance_rate"]
    assert covariance["labels"] == ["heat.L", "heat.R", "work.1", "work.2"]
    matrix = np.array(covariance["matrix"])
    # Energy does not add up: all heats and works together do not spread.
    assert abs(matrix.sum(axis=1)).max() < 1e-9
    np.testing.assert_allclose(np.diag(matrix)[:2], list(pump["heat_variance_rate"].values()))


def test_what_does_not_exist_is_absent(cli):
    (undriven,) = points(cli, CONFIGS / "undriven.toml")
    assert "work_variance_rate" not in undriven
    assert "work_cumulant_rates" not in undriven
    assert set(undriven["heat_cumulant_rates"]) == {"L", "R"}
    plain = cli("exact", CONFIGS / "undriven.toml", "--json")
    (without,) = json.loads(plain.stdout)["points"]
    assert "heat_variance_rate" not in without


def test_oscillators_are_counted_too(cli):
    (pair,) = points(cli, CONFIGS / "oscillator_pair.toml")
    plain = cli("exact", CONFIGS / "oscillator_pair.toml", "--json")
    (without,) = json.loads(plain.stdout)["points"]
    for label, variance in without["work_variance_rate"].items():
        assert pair["work_variance_rate"][label] == pytest.approx(variance, rel=1e-9)
    # Work of linear oscillators is Gaussian.
    _, second, third, fourth = pair["work_cumulant_rates"]["total"]
    assert max(abs(third), abs(fourth)) < 1e-12 * second


def test_the_table_names_every_cumulant_and_correlation(cli):
    result = cli("exact", CONFIGS / "heat_pump.toml", "--counting")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    for name in ("heat.L", "heat.R", "work.1", "work.2", "work.total"):
        assert any(line.startswith(f"{name} ") for line in lines), name
    assert any(line.startswith("correlation") for line in lines)


def test_fluctuations_out_of_reach_are_refused(cli, config):
    cold = changed(PUMP, ("temperature = 0.5 ", "temperature = 0.05 "), ("0.499", "0.06"))
    result = cli("exact", config(cold), "--counting")
    assert result.exit_code == 2
    assert "rarely" in result.stderr
