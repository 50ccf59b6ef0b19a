"""Ledgers on disk: blocks while a run goes on, one HDF5 file when it has ended.

The only importer of h5py.
"""

from trajsim.store.blocks import Block
from trajsim.store.files import NoRunError, StoreError
from trajsim.store.packed import pack, unproven, verify, wrong_with
from trajsim.store.parts import Parts, differences
from trajsim.store.reading import StoredRun, UnsoundError, open_run
from trajsim.store.shards import Shard

__all__ = [
    "Block",
    "NoRunError",
    "Parts",
    "Shard",
    "StoreError",
    "StoredRun",
    "UnsoundError",
    "differences",
    "open_run",
    "pack",
    "unproven",
    "verify",
    "wrong_with",
]
