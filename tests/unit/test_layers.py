"""Who may import whom: the one way through the house."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import trajsim

PACKAGE = Path(trajsim.__file__).parent
MODULES = {
    ".".join(("trajsim", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
STANDARD = set(sys.stdlib_module_names)


def imports(name, top_level=False):
    """Modules that a module of the package imports, at any depth of its code or only at the top."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    todo, found = list(tree.body), set()
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES else node.module)
        elif top_level and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if not (top_level and isinstance(node, ast.FunctionDef)):
            todo += list(ast.iter_child_nodes(node))
    return found


def within(name, *places):
    """Whether a module is one of some modules or packages, or inside one."""
    return any(name == place or name.startswith(place + ".") for place in places)


def importers(library):
    """Modules of the package that import a library."""
    return {name for name in MODULES if any(within(i, library) for i in imports(name))}


def modules_of(*places):
    return [name for name in MODULES if within(name, *(f"trajsim.{place}" for place in places))]


@pytest.mark.parametrize(
    ("library", "places"),
    [
        ("h5py", ["trajsim.store"]),
        ("tqdm", ["trajsim.progress"]),
        # The interface names the type of figures.
        ("matplotlib", ["trajsim.plots", "trajsim.api"]),
        ("click", ["trajsim.cli"]),
        ("jinja2", ["trajsim.report"]),
        ("pydantic", ["trajsim.config"]),
        ("xarray", ["trajsim.api"]),
        ("tomli_w", ["trajsim.api"]),
        ("tomllib", ["trajsim.config"]),
        ("platformdirs", ["trajsim.jit"]),
        ("scipy", ["trajsim.exact", "trajsim.check", "trajsim.explore"]),
        ("numba", ["trajsim.jit", "trajsim.simd", "trajsim.models", "trajsim.kernels"]),
        ("llvmlite", ["trajsim.jit", "trajsim.simd"]),
        ("threading", ["trajsim.blocks", "trajsim.engines", "trajsim.stopping"]),
        ("dask", ["trajsim.engines"]),
        ("distributed", ["trajsim.engines"]),
        ("subprocess", ["trajsim.engines"]),
        ("signal", ["trajsim.stopping"]),
    ],
)
def test_a_library_has_one_home(library, places):
    assert importers(library), f"{library} is not used at all"
    assert [name for name in importers(library) if not within(name, *places)] == []


ALLOWED = {
    "models": [
        *("numba", "numpy", "trajsim.jit", "trajsim.plan", "trajsim.plugins", "trajsim.sources"),
        *("trajsim.elementary", "trajsim.models", "trajsim.simd"),
    ],
    "kernels": [
        *("numba", "numpy", "trajsim.jit", "trajsim.plan", "trajsim.kinds"),
        *("trajsim.elementary", "trajsim.models", "trajsim.kernels", "trajsim.simd"),
    ],
    "plan": [],
    "files": [],
    "text": [],
    "sources": [],
    "plugins": ["trajsim.sources"],
    # What it checks it imports when something is registered.
    "kinds": ["trajsim.plugins", "trajsim.sources", "trajsim.kind_checks"],
    "kind_checks": ["trajsim.config", "trajsim.kinds", "trajsim.ledger"],
    "folders": [],
    "jit": ["llvmlite", "numba", "platformdirs", "trajsim.folders", "trajsim.sources"],
    "simd": ["llvmlite", "numba", "trajsim.simd"],
    "elementary": ["numpy", "trajsim.jit", "trajsim.simd"],
    "ledger": ["numpy", "trajsim.kinds"],
    "config": [
        *("numpy", "pydantic", "pydantic_core", "trajsim.config", "trajsim.models"),
        *("trajsim.plan", "trajsim.plugins", "trajsim.kinds", "trajsim.files"),
    ],
    "store": [
        *("h5py", "numpy", "trajsim.ledger", "trajsim.store", "trajsim.kinds", "trajsim.plugins"),
        "trajsim.files",
    ],
    "exact": [
        *("numpy", "scipy", "trajsim.jit", "trajsim.plan"),
        *("trajsim.elementary", "trajsim.models", "trajsim.exact", "trajsim.callables"),
        "trajsim.kinds",
    ],
    "engines": [
        *("numpy", "dask", "distributed", "trajsim.blocks", "trajsim.config", "trajsim.engines"),
        *("trajsim.ledger", "trajsim.plugins", "trajsim.provenance", "trajsim.stopping"),
        # Processes on this machine are told where compiled code is, in a folder of their own.
        *("trajsim.store", "trajsim.jit", "trajsim.folders"),
    ],
    "analysis": ["numpy", "trajsim.ledger", "trajsim.analysis"],
    "explore": [
        *("numpy", "scipy", "trajsim.analysis", "trajsim.exact", "trajsim.explore"),
        *("trajsim.config", "trajsim.progress"),
    ],
    "check": [
        *("numpy", "scipy", "trajsim.analysis", "trajsim.exact", "trajsim.check"),
        *("trajsim.config", "trajsim.ledger", "trajsim.store", "trajsim.callables"),
    ],
}


@pytest.mark.parametrize("place", ALLOWED)
def test_a_layer_imports_only_what_is_below_it(place):
    modules = modules_of(place)
    assert modules
    wrong = {
        name: [
            i
            for i in imports(name)
            if i.split(".")[0] not in STANDARD and not within(i, *ALLOWED[place])
        ]
        for name in modules
    }
    assert {name: found for name, found in wrong.items() if found} == {}


@pytest.mark.parametrize(
    ("side", "other"),
    [
        ("analysis", ["exact", "kernels", "run", "check", "config", "store"]),
        ("exact", ["kernels", "run", "store", "analysis", "ledger", "check", "config"]),
        ("kernels", ["exact", "analysis", "run", "store", "ledger"]),
        ("store", ["run", "config", "kernels", "exact", "analysis"]),
        ("config", ["run", "store", "kernels", "exact", "analysis", "check"]),
        ("run", ["analysis", "check", "plots", "cli", "output"]),
        ("engines", ["run", "analysis", "check", "plots", "cli", "output"]),
    ],
)
def test_sides_do_not_know_each_other(side, other):
    found = {
        name: [i for i in imports(name) if within(i, *(f"trajsim.{o}" for o in other))]
        for name in modules_of(side)
    }
    assert {name: i for name, i in found.items() if i} == {}


def test_only_the_check_the_maps_and_what_shows_their_answers_see_both_sides():
    both = {
        name
        for name in MODULES
        if any(within(i, "trajsim.exact") for i in imports(name))
        and any(within(i, "trajsim.analysis") for i in imports(name))
    }
    seeing = [
        f"trajsim.{place}"
        for place in ("check", "explore", "reproduce", "report", "output", "plots", "cli", "api")
    ]
    assert [name for name in both if not within(name, *seeing)] == []


def test_nobody_imports_the_command_line():
    outside = [name for name in MODULES if not within(name, "trajsim.cli", "trajsim.__main__")]
    assert [n for n in outside if any(within(i, "trajsim.cli") for i in imports(n))] == []


def test_the_command_line_imports_nothing_heavy_before_a_command_runs():
    found = {i for name in modules_of("cli") for i in imports(name, top_level=True)}
    assert {i.split(".")[0] for i in found} - STANDARD == {"click", "trajsim"}
    ours = {i for i in found if i.startswith("trajsim.") and not within(i, "trajsim.cli")}
    # Signals are obeyed from the first moment on.
    assert ours == {"trajsim.stopping", "trajsim.text"}
    assert imports("trajsim.stopping", top_level=True) - STANDARD == {"collections.abc"}
    assert imports("trajsim", top_level=True) == {"typing"}
    assert imports("trajsim.callables", top_level=True) - STANDARD == set()
    assert imports("trajsim.text", top_level=True) == set()


def test_compiled_functions_are_made_in_one_place():
    """Only `trajsim.jit` calls numba's compiler, so that every cache is keyed by the sources."""
    for name, path in MODULES.items():
        text = path.read_text(encoding="utf-8")
        if name != "trajsim.jit":
            assert "njit" not in text, name
            assert "cache=True" not in text, name
        assert "fastmath=True" not in text
        assert "prange" not in text


def test_every_module_with_compiled_functions_is_in_the_digest():
    from trajsim.jit import COMPILED_PLACES

    compiling = {name for name, path in MODULES.items() if "@compiled" in path.read_text("utf-8")}
    assert compiling
    places = [f"trajsim.{place.removesuffix('.py')}" for place in COMPILED_PLACES]
    assert [name for name in compiling if not within(name, *places)] == []


def test_a_run_starts_without_the_libraries_that_it_may_not_need():
    program = """
import sys
from trajsim.config import load
from trajsim.run import model_of
kernel, model, start = model_of(load(sys.argv[1]).points[0].experiment)
slow = ("scipy.linalg", "scipy.special", "scipy.optimize", "scipy.sparse", "scipy.stats")
print(*[name for name in sys.modules if name.startswith((*slow, "matplotlib", "distributed"))])
"""
    config = PACKAGE.parent / "configs" / "heat_pump.toml"
    done = subprocess.run(
        [sys.executable, "-c", program, config], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
