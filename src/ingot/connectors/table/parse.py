"""A line of a file of an own table as a row of bronze, or the rule that rejects it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ingot.connectors.reference.fields import FaultError
from ingot.connectors.reference.rows import Bad, Good, OwnRow
from ingot.connectors.table.values import date_of, value_of
from ingot.tables.own import ROW_KEY, columns_of, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

    from ingot.connectors.csv_lines import Line
    from ingot.connectors.table.settings import TableSettings
    from ingot.tables.contract import ColumnType


def read_rows(lines: Iterable[Line], settings: TableSettings) -> Iterator[Good | Bad]:
    """Yield a row for each line; a key that occurs twice in a file is rejected from the second."""
    columns, key = columns_of(settings.columns), listed(settings.key)
    required = {*key, settings.time}
    found: set[str] = set()
    for line in lines:
        try:
            row_key = _row_key(line, columns, key, settings.zone)
        except FaultError as fault:
            yield Bad(line.number, fault.rule, line.raw)
            continue
        try:
            values = _values(line, columns, required, settings.zone)
        except FaultError as fault:
            yield Bad(line.number, fault.rule, line.raw, row_key)
            continue
        if row_key in found:
            yield Bad(line.number, "duplicate_key", line.raw, row_key)
        else:
            yield Good(line.number, OwnRow(row_key, {ROW_KEY: row_key, **values}))
        found.add(row_key)


def day_of(line: Line, settings: TableSettings) -> date | None:
    """Return the date, UTC, under which a line is filed; None if its time is not one."""
    columns = columns_of(settings.columns)
    column = settings.time
    try:
        return date_of(_values(line, {column: columns[column]}, {column}, settings.zone)[column])
    except (FaultError, OverflowError):
        return None


def _row_key(line: Line, columns: Mapping[str, ColumnType], key: tuple[str, ...], zone: str) -> str:
    """Return the values of the key as JSON, the same for the same values however written."""
    values = _values(line, {column: columns[column] for column in key}, set(key), zone)
    texts = [str(values[column]) for column in key]
    return json.dumps(texts, ensure_ascii=False, separators=(",", ":"))


def _values(
    line: Line, columns: Mapping[str, ColumnType], required: set[str], zone: str
) -> dict[str, Any]:
    if not line.fields:
        raise FaultError("columns")
    values = {c: value_of(line.fields[c], kind, zone, c) for c, kind in columns.items()}
    for column in required & values.keys():
        if values[column] is None:
            raise FaultError(column)
    return values
