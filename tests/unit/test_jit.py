"""Compiled code is kept between runs, and never outlives the sources it came from."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from owners import as_root, others_folder

import trajsim
from trajsim.compiled import jit
from trajsim.system.folders import TemporaryFolder

PACKAGE = Path(trajsim.__file__).parent


@pytest.fixture
def copied(tmp_path):
    """A copy of the package that may be edited."""
    return Path(
        shutil.copytree(PACKAGE, tmp_path / "trajsim", ignore=shutil.ignore_patterns("__pycache__"))
    )


SOURCES = sorted(
    path.relative_to(PACKAGE).as_posix()
    for place in jit.COMPILED_PLACES
    for path in (PACKAGE / place).rglob("*.py")
)


def test_the_digest_is_that_of_the_sources_wherever_they_are(copied):
    assert jit.source_digest(copied) == jit.source_digest()


@pytest.mark.parametrize("source", SOURCES)
def test_the_digest_changes_with_every_source_of_compiled_code(copied, source):
    before = jit.source_digest(copied)
    (copied / source).write_bytes((copied / source).read_bytes() + b"\n")
    assert jit.source_digest(copied) != before


def test_the_digest_sees_new_and_renamed_and_deleted_sources(copied):
    digests = [jit.source_digest(copied)]
    (copied / "models" / "new.py").write_text("")
    digests.append(jit.source_digest(copied))
    (copied / "models" / "new.py").rename(copied / "models" / "other.py")
    digests.append(jit.source_digest(copied))
    (copied / "models" / "other.py").rename(copied / "kernels" / "other.py")
    digests.append(jit.source_digest(copied))
    (copied / "kernels" / "other.py").unlink()
    assert jit.source_digest(copied) == digests[0]
    assert len(set(digests)) == len(digests)


def test_the_digest_does_not_see_what_is_not_compiled(copied):
    before = jit.source_digest(copied)
    for source in ("cli/common.py", "running/run.py", "store/parts.py"):
        (copied / source).write_text("")
    (copied / "models" / "__pycache__").mkdir()
    (copied / "models" / "__pycache__" / "spins.cpython-311.pyc").write_bytes(b"x")
    assert jit.source_digest(copied) == before


def folder_with(monkeypatch, user_cache, temporary):
    """The cache folder chosen when these are the user's cache and the temporary folder."""
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_: user_cache)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(jit, "_not_kept", [])
    monkeypatch.setattr(jit, "_temporary_place", lambda: TemporaryFolder().path)
    return jit.cache_folder.__wrapped__()


def test_the_cache_is_in_the_users_cache_under_the_digest(tmp_path, monkeypatch):
    folder = folder_with(monkeypatch, tmp_path / "home" / "trajsim", tmp_path)
    assert folder.is_dir()
    assert folder.parent == tmp_path / "home" / "trajsim"
    assert jit.source_digest() in folder.name


def test_the_cache_falls_back_to_a_temporary_folder_of_this_process(tmp_path, monkeypatch):
    # A file in the way keeps even root from writing.
    (tmp_path / "home").touch()
    folder = folder_with(monkeypatch, tmp_path / "home" / "trajsim", tmp_path)
    assert folder.is_dir()
    assert folder.parent.parent == tmp_path
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert jit.source_digest() in folder.name
    assert "home" in jit.why_not_kept()


@as_root
def test_a_folder_that_was_chosen_is_used_if_it_is_no_other_users(tmp_path, monkeypatch):
    home, chosen = tmp_path / "home" / "trajsim", tmp_path / "chosen"
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_: home)
    chosen.mkdir()
    assert jit.cache_folder.__wrapped__(str(chosen)).parent == chosen
    others_folder(chosen)
    assert jit.cache_folder.__wrapped__(str(chosen)).parent == home


def test_no_cache_is_needed(tmp_path, monkeypatch):
    (tmp_path / "home").touch()
    assert folder_with(monkeypatch, tmp_path / "home" / "x", tmp_path / "none") is None
    assert jit.compiled(lambda x: x + 1.0)(1.0) == 2.0


def test_importing_leaves_the_users_numba_settings_alone():
    program = """
import numba
before = numba.config.CACHE_DIR
import trajsim.running.run
assert numba.config.CACHE_DIR == before, numba.config.CACHE_DIR
"""
    subprocess.run([sys.executable, "-c", program], check=True)


LIBRARY = """
import sys
import numpy as np
import trajsim
from trajsim.models import spins, waveform
from trajsim.models.rate_laws import LAWS
assert trajsim.__file__.startswith(sys.argv[1])
"""
NETWORK = """
one = spins.network(
    LAWS["heat-bath"](1.0), 1.0, [], [1.0], [0], waveform.pack([waveform.Waveform()]), [False]
)
"""
ONE_SPIN = LIBRARY + NETWORK
# A thousand flips are expected of 100 spins in 10 units of time.
SIMULATED = """
from trajsim.kernels import jump
from trajsim.ledger import Layout
from trajsim.plan import Plan
layout = Layout("spins", 1, 100, 10, 1, 1.0, [1.0], {"bath": ["b"], "drive": [], "site": ["s"]}, {})
replicas = jump.begin(one, jump.Start(jump.UP, np.ones(1)), 1, 0, 0, 100)
print(jump.advance(one, Plan(10, 0, 1, 1), replicas, jump.Rows(**layout.allocate(100)), 0, 10)[0])
"""
COMPUTED = """
print(round(1000 * spins.law_rates(one.law, np.zeros(1), np.zeros((1, 1)))[0, 0]))
"""


AT_A_SIGN = """
import pathlib, time
print("ready", file=sys.stderr, flush=True)
while not pathlib.Path("go").exists():
    time.sleep(0.001)
"""
# Three times the rates; waiting times three times as short.
LAW = (
    "models/rate_laws.py",
    "law.rate * (2.0 / (1.0 + exp(2.0 * (local + x))))",
    "3.0 * law.rate * (2.0 / (1.0 + exp(2.0 * (local + x))))",
)
WAITS = (
    "elementary.py",
    "k * LN2 - ((half - (s * (half + z * p) + k * LN2_REST)) - t)",
    "(k * LN2 - ((half - (s * (half + z * p) + k * LN2_REST)) - t)) / 3.0",
)


def begin(program, folder, **environment):
    """Start a program with the copy of the package in a folder."""
    return subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        env={**os.environ, "PYTHONPATH": str(folder), **environment},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def number(process):
    """What a program printed."""
    said, wrong = process.communicate()
    assert process.returncode == 0, wrong
    return int(said)


@pytest.mark.parametrize(
    ("variable", "program", "edit"),
    [
        pytest.param("XDG_CACHE_HOME", SIMULATED, LAW, marks=pytest.mark.long),
        pytest.param("XDG_CACHE_HOME", SIMULATED, WAITS, marks=pytest.mark.long),
        ("NUMBA_CACHE_DIR", COMPUTED, LAW),
    ],
    ids=["rate law", "logarithm", "rate law, numba's folder"],
)
def test_an_edit_takes_effect_though_its_caller_is_unchanged(
    copied, tmp_path, variable, program, edit
):
    def flips():
        cache = tmp_path / "cache"
        found = number(begin(ONE_SPIN + program, tmp_path, **{variable: str(cache)}))
        assert list(cache.rglob("*.nbc")), "nothing was kept"
        return found

    name, old, new = edit
    before = flips()
    assert flips() == before
    text = (copied / name).read_text()
    assert text.count(old) == 1
    (copied / name).write_text(text.replace(old, new))
    after = flips()
    assert abs(before - 1000) < 200
    assert abs(after - 3000) < 400


def test_processes_that_start_at_once_on_an_empty_cache_agree(copied, tmp_path):
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    program = LIBRARY + AT_A_SIGN + NETWORK + COMPUTED
    together = [begin(program, tmp_path, **cache) for _ in range(3)]
    for process in together:
        assert process.stderr.readline() == "ready\n"
    (tmp_path / "go").touch()
    found = [number(process) for process in together]
    assert found == [found[0]] * 3
    assert list((tmp_path / "cache").rglob("*.nbc"))
    assert number(begin(ONE_SPIN + COMPUTED, tmp_path, **cache)) == found[0]


def test_nothing_is_written_into_an_install_and_no_home_is_needed(copied, tmp_path):
    # Files in the way keep even root from writing.
    for folder in [copied, *(path for path in copied.rglob("*") if path.is_dir())]:
        (folder / "__pycache__").touch()
    (tmp_path / "home").touch()
    (tmp_path / "tmp").mkdir()
    before = sorted(copied.rglob("*"))
    nowhere = str(tmp_path / "home" / "x")
    places = {"HOME": nowhere, "XDG_CACHE_HOME": nowhere, "TMPDIR": str(tmp_path / "tmp")}
    found = [number(begin(ONE_SPIN + COMPUTED, tmp_path, **places)) for _ in range(2)]
    assert found[0] == found[1]
    assert sorted(copied.rglob("*")) == before
    # Nor is anything left where another user could wait for it.
    assert list((tmp_path / "tmp").iterdir()) == []


def test_compiled_code_of_other_sources_and_numbas_is_left_alone_while_in_use(
    copied, tmp_path, monkeypatch
):
    home = tmp_path / "home" / "trajsim"
    ours = folder_with(monkeypatch, home, tmp_path)
    kept = [home / "kernels-0123456789abcdef-numba-0.60.0", home / "something else"]
    stale = home / "kernels-fedcba9876543210-numba-0.60.0"
    for folder in [*kept, stale]:
        folder.mkdir()
        (folder / "kernel.nbi").write_bytes(b"anything")
    month = 31 * 86400
    for folder, age in (
        (kept[0], month - 2 * 86400),
        (kept[1], month),
        (stale, month),
        (ours, month),
    ):
        then = folder.stat().st_mtime - age
        os.utime(folder, (then, then))
    assert folder_with(monkeypatch, home, tmp_path) == ours
    assert sorted(home.iterdir()) == sorted([ours, *kept])
    assert all((folder / "kernel.nbi").read_bytes() == b"anything" for folder in kept)
