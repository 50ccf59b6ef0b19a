"""Runs in shards: merged, they are the file of one run; what is no shard of it is refused."""

import errno
import itertools
import json
import shutil
import signal

import pytest
from small_configs import PUMP, changed, swept

import trajsim
import trajsim.running.blocks
from trajsim.config import parse
from trajsim.ledger import Layout
from trajsim.running.merging import merge
from trajsim.running.run import RunError, StoppedError, simulate
from trajsim.store import Shard, StoreError, UnfinishedRun, open_run, verify
from trajsim.store.blocks import gaps
from trajsim.store.shards import shards_of

SWEEP = swept(PUMP, '"sites.2.drive.phase" = [0.0, 2.2, 3.0]')


def shards(config, run, total, numbers=None):
    """Simulate shards of a run; their folders."""
    made = [
        simulate(config, run, workers=1, shard=Shard(number, total)).path
        for number in numbers or range(1, total + 1)
    ]
    return made


def edited(folder, **entries):
    """Change entries of a shard's header, and bind its blocks to it; None takes one away."""
    run = open_run(folder)
    blocks = list(zip(run.unfinished.blocks(), list(run.blocks()), strict=True))
    header = {k: v for k, v in (run.header | entries).items() if v is not None}
    parts = UnfinishedRun(folder.with_suffix(""), header)
    parts.begin()
    for block, (_, _, columns) in blocks:
        parts.publish(columns, block.point, block.first, block.events)


@pytest.fixture
def cut(tmp_path):
    """Three shards of a small run: the file they are named after, and their folders."""
    run = tmp_path / "x.h5"
    return run, shards(parse(SWEEP), run, 3)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The same run on one machine."""
    path = tmp_path_factory.mktemp("whole") / "x.h5"
    simulate(parse(SWEEP), path)
    return path


# -- shares ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("points", [1, 3])
@pytest.mark.parametrize("trajectories", [1, 7, 60])
@pytest.mark.parametrize("total", [1, 2, 3, 7, 16])
def test_shares_cut_a_run_evenly_and_leave_nothing_out(points, trajectories, total):
    labels = {"bath": [], "drive": [], "site": []}
    layout = Layout("spins", points, trajectories, 1, 1, 1.0, [1.0] * points, labels, {})
    shares = [Shard(k, total).share(layout) for k in range(1, total + 1)]
    assert shares[0][0] == 0
    assert shares[-1][1] == points * trajectories
    assert all(one[1] == other[0] for one, other in itertools.pairwise(shares))
    sizes = {end - begin for begin, end in shares}
    assert max(sizes) - min(sizes) <= 1
    found = [set(_numbers(gaps([], layout, Shard(k, total)))) for k in range(1, total + 1)]
    every = set(itertools.product(range(points), range(trajectories)))
    assert set.union(*found) == every
    assert sum(map(len, found)) == len(every)


def _numbers(ranges):
    return [(point, k) for point, first, end in ranges for k in range(first, end)]


@pytest.mark.parametrize("text", ["3/16", "1/1", "16/16"])
def test_a_shard_is_written_as_it_is_read(text):
    assert str(Shard.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "3", "0/4", "5/4", "-1/4", "1/0", "1/4/2", "a/b", "1.0/2", "9" * 5000 + "/1", None]
)
def test_what_is_no_shard_is_refused(text, cli, config):
    with pytest.raises(ValueError, match="allowed: 1/N to N/N"):
        Shard.parse(text)
    if text is not None:
        result = cli("run", config(), f"--shard={text}")
        assert result.exit_code == 2
        assert "--shard" in result.stderr


# -- the same file ---------------------------------------------------------------------------------


@pytest.mark.parametrize("total", [1, 2, 5, 7])
@pytest.mark.parametrize("most", [8 << 20, 3000])
def test_merged_shards_are_the_file_of_one_run(tmp_path, monkeypatch, digest, whole, total, most):
    monkeypatch.setattr(trajsim.running.blocks, "MOST_BLOCK_BYTES", most)
    folders = shards(parse(SWEEP), tmp_path / "x.h5", total)
    assert len({*folders}) == total
    # As of the first to come, in any order.
    summary = merge(folders[::-1], tmp_path / "y.h5")
    assert digest(tmp_path / "y.h5") == digest(whole)
    assert (summary.path, summary.events) == (tmp_path / "y.h5", open_run(whole).events)
    assert verify(tmp_path / "y.h5") == []
    assert not (tmp_path / "y.h5.parts").exists()
    assert all(folder.is_dir() for folder in folders)


def test_shards_are_found_by_the_name_of_their_run(cut, cli, digest, whole):
    run, folders = cut
    assert shards_of(run) == folders
    assert shards_of(folders[1].with_suffix("")) == shards_of(folders[1]) == [folders[1]]
    result = cli("merge", run, "--json", "--remove")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["run"] == str(run)
    assert digest(run) == digest(whole)
    assert [path.name for path in run.parent.glob("x*")] == ["x.h5"]


def test_the_command_line_runs_merges_and_judges(config, cli, tmp_path, digest):
    path = config(changed(PUMP, ("ies = 60", "ies = 200")))
    assert cli("run", path, "-o", "whole.h5", "--json").exit_code == 0
    for number in (1, 2):
        result = cli("run", path, "--shard", f"{number}/2", "--json")
        assert result.exit_code == 0
        folder = f"runs/config.shard-{number}-of-2.h5.parts"
        assert json.loads(result.stdout)["run"] == folder
        assert "trajsim merge runs/config.h5" in result.stderr
    result = cli("merge", *sorted((tmp_path / "runs").iterdir()), "-o", "y.h5")
    assert result.exit_code == 0
    assert "check: " in result.stdout
    assert digest(tmp_path / "y.h5") == digest(tmp_path / "whole.h5")
    again = cli("merge", "runs/config.h5", "-o", "y.h5")
    assert (again.exit_code, "--force" in again.stderr) == (2, True)
    assert cli("merge", "runs/config.h5", "-o", "y.h5", "--force", "--json").exit_code == 0
    assert digest(tmp_path / "y.h5") == digest(tmp_path / "whole.h5")


def test_a_shard_says_what_it_is(cut, cli):
    _, folders = cut
    facts = json.loads(cli("info", folders[1], "--json").stdout)
    assert (facts["shard"], facts["finished"]) == ("2 of 3", True)
    assert cli("verify", folders[1]).exit_code == 0
    analysis = cli("analyze", folders[1], "--json")
    assert json.loads(analysis.stdout)["trajectories"] == 60
    assert "shard 2 of 3" in analysis.stderr
    assert "shard 2/3" in repr(trajsim.open(folders[1]))
    next(folders[1].glob("block-*")).unlink()
    assert cli("verify", folders[1]).exit_code == 1


def test_shards_of_a_reversed_run_are_named_after_it(config, cli):
    result = cli("run", config(), "--reverse", "--shard", "1/2", "--json")
    assert json.loads(result.stdout)["run"] == "runs/config-reverse.shard-1-of-2.h5.parts"


# -- stopped and resumed ---------------------------------------------------------------------------


def test_a_stopped_shard_is_resumed_and_merged_to_the_same_file(
    config, cli, tmp_path, monkeypatch, digest, whole
):
    monkeypatch.setattr(trajsim.running.blocks, "MOST_BLOCK_BYTES", 3000)
    path, publish, count = config(SWEEP), UnfinishedRun.publish, []

    def publish_two(*arguments):
        if len(count) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        count.append(1)
        return publish(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(UnfinishedRun, "publish", publish_two)
        stopped = cli("run", path, "-o", "x.h5", "--shard", "2/3", "--workers", "1")
    assert stopped.exit_code == 3
    command = stopped.stderr.strip().splitlines()[-1]
    assert "--shard 2/3" in command
    folder = tmp_path / "x.shard-2-of-3.h5.parts"
    assert json.loads(cli("info", folder, "--json").stdout)["finished"] is False
    assert cli("verify", folder).exit_code == 1
    for number in (1, 3):
        assert cli("run", path, "-o", "x.h5", "--shard", f"{number}/3").exit_code == 0
    refused = cli("merge", "x.h5")
    assert refused.exit_code == 2
    assert "shard 2 of 3 is missing or unfinished" in refused.stderr
    assert not (tmp_path / "x.h5").exists()
    resumed = cli(*command.split()[1:])
    assert resumed.exit_code == 0
    assert "resuming" in resumed.stderr
    assert cli("merge", "x.h5", "--json").exit_code == 0
    assert digest(tmp_path / "x.h5") == digest(whole)


def test_a_finished_shard_is_kept_and_resuming_it_is_no_error(config, cli, digest):
    path = config()
    assert cli("run", path, "-o", "x.h5", "--shard", "1/2").exit_code == 0
    again = cli("run", path, "-o", "x.h5", "--shard", "1/2")
    assert again.exit_code == 2
    assert "--resume" in again.stderr
    # So a whole array of jobs may be handed in again.
    assert cli("run", path, "-o", "x.h5", "--shard", "1/2", "--resume").exit_code == 0
    assert cli("run", path, "-o", "x.h5", "--shard", "1/2", "--force").exit_code == 0
    other = ("--resume", "--set", "ensemble.seed=1")
    assert cli("run", path, "-o", "x.h5", "--shard", "1/2", *other).exit_code == 2


def test_a_shard_is_not_resumed_as_another(cut, tmp_path):
    _, folders = cut
    folders[0].rename(tmp_path / "y.shard-2-of-3.h5.parts")
    with pytest.raises(RunError, match="shard differs"):
        simulate(parse(SWEEP), tmp_path / "y.h5", resume=True, shard=Shard(2, 3))


def test_a_shard_in_use_is_locked(cut):
    run, folders = cut
    other = UnfinishedRun(folders[0].with_suffix(""))
    other.lock()
    with pytest.raises(RunError, match="another run is writing"):
        simulate(parse(SWEEP), run, resume=True, shard=Shard(1, 3))
    # It is read all the same, but not deleted.
    heard = []
    merge([run], remove=True, say=heard.append)
    other.unlock()
    assert [path.is_dir() for path in folders] == [True, False, False]
    assert "stays" in heard[0]


def test_a_signal_while_merging_changes_nothing(cut, monkeypatch):
    run, folders = cut
    read = UnfinishedRun.read

    def read_and_signal(*arguments):
        signal.raise_signal(signal.SIGTERM)
        return read(*arguments)

    # The reader is a thread of its own: the signal comes to the main one.
    with monkeypatch.context() as patch:
        patch.setattr(UnfinishedRun, "read", read_and_signal)
        with pytest.raises(StoppedError):
            merge([run])
    assert sorted(run.parent.iterdir()) == folders


def test_more_shards_than_trajectories_are_refused(config, cli, tmp_path):
    result = cli("run", config(), "--shard", "3/61")
    assert result.exit_code == 2
    assert "allowed: 60 shards" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


# -- what is not all of one run --------------------------------------------------------------------


def refused(cli, *arguments):
    """What the program says of shards that it refuses to merge."""
    result = cli("merge", *arguments)
    assert result.exit_code == 2
    return result.stderr


def test_missing_shards_are_named(tmp_path, cli):
    shards(parse(SWEEP), tmp_path / "x.h5", 7, [1, 2, 4, 5, 6])
    assert "shards 3, 7 of 7 are missing or unfinished" in refused(cli, "x.h5")
    assert not (tmp_path / "x.h5").exists()
    assert not (tmp_path / "x.h5.parts").exists()


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("ensemble.seed=1", "seed"),
        ("baths.L.temperature=0.6", "temperature"),
        ("ensemble.trajectories=61", "trajectories"),
    ],
)
def test_shards_of_different_configs_are_refused(cut, cli, override, says):
    run, folders = cut
    shutil.rmtree(folders[1])
    shards(parse(SWEEP, overrides=[override]), run, 3, [2])
    said = refused(cli, run)
    assert "not of the same run" in said
    assert says in said


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({"version": "0.0.1"}, "version differs"),
        ({"libraries": {"numpy": "1.0"}}, "libraries differs"),
        ({"schema": 3}, "its schema is 3"),
        ({"shard": None}, "not a shard of one"),
        ({"shard": "4/3"}, "shard: found '4/3'"),
        ({"shard": [2, 3]}, "shard: found"),
        ({"shard": "2/4"}, "not cut into the same number"),
        ({"shard": "1/3"}, "both are shard 1/3"),
        ({"layout": {"kind": "spins"}}, "layout is damaged"),
        ({"resolved": {}}, "not of the same run"),
    ],
)
def test_shards_with_other_headers_are_refused(cut, cli, entries, says):
    run, folders = cut
    edited(folders[1], **entries)
    assert says in refused(cli, run)
    assert not run.exists()


def test_a_layout_that_the_config_does_not_make_is_refused(cut, cli):
    run, folders = cut
    layout = json.loads((folders[0] / "header.json").read_text())["layout"]
    for folder in folders:
        edited(folder, layout=layout | {"trajectories": 59})
    assert "not the one that its config makes" in refused(cli, run)


def test_shards_from_other_machines_are_merged_with_a_word(cut):
    run, folders = cut
    edited(folders[2], machine={"processor": "abacus", "system": "Linux"})
    heard = []
    merge([run], say=heard.append)
    assert "different kinds of machines" in heard[0]


@pytest.mark.parametrize("deed", ["flip", "cut", "delete", "link", "swap"])
def test_a_damaged_block_is_told_and_nothing_is_made(cut, cli, tmp_path, deed, digest, whole):
    run, folders = cut
    block, other = next(folders[1].glob("block-*")), next(folders[2].glob("block-*"))
    data = bytearray(block.read_bytes())
    if deed == "flip":
        data[-9] ^= 1
        block.write_bytes(data)
    elif deed == "cut":
        block.write_bytes(data[:-1])
    elif deed == "swap":
        block.write_bytes(other.read_bytes())
    else:
        block.unlink()
    if deed == "link":
        (tmp_path / "elsewhere").write_bytes(data)
        block.symlink_to(tmp_path / "elsewhere")
    said = refused(cli, run)
    assert block.name in said
    assert "--shard 2/3 --resume" in said
    assert sorted(run.parent.glob("x*")) == folders
    simulate(parse(SWEEP), run, resume=True, shard=Shard(2, 3))
    merge([run])
    assert digest(run) == digest(whole)


def test_a_block_of_another_shard_is_refused(cut, cli):
    run, folders = cut
    block = next(folders[0].glob("block-*"))
    shutil.copy(block, folders[1])
    with (folders[1] / "manifest.jsonl").open("ab") as file:
        file.write((folders[0] / "manifest.jsonl").read_bytes().split(b"\n")[0] + b"\n")
    assert f"{block.name} is of another run or shard" in refused(cli, run)
    shard = UnfinishedRun(folders[1].with_suffix(""))
    assert f"{block.name}: not of this run" in shard.resume()[0]
    assert shard.missing() == []
    merge([run])


def test_a_damaged_manifest_is_told(cut, cli):
    run, folders = cut
    (folders[1] / "manifest.jsonl").write_bytes(b"{}\n")
    assert f"{folders[1]}/manifest.jsonl:1: damaged line" in refused(cli, run)
    simulate(parse(SWEEP), run, resume=True, shard=Shard(2, 3))
    merge([run])


def test_what_is_no_folder_of_a_shard_is_refused(cut, cli, tmp_path, whole):
    _, folders = cut
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.parts").mkdir()
    (tmp_path / "file.shard-1-of-2.h5.parts").write_text("no folder")
    (tmp_path / "loop.parts").symlink_to(tmp_path / "loop.parts")
    for path, says in {
        "none.h5": "no shard of it is there",
        "file.h5": "no shard of it is there",
        "file.shard-1-of-2.h5.parts": "not the folder of a shard",
        whole: "not the folder of a shard",
        "empty": "not the folder of a shard",
        "empty.parts": "not that of an unfinished run",
        "loop.parts": "no shard of it is there",
        "": "",
    }.items():
        assert says in refused(cli, path, *folders, "-o", "y.h5")
    assert not (tmp_path / "y.h5").exists()


def test_shards_given_twice_count_once(cut, digest, whole, tmp_path):
    run, folders = cut
    (tmp_path / "link.parts").symlink_to(folders[0])
    merge([run, *folders, tmp_path / "link.parts"], tmp_path / "y.h5")
    assert digest(tmp_path / "y.h5") == digest(whole)


def test_shards_of_two_names_need_the_name_of_the_file(cut, cli, tmp_path, digest, whole):
    _, folders = cut
    moved = folders[0].rename(tmp_path / "y.shard-1-of-3.h5.parts")
    assert "-o" in refused(cli, moved, *folders[1:])
    merge([moved, *folders[1:]], tmp_path / "z.h5")
    assert digest(tmp_path / "z.h5") == digest(whole)


def test_an_unfinished_run_in_the_place_of_the_file_is_not_replaced(cut, cli, digest, whole):
    run, folders = cut
    shutil.copytree(folders[0], f"{run}.parts")
    before = sorted(run.parent.rglob("*"))
    assert "an unfinished run is there" in refused(cli, run)
    assert sorted(run.parent.rglob("*")) == before
    merge([run], force=True)
    assert digest(run) == digest(whole)
    assert not run.with_name("x.h5.parts").exists()


@pytest.mark.parametrize("output", [".", "folder", "file/x.h5", "x" * 300])
def test_an_output_that_cannot_be_a_file_is_refused(cut, cli, tmp_path, output):
    _, folders = cut
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))
    refused(cli, *folders, "-o", output)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["out.h5", "header.json", "../x.shard-1-of-3.h5"])
def test_a_shard_is_no_place_for_the_file_made_of_it(cut, cli, name):
    run, folders = cut
    before = {path: path.read_bytes() for path in run.parent.rglob("*") if path.is_file()}
    refused(cli, run, "-o", folders[0] / name, "--force", "--remove")
    assert {p: p.read_bytes() for p in run.parent.rglob("*") if p.is_file()} == before


def test_what_others_put_into_a_shard_stays(cut):
    run, folders = cut
    (folders[1] / "notes.txt").write_text("mine")
    heard = []
    merge([run], remove=True, say=heard.append)
    assert [path for path in folders if path.exists()] == [folders[1]]
    assert [path.name for path in folders[1].iterdir()] == ["notes.txt"]
    assert "notes.txt" in heard[0]


def test_a_full_disk_leaves_the_shards_as_they_were(cut, monkeypatch):
    run, folders = cut

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("trajsim.store.unfinished.write_all", full)
        with pytest.raises(StoreError, match="No space left"):
            merge([run])
    assert sorted(run.parent.iterdir()) == folders
    merge([run])
