"""Durable files on a local store: written whole, once, and still there after a power cut."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from ingot.errors import ConfigError
from ingot.failures import translated
from ingot.folders import names
from ingot.storage.fs.fault_points import undisturbed

if TYPE_CHECKING:
    from ingot.storage.fs.fault_points import Boundary

_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP})


def fsync_file(path: Path) -> None:
    """Return once the file's bytes are on the disk."""
    _fsync(path, os.O_RDONLY)


def fsync_folder(path: Path) -> None:
    """Return once the folder's entries (names made, linked or removed in it) are on the disk."""
    _fsync(path, os.O_RDONLY | os.O_DIRECTORY)


def _fsync(path: Path, flags: int) -> None:
    with translated(path, "sync"):
        descriptor = os.open(path, flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_folders(path: Path) -> None:
    """Make `path` and its missing parents, each durable before the next is made in it.

    The entry of `path` itself is synced even when it was there: another process may have made it
    a moment ago and died before its own sync. A process syncs the entry of a folder once.
    """
    if not path.is_dir():
        if path.parent != path:
            make_folders(path.parent)
        with translated(path, "make the folder"):
            path.mkdir(exist_ok=True)
    with translated(path, "look at the folder"):
        _sync_entry(path, path.stat().st_ino)


@lru_cache(maxsize=4096)
def _sync_entry(path: Path, number: int) -> None:
    del number  # a folder that was removed and made again has a new entry
    # Above a lake may lie folders that its user can pass but not open; they are not ours to sync.
    if os.access(path.parent, os.R_OK):
        fsync_folder(path.parent)


def link_once(
    source: Path, path: Path, *, boundary: Boundary = undisturbed, step: str = "file"
) -> bool:
    """Give the finished file `source` the name `path`, unless the name is taken.

    `source` keeps its own name too. On another file system the name is given to a copy.

    Returns:
        True when this call made the name; False when it was there. Either way the name is
        durable on return.
    """
    with translated(path, "write"):
        fsync_file(source)
        make_folders(path.parent)
        boundary(f"{step}.before_link")
        linked = _link(source, path)
        boundary(f"{step}.after_link")
        fsync_folder(path.parent)
        boundary(f"{step}.after_sync")
    return linked


def _link(source: Path, path: Path) -> bool:
    try:
        os.link(source, path)
    except FileExistsError:
        return False
    except OSError as exc:
        if exc.errno == errno.EXDEV:
            return _link_copy(source, path)
        if exc.errno in _NO_LINKS:
            raise ConfigError(
                f"The file system of {path.parent} cannot hard-link ({exc.strerror}), which a lake "
                "needs to write each record once. Keep the lake on ext4, xfs, btrfs, zfs or apfs."
            ) from exc
        raise
    return True


def _link_copy(source: Path, path: Path) -> bool:
    temporary = path.with_name(f".{uuid4().hex}.tmp")
    try:
        shutil.copyfile(source, temporary)
        fsync_file(temporary)
        return _link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_once(
    path: Path,
    data: bytes | Path,
    *,
    boundary: Boundary = undisturbed,
    step: str = "file",
    temporary_folder: Path | None = None,
) -> bool:
    """Write `path` whole, durably, and only if the name is free.

    The bytes go to a temporary name first, are synced, and are then linked to `path`, which the
    file system refuses when the name exists: of two processes exactly one gets True.

    Args:
        path: The name to make; missing folders are made.
        data: The bytes, or a finished file (it keeps its own name).
        boundary: Called with `<step>.before_write`, `.before_link`, `.after_link`, `.after_sync`.
        step: Name of the step for the boundary.
        temporary_folder: Where the temporary file is made; by default beside `path`.

    Returns:
        True when written; False when the name was there already, whatever its content.

    Raises:
        StorageFullError, ConfigError, StorageUnavailableError: See `translated`.
    """
    with translated(path, "write"):
        boundary(f"{step}.before_write")
        if isinstance(data, Path):
            return link_once(data, path, boundary=boundary, step=step)
        folder = temporary_folder or path.parent
        make_folders(folder)
        temporary = folder / f".{uuid4().hex}.tmp"
        try:
            temporary.write_bytes(data)
            return link_once(temporary, path, boundary=boundary, step=step)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


class Scratch:
    """A process's own folder for files that are not finished yet.

    It is held by a file lock, which the system drops when the process ends in any way, so that
    another process can tell leftovers from work that goes on (process ids cannot: they are
    used again, and differ between containers that share a disk). Nothing is made before first use.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._token: str | None = None
        self._descriptor: int | None = None
        self._taking = Lock()

    @property
    def token(self) -> str:
        """The name that this process works under; takes its lock on first use.

        What dead processes left is removed then.
        """
        with self._taking:  # threads that fetch may all be the first
            if self._token is None:
                make_folders(self._root)
                self.sweep()
                self._token, self._descriptor = self._take()
            return self._token

    def hold(self) -> None:
        """Let other processes see that this one is at work."""
        _ = self.token

    @property
    def folder(self) -> Path:
        """The process's own folder, made on first use."""
        folder = self._root / self.token
        if not folder.is_dir():
            make_folders(folder)
        return folder

    def path(self, name: str) -> Path:
        """Return a fresh path in the folder; its name ends with the last part of `name`."""
        return self.folder / f"{uuid4().hex}-{Path(name).name}"

    def is_alive(self, token: str) -> bool:
        """Return True if the process that took `token` still runs."""
        if token == self._token:
            return True
        descriptor = _lock(self._root / f"{token}.lock")
        if descriptor is not None:
            os.close(descriptor)
        return descriptor is None and (self._root / f"{token}.lock").exists()

    def others_since_s(self) -> float | None:
        """Return when the oldest other process that still runs took its lock; None without one.

        Seconds since 1970, by the clock of the file system: no file of such a process is older.
        """
        found = []
        for lock in (self._root / name for name in names(self._root) if name.endswith(".lock")):
            if lock.stem != self._token and self.is_alive(lock.stem):
                with suppress(FileNotFoundError):
                    found.append(lock.stat().st_mtime)
        return min(found, default=None)

    def sweep(self) -> int:
        """Remove the folders of processes that are gone; return how many there were."""
        removed = 0
        locks = [name for name in names(self._root) if name.endswith(".lock")]
        for lock in (self._root / name for name in sorted(locks)):
            descriptor = None if lock.stem == self._token else _lock(lock)
            if descriptor is not None:
                shutil.rmtree(self._root / lock.stem, ignore_errors=True)
                lock.unlink(missing_ok=True)
                os.close(descriptor)
                removed += 1
        return removed

    def close(self) -> None:
        """Remove the folder and give up the lock."""
        if self._token is None or self._descriptor is None:
            return
        shutil.rmtree(self._root / self._token, ignore_errors=True)
        (self._root / f"{self._token}.lock").unlink(missing_ok=True)
        os.close(self._descriptor)
        self._token = self._descriptor = None

    def _take(self) -> tuple[str, int]:
        while True:
            token = uuid4().hex
            lock = self._root / f"{token}.lock"
            with translated(lock, "write"):
                lock.touch(exist_ok=False)
            descriptor = _lock(lock)
            if descriptor is not None:
                if lock.exists():
                    return token, descriptor
                os.close(descriptor)


def _lock(path: Path) -> int | None:
    """Return a descriptor that holds the file's lock, or None when it is held or gone."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except (FileNotFoundError, PermissionError):
        return None  # another user's is taken for held
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
