"""Figures are shown where notebooks show them, once, and nowhere else do they open a window."""

import os
import subprocess
import sys
import tomllib

import matplotlib.pyplot as plt
import pytest
from pages import ROOT

import trajsim

PROGRAM = """
import sys, types
if sys.argv[1] == "notebook":
    shell = types.SimpleNamespace(config={"IPKernelApp": {}})
    sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: shell)
import trajsim.plots, matplotlib
print(matplotlib.get_backend().lower())
"""


@pytest.mark.parametrize(("place", "backend"), [("notebook", "svg"), ("shell", "agg")])
def test_a_notebook_keeps_its_own_way_to_show_figures(place, backend):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, place],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MPLBACKEND": "svg", "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.split() == [backend]


def test_figures_belong_to_the_caller():
    """What pyplot keeps, a notebook shows at the end of the cell: a second time."""
    config = tomllib.loads((ROOT / "configs" / "figure-2.toml").read_text(encoding="utf-8"))
    config["ensemble"] |= {"trajectories": 4, "periods": 2}
    del config["ledger"]
    config["sweep"] = {"sites.2.drive.phase": [0.0, 1.0, 2.0]}
    made = trajsim.simulate(config).figures()
    assert list(made) == ["sweep"]
    assert plt.get_fignums() == []
    made["sweep"].canvas.draw()
