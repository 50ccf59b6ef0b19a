"""Rates at a point, under the same names for sampled and exact results."""

from typing import Generic, TypeVar

from trajsim.analysis.estimate import ByLabel

# Columns of the ledger that have rates, and the kind of their labels.
RATES = {
    "heat": "bath",
    "work": "drive",
    "exclusive_work": "drive",
    "flips": "site",
    "jumps": "bath",
    "chemical_work": "bath",
    "particles": "bath",
}
NAMES = {
    "heat": "heat_rate",
    "work": "work_rate",
    "exclusive_work": "exclusive_work_rate",
    "flips": "flip_rate",
    "jumps": "jump_rate",
    "chemical_work": "chemical_work_rate",
    "particles": "particle_rate",
}
# Kinds that only some models have: they are told where there are any.
OF_SOME = ("flips", "jumps", "chemical_work", "particles")

V = TypeVar("V")


class Rates(Generic[V]):
    """Rates per unit time at one point, by label: estimates if sampled, numbers if exact."""

    parameters: dict[str, float]

    def of(self, kind: str) -> ByLabel[V]:
        """Rates of one kind, a key of `RATES`, by label; empty if it has none.

        Raises
        ------
        KeyError
            If there is no such kind.
        """
        if kind not in RATES:
            raise KeyError(f"no kind {kind!r}; there are {', '.join(RATES)}")
        return self._of(kind)

    def _of(self, kind: str) -> ByLabel[V]:
        raise NotImplementedError

    @property
    def heat_rate(self) -> ByLabel[V]:
        """Heat from each bath into the system per unit time."""
        return self.of("heat")

    @property
    def work_rate(self) -> ByLabel[V]:
        """Inclusive work of each drive per unit time; empty if nothing is driven."""
        return self.of("work")

    @property
    def exclusive_work_rate(self) -> ByLabel[V]:
        """Exclusive work of each drive per unit time."""
        return self.of("exclusive_work")

    @property
    def flip_rate(self) -> ByLabel[V]:
        """Flips of each spin per unit time; empty for oscillators."""
        return self.of("flips")

    @property
    def jump_rate(self) -> ByLabel[V]:
        """Jumps of a jump network by each bath per unit time; empty for other models."""
        return self.of("jumps")

    @property
    def chemical_work_rate(self) -> ByLabel[V]:
        """Chemical work of each bath per unit time; empty without particles."""
        return self.of("chemical_work")

    @property
    def particle_rate(self) -> ByLabel[V]:
        """Particles from each bath per unit time; empty without particles."""
        return self.of("particles")

    @property
    def total_work_rate(self) -> V:
        """Inclusive work of all drives per unit time."""
        raise NotImplementedError

    def _lines(self) -> str:
        """Swept values, then a line a rate, as text."""
        text = "".join(f", {key} = {value:g}" for key, value in self.parameters.items())
        return text + "".join(f"\n  {name:24}{_format(v):>18}" for name, v in self.rates.items())

    @property
    def rates(self) -> dict[str, V]:
        """All rates by name, such as heat_rate.L, and total_work_rate where anything is driven."""
        rates = {
            f"{NAMES[kind]}.{label}": value
            for kind in RATES
            for label, value in self.of(kind).items()
        }
        return {**rates, "total_work_rate": self.total_work_rate} if self.work_rate else rates


def _format(value: object) -> str:
    return f"{value:.9e}" if isinstance(value, float) else str(value)
