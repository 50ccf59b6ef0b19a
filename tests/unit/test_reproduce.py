"""The paper beside ours: what is published, how it is judged, what the verb leaves behind."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.linalg import solve_continuous_lyapunov

import trajsim
import trajsim.paper.runs
import trajsim.plots.sweeps
from trajsim.analysis.estimate import Estimate
from trajsim.paper import Compared, has
from trajsim.paper.published import NUMBERS, PARAMETERS, Number, equation_7
from trajsim.paper.runs import RUNS, Current, Planned, Sweep, shipped
from trajsim.paper.statements import alike, nowhere, somewhere
from trajsim.store import UnfinishedRun

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


# -- what is published -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("printed", "value", "unit"),
    [("3.674e-4", 3.674e-4, 1e-7), ("-1.025e-3", -1.025e-3, 1e-6), ("1.75e-2", 0.0175, 1e-4)],
)
def test_a_printed_number_has_a_value_and_a_last_digit(printed, value, unit):
    number = Number("", "", printed, "", "")
    assert number.value == value
    assert number.unit == pytest.approx(unit, rel=1e-12)


def solved_by_hand(phi, left, right):
    """Rates of the pair of Fig. 4 from the response to the force and a Lyapunov equation."""
    omega, stiff = 2 * np.pi / 3, np.array([[5.0, -3.0], [-3.0, 5.0]])
    force = np.array([1.0, np.exp(1j * phi)])
    x = np.linalg.solve(stiff + (1j * omega - omega**2) * np.eye(2), force)
    # <-f' x> of cosines with these amplitudes.
    work = -0.5 * (1j * omega * force * x.conj()).real
    flow = np.block([[np.zeros((2, 2)), np.eye(2)], [-stiff, -np.eye(2)]])
    noise = np.diag([0.0, 0.0, 2 * left, 2 * right])
    velocity = np.diag(solve_continuous_lyapunov(flow, -noise))[2:]
    heat = np.array([left, right]) - velocity - 0.5 * omega**2 * abs(x) ** 2
    return dict(zip(("q_L", "q_R", "w_L", "w_R"), [*heat, *work], strict=True))


@pytest.mark.parametrize(("left", "right"), [(1.0, 1.0), (2.0, 1.0), (0.3, 4.0)])
def test_the_closed_form_is_the_solution_of_the_equations_of_motion(left, right):
    phases = np.linspace(0, 2 * np.pi, 7)
    published = equation_7(phases, left, right)
    for k, phi in enumerate(phases):
        for name, value in solved_by_hand(phi, left, right).items():
            assert published[name][k] == pytest.approx(value, abs=1e-13), name


def test_the_configs_come_with_the_package_and_are_those_of_the_clone():
    here, there = ({p.name: p.read_bytes() for p in f.glob("*.toml")} for f in (shipped(), CONFIGS))
    assert here == there
    assert {f"{planned.config}.toml" for planned in RUNS} <= set(here)


# -- how it is judged ---------------------------------------------------------------------------

NUMBER = Number("", "", "3.674e-4", "", "heat.R")


@pytest.mark.parametrize(
    ("exact", "mean", "holds"),
    [
        (3.6740e-4, 3.674e-4, True),
        (3.6731e-4, 3.70e-4, True),
        (3.6729e-4, 3.674e-4, False),  # a digit off
        (3.6740e-4, 3.80e-4, False),  # samples off by 6 standard errors
    ],
)
def test_a_number_holds_within_its_last_digit_and_on_the_samples(exact, mean, holds):
    compared = Compared(NUMBER, exact, Estimate(mean, 2e-6), limit=4.0)
    assert compared.holds == holds
    assert compared.deviation == pytest.approx(exact / 3.674e-4 - 1)


def test_a_number_whose_sign_is_in_doubt_does_not_hold():
    exact = 3.674e-4
    assert not Compared(NUMBER, exact, Estimate(exact, exact / 3.9), limit=4.0).holds
    assert Compared(NUMBER, exact, Estimate(exact, exact / 4.1), limit=4.0).holds


def sweep(**currents):
    """Three phases; each current is (exact, mean), its standard errors are 1."""
    named = {
        name: Current(np.array(exact, float), np.array(mean, float), np.ones(3))
        for name, (exact, mean) in currents.items()
    }
    return Sweep(np.arange(3.0), named, 10_000)


def test_for_some_phase_is_judged_where_exact_shows_it_best():
    judged = somewhere(sweep(a=([1, 9, 8], [1, 8, 30]), b=([-9, -9, -1], [-9, -8, 9])), a=1, b=-1)
    assert judged.holds
    assert "phi = 1" in judged.exact
    assert "a = +8.000e+00" in judged.sampled
    assert "beyond 8" in judged.sampled


@pytest.mark.parametrize(
    ("exact", "mean"),
    [([-1, -9, -1], [9, 9, 9]), ([1, 9, 1], [9, -9, 9]), ([1, 2, 1], [9, 2, 9])],
    ids=["exact against", "samples against", "samples in doubt"],
)
def test_for_some_phase_asks_for_exact_and_for_samples_beyond_doubt(exact, mean):
    assert not somewhere(sweep(a=(exact, mean)), a=1).holds


@pytest.mark.parametrize(
    ("exact", "mean", "holds"),
    [
        ([-1, -2, -3], [-1, -2, -3], True),
        ([-1, -2, -3], [3, -2, -3], True),
        ([-1, 0.1, -3], [-1, -2, -3], False),
        ([-1, -2, -3], [-1, -2, 6], False),
    ],
    ids=["so", "within errors", "exact against", "samples against"],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_for_no_phase_is_judged_at_all(exact, mean, holds, sign):
    turned = sweep(a=(sign * np.array(exact), sign * np.array(mean)))
    assert nowhere(turned, "a", sign).holds == holds


@pytest.mark.parametrize(
    ("exact", "mean", "holds"),
    [
        ([1, 2, 3], [1, 2, 3], True),
        ([1, 2, 3], [4, 2, 0], True),
        ([1, 2.001, 3], [1, 2, 3], False),
        ([1, 2, 3], [1, 8, 3], False),
    ],
    ids=["so", "within errors", "exact off", "samples off"],
)
def test_a_curve_is_judged_at_every_phase(exact, mean, holds):
    published = {"a": np.array([1.0, 2.0, 3.0])}
    assert alike(sweep(a=(exact, mean)), published, ("a",)).holds == holds


# -- the verb -----------------------------------------------------------------------------------

FEW_PHASES = "sweep.sites.2.drive.phase={start=0.0, stop=6.283185307179586, num=9}"
LESS = {
    "undriven": ("ensemble.trajectories=2000",),
    "heat_pump": ("ensemble.trajectories=2000",),
    "heat_engine": ("ensemble.trajectories=500",),
    "figure-1": ("ensemble.trajectories=3000", FEW_PHASES),
    "figure-2": ("ensemble.trajectories=50", FEW_PHASES),
    "figure-3": ("ensemble.trajectories=500",),
    "figure-4": ("ensemble.trajectories=50", FEW_PHASES),
    "figure-4-warmer": ("ensemble.trajectories=50", FEW_PHASES),
}


@pytest.fixture(scope="module")
def few():
    """All runs with less of everything."""
    return tuple(p._replace(quick=p.quick + LESS[p.name]) for p in RUNS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, few):
    """What the interface leaves in a folder, and its answer."""
    folder = tmp_path_factory.mktemp("reproduce")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trajsim.paper.runs, "RUNS", few)
        patch.setattr(trajsim.plots.sweeps, "CURVE_POINTS", 5)
        return folder, trajsim.reproduce(folder, quick=True)


def test_every_run_has_the_parameters_of_the_paper(folder):
    _, made = folder
    assert [p.place for p, same in made.parameters if not same] == []
    assert len(made.parameters) == len(PARAMETERS)


@pytest.mark.parametrize("key", ["drive.period", "baths.R.temperature", "bonds.1-2.coupling"])
def test_other_parameters_than_the_papers_are_noticed(folder, key):
    _, made = folder
    (pump,) = [p for p in PARAMETERS if p.run == "heat_pump"]
    values = {**pump.values, key: pump.values[key] * 1.001}
    assert not has(made.runs["heat_pump"], pump._replace(values=values))


def test_numbers_are_those_of_the_runs_and_of_the_exact_side(folder):
    _, made = folder
    for compared in made.numbers:
        run, quantity = made.runs[compared.number.run], compared.number.quantity
        (sampled,) = run.averages
        exact = trajsim.exact(run.config)
        if quantity == "efficiency":
            engine = sampled.regime(run.experiment().temperatures).efficiency
            assert compared.sampled == engine
            assert compared.exact == pytest.approx(exact.regime.efficiency.mean, rel=1e-9)
        else:
            label = quantity.partition(".")[2]
            assert compared.sampled == sampled.of("heat")[label]
            assert compared.exact == pytest.approx(exact.heat_rate[label], rel=1e-7)
        assert abs(compared.exact - compared.number.value) <= compared.number.unit
    assert len(made.numbers) == len(NUMBERS)


def test_runs_agree_with_exact_and_nothing_speaks_against_the_paper(folder):
    _, made = folder
    assert all(run.check.agrees for run in made.runs.values())
    assert [s.text for s, judged in made.statements if not judged.holds] == []


def test_the_folder_holds_figures_and_the_table(folder):
    place, made = folder
    names = {path.name for path in place.iterdir()}
    for k in (1, 2, 3, 4):
        assert {f"figure-{k}.png", f"figure-{k}.pdf", f"figure-{k}.h5"} <= names
    assert sorted(made.figures) == sorted(p for p in place.glob("figure-*.p*"))
    answer = json.loads((place / "numbers.json").read_text())
    assert answer["agrees"] == made.agrees
    assert [n["printed"] for n in answer["numbers"]] == [n.printed for n in NUMBERS]
    page = (place / "numbers.md").read_text()
    assert all(f"({name})" in page for name in ("figure-1.png", "figure-4.png"))
    assert all(n.printed in page for n in NUMBERS)
    assert all(line.count(" | ") in (2, 4, 6, 7) for line in page.splitlines() if line[:1] == "|")


def test_the_verb_takes_up_what_is_there_and_tells_what_does_not_hold(
    folder, few, cli, monkeypatch, digest
):
    place, made = folder
    monkeypatch.setattr(trajsim.paper.runs, "RUNS", few)
    wrong = (NUMBERS[0]._replace(printed="1.42e-4"), *NUMBERS[1:])
    monkeypatch.setattr(trajsim.paper, "NUMBERS", wrong)
    monkeypatch.setattr(trajsim.paper, "_draw", lambda *_: [])
    before = {path: (digest(path), path.stat().st_mtime_ns) for path in place.glob("*.h5")}
    result = cli("reproduce", "--quick", "-o", place, "--json")
    assert result.stderr.count("is there already") == len(RUNS)
    assert before == {path: (digest(path), path.stat().st_mtime_ns) for path in before}
    first, *others = json.loads(result.stdout)["numbers"]
    assert first["sampled"]["mean"] == made.numbers[0].sampled.mean
    assert (first["holds"], result.exit_code) == (False, 1)
    assert [n["holds"] for n in others] == [n.holds for n in made.numbers[1:]]


def test_the_verb_refuses_another_run_in_the_place_of_its_own(folder, few, cli, monkeypatch):
    place, _ = folder
    other = few[0]._replace(overrides=(*few[0].overrides, "ensemble.seed=1"))
    monkeypatch.setattr(trajsim.paper.runs, "RUNS", (other, *few[1:]))
    result = cli("reproduce", "--quick", "-o", place)
    assert result.exit_code == 2
    assert "seed: it was 2007, now it is 1" in result.stderr
    assert "--force" in result.stderr


def test_the_text_tells_all(folder):
    _, made = folder
    text = repr(made)
    assert all(n.name in text for n in NUMBERS)
    assert text.count("holds\n") == len(made.statements) + sum(n.holds for n in made.numbers)
    assert "8 of 8 runs agree" in text


def test_an_interrupted_run_is_gone_on_with(tmp_path, monkeypatch):
    """A run whose blocks are there is finished from them."""
    planned = Planned("undriven", "undriven", ("ensemble.trajectories=500", "ensemble.periods=4"))
    monkeypatch.setattr(trajsim.paper.runs, "RUNS", (planned,))
    said = []

    def make():
        options = {"quick": False, "workers": 1, "force": False, "say": said.append}
        return list(trajsim.paper.runs.make_all(tmp_path, **options))

    def full(*_):
        raise OSError("full")

    with monkeypatch.context() as patch:
        patch.setattr(UnfinishedRun, "pack", full)
        with pytest.raises(trajsim.running.run.StoppedError):
            make()
    (done,) = make()
    assert "resuming: 500 trajectories are done" in said
    assert done.run.finished
