"""Models and rate laws by name, those of plugins included."""
