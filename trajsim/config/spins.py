"""Schema of configs of driven spins."""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from trajsim.config import base, schema
from trajsim.config.faults import Loc
from trajsim.config.lattice import MOST_SITES, OnLattice
from trajsim.config.waveform import Parameter, Waveform, range_of
from trajsim.extending.plugins import Missing, Origin
from trajsim.models import spins
from trajsim.models.rate_laws import LAWS, SHIPPED


class SpinSite(schema.Site):
    """A spin, its baths and the field on it."""


class SpinBond(schema.Bond):
    """-coupling * s_i * s_j in the energy."""

    coupling: Parameter = Field(
        description="energy J, a number or a waveform; below 0: antiparallel is favoured"
    )

    @property
    def parameters(self) -> dict[str, Waveform | float | None]:
        """What may be driven: its coupling."""
        return {"": self.coupling}


class SpinModel(schema.Model):
    """Ising spins that flip one at a time, with `rate` times the rate of `rate_law`."""

    kind: Literal["spins"]
    rate: float = Field(gt=0, le=1e9, description="r of the rate law, per unit time")
    rate_law: Annotated[str, base.Registered(LAWS)] = Field(
        description="how a spin's bath flips it"
    )


class SpinEnsemble(schema.Ensemble):
    """Start of spins: all +1, each at random, in equilibrium at H(0), or in the periodic state."""

    initial: Literal["up", "random", "equilibrium", "periodic"] = Field(
        default="up", description="where trajectories begin"
    )


class SpinExperiment(schema.Experiment):
    """A validated config of driven spins."""

    two_states = True
    needs_bath = True
    # Equilibrium starts enumerate 2**n states; periodic starts solve the master equation.
    most_sites: ClassVar = {"equilibrium": 20, "periodic": 12}

    model: SpinModel
    sites: list[SpinSite] = Field(min_length=1, max_length=MOST_SITES)
    bonds: list[SpinBond] = Field(default=[])
    lattice: OnLattice = None
    ensemble: SpinEnsemble

    @property
    def method(self) -> dict[str, str]:
        """The rate law."""
        return {"rate_law": self.model.rate_law}

    @property
    def driven_words(self) -> str:
        """Fields, couplings and temperatures are energies."""
        fields = {site.name for site in self.sites if site.driven}
        nouns = ["field"] * bool(fields)
        nouns += ["coupling"] * bool(set(self.labels["drive"]) - fields)
        nouns += ["temperature"] * self.heated
        return f"{nouns[0]} (energy)" if len(nouns) == 1 else "driven\nparameters (energy)"

    @property
    def plugins(self) -> dict[str, Origin]:
        """The rate law, if it is from a plugin."""
        return {**super().plugins, **LAWS.origin(self.model.rate_law)}

    def network(self) -> spins.SpinNetwork | Missing:
        """Parameters for the kernels and the exact side; `Missing` if the rate law is.

        Raises
        ------
        ValueError
            If a rate exceeds the range of floating-point numbers, or a rate law from outside
            cannot be loaded.
        """
        law = LAWS.get(self.model.rate_law)
        if law is None:
            return LAWS.missing(self.model.rate_law)
        wires = schema.wiring(self)
        number = wires.number
        ends = [
            (number[b.sites[0]], number[b.sites[1]], wires.parameter(b.coupling))
            for b in self.bonds
        ]
        return spins.network(
            law=law(self.model.rate),
            period=self.drive.period,
            bonds=ends,
            site=[site for site, _, _ in wires.contacts],
            multiple=[multiple for _, _, multiple in wires.contacts],
            temperatures=[wires.temperatures[bath] for _, bath, _ in wires.contacts],
            bath=[bath for _, bath, _ in wires.contacts],
            drive=wires.drive,
            driven=wires.driven,
        )

    def structural_faults(self) -> Iterator[tuple[Loc, str]]:
        """Faults of settings that do not go together, but for numbers."""
        yield from super().structural_faults()
        initial, sites = self.ensemble.initial, len(self.sites)
        if sites > self.most_sites.get(initial, sites):
            yield (
                ("ensemble", "initial"),
                f"found {initial!r} with {sites} sites; allowed up to {self.most_sites[initial]} "
                "sites (begin 'up' or 'random' and use burn_in)",
            )

    def numerical_faults(self) -> Iterator[tuple[Loc, str]]:
        """Faults of numbers that are each allowed but do not go together."""
        yield from super().numerical_faults()
        if self._surely_finite():
            return
        try:
            self.network()
        except ValueError as error:
            yield ("model", "rate_law"), str(error)

    def _surely_finite(self) -> bool:
        """Whether all energies are so small that no rate of a shipped law can overflow.

        Far faster than to build the network, which matters for sweeps of thousands of points. The
        largest rate is r 2**(bonds + 1) or r exp(dE / 2 T), with r <= 1e9.
        """
        bonds = max(Counter(end for bond in self.bonds for end in bond.sites).values(), default=0)
        most = max((_largest(site.drive) for site in self.sites), default=0.0)
        most += bonds * max((_largest(bond.coupling) for bond in self.bonds), default=0.0)
        coldest = min(range_of(bath.temperature)[0] for bath in self.baths.values())
        return most < 100.0 * coldest and bonds < 100 and self.model.rate_law in SHIPPED


def _largest(value: Waveform | float | None) -> float:
    return abs(value) if isinstance(value, float) else max(map(abs, range_of(value or 0.0)))
