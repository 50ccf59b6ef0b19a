"""What figures of mean rates show: estimates with their errors, on curves of the exact side."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from small_configs import PUMP, changed, swept

import trajsim
import trajsim.plots.sweeps
from trajsim.analysis.profile import profiles
from trajsim.comparison import expected
from trajsim.config import ConfigError, parse
from trajsim.ensemble import ensemble, start_state
from trajsim.plots import figures, save
from trajsim.plots.time_series import time_figure

pytestmark = pytest.mark.usefixtures("quick_histograms")

PHASES = '"sites.2.drive.phase" = { start = 0.0, stop = 6.283185307179586, num = 5 }'
COLDER = '"baths.R.temperature" = [0.5, 0.45]'
INSET = "\n[figure]\ninset = true\n"
SWEEP = swept(PUMP, COLDER, PHASES) + INSET
ENGINE = '"baths.L.temperature, drive.period" = [[0.5, 10.0], [1.0, 12.0]]'
TIME = changed(PUMP, ("\nperiods = 8", "\nperiods = 2"), ("period = 1\n", "period = 6\n"))
COURSE = swept(TIME, ENGINE) + INSET


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def runs():
    return {text: trajsim.simulate(parse(text)) for text in (SWEEP, COURSE)}


def panels(figure):
    """The axes of a figure and, after them, those within."""
    (main,) = figure.axes
    return [main, *main.child_axes]


def dots(ax):
    """x, y and half the length of the bars, of each current shown."""
    found = {}
    for container in ax.containers:
        x, y = container.lines[0].get_data(orig=False)
        ends = np.array(container.lines[2][0].get_segments())[:, :, 1]
        found[container.get_label()] = np.array([x, y, (ends[:, 1] - ends[:, 0]) / 2])
    return list(found.values())


def curves(ax):
    """The smooth lines."""
    return [line for line in ax.lines if line.get_linestyle() == "-" and len(line.get_xdata()) > 2]


def test_a_sweep_with_an_inset_shows_the_second_temperature_in_it(runs):
    run = runs[SWEEP]
    ax, inset = panels(run.figures()["sweep"])
    assert "0.5" in ax.get_title()
    assert "0.45" in inset.get_title()
    for panel, temperature in ((ax, 0.5), (inset, 0.45)):
        here = [a for a in run.averages() if a.parameters["baths.R.temperature"] == temperature]
        wanted = [[a.of("heat")["L"] for a in here], [a.of("heat")["R"] for a in here]]
        wanted.append([a.total_work for a in here])
        for (x, y, error), estimates in zip(dots(panel), wanted, strict=True):
            np.testing.assert_allclose(x, np.linspace(0, 2 * np.pi, 5))
            np.testing.assert_allclose(y, [e.mean for e in estimates])
            np.testing.assert_allclose(error, [e.stderr for e in estimates])


@pytest.mark.parametrize("sampled", [True, False])
def test_curves_of_a_sweep_are_what_trajectories_show_in_the_mean(runs, sampled):
    config = parse(SWEEP)
    drawn = figures(config, runs[SWEEP] if sampled else None)["sweep"]
    windows = dict(
        zip(map(str, (p.parameters for p in config.points)), expected(config), strict=True)
    )
    for panel, temperature in zip(panels(drawn), (0.5, 0.45), strict=True):
        left, right, work = curves(panel)
        for phase in np.linspace(0, 2 * np.pi, 5):
            at = {"baths.R.temperature": temperature, "sites.2.drive.phase": float(phase)}
            rates = windows[str(at)].rates
            values = [np.interp(phase, *line.get_data()) for line in (left, right, work)]
            np.testing.assert_allclose(values, [*rates.heat, rates.work.sum()], atol=1e-8)


def test_a_course_with_an_inset_shows_the_second_point_in_it(runs):
    run = runs[COURSE]
    found = profiles(run)
    for k, panel in enumerate(panels(run.figures()["time"])):
        period = run.config.points[k].experiment.drive.period
        work = run["work"][k].sum(axis=2) / (period / 6)
        for (x, y, error), column in zip(dots(panel)[:2], (0, 1), strict=True):
            np.testing.assert_allclose(x, (np.arange(12) + 0.5) * period / 6)
            np.testing.assert_allclose(y, found[k].rate["heat"][:, column])
            np.testing.assert_allclose(error, found[k].stderr["heat"][:, column])
        _, y, error = dots(panel)[2]
        np.testing.assert_allclose(y, work.mean(axis=0))
        np.testing.assert_allclose(error, work.std(axis=0, ddof=1) / np.sqrt(60))


@pytest.mark.parametrize("sampled", [True, False])
def test_curves_in_time_run_through_the_exact_means_over_rows(runs, sampled):
    config = parse(COURSE)
    drawn = figures(config, runs[COURSE] if sampled else None)["time"]
    for point, panel in zip(config.points, panels(drawn), strict=True):
        network = point.experiment.network()
        master = ensemble(network, 1e-6)
        begin = master.time_series(start_state(network, "up"), 1, 2).state[-1]
        energetics = master.time_series(begin, 6, 2).energetics
        width = point.experiment.drive.period / 6
        wanted = np.column_stack([energetics.heat, energetics.work.sum(axis=1)]) / width
        for line, values in zip(curves(panel), wanted.T, strict=True):
            at = np.interp((np.arange(12) + 0.5) * width, *line.get_data())
            np.testing.assert_allclose(at, values, atol=1e-8)


@pytest.mark.parametrize("periods", [8, 2])
def test_jumps_from_one_period_to_the_next_are_in_the_curves_in_time(periods):
    """Rows of the periodic state average to its work, with the jump back to the first value."""
    drive = ("drive = { amplitude = 0.25, phase = 0.0 }", "drive = { points = [[0, 0], [1, 0.5]] }")
    text = changed(PUMP, drive, ("period = 1\n", "period = 6\n"), ('"up"', '"periodic"'))
    config = parse(changed(text, ("\nperiods = 8", f"\nperiods = {periods}")))
    (ax,) = time_figure(config, None).axes
    time, work = curves(ax)[-1].get_data()
    rows = 6 * (1 if periods == 8 else periods)
    at = np.interp((np.arange(rows) + 0.5) * 10.0 / 6, time, work)
    work_rate = sum(map(float, trajsim.exact(config).work_rate.values()))
    assert at.mean() == pytest.approx(work_rate, rel=1e-4)


def test_a_long_run_is_drawn_over_one_period_whether_sampled_or_not():
    config = parse(changed(PUMP, ("period = 1\n", "period = 6\n")))
    for sampled in (None, profiles(trajsim.simulate(config))):
        (ax,) = time_figure(config, sampled).axes
        assert ax.get_xlim() == (0, 10)
        assert "in the period" in ax.get_xlabel()


@pytest.mark.parametrize(("text", "name"), [(SWEEP, "sweep"), (COURSE, "time")])
def test_an_inset_hides_nothing(runs, text, name):
    figure = runs[text].figures()[name]
    figure.canvas.draw()
    ax, inset = panels(figure)
    hidden = inset.get_tightbbox()
    assert ax.bbox.width * 0.3 < hidden.width < ax.bbox.width * 0.6
    shown = [(x, y - error, y + error) for x, y, error in dots(ax)]
    shown += [(*line.get_data(), line.get_ydata()) for line in curves(ax)]
    for x, low, high in shown:
        _, high = ax.transData.transform(np.column_stack([x, high])).T
        x, low = ax.transData.transform(np.column_stack([x, low])).T
        within = (x > hidden.x0) & (x < hidden.x1)
        assert not (within & (high > hidden.y0) & (low < hidden.y1)).any()


def test_without_an_inset_panels_stand_side_by_side():
    figure = figures(parse(SWEEP.replace("true", "false")), None)["sweep"]
    assert [len(ax.child_axes) for ax in figure.axes] == [0, 0]


def test_labels_name_what_is_shown(runs):
    ax = runs[SWEEP].figures()["sweep"].axes[0]
    assert ax.get_ylabel() == "heat and work rates (energy / time)"
    assert ax.get_xlabel().startswith("phase of drive 2")
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "π/2", "π", "3π/2", "2π"]
    (key,) = ax.figure.legends
    assert len(key.get_texts()) == 4
    assert key.get_texts()[-1].get_text() == "exact"


def test_exact_is_named_once(runs):
    figure = runs[SWEEP].figures()["sweep"]
    assert [text.get_text() for text in figure.legends[0].get_texts()].count("exact") == 1


@pytest.mark.parametrize("name", ["_", "a__b", "-+"])
def test_names_of_sites_and_titles_are_never_formulas(name, tmp_path, monkeypatch):
    monkeypatch.setattr(trajsim.plots.sweeps, "CURVE_POINTS", 5)
    text = changed(PUMP, ('["1", "2"]', f'["1", "{name}"]'), ('name = "2"', f'name = "{name}"'))
    text = changed(text, ('"two driven spins"', "'a $b_ \\frac c$ 5 %'"))
    text = swept(text, PHASES.replace(".2.", f".{name}."))
    made = figures(parse(text.replace("L =", "L_ =").replace('"L"', '"L_"')), None)
    assert len(list(save(made, tmp_path, "x"))) == 2 * len(made)


# -- the config --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (PUMP, "found true with a sweep of 1 panel;"),
        (swept(PUMP, PHASES), "1 panel along sites.2.drive.phase;"),
        (swept(PUMP, '"baths.R.temperature" = [0.5, 0.4, 0.3]', PHASES), "3 panels along sites.2"),
        (swept(PUMP, '"baths.R.temperature" = [0.5]'), "1 panel;"),
    ],
)
def test_an_inset_needs_two_panels(text, says):
    with pytest.raises(ConfigError) as caught:
        parse(text + INSET)
    (fault,) = caught.value.faults
    assert fault.key == "figure.inset"
    assert fault.line == (text + INSET).splitlines().index("inset = true") + 1
    assert says in fault.message
    assert fault.message.endswith("allowed: with one of two")


@pytest.mark.parametrize(
    ("line", "says"), [("inset = 1", "true or false"), ("insets = true", "did you mean 'inset'")]
)
def test_faults_in_the_layout_of_figures_are_told(line, says):
    with pytest.raises(ConfigError, match=says):
        parse(f"{PUMP}\n[figure]\n{line}\n")


def test_a_map_over_other_axes_takes_a_config_with_an_inset():
    axes = ["sites.1.drive.phase=0:1:3", "baths.R.temperature=0.4:0.5:3"]
    assert len(parse(SWEEP, over=axes).points) == 9


def test_one_point_of_a_sweep_with_an_inset_can_be_loaded():
    config = parse(SWEEP)
    assert trajsim.load(config.points[3]).experiment == config.points[3].experiment


def test_a_run_remembers_how_it_is_drawn(runs):
    assert runs[SWEEP].config.experiment.figure.inset


def test_keys_that_move_together_on_a_line_are_an_axis_others_are_none():
    pairs = '"baths.L.temperature, baths.R.temperature"'
    line = parse(PUMP + f"[sweep]\n{pairs} = [[1.0, 2.0], [3.0, 1.0], [2.0, 1.5]]\n")
    assert line.axis == "baths.L.temperature"
    assert line.panels == [{}]
    assert line.along(2.5) == pytest.approx(
        {"baths.L.temperature": 2.5, "baths.R.temperature": 1.25}
    )
    bent = parse(PUMP + f"[sweep]\n{pairs} = [[1.0, 2.0], [3.0, 1.0], [2.0, 1.6]]\n")
    assert bent.axis is None
    twice = parse(PUMP + f"[sweep]\n{pairs} = [[1.0, 2.0], [1.0, 1.0], [2.0, 1.5]]\n")
    assert twice.axis is None


def test_figures_of_the_program_are_made_with_a_thread_for_each_matrix(monkeypatch):
    """Set before numpy is imported, or it would not be heeded; what a user sets stays."""
    code = (
        "import os, sys; from trajsim.cli import looking; "
        "early = 'numpy' not in sys.modules; looking._one_thread_for_matrices(); "
        "print(early, os.environ['OPENBLAS_NUM_THREADS'])"
    )
    for given, found in ((None, "1"), ("3", "3")):
        if given is None:
            monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
        else:
            monkeypatch.setenv("OPENBLAS_NUM_THREADS", given)
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert said.stdout.split() == ["True", found]
