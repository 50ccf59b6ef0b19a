"""The command line in forked children of a process that has everything imported and compiled.

Started by `program.py`. Reads one JSON object a line and answers each with one:
{"arguments", "folder", "environment", ...} begins a child -> {"pid"};
{"wait": pid} -> {"status", "cpu", "peak"} when it has ended, else {}.
"""

import atexit
import ctypes
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path


def warm(config: Path, output: Path) -> None:
    """Have everything ready that children inherit."""
    from click.testing import CliRunner

    from trajsim.cli import main

    commands = [["run", config, "-o", output]]
    commands += [[verb, output] for verb in ("verify", "info", "analyze", "check")]
    commands += [["plot", output, "-o", output.parent]]
    for command in commands:
        done = CliRunner().invoke(main, list(map(str, command)))
        assert done.exit_code == 0, (command, done.output, done.exception)


def child(order: dict) -> None:
    """Become the command line."""
    from trajsim.cli import main

    os.chdir(order["folder"])
    say_to(order["said"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for name, value in order["limits"].items():
        resource.setrlimit(getattr(resource, name), (value, value))
    if order["user"] is not None:
        os.setgid(order["user"])
        os.setuid(order["user"])
    os.environ.update(order["environment"])
    if "SHIM_FOLDER" in order["environment"]:
        ctypes.CDLL(None).shim_begin()
    if "series" in order:
        series(order["series"], order["said"])
    try:
        main(order["arguments"], prog_name="trajsim")
    except SystemExit as end:
        if order["whole_exit"]:
            raise
        # Without taking the interpreter to pieces, which is most of a small command's time.
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else 0)


def say_to(said: str) -> None:
    """Standard output and error into files."""
    for ending, into in (("out", 1), ("err", 2)):
        handle = os.open(f"{said}.{ending}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(handle, into)
        os.close(handle)


def series(commands: list[list[str]], said: str) -> None:
    """Several commands one after the other; how each ended is a line of a file."""
    from trajsim.cli import main

    with open(f"{said}.jsonl", "w", buffering=1) as ended:
        for number, arguments in enumerate(commands):
            say_to(f"{said}-{number}")
            # Let the peak of memory begin anew.
            with open("/proc/self/clear_refs", "w") as refs:
                refs.write("5")
            began, cpu, status = time.monotonic(), time.process_time(), 0
            try:
                main(arguments, prog_name="trajsim")
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else 0
            except BaseException:
                traceback.print_exc()
                status = 1
            sys.stdout.flush()
            sys.stderr.flush()
            seconds = time.monotonic() - began
            with open("/proc/self/status") as facts:
                peak = next(line for line in facts if line.startswith("VmHWM"))
            cpu = time.process_time() - cpu
            entry = {"status": status, "seconds": seconds, "cpu": cpu}
            print(json.dumps(entry | {"peak": int(peak.split()[1])}), file=ended)
    os._exit(0)


def main() -> None:
    """Serve until the standard input ends."""
    warm(Path(sys.argv[1]), Path(sys.argv[2]))
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    print("{}", file=answers)
    ended = {}
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            pid, status, usage = os.wait4(order["wait"], os.WNOHANG)
            if pid:
                ended = {
                    "status": os.waitstatus_to_exitcode(status),
                    "cpu": usage.ru_utime + usage.ru_stime,
                    "peak": usage.ru_maxrss,
                }
            print(json.dumps(ended if pid else {}), file=answers)
            continue
        pid = os.fork()
        if pid == 0:
            answers.close()
            child(order)
            # Not reached: click ends with the status of the command.
        print(json.dumps({"pid": pid}), file=answers)


if __name__ == "__main__":
    main()
