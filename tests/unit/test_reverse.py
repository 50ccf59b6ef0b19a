"""`run --reverse`: the protocol backwards in time, and a file that says so."""

import json

import h5py
import numpy as np
import pytest
from small_configs import PUMP, SHAPES, changed

from trajsim.config import parse
from trajsim.models.waveform import Waveform, values
from trajsim.store import UnfinishedRun, open_run

REVERSE = ['drive.direction="reverse"']


@pytest.mark.parametrize("shape", ["pump", "half driven"])
def test_fields_of_the_reverse_protocol_run_backwards(shape):
    harmonics = (
        "drive = { amplitude = 0.25, harmonics = [{ order = 3, amplitude = 0.1, phase = 0.4 }], "
    )
    text = SHAPES[shape].replace("drive = { amplitude = 0.25, ", harmonics)
    forward, reverse = parse(text), parse(text, overrides=REVERSE)
    drives = [c.experiment.network().drive for c in (forward, reverse)]
    fractions = np.linspace(0, 1, 13)
    forward, reverse = values(drives[0], fractions), values(drives[1], 1 - fractions)
    np.testing.assert_allclose(forward, reverse, atol=1e-14)
    # No symmetric protocol, which would show nothing.
    assert abs(forward - values(drives[1], fractions)).max(axis=0)[0] > 0.01


def heat(path):
    with h5py.File(path) as file:
        return file["ledger/heat"][...]


def test_a_reversed_run_is_that_of_negated_phases(config, cli, tmp_path):
    path = config()
    made = cli("run", path, "--reverse", "--json")
    assert made.exit_code == 0
    assert json.loads(made.stdout)["run"] == "runs/config-reverse.h5"
    # The seed of its own streams, lest both runs err together.
    other = 2**64 - 1 - 2007
    negated = config(
        changed(PUMP, ("phase = 2.2", "phase = -2.2"), ("seed = 2007", f"seed = {other}")), "n.toml"
    )
    assert cli("run", negated, "-o", "n.h5").exit_code == 0
    np.testing.assert_array_equal(heat("runs/config-reverse.h5"), heat("n.h5"))
    assert cli("run", path, "-o", "f.h5").exit_code == 0
    assert not np.array_equal(heat("f.h5"), heat("n.h5"))


def test_a_reversed_run_says_so_and_is_checked_as_one(config, cli):
    path = config(changed(PUMP, ("ies = 60", "ies = 4000")))
    assert cli("run", path, "--reverse", "-o", "r.h5").exit_code == 0
    assert cli("run", path, "-o", "f.h5").exit_code == 0
    for name, direction in (("r.h5", "reverse"), ("f.h5", "forward")):
        assert json.loads(cli("info", name, "--json").stdout)["direction"] == direction
        assert open_run(name).header["resolved"]["drive"]["direction"] == direction
        assert cli("check", name).exit_code == 0
    assert "direction" in cli("info", "r.h5").stdout
    # The pump's heats run the other way round: the exact side of the one is not that of the other.
    assert cli("check", "r.h5", "--against", "f.h5").exit_code == 1


def test_a_run_is_resumed_in_its_own_direction_only(config, cli, monkeypatch):
    path = config()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(UnfinishedRun, "pack", full)
        stopped = cli("run", path, "--reverse", "-o", "x.h5")
    assert stopped.exit_code == 3
    assert "--resume --reverse" in stopped.stderr
    refused = cli("run", path, "-o", "x.h5", "--resume")
    assert refused.exit_code == 2
    assert "direction: it was 'reverse', now it is 'forward'" in refused.stderr
    assert cli("run", path, "-o", "x.h5", "--resume", "--reverse").exit_code == 0


def test_other_directions_are_refused_with_what_is_allowed(config, cli):
    result = cli("validate", config(), "--set", 'drive.direction="backward"')
    assert result.exit_code == 2
    assert "allowed: 'forward', 'reverse'" in result.stderr


def test_edges_between_rows_are_edges_backwards_in_time_to_the_last_bit():
    """0.8 is the edge 4 / 5, and backwards the edge 1 / 5; but 1 - 0.8 is less than 0.2."""
    for rows in (5, 7, 10, 20, 49, 1000, 65536):
        edges = [k / rows for k in range(rows + 1)]
        turned = Waveform(points=[(u, 0.0) for u in edges]).reversed()
        assert [u for u, _ in turned.points] == edges
