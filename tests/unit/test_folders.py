"""Folders that nobody else can write in or replace."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from owners import OTHER, as_root, others_folder

from trajsim.system.folders import NotOwnError, TemporaryFolder, own_folder


def test_a_folder_that_is_not_there_is_made_for_this_user_alone(tmp_path):
    before = os.umask(0)
    try:
        made = own_folder(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert made == tmp_path / "a" / "b"
    for folder in (made, made.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert own_folder(made) == made


def open_to_all(path):
    path.chmod(0o777)


def open_to_a_group(path):
    # Nobody's own group.
    os.chown(path, os.geteuid(), OTHER)
    path.chmod(0o770)


@as_root
@pytest.mark.parametrize("deed", [others_folder, open_to_all, open_to_a_group])
@pytest.mark.parametrize("place", ["a", "a/b", "a/b/c"])
def test_what_another_user_can_write_in_or_replace_is_refused(tmp_path, deed, place):
    path = own_folder(tmp_path / "a" / "b" / "c")
    deed(tmp_path / place)
    with pytest.raises(NotOwnError, match=f"{tmp_path / place} (belongs|can be written)"):
        own_folder(path)
    # Nor is anything made below it.
    with pytest.raises(NotOwnError):
        own_folder(tmp_path / place / "d" / "e")
    assert not (tmp_path / place / "d").exists()


@as_root
def test_in_a_folder_like_that_for_temporary_files_only_what_is_mine_counts(tmp_path):
    tmp_path.chmod(0o1777)
    assert own_folder(tmp_path / "mine").is_dir()
    (tmp_path / "theirs").mkdir()
    others_folder(tmp_path / "theirs")
    with pytest.raises(NotOwnError, match="theirs belongs to another user"):
        own_folder(tmp_path / "theirs" / "x")
    with pytest.raises(NotOwnError, match="can be written by other users"):
        own_folder(tmp_path)


@as_root
def test_a_link_counts_as_what_it_leads_to(tmp_path):
    (tmp_path / "theirs").mkdir()
    others_folder(tmp_path / "theirs")
    (tmp_path / "mine").mkdir()
    for name in ("mine", "theirs"):
        (tmp_path / f"to {name}").symlink_to(tmp_path / name)
    assert own_folder(tmp_path / "to mine" / "x") == tmp_path / "mine" / "x"
    with pytest.raises(NotOwnError):
        own_folder(tmp_path / "to theirs" / "x")


@pytest.mark.parametrize("path", ["file", "file/x", "link to nothing/x", "bad\0name", "x" * 300])
def test_what_is_no_folder_is_refused(tmp_path, path):
    (tmp_path / "file").touch()
    (tmp_path / "link to nothing").symlink_to("/proc/nothing")
    with pytest.raises(OSError, match=r".") as error:
        own_folder(tmp_path / path)
    assert "Traceback" not in str(error.value)


PROGRAM = """
import sys
from trajsim.system.folders import TemporaryFolder
folder = TemporaryFolder().path
(folder / "x").mkdir()
print(folder, flush=True)
sys.stdin.read()
"""


def begin(temporary):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, Path(process.stdout.readline().strip())


def test_a_temporary_folder_goes_with_its_process(tmp_path):
    process, folder = begin(tmp_path)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(tmp_path.iterdir()) == [folder]
    process.communicate("")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_when_the_next_one_begins(tmp_path, monkeypatch):
    alive, at_work = begin(tmp_path)
    killed, left = begin(tmp_path)
    killed.kill()
    killed.communicate()
    # Two more that are not locked: one is just being made, of the other nothing came.
    being_made, given_up = (tmp_path / f"new-{left.name}-{x}" for x in "ab")
    being_made.mkdir()
    given_up.mkdir()
    os.utime(given_up, (0, 0))
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "x").mkdir(parents=True)
    link = tmp_path / f"{left.name}-link"
    link.symlink_to(elsewhere)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mine = TemporaryFolder()
    assert {*tmp_path.iterdir()} == {at_work, mine.path, being_made, elsewhere, link}
    assert (elsewhere / "x").is_dir()
    assert (at_work / "x").is_dir()
    alive.communicate("")
    mine.delete()
    assert {*tmp_path.iterdir()} == {being_made, elsewhere, link}


@as_root
def test_what_another_user_left_stays(tmp_path, monkeypatch):
    theirs = tmp_path / f"trajsim-{os.geteuid()}-theirs"
    theirs.mkdir()
    others_folder(theirs)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    TemporaryFolder().delete()
    assert list(tmp_path.iterdir()) == [theirs]


def test_a_forked_process_does_not_delete_the_folder_of_its_parent(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mine = TemporaryFolder()
    child = os.fork()
    if not child:
        mine.delete()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert mine.path.is_dir()
    mine.delete()
    assert not mine.path.exists()
