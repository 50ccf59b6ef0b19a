"""What several unit tests use: the command line in process and out of it, and finished runs."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import settings
from small_configs import PUMP, SHAPES

import trajsim.running.blocks
from trajsim.cli import main
from trajsim.comparison.counted import ExactFluctuations

settings.register_profile("unit", deadline=None, max_examples=300)
settings.load_profile("unit")

COMMAND = [sys.executable, "-c", "from trajsim.cli import main; main()"]


@pytest.fixture
def cli(tmp_path, monkeypatch) -> Callable[..., Result]:
    """The command line, in this process and in a folder of its own; it never shows a traceback."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: object) -> Result:
        result = CliRunner().invoke(main, [str(a) for a in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture
def start(tmp_path) -> Callable[..., subprocess.Popen]:
    """The command line in a process of its own, in the test's folder; killed if still there."""
    begun = []

    def begin(*arguments: object, **environment: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        begun.append(process)
        return process

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


@pytest.fixture
def config(tmp_path) -> Callable[..., Path]:
    """Writes a config's text into the test's folder."""

    def write(text: str = PUMP, name: str = "config.toml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def tiny_blocks(monkeypatch):
    """Blocks of a few trajectories."""
    monkeypatch.setattr(trajsim.running.blocks, "MOST_BLOCK_BYTES", 12_000)


@pytest.fixture(scope="session")
def run_of(tmp_path_factory) -> Callable[[str], Path]:
    """A finished run of one of SHAPES, made once; not to be changed."""
    made: dict[str, Path] = {}

    def run(shape: str) -> Path:
        if shape not in made:
            folder = tmp_path_factory.mktemp("runs")
            (folder / "config.toml").write_text(SHAPES[shape], encoding="utf-8")
            made[shape] = folder / "run.h5"
            arguments = ["run", str(folder / "config.toml"), "-o", str(made[shape]), "--json"]
            assert CliRunner().invoke(main, arguments).exit_code == 0
        return made[shape]

    return run


@pytest.fixture(scope="module")
def quick_histograms() -> Iterator[None]:
    """The sampled histograms in the place of exact ones, which are solved for in seconds each.

    Whether exact ones are right is asked in tests/physics and tests/ensemble.
    """

    def sampled(_exact, _observable, _windows, histogram):
        return histogram.counts / histogram.samples, np.zeros(len(histogram.counts))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ExactFluctuations, "probabilities", sampled)
        yield


@pytest.fixture
def digest() -> Callable[[Path], str]:
    """SHA-256 of a whole file."""
    return lambda path: hashlib.sha256(path.read_bytes()).hexdigest()
