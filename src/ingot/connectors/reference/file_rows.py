"""Rows of a CSV or Parquet file as lines of text, and back: a file is cut into one for each date.

A landed file names the settings that it is read with, so that it is read the same way for ever: a
CSV file in a first line, a Parquet file in its metadata.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Final

import polars as pl

from ingot.connectors.csv_lines import CsvFile, Line
from ingot.errors import CorruptFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ingot.model.vendor_files import InflateLimits

_PARQUET: Final = b"PAR1"
_MARK: Final = b"#ingot "
_KEY: Final = "ingot"


class FileRows:
    """The rows of a file, in order: each as a line of text, and as it was."""

    def __init__(self, data: bytes, name: str, limits: InflateLimits) -> None:
        self.options: dict[str, str] = {}
        self.frame: pl.DataFrame | None = None
        """The rows with their types; None for a CSV file, which has texts alone."""
        if data.startswith(_PARQUET):
            self._read_parquet(data, name)
        else:
            self._read_csv(data, name, limits)

    def _read_parquet(self, data: bytes, name: str) -> None:
        try:
            self.frame = frame = pl.read_parquet(io.BytesIO(data))
            metadata = pl.read_parquet_metadata(io.BytesIO(data))
        except pl.exceptions.PolarsError as exc:
            raise CorruptFileError(
                f"{name} is not a Parquet file that can be read: {exc}. Nothing of it was loaded."
            ) from exc
        self.options = json.loads(metadata.get(_KEY, "{}"))
        self.header = tuple(frame.columns)
        self.lines = list(_lines_of(frame))

    def _read_csv(self, data: bytes, name: str, limits: InflateLimits) -> None:
        if data.startswith(_MARK):
            first, _, data = data.partition(b"\n")
            self.options = json.loads(first.removeprefix(_MARK))
        with CsvFile(data, name, limits) as file:
            self.header = file.header
            self.header_text = file.header_text
            self.lines = list(file.lines())

    def part(self, places: Sequence[int], options: dict[str, str]) -> bytes:
        """Return the file of these rows alone, with the settings that it is read with."""
        text = json.dumps(options, sort_keys=True)
        if self.frame is None:
            raws = [self.header_text, *(self.lines[place].raw for place in places)]
            return _MARK + "\n".join([text, *raws, ""]).encode()
        out = io.BytesIO()
        self.frame[list(places)].write_parquet(out, metadata={_KEY: text})
        return out.getvalue()


def _lines_of(frame: pl.DataFrame) -> Iterator[Line]:
    for number, row in enumerate(frame.iter_rows(), start=1):
        texts = ["" if value is None else _text(value) for value in row]
        yield Line(number, ",".join(texts), dict(zip(frame.columns, texts, strict=True)))


def _text(value: object) -> str:
    isoformat = getattr(value, "isoformat", None)
    return str(isoformat() if isoformat else value)
