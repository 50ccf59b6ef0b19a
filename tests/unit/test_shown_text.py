"""Text of others on terminals, pages and figures: escaped, and never the end of a program."""

import os
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread
from matplotlib.text import Text
from small_configs import PUMP, changed, swept

import trajsim
from trajsim.config import parse
from trajsim.plots import figures, save

pytestmark = pytest.mark.usefixtures("quick_histograms")

HOSTILE = "a\nb\x1b[31mc\x9b2J\u202ed"
SHOWN = r"a\nb\x1b[31mc\x9b2J\u202ed"
QUICK = changed(
    PUMP, ("trajectories = 60", "trajectories = 20"), ("\nperiods = 8", "\nperiods = 2")
)
TITLED = changed(QUICK, ("two driven spins", r"a\nb\u001b[31mc\u009b2J\u202ed"))
GREEK = changed(
    QUICK,
    ("two driven spins", "pump α→β ünï"),
    ('name = "1"', 'name = "α"'),
    ('["1", "2"]', '["α", "2"]'),
)


def plainly_shown(text):
    """Whether a terminal has nothing to obey in a text but ends of lines."""
    return all(c.isprintable() or c == "\n" for c in text)


# -- terminals ---------------------------------------------------------------------------------


def test_titles_and_file_names_are_escaped_by_every_verb(cli, tmp_path):
    (tmp_path / f"{HOSTILE}.toml").write_text(TITLED, encoding="utf-8")
    config, run = f"{HOSTILE}.toml", f"{HOSTILE}.h5"
    verbs = [
        (("validate", config), 0),
        (("run", config, "-o", run), 0),
        (("run", config, "-o", run), 2),
        (("info", run), 0),
        (("verify", run), 0),
        (("analyze", config), 2),
        (("exact", run), 2),
        (("trace", run, "--trajectory", 1, "-o", f"{HOSTILE}.csv"), 0),
        (("report", run, "-o", run), 2),
        (("report", f"{HOSTILE}/none.h5"), 2),
    ]
    for arguments, status in verbs:
        result = cli(*arguments)
        assert result.exit_code == status, (arguments, result.stderr)
        assert plainly_shown(result.output), arguments
        assert SHOWN in result.output, arguments
        # A title or name never begins a line of its own.
        assert not any(line.startswith(r"b\x1b") for line in result.output.splitlines()), arguments


def test_faults_of_a_config_have_a_line_each(cli, tmp_path):
    text = changed(QUICK, ("rate = 0.5", "rate = -1"), ("seed = 2007", "sed = 2007"))
    (tmp_path / f"{HOSTILE}.toml").write_text(text)
    lines = cli("validate", f"{HOSTILE}.toml").stderr.splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"{SHOWN}.toml:") for line in lines)


@pytest.mark.parametrize(
    ("encoding", "alpha"), [("ascii", r"\u03b1"), ("latin-1", r"\u03b1"), ("utf-8", "α")]
)
def test_terminals_without_a_letter_get_its_number(tmp_path, encoding, alpha):
    (tmp_path / "ü.toml").write_text(GREEK, encoding="utf-8")
    trajsim.simulate(parse(GREEK), tmp_path / "ü.h5")
    commands = [["exact", "ü.toml"], ["trace", "ü.h5", "--trajectory", "0"], ["verify", "α.h5"]]
    program = (
        "import sys, shlex\nfrom trajsim.cli import main\n"
        "main(prog_name='trajsim', args=[a.encode('latin-1').decode() for a in sys.argv[1:]])"
    )
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-c", program, *(a.encode().decode("latin-1") for a in command)],
            cwd=tmp_path,
            capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": encoding},
            check=False,
        )
        assert b"Traceback" not in done.stderr, done.stderr
        assert done.returncode == (2 if command[0] == "verify" else 0), done.stderr
        said = (done.stdout + done.stderr).decode(encoding)
        assert alpha in said, command


def test_the_plain_locale_gets_no_traceback(tmp_path):
    (tmp_path / "x.toml").write_text(GREEK, encoding="utf-8")
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-c", "from trajsim.cli import main; main()", "exact", "x.toml"],
        cwd=tmp_path,
        capture_output=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("LC_")} | plain,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"work_rate.\u03b1" in done.stdout
    assert done.stdout.isascii()


# -- pages -------------------------------------------------------------------------------------


def test_a_page_shows_control_characters(tmp_path):
    run = trajsim.simulate(parse(TITLED), tmp_path / f"{HOSTILE}.h5")
    page = run.report(tmp_path / "page.html").read_text(encoding="utf-8")
    assert plainly_shown(page)
    assert f"<title>{SHOWN}</title>" in page
    assert f"<h1>{SHOWN}</h1>" in page
    assert f"{SHOWN}.h5" in page
    assert SHOWN in repr(run)
    assert plainly_shown(repr(run))
    assert plainly_shown(run._repr_html_())


# -- figures -----------------------------------------------------------------------------------

PHASES = '"sites.2.drive.phase" = { start = 0.0, stop = 6.2, num = 3 }'


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_a_title_in_a_figure_is_escaped_and_short():
    (figure,) = figures(parse(TITLED), None).values()
    assert SHOWN in texts(figure)
    long = changed(QUICK, ("two driven spins", "word " * 40))
    (figure,) = figures(parse(long), None).values()
    (title,) = [text for text in texts(figure) if "word" in text]
    assert title.count("\n") == 2
    assert title.endswith(" ...")


@pytest.mark.filterwarnings("error")
def test_letters_that_the_font_does_not_have_are_told_in_a_line(tmp_path, caplog, capfd):
    text = GREEK.replace("α→β", "\u6cf5 \U0001f525 α→β").replace('"α"', '"\u754c"')
    for _ in save(figures(parse(text), None), tmp_path, "x"):
        pass
    assert [record.getMessage() for record in caplog.records] == [
        "figures show boxes for letters that their font does not have: "
        "泵 (U+6CF5), 界 (U+754C), 🔥 (U+1F525)"
    ]
    assert capfd.readouterr().err == ""
    caplog.clear()
    assert figures(parse(GREEK), None)
    assert caplog.records == []


MATPLOTLIBRC = {
    "text.usetex": True,
    "figure.facecolor": "black",
    "axes.facecolor": "black",
    "text.color": "white",
    "axes.edgecolor": "white",
    "savefig.facecolor": "black",
    "savefig.dpi": 17,
    "savefig.bbox": "tight",
    "figure.autolayout": True,
    "font.family": "No Such Font",
    "font.size": 40,
    "axes.grid": True,
    "lines.linewidth": 0,
    "pdf.use14corefonts": True,
    "axes.titlelocation": "left",
}


def drawn(folder):
    """Pictures of one figure of every kind that needs no run, made and saved."""
    made = figures(parse(GREEK), None) | figures(parse(swept(QUICK, PHASES)), None)
    return [imread(path) for path in save(made, folder, "x") if path.suffix == ".png"]


def test_a_matplotlibrc_of_the_user_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("trajsim.plots.sweeps.CURVE_POINTS", 3)
    plain = drawn(tmp_path / "plain")
    with mpl.rc_context(MATPLOTLIBRC):
        odd = drawn(tmp_path / "odd")
        assert mpl.rcParams["text.usetex"]
    for one, other in zip(plain, odd, strict=True):
        np.testing.assert_array_equal(one, other)


def test_more_than_four_panels_are_drawn(monkeypatch, caplog):
    monkeypatch.setattr("trajsim.plots.sweeps.CURVE_POINTS", 3)
    grid = swept(
        QUICK, PHASES.replace("3 }", "6 }"), '"baths.R.temperature" = [0.5, 0.4, 0.3, 0.2, 0.1]'
    )
    figure = figures(parse(grid), None)["sweep"]
    titles = [ax.get_title() for ax in figure.axes]
    assert [title.split(" = ")[1] for title in titles] == ["0.5", "0.4", "0.3", "0.2", "0.1"]
    assert caplog.records == []


def test_panels_that_are_not_drawn_are_told(caplog):
    joint = [[0.5 - 0.01 * k, 1.0 + k * k] for k in range(14)]
    text = swept(QUICK, f'"baths.R.temperature, sites.1.drive.phase" = {joint}')
    figure = figures(parse(text), None)["rates"]
    assert len(figure.axes) == 12
    assert "the first 12 of 14 panels are drawn" in texts(figure)
    (record,) = caplog.records
    assert record.getMessage() == "figure rates: only the first 12 of 14 panels are drawn"
