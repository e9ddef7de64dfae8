"""What the entry point gives: datasets, settings, and a way to open a folder."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field

from daybook.source import DaybookSource
from ingot.connectors.base import AS_OPTION
from ingot.errors import ConfigError
from ingot.tables import bronze, silver
from ingot.tables.dataset import Dataset

if TYPE_CHECKING:
    from ingot.connectors.base import FileSource, Parser

DATASETS: Final = {
    "daybook/days": Dataset(
        name="daybook/days",
        bronze=bronze.DAY_BARS,
        calendar="XNYS",
        history_from=date(2020, 1, 2),
        silver=silver.DAY_BARS,
    )
}


class DaybookSettings(BaseModel):
    """The section `[daybook]` of the settings file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lot: int = Field(
        default=1, ge=1, description="Shares of one unit of size.", json_schema_extra=AS_OPTION
    )


class DaybookConnector:
    """Daily bars from a folder of files YYYY-MM-DD.txt."""

    name = "daybook"
    settings = DaybookSettings
    datasets = DATASETS

    def open(self, location: str, settings: DaybookSettings) -> FileSource:
        """Return the folder at `location` as a source."""
        root = Path(location).expanduser().absolute()
        if not root.is_dir():
            raise ConfigError(f"There is no folder at {str(root)!r}. Name the folder of the files.")
        return DaybookSource(root, settings.lot, DATASETS)

    def parser(self, dataset: Dataset, settings: DaybookSettings) -> Parser:
        """Return what parses landed files; it needs no folder."""
        return DaybookSource(Path(), settings.lot, {dataset.name: dataset})


connector: Final = DaybookConnector()
