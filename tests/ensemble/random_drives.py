"""Random numbers and drives for the text of configs."""

import numpy as np


def numbers(rng: np.random.Generator):
    """A function that draws numbers of three digits between two bounds."""
    return lambda low, high: round(rng.uniform(low, high), 3)


def random_drive(rng: np.random.Generator, low: float, high: float) -> str:
    """A drive of this amplitude at least and at most, with an offset and up to two harmonics."""
    number = numbers(rng)
    harmonics = ", ".join(
        f"{{ order = {k}, amplitude = {number(0.1, 0.4)}, phase = {number(-3, 3)} }}"
        for k in rng.choice([2, 3, 4], rng.integers(0, 3), replace=False)
    )
    return (
        f"drive = {{ amplitude = {number(low, high)}, phase = {number(-3, 3)}, "
        f"offset = {number(-0.4, 0.4)}, harmonics = [{harmonics}] }}"
    )
