"""Runs that are being made: blocks published whole, taken up again, packed."""

import json
import shutil

import numpy as np
import pytest
from small_configs import TRIANGLE, changed
from stored import unsound

from trajsim.config import parse
from trajsim.ledger import SPINS
from trajsim.running.provenance import header_of, layout_of
from trajsim.store import StoreError, UnfinishedRun, open_run, verify

# -- blocks --------------------------------------------------------------------------------------


def columns_of(layout, count, seed):
    """Columns with recognisable numbers in them, whose books are right."""
    random = np.random.default_rng(seed)
    columns = layout.allocate(count)
    for name in ("heat", "work", "exclusive_work"):
        columns[name][...] = random.normal(size=columns[name].shape)
    energetics = columns["heat"].sum(axis=-1) + columns["work"].sum(axis=-1)
    columns["energy"][:, 1:] = np.cumsum(energetics, axis=1)
    columns["flips"][...] = random.integers(0, 9, size=columns["flips"].shape)
    columns["state"][...] = random.choice([-1, 1], size=columns["state"].shape)
    return columns


@pytest.fixture
def written(tmp_path):
    """A run with three blocks of a config, and what is in them."""
    made = parse(changed(TRIANGLE, ("trajectories = 50", "trajectories = 10")))
    layout = layout_of(made)
    parts = UnfinishedRun(tmp_path / "x.h5", header_of(made))
    parts.lock()
    parts.begin()
    blocks = {}
    # Blocks end in any order.
    for first, count in ((4, 3), (0, 4), (7, 3)):
        blocks[first] = columns_of(layout, count, first)
        parts.publish(blocks[first], 0, first, 100 + first)
    names = [column.name for column in layout.columns]
    yield parts, {k: np.concatenate([blocks[f][k] for f in (0, 4, 7)]) for k in names}
    parts.unlock()


def test_blocks_are_read_back_in_the_order_of_the_trajectories(written):
    parts, columns = written
    run = open_run(parts.folder)
    assert not run.finished
    assert run.events == 311
    assert [(p, first, len(c["heat"])) for p, first, c in run.blocks()] == [
        (0, 0, 4),
        (0, 4, 3),
        (0, 7, 3),
    ]
    for name in columns:
        np.testing.assert_array_equal(
            np.concatenate([c[name] for _, _, c in run.blocks()]), columns[name]
        )


def test_a_packed_file_holds_the_blocks_and_replaces_their_folder(written, tmp_path):
    parts, columns = written
    ticks = []
    parts.pack(ticks.append)
    assert sum(ticks) == 10
    assert [path.name for path in tmp_path.iterdir()] == ["x.h5"]
    run = open_run(tmp_path / "x.h5")
    assert (run.finished, run.events, verify(run.path)) == (True, 311, [])
    assert {c.name for c in SPINS if c.where != "heated"} == set(columns)
    ((_, _, read),) = run.blocks()
    for name in columns:
        np.testing.assert_array_equal(read[name], columns[name])


def whole_in_order(manifest):
    """Lines of a manifest by their first trajectory."""
    lines = manifest.splitlines(keepends=True)
    return b"".join(sorted(lines, key=lambda line: json.loads(line)["first"]))


def test_a_manifest_line_cut_short_does_not_count(written):
    parts, _ = written
    whole = parts.manifest.read_bytes()
    ends = [k for k, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(ends[1] + 1, len(whole)):
        parts.manifest.write_bytes(whole[:cut])
        assert [block.first for block in parts.blocks()] == [0, 4]
        assert len(list(open_run(parts.folder).blocks())) == 2
    # The third block is there, and tells its SHA-256 by its name.
    assert parts.resume() == ["resuming: 10 trajectories are done"]
    assert parts.missing() == []
    assert parts.manifest.read_bytes() == whole_in_order(whole)


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "gone", "folder"])
def test_a_damaged_block_is_struck_from_the_manifest(written, harm):
    parts, _ = written
    path = parts.folder / parts.blocks()[1].file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()
    if harm == "folder":
        path.mkdir()
    elif harm != "gone":
        path.write_bytes({"flip": data, "cut": data[:-1], "empty": b""}[harm])
    with pytest.raises(StoreError, match=path.name):
        parts.read(parts.blocks()[1], ["heat"])
    told = parts.resume()
    assert told[-2:] == [
        "1 damaged blocks will be simulated again",
        "resuming: 7 trajectories are done",
    ]
    assert parts.missing() == [(0, 4, 7)]
    assert [block.first for block in parts.blocks()] == [0, 7]


def test_a_block_without_a_manifest_line_is_harmless(written, tmp_path):
    parts, columns = written
    path = parts.folder / parts.blocks()[0].file
    shutil.copy(path, parts.folder / "block-00000-000000000005-9.h5")
    (parts.folder / ".block-00000-000000000000-4.h5.tmp").write_bytes(b"half a block")
    parts.resume()
    assert parts.missing() == []
    parts.pack()
    ((_, _, read),) = open_run(tmp_path / "x.h5").blocks()
    np.testing.assert_array_equal(read["heat"], columns["heat"])


def test_a_folder_with_a_gap_is_not_packed(written, tmp_path):
    parts, _ = written
    (parts.folder / parts.blocks()[1].file).unlink()
    parts.resume()
    with pytest.raises(StoreError, match="missing"):
        parts.pack()
    assert not (tmp_path / "x.h5").exists()


def test_a_block_damaged_after_it_was_listed_is_not_packed(written, tmp_path):
    parts, _ = written
    path = parts.folder / parts.blocks()[2].file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StoreError, match="SHA-256"):
        parts.pack()
    assert not (tmp_path / "x.h5").exists()
    assert parts.folder.exists()


@pytest.mark.parametrize(
    "line", ["x", "{}", "null", "[]", '{"file": "a"}', "\x00\x00", '{"file": 1, "x": 2}']
)
def test_a_damaged_line_within_the_manifest_is_told(written, cli, line):
    parts, _ = written
    lines = parts.manifest.read_text().splitlines(keepends=True)
    parts.manifest.write_text(lines[0] + line + "\n" + "".join(lines[1:]))
    for verb in ("analyze", "check", "info", "verify"):
        result = cli(verb, parts.folder)
        assert result.exit_code == (1 if verb == "verify" else 2)
        assert "manifest.jsonl:2: damaged line" in result.stderr


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"program": "trajsim"}', "\x00"])
def test_a_damaged_header_is_told(written, cli, text):
    parts, _ = written
    parts.header_file.write_text(text)
    for verb in ("analyze", "check", "info", "verify"):
        result = cli(verb, parts.folder)
        assert result.exit_code == (1 if verb == "verify" else 2)
        assert result.stderr


def test_an_unfinished_run_verifies_as_unfinished(written, cli):
    parts, _ = written
    assert verify(parts.folder) == ["the run is unfinished"]
    assert "unfinished" in unsound(cli, parts.folder)


def test_a_folder_that_is_no_run_and_a_run_that_is_not_there_are_told(written, tmp_path, cli):
    parts, _ = written
    for path, says in (
        (tmp_path, "not that of an unfinished run"),
        (tmp_path / "x.h5", "an unfinished run is in"),
        (tmp_path / "y.h5", "no such file"),
    ):
        result = cli("analyze", path)
        assert result.exit_code == 2
        assert says in result.stderr
    assert parts.exists()
