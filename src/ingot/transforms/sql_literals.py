"""Values as SQL text, each quoted in one place."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def literal(value: str | int | date | datetime) -> str:
    """Return `value` as a literal of DuckDB's dialect; instants are written in UTC.

    >>> literal("O'Neil")
    "'O''Neil'"
    >>> literal(date(2025, 6, 2))
    "DATE '2025-06-02'"
    >>> literal(datetime(2025, 6, 3, 15, tzinfo=UTC))
    "TIMESTAMPTZ '2025-06-03 15:00:00.000000+00:00'"
    """
    if isinstance(value, datetime):
        instant = value.astimezone(UTC).isoformat(sep=" ", timespec="microseconds")
        return f"TIMESTAMPTZ '{instant}'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, int):
        return str(int(value))
    return "'" + value.replace("'", "''") + "'"


def listed(values: Iterable[str | int | date | datetime]) -> str:
    """Return the values as literals between commas.

    >>> listed([3, -1])
    '3, -1'
    """
    return ", ".join(literal(value) for value in values)
