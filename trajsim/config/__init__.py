"""TOML config files, validated; all faults are reported at once, with file, line and key."""

from trajsim.config.faults import ConfigError, Fault
from trajsim.config.kinds import json_schema
from trajsim.config.points import Config, Point, with_parameters
from trajsim.config.reading import build, load, parse, restore
from trajsim.config.schema import Experiment

__all__ = [
    "Config",
    "ConfigError",
    "Experiment",
    "Fault",
    "Point",
    "build",
    "json_schema",
    "load",
    "parse",
    "restore",
    "with_parameters",
]
