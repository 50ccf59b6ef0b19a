"""Files of runs: what netCDF readers see, and what is noticed of damage."""

import hashlib
import json
import shutil
import warnings

import h5py
import numpy as np
import pytest
import xarray
from small_configs import PUMP, SHAPES
from stored import unsound

from trajsim.store import verify

DIMS = {
    "heat": ("point", "trajectory", "row", "bath"),
    "work": ("point", "trajectory", "row", "drive"),
    "exclusive_work": ("point", "trajectory", "row", "drive"),
    "energy": ("point", "trajectory", "edge"),
    "flips": ("point", "trajectory", "row", "site"),
    "state": ("point", "trajectory", "edge", "site"),
}


DTYPES = {"flips": np.int32, "state": np.int8}


@pytest.fixture
def copy(run_of, tmp_path):
    """A finished run of the pump that may be damaged."""
    return shutil.copy(run_of("pump"), tmp_path / "copy.h5")


# -- structure -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_every_axis_of_every_array_has_its_own_attached_scale(run_of, shape):
    with h5py.File(run_of(shape)) as file:
        group = file["ledger"]
        for name, data in group.items():
            if data.is_scale:
                assert data.name.rsplit("/", 1)[1] == name
                assert data.ndim == 1
                continue
            attached = [[scale.name for scale in dim.values()] for dim in data.dims]
            assert all(len(scales) == 1 for scales in attached), name
            for (scale,), length in zip(attached, data.shape, strict=True):
                assert group[scale].shape == (length,), (name, scale)
            if name in DIMS:
                assert tuple(s.rsplit("/", 1)[1] for (s,) in attached) == DIMS[name]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_array_says_what_it_is_and_in_which_units(run_of, shape):
    with h5py.File(run_of(shape)) as file:
        assert set(DIMS) - set(file["ledger"]) == (
            {"work", "exclusive_work"} if shape == "undriven" else set()
        )
        for name, data in file["ledger"].items():
            assert data.attrs["units"], name
            assert data.attrs["long_name"], name
            if name in DIMS:
                assert data.dtype == DTYPES.get(name, np.float64)
                if data.dtype.kind == "f":
                    assert np.isnan(data.fillvalue)


def test_the_file_tells_where_it_comes_from(run_of):
    with h5py.File(run_of("pump")) as file:
        attributes = dict(file.attrs)
    assert attributes["Conventions"].startswith("CF-")
    assert attributes["program"] == "trajsim"
    assert attributes["config"] == PUMP
    assert json.loads(attributes["resolved"])["model"]["rate_law"] == "glauber-product"
    assert (attributes["seed"], attributes["rate_law"]) == ("2007", "glauber-product")
    assert {"numba", "numpy"} <= set(json.loads(attributes["libraries"]))
    assert json.loads(attributes["machine"])
    assert attributes["version"]
    assert not any(isinstance(value, bool | np.bool_) for value in attributes.values())


def opened(path, engine):
    """The ledger as xarray sees it; any warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # As numpy itself does: said of libraries compiled for another numpy, on import.
        warnings.filterwarnings("ignore", "numpy.ndarray size changed")
        with xarray.open_dataset(path, group="ledger", engine=engine) as dataset:
            return dataset.load()


engines = pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])


@engines
@pytest.mark.parametrize("shape", SHAPES)
def test_xarray_sees_the_ledger_that_was_written(run_of, shape, engine):
    dataset = opened(run_of(shape), engine)
    with h5py.File(run_of(shape)) as file:
        for name, dims in DIMS.items():
            if name not in file["ledger"]:
                assert name not in dataset
                continue
            assert dataset[name].dims == dims
            np.testing.assert_array_equal(dataset[name].values, file["ledger"][name][...])


@engines
def test_xarray_finds_labels_and_times(run_of, engine):
    dataset = opened(run_of("resolved"), engine)
    assert dataset["bath"].values.tolist() == ["L", "R"]
    assert dataset["drive"].values.tolist() == ["1", "2"]
    assert dataset["site"].values.tolist() == ["1", "2"]
    assert dataset["trajectory"].values.tolist() == list(range(60))
    assert dataset["row"].values.tolist() == list(range(32))
    assert dataset["time"].dims == ("edge",)
    np.testing.assert_allclose(dataset["time"], np.arange(33) * 2.5)
    assert "time" in dataset["energy"].coords
    assert float(dataset["heat"].sel(bath="L").sum()) != 0.0


@engines
def test_swept_values_are_a_coordinate_of_the_points(run_of, engine):
    dataset = opened(run_of("sweep"), engine)
    swept = dataset["heat"].coords["sites.2.drive.phase"]
    assert swept.dims == ("point",)
    assert swept.values.tolist() == [0.0, 2.2, 3.0]


@engines
def test_a_swept_period_gives_every_point_its_own_times(run_of, engine):
    dataset = opened(run_of("swept period"), engine)
    assert dataset["time"].dims == ("point", "edge")
    np.testing.assert_allclose(dataset["time"], np.outer([10.0, 20.0], np.arange(9)))
    assert dataset.coords["drive.period"].values.tolist() == [10.0, 20.0]
    assert dataset.coords["baths.L.temperature"].values.tolist() == [1.0, 2.0]


@engines
def test_an_undriven_run_has_no_work(run_of, engine):
    dataset = opened(run_of("undriven"), engine)
    assert "drive" not in dataset.dims
    assert set(dataset.data_vars) == {"heat", "energy", "flips", "state"}


@engines
def test_half_driven_runs_keep_work_of_the_driven_site_alone(run_of, engine):
    dataset = opened(run_of("half driven"), engine)
    assert dataset["drive"].values.tolist() == ["1"]
    assert dataset["work"].shape == (1, 60, 8, 1)


# -- verify --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_an_undamaged_run_is_sound(run_of, shape, cli):
    assert verify(run_of(shape)) == []
    assert cli("verify", run_of(shape)).exit_code == 0


@pytest.mark.parametrize("column", DIMS)
def test_a_flipped_byte_is_found_in_every_column(copy, cli, column):
    with h5py.File(copy) as file:
        data = file["ledger"][column]
        at = data.id.get_offset() + data.id.get_storage_size() // 2
    with open(copy, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    assert f"{column}: its SHA-256" in unsound(cli, copy)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", ["heat", "work", "exclusive_work", "energy"])
def test_what_is_not_finite_is_found_with_its_trajectory(copy, cli, column, value):
    with h5py.File(copy, "r+") as file:
        file["ledger"][column][0, 17, 3] = value
    assert f"{column}: not finite in trajectory 17 of point 0" in unsound(cli, copy)


def test_broken_books_are_found_even_with_a_matching_checksum(copy, cli):
    with h5py.File(copy, "r+") as file:
        heat = file["ledger/heat"]
        heat[0, 5, 2, 0] += 1e-6
        heat.attrs["sha256"] = hashlib.sha256(heat[...].tobytes()).hexdigest()
    told = unsound(cli, copy)
    assert "first law: residual 1e-06" in told
    assert "in trajectory 5 of point 0" in told
    assert "SHA-256" not in told


def test_a_checksum_that_was_taken_away_is_noticed(copy, cli):
    with h5py.File(copy, "r+") as file:
        del file["ledger/heat"].attrs["sha256"]
    assert "heat" in unsound(cli, copy)


@pytest.mark.parametrize("part", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_found(copy, cli, part):
    data = copy.read_bytes()
    copy.write_bytes(data[: int(part * len(data))])
    unsound(cli, copy)
    assert cli("analyze", copy).exit_code == 2


@pytest.mark.parametrize("data", [b"", b"x", b"\x89HDF\r\n\x1a\n"])
def test_what_is_no_hdf5_file_is_told(tmp_path, cli, data):
    path = tmp_path / "x.h5"
    path.write_bytes(data)
    assert "cannot be opened as HDF5" in unsound(cli, path)
    for verb in ("analyze", "check", "info"):
        assert cli(verb, path).exit_code == 2


def test_another_program_s_file_is_told(tmp_path, cli):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["heat"] = np.zeros(3)
    assert "not a run of trajsim" in unsound(cli, path)


@pytest.mark.parametrize("schema", [3, 0, "1.5", "one"])
def test_another_schema_is_told(copy, cli, schema):
    with h5py.File(copy, "r+") as file:
        file.attrs["schema"] = schema
    assert "schema" in unsound(cli, copy)
    assert cli("analyze", copy).exit_code == 2


@pytest.mark.parametrize("column", DIMS)
def test_a_missing_column_is_told(copy, cli, column):
    with h5py.File(copy, "r+") as file:
        del file["ledger"][column]
    assert f"no ledger/{column}" in unsound(cli, copy)
    assert cli("analyze", copy).exit_code == 2


def test_a_missing_group_is_told(copy, cli):
    with h5py.File(copy, "r+") as file:
        del file["ledger"]
    assert "no ledger in it" in unsound(cli, copy)


@pytest.mark.parametrize("column", DIMS)
def test_a_column_of_another_shape_or_type_is_told(copy, cli, column):
    with h5py.File(copy, "r+") as file:
        values = file["ledger"][column][...]
        del file["ledger"][column]
        file["ledger"][column] = values[:, 1:]
    assert f"ledger/{column} is " in unsound(cli, copy)
    with h5py.File(copy, "r+") as file:
        del file["ledger"][column]
        file["ledger"][column] = values.astype("f4")
    assert f"ledger/{column} is float32" in unsound(cli, copy)


def test_a_group_in_place_of_a_column_is_told(copy, cli):
    with h5py.File(copy, "r+") as file:
        del file["ledger/heat"]
        file.create_group("ledger/heat")
    assert "no ledger/heat" in unsound(cli, copy)


ATTRIBUTES = (
    *("config", "resolved", "seed", "title", "machine", "libraries", "version", "rate_law"),
    *("layout", "schema", "program"),
)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_missing_attribute_is_told_by_every_verb(copy, cli, name):
    with h5py.File(copy, "r+") as file:
        del file.attrs[name]
    assert name in unsound(cli, copy) or name in ("program", "layout")
    for verb in ("analyze", "check", "info"):
        assert cli(verb, copy).exit_code in (0, 2)


@pytest.mark.parametrize("value", ["", "{", "[]", "{}", "null", "3", '{"model": 3}'])
@pytest.mark.parametrize("name", ["resolved", "layout"])
def test_a_damaged_attribute_is_told_by_every_verb(copy, cli, name, value):
    with h5py.File(copy, "r+") as file:
        file.attrs[name] = value
    unsound(cli, copy)
    for verb in ("analyze", "check"):
        assert cli(verb, copy).exit_code == 2
    assert cli("info", copy).exit_code in (0, 2)


@pytest.mark.parametrize("title", ["[1, 2]", '{"a": 1}', "[draft] x", "zwölf Ω\nzwei", ""])
def test_a_title_is_given_back_as_it_was_written(config, cli, title):
    made = cli("run", config(), "-o", "x.h5", "--json", "--set", f"title={json.dumps(title)}")
    assert made.exit_code == 0
    assert json.loads(cli("info", "x.h5", "--json").stdout)["title"] == title


def test_a_bit_flipped_anywhere_outside_the_columns_is_told_without_a_traceback(copy, cli):
    data = bytearray(copy.read_bytes())
    inside = bytearray(len(data))
    with h5py.File(copy) as file:
        for column in file["ledger"].values():
            if column.id.get_offset() is not None:
                first, size = column.id.get_offset(), column.id.get_storage_size()
                inside[first : first + size] = b"x" * size
    places = [k for k, byte in enumerate(data) if byte and not inside[k]]
    raised = {}
    for k in places[:: len(places) // 120]:
        data[k] ^= 1 << (k % 8)
        copy.write_bytes(data)
        data[k] ^= 1 << (k % 8)
        for verb, statuses in (("verify", (0, 1)), ("info", (0, 2)), ("analyze", (0, 2))):
            try:
                status = cli(verb, copy).exit_code
                if status not in statuses:
                    raised[k, verb] = status
            except Exception as error:
                raised[k, verb] = f"{type(error).__name__}: {error}"
    assert raised == {}
