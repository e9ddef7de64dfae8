"""A local folder that mirrors the vendor's tree."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from ingot.connectors.base import Fetched
from ingot.connectors.massive.datasets import DATASETS, NAME
from ingot.connectors.massive.source import MassiveFiles
from ingot.connectors.massive.tree import SUFFIX, day_of, months
from ingot.connectors.receive import Receiver
from ingot.errors import ConfigError, NotPublishedError, SourceUnavailableError
from ingot.model.landing import RemoteObject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date
    from io import FileIO
    from pathlib import Path

    from ingot.connectors.massive.settings import MassiveSettings
    from ingot.connectors.retry import Backoff

_PIECE_BYTES: Final = 1 << 20


class FolderSource(MassiveFiles):
    """Files below a folder, at the vendor's own keys; an entity tag is size and mtime."""

    def __init__(self, root: Path, settings: MassiveSettings, backoff: Backoff) -> None:
        super().__init__(str(root), settings, backoff)
        self._root = root

    def list(self, dataset: str, start: date, end: date) -> Sequence[RemoteObject]:
        """Return the files there for file dates in `[start, end)`, ascending.

        Looks only into the folders of those months; names that are not the vendor's are passed
        over.

        Raises:
            ConfigError: The folder is not a tree of this vendor, or the dataset is unknown.
            SourceUnavailableError: A folder cannot be read.
        """
        self._dataset(dataset)
        found: list[RemoteObject] = []
        try:
            for month in months(start, end):
                found += self._month(dataset, month)
        except OSError as exc:
            raise SourceUnavailableError(
                f"The folder {exc.filename} cannot be read: {exc.strerror}. "
                "Mount it or allow reading it, and run the command again."
            ) from exc
        if not found:
            self._check_tree()
        return sorted((r for r in found if start <= r.file_date < end), key=lambda r: r.file_date)

    def fetch(self, remote: RemoteObject, to: Path, advance: Callable[[int], None]) -> Fetched:
        """Copy the file to `to`, hashing it; begin anew when it changes under the copy.

        Raises:
            NotPublishedError: The file is gone.
            SourceUnavailableError: It cannot be read, or never stands still.
            StorageFullError: The disk is full.
        """
        path = self._root / remote.key
        with Receiver(to, advance) as receiver:
            for failures in range(1, self._backoff.attempts + 1):
                before, after = self._copy(path, receiver)
                if before == after and receiver.size_bytes == after.size:
                    return _fetched(receiver, after, remote)
                receiver.restart()
                if not self._backoff.is_spent(failures):
                    self._backoff.wait(failures)
        raise SourceUnavailableError(
            f"{path} changed while it was copied, {self._backoff.attempts} times in a row. "
            "Run the command again when nobody writes to it."
        )

    def _copy(self, path: Path, receiver: Receiver) -> tuple[_Stamp, _Stamp]:
        """Copy once; return what the file was before and what stands at its path afterwards."""
        with _opened(path) as file:
            before = _Stamp.of(os.fstat(file.fileno()))
            for piece in _pieces(file, path):
                receiver.write(piece)
                if receiver.size_bytes > before.size:
                    break  # it grows: somebody is writing it
        with _opened(path) as file:
            return before, _Stamp.of(os.fstat(file.fileno()))

    def _month(self, dataset: str, month: str) -> Iterator[RemoteObject]:
        try:
            entries = os.scandir(self._root / dataset / month)
        except (FileNotFoundError, NotADirectoryError):
            return
        with entries:
            for entry in entries:
                key = f"{dataset}/{month}/{entry.name}"
                day = day_of(dataset, key) if entry.name.endswith(SUFFIX) else None
                if day is not None and entry.is_file():
                    stamp = _Stamp.of(entry.stat())
                    yield RemoteObject(
                        source=NAME,
                        dataset=dataset,
                        file_date=day,
                        key=key,
                        etag=stamp.etag,
                        size_bytes=stamp.size,
                        last_modified=stamp.modified,
                    )

    def _check_tree(self) -> None:
        """Refuse a place that holds none of the vendor's datasets."""
        if any((self._root / name).is_dir() for name in DATASETS):
            return
        problem = "holds none of them" if self._root.is_dir() else "is not a folder"
        raise ConfigError(
            f"{self._root} {problem}. The source of massive is the folder that holds "
            f"{', '.join(DATASETS)}, each with YYYY/MM/YYYY-MM-DD{SUFFIX} below it."
        )


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What tells one state of a file from another."""

    size: int
    mtime_ns: int
    device: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> _Stamp:
        return cls(status.st_size, status.st_mtime_ns, status.st_dev, status.st_ino)

    @property
    def etag(self) -> str:
        return f"{self.size}-{self.mtime_ns}"

    @property
    def modified(self) -> datetime:
        """The modification time in UTC, cut to the microsecond."""
        seconds, ns = divmod(self.mtime_ns, 1_000_000_000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=ns // 1_000)


def _opened(path: Path) -> FileIO:
    try:
        return path.open("rb", buffering=0)
    except FileNotFoundError as exc:
        raise NotPublishedError(
            f"{path} was listed but is gone. If the vendor's tree is being rebuilt, "
            "run the command again afterwards."
        ) from exc
    except OSError as exc:
        raise _unreadable(path, exc) from exc


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


def _fetched(receiver: Receiver, stamp: _Stamp, remote: RemoteObject) -> Fetched:
    if stamp.etag == remote.etag:
        return Fetched(receiver.sha256, receiver.size_bytes)
    return Fetched(receiver.sha256, receiver.size_bytes, stamp.etag, stamp.modified)
