"""Ingot: a market-data lakehouse whose answers can be asked as known at any past moment."""

from __future__ import annotations

from importlib import import_module

from ingot.version import __version__

TYPE_CHECKING = False  # the command listens to signals before it imports what takes time
if TYPE_CHECKING:
    from typing import Any

    from ingot.app.lake import Lake
    from ingot.app.lake import open_lake as open
    from ingot.config import Settings
    from ingot.errors import IngotError
    from ingot.query.answer import Answer

__all__ = ["Answer", "IngotError", "Lake", "Settings", "__version__", "open"]

_LAZY = {
    "Answer": ("ingot.query.answer", "Answer"),
    "IngotError": ("ingot.errors", "IngotError"),
    "Lake": ("ingot.app.lake", "Lake"),
    "Settings": ("ingot.config", "Settings"),
    "open": ("ingot.app.lake", "open_lake"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name in _LAZY:
        module, attribute = _LAZY[name]
        value = getattr(import_module(module), attribute)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'ingot' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
