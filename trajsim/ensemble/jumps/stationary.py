"""The stationary distribution of a map, however slowly it is approached.

Relative errors of the entries of a stochastic matrix off its diagonal move its stationary
distribution by relative errors of that size, whatever its gap (O'Cinneide, Numer. Math. 65, 109,
1993); absolute errors are divided by the gap. So nothing is subtracted here, and a map that is
too large for a matrix is divided into basins: within one it relaxes fast, and a small matrix of
the flows between them gives the weights of the basins (aggregation and disaggregation; Koury,
McAllister & Stewart, SIAM J. Alg. Disc. Meth. 5, 164, 1984).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from trajsim.ensemble.answers import Array, NoExactSideError
from trajsim.ensemble.jumps.channels import Integers, JumpProcess

# Exits from a basin within the time of the map, at most, and the largest that is merged exactly.
LEAVING, LARGEST_MERGED = 3.0, 256
# States that are eliminated together, and the least chance to leave one that counts.
BLOCK, LEAST_LEAVING = 64, 1e-290
MOST_BASINS, MOST_ROUNDS = 192, 60
# States up to which plain numbers are faster than arrays.
FEW = 16


def stationary(propagator: Array) -> tuple[Array, float]:
    """Distribution p = U p, U[y, x] the probability of x -> y, and the least exit probability met.

    By elimination without subtraction (Grassmann, Taksar & Heyman, Oper. Res. 33, 1107, 1985):
    accurate in every entry even where some states are hardly ever reached or left, provided the
    entries of U are. An absolute error of theirs counts as many times as the chance with which
    some group of states is left is smaller than 1.

    Raises
    ------
    NoExactSideError
        If some states are never left.
    """
    u = np.maximum(propagator.T, 0.0)
    if len(u) <= FEW:
        return _stationary_of_few(u.tolist())
    rarest = 1.0
    for end in range(len(u), 1, -BLOCK):
        begin = max(end - BLOCK, 0)
        for k in range(end - 1, max(begin, 1) - 1, -1):
            leave = u[k, :k].sum()
            rarest = min(rarest, float(leave))
            _expect_exits(leave)
            u[:k, k] /= leave
            u[begin:k, :k] += np.multiply.outer(u[begin:k, k], u[k, :k])
            u[:begin, begin:k] += np.multiply.outer(u[:begin, k], u[k, begin:k])
        # Eliminate a block of states from all states before it, at once.
        u[:begin, :begin] += u[:begin, begin:end] @ u[begin:end, :begin]
    p = np.ones(len(u))
    for k in range(1, len(u)):
        p[k] = p[:k] @ u[:k, k]
        if p[k] > 1e100:
            p[: k + 1] /= p[k]
    return p / p.sum(), rarest


def _stationary_of_few(u: list[list[float]]) -> tuple[Array, float]:
    """`stationary` in plain numbers, five times as fast as with arrays for four states."""
    rarest = 1.0
    for k in range(len(u) - 1, 0, -1):
        row = u[k][:k]
        leave = sum(row)
        rarest = min(rarest, leave)
        _expect_exits(leave)
        for other in u[:k]:
            other[k] /= leave
            for j in range(k):
                other[j] += other[k] * row[j]
    p = [1.0]
    for k in range(1, len(u)):
        p.append(sum(p[j] * u[j][k] for j in range(k)))
        if p[k] > 1e100:
            p = [value / p[k] for value in p]
    total = sum(p)
    return np.array([value / total for value in p]), rarest


def _expect_exits(leave: float) -> None:
    if leave < LEAST_LEAVING:
        raise NoExactSideError(
            "some states are never left within what numbers can hold: there is no unique"
            " periodic state"
        )


def correction(
    propagate: Callable[[Array], Array], residual: Array, accuracy: float, least: float = 0.0
) -> Array:
    """Solve (1 - U) d = residual for the d (states,) that sums to zero, by GMRES.

    Parameters
    ----------
    propagate : U, the map
    residual : (states,), sums to zero
    accuracy : ratio of the final residual to the given one
    least : size of a residual that is small enough in any case
    """
    from scipy.sparse.linalg import LinearOperator, gmres

    size = len(residual)
    if abs(residual).max() < 0.1 * least:
        return np.zeros(size)

    def apply(d: Array) -> Array:
        # |u><1| with u uniform changes nothing for such d and takes away the null space.
        return d - propagate(d) + d.mean()

    operator = LinearOperator((size, size), matvec=apply, dtype=np.float64)
    d, _ = gmres(operator, residual, rtol=accuracy, atol=least, restart=60, maxiter=3)
    return np.asarray(d - d.mean(), np.float64)


def basins(process: JumpProcess, time: float) -> tuple[Integers, Array]:
    """Basin (states,) of each state, and its weight within the basin.

    States are merged with those they jump to most often, and so are the merged ones, until no basin
    is left more often than `LEAVING` times within `time`, at rates averaged over the period.
    """
    rates = process.rates((np.arange(32) + 0.5) / 32).mean(axis=0)[process.kind]
    states = process.states
    label: Integers = np.arange(states)
    weight = np.ones(states)
    while True:
        count = int(label.max()) + 1
        flows = _flows(label, weight, rates, process, count)
        links = _links(flows, time)
        if not (links >= 0).any():
            return label, weight
        merged = _components(links)
        weight = weight * _weights(flows, merged)[label]
        label = merged[label]


def _flows(label: Integers, weight: Array, rates: Array, process: JumpProcess, count: int) -> Any:
    """Sparse (basins, basins): rate from one to another, given that one is in the first."""
    from scipy.sparse import coo_matrix

    origin, destination = label[process.source], label[process.target]
    leaves = origin != destination
    flow = (weight[process.source] * rates)[leaves]
    return coo_matrix((flow, (origin[leaves], destination[leaves])), shape=(count, count)).tocsr()


def _links(flows: Any, time: float) -> Integers:
    """Basin that each basin is most often left for, or -1 if it is rarely left."""
    leaving = np.asarray(flows.sum(axis=1)).ravel() * time > LEAVING
    links = np.full(flows.shape[0], -1)
    for basin in np.flatnonzero(leaving):
        row = slice(flows.indptr[basin], flows.indptr[basin + 1])
        links[basin] = flows.indices[row][np.argmax(flows.data[row])]
    return links


def _components(links: Integers) -> Integers:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    linked = np.flatnonzero(links >= 0)
    ones = np.ones(len(linked))
    graph = coo_matrix((ones, (linked, links[linked])), shape=(len(links),) * 2)
    return np.asarray(connected_components(graph, directed=False)[1])


def _weights(flows: Any, merged: Integers) -> Array:
    """Weight of each basin within the one it is merged into, as if that were never left."""
    weights = np.ones(len(merged))
    order = np.argsort(merged, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(merged[order])) + 1):
        if 1 < len(members) <= LARGEST_MERGED:
            rates = flows[members][:, members].toarray()
            try:
                # Only entries off the diagonal count in the elimination.
                weights[members] = stationary(rates.T / rates.max())[0]
            except NoExactSideError:
                weights[members] = 1.0 / len(members)
        elif len(members) > 1:
            weights[members] = 1.0 / len(members)
    return weights


class Aggregated:
    """Stationary distribution of a map by aggregation and disaggregation over basins.

    Attributes
    ----------
    state : (states,)
    change : difference within the basins of the results from two starts with no state in common
    """

    def __init__(
        self, propagate: Callable[[Array], Array], label: Integers, start: Array, tolerance: float
    ) -> None:
        from scipy.sparse import csr_matrix

        count, states = int(label.max()) + 1, len(label)
        if count > MOST_BASINS:
            raise NoExactSideError(f"{count} groups of states that are rarely left are too many")
        sums: Any = csr_matrix((np.ones(states), (label, np.arange(states))), shape=(count, states))
        member = sums.toarray().T
        # Starts that share no state: where they still differ, the map has not relaxed.
        part = np.random.default_rng(0).random(states) < 0.5
        starts = [_within(start * (1.0 - s) + 1e-3 * s, label, sums) for s in (0.0, part)]
        self.change = np.inf
        for _ in range(MOST_ROUNDS):
            columns = np.concatenate([member * s[:, None] for s in starts], axis=1)
            moved = propagate(columns)
            fresh = []
            for k in range(2):
                carried = moved[:, k * count : (k + 1) * count]
                weights = stationary(sums @ carried)[0]
                self.state = carried @ weights
                fresh.append(_within(self.state, label, sums))
                if k == 0:
                    first = self.state
            between = abs(self.state - first).sum() + (sums @ abs(fresh[1] - fresh[0])).max()
            shift = (sums @ abs(fresh[0] - starts[0])).max()
            starts, before, self.change = fresh, self.change, max(between, shift)
            self.state = first
            if self.change < tolerance or (self.change > 0.9 * before and before < 1e-9):
                return
            if not np.isfinite(self.change):
                break
        raise NoExactSideError("the network relaxes too slowly: its periodic state was not found")


def _within(p: Array, label: Integers, sums: Any) -> Array:
    """Probabilities given the basin."""
    return np.asarray(p / (sums @ p)[label])
