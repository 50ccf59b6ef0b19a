"""docs/extending.md says what the examples say, and its commands are good."""

import re
import shlex
from pathlib import Path

import pytest

from trajsim.extending.kinds import KINDS
from trajsim.models.rate_laws import LAWS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^( *)```(\w+)\n(.*?)^\1```$", PAGE, re.DOTALL | re.MULTILINE)
SOURCES = {
    path: path.read_text(encoding="utf-8")
    for path in (ROOT / "examples").rglob("*.*")
    if path.suffix in (".py", ".toml")
}


def bare(text):
    """Lines of a text without indents, which a page's formatter takes away."""
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def blocks(language):
    return [
        "\n".join(line.removeprefix(indent) for line in text.splitlines())
        for indent, name, text in BLOCKS
        if name == language
    ]


def test_all_blocks_are_looked_at():
    assert {name for _, name, _ in BLOCKS} == {"py", "sh", "ini"}
    assert len(blocks("py")) >= 6
    assert len(blocks("sh")) == 2


@pytest.mark.parametrize("block", blocks("py"), ids=lambda block: block.split("\n")[0].strip())
def test_python_is_that_of_the_examples(block):
    assert any(bare(block) in bare(text) for text in SOURCES.values())


def test_entry_points_are_those_that_are_looked_for():
    groups = re.findall(r'entry-points\."([\w.]+)"', "\n".join(blocks("ini")))
    assert groups == [LAWS.group, KINDS.group]
    assert any(blocks("ini")[1] in text for text in SOURCES.values())


@pytest.mark.parametrize("command", [line for block in blocks("sh") for line in block.split("\n")])
def test_commands_name_what_is_there(cli, command):
    """Their configs are good with these plugins; what a run of them shows, other tests see."""
    program, verb, *words = shlex.split(command)
    assert (program, verb) == ("trajsim", "run")
    words = [str(ROOT / word) if (ROOT / word).exists() else word for word in words]
    answer = cli("validate", *words)
    assert answer.exit_code == 0, answer.output
    assert ": good: " in answer.output
