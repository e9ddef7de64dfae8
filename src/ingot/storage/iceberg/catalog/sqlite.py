"""The catalog: which metadata file is each table's current one.

`catalog.db` has the tables of PyIceberg's SqlCatalog in layout V1, which Iceberg's JdbcCatalog
(Spark, Trino) opens too. Reading or moving a pointer takes one query and no library but sqlite3.
The journal is SQLite's default and not a write-ahead log, so that the file alone is the catalog:
it can be copied, mounted read-only and opened by any driver.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote

from ingot.errors import DamagedFileError, LakeNotFoundError
from ingot.failures import sqlite_failure, translated

if TYPE_CHECKING:
    from collections.abc import Mapping

CATALOG_NAME: Final = "lake"
CATALOG_FILE: Final = "catalog.db"
TIMEOUT_S: Final = 60.0
"""How long a reader or writer waits for another one's lock on the file."""
_POINTER: Final = (
    "SELECT metadata_location FROM iceberg_tables "
    "WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?"
)
_ALL: Final = (
    "SELECT table_namespace || '.' || table_name, metadata_location FROM iceberg_tables "
    "WHERE catalog_name = ? AND metadata_location IS NOT NULL"
)
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS iceberg_tables (
  catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL,
  table_name VARCHAR(255) NOT NULL, metadata_location VARCHAR(1000),
  previous_metadata_location VARCHAR(1000), iceberg_type VARCHAR(5),
  PRIMARY KEY (catalog_name, table_namespace, table_name));
CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
  catalog_name VARCHAR(255) NOT NULL, namespace VARCHAR(255) NOT NULL,
  property_key VARCHAR(255) NOT NULL, property_value VARCHAR(1000) NOT NULL,
  PRIMARY KEY (catalog_name, namespace, property_key));
"""
_ADD_NAMESPACE: Final = (
    "INSERT OR IGNORE INTO iceberg_namespace_properties VALUES (?, ?, 'exists', 'true')"
)
_ADD: Final = "INSERT OR IGNORE INTO iceberg_tables VALUES (?, ?, ?, ?, NULL, 'TABLE')"
_MOVE: Final = (
    "UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ? "
    "WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND metadata_location = ?"
)
_REMOVE: Final = (
    "DELETE FROM iceberg_tables "
    "WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND metadata_location = ?"
)


class Catalog(Protocol):
    """Names the current metadata file of each table; the only place where tables change."""

    def get(self, table: str) -> str | None:
        """Return the location of the table's metadata file; None if there is no such table.

        The location names the exact state of the table: it changes with every commit.
        """
        ...

    def all(self) -> Mapping[str, str]:
        """Return the locations of the metadata files of all tables by name."""
        ...

    def swap(self, table: str, expected: str | None, new: str | None) -> bool:
        """Set the table's location to `new` if it is `expected`, in one durable step.

        Args:
            table: Its name, such as silver.minute_bars.
            expected: The location that the change was planned on; None if there is no table.
            new: The location of the next state; None removes the table.

        Returns:
            True if it was set; False if the location was another one, and nothing changed.

        Raises:
            CommitConflictError: Others kept the catalog busy for too long.
            StorageFullError, StorageUnavailableError, ConfigError, DamagedFileError: The catalog
                cannot be used.
        """
        ...

    def close(self) -> None:
        """Release the connections; the next call opens them again."""
        ...


class SqliteCatalog:
    """The catalog in one SQLite file; safe to use from any thread and after a fork."""

    def __init__(self, path: Path) -> None:
        """Open the catalog of a lake.

        Raises:
            LakeNotFoundError: There is no such file.
        """
        if not path.is_file():
            raise LakeNotFoundError(path.parent)
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._owner = 0

    @classmethod
    def create(cls, path: Path) -> SqliteCatalog:
        """Make the file and its tables where they are not there yet, and open it."""
        try:
            with closing(sqlite3.connect(path, timeout=TIMEOUT_S)) as connection:
                connection.executescript(_TABLES)
        except sqlite3.Error as exc:
            raise sqlite_failure(exc, path) from exc
        return cls(path)

    def get(self, table: str) -> str | None:
        """Return the location of the table's metadata file; None if there is no such table."""
        namespace, _, name = table.partition(".")
        rows = self._query(_POINTER, (CATALOG_NAME, namespace, name))
        return str(rows[0][0]) if rows and rows[0][0] is not None else None

    def all(self) -> Mapping[str, str]:
        """Return the locations of the metadata files of all tables by name."""
        return {str(name): str(location) for name, location in self._query(_ALL, (CATALOG_NAME,))}

    def swap(self, table: str, expected: str | None, new: str | None) -> bool:
        """Set the table's location to `new` if it is `expected`; see `Catalog.swap`."""
        namespace, _, name = table.partition(".")
        key = (CATALOG_NAME, namespace, name)
        try:
            with closing(self._connect("rw")) as connection:
                connection.execute("BEGIN IMMEDIATE")
                if new is None:
                    moved = connection.execute(_REMOVE, (*key, expected))
                elif expected is None:
                    connection.execute(_ADD_NAMESPACE, (CATALOG_NAME, namespace))
                    moved = connection.execute(_ADD, (*key, new))
                else:
                    moved = connection.execute(_MOVE, (new, expected, *key, expected))
                connection.execute("COMMIT")
                return moved.rowcount == 1
        except sqlite3.Error as exc:
            raise sqlite_failure(exc, self._path) from exc

    def close(self) -> None:
        """Close the connection; the next read opens another one."""
        with self._lock:
            if self._connection is not None and self._owner == os.getpid():
                self._connection.close()
            self._connection = None

    def _query(self, sql: str, values: tuple[str, ...]) -> list[tuple[object, ...]]:
        try:
            with self._lock:
                return self._answer(sql, values)
        except sqlite3.Error as exc:
            if "no such table" in str(exc):
                raise DamagedFileError(self._path, found=str(exc)) from exc
            raise sqlite_failure(exc, self._path) from exc

    def _answer(self, sql: str, values: tuple[str, ...]) -> list[tuple[object, ...]]:
        try:
            return self._open().execute(sql, values).fetchall()
        except sqlite3.OperationalError as exc:
            if _code(exc) != sqlite3.SQLITE_READONLY:
                raise
        # A process died inside a commit, which SQLite has to roll back; a reader may not.
        try:
            with closing(self._connect("rw")) as connection:
                return connection.execute(sql, values).fetchall()
        except sqlite3.OperationalError as exc:
            if _code(exc) not in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}:
                raise
        return self._answer_of_a_copy(sql, values)

    def _answer_of_a_copy(self, sql: str, values: tuple[str, ...]) -> list[tuple[object, ...]]:
        """Have SQLite roll back a copy, where the lake may only be read."""
        with TemporaryDirectory(prefix="ingot-") as folder, translated(self._path, "read"):
            for suffix in ("", "-journal"):
                name = self._path.name + suffix
                copyfile(self._path.with_name(name), Path(folder, name))
            with closing(sqlite3.connect(Path(folder, self._path.name))) as connection:
                return connection.execute(sql, values).fetchall()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None or self._owner != os.getpid():
            self._connection = self._connect("ro")
            self._owner = os.getpid()
        return self._connection

    def _connect(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"file:{quote(str(self._path))}?mode={mode}",
            uri=True,
            timeout=TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )


def _code(exc: sqlite3.Error) -> int:
    return getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
