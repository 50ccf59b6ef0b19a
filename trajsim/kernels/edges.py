"""Edges between the segments of a trajectory, and what drives are there."""

from trajsim.compiled.jit import compiled


@compiled(inline=True)
def edge_of(segment, segments):
    """Number of the edge of the period at which a segment begins.

    There the drives have not yet jumped: but for the first of all segments, one that begins a
    period begins at the drives with which the period before has ended.
    """
    part = segment % segments
    return segments if part == 0 and segment > 0 else part
