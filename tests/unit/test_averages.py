"""Averages, profiles and the check, held against the columns they are taken from."""

import json
import shutil

import h5py
import numpy as np
import pytest
from small_configs import PUMP, SHAPES, changed, swept

import trajsim.running.run
import trajsim.store.reading
from trajsim.analysis.averages import averages
from trajsim.analysis.profile import profiles
from trajsim.config import parse
from trajsim.running.run import simulate
from trajsim.store import open_run

DIMS = {"heat": "bath", "work": "drive", "exclusive_work": "drive", "flips": "site"}


def columns(path, point):
    """All columns of a point of a file."""
    with h5py.File(path) as file:
        return {
            name: data[point]
            for name, data in file["ledger"].items()
            if data.ndim > 2 and data.shape[1] > 1
        }


@pytest.mark.parametrize("shape", SHAPES)
def test_rates_are_means_over_trajectories_with_their_spread(run_of, shape):
    run = open_run(run_of(shape))
    found = averages(run)
    assert len(found) == run.layout.points
    for point, here in enumerate(found):
        c = columns(run.path, point)
        assert here.trajectories == 60
        assert here.time == 8 * run.layout.periods[point]
        for kind, dim in DIMS.items():
            if kind not in c:
                assert here.of(kind) == {}
                continue
            rates = c[kind].sum(axis=1) / here.time
            assert list(here.of(kind)) == run.layout.labels[dim]
            estimates = np.array(list(here.of(kind).values()))
            np.testing.assert_allclose(estimates[:, 0], rates.mean(axis=0), rtol=1e-12)
            errors = rates.std(axis=0, ddof=1) / np.sqrt(60)
            np.testing.assert_allclose(estimates[:, 1], errors, rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_covariance_is_that_of_heats_and_total_work(run_of, shape):
    run = open_run(run_of(shape))
    for point, here in enumerate(averages(run)):
        c = columns(run.path, point)
        work = c["work"].sum(axis=(1, 2)) if "work" in c else np.zeros(60)
        samples = np.column_stack([c["heat"].sum(axis=1), work]) / here.time
        covariance = np.cov(samples, rowvar=False) / 60
        np.testing.assert_allclose(here.covariance, covariance, rtol=1e-9, atol=1e-20)
        np.testing.assert_allclose(here.total_work.mean, samples[:, -1].mean(), atol=1e-15)
        np.testing.assert_allclose(here.total_work.stderr, np.sqrt(covariance[-1, -1]), rtol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_first_law_residual_is_the_largest_of_all_rows(run_of, shape):
    run = open_run(run_of(shape))
    for point, here in enumerate(averages(run)):
        c = columns(run.path, point)
        rest = np.diff(c["energy"], axis=1) - c["heat"].sum(axis=2)
        rest -= c["work"].sum(axis=2) if "work" in c else 0.0
        assert here.first_law_residual == np.abs(rest).max()
        assert here.first_law_residual < 1e-12


@pytest.mark.parametrize("shape", ["pump", "resolved"])
def test_occupations_are_shares_of_the_rows_that_begin_in_a_state(run_of, shape):
    run = open_run(run_of(shape))
    (here,) = averages(run)
    state = columns(run.path, 0)["state"][:, :-1]
    phases = run.layout.rows_per_period
    mean, stderr = here.edges["occupation"]
    assert mean.shape == (phases, 4)
    np.testing.assert_allclose(mean.sum(axis=1), 1.0)
    for phase in range(phases):
        for number, spins in enumerate([(1, 1), (-1, 1), (1, -1), (-1, -1)]):
            share = (state[:, phase::phases] == spins).all(axis=2).mean(axis=1)
            assert mean[phase, number] == pytest.approx(share.mean())
            error = share.std(ddof=1) / np.sqrt(60)
            assert stderr[phase, number] == pytest.approx(error)


def test_averages_do_not_depend_on_the_slices_they_are_read_in(run_of, monkeypatch):
    run = open_run(run_of("sweep"))
    whole = averages(run)
    monkeypatch.setattr(trajsim.store.reading, "SLICE_BYTES", 7 * run.layout.trajectory_bytes)
    assert len(list(run.blocks(["heat"]))) == 3 * 9
    for a, b in zip(whole, averages(run), strict=True):
        assert [q[:2] for q in a.quantities] == [q[:2] for q in b.quantities]
        for one, other in zip(a.quantities, b.quantities, strict=True):
            assert one.mean == pytest.approx(other.mean, rel=1e-12)
            assert one.stderr == pytest.approx(other.stderr, rel=1e-12)


def test_one_trajectory_has_means_and_neither_errors_nor_a_regime(config, cli):
    path = config(changed(PUMP, ("ies = 60", "ies = 1"), ("\nperiods = 8", "\nperiods = 400")))
    assert cli("run", path, "-o", "x.h5").exit_code == 0
    (point,) = json.loads(cli("analyze", "x.h5", "--json").stdout)["points"]
    assert point["heat_rate"]["L"]["stderr"] is None
    assert point["heat_rate"]["L"]["mean"] is not None
    assert (point["regime"], point["efficiency"], point["cop"]) == ("undecided", None, None)
    checked = cli("check", "x.h5")
    assert checked.exit_code == 2
    assert "two trajectories" in checked.stderr


# -- profiles --------------------------------------------------------------------------------------


def test_a_long_run_is_folded_onto_one_period(run_of):
    (profile,) = profiles(open_run(run_of("resolved")))
    heat = columns(run_of("resolved"), 0)["heat"]
    folded = heat.reshape(60, 8, 4, 2).mean(axis=1) / 2.5
    assert profile.folded
    np.testing.assert_allclose(profile.time, [0.0, 2.5, 5.0, 7.5, 10.0])
    np.testing.assert_allclose(profile.rate["heat"], folded.mean(axis=0), rtol=1e-12)
    errors = folded.std(axis=0, ddof=1) / np.sqrt(60)
    np.testing.assert_allclose(profile.stderr["heat"], errors, rtol=1e-12)


def test_a_short_run_keeps_every_row(tmp_path):
    text = changed(PUMP, ("\nperiods = 8", "\nperiods = 3"), ("period = 1\n", "period = 4\n"))
    simulate(parse(text), tmp_path / "x.h5")
    (profile,) = profiles(open_run(tmp_path / "x.h5"))
    assert not profile.folded
    np.testing.assert_allclose(profile.time, 2.5 * np.arange(13))
    heat = columns(tmp_path / "x.h5", 0)["heat"]
    np.testing.assert_allclose(profile.rate["heat"], heat.mean(axis=0) / 2.5, rtol=1e-12)


# -- check -----------------------------------------------------------------------------------------

JUDGED = changed(PUMP, ("ies = 60", "ies = 4000"))


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A run with enough flips to judge every rate."""
    path = tmp_path_factory.mktemp("judged") / "x.h5"
    simulate(parse(JUDGED), path)
    return path


def test_an_honest_run_agrees(judged, cli):
    result = cli("check", judged, "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["agrees"]) == (0, True)
    quantities = {q["name"]: q for q in answer["points"][0]["quantities"]}
    for kind in ("heat_rate.L", "work_rate.2", "exclusive_work_rate.1", "flip_rate.1"):
        q = quantities[kind]
        assert q["sigma"] == pytest.approx((q["sampled"] - q["exact"]) / q["stderr"])
        assert abs(q["sigma"]) < answer["threshold"]


def test_the_threshold_allows_one_false_alarm_in_ten_thousand_runs(judged, cli):
    from scipy import stats

    answer = json.loads(cli("check", judged, "--json").stdout)
    judged_ones = [q for q in answer["points"][0]["quantities"] if q["sigma"] is not None]
    alarm = 2 * len(judged_ones) * stats.t.sf(answer["threshold"], 3999)
    assert alarm == pytest.approx(1e-4, rel=1e-6)


@pytest.mark.parametrize("column", ["heat", "work", "exclusive_work"])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_column_shifted_by_six_standard_errors_is_found(judged, tmp_path, cli, column, sign):
    path = shutil.copy(judged, tmp_path / "copy.h5")
    with h5py.File(path, "r+") as file:
        data = file["ledger"][column]
        values = data[...]
        totals = values[0, :, :, 0].sum(axis=1)
        exact_shift = 6 * totals.std(ddof=1) / np.sqrt(len(totals)) / values.shape[2]
        # Away from where chance has already put it, six are never fewer than the threshold.
        answer = json.loads(cli("check", judged, "--json").stdout)
        kind = {"heat": "heat_rate.L", "work": "work_rate.1"}.get(column, "exclusive_work_rate.1")
        (now,) = [q["sigma"] for q in answer["points"][0]["quantities"] if q["name"] == kind]
        data[..., 0] = values[..., 0] + sign * exact_shift * (1 - sign * now / 6)
    result = cli("check", path, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["agrees"] is False
    assert "DISAGREES" in cli("check", path).stdout


@pytest.mark.parametrize("pair", [("heat", None), ("work", None), ("flips", None)])
def test_swapped_columns_are_found(tmp_path, cli, pair):
    # Baths and fields different enough to be told apart.
    text = changed(
        JUDGED,
        ("0.499", "2.0"),
        ("amplitude = 0.25, phase = 2.2", "amplitude = 1.0, phase = 2.2"),
    )
    simulate(parse(text), tmp_path / "x.h5")
    assert cli("check", "x.h5").exit_code == 0
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        data = file["ledger"][pair[0]]
        data[...] = data[...][..., ::-1]
    assert cli("check", "x.h5").exit_code == 1


def test_every_point_of_a_sweep_is_judged(tmp_path, cli):
    config = parse(swept(JUDGED, '"baths.R.temperature" = [0.499, 2.0]'))
    simulate(config, tmp_path / "x.h5")
    answer = json.loads(cli("check", "x.h5", "--json").stdout)
    # Each point was run by its own parameters.
    assert answer["agrees"]
    assert [p["parameters"] for p in answer["points"]] == [
        {"baths.R.temperature": 0.499},
        {"baths.R.temperature": 2.0},
    ]
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        heat = file["ledger/heat"]
        heat[0], heat[1] = heat[1], heat[0]
    assert cli("check", "x.h5").exit_code == 1


def test_a_run_with_hardly_a_flip_cannot_be_checked(config, cli):
    path = config(changed(PUMP, ("rate = 0.5", "rate = 1e-6")))
    made = cli("run", path, "-o", "x.h5")
    assert made.exit_code == 0
    assert "not checked" in made.stdout
    result = cli("check", "x.h5")
    assert result.exit_code == 2
    assert "cannot be checked" in result.stderr


def test_a_network_beyond_the_exact_side_is_run_and_not_checked(config, cli):
    sites = "".join(f'[[sites]]\nname = "s{k}"\nbath = "L"\n' for k in range(28))
    path = config(changed(PUMP, ("[[bonds]]", sites + "[[bonds]]")))
    made = cli("run", path, "-o", "x.h5")
    assert made.exit_code == 0
    assert "not checked" in made.stdout
    assert "heat_rate.L" in made.stdout
    assert cli("analyze", "x.h5").exit_code == 0
    for verb, what in (("check", "x.h5"), ("exact", path)):
        result = cli(verb, what)
        assert result.exit_code == 2
        assert "30 spins are too many states" in result.stderr
