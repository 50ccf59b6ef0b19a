"""The Python interface gives what the command line gives, on the same objects."""

import copy
import json
import pickle
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from small_configs import PUMP

import trajsim
from trajsim.ensemble import NoExactSideError
from trajsim.running.run import RunError
from trajsim.store import StoreError

pytestmark = pytest.mark.usefixtures("quick_histograms")

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(scope="module")
def run():
    """A run in memory."""
    return trajsim.simulate(tomllib.loads(PUMP))


def test_importing_it_imports_nothing_heavy():
    program = "import sys, trajsim; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    heavy = ("numba", "numpy", "h5py", "matplotlib", "pydantic", "scipy", "trajsim.api")
    assert [name for name in heavy if name in done.stdout.split()] == []


def test_its_names_are_what_is_documented():
    for name in trajsim.__all__:
        assert getattr(trajsim, name).__doc__
        assert name in dir(trajsim)
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        trajsim.simulat  # noqa: B018


def test_a_config_is_the_same_from_a_file_a_table_an_experiment_or_a_point(config):
    one = trajsim.load(config(PUMP))
    for source in (str(config(PUMP)), tomllib.loads(PUMP), one, one.experiment, one.points[0]):
        assert trajsim.load(source).experiment == one.experiment
    assert repr(one) == (
        "<Config 'two driven spins': 2 spins, 2 baths, 1 point of 60 trajectories x 8 periods>"
    )
    assert "two driven spins" in repr(one.experiment)
    assert len(repr(one.experiment)) < 200


@pytest.mark.parametrize("given", ["file", "table", "config"])
def test_values_are_put_in_place_of_the_configs(config, given):
    source = {"file": config(PUMP), "table": tomllib.loads(PUMP), "config": None}[given]
    source = source or trajsim.load(config(PUMP))
    overrides = {"sites.2.drive.phase": 1.25, "ensemble.initial": "random"}
    for form in (overrides, ["sites.2.drive.phase=1.25", 'ensemble.initial="random"']):
        experiment = trajsim.load(source, form).experiment
        assert experiment.sites[1].drive.phase == 1.25
        assert experiment.ensemble.initial == "random"


def test_faults_of_a_table_are_told_by_key():
    table = tomllib.loads(PUMP)
    table["baths"]["L"]["temperature"] = -1.0
    with pytest.raises(trajsim.ConfigError, match=r"baths\.L\.temperature"):
        trajsim.load(table)


STRANGE = {
    "load(3)": "found 3; allowed: the path of a config, a table of its keys",
    "load(None)": "found None; allowed",
    "load(run)": "found <trajsim run",
    "open(3)": "found 3; allowed: the path of a run",
    "open(None)": "found None; allowed: the path of a run",
    "check(3)": "found 3; allowed: the path of a run",
    "check(run, 3)": "found 3; allowed: the path of a run",
    "exact(None)": "found None; allowed: the path of a config",
    "exact(run.config, tolerance='x')": "tolerance: found 'x'; allowed: a number above 0",
    "exact(run.config, tolerance=0.0)": "tolerance: found 0.0; allowed: a number above 0",
    "simulate(3)": "found 3; allowed: the path of a config",
    "simulate(run.config, 3)": "found 3; allowed: the path of a file to make",
    "simulate(run.config, workers='x')": "workers: found 'x'; allowed: 1 or more",
    "simulate(run.config, engine=3)": "engine: found 3; allowed: threads",
    "reproduce(3)": "found 3; allowed: the path of a folder",
    "run.save(3)": "found 3; allowed: the path of a file to make",
    "run.report(3)": "found 3; allowed: the path of a page to write",
    "run.trace('x')": "trajectory 'x'; allowed: 0 to",
    "run.trace(0, point=1.5)": "point 1.5; allowed: 0 to 0",
    "run.trace(0, periods=3)": "periods 3; allowed: two whole numbers",
    "run.fluctuations('x')": "a window of 'x' rows; allowed: 1 to",
    "run.theorems(3)": "found 3; allowed: the path of a run",
}


@pytest.mark.parametrize("call", STRANGE)
def test_what_means_nothing_is_refused_with_what_is_allowed(run, call):
    with pytest.raises(trajsim.TrajsimError, match=re.escape(STRANGE[call])):
        eval(call, {name: getattr(trajsim, name) for name in trajsim.__all__} | {"run": run})


def test_a_run_in_memory_is_the_run_on_disk(run, cli, config, tmp_path):
    path = tmp_path / "run.h5"
    stored = trajsim.simulate(config(PUMP), path)
    made_by_command = tmp_path / "other.h5"
    assert cli("run", config(PUMP), "-o", made_by_command).exit_code == 0
    assert made_by_command.read_bytes() == path.read_bytes()
    for column in run.layout.columns:
        np.testing.assert_array_equal(run[column.name][...], stored[column.name][...])
        np.testing.assert_array_equal(run[column.name], trajsim.open(path)[column.name])
    assert repr(run.averages()) == repr(stored.averages())
    assert (str(run.path), str(stored.path)) == ("<memory>", str(path))
    assert run.verify() == stored.verify() == []
    with pytest.raises(RunError, match="exists"):
        trajsim.simulate(config(PUMP), path)


def test_columns_are_read_in_parts_and_tell_what_they_are(run):
    heat = run["heat"]
    whole = np.asarray(heat)
    assert heat.shape == whole.shape == (1, 60, 8, 2)
    assert heat.dims == ("point", "trajectory", "row", "bath")
    assert heat.dtype == whole.dtype == np.float64
    assert len(heat) == 1
    np.testing.assert_array_equal(heat[0, 3:5, :, 1], whole[0, 3:5, :, 1])
    assert "heat from the bath into the system" in repr(heat)
    assert run["flips"].dtype == np.int32
    with pytest.raises(KeyError, match="no column 'heats'; there are heat, work"):
        run["heats"]


def test_columns_of_an_unfinished_run_are_read_by_blocks(config, tmp_path, monkeypatch):
    import trajsim.running.run as running

    monkeypatch.setattr(running, "pack_with_bar", lambda *_: [])
    trajsim_parts = tmp_path / "run.h5.parts"
    with pytest.raises(StoreError):
        trajsim.simulate(config(PUMP), tmp_path / "run.h5")
    unfinished = trajsim.open(trajsim_parts)
    with pytest.raises(StoreError, match="unfinished"):
        unfinished["heat"]
    assert sum(len(columns["heat"]) for _, _, columns in unfinished.blocks(["heat"])) == 60
    assert "unfinished" in repr(unfinished)


def test_xarray_sees_the_same_ledger(run):
    dataset = run.to_xarray()
    np.testing.assert_array_equal(dataset.heat, run["heat"][...])
    assert dataset.heat.dims == run["heat"].dims
    assert list(dataset.bath.values) == ["L", "R"]


def test_exact_gives_what_the_command_line_gives(cli, config):
    answer = json.loads(cli("exact", config(PUMP), "--json").stdout)["points"][0]
    found = trajsim.exact(config(PUMP))
    for name in ("heat_rate", "work_rate", "exclusive_work_rate", "flip_rate"):
        assert getattr(found, name) == pytest.approx(answer[name], rel=1e-12)
    assert found.heat_error == pytest.approx(answer["error"]["heat_rate"])
    assert found.regime.name == answer["regime"]
    variance = np.diag(found.counting.covariance_rate)[0]
    counted = json.loads(cli("exact", config(PUMP), "--json", "--counting").stdout)["points"][0]
    assert variance == pytest.approx(counted["heat_variance_rate"]["L"], rel=1e-9)
    assert "heat_rate.L" in repr(found)


def test_there_is_no_exact_side_of_quartic_forces():
    with pytest.raises(NoExactSideError):
        trajsim.exact(CONFIGS / "quartic_pair.toml")


def test_check_takes_a_run_or_its_file_or_another_run(config, tmp_path):
    longer = trajsim.load(config(PUMP), {"ensemble.trajectories": 600})
    run = trajsim.simulate(longer)
    found = trajsim.check(run)
    assert found.agrees
    assert repr(found).startswith("<Check: agrees in")
    stored = trajsim.simulate(longer, tmp_path / "run.h5")
    assert repr(trajsim.check(tmp_path / "run.h5")) == repr(stored.check()) == repr(found)
    assert run.check(stored).agrees


def test_a_run_answers_as_analyze_does(run, cli, config, tmp_path):
    path = tmp_path / "run.h5"
    trajsim.simulate(config(PUMP), path)
    answer = json.loads(cli("analyze", path, "--window", 2, "--theorems", "--json").stdout)
    (point,) = answer["points"]
    (sampled,) = run.averages()
    assert sampled.of("heat")["L"].mean == point["heat_rate"]["L"]["mean"]
    (found,) = run.fluctuations(2)
    k = found.index("heat", "L")
    assert found.cumulants.mean[1, k] == point["heat_variance_rate"]["L"]["mean"]
    (outcomes,) = run.theorems()
    assert [o.name for o in outcomes] == [t["name"] for t in point["theorems"]]
    assert "covariance" in run.figures(2)
    assert "heat_rate.L" in repr(sampled)
    assert "heat.L" in repr(found)


def test_what_notebooks_show_is_escaped(config):
    table = tomllib.loads(PUMP)
    table["title"] = "<script>alert(1)</script>"
    shown = trajsim.simulate(table)._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_a_run_can_be_copied_and_pickled(run):
    for other in (copy.copy(run), pickle.loads(pickle.dumps(run))):
        np.testing.assert_array_equal(other["heat"][...], run["heat"][...])
