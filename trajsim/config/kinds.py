"""The models a config can name."""

from typing import Any, Union

from pydantic import TypeAdapter

from trajsim.config.schema import Experiment
from trajsim.config.spins import SpinExperiment
from trajsim.extending.kinds import KINDS


def experiment_type(data: dict[str, Any]) -> type[Experiment]:
    """Schema of a raw config, by its model's kind; that of spins where the kind is unknown."""
    model = data.get("model")
    kind = model.get("kind") if isinstance(model, dict) else None
    if isinstance(kind, str) and kind in KINDS:
        schema: type[Experiment] = KINDS[kind].part("experiment")
        return schema
    return SpinExperiment


def json_schema() -> dict[str, Any]:
    """JSON Schema of all configs, for editors."""
    experiments = [kind.part("experiment") for kind in KINDS.values()]
    either: Any = Union[*experiments]
    schema = {"type": "object", **TypeAdapter(either).json_schema()}
    for definition in schema["$defs"].values():
        if "lattice" in definition.get("properties", {}):
            definition["required"].remove("sites")
            definition["anyOf"] = [{"required": ["sites"]}, {"required": ["lattice"]}]
    return schema
