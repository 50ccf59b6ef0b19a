"""Where Dask's workers are: processes of this machine, or those of a scheduler somewhere."""

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

# For something to be at an address, and for what is there to answer as a scheduler, in seconds.
PROBE_SECONDS, PATIENCE = 3.0, 8.0
MOST_FILE_BYTES = 1 << 20
HERE = "127.0.0.1"
PACKAGES = Path(__file__).parent.parent.parent


def client_of(address: Any) -> Any:
    """Client of a scheduler; blocks come from the workers themselves, not by way of it."""
    from distributed import Client

    return Client(
        address, timeout=PATIENCE, set_as_default=False, direct_to_workers=True, name="trajsim"
    )


def _within(seconds: float, function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns or raises, or TimeoutError if that takes too long."""
    promise, thread = Future[Any](), Threads(1)
    try:
        thread.do(partial(fulfil, promise, function, *arguments))
        return promise.result(seconds)
    finally:
        thread.close(wait=False)


def _look_at(address: str) -> None:
    """Raise an exception if there is no scheduler at an address.

    A client that cannot be made would leave threads behind, and says so when the process ends.
    """
    from distributed.comm.addressing import get_address_host_port
    from distributed.security import Security

    # Where nothing listens, Dask would try again and again.
    socket.create_connection(get_address_host_port(address), PROBE_SECONDS).close()
    arguments = Security().get_connection_args("client")
    if address.startswith(("tls", "wss")) and not arguments.get("ssl_context"):
        raise ValueError("it needs a certificate; Dask takes it from distributed.comm.tls")
    asyncio.run(asyncio.wait_for(_greet(address, arguments), PATIENCE))


async def _greet(address: str, arguments: dict[str, Any]) -> None:
    from distributed.comm.core import connect

    try:
        comm = await connect(address, PATIENCE, deserialize=False, **arguments)
        try:
            await comm.write({"op": "identity", "reply": True})
            found = await comm.read()
        finally:
            comm.abort()
    except MemoryError:
        # The length of a message, as it understands what was said.
        found = None
    if not isinstance(found, dict) or found.get("type") != "Scheduler":
        raise ValueError("what is there is no scheduler")


class Scheduler:
    """Workers of a scheduler that is there already.

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
            _within(PROBE_SECONDS + PATIENCE + 1.0, _look_at, address)
            return _within(PATIENCE + 1.0, client_of, address)
        except Exception as error:
            told = getattr(error, "strerror", None) or str(error)
            reason = (told.splitlines() or ["no answer"])[0]
            raise RunError(f"no scheduler at {self.address}: {reason}") from None

    def _address(self) -> str:
        """Address, found good."""
        from distributed.comm.addressing import get_address_host_port

        address = self.address
        if address.endswith(".json"):
            # A link may lead to it, but not to a device or a pipe.
            data = small_file(Path(os.path.realpath(address)), MOST_FILE_BYTES)
            try:
                found = json.loads(data)
            except (ValueError, RecursionError):
                found = None
            if not isinstance(found, dict) or not isinstance(found.get("address"), str):
                raise ValueError("not a scheduler file")
            address = found["address"]
        address = address if "://" in address else f"tcp://{address}"
        get_address_host_port(address, strict=True)
        return address

    def count(self, client: Any) -> None:
        """Find out how many workers there are now."""
        self.workers = sum(client.nthreads().values())

    def check(self) -> None:
        """Nothing of it is ours to look after."""

    def close(self) -> None:
        """It stays."""


class Local:
    """Processes of this machine, under a scheduler in this process.

    They are started as commands: what is spawned by this process itself would import the user's
    script anew. Each sends the other what it unpickles, so all show a certificate that is made for
    this run, and nobody else has its key. They listen on the loopback interface only.
    """

    def __init__(self, workers: int) -> None:
        self.address, self.workers = "this machine", workers
        self._folder: TemporaryFolder | None = None
        self._cluster: Any = None
        self._process: subprocess.Popen | None = None

    def connect(self) -> Any:
        """A client; the workers are on their way.

        Raises
        ------
        RunError
            If there is no folder for what they need.
        """
        import dask
        from distributed import Scheduler, SpecCluster
        from distributed.security import Security

        try:
            self._folder = TemporaryFolder()
        except OSError as error:
            raise RunError(f"--engine dask: no temporary folder: {error}") from None
        here = {"host": HERE, "port": 0, "dashboard_address": f"{HERE}:0", "dashboard": False}
        security = Security.temporary()
        # Also a scheduler makes itself a folder, for files that nobody sends it.
        settings = {
            "temporary-directory": str(self._folder.path),
            "distributed.scheduler.http.routes": [],
        }
        with dask.config.set(settings):
            self._cluster = SpecCluster(
                scheduler={
                    "cls": Scheduler,
                    "options": {**here, "protocol": "tls", "security": security},
                },
                security=security,
            )
        self._process = self._started(self._folder.path, security)
        return client_of(self._cluster)

    def _started(self, folder: Path, security: Any) -> subprocess.Popen:
        """The process that starts workers, and starts them anew where they were killed."""
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
            # Where that is a temporary folder of this process, they would not know.
            environment["NUMBA_CACHE_DIR"] = str(compiled.parent)
        with open(folder / "said", "wb") as said:
            return subprocess.Popen(
                [
                    # Not the folder of the user: a file there might have the name of a module.
                    *(sys.executable, "-P", "-m", "distributed.cli.dask_worker"),
                    self._cluster.scheduler_address,
                    *("--tls-ca-file", certificate, "--tls-cert", certificate, "--tls-key", key),
                    *("--nworkers", str(self.workers), "--nthreads", "1", "--nanny"),
                    *("--host", HERE, "--no-dashboard", "--dashboard-address", f"{HERE}:0"),
                    *("--memory-limit", "0", "--local-directory", folder, "--death-timeout", "60"),
                ],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                # Ctrl-C is for this process, which lets them finish what they have in hand.
                start_new_session=True,
            )

    def count(self, client: Any) -> None:
        """They are as many as were asked for."""

    def check(self) -> None:
        """Raise StoppedError if the process that keeps the workers alive is gone."""
        if self._process and self._folder and self._process.poll() is not None:
            said = (self._folder.path / "said").read_text(errors="replace").strip().splitlines()
            last = f": {said[-1]}" if said else ""
            raise StoppedError(f"the workers have ended, status {self._process.returncode}{last}")

    def close(self) -> None:
        """End the processes at once: all that they have is published or not wanted."""
        if self._process:
            end_group(self._process.pid)
            self._process.wait()
        if self._cluster:
            self._cluster.close(timeout=5)
        if self._folder:
            self._folder.delete()
