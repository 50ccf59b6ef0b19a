"""Whether a model from outside has all its parts, and they fit together."""

from typing import Any, get_args

from trajsim.extending.plugins import PluginError

DIMS = {"row", "edge", "bath", "drive", "site"}
NEEDED = ("heat", "energy")
KERNEL = ("prepare", "start", "begin", "advance", "fault", "needs_state", "Rows")
EXACT = ("ensemble", "start_state")


class ModelError(PluginError):
    """A model from outside that lacks something; the message says what."""


def check_parts(name: str, parts: dict[str, Any], experiment: type, columns: list[Any]) -> None:
    """See that a model is whole.

    Parameters
    ----------
    name : of the model
    parts : by name, as of `trajsim.Kind`
    experiment : what its own must be a subclass of
    columns : of the shipped models: other parts of the house read them by name, and so must be
        what they are there

    Raises
    ------
    ModelError
        With what is missing or wrong.
    """
    _is_experiment(name, parts["experiment"], experiment)
    _are_columns(name, parts["columns"], {column.name: column for column in columns})
    _has(name, "kernel", parts["kernel"], KERNEL)
    if parts["exact"] is not None:
        _has(name, "exact side", parts["exact"], EXACT)
    rows = getattr(parts["kernel"].Rows, "_fields", ())
    if set(rows) != {column.name for column in parts["columns"]}:
        raise ModelError(
            f"model {name!r}: its kernel's Rows are {', '.join(rows)}; allowed: its columns, "
            f"{', '.join(column.name for column in parts['columns'])}"
        )


def _is_experiment(name: str, experiment: Any, base: Any) -> None:
    if not (isinstance(experiment, type) and issubclass(experiment, base)):
        raise ModelError(
            f"model {name!r}: {experiment!r} is no subclass of trajsim.config.schema.Experiment"
        )
    fields: Any = getattr(experiment, "model_fields", {})
    model = fields["model"].annotation
    kind = getattr(model, "model_fields", {}).get("kind")
    if kind is None or get_args(kind.annotation) != (name,):
        raise ModelError(f"model {name!r}: the kind of its config is not Literal[{name!r}]")


def _are_columns(name: str, columns: Any, shipped: dict[str, Any]) -> None:
    kind = type(next(iter(shipped.values())))
    if not (isinstance(columns, tuple) and all(isinstance(c, kind) for c in columns)):
        raise ModelError(f"model {name!r}: its columns are no tuple of trajsim.ledger.Column")
    names = [column.name for column in columns]
    if len(set(names)) != len(names) or not set(NEEDED) <= set(names):
        raise ModelError(
            f"model {name!r}: its columns are {', '.join(names)}; allowed: any, once each, with "
            f"{' and '.join(NEEDED)} among them"
        )
    for column in columns:
        known = shipped.get(column.name)
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
