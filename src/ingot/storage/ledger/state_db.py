"""state.db: the records of the landing store, cached so that common queries are one lookup.

It may be deleted at any time: it is rebuilt by walking the store. Whoever opens it compares the
names that it has taken with those in the store, which costs a listing and no read: what a dying
process left behind is entered, and a record that has vanished from the store is damage.

Reading needs no writable byte. Where state.db cannot be written and is not complete, the same
tables are made in memory. Its journal is SQLite's default and not a write-ahead log, which no
reader can open without writing.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import contextmanager, suppress
from threading import RLock
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote
from uuid import uuid4

from ingot.errors import (
    ConfigError,
    DamagedFileError,
    IngotError,
    StorageFullError,
    StorageUnavailableError,
)
from ingot.failures import is_undecodable, sqlite_failure, translated
from ingot.storage.fs.durable import make_folders
from ingot.storage.ledger import state_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ingot.storage.landing.records import Record
    from ingot.storage.landing.store import LandingStore

T = TypeVar("T")
_BUSY_TIMEOUT_S: Final = 60.0
_ATTEMPTS: Final = 3
_UNWRITABLE: Final = (ConfigError, StorageFullError, StorageUnavailableError)
"""What opening for a write raises on a disk that is read-only, full, failing or not ours."""


class StateCache:
    """The cache of one lake; safe for any number of threads and processes."""

    def __init__(self, path: Path, store: LandingStore) -> None:
        self.path = path
        self._store = store
        self._lock = RLock()
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._writable = False
        self._is_copy = False

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            self._writable = self._is_copy = False

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Return the result of `query` on one consistent state.

        Raises:
            StorageFullError, StorageUnavailableError, ConfigError, CommitConflictError: The
                database cannot be used; a damaged one is set aside and rebuilt instead.
        """
        return self._run(query, writes=False)

    def write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Return the result of `change`, which is durable on return; it may be run twice.

        Raises:
            StorageFullError, StorageUnavailableError, ConfigError, CommitConflictError: As `read`.
        """
        return self._run(change)

    def take(self, record: Record) -> None:
        """Enter a record that the store has."""
        self.write(lambda connection: state_schema.take(connection, record))

    def rebuild(self) -> int:
        """Forget everything and read the whole store again; return the number of records.

        Raises:
            DamagedFileError: A record of the store is damaged.
        """
        return self._run(self._fill, compares=False)

    def _run(
        self,
        work: Callable[[sqlite3.Connection], T],
        *,
        writes: bool = True,
        compares: bool = True,
    ) -> T:
        with self._lock:
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    connection = self._opened(writes=writes, compares=compares)
                    with _transaction(connection, "BEGIN IMMEDIATE" if writes else "BEGIN"):
                        result = work(connection)
                    if self._is_in_place():
                        return result
                except sqlite3.DatabaseError as exc:
                    if attempt == _ATTEMPTS or not _is_damaged(exc):
                        raise sqlite_failure(exc, self.path) from exc
                    self._put_away(writes=writes)
            raise StorageUnavailableError(
                f"{self.path} was replaced again and again while it was used. Stop what deletes "
                "it, then run the command again."
            )

    def _opened(self, *, writes: bool, compares: bool) -> sqlite3.Connection:
        if self._connection is not None and self._is_in_place() and (self._writable or not writes):
            if self._is_copy:
                self._compare(self._connection)
            return self._connection
        self.close()
        try:
            self._connection = self._open_to_write(compares=compares)
            self._writable = True
        except (IngotError, sqlite3.Error) as exc:
            failure = sqlite_failure(exc, self.path) if isinstance(exc, sqlite3.Error) else exc
            if writes or not isinstance(failure, _UNWRITABLE):
                raise
            self._connection = self._open_to_read()
        return self._connection

    def _open_to_write(self, *, compares: bool) -> sqlite3.Connection:
        if not self.path.parent.is_dir():
            make_folders(self.path.parent)
        with self._alone():
            connection = self._connect("rwc")
            self._inode = _inode(self.path)
            try:
                self._prepare(connection)
                if compares:
                    self._compare(connection)
            except BaseException:
                connection.close()
                raise
        return connection

    def _open_to_read(self) -> sqlite3.Connection:
        """Return state.db as it is, or what it would be, in memory."""
        self._inode = _inode(self.path)
        with suppress(sqlite3.Error):  # absent, damaged, or left half written
            connection = self._connect("ro")
            try:
                if state_schema.version(connection) == state_schema.VERSION and not self._missing(
                    connection
                ):
                    return connection
            except BaseException:
                connection.close()
                raise
            connection.close()
        return self._in_memory()

    def _in_memory(self) -> sqlite3.Connection:
        self._is_copy = True
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        with _transaction(connection, "BEGIN"):
            self._fill(connection)
        return connection

    def _connect(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"file:{quote(str(self.path))}?mode={mode}",
            uri=True,
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Build the tables, unless they are there in this version's form."""
        if state_schema.version(connection) == state_schema.VERSION:
            return
        connection.execute("PRAGMA journal_mode = DELETE")
        with _transaction(connection, "BEGIN IMMEDIATE"):
            if state_schema.version(connection) != state_schema.VERSION:
                self._fill(connection)

    def _fill(self, connection: sqlite3.Connection) -> int:
        count = 0
        state_schema.create(connection)
        for path in self._store.walk():
            state_schema.take(connection, self._store.read(path))
            count += 1
        state_schema.mark_all_unprojected(connection)
        return count

    def _compare(self, connection: sqlite3.Connection) -> None:
        """Enter the records that the store has and the tables have not.

        Raises:
            DamagedFileError: The store lacks a record that was there.
        """
        if missing := self._missing(connection):
            with _transaction(connection, "BEGIN IMMEDIATE"):
                for path in missing:
                    state_schema.take(connection, self._store.read(path))
                    if not self._is_copy:  # who made it may have died before its own sync
                        self._store.objects.sync(path)

    def _missing(self, connection: sqlite3.Connection) -> list[str]:
        """Return the paths of records that the tables lack, in the order of the store."""
        taken = state_schema.paths(connection)  # first: the store only grows
        there = list(self._store.walk())
        if lost := taken.difference(there):
            raise DamagedFileError(
                self._store.objects.place(min(lost)),
                found=f"the record is missing ({len(lost)} such). Restore it from a backup",
            )
        return [path for path in there if path not in taken]

    def _is_in_place(self) -> bool:
        """Return True if the open database is still the one at `path`."""
        return _inode(self.path) == self._inode

    def _put_away(self, *, writes: bool) -> None:
        try:
            self._set_aside()
        except _UNWRITABLE:
            if writes:
                raise
            self._connection = self._in_memory()

    def _set_aside(self) -> None:
        """Rename the damaged database, unless another process did it already."""
        self.close()
        with self._alone():
            if not self._is_in_place():
                return
            tag = uuid4().hex[:8]
            for suffix in ("", "-wal", "-shm"):
                beside = self.path.with_name(self.path.name + suffix)
                with translated(beside, "rename"), suppress(FileNotFoundError):
                    beside.rename(self.path.with_name(f"{self.path.name}.damaged-{tag}{suffix}"))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from opening or setting aside the database meanwhile."""
        lock = self.path.with_name(self.path.name + ".lock")
        with translated(lock, "open"):
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _inode(path: Path) -> int:
    """Return the number of the file at `path`, or 0 when there is none."""
    try:
        return os.stat(path).st_ino  # noqa: PTH116  (at every lookup)
    except FileNotFoundError:
        return 0


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _is_damaged(exc: sqlite3.Error) -> bool:
    code = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB} or is_undecodable(exc)
