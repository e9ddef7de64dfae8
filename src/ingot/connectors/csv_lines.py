"""A CSV file as numbered lines with their raw text, read once and by column name."""

from __future__ import annotations

import csv
import io
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ingot.connectors.base import MOST_REFUSED
from ingot.errors import CorruptFileError, SchemaDriftError
from ingot.model.vendor_files import DEFAULT_LIMITS, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from ingot.model.vendor_files import InflateLimits

_MOST_COLUMNS: Final = 100


@dataclass(frozen=True, slots=True)
class Line:
    """One record: its number (1 for the first line after the header), text and fields."""

    number: int
    raw: str
    fields: dict[str, str]
    """By column name, blanks stripped; empty when the line has too few or too many."""


class CsvFile:
    """A CSV file, plain or gzip, UTF-8; a context that closes it."""

    def __init__(self, data: bytes, name: str, limits: InflateLimits = DEFAULT_LIMITS) -> None:
        self._name = name
        packed = io.BufferedReader(io.BytesIO(data))
        inflated = unpacked(packed, name, limits)
        self._text = io.TextIOWrapper(inflated, encoding="utf-8-sig", newline="")
        self._taken: list[str] = []
        self._reader = csv.reader(self._lines(), strict=True)
        try:
            self.header = self._header()
            self.header_text = "".join(self._taken).rstrip("\r\n")
        except BaseException:
            self._text.close()
            raise

    def __enter__(self) -> Self:
        """Return the file itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._text.close()

    def check(self, needed: frozenset[str], known: frozenset[str]) -> None:
        """Compare the header, by name, with what is needed and what is known.

        Raises:
            SchemaDriftError: A needed column is missing, or one is unknown.
        """
        missing = sorted(needed - set(self.header))
        unexpected = [name for name in self.header if name not in known]
        if missing or unexpected:
            raise SchemaDriftError(self._name, missing=missing, unexpected=unexpected)

    def lines(self) -> Iterator[Line]:
        """Yield the lines after the header; empty ones are passed over.

        Raises:
            CorruptFileError: The file cannot be read to its end, is not CSV, or has more than
                500,000 empty lines.
        """
        first, empty = self._reader.line_num, 0
        while (fields := self._next()) is not None:
            raw = "".join(self._taken).rstrip("\r\n")
            if not fields:
                empty += 1
                if empty > MOST_REFUSED:
                    raise CorruptFileError(
                        f"{self._name} holds more than {MOST_REFUSED:,} empty lines. Nothing of it "
                        "was loaded; remove them and run the command again."
                    )
                continue
            whole = len(fields) == len(self.header)
            named = (
                {k: v.strip() for k, v in zip(self.header, fields, strict=True)} if whole else {}
            )
            yield Line(self._reader.line_num - first, raw, named)

    def _header(self) -> tuple[str, ...]:
        header = tuple(name.strip() for name in self._next() or ())
        if not any(header):
            raise CorruptFileError(
                f"{self._name} has no header. Nothing was loaded; a file that withdraws every "
                "row holds its header alone."
            )
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice or len(header) > _MOST_COLUMNS:
            raise SchemaDriftError(self._name, unexpected=twice or header[_MOST_COLUMNS:])
        return header

    def _next(self) -> list[str] | None:
        self._taken.clear()
        try:
            return next(self._reader, None)
        except csv.Error as exc:
            raise CorruptFileError(
                f"Line {self._reader.line_num} of {self._name} is not CSV: {exc}. Nothing of the "
                "file was loaded; put the line right and run the command again."
            ) from exc
        except (OSError, EOFError, UnicodeDecodeError, zlib.error) as exc:
            raise CorruptFileError(
                f"{self._name} cannot be read to its end after line {self._reader.line_num}: "
                f"{exc}. It should be CSV in UTF-8, plain or gzip. Nothing of it was loaded."
            ) from exc

    def _lines(self) -> Iterator[str]:
        for line in self._text:
            self._taken.append(line)
            yield line
