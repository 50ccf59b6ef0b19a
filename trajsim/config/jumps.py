"""Schema of configs of jump networks: states, and transitions between them by baths."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from trajsim.config import base, schema
from trajsim.config.faults import Loc, listing, show, suggestion
from trajsim.config.waveform import Parameter, Waveform, in_parts, magnitude_of, range_of
from trajsim.extending.plugins import Missing, Origin
from trajsim.models import jumps
from trajsim.models.rate_laws import LAWS, SHIPPED
from trajsim.models.waveform import Waveforms, pack

STARTS = ("random", "equilibrium", "periodic")
Law = Annotated[str, base.Registered(LAWS)]
MOST_PARTICLES = 1000


class JumpBath(schema.Bath):
    """A heat bath, and a reservoir of particles."""

    chemical_potential: Parameter = Field(
        default=0.0,
        description="energy of each particle that comes from it: a number or a waveform",
    )


class State(base.Strict):
    """A state of the system."""

    name: base.Name = Field(description="its own, by which transitions and sweeps call it")
    energy: Parameter = Field(default=0.0, description="a number or a waveform")

    # What sites of other models have.
    bath: ClassVar[None] = None
    baths: ClassVar[None] = None
    contacts: ClassVar[dict[str, float]] = {}

    @property
    def driven(self) -> bool:
        """Whether its energy is a waveform."""
        return isinstance(self.energy, Waveform)

    @property
    def parameters(self) -> dict[str, Waveform | float | None]:
        """What may be driven: its energy."""
        return {"": self.energy}

    @property
    def magnitude(self) -> float:
        """Sum of the sizes of the terms of its energy, which may cancel."""
        return magnitude_of(self.energy)


class Transition(base.Strict):
    """Jumps between two states, in both directions, by one bath."""

    states: list[str] = Field(min_length=2, max_length=2, description="names of a and b")
    bath: str = Field(description="name of the bath that gives the heat")
    rate: float | None = Field(
        default=None, gt=0, le=1e9, description="of its rate law; default: that of the model"
    )
    rate_law: Law | None = Field(default=None, description="default: that of the model")
    load: Parameter | None = Field(
        default=None,
        description="energy that an agent gives on a -> b and takes back on b -> a: a number or a "
        "waveform, in either case a drive that does work",
    )
    particles: int = Field(
        default=0,
        ge=-MOST_PARTICLES,
        le=MOST_PARTICLES,
        description="that come from the bath on a -> b and go back on b -> a",
    )

    @property
    def sites(self) -> list[str]:
        """Its states, which are the sites of this kind of model."""
        return self.states

    @property
    def label(self) -> str:
        """How its load is called, unless another one is."""
        return "-".join(self.states)

    @property
    def parameters(self) -> dict[str, Waveform | float | None]:
        """What may be driven: its load."""
        return {"": self.load}


class JumpModel(schema.Model):
    """A system that jumps between states."""

    kind: Literal["jumps"]
    rate: float | None = Field(
        default=None, gt=0, le=1e9, description="r of the rate law, per unit time"
    )
    rate_law: Law | None = Field(
        default=None, description="how fast a bath makes jumps, of transitions that do not say it"
    )


class JumpEnsemble(schema.Ensemble):
    """Start of trajectories: a state, one at random, in equilibrium, or in the periodic state."""

    initial: str = Field(
        description="where trajectories begin: the name of a state, 'random', 'equilibrium' (of "
        "heats that add up to 0 around all cycles at time 0) or 'periodic'"
    )


class JumpExperiment(schema.Experiment):
    """A validated config of a jump network."""

    drive_nouns = ("energy of", "load")

    model: JumpModel
    baths: dict[base.Name, JumpBath] = Field(min_length=1)  # type: ignore[assignment]
    states: list[State] = Field(min_length=2, max_length=1 << 20)
    transitions: list[Transition] = Field(min_length=1, max_length=1 << 22)
    ensemble: JumpEnsemble

    @property
    def sites(self) -> list[State]:
        """Its states."""
        return self.states

    @property
    def bonds(self) -> list[Transition]:
        """Its transitions."""
        return self.transitions

    @property
    def state_count(self) -> int:
        """Number of states."""
        return len(self.states)

    @property
    def extent(self) -> str:
        """How large the network is, in words."""
        return f"{len(self.states)} states and {len(self.transitions)} transitions"

    def state_name(self, number: int) -> str:
        """Name of a numbered state."""
        return self.states[number].name

    @property
    def labels(self) -> dict[str, list[str]]:
        """Names along the ledger's dimensions; every load is a drive, also one that is constant."""
        return {
            "bath": list(self.baths),
            "drive": [
                *(state.name for state in self.states if state.driven),
                *(
                    name
                    for t, name in zip(self.transitions, self._load_names, strict=True)
                    if t.load is not None
                ),
            ],
            "site": [state.name for state in self.states],
        }

    @property
    def _load_names(self) -> list[str]:
        """Names of the loads of all transitions: "a-b", with the bath where two would be alike."""
        names = [t.label for t in self.transitions]
        many = Counter(
            n for n, t in zip(names, self.transitions, strict=True) if t.load is not None
        )
        return [
            f"{name}.{t.bath}" if many[name] > 1 else name
            for name, t in zip(names, self.transitions, strict=True)
        ]

    @property
    def reservoirs(self) -> list[str]:
        """Names of the baths from which particles come."""
        found = {t.bath for t in self.transitions if t.particles}
        return [name for name in self.baths if name in found]

    @property
    def sustained(self) -> bool:
        """Whether there are loads, or chemical potentials that differ or change."""
        potentials = [self.baths[name].chemical_potential for name in self.reservoirs]
        uneven = any(isinstance(mu, Waveform) or mu != potentials[0] for mu in potentials)
        return uneven or any(t.load is not None for t in self.transitions)

    @property
    def driven_words(self) -> str:
        """Energies, loads and chemical potentials have one unit."""
        return "driven\nparameters (energy)"

    @property
    def canonical(self) -> bool:
        """Whether "equilibrium" is that of the energies alone, whose changes are the works."""
        return not self.exchanging and all(t.load is None for t in self.transitions)

    @property
    def waveforms(self) -> Waveforms:
        """Waveforms of all that is driven: energies, loads, temperatures, chemical potentials."""
        given: list[Any] = [
            *(state.energy for state in self.states),
            *(t.load for t in self.transitions),
            *(bath.temperature for bath in self.baths.values()),
            *(self.baths[name].chemical_potential for name in self.reservoirs),
        ]
        return pack([in_parts(value, False) for value in given if isinstance(value, Waveform)])

    def _laws(self) -> list[str]:
        """Name of the rate law of each transition."""
        return [t.rate_law or self.model.rate_law or "" for t in self.transitions]

    @property
    def method(self) -> dict[str, str]:
        """The rate laws."""
        return {"rate_law": ", ".join(dict.fromkeys(self._laws()))}

    @property
    def plugins(self) -> dict[str, Origin]:
        """The rate laws that are from plugins."""
        found = super().plugins
        for law in dict.fromkeys(self._laws()):
            found = {**found, **LAWS.origin(law)}
        return found

    def network(self) -> jumps.JumpNetwork | Missing:
        """Parameters for the kernel and the exact side; `Missing` if a rate law is.

        Raises
        ------
        ValueError
            If a rate exceeds the range of floating-point numbers, or a rate law from outside
            cannot be loaded.
        """
        names = self._laws()
        number = {law: k for k, law in enumerate(dict.fromkeys(names))}
        laws = []
        for name in number:
            law = LAWS.get(name)
            if law is None:
                return LAWS.missing(name)
            laws.append(law)
        reverse = self.drive.direction == "reverse"
        state = {s.name: k for k, s in enumerate(self.states)}
        bath = {name: k for k, name in enumerate(self.baths)}

        def parameter(value: Any) -> Any:
            return in_parts(value, reverse) if isinstance(value, Waveform) else value

        return jumps.network(
            names=[s.name for s in self.states],
            laws=laws,
            period=self.drive.period,
            energies=[parameter(s.energy) for s in self.states],
            transitions=[
                jumps.Transition(
                    state[t.states[0]],
                    state[t.states[1]],
                    bath[t.bath],
                    number[name],
                    t.rate or self.model.rate or 0.0,
                    parameter(t.load),
                    t.particles,
                )
                for t, name in zip(self.transitions, names, strict=True)
            ],
            temperatures=[parameter(b.temperature) for b in self.baths.values()],
            potentials=[parameter(b.chemical_potential) for b in self.baths.values()],
        )

    @classmethod
    def references(cls, data: dict[str, Any]) -> Iterator[tuple[Loc, str]]:
        """Faults of names of states and baths, and states that cannot be reached."""
        return _references(data)

    def structural_faults(self) -> Iterator[tuple[Loc, str]]:
        """Faults of settings that do not go together, but for numbers."""
        yield from super().structural_faults()
        for key in ("rate", "rate_law"):
            for k, t in enumerate(self.transitions):
                if getattr(t, key) is None and getattr(self.model, key) is None:
                    yield ("transitions", k), f"no {key}, and model.{key} is not given either"
        drives = Counter(self.labels["drive"])
        for k, name in enumerate(self._load_names):
            if drives[name] > 1 and self.transitions[k].load is not None:
                yield (
                    ("transitions", k),
                    f"its load would be called {show(name)} as another drive is",
                )
        names, initial = [s.name for s in self.states], self.ensemble.initial
        for k, name in enumerate(names):
            if name in STARTS:
                yield ("states", k, "name"), f"found {show(name)}, which is what a start is called"
        if initial not in (*STARTS, *names):
            close = suggestion(initial, [*STARTS, *names])
            yield (
                ("ensemble", "initial"),
                f"found {show(initial)}{close}; allowed: {', '.join(STARTS)}, or the name of a "
                f"state: {listing(names)}",
            )

    def numerical_faults(self) -> Iterator[tuple[Loc, str]]:
        """Faults of numbers that are each allowed but do not go together."""
        yield from super().numerical_faults()
        rates = [t.rate or self.model.rate for t in self.transitions]
        balanced = self.ensemble.initial == "equilibrium"
        if not all(rates) or not all(self._laws()) or (not balanced and self._surely_finite()):
            return
        try:
            network = self.network()
        except ValueError as error:
            yield ("model", "rate_law"), str(error)
            return
        names = [s.name for s in self.states]
        if balanced and isinstance(network, jumps.JumpNetwork):
            found = jumps.potentials(network)
            chord = int(abs(found.affinity).argmax())
            if found.affinity[chord]:
                around = [names[x] for x in jumps.cycle(network, found.parent, chord)]
                yield (
                    ("ensemble", "initial"),
                    f"found 'equilibrium', but the cycle {' -> '.join([*around, around[0]])} has "
                    f"the affinity {found.affinity[chord]:.6g} at time 0, not 0; allowed: "
                    "'random', 'periodic' or the name of a state",
                )

    def _surely_finite(self) -> bool:
        """Whether heats are so small that no rate of a shipped law can overflow.

        Far faster than to build the network; the largest rate is r exp(Q / 2 T) with r <= 1e9.
        """

        def largest(values: Iterable[Any]) -> float:
            return max((max(map(abs, range_of(x))) for x in values if x is not None), default=0.0)

        most = 2.0 * largest(state.energy for state in self.states)
        most += largest(t.load for t in self.transitions)
        particles = max(abs(t.particles) for t in self.transitions)
        most += particles * largest(bath.chemical_potential for bath in self.baths.values())
        coldest = min(range_of(bath.temperature)[0] for bath in self.baths.values())
        return most < 200.0 * coldest and set(self._laws()) <= set(SHIPPED)


def _references(data: dict[str, Any]) -> Iterator[tuple[Loc, str]]:
    """Faults of names in raw data, so that others are found as well."""

    def tables(key: str) -> list[tuple[int, dict[str, Any]]]:
        given = data.get(key)
        listed = enumerate(given if isinstance(given, list) else [])
        return [(k, element) for k, element in listed if isinstance(element, dict)]

    baths = data.get("baths")
    names: dict[str, int] = {}
    for k, state in tables("states"):
        name = state.get("name")
        if isinstance(name, str):
            if name in names:
                yield (
                    ("states", k, "name"),
                    f"found {show(name)} again; allowed: a name not yet used",
                )
            names.setdefault(name, len(names))
    seen: set[tuple[frozenset[str], Any]] = set()
    edges, sound = [], True
    used: set[str] = set()
    for k, transition in tables("transitions"):
        bath, ends = transition.get("bath"), transition.get("states")
        if isinstance(bath, str):
            used.add(bath)
            if isinstance(baths, dict) and bath not in baths:
                close = suggestion(bath, baths)
                known = listing(list(baths))
                yield ("transitions", k, "bath"), f"no bath {show(bath)}{close}; allowed: {known}"
        if not (
            isinstance(ends, list) and len(ends) == 2 and all(isinstance(e, str) for e in ends)
        ):
            sound = False
            continue
        for end in ends:
            if end not in names:
                sound, known = False, listing(list(names))
                close = suggestion(end, names)
                message = f"no state {show(end)}{close}; allowed: {known}"
                yield ("transitions", k, "states"), message
        if ends[0] == ends[1]:
            yield ("transitions", k, "states"), f"found {show(ends)}; allowed: two different states"
        elif isinstance(bath, str) and (frozenset(ends), bath) in seen:
            yield (
                ("transitions", k, "states"),
                f"found {show(ends)} by bath {show(bath)} again; allowed: one transition for each "
                "pair and bath, in either order",
            )
        if isinstance(bath, str):
            seen.add((frozenset(ends), bath))
        edges.append(ends)
    named = all(isinstance(t.get("bath"), str) for _, t in tables("transitions"))
    if isinstance(baths, dict) and used and named:
        for bath in baths:
            if bath not in used:
                yield ("baths", bath), "no transition is made by this bath"
    if sound and edges and len(names) > 1:
        yield from _unreachable(list(names), [[names[e] for e in ends] for ends in edges])


def _unreachable(names: list[str], edges: list[list[int]]) -> Iterator[tuple[Loc, str]]:
    """The fault of states that no jumps connect with the first."""
    source, target = zip(*edges, strict=True)
    order, _ = jumps.spanning_tree(len(names), np.array(source), np.array(target))
    apart = set(range(len(names))) - set(order)
    if apart:
        first = min(apart)
        others = [names[x] for x in sorted(apart)]
        yield (
            ("states", first),
            f"no transitions lead from {show(names[0])} to {listing(others)}; allowed: states that "
            "can be reached from one another",
        )
