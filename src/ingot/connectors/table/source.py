"""A file of an own table as a source: an object for each date, UTC, that it has rows of."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

from ingot.connectors.reference.dated_file import DatedFile
from ingot.model.vendor_files import DEFAULT_LIMITS
from ingot.tables.dataset import Dataset
from ingot.tables.own import CONNECTOR, SOURCE, own_tables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ingot.connectors.base import Parsed
    from ingot.connectors.csv_lines import Line
    from ingot.connectors.reference.file_rows import FileRows
    from ingot.connectors.table.settings import TableSettings
    from ingot.model.landing import Content, Landing
    from ingot.model.vendor_files import InflateLimits

RULE: Final = "own-tables-1"
"""A date's rows are out at the end of the date, UTC."""
_FROM: Final = date(1800, 1, 1)
_CALENDAR: Final = "24/7"


class TableSource(DatedFile):
    """One CSV or Parquet file of a table whose columns are recorded."""

    def __init__(self, path: Path, settings: TableSettings) -> None:
        super().__init__(path, SOURCE, RULE)
        self._settings = settings

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """The one dataset of the table."""
        bronze, silver = own_tables(self._settings.model_dump())
        name = f"{CONNECTOR}/{self._settings.name}"
        return {name: Dataset(name, bronze, _CALENDAR, _FROM, silver, per_day=False)}

    def _check(self, rows: FileRows) -> None:
        from ingot.connectors.table import contract  # noqa: PLC0415 (loads polars)

        contract.check_columns_of(rows, self._settings, self.location)
        contract.check_texts(rows, self._settings, self.location)

    def _day_of(self, line: Line) -> date | None:
        from ingot.connectors.table.parse import day_of  # noqa: PLC0415 (loads polars)

        return day_of(line, self._settings)

    def _options(self, day: date) -> dict[str, str]:
        """Return nothing: the lake records how the table is read."""
        del day
        return {}

    def _no_time(self) -> str:
        time = self._settings.time
        return (
            f"No row of {self.location} has a time in its column {time} that can be read. Write "
            "ISO dates or times; name the zone of times without an offset with --zone"
        )

    def parse(
        self,
        landing: Landing,
        content: Content,
        to: Path,
        *,
        limit_pct: float,
        limits: InflateLimits = DEFAULT_LIMITS,
    ) -> Parsed:
        """Parse the landed rows of a date into one Parquet file at `to`, in source order.

        Raises:
            SchemaDriftError: A column is missing, new or of another type.
            CorruptFileError: The bytes cannot be read to their end.
            QuarantineLimitError: More than `limit_pct` percent of the rows were refused.
            StorageFullError: The disk is full.
        """
        from ingot.connectors.reference.bronze_rows import write_rows  # noqa: PLC0415 (pyarrow)
        from ingot.connectors.reference.file_rows import FileRows  # noqa: PLC0415 (polars)
        from ingot.connectors.table.contract import check_columns_of  # noqa: PLC0415 (polars)
        from ingot.connectors.table.parse import read_rows  # noqa: PLC0415 (the same)

        rows = FileRows(content.read_bytes(), landing.key, limits)
        check_columns_of(rows, self._settings, landing.key)
        bronze, _ = own_tables(self._settings.model_dump())
        read = read_rows(rows.lines, self._settings)
        return write_rows(landing, bronze, read, to, limit_pct=limit_pct)
