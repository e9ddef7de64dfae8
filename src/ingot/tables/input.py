"""A named input of an engine: what crosses from storage to engines and queries."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ingot.errors import DamagedFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa

    from ingot.tables.contract import Table
    from ingot.tables.view import View


_FOLDER: Final = re.compile(r".*/(bronze|silver|gold|ops)/([^/]+)/(?:data|metadata)/")


@dataclass(frozen=True, repr=False)
class EngineOptions:
    """What engines need to open the files of one store; never shown, for it may hold secrets."""

    duckdb: tuple[str, ...] = ()
    """Statements to run before a query, such as CREATE OR REPLACE SECRET."""
    polars: Mapping[str, str] = field(default_factory=dict)
    """The `storage_options` of its scans."""


NO_OPTIONS: Final = EngineOptions()
"""Files of this machine need nothing."""


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
    options: EngineOptions = NO_OPTIONS


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


def table_of(path: object) -> str | None:
    """Return the table whose folder holds a file; None outside the tables.

    >>> table_of("/lake/warehouse/silver/day_bars/data/a.parquet")
    'silver.day_bars'
    """
    found = _FOLDER.match(str(path))
    return f"{found[1]}.{found[2]}" if found else None


def paths_of(relations: Iterable[Relation | QueryRelation]) -> Iterator[str]:
    """Yield the data files that relations are read from."""
    for relation in _of_files(relations):
        yield from relation.paths


def statements_of(relations: Iterable[Relation | QueryRelation]) -> tuple[str, ...]:
    """Return what DuckDB runs before it can open the files of relations, each statement once."""
    return tuple(dict.fromkeys(s for r in _of_files(relations) for s in r.options.duckdb))


def _of_files(relations: Iterable[Relation | QueryRelation]) -> Iterator[FileRelation]:
    for relation in relations:
        if isinstance(relation, FileRelation):
            yield relation
        elif isinstance(relation, QueryRelation):
            yield from _of_files(view.relation for view in relation.inputs)


def unreadable(relations: Iterable[Relation | QueryRelation], text: str) -> DamagedFileError | None:
    """Return the error for the data file that made an engine fail; None where none did.

    Args:
        relations: What the engine read.
        text: The engine's message. Where it names no file, every footer is looked at.
    """
    import pyarrow as pa  # noqa: PLC0415  (heavy, and only a failed query needs it)
    import pyarrow.parquet as pq  # noqa: PLC0415

    paths = tuple(paths_of(relations))
    if named := next((path for path in paths if path in text), None):
        return DamagedFileError(named, found=text, table=table_of(named))
    for path in paths:
        try:
            pq.read_metadata(path)
        except (OSError, pa.ArrowException) as exc:
            return DamagedFileError(path, found=str(exc), table=table_of(path))
    return None
