"""What a folder and a bucket of Massive's flat files have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingot.config.messages import unknown
from ingot.connectors.massive import datasets
from ingot.connectors.massive.datasets import DATASETS, NAME, RULE
from ingot.errors import ConfigError
from ingot.model.vendor_files import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime
    from pathlib import Path

    from ingot.connectors.base import Parsed
    from ingot.connectors.massive.settings import MassiveSettings
    from ingot.connectors.transport.backoff import Backoff
    from ingot.model.landing import Content, Landing
    from ingot.model.vendor_files import InflateLimits
    from ingot.tables.dataset import Dataset


class MassiveFiles:
    """Datasets, publication rule and parser; the subclass knows where the bytes are."""

    def __init__(self, location: str, settings: MassiveSettings, backoff: Backoff) -> None:
        self._location = location
        self._settings = settings
        self._backoff = backoff

    def __repr__(self) -> str:
        """Name the place, never a key."""
        return f"{type(self).__name__}({self._location!r})"

    @property
    def name(self) -> str:
        """The connector's name."""
        return NAME

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """The four datasets of aggregates."""
        return DATASETS

    @property
    def rule(self) -> str:
        """Id of the publication rule."""
        return RULE

    @property
    def location(self) -> str:
        """Where the files are listed, without any secret."""
        return self._location

    def published_at(self, file_date: date) -> datetime:
        """Return the instant by which the vendor's rule says that the day's file is out, UTC."""
        return datasets.published_at(file_date)

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
            CorruptFileError: The file cannot be read to its end, has no row, or inflates beyond
                `limits`.
            QuarantineLimitError: More than `limit_pct` percent of the rows were refused.
            StorageFullError: The disk is full.
        """
        from ingot.connectors.massive.flatfiles.parse import parse_file  # noqa: PLC0415 (loads pyarrow)

        threads = self._settings.parse_threads
        table = self._dataset(landing.dataset).bronze
        return parse_file(
            landing, table, content, to, limit_pct=limit_pct, threads=threads, limits=limits
        )

    def _dataset(self, name: str) -> Dataset:
        if name not in DATASETS:
            raise ConfigError(unknown("dataset of massive", name, DATASETS))
        return DATASETS[name]
