"""Single trajectories of small driven systems between heat baths, with the books kept."""

__version__ = "0.1.0"
