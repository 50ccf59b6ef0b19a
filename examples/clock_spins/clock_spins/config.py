"""What a config of clock spins may say: what one of spins may, and where fields point."""

from typing import ClassVar, Literal

from pydantic import Field

from clock_spins import model
from trajsim.config import spins
from trajsim.extending.plugins import Missing


class ClockSite(spins.SpinSite):
    """A clock spin, its bath, the field on it and the angle in which that points."""

    direction: float = Field(default=0.0, ge=-10.0, le=10.0)


class ClockModel(spins.SpinModel):
    """Clock spins that jump one at a time, at the rate that a law gives to what it costs."""

    kind: Literal["clock-spins"]


class ClockExperiment(spins.SpinExperiment):
    """A validated config of clock spins, which are all at theta = 0 where spins are "up"."""

    two_states = False
    most_sites: ClassVar = {"equilibrium": model.MOST_SITES, "periodic": model.MOST_SITES}

    model: ClockModel
    sites: list[ClockSite] = Field(min_length=1, max_length=1024)

    def network(self) -> model.ClockNetwork | Missing:
        """Parameters for the kernel and the exact side."""
        wired = super().network()
        if isinstance(wired, Missing):
            return wired
        if wired.moving:
            raise ValueError("clock spins have couplings and temperatures that are numbers")
        if not wired.plain:
            raise ValueError("clock spins touch one bath each")
        return model.network(wired, [site.direction for site in self.sites])
