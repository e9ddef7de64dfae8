"""A file of bars as a source: an object for each date in New York that it has bars of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingot.connectors.bars.datasets import DATASETS, RULE
from ingot.connectors.bars.settings import BarsSettings
from ingot.connectors.reference.dated_file import DatedFile
from ingot.model.vendor_files import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from ingot.connectors.base import Parsed
    from ingot.connectors.csv_lines import Line
    from ingot.connectors.reference.file_rows import FileRows
    from ingot.model.landing import Content, Landing
    from ingot.model.vendor_files import InflateLimits
    from ingot.tables.dataset import Dataset


class BarsSource(DatedFile):
    """One CSV or Parquet file of bars."""

    def __init__(self, path: Path, settings: BarsSettings) -> None:
        super().__init__(path, settings.name, RULE)
        self._settings = settings

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """The dataset of the file's interval."""
        name = f"bars/{self._settings.interval}"
        return {name: DATASETS[name]}

    def _content(self) -> bytes:
        """Return the bytes of the file, or the bars of a folder of LEAN's as a CSV file."""
        if not self._path.is_dir():
            return super()._content()
        from ingot.connectors.bars.lean import as_csv  # noqa: PLC0415 (rarely needed)

        return as_csv(self._path, self._settings.interval)

    def _check(self, rows: FileRows) -> None:
        from ingot.connectors.bars.parse import check_header  # noqa: PLC0415 (loads polars)

        check_header(rows.header, self._settings, self.location)

    def _day_of(self, line: Line) -> date | None:
        from ingot.connectors.bars.parse import day_of  # noqa: PLC0415 (loads polars)

        return day_of(line, self._settings)

    def _options(self, day: date) -> dict[str, str]:
        """Return the settings of a file; how a repeated hour is read only where there is one."""
        kept = self._settings.model_dump(exclude={"name", "fold"}, exclude_defaults=True)
        return kept | ({"fold": self._settings.fold} if self._settings.changes_clocks(day) else {})

    def _no_time(self) -> str:
        settings = self._settings
        wish = "Name the zone of its times (zone), such as America/New_York, or write an offset."
        if settings.zone or settings.interval == "1d":
            wish = (
                "Write ISO dates or times, or name the column of the time with --map time=COLUMN."
            )
        column = settings.column_of("time")
        return (
            f"No row of {self.location} has a time in its column {column} that can be read. {wish}"
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
            SchemaDriftError: A column is missing.
            CorruptFileError: The bytes cannot be read to their end.
            QuarantineLimitError: More than `limit_pct` percent of the rows were refused.
            StorageFullError: The disk is full.
        """
        from ingot.connectors.bars.parse import check_header, read_bars  # noqa: PLC0415 (polars)
        from ingot.connectors.reference.bronze_rows import write_rows  # noqa: PLC0415 (pyarrow)
        from ingot.connectors.reference.file_rows import FileRows  # noqa: PLC0415 (polars)

        rows = FileRows(content.read_bytes(), landing.key, limits)
        settings = settings_of(rows.options, self.name)
        check_header(rows.header, settings, landing.key)
        bars = read_bars(rows.lines, settings)
        return write_rows(landing, DATASETS[landing.dataset].bronze, bars, to, limit_pct=limit_pct)


def settings_of(options: Mapping[str, str], name: str) -> BarsSettings:
    """Return the settings that an object is read with.

    One that names no fold has no time that occurs twice, or it landed when the first was taken.
    """
    return BarsSettings.model_validate({"fold": "first", "name": name, **options})
