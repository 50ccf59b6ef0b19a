"""A run in memory is the run on disk: made without a file, saved as the same one."""

import builtins
import os
import pickle
import tempfile
import tomllib

import numpy as np
import pytest
from small_configs import PUMP, SHAPES, TRIANGLE

import trajsim
from trajsim.config import parse
from trajsim.running import in_memory
from trajsim.running.provenance import header_of
from trajsim.store import StoreError, wrong_with
from trajsim.store.blocks import block_with_file
from trajsim.store.in_memory import MemoryRun
from trajsim.store.memory import Memory

TEXTS = {
    "spins": PUMP,
    "sweep": SHAPES["swept period"],
    "oscillators": TRIANGLE,
    "undriven": SHAPES["undriven"],
}


@pytest.fixture(scope="module")
def run():
    """A run in memory."""
    return trajsim.simulate(tomllib.loads(PUMP))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_is_saved_is_the_file_that_a_run_writes(text, tmp_path):
    config = trajsim.load(tomllib.loads(text))
    run = trajsim.simulate(config, workers=2)
    path = run.save(tmp_path / "new" / "saved.h5")
    trajsim.simulate(config, tmp_path / "run.h5", workers=1)
    assert path.read_bytes() == (tmp_path / "run.h5").read_bytes()
    assert run.verify() == trajsim.open(path).verify() == []
    assert os.listdir(path.parent) == ["saved.h5"]
    # So is a run of a file that is saved once more.
    again = trajsim.open(path).save(str(tmp_path / "again.h5"))
    assert again.read_bytes() == path.read_bytes()


def test_nothing_is_written_while_it_is_made(monkeypatch, run):
    opened = []

    def look(path, flags, *rest, **more):
        opened.append((path, flags)) if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) else None
        return open_(path, flags, *rest, **more)

    def look_too(path, mode="r", *rest, **more):
        opened.append((path, mode)) if set(mode) & set("wax+") else None
        return builtin(path, mode, *rest, **more)

    open_, builtin = os.open, builtins.open
    monkeypatch.setattr(os, "open", look)
    monkeypatch.setattr(builtins, "open", look_too)
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    made = trajsim.simulate(tomllib.loads(PUMP))
    assert opened == []
    np.testing.assert_array_equal(made["heat"][...], run["heat"][...])


def test_it_is_pickled_and_answers_the_same(run):
    other = pickle.loads(pickle.dumps(run))
    assert repr(other) == repr(run)
    assert repr(other.averages()) == repr(run.averages())
    assert other.image == run.image
    assert other.verify() == []


def test_what_is_wrong_in_memory_is_told(run):
    from dataclasses import replace

    with run.file() as file:
        at = file["ledger/heat"].id.get_offset()
    broken = bytearray(run.image)
    broken[at] ^= 1
    wrong = replace(run, image=bytes(broken)).verify()
    assert any("heat" in sentence for sentence in wrong)
    assert wrong_with(run) == []


def test_what_save_may_not_replace_is_refused(run, config, tmp_path, monkeypatch):
    path = run.save(tmp_path / "run.h5")
    before = path.read_bytes()
    other = trajsim.simulate(tomllib.loads(TEXTS["undriven"]))
    with pytest.raises(trajsim.RunError, match="exists; force=True replaces it"):
        other.save(path)
    assert path.read_bytes() == before
    other.save(path, force=True)
    assert path.read_bytes() == other.image
    for name, says in [
        (config(PUMP), "holds a config"),
        (tmp_path / "x.h5.parts", "ending of the folders of unfinished runs"),
        (tmp_path / "run.h5" / "x.h5", "cannot be written"),
    ]:
        with pytest.raises(trajsim.RunError, match=says):
            run.save(name, force=True)

    import trajsim.running.run as running

    monkeypatch.setattr(running, "pack_with_bar", lambda *_: [])
    with pytest.raises(StoreError):
        trajsim.simulate(config(PUMP), tmp_path / "half.h5")
    with pytest.raises(trajsim.RunError, match="an unfinished run is there"):
        run.save(tmp_path / "half.h5", force=True)
    with pytest.raises(StoreError, match="unfinished; it becomes a file when it is resumed"):
        trajsim.open(tmp_path / "half.h5.parts").save(tmp_path / "new.h5")
    assert not (tmp_path / "new.h5").exists()


def test_a_ledger_larger_than_memory_is_refused(monkeypatch):
    monkeypatch.setattr(in_memory, "BYTES_A_BYTE", 1e12)
    with pytest.raises(trajsim.RunError, match=r"in memory, the run needs .* GB, of which"):
        trajsim.simulate(tomllib.loads(PUMP))
    long = {"ensemble.periods": 10**8, "ledger.periods_per_row": 1}
    with pytest.raises(trajsim.RunError, match=r"raise ledger\.periods_per_row"):
        trajsim.simulate(trajsim.load(tomllib.loads(PUMP), long))


def test_what_cannot_be_run_is_told():
    stopped = trajsim.load(tomllib.loads(PUMP))
    with pytest.raises(trajsim.RunError, match="--engine"):
        trajsim.simulate(stopped, engine="nothing")


# -- blocks ----------------------------------------------------------------------------------------


@pytest.fixture
def kept():
    """A run in memory, without blocks so far."""
    return MemoryRun(header_of(parse(PUMP)))


def test_a_block_in_memory_is_a_copy(kept):
    columns = kept.layout.allocate(3)
    columns["heat"][...] = 1.0
    block = kept.publish(columns, 0, 5, 7)
    columns["heat"][...] = 2.0
    assert (block.point, block.first, block.end, block.events) == (0, 5, 8, 7)
    assert np.all(kept.read(block, ["heat"])["heat"] == 1.0)


def test_a_block_made_elsewhere_is_the_one_asked_for(kept):
    columns = kept.layout.allocate(3)
    for values in columns.values():
        values[...] = 1
    block, image = block_with_file(Memory(), columns, 0, 5, 7, kept.run_id)
    assert kept.adopt(block.file, image, 0, 5, 3) == block
    for name, values in kept.read(block, list(columns)).items():
        np.testing.assert_array_equal(values, columns[name])
    with pytest.raises(StoreError, match="not the block of 3 trajectories that was asked for"):
        kept.adopt(block.file, image, 0, 4, 3)
    foreign, other = block_with_file(Memory(), columns, 0, 5, 7, "another run")
    with pytest.raises(StoreError, match="another run"):
        kept.adopt(foreign.file, other, 0, 5, 3)
