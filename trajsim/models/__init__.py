"""Models: one file each, pure compiled functions on a NamedTuple of parameters."""
