"""The benchmarks run and write what the results page is made of. How fast is nobody's test."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPTS = (
    "spins",
    "waveforms",
    "networks",
    "oscillators",
    "overdamped",
    "scaling",
    "whole_program",
    "packages",
)


# Those that compile a dozen kernels take minutes.
SHORT = ("spins", "oscillators")


def marked(script, *more):
    return pytest.param(script, *more, marks=[] if script in SHORT else [pytest.mark.long])


def run(script, *options):
    command = [sys.executable, str(BENCHMARKS / f"{script}.py"), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """Output and results of a script's quick run, made once."""
    made = {}

    def make(script):
        if script not in made:
            path = tmp_path_factory.mktemp(script) / "results.json"
            found = run(script, "--quick", "--json", path)
            assert found.returncode == 0, found.stderr
            made[script] = found.stdout, json.loads(path.read_text())
        return made[script]

    return make


@pytest.mark.parametrize("script", [marked(script) for script in SCRIPTS])
def test_a_quick_run_prints_tables_and_writes_results(script, quick):
    printed, results = quick(script)
    assert "-----" in printed
    assert results["benchmark"] == script
    assert results["command"] == f"python benchmarks/{script}.py --quick"
    assert {"processor", "cores", "system", "compiler", "libraries"} <= set(results["machine"])


def test_results_are_replaced_only_if_asked_for(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    common = importlib.import_module("common")
    monkeypatch.setattr(common, "RESULTS", tmp_path)
    for words in ([], ["--quick"], ["--json", str(tmp_path / "other" / "x.json")], ["--save"]):
        monkeypatch.setattr(sys, "argv", ["x.py", *words])
        assert not list(tmp_path.glob("*.json"))
        common.save("x", common.arguments(""), {})
    assert json.loads((tmp_path / "x.json").read_text())["command"] == "python benchmarks/x.py"
    assert (tmp_path / "other" / "x.json").exists()


def test_the_results_page_shows_the_results():
    found = run("report", "--check")
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize(
    ("script", "key"),
    [marked("spins", "points"), marked("networks", "cases"), marked("oscillators", "cases")],
)
def test_contenders_keep_the_first_law_and_agree_with_the_exact_ensemble(script, key, quick):
    for result in quick(script)[1][key].values():
        for name, contender in result["contenders"].items():
            assert contender["first_law_residual"] < 1e-12, name
            # Few trajectories, seeds fixed: it finds a wrong rate or scheme, not the last percent.
            assert contender["furthest"] < 6.0, name
