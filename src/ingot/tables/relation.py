"""A named input of an engine: what crosses from storage to engines and queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from ingot.tables.contract import Table
    from ingot.tables.view import View


@dataclass(frozen=True)
class FileRelation:
    """Parquet files of one table, read by field id.

    `columns` maps each field id to (name, type in DuckDB's dialect) of the snapshot that is read,
    so that renamed and re-added columns answer right. `where` is a SQL predicate that every row
    must keep, or None. No file has delete files beside it.
    """

    paths: tuple[str, ...]
    columns: Mapping[int, tuple[str, str]]
    where: str | None = None


@dataclass(frozen=True)
class ArrowRelation:
    """Rows in memory."""

    data: pa.Table


Relation = FileRelation | ArrowRelation


@dataclass(frozen=True)
class QueryRelation:
    """Rows that our own SQL makes of views over files, which it names as they are called."""

    sql: str
    inputs: tuple[View, ...]


def columns_of(table: Table) -> dict[int, tuple[str, str]]:
    """Return the field-id map of a table as its contract declares it today."""
    return {i: (c.name, c.type.sql) for i, c in enumerate(table.columns, start=1)}
