"""Blocks on their way to the disk: memory used again, published while others are simulated."""

import errno
import io
import itertools
import random
import threading

import h5py
import numpy as np
import pytest
from small_configs import HALF_DRIVEN, PUMP, TRIANGLE, UNDRIVEN

import trajsim.running.blocks
from trajsim.config import parse
from trajsim.ledger import Layout
from trajsim.running.blocks import Simulator
from trajsim.running.engines.base import MOST_PUBLISHED_AT_ONCE
from trajsim.running.engines.pool import Threads
from trajsim.running.run import StoppedError, simulate
from trajsim.running.warmup import shipped
from trajsim.store import UnfinishedRun
from trajsim.store.memory import Journal, Memory

TEXTS = {
    "pump": PUMP,
    "triangle": TRIANGLE,
    "undriven": UNDRIVEN,
    "half driven": HALF_DRIVEN,
    **{
        name: shipped()[name].text
        for name in (
            "many spins, glauber-product",
            "two oscillators, hoh",
            "two oscillators, baoab",
        )
    },
}
PATIENCE = 60.0


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("ledger", ["rows_per_period=2", "periods_per_row=3"])
def test_the_ledger_does_not_depend_on_what_was_in_its_memory(
    tmp_path, monkeypatch, digest, text, ledger
):
    both = ["ledger.rows_per_period=1", "ledger.periods_per_row=1", f"ledger.{ledger}"]
    longer = ["ensemble.trajectories=150", "ensemble.periods=6", "ensemble.burn_in=1"]
    config = parse(text, overrides=[*both, *longer])
    simulate(config, tmp_path / "zeroed.h5")
    allocate = Layout.allocate

    def soiled(layout, count):
        columns = allocate(layout, count)
        for values in columns.values():
            values.fill(np.nan if values.dtype.kind == "f" else 77)
        return columns

    monkeypatch.setattr(Layout, "allocate", soiled)
    simulate(config, tmp_path / "soiled.h5")
    assert digest(tmp_path / "soiled.h5") == digest(tmp_path / "zeroed.h5")


def test_memory_of_ledgers_is_used_again(tmp_path, monkeypatch):
    monkeypatch.setattr(trajsim.running.blocks, "MOST_BLOCK_BYTES", 2500)
    allocate, publish, made, published = Layout.allocate, UnfinishedRun.publish, [], []
    monkeypatch.setattr(Layout, "allocate", lambda *a: made.append(a) or allocate(*a))
    monkeypatch.setattr(UnfinishedRun, "publish", lambda *a: published.append(a[3]) or publish(*a))
    simulate(parse(PUMP), tmp_path / "x.h5", workers=1)
    assert published == sorted(published)
    assert len(published) > 12
    # One to compile with, and what is in hand at once.
    assert len(made) <= 1 + 2 + MOST_PUBLISHED_AT_ONCE


def test_blocks_are_simulated_while_one_is_published(tmp_path, monkeypatch):
    monkeypatch.setattr(trajsim.running.blocks, "MOST_BLOCK_BYTES", 2500)
    begun, publish, simulate_block = (
        threading.Semaphore(0),
        UnfinishedRun.publish,
        Simulator.simulate,
    )
    overtaken = []

    def counted(*arguments):
        begun.release()
        return simulate_block(*arguments)

    def publish_late(*arguments):
        if not overtaken:
            # This block's own, and the next one's.
            overtaken.append(begun.acquire(timeout=PATIENCE) and begun.acquire(timeout=PATIENCE))
        return publish(*arguments)

    monkeypatch.setattr(Simulator, "simulate", counted)
    monkeypatch.setattr(UnfinishedRun, "publish", publish_late)
    simulate(parse(PUMP), tmp_path / "x.h5", workers=1)
    assert overtaken == [True]


def test_a_run_that_fails_waits_for_what_is_being_published(tmp_path, monkeypatch):
    monkeypatch.setattr(trajsim.running.blocks, "MOST_BLOCK_BYTES", 2500)
    publish, both, turns, ended = UnfinishedRun.publish, threading.Barrier(2), itertools.count(), []

    def publish_or_fail(*arguments):
        turn = next(turns)
        if turn < 2:
            both.wait(PATIENCE)
        if turn == 0:
            raise OSError(errno.EIO, "stopped here")
        ended.append(publish(*arguments))

    monkeypatch.setattr(UnfinishedRun, "publish", publish_or_fail)
    with pytest.raises(StoppedError, match="stopped here"):
        simulate(parse(PUMP), tmp_path / "x.h5", workers=2)
    # Those begun have come to their end, and no other begins.
    assert len(ended) == next(turns) - 1
    assert UnfinishedRun(tmp_path / "x.h5").blocks() == sorted(ended, key=lambda block: block.first)


def test_threads_do_things_in_the_order_in_which_they_come():
    threads, done, last = Threads(1), [], threading.Event()
    for k in range(100):
        threads.do(lambda k=k: done.append(k))
    threads.do(last.set)
    assert last.wait(PATIENCE)
    assert done == list(range(100))


def test_threads_begin_nothing_when_closed():
    threads, begun, go, done = Threads(2), threading.Semaphore(0), threading.Event(), []

    def work():
        begun.release()
        go.wait(PATIENCE)
        done.append(None)

    for _ in range(10):
        threads.do(work)
    assert begun.acquire(timeout=PATIENCE)
    assert begun.acquire(timeout=PATIENCE)
    threads.close(wait=False)
    go.set()
    threads.close(wait=True)
    assert len(done) == 2


@pytest.mark.parametrize("seed", range(20))
def test_a_file_in_memory_is_like_any_other(seed):
    chance, memory = random.Random(seed), Memory()
    for _ in range(3):
        memory.clear(chance.randrange(200))
        file = io.BytesIO()
        for _ in range(100):
            place, size = chance.randrange(300), chance.randrange(100)
            data = chance.randbytes(size)
            into = [bytearray(size), bytearray(size)]
            for one, other in (
                (memory.seek(place), file.seek(place)),
                (memory.write(memoryview(data)), file.write(data)),
                (memory.seek(-min(size, 5), 1), file.seek(-min(size, 5), 1)),
                (memory.read(7), file.read(7)),
                (memory.tell(), file.tell()),
                (memory.seek(0, 2), file.seek(0, 2)),
                (memory.seek(place // 2), file.seek(place // 2)),
                (memory.readinto(memoryview(into[0])), file.readinto(into[1])),
                (into[0], into[1]),
            ):
                assert one == other
            if chance.random() < 0.1:
                # A BytesIO does not grow when it is truncated beyond its end.
                end = min(place, len(file.getvalue()))
                assert memory.truncate(end) == file.truncate(end)
        with memory.image() as image:
            assert bytes(image) == file.getvalue()


def given_while_closed():
    """Threads closed while others give them tasks; how many came to be, and did what."""
    threads, done = Threads(3), []

    def give():
        for _ in range(5):
            threads.do(lambda: done.append(1))

    givers = [threading.Thread(target=give) for _ in range(4)]
    for giver in givers:
        giver.start()
    threads.close(wait=True)
    for giver in givers:
        giver.join()
    return len(threads._threads), len(done)


def test_threads_may_be_given_tasks_while_they_are_closed():
    for _ in range(200):
        threads, done = given_while_closed()
        assert threads <= 3
        assert done <= 20


def test_a_journal_replayed_is_the_file_that_was_written():
    journal, values = Journal(), np.arange(5000.0)
    with h5py.File(journal, "w") as file:
        file["a"] = values
        file.attrs["text"] = "x" * 3000
        file["a"][100:200] = -1.0
        file.create_dataset("b", data=values.astype("i4"), chunks=(100,))
        assert (file["a"][100:200] == -1.0).all()
    image = bytearray(journal.size)
    for at, piece in journal.pieces:
        image[at : at + len(piece)] = piece
    values[100:200] = -1.0
    with h5py.File(io.BytesIO(bytes(image[: journal.size])), "r") as file:
        assert (file["a"][...] == values).all()
        assert (file["b"][...] == np.arange(5000)).all()
        assert file.attrs["text"] == "x" * 3000
