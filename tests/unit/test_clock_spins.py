"""A model from outside the package: `examples/clock_spins`, with the promises of trajsim's own.

Statistical tests have fixed seeds; a correct program fails one with probability 1e-4 or less.
"""

import itertools
import math
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import solve_ivp
from scipy.linalg import null_space
from small_configs import changed

import trajsim
from trajsim import api
from trajsim.comparison import check
from trajsim.extending import plugins
from trajsim.extending.kinds import KINDS, ModelError
from trajsim.ledger import Column, first_law_residual
from trajsim.running.blocks import model_of
from trajsim.running.provenance import header_of
from trajsim.store import StoreError, UnfinishedRun

PACKAGE = Path(__file__).parents[2] / "examples" / "clock_spins"
PAIR = (PACKAGE / "pair.toml").read_text(encoding="utf-8")
UNDRIVEN = PAIR.replace("drive = { amplitude = 0.5, phase = 0.0 }\n", "").replace(
    "drive = { amplitude = 0.5, phase = 2.2 }\n", "drive = { offset = 0.3 }\n"
)
# A third spin, harmonics, periods resolved, a law of trajsim's that has a kink.
TRIANGLE = (
    changed(
        PAIR,
        ('"heat-bath"', '"metropolis"'),
        ("phase = 2.2 }", "phase = 2.2, harmonics = [{ order = 3, amplitude = 0.2 }] }"),
        ("= 4000", "= 400"),
        ("periods = 40", "periods = 6"),
        (
            "[[bonds]]",
            '[[sites]]\nname = "3"\nbath = "L"\n[[bonds]]\nsites = ["3", "1"]\ncoupling = -0.6\n'
            "[[bonds]]",
        ),
    )
    + "[ledger]\nrows_per_period = 4\n"
)


@pytest.fixture(scope="module", autouse=True)
def clock_spins():
    """The model, registered as by `--plugin`; all is as it was afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plugins, "_requested", [str(PACKAGE / "clock_spins")])
        patch.setattr(plugins, "_loaded", set())
        patch.setattr(KINDS, "_registered", dict(KINDS._registered))
        patch.setattr(sys, "path", list(sys.path))
        plugins.load_requested()
        import clock_spins

        yield clock_spins
    for name in [name for name in sys.modules if name.partition(".")[0] == "clock_spins"]:
        del sys.modules[name]


def load(text, **overrides):
    """Config of a text, with values put in place of its own."""
    return api.load(tomllib.loads(text), {k.replace("_of_", "."): v for k, v in overrides.items()})


def columns_of(run):
    """All columns of the first point."""
    return {column.name: run[column.name][0] for column in run.layout.columns}


# -- by hand: another master equation, from the formula of the energy ----------------------------


class ByHand:
    """Two clock spins from their energies in all nine states; heat-bath rates."""

    def __init__(self, experiment):
        self.e, self.states = experiment, list(itertools.product(range(3), repeat=2))
        self.omega = 2 * math.pi / experiment.drive.period

        ends = [
            (x, y, [i for i in range(2) if self.states[x][i] != self.states[y][i]])
            for x, y in itertools.permutations(range(9), 2)
        ]
        jumps = [(x, y, differs[0]) for x, y, differs in ends if len(differs) == 1]
        self.x, self.y, self.site = np.array(jumps).T
        warm = [experiment.baths[site.bath].temperature for site in experiment.sites]
        self.temperature = np.array(warm)[self.site]
        self.bonds = np.array([self.energy(state, [0.0, 0.0]) for state in self.states])
        # The energy is linear in the fields.
        self.along = [
            np.array([self.energy(state, unit) for state in self.states]) - self.bonds
            for unit in ([1.0, 0.0], [0.0, 1.0])
        ]

    def fields(self, t):
        drives = [site.drive for site in self.e.sites]
        return [
            d.offset + d.amplitude * math.cos(self.omega * t + d.phase) if d else 0.0
            for d in drives
        ]

    def angle(self, state, i):
        return 2 * math.pi * state[i] / 3

    def energy(self, state, fields):
        coupling = self.e.bonds[0].coupling
        total = -coupling * math.cos(self.angle(state, 0) - self.angle(state, 1))
        for i, h in enumerate(fields):
            total -= h * math.cos(self.angle(state, i) - self.e.sites[i].direction)
        return total

    def energies(self, t):
        return self.bonds + sum(h * a for h, a in zip(self.fields(t), self.along, strict=True))

    def flow(self, t, p):
        """dP/dt and the heats' rates of baths L and R."""
        energies = self.energies(t)
        cost = energies[self.y] - energies[self.x]
        current = self.e.model.rate * 2 / (1 + np.exp(cost / self.temperature)) * p[self.x]
        change = np.bincount(self.y, current, 9) - np.bincount(self.x, current, 9)
        return np.concatenate([change, np.bincount(self.site, current * cost, 2)])

    def boltzmann(self, temperature):
        weight = np.exp(-self.energies(0.0) / temperature)
        return weight / weight.sum()


def by_hand_order(clock):
    """Numbers of states (m, 2) as `ByHand` counts them, site 1 the fastest."""
    return clock[..., 0].astype(int) * 3 + clock[..., 1]


# -- the physics -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def driven(clock_spins):
    """A run of the shipped config, and the config."""
    config = load(PAIR)
    return config, api.simulate(config)


def test_sampled_agrees_with_exact(driven):
    _, run = driven
    verdict = run.check()
    assert verdict.agrees
    names = {q.name for point in verdict.points for q in point.quantities}
    assert {"heat_rate.L", "work_rate.2", "flip_rate.1", "exclusive_work_rate.1"} <= names


def test_exact_agrees_with_a_master_equation_made_by_hand(driven):
    config, _ = driven
    exact, hand = api.exact(config), ByHand(config.experiment)
    period, many = config.experiment.drive.period, 9
    begin = np.eye(1, 11)[0]
    # A period leaves 0.039 of what is not yet periodic.
    done = solve_ivp(
        lambda t, y: hand.flow(t, y[:9]), (0, many * period), begin, "DOP853",
        rtol=1e-10, atol=1e-13, dense_output=True,
    )  # fmt: skip
    heat = (done.sol(many * period) - done.sol((many - 1) * period))[9:] / period
    np.testing.assert_allclose(list(exact.heat_rate.values()), heat, rtol=1e-7)
    state = exact.solved.periodic_state.reshape(3, 3).T.ravel()
    np.testing.assert_allclose(state, done.y[:9, -1], atol=1e-8)


def test_a_rate_one_percent_off_turns_the_check_red():
    config = load(PAIR, ensemble_of_trajectories=6000)
    faulty = api.simulate(load(PAIR, ensemble_of_trajectories=6000, model_of_rate=0.505))
    verdict = check(faulty, config)
    assert not verdict.agrees
    worst = max((q for p in verdict.points for q in p.quantities), key=lambda q: abs(q.sigma))
    assert worst.name.startswith("flip_rate")


@pytest.mark.parametrize("text", [PAIR, TRIANGLE], ids=["pair", "triangle"])
def test_first_law_holds_in_every_row_to_rounding(text):
    run = api.simulate(load(text, ensemble_of_trajectories=200))
    columns = columns_of(run)
    largest = max(np.abs(columns[name]).max() for name in ("heat", "work", "energy"))
    assert np.abs(first_law_residual(columns)).max() < 1e-13 * largest * 100
    assert columns["clock"].min() == 0
    assert columns["clock"].max() == 2
    assert columns["flips"].min() >= 0


def test_energies_are_those_of_the_recorded_states(driven):
    config, run = driven
    hand = ByHand(config.experiment)
    # Rows are whole periods: all edges have the fields of time 0.
    energies = hand.energies(0.0)
    clock, found = run["clock"][0, :200], run["energy"][0, :200]
    np.testing.assert_allclose(found, energies[by_hand_order(clock)], atol=1e-12)


@pytest.mark.parametrize("initial", ["random", "equilibrium"])
def test_undriven_spins_of_one_temperature_are_boltzmanns(initial):
    config = load(
        UNDRIVEN, baths_of_L_of_temperature=0.4, ensemble_of_initial=initial,
        ensemble_of_periods=1, ensemble_of_trajectories=20000,
    )  # fmt: skip
    run = api.simulate(config)
    expected = ByHand(config.experiment).boltzmann(0.4)
    seen = np.bincount(by_hand_order(run["clock"][0, :, -1]), minlength=9)
    assert stats.chisquare(seen, 20000 * expected).pvalue > 1e-4
    assert run.check().agrees


def test_undriven_spins_conduct_heat_as_the_steady_state_says():
    config = load(UNDRIVEN, ensemble_of_initial="periodic")
    hand = ByHand(config.experiment)
    generator = np.array([hand.flow(0.0, unit)[:9] for unit in np.eye(9)]).T
    steady = null_space(generator)[:, 0]
    heat = hand.flow(0.0, steady / steady.sum())[9:]
    assert heat[0] > 0 > heat[1]
    exact = api.exact(config)
    np.testing.assert_allclose(list(exact.heat_rate.values()), heat, rtol=1e-9)
    assert api.simulate(config).check().agrees


# -- the promises ------------------------------------------------------------------------------


def test_a_trajectory_is_the_same_however_the_run_is_cut(clock_spins):
    config = load(TRIANGLE, ensemble_of_trajectories=50)
    one, two = (columns_of(api.simulate(config, workers=n)) for n in (1, 3))
    experiment = config.experiment
    kernel, model, start = model_of(experiment)
    layout = api.layout_of(config)
    parts = []
    for first, count in ((0, 7), (7, 43)):
        rows = kernel.Rows(**layout.allocate(count))
        for column in rows:
            column[...] = 77
        replicas = kernel.begin(model, start, experiment.ensemble.seed, 0, first, count)
        edges = [0, 1, 18, 19, 30, experiment.plan.segments]
        for begin, end in itertools.pairwise(edges):
            kernel.advance(model, experiment.plan, replicas, rows, begin, end)
        parts.append(rows._asdict())
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])
        np.testing.assert_array_equal(one[name], np.concatenate([p[name] for p in parts]))


def test_a_run_goes_on_from_the_blocks_that_are_there(tmp_path, digest):
    config = load(PAIR, ensemble_of_trajectories=300)
    whole = api.simulate(config, tmp_path / "y.h5")
    parts = UnfinishedRun(tmp_path / "x.h5", header_of(config))
    parts.lock()
    parts.begin()
    block = {name: np.ascontiguousarray(c[100:150]) for name, c in columns_of(whole).items()}
    # Of as many events as are missing in the rest.
    kernel, model, begin = model_of(config.experiment)
    replicas = kernel.begin(model, begin, config.experiment.ensemble.seed, 0, 100, 50)
    rows, plan = kernel.Rows(**whole.layout.allocate(50)), config.experiment.plan
    parts.publish(block, 0, 100, kernel.advance(model, plan, replicas, rows, 0, plan.segments)[0])
    parts.unlock()
    api.simulate(config, tmp_path / "x.h5", resume=True)
    assert digest(tmp_path / "x.h5") == digest(tmp_path / "y.h5")


@pytest.mark.long
def test_a_run_is_resumed_to_the_last_bit(start, config, tmp_path, digest):
    path = config(changed(PAIR, ("= 4000", "= 20000")))
    plugin = ("--plugin", str(PACKAGE / "clock_spins"))

    def run(name, *more):
        return start("run", path, "-o", name, *plugin, "--workers", "1", "--json", *more)

    process = run("x.h5")
    manifest = tmp_path / "x.h5.parts" / "manifest.jsonl"
    while not manifest.exists() and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    told = process.communicate()[1]
    assert process.returncode == 3, told
    assert f"--resume --plugin {plugin[1]}" in told
    for name, more in (("x.h5", ["--resume"]), ("y.h5", [])):
        process = run(name, *more)
        told = process.communicate()[1]
        assert process.returncode == 0, told
    assert digest(tmp_path / "x.h5") == digest(tmp_path / "y.h5")


def test_a_run_of_a_model_that_is_not_here_is_told_of(driven, cli, tmp_path, monkeypatch):
    path = tmp_path / "x.h5"
    path.write_bytes(driven[1].image)
    (origin,) = api.open(path).header["plugins"].values()
    assert (origin["module"], origin["version"]) == ("clock_spins.config", "1.0")
    assert cli("verify", path).exit_code == 0
    monkeypatch.setattr(KINDS, "_registered", {})
    monkeypatch.setattr(plugins, "_requested", [])
    with pytest.raises(StoreError, match="model 'clock-spins' is not registered here"):
        api.open(path)
    for verb in ("analyze", "check", "info"):
        told = cli(verb, path)
        assert told.exit_code == 2
        assert "--plugin" in told.output


def test_a_config_of_a_model_that_is_not_here_is_told_so(cli, config, monkeypatch):
    monkeypatch.setattr(KINDS, "_registered", {})
    monkeypatch.setattr(plugins, "_requested", [])
    told = cli("validate", config(PAIR))
    assert told.exit_code == 2
    assert "config.toml:4: model.kind: found 'clock-spins'" in told.output
    assert "allowed: 'spins', 'oscillators'" in told.output


def test_the_faults_of_a_config_are_told_as_those_of_trajsims_own(cli, config):
    wrong = config(changed(PAIR, ('initial = "up"', 'initial = "down"'), ('"L"\n', '"M"\n')))
    told = cli("validate", wrong)
    assert told.exit_code == 2
    assert "found 'down'; allowed: 'up', 'random', 'equilibrium', 'periodic'" in told.output
    assert "no bath 'M'" in told.output


def test_a_model_without_an_exact_side_is_run_and_not_checked(clock_spins, cli, config):
    KINDS.register("clock-spins", replace(clock_spins.CLOCK_SPINS, exact=None))
    path = config(changed(PAIR, ("= 4000", "= 50")))
    ran = cli("run", path, "-o", "x.h5")
    assert ran.exit_code == 0
    assert "not checked: this model has no exact side" in ran.output
    told = cli("exact", path)
    assert told.exit_code == 2
    assert "this model has no exact side" in told.output


def test_other_verbs_answer_or_say_why_not(driven, cli, tmp_path):
    path = tmp_path / "x.h5"
    path.write_bytes(driven[1].image)
    assert "heat_rate.L" in cli("analyze", path, "--theorems").output
    told = cli("trace", path, "--trajectory", "1")
    assert told.exit_code == 2
    assert "clock-spins cannot be traced" in told.output
    assert '"clock-spins"' in cli("schema").output


# -- what is a model -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "value", "reason"),
    [
        ("experiment", int, "no subclass of trajsim.config.schema.Experiment"),
        ("experiment", "clock_spins.config:Nothing", "no experiment"),
        ("experiment", "trajsim.config.spins:SpinExperiment", "is not Literal['clock-spins']"),
        ("columns", "trajsim.ledger:OSCILLATORS", "its kernel's Rows are heat, work"),
        ("columns", (Column("heat", ("row", "bath"), "<f8", "", ""),), "with heat and energy"),
        (
            "columns",
            (
                Column("heat", ("row", "bath"), "<f8", "", ""),
                Column("energy", ("row",), "<f8", "", ""),
            ),
            "column energy is <f8 ('row',)",
        ),
        ("kernel", "trajsim.kernels.random", "its kernel has no prepare, start"),
        ("exact", "trajsim.ensemble.series", "its exact side has no ensemble"),
    ],
)
def test_what_is_no_model_is_refused_and_told_why(clock_spins, part, value, reason):
    with pytest.raises(ModelError, match="'clock-spins'") as refused:
        trajsim.register_model("clock-spins", replace(clock_spins.CLOCK_SPINS, **{part: value}))
    assert reason in str(refused.value)
    with pytest.raises(ModelError, match=r"no trajsim\.Kind"):
        trajsim.register_model("clock-spins", {part: value})


def test_the_package_announces_the_model():
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["trajsim.models"] == {"clock-spins": "clock_spins:CLOCK_SPINS"}


@pytest.mark.long
def test_the_installed_package_needs_no_more(tmp_path, config):
    """Built and installed as a user would, into a folder of its own."""
    where = tmp_path / "installed"
    # setuptools builds in the folder that it is given.
    copy = shutil.copytree(PACKAGE, tmp_path / "copy")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
    subprocess.run([*command, "--target", where, copy], check=True)
    program = "import sys; sys.path.append(sys.argv.pop(1)); from trajsim.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, where, "run", config(PAIR), "-o", tmp_path / "x.h5"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "check: sampled agrees with exact" in done.stdout
    assert api.open(tmp_path / "x.h5").header["plugins"]["model clock-spins"]["version"] == (
        "clock-spins 1.0"
    )
