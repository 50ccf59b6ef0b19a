"""Derivatives of mean heats and works by what a driven parameter is at each phase of the period.

Of A = sum_b heat_b Q_b + work W of a period, let V(u) be <A from u on> as a function of the state
at u: it obeys the backward equation. Small changes of the generator and of the rate of A at u
change <A> by the mean of what they do to V and of the rate (the adjoint method): one solution
forwards and one backwards, whatever the number of parameters. The work is that of the first law,
what the energy gains less all heats: heats depend on the values of the parameters alone, not on
their speed.
"""

from typing import Any, NamedTuple

import numpy as np

from trajsim.ensemble.answers import Array

# Gauss-Legendre nodes in a panel.
GAUSS = 6


class Weighted(NamedTuple):
    """A = sum_b heat_b Q_b + work W of one period, with the total work W; heat (baths,)."""

    heat: Array
    work: float

    @property
    def of_heats(self) -> Array:
        """Weights (baths,) of the heats once W is the change of the energy less all heats."""
        return self.heat - self.work


class Varied(NamedTuple):
    """Systems in which a parameter is larger, and smaller, by `size` at all phases."""

    more: Any
    less: Any
    size: float


class Variation(NamedTuple):
    """Mean of A, and its derivatives by parameters at phases.

    If parameter k changes by delta_k(u), <A> changes by
    sum_t weight_t density_kt delta_k(node_t).

    Parameters
    ----------
    mean : <A>
    nodes, weights : (t,) phases and weights of a quadrature over the period
    density : (k, t)
    """

    mean: float
    nodes: Array
    weights: Array
    density: Array


class Panels(NamedTuple):
    """Panels of a period with nodes of Gauss and Legendre in each.

    edges : (m + 1,) ends of the panels and their nodes, in ascending order
    inside : (m + 1,) whether an edge is a node
    weights : (t,) of the nodes
    """

    edges: Array
    inside: Array
    weights: Array

    @property
    def nodes(self) -> Array:
        """Phases (t,) of the nodes."""
        return np.asarray(self.edges[self.inside])


def panels_between(ends: Array) -> Panels:
    """Panels between given ends (p + 1,), phases."""
    nodes, weights = np.polynomial.legendre.leggauss(GAUSS)
    within = np.append(0.0, 0.5 * (nodes + 1.0))
    widths = np.diff(ends)
    edges = np.append((ends[:-1, None] + widths[:, None] * within).ravel(), ends[-1])
    inside = np.append(np.tile(np.arange(GAUSS + 1) > 0, len(widths)), False)
    return Panels(edges, inside, np.outer(widths, 0.5 * weights).ravel())
