"""What all tables of a config are made of: strict models, and kinds of values with their limits."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError, core_schema

from trajsim.config.faults import NOT_ALLOWED
from trajsim.extending.plugins import Registry

# What sums stand under where names of sites and baths do.
RESERVED = ("total",)
# Larger phases are known to less than 1e-9: neighbouring numbers lie further apart.
LARGEST_PHASE = 1e6
# Context in which a config that was found good once is validated again.
RECORDED: Any = {"recorded": True}


class Allowed:
    """Marks a value that must fulfil a condition, told in words.

    In a config of a run (`RECORDED`) any value will do: earlier versions may have allowed it.
    """

    def __init__(self, condition: Callable[[Any], bool], words: str, **json: Any) -> None:
        self.condition, self.words, self.json = condition, words, json

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self._judge, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {**handler(schema), **self.json}

    def _judge(self, value: Any, info: ValidationInfo) -> Any:
        if info.context is not RECORDED and not self.condition(value):
            raise PydanticCustomError(NOT_ALLOWED, "{words}", {"words": self.words})
        return value


Name = Annotated[
    str,
    Field(pattern=r"^[\w+\-]{1,64}$"),
    Allowed(
        lambda name: name not in RESERVED,
        f"any other name; {', '.join(map(repr, RESERVED))} is what sums are called",
        **{"not": {"enum": list(RESERVED)}},
    ),
]
Energy = Annotated[float, Field(ge=-1e9, le=1e9)]
Phase = Annotated[
    float,
    Allowed(
        lambda phase: abs(phase) <= LARGEST_PHASE,
        f"a finite number >= -{LARGEST_PHASE:g} and <= {LARGEST_PHASE:g}; "
        "phases that differ by 2 pi are the same",
        minimum=-LARGEST_PHASE,
        maximum=LARGEST_PHASE,
    ),
]


class Strict(BaseModel):
    """No unknown keys, no conversions between types, no nan or inf, no change afterwards."""

    # Of the models of a config, only those of its kind are built.
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True
    )


class Registered:
    """Marks a text that must be a name in a registry; told as a `Literal` of these names would be.

    In a config of a run (`RECORDED`) any name will do: what it names may not be here.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self._known, handler(source))

    def __get_pydantic_json_schema__(self, _schema: Any, _handler: Any) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.registry)}

    def _known(self, name: str, info: ValidationInfo) -> str:
        if name not in self.registry and info.context is not RECORDED:
            *others, last = map(repr, self.registry)
            expected = f"{', '.join(others)} or {last}"
            raise PydanticKnownError("literal_error", {"expected": expected})
        return name
