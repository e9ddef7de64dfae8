"""Ingot: a market-data lakehouse that can be queried as known at any past moment."""

from __future__ import annotations

from importlib import import_module

from ingot.version import __version__

TYPE_CHECKING = False  # the command listens to signals before it imports what takes time
if TYPE_CHECKING:
    from typing import Any

    from ingot.app.context.report import LoadReport
    from ingot.app.lake import Lake
    from ingot.app.lake import open_lake as open
    from ingot.config import Settings
    from ingot.errors import (
        ConfigError,
        FixRequestError,
        IngotError,
        LookAtDataError,
        NotYetError,
        QueryError,
        ReadBackError,
        TryLaterError,
    )
    from ingot.query.requests.request import Adjustment
    from ingot.query.result.answer import Answer

__all__ = [
    "Adjustment",
    "Answer",
    "ConfigError",
    "FixRequestError",
    "IngotError",
    "Lake",
    "LoadReport",
    "LookAtDataError",
    "NotYetError",
    "QueryError",
    "ReadBackError",
    "Settings",
    "TryLaterError",
    "__version__",
    "open",
]

_LAZY = {
    "Adjustment": ("ingot.query.requests.request", "Adjustment"),
    "Answer": ("ingot.query.result.answer", "Answer"),
    "Lake": ("ingot.app.lake", "Lake"),
    "LoadReport": ("ingot.app.context.report", "LoadReport"),
    "Settings": ("ingot.config", "Settings"),
    "open": ("ingot.app.lake", "open_lake"),
    **{name: ("ingot.errors", name) for name in __all__ if name.endswith("Error")},
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
