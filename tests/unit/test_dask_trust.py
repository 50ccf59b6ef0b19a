"""Whom the engine dask talks to: on this machine to nobody else, elsewhere to schedulers only."""

import asyncio
import http.client
import os
import signal
import socket
import struct
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from waiting import processes_of, wait_until

from trajsim.running.engines import places
from trajsim.running.engines.places import Local

distributed = pytest.importorskip("distributed")
connect = pytest.importorskip("distributed.comm.core").connect
pytest.importorskip("cryptography")


@pytest.fixture
def deadline():
    """Ends a test that waits for ever."""

    def late(*_):
        raise AssertionError("waits for ever")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(100)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


# -- on this machine -------------------------------------------------------------------------------


def listening(pids):
    """Addresses at which processes listen, as (hexadecimal host, port)."""
    inodes = set()
    for pid in pids:
        for handle in Path(f"/proc/{pid}/fd").glob("*"):
            with suppress(OSError):
                inodes.add(os.readlink(handle))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                host, port = fields[1].split(":")
                found.add((host, int(port, 16)))
    return found


@pytest.fixture(scope="module")
def local():
    """A worker of this machine, its client, and where all that is listens."""
    before = listening([os.getpid()])
    place = Local(1)
    client = place.connect()
    client.wait_for_workers(1, timeout=120)
    yield place, client, listening([os.getpid(), *processes_of(place._process.pid)]) - before
    client.close(timeout=5)
    folder = place._folder.path
    place.close()
    assert not folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processes_of_this_machine_listen_on_loopback_only(local):
    _, _, found = local
    # Scheduler, nanny and worker.
    assert len(found) >= 3
    assert {host for host, _ in found} == {"0100007F"}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nobody_without_the_certificate_of_the_run_gets_in(local, deadline):
    _, client, found = local
    theirs = distributed.Security.temporary().get_connection_args("client")
    # They do for those who have it.
    assert client.submit(os.getpid).result(60) > 0
    for _, port in found:
        for scheme, arguments in (("tcp", {}), ("tls", theirs)):
            with pytest.raises((OSError, RuntimeError, asyncio.TimeoutError)):
                asyncio.run(asyncio.wait_for(talk(f"{scheme}://127.0.0.1:{port}", arguments), 2))


async def talk(address, arguments):
    comm = await connect(address, 2, **arguments)
    await comm.write({"op": "identity", "reply": True})
    return await comm.read()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    "page", ["/health", "/info/main/workers.html", "/json/counts.json", "/metrics"]
)
def test_nothing_is_told_by_http(local, page):
    _, _, found = local
    for _, port in found:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", page)
            assert connection.getresponse().status == 404
        connection.close()


def test_the_key_is_for_nobody_else(local):
    place, _, _ = local
    key = place._folder.path / "key.pem"
    assert key.read_text().startswith("-----BEGIN PRIVATE KEY")
    assert key.stat().st_mode & 0o077 == 0
    assert place._folder.path.stat().st_mode & 0o077 == 0


# -- what is no scheduler --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["nonsense", ":", "ftp://x:1", "none.json", "bad.json", "127.0.0.1:1"]
)
def test_no_scheduler_is_refused_before_anything_is_written(
    config, cli, tmp_path, monkeypatch, address
):
    (tmp_path / "bad.json").write_text('["tcp://127.0.0.1:1"]')
    monkeypatch.setattr("trajsim.running.engines.places.PATIENCE", 1.0)
    path = config()
    before = sorted(tmp_path.iterdir())
    result = cli("run", path, "-o", "x.h5", "--engine", f"dask:{address}")
    assert result.exit_code == 2
    assert f"no scheduler at {address}: " in result.stderr
    assert sorted(tmp_path.iterdir()) == before


def pipe(path):
    os.mkfifo(path)


def endless(path):
    path.symlink_to("/dev/zero")


def deep(path):
    path.write_text("[" * 200_000)


def deep_table(path):
    path.write_text('{"address":' * 50_000 + "1" + "}" * 50_000)


def huge(path):
    path.touch()
    os.truncate(path, 1 << 40)


def folder(path):
    path.mkdir()


def binary(path):
    path.write_bytes(b"\xff\xfe\0\0")


def number(path):
    path.write_text('{"address": 5}')


def nonsense(path):
    path.write_text('{"address": "tls://"}')


MAKERS = [pipe, endless, deep, deep_table, huge, folder, binary, number, nonsense]


@pytest.mark.parametrize("make", MAKERS)
def test_what_is_no_scheduler_file_is_refused(config, cli, tmp_path, deadline, make):
    make(tmp_path / "bad.json")
    refused(cli, config(), "bad.json")
    assert not (tmp_path / "x.h5.parts").exists()


def test_a_link_may_lead_to_a_scheduler_file(tmp_path, monkeypatch):
    (tmp_path / "real").write_text('{"address": "tcp://127.0.0.1:7"}')
    (tmp_path / "link.json").symlink_to("real")
    assert places.Scheduler(str(tmp_path / "link.json"))._address() == "tcp://127.0.0.1:7"


def refused(cli, path, address):
    result = cli("run", path, "-o", "x.h5", "--engine", f"dask:{address}")
    assert result.exit_code == 2
    (told,) = result.stderr.splitlines()[1:]
    assert told.startswith(f"no scheduler at {address}: ")
    return told


@pytest.mark.parametrize(
    "address", ["tls://", "tls://x", "tls://x:y", "tls://[::1", "://", "tcp://:0"]
)
def test_nonsense_is_refused(config, cli, deadline, address):
    refused(cli, config(), address)


class Server:
    """Says something to whoever comes, and no more."""

    def __init__(self, says):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port, self._says, self._open = self._socket.getsockname()[1], says, []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._open.append(connection)
                with suppress(OSError):
                    connection.sendall(self._says)


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (b"", "no answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n" * 10, "what is there is no scheduler"),
        (b"\0" * 100, ""),
        # A message of 64 bytes that are none.
        (struct.pack("<QQQ", 16, 1, 8) + b"\xc1" * 64, ""),
    ],
)
def test_a_server_of_another_kind_is_no_scheduler(config, cli, monkeypatch, deadline, says, told):
    monkeypatch.setattr(places, "PATIENCE", 1.0)
    before = threading.active_count()
    assert told in refused(cli, config(), f"127.0.0.1:{Server(says).port}")
    # Nor is anything left that would wait for it.
    wait_until(lambda: threading.active_count() <= before + 1)


def test_a_scheduler_that_asks_for_a_certificate_is_told_apart(config, cli, deadline):
    told = refused(cli, config(), f"tls://127.0.0.1:{Server(b'').port}")
    assert told.endswith("it needs a certificate; Dask takes it from distributed.comm.tls")
