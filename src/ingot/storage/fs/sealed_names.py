"""Names that carry the SHA-256 of their file's bytes, so that damage is found by reading alone.

Data files, manifests, manifest lists and metadata files are written once and never change. Each is
named `<name>.<sha256>.<suffix>`: who has the name has the hash, and a name is written down where
the file is referred to. A file of another writer, or of an older lake, has no hash in its name.
"""

from __future__ import annotations

import re
from hashlib import sha256 as new_sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedIOBase, RawIOBase
    from pathlib import Path

_SEALED: Final = re.compile(r".+\.([0-9a-f]{64})\.(?:parquet|avro|metadata\.json)")
_SUFFIX: Final = re.compile(r"\.(?:parquet|avro|metadata\.json)$")
_CHUNK_BYTES: Final = 1 << 20


def sealed(name: str, sha256: str) -> str:
    """Return a file name (or location) with the hash of the file's bytes in it.

    >>> sealed("00001-a.metadata.json", "ab" * 32)[:20]
    '00001-a.abababababab'
    """
    return _SUFFIX.sub(lambda suffix: f".{sha256}{suffix[0]}", name)


def hash_in(name: str) -> str | None:
    """Return the SHA-256 that a file name carries; None where it carries none.

    >>> hash_in(sealed("a.parquet", "ab" * 32)) == "ab" * 32, hash_in("a.parquet")
    (True, None)
    """
    found = _SEALED.fullmatch(name.rpartition("/")[2])
    return found[1] if found else None


def hash_file(path: Path, advance: Callable[[int], None] | None = None) -> str:
    """Return the SHA-256 of a file in constant memory; `advance` receives the bytes of each read.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb", buffering=0) as stream:
        return hash_stream(stream, advance)


def hash_stream(
    stream: RawIOBase | BufferedIOBase, advance: Callable[[int], None] | None = None
) -> str:
    """Return the SHA-256 of a stream's bytes as `hash_file` does."""
    digest = new_sha256()
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    while count := stream.readinto(buffer):
        digest.update(buffer[:count])
        if advance is not None:
            advance(count)
    return digest.hexdigest()


def differs(wanted: str) -> str:
    """Return the finding that bytes do not have the hash that they should have."""
    return f"its bytes do not have the SHA-256 {wanted[:16]}... that was written"
