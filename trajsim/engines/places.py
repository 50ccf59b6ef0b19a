"""Where Dask's workers are: processes of this machine, or those of a scheduler somewhere."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

from trajsim.blocks import RunError
from trajsim.engines.pool import Threads, fulfil
from trajsim.plugins import ENVIRONMENT, requested
from trajsim.stopping import StoppedError, end_group

# For a scheduler to answer, in seconds.
PATIENCE = 8.0
PACKAGES = Path(__file__).parent.parent.parent


def client_of(address: Any) -> Any:
    """Client of a scheduler; blocks come from the workers themselves, not by way of it."""
    from distributed import Client

    return Client(
        address, timeout=PATIENCE, set_as_default=False, direct_to_workers=True, name="trajsim"
    )


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
        # What listens there and says nothing would be waited for much longer.
        promise, thread = Future[Any](), Threads(1)
        try:
            address = self._address()
            thread.do(partial(fulfil, promise, client_of, address))
            return promise.result(PATIENCE + 1.0)
        except (OSError, ValueError, TypeError) as error:
            told = getattr(error, "strerror", None) or str(error)
            reason = (told.splitlines() or ["no answer"])[0]
            raise RunError(f"no scheduler at {self.address}: {reason}") from None
        finally:
            thread.close(wait=False)

    def _address(self) -> str:
        """Address, found good: a client that cannot be made leaves threads behind."""
        from distributed.comm.addressing import get_address_host_port

        address = self.address
        if address.endswith(".json"):
            found = json.loads(Path(address).read_text())
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
    script anew.
    """

    def __init__(self, workers: int) -> None:
        self.address, self.workers = "this machine", workers
        self._folder: Path | None = None
        self._cluster: Any = None
        self._process: subprocess.Popen | None = None

    def connect(self) -> Any:
        """A client; the workers are on their way."""
        import dask
        from distributed import Scheduler, SpecCluster

        self._folder = Path(tempfile.mkdtemp(prefix="trajsim-dask-"))
        here = {"host": "127.0.0.1", "port": 0, "dashboard_address": "127.0.0.1:0"}
        # Also a scheduler makes itself a folder, for files that nobody sends it.
        with dask.config.set({"temporary-directory": str(self._folder)}):
            self._cluster = SpecCluster(
                scheduler={"cls": Scheduler, "options": {**here, "dashboard": False}}
            )
        path = os.pathsep.join(filter(None, [str(PACKAGES), os.environ.get("PYTHONPATH")]))
        plugins = os.pathsep.join(filter(None, [os.environ.get(ENVIRONMENT), *requested()]))
        with open(self._folder / "said", "wb") as said:
            self._process = subprocess.Popen(
                [
                    # Not the folder of the user: a file there might have the name of a module.
                    *(sys.executable, "-P", "-m", "distributed.cli.dask_worker"),
                    self._cluster.scheduler_address,
                    *("--nworkers", str(self.workers), "--nthreads", "1", "--nanny"),
                    *("--host", "127.0.0.1", "--no-dashboard", "--memory-limit", "0"),
                    *("--local-directory", str(self._folder), "--death-timeout", "60"),
                ],
                env={**os.environ, "PYTHONPATH": path, ENVIRONMENT: plugins},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                # Ctrl-C is for this process, which lets them finish what they have in hand.
                start_new_session=True,
            )
        return client_of(self._cluster)

    def count(self, client: Any) -> None:
        """They are as many as were asked for."""

    def check(self) -> None:
        """Raise StoppedError if the process that keeps the workers alive is gone."""
        if self._process and self._folder and self._process.poll() is not None:
            said = (self._folder / "said").read_text(errors="replace").strip().splitlines()
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
            shutil.rmtree(self._folder, ignore_errors=True)
