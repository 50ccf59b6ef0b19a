"""Whether a model from outside has all its parts, and they fit together."""

from typing import Any, get_args

from trajsim.config.schema import Experiment
from trajsim.kinds import EXACT, KERNEL, Kind, ModelError
from trajsim.ledger import OSCILLATORS, SPINS, Column

DIMS = {"row", "edge", "bath", "drive", "site"}
# What other parts of the house read by name, and so must be what it is of the shipped models.
KNOWN = {column.name: column for column in (*SPINS, *OSCILLATORS)}
NEEDED = ("heat", "energy")


def check_kind(name: str, kind: Kind) -> None:
    """See that a model is whole.

    Raises
    ------
    ModelError
        With what is missing or wrong.
    """
    parts = {}
    for part in ("experiment", "columns", "network", "kernel", "exact", "tracer"):
        try:
            parts[part] = kind.part(part)
        except (ImportError, AttributeError) as error:
            raise ModelError(f"model {name!r}: no {part}: {error}") from None
    _is_experiment(name, parts["experiment"])
    _are_columns(name, parts["columns"])
    _has(name, "kernel", parts["kernel"], KERNEL)
    if parts["exact"] is not None:
        _has(name, "exact side", parts["exact"], EXACT)
    rows = getattr(parts["kernel"].Rows, "_fields", ())
    if set(rows) != {column.name for column in parts["columns"]}:
        raise ModelError(
            f"model {name!r}: its kernel's Rows are {', '.join(rows)}; allowed: its columns, "
            f"{', '.join(column.name for column in parts['columns'])}"
        )


def _is_experiment(name: str, experiment: Any) -> None:
    if not (isinstance(experiment, type) and issubclass(experiment, Experiment)):
        raise ModelError(
            f"model {name!r}: {experiment!r} is no subclass of trajsim.config.schema.Experiment"
        )
    model: Any = experiment.model_fields["model"].annotation
    kind = getattr(model, "model_fields", {}).get("kind")
    if kind is None or get_args(kind.annotation) != (name,):
        raise ModelError(f"model {name!r}: the kind of its config is not Literal[{name!r}]")


def _are_columns(name: str, columns: Any) -> None:
    if not (isinstance(columns, tuple) and all(isinstance(c, Column) for c in columns)):
        raise ModelError(f"model {name!r}: its columns are no tuple of trajsim.ledger.Column")
    names = [column.name for column in columns]
    if len(set(names)) != len(names) or not set(NEEDED) <= set(names):
        raise ModelError(
            f"model {name!r}: its columns are {', '.join(names)}; allowed: any, once each, with "
            f"{' and '.join(NEEDED)} among them"
        )
    for column in columns:
        known = KNOWN.get(column.name)
        if known is not None and (column.dims, column.dtype) != (known.dims, known.dtype):
            raise ModelError(
                f"model {name!r}: column {column.name} is {column.dtype} {column.dims}; allowed: "
                f"{known.dtype} {known.dims}, as of trajsim's own models, or another name"
            )
        if not set(column.dims) <= DIMS:
            raise ModelError(
                f"model {name!r}: column {column.name} has dimensions {', '.join(column.dims)}; "
                f"allowed: {', '.join(sorted(DIMS))}"
            )


def _has(name: str, what: str, part: Any, functions: tuple[str, ...]) -> None:
    missing = [function for function in functions if not hasattr(part, function)]
    if missing:
        raise ModelError(f"model {name!r}: its {what} has no {', '.join(missing)}")
