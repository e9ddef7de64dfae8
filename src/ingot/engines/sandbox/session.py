"""Queries on a DuckDB instance of their own: locked, bounded, each in its own database.

This is the inside of the sandbox; it runs in a process of its own (`ingot.engines.sandbox.client`).
"""

from __future__ import annotations

import re
import secrets
from contextlib import contextmanager
from threading import Timer
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import duckdb

from ingot.engines.limits import Size, out_of_memory, out_of_time
from ingot.engines.params import unpacked
from ingot.engines.sandbox.function_allowlist import TODAY
from ingot.engines.sandbox.validator import nearest, relation_names, validate
from ingot.engines.view_sql import in_memory, select
from ingot.errors import QueryError
from ingot.failures import failure_of
from ingot.tables.input import unreadable
from ingot.tables.view import HISTORY, file_literal, literal, name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from ingot.engines.limits import Limits
    from ingot.engines.sandbox.protocol import Query
    from ingot.errors import IngotError
    from ingot.tables.view import View

BATCH_ROWS: Final = 65_536
_MISSING_COLUMN: Final = re.compile(r'(?:column|field) (?:named )?"([^"]+)"', re.IGNORECASE)


class QuerySession:
    """Answers validated SQL over bound views, one query at a time."""

    def __init__(self, warehouse: Path, limits: Limits) -> None:
        """Open the instance; `warehouse` is the only folder that it may ever read."""
        self._limits = limits
        self._connection = duckdb.connect(":memory:")
        self._reserved = relation_names(self._connection)
        for setting, value in _settings(warehouse.absolute(), limits).items():
            self._connection.execute(f"SET GLOBAL {setting} = {value}")

    def tables_of(self, sql: str, own: Collection[str] = ()) -> frozenset[str]:
        """Return the tables that the query names, `own` tables of the lake among them.

        Raises:
            QueryError: It is not one allowed SELECT.
        """
        return validate(self._connection, sql, self._reserved, own)

    def ask(self, query: Query, views: Mapping[str, View]) -> Iterator[pa.Schema | pa.RecordBatch]:
        """Yield the answer's schema, then its batches as the engine makes them.

        Raises:
            QueryError: The query is not allowed, wrong, or beyond a limit.
        """
        if missing := self.tables_of(query.sql, views.keys()) - views.keys():
            raise QueryError(f"The tables {', '.join(sorted(missing))} were not bound.")
        if query.today is None and TODAY in query.sql.lower():
            raise QueryError(f"{TODAY} has no value here. Write a date, such as DATE '2025-06-02'.")
        cursor = self._connection.cursor()
        watch = _Stopwatch(self._limits.timeout_s, cursor)
        watch.start()
        try:
            with _database(cursor, views.values(), today=query.today):
                for part in self._answer(cursor, query):
                    watch.pause()
                    yield part
                    watch.start()
        except (duckdb.Error, OSError, MemoryError, UnicodeError) as exc:
            raise self._translated(exc, views, late=watch.is_late) from exc
        finally:
            watch.pause()
            cursor.close()

    def close(self) -> None:
        """Close the instance."""
        self._connection.close()

    def _answer(
        self, cursor: duckdb.DuckDBPyConnection, query: Query
    ) -> Iterator[pa.Schema | pa.RecordBatch]:
        size = Size(self._limits)
        bound: Any = unpacked(query.params)
        found = cursor.sql(query.sql, params=bound) if bound else cursor.sql(query.sql)
        with found.to_arrow_reader(BATCH_ROWS) as reader:
            yield reader.schema
            for batch in _read(reader):
                size.add(batch)
                yield batch

    def _translated(self, error: Exception, views: Mapping[str, View], *, late: bool) -> IngotError:
        text = str(error)
        if isinstance(error, duckdb.InterruptException) or late or "INTERRUPT Error" in text:
            return out_of_time(self._limits)
        if isinstance(error, (duckdb.OutOfMemoryException, MemoryError)) or _is_memory(text):
            return out_of_memory(self._limits)
        if isinstance(error, duckdb.BinderException):
            return QueryError(f"The query is wrong. {text}{_hint(text, views)}")
        if isinstance(error, duckdb.PermissionException):
            return QueryError("The query reaches outside the lake's tables, which none may.")
        refused = QueryError(f"The query could not be answered. {text}")
        if isinstance(error, duckdb.ConversionException):  # its text quotes what the caller wrote
            return refused
        relations = [view.relation for view in views.values()]
        return failure_of(error, "a data file") or unreadable(relations, text) or refused


def _settings(warehouse: Path, limits: Limits) -> dict[str, str]:
    """Return the instance's settings, the lock last."""
    return {
        "TimeZone": "'UTC'",
        "memory_limit": f"'{limits.memory_mb}MB'",
        "threads": str(limits.threads),
        "temp_directory": "''",
        "parquet_metadata_cache": "true",
        "python_enable_replacements": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "allow_persistent_secrets": "false",
        "allowed_directories": f"[{literal(str(warehouse))}, {file_literal(str(warehouse))}]",
        "enable_external_access": "false",
        "lock_configuration": "true",
    }


@contextmanager
def _database(
    cursor: duckdb.DuckDBPyConnection, views: Collection[View], *, today: str | None
) -> Iterator[None]:
    """Make a database under a random name that holds one view per table, and drop it at the end.

    A macro in it is what `current_date` means: the engine's own would be the date of the clock.
    """
    own = name(f"query_{secrets.token_hex(8)}")
    cursor.execute(f"ATTACH ':memory:' AS {own}")
    try:
        for schema in sorted({view.name.partition(".")[0] for view in views}):
            cursor.execute(f"CREATE SCHEMA {own}.{name(schema)}")
        for view in views:
            _create(cursor, own, view)
        if today is not None:
            cursor.execute(f"CREATE MACRO {own}.main.{TODAY}() AS DATE {literal(today)}")
        cursor.execute(f"USE {own}")
        yield
    finally:
        cursor.execute("USE memory")
        cursor.execute(f"DETACH {own}")


def _create(cursor: duckdb.DuckDBPyConnection, own: str, view: View) -> None:
    schema, _, table = view.name.partition(".")
    registered = {}
    for argument, relation in in_memory(view).items():
        rows = f"rows_{secrets.token_hex(8)}"
        cursor.register(rows, relation.data)
        registered[argument] = f"temp.main.{rows}"
    body = select(view, **registered)
    cursor.execute(f"CREATE VIEW {own}.{name(schema)}.{name(table)} AS {body}")


class _Stopwatch:
    """Interrupts a query when it has worked too long; waiting for its reader does not count."""

    def __init__(self, limit_s: float, cursor: duckdb.DuckDBPyConnection) -> None:
        self._left = limit_s
        self._cursor = cursor
        self.is_late = False

    def start(self) -> None:
        self._began = monotonic()
        self._timer = Timer(max(self._left, 0), self._interrupt)
        self._timer.daemon = True
        self._timer.start()

    def pause(self) -> None:
        self._timer.cancel()
        self._left -= monotonic() - self._began

    def _interrupt(self) -> None:
        self.is_late = True
        self._cursor.interrupt()


def _read(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Yield the batches; what DuckDB raises among them arrives as an OSError with its text."""
    try:
        yield from reader
    except OSError as exc:
        kind = str(exc).partition(":")[0].removesuffix(" Error").replace(" ", "")
        raise getattr(duckdb, f"{kind}Exception", duckdb.Error)(str(exc)) from exc


def _is_memory(text: str) -> bool:
    return "Out of Memory" in text or "bad allocation" in text or "bad_alloc" in text


def _hint(text: str, views: Mapping[str, View]) -> str:
    """Return what to write instead of a column that no table has."""
    if not (found := _MISSING_COLUMN.search(text)):
        return ""
    missing = found[1]
    columns = {column for view in views.values() for column in view.columns}
    if missing == "known_to" and missing not in columns:
        return f"\nOnly a table's history shows known_to: silver.minute_bars{HISTORY}."
    return nearest(missing, sorted(columns)).replace(" ", "\n", 1)
