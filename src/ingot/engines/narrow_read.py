"""Plain rows of few row groups, read by Polars: most of a file is skipped by its statistics."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa

from ingot.model.time import NS_PER_US, to_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ingot.tables.input import FileRelation
    from ingot.tables.view import Condition, Value

FAILURES: Final = (OSError, pl.exceptions.PolarsError, pa.ArrowException)
"""What a file that cannot be read raises."""


def scanned(
    relation: FileRelation,
    narrowing: Sequence[Condition],
    conditions: Sequence[Condition],
    columns: Sequence[str],
    order: Sequence[str],
) -> pa.Table:
    """Return the rows of files that keep all conditions, these columns in this order.

    Only the columns of the narrowing conditions are decoded for whole row groups; the other
    conditions are looked at in the few rows that those leave.
    """
    frame = pl.scan_parquet(
        list(relation.paths),
        hive_partitioning=False,
        glob=False,
        storage_options=dict(relation.options.polars) or None,
    )
    needed = dict.fromkeys((*columns, *order, *(c.column for c in conditions)))
    found = frame.filter([_expression(c) for c in narrowing]).select(*needed).collect()
    kept = found.filter([_expression(c) for c in conditions]) if conditions else found
    return _plain(kept.sort(order).select(columns).to_arrow())


_EXPRESSIONS: Final[dict[str, Callable[[pl.Expr, Any], pl.Expr]]] = {
    "=": lambda column, value: column == value,
    "<": lambda column, value: column < value,
    "<=": lambda column, value: column <= value,
    ">": lambda column, value: column > value,
    ">=": lambda column, value: column >= value,
}


def _expression(condition: Condition) -> pl.Expr:
    column = pl.col(condition.column)
    if not isinstance(condition.value, tuple):
        return _EXPRESSIONS[condition.operator](column, _literal(condition.value))
    if len(condition.value) == 1:
        return column == pl.lit(condition.value[0])
    return column.is_in(list(condition.value))


def _literal(value: Value) -> pl.Expr:
    """Return a value as an expression: a number for an instant, of which Polars makes a query."""
    if isinstance(value, datetime):
        return pl.lit(to_ns(value) // NS_PER_US).cast(pl.Datetime("us", "UTC"))
    return pl.lit(value)


def _plain(table: pa.Table) -> pa.Table:
    """Return the table with the string type that DuckDB gives."""
    wide = {pa.large_string(), pa.string_view()}
    fields = [f.with_type(pa.string()) if f.type in wide else f for f in table.schema]
    return table.cast(pa.schema(fields))
