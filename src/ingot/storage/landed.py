"""The bytes of a landed object, checked against its name by whoever reads them.

Parsers reach an object only through this class, so a parser cannot forget the check, and what
the disk has damaged is never taken for what the vendor has sent.
"""

from __future__ import annotations

from contextlib import contextmanager
from hashlib import sha256 as new_sha256
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, Any, Final, Literal

from ingot.errors import DamagedFileError
from ingot.failures import translated
from ingot.storage.seal import differs

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path

    from typing_extensions import Buffer

_BUFFER_BYTES: Final = 1 << 19


class LandedBytes:
    """One object of the landing store; read like a `Path`, but verified."""

    def __init__(self, path: Path, sha256: str) -> None:
        self.path, self.sha256 = path, sha256

    @contextmanager
    def open(self, mode: Literal["rb"] = "rb") -> Iterator[BufferedReader[Any]]:
        """Open the object; its hash is computed from the bytes as they are read.

        What the block leaves unread is read at its end. Where the hash is wrong, that is the
        error, whatever else the block has found in the bytes.

        Raises:
            DamagedFileError: The object is missing, or its bytes are not those that landed.
        """
        try:
            raw = _Hashed(self.path, mode)
        except FileNotFoundError as exc:
            raise DamagedFileError(self.path, found="it is missing") from exc
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
        """Return the size of the object, among others.

        Raises:
            DamagedFileError: The object is missing.
        """
        try:
            return self.path.stat()
        except FileNotFoundError as exc:
            raise DamagedFileError(self.path, found="it is missing") from exc

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
            with self.path.open("rb") as stream:
                return stream.read(size_bytes)
        except OSError:
            return b""

    def _damaged(self) -> DamagedFileError:
        return DamagedFileError(self.path, found=differs(self.sha256))


class _Hashed(RawIOBase):
    """A file that hashes what is read of it; it is read once, from its start."""

    def __init__(self, path: Path, mode: Literal["rb"]) -> None:
        super().__init__()
        self._path = path
        self._file = path.open(mode, buffering=0)
        self._digest = new_sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        with translated(self._path, "read"):
            count = self._file.readinto(buffer)
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
