"""The connector `table`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ingot.connectors.reference.dated_file import file_at
from ingot.connectors.table.settings import TableSettings
from ingot.connectors.table.source import TableSource
from ingot.errors import ConfigError
from ingot.tables.own import CONNECTOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from ingot.connectors.base import FileSource, Parser
    from ingot.tables.dataset import Dataset


class TableConnector:
    """Tables of your own: --source csv:FILE or parquet:FILE."""

    name = CONNECTOR
    settings = TableSettings

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """None before a table is named: a lake records those that it has."""
        return {}

    def open(self, location: str, settings: BaseModel) -> FileSource:
        """Return the file at `location` as a source.

        Raises:
            ConfigError: The location is not csv:FILE or parquet:FILE, or there is no such file.
        """
        return TableSource(file_at(location), _valid(settings))

    def parser(self, dataset: Dataset, settings: BaseModel) -> Parser:
        """Return what parses landed objects of a table."""
        del dataset
        return TableSource(Path(), _valid(settings))


def first_options(
    location: str, options: Mapping[str, str], types: Mapping[str, str]
) -> dict[str, str]:
    """Return what is to be recorded of a new table: the options, and the columns of its file.

    Args:
        location: The first file.
        options: Name, key, time and zone of the table.
        types: Column -> name of its type, where it is not the one that its values show.

    Raises:
        ConfigError: The location, a name, a column or a type cannot be used.
        CorruptFileError, SourceUnavailableError: The file cannot be read.
    """
    from ingot.connectors.table.contract import first_columns  # noqa: PLC0415 (loads polars)

    settings = TableSettings.model_validate(options)
    rows = TableSource(file_at(location), settings).rows
    declared = settings.model_copy(update={"columns": first_columns(rows, settings, types)})
    source = TableSource(file_at(location), declared)
    (dataset,) = source.datasets
    if not source.list(dataset, date.min, date.max):
        raise ConfigError(f"{source.location} has no row. Load a first file that has some.")
    return declared.model_dump(exclude_defaults=True)


def _valid(settings: BaseModel) -> TableSettings:
    return TableSettings.model_validate(settings, from_attributes=True)


connector: Final = TableConnector()
