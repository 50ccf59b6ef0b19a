"""What a config of clock spins may say."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from clock_spins import model
from trajsim.config import schema
from trajsim.config.faults import Loc
from trajsim.extending.plugins import Missing, Origin
from trajsim.models.rate_laws import LAWS, law_origin

# Equilibrium and periodic starts list 3**n states.
MOST_SITES = 5


class ClockSite(schema.Site):
    """A clock spin, its bath, the field on it and the angle in which that points."""

    bath: str
    direction: float = Field(default=0.0, ge=-10.0, le=10.0)


class ClockBond(schema.Bond):
    """-coupling * cos(theta_i - theta_j) in the energy."""

    coupling: schema.Energy


class ClockModel(schema.Model):
    """Clock spins that jump one at a time, at the rate that a law gives to what it costs."""

    kind: Literal["clock-spins"]
    rate: float = Field(gt=0, le=1e9)
    rate_law: Annotated[str, schema.Registered(LAWS)] = "heat-bath"


class ClockEnsemble(schema.Ensemble):
    """Where clock spins begin: all at theta = 0, at random, in equilibrium at H(0), or periodic."""

    initial: Literal["aligned", "random", "equilibrium", "periodic"] = "aligned"


class ClockExperiment(schema.Experiment):
    """A validated config of clock spins."""

    model: ClockModel
    sites: list[ClockSite] = Field(min_length=1, max_length=1024)
    bonds: list[ClockBond] = Field(default=[])
    ensemble: ClockEnsemble

    @property
    def method(self) -> dict[str, str]:
        """The rate law."""
        return {"rate_law": self.model.rate_law}

    @property
    def plugins(self) -> dict[str, Origin]:
        """Where the model comes from and, if it is from outside trajsim, the rate law."""
        return {**super().plugins, **law_origin(self.model.rate_law)}

    def network(self) -> model.ClockNetwork | Missing:
        """Parameters for the kernel and the exact side."""
        law = LAWS.get(self.model.rate_law)
        if law is None:
            return LAWS.missing(self.model.rate_law)
        wires = schema.wiring(self)
        number = wires.number
        return model.network(
            law=law(self.model.rate),
            period=self.drive.period,
            bonds=[(number[b.sites[0]], number[b.sites[1]], b.coupling) for b in self.bonds],
            temperatures=wires.temperature,
            bath=wires.bath,
            drive=wires.drive,
            driven=wires.driven,
            directions=[site.direction for site in self.sites],
        )

    def consequences(self) -> Iterator[tuple[Loc, str]]:
        """Faults of settings that are each allowed but do not go together."""
        yield from super().consequences()
        initial, sites = self.ensemble.initial, len(self.sites)
        if initial in ("equilibrium", "periodic") and sites > MOST_SITES:
            yield (
                ("ensemble", "initial"),
                f"found {initial!r} with {sites} sites; allowed up to {MOST_SITES} sites",
            )
