"""The catalog file: which metadata file is each table's current one.

`catalog.db` is PyIceberg's SqlCatalog in table layout V1, which Iceberg's JdbcCatalog (Spark,
Trino) opens too. Reading a pointer takes one query and no library but sqlite3; all writing goes
through `sql_catalog`. The journal is SQLite's default and not a write-ahead log, so that the file
alone is the catalog: it can be copied, mounted read-only and opened by any driver.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from ingot.errors import DamagedFileError, LakeNotFoundError
from ingot.failures import sqlite_failure, translated
from ingot.storage.locations import Locations

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


class Pointers:
    """Reads table pointers; safe to use from any thread and after a fork."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise LakeNotFoundError(path.parent)
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._owner = 0

    def get(self, table: str) -> str | None:
        """Return the location of the table's metadata file; None if there is no such table.

        The location names the exact state of the table: it changes with every commit.
        """
        namespace, _, name = table.partition(".")
        rows = self._query(_POINTER, (CATALOG_NAME, namespace, name))
        return str(rows[0][0]) if rows and rows[0][0] is not None else None

    def all(self) -> Mapping[str, str]:
        """Return the pointers of all tables by name."""
        return {str(name): str(location) for name, location in self._query(_ALL, (CATALOG_NAME,))}

    def locations(self) -> Locations:
        """Return how locations map to paths, from where the catalog says its tables lie."""
        root = self._path.parent
        for name, location in self.all().items():
            return Locations.of_lake(root, location, name)
        return Locations.of_new_lake(root)

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


def locations_of(root: Path) -> Locations:
    """Return how the lake in `root` names its files; a lake that was moved keeps its names."""
    catalog = root / CATALOG_FILE
    if not catalog.is_file() or not catalog.stat().st_size:
        return Locations.of_new_lake(root)
    pointers = Pointers(catalog)
    try:
        return pointers.locations()
    except DamagedFileError as exc:
        if "no such table" not in str(exc.__cause__):
            raise
        return Locations.of_new_lake(root)  # a crash left the file without its tables
    finally:
        pointers.close()
