"""The models: for each kind of system its schema, columns, kernel and exact side.

The shipped ones give the import paths of their parts, `module:name`, so that these are imported on
first use; models of plugins give the parts themselves, or their import paths.
"""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, get_args

from trajsim.extending.plugins import Missing, PluginError, Registry
from trajsim.extending.sources import give_unique_name

DIMS = {"row", "edge", "bath", "drive", "site"}
KERNEL = ("prepare", "start", "begin", "advance", "fault", "needs_state", "Rows")
EXACT = ("ensemble", "start_state")


class ModelError(PluginError):
    """A model of a plugin that is incomplete; the message says what is missing."""


def resolved(place: str) -> Any:
    """Object at an import path, "module" or "module:name"."""
    module, _, attribute = place.partition(":")
    imported = importlib.import_module(module)
    return getattr(imported, attribute) if attribute else imported


@dataclass(frozen=True)
class Kind:
    """Parts of a model; each is an object or its import path, "module" or "module:name".

    Parameters
    ----------
    experiment : subclass of `trajsim.config.schema.Experiment`, whose `network()` makes the network
    columns : tuple of `trajsim.ledger.Column`
    network : NamedTuple class of the parameters, which identifies networks of this kind
    kernel : with `prepare`, `start`, `begin`, `advance`, `fault`, `needs_state` and `Rows`, like
        `trajsim.kernels.jump`
    exact : with `ensemble` and `start_state`, and optionally `counting_of` (fluctuations other than
        those of jumps) and `recorded_states`, like `trajsim.ensemble.oscillators`;
        None if there is no exact side
    tracer : like `trajsim.trace.spins.trace_spins`; None if it cannot be traced
    """

    experiment: Any
    columns: Any
    network: Any
    kernel: Any
    exact: Any = None
    tracer: Any = None

    def part(self, name: str) -> Any:
        """A part, imported if it is given by its import path."""
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
    "jumps": Kind(
        experiment="trajsim.config.jumps:JumpExperiment",
        columns="trajsim.ledger:JUMPS",
        network="trajsim.models.jumps:JumpNetwork",
        kernel="trajsim.kernels.networks",
        exact="trajsim.ensemble.jumps.networks",
        tracer="trajsim.trace.jumps:trace_jumps",
    ),
}


def _accept(name: str, kind: Any) -> None:
    if not isinstance(kind, Kind):
        raise ModelError(f"model {name!r}: {kind!r} is no trajsim.Kind")
    for fault in _faults(name, kind):
        raise ModelError(f"model {name!r}: {fault}")
    if isinstance(kind.network, type):
        give_unique_name(kind.network)


def _faults(name: str, kind: Kind) -> Iterator[str]:
    """Faults of a model; each check assumes that those before have passed."""
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
    annotation = getattr(model, "model_fields", {}).get("kind")
    if annotation is None or get_args(annotation.annotation) != (name,):
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
    # Analyses read columns by name: those of trajsim's own models must have the same form.
    shipped: dict[str, list[Any]] = {}
    for own in SHIPPED.values():
        for column in own.part("columns"):
            shipped.setdefault(column.name, []).append((column.dims, column.dtype))
    for column in columns:
        own_forms = shipped.get(column.name, [(column.dims, column.dtype)])
        if (column.dims, column.dtype) not in own_forms:
            dims, dtype = own_forms[0]
            yield (
                f"column {column.name} is {column.dtype} {column.dims}; allowed: {dtype} "
                f"{dims}, as of trajsim's own models, or another name"
            )
        if not set(column.dims) <= DIMS:
            yield (
                f"column {column.name} has dimensions {', '.join(column.dims)}; allowed: "
                f"{', '.join(sorted(DIMS))}"
            )
    for noun, part, needed in (("kernel", kernel, KERNEL), ("exact side", parts["exact"], EXACT)):
        missing = [function for function in needed if not hasattr(part, function)]
        if missing and part is not None:
            yield f"its {noun} has no {', '.join(missing)}"
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
        If a part is missing or invalid.
    trajsim.extending.plugins.PluginError
        If the name is no name, or one of trajsim's own models'.
    """
    KINDS.register(name, kind)


def kind_of(network: Any) -> Kind:
    """Kind of a network.

    Raises
    ------
    ValueError
        If it is of no kind, or `Missing`.
    """
    if isinstance(network, Missing):
        raise ValueError(network.reason)
    for kind in KINDS.loaded():
        if kind.part("network") is type(network):
            return kind
    raise ValueError(f"{type(network).__name__} is the network of no model")
