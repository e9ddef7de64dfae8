"""state.db: what the landing store says, cached so that common questions are one lookup.

It may be deleted at any time: it is rebuilt by walking the store. It may lag behind the store
only by what a dying process had announced (`pending`), which the next one looks up; what it says
is there is there, because the store never changes.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import contextmanager, suppress
from threading import RLock
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import uuid4

from ingot.errors import StorageUnavailableError
from ingot.failures import is_undecodable, sqlite_failure, translated
from ingot.storage import index
from ingot.storage.files import make_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ingot.storage.landing import LandingStore
    from ingot.storage.records import Record

T = TypeVar("T")
_BUSY_TIMEOUT_S: Final = 60.0
_ATTEMPTS: Final = 3


class StateCache:
    """The cache of one lake; safe for any number of threads and processes."""

    def __init__(self, path: Path, store: LandingStore) -> None:
        self.path = path
        self._store = store
        self._lock = RLock()
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def read(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Return the answer to `question`, asked of one consistent state.

        Raises:
            StorageFullError, StorageUnavailableError, ConfigError, CommitConflictError: The
                database cannot be used; a damaged one is set aside and rebuilt instead.
        """
        return self._run(question, begin="BEGIN")

    def write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Return the result of `change`, which is durable on return; it may be run twice.

        Raises:
            StorageFullError, StorageUnavailableError, ConfigError, CommitConflictError: As `read`.
        """
        return self._run(change, begin="BEGIN IMMEDIATE")

    def announce(self, path: str) -> None:
        """Say durably that this process is about to make the record at `path`."""
        owner = self._store.scratch.token
        self.write(lambda connection: index.announce(connection, path, owner))

    def take(self, path: str, record: Record) -> None:
        """Take the record that is at `path` now, and forget that it was announced."""
        owner = self._store.scratch.token

        def change(connection: sqlite3.Connection) -> None:
            index.take(connection, record)
            index.forget(connection, path, owner)

        self.write(change)

    def rebuild(self) -> int:
        """Forget everything and read the whole store again; return the number of records.

        Raises:
            DamagedFileError: A record of the store is damaged.
        """
        return self.write(self._fill)

    def _run(self, work: Callable[[sqlite3.Connection], T], *, begin: str) -> T:
        with self._lock:
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    connection = self._opened()
                    with _transaction(connection, begin):
                        result = work(connection)
                    if self._is_in_place():
                        return result
                except sqlite3.DatabaseError as exc:
                    if attempt == _ATTEMPTS or not _is_damaged(exc):
                        raise sqlite_failure(exc, self.path) from exc
                    self._set_aside()
            raise StorageUnavailableError(
                f"{self.path} was replaced again and again while it was used. Stop what deletes "
                "it, then run the command again."
            )

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and self._is_in_place():
            return self._connection
        self.close()
        if not self.path.parent.is_dir():
            make_folders(self.path.parent)
        with self._alone():
            connection = sqlite3.connect(
                self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._inode = _inode(self.path)
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        self._settle(connection)
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Build the tables, unless they are there in this version's form."""
        # FULL: what was announced must be on the disk before the record that it announces.
        connection.execute("PRAGMA synchronous = FULL")
        if index.version(connection) == index.VERSION:
            return
        connection.execute("PRAGMA journal_mode = WAL")
        with _transaction(connection, "BEGIN IMMEDIATE"):
            if index.version(connection) != index.VERSION:
                self._fill(connection)

    def _fill(self, connection: sqlite3.Connection) -> int:
        count = 0
        index.create(connection)
        for path in self._store.walk():
            index.take(connection, self._store.read(path))
            count += 1
        index.mark_all_unprojected(connection)
        return count

    def _settle(self, connection: sqlite3.Connection) -> None:
        """Look up what processes had announced: take what is there, forget what never will be."""
        for path, owner in index.announced(connection):
            over = not self._store.scratch.is_alive(owner)
            record = self._store.read(path) if self._store.has(path) else None
            if record is None and not over:
                continue
            with _transaction(connection, "BEGIN IMMEDIATE"):
                if record is not None:
                    index.take(connection, record)
                index.forget(connection, path, owner)

    def _is_in_place(self) -> bool:
        """Say whether the open database is still the one at `path`."""
        return self._inode != 0 and _inode(self.path) == self._inode

    def _set_aside(self) -> None:
        """Rename the damaged database, unless another process did it already."""
        self.close()
        with self._alone():
            if not self._is_in_place():
                return
            tag = uuid4().hex[:8]
            for suffix in ("", "-wal", "-shm"):
                beside = self.path.with_name(self.path.name + suffix)
                with suppress(FileNotFoundError):
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
        return os.stat(path).st_ino  # noqa: PTH116  (asked at every lookup)
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
