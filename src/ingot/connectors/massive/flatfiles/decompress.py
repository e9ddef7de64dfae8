"""A landed file as its header and blocks of whole lines, whether it is gzip or plain text."""

from __future__ import annotations

import csv
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from isal import igzip, igzip_lib

from ingot.errors import CorruptFileError, SchemaDriftError
from ingot.model.vendor_files import DEFAULT_LIMITS, GZIP, limited

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from io import BufferedIOBase

    from ingot.model.landing import Content
    from ingot.model.vendor_files import InflateLimits

BLOCK_BYTES: Final = 13 << 18
"""3.25 MiB of text: 40,000 to 62,000 rows, one row group."""
BOM: Final = b"\xef\xbb\xbf"
_LONGEST_LINE: Final = 1 << 20
_BAD_GZIP: Final[Any] = (
    EOFError,
    igzip.BadGzipFile,
    igzip_lib.IsalError,
)


class Inflated:
    """The text of one file, read once from its start.

    Several gzip members in a row are one file, and zeros may follow (both as RFC 1952 and gzip
    have it); anything else behind the last member, a wrong checksum or an early end is corrupt.
    """

    def __init__(self, stream: BufferedIOBase, what: str, most_bytes: int) -> None:
        self._stream = stream
        self._what = what
        self.most_bytes = most_bytes
        """How many bytes of text there can be, header included."""

    def header(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the first line, which are `columns` in any order.

        A byte order mark before them and quotes around them are no part of the names.

        Raises:
            SchemaDriftError: A name is missing, unexpected or there twice.
            CorruptFileError: There is no first line of text.
        """
        with _corrupt(self._what):
            line = self._stream.readline(_LONGEST_LINE)
        names = self._names(line.removeprefix(BOM))
        missing = [name for name in columns if name not in names]
        unexpected = [n for i, n in enumerate(names) if n not in columns or n in names[:i]]
        if missing or unexpected:
            raise SchemaDriftError(self._what, missing=missing, unexpected=unexpected)
        return names

    def _names(self, line: bytes) -> tuple[str, ...]:
        try:
            text = line.decode().rstrip("\r\n")
            if text.strip() and text.isprintable():
                return tuple(next(csv.reader([text], strict=True)))
        except (UnicodeDecodeError, csv.Error):
            pass
        found = "is empty" if not line.strip() else f"begins with {line[:16]!r}"
        raise CorruptFileError(
            f"{self._what} {found}, not with a header of text. Nothing of it was loaded; look at "
            "its bytes in landing, and load again when the vendor has replaced it."
        )

    def blocks(self, size_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
        """Yield the lines behind the header, whole, about `size_bytes` at a time.

        Raises:
            CorruptFileError: The file does not go on to its end, or a line has no end.
        """
        while True:
            with _corrupt(self._what):
                block = self._stream.read(size_bytes)
                if not block:
                    return
                if not block.endswith(b"\n"):
                    rest = self._stream.readline(_LONGEST_LINE)
                    if len(rest) == _LONGEST_LINE and not rest.endswith(b"\n"):
                        raise CorruptFileError(
                            f"{self._what} has a line of more than {_LONGEST_LINE} bytes: "
                            "it is not a file of rows. Nothing of it was loaded."
                        )
                    block += rest
            yield block


@contextmanager
def inflate(
    content: Content, what: str, limits: InflateLimits = DEFAULT_LIMITS
) -> Iterator[Inflated]:
    """Open the bytes at `content`, gzip by their first two bytes or else plain text.

    Args:
        content: The bytes.
        what: The file's name for messages.
        limits: How far it may inflate.
    """
    size = content.stat().st_size
    with content.open("rb") as raw:
        if not raw.peek(len(GZIP)).startswith(GZIP):
            yield Inflated(raw, what, size)
            return
        stream: Any = igzip.open(raw, "rb")  # type: ignore[no-untyped-call] # isal has half a stub
        with limited(stream, raw.tell, what, limits) as inflated:
            yield Inflated(inflated, what, limits.left(size, 0))


@contextmanager
def _corrupt(what: str) -> Iterator[None]:
    try:
        yield
    except _BAD_GZIP as exc:
        raise CorruptFileError(
            f"{what} cannot be read to its end: {exc}. Nothing of it was loaded; its bytes are "
            "kept in landing, and a version that the vendor puts in its place is loaded as usual."
        ) from exc
