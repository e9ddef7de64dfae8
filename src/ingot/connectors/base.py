"""What a connector is: a source of files, described by Protocols and frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from ingot.model.vendor_files import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date, datetime
    from pathlib import Path

    from pydantic import BaseModel

    from ingot.model.landing import Content, Landing, RemoteObject
    from ingot.model.time import Clock
    from ingot.model.unit import RefusedRow
    from ingot.model.vendor_files import InflateLimits
    from ingot.tables.dataset import Dataset

AS_OPTION: Final[dict[str, Any]] = {"ingot_option": "dataset"}
"""As `json_schema_extra` of a field of a settings model: `ingot ingest NAME` has it as an option.

What the first load chose is recorded with the dataset and cannot change: its objects are parsed
the same way for ever.
"""
AS_OBJECT_OPTION: Final[dict[str, Any]] = {"ingot_option": "object"}
"""The same for a source that keeps the setting in each object: it may differ from load to load."""
MOST_REFUSED: Final = 500_000
"""Refused rows that a file may have under any limit: they are held in memory."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """Bytes that arrived whole."""

    sha256: str
    size_bytes: int
    etag: str | None = None
    """The tag of the version that arrived; None when it is the one that was listed."""
    last_modified: datetime | None = None
    """When that version was last modified, UTC; None when it is the one that was listed."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file's rows, written as one Parquet file in the contract's Arrow schema."""

    path: Path | None
    """None when the file has no good row."""
    rows: int
    """Good rows, written."""
    symbols: int
    """Distinct symbols among them."""
    in_order: bool
    """True when (symbol, window_start) rises strictly, so that no key occurs twice."""
    refused: tuple[RefusedRow, ...]


class Parser(Protocol):
    """Reads what a vendor's objects say, wherever they once came from."""

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
            CorruptFileError: The file cannot be read to its end, or inflates beyond `limits`.
            DamagedFileError: The landed bytes are not what they were.
            QuarantineLimitError: More than `limit_pct` percent of the rows were refused; its
                `refused_rows` holds at most 1,000 of them.
        """
        ...


class FileSource(Parser, Protocol):
    """A vendor that publishes one file per dataset and day."""

    @property
    def name(self) -> str:
        """The connector's name, the `source` of its rows."""
        ...

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """What it publishes, by name."""
        ...

    @property
    def rule(self) -> str:
        """Id of the publication rule."""
        ...

    @property
    def location(self) -> str:
        """Where the files are listed, without any secret; names the listing in caches."""
        ...

    def published_at(self, file_date: date) -> datetime:
        """Return the instant by which the vendor's rule says that the day's file is out, UTC."""
        ...

    def list(self, dataset: str, start: date, end: date) -> Sequence[RemoteObject]:
        """Return the objects there for file dates in `[start, end)`, ascending.

        Raises:
            EntitlementError: The credentials do not cover the dataset.
            SourceUnavailableError: The listing cannot be had now.
            ConfigError: The location is not a tree of this vendor.
        """
        ...

    def fetch(self, remote: RemoteObject, to: Path, advance: Callable[[int], None]) -> Fetched:
        """Write the object's bytes to `to` and return their hash; `advance` takes their count.

        Resumes after a break, retries with backoff and jitter, and notices when the object
        changes under the download: it then begins anew, `advance` takes the count given up
        as a negative number, and what arrived names the new version's tag.

        Raises:
            EntitlementError, NotPublishedError, RateLimitedError, SourceUnavailableError,
            StorageFullError
        """
        ...


class Connector(Protocol):
    """What an entry point gives: a name, settings, datasets, and a parser of what landed.

    What it can open is a capability of its own: `FileConnector`, `ReferenceConnector`, or both.
    A connector has the methods of what it can do and no others.
    """

    @property
    def name(self) -> str:
        """The name of the entry point and of the source's section of the settings file."""
        ...

    @property
    def settings(self) -> type[BaseModel]:
        """Model of the source's own section of the settings file."""
        ...

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """What the source publishes, by name; known without opening anything."""
        ...

    def parser(self, dataset: Dataset, settings: BaseModel) -> Parser:
        """Return what parses landed objects of a dataset; no place of the source is needed."""
        ...


@runtime_checkable
class FileConnector(Connector, Protocol):
    """A connector of market files: one object per dataset and date."""

    def open(self, location: str, settings: BaseModel) -> FileSource:
        """Return the source at `location`: a folder, or s3://bucket[/prefix].

        Raises:
            ConfigError: There is no such place, or no market files at all.
        """
        ...


@runtime_checkable
class ReferenceConnector(Connector, Protocol):
    """A connector of reference data: datasets that are not one file per date."""

    def open_reference(
        self, location: str, settings: BaseModel, *, clock: Clock | None = None
    ) -> FileSource:
        """Return the source of reference data at `location`.

        Each object of a listing is one file, or one query with all of its pages as one object;
        `file_date` is the last day of the range of the request, which is the day of the fetch. The
        etag of a query is empty: it is fetched every time, and equal bytes are nothing new.
        `clock` says when now is, for those that ask up to now; the machine's own by default.

        Raises:
            ConfigError: There is no such place, or no reference data.
        """
        ...
