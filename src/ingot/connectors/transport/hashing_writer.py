"""Bytes on their way to a file, hashed as they pass."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from ingot.failures import translated

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Self


class Receiver:
    """A file that is written from its start, and the hash of what it holds so far.

    `advance` is called with each piece's size; `restart` calls it with the negative of all.
    """

    def __init__(self, path: Path, advance: Callable[[int], None]) -> None:
        self._path = path
        self._advance = advance
        with translated(path, "write"):
            self._file = path.open("wb")
        self._hash = sha256()
        self.size_bytes = 0

    def __enter__(self) -> Self:
        """Return the receiver itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file; a flush that finds the disk full raises."""
        with translated(self._path, "write"):
            self._file.close()

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes so far, in hex."""
        return self._hash.hexdigest()

    def write(self, piece: bytes | memoryview) -> None:
        """Append one piece.

        Raises:
            StorageFullError: The disk is full.
        """
        with translated(self._path, "write"):
            self._file.write(piece)
        self._hash.update(piece)
        self.size_bytes += len(piece)
        self._advance(len(piece))

    def restart(self) -> None:
        """Give up what arrived and begin with an empty file."""
        self._file.seek(0)
        self._file.truncate()
        self._hash = sha256()
        self._advance(-self.size_bytes)
        self.size_bytes = 0
