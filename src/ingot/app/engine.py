"""The engine that a lake's settings name, opened with its share of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ingot.app.machine import Profile
    from ingot.app.parts import Parts
    from ingot.engines.base import Engine

_LEAST_MIB: Final = 256


def open_engine(parts: Parts, profile: Profile) -> Engine:
    """Return a new engine; those of one run share its memory and cores evenly.

    Raises:
        ConfigError: The engine is not installed.
    """
    memory = max(_LEAST_MIB, profile.engine_memory_mb // profile.workers)
    temporary = parts.ledger.temporary("spill")  # removed even when this process is killed
    if parts.settings.engine == "spark":
        from ingot.engines.spark import SparkEngine

        return SparkEngine(
            master=parts.settings.spark_master,
            memory_limit_mb=memory,
            shuffle_partitions=profile.machine.cores,
            temp_directory=temporary,
        )
    from ingot.engines.duckdb import DuckDBEngine

    return DuckDBEngine(
        memory_limit_mb=memory, threads=profile.engine_threads, temp_directory=temporary
    )
