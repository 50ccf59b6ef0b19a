"""What is simulated: one file a model, pure compiled functions on a NamedTuple of parameters."""
