"""The verbs that make runs and read them."""

import math
import shutil
from pathlib import Path

import pytest
from cli_answers import answer
from small_configs import PUMP, SHAPES, UNDRIVEN, changed, swept

from trajsim.running.run import StoppedError
from trajsim.store import UnfinishedRun

pytestmark = pytest.mark.usefixtures("quick_histograms")


# -- run, analyze, check ---------------------------------------------------------------------------


def test_run_prints_its_answer_last_and_nothing_else(config, cli):
    result = cli("run", config(), "-o", "x.h5", "--json")
    found = answer(result)
    assert set(found) == {"run", "wall_time", "simulated_periods", "events"}
    assert found["run"] == "x.h5"
    assert found["simulated_periods"] == 60 * (8 + 2)
    assert found["events"] > 0
    assert 0 < found["wall_time"] < 60
    assert "two driven spins" in result.stderr


def test_run_ends_with_averages_and_the_check(config, cli):
    result = cli("run", config(changed(PUMP, ("ies = 60", "ies = 4000"))))
    assert result.exit_code == 0
    assert "heat_rate.R" in result.stdout
    assert "check: sampled agrees with exact" in result.stdout
    assert "regime: " in result.stdout
    assert Path("runs/config.h5").exists()


def test_run_does_not_overwrite_without_force(config, cli, digest):
    path, output = config(), Path("x.h5")
    output.write_text("precious")
    result = cli("run", path, "-o", output)
    assert result.exit_code == 2
    assert "--force" in result.stderr
    assert output.read_text() == "precious"
    assert cli("run", path, "-o", output, "--force", "--json").exit_code == 0
    before = digest(output)
    assert cli("run", path, "-o", output, "--force", "--json").exit_code == 0
    assert digest(output) == before


def test_set_changes_the_run_and_is_kept_with_it(config, cli):
    assert cli("run", config(), "-o", "x.h5", "--set", "ensemble.seed=3").exit_code == 0
    facts = answer(cli("info", "x.h5", "--json"))
    assert (facts["seed"], facts["config"]) == ("3", PUMP)


def estimates(value):
    """Every {mean, stderr} below a value."""
    if isinstance(value, dict) and set(value) == {"mean", "stderr"}:
        return [value]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [estimate for v in inside for estimate in estimates(v)]


@pytest.mark.parametrize("shape", SHAPES)
def test_analyze_has_the_keys_of_exact_with_errors(config, cli, run_of, shape):
    sampled = answer(cli("analyze", run_of(shape), "--json"))
    exact = answer(cli("exact", config(SHAPES[shape]), "--json"))
    assert sampled["trajectories"] == 60
    assert sampled["time"] == 80.0
    assert sampled["first_law_residual"] < 1e-12
    assert len(sampled["points"]) == len(exact["points"])
    for a, e in zip(sampled["points"], exact["points"], strict=True):
        assert a["parameters"] == e["parameters"]
        for kind in ("heat_rate", "work_rate", "exclusive_work_rate", "flip_rate"):
            assert list(a.get(kind, {})) == list(e.get(kind, {}))
            assert len(estimates(a.get(kind, {}))) == len(e.get(kind, {}))
        assert set(e) - set(a) <= {"error"}
        assert isinstance(a["regime"], str)
    for estimate in estimates(sampled):
        assert math.isfinite(estimate["mean"])
        assert estimate["stderr"] >= 0


def test_a_quantity_that_does_not_exist_is_absent(config, cli, run_of):
    (exact,) = answer(cli("exact", config(UNDRIVEN), "--json"))["points"]
    (sampled,) = answer(cli("analyze", run_of("undriven"), "--json"))["points"]
    for point in (exact, sampled):
        for kind in ("work_rate", "exclusive_work_rate", "total_work_rate"):
            assert kind not in point or point[kind] == {}, kind


@pytest.mark.parametrize("shape", SHAPES)
def test_check_has_the_keys_of_the_contract(config, cli, shape):
    path = config(changed(SHAPES[shape], ("ies = 60", "ies = 1000")))
    assert cli("run", path, "-o", "x.h5", "--json").exit_code == 0
    result = cli("check", "x.h5", "--json")
    assert result.exit_code == 0
    found = answer(result)
    assert found["agrees"] is True
    assert found["threshold"] > 3.5
    for point in found["points"]:
        assert set(point) == {"parameters", "quantities"}
        for quantity in point["quantities"]:
            assert set(quantity) == {"name", "sampled", "stderr", "exact", "sigma", "rounding"}
        names = [quantity["name"] for quantity in point["quantities"]]
        assert len(set(names)) == len(names)
        assert {"heat_rate.L", "heat_rate.R", "flip_rate.1"} <= set(names)
    text = cli("check", "x.h5")
    assert text.exit_code == 0
    assert "agrees" in text.stdout


def test_tables_are_for_people_and_say_the_same(cli, run_of):
    text = cli("analyze", run_of("sweep")).stdout
    for words in ("sites.2.drive.phase = 2.2", "heat_rate.L", "60 trajectories", "regime: "):
        assert words in text


@pytest.fixture
def unfinished(config, cli, tmp_path, monkeypatch):
    """A folder of parts of a sweep in which the last point has hardly begun."""
    path = config(swept(changed(PUMP, ("ies = 60", "ies = 3000")), '"drive.period" = [10.0, 20.0]'))
    publish, blocks = UnfinishedRun.publish, []

    def publish_some(*arguments):
        if sum(blocks) > 4000:
            raise StoppedError("enough")
        blocks.append(len(arguments[1]["energy"]))
        return publish(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("trajsim.running.blocks.MOST_BLOCK_BYTES", 300_000)
        patch.setattr(UnfinishedRun, "publish", publish_some)
        assert cli("run", path, "-o", "x.h5", "--workers", 1).exit_code == 3
    return tmp_path / "x.h5.parts"


def test_an_unfinished_run_can_be_looked_at(cli, unfinished):
    for name in (unfinished, "x.h5.parts", "./x.h5.parts/"):
        found = answer(cli("analyze", name, "--json"))
        assert [p["parameters"] for p in found["points"]] == [
            {"drive.period": 10.0},
            {"drive.period": 20.0},
        ]
        assert found["points"][0]["trajectories"] == 3000
        assert 0 < found["trajectories"] < 3000
    assert cli("check", unfinished).exit_code == 0
    assert answer(cli("info", unfinished, "--json"))["finished"] is False
    hint = cli("analyze", "x.h5")
    assert hint.exit_code == 2
    assert "x.h5.parts" in hint.stderr


def test_an_unfinished_run_without_a_block_is_told(cli, unfinished):
    (unfinished / "manifest.jsonl").unlink()
    for verb in ("analyze", "check"):
        result = cli(verb, unfinished)
        assert result.exit_code == 2
        assert str(unfinished) in result.stderr


def test_a_damaged_block_of_an_unfinished_run_is_told(cli, unfinished):
    block = next(unfinished.glob("block-*.h5"))
    block.write_bytes(block.read_bytes()[:-1])
    for verb, status in (("analyze", 2), ("check", 2), ("verify", 1)):
        result = cli(verb, unfinished)
        assert result.exit_code == status
        assert block.name in result.stderr


def test_a_copy_under_another_name_is_still_the_same_run(cli, run_of, tmp_path):
    shutil.copy(run_of("pump"), tmp_path / "other name.data")
    before = cli("analyze", run_of("pump"), "--json").stdout
    assert cli("analyze", "other name.data", "--json").stdout == before


@pytest.mark.parametrize(
    "shape", ["pump", pytest.param("resolved", marks=pytest.mark.long), "sweep", "undriven"]
)
def test_plot_draws_a_run_and_a_config(config, cli, run_of, shape):
    config(SHAPES[shape], "x.toml")
    for source, folder in ((run_of(shape), "of run"), ("x.toml", "of config")):
        result = cli("plot", source, "-o", folder)
        assert result.exit_code == 0
        files = [Path(line) for line in result.stdout.splitlines()]
        assert {file.suffix for file in files} == {".png", ".pdf"}
        assert sorted(files) == sorted(Path(folder).iterdir())
        assert all(file.stat().st_size > 1000 for file in files)
