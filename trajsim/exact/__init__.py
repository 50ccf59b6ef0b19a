"""The ensemble without sampling, for comparison: no kernel, no ledger, no random number."""
