"""A self-contained HTML page of a run; the only importer of jinja2."""

import hashlib
from base64 import b64encode
from importlib.resources import files
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

import trajsim
from trajsim.analysis.averages import averages as averages_of
from trajsim.config import Config
from trajsim.report.pictures import pictures
from trajsim.report.sections import (
    averages_sections,
    changes,
    command,
    protocol_sections,
    provenance,
    theorem_sections,
    verdict,
)
from trajsim.store import StoredRun
from trajsim.system.text import printable

__all__ = ["report"]


def report(run: StoredRun, config: Config, reverse: tuple[StoredRun, Config] | None = None) -> str:
    """The page of a run, finished or not, and of the config that it was made from.

    Every text of the run is escaped: titles, names and configs of others are not trusted.

    Parameters
    ----------
    run, config : what is shown
    reverse : run and config of the reversed protocol, for what compares the two

    Raises
    ------
    trajsim.comparison.CannotCheckError
        If `reverse` is not of the reversed protocol of the same system.
    trajsim.store.StoreError
        If the run cannot be read.
    """
    package = files("trajsim.report")
    style = package.joinpath("style.css").read_text(encoding="utf-8")
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=_printable
    )
    template = environment.from_string(package.joinpath("page.html").read_text(encoding="utf-8"))
    sampled = averages_of(run, [point.experiment.regime_temperatures for point in config.points])
    checked = verdict(run, config, sampled)
    overview, averages, left_out = averages_sections(run, sampled, checked.check)
    theorems = theorem_sections(run, config, sampled, reverse)
    names = ["figures", "averages", *(["theorems"] if theorems else []), "config", "provenance"]
    page = template.render(
        title=run.header["title"] or run.path.name,
        summary=config.summary,
        version=trajsim.__version__,
        # Not escaped: it is ours, and the page has its hash.
        style=Markup(style),
        style_digest=digest,
        sections=[(name, TITLES[name]) for name in names],
        verdict=checked,
        pictures=pictures(run, config, reverse),
        overview=overview,
        averages=averages + protocol_sections(run, config, sampled, reverse),
        left_out=left_out,
        theorems=theorems,
        config=_lines(run.header["config"]),
        changes=changes(run, config),
        provenance=provenance(run, config, sampled),
        command=command(run, config),
    )
    return page.lstrip()


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").removesuffix("\n").expandtabs(4).split("\n")


def _printable(value: Any) -> Any:
    """Value for the page, with control characters escaped."""
    return printable(value) if type(value) is str else value


TITLES = {
    "figures": "Figures",
    "averages": "Averages",
    "theorems": "Fluctuation theorems",
    "config": "Config",
    "provenance": "Provenance",
}
