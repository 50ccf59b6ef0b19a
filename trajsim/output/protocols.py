"""Protocols that end as JSON and as text tables."""

from typing import Any

from trajsim.analysis.estimate import Estimate
from trajsim.analysis.free_energy import Bennett
from trajsim.analysis.protocols import ProtocolTotals, SampledProtocol
from trajsim.output import table

WORDS = {
    "jarzynski": "<exp(-W/T)>",
    "delta_f": "dF",
    "dissipated_work": "dissipated work <W> - dF",
}
WORDS_OF_BENNETT = {
    "delta_f": "dF by Bennett's ratio",
    "dissipated_work": "dissipated work with that dF",
}


def protocol_json(totals: ProtocolTotals[Any] | None) -> dict[str, Any]:
    """{"protocol": {...}} of `trajsim exact --json` and `analyze --json`; {} if there is none."""
    if totals is None:
        return {}
    answer: dict[str, Any] = {
        kind: {
            label: {"mean": _value(s.mean), "variance": _value(s.variance)}
            for label, s in getattr(totals, kind).items()
        }
        for kind in ("heat", "work")
    }
    answer |= {name: _value(getattr(totals, name)) for name in WORDS}
    if isinstance(totals, SampledProtocol):
        average = totals.average
        answer["effective_samples"] = average.effective if average else None
        answer["trusted"] = average.trusted if average else None
        answer["bennett"] = _bennett_json(totals.bennett) if totals.bennett else None
    return {"protocol": answer}


def _value(value: Any) -> Any:
    return value._asdict() if isinstance(value, Estimate) else value


def _bennett_json(both: Bennett) -> dict[str, Any]:
    return {
        "delta_f": both.delta_f._asdict(),
        "dissipated_work": both.dissipated_work._asdict(),
        "overlap": both.overlap,
        "effective_samples": both.effective,
        "trusted": both.trusted,
        "trajectories": list(both.trajectories),
    }


def protocol_table(totals: ProtocolTotals[Any] | None) -> str:
    """The protocol in `trajsim exact` and `trajsim analyze`; empty if there is none."""
    if totals is None:
        return ""
    sampled = isinstance(totals, SampledProtocol)
    errors = ["std. error"] if sampled else []
    rows = [
        (f"{kind}.{label}", *_cells(s.mean), *_cells(s.variance))
        for kind in ("heat", "work")
        for label, s in getattr(totals, kind).items()
    ]
    heading = ("over the protocol", "mean", *errors, "variance", *errors)
    text = "\n" + table(heading, rows)
    rows = [
        (words + (" = -T ln of it" if sampled and name == "delta_f" else ""), *_cells(value))
        for name, words in WORDS.items()
        if (value := getattr(totals, name)) is not None
    ]
    if isinstance(totals, SampledProtocol) and totals.bennett:
        for name, words in WORDS_OF_BENNETT.items():
            rows.append((words, *_cells(getattr(totals.bennett, name))))
    if rows:
        text += "\n" + table(("free energy", "sampled" if sampled else "exact", *errors), rows)
    return text + _remarks(totals)


def _cells(value: Any) -> tuple[str, ...]:
    """A number, or a mean and its error."""
    if isinstance(value, Estimate):
        return f"{value.mean: .5e}", f"{value.stderr:.1e}"
    return (f"{value: .9e}",)


def _remarks(totals: ProtocolTotals[Any]) -> str:
    """What averages of exponentials and Bennett's ratio rest on."""
    text = ""
    if isinstance(totals, SampledProtocol) and totals.average:
        text += f"<exp(-W/T)> rests on {totals.average.effective:.0f} effective samples"
        text += "\n" if totals.average.trusted else ": too few to trust it\n"
    if isinstance(totals, SampledProtocol) and totals.bennett:
        both = totals.bennett
        text += (
            f"Bennett's ratio: overlap {both.overlap:.3g} of {both.trajectories[0]} trajectories "
            f"with {both.trajectories[1]} reversed ones, {both.effective:.0f} effective samples"
        )
        text += "\n" if both.trusted else ": too few to trust it\n"
    return text
