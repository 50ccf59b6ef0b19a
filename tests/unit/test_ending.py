"""Every way to end has its exit status and a sentence: 1 is kept for what disagrees."""

import contextlib
import errno
import importlib
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from functools import partial

import click
import pytest
from small_configs import PUMP

import trajsim.cli.ending
import trajsim.config
import trajsim.running.run
import trajsim.running.stopping
from trajsim.cli.ending import EXPECTED
from trajsim.config.faults import Fault
from trajsim.running import progress

# Tells when the interpreter is there, whose own start is not ours.
READY = "import os; os.write(1, b'!'); "
PROGRAM = "from trajsim.cli import main; main()"
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def begin(tmp_path):
    """A program in a process of its own that has said that it is ready."""
    begun = []

    def start(program, *arguments, ready=True, **more):
        command = [sys.executable, "-c", program, *map(str, arguments)]
        # Where answers are not buffered nothing is left to be written at the end.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
        more = {
            "env": environment,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "cwd": tmp_path,
            **more,
        }
        process = subprocess.Popen(command, **more)
        begun.append(process)
        if ready:
            assert process.stdout.read(1) == b"!"
        return process

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def end_of(process, patience=60.0):
    """Exit status and what was said; what has not ended long after it was told to has failed."""
    _, said = process.communicate(timeout=patience)
    # Before the first line of the program Python itself shows where a signal reached it.
    if process.returncode != -signal.SIGINT:
        assert "Traceback" not in said.decode(), said.decode()
    return process.returncode, said.decode()


# -- errors ----------------------------------------------------------------------------------------

INTERNAL = r"^internal error: .*\. Please report it, with what TRAJSIM_TRACEBACK=1 or --traceback"
EXHAUSTED = [
    (MemoryError(), "^out of memory$"),
    (MemoryError("Unable to allocate 8.00 TiB"), "^out of memory: Unable to allocate 8.00 TiB$"),
    (OSError(errno.EMFILE, "Too many open files", "a.h5"), "^a.h5: Too many open files$"),
    (OSError(errno.ENOSPC, "No space left on device"), "^No space left on device$"),
    (ImportError("x.so: failed to map segment from shared object"), "failed to map segment"),
    (RuntimeError("can't start new thread"), "can't start new thread"),
]
WAYS = [
    *((error, 5, says) for error, says in EXHAUSTED),
    (ValueError("no\nsense"), 4, INTERNAL),
    (KeyError("x" * 5000), 4, r"^internal error: KeyError: .{300,400}\. Please report it"),
    (RecursionError("maximum recursion depth exceeded"), 4, INTERNAL),
    (AssertionError(), 4, INTERNAL),
    (ImportError("No module named 'numpy'"), 4, INTERNAL),
    (BaseException("from a library in another language"), 4, INTERNAL),
    (KeyboardInterrupt(), 130, "^stopped$"),
    (click.Abort(), 130, "^stopped$"),
    (FileNotFoundError(errno.ENOENT, "No such file", "x"), 2, "^x: No such file$"),
    (click.FileError("x", "is odd"), 2, "is odd"),
    (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, "^$"),
]


def raising(error):
    def load(*_):
        raise error

    return load


@pytest.mark.parametrize(("error", "status", "says"), WAYS)
def test_an_error_has_its_status_and_one_sentence(cli, monkeypatch, error, status, says):
    monkeypatch.setattr(trajsim.config, "load", raising(error))
    ended = cli("exact", "x.toml")
    assert ended.exit_code == status
    assert re.search(says, ended.stderr.strip())
    assert ended.stderr.count("\n") <= 1
    assert ended.stdout == ""


@pytest.mark.parametrize(("module", "name"), EXPECTED.items())
def test_a_message_meant_for_the_user_is_told_as_it_is(cli, monkeypatch, module, name):
    kind = getattr(importlib.import_module(module), name)
    error = kind([Fault("x", None, "", "is odd")] if name == "ConfigError" else "x")
    monkeypatch.setattr(trajsim.config, "load", raising(error))
    ended = cli("exact", "x.toml")
    assert (ended.exit_code, ended.stderr) == (2, f"{error}\n")


def test_a_refusal_for_lack_of_room_is_not_one_of_the_input(cli, monkeypatch):
    def simulate(*_, **__):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise trajsim.running.run.RunError(f"x: cannot be made: {error.strerror}") from None

    monkeypatch.setattr(trajsim.running.run, "simulate", simulate)
    monkeypatch.setattr(trajsim.config, "load", lambda *_: FakeConfig)
    ended = cli("run", "x.toml")
    assert (ended.exit_code, "No space left" in ended.stderr) == (5, True)


class FakeConfig:
    class experiment:
        title = summary = "x"

    summary, points = "x", ()


@pytest.mark.parametrize("words", [["--traceback", "exact", "x"], ["exact", "x", "--traceback"]])
def test_a_traceback_is_shown_if_asked_for(monkeypatch, capsys, words):
    monkeypatch.setattr(trajsim.config, "load", raising(ValueError("no sense")))
    for arguments, shown in ((["exact", "x"], False), (words, True)):
        with pytest.raises(SystemExit) as end:
            trajsim.cli.main(arguments)
        assert end.value.code == 4
        assert ("Traceback (most recent call last)" in capsys.readouterr().err) == shown
    monkeypatch.setenv("TRAJSIM_TRACEBACK", "1")
    with pytest.raises(SystemExit):
        trajsim.cli.main(["exact", "x"])
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_help_names_every_status(cli):
    told = cli("--help").stdout
    for status in (0, 1, 2, 3, 4, 5, 130, 143, 141):
        assert f" {status}" in told or f"({status}" in told


# -- streams, limits and systems -------------------------------------------------------------------


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device")
@pytest.mark.parametrize(
    "arguments", [["--help"], ["schema"], ["trace", "--trajectory", "1", "--periods", "0:1"]]
)
def test_a_full_disk_under_the_answer_has_its_status(run_of, begin, arguments):
    arguments = [*arguments, run_of("pump")] if arguments[0] == "trace" else arguments
    with open("/dev/full", "w") as full:
        process = begin(PROGRAM, *arguments, ready=False, stdout=full)
        status, said = end_of(process)
    assert (status, said.count("\n")) == (5, 1)
    assert "No space left on device" in said


@pytest.mark.parametrize(
    "arguments", [["--help"], ["schema"], ["trace", "--trajectory", "1", "--periods", "0:1"]]
)
def test_a_closed_pipe_has_its_status_and_no_word(run_of, begin, arguments):
    arguments = [*arguments, run_of("pump")] if arguments[0] == "trace" else arguments
    reading, writing = os.pipe()
    os.close(reading)
    process = begin(PROGRAM, *arguments, ready=False, stdout=writing)
    os.close(writing)
    assert end_of(process) == (141, "")


def test_an_answer_that_a_closed_stdout_loses_has_its_status(run_of, begin):
    closed = {"ready": False, "stdout": None}
    run = run_of("pump")
    trace = ["trace", run, "--trajectory", "1", "--periods", "0:1"]
    cases = [
        *((["schema"], streams, 141) for streams in ((1,), (0, 1), (0, 1, 2))),
        (trace, (1,), 141),
        ([*trace, "-o", "x.csv"], (1,), 0),
    ]
    for arguments, streams, status in cases:
        shut = partial(list, map(os.close, streams))
        process = begin(PROGRAM, *arguments, preexec_fn=shut, **closed)
        ended, said = end_of(process)
        assert (ended, said.count("\n")) == (status, 1 if status == 0 else 0)


def test_a_bad_backend_of_matplotlib_changes_nothing(begin):
    # All verbs that draw import this package first.
    drawing = "import trajsim.plots, matplotlib; assert matplotlib.get_backend() == 'agg'"
    environment = {**os.environ, "MPLBACKEND": "nosuch"}
    assert end_of(begin(drawing, ready=False, env=environment)) == (0, "")


@pytest.mark.parametrize(("value", "status"), [("abc", 2), ("0", 2), ("", 0), ("2", 0)])
def test_a_bad_number_of_threads_of_numba_is_named(run_of, begin, value, status):
    environment = {**os.environ, "NUMBA_NUM_THREADS": value}
    ended, said = end_of(begin(PROGRAM, "info", run_of("pump"), ready=False, env=environment))
    assert (ended, said.startswith(f"NUMBA_NUM_THREADS={value}: ")) == (status, status == 2)


@pytest.mark.parametrize(
    ("value", "status"), [("zzz", 2), ("+avx, -avx2", 2), ("", 0), ("+avx,,-zzz", 0)]
)
def test_features_of_a_processor_that_llvm_would_abort_at_are_named(
    config, begin, value, status, tmp_path
):
    # A cache of its own: that of other features is of no use.
    own = {"NUMBA_CPU_FEATURES": value, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    process = begin(PROGRAM, "validate", config(), ready=False, env={**os.environ, **own})
    ended, said = end_of(process)
    assert (ended, said.startswith(f"NUMBA_CPU_FEATURES={value}: ")) == (status, status == 2)


def test_other_settings_that_numba_cannot_read_are_passed_over(run_of, begin):
    environment = {**os.environ, "NUMBA_OPT": "abc", "NUMBA_DEBUG": "x"}
    process = begin(PROGRAM, "info", run_of("pump"), ready=False, env=environment)
    assert end_of(process) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [["info", ""], ["validate", ""], ["run", "x", "-o", ""], ["merge", ""], ["warmup", ""]],
)
def test_an_empty_name_is_called_empty(cli, arguments):
    ended = cli(*arguments)
    assert (ended.exit_code, "the name is empty" in ended.stderr) == (2, True)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device")
def test_a_full_device_is_named(run_of, cli):
    ended = cli("trace", run_of("pump"), "--trajectory", "1", "-o", "/dev/full")
    assert (ended.exit_code, ended.stderr) == (5, "/dev/full: No space left on device\n")


def test_a_working_directory_that_is_gone_is_told(run_of, cli, tmp_path, monkeypatch):
    run = run_of("pump")
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for arguments in (["report", run, "-o", "x.html"], ["trace", run, "--trajectory=1", "-o", "x"]):
        ended = cli(*arguments)
        assert ended.exit_code == 2
        assert re.match(r"x.*: .*the working directory is gone\n$", ended.stderr)
    monkeypatch.chdir(tmp_path)


def test_messages_that_nobody_hears_change_nothing(begin, config):
    for name, status in ((config(), 0), ("nowhere", 2)):
        closed = {"stderr": None, "preexec_fn": partial(os.close, 2)}
        assert begin(PROGRAM, "validate", name, ready=False, **closed).wait() == status
    if os.path.exists("/dev/full"):
        with open("/dev/full", "w") as full:
            assert begin(PROGRAM, "validate", "nowhere", ready=False, stderr=full).wait() == 2


def limited(**limits):
    def limit():
        for name, value in limits.items():
            resource.setrlimit(getattr(resource, name), (value, value))

    return limit


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another kind")
@pytest.mark.parametrize(
    "limits",
    [
        *({"RLIMIT_AS": size << 20} for size in (200, 350, 450)),
        *({"RLIMIT_NOFILE": count} for count in (5, 6)),
    ],
)
def test_too_little_room_to_begin_with_has_its_status(begin, config, limits):
    program = f"{READY}import os, sys; os.listdir(os.path.dirname(os.__file__)); {PROGRAM}"
    process = begin(program, "exact", config(), preexec_fn=limited(**limits))
    status, said = end_of(process)
    assert status in ((5,) if "RLIMIT_AS" in limits else (0, 5)), said
    assert said.strip() or status == 0


@pytest.mark.parametrize("verb", ["run", "exact", "verify", "warmup"])
def test_compiling_that_is_switched_off_is_refused_at_once(start, config, verb):
    process = start(verb, config(), NUMBA_DISABLE_JIT="1")
    _, said = process.communicate()
    assert process.returncode == 2
    assert said.count("\n") == 1
    assert "unset NUMBA_DISABLE_JIT" in said


def test_a_system_without_file_locks_is_refused_at_once(begin, config):
    without = f"import sys; sys.modules['fcntl'] = None; {PROGRAM}"
    status, said = end_of(begin(without, "run", config(), ready=False))
    assert (status, said.count("\n")) == (2, 1)
    assert "Linux and macOS" in said
    api = "import sys; sys.modules['fcntl'] = None; import trajsim; trajsim.load"
    done = subprocess.run([sys.executable, "-c", api], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].startswith("ImportError: trajsim runs on Linux and macOS")


# -- signals ---------------------------------------------------------------------------------------


def moments(count, seed):
    """Seconds after the interpreter is there, most of them early."""
    chance = random.Random(seed)
    return [round(2.0 * chance.random() ** 2, 3) for _ in range(count)]


def assert_signal_at_any_moment(begin, arguments, status, count, seed):
    """`status` of a stop by the number of the signal."""
    for k, moment in enumerate(moments(count, seed)):
        number = SIGNALS[k % 2]
        process = begin(READY + PROGRAM, *arguments(k))
        time.sleep(moment)
        process.send_signal(number)
        ended, said = end_of(process)
        # Before the first and after the last line of the program the signal itself ends it.
        assert ended in (0, status(number), -number, 130 if number == signal.SIGINT else 0), (
            moment,
            number,
            said,
        )


def test_a_signal_at_any_moment_is_told_by_the_status(begin, config):
    path = config()
    assert_signal_at_any_moment(begin, lambda k: ["exact", path], lambda n: 128 + n, 6, 1)


def test_a_signal_at_any_moment_of_a_run_says_that_it_goes_on(begin, config):
    path = config()
    assert_signal_at_any_moment(begin, lambda k: ["run", path, "-o", f"{k}.h5"], lambda _: 3, 6, 2)


@pytest.mark.long
def test_a_signal_at_many_moments_is_told_by_the_status(begin, config):
    path = config()
    for verb in ("exact", "plot", "validate", "map"):
        assert_signal_at_any_moment(begin, lambda k, v=verb: [v, path], lambda n: 128 + n, 40, 3)


LOADING = "import os, hashlib, time, trajsim.config\ndef load(*_):\n    os.write(1, b'!')\n"
DEAF = {
    # Compiled code without Python's lock, for minutes.
    "compiled": "    hashlib.pbkdf2_hmac('sha512', b'', b'', 500_000_000)\n",
    # As a callback of a library that swallows what is raised in it.
    "swallowed": """
    while True:
        try:
            time.sleep(0.01)
        except BaseException:
            pass
""",
}
LOADED = f"trajsim.config.load = load\n{PROGRAM}"


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(("deaf", "verb"), [("compiled", "exact"), ("swallowed", "run")])
def test_a_signal_is_obeyed_where_python_does_not_see_it(begin, deaf, verb, number):
    process = begin(LOADING + DEAF[deaf] + LOADED, verb, "x.toml")
    time.sleep(0.1)
    process.send_signal(number)
    status, said = end_of(process)
    assert status == (3 if verb == "run" else 128 + number)
    assert said.startswith("stopped")
    assert said.count("\n") == 1


@pytest.mark.parametrize("ignored", [False, True])
def test_a_hangup_stops_unless_it_is_ignored(begin, ignored):
    asleep = (
        "    time.sleep(30)\n" if not ignored else "    time.sleep(2)\n    raise SystemExit(7)\n"
    )
    told = (
        f"import signal; signal.signal(signal.SIGHUP, signal.SIG_{'IGN' if ignored else 'DFL'})\n"
    )
    process = begin(told + LOADING + asleep + LOADED, "exact", "x.toml")
    process.send_signal(signal.SIGHUP)
    status, said = end_of(process)
    assert (status, said.startswith("stopped")) == ((7, False) if ignored else (129, True))


@pytest.mark.parametrize(("verb", "status"), [("exact", 130), ("run", 3), ("reproduce", 3)])
def test_more_signals_after_the_first_change_nothing(begin, verb, status):
    # What is tidied up on the way is not interrupted.
    ready, sleep = "    os.write(1, b'!')\n", "        time.sleep(60)\n"
    tidying = "    finally:\n        time.sleep(0.2)\n        os.write(2, b'tidied, ')\n"
    loading = LOADING.replace(ready, f"    try:\n    {ready}{sleep}{tidying}")
    if verb == "reproduce":
        loading = loading.replace("trajsim.config\n", "trajsim.config, trajsim.paper\n")
        loading += "trajsim.paper.reproduce = lambda *_, **__: load()\n"
    process = begin(loading + LOADED, verb, *(["x.toml"] if verb != "reproduce" else []))
    while process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        time.sleep(0.001)
    # The last of them may come when Python takes itself down.
    ended, said = end_of(process)
    assert ended in (status, -signal.SIGINT)
    assert said.startswith("tidied, stopped")


def test_an_error_that_a_library_makes_of_a_signal_is_a_stop(cli, monkeypatch):
    def load(*_):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        except KeyboardInterrupt:
            raise SystemError("initialization of x raised an unreported exception") from None

    monkeypatch.setattr(trajsim.config, "load", load)
    assert cli("exact", "x.toml").exit_code == 143


def test_a_run_without_a_block_does_not_speak_of_blocks(config, cli, monkeypatch):
    config(PUMP)
    compiling = "trajsim.running.engines.threads.compile_and_tell"
    for where, says in (
        (compiling, "nothing is left"),
        ("trajsim.running.run.make_blocks", "no block"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(where, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
            stopped = cli("run", "config.toml", "-o", "x.h5")
        assert stopped.exit_code == 3
        assert says in stopped.stderr
        assert "blocks are kept" not in stopped.stderr
        assert stopped.stderr.strip().endswith("trajsim run config.toml -o x.h5 --resume")
    assert cli("run", "config.toml", "-o", "x.h5", "--resume").exit_code == 0


def test_what_takes_long_is_announced_and_nothing_else(monkeypatch):
    said = []
    with progress.announced(said.append, "quick"):
        pass
    monkeypatch.setattr(progress, "LONG_SECONDS", 0.01)
    with progress.announced(said.append, "slow"):
        time.sleep(0.5)
    assert said == ["slow"]


def test_what_compiling_takes_is_not_counted_as_simulating(config, cli, monkeypatch):
    compiled = trajsim.running.engines.threads.compile_and_tell

    def slowly(*arguments):
        time.sleep(1.2)
        compiled(*arguments)

    monkeypatch.setattr("trajsim.running.engines.threads.compile_and_tell", slowly)
    line = cli("run", config(), "-o", "x.h5").stderr.splitlines()[-1]
    words = line.split(" events in ")[1].split()
    assert words[1:3] == ["s,", "and"]
    assert words[4:] == ["s", "of", "preparing", "and", "compiling"]
    assert float(words[3]) >= 1.2
    assert float(words[0]) < 1.2
