"""A run from its config to its file: blocks, engines, signals, and all shards merged."""
