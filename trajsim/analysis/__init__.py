"""Analysis of ledgers: averages with errors, regimes, rates in time; never the exact side."""
