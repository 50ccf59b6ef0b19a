"""What figures of fluctuations show is what was estimated, and the exact curves they are given."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
from synthetic import Ledger

from trajsim.analysis.fluctuations import fluctuations, fluctuations_by_window
from trajsim.plots.distributions import Curves, generating_figure, histogram_figure, rate_figure
from trajsim.plots.moments import covariance_figure, cumulants_figure
from trajsim.plots.style import styled
from trajsim.store import StoredRun, open_run

pytestmark = pytest.mark.usefixtures("quick_histograms")


@pytest.fixture(scope="module")
def found():
    random = np.random.default_rng(1)
    heat, work = random.normal(size=(5000, 4, 2)), random.gamma(2.0, size=(5000, 4, 2))
    return [next(fluctuations(Ledger(heat, work), rows)) for rows in (1, 2, 4)]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def dots(ax, label):
    """x, y and lengths of the bars of what an axes shows under a label."""
    (container,) = [c for c in ax.containers if c.get_label() == label]
    x, y = container.lines[0].get_data(orig=False)
    (bars,) = container.lines[2]
    ends = np.array(bars.get_segments())[:, :, 1]
    return x, y, (ends[:, 1] - ends[:, 0]) / 2


def line(ax, label):
    (drawn,) = [drawn for drawn in ax.lines if drawn.get_label() == label]
    return drawn.get_data()


def test_histograms_show_densities_on_exact_probabilities(found):
    (first, *_) = found
    exact = [np.linspace(0.0, 0.1, len(h.counts)) for h in first.histograms]
    figure = histogram_figure(first, exact)
    # Two heats and the total work.
    assert len(figure.axes) == 3
    ax, h = figure.axes[0], first.histograms[0]
    seen = h.counts > 0
    x, y, _ = dots(ax, "sampled")
    np.testing.assert_allclose(x, ((h.edges[1:] + h.edges[:-1]) / 2)[seen])
    np.testing.assert_allclose(y, h.counts[seen] / (5000 * 4 * np.diff(h.edges)[seen]))
    _, drawn = line(ax, "exact")
    np.testing.assert_allclose(drawn[1:], exact[0][1:] / np.diff(h.edges)[1:])
    assert ax.get_yscale() == "log"
    assert "energy" in ax.get_xlabel()
    assert len(histogram_figure(first).axes[0].lines) < len(ax.lines)


def test_generating_functions_show_what_is_trusted_on_exact_curves(found):
    first = found[0]
    argument = np.linspace(-1, 1, 9)
    curves = [Curves(argument, argument**2, argument**3, argument**4) for _ in first.observables]
    figure = generating_figure(first, curves)
    ax, g = figure.axes[0], first.generating[0]
    x, y, error = dots(ax, "sampled")
    np.testing.assert_allclose(x, g.argument[g.trusted])
    np.testing.assert_allclose(y, g.theta[g.trusted])
    np.testing.assert_allclose(error, g.theta_error[g.trusted], atol=1e-15)
    np.testing.assert_allclose(line(ax, "exact")[1], argument**2)
    np.testing.assert_allclose(line(ax, "exact, long times")[1], argument**3)
    (partner,) = [drawn for drawn in ax.lines if "reversed" in drawn.get_label()]
    np.testing.assert_allclose(partner.get_ydata(), argument**4)


def test_rate_functions_are_legendre_transforms(found):
    first = found[0]
    argument = np.linspace(-2, 2, 401)
    # theta = 3 x^2 / 2 has the rate function q^2 / 6.
    curves = [Curves(argument, 1.5 * argument**2) for _ in first.observables]
    ax = rate_figure(first, curves).axes[0]
    current, rate = line(ax, "exact")
    np.testing.assert_allclose(rate, current**2 / 6, atol=1e-3)
    x, y, _ = dots(ax, "sampled")
    g = first.generating[0]
    np.testing.assert_allclose(x, g.current[g.trusted])
    np.testing.assert_allclose(y, g.rate[g.trusted])


def test_cumulants_are_shown_against_windows(found):
    exact = [np.full((4, 5), k + 1.0) for k in range(3)]
    figure = cumulants_figure(found, exact, np.full((4, 5), 7.0))
    assert len(figure.axes) == 8
    # Orders downwards; heats left, total work right.
    for row in range(4):
        for column, label, k in ((0, r"$Q_{\mathrm{R}}$", 1), (1, "$W$", 4)):
            ax = figure.axes[2 * row + column]
            _, y, error = dots(ax, label)
            np.testing.assert_allclose(y, [f.cumulants.mean[row, k] for f in found])
            np.testing.assert_allclose(error, [f.cumulants.stderr[row, k] for f in found])
            assert any(np.array_equal(drawn.get_ydata(), [1, 2, 3]) for drawn in ax.lines)
            assert any(np.array_equal(drawn.get_ydata(), [7, 7]) for drawn in ax.lines)


@pytest.mark.parametrize(("rows", "period"), [(3, 1.0), (32, 225.0), (200, 0.1), (200_000, 225.0)])
def test_lengths_of_windows_are_readable(rows, period):
    random = np.random.default_rng(1)
    ledger = Ledger(random.normal(size=(3, rows, 2)), period=period)
    lengths = [1 << k for k in range(18) if 1 << k <= rows]
    with styled():
        figure = cumulants_figure(next(fluctuations_by_window(ledger, lengths)))
        figure.draw_without_rendering()
        (axis,) = [ax.xaxis for ax in figure.axes if ax.get_xlabel()]
        texts = axis.get_ticklabels(which="both")
        low, high = axis.get_view_interval()
        extents = [
            t.get_window_extent()
            for t in sorted(texts, key=lambda t: t.get_position()[0])
            if t.get_text() and low <= t.get_position()[0] <= high
        ]
    assert len(extents) >= 2
    for one, other in pairwise(extents):
        assert one.x1 + 2 < other.x0


def test_windows_of_all_lengths_are_gathered_in_one_passage():
    random = np.random.default_rng(1)
    heat, work = random.normal(size=(40, 7, 2)), random.normal(size=(40, 7, 2))
    ledger, passages = Ledger(heat, work, slices=5), []
    blocks = ledger.blocks
    ledger.blocks = lambda names=None: (passages.append(names), blocks(names))[1]
    together = next(fluctuations_by_window(ledger, [1, 2, None]))
    assert passages == [["heat", "work"]]
    for found, rows in zip(together, (1, 2, None), strict=True):
        alone = next(fluctuations(ledger, rows, detailed=False))
        assert found.windows == alone.windows
        np.testing.assert_array_equal(found.cumulants.mean, alone.cumulants.mean)
        np.testing.assert_array_equal(found.cumulants.stderr, alone.cumulants.stderr)


def test_a_run_is_looked_at_in_slices_a_few_times(run_of, cli, monkeypatch):
    """However many windows there are: a run of 200,000 rows takes no more than these."""
    held, slices = [], StoredRun._slices

    def counted(run, wanted):
        for point, first, columns in slices(run, wanted):
            held.append({len(column) for column in columns.values()})
            yield point, first, columns

    monkeypatch.setattr(StoredRun, "_slices", counted)
    monkeypatch.setattr("trajsim.store.reading.SLICE_BYTES", 1)
    run = run_of("pump")
    trajectories = open_run(run).layout.trajectories
    # Averages, the windows asked for, all windows; then the page's own averages, and theorems.
    for verb, passages in (("plot", 3), ("report", 6)):
        held.clear()
        assert cli(verb, run, "-o", f"{verb}.html").exit_code == 0
        assert held == [{1}] * (passages * trajectories)


def test_the_covariance_shows_correlations_and_how_far_off_they_are(found):
    first = found[0]
    mean, stderr = first.covariance
    figure = covariance_figure(first, mean - 2 * stderr)
    images = [ax.images[0].get_array() for ax in figure.axes if ax.images]
    spread = np.sqrt(np.diag(mean))
    np.testing.assert_allclose(images[0], mean / np.outer(spread, spread))
    np.testing.assert_allclose(images[1], 2.0)
    alone = covariance_figure(first)
    assert sum(bool(ax.images) for ax in alone.axes) == 1


def test_the_command_line_draws_windows_and_refuses_those_too_long(run_of, cli):
    result = cli("plot", run_of("pump"), "-o", "figures", "--window", 2)
    names = {line.rpartition("/")[2] for line in result.stdout.splitlines()}
    windowed = [f"window-2-{n}" for n in ("histogram", "generating", "rate-function", "covariance")]
    for name in (*windowed, "cumulants"):
        assert {f"run-{name}.png", f"run-{name}.pdf"} <= names
    assert cli("plot", run_of("pump"), "-o", "figures", "--window", 9).exit_code == 2
