"""The connector `csv`: one file of actions or of instruments."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

from ingot.connectors.csv_file.actions import read_actions
from ingot.connectors.csv_file.daily import is_daily, read_daily
from ingot.connectors.csv_file.instruments import read_instruments
from ingot.connectors.csv_lines import CsvFile
from ingot.connectors.reference.base import ReferenceSource
from ingot.connectors.reference.datasets import ACTIONS, INSTRUMENTS, reference_datasets
from ingot.connectors.transport.backoff import Backoff
from ingot.connectors.transport.local_copy import Stamp, copy_file
from ingot.errors import ConfigError, SourceUnavailableError
from ingot.model.vendor_files import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date

    from ingot.connectors.base import Fetched, FileSource, Parser
    from ingot.connectors.reference.rows import Bad, Good
    from ingot.model.landing import Content, Landing, RemoteObject
    from ingot.model.time import Clock
    from ingot.model.vendor_files import InflateLimits
    from ingot.tables.dataset import Dataset

NAME: Final = "csv"
DATASETS: Final = reference_datasets(ACTIONS, INSTRUMENTS)
_SUFFIXES: Final = (".gz", ".csv")


class CsvSettings(BaseModel):
    """A CSV file needs no settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CsvSource(ReferenceSource):
    """One file, which is the whole of what it says: what a new version leaves out is withdrawn."""

    def __init__(self, path: Path, backoff: Backoff) -> None:
        super().__init__(NAME, str(path), DATASETS)
        self._path = path
        self._backoff = backoff

    def list(self, dataset: str, start: date, end: date) -> Sequence[RemoteObject]:
        """Return the file; its key is the dataset and its name, its etag size and mtime.

        Raises:
            ConfigError: There is no such file, or the dataset is unknown.
            SourceUnavailableError: It cannot be looked at.
        """
        del start
        self.dataset(dataset)
        try:
            stamp = Stamp.of(self._path.stat())
        except FileNotFoundError as exc:
            raise ConfigError(_no_file(self._path)) from exc
        except OSError as exc:
            raise SourceUnavailableError(
                f"{self._path} cannot be read: {exc.strerror}. Try again later."
            ) from exc
        key = f"{dataset}/{self._path.name}"
        return (self.remote(dataset, end - timedelta(days=1), key, stamp),)

    def fetch(self, remote: RemoteObject, to: Path, advance: Callable[[int], None]) -> Fetched:
        """Copy the file to `to`, hashing it.

        Raises:
            NotPublishedError, SourceUnavailableError, StorageFullError
        """
        return copy_file(self._path, to, advance, listed_etag=remote.etag, backoff=self._backoff)

    def read(self, landing: Landing, content: Content) -> Iterator[Good | Bad]:
        """Yield the rows of a landed file, as `read_packed` within the default limits."""
        return self.read_packed(landing, content, DEFAULT_LIMITS)

    def read_packed(
        self, landing: Landing, content: Content, limits: InflateLimits
    ) -> Iterator[Good | Bad]:
        """Yield the rows of a landed file, plain or gzip.

        Raises:
            SchemaDriftError: A needed column is missing, or one is unknown.
            CorruptFileError: The file cannot be read to its end, or inflates beyond `limits`.
            LookAtDataError: A table of daily prices does not move by its splits.
        """
        with CsvFile(content.read_bytes(), landing.key, limits) as file:
            if landing.dataset == INSTRUMENTS:
                yield from read_instruments(file)
            elif is_daily(file.header):
                yield from read_daily(file, landing.key, stem=_stem(landing.key))
            else:
                yield from read_actions(file)


class CsvConnector:
    """Opens a CSV file of reference data; it has no market files."""

    @property
    def name(self) -> str:
        """The name of the entry point."""
        return NAME

    @property
    def settings(self) -> type[BaseModel]:
        """Model of the section `[csv]`, which is empty."""
        return CsvSettings

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """Actions and instruments."""
        return DATASETS

    def open_reference(
        self,
        location: str,
        settings: BaseModel,
        *,
        backoff: Backoff | None = None,
        clock: Clock | None = None,
    ) -> FileSource:
        """Return the file at `location` as a source of actions or instruments.

        Raises:
            ConfigError: There is no such file.
        """
        del clock
        del settings
        path = Path(location).expanduser().absolute()
        if not location or not path.is_file():
            raise ConfigError(_no_file(path if location else location))
        return CsvSource(path, backoff or Backoff())

    def parser(self, dataset: Dataset, settings: BaseModel) -> Parser:
        """Return what parses landed objects of a dataset."""
        del dataset, settings
        return CsvSource(Path(), Backoff())


connector: Final = CsvConnector()


def _stem(key: str) -> str:
    name = key.rpartition("/")[2]
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def _no_file(path: Path | str) -> str:
    return f"There is no file at {str(path)!r}. Name a CSV file: csv:FILE"
