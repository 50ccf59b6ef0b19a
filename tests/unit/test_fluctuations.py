"""Fluctuations of finished runs, held against the columns they are taken from."""

import json
from dataclasses import dataclass

import h5py
import numpy as np
import pytest
from small_configs import SHAPES
from synthetic import Ledger

import trajsim.store.reading
from trajsim.analysis.fluctuations import fluctuations
from trajsim.analysis.windows import WindowError
from trajsim.config import parse
from trajsim.running.run import simulate
from trajsim.store import open_run


def windows_of(path, point, rows, phases):
    """Heats, works and total work (m, windows, q) over windows that begin with a period."""
    with h5py.File(path) as file:
        heat = file["ledger/heat"][point]
        parts = [heat]
        if "work" in file["ledger"]:
            work = file["ledger/work"][point]
            parts += [work, work.sum(axis=2, keepdims=True)]
    entries = np.concatenate(parts, axis=2)
    starts = [r for r in range(entries.shape[1] - rows + 1) if r % phases == 0]
    kept, end = [], 0
    for r in starts:
        if r >= end:
            kept.append(entries[:, r : r + rows].sum(axis=1))
            end = r + rows
    return np.stack(kept, axis=1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rows", [None, 1, 3, 6])
def test_cumulants_and_covariances_are_those_of_the_columns(run_of, shape, rows):
    run = open_run(run_of(shape))
    found = list(fluctuations(run, rows))
    assert len(found) == run.layout.points
    for point, here in enumerate(found):
        length = rows or run.layout.rows
        samples = windows_of(run.path, point, length, run.layout.rows_per_period)
        assert here.windows.count == samples.shape[1]
        time = here.windows.time
        assert time == pytest.approx(length * run.layout.duration(point) / run.layout.rows)
        flat = samples.reshape(-1, samples.shape[2])
        np.testing.assert_allclose(here.cumulants.mean[0], flat.mean(axis=0) / time, atol=1e-14)
        covariance = np.cov(flat, rowvar=False).reshape(flat.shape[1], -1) / time
        np.testing.assert_allclose(here.covariance.mean, covariance, rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(here.cumulants.mean[1], np.diag(covariance), rtol=1e-9)
        for k, histogram in enumerate(here.histograms):
            counts, _ = np.histogram(flat[:, k], histogram.edges)
            np.testing.assert_array_equal(histogram.counts, counts)
            assert histogram.counts.sum() == len(flat)


def flat(found):
    """All numbers of fluctuations, in a row."""
    parts = [*found.cumulants, *found.covariance, *found.shape.skewness, *found.shape.kurtosis]
    parts += found.correlation or ()
    parts += [np.append(h.edges, [h.counts, h.stderr]) for h in found.histograms]
    parts += [np.concatenate([g.theta, g.theta_error, g.effective]) for g in found.generating]
    return np.concatenate([np.ravel(part) for part in parts])


def test_fluctuations_do_not_depend_on_the_slices_they_are_read_in(run_of, monkeypatch):
    run = open_run(run_of("sweep"))
    whole = [flat(f) for f in fluctuations(run, 2)]
    monkeypatch.setattr(trajsim.store.reading, "SLICE_BYTES", 7 * run.layout.trajectory_bytes)
    for one, other in zip(whole, fluctuations(run, 2), strict=True):
        np.testing.assert_allclose(flat(other), one, rtol=1e-8, atol=1e-12)


def test_many_slices_with_a_pilot_in_the_middle_of_one_change_nothing():
    random = np.random.default_rng(1)
    heat, work = random.gamma(1.0, size=(9000, 2, 2)), random.normal(size=(9000, 2, 1))
    (one,) = fluctuations(Ledger(heat, work), 1)
    (other,) = fluctuations(Ledger(heat, work, slices=41), 1)
    np.testing.assert_allclose(flat(other), flat(one), rtol=1e-8, atol=1e-12)


@dataclass
class Gapped(Ledger):
    """A run that goes on: trajectories are missing in the middle and at the end."""

    def blocks(self, names=None):
        ((_, _, columns),) = super().blocks(names)
        for begin, end in ((0, 130), (130, 171), (500, 4000)):
            yield 0, begin, {name: values[begin:end] for name, values in columns.items()}


def test_an_unfinished_run_is_that_of_the_trajectories_it_has():
    random = np.random.default_rng(2)
    heat, work = random.gamma(1.0, size=(9000, 2, 2)), random.normal(size=(9000, 2, 1))
    (found,) = fluctuations(Gapped(heat, work))
    kept = np.r_[0:171, 500:4000]
    (alone,) = fluctuations(Ledger(heat[kept], work[kept]))
    assert found.trajectories == len(kept)
    np.testing.assert_allclose(found.cumulants.mean, alone.cumulants.mean, rtol=1e-10)
    np.testing.assert_allclose(found.covariance.mean, alone.covariance.mean, rtol=1e-10)
    # Other batches: errors are as good, and not the same.
    np.testing.assert_allclose(found.cumulants.stderr[:2], alone.cumulants.stderr[:2], rtol=0.2)
    assert sum(h.counts.sum() for h in found.histograms) == 4 * len(kept)


@pytest.mark.parametrize("rows", [0, -1, 9])
def test_a_window_longer_than_the_trajectory_is_refused(run_of, rows):
    with pytest.raises(WindowError, match="1 to 8"):
        list(fluctuations(open_run(run_of("pump")), rows))


def test_the_command_line_refuses_such_windows(run_of, cli):
    result = cli("analyze", run_of("pump"), "--window", 9)
    assert result.exit_code == 2
    assert "1 to 8, the rows of a trajectory" in result.stderr
    assert cli("analyze", run_of("pump"), "--window", 0).exit_code == 2


def test_json_has_every_fluctuation_of_a_run(run_of, cli):
    answer = json.loads(cli("analyze", run_of("pump"), "--window", 2, "--json").stdout)
    (point,) = answer["points"]
    (found,) = fluctuations(open_run(run_of("pump")), 2)
    assert point["window"] == {"rows": 2, "periods": 2.0, "time": 20.0, "windows": 240}
    assert list(point["heat_variance_rate"]) == ["L", "R"]
    assert list(point["work_variance_rate"]) == ["1", "2", "total"]
    assert point["heat_variance_rate"]["R"]["mean"] == found.cumulants.mean[1, 1]
    assert point["work_variance_rate"]["total"]["stderr"] == found.cumulants.stderr[1, 4]
    cumulants = point["heat_cumulant_rates"]["L"]
    assert [c["mean"] for c in cumulants] == found.cumulants.mean[:, 0].tolist()
    assert [c["stderr"] for c in cumulants] == found.cumulants.stderr[:, 0].tolist()
    covariance = point["covariance_rate"]
    assert covariance["labels"] == ["heat.L", "heat.R", "work.1", "work.2"]
    for k, part in enumerate(("mean", "stderr")):
        matrix = [[entry[part] for entry in row] for row in covariance["matrix"]]
        assert matrix == found.covariance[k][:4, :4].tolist()
    assert point["heat_skewness"]["L"]["mean"] == found.shape.skewness.mean[0]
    histogram = point["histograms"]["work.total"]
    assert sum(histogram["counts"]) == histogram["samples"] == 240
    assert len(histogram["edges"]) == len(histogram["counts"]) + 1 == len(histogram["stderr"]) + 1
    generating = point["generating_function"]["heat.R"]
    assert generating["theta"][len(generating["lambda"]) // 2] == {"mean": 0.0, "stderr": 0.0}
    assert len(point["autocorrelation"]["heat.L"]) == 8
    # Over the whole trajectory the mean rate is that of the averages.
    (whole,) = json.loads(cli("analyze", run_of("pump"), "--json").stdout)["points"]
    assert whole["window"]["rows"] == 8
    for bath in "LR":
        assert whole["heat_cumulant_rates"][bath][0]["mean"] == pytest.approx(
            whole["heat_rate"][bath]["mean"], rel=1e-12
        )


def test_the_table_shows_variances_and_the_window(run_of, cli):
    text = cli("analyze", run_of("pump"), "--window", 4).stdout
    (found,) = fluctuations(open_run(run_of("pump")), 4)
    assert f"{found.cumulants.mean[1, 0]:.4e}" in text
    assert "120 windows of 4 rows (4 periods, time 40)" in text


def test_works_are_absent_where_nothing_is_driven(run_of, cli):
    (point,) = json.loads(cli("analyze", run_of("undriven"), "--json").stdout)["points"]
    assert "work_variance_rate" not in point
    assert list(point["histograms"]) == ["heat.L", "heat.R"]


def test_more_observables_than_are_kept_in_pairs_have_cumulants(tmp_path):
    sites = "".join(
        f'[[sites]]\nname = "s{k}"\nbath = "L"\ndrive = {{ amplitude = 0.1 }}\n' for k in range(70)
    )
    text = SHAPES["pump"].replace("[[bonds]]", sites + "[[bonds]]")
    simulate(parse(text), tmp_path / "x.h5")
    (found,) = fluctuations(open_run(tmp_path / "x.h5"))
    assert found.cumulants.mean.shape == (4, 2 + 72 + 1)
    assert found.covariance is None
    assert found.histograms == found.generating == []
