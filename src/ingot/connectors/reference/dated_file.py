"""A CSV or Parquet file of one's own as a source: an object for each date that it has rows of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from ingot.config.messages import unknown
from ingot.connectors.reference.base import deliver
from ingot.connectors.reference.datasets import published_at
from ingot.errors import ConfigError, NotPublishedError, SourceUnavailableError
from ingot.model.landing import RemoteObject
from ingot.model.vendor_files import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date, datetime

    from ingot.connectors.base import Fetched
    from ingot.connectors.csv_lines import Line
    from ingot.connectors.reference.file_rows import FileRows
    from ingot.tables.dataset import Dataset

KINDS = ("csv", "parquet")


def file_at(location: str, places: str = "csv:FILE or parquet:FILE") -> Path:
    """Return the file that csv:FILE or parquet:FILE names; `places` is what the message offers.

    Raises:
        ConfigError: The location is not one of these, or there is no such file.
    """
    kind, _, place = location.partition(":")
    if kind not in KINDS or not place:
        raise ConfigError(f"The location was {location!r}. Write {places}.")
    path = Path(place).expanduser().absolute()
    if not path.is_file():
        raise ConfigError(f"There is no file at {str(path)!r}. Name a file: {kind}:FILE")
    return path


class DatedFile(ABC):
    """One file; it is read once and held in memory. What its rows mean is the subclass's matter."""

    def __init__(self, path: Path, name: str, rule: str) -> None:
        self._path = path
        self.name = name
        """The source of the rows."""
        self.rule = rule

    @property
    @abstractmethod
    def datasets(self) -> Mapping[str, Dataset]:
        """The one dataset of the file."""

    @abstractmethod
    def _check(self, rows: FileRows) -> None:
        """Compare the columns of the file with those that are read."""

    @abstractmethod
    def _day_of(self, line: Line) -> date | None:
        """Return the date under which a line is filed; None if its time is not one."""

    @abstractmethod
    def _options(self, day: date) -> dict[str, str]:
        """Return the settings that the object of a date is read with."""

    @abstractmethod
    def _no_time(self) -> str:
        """Return the message for a file of which no row has a time."""

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
    def rows(self) -> FileRows:
        """All rows of the file."""
        from ingot.connectors.reference.file_rows import FileRows  # noqa: PLC0415 (loads polars)

        try:
            return FileRows(self._content(), self.location, DEFAULT_LIMITS)
        except OSError as exc:
            raise SourceUnavailableError(
                f"{self._path} cannot be read: {exc.strerror}. Allow reading it and try again."
            ) from exc

    def _content(self) -> bytes:
        """Return the bytes of the file."""
        return self._path.read_bytes()

    @cached_property
    def _parts(self) -> dict[date, bytes]:
        self._check(self.rows)
        days = [self._day_of(line) for line in self.rows.lines]
        day = next((found for found in days if found is not None), None)
        places: dict[date, list[int]] = {}
        for place, found in enumerate(days):
            day = found or day  # a line without a time is refused with the line before it
            if day is None:
                raise ConfigError(self._no_time())
            places.setdefault(day, []).append(place)
        return {d: self.rows.part(places[d], self._options(d)) for d in sorted(places)}
