"""Sessions of a market: exchange_calendars joined with a dated rulebook, landed as text.

Names are loaded at first use: finding connectors needs neither the calendar library nor a settings
model.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingot.connectors.sessions.build import build_calendar, calendar_digest
    from ingot.connectors.sessions.rulebook import load_rulebook
    from ingot.connectors.sessions.source import SessionsSettings, connector

__all__ = [
    "SessionsSettings",
    "build_calendar",
    "calendar_digest",
    "connector",
    "load_rulebook",
]

_MODULES = {
    "SessionsSettings": "source",
    "build_calendar": "build",
    "calendar_digest": "build",
    "connector": "source",
    "load_rulebook": "rulebook",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 (one function serves names of every type)
    if name in _MODULES:
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
