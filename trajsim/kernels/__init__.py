"""How a trajectory advances: compiled loops that write rows of the ledger."""
