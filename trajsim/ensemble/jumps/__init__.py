"""Exact ensembles of systems that jump between states."""
