"""The models: for each kind of system, which parts of the house are its own.

The shipped ones name their parts by place, `module:name`, so that nothing is imported before it is
asked for; models from outside the package give the parts themselves, or their places.
"""

import importlib
from dataclasses import dataclass
from typing import Any

from trajsim.extending.checks import KERNEL, ModelError, check_parts
from trajsim.extending.plugins import Missing, Origin, Registry
from trajsim.extending.sources import set_apart


def resolved(place: str) -> Any:
    """What is at a place, "module" or "module:name"."""
    module, _, attribute = place.partition(":")
    imported = importlib.import_module(module)
    return getattr(imported, attribute) if attribute else imported


@dataclass(frozen=True)
class Kind:
    """Parts of a model; each is an object or its place, "module" or "module:name".

    Parameters
    ----------
    experiment : subclass of `trajsim.config.schema.Experiment`, whose `network()` makes the network
    columns : tuple of `trajsim.ledger.Column`
    network : NamedTuple class of the parameters, by which a network is known to be of this kind
    kernel : with `prepare`, `start`, `begin`, `advance`, `fault`, `needs_state` and `Rows`, as
        `trajsim.kernels.jump`
    exact : with `ensemble` and `start_state`, and perhaps `counting_of` (fluctuations other than
        those of jumps) and `recorded_states`, as `trajsim.ensemble.oscillators`;
        None if there is no exact side
    tracer : as `trajsim.trace.spins.trace_spins`; None if it cannot be traced
    """

    experiment: Any
    columns: Any
    network: Any
    kernel: Any
    exact: Any = None
    tracer: Any = None

    def part(self, name: str) -> Any:
        """A part itself, imported if it is given by its place."""
        place = getattr(self, name)
        return resolved(place) if isinstance(place, str) else place

    def makes(self, network: Any) -> bool:
        """Whether a network is of this kind; imports nothing to tell."""
        made_of: Any = type(network)
        if isinstance(self.network, str):
            return self.network == f"{made_of.__module__}:{made_of.__qualname__}"
        return made_of is self.network


PARTS = ("experiment", "columns", "network", "kernel", "exact", "tracer")
EXPERIMENT = "trajsim.config.schema:Experiment"
SHIPPED = {
    "spins": Kind(
        experiment="trajsim.config.spins:SpinExperiment",
        columns="trajsim.ledger:SPINS",
        network="trajsim.models.spins:SpinNetwork",
        kernel="trajsim.kernels.jump",
        exact="trajsim.ensemble.spins",
        tracer="trajsim.trace.spins:trace_spins",
    ),
    "oscillators": Kind(
        experiment="trajsim.config.oscillators:OscillatorExperiment",
        columns="trajsim.ledger:OSCILLATORS",
        network="trajsim.models.oscillators:OscillatorNetwork",
        kernel="trajsim.kernels.langevin",
        exact="trajsim.ensemble.oscillators",
        tracer="trajsim.trace.oscillators:trace_oscillators",
    ),
}


def _accept(name: str, kind: Any) -> None:
    if not isinstance(kind, Kind):
        raise ModelError(f"model {name!r}: {kind!r} is no trajsim.Kind")
    parts = {}
    for part in PARTS:
        try:
            parts[part] = kind.part(part)
        except (ImportError, AttributeError) as error:
            raise ModelError(f"model {name!r}: no {part}: {error}") from None
    columns = [column for known in SHIPPED.values() for column in known.part("columns")]
    check_parts(name, parts, resolved(EXPERIMENT), columns)
    if isinstance(kind.network, type):
        set_apart(kind.network)


def _home(kind: Kind) -> str:
    return str(kind.part("experiment").__module__)


def _functions(kind: Kind) -> list[Any]:
    kernel = kind.part("kernel")
    return [getattr(kernel, name) for name in KERNEL if name != "Rows"]


KINDS = Registry("trajsim.models", "model", SHIPPED, _accept, _functions, _home)


def register_model(name: str, kind: Kind) -> None:
    """Let configs say `kind = name`.

    Parameters
    ----------
    name : by which configs call it
    kind : its parts

    Raises
    ------
    ModelError
        If a part is missing or not what it should be.
    trajsim.extending.plugins.PluginError
        If the name is no name, or one of trajsim's own models'.
    """
    KINDS.register(name, kind)


def kind_of(network: Any) -> Kind:
    """Kind of a network.

    Raises
    ------
    ValueError
        If it is of none, or stands for one that could not be made.
    """
    if isinstance(network, Missing):
        raise ValueError(network.reason)
    for kind in KINDS.here():
        if kind.makes(network):
            return kind
    raise ValueError(f"{type(network).__name__} is the network of no model")


def origin_of(name: str) -> dict[str, Origin]:
    """Where a model comes from, if from outside, as an entry of a run's plugins."""
    origin = KINDS.origin(name)
    return {} if origin is None else {f"model {name}": origin}
