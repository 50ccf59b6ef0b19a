"""Where a run may be written, and what it does where there is too little room."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
from running import SWEEP, interrupted
from small_configs import HALF_DRIVEN, PUMP, changed, swept

import trajsim.running.blocks
import trajsim.running.provenance
import trajsim.running.run
from trajsim.config import load, parse
from trajsim.running.provenance import layout_of
from trajsim.running.run import RunError, StoppedError, simulate
from trajsim.store import UnfinishedRun, verify

# -- disks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 1, 2, 9, 10, 11, 12, 13])
def test_a_full_disk_stops_the_run_and_loses_nothing(
    config, cli, tmp_path, monkeypatch, tiny_blocks, digest, after
):
    """The disk fills up in the middle of the write number `after`: lock, header, blocks, lines."""
    path = config(SWEEP)
    simulate(load(path), tmp_path / "undisturbed.h5")
    write, count = os.write, 0

    def write_until_full(handle, data):
        nonlocal count
        count += 1
        if count > after + 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, data if count <= after else bytes(data)[: len(data) // 2])

    with monkeypatch.context() as patch:
        patch.setattr("trajsim.store.files.os.write", write_until_full)
        stopped = cli("run", path, "-o", "x.h5", "--workers", 1)
    assert "No space left on device" in stopped.stderr
    # Before the first block there is nothing to go on with.
    assert stopped.exit_code == (3 if after > 1 else 5)
    parts = UnfinishedRun(tmp_path / "x.h5")
    if after > 1:
        assert len(parts.blocks()) == (after - 2) // 2
        assert after < 4 or parts.manifest.read_bytes().endswith(b"\n")
    assert not list(parts.folder.glob(".*.tmp"))
    assert cli("run", path, "-o", "x.h5", "--resume", "--json").exit_code == 0
    assert digest(tmp_path / "x.h5") == digest(tmp_path / "undisturbed.h5")


Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def disk(monkeypatch):
    """Sets how many bytes the disk has for new files and what is in a folder of parts."""

    def size(capacity, folder):
        def usage(_):
            used = sum(p.stat().st_size for p in folder.iterdir()) if folder.exists() else 0
            return Usage(capacity, used, capacity - used)

        monkeypatch.setattr(shutil, "disk_usage", usage)

    return size


def test_an_ensemble_too_large_for_the_disk_is_refused(config, cli, tmp_path):
    free = shutil.disk_usage(tmp_path).free
    for trajectories in (free // 100, 10**12):
        result = cli(
            *("run", config(), "-o", "deep/er/x.h5"),
            *("--set", f"ensemble.trajectories={trajectories}"),
        )
        assert result.exit_code == 5
        assert "GB of disk" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_a_trajectory_too_long_for_memory_is_refused(config, cli, tmp_path):
    result = cli("run", config(), "-o", "x.h5", "--set", "ensemble.periods=10_000_000")
    assert result.exit_code == 2
    assert "periods_per_row" in result.stderr


def test_what_fits_the_disk_at_first_fits_it_when_resumed(tmp_path, monkeypatch, tiny_blocks, disk):
    config = parse(SWEEP)
    disk(2 * layout_of(config).total_bytes + (8 << 20), tmp_path / "x.h5.parts")
    interrupted(config, tmp_path / "x.h5", monkeypatch, 6)
    # The blocks that are done have taken some of the room they were promised.
    simulate(config, tmp_path / "x.h5", resume=True)
    assert verify(tmp_path / "x.h5") == []


def test_a_disk_filled_by_others_stops_the_packing_and_loses_nothing(tmp_path, monkeypatch, digest):
    config = parse(PUMP)
    simulate(config, tmp_path / "undisturbed.h5")
    with monkeypatch.context() as patch:
        patch.setattr("trajsim.store.unfinished.shutil.disk_usage", lambda _: Usage(1, 1, 0))
        patch.setattr(trajsim.running.run, "_expect_room", lambda *_: None)
        with pytest.raises(StoppedError, match="no space left"):
            simulate(config, tmp_path / "x.h5")
    assert not (tmp_path / "x.h5").exists()
    simulate(config, tmp_path / "x.h5", resume=True)
    assert digest(tmp_path / "x.h5") == digest(tmp_path / "undisturbed.h5")


# -- outputs in odd places -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "output",
    [
        "x.h5",
        "./x.h5",
        "a/b/c/x.h5",
        "with space/ünï.h5",
        "no_suffix",
        "x.parts.h5",
        ".x",
        "a/../x",
    ],
)
def test_outputs_may_be_anywhere(config, cli, tmp_path, output):
    assert cli("run", config(), "-o", output, "--json").exit_code == 0
    assert cli("verify", output).exit_code == 0
    assert cli("analyze", output).exit_code == 0
    assert not list(tmp_path.rglob("*.tmp"))


def test_the_default_output_is_named_after_the_config(config, cli, tmp_path):
    config(name="my system.toml")
    answer = json.loads(cli("run", "my system.toml", "--json").stdout)
    assert answer["run"] == "runs/my system.h5"
    assert (tmp_path / "runs" / "my system.h5").exists()


@pytest.mark.parametrize("output", [".", "..", "folder", "folder/", "folder/.", "file/x.h5"])
@pytest.mark.parametrize("options", [[], ["--force"], ["--resume"]], ids=["", "force", "resume"])
def test_an_output_that_cannot_be_a_file_is_refused_before_the_run(
    config, cli, tmp_path, output, options
):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    path = config()
    before = sorted(tmp_path.rglob("*"))
    assert cli("run", path, "-o", output, *options).exit_code == 2
    assert sorted(tmp_path.rglob("*")) == before


def test_a_device_is_not_replaced_by_a_run(config, cli, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert cli("run", config(), "-o", "pipe", "--force").exit_code == 2
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("output", ["x" * 250 + ".h5", "x" * 5000])
def test_a_name_too_long_for_the_disk_is_refused(config, cli, output):
    result = cli("run", config(), "-o", output)
    assert result.exit_code == 2
    assert "too long" in result.stderr


def test_what_is_in_the_place_of_the_parts_is_left_alone(config, cli, tmp_path):
    path = config()
    (tmp_path / "x.h5.parts").write_text("mine")
    assert cli("run", path, "-o", "x.h5").exit_code == 2
    assert (tmp_path / "x.h5.parts").read_text() == "mine"
    (tmp_path / "y.h5.parts").mkdir()
    (tmp_path / "y.h5.parts" / "notes.txt").write_text("mine")
    refused = cli("run", path, "-o", "y.h5", "--force")
    assert (refused.exit_code, "notes.txt" in refused.stderr) == (2, True)
    assert [p.name for p in (tmp_path / "y.h5.parts").iterdir()] == ["notes.txt"]


def test_what_others_put_into_the_folder_of_a_run_stays(tmp_path, monkeypatch, tiny_blocks):
    config = parse(PUMP)
    folder = interrupted(config, tmp_path / "x.h5", monkeypatch).folder
    (folder / "notes.txt").write_text("mine")
    (folder / "block-of-wood").mkdir()
    (folder / "block-of-wood" / "more.txt").write_text("mine")
    with pytest.raises(RunError, match="not only a run's"):
        simulate(config, tmp_path / "x.h5", force=True)
    heard = []
    simulate(config, tmp_path / "x.h5", resume=True, say=heard.append)
    assert verify(tmp_path / "x.h5") == []
    assert any(f"{folder}: stays: 'block-of-wood'" in message for message in heard)
    left = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    assert left == ["block-of-wood", "block-of-wood/more.txt", "notes.txt"]
    # And it is no unfinished run.
    assert not UnfinishedRun(tmp_path / "x.h5").exists()


# No heat bath law has a periodic state at this temperature.
FROZEN = changed(
    PUMP,
    ("glauber-product", "heat-bath"),
    ("temperature = 0.5 ", "temperature = 5e-4 "),
    ("0.499", "6e-4"),
    ('initial = "up"', 'initial = "periodic"'),
)


def test_what_cannot_be_run_deletes_nothing_and_leaves_nothing(
    config, cli, tmp_path, monkeypatch, tiny_blocks
):
    frozen = config(FROZEN)
    for options in ([], ["--resume"], ["--force"], ["--shard", "1/2"]):
        assert cli("run", frozen, "-o", "x.h5", *options).exit_code == 2
        assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]
    unfinished = interrupted(parse(PUMP), tmp_path / "x.h5", monkeypatch)
    shard = simulate(parse(PUMP), tmp_path / "y.h5", shard=trajsim.running.run.Shard(1, 2)).path
    kept = {path: path.read_bytes() for f in (unfinished.folder, shard) for path in f.iterdir()}
    for where in (["x.h5"], ["y.h5", "--shard", "1/2"]):
        result = cli("run", frozen, "-o", *where, "--force")
        assert (result.exit_code, "periodic state" in result.stderr) == (2, True)
    del kept[unfinished.folder / "lock"], kept[shard / "lock"]
    assert {path: path.read_bytes() for path in kept} == kept


def test_a_point_that_cannot_be_run_is_refused_before_another_run_is_deleted(
    config, cli, tmp_path, monkeypatch, tiny_blocks
):
    parts = interrupted(parse(PUMP), tmp_path / "x.h5", monkeypatch)
    last = config(swept(FROZEN, '"baths.L.temperature" = [1.0, 5e-4]'))
    assert cli("run", last, "-o", "x.h5", "--force").exit_code == 2
    assert len(parts.blocks()) == 2


@pytest.mark.parametrize("name", ["y.h5", "header.json", "manifest.jsonl"])
def test_a_run_is_not_written_among_the_files_of_another(
    config, cli, monkeypatch, tmp_path, tiny_blocks, name
):
    parts = interrupted(parse(PUMP), tmp_path / "x.h5", monkeypatch)
    before = sorted(parts.folder.iterdir())
    result = cli("run", config(), "-o", parts.folder / name, "--force")
    assert result.exit_code == 2
    (tmp_path / "link").symlink_to(parts.folder)
    assert cli("run", config(), "-o", Path("link") / name, "--force").exit_code == 2
    assert sorted(parts.folder.iterdir()) == before


# -- configs that only a run finds out -------------------------------------------------------------


def test_a_title_with_a_nul_in_it_does_not_lose_the_run(config, cli):
    path = config(changed(PUMP, ("two driven spins", "a\\u0000b")))
    assert cli("run", path, "-o", "x.h5").exit_code in (0, 2)


@pytest.mark.parametrize("key", ["amplitude", "phase", "offset"])
def test_a_sweep_over_the_field_of_an_undriven_site_is_refused_or_booked(
    config, start, cli, tmp_path, key
):
    path = config(
        changed(
            swept(HALF_DRIVEN, f'"sites.2.drive.{key}" = [0.0, 1.0]'),
            ("rate = 0.5", "rate = 5.0"),
            ("ies = 60", "ies = 2000"),
        )
    )
    # In a process of its own: a column too small could be written past its end.
    process = start("run", path, "-o", tmp_path / "x.h5", "--json")
    _, said = process.communicate(timeout=60)
    assert process.returncode in (0, 2), said
    if process.returncode == 0:
        assert cli("verify", "x.h5").exit_code == 0
        (first, _) = json.loads(cli("analyze", "x.h5", "--json").stdout)["points"]
        assert set(first["work_rate"]) == {"1", "2"}
        assert cli("check", "x.h5").exit_code == 0


# -- memory ----------------------------------------------------------------------------------------

# Not ru_maxrss: it is handed on from the process that forks, which is pytest with all it holds.
MEASURED = """
import sys
from trajsim.cli import main
try:
    main(sys.argv[1:])
finally:
    with open("/proc/self/status") as status:
        peak = next(line for line in status if line.startswith("VmHWM"))
    print(peak.split()[1], file=sys.stderr)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize(
    ("trajectories", "periods", "rate", "workers"),
    [(4_700_000, 1, 1e-2, 2), (12, 450_000, 1e-3, 8)],
    ids=["many short", "few long"],
)
def test_memory_stays_below_600_mb_though_the_ledger_would_not_fit_in_it(
    config, tmp_path, trajectories, periods, rate, workers
):
    path = config(
        changed(
            PUMP,
            ("rate = 0.5", f"rate = {rate}"),
            ("period = 10.0", "period = 1.0"),
            ("ies = 60", f"ies = {trajectories}"),
            ("\nperiods = 8", f"\nperiods = {periods}"),
        )
    )
    # A process that holds no ledger has 265 MB: libraries and compiled code.
    assert layout_of(load(path)).total_bytes > 350e6
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "run", path, "-o", "x.h5", "--workers", str(workers)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    (tmp_path / "x.h5").unlink(missing_ok=True)
    assert done.returncode == 0, done.stderr
    assert "check: " in done.stdout
    peak = int(done.stderr.split()[-1]) * 1024
    assert peak < 600e6, f"{peak / 1e6:.0f} MB"
