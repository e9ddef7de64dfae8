"""The engine that a lake's settings name, opened with its share of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from ingot.app.context.lake_context import Parts
    from ingot.app.context.resources import Profile
    from ingot.engines.transform.base import Engine
    from ingot.engines.transform.duckdb import DuckDBEngine

_LEAST_MIB: Final = 256


def open_engine(parts: Parts, profile: Profile) -> Engine:
    """Return a new engine; those of one run share its memory and cores evenly.

    Raises:
        ConfigError: The engine is not installed.
    """
    if parts.settings.engine == "spark":
        from ingot.engines.transform.spark import SparkEngine

        return SparkEngine(
            master=parts.settings.spark_master,
            memory_limit_mb=_share_mib(profile),
            shuffle_partitions=profile.machine.cores,
            temp_directory=_spill(parts),
        )
    return open_duckdb(parts, profile)


def open_duckdb(parts: Parts, profile: Profile) -> DuckDBEngine:
    """Return a new DuckDB, whatever the settings name; those of one run share its memory."""
    from ingot.engines.transform.duckdb import DuckDBEngine

    return DuckDBEngine(
        memory_limit_mb=_share_mib(profile),
        threads=profile.engine_threads,
        temp_directory=_spill(parts),
    )


def _share_mib(profile: Profile) -> int:
    return max(_LEAST_MIB, profile.engine_memory_mb // profile.workers)


def _spill(parts: Parts) -> Path:
    """Return a folder that is removed even when this process is killed."""
    return parts.ledger.temporary("spill")
