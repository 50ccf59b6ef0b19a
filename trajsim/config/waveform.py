"""What a config may say of a parameter that changes in the course of a period."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, GetCoreSchemaHandler, Tag, model_validator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from trajsim.config.base import Energy, Phase, Strict
from trajsim.config.faults import NOT_ALLOWED
from trajsim.models import waveform as waveforms

MOST_POINTS = 100_000
# How the two things that a parameter may be are called in places of faults, which leave them out.
NUMBER, WAVEFORM = "<number>", "<waveform>"


class Harmonic(Strict):
    """One more cosine of a drive, at a multiple of its frequency."""

    order: int = Field(ge=1, le=1000, description="multiple of the drive's frequency")
    amplitude: Energy = Field(description="energy of a field, force of an oscillator's")
    phase: Phase = Field(default=0.0, description="radians")


class Waveform(Strict):
    """offset + amplitude cos(Omega t + phase) + the harmonics, a square or triangle, or points."""

    shape: Literal["cosine", "square", "triangle"] = Field(
        default="cosine",
        description="square: the sign of the cosine; triangle: linear between its extremes",
    )
    amplitude: Energy = Field(default=0.0, description="energy of a field, or a force")
    phase: Phase = Field(default=0.0, description="radians")
    offset: Energy = Field(default=0.0, description="constant part")
    harmonics: list[Harmonic] = Field(default=[], max_length=64)
    points: list[Annotated[list[Energy], Field(min_length=2, max_length=2)]] = Field(
        default=[],
        max_length=MOST_POINTS,
        description="in place of all else: [part of the period, value], linear between them; "
        "two at one part are a jump",
    )

    @model_validator(mode="after")
    def _fits(self) -> "Waveform":
        """See that the keys given make one waveform."""
        given = self.model_fields_set - {"points"}
        if self.model_fields_set == {"points"} and not self.points:
            raise _refused("points from 0 to 1")
        if self.points and any(getattr(self, key) != _default(key) for key in given):
            raise _refused("points alone, or the other keys")
        if self.harmonics and self.shape != "cosine":
            raise _refused("harmonics of a cosine alone")
        parts = [u for u, _ in self.points]
        if parts and (len(parts) < 2 or parts[0] != 0.0 or parts[-1] != 1.0):
            raise _refused("points from 0 to 1")
        for k in range(1, len(parts)):
            if parts[k] < parts[k - 1]:
                raise _refused(
                    f"points in ascending order, not {parts[k]:g} after {parts[k - 1]:g}"
                )
            if 0.0 < parts[k] - parts[k - 1] < waveforms.SAME:
                raise _refused(
                    f"points at one part of the period, which are a jump, or {waveforms.SAME:g} "
                    f"apart, not {parts[k - 1]!r} and {parts[k]!r}"
                )
            if k > 1 and parts[k] == parts[k - 2]:
                raise _refused(f"at most two points at one part of the period, not at {parts[k]:g}")
        return self

    def in_parts(self) -> waveforms.Waveform:
        """The waveform as `trajsim.models.waveform` has it."""
        if self.points:
            return waveforms.Waveform(points=[(u, value) for u, value in self.points])
        if self.shape == "cosine":
            terms = [(1, self.amplitude, self.phase)]
            terms += [(h.order, h.amplitude, h.phase) for h in self.harmonics]
            return waveforms.Waveform(self.offset, terms)
        shaped = {"square": waveforms.square, "triangle": waveforms.triangle}[self.shape]
        return shaped(self.offset, self.amplitude, self.phase)


def _default(key: str) -> Any:
    return Waveform.model_fields[key].default


def _refused(words: str) -> PydanticCustomError:
    return PydanticCustomError(NOT_ALLOWED, "{words}", {"words": words})


def _kind(value: Any) -> str:
    return WAVEFORM if isinstance(value, dict | Waveform) else NUMBER


def in_parts(value: Waveform | float | None, reverse: bool) -> waveforms.Waveform:
    """A parameter as a waveform, with time running backwards if asked.

    Parameters
    ----------
    value : waveform, or a number, which is constant; None for 0
    reverse : whether time runs backwards
    """
    if isinstance(value, Waveform):
        parts = value.in_parts()
        return parts.reversed() if reverse else parts
    return waveforms.Waveform(value or 0.0)


# A number, or a waveform with all that goes with one.
Parameter = Annotated[
    Annotated[Waveform, Tag(WAVEFORM)] | Annotated[Energy, Tag(NUMBER)], Discriminator(_kind)
]


class Within:
    """Marks a parameter that keeps to a range throughout the period."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._judge, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        out: dict[str, Any] = handler(schema)
        for choice in out.get("oneOf", []):
            if choice.get("type") == "number":
                choice |= {"minimum": self.low, "maximum": self.high}
        return out

    def _judge(self, value: Any) -> Any:
        low, high = range_of(value)
        if not (self.low <= low and high <= self.high):
            words = f"a finite number >= {self.low:g} and <= {self.high:g}"
            if isinstance(value, Waveform):
                words = f"values from {self.low:g} to {self.high:g}, not {low:.6g} to {high:.6g}"
                words += " (the sum of all amplitudes)" if value.harmonics else ""
            raise _refused(words)
        return value


def mean_of(value: Waveform | float) -> float:
    """Average of a parameter over the period."""
    if not isinstance(value, Waveform):
        return value
    return float(waveforms.means(waveforms.pack([value.in_parts()]))[0])


def magnitude_of(value: Waveform | float | None) -> float:
    """Sum of the sizes of the terms of a parameter, which may cancel; 0 for None."""
    parts = in_parts(value, False)
    terms = [parts.offset, *(amplitude for _, amplitude, _ in parts.harmonics)]
    return sum(map(abs, terms)) + max((abs(level) for _, level in parts.points), default=0.0)


def range_of(value: Waveform | float) -> tuple[float, float]:
    """Bounds of a parameter over the period: of several cosines by the sum of their amplitudes."""
    if not isinstance(value, Waveform):
        return value, value
    parts = value.in_parts()
    reach = sum(abs(amplitude) for _, amplitude, _ in parts.harmonics)
    levels = [level for _, level in parts.points] or [0.0]
    return parts.offset - reach + min(levels), parts.offset + reach + max(levels)


def opening_of(value: Waveform | float, reverse: bool) -> float:
    """Value of a parameter at time 0."""
    if not isinstance(value, Waveform):
        return value
    return float(waveforms.at_edges(waveforms.pack([in_parts(value, reverse)]), 1)[0, 0])
