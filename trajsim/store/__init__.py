"""Ledgers on disk: blocks during a run, one HDF5 file when it has ended.

The only importer of h5py.
"""

from trajsim.store.blocks import Block
from trajsim.store.files import NoRunError, RunError, StoreError
from trajsim.store.reading import StoredRun, UnsoundError, open_run
from trajsim.store.shards import Shard
from trajsim.store.unfinished import UnfinishedRun, differences
from trajsim.store.verifying import unproven, verify, wrong_with

__all__ = [
    "Block",
    "NoRunError",
    "RunError",
    "Shard",
    "StoreError",
    "StoredRun",
    "UnfinishedRun",
    "UnsoundError",
    "differences",
    "open_run",
    "unproven",
    "verify",
    "wrong_with",
]
