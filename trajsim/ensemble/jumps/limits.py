"""Limits of memory and of time, checked before the work begins."""

import logging
import os

from trajsim.ensemble.answers import NoExactSideError

# Bytes that the tables and matrices of one ensemble may take, and seconds that one answer may.
MOST_BYTES = 2 << 30
MOST_SECONDS = 600.0
# Seconds from which on the expected duration is logged.
WORTH_TELLING = 4.0
LOGGER = logging.getLogger("trajsim")
# Numbers of eight bytes that each channel costs: tables, a sparse matrix and its like.
NUMBERS_A_CHANNEL = 6


def expect_room(states: int, channels: int, system: str) -> None:
    """Refuse a system whose tables would not fit.

    Parameters
    ----------
    states : their number
    channels : how many leave each state
    system : its name in the message

    Raises
    ------
    NoExactSideError
        If they take more than half of the memory of this machine, or 2 GiB.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    room = min(memory, MOST_BYTES)
    needed = 8 * NUMBERS_A_CHANNEL * states * max(1, channels)
    if needed > room:
        amount = f"{needed / 2**30:.3g} GiB" if needed < 1 << 60 else "more memory than there is"
        raise NoExactSideError(
            f"{system} are too many states to list: that takes {amount}, and {room / 2**30:.3g}"
            " GiB may be used"
        )


def expect_time(seconds: float, reason: str, allowed: float = MOST_SECONDS) -> None:
    """Refuse a computation that would take too long.

    Parameters
    ----------
    seconds : estimated duration
    reason : why, for the message
    allowed : seconds, at most ten minutes

    Raises
    ------
    NoExactSideError
        If it takes more.
    """
    allowed = min(allowed, MOST_SECONDS)
    if seconds > allowed:
        raise NoExactSideError(
            f"{reason}: it would take some {seconds / 60:.3g} minutes, and"
            f" {allowed / 60:.3g} are allowed"
        )
    tell_time(seconds, reason)


def tell_time(seconds: float, reason: str) -> None:
    """Tell how long something may take, roughly, and why, if that is worth it."""
    if seconds > WORTH_TELLING:
        LOGGER.info("%s: some %.0f s", reason, seconds)
