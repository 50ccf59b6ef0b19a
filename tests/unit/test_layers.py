"""Who may import whom: the one way through the house."""

import ast
import importlib
import subprocess
import sys
from functools import cache
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


@cache
def imports(name, top_level=False, typing=True):
    """Modules that a module of the package imports.

    At any depth of its code or only at the top; for `typing` alone, too, which is never run.
    """
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
        elif (
            isinstance(node, ast.If)
            and ast.unparse(node.test) == "TYPE_CHECKING"
            and (top_level or not typing)
        ):
            continue
        if not (top_level and isinstance(node, ast.FunctionDef)):
            todo += list(ast.iter_child_nodes(node))
    return frozenset(found)


def within(name, *places):
    """Whether a module is one of some modules or packages, or inside one."""
    return any(name == place or name.startswith(place + ".") for place in places)


def importers(library):
    """Modules of the package that import a library."""
    return {name for name in MODULES if any(within(i, library) for i in imports(name))}


def modules_of(*places):
    return [name for name in MODULES if within(name, *(f"trajsim.{place}" for place in places))]


HOMES = {
    "h5py": ["store"],
    "tqdm": ["running.progress"],
    # The interface names the type of figures.
    "matplotlib": ["plots", "api"],
    "click": ["cli"],
    "jinja2": ["report"],
    "pydantic": ["config"],
    "xarray": ["api", "analysis.tables"],
    "pandas": ["analysis.tables"],
    "tomli_w": ["api"],
    "tomllib": ["config"],
    "platformdirs": ["compiled.jit"],
    "scipy": ["ensemble", "comparison", "explore"],
    "numba": ["compiled", "models", "kernels"],
    "llvmlite": ["compiled"],
    "threading": ["running"],
    "dask": ["running.engines"],
    "distributed": ["running.engines"],
    "subprocess": ["running.engines"],
    "signal": ["running.stopping"],
}


@pytest.mark.parametrize(("library", "places"), HOMES.items(), ids=HOMES)
def test_a_library_has_one_home(library, places):
    assert importers(library), f"{library} is not used at all"
    homes = [f"trajsim.{place}" for place in places]
    assert [name for name in importers(library) if not within(name, *homes)] == []


# What a place may import besides itself, the class of errors and the standard library.
ALLOWED = {
    "plan": [],
    "system": ["numpy"],
    "extending.sources": [],
    "extending.plugins": ["extending.sources"],
    "extending.kinds": ["extending"],
    "compiled.jit": [
        *("llvmlite", "numba", "platformdirs", "system.folders", "extending.sources"),
    ],
    "compiled.simd": ["llvmlite", "numba"],
    "compiled.elementary": ["numpy", "compiled"],
    "models": ["numba", "numpy", "compiled", "plan", "extending.plugins", "extending.sources"],
    "kernels": ["numba", "numpy", "compiled", "plan", "extending.kinds", "models"],
    "ledger": ["numpy", "extending.kinds"],
    "config": [
        *("numpy", "pydantic", "pydantic_core", "models", "plan"),
        *("extending.kinds", "extending.plugins", "system.files"),
    ],
    "store": [
        *("h5py", "numpy", "ledger", "extending.kinds", "extending.plugins", "system.files"),
    ],
    "ensemble": ["numpy", "scipy", "compiled", "plan", "models", "extending.kinds"],
    "running.engines": [
        *("numpy", "dask", "distributed", "running.blocks", "config", "ledger", "store"),
        *("extending.plugins", "running.progress", "running.provenance", "running.stopping"),
        # Processes on this machine are told where compiled code is, in a folder of their own.
        *("compiled.jit", "system.folders"),
    ],
    "analysis": ["numpy", "pandas", "xarray", "ledger"],
    "explore": ["numpy", "scipy", "analysis", "ensemble", "config", "running.progress"],
    "comparison": ["numpy", "scipy", "analysis", "ensemble", "config", "ledger", "store"],
}


@pytest.mark.parametrize("place", ALLOWED)
def test_a_layer_imports_only_what_is_below_it(place):
    modules = modules_of(place)
    assert modules
    below = [*ALLOWED[place], *(f"trajsim.{o}" for o in ["errors", place, *ALLOWED[place]])]
    wrong = {
        name: [
            i for i in imports(name) if i.split(".")[0] not in STANDARD and not within(i, *below)
        ]
        for name in modules
    }
    assert {name: found for name, found in wrong.items() if found} == {}


@pytest.mark.parametrize(
    ("side", "other"),
    [
        ("analysis", ["ensemble", "kernels", "running", "comparison", "config", "store"]),
        ("ensemble", ["kernels", "running", "store", "analysis", "ledger", "comparison", "config"]),
        ("kernels", ["ensemble", "analysis", "running", "store", "ledger"]),
        ("store", ["running", "config", "kernels", "ensemble", "analysis"]),
        ("config", ["running", "store", "kernels", "ensemble", "analysis", "comparison"]),
        ("running", ["analysis", "plots", "cli", "output"]),
        ("running.engines", ["running.run", "comparison"]),
    ],
)
def test_sides_do_not_know_each_other(side, other):
    found = {
        name: [i for i in imports(name) if within(i, *(f"trajsim.{o}" for o in other))]
        for name in modules_of(side)
    }
    assert {name: i for name, i in found.items() if i} == {}


def test_only_the_check_the_maps_and_what_shows_their_answers_see_both_sides():
    # The package itself names what it gives of all of them.
    both = {
        name
        for name in MODULES
        if name != "trajsim"
        and any(within(i, "trajsim.ensemble") for i in imports(name))
        and any(within(i, "trajsim.analysis") for i in imports(name))
    }
    seeing = [
        f"trajsim.{place}"
        for place in ("comparison", "explore", "paper", "report", "output", "plots", "cli", "api")
    ]
    assert [name for name in both if not within(name, *seeing)] == []


def cycles(edges):
    """Groups of modules that import each other in a circle (Tarjan's components)."""
    number, low, stack, groups = {}, {}, [], []

    def visit(name):
        number[name] = low[name] = len(number)
        stack.append(name)
        for other in edges[name]:
            if other not in number:
                visit(other)
            if other in stack:
                low[name] = min(low[name], low[other])
        if low[name] == number[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                groups.append(sorted(group))

    for name in edges:
        if name not in number:
            visit(name)
    return groups


def test_no_module_takes_part_in_a_cycle_of_imports_deferred_ones_included():
    # For typing alone, the package itself names what it finds in others when it is asked for.
    for typing, left_out in ((False, ()), (True, ("trajsim",))):
        edges = {
            name: sorted(i for i in imports(name, typing=typing) if i in MODULES)
            for name in MODULES
            if name not in left_out
        }
        known = {name: [i for i in edges[name] if i in edges] for name in edges}
        assert cycles(known) == []
    assert cycles({"a": ["b"], "b": ["c"], "c": ["b"]}) == [["b", "c"]]


def test_every_module_is_in_a_room_or_is_what_a_newcomer_reads_first():
    loose = {path.stem for path in PACKAGE.glob("*.py")}
    assert loose == {"__init__", "__main__", "api", "errors", "ledger", "plan"}


def test_nobody_imports_the_command_line():
    outside = [name for name in MODULES if not within(name, "trajsim.cli", "trajsim.__main__")]
    assert [n for n in outside if any(within(i, "trajsim.cli") for i in imports(n))] == []


def test_the_command_line_imports_nothing_heavy_before_a_command_runs():
    found = {i for name in modules_of("cli") for i in imports(name, top_level=True)}
    assert {i.split(".")[0] for i in found} - STANDARD == {"click", "trajsim"}
    ours = {i for i in found if i.startswith("trajsim.") and not within(i, "trajsim.cli")}
    # Signals are obeyed from the first moment on.
    assert ours == {"trajsim.running.stopping", "trajsim.system.text"}
    light = {"collections.abc", "trajsim.errors"}
    assert imports("trajsim.running.stopping", top_level=True) - STANDARD == light
    assert imports("trajsim.errors") == set()
    assert imports("trajsim", top_level=True) == {"typing"}
    assert imports("trajsim.system.text", top_level=True) == set()


def test_compiled_functions_are_made_in_one_place():
    """One module calls numba's compiler, so that every cache is keyed by the sources."""
    for name, path in MODULES.items():
        text = path.read_text(encoding="utf-8")
        if name != "trajsim.compiled.jit":
            assert "njit" not in text, name
            assert "cache=True" not in text, name
        assert "fastmath=True" not in text
        assert "prange" not in text


# Parts of numba that are not its public interface. A version that lacks one, or in which the tests
# of `compiled` fail, is beyond the range of pyproject.toml.
PRIVATE = {
    "numba.core.compiler": "CompileResult",
    "numba.core.serialize": "dumps",
    "numba.core.typing.templates": "signature",
    "numba.np.arraymath": "__name__",
}


def test_private_parts_of_numba_are_used_in_one_room_and_are_there():
    public = {"numba", "numba.extending", "numba.core.errors"}
    private = {
        name: [i for i in imports(name) if within(i, "numba") and i not in public]
        for name in MODULES
    }
    using = {name for name, parts in private.items() if parts}
    assert [name for name in using if not within(name, "trajsim.compiled")] == []
    for module, name in PRIVATE.items():
        assert hasattr(importlib.import_module(module), name), f"{module}.{name}"
    named = {i for parts in private.values() for i in parts}
    assert named <= set(PRIVATE), "list it, and what of it is used"


def test_every_module_with_compiled_functions_is_in_the_digest():
    from trajsim.compiled.jit import COMPILED_PLACES

    compiling = {name for name, path in MODULES.items() if "@compiled" in path.read_text("utf-8")}
    assert compiling
    places = [f"trajsim.{place.removesuffix('.py')}" for place in COMPILED_PLACES]
    assert [name for name in compiling if not within(name, *places)] == []


def test_a_run_starts_without_the_libraries_that_it_may_not_need():
    program = """
import sys
from trajsim.config import load
from trajsim.running.run import model_of
kernel, model, start = model_of(load(sys.argv[1]).points[0].experiment)
slow = ("scipy.linalg", "scipy.special", "scipy.optimize", "scipy.sparse", "scipy.stats")
print(*[name for name in sys.modules if name.startswith((*slow, "matplotlib", "distributed"))])
"""
    config = PACKAGE.parent / "configs" / "heat_pump.toml"
    done = subprocess.run(
        [sys.executable, "-c", program, config], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
