"""Compiled code is unpickled and run only where it is ours and as it was written."""

import hashlib
import math
import os
import pickle
import random
import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from owners import as_root, others_folder

import trajsim
from trajsim.compiled import jit

ROOT = Path(trajsim.__file__).parent.parent
POWER = """
import sys
from trajsim.compiled.elementary import exp
print(exp(0.5))
from trajsim.compiled.jit import why_not_kept
print(why_not_kept(), file=sys.stderr)
"""


def started(program, cache, **options):
    """What a program did whose compiled code is kept there."""
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def power(cache, **options):
    """What it prints, and what it says."""
    done = started(POWER, cache, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr.strip()


@pytest.fixture(scope="module")
def right(tmp_path_factory):
    """A cache with all that POWER compiles, and what it prints."""
    cache = tmp_path_factory.mktemp("right")
    printed, said = power(cache)
    assert said == ""
    assert float(printed) == pytest.approx(math.exp(0.5), rel=1e-15)
    assert files_of(cache)
    return cache, printed


def files_of(cache):
    return sorted(path for path in cache.rglob("*") if path.is_file())


def copied(right, tmp_path):
    """A copy of the cache that may be spoilt."""
    cache = tmp_path / "cache"
    folder = files_of(right[0])[0].parent
    there = cache / folder.relative_to(right[0])
    there.mkdir(parents=True)
    for file in files_of(right[0]):
        (there / file.name).write_bytes(file.read_bytes())
    return cache


# -- of another user -----------------------------------------------------------------------------


class Evil:
    """Runs code when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def poison(cache, mark):
    """Put in place of all compiled code what shows that it was unpickled, digest and all."""
    for file in files_of(cache):
        data = pickle.dumps(Evil(mark))
        digest = hashlib.sha256(file.name.encode() + b"\n" + data).digest()
        file.write_bytes(digest + data)


def opened(path):
    path.chmod(0o777)


@as_root
@pytest.mark.parametrize(("deed", "above"), [(others_folder, 0), (others_folder, 2), (opened, 1)])
def test_code_that_another_user_could_have_put_there_is_not_run(right, tmp_path, deed, above):
    cache, mark = copied(right, tmp_path), tmp_path / "ran"
    poison(cache, mark)
    deed([files_of(cache)[0].parent, *files_of(cache)[0].parents[1:]][above])
    printed, said = power(cache)
    assert printed == right[1]
    assert not mark.exists()
    assert "belongs to another user" in said or "can be written by other users" in said


def test_the_users_own_would_be_run(right, tmp_path):
    """The test above would notice."""
    cache = copied(right, tmp_path)
    poison(cache, tmp_path / "ran")
    power(cache)
    assert (tmp_path / "ran").exists()


@as_root
def test_where_nothing_can_be_kept_nothing_waits_in_the_folder_for_temporary_files(
    right, tmp_path, monkeypatch
):
    """Whatever another user makes in there beforehand is not looked at."""
    (tmp_path / "file").touch()
    shared, mark = tmp_path / "shared", tmp_path / "ran"
    name = files_of(right[0])[0].parent.name
    for theirs in (shared / "trajsim" / name, shared / name):
        theirs.mkdir(parents=True)
        for file in files_of(right[0]):
            (theirs / file.name).write_bytes(file.read_bytes())
    poison(shared, mark)
    for path in shared.rglob("*"):
        others_folder(path)
    shared.chmod(0o1777)
    monkeypatch.setenv("TMPDIR", str(shared))
    before = sorted(shared.rglob("*"))
    printed, said = power(tmp_path / "file")
    assert printed == right[1]
    assert "file" in said
    assert not mark.exists()
    assert sorted(shared.rglob("*")) == before


# -- damaged -------------------------------------------------------------------------------------


def number(x):
    return 3.0 * x - np.floor(x)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Calls `number` with new eyes: its value, and whether it was found compiled."""
    monkeypatch.setattr(jit, "cache_folder", lambda *_: tmp_path)
    monkeypatch.setattr(jit, "_not_kept", [])
    # What is made anew in this process need not have a source.
    monkeypatch.setattr(jit, "digest_of", lambda _: "")

    def call():
        function = jit.compiled(number)
        value = function(2.75)
        return value, sum(function.stats.cache_hits.values())

    assert call() == (6.25, 0)
    assert call() == (6.25, 1)
    return call


def damages(data):
    """A file of compiled code, damaged in many ways."""
    dice = random.Random(7)
    yield from (b"", data[:1], data[:32], data[: len(data) // 2], data[:-1], data + b"\0", data[1:])
    yield bytes(len(data))
    # Every place counts: the digest, the index of what it is, and the code.
    for place in [*range(0, 64, 7), *(dice.randrange(len(data)) for _ in range(25))]:
        yield data[:place] + bytes([data[place] ^ 1 << dice.randrange(8)]) + data[place + 1 :]


def test_damaged_code_is_compiled_anew(kept, tmp_path):
    (file,) = files_of(tmp_path)
    data = file.read_bytes()
    for damaged in damages(data):
        file.write_bytes(damaged)
        assert kept() == (6.25, 0)
        assert kept() == (6.25, 1)


def test_code_of_another_function_is_not_taken_for_it(kept, tmp_path):
    (file,) = files_of(tmp_path)

    def other(x):
        return 4.0 * x - np.floor(x)

    jit.compiled(other)(2.75)
    (another,) = set(files_of(tmp_path)) - {file}
    os.replace(another, file)
    assert kept() == (6.25, 0)


def test_what_cannot_be_read_is_compiled_anew(kept, tmp_path):
    (file,) = files_of(tmp_path)
    file.unlink()
    file.mkdir()
    assert kept() == (6.25, 0)
    file.rmdir()
    os.mkfifo(file)
    assert kept() == (6.25, 0)
    assert kept() == (6.25, 1)
    # Sound, but of a class that is no more.
    data = b"cnowhere\nNothing\n."
    file.write_bytes(hashlib.sha256(file.name.encode() + b"\n" + data).digest() + data)
    assert kept() == (6.25, 0)


def test_what_a_killed_process_was_writing_is_removed(kept, tmp_path):
    (file,) = files_of(tmp_path)
    (tmp_path / "unfinished-old").write_bytes(b"x")
    os.utime(tmp_path / "unfinished-old", (0, 0))
    (tmp_path / "unfinished-new").write_bytes(b"x")
    file.unlink()
    assert kept() == (6.25, 0)
    assert files_of(tmp_path) == sorted([file, tmp_path / "unfinished-new"])


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(n, marks=pytest.mark.long) for n in range(2, 30))]
)
def test_a_program_whose_compiled_code_is_damaged_says_the_same(right, tmp_path, seed):
    cache, dice = copied(right, tmp_path), random.Random(seed)
    for file in files_of(cache):
        data = bytearray(file.read_bytes())
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        file.write_bytes(data)
    assert power(cache) == (right[1], "")
    # Now it is as it was: every file is sound again.
    folder = files_of(right[0])[0].parent
    assert {f.name for f in files_of(cache)} == {f.name for f in folder.iterdir()}
    for file in files_of(cache):
        assert jit._read(file) is not None


# -- that cannot be written ----------------------------------------------------------------------


def limited():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))


def test_a_full_disk_ends_no_run(right, tmp_path):
    printed, said = power(tmp_path / "cache", preexec_fn=limited)
    assert printed == right[1]
    assert "File too large" in said
    assert files_of(tmp_path / "cache") == []


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 16 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "none", disk]
    mounted = False
    with suppress(OSError):
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    if not mounted:
        pytest.skip("cannot mount a file system")
    disk.chmod(0o755)
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_small_disk_and_one_that_is_only_read_end_no_run(right, small_disk):
    printed, said = power(small_disk)
    assert printed == right[1]
    assert "No space left on device" in said
    assert not list(small_disk.rglob("unfinished-*"))
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    printed, said = power(small_disk)
    assert printed == right[1]
    assert "Read-only file system" in said


def test_a_cache_that_is_complete_may_be_on_a_disk_that_is_only_read(right, small_disk):
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    assert power(small_disk) == (right[1], "")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert power(small_disk) == (right[1], "")


def test_a_warmup_that_keeps_nothing_says_so(config, cli, monkeypatch):
    monkeypatch.setattr(jit, "_not_kept", ["the disk is full"])
    monkeypatch.setattr("trajsim.running.warmup.warm_up", lambda _: None)
    warmed = cli("warmup", config())
    assert warmed.exit_code == 2
    assert warmed.stderr.endswith("compiled code is not kept: the disk is full\n")
