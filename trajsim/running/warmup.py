"""Compiling in advance, so that first runs do not wait for it."""

from contextlib import suppress

from trajsim.comparison import compile_ahead
from trajsim.config import Config, parse
from trajsim.ensemble import NoExactSideError
from trajsim.models.rate_laws import LAWS
from trajsim.running.blocks import compile_kernel, model_of
from trajsim.running.provenance import layout_of

COMMON = """
[drive]
period = 1.0
[baths]
L = { temperature = 1.0 }
R = { temperature = 0.9 }
"""
ENSEMBLE = """
[ensemble]
trajectories = 2
periods = 1
seed = 0
"""
SPINS = '[model]\nkind = "spins"\nrate = 1.0\nrate_law = "{law}"\n'
OSCILLATORS = """[model]
kind = "oscillators"
dynamics = "{dynamics}"
friction = 1.0
[integrator]
scheme = "{scheme}"
steps_per_period = 32
"""
# More spins than fit the kernel of small networks, but no more: their exact side is solved, too.
MANY = 9


def _network(count: int, strength: str, site: str = "") -> str:
    """Sites in a row, the first two driven."""
    sites = [
        f'[[sites]]\nname = "{i}"\nbath = "{"LR"[i % 2]}"\n{site}'
        + ("drive = { amplitude = 0.5 }\n" if i < 2 else "")
        for i in range(count)
    ]
    bonds = [f'[[bonds]]\nsites = ["{i}", "{i + 1}"]\n{strength} = 1.0\n' for i in range(count - 1)]
    return "".join([COMMON, *sites, *bonds, ENSEMBLE])


def shipped() -> dict[str, Config]:
    """A small config of every kind of model that compiles to a kernel of its own, by name."""
    pair, row = _network(2, "coupling"), _network(MANY, "coupling")
    oscillators = _network(2, "stiffness", "stiffness = 1.0\n")
    texts = {f"two spins, {law}": SPINS.format(law=law) + pair for law in LAWS}
    texts["many spins, glauber-product"] = SPINS.format(law="glauber-product") + row
    for scheme in ("hoh", "baoab", "sweep"):
        dynamics = "overdamped" if scheme == "sweep" else "underdamped"
        head = OSCILLATORS.format(scheme=scheme, dynamics=dynamics)
        texts[f"two oscillators, {scheme}"] = head + oscillators
    return {name: parse(text, name) for name, text in texts.items()}


def warm_up(config: Config) -> None:
    """Compile, or load from the cache, the kernel and the exact side of a config.

    Raises
    ------
    trajsim.running.blocks.RunError
        If the config cannot be run.
    """
    config = config.settled()
    first, layout = config.points[0].experiment, layout_of(config)
    compile_kernel(*model_of(first), layout, first.plan)
    with suppress(NoExactSideError):
        compile_ahead(config, layout)
