"""The bytes of a landed object, checked against its name as they are read.

Parsers reach an object only through this class, so a parser cannot forget the check, and what
the disk has damaged is never taken for what the vendor has sent.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from hashlib import sha256 as new_sha256
from io import BufferedIOBase, BufferedReader, RawIOBase
from stat import S_IFREG
from typing import TYPE_CHECKING, Any, Final, Literal

from ingot.errors import DamagedFileError, IngotError
from ingot.failures import translated
from ingot.storage.fs.sealed_names import differs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

    from ingot.storage.fs.object_store import ObjectStore

_BUFFER_BYTES: Final = 1 << 19


class LandedBytes:
    """One object of the landing store; read like a `Path`, but verified."""

    def __init__(self, objects: ObjectStore, name: str, sha256: str) -> None:
        self._objects, self._name, self.sha256 = objects, name, sha256

    @property
    def is_there(self) -> bool:
        """True if the object is there, whatever its bytes are."""
        return self._objects.size(self._name) is not None

    @contextmanager
    def open(self, _mode: Literal["rb"] = "rb", /) -> Iterator[BufferedReader[Any]]:
        """Open the object; its hash is computed from the bytes as they are read.

        What the block leaves unread is read at its end. Where the hash is wrong, that is the
        error, whatever else the block has found in the bytes.

        Raises:
            DamagedFileError: The object is missing, or its bytes are not those that landed.
        """
        raw = _Hashed(self._objects.open(self._name), self._objects.place(self._name))
        with BufferedReader(raw, _BUFFER_BYTES) as stream:
            try:
                yield stream
            except Exception as exc:
                if raw.sha256() != self.sha256:
                    raise self._damaged() from exc
                raise
            if raw.sha256() != self.sha256:
                raise self._damaged()

    def stat(self) -> os.stat_result:
        """Return the status of a file that has the object's size; nothing else in it counts.

        Raises:
            DamagedFileError: The object is missing.
        """
        size = self._objects.size(self._name)
        if size is None:
            raise DamagedFileError(self._objects.place(self._name), found="it is missing")
        return os.stat_result((S_IFREG, 0, 0, 1, 0, 0, size, 0, 0, 0))

    def read_bytes(self) -> bytes:
        """Return the whole object.

        Raises:
            DamagedFileError: As `open`.
        """
        with self.open() as stream:
            return stream.read()

    def head(self, size_bytes: int) -> bytes:
        """Return the first bytes, unverified: enough to show a header, not to load anything."""
        try:
            return self._objects.get_range(self._name, 0, size_bytes)
        except IngotError:
            return b""

    def _damaged(self) -> DamagedFileError:
        return DamagedFileError(self._objects.place(self._name), found=differs(self.sha256))


class _Hashed(RawIOBase):
    """A file that hashes what is read of it; it is read once, from its start."""

    def __init__(self, stream: RawIOBase | BufferedIOBase, place: str) -> None:
        super().__init__()
        self._place = place
        self._file = stream
        self._digest = new_sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        with translated(self._place, "read"):
            count = self._file.readinto(buffer) or 0
        self._digest.update(memoryview(buffer)[:count])
        return count

    def tell(self) -> int:
        return self._file.tell()

    def sha256(self) -> str:
        """Read what is left, and return the hash of the whole file."""
        rest = bytearray(_BUFFER_BYTES)
        while self.readinto(rest):
            pass
        return self._digest.hexdigest()

    def close(self) -> None:
        self._file.close()
        super().close()
