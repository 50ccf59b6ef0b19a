"""Every command of the documentation runs, in the order of its page, in a folder of the page's own.

So that this takes seconds, one rule makes all of them small, in the shipped configs and in what is
typed alike: no more than 64 trajectories, and no more than 5 values in a range. All else is as
printed. What is not run is listed in NOT_RUN, with the reason. (Python in blocks called `py` is
part of a file: tests/unit/test_extending.py runs it.)
"""

import re
import shlex
import shutil

import pytest
from click.testing import CliRunner
from pages import PAGES, ROOT, blocks, commands, name_of, spans

from trajsim.cli import main

NOT_RUN = {
    r"python3 -m venv .*": "the README's two commands: .ci/run takes them as they are",
    r"pytest( .*)?": "tests do not run tests",
    r"python -m tests\.mutations.*": "hours; tests/mutations/test_edits.py has what can be quick",
    r"python tests/faults/\w+\.py.*": "half an hour; tests/faults has a sample",
    r"trajsim reproduce": "more than a minute; tests/unit/test_reproduce.py has less of it",
    r"trajsim warmup": "a minute of compiling; tests/unit/test_warmup.py",
    r"trajsim run .*--engine dask.*": "takes workers; tests/unit/test_dask.py",
    r"trajsim run --plugin .*": "a minute of compiling; tests/unit/test_extending.py",
}
# These take more than five seconds even so: `pytest -m long tests/docs` runs them, too.
SLOW = (
    r"trajsim (plot|report) runs/(many|heat_\w+|reversal)\.h5.*",  # exact densities
    r"trajsim (run configs|regimes runs)/nonlinear.*",  # 192 points of 48,000 steps
)
WHY, LATER = (re.compile("|".join(f"(?:{p})" for p in patterns)) for patterns in (NOT_RUN, SLOW))
SMALL = (
    (re.compile(r"(trajectories\"?\s*[=:]\s*)(\d+)"), 64),
    (re.compile(r"(num\s*=\s*)(\d+)"), 5),
    (re.compile(r"(=[\d.]+:[\d.]+:)(\d+)"), 5),
)


def small(text):
    """A config or a command with fewer trajectories and points."""
    for pattern, most in SMALL:
        text = pattern.sub(lambda found, most=most: f"{found[1]}{min(int(found[2]), most)}", text)
    return text


def parts(command):
    """Commands joined by &&, each as words and the file that its answer goes to."""
    words = shlex.split(command)
    while words:
        end = words.index("&&") if "&&" in words else len(words)
        one, words = words[:end], words[end + 1 :]
        target = one[one.index(">") + 1] if ">" in one else None
        yield one[: one.index(">")] if target else one, target


def run(command, folder):
    """Run one line; what it says if it fails."""
    for words, target in parts(small(command.text)):
        assert words[0] == "trajsim", f"{command}: {words[0]} is not known here"
        result = CliRunner().invoke(main, words[1:])
        assert result.exit_code == 0, f"{command}: {command.text}\n{result.output}"
        assert result.exception is None, f"{command}: {command.text}"
        if target:
            (folder / target).write_text(result.stdout, encoding="utf-8")


def execute(command, names):
    """Run a block of Python; names go on from block to block."""
    code = compile(small(command.text), f"{command}", "exec")
    exec(code, names)


def wanted(page, slow=False):
    """Commands of a page that are to be run."""
    skipped = [WHY] if slow else [WHY, LATER]
    found = commands(page)
    return [c for c in found if not any(s.fullmatch(c.text.strip()) for s in skipped)]


def run_page(page, folder, slow=False):
    """Run what is wanted of a page, in a folder laid out as the repository."""
    (folder / "runs").mkdir()
    (folder / "configs").mkdir()
    for config in (ROOT / "configs").glob("*.toml"):
        text = small(config.read_text(encoding="utf-8"))
        (folder / "configs" / config.name).write_text(text, encoding="utf-8")
    for block in blocks(page):
        if block.file:
            (folder / block.file).write_text(small(block.text), encoding="utf-8")
    names = {}
    for command in wanted(page, slow):
        if command.python:
            execute(command, names)
        else:
            run(command, folder)
    for number, code in spans(page):
        if re.fullmatch(r"runs/[\w-]+\.(png|pdf|csv)", code):
            assert (folder / code).stat().st_size > 0, f"{name_of(page)}:{number}: {code}"
    shutil.rmtree(folder / "runs")


@pytest.mark.parametrize("page", [p for p in PAGES if wanted(p)], ids=name_of)
def test_every_command_of_a_page_runs(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run_page(page, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("page", [p for p in PAGES if wanted(p) != wanted(p, True)], ids=name_of)
def test_every_command_of_a_page_runs_slow_ones_too(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run_page(page, tmp_path, slow=True)


def test_every_reason_not_to_run_a_command_is_needed():
    every = [c.text.strip() for page in PAGES for c in commands(page)]
    idle = [p for p in (*NOT_RUN, *SLOW) if not any(re.fullmatch(p, text) for text in every)]
    assert idle == []


def test_commands_are_found():
    """Not so many that they must be listed, but enough to know that none is overlooked."""
    readme = [c.text for c in commands(ROOT / "README.md")]
    assert "trajsim exact configs/undriven.toml" in readme
    assert "trajsim validate configs/heat_engine.toml" in readme
    assert len(readme) > 20
