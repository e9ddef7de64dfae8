"""What a dataset is, as the lake records it: names instead of table objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """The facts of one dataset of one source; a lake is read by them, without the connector."""

    source: str
    """The `source` of its rows."""
    name: str
    connector: str
    """The connector that parses its objects."""
    bronze: str
    """Name of the bronze table."""
    silver: str | None
    """Name of the silver table that it is refined into, if any."""
    calendar: str
    history_from: date
    per_day: bool
    due_hours: int | None
    """See `Dataset.due_hours`."""
    options: tuple[tuple[str, str], ...] = ()
    """How its objects are parsed, where a person chose it, by name."""
