"""Folders of other users."""

import os

import pytest

OTHER = 54321


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")


def others_folder(path):
    os.chown(path, OTHER, OTHER)
