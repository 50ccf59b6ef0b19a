"""Notes on panels and baths that figures leave out, in the figure and in the log."""

from matplotlib.figure import Figure

from trajsim.config import Config
from trajsim.plots.currents import MOST_BATHS
from trajsim.plots.distributions import MOST_HEATS
from trajsim.plots.style import MOST_PANELS, log

# Baths of which figures show heats, by the name of the figure.
HEATS = dict.fromkeys(("sweep", "time"), MOST_BATHS) | dict.fromkeys(
    ("cumulants", "histogram", "generating", "rate-function"), MOST_HEATS
)


def tell_what_is_left_out(figures: dict[str, Figure], config: Config) -> None:
    """Write at the foot of each figure, and to the log, how much of it is not drawn."""
    for name, figure in figures.items():
        panels = {"sweep": len(config.panels), "rates": len(config.points)}
        panels["time"] = panels["rates"]
        parts = (
            ("panels", panels.get(name, 0), MOST_PANELS),
            ("baths", len(config.experiment.baths), HEATS.get(name, len(config.experiment.baths))),
        )
        left_out = [f"{most} of {all_} {what}" for what, all_, most in parts if all_ > most]
        if left_out:
            sentence = f"the first {' and '.join(left_out)} are drawn"
            figure.supxlabel(sentence, fontsize="small", color="0.35")
            log.warning("figure %s: only %s", name, sentence)
