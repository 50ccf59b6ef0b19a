"""Flipped bits and pieces of other runs: told, or without any effect on what is read."""

import hashlib
import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from small_configs import PUMP, changed, swept

from trajsim.analysis.averages import averages
from trajsim.config import parse
from trajsim.running.merging import merge
from trajsim.running.run import RunError, StoppedError, simulate
from trajsim.store import Shard, StoreError, open_run, verify

pytestmark = pytest.mark.usefixtures("quick_histograms")

CONFIG = swept(
    changed(PUMP, ("ies = 60", "ies = 12"), ("rows_per_period = 1", "rows_per_period = 2")),
    '"sites.2.drive.phase" = [0.0, 2.2]',
)
CHANCE = np.random.default_rng(13)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished run."""
    path = tmp_path_factory.mktemp("whole") / "x.h5"
    simulate(parse(CONFIG), path, workers=1)
    return path


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory):
    """The folder of the same run, a shard of one, which lacks its second and last block."""
    output = tmp_path_factory.mktemp("unfinished") / "x.h5"
    folder = simulate(parse(CONFIG), output, workers=1, shard=Shard(1, 1)).path
    (lost,) = folder.glob("block-00001-*")
    lost.unlink()
    manifest = folder / "manifest.jsonl"
    lines = manifest.read_text().splitlines(keepends=True)
    (kept,) = [line for line in lines if lost.name not in line]
    manifest.write_text(kept)
    return folder


def flips(data, count, places=None):
    """Copies of bytes with one bit flipped, at so many places, and the places."""
    places = np.arange(len(data)) if places is None else np.flatnonzero(places)
    for at in sorted(CHANCE.choice(places, min(count, len(places)), replace=False)):
        bit = int(CHANCE.integers(8))
        yield f"byte {at}, bit {bit}", data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def shown(path):
    """All that a reader of HDF5 sees of the ledger: values, types, dimensions, attributes."""

    def attributes(item):
        skip = ("DIMENSION_LIST", "REFERENCE_LIST")
        return {name: repr(item.attrs[name]) for name in item.attrs if name not in skip}

    with h5py.File(path) as file:
        return {"": attributes(file), "ledger": attributes(file["ledger"])} | {
            name: (
                data[()].tobytes() if data.dtype != object else data[()].tolist(),
                str(data.dtype),
                data.shape,
                attributes(data),
                [[file[ref].name for ref in refs] for refs in data.attrs.get("DIMENSION_LIST", ())],
            )
            for name, data in file["ledger"].items()
        }


def averaged(path):
    """Averages, to the last bit; None if they are refused."""
    try:
        return [(a.parameters, a.quantities, a.trajectories) for a in averages(open_run(path))]
    except StoreError as error:
        return None if path.name in str(error) else str(error)


def in_columns(path):
    """Which bytes of a file are those of columns."""
    inside = np.zeros(path.stat().st_size, bool)
    with h5py.File(path) as file:
        for data in file["ledger"].values():
            if "sha256" in data.attrs:
                inside[data.id.get_offset() :][: data.id.get_storage_size()] = True
    return inside


@pytest.mark.parametrize(
    ("where", "places"),
    [("columns", 60), ("frame", 250), pytest.param("columns", 600, marks=pytest.mark.long)],
)
def test_a_bit_flipped_in_a_finished_file_is_told_or_changes_nothing(
    whole, tmp_path, where, places
):
    path = tmp_path / "x.h5"
    inside, right = in_columns(whole), averaged(whole)
    assert not verify(whole)
    seen, told, silent = shown(whole), 0, []
    for place, data in flips(whole.read_bytes(), places, inside if where == "columns" else ~inside):
        path.write_bytes(data)
        if averaged(path) not in (None, right):
            silent.append(("averages", place))
        try:
            sound = not verify(path)
        except StoreError:
            sound = False
        told += not sound
        if sound and shown(path) != seen:
            silent.append(("verify", place))
    assert silent == []
    assert told == places


def with_attribute(name, attribute, value):
    def edit(ledger):
        (ledger[name] if name else ledger).attrs[attribute] = value

    return edit


def with_values(name, change):
    def edit(ledger):
        ledger[name][...] = change(ledger[name][...])

    return edit


def renamed(ledger):
    ledger.move("row", "line")


def swapped_scales(ledger):
    heat = ledger["heat"]
    heat.dims[3].detach_scale(ledger["bath"])
    heat.dims[3].attach_scale(ledger["site"])


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("time", with_values("time", lambda time: time * 1.5)),
        ("trajectory", with_values("trajectory", lambda numbers: numbers + 1)),
        ("bath", with_values("bath", lambda names: names[::-1])),
        ("sites.2.drive.phase", with_values("sites.2.drive.phase", lambda x: x + 1e-12)),
        ("heat", with_attribute("heat", "units", "work")),
        ("energy", with_attribute("energy", "long_name", "energy of the bath")),
        ("time", with_attribute("time", "units", "s")),
        ("flips", with_attribute("flips", "scale_factor", 2.0)),
        ("heat", with_attribute("heat", "coordinates", "row")),
        ("ledger", with_attribute("", "title", "another")),
        ("heat", swapped_scales),
        ("row", renamed),
        ("line", renamed),
        ("more", lambda ledger: ledger.create_dataset("more", data=np.zeros(3))),
        ("time", lambda ledger: ledger.pop("time")),
    ],
)
def test_what_else_a_reader_sees_is_verified_too(whole, tmp_path, cli, name, edit):
    path = shutil.copy(whole, tmp_path / "x.h5")
    with h5py.File(path, "r+") as file:
        edit(file["ledger"])
    result = cli("verify", path)
    assert result.exit_code == 1
    assert f"{name}: " in result.stderr


@pytest.mark.parametrize("column", ["heat", "work", "energy"])
@pytest.mark.parametrize("bit", [61, 57, 52])
def test_a_flipped_exponent_is_told_by_what_reads_rows(whole, tmp_path, cli, column, bit):
    path = shutil.copy(whole, tmp_path / "x.h5")
    with h5py.File(path, "r+") as file:
        values = file["ledger"][column][...]
        of_one = values[1, 7].view(np.uint64).reshape(-1)
        of_one[np.abs(values[1, 7]).argmax()] ^= np.uint64(1 << bit)
        file["ledger"][column][...] = values
        # As a program may write it that has gone wrong: digests fit.
        file["ledger"][column].attrs["sha256"] = hashlib.sha256(values.tobytes()).hexdigest()
    for verb in ("analyze", "plot") if bit == 52 else ("analyze",):
        result = cli(verb, path)
        assert (result.exit_code, result.stdout) == (2, "")
        assert str(path) in result.stderr
        assert "in trajectory 7 of point 1" in result.stderr
    # Judged as it stands, where there are enough events to judge anything.
    judged = cli("check", path)
    assert judged.exit_code in (1, 2)
    said = judged.stdout if judged.exit_code == 1 else judged.stderr
    assert f"{path}: " in said
    assert "in trajectory 7 of point 1" in said
    assert ("DISAGREES" in judged.stdout) == (judged.exit_code == 1)


@pytest.mark.parametrize("column", ["exclusive_work", "flips", "state", "heat"])
def test_what_the_first_law_does_not_tell_is_told_by_the_digest(whole, tmp_path, cli, column):
    path = shutil.copy(whole, tmp_path / "x.h5")
    with h5py.File(path, "r+") as file:
        values = file["ledger"][column]
        values[0, 3, 2] = {"state": -values[0, 3, 2], "flips": 7}.get(
            column, np.nextafter(values[0, 3, 2], np.inf)
        )
    result = cli("analyze", path)
    assert result.exit_code == 2
    assert f"{path}: {column}: its SHA-256 is not the one written with it" in result.stderr


def test_a_file_of_the_schema_before_is_read_and_says_what_it_cannot_prove(whole, tmp_path, cli):
    path = shutil.copy(whole, tmp_path / "x.h5")
    with h5py.File(path, "r+") as file:
        del file.attrs["digests"], file.attrs["header_sha256"]
        file.attrs["schema"] = 1
        told = {k: v.item() if isinstance(v, np.generic) else v for k, v in file.attrs.items()}
        text = json.dumps(told, sort_keys=True)
        file.attrs["header_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    assert averaged(path) == averaged(whole)
    result = cli("verify", path)
    assert (result.exit_code, result.stdout) == (0, f"{path}: sound\n")
    assert "labels" in result.stderr
    assert cli("verify", whole).stderr == ""
    # The digests cannot be taken off a file of this schema.
    with h5py.File(path, "r+") as file:
        file.attrs["schema"] = 2
        text = json.dumps({**told, "schema": 2}, sort_keys=True)
        file.attrs["header_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    assert "no digests" in cli("verify", path).stderr


# -- unfinished runs -------------------------------------------------------------------------------


@pytest.fixture
def folder(unfinished, tmp_path):
    """A copy of the unfinished run."""
    return Path(shutil.copytree(unfinished, tmp_path / unfinished.name))


def resumed(folder, heard=None):
    """Averages of the run when it is taken up; None if it is refused by name."""
    say = [].append if heard is None else heard.append
    output = folder.parent / "x.h5"
    try:
        simulate(parse(CONFIG), output, workers=1, resume=True, shard=Shard(1, 1), say=say)
        merge([folder], folder.parent / "y.h5", force=True)
    except (RunError, StoppedError, StoreError) as error:
        return None if folder.name in str(error) else str(error)
    return averaged(folder.parent / "y.h5")


@pytest.mark.parametrize("places", [60, pytest.param(600, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", ["header.json", "manifest.jsonl", "block-*.h5"])
def test_a_bit_flipped_in_an_unfinished_run_is_told_or_simulated_anew(
    whole, unfinished, folder, name, places
):
    right, partly, silent, told = averaged(whole), averaged(folder), [], 0
    path = sorted(folder.glob(name))[0]
    for number, (place, data) in enumerate(flips(path.read_bytes(), places)):
        path.write_bytes(data)
        found = averaged(folder)
        told += found is None
        # A last line that is cut short does not count: then there are no trajectories.
        if found not in (None, partly) and not (name == "manifest.jsonl" and found == []):
            silent.append(("averages", place))
        if number % 10 == 0:
            found = resumed(folder)
            if found != right and not (name == "header.json" and found is None):
                silent.append(("resumed", place))
            shutil.rmtree(folder)
            shutil.copytree(unfinished, folder)
    assert silent == []
    assert told > 0.6 * (number + 1)


@pytest.mark.parametrize("entry", ["coupling", "temperature", "seed", "title", "machine"])
def test_an_altered_header_is_refused_by_name(folder, cli, entry):
    path = folder / "header.json"
    text = path.read_text()
    at = text.index(f'"{entry}": ') + len(entry) + 4
    digit = next(k for k in range(at, len(text)) if text[k].isalnum())
    path.write_text(text[:digit] + chr(ord(text[digit]) ^ 1) + text[digit + 1 :])
    assert resumed(folder) is None
    for verb, status in (("analyze", 2), ("verify", 1), ("merge", 2)):
        result = cli(verb, folder)
        assert result.exit_code == status
        assert f"{path}: damaged" in result.stderr


def of_another_seed(folder):
    """A block of another seed, which the folder lacks, and its line."""
    other = parse(CONFIG, overrides=["ensemble.seed=8"])
    made = simulate(other, folder.parent / "other.h5", workers=1, shard=Shard(1, 1)).path
    (block,) = made.glob("block-00001-*")
    lines = (made / "manifest.jsonl").read_text().splitlines(keepends=True)
    return block, next(line for line in lines if block.name in line)


def test_a_block_of_another_run_is_left_aside(whole, folder):
    block, _ = of_another_seed(folder)
    copied = shutil.copy(block, folder)
    heard = []
    assert resumed(folder, heard) == averaged(whole)
    assert any(f"{copied}: not of this run" in message for message in heard)
    # It is not this run's to delete.
    merge([folder], folder.parent / "y.h5", force=True, remove=True, say=heard.append)
    assert [path.name for path in folder.iterdir()] == [block.name]
    assert "stays" in heard[-1]


def test_a_line_of_another_run_is_refused(whole, folder, cli):
    block, line = of_another_seed(folder)
    shutil.copy(block, folder)
    manifest = folder / "manifest.jsonl"
    manifest.write_text(manifest.read_text() + line)
    for verb in ("analyze", "merge"):
        result = cli(verb, folder)
        assert result.exit_code == 2
        assert f"{block.name} is of another run" in result.stderr
    assert resumed(folder) == averaged(whole)


def test_a_block_is_bound_to_its_run_and_not_only_its_line(whole, folder, cli):
    """The line says that it is of this run; the block does not."""
    block, line = of_another_seed(folder)
    shutil.copy(block, folder)
    run = json.loads((folder / "header.json").read_text())["header_sha256"]
    manifest = folder / "manifest.jsonl"
    manifest.write_text(manifest.read_text() + json.dumps({**json.loads(line), "run": run}) + "\n")
    result = cli("merge", folder)
    assert (result.exit_code, block.name in result.stderr) == (2, True)
    assert averaged(folder) is None
    assert resumed(folder) == averaged(whole)
