"""A file of bars as a source: an object for each date in New York that it has bars of."""

from __future__ import annotations

from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

from ingot.config.messages import unknown
from ingot.connectors.bars.datasets import DATASETS, RULE
from ingot.connectors.bars.settings import BarsSettings
from ingot.connectors.reference.base import deliver
from ingot.connectors.reference.datasets import published_at
from ingot.errors import ConfigError, NotPublishedError, SourceUnavailableError
from ingot.model.landing import RemoteObject
from ingot.model.vendor_files import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date, datetime
    from pathlib import Path

    from ingot.connectors.base import Fetched, Parsed
    from ingot.model.landing import Content, Landing
    from ingot.model.vendor_files import InflateLimits
    from ingot.tables.dataset import Dataset


class BarsSource:
    """One CSV or Parquet file; it is read once and held in memory."""

    def __init__(self, path: Path, settings: BarsSettings) -> None:
        self._path = path
        self._settings = settings
        self.name = settings.name
        """The source of the rows."""
        self.rule = RULE

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """The dataset of the file's interval."""
        name = f"bars/{self._settings.interval}"
        return {name: DATASETS[name]}

    @property
    def location(self) -> str:
        """The file's name: an object's tag is its hash, so that its folder does not matter."""
        return self._path.name

    def published_at(self, file_date: date) -> datetime:
        """Return the end of `file_date`, UTC."""
        return published_at(file_date)

    def list(self, dataset: str, start: date, end: date) -> Sequence[RemoteObject]:
        """Return an object for each date of the file in `[start, end)`, ascending.

        Raises:
            ConfigError: The dataset is unknown.
            SchemaDriftError: A column is missing.
            CorruptFileError, SourceUnavailableError: The file cannot be read.
        """
        if dataset not in self.datasets:
            raise ConfigError(unknown(f"dataset of {self.name}", dataset, self.datasets))
        return tuple(
            RemoteObject(
                source=self.name,
                dataset=dataset,
                file_date=day,
                key=f"{dataset}/{day}",
                etag=sha256(data).hexdigest(),
                size_bytes=len(data),
                last_modified=None,
            )
            for day, data in self._parts.items()
            if start <= day < end
        )

    def fetch(self, remote: RemoteObject, to: Path, advance: Callable[[int], None]) -> Fetched:
        """Write the rows of a date to `to`.

        Raises:
            NotPublishedError: The file has no such date.
            StorageFullError: The disk is full.
        """
        data = self._parts.get(remote.file_date)
        if data is None:
            raise NotPublishedError(f"{self.location} has no row of {remote.file_date}.")
        return deliver(data, to, advance)

    @cached_property
    def _parts(self) -> dict[date, bytes]:
        from ingot.connectors.bars.lines import Table  # noqa: PLC0415 (loads polars)
        from ingot.connectors.bars.parse import check_header, day_of  # noqa: PLC0415 (the same)

        try:
            table = Table(self._path.read_bytes(), self.location, DEFAULT_LIMITS)
        except OSError as exc:
            raise SourceUnavailableError(
                f"{self._path} cannot be read: {exc.strerror}. Allow reading it and try again."
            ) from exc
        check_header(table.header, self._settings, self.location)
        days = [day_of(line, self._settings) for line in table.lines]
        day = next((found for found in days if found is not None), None)
        places: dict[date, list[int]] = {}
        for place, found in enumerate(days):
            day = found or day  # a line without a time is refused with the line before it
            if day is None:
                raise ConfigError(_no_time(self.location, self._settings))
            places.setdefault(day, []).append(place)
        options = self._settings.model_dump(exclude={"name"}, exclude_defaults=True)
        return {day: table.part(places[day], options) for day in sorted(places)}

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
        from ingot.connectors.bars.lines import Table  # noqa: PLC0415 (loads polars)
        from ingot.connectors.bars.parse import check_header, read_bars  # noqa: PLC0415 (the same)
        from ingot.connectors.reference.bronze_rows import (  # noqa: PLC0415 (loads pyarrow)
            write_rows,
        )

        table = Table(content.read_bytes(), landing.key, limits)
        settings = BarsSettings.model_validate({"name": self.name, **table.options})
        check_header(table.header, settings, landing.key)
        rows = read_bars(table.lines, settings)
        bronze = DATASETS[landing.dataset].bronze
        return write_rows(landing, bronze, rows, to, limit_pct=limit_pct)


def _no_time(name: str, settings: BarsSettings) -> str:
    column = settings.column_of("time")
    wish = "Name the zone of its times (zone), such as America/New_York, or write an offset."
    if settings.zone or settings.interval == "1d":
        wish = "Write ISO dates or times, or name the column of the time with --map time=COLUMN."
    return f"No row of {name} has a time in its column {column} that can be read. {wish}"
