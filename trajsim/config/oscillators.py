"""Schema of configs of driven Langevin oscillators."""

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from trajsim.config import base, schema
from trajsim.config.faults import Loc, show
from trajsim.config.lattice import OnLattice
from trajsim.config.waveform import Parameter, Waveform, Within, magnitude_of, range_of
from trajsim.models import oscillators

# Relative error of the work by too long steps, above which the user is warned.
MOST_ERROR = 0.03
# Relative error of currents for which steps are chosen where none are given, and at how many points
# of a sweep, at most, they are looked for.
ASKED, LOOKED_AT = 1e-3, 64
# Growth in a period that is taken for rounding.
MOST_GROWTH = 1.0 + 1e-6

Stiffness = Annotated[Parameter, Within(0.0, 1e9)]
# Part of the largest stiffness below which a negative one is taken for rounding.
SOFT = 1e-12


class Cosine(base.Strict):
    """amplitude cos(2 pi x / wavelength + phase) in the energy."""

    amplitude: base.Energy = Field(description="an energy")
    wavelength: float = Field(ge=1e-6, le=1e9, description="a length")
    phase: base.Phase = Field(default=0.0, description="radians")


class OscillatorSite(schema.Site):
    """A particle in a potential; without a bath it feels neither friction nor noise."""

    stiffness: Annotated[Parameter, Within(-1e9, 1e9)] = Field(
        default=0.0,
        description="k of k (x - center)^2 / 2: a number or a waveform; negative where something "
        "else holds the particle, as `quartic` does",
    )
    center: Parameter = Field(
        default=0.0, description="where its spring is relaxed: a number or a waveform"
    )
    quartic: float = Field(default=0.0, ge=0, le=1e9, description="alpha of alpha x^4 / 4")
    cosine: list[Cosine] = Field(
        default=[], max_length=64, description="potentials V cos(2 pi x / wavelength + phase)"
    )
    mass: float | None = Field(default=None, ge=1e-9, le=1e9, description="in place of the model's")
    friction: float | None = Field(
        default=None, gt=0, le=1e9, description="in place of the model's"
    )

    @property
    def parameters(self) -> dict[str, Waveform | float | None]:
        """What may be driven: its force, and stiffness and centre of its spring."""
        return {"": self.drive, ".stiffness": self.stiffness, ".center": self.center}

    @property
    def magnitude(self) -> float:
        """Sum of the sizes of the terms of its forces, which may cancel."""
        return super().magnitude + magnitude_of(self.stiffness) * magnitude_of(self.center)


class OscillatorBond(schema.Bond):
    """stiffness (x_i - x_j)^2 / 2 + quartic (x_i - x_j)^4 / 4 in the energy."""

    stiffness: Stiffness = Field(
        default=0.0, description="of the quadratic part: a number or a waveform"
    )
    quartic: float = Field(default=0.0, ge=0, le=1e9, description="of the quartic part")

    @property
    def parameters(self) -> dict[str, Waveform | float | None]:
        """What may be driven: its stiffness."""
        return {"": self.stiffness}


class OscillatorModel(schema.Model):
    """Langevin oscillators; sites may have a mass and a friction of their own."""

    kind: Literal["oscillators"]
    dynamics: Literal["underdamped", "overdamped"] = Field(
        default="underdamped", description="`overdamped` has no inertia: no mass, no velocities"
    )
    mass: float = Field(default=1.0, ge=1e-9, le=1e9, description="of every site")
    friction: float = Field(gt=0, le=1e9, description="gamma of every site that touches a bath")


class OscillatorEnsemble(schema.Ensemble):
    """Start of oscillators: at rest, in equilibrium under f(0), or in the periodic state.

    The last is that of the linear part; nonlinear oscillators relax from there.
    """

    initial: Literal["rest", "equilibrium", "periodic"] = Field(
        default="rest", description="where trajectories begin"
    )


class Integrator(base.Strict):
    """How time is cut into steps."""

    scheme: Literal["hoh", "baoab", "sweep"] | None = Field(
        default=None,
        description="`hoh` moves the linear part exactly; `sweep` is that of overdamped motion; "
        "one of these two by default",
    )
    steps_per_period: int = Field(ge=1, le=10**8, description="of equal length")
    noise: Literal["float64", "float32"] = Field(
        default="float64", description="bits of normal numbers; `float32` ends at 6.7 deviations"
    )


class OscillatorExperiment(schema.Experiment):
    """A validated config of driven oscillators."""

    works_apart = True

    model: OscillatorModel
    sites: list[OscillatorSite] = Field(min_length=1, max_length=1024)
    bonds: list[OscillatorBond] = Field(default=[])
    lattice: OnLattice = None
    ensemble: OscillatorEnsemble
    integrator: Integrator | None = Field(
        default=None, description="by default chosen for errors of 0.1 % in the currents"
    )

    @property
    def method(self) -> dict[str, str]:
        """The integrator."""
        return {} if self.integrator is None else {"integrator": self.scheme}

    @property
    def overdamped(self) -> bool:
        """Whether motion has no inertia."""
        return self.model.dynamics == "overdamped"

    @property
    def masses(self) -> list[float]:
        """Masses of the sites; empty in overdamped motion."""
        if self.overdamped:
            return []
        return [self.model.mass if site.mass is None else site.mass for site in self.sites]

    @property
    def driven_words(self) -> str:
        """Forces alone have a unit in common."""
        plain = {site.name for site in self.sites if site.driven}
        forces = set(self.labels["drive"]) <= plain and not self.heated
        return "force\n(energy / length)" if forces else super().driven_words

    @property
    def scheme(self) -> str:
        """Name of the integrator's scheme."""
        chosen = None if self.integrator is None else self.integrator.scheme
        return chosen or ("sweep" if self.overdamped else "hoh")

    @property
    def integration(self) -> dict[str, Any]:
        """Settings of the integrator.

        Raises
        ------
        ValueError
            If there is none.
        """
        if self.integrator is None:
            raise ValueError(
                "integrator: missing; a simulation needs [integrator] with steps_per_period, "
                "only exact answers do without"
            )
        return {**self.integrator.model_dump(), "scheme": self.scheme}

    def choices(self, points: Sequence[schema.Experiment]) -> dict[str, Any]:
        """An integrator with enough steps at all points, if there is none."""
        if self.integrator is not None:
            return {}
        some = points[:: -(-len(points) // LOOKED_AT)]
        steps = max(
            oscillators.enough_steps(point.network(), ASKED) for point in (*some, points[-1])
        )
        rows = self.ledger.rows_per_period
        return {"integrator": Integrator(steps_per_period=-(-steps // rows) * rows)}

    @property
    def canonical(self) -> bool:
        """Whether `initial = "equilibrium"` is that of the whole energy, not of its linear part."""
        network = self.network()
        if network.linear:
            return True
        proposal = oscillators.proposal_of(network, float(network.temperature.max()))
        return proposal is not None and proposal.enough

    def network(self) -> oscillators.OscillatorNetwork:
        """Parameters for the kernels and the exact side."""
        wires, model = schema.wiring(self), self.model
        number = wires.number
        free = [(k, -1, 0.0) for k, site in enumerate(self.sites) if not site.contacts]
        contacts = sorted([*wires.contacts, *free])
        friction = [model.friction if s.friction is None else s.friction for s in self.sites]
        return oscillators.network(
            period=self.drive.period,
            mass=self.masses or [0.0] * len(self.sites),
            friction=[multiple * friction[site] for site, _, multiple in contacts],
            temperature=[0.0 if k < 0 else wires.temperatures[k] for _, k, _ in contacts],
            bath=[k for _, k, _ in contacts],
            site=[site for site, _, _ in contacts],
            site_stiffness=[wires.parameter(site.stiffness) for site in self.sites],
            site_quartic=[site.quartic for site in self.sites],
            bonds=[
                (number[b.sites[0]], number[b.sites[1]], wires.parameter(b.stiffness), b.quartic)
                for b in self.bonds
            ],
            drive=wires.drive,
            driven=wires.driven,
            center=[wires.parameter(site.center) for site in self.sites],
            cosine=[[(c.amplitude, c.wavelength, c.phase) for c in s.cosine] for s in self.sites],
        )

    def cautions(self) -> Iterator[str]:
        """Warning about steps so long that works have errors of more than a few percent."""
        if self.integrator is None or not self.labels["drive"]:
            return
        steps = self.integrator.steps_per_period
        error = oscillators.step_error(self.network(), steps)
        if error > MOST_ERROR:
            enough = steps * math.sqrt(error / MOST_ERROR)
            yield (
                f"integrator.steps_per_period = {steps}: works are off by some {error:.1g} of "
                f"themselves; by {MOST_ERROR:g} with some {enough:.2g} steps"
            )

    def structural_faults(self) -> Iterator[tuple[Loc, str]]:
        """Faults of settings that do not go together, but for numbers."""
        yield from super().structural_faults()
        yield from self._misfits()
        rows = self.ledger.rows_per_period
        steps = 0 if self.integrator is None else self.integrator.steps_per_period
        if steps % rows:
            yield (
                ("integrator", "steps_per_period"),
                f"found {steps}; allowed: a multiple of ledger.rows_per_period = {rows}",
            )

    def numerical_faults(self) -> Iterator[tuple[Loc, str]]:
        """Faults of numbers that are each allowed but do not go together."""
        yield from super().numerical_faults()
        if self.ensemble.periods + self.ensemble.burn_in > 1:
            yield from self._runaway()

    def _misfits(self) -> Iterator[tuple[Loc, str]]:
        """Faults of keys that do not go with the dynamics."""
        if (self.scheme == "sweep") != self.overdamped:
            allowed = "'sweep'" if self.overdamped else "'hoh', 'baoab'"
            yield (
                ("integrator", "scheme"),
                f"found {self.scheme!r} with {self.model.dynamics} dynamics; allowed: {allowed}",
            )
        if not self.overdamped:
            return
        if self.model.mass != OscillatorModel.model_fields["mass"].default:
            yield ("model", "mass"), "found a mass; allowed: none in overdamped dynamics"
        for k, site in enumerate(self.sites):
            if site.mass is not None:
                yield ("sites", k, "mass"), "found a mass; allowed: none in overdamped dynamics"
            if len(site.contacts) != 1:
                found = "no bath" if not site.contacts else f"found {len(site.contacts)} baths"
                yield (
                    ("sites", k, "baths") if site.contacts else ("sites", k),
                    f"{found}; allowed in overdamped dynamics: one, whose friction the site moves "
                    "against (without inertia, heat between two baths at one site has no bound)",
                )

    def _runaway(self) -> Iterator[tuple[Loc, str]]:
        """Faults of stiffnesses that let some motion grow without bound in many periods."""
        network = self.network()
        negative = [k for k, s in enumerate(self.sites) if range_of(s.stiffness)[0] < 0.0]
        loose = network.loose if negative else np.eye(len(self.sites))
        low = np.linalg.eigvalsh(loose.T @ network.softest @ loose) if negative else np.zeros(0)
        soft = bool((low < -SOFT * abs(network.stiffest).max()).any())
        parts: list[Any] = [*self.sites, *self.bonds]
        quartic = any(part.quartic for part in parts)
        if soft and (quartic or not network.stretching):
            yield (
                ("sites", negative[0], "stiffness"),
                f"found {show(self.sites[negative[0]].stiffness)}, which lets the network run away "
                "where nothing else holds it; allowed: negative stiffnesses with a positive "
                "quartic, or held by other springs",
            )
        elif network.stretching and not quartic and len(self.sites) <= oscillators.MOST_JUDGED:
            growth = oscillators.growth(network)
            if growth > MOST_GROWTH:
                yield (
                    self._first_stiffness(),
                    (
                        "found a waveform that lets the network run away: each period multiplies "
                        f"some motion by {growth:.3g}; allowed: what friction can hold"
                    ),
                )

    def _first_stiffness(self) -> Loc:
        for table in ("sites", "bonds"):
            for k, part in enumerate(getattr(self, table)):
                if isinstance(part.stiffness, Waveform):
                    return table, k, "stiffness"
        raise AssertionError("no stiffness is driven")
