"""Rate laws from outside the package: registered, checked, kept apart, and never imported unasked.

`examples/ohmic_law.py` is the law of the documentation.
"""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_configs import PUMP, changed

from trajsim import api, register_rate_law
from trajsim.compiled.elementary import exp
from trajsim.compiled.jit import compiled
from trajsim.config import load
from trajsim.extending import plugins, sources
from trajsim.extending.plugins import PluginError
from trajsim.models import spins
from trajsim.models.law_checks import RateLawError
from trajsim.models.rate_laws import LAWS, Arrhenius, HeatBath, Metropolis
from trajsim.running.provenance import header_of, layout_of
from trajsim.running.run import RunError, simulate
from trajsim.store import UnfinishedRun, differences

EXAMPLES = Path(__file__).parents[2] / "examples"
OHMIC = EXAMPLES / "ohmic_law.py"
FROM_OUTSIDE = changed(PUMP, ("glauber-product", "ohmic"))


@pytest.fixture(autouse=True)
def modules_as_before(monkeypatch):
    """Modules as they were, whatever a test imports."""
    for name in ("ohmic_law", "failing", "spy"):
        monkeypatch.setitem(sys.modules, name, None)
        del sys.modules[name]


@pytest.fixture
def ohmic():
    """The law of the documentation, registered by its file."""
    plugins.request([str(OHMIC)])
    return LAWS["ohmic"]


# -- what is a rate law --------------------------------------------------------------------------


def law(base=Arrhenius, **functions):
    """A law that differs from one of trajsim's own in some functions."""
    return type("Law", (base,), {name: staticmethod(f) for name, f in functions.items()})


def rate_of(formula):
    """A law whose rate is such a function of half the cost, in temperatures."""
    inlined = compiled(formula, inline=True)
    return law(flip_rate=lambda law, local, x: law.rate * inlined(local + x))


WRONG = {
    "detailed balance": (
        rate_of(lambda x: exp(-0.99 * x)),
        "breaks detailed balance: a flip of cost dE/T = ",
    ),
    "digits lost in the cold": (
        rate_of(lambda x: 1.0 - (1.0 - 2.0 * exp(-2.0 * x) / (1.0 + exp(-2.0 * x)))),
        "breaks detailed balance",
    ),
    # In balance: the factor is even.
    "not monotone": (rate_of(lambda x: (1.0 + x * x) * exp(-x)), None),
    "rising": (rate_of(lambda x: (0.1 + x * x) * exp(-x)), "rises with the x of the field"),
    "a bond's sign": (law(bond=lambda law, x: -x), "breaks detailed balance"),
    "kink untold": (law(flip_rate=Metropolis.flip_rate), "kinked = True"),
    "no unit of time": (
        law(flip_rate=lambda law, local, x: exp(-(local + x))),
        "not proportional to its field `rate`",
    ),
    "not for vectors": (
        law(flip_rate=lambda law, local, x: law.rate * math.exp(-(local + x))),
        "cannot be compiled",
    ),
    "no class": (3, "no NamedTuple class"),
    "no function": (type("Law", (Arrhenius,), {"bond": None}), "no static function bond"),
    "too many arguments": (law(start=lambda law, x: 0.0), "start takes (law, x)"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_rate_law_is_refused_and_told_why(what):
    wrong, reason = WRONG[what]
    if reason is None:
        # (1 + x^2) exp(-x) has the slope -(1 - x)^2 exp(-x): it falls, and is a law.
        register_rate_law("mine", wrong)
        assert "mine" in LAWS
        return
    with pytest.raises(RateLawError, match="'mine'") as refused:
        register_rate_law("mine", wrong)
    assert reason in str(refused.value)
    assert "mine" not in LAWS


def test_the_laws_that_are_shipped_pass_the_same_checks():
    for name in ("glauber-product", "metropolis"):
        register_rate_law(f"my-{name}", type("Law", (LAWS.shipped[name],), {}))


@pytest.mark.parametrize("name", ["glauber-product", "", "a b", "x" * 65, 3])
def test_names_are_names_and_those_of_trajsim_are_taken(name):
    with pytest.raises(PluginError, match=r"own; choose|allowed: letters"):
        register_rate_law(name, law())


# -- from the config to the check ----------------------------------------------------------------


def test_a_law_from_outside_agrees_with_its_exact_side(ohmic, cli, config, tmp_path):
    path = config(changed(FROM_OUTSIDE, ("ies = 60", "ies = 4000")))
    ran = cli("run", path, "-o", "x.h5", "--set", "model.rate=2.0")
    assert ran.exit_code == 0
    assert "check: sampled agrees with exact" in ran.output
    assert cli("check", "x.h5").exit_code == 0
    # What it was made with is in the file.
    run = api.open(tmp_path / "x.h5")
    (recorded,) = run.header["plugins"].values()
    assert recorded["module"] == "ohmic_law"
    assert recorded["sha256"] == sources.digest_of(["ohmic_law"])
    assert "ohmic_law" in cli("info", "x.h5").output
    # Without the law the averages are there, the exact side says why it is not.
    del LAWS._registered["ohmic"]
    plugins._requested.clear()
    assert (
        api.open(tmp_path / "x.h5").averages()[0].of("heat")["L"]
        == run.averages()[0].of("heat")["L"]
    )
    looked = cli("analyze", "x.h5", "--theorems")
    assert looked.exit_code == 0
    assert "heat_rate.L" in looked.output
    for verb in (["check", "x.h5"], ["trace", "x.h5", "--trajectory", "3"]):
        told = cli(*verb)
        assert told.exit_code == 2
        assert "rate law 'ohmic' is not registered here" in told.output
        assert "--plugin" in told.output


def test_the_law_of_the_documentation_is_the_golden_rules(ohmic):
    for h in (0.0, 1e-9, 1e-3, 0.024, 0.026, 0.7, 20.0):
        for spin in (1, -1):
            u = 2.0 * spin * h / 0.5
            expected = 0.3 * (u / math.expm1(u) if u else 1.0)
            found = spins.law_rates(ohmic(0.3), np.zeros(1), np.array([[spin * h / 0.5]]))
            assert found[0, 0] == pytest.approx(expected, rel=1e-14)


def test_a_config_with_a_law_that_is_not_here_is_told_so(cli, config):
    told = cli("validate", config(FROM_OUTSIDE))
    assert told.exit_code == 2
    line = FROM_OUTSIDE[: FROM_OUTSIDE.index("rate_law")].count("\n") + 1
    assert f"config.toml:{line}: model.rate_law: found 'ohmic'; allowed: " in told.output
    assert "'glauber-product', 'heat-bath', 'metropolis', 'arrhenius'" in told.output


def test_a_run_is_resumed_only_with_the_law_that_it_began_with(config, tmp_path):
    register_rate_law("ohmic", law(HeatBath))
    begun, output = load(config(FROM_OUTSIDE)), tmp_path / "x.h5"
    parts = UnfinishedRun(output, header_of(begun))
    parts.lock()
    parts.begin()
    parts.unlock()
    assert differences(UnfinishedRun(output).header, header_of(load(config(FROM_OUTSIDE)))) == []
    register_rate_law("ohmic", rate_of(lambda x: exp(-x)))
    with pytest.raises(RunError, match="plugins differs: rate law ohmic: sha256"):
        simulate(load(config(FROM_OUTSIDE)), output, resume=True)
    assert layout_of(begun) == layout_of(load(config(FROM_OUTSIDE)))


# -- what is compiled ----------------------------------------------------------------------------

LAW = """
from typing import NamedTuple
import trajsim
from trajsim.compiled.elementary import exp
from neighbour import faster

class Law(NamedTuple):
    rate: float
    @staticmethod
    def start(law): return 0.0
    @staticmethod
    def bond(law, x): return x
    @staticmethod
    def join(law, local, part): return local + part
    @staticmethod
    def flip_rate(law, local, x): return law.rate * faster(exp(-(local + x)))

trajsim.register_rate_law("mine", Law)
"""
NEIGHBOUR = """
from trajsim.compiled.jit import compiled
FACTOR = 1.0

@compiled(inline=True)
def faster(x):
    return FACTOR * x
"""
PROGRAM = """
import sys
import numpy as np
from trajsim.models.rate_laws import LAWS
from trajsim.models.spins import law_rates

found = []
for name in sys.argv[1:]:
    found.append(round(law_rates(LAWS[name](1.0), np.zeros(1), np.zeros((1, 1)))[0, 0]))
stats = law_rates.stats
print(*found, sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


def program(folder, *names, plugin=True):
    """Rates of spins without energy by these laws; hits and misses of the compiled code."""
    environment = {
        "XDG_CACHE_HOME": str(folder / "cache"),
        "TRAJSIM_PLUGINS": str(folder / "mylaw.py") if plugin else "",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *names],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


def test_compiled_code_is_found_again_and_never_outlives_an_edit(tmp_path):
    law, neighbour = tmp_path / "mylaw.py", tmp_path / "neighbour.py"
    law.write_text(LAW)
    neighbour.write_text(NEIGHBOUR)
    assert program(tmp_path, "mine", "heat-bath") == [1, 1, 0, 2]
    assert program(tmp_path, "mine", "heat-bath") == [1, 1, 2, 0]
    # Nor do they stand in each other's way: trajsim's own is found without the plugin, too.
    assert program(tmp_path, "heat-bath", plugin=False) == [1, 1, 0]
    law.write_text(LAW.replace("law.rate *", "3.0 * law.rate *"))
    assert program(tmp_path, "mine", "heat-bath") == [3, 1, 1, 1]
    neighbour.write_text(NEIGHBOUR.replace("FACTOR = 1.0", "FACTOR = 2.0"))
    assert program(tmp_path, "mine", "heat-bath") == [6, 1, 1, 1]


def test_laws_of_one_name_in_one_process_do_not_get_each_others_code():
    found = []
    for made in (rate_of(lambda x: exp(-x)), rate_of(lambda x: 3.0 * exp(-x))):
        register_rate_law("mine", made)
        rates = spins.law_rates(LAWS["mine"](1.0), np.zeros(1), np.zeros((1, 1)))
        found.append(float(rates[0, 0]))
    np.testing.assert_array_equal(found, [1.0, 3.0])


# -- what may be imported ------------------------------------------------------------------------

SPY = "import pathlib; pathlib.Path(__file__).with_suffix('.ran').touch()\n"


def test_nothing_that_a_config_or_a_run_says_is_imported(cli, config, tmp_path, monkeypatch):
    (tmp_path / "spy.py").write_text(SPY)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("spy", "spy.py", "./spy.py", "spy:Law"):
        assert cli("validate", config(changed(PUMP, ("glauber-product", name)))).exit_code == 2
    config(PUMP)
    assert cli("run", "config.toml", "-o", "x.h5").exit_code == 0
    run = api.open("x.h5")
    run.header["plugins"] = {"rate law spy": {"module": "spy", "version": "", "sha256": "0"}}
    run.header["resolved"]["model"]["rate_law"] = "spy"
    assert run.plugin_notes == []
    assert run.averages()
    assert not (tmp_path / "spy.ran").exists()
    # It is if the user asks for it.
    assert cli("validate", "config.toml", "--plugin", "spy.py").exit_code == 0
    assert (tmp_path / "spy.ran").exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "no such file"),
        ("import nowhere\n", "ModuleNotFoundError: No module named 'nowhere'"),
        ("def f(:\n", "SyntaxError"),
        ("import trajsim\ntrajsim.register_rate_law('x', 3)\n", "no NamedTuple class"),
    ],
)
def test_a_plugin_that_fails_is_told_by_name(cli, config, tmp_path, text, reason):
    if text is not None:
        (tmp_path / "failing.py").write_text(text)
    told = cli("validate", config(), "--plugin", "failing.py")
    assert told.exit_code == 2
    assert told.output.startswith("plugin failing.py: ")
    assert reason in told.output


def test_a_plugin_may_not_have_the_name_of_another_module(cli, config, tmp_path):
    (tmp_path / "json.py").write_text("")
    told = cli("validate", config(), "--plugin", "json.py")
    assert told.exit_code == 2
    assert "json is no name of a module, or that of another" in told.output


def test_installed_packages_announce_their_laws(tmp_path, config):
    (tmp_path / "neighbour.py").write_text(NEIGHBOUR)
    (tmp_path / "mylaw.py").write_text(LAW.replace("trajsim.register", "# trajsim.register"))
    about = tmp_path / "my_laws-1.5.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-laws\nVersion: 1.5\n")
    (about / "entry_points.txt").write_text(
        "[trajsim.rate_laws]\nmine = mylaw:Law\nbroken = mylaw:Nothing\n"
    )

    def trajsim(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "trajsim", *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
            capture_output=True,
            text=True,
            check=False,
        )

    assert '"mine"' in trajsim("schema").stdout
    done = trajsim("validate", config(changed(PUMP, ("glauber-product", "mine"))))
    assert done.returncode == 0, done.stderr
    told = trajsim("validate", config(changed(PUMP, ("glauber-product", "broken"))))
    assert told.returncode == 2
    assert "rate law 'broken' of my-laws 1.5: AttributeError" in told.stderr
    assert "model.rate_law" in told.stderr
