"""Schema of configs of all models, and checks between their settings."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, get_args

from pydantic import Discriminator, Field, Tag

from trajsim.config.base import Allowed, Name, Strict
from trajsim.config.faults import Loc, listing, show, suggestion
from trajsim.config.waveform import (
    Parameter,
    Waveform,
    Within,
    in_parts,
    magnitude_of,
    mean_of,
    opening_of,
    range_of,
)
from trajsim.extending.kinds import KINDS
from trajsim.extending.plugins import Origin
from trajsim.models import waveform as waveforms
from trajsim.models.waveform import Waveforms, pack
from trajsim.plan import Plan

MOST_POINTS = 10_000
# Shortest and longest period.
PERIODS = (1e-9, 1e12)


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

    temperature: Annotated[Parameter, Within(1e-9, 1e9)] = Field(
        description="an energy: a number or a waveform"
    )

    @property
    def driven(self) -> bool:
        """Whether its temperature is a waveform."""
        return isinstance(self.temperature, Waveform)


Multiple = Annotated[
    float,
    Allowed(
        lambda multiple: 1e-6 <= multiple <= 1e6,
        "a finite number >= 1e-06 and <= 1e+06",
        minimum=1e-6,
        maximum=1e6,
    ),
]
# Baths of a site: multiples of its rate or friction by name, or names alone.
Contacts = Annotated[
    Annotated[dict[str, Multiple], Field(min_length=1), Tag("<multiples>")]
    | Annotated[list[str], Field(min_length=1), Tag("<names>")],
    Discriminator(lambda given: "<multiples>" if isinstance(given, dict) else "<names>"),
]


class Site(Strict):
    """Keys of sites of every model."""

    name: Name = Field(description="its own, by which bonds, sweeps and ledgers call it")
    bath: str | None = Field(default=None, description="name of the bath it touches")
    baths: Contacts | None = Field(
        default=None,
        description="instead of `bath`: names of several, or multiples of the rate or friction",
    )
    drive: Parameter | None = Field(
        default=None, description="field of a spin, force on an oscillator: a number or a waveform"
    )

    @property
    def contacts(self) -> dict[str, float]:
        """Baths that it touches, with the multiple of the rate or friction of each."""
        if self.baths is None:
            return {} if self.bath is None else {self.bath: 1.0}
        return self.baths if isinstance(self.baths, dict) else dict.fromkeys(self.baths, 1.0)

    @property
    def driven(self) -> bool:
        """Whether its field or force is a waveform."""
        return isinstance(self.drive, Waveform)

    @property
    def label(self) -> str:
        """How drives call it."""
        return self.name

    @property
    def parameters(self) -> dict[str, Waveform | float | None]:
        """What may be driven, by what follows the site's name in the name of the drive."""
        return {"": self.drive}

    @property
    def magnitude(self) -> float:
        """Sum of the sizes of the terms of its field or force, which may cancel."""
        return magnitude_of(self.drive)


class Bond(Strict):
    """Keys of bonds of every model."""

    sites: list[str] = Field(min_length=2, max_length=2, description="names of its ends")

    @property
    def label(self) -> str:
        """How drives call it."""
        return "-".join(self.sites)

    @property
    def parameters(self) -> dict[str, Waveform | float | None]:
        """What may be driven, by what follows the sites' names in the name of the drive."""
        return {}


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
        default=1, ge=1, le=waveforms.MOST_ROWS, description="above 1: the period resolved"
    )
    periods_per_row: int = Field(
        default=1, ge=1, le=10**12, description="above 1: less to store; divides `periods`"
    )


Finite = Annotated[float, Field(ge=-1e12, le=1e12)]
# An end of a range: a number, or one for each of several keys.
Ends = Annotated[
    Annotated[Finite, Tag("<number>")] | Annotated[list[Finite], Tag("<numbers>")],
    Discriminator(lambda given: "<numbers>" if isinstance(given, list) else "<number>"),
]


class Range(Strict):
    """`num` equally spaced values from start to stop, both included; lists for joint keys."""

    start: Ends = Field(description="first value")
    stop: Ends = Field(description="last value")
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
    drive_nouns : what a drive of one site, and of two, is called in figures
    sites, bonds : fields of models that have them; states and transitions of jump networks
    needs_bath : whether each site must touch a bath
    """

    two_states: ClassVar[bool] = False
    needs_bath: ClassVar[bool] = False
    works_apart: ClassVar[bool] = False
    drive_nouns: ClassVar[tuple[str, str]] = ("site", "bond")

    title: str = Field(
        default="", max_length=1000, pattern=r"^[^\x00]*$", description="what figures are headed"
    )
    model: Any
    drive: Cycle
    baths: dict[Name, Bath] = Field(min_length=1)
    ensemble: Any
    ledger: Ledger = Ledger()
    sweep: dict[str, Range | list[float] | list[list[float]]] = Field(default={})
    figure: Figure = Figure()

    if TYPE_CHECKING:

        @property
        def sites(self) -> Any:
            """Its sites."""

        @property
        def bonds(self) -> Any:
            """Its bonds."""

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        # A few fields; all of them are in model_dump().
        yield None, self.title
        yield "kind", self.model.kind
        yield "sites", [site.name for site in self.sites]
        yield "baths", self.temperatures

    @classmethod
    def references(cls, data: dict[str, Any]) -> Iterator[tuple[Loc, str]]:
        """Faults of names that refer to others; of raw data, so that others are found as well."""
        return references(data, cls.needs_bath)

    @property
    def state_count(self) -> int:
        """Number of states that the column `state` tells apart; 0 without one."""
        return 2 ** len(self.sites) if self.two_states else 0

    @property
    def extent(self) -> str:
        """How large the system is, in words."""
        return f"{len(self.sites)} {self.model.kind}"

    def state_name(self, number: int) -> str:
        """Name of a numbered state: of two spins 1 is -+, site 0 first."""
        return "".join("-" if number >> i & 1 else "+" for i in range(len(self.sites)))

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
        """Names along the ledger's dimensions; a drive is named by what it drives."""
        return {
            "bath": list(self.baths),
            "drive": [name for name, _ in self._works()],
            "site": [site.name for site in self.sites],
        }

    def _works(self) -> Iterator[tuple[str, Waveform]]:
        """Driven parameters that do work, by the name of the drive."""
        for part in (*self.sites, *self.bonds):
            for suffix, value in part.parameters.items():
                if isinstance(value, Waveform):
                    yield part.label + suffix, value

    @property
    def temperatures(self) -> dict[str, float]:
        """Temperature of each bath, if driven its average over the period."""
        return {name: mean_of(bath.temperature) for name, bath in self.baths.items()}

    @property
    def regime_temperatures(self) -> dict[str, float]:
        """Temperatures by which baths are hot or cold; nan where ranges of driven ones overlap.

        Of a single bath whose temperature is driven, too: it is both.
        """
        if not self.heated:
            return self.temperatures
        spans = {name: range_of(bath.temperature) for name, bath in self.baths.items()}

        def apart(name: str) -> bool:
            low, high = spans[name]
            others = [span for other, span in spans.items() if other != name]
            return bool(others) and all(high < a or b < low for a, b in others)

        return {name: t if apart(name) else math.nan for name, t in self.temperatures.items()}

    @property
    def waveforms(self) -> Waveforms:
        """Waveforms of all driven parameters: those that do work, and temperatures."""
        temperatures = (bath.temperature for bath in self.baths.values())
        given = [value for _, value in self._works()]
        given += [value for value in temperatures if isinstance(value, Waveform)]
        return pack([in_parts(value, False) for value in given])

    @property
    def driven(self) -> bool:
        """Whether something changes in the course of a period."""
        return not waveforms.is_constant(self.waveforms)

    @property
    def returns(self) -> bool:
        """Whether all parameters are at the end of a period what they are at time 0."""
        opening, closing = waveforms.at_edges(self.waveforms, 1)
        return bool((opening == closing).all())

    @property
    def ends(self) -> bool:
        """Whether it is a protocol that ends: one period, from equilibrium."""
        ensemble = self.ensemble
        once = ensemble.periods == 1 and ensemble.burn_in == 0
        return self.driven and once and ensemble.initial == "equilibrium"

    @property
    def own_reverse(self) -> bool:
        """Whether the protocol is its own reverse."""
        return waveforms.is_even(self.waveforms, 0.0)

    @property
    def shifted_reverse(self) -> bool:
        """Whether it is its own reverse but for a shift in time."""
        waves = self.waveforms
        return any(waveforms.is_even(waves, u) for u in waveforms.likely_mirrors(waves))

    @property
    def heated(self) -> bool:
        """Whether a temperature is driven."""
        return any(bath.driven for bath in self.baths.values())

    @property
    def reservoirs(self) -> list[str]:
        """Names of the baths from which particles come."""
        return []

    @property
    def exchanging(self) -> bool:
        """Whether particles come from any bath."""
        return bool(self.reservoirs)

    @property
    def sustained(self) -> bool:
        """Whether something other than temperatures keeps currents up while nothing changes."""
        return False

    @property
    def overdamped(self) -> bool:
        """Whether motion has no inertia."""
        return False

    @property
    def masses(self) -> list[float]:
        """Masses of the sites; empty where there is no motion with inertia."""
        return []

    @property
    def driven_words(self) -> str:
        """What figures call what is driven, in lines, with its unit if all has the same."""
        return "driven\nparameters"

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

    def choices(self, points: "Sequence[Experiment]") -> dict[str, Any]:
        """Tables to put in place of those left out, the same for all points of a sweep."""
        return {}

    def network(self) -> Any:
        """Parameters for the kernels and the exact side."""
        raise NotImplementedError

    def consequences(self) -> Iterator[tuple[Loc, str]]:
        """Faults of settings that are each allowed but do not go together."""
        yield from self.structural_faults()
        yield from self.numerical_faults()

    def numerical_faults(self) -> Iterator[tuple[Loc, str]]:
        """Those of numbers that sweeps change; each point of a sweep is asked for them."""
        ensemble = self.ensemble
        if ensemble.initial != "equilibrium":
            return
        touched = {bath for site in self.sites for bath in site.contacts}
        warm = {
            opening_of(self.baths[bath].temperature, self.drive.direction == "reverse")
            for bath in touched
        }
        if len(warm) > 1:
            starts = get_args(type(ensemble).model_fields["initial"].annotation)
            allowed = ", ".join(repr(start) for start in starts if start != "equilibrium")
            yield (
                ("ensemble", "initial"),
                f"found 'equilibrium' with baths of different temperatures; allowed: {allowed}",
            )

    def structural_faults(self) -> Iterator[tuple[Loc, str]]:
        """Those of all else."""
        ensemble, ledger = self.ensemble, self.ledger
        drives = Counter(self.labels["drive"])
        for k, bond in enumerate(self.bonds):
            if drives[bond.label] > 1:
                yield ("bonds", k), f"its drive would be called {show(bond.label)} as another is"
        for k, site in enumerate(self.sites):
            if site.bath is not None and site.baths is not None:
                yield ("sites", k, "baths"), "found beside bath; allowed: one of the two"
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


class Wiring(NamedTuple):
    """Parameters of all models' networks.

    number : of each site by its name
    contacts : (site, bath, multiple of the rate or friction) of each contact, in order of the sites
    temperatures : of the baths
    drive, driven : of the sites
    reverse : whether time runs backwards
    """

    number: dict[str, int]
    contacts: list[tuple[int, int, float]]
    temperatures: list[float | waveforms.Waveform]
    drive: Waveforms
    driven: list[bool]
    reverse: bool

    def parameter(self, value: Waveform | float) -> float | waveforms.Waveform:
        """A parameter of a config: a number, or a waveform in the direction of time."""
        return _parameter(value, self.reverse)


def _parameter(value: Waveform | float, reverse: bool) -> float | waveforms.Waveform:
    return in_parts(value, reverse) if isinstance(value, Waveform) else value


def wiring(experiment: Experiment) -> Wiring:
    """Names of an experiment turned into numbers."""
    reverse = experiment.drive.direction == "reverse"
    bath = {name: k for k, name in enumerate(experiment.baths)}
    return Wiring(
        number={site.name: k for k, site in enumerate(experiment.sites)},
        contacts=[
            (k, bath[name], multiple)
            for k, site in enumerate(experiment.sites)
            for name, multiple in site.contacts.items()
        ],
        temperatures=[_parameter(b.temperature, reverse) for b in experiment.baths.values()],
        drive=pack([in_parts(site.drive, reverse) for site in experiment.sites]),
        driven=[site.driven for site in experiment.sites],
        reverse=reverse,
    )


def references(data: dict[str, Any], needs_bath: bool) -> Iterator[tuple[Loc, str]]:
    """Faults of names of sites, baths and bonds; of raw data, so that others are found as well.

    Parameters
    ----------
    data : raw config
    needs_bath : whether each site must touch a bath
    """
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
        used = set()
        for k, site in sites:
            several = site.get("baths")
            if needs_bath and not {"bath", "baths"} & site.keys():
                yield ("sites", k, "bath"), "missing; allowed: the name of a bath, or `baths`"
            named = [("bath", site.get("bath"))]
            named += [("baths", x) for x in several] if isinstance(several, list | dict) else []
            for key, bath in named:
                if isinstance(bath, str) and bath not in baths:
                    close = suggestion(bath, baths)
                    yield (
                        ("sites", k, key),
                        f"no bath {show(bath)}{close}; allowed: {listing(list(baths))}",
                    )
                elif isinstance(bath, str):
                    if key == "baths" and named.count((key, bath)) > 1:
                        yield ("sites", k, key), f"found {show(bath)} twice; allowed: once"
                    used.add(bath)
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
