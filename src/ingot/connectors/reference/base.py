"""What all sources of reference data have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from hashlib import sha256
from typing import TYPE_CHECKING

from ingot.config.messages import unknown
from ingot.connectors.base import Fetched
from ingot.connectors.reference import datasets as reference
from ingot.connectors.transport.hashing_writer import Receiver
from ingot.errors import ConfigError
from ingot.model.landing import Content, RemoteObject
from ingot.model.vendor_files import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date, datetime
    from pathlib import Path

    from ingot.connectors.base import Parsed
    from ingot.connectors.reference.rows import Bad, Good
    from ingot.connectors.transport.local_copy import Stamp
    from ingot.model.landing import Landing
    from ingot.model.vendor_files import InflateLimits
    from ingot.tables.dataset import Dataset


class ReferenceSource(ABC):
    """Names, rule and parsing; what is listed and how it is read is the subclass's business."""

    def __init__(self, name: str, location: str, datasets: Mapping[str, Dataset]) -> None:
        self._name = name
        self._location = location
        self._datasets = datasets

    def __repr__(self) -> str:
        """Name the place, never a key."""
        return f"{type(self).__name__}({self._location!r})"

    @property
    def name(self) -> str:
        """The connector's name."""
        return self._name

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """The datasets of reference data, by name."""
        return self._datasets

    @property
    def rule(self) -> str:
        """Id of the publication rule."""
        return reference.RULE

    @property
    def location(self) -> str:
        """Where it is, without any secret."""
        return self._location

    def published_at(self, file_date: date) -> datetime:
        """Return the end of `file_date`, UTC."""
        return reference.published_at(file_date)

    def parse(
        self,
        landing: Landing,
        content: Content,
        to: Path,
        *,
        limit_pct: float,
        limits: InflateLimits = DEFAULT_LIMITS,
    ) -> Parsed:
        """Parse the landed bytes into one Parquet file at `to`, in source order.

        Raises:
            SchemaDriftError: The header is not the contract's.
            CorruptFileError: The bytes cannot be read to their end.
            LookAtDataError: The table contradicts itself.
            QuarantineLimitError: More than `limit_pct` percent of the rows were refused.
            StorageFullError: The disk is full.
        """
        from ingot.connectors.reference.bronze_rows import (  # noqa: PLC0415 (loads pyarrow)
            write_rows,
        )

        table = self.dataset(landing.dataset).bronze
        rows = self.read_packed(landing, content, limits)
        return write_rows(landing, table, rows, to, limit_pct=limit_pct)

    @abstractmethod
    def list(self, dataset: str, start: date, end: date) -> Sequence[RemoteObject]:
        """Return the objects there for the span, one per file or query."""

    @abstractmethod
    def fetch(self, remote: RemoteObject, to: Path, advance: Callable[[int], None]) -> Fetched:
        """Write the object's bytes to `to` and return their hash."""

    @abstractmethod
    def read(self, landing: Landing, content: Content) -> Iterable[Good | Bad]:
        """Return the rows of the landed bytes, good and bad, in source order."""

    def read_packed(
        self, landing: Landing, content: Content, limits: InflateLimits
    ) -> Iterable[Good | Bad]:
        """Return the rows of bytes that may be packed; a source whose bytes never are reads them.

        Raises:
            CorruptFileError: They inflate beyond `limits`.
        """
        del limits
        return self.read(landing, content)

    def dataset(self, name: str) -> Dataset:
        """Return the dataset called `name`.

        Raises:
            ConfigError: There is none.
        """
        if name not in self._datasets:
            raise ConfigError(unknown(f"dataset of {self._name}", name, self._datasets))
        return self._datasets[name]

    def remote(
        self, dataset: str, file_date: date, key: str, stamp: Stamp | None = None
    ) -> RemoteObject:
        """Return one object of a listing: a file by its stamp, or a query without one."""
        return RemoteObject(
            source=self._name,
            dataset=dataset,
            file_date=file_date,
            key=key,
            etag=stamp.etag if stamp else "",
            size_bytes=stamp.size if stamp else 0,
            last_modified=stamp.modified if stamp else None,
        )


def deliver(content: bytes, to: Path, advance: Callable[[int], None]) -> Fetched:
    """Write bytes made from answers to `to` and return their hash.

    Raises:
        StorageFullError: The disk is full.
    """
    with Receiver(to, advance) as receiver:
        receiver.write(content)
    return Fetched(sha256(content).hexdigest(), len(content))
