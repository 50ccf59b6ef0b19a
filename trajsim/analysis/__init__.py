"""What ledgers say: averages with errors, regimes, rates in time; never the exact side."""
