"""Reads with SQL of our own: DuckDB kept open with its footers cached, Polars for plain rows.

The SQL here is written by this package and is not validated; what a user wrote goes to the
`sandbox`.
"""

from __future__ import annotations

import re
import secrets
import threading
import weakref
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa

from ingot.engines.limits import Limits, Size, out_of_memory, out_of_time
from ingot.engines.view_sql import in_memory, select
from ingot.errors import DamagedFileError, IngotError, QueryError
from ingot.failures import failure_of
from ingot.tables.input import FileRelation, paths_of, statements_of, table_of, unreadable
from ingot.tables.view import name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from ingot.tables.view import View

_BATCH_ROWS: Final = 65_536
_NARROW: Final = frozenset({"symbol", "bar_start_ns"})
"""Columns whose conditions let Polars skip most of a file."""
_FIRST_READS: Final = 1
"""Reads that take less time with the engine that is open than loading another one takes."""


class Reads:
    """Runs trusted SQL over views; safe to use from several threads."""

    def __init__(self, limits: Limits) -> None:
        """Open DuckDB in memory with these limits; several reads share them."""
        self._limits = limits
        self._rows_read = 0
        self._connection = duckdb.connect(":memory:")
        # At exit, too: what is open then is reported as leaked by the library.
        self._closing = weakref.finalize(self, self._connection.close)
        for setting, value in {
            "TimeZone": "'UTC'",
            "memory_limit": f"'{limits.memory_mb}MB'",
            "threads": str(limits.threads),
            "temp_directory": "''",
            "parquet_metadata_cache": "true",
            "python_enable_replacements": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }.items():
            self._connection.execute(f"SET GLOBAL {setting} = {value}")

    def run(self, sql: str, views: Mapping[str, View]) -> pa.Table:
        """Return the result of `sql`, which names each view by its dotted name, unquoted.

        Raises:
            QueryError: It is beyond a limit; the message names the setting.
            DamagedFileError: A data file cannot be read.
        """
        cursor = self._connection.cursor()
        timer = threading.Timer(self._limits.timeout_s, cursor.interrupt)
        timer.daemon = True
        timer.start()
        try:
            text = _with(cursor, sql, views)
            with cursor.sql(text).to_arrow_reader(_BATCH_ROWS) as reader:
                return self._collected(reader)
        except (duckdb.InterruptException, OSError) as exc:
            if isinstance(exc, duckdb.InterruptException) or "INTERRUPT" in str(exc):
                raise out_of_time(self._limits) from exc
            raise _failure(exc, views.values()) or _not_read(exc) from exc
        except duckdb.OutOfMemoryException as exc:
            raise out_of_memory(self._limits) from exc
        except duckdb.Error as exc:
            raise _failure(exc, views.values()) or _not_read(exc) from exc
        finally:
            timer.cancel()
            cursor.close()

    def rows(self, view: View, columns: Sequence[str], order: Sequence[str]) -> pa.Table:
        """Return a view's rows, these columns in this order.

        Polars reads the few row groups that narrow conditions leave; DuckDB reads the rest, all
        files whose columns no longer have the names of the snapshot, and the first such read, which
        loading Polars would only delay. Both give equal rows.

        Raises:
            QueryError: It is beyond a limit; the message names the setting.
        """
        self._rows_read += 1
        found = _narrow(view, columns, order) if self._rows_read > _FIRST_READS else None
        if found is not None:
            Size(self._limits).add(found)
            return found
        shown, by = (", ".join(map(name, names)) for names in (columns, order))
        return self.run(f"SELECT {shown} FROM {view.name} ORDER BY {by}", {view.name: view})

    def close(self) -> None:
        """Release everything; the reads cannot be used afterwards."""
        self._closing()

    def __enter__(self) -> Self:
        """Return the reads themselves."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close them."""
        self.close()

    def _collected(self, reader: pa.RecordBatchReader) -> pa.Table:
        batches, size = [], Size(self._limits)
        for batch in reader:
            size.add(batch)
            batches.append(batch)
        return pa.Table.from_batches(batches, reader.schema)


def _failure(exc: Exception, views: Iterable[View]) -> IngotError | None:
    """Return what kept the views' files from being read; Polars shortens the path that it names."""
    relations = [view.relation for view in views]
    where = next((path for path in paths_of(relations) if not Path(path).is_file()), "a data file")
    return failure_of(exc, where) or unreadable(relations, str(exc))


def _not_read(exc: Exception) -> QueryError:
    return QueryError(f"The data could not be read. {exc}")


def _one_of(view: View, exc: Exception) -> DamagedFileError | None:
    """Return the error for a view of files where the message names none of them."""
    paths = list(paths_of([view.relation]))
    if not paths:
        return None
    path = paths[0] if len(paths) == 1 else f"one of {len(paths)} data files"
    return DamagedFileError(path, found=str(exc), table=table_of(paths[0]))


def _with(cursor: duckdb.DuckDBPyConnection, sql: str, views: Mapping[str, View]) -> str:
    """Return `sql` with each dotted name replaced by a common table of the view's rows."""
    parts, names = [], {}
    for statement in statements_of(view.relation for view in views.values()):
        cursor.execute(statement).fetchall()
    for view in views.values():
        own = view.name.replace(".", "__")
        registered = {}
        for argument, relation in in_memory(view).items():
            registered[argument] = f"rows_{secrets.token_hex(8)}"
            cursor.register(registered[argument], relation.data)
        parts.append(f"{own} AS NOT MATERIALIZED ({select(view, **registered)})")
        names[view.name] = own
    if not parts:
        return sql
    any_name = re.compile("|".join(rf"\b{re.escape(n)}\b" for n in sorted(names, key=len)[::-1]))
    text = any_name.sub(lambda found: names[found[0]], sql)
    rest = f", {text.removeprefix('WITH ')}" if text.startswith("WITH ") else f" {text}"
    return f"WITH {', '.join(parts)}{rest}"


def _narrow(view: View, columns: Sequence[str], order: Sequence[str]) -> pa.Table | None:
    """Return the rows of a narrow view as Polars reads them; None where DuckDB has to."""
    narrowing = [c for c in view.conditions if c.column in _NARROW]
    if not narrowing:
        return None
    from ingot.engines import narrow_read  # noqa: PLC0415 - not every read takes Polars

    others = [c for c in view.conditions if c.column not in _NARROW]
    try:
        if not _is_plain(view):
            return None
        assert isinstance(view.relation, FileRelation)  # noqa: S101  # _is_plain looked
        return narrow_read.scanned(view.relation, narrowing, others, columns, order)
    except narrow_read.FAILURES as exc:
        raise _failure(exc, [view]) or _one_of(view, exc) or _not_read(exc) from exc


def _is_plain(view: View) -> bool:
    """Return True if the view is of files alone that have the columns' present names."""
    relation = view.relation
    return (
        isinstance(relation, FileRelation)
        and relation.where is None
        and view.cut is None
        and view.factors is None
        and bool(relation.paths)
        and all(_names_in(path) == _names_of(relation) for path in relation.paths)
    )


@lru_cache(maxsize=16_384)
def _names_in(path: str) -> tuple[tuple[int, str], ...]:
    """Return field ids and names of a data file; a file never changes."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - not every read takes it

    fields = pq.read_schema(path)
    ids = ((f.metadata or {}).get(b"PARQUET:field_id", b"-1") for f in fields)
    return tuple(sorted((int(i), f.name) for i, f in zip(ids, fields, strict=True)))


def _names_of(relation: FileRelation) -> tuple[tuple[int, str], ...]:
    return tuple(sorted((i, column) for i, (column, _) in relation.columns.items()))
