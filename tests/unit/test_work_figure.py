"""The figure of works shows what was sampled, on the exact densities, which cross at dF."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import norm
from test_protocols import RAMP

from trajsim import plots
from trajsim.analysis.free_energy import bennett
from trajsim.ensemble.distribution import OUTSIDE, Atoms, invert, only_atoms
from trajsim.plots.style import styled
from trajsim.plots.works import Works, work_figure

T, DELTA_F, DEVIATION = 0.7, 0.3, 1.1
SPENT = DEVIATION**2 / (2 * T)


@pytest.fixture(autouse=True)
def closed():
    with styled():
        yield
    plt.close("all")


def gaussian(mean):
    half = DEVIATION * np.sqrt(-2.2 * OUTSIDE)
    none = Atoms(np.zeros(0), np.zeros(0))

    def characteristic(w):
        return np.exp(1j * w * mean - 0.5 * (DEVIATION * w) ** 2)

    return invert(characteristic, (mean - half, mean + half), none, 0.0, 1e-9)


def drawn(forward, backward, exact=None):
    """The axes of the figure of works, with the free energy known."""
    both = bennett(forward, backward, T)
    return work_figure(Works(forward, backward, T, both, DELTA_F, exact)).axes


def dots(ax, k):
    return ax.containers[k].lines[0].get_data(orig=False)


def test_densities_of_both_works_lie_on_exact_ones_that_cross_at_the_free_energy():
    random = np.random.default_rng(1)
    forward = random.normal(DELTA_F + SPENT, DEVIATION, 30_000)
    backward = random.normal(-DELTA_F + SPENT, DEVIATION, 9_000)
    left, right = drawn(forward, backward, (gaussian(DELTA_F + SPENT), gaussian(-DELTA_F + SPENT)))
    means = DELTA_F + SPENT, DELTA_F - SPENT
    curves = [line for line in left.lines if line.get_label() == "exact"]
    for k, (sample, mean) in enumerate(zip((forward, -backward), means, strict=True)):
        x, y = dots(left, k)
        assert (x > sample.min() - 1e-9).all()
        # Beyond the limit once in 1e6.
        width = 1.0 / y.sum()
        counts = y * width * len(sample)
        # Edges of the bins are whole widths.
        edges = np.multiply.outer(width, np.floor(x / width) + np.array([[0], [1]]))
        expected = np.diff(norm.cdf(edges, mean, DEVIATION), axis=0)[0] * len(sample)
        many = expected > 40
        assert many.sum() > 15
        deviations = (counts - expected)[many] / np.sqrt(expected[many])
        assert abs(deviations).max() < norm.isf(1e-6 / (2 * many.sum()))
        at, density = curves[k].get_data()
        np.testing.assert_allclose(density, norm.pdf(at, mean, DEVIATION), rtol=5e-3, atol=1e-9)
    # They cross where the line of their ratio, of slope 1/T, passes zero, and there is dF marked.
    one, other = (
        np.interp(DELTA_F, *np.array(sorted(c.get_xydata()[:, :2].tolist())).T) for c in curves
    )
    assert one == pytest.approx(other, rel=5e-3)
    (crooks,) = [
        line for line in right.lines if "Delta F" in line.get_label() and "T$" in line.get_label()
    ]
    a, b = crooks.get_xydata()
    assert (b[1] - a[1]) / (b[0] - a[0]) == pytest.approx(1 / T)
    assert a[1] == pytest.approx((a[0] - DELTA_F) / T)
    w, ratio = dots(right, 0)
    bars = np.array(right.containers[0].lines[2][0].get_segments())
    error = np.ptp(bars[:, :, 1], axis=1) / 2
    z = ((ratio - (w - DELTA_F) / T) / error)[error < 0.2]
    assert len(z) > 15
    assert abs(z).max() < norm.isf(1e-6 / (2 * len(z)))
    marks = [line for line in left.lines if "exact)" in str(line.get_label())]
    assert [line.get_xdata()[0] for line in marks] == [DELTA_F]


def test_works_of_few_values_are_drawn_as_such():
    values, chances = np.array([-1.0, 0.5, 2.0]), np.array([0.3, 0.5, 0.2])
    reverse = chances * np.exp(-(values - DELTA_F) / T)
    reverse /= reverse.sum()
    random = np.random.default_rng(2)
    forward, backward = (
        random.choice(values, 5000, p=chances),
        random.choice(-values, 700, p=reverse),
    )
    ends = (-4.0, 4.0)
    exact = (
        only_atoms(Atoms(values, chances), ends, None),
        only_atoms(Atoms(-values[::-1], reverse[::-1]), ends, None),
    )
    left, _ = drawn(forward, backward, exact)
    assert left.get_ylabel() == "probability"
    for k, (sample, weights) in enumerate(((forward, chances), (-backward, reverse))):
        x, y = dots(left, k)
        np.testing.assert_allclose(x, values)
        np.testing.assert_allclose(y, [(sample == v).mean() for v in values])
        stems = [c for c in left.collections if c.get_label() == "exact"]
        segments = np.array(stems[k].get_segments())
        np.testing.assert_allclose(segments[:, 1, 0], values)
        np.testing.assert_allclose(segments[:, 1, 1], weights, rtol=1e-9)


def test_an_atom_beside_a_density_has_a_bin_of_its_own():
    random = np.random.default_rng(3)
    forward = np.where(random.random(4000) < 0.1, 2.0, random.uniform(-1.0, 2.0, 4000))
    backward = np.where(random.random(4000) < 0.2, -2.0, random.uniform(-2.0, 1.0, 4000))
    left, _ = drawn(forward, backward)
    x, y = dots(left, 0)
    assert x[-1] == 2.0
    width = (forward == 2.0).mean() / y[-1]
    # No bin beside it holds any of it, and none reaches beyond.
    assert x[-2] < 2.0
    assert y[:-1].sum() * width == pytest.approx((forward < 2.0).mean())
    assert y[-2] < 2.0 * 0.9 / 3.0


def test_plot_and_report_take_the_reversed_run_of_a_protocol(config, cli, tmp_path, monkeypatch):
    # Other figures and exact densities take their time, and have tests of their own.
    monkeypatch.setattr(plots, "figures", lambda *_: {})
    monkeypatch.setattr(plots, "exact_works", lambda *_: None)
    path = config(RAMP.replace("40000", "600"))
    for more, name in (((), "f.h5"), (("--reverse",), "r.h5")):
        assert cli("run", path, *more, "-o", name).exit_code == 0
    answer = cli("plot", "f.h5", "--reversed", "r.h5")
    assert answer.exit_code == 0
    assert "f-work.png" in answer.stdout
    assert (tmp_path / "f-work.pdf").stat().st_size > 0
    assert cli("report", "f.h5", "--reversed", "r.h5").exit_code == 0
    page = (tmp_path / "f.html").read_text(encoding="utf-8")
    assert "Bennett" in page
    assert "cross at the difference of the free energies" in page
    for verb in ("plot", "report"):
        assert cli(verb, "f.h5", "--reversed", "f.h5").exit_code == 2
    assert cli("plot", path, "--reversed", "r.h5").exit_code == 2
    twice = cli("run", path, "--reverse", "--set", "ensemble.periods=2", "-o", "t.h5")
    assert twice.exit_code == 0
    refused = cli("plot", "f.h5", "--reversed", "t.h5")
    assert refused.exit_code == 2
    assert "one period from equilibrium" in refused.stderr
    # What compares the two otherwise can do without.
    assert json.loads(cli("analyze", "f.h5", "--reversed", "t.h5", "--json").stdout)["points"]
