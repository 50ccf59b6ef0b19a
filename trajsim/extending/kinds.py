"""The models: for each kind of system, which parts of the house are its own.

The shipped ones name their parts by place, `module:name`, so that nothing is imported before it is
asked for; models from outside the package give the parts themselves, or their places.
"""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, get_args

from trajsim.extending.plugins import Missing, PluginError, Registry
from trajsim.extending.sources import set_apart

DIMS = {"row", "edge", "bath", "drive", "site"}
KERNEL = ("prepare", "start", "begin", "advance", "fault", "needs_state", "Rows")
EXACT = ("ensemble", "start_state")


class ModelError(PluginError):
    """A model from outside that lacks something; the message says what."""


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
    for fault in _faults(name, kind):
        raise ModelError(f"model {name!r}: {fault}")
    if isinstance(kind.network, type):
        set_apart(kind.network)


def _faults(name: str, kind: Kind) -> Iterator[str]:
    """What of a model is missing or does not fit; each takes for granted that those before do."""
    parts: dict[str, Any] = {}
    for field in fields(kind):
        try:
            parts[field.name] = kind.part(field.name)
        except (ImportError, AttributeError) as error:
            yield f"no {field.name}: {error}"
    experiment, columns, kernel = (parts[part] for part in ("experiment", "columns", "kernel"))
    base = resolved("trajsim.config.schema:Experiment")
    if not (isinstance(experiment, type) and issubclass(experiment, base)):
        yield f"{experiment!r} is no subclass of trajsim.config.schema.Experiment"
    model: Any = experiment.model_fields["model"].annotation
    said = getattr(model, "model_fields", {}).get("kind")
    if said is None or get_args(said.annotation) != (name,):
        yield f"the kind of its config is not Literal[{name!r}]"
    column_type = resolved("trajsim.ledger:Column")
    if not (isinstance(columns, tuple) and all(isinstance(c, column_type) for c in columns)):
        yield "its columns are no tuple of trajsim.ledger.Column"
    names = [column.name for column in columns]
    if len(set(names)) != len(names) or not {"heat", "energy"} <= set(names):
        yield (
            f"its columns are {', '.join(names)}; allowed: any, once each, with heat and energy "
            "among them"
        )
    # Analyses read columns by name, which so must be what they are in trajsim's own models.
    shipped = {column.name: column for own in SHIPPED.values() for column in own.part("columns")}
    for column in columns:
        known = shipped.get(column.name, column)
        if (column.dims, column.dtype) != (known.dims, known.dtype):
            yield (
                f"column {column.name} is {column.dtype} {column.dims}; allowed: {known.dtype} "
                f"{known.dims}, as of trajsim's own models, or another name"
            )
        if not set(column.dims) <= DIMS:
            yield (
                f"column {column.name} has dimensions {', '.join(column.dims)}; allowed: "
                f"{', '.join(sorted(DIMS))}"
            )
    for what, part, needed in (("kernel", kernel, KERNEL), ("exact side", parts["exact"], EXACT)):
        lacking = [function for function in needed if not hasattr(part, function)]
        if lacking and part is not None:
            yield f"its {what} has no {', '.join(lacking)}"
    rows = getattr(kernel.Rows, "_fields", ())
    if set(rows) != set(names):
        yield f"its kernel's Rows are {', '.join(rows)}; allowed: its columns, {', '.join(names)}"


def _code(kind: Kind) -> tuple[str, list[Any]]:
    kernel = kind.part("kernel")
    functions = [getattr(kernel, name) for name in KERNEL if name != "Rows"]
    return kind.part("experiment").__module__, functions


KINDS = Registry("trajsim.models", "model", SHIPPED, _accept, _code)


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
        if kind.part("network") is type(network):
            return kind
    raise ValueError(f"{type(network).__name__} is the network of no model")
