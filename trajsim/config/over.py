"""Axes named on the command line, KEY or KEY=START:STOP[:NUM], in place of a config's [sweep]."""

from collections.abc import Iterable
from typing import Any

from trajsim.config.faults import listing, show

# Default number of values along an axis.
USUAL_NUM = 41


def words(over: Iterable[str]) -> list[str]:
    """The axes named by options, each of which may name several between commas."""
    return [word.strip() for text in over for word in text.split(",")]


def axis(word: str, sweep: dict[str, Any], ends: bool) -> tuple[str, Any]:
    """Key and entry of [sweep] of an axis.

    Parameters
    ----------
    word : "KEY=START:STOP[:NUM]", or "KEY" of which the sweep has a range
    sweep : of the config
    ends : only the lowest and the highest value are wanted

    Raises
    ------
    ValueError
        With a sentence, where there is no range or it is not written like this.
    """
    key, equals, span = (part.strip() for part in word.partition("="))
    if not key:
        raise ValueError("allowed: KEY=START:STOP:NUM, or a key of [sweep]")
    if not equals:
        ranges = {heading.strip(): values for heading, values in sweep.items()}
        if key not in ranges:
            raise ValueError(
                f"has no range; allowed: {key}=START:STOP, or a key of [sweep]: "
                f"{listing(list(ranges))}"
            )
        return key, _ends(ranges[key]) if ends else ranges[key]
    try:
        start, stop, *steps = span.split(":")
        (num,) = map(int, steps or [str(USUAL_NUM)])
        values = {"start": float(start), "stop": float(stop), "num": num}
    except ValueError:
        raise ValueError(f"found {show(span)}; allowed: START:STOP or START:STOP:NUM") from None
    return key, _ends(values) if ends else values


def _ends(values: Any) -> Any:
    """Lowest and highest of an entry's values; an invalid entry is left for validation."""
    try:
        if isinstance(values, dict):
            low, high = sorted((values["start"], values["stop"]))
            return {**values, "start": low, "stop": high, "num": 2}
        return [min(values), max(values)]
    except (KeyError, TypeError, ValueError):
        return values
