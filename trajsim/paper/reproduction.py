"""Results of the reproduction as text, Markdown and JSON."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trajsim.output import table, to_json
from trajsim.paper.comparing import Compared
from trajsim.paper.published import Parameters
from trajsim.paper.runs import Finished
from trajsim.paper.statements import APART, Judged, Statement
from trajsim.system.files import publish

PAPER = (
    "R. Marathe, A. M. Jayannavar, A. Dhar, Two simple models of classical heat pumps, "
    "Phys. Rev. E 75, 030103 (2007)"
)
NUMBERS = ("number", "where", "published", "exact", "deviation", "sampled", "sigma", "")
STATEMENTS = ("statement", "where", "exact", "sampled", "")
RUNS = ("run", "trajectories", "points", "quantities", "furthest off", "allowed", "")
PARAMETERS = ("parameters", "run", "")
WORDS = {True: "holds", False: "DOES NOT HOLD"}
ALIKE = {True: "agrees", False: "DISAGREES"}
LEGEND = (
    "deviation: of exact from published; it holds within one of the last printed digit. "
    "sigma: standard errors between sampled and exact."
)


@dataclass(frozen=True)
class Reproduction:
    """The paper's results beside ours.

    Attributes
    ----------
    parameters : of the figures, and whether the runs have them
    numbers : compared
    statements : judged
    runs : by name
    figures : files written
    """

    parameters: list[tuple[Parameters, bool]]
    numbers: list[Compared]
    statements: list[tuple[Statement, Judged]]
    runs: dict[str, Finished]
    figures: list[Path]

    @property
    def agrees(self) -> bool:
        """Whether all published results hold and every run agrees with exact."""
        return (
            all(same for _, same in self.parameters)
            and all(number.holds for number in self.numbers)
            and all(judged.holds for _, judged in self.statements)
            and all(run.check.agrees for run in self.runs.values())
        )

    def as_text(self) -> str:
        """Output of `trajsim reproduce`."""
        return reproduction_text(self)

    def as_json(self) -> dict[str, Any]:
        """Output of `trajsim reproduce --json`."""
        return reproduction_json(self)

    def __repr__(self) -> str:
        return self.as_text().strip()


def _number(c: Compared) -> tuple[str, ...]:
    return (
        c.number.name,
        c.number.place,
        c.number.printed,
        f"{c.exact:.5e}",
        f"{c.deviation:+.1e}",
        f"{c.sampled.mean:.5e} +- {c.sampled.stderr:.1e}",
        f"{c.sigma:+.2f}",
        WORDS[c.holds],
    )


def _runs(data: Reproduction) -> list[tuple[str, ...]]:
    return [
        (
            name,
            f"{run.run.layout.trajectories}",
            f"{run.run.layout.points}",
            f"{len(run.check.judged)}",
            f"{run.check.worst.name} {run.check.worst.sigma:+.2f}",
            f"{run.check.threshold:.2f}",
            ALIKE[run.check.agrees],
        )
        for name, run in data.runs.items()
    ]


def reproduction_text(data: Reproduction) -> str:
    """Output of `trajsim reproduce`."""
    text = table(NUMBERS, map(_number, data.numbers)) + LEGEND + "\n"
    for statement, judged in data.statements:
        text += f"\n{statement.place}: {statement.text}: {WORDS[judged.holds]}\n"
        text += f"  exact: {judged.exact}\n  sampled: {judged.sampled}\n"
    text += f"\n{APART}\n"
    for parameters, same in data.parameters:
        if not same:
            text += f"\n{parameters.place}: {parameters.run} has OTHER PARAMETERS\n"
    text += "\n" + table(RUNS, _runs(data))
    return text + "\n" + verdict(data)


def verdict(data: Reproduction) -> str:
    """The verdict in a sentence."""
    held = sum(c.holds for c in data.numbers), sum(j.holds for _, j in data.statements)
    agreeing = sum(run.check.agrees for run in data.runs.values())
    return (
        f"{held[0]} of {len(data.numbers)} published numbers and {held[1]} of "
        f"{len(data.statements)} statements hold; {agreeing} of {len(data.runs)} runs agree with "
        "the exact ensemble\n"
    )


def reproduction_json(data: Reproduction) -> dict[str, Any]:
    """Output of `trajsim reproduce --json`."""
    return {
        "agrees": data.agrees,
        "numbers": [
            {
                "name": c.number.name,
                "place": c.number.place,
                "published": c.number.value,
                "printed": c.number.printed,
                "exact": c.exact,
                "deviation": c.deviation,
                "sampled": {"mean": c.sampled.mean, "stderr": c.sampled.stderr},
                "sigma": c.sigma,
                "significance": c.significance,
                "holds": c.holds,
            }
            for c in data.numbers
        ],
        "statements": [
            {"place": s.place, "statement": s.text, **judged._asdict()}
            for s, judged in data.statements
        ],
        "parameters": [
            {"place": p.place, "run": p.run, "values": p.values, "same": same}
            for p, same in data.parameters
        ],
        "runs": [
            {
                "name": name,
                "path": str(run.run.path),
                "trajectories": run.run.layout.trajectories,
                "agrees": run.check.agrees,
                "quantities": len(run.check.judged),
                "furthest": run.check.worst._asdict(),
                "threshold": run.check.threshold,
            }
            for name, run in data.runs.items()
        ],
        "figures": [str(path) for path in data.figures],
    }


def reproduction_markdown(data: Reproduction) -> str:
    """The same as a page with the figures."""
    pictures = [path.name for path in data.figures if path.suffix == ".png"]
    statements = [(s.text, s.place, j.exact, j.sampled, WORDS[j.holds]) for s, j in data.statements]
    parameters = [
        (
            f"{p.place}: " + ", ".join(f"{key} = {x:.6g}" for key, x in p.values.items()),
            p.run,
            "the same" if same else "OTHERS",
        )
        for p, same in data.parameters
    ]
    return "\n".join(
        [
            "# The paper beside ours",
            "",
            f"{PAPER}. {verdict(data)}",
            "## Numbers",
            "",
            _grid(NUMBERS, map(_number, data.numbers)),
            LEGEND,
            "",
            "## Statements",
            "",
            _grid(STATEMENTS, statements),
            APART,
            "",
            "## Figures",
            "",
            *(f"![{Path(name).stem}]({name})" for name in pictures),
            "",
            "## Runs",
            "",
            _grid(RUNS, _runs(data)),
            _grid(PARAMETERS, parameters),
        ]
    )


def _grid(heading: tuple[str, ...], rows: Any) -> str:
    """A table in Markdown."""
    lines = [heading, ("---",) * len(heading), *rows]
    # A bar would end the cell.
    cells = [" | ".join(cell.replace("|", "\\|") for cell in line) for line in lines]
    return "".join(f"| {line} |\n" for line in cells)


def write(data: Reproduction, folder: Path) -> list[Path]:
    """Write the tables as Markdown and JSON; returns the paths."""
    texts = {"numbers.md": reproduction_markdown(data), "numbers.json": ""}
    texts["numbers.json"] = to_json(reproduction_json(data)) + "\n"
    for name, text in texts.items():
        publish(folder / name, text)
    return [folder / name for name in texts]
