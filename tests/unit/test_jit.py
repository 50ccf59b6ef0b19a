"""Compiled code is kept between runs, and never outlives the sources it came from."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import trajsim
from trajsim import jit

PACKAGE = Path(trajsim.__file__).parent


@pytest.fixture
def copied(tmp_path):
    """A copy of the package that may be edited."""
    return Path(
        shutil.copytree(PACKAGE, tmp_path / "trajsim", ignore=shutil.ignore_patterns("__pycache__"))
    )


SOURCES = sorted(
    path.relative_to(PACKAGE).as_posix()
    for place in ("simd", "models", "kernels", "exact")
    for path in (PACKAGE / place).rglob("*.py")
)


def test_the_digest_is_that_of_the_sources_wherever_they_are(copied):
    assert jit.source_digest(copied) == jit.source_digest()


@pytest.mark.parametrize("source", [*SOURCES, "jit.py", "elementary.py"])
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
    for source in ("cli.py", "run.py", "store/parts.py"):
        (copied / source).write_text("")
    (copied / "models" / "__pycache__").mkdir()
    (copied / "models" / "__pycache__" / "spins.cpython-311.pyc").write_bytes(b"x")
    assert jit.source_digest(copied) == before


def folder_with(monkeypatch, user_cache, temporary):
    """The cache folder chosen when these are the user's cache and the temporary folder."""
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_: user_cache)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return jit.cache_folder.__wrapped__()


def test_the_cache_is_in_the_users_cache_under_the_digest(tmp_path, monkeypatch):
    folder = folder_with(monkeypatch, tmp_path / "home" / "trajsim", tmp_path)
    assert folder.is_dir()
    assert folder.parent == tmp_path / "home" / "trajsim"
    assert jit.source_digest() in folder.name


def test_the_cache_falls_back_to_a_temporary_folder(tmp_path, monkeypatch):
    # A file in the way keeps even root from writing.
    (tmp_path / "home").touch()
    folder = folder_with(monkeypatch, tmp_path / "home" / "trajsim", tmp_path)
    assert folder == tmp_path / "trajsim" / folder.name
    assert folder.is_dir()
    assert jit.source_digest() in folder.name


def test_the_cache_falls_back_once_more_where_the_temporary_folder_is_taken(tmp_path, monkeypatch):
    (tmp_path / "home").touch()
    (tmp_path / "trajsim").touch()
    folder = folder_with(monkeypatch, tmp_path / "home" / "trajsim", tmp_path)
    assert folder.is_dir()
    assert folder.parent == tmp_path


def test_importing_leaves_the_users_numba_settings_alone():
    program = """
import numba
before = numba.config.CACHE_DIR
import trajsim.run
assert numba.config.CACHE_DIR == before, numba.config.CACHE_DIR
"""
    subprocess.run([sys.executable, "-c", program], check=True)


ONE_SPIN = """
import sys
import numpy as np
import trajsim
from trajsim.models import drive, spins
from trajsim.models.rate_laws import LAWS
assert trajsim.__file__.startswith(sys.argv[1])
one = spins.network(
    LAWS["heat-bath"](1.0), 1.0, [], [1.0], [0], drive.pack([0.0], [[(1, 0.0, 0.0)]]), [False]
)
"""
# A thousand flips are expected of 100 spins in 10 units of time.
SIMULATED = """
from trajsim.kernels import jump
from trajsim.ledger import Layout
from trajsim.plan import Plan
layout = Layout("spins", 1, 100, 10, 1, 1.0, [1.0], {"bath": ["b"], "drive": [], "site": ["s"]}, {})
walkers = jump.begin(one, jump.Start(jump.UP, np.ones(1)), 1, 0, 0, 100)
print(jump.advance(one, Plan(10, 0, 1, 1), walkers, jump.Rows(**layout.allocate(100)), 0, 10)[0])
"""
COMPUTED = """
print(round(1000 * spins.rate(one, 0.0, 1, 0, 0.0)))
"""


@pytest.mark.parametrize(
    ("variable", "program"),
    [("XDG_CACHE_HOME", SIMULATED), ("NUMBA_CACHE_DIR", COMPUTED)],
    ids=["own folder", "numba's folder"],
)
def test_an_edit_of_a_rate_law_takes_effect_though_its_caller_is_unchanged(
    copied, tmp_path, variable, program
):
    def flips():
        done = subprocess.run(
            [sys.executable, "-c", ONE_SPIN + program, str(tmp_path)],
            env={**os.environ, "PYTHONPATH": str(tmp_path), variable: str(tmp_path / "cache")},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert list((tmp_path / "cache").rglob("*.nbc")), "nothing was kept"
        return int(done.stdout)

    laws = copied / "models" / "rate_laws.py"
    before = flips()
    assert flips() == before
    text = laws.read_text()
    old = "return law.rate * (2.0 / (1.0 + exp(2.0 * (local + x))))"
    assert text.count(old) == 1
    laws.write_text(text.replace(old, old.replace("law.rate", "3.0 * law.rate")))
    after = flips()
    assert abs(before - 1000) < 200
    assert abs(after - 3000) < 400
