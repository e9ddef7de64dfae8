"""What a table is: one frozen object from which everything else is derived."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A type that Iceberg, Arrow, DuckDB and Spark all have."""

    sql: str
    """The type's name in DuckDB's dialect."""


@dataclass(frozen=True, slots=True)
class Decimal(ColumnType):
    """An exact number of `precision` digits, `scale` of them after the point."""

    precision: int
    scale: int

    def __init__(self, precision: int, scale: int) -> None:
        object.__setattr__(self, "sql", f"DECIMAL({precision},{scale})")
        object.__setattr__(self, "precision", precision)
        object.__setattr__(self, "scale", scale)


String = ColumnType("VARCHAR")
Int32 = ColumnType("INTEGER")
Int64 = ColumnType("BIGINT")
Float64 = ColumnType("DOUBLE")
Boolean = ColumnType("BOOLEAN")
Date = ColumnType("DATE")
TimestampUs = ColumnType("TIMESTAMP WITH TIME ZONE")
"""An instant in microseconds, UTC."""
Price = Decimal(18, 6)
Quantity = Decimal(18, 6)


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `unit` is the unit of its values, where they have one."""

    name: str
    type: ColumnType
    doc: str
    unit: str = ""
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """A rule that each row must keep: `sql` is true for a good row (portable subset, no nulls)."""

    rule: str
    sql: str
    doc: str


class Granularity(StrEnum):
    """How wide a partition is."""

    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Partition:
    """Partition by the month or the year of a date or timestamp column."""

    column: str
    granularity: Granularity


def month(column: str) -> Partition:
    """Return a partition by calendar month."""
    return Partition(column, Granularity.MONTH)


def year(column: str) -> Partition:
    """Return a partition by calendar year."""
    return Partition(column, Granularity.YEAR)


class Binding(StrEnum):
    """How a table is read as known at T."""

    INTERVAL = "interval"
    """Rows with known_from <= T < known_to."""
    LANDING = "landing"
    """Rows of the landings in force at T."""
    DIGEST = "digest"
    """Exempt from known time; versioned by a digest that answers name."""
    VIEW = "view"
    """Made of histories, which are bound, when it is read; the lake keeps no rows of it."""
    NONE = "none"
    """Not bound: asking with known_at is an error."""


@dataclass(frozen=True)
class Table:
    """A table's whole contract. Field ids are the columns' positions, from 1."""

    name: str
    """Namespace and name, e.g. `silver.minute_bars`."""
    doc: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    binding: Binding
    partition: Partition | None = None
    sort: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()

    KNOWN_FROM: ClassVar[str] = "known_from"
    KNOWN_TO: ClassVar[str] = "known_to"

    def __post_init__(self) -> None:
        """Refuse a contract that names a column it does not have."""
        named = {*self.key, *self.sort, *((self.partition.column,) if self.partition else ())}
        if missing := named - set(self.column_names):
            raise ValueError(f"{self.name} names columns it does not have: {sorted(missing)}")

    @property
    def namespace(self) -> str:
        """The layer: bronze, silver, gold or ops."""
        return self.name.partition(".")[0]

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(c.name for c in self.columns)

    @property
    def visible_columns(self) -> tuple[str, ...]:
        """Columns of the relation bound to a moment: all but the end of a version's interval."""
        if self.binding is Binding.INTERVAL:
            return tuple(n for n in self.column_names if n != self.KNOWN_TO)
        return self.column_names

    def column(self, name: str) -> Column:
        """Return the column called `name`; KeyError if there is none."""
        for c in self.columns:
            if c.name == name:
                return c
        raise KeyError(f"{self.name} has no column {name}")
