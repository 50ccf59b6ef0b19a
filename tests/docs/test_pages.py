"""What the documentation names exists: options, keys, links, files, functions; tables are true."""

import importlib
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
from pages import BENCHMARKS, PAGES, ROOT, blocks, name_of, prose, spans

import trajsim
from trajsim.cli import main

sys.path.append(str(ROOT / "docs" / "_ext"))
sys.path.append(str(ROOT / "tests" / "unit"))

CALL = re.compile(r"\btrajsim ([a-z]+)\b([^`&|>]*)")
LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]*))?\)")
NAME = re.compile(r"(trajsim(?:\.\w+)+)(?:\(.*\))?")
FILE = re.compile(r"((?:tests|configs|docs|benchmarks|trajsim)/[\w./*-]+)")
# Options of other programs.
FOREIGN = {"--only", "--list", "--short", "--anew", "--every", "--keep-going", "--help"}

every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def codes(page):
    """Numbered lines of blocks that are no other language, and pieces of code within lines."""
    for block in blocks(page):
        if block.language in ("", "sh", "text", "{code-cell} ipython3"):
            for k, line in enumerate(block.text.splitlines(), 1):
                yield block.line + k, line
    yield from spans(page)


def options_of(verb):
    return {name for p in main.commands[verb].params for name in (*p.opts, *p.secondary_opts)}


# -- commands --------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [*PAGES, *BENCHMARKS], ids=name_of)
def test_every_verb_and_option_exists(page):
    wrong = []
    for number, code in codes(page):
        for verb, rest in CALL.findall(code):
            if verb not in main.commands:
                wrong.append(f"{number}: trajsim {verb}")
                continue
            given = re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)", re.sub(r"'[^']*'", "", rest))
            wrong += [f"{number}: trajsim {verb} {o}" for o in given if o not in options_of(verb)]
    assert wrong == []


@every_page
def test_every_option_named_by_itself_is_one_of_some_verb(page):
    known = FOREIGN.union(*(options_of(verb) for verb in main.commands))
    named = [(n, code.split()[0]) for n, code in spans(page) if code.startswith("--")]
    assert [(n, option) for n, option in named if option.split("=")[0] not in known] == []


# -- configs ---------------------------------------------------------------------------------------

TOML = [b for page in PAGES for b in blocks(page) if b.language == "toml"]


def completed(fragment):
    """A fragment of a config put into one that is whole."""
    kind = fragment.get("model", {}).get("kind")
    oscillators = kind == "oscillators" or "integrator" in fragment
    base = "oscillator_pair" if oscillators else "heat_pump"
    whole = tomllib.loads((ROOT / "configs" / f"{base}.toml").read_text(encoding="utf-8"))
    for key, value in fragment.items():
        if key == "sites":
            mine = {site["name"]: site for site in value}
            whole[key] = [{**site, **mine.get(site["name"], {})} for site in whole[key]]
        elif isinstance(value, dict):
            whole[key] = {**whole.get(key, {}), **value}
        else:
            whole[key] = value
    return whole


@pytest.mark.parametrize("block", TOML, ids=lambda b: f"{name_of(b.page)}:{b.line}")
def test_every_config_and_every_part_of_one_is_allowed(block):
    fragment = tomllib.loads(block.text)
    whole = fragment if {"model", "ensemble", "drive"} <= set(fragment) else completed(fragment)
    assert trajsim.load(whole).points


def test_the_reference_has_every_key():
    pytest.importorskip("sphinx", reason="the extra `docs` is not installed")
    from config_keys import WRITTEN, tables

    from trajsim.config.kinds import experiment_type

    for kind in ("spins", "oscillators"):
        experiment = experiment_type({"model": {"kind": kind}})
        every = [(place, *row) for place, _, found in tables(kind) for row in found]
        assert [(p, key) for p, key, meaning, *_ in every if not meaning and key != "kind"] == []
        rows = {(place, key) for place, key, *_ in every}
        assert {place for place, _ in rows} <= set(WRITTEN)
        top = set(experiment.model_fields)
        assert {place.split(".")[0] or key for place, key in rows} - {"waveform"} == top
        ensemble = experiment.model_fields["ensemble"].annotation.model_fields
        assert {key for place, key in rows if place == "ensemble"} == set(ensemble)


# -- links, files, names ---------------------------------------------------------------------------


def anchors(page):
    """Anchors of the headings of a page, as Git hosts and MyST make them, and those set by hand."""
    text = page.read_text(encoding="utf-8")
    found = set(re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE))
    for _, line in prose(page):
        if heading := re.match(r"#+ (.*)", line):
            plain = re.sub(r"[^\w\- ]", "", heading[1].replace("`", "").lower())
            found.add(plain.strip().replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", [*PAGES, *BENCHMARKS], ids=name_of)
def test_every_link_leads_somewhere(page):
    wrong = []
    for number, line in prose(page):
        for path, anchor in LINK.findall(re.sub(r"`[^`]*`", "", line)):
            target = (page.parent / path).resolve() if path else page
            if not target.exists():
                wrong.append(f"{number}: {path}")
            elif anchor and anchor not in anchors(target):
                wrong.append(f"{number}: {path}#{anchor}")
    assert wrong == []


@every_page
def test_every_file_named_exists(page):
    wrong = []
    for number, code in spans(page):
        for path in FILE.findall(code):
            named = path.rstrip(".")
            stands_for_any = re.search(r"/x[.-]", named) or "_build" in named
            if not stands_for_any and not any(ROOT.glob(named.rstrip("/"))):
                wrong.append(f"{number}: {named}")
    assert wrong == []


def exists(name):
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for k in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:k]))
        except ImportError:
            continue
        for part in parts[k:]:
            fields = getattr(found, "__dataclass_fields__", {})
            if part not in fields and not hasattr(found, part):
                return False
            found = getattr(found, part, None)
        return True
    return False


@every_page
def test_every_function_and_module_named_exists(page):
    named = [(number, NAME.fullmatch(code)) for number, code in spans(page)]
    assert [(n, found[1]) for n, found in named if found and not exists(found[1])] == []


def test_every_function_of_the_energetics_that_the_theory_names_exists():
    from trajsim.kernels import oscillator_energetics

    text = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
    named = re.findall(r"\(`(\w+)`\)", text)
    assert set(named) >= {"o_step", "add_work", "close_row"}
    assert [name for name in named if not hasattr(oscillator_energetics, name)] == []


# -- tables that say what the code says ------------------------------------------------------------


def table_below(page, heading):
    """Cells of the first table below a heading."""
    text = page.read_text(encoding="utf-8").split(f"{heading}\n")[1]
    rows = re.findall(r"^\|(.*)\|$", text.split("\n\n#")[0], re.MULTILINE)
    return [[cell.strip() for cell in row.split("|")] for row in rows[2:]]


def test_every_room_is_in_the_architecture():
    text = " ".join(row[0] for row in table_below(ROOT / "ARCHITECTURE.md", "## The rooms"))
    package = Path(trajsim.__file__).parent
    named = set(re.findall(r"`(\w+)/?`", text))
    for name in named:
        assert (package / name).is_dir() or (package / f"{name}.py").exists(), name
    rooms = {p.parent.name for p in package.glob("*/__init__.py")}
    loose = {p.stem for p in package.glob("*.py")} - {"__init__", "__main__"}
    assert rooms | loose == named


def test_every_file_that_the_architecture_names_is_there():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:trajsim|tests|docs)/[\w./]*)`", text))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_the_table_of_laws_has_every_law():
    from trajsim.models.rate_laws import LAWS

    rows = table_below(ROOT / "docs" / "theory.md", "### Rate laws")
    assert {row[0].strip("`") for row in rows} == set(LAWS)


def test_the_table_of_theorems_has_every_theorem():
    run = trajsim.simulate(
        trajsim.load(ROOT / "configs" / "heat_pump.toml", {"ensemble.trajectories": 4})
    )
    told = table_below(ROOT / "docs" / "howto" / "fluctuations.md", "## Theorems")
    names = [outcome.name for outcome in run.theorems()[0]]
    assert [row[0].strip("`") for row in told] == names


def test_the_table_of_the_ledger_has_every_column():
    from trajsim.ledger import JUMPS, OSCILLATORS, SPINS

    told = table_below(ROOT / "docs" / "howto" / "file.md", "# Read the file")
    named = {name for row in told for name in re.findall(r"`(\w+)`", row[0])}
    assert named - {"time"} == {column.name for column in (*SPINS, *OSCILLATORS, *JUMPS)}


def test_exit_statuses_are_those_of_the_program():
    from trajsim.cli import common

    rows = table_below(ROOT / "docs" / "reference" / "cli.md", "# Command line")
    told = {int(row[0]): row[1] for row in rows}
    ended = {common.INTERNAL, common.OUT_OF_RESOURCES, common.PIPE_CLOSED, 129, 130, 143}
    assert set(told) == {0, common.DISAGREES, common.BAD_INPUT, common.STOPPED} | ended
    assert told[common.STOPPED].startswith("stopped")
    assert told[common.BAD_INPUT].startswith("bad input")


# -- numbers of the paper --------------------------------------------------------------------------


def test_the_numbers_that_the_readme_promises_are_those_of_the_exact_side():
    rows = table_below(ROOT / "README.md", "## The paper, figure by figure")
    promised = {shlex.split(row[1].strip("`"))[-1]: row[2] for row in rows if "exact" in row[1]}

    def exact(name):
        return trajsim.exact(ROOT / "configs" / f"{name}.toml")

    pump, undriven = exact("heat_pump").heat_rate, exact("undriven").heat_rate
    numbers = re.findall(r"-?\d\.\d+e-\d", promised["configs/heat_pump.toml"])
    assert [f"{float(n):.6e}" for n in numbers] == [f"{pump['R']:.6e}", f"{pump['L']:.6e}"]
    assert float(promised["configs/undriven.toml"]) == pytest.approx(undriven["L"], rel=5e-7)
    engine = exact("heat_engine").regime.efficiency.mean
    assert float(promised["configs/heat_engine.toml"]) == pytest.approx(engine, abs=5e-7)
    pair = exact("oscillator_pair")
    assert pair.exclusive_work_rate == pytest.approx(pair.work_rate, rel=1e-12)


def test_what_the_page_on_tests_tells_is_what_was_measured():
    """Its numbers are those of benchmarks/reliability.md, where the commands stand beside them."""
    told = " ".join((ROOT / "docs" / "testing.md").read_text(encoding="utf-8").split())
    measured = (ROOT / "benchmarks" / "reliability.md").read_text(encoding="utf-8")
    faults, found = re.search(r"makes (\d+) faults.*?\*\*(.*?) are found", told).groups()
    assert f"{found} faults found" in measured
    assert found == f"{faults} of {faults}"
    runs, files, commands = re.search(
        r"([\d,]+) runs, no acknowledged.*?(\d+) files and configs.*?([\d,]+) commands", told
    ).groups()
    assert f"{runs} runs, none not as it should be" in measured
    assert f"{files} files, {commands} commands, none not as it should be" in measured
    calibrated = re.findall(r"\| (\d\.\d+) \| \d+ of 400 \|", measured)
    low, high = re.search(r"mean squares are between (\S+) and (\S+),", told).groups()
    assert (low, high) == (min(calibrated), max(calibrated))
