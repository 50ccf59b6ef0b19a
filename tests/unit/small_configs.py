"""Configs small enough to run in a blink, for all unit tests."""

PUMP = """\
title = "two driven spins"

[model]
kind = "spins"
rate = 0.5
rate_law = "glauber-product"

[drive]
period = 10.0

[baths]
L = { temperature = 0.5 }
R = { temperature = 0.499 }

[[sites]]
name = "1"
bath = "L"
drive = { amplitude = 0.25, phase = 0.0 }

[[sites]]
name = "2"
bath = "R"
drive = { amplitude = 0.25, phase = 2.2 }

[[bonds]]
sites = ["1", "2"]
coupling = 1.0

[ensemble]
trajectories = 60
periods = 8
burn_in = 2
initial = "up"
seed = 2007

[ledger]
rows_per_period = 1
"""

UNDRIVEN = PUMP.replace("drive = { amplitude = 0.25, phase = 0.0 }\n", "").replace(
    "drive = { amplitude = 0.25, phase = 2.2 }\n", ""
)

# One of the two spins has no field.
HALF_DRIVEN = PUMP.replace("drive = { amplitude = 0.25, phase = 2.2 }\n", "")

# Three different lengths of bath, drive and site, harmonics, an offset, a shared bath.
TRIANGLE = """\
[model]
kind = "spins"
rate = 2.0
rate_law = "heat-bath"

[drive]
period = 7.5

[baths]
hot = { temperature = 2.0 }
cold = { temperature = 0.5 }

[[sites]]
name = "a"
bath = "cold"

[[sites]]
name = "b"
bath = "hot"
drive = { amplitude = 0.5, offset = -0.1, harmonics = [{ order = 3, amplitude = 0.2, phase = 1 }] }

[[sites]]
name = "c"
bath = "cold"
drive = { amplitude = 0.25, phase = 1.5 }

[[bonds]]
sites = ["a", "b"]
coupling = 1.0

[[bonds]]
sites = ["c", "b"]
coupling = -0.5

[ensemble]
trajectories = 50
periods = 6
initial = "random"
seed = 1

[ledger]
periods_per_row = 3
"""


def swept(text: str, *axes: str) -> str:
    """A config with a [sweep] of these lines."""
    return text + "\n[sweep]\n" + "\n".join(axes) + "\n"


def changed(text: str, *edits: tuple[str, str]) -> str:
    """A config with each first text, which must be there once, replaced by the second."""
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    return text


SHAPES = {
    "pump": PUMP,
    "resolved": changed(PUMP, ("rows_per_period = 1", "rows_per_period = 4")),
    "undriven": UNDRIVEN,
    "half driven": HALF_DRIVEN,
    "sweep": swept(PUMP, '"sites.2.drive.phase" = [0.0, 2.2, 3.0]'),
    "swept period": swept(PUMP, '"drive.period, baths.L.temperature" = [[10.0, 1.0], [20.0, 2.0]]'),
}
