"""Schema of configs of all models, and checks between their settings."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError, core_schema

from trajsim.config.faults import NOT_ALLOWED, Loc, listing, show, suggestion
from trajsim.extending.kinds import KINDS
from trajsim.extending.plugins import Origin, Registry
from trajsim.models import drive as drives
from trajsim.plan import Plan

MOST_POINTS = 10_000
# Labels of sums, which sites and baths may not have as names.
RESERVED = ("total",)
# Neighbouring floating-point numbers above this differ by more than 1e-10.
LARGEST_PHASE = 1e6
# Shortest and longest period.
PERIODS = (1e-9, 1e12)

# Context of validation of a config that was valid when a run recorded it.
RECORDED: Any = {"recorded": True}


class Allowed:
    """Condition on a value, with the words for its message.

    In a config of a run (`RECORDED`) any value is valid: earlier versions may have allowed it.
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
    """Condition that a text is a name in a registry; faults are those of a `Literal`.

    In a config of a run (`RECORDED`) any name is valid: its plugin may not be installed.
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


class Harmonic(Strict):
    """One more cosine of a drive, at a multiple of its frequency."""

    order: int = Field(ge=1, le=1000, description="multiple of the drive's frequency")
    amplitude: Energy = Field(description="energy of a field, force of an oscillator's")
    phase: Phase = Field(default=0.0, description="radians")


class Drive(Strict):
    """offset + amplitude cos(Omega t + phase) + the harmonics."""

    amplitude: Energy = Field(default=0.0, description="energy of a field, or a force")
    phase: Phase = Field(default=0.0, description="radians")
    offset: Energy = Field(default=0.0, description="constant part")
    harmonics: list[Harmonic] = Field(default=[], max_length=64)


class Cycle(Strict):
    """Period of all drives, Omega = 2 pi / period, and direction of time.

    The reverse protocol is h(tau - t) instead of h(t): as all trajectories run whole periods, it
    ends where the forward one begins.
    """

    period: float = Field(
        ge=PERIODS[0], le=PERIODS[1], description="time of one cycle of all drives"
    )
    direction: Literal["forward", "reverse"] = Field(
        default="forward", description="which way time runs; `run --reverse` sets it"
    )


class Bath(Strict):
    """A heat bath; k_B = 1."""

    temperature: float = Field(ge=1e-9, le=1e9, description="an energy")


class Site(Strict):
    """Keys of sites of every model."""

    name: Name = Field(description="its own, by which bonds, sweeps and ledgers call it")
    bath: str | None = Field(default=None, description="name of the bath it touches")
    drive: Drive | None = None


class Bond(Strict):
    """Keys of bonds of every model."""

    sites: list[str] = Field(min_length=2, max_length=2, description="names of its ends")


class Model(Strict):
    """The model."""

    kind: str


class Ensemble(Strict):
    """Number, length and start of trajectories."""

    trajectories: int = Field(ge=1, le=10**12, description="of each point of a sweep")
    periods: int = Field(ge=1, le=10**12, description="recorded")
    burn_in: int = Field(
        default=0, ge=0, le=10**12, description="periods run before the ledger opens"
    )
    initial: str
    seed: int = Field(ge=0, le=2**64 - 1, description="of all random numbers")


class Ledger(Strict):
    """Resolution of the ledger; one of the two numbers is 1."""

    rows_per_period: int = Field(
        default=1, ge=1, le=65536, description="above 1: the period resolved"
    )
    periods_per_row: int = Field(
        default=1, ge=1, le=10**12, description="above 1: less to store; divides `periods`"
    )


class Range(Strict):
    """`num` equally spaced values from start to stop, both included."""

    start: float = Field(ge=-1e12, le=1e12, description="first value")
    stop: float = Field(ge=-1e12, le=1e12, description="last value")
    num: int = Field(ge=1, le=MOST_POINTS, description="how many")


class Figure(Strict):
    """Layout of the figures of a sweep; `inset`: of two panels, the second within the first."""

    inset: bool = Field(default=False, description="the second panel in a corner of the first")


class Experiment(Strict):
    """A validated config; each model has its own, with its own kind of sites and bonds.

    Attributes
    ----------
    two_states : whether each site has two states, recorded as +1 and -1 in the column `state`
    works_apart : whether figures show the work of each of two drives, not only their sum
    """

    two_states: ClassVar[bool] = False
    works_apart: ClassVar[bool] = False

    title: str = Field(
        default="", max_length=1000, pattern=r"^[^\x00]*$", description="what figures are headed"
    )
    model: Any
    drive: Cycle
    baths: dict[Name, Bath] = Field(min_length=1)
    sites: Any
    bonds: Any = []
    ensemble: Any
    ledger: Ledger = Ledger()
    sweep: dict[str, Range | list[float] | list[list[float]]] = {}
    figure: Figure = Figure()

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        # A few fields; all of them are in model_dump().
        yield None, self.title
        yield "kind", self.model.kind
        yield "sites", [site.name for site in self.sites]
        yield "baths", self.temperatures

    def cautions(self) -> Iterator[str]:
        """Warnings about settings that are allowed but give inaccurate results."""
        return iter(())

    @property
    def canonical(self) -> bool:
        """Whether `initial = "equilibrium"` is that of the whole energy."""
        return True

    @property
    def plan(self) -> Plan:
        """How each trajectory is cut into rows."""
        return Plan(
            self.ensemble.periods,
            self.ensemble.burn_in,
            self.ledger.rows_per_period,
            self.ledger.periods_per_row,
        )

    @property
    def labels(self) -> dict[str, list[str]]:
        """Names along the ledger's dimensions; a drive is named by its site."""
        return {
            "bath": list(self.baths),
            "drive": [site.name for site in self.sites if site.drive is not None],
            "site": [site.name for site in self.sites],
        }

    @property
    def temperatures(self) -> dict[str, float]:
        """Temperature of each bath."""
        return {name: bath.temperature for name, bath in self.baths.items()}

    @property
    def method(self) -> dict[str, str]:
        """Algorithm of the trajectories: {"rate_law": ...} or {"integrator": ...}."""
        raise NotImplementedError

    @property
    def plugins(self) -> dict[str, Origin]:
        """Plugins that it needs, by name."""
        return KINDS.origin(self.model.kind)

    @property
    def integration(self) -> dict[str, Any]:
        """Settings of the integrator, where there is one."""
        return {}

    def network(self) -> Any:
        """Parameters for the kernels and the exact side."""
        raise NotImplementedError

    def consequences(self) -> Iterator[tuple[Loc, str]]:
        """Faults of settings that are each allowed but do not go together."""
        ensemble, ledger = self.ensemble, self.ledger
        if ledger.rows_per_period > 1 and ledger.periods_per_row > 1:
            yield (
                ("ledger", "periods_per_row"),
                f"found {ledger.periods_per_row} with rows_per_period = {ledger.rows_per_period}; "
                "allowed: one of the two above 1",
            )
        elif ensemble.periods % ledger.periods_per_row:
            yield (
                ("ledger", "periods_per_row"),
                f"found {ledger.periods_per_row}; allowed: a divisor of ensemble.periods = "
                f"{ensemble.periods}",
            )
        levels = {self.baths[site.bath].temperature for site in self.sites if site.bath is not None}
        if ensemble.initial == "equilibrium" and len(levels) > 1:
            starts = get_args(type(ensemble).model_fields["initial"].annotation)
            allowed = ", ".join(repr(start) for start in starts if start != "equilibrium")
            yield (
                ("ensemble", "initial"),
                f"found 'equilibrium' with baths of different temperatures; allowed: {allowed}",
            )


class Wiring(NamedTuple):
    """Parameters of all models' networks, by number of the site."""

    number: dict[str, int]
    bath: list[int]
    temperature: list[float]
    drive: drives.Drive
    driven: list[bool]


def wiring(experiment: Experiment) -> Wiring:
    """Parameters of an experiment with names replaced by numbers; -1 is no bath."""
    baths = list(experiment.baths)
    fields = [site.drive or Drive() for site in experiment.sites]
    # cos(k Omega (tau - t) + phase) = cos(k Omega t - phase)
    sign = -1 if experiment.drive.direction == "reverse" else 1
    return Wiring(
        number={site.name: k for k, site in enumerate(experiment.sites)},
        bath=[-1 if s.bath is None else baths.index(s.bath) for s in experiment.sites],
        temperature=[
            0.0 if s.bath is None else experiment.baths[s.bath].temperature
            for s in experiment.sites
        ],
        drive=drives.pack(
            [f.offset for f in fields],
            [
                [
                    (1, f.amplitude, sign * f.phase),
                    *((h.order, h.amplitude, sign * h.phase) for h in f.harmonics),
                ]
                for f in fields
            ],
        ),
        driven=[site.drive is not None for site in experiment.sites],
    )


def references(data: dict[str, Any]) -> Iterator[tuple[Loc, str]]:
    """Faults of names of sites, baths and bonds; of raw data, so that others are found as well."""
    raw_sites, raw_bonds, baths = data.get("sites"), data.get("bonds"), data.get("baths")
    sites = [
        (k, site)
        for k, site in enumerate(raw_sites if isinstance(raw_sites, list) else [])
        if isinstance(site, dict)
    ]
    names: dict[str, None] = {}
    for k, site in sites:
        name = site.get("name")
        if isinstance(name, str):
            if name in names:
                yield (
                    ("sites", k, "name"),
                    f"found {show(name)} again; allowed: a name not yet used",
                )
            names[name] = None
    if isinstance(baths, dict):
        used = {bath for _, site in sites if isinstance(bath := site.get("bath"), str)}
        for k, site in sites:
            bath = site.get("bath")
            if isinstance(bath, str) and bath not in baths:
                close = suggestion(bath, baths)
                yield (
                    ("sites", k, "bath"),
                    f"no bath {show(bath)}{close}; allowed: {listing(list(baths))}",
                )
        for bath in baths:
            if sites and bath not in used:
                yield ("baths", bath), "no site is in contact with this bath"
    pairs: set[frozenset[str]] = set()
    for k, bond in enumerate(raw_bonds if isinstance(raw_bonds, list) else []):
        ends = bond.get("sites") if isinstance(bond, dict) else None
        if not (
            isinstance(ends, list) and len(ends) == 2 and all(isinstance(e, str) for e in ends)
        ):
            continue
        for end in ends:
            if end not in names:
                close, known = suggestion(end, names), listing(list(names))
                message = f"no site {show(end)}{close}; allowed: {known}"
                yield ("bonds", k, "sites"), message
        if ends[0] == ends[1]:
            yield ("bonds", k, "sites"), f"found {show(ends)}; allowed: two different sites"
        elif frozenset(ends) in pairs:
            yield (
                ("bonds", k, "sites"),
                f"found {show(ends)} again; allowed: one bond for each pair",
            )
        pairs.add(frozenset(ends))
