"""Locations of Dask's workers: processes of this machine, or those of a scheduler."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

from trajsim.compiled.jit import compiled_code
from trajsim.extending.plugins import ENVIRONMENT, requested
from trajsim.running.engines.pool import Threads, fulfil
from trajsim.running.stopping import StoppedError, end_group
from trajsim.store import RunError
from trajsim.store.files import small_file
from trajsim.system.folders import TemporaryFolder

# Seconds to connect to an address, and for a scheduler there to answer.
PROBE_SECONDS, PATIENCE = 3.0, 8.0
MOST_FILE_BYTES = 1 << 20
HERE = "127.0.0.1"
PACKAGES = Path(__file__).parent.parent.parent


def client_of(address: Any) -> Any:
    """Client of a scheduler; blocks are sent directly from the workers."""
    from distributed import Client

    return Client(
        address, timeout=PATIENCE, set_as_default=False, direct_to_workers=True, name="trajsim"
    )


def _within(seconds: float, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function with a time limit; TimeoutError if it takes longer."""
    promise, thread = Future[Any](), Threads(1)
    try:
        thread.do(partial(fulfil, promise, function, *arguments))
        return promise.result(seconds)
    finally:
        thread.close(wait=False)


def _probe(address: str) -> None:
    """Raise an exception if there is no scheduler at an address.

    A client that cannot connect would leave threads behind, with messages at the process's end.
    """
    from distributed.comm.addressing import get_address_host_port
    from distributed.security import Security

    # Dask would retry where nothing listens.
    socket.create_connection(get_address_host_port(address), PROBE_SECONDS).close()
    arguments = Security().get_connection_args("client")
    if address.startswith(("tls", "wss")) and not arguments.get("ssl_context"):
        raise ValueError("it needs a certificate; Dask takes it from distributed.comm.tls")
    asyncio.run(asyncio.wait_for(_identify(address, arguments), PATIENCE))


async def _identify(address: str, arguments: dict[str, Any]) -> None:
    from distributed.comm.core import connect

    try:
        comm = await connect(address, PATIENCE, deserialize=False, **arguments)
        try:
            await comm.write({"op": "identity", "reply": True})
            answer = await comm.read()
        finally:
            comm.abort()
    except MemoryError:
        # Bytes of another protocol, taken for the length of a message.
        answer = None
    if not isinstance(answer, dict) or answer.get("type") != "Scheduler":
        raise ValueError("what is there is no scheduler")


class Scheduler:
    """Workers of an existing scheduler.

    Parameters
    ----------
    address : "host:port" or "tcp://host:port", or the path of a scheduler file (.json)
    """

    def __init__(self, address: str) -> None:
        self.address, self.workers = address, 1

    def connect(self) -> Any:
        """A client.

        Raises
        ------
        RunError
            If no scheduler answers.
        """
        try:
            address = self._address()
            _within(PROBE_SECONDS + PATIENCE + 1.0, _probe, address)
            return _within(PATIENCE + 1.0, client_of, address)
        except Exception as error:
            message = getattr(error, "strerror", None) or str(error)
            reason = (message.splitlines() or ["no answer"])[0]
            raise RunError(f"no scheduler at {self.address}: {reason}") from None

    def _address(self) -> str:
        """Validated address."""
        from distributed.comm.addressing import get_address_host_port

        address = self.address
        if address.endswith(".json"):
            # A link may lead to it, but not to a device or a pipe.
            data = small_file(Path(os.path.realpath(address)), MOST_FILE_BYTES)
            try:
                content = json.loads(data)
            except (ValueError, RecursionError):
                content = None
            if not isinstance(content, dict) or not isinstance(content.get("address"), str):
                raise ValueError("not a scheduler file")
            address = content["address"]
        address = address if "://" in address else f"tcp://{address}"
        get_address_host_port(address, strict=True)
        return address

    def count(self, client: Any) -> None:
        """Update the number of workers."""
        self.workers = sum(client.nthreads().values())

    def check(self) -> None:
        """Nothing to check: the scheduler does not belong to this process."""

    def close(self) -> None:
        """Nothing to end: the scheduler does not belong to this process."""


class Local:
    """Processes of this machine, under a scheduler in this process.

    They are started as commands: processes spawned by multiprocessing would import the user's
    script again. They unpickle each other's messages, so all show a certificate that is made for
    this run, whose key nobody else has. They listen on the loopback interface only.
    """

    def __init__(self, workers: int) -> None:
        self.address, self.workers = "this machine", workers
        self._folder: TemporaryFolder | None = None
        self._cluster: Any = None
        self._process: subprocess.Popen | None = None

    def connect(self) -> Any:
        """A client; the workers are starting.

        Raises
        ------
        RunError
            If there is no folder for their files.
        """
        import dask
        from distributed import Scheduler, SpecCluster
        from distributed.security import Security

        try:
            self._folder = TemporaryFolder()
        except OSError as error:
            raise RunError(f"--engine dask: no temporary folder: {error}") from None
        addresses = {"host": HERE, "port": 0, "dashboard_address": f"{HERE}:0", "dashboard": False}
        security = Security.temporary()
        # The scheduler makes a folder for uploaded files, too.
        settings = {
            "temporary-directory": str(self._folder.path),
            "distributed.scheduler.http.routes": [],
        }
        with dask.config.set(settings):
            self._cluster = SpecCluster(
                scheduler={
                    "cls": Scheduler,
                    "options": {**addresses, "protocol": "tls", "security": security},
                },
                security=security,
            )
        self._process = self._started(self._folder.path, security)
        return client_of(self._cluster)

    def _started(self, folder: Path, security: Any) -> subprocess.Popen:
        """The process that starts workers, and restarts those that were killed."""
        key, certificate = folder / "key.pem", folder / "certificate.pem"
        key.touch(0o600)
        key.write_text(security.tls_worker_key)
        certificate.write_text(security.tls_worker_cert)
        path = os.pathsep.join(filter(None, [str(PACKAGES), os.environ.get("PYTHONPATH")]))
        plugins = os.pathsep.join(filter(None, [os.environ.get(ENVIRONMENT), *requested()]))
        environment = {**os.environ, "PYTHONPATH": path, ENVIRONMENT: plugins}
        environment["DASK_DISTRIBUTED__WORKER__HTTP__ROUTES"] = "[]"
        environment["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] = "True"
        compiled = compiled_code()
        if compiled:
            # It may be a temporary folder of this process.
            environment["NUMBA_CACHE_DIR"] = str(compiled.parent)
        with open(folder / "said", "wb") as log:
            return subprocess.Popen(
                [
                    # Without the current folder: a file there may have the name of a module.
                    *(sys.executable, "-P", "-m", "distributed.cli.dask_worker"),
                    self._cluster.scheduler_address,
                    *("--tls-ca-file", certificate, "--tls-cert", certificate, "--tls-key", key),
                    *("--nworkers", str(self.workers), "--nthreads", "1", "--nanny"),
                    *("--host", HERE, "--no-dashboard", "--dashboard-address", f"{HERE}:0"),
                    *("--memory-limit", "0", "--local-directory", folder, "--death-timeout", "60"),
                ],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for this process alone, which lets them finish their blocks.
                start_new_session=True,
            )

    def count(self, client: Any) -> None:
        """Their number is fixed."""

    def check(self) -> None:
        """Raise StoppedError if the process that restarts the workers has ended."""
        if self._process and self._folder and self._process.poll() is not None:
            lines = (self._folder.path / "said").read_text(errors="replace").strip().splitlines()
            last = f": {lines[-1]}" if lines else ""
            raise StoppedError(f"the workers have ended, status {self._process.returncode}{last}")

    def close(self) -> None:
        """End the processes at once: their blocks are published or abandoned."""
        if self._process:
            end_group(self._process.pid)
            self._process.wait()
        if self._cluster:
            self._cluster.close(timeout=5)
        if self._folder:
            self._folder.delete()
