"""Header of a run: the shape of its ledger, and its provenance."""

import json
import platform
from dataclasses import asdict
from functools import cache
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

import trajsim
from trajsim.compiled.jit import source_digest
from trajsim.config import Config
from trajsim.ledger import Layout
from trajsim.store import Shard
from trajsim.store.trust import SCHEMA

LIBRARIES = ("numba", "numpy", "scipy", "llvmlite")


def layout_of(config: Config) -> Layout:
    """Shape and labels of the ledger that a config makes."""
    first = config.experiment
    plan = first.plan
    return Layout(
        kind=first.model.kind,
        points=len(config.points),
        trajectories=first.ensemble.trajectories,
        rows=plan.rows,
        rows_per_period=plan.rows_per_period,
        row_periods=plan.row_periods,
        periods=[point.experiment.drive.period for point in config.points],
        heated=first.heated,
        exchanging=first.exchanging,
        overdamped=first.overdamped,
        labels=first.labels,
        parameters={
            key: [point.parameters[key] for point in config.points]
            for key in config.points[0].parameters
        },
    )


def header_of(config: Config, shard: Shard | None = None) -> dict[str, Any]:
    """Header with the provenance of a run, or of a shard of it."""
    experiment = config.experiment
    plugins = plugins_of(config)
    return {
        "title": experiment.title,
        "program": "trajsim",
        "version": trajsim.__version__,
        "schema": SCHEMA,
        "config": config.text,
        "resolved": json.loads(experiment.model_dump_json()),
        "seed": str(experiment.ensemble.seed),
        "kind": experiment.model.kind,
        **experiment.method,
        **({"plugins": plugins} if plugins else {}),
        "libraries": libraries(),
        "machine": {"processor": processor(), "system": platform.system()},
        "layout": asdict(layout_of(config)),
        **({"shard": str(shard)} if shard else {}),
    }


def plugins_of(config: Config) -> dict[str, dict[str, str]]:
    """Rate laws and models of plugins that a config uses, with their origins."""
    return {name: origin._asdict() for name, origin in config.experiment.plugins.items()}


def libraries() -> dict[str, str]:
    """Versions of the libraries that the last digits of results depend on."""
    return {name: library_version(name) for name in LIBRARIES}


def identity() -> dict[str, Any]:
    """Versions and digests that must be equal for two processes to make blocks of one run."""
    return {
        "version": trajsim.__version__,
        "schema": SCHEMA,
        "sources": source_digest(),
        "libraries": libraries(),
    }


@cache
def processor() -> str:
    """Kind of this machine's processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
