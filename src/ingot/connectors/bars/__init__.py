"""Own bars: a CSV or Parquet file, or a frame, loaded like any vendor's files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingot.connectors.bars.connector import connector

__all__ = ["connector"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 (what a module's __getattr__ returns)
    if name == "connector":
        from ingot.connectors.bars.connector import connector  # noqa: PLC0415 (lazy door)

        return connector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
