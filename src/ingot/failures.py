"""How the failure of a disk or of a library becomes an error of ours, by what the caller should do.

Libraries report the same failure in their own ways: an OSError with a number, a text that ends
with the system's words (DuckDB, Polars, Arrow), a code of SQLite. `failure_of` reads all of them;
`storage.border` calls it for whoever forgets.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ingot.errors import (
    CommitConflictError,
    ConfigError,
    DamagedFileError,
    IngotError,
    StorageFullError,
    StorageUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_NOT_ALLOWED: Final = frozenset(
    {
        errno.EACCES,
        errno.EEXIST,
        errno.EPERM,
        errno.EROFS,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.EINVAL,
        errno.EXDEV,
    }
)
_IN_TEXT: Final = {
    os.strerror(number): number
    for number in (
        *_FULL,
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOENT,
        errno.EIO,
        errno.ESTALE,
        errno.EMFILE,
        errno.ENFILE,
    )
}
_MISSING: Final = ("No files found that match the pattern", "No such file or directory")
_PATH: Final = re.compile(r"(?:^|['\"\s])(/[^'\"\n]*?\.(?:parquet|avro|json))")
_DATA_FILE: Final = re.compile(r"/warehouse/([^/]+)/([^/]+)/data/")


@contextmanager
def translated(path: object, doing: str) -> Iterator[None]:
    """Turn an OSError of the block into an error of ours that names `path`.

    Args:
        path: What the block works on.
        doing: The step as a verb, e.g. "write".

    Raises:
        StorageFullError: No space or quota is left.
        ConfigError: The path cannot be used: not allowed, read-only, not a folder, too long.
        StorageUnavailableError: Anything else, such as an I/O error of the disk.
    """
    try:
        yield
    except OSError as exc:
        raise translate(exc, path, doing) from exc


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an OSError of reading a file of the lake into an error of ours that names `path`.

    Raises:
        DamagedFileError: The file is missing.
        StorageFullError, ConfigError, StorageUnavailableError: See `translated`.
    """
    try:
        with translated(path, "read"):
            yield
    except ConfigError as exc:
        if isinstance(exc.__cause__, FileNotFoundError):
            raise missing(path) from exc.__cause__
        raise


def translate(exc: OSError, path: object, doing: str) -> IngotError:
    """Return the error of ours for an OSError met while `doing` something to `path`."""
    return _by_number(exc.errno, f"Could not {doing} {path}: {exc.strerror or exc}.")


def _by_number(number: int | None, what: str) -> IngotError:
    if number in _FULL:
        return StorageFullError(
            f"{what} The disk or the quota is full. Free some space and run the command again; "
            "what is finished is kept and not done twice."
        )
    if number in _NOT_ALLOWED:
        return ConfigError(f"{what} Check the path, its owner and whether it is mounted writable.")
    return StorageUnavailableError(
        f"{what} The disk did not do what it was asked. Look at its health, then run the command "
        "again; what is finished is kept and not done twice."
    )


def failure_of(exc: BaseException, where: object = "a file") -> IngotError | None:
    """Return the error of ours for a failure below us; None for anything else, such as a defect.

    Args:
        exc: What was raised.
        where: What was worked on, for exceptions that do not name it.
    """
    if isinstance(exc, IngotError):
        return exc
    if type(exc).__module__ == "sqlite3":
        return sqlite_failure(exc, where)
    text = str(exc).strip()
    number = exc.errno if isinstance(exc, OSError) else None
    if number is None:
        number = next((n for words, n in _IN_TEXT.items() if words in text), None)
    if number == errno.ENOENT or _MISSING[0] in text:
        return missing(getattr(exc, "filename", None) or _path_in(text) or where)
    if number is None and not isinstance(exc, OSError):
        return None
    return _by_number(number, f"Could not use {getattr(exc, 'filename', None) or where}: {text}.")


def missing(path: object) -> DamagedFileError:
    """Return the error for a file of the lake that is not there."""
    return DamagedFileError(path, found="it is missing", table=table_of(path))


def unread(exc: Exception, path: object, table: str | None = None) -> IngotError:
    """Return the error for a file of the lake that could be opened, but not read to its end.

    The system's own failures keep their meaning; anything else is wrong in the file itself.
    """
    if isinstance(exc, OSError) and exc.errno is not None:
        return failure_of(exc, path) or translate(exc, path, "read")
    return DamagedFileError(path, found=str(exc), table=table or table_of(path))


def table_of(path: object) -> str | None:
    """Return the table of a data file; None for any other file.

    >>> table_of("/lake/warehouse/silver/minute_bars/data/2025-06/a.parquet")
    'silver.minute_bars'
    """
    found = _DATA_FILE.search(str(path))
    return f"{found[1]}.{found[2]}" if found else None


def _path_in(text: str) -> str | None:
    found = _PATH.search(text)
    return found[1] if found else None


def sqlite_failure(exc: BaseException, path: object) -> IngotError:
    """Return the error of ours for what SQLite says of the database at `path`."""
    import sqlite3  # noqa: PLC0415 - not every command opens a database

    code = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return _by_number(errno.ENOSPC, f"Could not write {path}: {exc}.")
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return CommitConflictError(str(path), attempts=1, reason=str(exc))
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB} or is_undecodable(exc):
        return DamagedFileError(path, found=str(exc))
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return _by_number(errno.EROFS, f"Could not write {path}: {exc}.")
    if code == sqlite3.SQLITE_CANTOPEN:
        return _not_opened(exc, path)
    return _by_number(errno.EIO, f"Could not use {path}: {exc}.")


def is_undecodable(exc: BaseException) -> bool:
    """Return True if a text in the database is not UTF-8, for which SQLite has no code."""
    return "Could not decode to UTF-8" in str(exc)


def _not_opened(exc: BaseException, path: object) -> IngotError:
    """Say why a database cannot be opened; SQLite does not.

    The file is not opened to find out: closing it again would drop the locks of this process.
    """
    number = errno.EIO
    if Path(str(path)).is_dir():
        number = errno.EISDIR
    elif Path(str(path)).exists() and not os.access(str(path), os.R_OK | os.W_OK):
        number = errno.EACCES
    return _by_number(number, f"Could not open {path}: {exc}.")
