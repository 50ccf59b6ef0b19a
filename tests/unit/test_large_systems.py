"""Systems with too many states to list: every verb answers or says why not, within little memory.

Each size has a process of its own, whose memory is looked at when all verbs are done.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from trajsim.output import points_json, to_json
from trajsim.plots.trajectory import picture, thinned

MOST_MB = 500
REFUSAL = "{sites} spins are too many states to list"

# Runs verbs, given as JSON on stdin, in one process; tells their exit status and what they said.
ALL_VERBS = """
import json, resource, sys
from click.testing import CliRunner
# Not to take the machine down where something of 2**n is made.
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
from trajsim.cli import main
said = []
for words in json.load(sys.stdin):
    result = CliRunner().invoke(main, words)
    error = result.exception
    if error is not None and not isinstance(error, SystemExit):
        said.append([repr(error), -1])
    else:
        said.append([result.output, result.exit_code])
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"said": said, "mb": int(peak.split()[1]) / 1024}))
"""


def ring(sites: int, initial: str) -> str:
    """A ring of spins between two baths, two of them driven."""
    lines = [
        '[model]\nkind = "spins"\nrate = 0.5\nrate_law = "heat-bath"',
        "[drive]\nperiod = 1.0",
        "[baths]\nL = { temperature = 2.0 }\nR = { temperature = 1.0 }",
    ]
    for i in range(sites):
        drive = f"drive = {{ amplitude = 0.25, phase = {i} }}" if i < 2 else ""
        lines.append(f'[[sites]]\nname = "{i}"\nbath = "{"LR"[i % 2]}"\n{drive}')
        lines.append(f'[[bonds]]\nsites = ["{i}", "{(i + 1) % sites}"]\ncoupling = 1.0')
    lines.append("[ensemble]\ntrajectories = 4\nperiods = 1\nseed = 1\n" + f'initial = "{initial}"')
    return "\n".join(lines)


def outcomes(folder, verbs):
    """What each verb said, its exit status, and the largest memory, in MB, of them all."""
    made = subprocess.run(
        [sys.executable, "-c", ALL_VERBS],
        input=json.dumps([[str(word) for word in words] for words in verbs]),
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert made.returncode == 0, made.stderr
    answer = json.loads(made.stdout)
    return answer["said"], answer["mb"]


def test_answers_written_a_point_at_a_time_are_those_written_at_once():
    points = [{"a": [1.0, float("nan")], "b": {}}, {"a": [], "b": {"c": "d"}}]
    text = "".join(points_json(iter(points), {"trajectories": 3, "time": 0.5}))
    assert text == to_json({"points": points, "trajectories": 3, "time": 0.5}) + "\n"


@pytest.mark.parametrize("width", [10, 20000])
def test_a_thinned_curve_keeps_every_extreme(width):
    rng = np.random.default_rng(1)
    time = np.sort(rng.uniform(0.0, 7.0, width))
    values = rng.normal(size=width)
    at, kept = thinned(time, values)
    assert len(at) <= min(width, 4 * 1200)
    assert (np.diff(at) >= 0).all()
    assert (kept[0], kept[-1]) == (values[0], values[-1])
    assert (kept.max(), kept.min()) == (values.max(), values.min())


def test_a_picture_of_spins_shows_means_over_time_and_neighbours():
    state = np.ones((3, 1024), np.int8)
    state[1, :2] = -1
    state[2, :2] = (-1, 1)
    shades = picture(np.array([0.0, 0.5, 1.0]), state)
    assert shades.shape == (512, 1200)
    np.testing.assert_allclose(shades[0], np.repeat([1.0, -1.0], 600), atol=1e-9)
    np.testing.assert_allclose(shades[1:], 1.0, atol=1e-9)


PHASE = ("--over", "sites.1.drive.phase=0:3:2")


@pytest.mark.parametrize(
    "sites",
    [
        30,
        pytest.param(64, marks=pytest.mark.long),
        pytest.param(1024, marks=pytest.mark.long),
        4096,
    ],
)
def test_every_verb_answers_or_says_why_not(tmp_path, sites):
    for start in ("up", "random", "equilibrium", "periodic"):
        (tmp_path / f"{start}.toml").write_text(ring(sites, start), encoding="utf-8")
    refusal = REFUSAL.format(sites=sites)
    does, refuses = (0, ""), (2, refusal)
    wanted = [
        (("run", "up.toml", "-o", "up.h5"), (0, f"not checked: {refusal}")),
        (("run", "random.toml", "-o", "random.h5"), (0, f"not checked: {refusal}")),
        (("run", "up.toml", "--set", "ensemble.seed=8", "-o", "up-8.h5"), (0, refusal)),
        (("check", "up.h5", "--against", "up-8.h5"), does),
        (("run", "equilibrium.toml", "-o", "no.h5"), (2, "allowed up to")),
        (("run", "periodic.toml", "-o", "no.h5"), (2, "allowed up to")),
        (("exact", "up.toml"), refuses),
        (("exact", "random.toml", "--counting"), refuses),
        (("plot", "random.toml"), refuses),
        (("map", "random.toml", *PHASE, "--over", "drive.period=1:2:2"), refuses),
        (("optimize", "random.toml", *PHASE, "--maximize", "power"), refuses),
        (("warmup", "random.toml"), does),
    ]
    for start in ("up", "random"):
        run = f"{start}.h5"
        wanted += [
            (("check", run), refuses),
            (("check", run, "--against", run), (2, "is the run itself")),
            (("analyze", run, "--theorems"), does),
            (("analyze", run, "--json"), does),
            (("trace", run, "--trajectory", "0", "-o", f"{start}.csv"), does),
            (("verify", run), does),
        ]
    wanted += [
        (("plot", "random.h5"), (0, f"drawn without exact curves: {refusal}")),
        (("report", "random.h5"), does),
        (("trace", "random.h5", "--trajectory", "0", "--plot"), does),
        (("regimes", "random.h5"), does),
    ]
    said, memory = outcomes(tmp_path, [words for words, _ in wanted])
    for (words, (status, sentence)), (text, found) in zip(wanted, said, strict=True):
        assert found == status, (words, text[-500:])
        assert sentence in text, (words, text[-500:])
    page = (tmp_path / "random.html").read_text(encoding="utf-8")
    assert refusal in page
    assert "on exact curves" not in page
    assert memory < MOST_MB
