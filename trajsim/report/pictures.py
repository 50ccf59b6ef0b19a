"""Figures of a run for a page, as SVG."""

from base64 import b64encode
from typing import NamedTuple

from trajsim import plots
from trajsim.comparison.protocols import tells_free_energy
from trajsim.config import Config
from trajsim.store import StoredRun

# Widths in pixels above which figures are not shrunk to a phone's screen, but scroll.
MEDIUM, WIDE = 480, 720
WORDS = {
    "sweep": "Heat and work rates against {axis}: sampled points with standard errors{exact}.",
    "rates": "Heat of each bath and work of each drive per unit time: sampled points with standard "
    "errors{bars}.",
    "time": "Heat and work rates in time, row by row: sampled points with standard errors{exact}.",
    "cumulants": "Cumulants of heat and work against the length of the window{exact}.",
    "covariance": "Correlations of heats and works{beside}.",
    "histogram": "Probability densities of heat and work, on a logarithmic scale: sampled points "
    "with standard errors{exact}.",
    "generating": "Scaled cumulant generating functions; shaded where samples cannot be "
    "trusted{exact}.",
    "profile": "Kinetic temperatures or flip rates, site by site{exact}.",
    "snapshot": "Spins at the end of the first trajectories, or of one in the course of time.",
    "rate-function": "Rate functions of heat and work{exact}.",
    "work": "Probability densities of the work of the protocol and of the negative work of the "
    "reversed one, which cross at the difference of the free energies; and the logarithm of their "
    "ratio, on the line of Crooks' theorem.",
}


class Picture(NamedTuple):
    """A figure: its name, description, data and size in pixels."""

    name: str
    alt: str
    source: str
    width: int
    height: int

    @property
    def kind(self) -> str:
        """CSS class of its width."""
        return "wide" if self.width > WIDE else "medium" if self.width > MEDIUM else ""


def pictures(
    run: StoredRun, config: Config, reverse: tuple[StoredRun, Config] | None = None
) -> list[Picture]:
    """Figures of `trajsim plot` for a page.

    Parameters
    ----------
    run, config : what is drawn
    reverse : run and config of the reversed protocol; works of both are drawn where they tell dF
    """
    exact = plots.no_exact_side(config.experiment) is None
    words = {
        "axis": config.axis or "",
        "exact": ", on exact curves" if exact else "",
        "bars": ", beside exact bars" if exact else "",
        "beside": ", sampled beside exact" if exact else "",
    }
    result = []
    figures = plots.figures(config, run)
    if reverse is not None and tells_free_energy(config, reverse[1]):
        figures |= plots.work_figures(run, config, *reverse)
    for name, figure in figures.items():
        image, width, height = plots.svg(figure)
        source = "data:image/svg+xml;base64," + b64encode(image).decode()
        result.append(Picture(name, WORDS[name].format(**words), source, width, height))
    return result
