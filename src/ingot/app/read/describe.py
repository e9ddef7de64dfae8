"""What tables there are, and what their columns mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from ingot.app.context.answer_table import listed
from ingot.app.inventory.undeclared import refuse_undeclared, undeclared
from ingot.errors import QueryError

if TYPE_CHECKING:
    from ingot.app.context.lake_context import Parts
    from ingot.query.result.answer import Answer


def tables(parts: Parts) -> Answer:
    """Return each table with rows, bytes, files and what one row is."""
    columns = (
        ("table", pa.string()),
        ("rows", pa.int64()),
        ("size_bytes", pa.int64()),
        ("files", pa.int64()),
        ("one_row", pa.string()),
    )
    stats = [(t, parts.tables.stats(t)) for t in parts.all_tables]
    rows = ((t.name, s.rows, s.size_bytes, s.files, t.doc) for t, s in stats)
    return listed(parts, columns, rows, notices=tuple(undeclared(parts)))


def columns(parts: Parts, name: str) -> Answer:
    """Return a table's columns with type, unit, nullability and meaning.

    Raises:
        QueryError: There is no such table; the message names the nearest.
    """
    try:
        contract = parts.table(name)
    except QueryError:
        refuse_undeclared(parts, name)
        raise
    shape = (
        ("column", pa.string()),
        ("type", pa.string()),
        ("unit", pa.string()),
        ("nullable", pa.bool_()),
        ("meaning", pa.string()),
    )
    notices = [contract.doc, f"key: {', '.join(contract.key)}", f"bound by: {contract.binding}"]
    if contract.partition is not None:
        notices.append(
            f"partition: {contract.partition.granularity} of {contract.partition.column}"
        )
    rows = ((c.name, c.type.sql, c.unit, c.nullable, c.doc) for c in contract.columns)
    return listed(parts, shape, rows, notices=notices)
