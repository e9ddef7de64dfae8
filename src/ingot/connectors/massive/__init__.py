"""Massive (formerly Polygon.io): its flat files, from a folder or from its S3 endpoint.

`connector` is loaded when asked for: finding connectors needs no settings model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingot.connectors.massive.vendor import connector

__all__ = ["connector"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 (what a module's __getattr__ returns)
    if name == "connector":
        from ingot.connectors.massive.vendor import connector  # noqa: PLC0415 (lazy door)

        return connector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
