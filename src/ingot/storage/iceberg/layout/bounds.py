"""Which columns bound a scope, and how the bounds of a file overlap with a scope."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from ingot.tables import contract
from ingot.tables.contract import Granularity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ingot.model.unit import Scope
    from ingot.tables.contract import Partition, Table

EPOCH: Final = date(1970, 1, 1)
_EPOCH_ORDINAL: Final = EPOCH.toordinal()
US_PER_DAY: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class ScopeColumns:
    """The columns of a table that bound its files; None where the table has no such column."""

    date: str | None
    """The partition column, else the first date column."""
    source: str | None
    dataset: str | None
    """The dataset; for sessions, which have none, the calendar."""
    landing: str | None
    symbol: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """Those that exist."""
        found = (self.date, self.source, self.dataset, self.landing, self.symbol)
        return tuple(name for name in found if name is not None)


@cache
def scope_columns(table: Table) -> ScopeColumns:
    """Return the columns by which the table's files are bounded."""
    return ScopeColumns(
        date=_date_column(table),
        source=_first(table, "source"),
        dataset=_first(table, "dataset", "calendar"),
        landing=_first(table, "landing_id"),
        symbol=_first(table, "symbol", "ticker"),
    )


def _first(table: Table, *names: str) -> str | None:
    return next((name for name in names if name in table.column_names), None)


def _date_column(table: Table) -> str | None:
    if table.partition is not None:
        return table.partition.column
    return next((c.name for c in table.columns if c.type is contract.Date), None)


@cache
def bounded_columns(table: Table) -> tuple[str, ...]:
    """Return the columns whose least and greatest value each file records."""
    left_out = (contract.Float64, contract.Boolean)
    return tuple(
        c.name
        for c in table.columns
        if not isinstance(c.type, contract.Decimal) and c.type not in left_out
    )


@dataclass(frozen=True, slots=True)
class Bounds:
    """Least and greatest values of a file's bounding columns; None where unknown."""

    first: date | None = None
    last: date | None = None
    source: tuple[str, str] | None = None
    dataset: tuple[str, str] | None = None
    landing: tuple[int, int] | None = None
    symbol: tuple[str, str] | None = None


def bounds_decoder(
    table: Table, ids: Mapping[str, int]
) -> Callable[[Mapping[int, bytes], Mapping[int, bytes]], Bounds]:
    """Return what makes `Bounds` of a file's least and greatest values by field id.

    Args:
        table: The contract.
        ids: Field ids by column name.
    """
    columns = scope_columns(table)
    decoders: tuple[tuple[str | None, Callable[[bytes], Any]], ...] = (
        (columns.date, _day_decoder(table, columns.date)),
        (columns.source, bytes.decode),
        (columns.dataset, bytes.decode),
        (columns.landing, _int64),
        (columns.symbol, bytes.decode),
    )
    wanted = [(ids.get(name, 0) if name else 0, decode) for name, decode in decoders]

    def decoded(lower: Mapping[int, bytes], upper: Mapping[int, bytes]) -> Bounds:
        days, *others = (
            (decode(lower[field]), decode(upper[field]))
            if field in lower and field in upper
            else None
            for field, decode in wanted
        )
        first, last = days or (None, None)
        return Bounds(first, last, *others)

    return decoded


class Overlap(Enum):
    """How many rows of a file are in a scope."""

    NONE = "none"
    """No row is inside."""
    SOME = "some"
    """Rows may be inside and outside; the bounds cannot tell."""
    ALL = "all"
    """Every row is inside."""


def overlap(bounds: Bounds, scope: Scope, columns: ScopeColumns) -> Overlap:
    """Return how many rows of a file with these bounds are in `scope`.

    An empty source or dataset of the scope, and a column that the table lacks, exclude nothing.
    """
    parts = [_dates(bounds, scope) if columns.date else Overlap.ALL]
    if scope.source and columns.source:
        parts.append(_equal(bounds.source, scope.source))
    if scope.dataset and columns.dataset:
        parts.append(_equal(bounds.dataset, scope.dataset))
    if scope.landing_id is not None and columns.landing:
        parts.append(_equal(bounds.landing, scope.landing_id))
    if Overlap.NONE in parts:
        return Overlap.NONE
    return Overlap.SOME if Overlap.SOME in parts else Overlap.ALL


def _dates(bounds: Bounds, scope: Scope) -> Overlap:
    if bounds.first is None or bounds.last is None:
        return Overlap.SOME
    if bounds.last < scope.start or bounds.first >= scope.end:
        return Overlap.NONE
    inside = scope.start <= bounds.first and bounds.last < scope.end
    return Overlap.ALL if inside else Overlap.SOME


def _equal(bound: tuple[str, str] | tuple[int, int] | None, value: str | int) -> Overlap:
    if bound is None:
        return Overlap.SOME
    low, high = bound
    if not low <= value <= high:  # type: ignore[operator]  # both are str, or both int
        return Overlap.NONE
    return Overlap.ALL if low == value == high else Overlap.SOME


def disjoint(scopes: Iterable[Scope], columns: ScopeColumns) -> bool:
    """Return True if no two of the scopes can have a row in common."""
    earlier: list[Scope] = []
    for scope in scopes:
        if any(_meet(scope, other, columns) for other in earlier):
            return False
        earlier.append(scope)
    return True


def _meet(one: Scope, other: Scope, columns: ScopeColumns) -> bool:
    if columns.date and (one.end <= other.start or other.end <= one.start):
        return False
    if columns.source and one.source and other.source and one.source != other.source:
        return False
    if columns.dataset and one.dataset and other.dataset and one.dataset != other.dataset:
        return False
    both = columns.landing and one.landing_id is not None and other.landing_id is not None
    return not (both and one.landing_id != other.landing_id)


def partition_value(partition: Partition | None, day: date) -> int | None:
    """Return Iceberg's month or year number of `day`, counted from 1970; None if unpartitioned."""
    if partition is None:
        return None
    years = day.year - EPOCH.year
    if partition.granularity is Granularity.YEAR:
        return years
    return years * 12 + day.month - 1


def partition_range(partition: Partition | None, start: date, end: date) -> tuple[int, int] | None:
    """Return the first and last partition number that `[start, end)` touches."""
    low = partition_value(partition, start)
    high = partition_value(partition, max(start, end - timedelta(days=1)))
    return None if low is None or high is None else (low, high)


def partition_folder(partition: Partition | None, day: date) -> str:
    """Return the folder of a data file, e.g. `2025-06`.

    It is not of the form name=value, from which some readers would make a column.
    """
    if partition is None:
        return "all"
    return f"{day:%Y}" if partition.granularity is Granularity.YEAR else f"{day:%Y-%m}"


def day_of(number: int) -> date:
    """Return the date of Iceberg's day number."""
    return date.fromordinal(_EPOCH_ORDINAL + number)


def _day_decoder(table: Table, column: str | None) -> Callable[[bytes], date]:
    """Return what makes a date of a bound of the table's date column; instants give UTC dates."""
    if column is not None and table.column(column).type is contract.TimestampUs:
        return lambda raw: day_of(_int64(raw) // US_PER_DAY)
    return lambda raw: day_of(struct.unpack("<i", raw)[0])


def _int64(raw: bytes) -> int:
    """Return the long of a bound."""
    return int(struct.unpack("<q", raw)[0])
