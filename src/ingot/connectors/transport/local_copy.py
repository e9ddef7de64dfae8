"""A local file copied whole and hashed on the way, though another process may be writing it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ingot.connectors.base import Fetched
from ingot.connectors.transport.hashing_writer import Receiver
from ingot.errors import CorruptFileError, NotPublishedError, SourceUnavailableError
from ingot.model.time import FOREVER, from_ns, to_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from io import FileIO
    from pathlib import Path

    from ingot.connectors.transport.backoff import Backoff

_PIECE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Stamp:
    """Size, time and place of one state of a file."""

    size: int
    mtime_ns: int
    device: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """Return the stamp of a file's status."""
        return cls(status.st_size, status.st_mtime_ns, status.st_dev, status.st_ino)

    @property
    def etag(self) -> str:
        """The tag in place of an entity tag: size and modification time."""
        return f"{self.size}-{self.mtime_ns}"

    @property
    def modified(self) -> datetime | None:
        """The modification time in UTC, cut to the microsecond.

        None for a time that no publication can have: before 1970, or after the year 9998.
        """
        return from_ns(self.mtime_ns) if 0 <= self.mtime_ns < to_ns(FOREVER) else None


def copy_file(
    path: Path, to: Path, advance: Callable[[int], None], *, listed_etag: str, backoff: Backoff
) -> Fetched:
    """Copy the file to `to`, hashing it; begin anew when it changes under the copy.

    Raises:
        NotPublishedError: The file is gone.
        CorruptFileError: It is a folder, a link to nothing or a pipe.
        SourceUnavailableError: It cannot be read, or changes during every copy.
        StorageFullError: The disk is full.
    """
    with Receiver(to, advance) as receiver:
        for failures in range(1, backoff.attempts + 1):
            before, after = _copy(path, receiver)
            if before == after and receiver.size_bytes == after.size:
                return _fetched(receiver, after, listed_etag)
            receiver.restart()
            if not backoff.is_spent(failures):
                backoff.wait(failures)
    raise SourceUnavailableError(
        f"{path} changed while it was copied, {backoff.attempts} times in a row. "
        "Run the command again when no other process writes to it."
    )


def _copy(path: Path, receiver: Receiver) -> tuple[Stamp, Stamp]:
    """Copy once; return what the file was before and what is at its path afterwards."""
    with _opened(path) as file:
        before = Stamp.of(os.fstat(file.fileno()))
        for piece in _pieces(file, path):
            receiver.write(piece)
            if receiver.size_bytes > before.size:
                break  # it grows: another process is writing it
    with _opened(path) as file:
        return before, Stamp.of(os.fstat(file.fileno()))


def _opened(path: Path) -> FileIO:
    try:
        _refuse_other_kinds(path)
        return path.open("rb", buffering=0)
    except FileNotFoundError as exc:
        raise NotPublishedError(
            f"{path} was listed but is gone. If the source is being rebuilt, "
            "run the command again afterwards."
        ) from exc
    except OSError as exc:
        raise _unreadable(path, exc) from exc


def _refuse_other_kinds(path: Path) -> None:
    """Raise for what is in a file's place: a folder, a link to nothing, a pipe."""
    if path.is_file() or not os.path.lexists(path):
        return
    kind = (
        "a link to nothing" if not path.exists() else "a folder" if path.is_dir() else "not a file"
    )
    raise CorruptFileError(
        f"{path} is {kind}. Put the file in its place, or remove it, and run the command again."
    )


def _pieces(file: FileIO, path: Path) -> Iterator[bytes]:
    while True:
        try:
            piece = file.read(_PIECE_BYTES)
        except OSError as exc:
            raise _unreadable(path, exc) from exc
        if not piece:
            return
        yield piece


def _unreadable(path: Path, exc: OSError) -> SourceUnavailableError:
    return SourceUnavailableError(f"{path} cannot be read: {exc.strerror}. Try again later.")


def _fetched(receiver: Receiver, stamp: Stamp, listed_etag: str) -> Fetched:
    if stamp.etag == listed_etag:
        return Fetched(receiver.sha256, receiver.size_bytes)
    return Fetched(receiver.sha256, receiver.size_bytes, stamp.etag, stamp.modified)
