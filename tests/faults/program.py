"""trajsim as a program of its own, started anew or forked, with faults and limits on it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

# What a bad file could do to the machine at most.
NET = {"RLIMIT_AS": 8 << 30}
HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def build_shim(folder: Path) -> Path | None:
    """The preloaded library of `shim.c`; None where no C compiler is."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        return None
    library = folder / "shim.so"
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", library, HERE / "shim.c", "-ldl"]
    subprocess.run(command, check=True)
    return library


class Shim(NamedTuple):
    """What happens at the `at`-th call that changes a file below `folder`; see shim.c."""

    folder: Path
    log: Path
    at: int = 0
    signal: int = 0
    tear: bool = False
    error: int = 0
    kinds: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """As the library reads it."""
        return {
            "SHIM_FOLDER": str(self.folder),
            "SHIM_LOG": str(self.log),
            "SHIM_AT": str(self.at),
            "SHIM_SIGNAL": str(self.signal),
            "SHIM_TEAR": str(int(self.tear)),
            "SHIM_ERRNO": str(self.error),
            "SHIM_KINDS": self.kinds,
        }


class Ended(NamedTuple):
    """How a command ended: exit status (negative: by that signal), what it said, what it took."""

    status: int
    stdout: str
    stderr: str
    seconds: float
    cpu: float  # seconds
    peak: int  # bytes

    @property
    def said(self) -> str:
        """All that it said, for messages."""
        return f"status {self.status}: {self.stdout}{self.stderr}"


class Command:
    """A command that has been started."""

    def __init__(self, pid: int, poll: Callable[[], dict[str, Any]], said: Path) -> None:
        self.pid, self._poll, self.said = pid, poll, said
        self._began = time.monotonic()

    @property
    def stderr(self) -> str:
        """What it has told of so far."""
        return _text(Path(f"{self.said}.err"))

    def send(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def ended(self) -> Ended | None:
        """How it ended; None while it runs."""
        answer = self._poll()
        if not answer:
            return None
        seconds = time.monotonic() - self._began
        out = _text(Path(f"{self.said}.out"))
        return Ended(
            answer["status"], out, self.stderr, seconds, answer["cpu"], answer["peak"] * 1024
        )

    def wait(self, patience: float = 120.0) -> Ended:
        """How it ended; killed, and status -9, if that takes longer than `patience` seconds."""
        return self.until(lambda: False, patience) or self.killed()

    def until(self, condition: Callable[[], bool], patience: float = 120.0) -> Ended | None:
        """Wait until a condition holds, None, or the command ends."""
        last = time.monotonic() + patience
        while time.monotonic() < last:
            ended = self.ended()
            if ended is not None or condition():
                return ended
            time.sleep(0.003)
        return None

    def killed(self) -> Ended:
        """Kill it; how it ended."""
        self.send(signal.SIGKILL)
        while (ended := self.ended()) is None:
            time.sleep(0.003)
        return ended


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


class Program:
    """Starts trajsim; `shim` is None where it cannot be built.

    Parameters
    ----------
    folder : for what commands say and for the library
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shim = build_shim(folder)
        self._count = 0

    def start(
        self,
        *arguments: object,
        shim: Shim | None = None,
        limits: Mapping[str, int] | None = None,
        user: int | None = None,
        whole_exit: bool = False,
        **more: Any,
    ) -> Command:
        """Begin a command in the folder.

        Parameters
        ----------
        limits : by the names of the resource module
        user : number of the user to become
        whole_exit : a forked command ends as a process does, libraries unloaded, which takes time
        """
        self._count += 1
        said = self.folder / f"said-{self._count}"
        order = {
            "arguments": list(map(str, arguments)),
            "folder": str(self.folder),
            "said": str(said),
            "environment": shim.environment if shim else {},
            "limits": dict(limits or {}),
            "user": user,
            "whole_exit": whole_exit,
            **more,
        }
        pid, poll = self._begin(order)
        return Command(pid, poll, said)

    def do(self, *arguments: object, **more: Any) -> Ended:
        """A command from its beginning to its end."""
        return self.start(*arguments, **more).wait()

    def series(self, commands: Sequence[Sequence[object]], patience: float) -> list[Ended]:
        """Several commands one after the other, in one process where that is forked."""
        return [self.start(*a, limits=NET).wait(patience) for a in commands]

    def close(self) -> None:
        """Nothing more will be started."""

    def _begin(self, order: dict[str, Any]) -> tuple[int, Callable[[], dict[str, Any]]]:
        raise NotImplementedError

    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        preloaded = {"LD_PRELOAD": str(self.shim)} if self.shim else {}
        return {**os.environ, "PYTHONPATH": path, **preloaded}


class Anew(Program):
    """Every command is a new process, as from a shell."""

    # Limits are set by the new process itself, before it imports anything of trajsim.
    CODE = """
import json, os, resource, sys
for name, value in json.loads(sys.argv.pop(1)).items():
    resource.setrlimit(getattr(resource, name), (value, value))
user = json.loads(sys.argv.pop(1))
if user is not None:
    os.setgid(user)
    os.setuid(user)
from trajsim.cli import main
main(prog_name="trajsim")
"""

    def _begin(self, order: dict[str, Any]) -> tuple[int, Callable[[], dict[str, Any]]]:
        said = order["said"]
        with open(f"{said}.out", "wb") as out, open(f"{said}.err", "wb") as err:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-c", self.CODE),
                    *(json.dumps(order["limits"]), json.dumps(order["user"])),
                    *order["arguments"],
                ],
                cwd=order["folder"],
                env=self._environment() | order["environment"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

        def poll() -> dict[str, Any]:
            if process.returncode is not None:
                raise RuntimeError("already ended")
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if not pid:
                return {}
            process.returncode = os.waitstatus_to_exitcode(status)
            return {
                "status": process.returncode,
                "cpu": usage.ru_utime + usage.ru_stime,
                "peak": usage.ru_maxrss,
            }

        return process.pid, poll


class Forked(Program):
    """Every command is a child of one process that has imported and compiled everything."""

    def __init__(self, folder: Path, config: Path) -> None:
        super().__init__(folder)
        warm = Path(tempfile.mkdtemp(dir=folder)) / "warm.h5"
        self._server = subprocess.Popen(
            [sys.executable, HERE / "server.py", config, warm],
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == {}

    def series(self, commands: Sequence[Sequence[object]], patience: float) -> list[Ended]:
        """Several commands one after the other in one child; the rest are -9 if it is killed."""
        listed = [list(map(str, arguments)) for arguments in commands]
        command = self.start(series=listed, limits=NET)
        end = command.wait(patience * len(commands))
        said = command.said
        entries = [json.loads(line) for line in Path(f"{said}.jsonl").read_text().splitlines()]
        missing = len(commands) - len(entries)
        lost = {"status": min(end.status, -1), "seconds": patience, "cpu": 0.0, "peak": 0}
        return [
            Ended(
                entry["status"],
                *(_text(Path(f"{said}-{number}.{ending}")) for ending in ("out", "err")),
                entry["seconds"],
                entry["cpu"],
                entry["peak"] * 1024,
            )
            for number, entry in enumerate(entries + [lost] * missing)
        ]

    def close(self) -> None:
        """End the process; nothing more will be started."""
        self._server.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self._server.stdout
        line = self._server.stdout.readline()
        assert line, f"the server ended with status {self._server.wait()}"
        return json.loads(line)

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._server.stdin
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        return self._answer()

    def _begin(self, order: dict[str, Any]) -> tuple[int, Callable[[], dict[str, Any]]]:
        pid = self._ask(order)["pid"]
        return pid, lambda: self._ask({"wait": pid})
