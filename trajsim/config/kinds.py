"""The models a config can name."""

from typing import Any

from pydantic import TypeAdapter

from trajsim.config.oscillators import OscillatorExperiment
from trajsim.config.schema import Experiment
from trajsim.config.spins import SpinExperiment

KINDS: dict[str, type[Experiment]] = {
    "spins": SpinExperiment,
    "oscillators": OscillatorExperiment,
}


def experiment_type(data: dict[str, Any]) -> type[Experiment]:
    """Schema of a raw config, by its model's kind; that of spins where the kind is unknown."""
    model = data.get("model")
    kind = model.get("kind") if isinstance(model, dict) else None
    return KINDS.get(kind, SpinExperiment) if isinstance(kind, str) else SpinExperiment


def json_schema() -> dict[str, Any]:
    """JSON Schema of all configs, for editors."""
    return {"type": "object", **TypeAdapter(SpinExperiment | OscillatorExperiment).json_schema()}
