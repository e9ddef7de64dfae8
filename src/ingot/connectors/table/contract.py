"""The columns of an own table: read off its first file, and held against every later one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from ingot.connectors.reference.fields import FaultError
from ingot.connectors.table.values import value_of
from ingot.errors import ConfigError, SchemaDriftError
from ingot.tables.contract import (
    Boolean,
    ColumnType,
    Date,
    Decimal,
    Float64,
    Int64,
    String,
    TimestampUs,
)
from ingot.tables.own import check_columns, check_name, columns_of, columns_text, listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ingot.connectors.reference.file_rows import FileRows
    from ingot.connectors.table.settings import TableSettings

_NUMBER: Final = Decimal(38, 12)
_GUESSES: Final = (Int64, _NUMBER, Float64, Boolean, Date, TimestampUs)
"""Types of a column of texts, in this order: the first that reads every value."""
_NUMBERS: Final = frozenset({Int64, _NUMBER, Float64})
_CODE: Final = re.compile(r"[+-]?0[0-9]")
"""What begins like this is a code, such as 00123, and not a number."""
_TEXTS: Final = frozenset({"symbol", "ticker"})
"""Columns that are text whatever is in them: TRUE is a ticker, and so is 600519."""
_NAMED: Final[Mapping[str, ColumnType]] = {
    "text": String,
    "integer": Int64,
    "decimal": _NUMBER,
    "double": Float64,
    "boolean": Boolean,
    "date": Date,
    "time": TimestampUs,
}
_ARROW: Final = {
    pl.String: String,
    pl.Categorical: String,
    pl.Enum: String,
    pl.Boolean: Boolean,
    pl.Date: Date,
    pl.Datetime: TimestampUs,
    pl.Float32: Float64,
    pl.Float64: Float64,
    pl.Null: String,
}
_NS_OF_US: Final = 1_000


def first_columns(rows: FileRows, settings: TableSettings, types: Mapping[str, str]) -> str:
    """Return the columns of a table by its first file, as they are recorded.

    Args:
        rows: The file.
        settings: Name the key and the time.
        types: Column -> name of its type, where it is not the one that its values show.

    Raises:
        ConfigError: The name, a column, the key, the time or a type cannot be used.
    """
    check_name(settings.name)
    check_columns(rows.header)
    key = listed(settings.key)
    if not key or not settings.time:
        raise ConfigError(
            f"The table {settings.name} is new, and its key or time is not named. Name them: "
            "--key COLUMN,... --time COLUMN"
        )
    for column in (*key, settings.time, *types):
        if column not in rows.header:
            raise ConfigError(f"The file has no column {column}. It has {', '.join(rows.header)}.")
    if types and rows.frame is not None:
        raise ConfigError("A Parquet file has types of its own. Convert its columns instead.")
    if unknown := set(types.values()) - set(_NAMED):
        raise ConfigError(f"There is no type {min(unknown)}. Name one of {', '.join(_NAMED)}.")
    found = _found(rows) | {column: _NAMED[kind] for column, kind in types.items()}
    if found[settings.time] not in {Date, TimestampUs, Int64}:
        raise ConfigError(
            f"The column {settings.time} has values that are not times. Write ISO dates or times "
            f"or whole nanoseconds. To reject the rows of a CSV file that have none, add --types "
            f"{settings.time}=time"
        )
    if floats := [column for column in key if found[column] is Float64]:
        raise ConfigError(
            f"The column {floats[0]} is a floating-point number, which no key can hold. Name "
            "another column, or store it as text or decimal."
        )
    return columns_text(found)


def _found(rows: FileRows) -> dict[str, ColumnType]:
    if rows.frame is None:
        return {column: _guess(rows, column) for column in rows.header}
    return {column: _of_polars(column, rows.frame[column]) for column in rows.header}


def _guess(rows: FileRows, column: str) -> ColumnType:
    texts = {text for line in rows.lines if (text := line.fields.get(column))}
    if column in _TEXTS or not texts:
        return String
    return next((k for k in _GUESSES if all(_reads(t, k, "UTC") for t in texts)), String)


def _reads(text: str, kind: ColumnType, zone: str) -> bool:
    if kind in _NUMBERS and _CODE.match(text):
        return False
    try:
        value_of(text, kind, zone, "")
    except FaultError:
        return False
    return True


def _of_polars(column: str, values: pl.Series) -> ColumnType:
    kind = values.dtype
    if isinstance(kind, pl.Decimal):
        return Decimal(kind.precision or _NUMBER.precision, kind.scale)
    if isinstance(kind, pl.Datetime) and kind.time_unit == "ns" and _is_finer_than_us(values):
        raise ConfigError(
            f"The column {column} has times finer than a microsecond. Write them as whole "
            "nanoseconds since 1970."
        )
    found = Int64 if kind.is_integer() else _ARROW.get(kind.base_type())
    if found is None or (column in _TEXTS and found is not String):
        raise ConfigError(
            f"The column {column} is of type {kind}, which it cannot have in a table. Leave it "
            "out, or convert it."
        )
    return found


def _is_finer_than_us(values: pl.Series) -> bool:
    return bool((values.dt.timestamp("ns") % _NS_OF_US != 0).any())


def check_columns_of(rows: FileRows, settings: TableSettings, name: str) -> None:
    """Compare the columns of a file with those of the table; a CSV file has no types to compare.

    Raises:
        SchemaDriftError: A column is missing, new or of another type.
    """
    columns = columns_of(settings.columns)
    missing = [column for column in columns if column not in rows.header]
    unexpected = [column for column in rows.header if column not in columns]
    if missing or unexpected:
        raise SchemaDriftError(name, missing=missing, unexpected=unexpected)
    if rows.frame is not None:
        typed = {c: rows.frame[c] for c in columns if rows.frame[c].dtype != pl.Null}
        kinds = {column: _of_polars(column, values) for column, values in typed.items()}
        found = {column: kind for column, kind in kinds.items() if kind != columns[column]}
        _refuse(found, columns, name)


def check_texts(rows: FileRows, settings: TableSettings, name: str) -> None:
    """Refuse a CSV file with a column of which no text is of its type; one that is not is a row's.

    Raises:
        SchemaDriftError: There is such a column.
    """
    columns = columns_of(settings.columns)
    if rows.frame is None:
        found = {c: _guess(rows, c) for c, kind in columns.items() if _none_fits(rows, c, kind)}
        _refuse(found, columns, name)


def _refuse(found: Mapping[str, ColumnType], columns: Mapping[str, ColumnType], name: str) -> None:
    if found:
        changed = [f"{c} ({kind.sql}, not {columns[c].sql})" for c, kind in found.items()]
        raise SchemaDriftError(name, changed=changed)


def _none_fits(rows: FileRows, column: str, kind: ColumnType) -> bool:
    texts = {text for line in rows.lines if (text := line.fields.get(column))}
    return bool(texts) and kind is not String and not any(_reads(t, kind, "UTC") for t in texts)
