"""Sampled and exact answers have the same names, at one point and over sweeps."""

import builtins
import importlib
import inspect
import pickle
import tomllib

import numpy as np
import pytest
from small_configs import PUMP, SHAPES, TRIANGLE, UNDRIVEN, swept

import trajsim
from trajsim.analysis.tables import PointList
from trajsim.output import some_of

KINDS = ("heat_rate", "work_rate", "exclusive_work_rate", "flip_rate")
GRID = swept(PUMP, '"sites.2.drive.phase" = [0.5, 1.5]', '"baths.L.temperature" = [0.7, 1.0, 1.3]')


@pytest.fixture(scope="module")
def grid():
    """Config, sampled and exact answers over two swept parameters."""
    config = trajsim.load(tomllib.loads(GRID))
    return config, trajsim.simulate(config).averages(), trajsim.exact(config)


@pytest.mark.parametrize("text", [PUMP, UNDRIVEN, TRIANGLE], ids=["driven", "free", "oscillators"])
def test_sampled_and_exact_answers_have_the_same_names(text):
    config = trajsim.load(tomllib.loads(text))
    (sampled,), exact = trajsim.simulate(config).averages(), trajsim.exact(config)
    assert sampled.rates.keys() == exact.rates.keys()
    for kind in KINDS:
        there, here = getattr(exact, kind), getattr(sampled, kind)
        assert list(there) == list(here)
        for label, value in there.items():
            mean, stderr = here[label]
            assert abs(mean - value) <= 6 * stderr + 1e-12
            assert sampled.rates[f"{kind}.{label}"] == here[label]
            assert exact.rates[f"{kind}.{label}"] == value
            assert type(value) is float
        with pytest.raises(KeyError, match="no 'X'; there are"):
            here["X"]
        with pytest.raises(KeyError, match="no 'X'; there are"):
            there["X"]
    assert exact.total_work_rate == pytest.approx(sum(exact.work_rate.values()), abs=1e-15)
    total = sum(e.mean for e in sampled.work_rate.values())
    assert sampled.total_work_rate.mean == pytest.approx(total, abs=1e-15)
    assert ("total_work_rate" in exact.rates) == bool(config.experiment.labels["drive"])
    assert sampled.parameters == exact.parameters == {}
    for answer in (sampled, exact):
        assert answer.of("heat") == answer.heat_rate
        with pytest.raises(KeyError, match="no kind 'heats'; there are heat, work"):
            answer.of("heats")


def test_a_regime_needs_no_temperatures(grid):
    config, sampled, exact = grid
    for point, a, e in zip(config.points, sampled, exact, strict=True):
        temperatures = point.experiment.temperatures
        assert a.regime == a.regime(temperatures)
        assert a.regime.name in (e.regime.name, "undecided")
        assert f"regime: {a.regime.name}" in repr(a)
        assert pickle.loads(pickle.dumps(a.regime)) == a.regime
    # At other temperatures it is another one.
    hot = next(a for a in sampled if a.parameters["baths.L.temperature"] == 1.3)
    assert hot.regime({"L": 1.0, "R": 1.0}).name == "transfer"
    assert hot.regime({"L": 1.0, "R": 1.0}) != hot.regime
    assert hot.regime_at({"L": 1.0, "R": 1.0}) == hot.regime({"L": 1.0, "R": 1.0})
    assert repr(hot.regime) == f"<regime: {hot.regime}>"


def test_a_regime_is_told_with_its_figure_of_merit():
    from trajsim.analysis.regimes import Regime

    assert str(Regime("pump", None, trajsim.Estimate(0.5573, 0.026))) == "pump, COP 0.557(26)"
    engine = Regime("engine", trajsim.Estimate(0.1, 0.01), None)
    assert str(engine) == "engine, efficiency 0.100(10)"
    assert str(Regime("heater", None, None)) == "heater"
    assert repr(engine) == "<regime: engine, efficiency 0.100(10)>"


def test_without_temperatures_there_is_no_regime():
    from trajsim.analysis.averages import averages

    (sampled,) = averages(trajsim.simulate(tomllib.loads(PUMP)))
    with pytest.raises(ValueError, match="temperatures of the baths are not known"):
        sampled.regime  # noqa: B018
    assert "regime" not in repr(sampled)


def test_exact_takes_a_sweep_and_gives_an_answer_a_point(grid):
    config, _, exact = grid
    assert isinstance(exact, PointList)
    assert [e.parameters for e in exact] == [p.parameters for p in config.points]
    for point, answer in zip(config.points, exact, strict=True):
        assert trajsim.exact(point).heat_rate == answer.heat_rate
    assert len({e.heat_rate["L"] for e in exact}) == len(exact)
    # A single answer where there is a single point.
    assert trajsim.exact(tomllib.loads(PUMP)).heat_rate["L"] != 0
    assert trajsim.exact(tomllib.loads(SHAPES["sweep"]))[0].heat_rate["L"] != 0


# -- tables ----------------------------------------------------------------------------------------


def test_a_frame_has_a_row_a_point_and_columns_of_mean_and_error(grid):
    _, sampled, exact = grid
    frame = sampled.to_pandas()
    assert frame.index.names == ["sites.2.drive.phase", "baths.L.temperature"]
    for a in sampled:
        row = frame.loc[tuple(a.parameters.values())]
        for name, (mean, stderr) in a.rates.items():
            assert (row[name, "mean"], row[name, "stderr"]) == (mean, stderr)
    plain = exact.to_pandas()
    assert plain.index.equals(frame.index)
    assert list(plain.columns) == list(frame.xs("mean", axis=1, level=1).columns)
    assert list(plain["heat_rate.R"]) == [e.heat_rate["R"] for e in exact]


def test_the_index_of_a_frame_is_what_is_swept():
    one = trajsim.simulate(tomllib.loads(SHAPES["sweep"])).averages()
    frame = one.to_pandas()
    (key,) = one[0].parameters
    assert frame.index.name == key
    assert list(frame.index) == [a.parameters[key] for a in one]
    none = trajsim.simulate(tomllib.loads(PUMP)).averages().to_pandas()
    assert (none.index.name, list(none.index)) == ("point", [0])
    assert len(PointList().to_pandas()) == 0


def test_a_dataset_has_the_dimensions_of_the_ledger(grid):
    _, sampled, exact = grid
    data, plain = sampled.to_xarray(), exact.to_xarray()
    assert data.heat_rate.dims == ("point", "bath")
    assert data.flip_rate_stderr.dims == ("point", "site")
    assert list(data.drive.values) == list(sampled[0].work_rate)
    assert float(data.heat_rate.sel(bath="R")[3]) == sampled[3].heat_rate["R"].mean
    assert float(data.total_work_rate_stderr[5]) == sampled[5].total_work_rate.stderr
    assert "heat_rate_stderr" not in plain
    assert list(plain.work_rate.sel(drive="1").values) == [e.work_rate["1"] for e in exact]
    square = plain.set_index(point=list(exact[0].parameters)).unstack()
    there = square.heat_rate.sel({"bath": "L", "sites.2.drive.phase": 1.5})
    assert there.shape == (3,)
    np.testing.assert_array_equal(there, [e.heat_rate["L"] for e in exact[3:]])
    assert len(PointList().to_xarray()) == 0


@pytest.mark.parametrize("library", ["pandas", "xarray"])
def test_a_library_that_is_not_there_is_named_with_its_extra(library, grid, monkeypatch):
    def missing(name, *rest):
        if name.partition(".")[0] == library:
            raise ImportError(name)
        return original(name, *rest)

    original = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=rf"pip install 'trajsim\[{library}\]'"):
        getattr(grid[1], f"to_{library}")()


def test_the_list_of_averages_is_a_list(grid):
    _, sampled, _ = grid
    assert isinstance(sampled, list)
    assert sampled[0] is next(iter(sampled))
    again = pickle.loads(pickle.dumps(sampled))
    assert repr(again) == repr(sampled)
    assert type(again) is PointList


# -- errors ----------------------------------------------------------------------------------------


def test_all_errors_have_one_base():
    import ast
    from pathlib import Path

    package, found = Path(trajsim.__file__).parent, {}
    for path in sorted(package.rglob("*.py")):
        name = ".".join(("trajsim", *path.relative_to(package).with_suffix("").parts))
        names = [
            node.name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ClassDef) and node.name.endswith("Error")
        ]
        for error in names:
            found[error] = getattr(importlib.import_module(name.removesuffix(".__init__")), error)
    assert len(found) > 12
    assert [n for n, error in found.items() if not issubclass(error, trajsim.TrajsimError)] == []
    # What was caught as one of Python's own errors still is.
    for name in ("ConfigError", "NoExactSideError", "CannotCheckError", "PluginError"):
        assert issubclass(found[name], ValueError), name


def test_errors_that_users_meet_are_at_hand(tmp_path):
    exported = {name for name in trajsim.__all__ if inspect.isclass(getattr(trajsim, name))}
    errors = {name for name in exported if issubclass(getattr(trajsim, name), Exception)}
    assert errors == {
        *("TrajsimError", "ConfigError", "RunError", "StoppedError", "StoreError", "TraceError"),
        *("NoExactSideError", "CannotCheckError", "ExploreError", "PluginError", "WindowError"),
    }
    with pytest.raises(trajsim.TrajsimError):
        trajsim.load({"nothing": 1})
    with pytest.raises(trajsim.StoreError):
        trajsim.open(tmp_path / "nothing.h5")


def test_many_labels_are_told_by_their_ends():
    assert some_of(["a", "b"]) == "['a', 'b']"
    assert some_of([str(k) for k in range(64)]) == "64 from '0', '1' to '63'"
