"""A folder of daily files: listed by name, copied as they are, parsed line by line."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from daybook.parse import read_bars
from ingot.connectors.reference.bronze_rows import write_rows
from ingot.connectors.transport.backoff import Backoff
from ingot.connectors.transport.local_copy import Stamp, copy_file
from ingot.errors import ConfigError
from ingot.folders import names
from ingot.model.landing import RemoteObject
from ingot.model.vendor_files import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ingot.connectors.base import Fetched, Parsed
    from ingot.model.landing import Content, Landing
    from ingot.model.vendor_files import InflateLimits
    from ingot.tables.dataset import Dataset

SUFFIX = ".txt"


class DaybookSource:
    """One folder of daily files."""

    name = "daybook"
    rule = "daybook-next-day-1"

    def __init__(self, root: Path, lot: int, datasets: Mapping[str, Dataset]) -> None:
        self._root = root
        self._lot = lot
        self.datasets = datasets
        self.location = str(root)

    def published_at(self, file_date: date) -> datetime:
        """Return the end of the day, UTC."""
        return datetime.combine(file_date + timedelta(days=1), datetime.min.time(), UTC)

    def list(self, dataset: str, start: date, end: date) -> Sequence[RemoteObject]:
        """Return the files of `[start, end)`, ascending."""
        if dataset not in self.datasets:
            raise ConfigError(
                f"daybook has no dataset {dataset}. Name one of {set(self.datasets)}."
            )
        return tuple(self._remote(dataset, day) for day in self._days() if start <= day < end)

    def fetch(self, remote: RemoteObject, to: Path, advance: Callable[[int], None]) -> Fetched:
        """Copy the file to `to`, hashing it."""
        path = self._root / f"{remote.file_date}{SUFFIX}"
        return copy_file(path, to, advance, listed_etag=remote.etag, backoff=Backoff())

    def parse(
        self,
        landing: Landing,
        content: Content,
        to: Path,
        *,
        limit_pct: float,
        limits: InflateLimits = DEFAULT_LIMITS,
    ) -> Parsed:
        """Write the rows of a landed file to `to`."""
        del limits  # the files are not packed
        rows = read_bars(content.read_bytes(), landing.key, self._lot)
        bronze = self.datasets[landing.dataset].bronze
        return write_rows(landing, bronze, rows, to, limit_pct=limit_pct)

    def _days(self) -> Iterator[date]:
        for name in sorted(names(self._root)):
            try:
                yield date.fromisoformat(name.removesuffix(SUFFIX))
            except ValueError:
                continue  # another file

    def _remote(self, dataset: str, day: date) -> RemoteObject:
        stamp = Stamp.of((self._root / f"{day}{SUFFIX}").stat())
        return RemoteObject(
            source=self.name,
            dataset=dataset,
            file_date=day,
            key=f"{dataset}/{day}{SUFFIX}",
            etag=stamp.etag,
            size_bytes=stamp.size,
            last_modified=stamp.modified,
        )
