"""Models and rate laws by name, those from outside the package among them."""
