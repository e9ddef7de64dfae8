"""Objects by name, each written once: what a lake needs of a disk or a bucket.

A name is a path with slashes, relative to the store. Durable means: after `put_if_absent` returns,
the object is there whole, whatever happens to the process or the machine.
"""

from __future__ import annotations

import os
from shutil import rmtree
from stat import S_ISREG
from typing import TYPE_CHECKING, Protocol

from ingot.failures import reading, translate, translated
from ingot.folders import entries, files_below
from ingot.storage.fs import durable
from ingot.storage.fs.fault_points import undisturbed
from ingot.tables.input import NO_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedIOBase, RawIOBase
    from pathlib import Path

    from ingot.storage.fs.durable import Scratch
    from ingot.storage.fs.fault_points import Boundary
    from ingot.tables.input import EngineOptions


class ObjectStore(Protocol):
    """Objects that are written once and never change; safe for any threads and processes."""

    @property
    def options(self) -> EngineOptions:
        """What an engine needs to open the objects itself."""
        ...

    def place(self, name: str) -> str:
        """Return what engines open and messages name: a path or a URL; "" gives the store's."""
        ...

    def get(self, name: str) -> bytes:
        """Return an object's bytes.

        Raises:
            DamagedFileError: There is no such object.
        """
        ...

    def get_range(self, name: str, start: int, length: int) -> bytes:
        """Return at most `length` bytes of an object from `start` on.

        Raises:
            DamagedFileError: There is no such object.
        """
        ...

    def open(self, name: str) -> RawIOBase | BufferedIOBase:
        """Return an object's bytes as an unbuffered stream that can seek; the caller closes it.

        Raises:
            DamagedFileError: There is no such object.
        """
        ...

    def size(self, name: str) -> int | None:
        """Return an object's size in bytes; None if there is no such object."""
        ...

    def written_ns(self, name: str) -> int | None:
        """Return when an object was written, by the store's clock; None if there is none.

        Nanoseconds since 1970.
        """
        ...

    def put_if_absent(self, name: str, data: bytes | Path, *, step: str = "file") -> bool:
        """Write an object whole and durably, only if its name is free.

        Args:
            name: Its name.
            data: The bytes, or a finished local file, which stays where it is.
            step: Name of the step for fault injection.

        Returns:
            True if written; False if the name was taken, whatever it holds. Of several writers of
            one name exactly one gets True.
        """
        ...

    def names(self, folder: str) -> tuple[list[str], list[str]]:
        """Return the names of the objects, and of the folders, directly in a folder, sorted."""
        ...

    def list(self, folder: str) -> Iterator[str]:
        """Yield the names of all objects below a folder, folder by folder and by name."""
        ...

    def sync(self, name: str) -> None:
        """Return once an object that another writer may be writing now is durable."""
        ...

    def move(self, name: str, to: str) -> None:
        """Give an object the free name `to`; its bytes may be unreadable."""
        ...

    def delete(self, name: str) -> None:
        """Remove an object, or a folder with all that is below it; no error if there is none."""
        ...


class LocalObjects:
    """Objects as files below one folder of a local disk."""

    def __init__(self, root: Path, *, scratch: Scratch, boundary: Boundary = undisturbed) -> None:
        """Name the folder; nothing is read or made before first use.

        Args:
            root: The folder.
            scratch: Holds files that are not finished, on the same file system.
            boundary: Called at each durable step.
        """
        self._root = root
        self._scratch = scratch
        self._boundary = boundary

    def path(self, name: str) -> Path:
        """Return the path of an object; a name that is a path already stays one."""
        return self._root / name

    @property
    def options(self) -> EngineOptions:
        """Nothing: engines open files of this machine by their paths."""
        return NO_OPTIONS

    def place(self, name: str) -> str:
        """Return the object's path."""
        return name if name.startswith("/") else f"{self._root}/{name}".rstrip("/")

    def get(self, name: str) -> bytes:
        """Return an object's bytes."""
        path = self.path(name)
        with reading(path):
            return path.read_bytes()

    def get_range(self, name: str, start: int, length: int) -> bytes:
        """Return at most `length` bytes of an object from `start` on."""
        with self.open(name) as stream, translated(self.path(name), "read"):
            stream.seek(start)
            return stream.read(length)

    def open(self, name: str) -> RawIOBase | BufferedIOBase:
        """Return an object's bytes as an unbuffered stream."""
        path = self.path(name)
        with reading(path):
            return path.open("rb", buffering=0)

    def size(self, name: str) -> int | None:
        """Return an object's size in bytes; None if there is no such object."""
        found = self._status(name)
        return None if found is None else found.st_size

    def written_ns(self, name: str) -> int | None:
        """Return when an object's file was last written; None if there is no such object."""
        found = self._status(name)
        return None if found is None else found.st_mtime_ns

    def put_if_absent(self, name: str, data: bytes | Path, *, step: str = "file") -> bool:
        """Write an object by a temporary file, a sync and a link; see `ObjectStore`."""
        return durable.write_once(
            self.path(name),
            data,
            boundary=self._boundary,
            step=step,
            temporary_folder=self._scratch.folder if isinstance(data, bytes) else None,
        )

    def names(self, folder: str) -> tuple[list[str], list[str]]:
        """Return the names of the objects, and of the folders, directly in a folder, sorted."""
        found: tuple[list[str], list[str]] = ([], [])
        for entry in entries(self.path(folder)):
            found[entry.is_dir()].append(entry.name)
        return found

    def list(self, folder: str) -> Iterator[str]:
        """Yield the names of all objects below a folder, folder by folder and by name."""
        above = len(str(self._root)) + 1
        for path in files_below(self.path(folder)):
            yield str(path)[above:]

    def sync(self, name: str) -> None:
        """Return once the name is on the disk: who made it may have died before its own sync."""
        durable.fsync_folder(self.path(name).parent)

    def move(self, name: str, to: str) -> None:
        """Rename an object's file."""
        path, target = self.path(name), self.path(to)
        durable.make_folders(target.parent)
        with translated(path, "set aside"):
            path.rename(target)
        durable.fsync_folder(target.parent)
        durable.fsync_folder(path.parent)

    def delete(self, name: str) -> None:
        """Remove an object's file, or a folder."""
        path = self.path(name)
        with translated(path, "remove"):
            if path.is_dir():
                rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _status(self, name: str) -> os.stat_result | None:
        try:
            found = os.stat(self.place(name))  # noqa: PTH116 - of thousands of files a query
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            raise translate(exc, self.place(name), "read") from exc
        return found if S_ISREG(found.st_mode) else None
